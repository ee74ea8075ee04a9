/* SPDX-License-Identifier: MIT */
/* node/capture.h - the files that tasks write their output into
 *
 * A capture is a pair of files without a name, for stdout and stderr.  It is
 * made when first needed, passed to the rank once, and used again and again:
 * outputs of successive tasks stand behind each other and a task's own is a
 * range.  It is held from the start of a task until the rank has copied the
 * output, and never shared.  Only large files are emptied.
 *
 * At its beginning each file carries a random mark.  A task that opens
 * /dev/stderr anew may empty the file; the mark is then gone and the whole file
 * is taken for the task's.
 */
#ifndef DTX_NODE_CAPTURE_H
#define DTX_NODE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_ring;
struct dtx_spawner_config;

struct dtx_capture_file {
    int fd;
    bool damaged;  /* emptied or overwritten by a task: to be made anew */
    int64_t end;   /* its size when the last task had ended */
    uint64_t mark[2];
};

struct dtx_capture {
    struct dtx_capture_file out, err; /* fd -1: to be made */
};

struct dtx_captures {
    struct dtx_capture *c;
    uint32_t n, max;
    uint32_t *free_list, *held; /* numbers of captures */
    uint32_t nfree, nheld;
    const char *dir;
    int sock;
    struct dtx_ring *ring;
    int64_t room_until_ns; /* the file system is not full before then */
};

/* The range of one task's output. */
struct dtx_capture_range {
    int64_t out_start, out_len, err_start, err_len;
};

/* What goes through the socket, with two file descriptors. */
struct dtx_capture_note {
    int32_t capture;
};

/* Choose the directory for the captures (into 'dir') and try it. */
int dtx_capture_choose(const struct dtx_spawner_config *c, char *dir,
                       size_t size, struct dtx_error *err);

/* 'dir' is borrowed. 0 or DTX_ENOMEM. */
int dtx_captures_init(struct dtx_captures *s, struct dtx_ring *ring, int sock,
                      const char *dir, uint32_t max);
/* A capture for a new task; DTX_CAPTURE_HELD when all are held, _FAILED when
 * a file cannot be made just now (errno says why). */
#define DTX_CAPTURE_HELD (-1)
#define DTX_CAPTURE_FAILED (-2)
int32_t dtx_captures_take(struct dtx_captures *s);
/* The task has ended: where its output is. */
void dtx_captures_measure(struct dtx_captures *s, int32_t i,
                          struct dtx_capture_range *r);
/* Is its file system full, so that what was written last may be missing? */
bool dtx_capture_cut(struct dtx_captures *s, int32_t i);
/* Somebody may still write into these files: use other ones next time. */
void dtx_captures_retire(struct dtx_captures *s, int32_t i);
/* Held until the rank releases it ... */
void dtx_captures_hold(struct dtx_captures *s, int32_t i);
/* ... or free again at once. */
void dtx_captures_put(struct dtx_captures *s, int32_t i);
/* Has the rank released one that is held? */
bool dtx_captures_released(const struct dtx_captures *s);

#endif
