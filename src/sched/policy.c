/* SPDX-License-Identifier: MIT */
/* The policies and their table.  Formulas are cited at each function; none
 * looks at anything but its snapshot. */
#include "sched/policy.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"

/* A queue never holds more than this many tasks per slot. */
#define MAX_DEPTH 64
/* A guided chunk holds a slot's share of the seconds ready divided by this. */
#define GUIDED_PARTS 1
/* A theft brings at least so many times the way's time of work. */
#define WORTH 2

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return b ? a / b + (a % b != 0) : a;
}

/* Is a slot of the rank without a task? */
static bool has_free(const struct dtx_sched_view *v)
{
    return v->used < v->slots;
}

/* Each slot's share of the seconds that are ready, 0 when they are not known;
 * of a part, that of so many of its kind. */
static double share_s(const struct dtx_sched_view *v, double parts)
{
    if (!v->weighed || v->slots_all == 0)
        return 0;
    return v->ready_s /
           ((v->capacity > 0 ? v->capacity : (double)v->slots_all) * parts);
}

/* What a task of so many seconds takes on this rank. */
static double here_s(const struct dtx_sched_view *v, double seconds)
{
    return v->slow > 0 ? seconds * v->slow : seconds;
}

/* What of so many seconds of this rank's is in predicted ones. */
static double said_s(const struct dtx_sched_view *v, double seconds)
{
    return v->slow > 0 ? seconds / v->slow : seconds;
}

/* Static chunking: what is ready is cut once into as many parts as there are
 * slots, each its share of what the ones before it left; what becomes ready
 * later is cut the same way.  Kruskal and Weiss,
 * "Allocating independent subtasks on parallel processors", IEEE TSE 11(10),
 * 1985.  When weighed, the parts are made task by task, each to the rank that
 * has been given fewest seconds: Graham's list scheduling on what is predicted
 * (SIAM J. Appl. Math. 17(2), 1969). */
static uint64_t chunk_static(struct dtx_policy_state *s,
                             const struct dtx_sched_view *v)
{
    uint64_t n;

    if (v->weighed)
        return 1;
    if (s->left == 0 || s->chunk == 0) {
        s->chunk = v->ready;
        s->left = v->slots_all;
    }
    n = divide_up(s->chunk * v->slots, s->left);
    if (n > s->chunk)
        n = s->chunk;
    s->chunk -= n;
    s->left -= v->slots < s->left ? v->slots : s->left;
    return n;
}

/* Self-scheduling: one task for each free slot.  Tang and Yew, "Processor
 * self-scheduling for multiple-nested parallel loops", ICPP 1986. */
static uint64_t chunk_self(struct dtx_policy_state *s,
                           const struct dtx_sched_view *v)
{
    s->most_s = 0;
    return has_free(v) ? v->slots - v->used : 0;
}

/* Guided self-scheduling: ceil(R / P).  Polychronopoulos and Kuck, IEEE TC
 * 36(12), 1987. */
static uint64_t chunk_guided(struct dtx_policy_state *s,
                             const struct dtx_sched_view *v)
{
    s->most_s = said_s(v, share_s(v, GUIDED_PARTS));
    return has_free(v) ? divide_up(v->ready, v->slots_all) : 0;
}

/* Factoring with x = 2: batches of P equal chunks, each batch half of what is
 * left.  Flynn Hummel, Schonberg and Flynn, CACM 35(8), 1992. */
static uint64_t chunk_factoring(struct dtx_policy_state *s,
                                const struct dtx_sched_view *v)
{
    if (!has_free(v))
        return 0;
    if (s->left == 0) {
        s->chunk = divide_up(v->ready, 2 * v->slots_all);
        s->batch_s = share_s(v, 2);
        s->left = v->slots_all;
    }
    s->left--;
    s->most_s = said_s(v, s->batch_s);
    return s->chunk;
}

/* Work stealing through a master: queues as deep as a round trip needs, never
 * more than a factoring share of what is left, and the rest is made good by
 * steals.  The idea of stealing from the loaded by the idle: Blumofe and
 * Leiserson, "Scheduling multithreaded computations by work stealing", JACM
 * 46(5), 1999; the bound on a chunk: Flynn Hummel et al. 1992.  When weighed,
 * that share is one of seconds too: a task that exceeds it may be the last to
 * end, and goes to a free slot alone; and none waits where it would end later
 * than all that is ready would, evenly divided. */
static uint64_t chunk_steal(struct dtx_policy_state *s,
                            const struct dtx_sched_view *v)
{
    uint64_t deep = 1, share, target;
    double mean_ns = here_s(v, (double)v->mean_ns);

    s->most_s = 0;
    s->full = false;
    if (has_free(v)) /* nothing is queued ahead while any slot is free */
        return v->slots - v->used;
    if (v->weighed &&
        (here_s(v, v->next_s) > share_s(v, 2) ||
         v->busy_s + here_s(v, v->next_s) > share_s(v, 1)))
        return 0;
    if (v->shallow) /* not even one that lasts, or may */
        deep = mean_ns >= 1 ? (uint64_t)v->depth_ns / (uint64_t)mean_ns : 0;
    else if (v->mean_ns > 0)
        deep = divide_up((uint64_t)v->depth_ns,
                         mean_ns < 1 ? 1 : (uint64_t)mean_ns);
    if (deep > MAX_DEPTH)
        deep = MAX_DEPTH;
    share = divide_up(v->ready, 2 * v->slots_all);
    if (deep > share)
        deep = share;
    target = v->slots + deep * v->slots;
    /* refill when half of what was queued ahead is gone */
    s->full = v->used > v->slots + deep * v->slots / 2;
    if (s->full)
        return 0;
    if (v->weighed)
        s->most_s = said_s(v, (double)v->depth_ns / 1e9) * v->slots +
                    v->next_s;
    return target > v->used ? target - v->used : 0;
}

static const struct dtx_policy table[] = {
    {"steal",
     "queues of a round trip's depth; idle ranks steal from the slowest",
     "Blumofe and Leiserson, JACM 46(5), 1999", false, false, true,
     true, chunk_steal},
    {"self", "one task at a time for each free slot",
     "Tang and Yew, ICPP 1986", false, false, false, true, chunk_self},
    {"guided", "chunks of what is left divided by all slots",
     "Polychronopoulos and Kuck, IEEE TC 36(12), 1987", false, false, false,
     false, chunk_guided},
    {"factoring", "batches of equal chunks, each half of what is left",
     "Flynn Hummel, Schonberg and Flynn, CACM 35(8), 1992", false, false,
     false, false, chunk_factoring},
    {"static", "one equal part for each slot, at the start",
     "Kruskal and Weiss, IEEE TSE 11(10), 1985", true, true, false,
     false, chunk_static},
};

const struct dtx_policy *dtx_policy_table(size_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}

const struct dtx_policy *dtx_policy_find(const char *name,
                                         struct dtx_error *err)
{
    struct dtx_buf names = DTX_BUF_INIT;
    struct dtx_near near;
    size_t i, n = sizeof(table) / sizeof(table[0]);

    if (!name)
        return &table[0];
    for (i = 0; i < n; i++) {
        if (strcmp(name, table[i].name) == 0)
            return &table[i];
    }
    dtx_near_init(&near, name, strlen(name));
    for (i = 0; i < n; i++) {
        dtx_buf_printf(&names, "%s%s", i ? ", " : "", table[i].name);
        dtx_near_offer(&near, table[i].name);
    }
    (void)dtx_error_set(err, DTX_EINVAL,
                        "unknown policy '%.60s'; %s%s%sthere are: %s", name,
                        near.best ? "did you mean " : "",
                        near.best ? near.best : "", near.best ? "? " : "",
                        names.failed ? "?" : names.data);
    dtx_buf_free(&names);
    return NULL;
}

uint32_t dtx_policy_loot(uint64_t waiting, uint32_t victim_slots,
                         uint32_t thief_slots)
{
    uint64_t n = divide_up(waiting * thief_slots,
                           (uint64_t)victim_slots + thief_slots);

    if (n == 0)
        n = 1;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

double dtx_policy_loot_s(double left_s, double victim_slots,
                         double thief_slots)
{
    return left_s > 0 ? left_s * thief_slots / (victim_slots + thief_slots)
                      : 0;
}

/* Of those on a long way more are taken, as in the hierarchical chunk selection
 * of Min, Iancu and Yelick, "Hierarchical work stealing on manycore clusters",
 * PGAS 2011. */
double dtx_policy_worth_s(double way_s, uint32_t thief_slots)
{
    return way_s > 0 ? WORTH * way_s * thief_slots : 0;
}

/* What is left, and what the thief's slots stand idle on the way, evenly
 * divided: (v * left + t * way) / (v + t). */
double dtx_policy_gain_s(double left_s, double way_s, uint32_t victim_slots,
                         uint32_t thief_slots)
{
    double both = (double)victim_slots + thief_slots;

    return both > 0 ? (left_s - way_s) * thief_slots / both : 0;
}
