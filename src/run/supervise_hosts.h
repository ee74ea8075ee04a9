/* SPDX-License-Identifier: MIT */
/* run/supervise_hosts.h - which hosts of a hostfile are left
 *
 * Private to run/supervise*.c.
 */
#ifndef DTX_RUN_SUPERVISE_HOSTS_H
#define DTX_RUN_SUPERVISE_HOSTS_H

#include <stdbool.h>

struct dtx_buf;
struct dtx_supervise;

/* Have mpirun start "true" on each host of s->hostfile, all at once, and write
 * those lines whose host did it in time into a file in 'run_dir', whose path
 * comes into 'path'. Empty 'path': the hostfile cannot be read, so it is to be
 * used as it is. False: no host answers. */
bool dtx_supervise_hosts(const struct dtx_supervise *s, const char *run_dir,
                         struct dtx_buf *path);

#endif
