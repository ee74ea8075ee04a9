/* SPDX-License-Identifier: MIT */
/* The model the engine is compared with: who may have which task, which
 * attempt numbers are used up, what is in the journal.  It is written from
 * event.h and master.h, not from the engine's code, and looks at no state of
 * the engine but the states of tasks that master.h offers.  It changes
 * nothing in the run. */
#include <stdlib.h>
#include <string.h>

#include "engine/pulse.h"
#include "sim/sim_state.h"

static const struct dtx_task_attr *attr(const struct dtx_sim *s, uint32_t task)
{
    return dtx_tasklist_attr_of(s->c.master.list, task);
}

static enum dtx_prior prior(const struct dtx_sim *s, uint32_t task)
{
    return s->c.master.prior ? (enum dtx_prior)s->c.master.prior[task]
                             : DTX_PRIOR_NONE;
}

/* ---- the graph ---- */

#define FAILED 0x80000000u /* beside a node's number; there are fewer */

/* What waits for 'node' has one reason less, or is skipped; to be looked at
 * further. */
static void pass_on(struct dtx_sim *s, uint32_t next, bool failed, uint32_t *n)
{
    const struct dtx_graph *g = s->c.master.graph;

    if (!failed || dtx_graph_is_barrier(g, next)) {
        if (--s->blockers[next] == 0 && next >= s->ntasks)
            s->stack[(*n)++] = next; /* a gate opens */
    } else if (!s->skipped[next] &&
               (next >= s->ntasks || prior(s, next) == DTX_PRIOR_NONE)) {
        s->skipped[next] = 1;
        s->stack[(*n)++] = next | FAILED;
    }
}

/* 'node' has ended. */
static void end_node(struct dtx_sim *s, uint32_t node, bool failed)
{
    const struct dtx_graph *g = s->c.master.graph;
    uint32_t n = 0, i;

    if (!s->blockers)
        return;
    s->stack[n++] = node | (failed ? FAILED : 0);
    while (n > 0) {
        failed = s->stack[--n] & FAILED;
        node = s->stack[n] & ~FAILED;
        for (i = g->start[node]; i < g->start[node + 1]; i++)
            pass_on(s, g->succ[i], failed, &n);
    }
}

int dtx_sim_check_init(struct dtx_sim *s)
{
    const struct dtx_graph *g = s->c.master.graph;
    size_t nodes = g->nnodes;
    uint32_t i;

    s->task = calloc((size_t)s->ntasks + 1, sizeof(*s->task));
    s->stack = malloc((nodes + 1) * sizeof(*s->stack));
    if (!s->task || !s->stack)
        return DTX_ENOMEM;
    for (i = 0; i < s->ntasks; i++)
        s->task[i].run = s->task[i].home = DTX_SIM_NONE;
    if (s->c.unchecked)
        return DTX_OK;
    if (g->start) {
        s->blockers = malloc(nodes * sizeof(*s->blockers));
        s->skipped = calloc(nodes, 1);
        if (!s->blockers || !s->skipped)
            return DTX_ENOMEM;
        memcpy(s->blockers, g->indegree, nodes * sizeof(*s->blockers));
        for (i = s->ntasks; i < nodes; i++) {
            if (g->indegree[i] == 0)
                end_node(s, i, false); /* a gate that waits for nothing */
        }
    }
    for (i = 0; i < s->ntasks; i++) {
        struct dtx_sim_task *t = &s->task[i];

        t->holder = DTX_SIM_NONE;
        t->attempt = s->c.master.attempts ? s->c.master.attempts[i] : 0;
        t->losses = s->c.master.losses && !s->c.arrive_ns
                        ? s->c.master.losses[i]
                        : 0;
        t->gone = true;
        t->durable = t->recorded = prior(s, i) == DTX_PRIOR_OK ||
                                   prior(s, i) == DTX_PRIOR_FAILED;
        t->ok = prior(s, i) == DTX_PRIOR_OK;
        if (t->durable)
            end_node(s, i, !t->ok);
    }
    for (i = 1; i < s->c.master.list->nattrs; i++)
        s->has_prios |= s->c.master.list->attr[i].prio !=
                        s->c.master.list->attr[0].prio;
    return DTX_OK;
}

/* ---- who has what ---- */

static bool believed(const struct dtx_sim_rank *r, uint32_t life)
{
    return r->believed && r->believed_life == life;
}

bool dtx_sim_held(const struct dtx_sim *s, const struct dtx_sim_task *t)
{
    return t->holder != DTX_SIM_NONE &&
           believed(&s->rank[t->holder], t->holder_life);
}

/* ---- the deadline ---- */

/* When what runs is ended. */
static int64_t end_ns(const struct dtx_sim *s)
{
    return s->c.deadline_ns - s->c.master.grace_ns - s->c.master.leave_ns;
}

/* What the task is predicted to take, less the rounding of a float. */
static int64_t cost_ns(const struct dtx_sim *s, uint32_t task)
{
    float cost = s->c.master.cost_s ? s->c.master.cost_s[task] : 0;
    int64_t own = attr(s, task)->timeout_ns;
    int64_t timeout = own ? own : s->c.master.timeout_ns;
    int64_t ns = cost > 0 ? (int64_t)((double)cost * 1e9) : 0;

    return timeout > 0 && timeout < ns ? timeout : ns;
}

static void check_grant(struct dtx_sim *s, uint32_t to,
                        const struct dtx_item_work *w)
{
    struct dtx_sim_task *t = &s->task[w->task];
    uint32_t id = w->task + 1, expected;

    /* the number of an attempt that may have been started is used up; one that
     * was given back is not */
    expected = t->attempt + (t->gone || t->holder != DTX_SIM_NONE);
    if (dtx_sim_held(s, t))
        dtx_sim_break(s, "task %u has two owners, %u and %u", id, t->holder,
                      to);
    else if (!s->rank[to].believed)
        dtx_sim_break(s, "task %u is granted to lost rank %u", id, to);
    else if (t->recorded || prior(s, w->task) != DTX_PRIOR_NONE)
        dtx_sim_break(s, "task %u is granted after its end", id);
    else if (w->task >= s->arrived)
        dtx_sim_break(s, "task %u is granted before it has come", id);
    else if (s->c.arrive_ns && s->forgotten[w->task])
        dtx_sim_break(s, "task %u is granted after it was forgotten", id);
    else if (s->stopping)
        dtx_sim_break(s, "task %u is granted after a stop", id);
    else if (s->blockers && s->blockers[w->task] > 0)
        dtx_sim_break(s, "task %u is granted before its predecessors", id);
    else if (w->attempt != expected)
        dtx_sim_break(s, "task %u is granted as attempt %u, not %u", id,
                      w->attempt, expected);
    else if (s->has_deadline && s->now_ns + cost_ns(s, w->task) >= end_ns(s))
        dtx_sim_break(s, "task %u is granted and cannot end in time", id);
    else if (s->now_ns < s->not_granted_before_ns)
        dtx_sim_break(s, "task %u is granted too early behind another", id);
    else if (s->now_ns < t->not_before_ns)
        dtx_sim_break(s, "task %u is granted in its pause", id);
    else if (w->cpus != attr(s, w->task)->cpus || w->cpus > s->c.slots[to])
        dtx_sim_break(s, "task %u is granted to rank %u of %u slots", id, to,
                      s->c.slots[to]);
    dtx_sim_check_needs(s, to, w);
    if (s->c.master.delay_ns > 0)
        s->not_granted_before_ns = s->now_ns + s->c.master.delay_ns;
    t->holder = to;
    t->holder_life = s->rank[to].believed_life;
    t->attempt = w->attempt;
    t->gone = false;
    if (w->cpus == 1 && !dtx_sim_is_needy(s, w->task)) {
        int32_t prio = attr(s, w->task)->prio;

        if (!s->granted || prio < s->granted_prio)
            s->granted_prio = prio;
        s->granted = true;
    }
}

void dtx_sim_check_sent(struct dtx_sim *s, uint32_t to, const void *data,
                        size_t len)
{
    struct dtx_item_work w;
    struct dtx_msg m;

    if (dtx_msg_decode(data, len, &m) || m.epoch != s->c.master.epoch) {
        dtx_sim_break(s, "the master sends what is no message");
        return;
    }
    s->yields += m.kind == DTX_MSG_YIELD;
    s->stopping |= m.kind == DTX_MSG_STOP;
    if (m.kind == DTX_MSG_BYE) {
        s->rank[to].told_life = m.incarnation;
        s->expect_bye = false;
    }
    if (m.kind != DTX_MSG_GRANT || s->c.unchecked)
        return;
    if (m.incarnation != s->rank[to].believed_life)
        dtx_sim_break(s, "a grant for another incarnation of rank %u", to);
    while (dtx_item_work_next(&m.items, &w) > 0)
        check_grant(s, to, &w);
}

/* ---- what the master has to believe ---- */

static void hear_done(struct dtx_sim *s, uint32_t from, uint32_t life,
                      const struct dtx_item_outcome *o)
{
    struct dtx_sim_task *t = &s->task[o->task];
    struct dtx_sim_run *r = dtx_sim_run_of(s, o->task, o->attempt);

    if (!r || r->status != o->status || r->rank != from || r->life != life) {
        dtx_sim_break(s, "rank %u tells of task %u what did not happen", from,
                      o->task + 1);
        return;
    }
    if (!dtx_sim_held(s, t) || t->holder != from || t->attempt != o->attempt) {
        dtx_sim_break(s, "rank %u ended task %u, which it has not", from,
                      o->task + 1);
        return;
    }
    t->holder = DTX_SIM_NONE;
    t->gone = true;
    if (!dtx_status_finished((enum dtx_status)o->status))
        return;
    r->believed = true;
    t->fails += o->status != DTX_STATUS_OK;
    s->expected++;
}

static void hear_yielded(struct dtx_sim *s, uint32_t from,
                         const struct dtx_item_taskref *ref)
{
    struct dtx_sim_task *t = &s->task[ref->task];

    if (!dtx_sim_held(s, t) || t->holder != from || t->attempt != ref->attempt)
        dtx_sim_break(s, "rank %u yields task %u, which it has not", from,
                      ref->task + 1);
    t->holder = DTX_SIM_NONE;
}

static void hear_list(struct dtx_sim *s, uint32_t from, struct dtx_msg *m)
{
    struct dtx_item_outcome o;
    struct dtx_item_taskref ref;

    if (m->kind == DTX_MSG_DONE) {
        while (dtx_item_outcome_next(&m->items, &o) > 0)
            hear_done(s, from, m->incarnation, &o);
    } else if (m->kind == DTX_MSG_YIELDED) {
        while (dtx_item_taskref_next(&m->items, &ref) > 0)
            hear_yielded(s, from, &ref);
    }
}

void dtx_sim_check_heard(struct dtx_sim *s, uint32_t from, const void *data,
                         size_t len)
{
    struct dtx_sim_rank *r = &s->rank[from];
    struct dtx_item_outcome o;
    struct dtx_msg m;

    if (dtx_msg_decode(data, len, &m) || m.epoch != s->c.master.epoch)
        return;
    if (m.kind == DTX_MSG_HELLO) {
        if (m.incarnation > r->believed_life) {
            r->believed = !r->absent;
            r->spoke_ns = s->now_ns;
            r->believed_life = m.incarnation;
            r->absent = false;
        }
        return;
    }
    if (!believed(r, m.incarnation)) {
        s->expect_bye = r->told_life < m.incarnation;
        while (m.kind == DTX_MSG_DONE &&
               dtx_item_outcome_next(&m.items, &o) > 0)
            s->res.refused++;
        return;
    }
    r->spoke_ns = s->now_ns;
    if (m.kind == DTX_MSG_BYE)
        r->believed = false;
    else if (!s->c.unchecked)
        hear_list(s, from, &m);
}

/* ---- records ---- */

void dtx_sim_check_told(struct dtx_sim *s, const struct dtx_loss *l)
{
    uint32_t i;

    s->telling = true;
    for (i = 0; i < l->nran && !s->c.unchecked; i++) {
        const struct dtx_sim_task *t = &s->task[l->ran[i].task];

        s->expected_lost += dtx_sim_held(s, t) && t->holder == l->rank &&
                            t->attempt == l->ran[i].attempt;
    }
}

/* An attempt was lost with its rank. Where it is not told which ones ran,
 * any that was granted may have. */
static void check_lost(struct dtx_sim *s, const struct dtx_sim_record *rec)
{
    const struct dtx_outcome *o = &rec->outcome;
    const struct dtx_sim_run *r = dtx_sim_run_of(s, o->task, o->attempt);
    struct dtx_sim_task *t = &s->task[o->task];
    uint32_t limit = s->c.master.crash_limit;

    t->losses++;
    if (dtx_sim_held(s, t) || t->holder != o->rank ||
        t->attempt != o->attempt || t->gone || t->recorded)
        dtx_sim_break(s, "task %u attempt %u is lost where it was not",
                      o->task + 1, o->attempt);
    else if (rec->final != (limit > 0 && t->losses >= limit))
        dtx_sim_break(s, "task %u is%s set aside after %u losses", o->task + 1,
                      rec->final ? "" : " not", t->losses);
    if (s->telling && r && r->dropped && s->expected_lost > 0)
        s->expected_lost--;
    t->recorded = rec->final;
    t->gone = true;
    t->holder = DTX_SIM_NONE;
}

void dtx_sim_check_record(struct dtx_sim *s, const struct dtx_sim_record *rec)
{
    const struct dtx_outcome *o = &rec->outcome;
    struct dtx_sim_run *r = dtx_sim_run_of(s, o->task, o->attempt);
    struct dtx_sim_task *t;
    uint32_t limit;

    if (s->c.unchecked)
        return;
    if (o->status == DTX_STATUS_LOST) {
        check_lost(s, rec);
        return;
    }
    if (!r || !r->believed || r->recorded || r->status != o->status ||
        r->rank != o->rank) {
        dtx_sim_break(s, "a record of task %u attempt %u that is not so",
                      o->task + 1, o->attempt);
        return;
    }
    t = &s->task[o->task];
    r->recorded = true;
    limit = attr(s, o->task)->retries;
    if (limit == 0)
        limit = s->c.master.retries ? s->c.master.retries : 1;
    if (t->recorded ||
        rec->final != (o->status == DTX_STATUS_OK || t->fails >= limit))
        dtx_sim_break(s, "task %u: %s record after %u of %u failures",
                      o->task + 1, rec->final ? "final" : "passing", t->fails,
                      limit);
    t->recorded = rec->final;
    t->not_before_ns = s->now_ns + s->c.master.retry_pause_ns;
    s->expected--;
}

void dtx_sim_check_durable(struct dtx_sim *s, const struct dtx_sim_record *rec)
{
    struct dtx_sim_task *t = &s->task[rec->outcome.task];

    if (!rec->final)
        return;
    t->durable = true;
    t->ok = rec->outcome.status == DTX_STATUS_OK;
    end_node(s, rec->outcome.task, !t->ok);
}

void dtx_sim_check_show(struct dtx_sim *s, const struct dtx_action *a)
{
    const struct dtx_sim_record *r;

    if (s->c.unchecked) {
        s->shown++;
        return;
    }
    r = &s->journal[s->shown];
    if (s->shown >= s->answered)
        dtx_sim_break(s, "task %u is shown before its record is written",
                      a->u.show.outcome.task + 1);
    else if (r->outcome.task != a->u.show.outcome.task ||
             r->outcome.attempt != a->u.show.outcome.attempt ||
             r->final != a->u.show.final)
        dtx_sim_break(s, "task %u is shown out of order",
                      a->u.show.outcome.task + 1);
    s->shown++;
}

void dtx_sim_check_start(struct dtx_sim *s, const struct dtx_sim_run *r)
{
    if (s->blockers && s->blockers[r->task] > 0)
        dtx_sim_break(s, "task %u starts before its predecessors' end",
                      r->task + 1);
    if (s->rank[r->rank].free > s->rank[r->rank].slots)
        dtx_sim_break(s, "rank %u uses more slots than it has", r->rank);
}

/* A rank that was cut off may not go on for ever with what was granted to
 * it. */
void dtx_sim_check_end(struct dtx_sim *s, const struct dtx_sim_run *r)
{
    const struct dtx_sim_rank *k = &s->rank[r->rank];
    int64_t after = s->c.master.lost_after_ns;

    if (after > 0 && r->rank > 0 && !k->hanged &&
        r->status != DTX_STATUS_KILLED &&
        s->now_ns - k->told_ns > dtx_pulse_lease(after) + 10)
        dtx_sim_break(s, "rank %u goes on with task %u, cut off since %lld ns",
                      r->rank, r->task + 1,
                      (long long)(s->now_ns - k->told_ns));
}

/* ---- after a step, and at the end ---- */

/* No narrow task was granted while one of higher priority was left, unless
 * that may be too long for the time that is left. */
static void check_priorities(struct dtx_sim *s)
{
    uint32_t i;

    if (s->has_deadline)
        return;
    for (i = 0; i < s->arrived; i++) {
        if (attr(s, i)->cpus == 1 && attr(s, i)->prio > s->granted_prio &&
            !dtx_sim_is_needy(s, i) &&
            dtx_master_task_state(s->master, i) == DTX_TASK_READY) {
            dtx_sim_break(s, "task %u of priority %d waits while one of %d "
                          "is granted", i + 1, (int)attr(s, i)->prio,
                          (int)s->granted_prio);
            return;
        }
    }
}

void dtx_sim_check_step(struct dtx_sim *s)
{
    if (s->expected != 0)
        dtx_sim_break(s, "%llu outcomes were believed but not recorded",
                      (unsigned long long)s->expected);
    if (s->expected_lost != 0)
        dtx_sim_break(s, "%llu attempts ran on a lost rank and are not "
                      "recorded", (unsigned long long)s->expected_lost);
    s->expected_lost = 0;
    if (s->expect_bye)
        dtx_sim_break(s, "a rank that is not believed is not told to go");
    if (s->granted && s->has_prios && !s->c.unchecked)
        check_priorities(s);
    s->granted = false;
}

/* Mark what waits, directly or not, for a task that failed: in 'stack' as a
 * set of flags. Those that were decided before are not touched. */
static void mark_skipped(struct dtx_sim *s, uint32_t *todo)
{
    const struct dtx_graph *g = s->c.master.graph;
    uint32_t n = 0, i, k;

    memset(s->stack, 0, g->nnodes * sizeof(*s->stack));
    for (i = 0; i < s->ntasks; i++) {
        if (s->task[i].durable && !s->task[i].ok)
            todo[n++] = i;
    }
    while (n > 0) {
        uint32_t node = todo[--n];

        for (k = g->start[node]; k < g->start[node + 1]; k++) {
            uint32_t next = g->succ[k];

            if (s->stack[next] || dtx_graph_is_barrier(g, next) ||
                (next < s->ntasks &&
                                   prior(s, next) != DTX_PRIOR_NONE))
                continue;
            s->stack[next] = 1;
            todo[n++] = next;
        }
    }
}

static bool fits_somewhere(const struct dtx_sim *s, uint32_t task)
{
    uint32_t r;

    for (r = 0; r < s->nranks; r++) {
        if (s->rank[r].believed && s->c.slots[r] >= attr(s, task)->cpus &&
            dtx_sim_could_have(s, r, task))
            return true;
    }
    return false;
}

static bool any_believed(const struct dtx_sim *s)
{
    uint32_t r = 0;

    while (r < s->nranks && !s->rank[r].believed)
        r++;
    return r < s->nranks;
}

/* A task that has not ended must have a reason for it. */
static bool excused(const struct dtx_sim *s, uint32_t i,
                    enum dtx_task_state state, bool alive)
{
    if (s->stopping || s->has_deadline || !alive)
        return true;
    if (state == DTX_TASK_BLOCKED)
        return s->blockers && s->blockers[i] > 0;
    return state == DTX_TASK_READY && !fits_somewhere(s, i);
}

static void check_task(struct dtx_sim *s, uint32_t i, bool skipped, bool alive)
{
    enum dtx_task_state state = dtx_master_task_state(s->master, i);
    const struct dtx_sim_task *t = &s->task[i];
    uint32_t cause = dtx_master_skip_cause(s->master, i);
    bool good;

    if (dtx_sim_held(s, t) || state == DTX_TASK_GRANTED ||
        state == DTX_TASK_RECORDING)
        dtx_sim_break(s, "finish while rank %u has task %u", t->holder, i + 1);
    if (t->durable)
        good = state == (t->ok ? DTX_TASK_OK : DTX_TASK_FAILED);
    else if (skipped)
        good = state == DTX_TASK_SKIPPED && cause < s->ntasks &&
               s->task[cause].durable && !s->task[cause].ok;
    else if (prior(s, i) == DTX_PRIOR_LEFT)
        good = state == DTX_TASK_LEFT;
    else
        good = state != DTX_TASK_OK && state != DTX_TASK_FAILED &&
               state != DTX_TASK_SKIPPED && state != DTX_TASK_LEFT &&
               excused(s, i, state, alive);
    if (s->c.arrive_ns &&
        s->forgotten[i] != (state >= DTX_TASK_OK))
        good = false;
    if (!good)
        dtx_sim_break(s, "task %u is left in state %d", i + 1, (int)state);
}

void dtx_sim_check_finish(struct dtx_sim *s)
{
    const struct dtx_graph *g = s->c.master.graph;
    bool alive = any_believed(s);
    uint32_t i, *todo;

    if (s->answered != s->njournal || s->shown != s->njournal)
        dtx_sim_break(s, "finish with %zu records, %zu written, %zu shown",
                      s->njournal, s->answered, s->shown);
    if (s->c.unchecked)
        return;
    if (g->start) {
        todo = malloc(g->nnodes * sizeof(*todo));
        if (!todo) {
            s->nomem = true;
            return;
        }
        mark_skipped(s, todo);
        free(todo);
    }
    if (!s->closed && !s->stopping && alive)
        dtx_sim_break(s, "finish while tasks may come");
    for (i = 0; i < s->arrived; i++)
        check_task(s, i, g->start && s->stack[i], alive);
}
