/* SPDX-License-Identifier: MIT */
/* node/papi.h - the counter library this program was built with
 *
 * configure chooses one of papi_count.c and papi_none.c, which can nothing of
 * this.
 */
#ifndef DTX_NODE_PAPI_H
#define DTX_NODE_PAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "task/counters.h"

struct dtx_papi_program;
struct dtx_papi_programs;

/* "PAPI 7.0.0.0" or "none (built --without-papi)", cut to fit.
 * Returns 'buf'. */
const char *dtx_papi_library(char *buf, size_t size);

/* For struct dtx_counter_source (node/counters.h): PAPI_HARDWARE or
 * PAPI_SOFTWARE events of the calling thread, and then of a process it starts,
 * are added, started and read. They start the library in this process and end
 * it again. */
bool dtx_papi_probe(enum dtx_counter provider, uint8_t *counted, char *why);
bool dtx_papi_attaches(enum dtx_counter provider, uint8_t *counted, char *why);

/* ---- programs: in a process of one thread that has no other use for PAPI ----
 */

/* Be ready to count 'counted' of programs. NULL: it does not work here, and
 * 'why' (DTX_COUNTER_WHY bytes) may say more. The caller closes it. */
struct dtx_papi_programs *dtx_papi_open(enum dtx_counter provider,
                                        uint8_t counted, char *why);
void dtx_papi_close(struct dtx_papi_programs *p);
/* Count what process 'pid', which waits to execute a program, does from now on,
 * and all that it starts. NULL: it is not counted, and '*why' (may be NULL)
 * tells PAPI's error. The caller ends it. */
struct dtx_papi_program *dtx_papi_attach(const struct dtx_papi_programs *p,
                                         pid_t pid, int *why);
/* It has ended: what was counted in 'out', which is all zeroes; its provider is
 * RUSAGE if nothing was. */
void dtx_papi_end(struct dtx_papi_program *x, struct dtx_counters *out);

/* ---- threads: for struct dtx_thread_source ---- */

/* Only the thread that has opened it may read and close it. NULL also where the
 * process has started PAPI before: then it has plans of its own with it. */
void *dtx_papi_thread_open(enum dtx_counter provider);
void dtx_papi_thread_read(void *handle, struct dtx_counters *out);
void dtx_papi_thread_close(void *handle);

#endif
