/* SPDX-License-Identifier: MIT */
/* The work of the simulated kernel lane: iterations as spans, nodes of a tree
 * and tasks as numbers, each worth its hash; see lane.h. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "lane_state.h"

#define FAILS 16u       /* one task in so many */
#define KIN 7u          /* descend from one that spawns: 1, 2, 4 */
#define LEVELS 3u
#define KIN_UNIT (UINT64_C(1) << 40)

static uint64_t worth(uint64_t unit)
{
    return dtx_hash128(&unit, sizeof(unit), 99).lo;
}

static bool has_tasks(const struct dtx_lane *l)
{
    return l->c.kind == DTX_LANE_TASKS || l->c.kind == DTX_LANE_SPAWN;
}

/* --- at the start --------------------------------------------------------- */

static void deal_of(const struct dtx_lane *l, uint32_t r, uint64_t *first,
                    uint64_t *end)
{
    *first = (uint64_t)l->c.units * r / l->c.nranks;
    *end = (uint64_t)l->c.units * (r + 1) / l->c.nranks;
}

/* How many children a node has: each level has fewer, the shape is the seed's.
 * The upper byte of a node is its depth. */
static unsigned children_of(uint64_t node)
{
    unsigned depth = (unsigned)(node >> 56);

    return depth == 0 ? 8 : depth > 9 ? 0 : (unsigned)(worth(node) % 4);
}

static uint64_t child_of(uint64_t node, unsigned i)
{
    uint64_t key[2] = {node, i}, depth = (node >> 56) + 1;

    return dtx_hash128(key, sizeof(key), 5).lo >> 8 | depth << 56;
}

static void count_tree(struct dtx_lane *l, uint64_t node)
{
    unsigned i, n = children_of(node);

    l->r->want_done++;
    l->r->want_sum += worth(node);
    for (i = 0; i < n; i++)
        count_tree(l, child_of(node, i));
}

static bool task_fails(const struct dtx_lane *l, uint64_t id)
{
    return l->c.units > FAILS && worth(id) % FAILS == 0;
}

static bool task_spawns(const struct dtx_lane *l, uint64_t id)
{
    return l->c.kind == DTX_LANE_SPAWN && worth(id) % 3 == 0;
}

static int submit(struct dtx_lane *l, uint64_t id)
{
    struct dtx_lane_end *e = &l->end[id];
    struct dtx_task_item *t = dtx_task_item_create(0, &id, sizeof(id));
    bool ok = true;
    uint32_t i;

    e->nafter = id > 1 ? (uint32_t)dtx_rng_below(&l->rng, 4) : 0;
    for (i = 0; i < e->nafter; i++)
        e->after[i] = 1 + dtx_rng_below(&l->rng, id - 1);
    if (!t || dtx_ledger_add(l->ledger, t, e->after, e->nafter) < 0) {
        free(t);
        return DTX_ENOMEM;
    }
    for (i = 0; i < e->nafter; i++)
        ok &= l->end[e->after[i]].has;
    e->has = ok && !task_fails(l, id); /* it should succeed */
    l->r->want_done += ok;
    l->r->want_sum += ok ? worth(id) : 0;
    if (ok && task_spawns(l, id)) {
        l->r->want_done += KIN;
        l->r->want_sum += KIN * worth(id + KIN_UNIT);
    }
    return DTX_OK;
}

/* Rank 0: what may run goes into its queue, what never will has ended. */
static void fill(struct dtx_lane *l)
{
    struct dtx_task_item *t;

    while ((t = dtx_ledger_ready(l->ledger))) {
        if (!dtx_task_queue_push(&l->rank[0].queue, t))
            l->rc = DTX_ENOMEM;
    }
    while ((t = dtx_ledger_skipped(l->ledger))) {
        if (l->end[t->id].ends++ || l->end[t->id].has)
            dtx_lane_wrong(l, "skipped", t->id);
        (void)dtx_ledger_end(l->ledger, t->id, DTX_ECANCEL);
        free(t);
    }
}

int dtx_lane_work_begin(struct dtx_lane *l)
{
    uint64_t root = dtx_rng_below(&l->rng, UINT64_MAX >> 8), i, first, end;
    uint32_t r;
    int rc = DTX_OK;

    for (r = 0; r < l->c.nranks && l->c.kind == DTX_LANE_LOOP; r++) {
        deal_of(l, r, &first, &end);
        if (!dtx_spans_add(&l->rank[r].todo, first, end - first))
            return DTX_ENOMEM;
    }
    if (l->c.kind == DTX_LANE_CHUNKS &&
        !dtx_spans_add(&l->source, 0, l->c.units))
        return DTX_ENOMEM;
    if (l->c.kind == DTX_LANE_TREE) {
        count_tree(l, root);
        dtx_buf_append(&l->rank[0].nodes, &root, sizeof(root));
        return DTX_OK;
    }
    if (!has_tasks(l)) {
        l->r->want_done = l->c.units;
        for (i = 0; i < l->c.units; i++)
            l->r->want_sum += worth(i);
        return DTX_OK;
    }
    l->ledger = dtx_ledger_create();
    l->end = calloc(l->c.units + 1, sizeof(*l->end));
    if (!l->ledger || !l->end)
        return DTX_ENOMEM;
    dtx_ledger_keep(l->ledger, l->c.values);
    for (i = 1; i <= l->c.units && rc == DTX_OK; i++)
        rc = submit(l, i);
    fill(l);
    return rc;
}

void dtx_lane_work_end(struct dtx_lane *l)
{
    uint64_t id;

    for (id = 1; l->end && id <= l->c.units && l->r->code == DTX_OK; id++) {
        if (l->end[id].ends != 1)
            dtx_lane_wrong(l, "did not end once: task", id);
    }
    dtx_ledger_destroy(l->ledger);
    free(l->end);
    dtx_owners_free(&l->owners);
    dtx_spans_free(&l->source);
}

/* --- a rank's ------------------------------------------------------------- */

bool dtx_lane_has_work(struct dtx_lane *l, uint32_t r)
{
    struct dtx_lane_rank *k = &l->rank[r];

    return k->todo.n > 0 || k->nodes.len > 0 || k->queue.count > 0;
}

static void did(struct dtx_lane_rank *k, uint64_t unit)
{
    k->done++;
    k->sum += worth(unit);
}

static void visit(struct dtx_lane_rank *k)
{
    uint64_t node;
    unsigned i, n;

    k->nodes.len -= sizeof(node);
    memcpy(&node, k->nodes.data + k->nodes.len, sizeof(node));
    did(k, node);
    n = children_of(node);
    for (i = 0; i < n; i++) {
        uint64_t child = child_of(node, i);

        dtx_buf_append(&k->nodes, &child, sizeof(child));
    }
}

/* 'n' tasks of the id, below which there are so many levels. */
static void spawn(struct dtx_lane *l, uint32_t r, uint64_t id, unsigned n,
                  uint8_t levels)
{
    while (n-- > 0) {
        struct dtx_task_item *t = dtx_task_item_create(0, &levels,
                                                       sizeof(levels));

        if (!t || !dtx_task_queue_push(&l->rank[r].queue, t)) {
            l->rc = DTX_ENOMEM;
            free(t);
            return;
        }
        t->id = id;
        t->spawned = true;
    }
}

/* One task; those that were submitted tell of their end. */
static void run_task(struct dtx_lane *l, uint32_t r)
{
    struct dtx_lane_rank *k = &l->rank[r];
    struct dtx_task_item *t = dtx_task_queue_pop(&k->queue);
    struct dtx_msg m = {.kind = DTX_MSG_KENDED};
    struct dtx_buf b = DTX_BUF_INIT;
    bool spawns = !t->spawned && task_spawns(l, t->id);

    did(k, t->id + (t->spawned ? KIN_UNIT : 0));
    if (spawns)
        spawn(l, r, t->id, 1, LEVELS - 1);
    else if (t->spawned && t->data[0] > 0)
        spawn(l, r, t->id, 2, (uint8_t)(t->data[0] - 1));
    if (!t->spawned) {
        dtx_put_u64(&b, t->id);
        dtx_put_u8(&b, spawns);
        m.u.kended.ended = (struct dtx_str){b.data, b.len};
        dtx_lane_say(l, r, &m);
    }
    dtx_buf_free(&b);
    free(t);
}

void dtx_lane_work_unit(struct dtx_lane *l, uint32_t r)
{
    struct dtx_lane_rank *k = &l->rank[r];
    uint64_t at;

    if (k->nodes.len > 0) {
        visit(k);
    } else if (k->queue.count > 0) {
        run_task(l, r);
    } else {
        at = k->todo.list[0].first;
        did(k, at);
        if (!dtx_spans_cut(&k->todo, at, 1))
            l->rc = DTX_ENOMEM;
    }
}

/* A task's input is its number. */
static bool is_whole(const struct dtx_task_item *t)
{
    return t->bytes == sizeof(t->id) &&
           memcmp(t->data, &t->id, sizeof(t->id)) == 0;
}

void dtx_lane_take(struct dtx_lane *l, uint32_t r, struct dtx_str work)
{
    struct dtx_lane_rank *k = &l->rank[r];
    struct dtx_cursor c = dtx_cursor_over(work.data, work.len);

    if (l->c.kind == DTX_LANE_TREE)
        dtx_buf_append(&k->nodes, work.data, work.len);
    while (has_tasks(l) && !dtx_cursor_done(&c)) {
        struct dtx_task_item *t = dtx_task_item_decode(&c);

        if (t && !t->spawned && !is_whole(t))
            dtx_lane_wrong(l, "came without its bytes: task", t->id);
        if (c.bad)
            dtx_lane_wrong(l, "no task, for rank", r);
        else if (!t || !dtx_task_queue_push(&k->queue, t))
            l->rc = DTX_ENOMEM;
    }
    while (l->c.kind <= DTX_LANE_CHUNKS && !dtx_cursor_done(&c)) {
        uint64_t first = dtx_get_u64(&c), count = dtx_get_u64(&c), n;

        if (c.bad || count == 0 || first + count > l->c.units ||
            dtx_spans_at(&k->todo, first, first + count, &n) || n < count)
            dtx_lane_wrong(l, "had twice: iteration", first);
        else if (!dtx_spans_add(&k->todo, first, count))
            l->rc = DTX_ENOMEM;
    }
}

void dtx_lane_share(struct dtx_lane *l, uint32_t r, struct dtx_buf *out,
                    struct dtx_buf *straight)
{
    struct dtx_lane_rank *k = &l->rank[r];
    size_t n = k->nodes.len / 2 / 8 * 8, i;

    dtx_buf_append(straight, k->nodes.data, n);
    if (n > 0)
        dtx_buf_drop(&k->nodes, n);
    for (i = (k->queue.count + 1) / 2; i > 0; i--) {
        struct dtx_task_item *t = dtx_task_queue_pop(&k->queue);

        if (r == 0 || t->spawned)
            dtx_task_item_encode(r == 0 ? out : straight, t);
        else
            dtx_task_item_encode_lent(out, t);
        l->r->lent += r != 0 && !t->spawned;
        if (r == 0)
            dtx_ledger_lend(l->ledger, t);
        else
            free(t);
    }
    if (k->todo.n > 0) {
        struct dtx_span s = k->todo.list[k->todo.n - 1];
        uint64_t half = (s.end - s.first + 1) / 2;

        dtx_put_u64(out, s.end - half);
        dtx_put_u64(out, half);
        if (!dtx_spans_cut(&k->todo, s.end - half, half))
            l->rc = DTX_ENOMEM;
    }
}

/* --- rank 0's books ------------------------------------------------------- */

static void end_task(struct dtx_lane *l, uint64_t id)
{
    struct dtx_lane_end *e = &l->end[id];
    uint32_t i;

    switch (dtx_ledger_end(l->ledger, id, task_fails(l, id))) {
    case DTX_LEDGER_AGAIN:
        return;
    case DTX_LEDGER_FIRST:
        break;
    default:
        dtx_lane_wrong(l, "ended, but did not run: task", id);
    }
    if (e->ends++)
        dtx_lane_wrong(l, "ended twice: task", id);
    e->ok = !task_fails(l, id);
    for (i = 0; i < e->nafter; i++) {
        if (!l->end[e->after[i]].ok)
            dtx_lane_wrong(l, "ran too early: task", id);
    }
}

void dtx_lane_ended(struct dtx_lane *l, uint32_t from, struct dtx_str ended)
{
    struct dtx_cursor c = dtx_cursor_over(ended.data, ended.len);
    uint64_t id = dtx_get_u64(&c);

    if (dtx_get_u8(&c) && from != 0)
        dtx_ledger_spawned(l->ledger);
    end_task(l, id);
    fill(l);
}

bool dtx_lane_holds(const struct dtx_lane *l)
{
    return l->ledger && dtx_ledger_open(l->ledger) > 0;
}

void dtx_lane_bank(struct dtx_lane *l, uint32_t rank, uint32_t round)
{
    if (!(l->ledger ? dtx_ledger_bank(l->ledger, rank)
                    : dtx_owners_bank(&l->owners, round, rank)))
        l->rc = DTX_ENOMEM;
}

void dtx_lane_draw(void *lane, uint32_t rank, uint32_t count,
                   const struct dtx_broker_news *news, struct dtx_buf *work)
{
    struct dtx_lane *l = lane;
    struct dtx_span s;

    (void)rank;
    (void)news;
    if (l->source.n == 0)
        return;
    s = l->source.list[0];
    if (count > s.end - s.first)
        count = (uint32_t)(s.end - s.first);
    dtx_put_u64(work, s.first);
    dtx_put_u64(work, count);
    work->failed |= !dtx_spans_cut(&l->source, s.first, count);
}

bool dtx_lane_moved(void *lane, uint32_t from, uint32_t to,
                    struct dtx_str work, uint64_t straight,
                    struct dtx_buf *full)
{
    struct dtx_lane *l = lane;
    struct dtx_cursor c = dtx_cursor_over(work.data, work.len);
    bool ok = true;

    if (straight > 0 && l->ledger)
        dtx_ledger_spawned(l->ledger);
    if (l->ledger)
        return dtx_ledger_moved(l->ledger, to, work, full);
    while (l->c.kind != DTX_LANE_TREE && ok && !dtx_cursor_done(&c)) {
        uint64_t first = dtx_get_u64(&c), count = dtx_get_u64(&c);

        ok = dtx_owners_move(&l->owners, dtx_broker_round(l->broker), from,
                             to, first, count);
    }
    return ok;
}

static int regain(struct dtx_lane *l, uint32_t rank, struct dtx_buf *work)
{
    struct dtx_spans s = DTX_SPANS_INIT;
    uint64_t first, end;
    bool ok = true;
    size_t i;

    deal_of(l, rank, &first, &end);
    if (l->c.kind == DTX_LANE_LOOP)
        ok = dtx_spans_add(&s, first, end - first);
    ok = ok && dtx_owners_of(&l->owners, rank, &s);
    for (i = 0; i < s.n && ok; i++) {
        uint64_t count = s.list[i].end - s.list[i].first;

        if (l->c.kind == DTX_LANE_CHUNKS) {
            ok = dtx_spans_add(&l->source, s.list[i].first, count);
            continue;
        }
        dtx_put_u64(work, s.list[i].first);
        dtx_put_u64(work, count);
    }
    dtx_spans_free(&s);
    return ok ? DTX_OK : DTX_ENOMEM;
}

int dtx_lane_lost(void *lane, uint32_t rank, struct dtx_buf *work)
{
    struct dtx_lane *l = lane;
    struct dtx_ledger_gone gone;

    if (l->c.kind == DTX_LANE_TREE)
        return DTX_ELOST;
    if (!l->ledger)
        return regain(l, rank, work);
    if (!dtx_ledger_lost(l->ledger, rank, work, &gone))
        return DTX_ELOST;
    l->r->done += gone.done;
    return DTX_OK;
}
