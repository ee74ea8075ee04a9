/* SPDX-License-Identifier: MIT */
/* Giving back the space of outputs that are not kept; see output.h.  Removes
 * segments and nothing else, and never one it was not asked about. */
#include "store/output.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/file.h"

/* Whoever has it open holds its space, so it is emptied first. */
static int drop(const char *path)
{
    if (truncate(path, 0) != 0 && errno == ENOENT)
        return 0;
    return unlink(path) == 0 || errno == ENOENT ? 0 : -1;
}

int dtx_output_drop_segment(const char *run_dir, uint32_t epoch, uint32_t rank,
                            uint32_t segment)
{
    char name[64], *path;
    int rc = 0;

    (void)snprintf(name, sizeof(name),
                   "out/e%" PRIu32 "-r%" PRIu32 ".p%" PRIu32, epoch, rank,
                   segment);
    path = dtx_file_join(run_dir, name);
    if (!path)
        return DTX_ENOMEM;
    if (drop(path) != 0)
        rc = dtx_error_errno(NULL, "cannot remove it");
    free(path);
    return rc;
}

/* Digits behind 'letter': what follows them, or NULL. */
static const char *skip(const char *s, char letter)
{
    size_t n;

    if (!s || *s != letter)
        return NULL;
    n = strspn(s + 1, "0123456789");
    return n > 0 ? s + 1 + n : NULL;
}

/* e3-r12.p4 */
static bool is_segment(const char *name)
{
    const char *s = skip(name, 'e');

    s = s && *s == '-' ? skip(s + 1, 'r') : NULL;
    s = s && *s == '.' ? skip(s + 1, 'p') : NULL;
    return s && !*s;
}

void dtx_output_sweep(const char *run_dir)
{
    char *dir = dtx_file_join(run_dir, "out"), *path;
    DIR *d = dir ? opendir(dir) : NULL;
    const struct dirent *e;

    while (d && (e = readdir(d)) != NULL) {
        path = is_segment(e->d_name) ? dtx_file_join(dir, e->d_name) : NULL;
        if (path)
            (void)drop(path);
        free(path);
    }
    if (d)
        (void)closedir(d);
    free(dir);
}
