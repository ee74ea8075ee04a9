/* SPDX-License-Identifier: MIT */
/* node/counting.h - programs that are counted from their start
 *
 * Whoever was chosen to count (node/counters.h) does it behind these calls; the
 * one that starts programs need not know who:
 *
 *     dtx_counting_init(&c, provider, counted);
 *     counts = dtx_counting_prepare(&c);
 *     pid = dtx_counting_holds(&c) ? fork() : vfork();
 *     if (pid == 0) {
 *         if (counts)
 *             dtx_counting_child(&c);
 *         execve(...);
 *     }
 *     if (counts)
 *         dtx_counting_begin(&c, pid, &run);
 *     ... the process has ended ...
 *     dtx_counting_end(&c, &run, &counters);
 */
#ifndef DTX_NODE_COUNTING_H
#define DTX_NODE_COUNTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "node/counters.h"

struct dtx_papi_program;
struct dtx_papi_programs;

struct dtx_counting {
    enum dtx_counter provider;
    struct dtx_perf_set perf;       /* of none: nothing is counted by perf */
    struct dtx_papi_programs *papi; /* NULL: nothing is counted by PAPI */
    int gate[2]; /* sockets, of the child and of its parent: for perf its files
                    come this way, for PAPI it waits there */
};

/* What counts one program. Of all zeroes, or of one that was never begun, no
 * more is allowed than dtx_counting_end. */
struct dtx_counting_run {
    bool files; /* 'fd' is there */
    int fd[DTX_PERF_EVENTS];
    struct dtx_papi_program *papi;
};

/* False: it counts nothing, and nothing need be undone. Else it lasts until the
 * process ends. */
bool dtx_counting_init(struct dtx_counting *c, enum dtx_counter provider,
                       uint8_t counted);
/* A child that is to be counted must have memory of its own, since it waits for
 * the process that has made it. */
bool dtx_counting_holds(const struct dtx_counting *c);
/* Before a child is made that is to be counted. False: it cannot be. */
bool dtx_counting_prepare(struct dtx_counting *c);
/* In the child, before its exec: system calls alone. */
void dtx_counting_child(const struct dtx_counting *c);
/* In its parent, 'pid' being -1 when there is no child. */
void dtx_counting_begin(struct dtx_counting *c, pid_t pid,
                        struct dtx_counting_run *run);
/* What was counted, in 'out'. What was not is absent; if nothing was, the
 * provider is RUSAGE. */
void dtx_counting_end(const struct dtx_counting *c,
                      struct dtx_counting_run *run, struct dtx_counters *out);

#endif
