/* SPDX-License-Identifier: MIT */
/* What is known when a run is over: the sums, and that everybody has come to
 * an end.  It observes only. */
#include "sim/sim_state.h"

static int64_t lower_bound(const struct dtx_sim *s)
{
    double work = 0, longest = 0, slots = 0, fastest = 0, each;
    uint32_t i;

    for (i = 0; i < s->ntasks; i++) {
        double t = (double)s->c.duration_ns[i];

        work += t * dtx_tasklist_attr_of(s->c.master.list, i)->cpus;
        longest = t > longest ? t : longest;
    }
    for (i = 0; i < s->nranks; i++) {
        double speed = s->c.speed ? s->c.speed[i] : 1.0;

        slots += s->c.slots[i] * speed;
        fastest = speed > fastest ? speed : fastest;
    }
    each = work / slots;
    longest /= fastest;
    return (int64_t)(each > longest ? each : longest);
}

void dtx_sim_sum_up(struct dtx_sim *s)
{
    size_t i;

    s->res.lower_bound_ns = lower_bound(s);
    for (i = 0; i < s->nruns; i++) {
        const struct dtx_sim_run *r = &s->run[i];
        int64_t busy;

        if (r->state == RUN_WAITS || r->state == RUN_RECALLED)
            continue;
        busy = r->wall_ns;
        if (r->state == RUN_RUNS)
            busy = s->now_ns - r->start_ns;
        busy *= r->cpus;
        s->res.busy_ns += busy;
        if (!r->believed)
            s->res.lost_ns += busy;
    }
    dtx_master_stats(s->master, &s->res.stats);
}

/* Nothing is due any more: everybody must have come to an end. */
void dtx_sim_check_quiet(struct dtx_sim *s)
{
    uint32_t r;

    if (!s->res.finished)
        dtx_sim_break(s, "nothing is due and FINISH has not come");
    for (r = 0; r < s->nranks; r++) {
        const struct dtx_sim_rank *k = &s->rank[r];

        if (k->believed)
            dtx_sim_break(s, "rank %u has not said BYE", r);
        if (k->up && !k->finished && dtx_worker_tasks(k->worker) > 0)
            dtx_sim_break(s, "rank %u still has tasks", r);
    }
}
