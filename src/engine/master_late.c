/* SPDX-License-Identifier: MIT */
/* What a deadline means: no task is started that cannot be expected to end in
 * time, what waits on ranks is called back when that time has come, and what
 * still runs is ended while it has its grace.  What does not fit is put off: it
 * stays ready, in a list of its own, and comes back when the deadline moves or
 * tasks turn out to be much shorter.
 *
 * How long a task is expected to take, best knowledge first: what is predicted
 * of it; what succeeded in this session took, from three on; each cut by its
 * timeout; without them the timeout alone, unless it is longer than the whole
 * session and so says nothing. Otherwise nothing is known, and a task is
 * started as long as others may run. "Expected" is the median; the safe go by
 * what nineteen of twenty do not exceed, the hopeful by what one of twenty
 * does not.
 *
 * Where costs are predicted, a rank that would be at its queue beyond the end
 * is told to give it back as soon as that shows: when the deadline comes or
 * moves, and when tasks take longer than was said. */
#include "base/units.h"
#include "engine/master_state.h"

#define MEDIAN_OF 3

int64_t dtx_master_end_ns(const struct dtx_master *m)
{
    return m->deadline_ns == NEVER
               ? NEVER
               : m->deadline_ns - m->c.grace_ns - m->c.leave_ns;
}

/* The session's whole time. */
static int64_t span_ns(const struct dtx_master *m)
{
    return dtx_master_end_ns(m) - m->begin_ns;
}

/* The quantile of durations that the policy goes by. */
static double share_of(const struct dtx_master *m)
{
    return m->c.late == DTX_LATE_SAFE      ? 0.95
           : m->c.late == DTX_LATE_HOPEFUL ? 0.05
                                           : 0.5;
}

static int64_t lengths_ns(const struct dtx_master *m)
{
    return dtx_median_quantile(m->lengths, share_of(m));
}

static int64_t timeout_of(const struct dtx_master *m, uint32_t task)
{
    int64_t own = dtx_master_attr(m, task)->timeout_ns;

    return own ? own : m->c.timeout_ns;
}

/* How long tasks take of which nothing else is known, 0 = unknown. */
static int64_t usual_ns(const struct dtx_master *m)
{
    if (m->c.late == DTX_LATE_START)
        return 0;
    if (m->lengths && dtx_median_count(m->lengths) >= MEDIAN_OF)
        return lengths_ns(m);
    return m->c.timeout_ns > 0 && m->c.timeout_ns < span_ns(m)
               ? m->c.timeout_ns
               : 0;
}

/* Beyond 30 years one is as late as another. */
static int64_t ns_of(float seconds)
{
    return seconds < 1e9f ? (int64_t)((double)seconds * 1e9)
                          : INT64_C(1000000000000000000);
}

int64_t dtx_master_expected_ns(const struct dtx_master *m, uint32_t task)
{
    int64_t timeout = timeout_of(m, task), expected;

    if (m->c.late == DTX_LATE_START)
        return 0;
    if (m->cost_s && m->need_s[task] >= 0)
        expected = ns_of(m->need_s[task]);
    else if (m->lengths && dtx_median_count(m->lengths) >= MEDIAN_OF)
        expected = lengths_ns(m);
    else
        return timeout > 0 && timeout < span_ns(m) ? timeout : 0;
    return timeout > 0 && timeout < expected ? timeout : expected;
}

bool dtx_master_too_late(const struct dtx_master *m, uint32_t task)
{
    int64_t end = dtx_master_end_ns(m);

    return end != NEVER &&
           m->now_ns + dtx_master_expected_ns(m, task) >= end;
}

/* How long it is expected to take on this rank, 0 = unknown; on one that is
 * quicker than the others no less.  Lengths that were measured are those of
 * these ranks, as slow as they are. */
static int64_t expected_here_ns(const struct dtx_master *m,
                                const struct dtx_rank *k, uint32_t task)
{
    int64_t expected = dtx_master_expected_ns(m, task);
    int64_t timeout = timeout_of(m, task);
    double times = k->slow;

    if (!(m->cost_s && m->need_s[task] >= 0) && m->slots_alive > 0 &&
        m->capacity > 0)
        times *= m->capacity / (double)m->slots_alive;
    if (times > 1)
        expected = ns_of((float)((double)expected / 1e9 * times));
    return timeout > 0 && timeout < expected ? timeout : expected;
}

bool dtx_master_too_late_on(const struct dtx_master *m, uint32_t r,
                            uint32_t task)
{
    int64_t end = dtx_master_end_ns(m);

    return end != NEVER &&
           m->now_ns + expected_here_ns(m, &m->rank[r], task) >= end;
}

/* Behind what the rank has already, if anything is known of how long that
 * takes. */
bool dtx_master_fits_in(const struct dtx_master *m, uint32_t r, uint32_t task)
{
    const struct dtx_rank *k = &m->rank[r];
    int64_t end = dtx_master_end_ns(m), expected;
    double wait_ns = 0, done_ns = 0;

    if (end == NEVER)
        return true;
    expected = expected_here_ns(m, k, task);
    /* the unknown count too, as relieve() has it: granted here, they would be
     * called back at once */
    if (k->used >= k->slots && (expected > 0 || m->cost_s)) {
        wait_ns = dtx_master_wait_s(m, k) * 1e9;
        done_ns = wait_ns + dtx_master_cost_s(m, task) * k->slow /
                              k->slots * 1e9;
    }
    if (m->cost_s && (double)m->now_ns + done_ns >= (double)end)
        return false;
    return (double)m->now_ns + wait_ns + (double)expected < (double)end;
}

void dtx_master_put_off(struct dtx_master *m, uint32_t task)
{
    m->next[task] = m->late;
    m->owner[task] = LATE;
    if (m->late == DTX_NO_TASK) {
        m->late_last = task;
        m->late_usual_ns = usual_ns(m);
        dtx_master_trace(m, "too late for task %u", task + 1);
    }
    m->late = task;
    m->st.late++;
}

void dtx_master_look_again(struct dtx_master *m)
{
    if (m->late == DTX_NO_TASK)
        return;
    m->next[m->late_last] = m->returning;
    m->returning = m->late;
    m->late = DTX_NO_TASK;
}

void dtx_master_return(struct dtx_master *m)
{
    while (m->returning != DTX_NO_TASK && dtx_master_spend(m)) {
        uint32_t task = m->returning;

        m->returning = m->next[task];
        m->st.late--;
        dtx_master_make_ready(m, task);
    }
}

void dtx_master_send_deadline(struct dtx_master *m, uint32_t r)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DEADLINE};

    if (m->deadline_ns == NEVER || !m->rank[r].alive || m->finished)
        return;
    msg.u.deadline.left_ns = m->deadline_ns - m->now_ns;
    dtx_master_send(m, r, msg);
}

void dtx_master_set_deadline(struct dtx_master *m, int64_t at_ns)
{
    uint32_t r;

    if (!m->lengths && !(m->lengths = dtx_median_create())) {
        m->nomem = true;
        return;
    }
    if (at_ns > m->deadline_ns)
        dtx_master_look_again(m);
    m->deadline_ns = at_ns;
    m->called_back = false;
    dtx_master_trace(m, "deadline in %lld ms",
                     (long long)((at_ns - m->now_ns) / DTX_MSEC_NS));
    for (r = 0; r < m->c.nranks; r++)
        dtx_master_send_deadline(m, r);
}

/* A task has succeeded. Others may fit after all when tasks have become much
 * shorter: half, so that this happens seldom. */
void dtx_master_learn(struct dtx_master *m, int64_t wall_ns)
{
    if (!m->lengths)
        return;
    dtx_median_add(m->lengths, wall_ns);
    if (m->late != DTX_NO_TASK && usual_ns(m) < m->late_usual_ns / 2)
        dtx_master_look_again(m);
}

/* When whatever has not started is to come back. */
static int64_t call_back_ns(const struct dtx_master *m)
{
    int64_t usual = m->deadline_ns == NEVER ? 0 : usual_ns(m);

    return usual > 0 ? dtx_master_end_ns(m) - usual : NEVER;
}

int64_t dtx_master_late_due(const struct dtx_master *m)
{
    int64_t end = dtx_master_end_ns(m), back = call_back_ns(m);

    if (m->stopping == DTX_STOP_KILL || end == NEVER)
        return NEVER;
    if (m->stopping || m->called_back || back >= end)
        return end;
    return back;
}

/* Ranks that are predicted to be at it for too long give back what they have
 * not started: the one that would be last comes first. */
static void relieve(struct dtx_master *m)
{
    double end_s = (double)(dtx_master_end_ns(m) - m->begin_ns) / 1e9 + 1e-3;

    if (!m->cost_s || m->stopping || m->called_back ||
        (m->c.late != DTX_LATE_EXPECTED && m->c.late != DTX_LATE_SAFE))
        return;
    for (;;) {
        uint32_t r = dtx_tourney_first(&m->rich);

        if (r == DTX_HEAP_NONE || dtx_master_done_s(&m->rank[r]) <= end_s ||
            !dtx_master_spend(m))
            return;
        dtx_master_trace(m, "rank %u would not be done in time", r);
        dtx_master_call_back(m, r);
    }
}

void dtx_master_heed_deadline(struct dtx_master *m)
{
    uint32_t r;

    if (m->deadline_ns == NEVER || m->finished)
        return;
    if (m->now_ns >= dtx_master_end_ns(m)) {
        if (m->stopping < DTX_STOP_KILL)
            m->st.expired = true;
        dtx_master_stop(m, DTX_STOP_KILL);
        return;
    }
    relieve(m);
    if (m->called_back || m->stopping || m->now_ns < call_back_ns(m))
        return;
    m->called_back = true;
    dtx_master_trace(m, "what has not started is called back");
    for (r = 0; r < m->c.nranks; r++)
        dtx_master_call_back(m, r);
}
