/* SPDX-License-Identifier: MIT */
/* Measures how long slots stay free while others hold work that could have
 * been stolen.  It observes only.
 *
 * For each start, and for each time a rank's last waiting task goes, the free
 * slot that waited longest is compared with every rank that held work: the
 * time both lasted together is an idle time, and counts against
 * dtx_sim_idle_bound.  Ranks with a fault do not count from the fault on. */
#include "base/units.h"
#include "sim/sim_state.h"

/* For so long at most a thief puts off what is far. */
static int64_t put_off_for(const struct dtx_sim_config *c)
{
    const struct dtx_ways *w = &c->master.ways;
    int64_t ask = 0, move = 0;
    size_t i;

    if (!c->master.zones)
        return 0;
    for (i = 0; i < DTX_WAYS; i++) {
        ask = w->ask_ns[i] > ask ? w->ask_ns[i] : ask;
        move = w->move_ns[i] > move ? w->move_ns[i] : move;
    }
    return (ask + move) * 9 / 8 + DTX_MSEC_NS;
}

int64_t dtx_sim_idle_bound(const struct dtx_sim_config *c, uint64_t yields)
{
    int64_t way = c->delay_ns + c->delay_spread_ns;
    int64_t steal = 2 * way + c->recall_ns + put_off_for(c);

    /* DONE, YIELD and its recall, YIELDED, GRANT; then each further YIELD that
     * was sent meanwhile, to whomever, may have had to be waited for */
    return 2 * way + 2 * c->notice_ns + steal +
           (int64_t)(yields < 1000000 ? yields : 1000000) * steal;
}

static bool counts(const struct dtx_sim_rank *r)
{
    return r->up && !r->faulted && !r->finished;
}

static bool measured(const struct dtx_sim *s)
{
    return s->c.measure_idle && !s->stopping && !s->has_deadline &&
           !s->res.finished;
}

static void note(struct dtx_sim_rank *idle, const struct dtx_sim_rank *rich)
{
    struct dtx_sim *s = idle->sim;
    const struct dtx_sim_free *f = &idle->freed[idle->freed_at];
    int64_t since = f->since_ns, ns, excess;
    uint64_t yields = f->yields;

    if (idle == rich || !counts(rich) || rich->holds_since < 0)
        return;
    if (rich->holds_since > since) {
        since = rich->holds_since;
        yields = rich->holds_yields;
    }
    ns = s->now_ns - since;
    yields = s->yields - yields;
    excess = ns - dtx_sim_idle_bound(&s->c, yields);
    if (excess > s->res.idle.excess_ns)
        s->res.idle.excess_ns = excess;
    if (ns > s->res.idle.ns) {
        s->res.idle.ns = ns;
        s->res.idle.yields = yields;
    }
}

void dtx_sim_idle_take(struct dtx_sim_rank *r, uint32_t n)
{
    struct dtx_sim *s = r->sim;
    uint32_t i;

    if (!s->c.measure_idle)
        return;
    for (i = 0; measured(s) && counts(r) && i < s->nranks; i++)
        note(r, &s->rank[i]);
    r->freed_at = (r->freed_at + n) % r->slots;
}

void dtx_sim_idle_free(struct dtx_sim_rank *r, uint32_t n)
{
    struct dtx_sim *s = r->sim;
    uint32_t at = r->freed_at + r->free - n, i;

    for (i = 0; s->c.measure_idle && i < n; i++)
        r->freed[(at + i) % r->slots] =
            (struct dtx_sim_free){s->now_ns, s->yields};
}

/* It holds nothing any more. */
static void end_hold(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;
    uint32_t i;

    for (i = 0; measured(s) && counts(r) && i < s->nranks; i++) {
        if (counts(&s->rank[i]) && s->rank[i].free > 0)
            note(&s->rank[i], r);
    }
    r->holds_since = -1;
}

void dtx_sim_idle_holds(struct dtx_sim_rank *r, int64_t more)
{
    if (!r->sim->c.measure_idle || more == 0)
        return;
    r->holds = (uint64_t)((int64_t)r->holds + more);
    if (r->holds == 0) {
        end_hold(r);
    } else if (r->holds_since < 0) {
        r->holds_since = r->sim->now_ns;
        r->holds_yields = r->sim->yields;
    }
}

void dtx_sim_idle_out(struct dtx_sim_rank *r)
{
    if (r->sim->c.measure_idle && r->holds_since >= 0)
        end_hold(r);
    r->faulted = true;
}

void dtx_sim_idle_frame(struct dtx_sim_rank *r, const void *data, size_t len)
{
    struct dtx_item_work work;
    struct dtx_item_taskref ref;
    struct dtx_msg m;
    int64_t more = 0;

    if (!r->sim->c.measure_idle || dtx_msg_decode(data, len, &m))
        return;
    if (m.kind == DTX_MSG_GRANT) {
        while (dtx_item_work_next(&m.items, &work) > 0)
            more += work.cpus == 1;
    } else if (m.kind == DTX_MSG_YIELDED) {
        while (dtx_item_taskref_next(&m.items, &ref) > 0)
            more -= dtx_tasklist_attr_of(r->sim->c.master.list, ref.task)
                        ->cpus == 1;
    }
    dtx_sim_idle_holds(r, more);
}
