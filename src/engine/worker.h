/* SPDX-License-Identifier: MIT */
/* engine/worker.h - a rank's side of the job, as a state machine
 *
 * Keeps the tasks that were granted, hands as many to the executor as fit
 * (and a few more, to hide the way between two tasks), reports what ended,
 * and gives back what has not started when the master asks.  It never decides
 * who works on what.  One per rank; see event.h for the contract.
 */
#ifndef DTX_ENGINE_WORKER_H
#define DTX_ENGINE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

struct dtx_worker;

struct dtx_worker_config {
    uint32_t rank;
    uint32_t incarnation; /* tells this process from earlier ones of the rank */
    uint32_t epoch;       /* of the job's session */
    uint32_t slots;       /* at least 1 */
    uint32_t ahead;       /* slots' worth handed over beyond 'slots' */
    const char *host;     /* copied */
    int64_t lost_after_ns; /* as the master has it; of rank 0's own worker 0: it
                              speaks when it has been silent for a quarter of
                              that, and gives up, its tasks too, when it has
                              heard nothing for all of it. 0 = never */
    dtx_trace_f trace;    /* may be NULL */
    void *trace_ctx;
};

struct dtx_worker *dtx_worker_create(const struct dtx_worker_config *c);
void dtx_worker_destroy(struct dtx_worker *w); /* NULL is allowed */

/* 0; DTX_ENOMEM (give the rank up); DTX_EPROTO for a frame that is not the
 * protocol's (give the rank up). 'out' is cleared first. */
int dtx_worker_step(struct dtx_worker *w, const struct dtx_event *ev,
                    struct dtx_actions *out);

/* Tasks it has, not ended (started or not). */
uint64_t dtx_worker_tasks(const struct dtx_worker *w);
/* True after FINISH. */
bool dtx_worker_finished(const struct dtx_worker *w);
/* True when it gave up since the master was silent: it does not say good
 * bye, and the rank is to leave. */
bool dtx_worker_deserted(const struct dtx_worker *w);

#endif
