/* SPDX-License-Identifier: MIT */
/* run/supervise_words.h - how mpirun is called
 *
 * Private to run/supervise*.c.
 */
#ifndef DTX_RUN_SUPERVISE_WORDS_H
#define DTX_RUN_SUPERVISE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/supervise.h"

/* A list of strings of its own, ended by NULL. */
struct dtx_argv {
    char **v;
    size_t n, cap;
    bool failed;
};

void dtx_argv_add(struct dtx_argv *w, const char *s);
void dtx_argv_free(struct dtx_argv *w);

/* mpirun and its options, up to the hosts; then all of it for the job. */
const char *dtx_supervise_mpirun(const struct dtx_supervise *s);
void dtx_supervise_command(const struct dtx_supervise *s, const char *hostfile,
                           struct dtx_argv *w);
/* The environment mpirun gets. 'go_on' is the first epoch of this job's
 * launches, 0 for the first of them. */
void dtx_supervise_env(const char *marker, uint32_t go_on,
                       struct dtx_argv *w);
void dtx_supervise_log(const struct dtx_argv *w);

#endif
