/* SPDX-License-Identifier: MIT */
/* tests/unit/store_dir.h - a scratch directory for tests of store/
 *
 * dtx_scratch_enter makes one, changes into it and removes it when the program
 * that called it ends.  Check forks a process per test, so tests share it:
 * each takes a name of its own. */
#ifndef DTX_TESTS_UNIT_STORE_DIR_H
#define DTX_TESTS_UNIT_STORE_DIR_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dtx_scratch_path[PATH_MAX];
static pid_t dtx_scratch_owner;

static inline int dtx_scratch_unlink(const char *path, const struct stat *st,
                                     int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

static inline void dtx_scratch_leave(void)
{
    if (getpid() == dtx_scratch_owner)
        (void)nftw(dtx_scratch_path, dtx_scratch_unlink, 16,
                   FTW_DEPTH | FTW_PHYS);
}

static inline void dtx_scratch_enter(void)
{
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(dtx_scratch_path, sizeof(dtx_scratch_path),
                   "%s/dtx-test-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    if (!mkdtemp(dtx_scratch_path) || chdir(dtx_scratch_path) != 0) {
        perror(dtx_scratch_path);
        exit(EXIT_FAILURE);
    }
    (void)setenv("PWD", dtx_scratch_path, 1);
    dtx_scratch_owner = getpid();
    (void)atexit(dtx_scratch_leave);
}

/* Make a file of these bytes; false when that fails. */
static inline int dtx_scratch_write(const char *path, const void *data,
                                    size_t len)
{
    FILE *f = fopen(path, "wb");
    int ok = f && fwrite(data, 1, len, f) == len;

    return f && fclose(f) == 0 && ok;
}

/* The size of a file, -1 when there is none. */
static inline long long dtx_scratch_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

#endif
