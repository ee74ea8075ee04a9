/* SPDX-License-Identifier: MIT */
/* Shares of memory bandwidth, told to the master; see spread.h.  Where such a
 * task runs is the master's and the spawner's choice.
 *
 * Of each class the last share that was told is kept, and one cursor walks over
 * the tasks that wait, from the first again when a share has changed.  What is
 * measured of the gain is what a core moved before a class was told of, and
 * since: in a crowd each waits for memory and moves less. */
#include "run/spread.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "engine/event.h"
#include "engine/master.h"
#include "predict/bandwidth.h"
#include "predict/usage.h"
#include "run/nodes.h"
#include "run/place.h"
#include "sched/traffic.h"
#include "task/counters.h"
#include "task/outcome.h"
#include "task/task.h"

#define AT_ONCE 2048u /* tasks looked at in a tick, twice a second, ... */
#define PASSED 65536u /* ... and so many passed that do not wait */
#define NEWS 0.1      /* a smaller change is none */
#define TURNS 2u      /* attempts of each slot: then the memory is known */
#define MORE 0.1      /* than was seen: to find out */
#define LEAST 3u      /* attempts, before and since, for the gain to be told */

/* What attempts of told classes moved. */
struct moved {
    uint64_t n;
    double bytes, core_s;
};

struct class {
    double share;    /* as told; 0: it is not bound by memory */
    int64_t told_ns; /* wall clock, when it was first */
    struct moved before, since;
};

struct dtx_spread {
    const struct dtx_usages *usage;
    const struct dtx_tasklist *list;
    struct dtx_traffic *traffic;
    uint64_t slots;             /* of all ranks */
    double said, best;          /* bytes a second of a NUMA node: what it moves
                                   (0: nobody says), what one was seen to */
    struct dtx_bandwidth *seen; /* of each pool, all NUMA nodes together */
    uint64_t ended;             /* attempts */
    struct class of[DTX_USAGE_CLASSES];
    bool any;      /* some class is bound */
    uint32_t next; /* task to look at */
    uint32_t task[AT_ONCE];
    float share[AT_ONCE];
};

/* ---- the memory ---- */

static int lay_out(struct dtx_spread *s, const struct dtx_spread_config *c)
{
    struct dtx_share *each = calloc(c->ncards, sizeof(*each));
    struct dtx_traffic_reach *reach = calloc(c->ncards, sizeof(*reach));
    struct dtx_nodes nodes = {0};
    uint32_t i;
    int rc = each && reach ? dtx_nodes_init(&nodes, c->cards, c->ncards)
                           : DTX_ENOMEM;

    if (rc == DTX_OK)
        rc = dtx_shares_of(c->cards, c->ncards, c->jobs, each);
    if (rc == DTX_OK)
        rc = dtx_nodes_memory(&nodes, c->cards, c->ncards, each, reach);
    if (rc == DTX_OK)
        rc = dtx_traffic_lay_out(s->traffic, reach, c->ncards);
    for (i = 0; rc == DTX_OK && i < c->ncards; i++)
        s->slots += each[i].nslots;
    dtx_nodes_fini(&nodes);
    free(each);
    free(reach);
    return rc;
}

struct dtx_spread *dtx_spread_create(const struct dtx_spread_config *c)
{
    struct dtx_spread *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->usage = c->usage;
    s->list = c->list;
    s->said = (double)c->numa_bytes;
    s->traffic = dtx_traffic_create(c->ncards);
    if (s->traffic && lay_out(s, c) == DTX_OK)
        s->seen = calloc(dtx_traffic_pools(s->traffic), sizeof(*s->seen));
    if (s->seen)
        return s;
    dtx_spread_destroy(s);
    return NULL;
}

void dtx_spread_destroy(struct dtx_spread *s)
{
    if (!s)
        return;
    dtx_traffic_destroy(s->traffic);
    free(s->seen);
    free(s);
}

struct dtx_traffic *dtx_spread_traffic(const struct dtx_spread *s)
{
    return s->traffic;
}

/* ---- what is told ---- */

/* Bytes a second that a NUMA node is taken to move, where the tasks in question
 * ask for so many each; 0: it is not known yet. */
static double capacity(const struct dtx_spread *s, double each)
{
    if (s->said > 0)
        return s->said;
    if (s->ended < TURNS * s->slots)
        return 0;
    return s->best + fmax(s->best * MORE, each);
}

/* What one core of a class uses of a NUMA node; 0: it is not bound, or nothing
 * is known. */
static double share_of(const struct dtx_spread *s, uint32_t i)
{
    const struct dtx_usage *c = &s->usage->of[i];
    double bytes = 0, all;

    if (s->of[i].share <= 0 && !dtx_usage_bound(s->usage, c))
        return 0;
    (void)dtx_usage_get(c, DTX_USAGE_BYTES, &bytes);
    all = capacity(s, bytes);
    return all > 0 ? bytes / all : 0;
}

/* Has any class something new to tell? */
static bool look_at_classes(struct dtx_spread *s, int64_t wall_ns)
{
    bool news = false;
    uint32_t i;

    for (i = 0; i < s->usage->n; i++) {
        struct class *c = &s->of[i];
        double share = share_of(s, i);

        if (fabs(share - c->share) <= NEWS * c->share)
            continue;
        if (c->told_ns == 0)
            c->told_ns = wall_ns;
        c->share = share;
        news = true;
    }
    s->any |= news;
    return news;
}

static bool waits(const struct dtx_master *m, uint32_t task)
{
    enum dtx_task_state state = dtx_master_task_state(m, task);

    return state == DTX_TASK_BLOCKED || state == DTX_TASK_READY ||
           state == DTX_TASK_PAUSED;
}

static double share_of_task(const struct dtx_spread *s, uint32_t task)
{
    const struct dtx_task *t = &s->list->task[task];
    const struct dtx_usage *c;
    struct dtx_features f;

    dtx_features_of(dtx_tasklist_text(s->list, t), t->len, NULL, NULL, NULL,
                    &f);
    c = dtx_usages_find(s->usage, f.class_key);
    return c ? s->of[c - s->usage->of].share : 0;
}

bool dtx_spread_tick(struct dtx_spread *s, const struct dtx_master *m,
                     int64_t wall_ns, struct dtx_costs *out)
{
    uint32_t looked = 0, passed = 0, task;
    struct dtx_master_stats known;
    double share;

    *out = (struct dtx_costs){.task = s->task, .share = s->share};
    if (look_at_classes(s, wall_ns))
        s->next = 0;
    if (!s->any)
        return false;
    dtx_master_stats(m, &known);
    while (s->next < known.tasks && looked < AT_ONCE && passed < PASSED) {
        task = s->next++;
        if (!waits(m, task)) {
            passed++;
            continue;
        }
        looked++;
        share = share_of_task(s, task);
        if (share <= 0)
            continue;
        s->task[out->n] = task;
        s->share[out->n++] = (float)share;
    }
    return out->n > 0;
}

/* ---- what came of it ---- */

void dtx_spread_ended(struct dtx_spread *s, const struct dtx_usage *class,
                      const struct dtx_outcome *o)
{
    uint32_t pool = dtx_traffic_pool(s->traffic, o->rank);
    uint64_t misses;
    struct class *c;
    struct moved *to;
    double bytes;

    s->ended++;
    if (!dtx_counters_get(&o->counters, DTX_COUNTED_MISSES, &misses))
        return;
    bytes = (double)misses * DTX_USAGE_LINE;
    dtx_bandwidth_add(&s->seen[pool], o->start_ns, o->wall_ns, bytes);
    s->best = fmax(s->best, s->seen[pool].best /
                                dtx_traffic_pool_nodes(s->traffic, pool));
    if (!class)
        return;
    c = &s->of[class - s->usage->of];
    to = c->told_ns > 0 && o->start_ns > c->told_ns ? &c->since : &c->before;
    to->n++;
    to->bytes += bytes;
    to->core_s += (double)o->wall_ns / 1e9 *
                  dtx_tasklist_attr_of(s->list, o->task)->cpus;
}

static void add(struct moved *sum, const struct moved *x)
{
    sum->n += x->n;
    sum->bytes += x->bytes;
    sum->core_s += x->core_s;
}

void dtx_spread_tell(const struct dtx_spread *s,
                     const struct dtx_master_stats *m, struct dtx_buf *b)
{
    struct moved before = {0}, since = {0};
    uint32_t i;

    if (m->spread + m->crowded == 0)
        return;
    dtx_buf_printf(b, "memory     %llu memory-bound tasks started where there "
                   "was bandwidth, %llu where there was none",
                   (unsigned long long)m->spread,
                   (unsigned long long)m->crowded);
    for (i = 0; i < s->usage->n; i++) {
        if (s->of[i].told_ns == 0)
            continue;
        add(&before, &s->of[i].before);
        add(&since, &s->of[i].since);
    }
    if (before.n >= LEAST && since.n >= LEAST)
        dtx_buf_printf(b, "; before they were known a core moved %.1f GB/s, "
                       "since then %.1f", before.bytes / before.core_s / 1e9,
                       since.bytes / since.core_s / 1e9);
    if (s->said <= 0)
        dtx_buf_printf(b, "; the most that a NUMA node was seen to move is "
                       "%.1f GB/s", s->best / 1e9);
    dtx_buf_char(b, '\n');
}
