/* SPDX-License-Identifier: MIT */
/* The index from tasks to their records; see output.h.  Decides nothing: a
 * wrong or missing entry costs a search, never a wrong answer, so nothing here
 * is synced. */
#include "store/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/file.h"

#define ENTRY 8u
#define RUN 512u /* entries written at once */

struct dtx_output_index {
    int fd;
};

int dtx_output_index_open(const char *run_dir, struct dtx_output_index **out,
                          struct dtx_error *err)
{
    struct dtx_output_index *x = calloc(1, sizeof(*x));
    char *path = dtx_file_join(run_dir, "out/index");
    int rc = 0;

    if (!x || !path) {
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    } else {
        x->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (x->fd < 0)
            rc = dtx_error_errno(err, "cannot open %s", path);
    }
    free(path);
    if (rc != 0)
        free(x);
    else
        *out = x;
    return rc;
}

void dtx_output_index_close(struct dtx_output_index *x)
{
    if (!x)
        return;
    (void)close(x->fd);
    free(x);
}

static int compare_entries(const void *a, const void *b)
{
    const struct dtx_index_entry *x = a, *y = b;

    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Write the entries of neighbouring tasks at the head of 'e', at most a buffer
 * of them; returns how many were used up, 0 on failure. */
static size_t write_run(struct dtx_output_index *x,
                        const struct dtx_index_entry *e, size_t n)
{
    unsigned char b[RUN * ENTRY];
    uint32_t first = e[0].task;
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t at = e[i].task - first;
        uint64_t v = e[i].journal_at + 1;

        if (at >= RUN || (i > 0 && e[i].task - e[i - 1].task > 1))
            break;
        dtx_file_put32(b + (size_t)at * ENTRY, (uint32_t)v);
        dtx_file_put32(b + (size_t)at * ENTRY + 4, (uint32_t)(v >> 32));
    }
    if (dtx_file_write(x->fd, b, (e[i - 1].task - first + 1) * (size_t)ENTRY,
                       (uint64_t)first * ENTRY) != 0)
        return 0;
    return i;
}

int dtx_output_index_set_all(struct dtx_output_index *x,
                             struct dtx_index_entry *e, size_t n)
{
    size_t i, done;

    for (i = 0; i < n; i++)
        e[i].order = (uint32_t)i;
    if (n > 1)
        qsort(e, n, sizeof(*e), compare_entries);
    for (i = 0; i < n; i += done) {
        done = write_run(x, e + i, n - i);
        if (done == 0)
            return dtx_error_errno(NULL, "index");
    }
    return 0;
}

int dtx_output_index_set(struct dtx_output_index *x, uint32_t task,
                         uint64_t journal_at)
{
    struct dtx_index_entry e = {journal_at, task, 0};

    return dtx_output_index_set_all(x, &e, 1);
}

int dtx_output_index_reset(struct dtx_output_index *x)
{
    if (ftruncate(x->fd, 0) != 0)
        return dtx_error_errno(NULL, "index");
    return 0;
}

int dtx_output_index_get(const char *run_dir, uint32_t task,
                         uint64_t *journal_at)
{
    char *path = dtx_file_join(run_dir, "out/index");
    unsigned char b[ENTRY];
    ssize_t n = 0;
    uint64_t v;
    int fd;

    if (!path)
        return DTX_ENOMEM;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    free(path);
    if (fd < 0)
        return dtx_error_errno(NULL, "index");
    n = dtx_file_read(fd, b, sizeof(b), (uint64_t)task * ENTRY);
    if (n < 0) {
        int rc = dtx_error_errno(NULL, "index");

        (void)close(fd);
        return rc;
    }
    (void)close(fd);
    if (n < (ssize_t)sizeof(b))
        return DTX_ENOENT;
    v = (uint64_t)dtx_file_get32(b) | (uint64_t)dtx_file_get32(b + 4) << 32;
    if (v == 0)
        return DTX_ENOENT;
    *journal_at = v - 1;
    return 0;
}
