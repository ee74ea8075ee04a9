/* SPDX-License-Identifier: MIT */
/* run/marker.h - how rank 0 tells the supervisor how the job ended
 *
 * Files in the run directory, of a name that is new for each launch: the marker
 * holds the job's exit status; those beside it say that MPI has come up, that
 * rank 0 has the job, that all ranks have met, and that rank 0 is dead, or
 * before they have met any.
 */
#ifndef DTX_RUN_MARKER_H
#define DTX_RUN_MARKER_H

#include <stdbool.h>

struct dtx_buf;

/* Where rank 0 finds the marker's path. Not set: no supervisor. */
#define DTX_MARKER_ENV "DTX_MARKER"

/* For rank 0: MPI has come up, on all ranks. 0 or an error. */
int dtx_marker_up(const char *path);
/* For rank 0: it has the job, and all ranks are about to meet. */
int dtx_marker_open(const char *path);
/* For rank 0: all ranks have met, and hear signals. 0 or an error. */
int dtx_marker_ready(const char *path);
/* For rank 0: write the marker, atomically. 0..255. 'lossy': ranks were lost,
 * and it is known that mpirun may never end. */
int dtx_marker_write(const char *path, int status, bool lossy);

/* Where rank 0's spawner tells of its death (node/notice.h). */
void dtx_marker_lost_path(struct dtx_buf *b, const char *path);

/* For the supervisor. */
struct dtx_marker {
    char *path, *up, *open, *ready, *lost; /* NULL when out of memory */
    const char *run_dir;
};

/* Think of a name. The directory is borrowed. */
void dtx_marker_name(struct dtx_marker *m, const char *run_dir);
bool dtx_marker_is_up(const struct dtx_marker *m);
bool dtx_marker_is_open(const struct dtx_marker *m);
bool dtx_marker_is_ready(const struct dtx_marker *m);
/* The status in the marker, or -1. */
int dtx_marker_read(const struct dtx_marker *m, bool *lossy);
void dtx_marker_remove(struct dtx_marker *m);

#endif
