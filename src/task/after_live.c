/* SPDX-License-Identifier: MIT */
/* after= in a stream: resolved as it is read, so it may only name tasks that
 * came before; see after.h.  It keeps which tasks bear a name, and nothing of
 * the others; whether those tasks have ended is not its business. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/after.h"
#include "task/show.h"
#include "task/task.h"

/* The tasks that share one name: a list through 'member'. */
struct dtx_after_group {
    uint32_t first, last;
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
    dtx_keymap_free(&l->group_of);
    free(l->group);
    free(l->member);
    free(l->edge);
    memset(l, 0, sizeof(*l));
}

static int put_group(struct dtx_after_live *l, const char *name,
                     uint32_t member)
{
    struct dtx_after_group *g =
        dtx_grow(l->group, &l->cap_groups, l->ngroups + 1, sizeof(*g));
    uint32_t at;
    bool made;

    if (!g)
        return DTX_ENOMEM;
    l->group = g;
    if (!dtx_keymap_put(&l->group_of, dtx_hash128(name, strlen(name), 0),
                        (uint32_t)l->ngroups, &at, &made))
        return DTX_ENOMEM;
    if (made)
        g[l->ngroups++].first = member;
    else
        l->member[g[at].last].next = member;
    g[at].last = member;
    return DTX_OK;
}

int dtx_after_live_name(struct dtx_after_live *l, const char *name,
                        uint32_t task)
{
    struct dtx_after_member *m =
        dtx_grow(l->member, &l->cap_members, l->nmembers + 1, sizeof(*m));
    int rc;

    if (!m)
        return DTX_ENOMEM;
    l->member = m;
    m[l->nmembers] = (struct dtx_after_member){task, DTX_NO_TASK};
    rc = put_group(l, name, (uint32_t)l->nmembers);
    if (!rc)
        l->nmembers++;
    return rc;
}

static int add_edge(struct resolver *r, uint32_t before)
{
    struct dtx_after_live *l = r->l;
    struct dtx_edge *e;

    if (l->nedges >= DTX_MAX_WAITS)
        return dtx_error_set(r->err, DTX_ELIMIT,
                             "after=%s: a task of a stream can wait for %u "
                             "others; put the tasks into a file",
                             r->shown.text, DTX_MAX_WAITS);
    e = dtx_grow(l->edge, &l->cap_edges, l->nedges + 1, sizeof(*e));
    if (!e)
        return dtx_error_set(r->err, DTX_ENOMEM, "out of memory");
    l->edge = e;
    e[l->nedges++] = (struct dtx_edge){before, r->task};
    return DTX_OK;
}

static int wait_numbers(struct resolver *r, uint64_t lo, uint64_t hi)
{
    int rc = DTX_OK;

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
    for (; lo <= hi && !rc; lo++)
        rc = add_edge(r, (uint32_t)(lo - 1));
    return rc;
}

static int wait_name(struct resolver *r, const char *s, size_t len)
{
    const struct dtx_after_live *l = r->l;
    uint32_t at, i;
    int rc = DTX_OK;

    if (r->name && strlen(r->name) == len && memcmp(r->name, s, len) == 0)
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: task %llu waits for itself",
                             r->shown.text,
                             (unsigned long long)dtx_task_id(r->task));
    if (!dtx_keymap_get(&l->group_of, dtx_hash128(s, len, 0), &at))
        return dtx_error_set(r->err, DTX_EPARSE,
                             "after=%s: no earlier task has this name; in a "
                             "stream '#DTX name=...' must come before",
                             r->shown.text);
    for (i = l->group[at].first; i != DTX_NO_TASK && !rc; i = l->member[i].next)
        rc = add_edge(r, l->member[i].task);
    return rc;
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

int dtx_after_live_range(struct dtx_after_live *l, uint32_t task, uint32_t lo,
                         uint32_t hi, struct dtx_error *err)
{
    struct resolver r = {.l = l, .task = task, .err = err};
    int rc = DTX_OK;

    (void)dtx_show_text(&r.shown, "lines", 5);
    for (; lo <= hi && !rc; lo++)
        rc = add_edge(&r, lo);
    return rc;
}
