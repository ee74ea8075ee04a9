/* SPDX-License-Identifier: MIT */
/* Attempts that end by a signal which asks ranks to stop, TERM say, or by KILL,
 * none of them sent by us.
 *
 * Mostly that is the task's own end: the kernel wanted its memory, somebody
 * killed it.  But a batch system that ends a job sends TERM, and KILL later, or
 * USR1 before if it was told so, to all processes of it, tasks and ranks alike,
 * in no order: the end of a task may be told before anybody asks to stop, and
 * by a rank other than the one that is asked first.  Such a task has not failed
 * and is to run again.  So what ends like this waits for a while, without its
 * slot, before it is judged: killed with the job when somebody has asked to
 * stop by then, lost with its rank when that has died as well, else the task's
 * own doing.
 *
 * A job that drains may go on for hours.  What ends so later than that after
 * the last word to stop is the task's own doing again; but what ends by another
 * signal than KILL on a rank that has asked itself may have cleaned up first.
 *
 * A shell tells of a command that ended so by the exit status 128 and the
 * signal, which counts like the signal itself. */
#include "engine/master_state.h"

/* As Linux numbers them on all machines but MIPS, PA-RISC, Alpha and SPARC. */
enum { HUP = 1, INT = 2, KILL = 9, USR1 = 10, USR2 = 12, TERM = 15 };

static int32_t signal_of(const struct dtx_outcome *o)
{
    return o->status == DTX_STATUS_SIGNALED ? o->signal
           : o->status == DTX_STATUS_FAILED ? o->exit_code - 128
                                            : 0;
}

static bool is_doubtful(const struct dtx_outcome *o)
{
    int32_t sig = signal_of(o);

    return sig == TERM || sig == KILL || sig == USR1 || sig == USR2 ||
           sig == HUP || sig == INT;
}

static void add_doubt(struct dtx_master *m, const struct dtx_outcome *o)
{
    struct dtx_doubt *p = dtx_master_ring(m->doubt, &m->doubt_at, m->doubt_len,
                                          &m->doubt_cap, sizeof(*p));

    if (!p) {
        m->nomem = true;
        return;
    }
    m->doubt = p;
    p += (m->doubt_at + m->doubt_len++) % m->doubt_cap;
    p->outcome = *o;
    p->incarnation = m->rank[o->rank].incarnation;
    p->at_ns = m->now_ns + m->c.doubt_ns;
}

/* Is this, told then, the end of the job and not of the task alone? */
static bool is_jobs_end(const struct dtx_master *m,
                        const struct dtx_outcome *o, int64_t told_ns)
{
    if (!m->asked)
        return false;
    return m->stopping != DTX_STOP_DRAIN || m->c.doubt_ns <= 0 ||
           told_ns <= m->asked_ns + m->c.doubt_ns ||
           (m->rank[o->rank].told_stop && signal_of(o) != KILL);
}

static void ended_with_job(struct dtx_master *m, struct dtx_outcome o)
{
    dtx_master_trace(m, "task %u was ended with the job", o.task + 1);
    o.status = DTX_STATUS_KILLED;
    dtx_master_ended(m, &o);
}

void dtx_master_told(struct dtx_master *m, const struct dtx_outcome *o)
{
    dtx_master_unlink(m, o->task);
    if (!is_doubtful(o)) {
        dtx_master_ended(m, o);
    } else if (is_jobs_end(m, o, m->now_ns)) {
        ended_with_job(m, *o);
    } else if (m->c.doubt_ns <= 0) {
        dtx_master_ended(m, o);
    } else {
        m->state[o->task] = DTX_TASK_RECORDING;
        add_doubt(m, o);
    }
}

void dtx_master_asked(struct dtx_master *m, enum dtx_stop how)
{
    m->asked = true;
    m->asked_ns = m->now_ns;
    dtx_master_stop(m, how);
}

static void judge(struct dtx_master *m, const struct dtx_doubt *d)
{
    const struct dtx_rank *k = &m->rank[d->outcome.rank];

    if (is_jobs_end(m, &d->outcome, d->at_ns - m->c.doubt_ns))
        ended_with_job(m, d->outcome);
    else if (!k->alive || k->incarnation != d->incarnation)
        dtx_master_lost_task(m, d->outcome.task, d->outcome.rank, true);
    else
        dtx_master_ended(m, &d->outcome);
}

int64_t dtx_master_doubt_due(const struct dtx_master *m)
{
    const struct dtx_doubt *d;

    if (m->doubt_len == 0)
        return NEVER;
    d = &m->doubt[m->doubt_at];
    return is_jobs_end(m, &d->outcome, d->at_ns - m->c.doubt_ns) ? m->now_ns
                                                                 : d->at_ns;
}

void dtx_master_judge(struct dtx_master *m)
{
    while (dtx_master_doubt_due(m) <= m->now_ns && dtx_master_spend(m)) {
        struct dtx_doubt d = m->doubt[m->doubt_at];

        m->doubt_at = (m->doubt_at + 1) % m->doubt_cap;
        m->doubt_len--;
        judge(m, &d);
    }
}
