/* SPDX-License-Identifier: MIT */
/* A loop is set up and taken down: who begins with which segments (as the
 * profile of an earlier sweep says, or evenly), or the schedule that cuts
 * chunks, or the journal that knows some results already. */
#include <stdlib.h>
#include <string.h>

#include "lib/diary.h"
#include "lib/learned.h"
#include "lib/loop.h"
#include "lib/results.h"

bool dtx_loop_deal(const struct dtx_region *g, uint32_t rank,
                   struct dtx_segment **seg, size_t *count)
{
    const struct dtx_net *n = &g->session->net;

    *seg = NULL;
    *count = 0;
    return dtx_profile_deal(g->prior, dtx_loop_of(g)->total, n->size, n->slots,
                            rank, seg, count);
}

static int deal(struct dtx_region *g, struct dtx_loop *l)
{
    struct dtx_segment *seg;
    size_t count, i;
    bool ok = dtx_loop_deal(g, g->session->net.rank, &seg, &count);

    for (i = 0; i < count && ok; i++)
        ok = dtx_loop_add(l, seg[i].first, seg[i].count, seg[i].ns);
    free(seg);
    return ok ? DTX_OK : DTX_ENOMEM;
}

static const struct dtx_schedule_choice *choice_of(const struct dtx_region *g)
{
    return g->work->schedule.schedule ? &g->work->schedule
                                      : &g->session->options.schedule;
}

static int plan(struct dtx_region *g, struct dtx_loop *l)
{
    const struct dtx_schedule_choice *c = choice_of(g);
    struct dtx_loop_case k = {.total = l->total,
                              .least = c->least / l->grain,
                              .nranks = g->session->net.size,
                              .slots = g->session->net.slots,
                              .weight = g->session->net.weight,
                              .overhead_ns = (double)c->overhead_ns,
                              .sigma_ns = (double)c->sigma_ns};

    l->whole = true;
    if (g->session->net.rank != 0)
        return DTX_OK;
    l->plan = dtx_loop_plan_create(c->schedule, &k);
    return l->plan ? DTX_OK : DTX_ENOMEM;
}

static int make_own(struct dtx_region *g, struct dtx_loop *l)
{
    unsigned i;

    for (i = 0; i < g->session->crew.n; i++) {
        struct dtx_loop_own *o = aligned_alloc(_Alignof(struct dtx_loop_own),
                                               sizeof(*o));

        if (!o)
            return DTX_ENOMEM;
        memset(o, 0, sizeof(*o));
        o->last = 1;
        g->call[i].own = o;
        if (!g->work->remembers)
            continue;
        o->profile = malloc(sizeof(*o->profile));
        if (!o->profile)
            return DTX_ENOMEM;
        dtx_profile_init(o->profile, l->total);
    }
    return DTX_OK;
}

/* Results of an earlier run: they need not be made again. */
static int know(void *region, uint64_t first, uint64_t count,
                struct dtx_str bytes)
{
    struct dtx_region *g = region;
    uint64_t total = g->end - g->begin;

    if (first > total || count > total - first ||
        !dtx_results_known(g->results, g->begin + first, count, bytes))
        return DTX_ECORRUPT;
    return dtx_spans_cut(&dtx_loop_of(g)->back, first, count) ? DTX_OK
                                                          : DTX_ENOMEM;
}

/* A loop with a journal is drawn from rank 0, but for what is in it. */
static int resume(struct dtx_region *g, struct dtx_loop *l)
{
    struct dtx_error err = {0};
    struct dtx_diary *d = g->work->diary;
    int rc;

    l->whole = true;
    if (!d)
        return DTX_OK;
    if (!dtx_spans_add(&l->back, 0, l->total))
        return DTX_ENOMEM;
    rc = dtx_diary_call(d, (struct dtx_str){g->text.data, g->text.len}, &err);
    if (rc == DTX_OK)
        rc = dtx_diary_replay(d, know, g, &err);
    if (rc < 0) { /* all ranks are to know */
        dtx_spans_clear(&l->back);
        dtx_region_trouble(g, &err);
    }
    return DTX_OK;
}

int dtx_loop_begin(struct dtx_region *g)
{
    struct dtx_loop *l = aligned_alloc(_Alignof(struct dtx_loop), sizeof(*l));
    const struct dtx_loop_schedule *s = choice_of(g)->schedule;
    uint64_t total = g->end - g->begin;
    int rc;

    if (!l)
        return DTX_ENOMEM;
    memset(l, 0, sizeof(*l));
    g->own = l;
    l->grain = dtx_range_grain(total);
    l->total = l->grain ? (uint32_t)(total / l->grain +
                                     (total % l->grain != 0))
                        : 0;
    rc = make_own(g, l);
    if (rc == DTX_OK)
        rc = dtx_learned_prior(g, l->total, &l->guessed);
    if (rc == DTX_OK && g->work->journaled)
        rc = resume(g, l);
    else if (rc == DTX_OK && total > 0)
        rc = s && !dtx_loop_schedule_is_own(s) ? plan(g, l) : deal(g, l);
    return rc;
}

void dtx_loop_end(struct dtx_region *g)
{
    struct dtx_loop *l = dtx_loop_of(g);
    unsigned i;

    for (i = 0; g->call && i < g->session->crew.n; i++) {
        struct dtx_loop_own *o = g->call[i].own;

        if (o)
            free(o->profile);
        free(o);
    }
    if (!l)
        return;
    dtx_loop_plan_destroy(l->plan);
    dtx_spans_free(&l->back);
    dtx_owners_free(&l->owners);
    free(l->seg);
    free(l);
}

struct dtx_profile *dtx_loop_profile(struct dtx_region *g)
{
    struct dtx_profile *p = malloc(sizeof(*p));
    unsigned i;

    if (!p)
        return NULL;
    dtx_profile_init(p, dtx_loop_of(g)->total);
    for (i = 0; i < g->session->crew.n; i++) {
        struct dtx_loop_own *o = g->call[i].own;

        dtx_profile_merge(p, o->profile);
        dtx_profile_init(o->profile, p->total);
    }
    return p;
}
