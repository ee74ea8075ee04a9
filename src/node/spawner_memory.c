/* SPDX-License-Identifier: MIT */
/* Tasks and the node's free memory: none starts while there is less than the
 * configuration asks for, and while there is less than half of that the newest
 * of several is ended, to run again later.  Both as GNU parallel's --memfree
 * has it. */
#include <stdatomic.h>

#include "base/units.h"
#include "node/clock.h"
#include "node/memory.h"
#include "node/spawner_proc.h"
#include "node/spawner_ring.h"
#include "task/task.h"

#define FRESH_NS (20 * DTX_MSEC_NS)  /* a look holds for so long */
#define AGAIN_NS (200 * DTX_MSEC_NS) /* while tasks run or wait for memory */
#define FREES_NS (1 * DTX_SEC_NS)    /* what ended has freed its memory */

static int64_t look(struct dtx_proc *p, int64_t now_ns)
{
    if (p->memory_ns == 0 || now_ns - p->memory_ns >= FRESH_NS) {
        p->memory_ns = now_ns;
        p->memory = dtx_memory_free_at(p->config->memory_root);
        atomic_store(&p->ring->memory, p->memory);
    }
    return p->memory;
}

bool dtx_proc_has_memory(struct dtx_proc *p, const struct dtx_record *r)
{
    int64_t now_ns, free_bytes;
    bool held;

    if (p->config->memfree <= 0 || r->task == DTX_NO_TASK)
        return true;
    now_ns = dtx_clock_mono_ns();
    free_bytes = look(p, now_ns);
    held = free_bytes >= 0 && free_bytes < p->config->memfree;
    atomic_store(&p->ring->held, held);
    if (held)
        p->retry_ns = now_ns + AGAIN_NS;
    return !held;
}

/* The task that started last, when it is not the only one that runs. */
static uint32_t newest_of_several(const struct dtx_proc *p)
{
    uint32_t newest = DTX_NO_RUN, n = 0, i;

    for (i = 0; i < p->config->nslots; i++) {
        const struct dtx_run *r = &p->run[i];

        if (!p->leader[i] || r->task == DTX_NO_TASK ||
            r->stage != DTX_STAGE_RUNS)
            continue;
        n++;
        if (newest == DTX_NO_RUN || r->start_ns > p->run[newest].start_ns)
            newest = i;
    }
    return n > 1 ? newest : DTX_NO_RUN;
}

void dtx_proc_heed_memory(struct dtx_proc *p, int64_t now_ns)
{
    int64_t free_bytes;
    uint32_t run;

    if (!p->config || p->config->memfree <= 0 || now_ns < p->relief_ns)
        return;
    if (p->nruns < 2) {
        p->relief_ns = 0;
        return;
    }
    p->relief_ns = now_ns + AGAIN_NS;
    free_bytes = look(p, now_ns);
    if (free_bytes < 0 || free_bytes >= p->config->memfree / 2)
        return;
    run = newest_of_several(p);
    if (run == DTX_NO_RUN)
        return;
    p->relief_ns = now_ns + p->config->grace_ns + FREES_NS;
    (void)atomic_fetch_add(&p->ring->relieved, 1);
    dtx_proc_end_run(p, run, DTX_STATUS_KILLED, false);
}
