/* SPDX-License-Identifier: MIT */
/* run/supervise_hosts.h - which hosts of a hostfile are left
 *
 * Private to run/supervise*.c.
 */
#ifndef DTX_RUN_SUPERVISE_HOSTS_H
#define DTX_RUN_SUPERVISE_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_supervise;

/* Have "true" started on each host of s->hostfile by mpirun, or on each of
 * s->nodes by srun, all at once, and write the lines of those that did it in
 * time into a file in 'run_dir', whose path comes into 'path'. Empty 'path':
 * the hosts cannot be read, so that all are to be used. '*ranks': how many of
 * s->ranks to launch there; of nodes that had as many ranks each, those that
 * are left have them still. False: no host answers. */
bool dtx_supervise_hosts(const struct dtx_supervise *s, const char *run_dir,
                         struct dtx_buf *path, uint32_t *ranks);

#endif
