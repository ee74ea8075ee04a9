/* SPDX-License-Identifier: MIT */
/* Wide tasks (several cpus).  One is granted only to a rank whose slots are
 * free for it, never queued ahead.  The one whose turn it is and which fits
 * nowhere reserves the rank with most free slots: that rank gets nothing else
 * until the wide task fits (at most its slots less one stay free for that), so
 * that it cannot starve. */
#include "engine/master_state.h"

/* Reservations of other ranks that are looked at when slots become free. */
#define LOOK_AT 8

/* A reserved task's rank has the room: the task starts, or it is too late, or
 * that on this rank, which is slow. */
static void start_wide(struct dtx_master *m, uint32_t r, uint32_t task)
{
    bool late = dtx_master_too_late(m, task);

    if (!late && !dtx_master_too_late_on(m, r, task)) {
        dtx_master_grant_wide(m, r, task);
        return;
    }
    m->rank[r].reserved = DTX_NO_TASK;
    dtx_master_give_back(m, r, task);
    if (late)
        dtx_master_put_off(m, task);
    else
        dtx_master_make_ready(m, task);
    dtx_master_rank_changed(m, r);
}

void dtx_master_park(struct dtx_master *m, uint32_t task)
{
    m->next[task] = m->parked;
    if (m->parked == DTX_NO_TASK)
        m->parked_last = task;
    m->parked = task;
    m->nparked++;
    dtx_master_trace(m, "no rank has the slots for task %u", task + 1);
}

void dtx_master_begin_unparking(struct dtx_master *m)
{
    if (m->parked == DTX_NO_TASK)
        return;
    m->next[m->parked_last] = m->unparking;
    m->unparking = m->parked;
    m->parked = DTX_NO_TASK;
}

void dtx_master_unpark(struct dtx_master *m)
{
    while (m->unparking != DTX_NO_TASK && dtx_master_spend(m)) {
        uint32_t task = m->unparking;

        m->unparking = m->next[task];
        m->nparked--;
        dtx_master_make_ready(m, task);
    }
}

/* Of a group's ranks the first, by free slots, that is not too slow for the
 * task to end in time; a few are looked at. */
static uint32_t first_in_time(struct dtx_master *m,
                              const struct dtx_keyheap *h, uint32_t task)
{
    size_t i;

    for (i = 0; i < h->len && i < LOOK_AT; i++) {
        uint32_t r = dtx_keyheap_at(h, i);

        m->items++;
        if (!dtx_master_too_late_on(m, r, task))
            return r;
    }
    return DTX_HEAP_NONE;
}

/* The unreserved rank of at least 'cpus' slots with most of them free, where
 * the task would end in time. */
static uint32_t roomiest(struct dtx_master *m, uint32_t cpus, uint32_t task)
{
    uint32_t best = NO_RANK;
    int64_t best_free = INT64_MIN;
    size_t i;

    for (i = 0; i < m->ngroups; i++) {
        uint32_t r = m->group[i].slots < cpus
                         ? DTX_HEAP_NONE
                         : first_in_time(m, &m->group[i].free, task);
        int64_t left;

        m->items++;
        if (r == DTX_HEAP_NONE)
            continue;
        left = (int64_t)m->rank[r].slots - (int64_t)m->rank[r].used;
        if (left > best_free || (left == best_free && r < best)) {
            best = r;
            best_free = left;
        }
    }
    return best;
}

static bool fits(const struct dtx_master *m, uint32_t r, uint32_t task)
{
    return m->rank[r].used + dtx_master_attr(m, task)->cpus <=
           m->rank[r].slots;
}

void dtx_master_grant_or_reserve(struct dtx_master *m, uint32_t r,
                                 uint32_t task)
{
    struct dtx_rank *k = &m->rank[r];

    if (fits(m, r, task)) {
        dtx_master_grant_wide(m, r, task);
        return;
    }
    k->reserved = task;
    m->owner[task] = r;
    dtx_master_trace(m, "rank %u reserved for wide task %u", r, task + 1);
    dtx_master_rank_changed(m, r);
    if (m->policy->steals && dtx_master_spare(k) > 0 && !k->yield_pending)
        dtx_master_yield(m, r, UINT32_MAX, NO_RANK);
}

bool dtx_master_place_wide(struct dtx_master *m)
{
    uint32_t task = dtx_keyheap_top(&m->wide);
    uint32_t cpus = dtx_master_attr(m, task)->cpus;
    bool late = dtx_master_too_late(m, task);
    uint32_t r = late ? NO_RANK : roomiest(m, cpus, task);

    if (m->nalive == 0 || (!late && r == NO_RANK &&
                           dtx_master_largest(m) >= cpus) ||
        !dtx_master_spend(m))
        return false;
    (void)dtx_keyheap_pop(&m->wide);
    if (late) {
        dtx_master_put_off(m, task);
        return true;
    }
    if (r == NO_RANK) {
        dtx_master_park(m, task);
        return true;
    }
    dtx_master_grant_or_reserve(m, r, task);
    return true;
}

/* Among the first reserved ranks, one whose task fits on 'r', or NO_RANK. A
 * few are looked at, so that a very wide first one does not hide the rest. */
static uint32_t elsewhere(struct dtx_master *m, uint32_t r)
{
    size_t i;

    for (i = 0; i < m->reserved.len && i < LOOK_AT; i++) {
        uint32_t other = dtx_keyheap_at(&m->reserved, i);

        m->items++;
        if (fits(m, r, m->rank[other].reserved) &&
            !dtx_master_is_needy(m, m->rank[other].reserved))
            return other;
    }
    return NO_RANK;
}

void dtx_master_settle(struct dtx_master *m, uint32_t r)
{
    uint32_t task = m->rank[r].reserved, other;

    if (m->stopping || dtx_master_held_back(m))
        return;
    if (task != DTX_NO_TASK && fits(m, r, task))
        start_wide(m, r, task);
    while (m->rank[r].reserved == DTX_NO_TASK && !dtx_master_held_back(m) &&
           (other = elsewhere(m, r)) != NO_RANK) {
        task = m->rank[other].reserved;
        m->rank[other].reserved = DTX_NO_TASK;
        dtx_master_rank_changed(m, other);
        start_wide(m, r, task);
    }
}

void dtx_master_settle_reserved(struct dtx_master *m)
{
    size_t i;

    for (i = 0;
         i < m->reserved.len && i < LOOK_AT && !dtx_master_held_back(m); i++) {
        uint32_t r = dtx_keyheap_at(&m->reserved, i);

        m->items++;
        if (fits(m, r, m->rank[r].reserved)) {
            start_wide(m, r, m->rank[r].reserved);
            return;
        }
    }
}
