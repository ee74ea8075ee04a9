/* SPDX-License-Identifier: MIT */
/* From the text of after= to edges and gates; see after.h.  Each element is a
 * number, a range or a name, and this file decides which tasks it stands for
 * and whether a gate is due.  It never sees the rest of the file, and never
 * guesses: an element that names no task is an error. */
#include "task/after.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "task/graph.h"
#include "task/show.h"
#include "task/task.h"

/* The tasks that share one name: a list through 'member'. */
struct group {
    uint32_t first, last, count;
    uint32_t gate; /* DTX_NO_TASK until somebody waits for it */
};

struct member {
    uint32_t task, next;
};

struct resolver {
    const struct dtx_tasklist *list;
    struct dtx_graph *graph;
    struct dtx_error *err;
    uint32_t *group_at; /* half a name's offset -> its group plus one */
    struct group *group;
    size_t ngroups, cap_groups;
    struct member *member;
    size_t nmembers, cap_members;
    struct dtx_keymap range_of;      /* hash of a range -> its gate */
    const struct dtx_after_ref *ref; /* at work on */
    struct dtx_show shown;           /* the element at work on */
};

void dtx_after_fini(struct dtx_after *a)
{
    free(a->ref);
    free(a->barrier);
    memset(a, 0, sizeof(*a));
}

static int add_ref(struct dtx_after *a, const struct dtx_after_ref *ref)
{
    struct dtx_after_ref *p =
        dtx_grow(a->ref, &a->cap_refs, a->nrefs + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    a->ref = p;
    p[a->nrefs++] = *ref;
    return DTX_OK;
}

int dtx_after_add(struct dtx_after *a, uint32_t task, uint32_t line,
                  const char *value, size_t len)
{
    const struct dtx_after_ref ref = {
        .value = value, .len = (uint32_t)len, .task = task, .line = line};

    return len > UINT32_MAX ? DTX_ELIMIT : add_ref(a, &ref);
}

int dtx_after_add_range(struct dtx_after *a, uint32_t task, uint32_t line,
                        uint32_t lo, uint32_t hi)
{
    const struct dtx_after_ref ref = {
        .task = task, .line = line, .lo = lo, .hi = hi};

    return add_ref(a, &ref);
}

size_t dtx_after_count(const struct dtx_after *a, uint32_t task)
{
    size_t n = 0;

    while (n < a->nrefs && a->ref[a->nrefs - 1 - n].task == task)
        n++;
    return n;
}

int dtx_after_again(struct dtx_after *a, size_t n, uint32_t task)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct dtx_after_ref ref = a->ref[a->nrefs - n];

        ref.task = task;
        if (add_ref(a, &ref))
            return DTX_ENOMEM;
    }
    return DTX_OK;
}

int dtx_after_barrier(struct dtx_after *a, uint32_t task, uint32_t line,
                      bool check)
{
    struct dtx_barrier *p = dtx_grow(a->barrier, &a->cap_barriers,
                                     a->nbarriers + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    a->barrier = p;
    p[a->nbarriers++] = (struct dtx_barrier){task, line, check};
    return DTX_OK;
}

static int fail_memory(const struct resolver *r)
{
    return dtx_error_set(r->err, DTX_ENOMEM, "out of memory");
}

static int fail_self(const struct resolver *r)
{
    return dtx_error_set(r->err, DTX_EPARSE,
                         "after=%s: task %llu waits for itself", r->shown.text,
                         (unsigned long long)dtx_task_id(r->ref->task));
}

static int fail_edges(const struct resolver *r)
{
    return dtx_error_set(r->err, DTX_ELIMIT,
                         "after=%s: more than %u dependencies in all; give "
                         "tasks that are waited for together one name=, or "
                         "use the same range each time",
                         r->shown.text, DTX_MAX_EDGES);
}

static int put_member(struct resolver *r, struct group *g, uint32_t task)
{
    struct member *p =
        dtx_grow(r->member, &r->cap_members, r->nmembers + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    r->member = p;
    p[r->nmembers] = (struct member){task, DTX_NO_TASK};
    if (g->count++ == 0)
        g->first = (uint32_t)r->nmembers;
    else
        p[g->last].next = (uint32_t)r->nmembers;
    g->last = (uint32_t)r->nmembers++;
    return DTX_OK;
}

/* No name is empty, so with its NUL it has two bytes at least, and half its
 * offset tells it from all others; '*index' is the group plus one, 0 when no
 * task has that name. */
static int put_name(struct resolver *r, uint32_t task, uint32_t *index)
{
    struct group *p =
        dtx_grow(r->group, &r->cap_groups, r->ngroups + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    r->group = p;
    if (*index == 0) {
        p[r->ngroups++] = (struct group){0, 0, 0, DTX_NO_TASK};
        *index = (uint32_t)r->ngroups;
    }
    return put_member(r, &p[*index - 1], task);
}

static int group_names(struct resolver *r)
{
    const struct dtx_tasklist *l = r->list;
    uint32_t i;

    r->group_at = calloc(l->pool.len / 2 + 1, sizeof(*r->group_at));
    if (!r->group_at)
        return fail_memory(r);
    for (i = 0; i < l->ntasks; i++) {
        uint32_t name = l->task[i].name;

        if (name != DTX_NO_TEXT && put_name(r, i, &r->group_at[name / 2]))
            return fail_memory(r);
    }
    return DTX_OK;
}

static int add_edge(struct resolver *r, uint32_t before, uint32_t after)
{
    int rc = dtx_graph_edge(r->graph, before, after);

    if (rc == DTX_ELIMIT)
        return fail_edges(r);
    return rc ? fail_memory(r) : DTX_OK;
}

/* A gate that will have 'count' predecessors. */
static int add_gate(struct resolver *r, uint32_t count, uint32_t *gate)
{
    if (count > DTX_MAX_EDGES - r->graph->nedges)
        return fail_edges(r);
    return dtx_graph_gate(r->graph, gate) ? fail_edges(r) : DTX_OK;
}

/* Numbers from 0, lo < hi. */
static int wait_range(struct resolver *r, uint32_t lo, uint32_t hi)
{
    const uint32_t range[2] = {lo, hi};
    struct dtx_key key = dtx_hash128(range, sizeof(range), 0);
    uint32_t gate, i;

    if (lo <= r->ref->task && r->ref->task <= hi)
        return fail_self(r);
    if (!dtx_keymap_get(&r->range_of, key, &gate)) {
        int rc = add_gate(r, hi - lo + 1, &gate);

        for (i = lo; i <= hi && !rc; i++)
            rc = add_edge(r, i, gate);
        if (rc)
            return rc;
        if (!dtx_keymap_put(&r->range_of, key, gate, NULL, NULL))
            return fail_memory(r);
    }
    return add_edge(r, gate, r->ref->task);
}

static int wait_task(struct resolver *r, uint32_t task)
{
    if (task == r->ref->task)
        return fail_self(r);
    return add_edge(r, task, r->ref->task);
}

static int wait_name(struct resolver *r, const char *s, size_t len)
{
    struct group *g;
    uint32_t name, i;
    int rc;

    if (!dtx_keymap_get(&r->list->interned, dtx_hash128(s, len, 0), &name) ||
        r->group_at[name / 2] == 0)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: no task has this name; give one a "
                             "line '#DTX name=...'",
                             r->shown.text);
    if (r->list->task[r->ref->task].name == name)
        return fail_self(r);
    g = &r->group[r->group_at[name / 2] - 1];
    if (g->count == 1)
        return wait_task(r, r->member[g->first].task);
    if (g->gate == DTX_NO_TASK) {
        rc = add_gate(r, g->count, &g->gate);
        for (i = g->first; i != DTX_NO_TASK && !rc; i = r->member[i].next)
            rc = add_edge(r, r->member[i].task, g->gate);
        if (rc)
            return rc;
    }
    return add_edge(r, g->gate, r->ref->task);
}

/* Digits at '*s', kept below 2^63; false when there are none. */
static bool scan_number(const char **s, const char *end, uint64_t *out)
{
    const char *p = *s;
    uint64_t v = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (v < UINT64_MAX / 20)
            v = v * 10 + (uint64_t)(*p - '0');
    }
    if (p == *s)
        return false;
    *s = p;
    *out = v;
    return true;
}

bool dtx_after_scan(const char *s, const char *end, uint64_t *lo, uint64_t *hi)
{
    if (!scan_number(&s, end, lo))
        return false;
    *hi = *lo;
    if (s == end)
        return true;
    if (*s != '-')
        return false;
    s++;
    return scan_number(&s, end, hi) && s == end;
}

static int wait_numbers(struct resolver *r, uint64_t lo, uint64_t hi)
{
    size_t n = r->list->ntasks;

    if (lo < 1 || hi < 1 || lo > n || hi > n)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: must be within 1 to %zu: there %s %zu "
                             "task%s, and numbers count tasks, not lines",
                             r->shown.text, n, n == 1 ? "is" : "are", n,
                             n == 1 ? "" : "s");
    if (lo > hi)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: a range goes from low to high: %llu-"
                             "%llu",
                             r->shown.text, (unsigned long long)hi,
                             (unsigned long long)lo);
    if (lo == hi)
        return wait_task(r, (uint32_t)(lo - 1));
    return wait_range(r, (uint32_t)(lo - 1), (uint32_t)(hi - 1));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int resolve_element(struct resolver *r, const char *s, const char *end)
{
    uint64_t lo, hi;

    while (s < end && is_blank(*s))
        s++;
    while (s < end && is_blank(end[-1]))
        end--;
    if (s == end) {
        (void)dtx_show_text(&r->shown, r->ref->value, r->ref->len);
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: a task is missing beside a comma; "
                             "write after=1,3-5,NAME",
                             r->shown.text);
    }
    (void)dtx_show_text(&r->shown, s, (size_t)(end - s));
    if (dtx_after_scan(s, end, &lo, &hi))
        return wait_numbers(r, lo, hi);
    return wait_name(r, s, (size_t)(end - s));
}

static int resolve_ref(struct resolver *r)
{
    const char *s = r->ref->value, *end;

    if (!s) {
        (void)dtx_show_text(&r->shown, "lines", 5);
        return r->ref->lo == r->ref->hi
                   ? wait_task(r, r->ref->lo)
                   : wait_range(r, r->ref->lo, r->ref->hi);
    }
    end = s + r->ref->len;
    for (;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        int rc = resolve_element(r, s, comma ? comma : end);

        if (rc || !comma)
            return rc;
        s = comma + 1;
    }
}

/* ---- barriers ---- */

/* An edge from each of tasks lo to hi - 1 to the node, or back. */
static int tie(struct resolver *r, uint32_t lo, uint32_t hi, uint32_t node,
               bool back)
{
    int rc = DTX_OK;

    for (; lo < hi && !rc; lo++)
        rc = back ? add_edge(r, node, lo) : add_edge(r, lo, node);
    return rc;
}

/* The gates of those with CHECK first, since barriers come last. */
static int number_barriers(const struct dtx_after *a, struct resolver *r,
                           uint32_t *node)
{
    size_t i;
    int rc = DTX_OK;

    for (i = 0; i < a->nbarriers && !rc; i++) {
        if (a->barrier[i].check)
            rc = dtx_graph_gate(r->graph, &node[i]);
    }
    for (i = 0; i < a->nbarriers && !rc; i++) {
        if (!a->barrier[i].check)
            rc = dtx_graph_barrier(r->graph, &node[i]);
    }
    return rc ? fail_edges(r) : DTX_OK;
}

/* Barrier 'i' waits for the tasks since the one before (one with CHECK: since
 * the last of its kind) and for that one; the tasks up to the next wait for it,
 * and for the last with CHECK, whose failure ends all that follows. */
static int add_barrier(const struct dtx_after *a, struct resolver *r, size_t i,
                       const uint32_t *node, size_t *checked)
{
    const struct dtx_barrier *b = &a->barrier[i];
    uint32_t end = i + 1 < a->nbarriers ? a->barrier[i + 1].task
                                        : (uint32_t)r->list->ntasks;
    size_t since = b->check ? *checked : i;
    int rc = tie(r, since ? a->barrier[since - 1].task : 0, b->task, node[i],
                 false);

    if (!rc && i > 0)
        rc = add_edge(r, node[i - 1], node[i]);
    if (!rc && *checked > 0 && *checked < i)
        rc = add_edge(r, node[*checked - 1], node[i]);
    if (b->check)
        *checked = i + 1;
    if (!rc)
        rc = tie(r, b->task, end, node[i], true);
    if (!rc && !b->check && *checked > 0)
        rc = tie(r, b->task, end, node[*checked - 1], true);
    return rc;
}

static int add_barriers(const struct dtx_after *a, struct resolver *r,
                        uint32_t *line)
{
    uint32_t *node;
    size_t i, checked = 0;
    int rc;

    if (a->nbarriers == 0)
        return DTX_OK;
    (void)dtx_show_text(&r->shown, "BARRIER", 7);
    node = malloc(a->nbarriers * sizeof(*node));
    if (!node)
        return fail_memory(r);
    rc = number_barriers(a, r, node);
    for (i = 0; i < a->nbarriers && !rc; i++) {
        rc = add_barrier(a, r, i, node, &checked);
        if (rc)
            *line = a->barrier[i].line;
    }
    free(node);
    return rc;
}

/* The line of the after= of a task that has one. */
static uint32_t line_of(const struct dtx_after *a, uint32_t task)
{
    size_t lo = 0, hi = a->nrefs;

    while (lo + 1 < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (a->ref[mid].task <= task)
            lo = mid;
        else
            hi = mid;
    }
    return a->ref[lo].line;
}

static int seal(const struct dtx_after *a, struct resolver *r, uint32_t *line)
{
    uint32_t cycle = 0, next = 0;
    int rc = dtx_graph_seal(r->graph, &cycle, &next);

    if (rc == DTX_EINVAL) {
        *line = line_of(a, next);
        return dtx_error_set(r->err, DTX_EPARSE,
                             "task %llu waits for task %llu, which waits for "
                             "it (possibly through others)",
                             (unsigned long long)dtx_task_id(next),
                             (unsigned long long)dtx_task_id(cycle));
    }
    return rc ? fail_memory(r) : DTX_OK;
}

int dtx_after_resolve(const struct dtx_after *a,
                      const struct dtx_tasklist *list, struct dtx_graph *graph,
                      uint32_t *line, struct dtx_error *err)
{
    struct resolver r = {.list = list, .graph = graph, .err = err};
    size_t i;
    int rc = DTX_OK;

    dtx_graph_init(graph, (uint32_t)list->ntasks);
    if (a->nrefs > 0)
        rc = group_names(&r);
    for (i = 0; i < a->nrefs && !rc; i++) {
        r.ref = &a->ref[i];
        rc = resolve_ref(&r);
        if (rc)
            *line = r.ref->line;
    }
    if (!rc)
        rc = add_barriers(a, &r, line);
    if (!rc)
        rc = seal(a, &r, line);
    free(r.group_at);
    free(r.group);
    free(r.member);
    dtx_keymap_free(&r.range_of);
    return rc;
}
