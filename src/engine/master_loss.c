/* SPDX-License-Identifier: MIT */
/* Ranks that are lost, and what becomes of their tasks.
 *
 * A rank is lost when the driver says so, when it sends what is no message, or
 * when nothing has been heard of it for too long (pulse.h).  Ranks that
 * are listened to stand in a list, the one that has been silent longest first,
 * so that only its head is looked at.  Rank 0 is the master's own process and
 * is not in it.
 *
 * What a lost rank had goes back to the master with a new attempt number.  Of
 * these tasks, those that may have been running are recorded as lost and
 * counted; one that was there each time when so many ranks died is set aside,
 * or it would end all of them. */
#include <stdlib.h>

#include "base/error.h"
#include "engine/master_state.h"

/* ---- who has been heard of ---- */

static bool is_watched(const struct dtx_master *m, uint32_t r)
{
    return m->c.lost_after_ns > 0 && r > 0;
}

static void leave_list(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->quieter != NO_RANK)
        m->rank[k->quieter].louder = k->louder;
    else
        m->quietest = k->louder;
    if (k->louder != NO_RANK)
        m->rank[k->louder].quieter = k->quieter;
    else
        m->loudest = k->quieter;
}

static void enter_list(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];

    k->heard_ns = m->pulse.awake_ns;
    k->quieter = m->loudest;
    k->louder = NO_RANK;
    if (m->loudest != NO_RANK)
        m->rank[m->loudest].louder = r;
    else
        m->quietest = r;
    m->loudest = r;
}

void dtx_master_loss_init(struct dtx_master *m)
{
    m->quietest = m->loudest = NO_RANK;
    m->look_ns = NEVER;
}

void dtx_master_loss_fini(struct dtx_master *m)
{
    free(m->lost);
    free(m->losses);
}

void dtx_master_listen(struct dtx_master *m, uint32_t r)
{
    if (!is_watched(m, r))
        return;
    enter_list(m, r);
    if (m->look_ns == NEVER)
        m->look_ns = m->now_ns + dtx_pulse_look(m->c.lost_after_ns);
}

void dtx_master_heard(struct dtx_master *m, uint32_t r)
{
    if (!is_watched(m, r) || m->loudest == r) {
        m->rank[r].heard_ns = m->pulse.awake_ns;
        return;
    }
    leave_list(m, r);
    enter_list(m, r);
}

void dtx_master_wake(struct dtx_master *m)
{
    if (m->c.lost_after_ns <= 0)
        return;
    if (!m->started)
        dtx_pulse_init(&m->pulse, 2 * dtx_pulse_look(m->c.lost_after_ns),
                       m->now_ns);
    (void)dtx_pulse_tick(&m->pulse, m->now_ns);
}

void dtx_master_look(struct dtx_master *m)
{
    if (m->now_ns < m->look_ns)
        return;
    while (m->quietest != NO_RANK) {
        uint32_t r = m->quietest;
        int64_t ns = m->pulse.awake_ns - m->rank[r].heard_ns;

        if (ns <= dtx_pulse_silence(m->c.lost_after_ns))
            break;
        m->items++;
        dtx_master_trace(m, "rank %u silent for %lld ms", r,
                         (long long)(ns / 1000000));
        dtx_master_expel(m, r, true);
    }
    m->look_ns = m->quietest == NO_RANK
                     ? NEVER
                     : m->now_ns + dtx_pulse_look(m->c.lost_after_ns);
}

/* ---- what a lost rank had ---- */

/* It may have been running there: true when that has happened too often. */
static bool note_loss(struct dtx_master *m, uint32_t task)
{
    if (!m->losses)
        m->losses = calloc(m->cap_tasks, sizeof(*m->losses));
    if (!m->losses) {
        m->nomem = true;
        return false;
    }
    if (m->losses[task] < UINT8_MAX)
        m->losses[task]++;
    return m->c.crash_limit > 0 && m->losses[task] >= m->c.crash_limit;
}

void dtx_master_lost_task(struct dtx_master *m, uint32_t task, uint32_t rank,
                          bool begun)
{
    struct dtx_outcome o = {.task = task, .attempt = m->attempt[task],
                            .rank = rank, .status = DTX_STATUS_LOST};
    bool aside = begun && note_loss(m, task);

    m->st.lost++;
    if (m->cost_s)
        m->start_s[task] = -1; /* its rank's books are closed already */
    if (begun)
        dtx_master_record(m, &o, aside);
    if (aside) {
        dtx_master_trace(m, "task %u set aside", task + 1);
        m->st.aside++;
        m->state[task] = DTX_TASK_RECORDING;
        return;
    }
    dtx_master_next_attempt(m, task);
    dtx_master_make_ready(m, task);
}

void dtx_master_take_back(struct dtx_master *m)
{
    while (m->nlost > 0 && dtx_master_spend(m)) {
        struct dtx_lost *l = &m->lost[m->nlost - 1];
        uint32_t i = l->task, rank = l->rank;
        bool begun = l->begun > 0;

        l->begun -= begun;
        l->task = m->prev[i];
        if (l->task == DTX_NO_TASK)
            m->nlost--;
        m->st.granted--;
        dtx_master_give_back(m, rank, i);
        dtx_master_use_memory(m, rank, i, false);
        dtx_master_lost_task(m, i, rank, begun);
    }
}

/* ---- loss ---- */

static void end_steals_of(struct dtx_master *m, struct dtx_rank *k)
{
    if (k->thief != NO_RANK) {
        m->rank[k->thief].asking = false;
        dtx_master_rank_changed(m, k->thief);
        k->thief = NO_RANK;
    }
    k->yield_pending = k->asking = false;
}

/* How many of its tasks, the oldest, it may have begun: what it has not told
 * to be waiting, and what fitted into its slots. */
static uint64_t count_begun(const struct dtx_master *m,
                            const struct dtx_rank *k)
{
    uint64_t n = 0, used = 0;
    uint32_t i;

    for (i = k->tail; i != DTX_NO_TASK && used < k->slots; i = m->prev[i]) {
        used += dtx_master_attr(m, i)->cpus;
        n++;
    }
    return n > k->count - k->waiting ? n : k->count - k->waiting;
}

/* Those that ran first, since they are known: no more than it has slots. */
static void take_back_told(struct dtx_master *m, const struct dtx_loss *l)
{
    uint32_t i;

    for (i = 0; i < l->nran; i++) {
        uint32_t task = l->ran[i].task;

        m->items++;
        if (!dtx_master_has_attempt(m, l->rank, task, l->ran[i].attempt))
            continue;
        dtx_master_unlink(m, task);
        dtx_master_lost_task(m, task, l->rank, true);
    }
}

/* The rest in slices. 'l' NULL: it said good bye. */
static void begin_to_take_back(struct dtx_master *m, uint32_t r,
                               const struct dtx_loss *l)
{
    const struct dtx_rank *k = &m->rank[r];
    uint64_t begun = l && !l->told ? count_begun(m, k) : 0;
    struct dtx_lost *p;

    if (l && l->told)
        take_back_told(m, l);
    if (k->head == DTX_NO_TASK)
        return;
    p = dtx_grow(m->lost, &m->cap_lost, m->nlost + 1, sizeof(*p));
    if (!p) {
        m->nomem = true;
        return;
    }
    m->lost = p;
    m->lost[m->nlost++] = (struct dtx_lost){k->tail, r, begun};
}

static void drop(struct dtx_master *m, uint32_t r, const struct dtx_loss *l)
{
    struct dtx_rank *k = &m->rank[r];

    if (!k->came && !k->absent) {
        k->absent = true;
        m->nabsent++;
    }
    if (!k->alive)
        return;
    dtx_master_trace(m, "rank %u gone with %llu tasks", r,
                     (unsigned long long)k->count);
    k->alive = false;
    k->fenced = k->sated = k->aside = k->told_stop = false;
    k->aside_ns = 0;
    m->st.lost_ranks += l != NULL;
    k->took_back = k->count;
    k->lost_ns = m->now_ns - m->begin_ns;
    m->nalive--;
    m->slots_alive -= k->slots;
    dtx_master_speed_leave(m, r);
    if (is_watched(m, r))
        leave_list(m, r);
    end_steals_of(m, k);
    dtx_master_rank_left(m, r);
    begin_to_take_back(m, r, l);
    k->head = k->tail = DTX_NO_TASK;
    k->count = k->used = k->waiting = 0;
    dtx_master_unload(k);
}

void dtx_master_part(struct dtx_master *m, uint32_t r)
{
    drop(m, r, NULL);
}

void dtx_master_lose(struct dtx_master *m, const struct dtx_loss *l)
{
    drop(m, l->rank, l);
}

void dtx_master_expel(struct dtx_master *m, uint32_t r, bool silent)
{
    const struct dtx_loss l = {.rank = r};
    bool alive = m->rank[r].alive;
    struct dtx_action *a;

    dtx_master_lose(m, &l);
    a = alive ? dtx_actions_add(m->out, DTX_ACT_LOST) : NULL;
    if (a) {
        a->u.lost.rank = r;
        a->u.lost.silent = silent;
    }
}
