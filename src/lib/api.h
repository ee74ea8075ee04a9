/* SPDX-License-Identifier: MIT */
/* lib/api.h - what the calls of distributex.h share
 *
 * The one session of a process and the text of the last error are the only
 * state.  Arguments are checked in the files api*.c, and there alone: api.c has
 * the session, api_kernel.c kernels and what they may call, api_work.c what is
 * set up for a run, api_run.c loops and trees, api_task.c tasks.
 */
#ifndef DTX_LIB_API_H
#define DTX_LIB_API_H

#include "lib/session.h"

extern struct dtx_session *dtx_api_session; /* NULL: none */
extern struct dtx_error dtx_api_error;      /* the last */

/* Fill it (a code, a format); returns the code. */
#define dtx_api_fail(...) dtx_error_set(&dtx_api_error, __VA_ARGS__)

/* DTX_ESTATE: there is no session. */
int dtx_api_outside(const char *what);
/* DTX_ESTATE: this is said by a kernel, or by what is called while one may run.
 * Any thread. */
int dtx_api_busy(struct dtx_session *s);
/* A kernel of this name; NULL: none. */
struct dtx_kernel *dtx_api_kernel(const struct dtx_session *s,
                                  const char *name);
/* The number of a kernel of tasks, or negative. Any thread. */
int64_t dtx_api_task_kernel(const struct dtx_session *s, const char *name);
/* Work of the kernel of this name, that the caller holds. 0 or negative. */
int dtx_api_init_work(struct dtx_work *w, const char *kernel);
/* Run a region, of which the style and what it works on are filled in. */
int dtx_api_run(struct dtx_region *g, struct dtx_work *w, const void *args,
                size_t args_bytes);
/* The arguments of a call that all ranks make are wrong on this one, as
 * dtx_api_error tells: so the others are told, instead of waiting, and return
 * the same. The code. */
int dtx_api_refuse(void);
/* lib/api_task.c, rank 0: a run of tasks has ended, with this code; those that
 * have not end with it. */
void dtx_api_close_tasks(struct dtx_work *w, int code);
/* lib/api_task.c: a region of no work, which only is told 'why'. */
int dtx_api_run_nothing(const struct dtx_error *why);

#endif
