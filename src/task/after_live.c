/* SPDX-License-Identifier: MIT */
/* after= in a stream: resolved as it is read, so it may only name tasks that
 * came before; see after.h.  It keeps which tasks bear a name and which gates
 * it has made, and nothing of other tasks; whether tasks have ended is not its
 * business.
 *
 * What stands for many tasks becomes gates, each made once.  Those of ranges
 * are a tree: a gate of level k waits for FAN of level k-1, which stand for
 * FAN^k tasks in a row, so any range is a few dozen nodes, and all gates
 * together wait for little more than one node a task.  The gate of a name
 * waits for the name's gate before it and the tasks that have come since. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/after.h"
#include "task/show.h"
#include "task/task.h"

#define FAN DTX_LIVE_FAN
#define MOST_NODES (2 * (FAN - 1) * (DTX_LIVE_LEVELS + 1)) /* of one range */
#define FEW_NODES 4u /* no gate of its own for such a range */
#define KEEP_EDGES 65536u

/* The tasks that share one name: those since the last gate are a list through
 * 'member'. */
struct dtx_after_group {
    uint32_t first, last; /* DTX_NO_TASK: none */
    uint32_t gate;        /* of those before, or DTX_NO_TASK */
};

struct dtx_after_member {
    uint32_t task, next;
};

struct resolver {
    struct dtx_after_live *l;
    uint32_t task;
    const char *name;
    struct dtx_error *err;
    struct dtx_show shown;
};

void dtx_after_live_fini(struct dtx_after_live *l)
{
    size_t k;

    dtx_keymap_free(&l->group_of);
    free(l->group);
    free(l->member);
    for (k = 0; k < DTX_LIVE_LEVELS; k++)
        free(l->block[k].gate);
    free(l->edge);
    memset(l, 0, sizeof(*l));
}

void dtx_after_live_begin(struct dtx_after_live *l)
{
    l->nedges = 0;
    if (l->cap_edges > KEEP_EDGES) {
        free(l->edge);
        l->edge = NULL;
        l->cap_edges = 0;
    }
}

static int add_edge(struct dtx_after_live *l, uint32_t before, uint32_t after)
{
    struct dtx_edge *e =
        dtx_grow(l->edge, &l->cap_edges, l->nedges + 1, sizeof(*e));

    if (!e)
        return DTX_ENOMEM;
    l->edge = e;
    e[l->nedges++] = (struct dtx_edge){before, after};
    return DTX_OK;
}

static int new_gate(struct dtx_after_live *l, uint32_t *gate)
{
    if (l->ngates >= DTX_GATE - 1)
        return DTX_ENOMEM;
    *gate = DTX_GATE | l->ngates++;
    return DTX_OK;
}

/* A gate that waits for these. */
static int gate_of(struct dtx_after_live *l, const uint32_t *node, size_t n,
                   uint32_t *gate)
{
    int rc = new_gate(l, gate);
    size_t i;

    for (i = 0; i < n && !rc; i++)
        rc = add_edge(l, node[i], *gate);
    return rc;
}

/* ---- names ---- */

static struct dtx_after_group *find_group(struct dtx_after_live *l,
                                          const char *name)
{
    struct dtx_after_group *g =
        dtx_grow(l->group, &l->cap_groups, l->ngroups + 1, sizeof(*g));
    uint32_t at;
    bool made;

    if (!g)
        return NULL;
    l->group = g;
    if (!dtx_keymap_put(&l->group_of, dtx_hash128(name, strlen(name), 0),
                        (uint32_t)l->ngroups, &at, &made))
        return NULL;
    if (made)
        g[l->ngroups++] =
            (struct dtx_after_group){DTX_NO_TASK, DTX_NO_TASK, DTX_NO_TASK};
    return &g[at];
}

/* One that was used up, or a new one. */
static int take_member(struct dtx_after_live *l, uint32_t *at)
{
    struct dtx_after_member *m;

    if (l->spare > 0) {
        *at = l->spare - 1;
        l->spare = l->member[*at].next;
        return DTX_OK;
    }
    m = dtx_grow(l->member, &l->cap_members, l->nmembers + 1, sizeof(*m));
    if (!m)
        return DTX_ENOMEM;
    l->member = m;
    *at = (uint32_t)l->nmembers++;
    return DTX_OK;
}

int dtx_after_live_name(struct dtx_after_live *l, const char *name,
                        uint32_t task)
{
    struct dtx_after_group *g = find_group(l, name);
    uint32_t at;

    if (!g || take_member(l, &at))
        return DTX_ENOMEM;
    l->member[at] = (struct dtx_after_member){task, DTX_NO_TASK};
    if (g->first == DTX_NO_TASK)
        g->first = at;
    else
        l->member[g->last].next = at;
    g->last = at;
    return DTX_OK;
}

/* The tasks that have come since its last gate and that gate become one. */
static int close_group(struct dtx_after_live *l, struct dtx_after_group *g)
{
    uint32_t gate = DTX_NO_TASK, at;
    int rc = new_gate(l, &gate);

    if (!rc && g->gate != DTX_NO_TASK)
        rc = add_edge(l, g->gate, gate);
    while (!rc && g->first != DTX_NO_TASK) {
        at = g->first;
        rc = add_edge(l, l->member[at].task, gate);
        g->first = l->member[at].next;
        l->member[at].next = l->spare;
        l->spare = at + 1;
    }
    g->gate = gate;
    return rc;
}

static int wait_group(struct resolver *r, struct dtx_after_group *g)
{
    bool one = g->gate == DTX_NO_TASK && g->first == g->last;
    int rc = DTX_OK;

    if (one)
        return add_edge(r->l, r->l->member[g->first].task, r->task);
    if (g->first != DTX_NO_TASK)
        rc = close_group(r->l, g);
    return rc ? rc : add_edge(r->l, g->gate, r->task);
}

/* ---- ranges ---- */

/* Where the gate of block 'j' of this level is, plus one; or NULL. */
static uint32_t *block_at(struct dtx_after_live *l, uint32_t level, uint32_t j)
{
    struct dtx_after_blocks *b = &l->block[level - 1];
    uint32_t *p = dtx_grow(b->gate, &b->cap, (size_t)j + 1, sizeof(*p));

    if (!p)
        return NULL;
    b->gate = p;
    if (j >= b->n) {
        memset(p + b->n, 0, (j + 1 - b->n) * sizeof(*p));
        b->n = (size_t)j + 1;
    }
    return &p[j];
}

/* The node that stands for the tasks of block 'j' of this level. */
static int block_node(struct dtx_after_live *l, uint32_t level, uint32_t j,
                      uint32_t *node)
{
    uint32_t child[FAN], i, *made;
    int rc = DTX_OK;

    *node = j;
    if (level == 0)
        return DTX_OK;
    made = block_at(l, level, j);
    if (!made)
        return DTX_ENOMEM;
    if (*made > 0) {
        *node = *made - 1;
        return DTX_OK;
    }
    for (i = 0; i < FAN && !rc; i++)
        rc = block_node(l, level - 1, j * FAN + i, &child[i]);
    if (!rc)
        rc = gate_of(l, child, FAN, node);
    if (!rc)
        *made = *node + 1; /* the levels below have other arrays */
    return rc;
}

/* The largest blocks that make up the tasks from lo to hi. */
static int range_nodes(struct dtx_after_live *l, uint32_t lo, uint32_t hi,
                       uint32_t *node, size_t *n)
{
    uint64_t at = lo, end = (uint64_t)hi + 1;
    int rc = DTX_OK;

    for (*n = 0; at < end && !rc; ++*n) {
        uint64_t size = 1;
        uint32_t level = 0;

        while (level < DTX_LIVE_LEVELS && at % (size * FAN) == 0 &&
               at + size * FAN <= end) {
            size *= FAN;
            level++;
        }
        rc = block_node(l, level, (uint32_t)(at / size), &node[*n]);
        at += size;
    }
    return rc;
}

/* Tasks number lo to hi, all earlier ones. Often the next task waits for the
 * same range, so the last one's gate is kept. */
static int wait_range(struct dtx_after_live *l, uint32_t task, uint32_t lo,
                      uint32_t hi)
{
    uint32_t node[MOST_NODES];
    size_t n, i;
    int rc;

    if (l->range_gate != 0 && l->range_lo == lo && l->range_hi == hi)
        return add_edge(l, l->range_gate, task);
    rc = range_nodes(l, lo, hi, node, &n);
    if (!rc && n > FEW_NODES) {
        rc = gate_of(l, node, n, &l->range_gate);
        l->range_lo = lo;
        l->range_hi = hi;
        node[0] = l->range_gate;
        n = 1;
    }
    for (i = 0; i < n && !rc; i++)
        rc = add_edge(l, node[i], task);
    return rc;
}

int dtx_after_live_range(struct dtx_after_live *l, uint32_t task, uint32_t lo,
                         uint32_t hi)
{
    return wait_range(l, task, lo, hi);
}

/* ---- the text of after= ---- */

static int nomem(const struct resolver *r)
{
    return dtx_error_set(r->err, DTX_ENOMEM, "out of memory");
}

static int wait_numbers(struct resolver *r, uint64_t lo, uint64_t hi)
{
    if (lo < 1 || hi < 1)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: numbers count tasks from 1",
                             r->shown.text);
    if (lo > hi)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: a range goes from low to high: %llu-"
                             "%llu",
                             r->shown.text, (unsigned long long)hi,
                             (unsigned long long)lo);
    if (hi > r->task)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: this is task %llu, and in a stream a "
                             "task can only wait for earlier ones; put the "
                             "tasks into a file",
                             r->shown.text,
                             (unsigned long long)dtx_task_id(r->task));
    return wait_range(r->l, r->task, (uint32_t)lo - 1, (uint32_t)hi - 1)
               ? nomem(r)
               : DTX_OK;
}

static int wait_name(struct resolver *r, const char *s, size_t len)
{
    uint32_t at;

    if (r->name && strlen(r->name) == len && memcmp(r->name, s, len) == 0)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: task %llu waits for itself",
                             r->shown.text,
                             (unsigned long long)dtx_task_id(r->task));
    if (!dtx_keymap_get(&r->l->group_of, dtx_hash128(s, len, 0), &at))
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: no earlier task has this name; in a "
                             "stream '#DTX name=...' must come before",
                             r->shown.text);
    return wait_group(r, &r->l->group[at]) ? nomem(r) : DTX_OK;
}

static int wait_element(struct resolver *r, const char *s, const char *end)
{
    uint64_t lo, hi;

    while (s < end && (*s == ' ' || *s == '\t'))
        s++;
    while (s < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    (void)dtx_show_text(&r->shown, s, (size_t)(end - s));
    if (s == end)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=: a task is missing beside a comma; write "
                             "after=1,3-5,NAME");
    if (dtx_after_scan(s, end, &lo, &hi))
        return wait_numbers(r, lo, hi);
    return wait_name(r, s, (size_t)(end - s));
}

int dtx_after_live_now(struct dtx_after_live *l, uint32_t task,
                       const char *name, const char *value, size_t len,
                       struct dtx_error *err)
{
    struct resolver r = {.l = l, .task = task, .name = name, .err = err};
    const char *s = value, *end = value + len;

    for (;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        int rc = wait_element(&r, s, comma ? comma : end);

        if (rc || !comma)
            return rc;
        s = comma + 1;
    }
}

/* More than one node becomes a gate first, which the next one finds. */
int dtx_after_live_again(struct dtx_after_live *l, uint32_t task)
{
    size_t end = l->nedges, first = end, i;
    uint32_t gate = DTX_NO_TASK;
    int rc;

    while (first > 0 && l->edge[first - 1].after == task - 1)
        first--;
    if (end - first <= 1)
        return first == end ? DTX_OK : add_edge(l, l->edge[first].before, task);
    rc = new_gate(l, &gate);
    for (i = first; i < end && !rc; i++)
        rc = add_edge(l, l->edge[i].before, gate);
    return rc ? rc : add_edge(l, gate, task);
}
