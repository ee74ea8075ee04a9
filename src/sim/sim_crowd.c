/* SPDX-License-Identifier: MIT */
/* Others use a rank's processors for a while, its tasks take longer, and the
 * rank measures it some time later: DTX_SIM_CROWD in sim.h. */
#include <math.h>

#include "sim/sim_state.h"

/* The rank hears what it is like now, once it is measured. */
static void post_measure(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;

    if (s->c.others_ns >= 0)
        (void)dtx_sim_post(s, s->now_ns + s->c.others_ns, DTX_SIM_OTHERS,
                           r->target, 1 + (uint32_t)lround(r->crowd * 1000));
}

/* What is left of each that runs takes so many times as long. */
static void stretch(struct dtx_sim_rank *r, double times)
{
    struct dtx_sim *s = r->sim;
    uint32_t i, next;

    for (i = r->running.head; i != DTX_SIM_NONE; i = next) {
        const struct dtx_sim_run *run = &s->run[i];
        int64_t from = run->start_ns > s->now_ns ? run->start_ns : s->now_ns;
        int64_t end = run->start_ns + run->full_ns;

        next = run->next;
        if (run->end_event != DTX_SIM_NONE && end > from)
            dtx_sim_move_end(s, i,
                             from + llround((double)(end - from) * times));
    }
}

void dtx_sim_crowd(struct dtx_sim_rank *r, double share)
{
    double before = r->crowd;

    dtx_sim_say(r->sim, "others use %.0f %% of rank %u", 100 * share,
                r->number);
    r->crowd = share;
    if (!r->up)
        return;
    stretch(r, (1 - before) / (1 - share));
    post_measure(r);
}

void dtx_sim_crowd_come(struct dtx_sim_rank *r)
{
    if (r->crowd > 0)
        post_measure(r);
}
