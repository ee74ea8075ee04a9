/* SPDX-License-Identifier: MIT */
/* Who has what, by writing down what moves; see owners.h. */
#include "engine/owners.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static bool add(struct dtx_owners *o, const struct dtx_owner_move *what)
{
    struct dtx_owner_move *m = dtx_grow(o->list, &o->cap, o->n + 1,
                                        sizeof(*m));

    if (!m)
        return false;
    o->list = m;
    m[o->n++] = *what;
    return true;
}

bool dtx_owners_move(struct dtx_owners *o, uint32_t round, uint32_t from,
                     uint32_t to, uint64_t first, uint64_t count)
{
    struct dtx_owner_move mark = {DTX_OWNER_NONE, round, 0, 0};
    struct dtx_owner_move m = {from, to, (uint32_t)first, (uint32_t)count};
    struct dtx_owner_move *l = o->n ? &o->list[o->n - 1] : &mark;

    if (first > UINT32_MAX || count > UINT32_MAX - first)
        return false;
    if (round == o->round && l->count && l->from == from && l->to == to &&
        l->first + l->count == first) {
        l->count += (uint32_t)count;
        return true;
    }
    if (round != o->round && !add(o, &mark))
        return false;
    o->round = round;
    return count == 0 || add(o, &m);
}

bool dtx_owners_bank(struct dtx_owners *o, uint32_t round, uint32_t rank)
{
    struct dtx_owner_move m = {rank, round, 0, 0};

    return add(o, &m);
}

/* The last round of which the rank has handed in its part. */
static uint32_t banked(const struct dtx_owners *o, uint32_t rank)
{
    size_t i;

    for (i = o->n; i > 0; i--) {
        if (o->list[i - 1].from == rank && o->list[i - 1].count == 0)
            return o->list[i - 1].to;
    }
    return 0;
}

bool dtx_owners_of(const struct dtx_owners *o, uint32_t rank,
                   struct dtx_spans *spans)
{
    uint32_t round = banked(o, rank), now = 0;
    bool ok = true;
    size_t i;

    if (round > 0)
        dtx_spans_clear(spans);
    for (i = 0; i < o->n && ok; i++) {
        const struct dtx_owner_move *m = &o->list[i];

        if (m->count == 0 && m->from == DTX_OWNER_NONE)
            now = m->to;
        if (now < round || m->count == 0)
            continue;
        if (m->from == rank)
            ok = dtx_spans_cut(spans, m->first, m->count);
        if (m->to == rank)
            ok = ok && dtx_spans_add(spans, m->first, m->count);
    }
    return ok;
}

void dtx_owners_free(struct dtx_owners *o)
{
    free(o->list);
    memset(o, 0, sizeof(*o));
}
