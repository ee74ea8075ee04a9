/* SPDX-License-Identifier: MIT */
/* tests/unit/fake_root.h - files as /proc and /sys have them, below a folder
 *
 * For code that looks for them below a root: 'root' names a folder in the
 * scratch directory (store_dir.h), which main enters first.
 */
#ifndef DTX_TESTS_UNIT_FAKE_ROOT_H
#define DTX_TESTS_UNIT_FAKE_ROOT_H

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store_dir.h"

/* Write 'text' into root/path, in one piece, its folders first. */
static inline void put(const char *root, const char *path, const char *text)
{
    char whole[PATH_MAX + 256], now[PATH_MAX + 264], *p;
    FILE *f;

    (void)snprintf(whole, sizeof(whole), "%s/%s/%s", dtx_scratch_path, root,
                   path);
    for (p = whole + strlen(dtx_scratch_path) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        ck_assert(mkdir(whole, 0777) == 0 || errno == EEXIST);
        *p = '/';
    }
    (void)snprintf(now, sizeof(now), "%s.new", whole);
    f = fopen(now, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(rename(now, whole), 0);
}

#endif
