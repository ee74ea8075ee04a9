/* SPDX-License-Identifier: MIT */
/* Counts who still needs a segment; see passing.h.  It decides when one may go
 * and never touches it. */
#include "run/passing.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/output.h"

/* The segments of a rank from the first that is still there to the last that
 * was heard of: how many outputs of each are needed. */
struct rank {
    uint32_t *needed;
    size_t n, cap;
    uint32_t first;
    bool lost; /* out of memory: nothing is known */
};

struct place {
    uint32_t rank, segment;
};

struct dtx_passing {
    struct place *go;
    size_t ngo, cap_go;
    uint32_t nranks;
    struct rank rank[];
};

struct dtx_passing *dtx_passing_create(uint32_t nranks)
{
    struct dtx_passing *p =
        calloc(1, sizeof(*p) + (size_t)nranks * sizeof(p->rank[0]));

    if (p)
        p->nranks = nranks;
    return p;
}

void dtx_passing_destroy(struct dtx_passing *p)
{
    uint32_t i;

    if (!p)
        return;
    for (i = 0; i < p->nranks; i++)
        free(p->rank[i].needed);
    free(p->go);
    free(p);
}

/* One that finds no room stays until the session ends. */
static void let_go(struct dtx_passing *p, uint32_t rank, uint32_t segment)
{
    struct place *go =
        dtx_grow(p->go, &p->cap_go, p->ngo + 1, sizeof(*p->go));

    if (!go)
        return;
    p->go = go;
    p->go[p->ngo++] = (struct place){rank, segment};
}

/* Forget the first ones that nobody needs, but not the last. */
static void forget(struct rank *r)
{
    size_t k = 0;

    while (k + 1 < r->n && r->needed[k] == 0)
        k++;
    if (k == 0)
        return;
    memmove(r->needed, r->needed + k, (r->n - k) * sizeof(*r->needed));
    r->first += (uint32_t)k;
    r->n -= k;
}

/* Make 'segment' the last that was heard of. */
static bool go_on(struct dtx_passing *p, uint32_t rank, uint32_t segment)
{
    struct rank *r = &p->rank[rank];
    size_t n = (size_t)(segment - r->first) + 1, i;
    uint32_t *needed;

    if (n <= r->n)
        return true;
    needed = dtx_grow(r->needed, &r->cap, n, sizeof(*needed));
    if (!needed)
        return false;
    r->needed = needed;
    memset(r->needed + r->n, 0, (n - r->n) * sizeof(*needed));
    /* the one that was the last; those before it have gone when their count
     * fell to 0 */
    for (i = r->n > 0 ? r->n - 1 : 0; i + 1 < n; i++) {
        if (r->needed[i] == 0)
            let_go(p, rank, r->first + (uint32_t)i);
    }
    r->n = n;
    forget(r);
    return true;
}

bool dtx_passing_hold(struct dtx_passing *p, uint32_t rank, uint64_t out_off)
{
    uint32_t segment = dtx_output_segment(out_off);
    struct rank *r;

    if (rank >= p->nranks || p->rank[rank].lost ||
        segment < p->rank[rank].first)
        return false;
    r = &p->rank[rank];
    if (!go_on(p, rank, segment)) {
        r->lost = true;
        return false;
    }
    r->needed[segment - r->first]++;
    return true;
}

void dtx_passing_release(struct dtx_passing *p, uint32_t rank,
                         uint64_t out_off)
{
    uint32_t segment = dtx_output_segment(out_off);
    struct rank *r;
    size_t i;

    if (rank >= p->nranks || p->rank[rank].lost ||
        segment < p->rank[rank].first)
        return;
    r = &p->rank[rank];
    i = segment - r->first;
    if (i >= r->n || r->needed[i] == 0 || --r->needed[i] > 0 || i + 1 == r->n)
        return;
    let_go(p, rank, segment);
    forget(r);
}

bool dtx_passing_next(struct dtx_passing *p, uint32_t *rank, uint32_t *segment)
{
    if (p->ngo == 0)
        return false;
    p->ngo--;
    *rank = p->go[p->ngo].rank;
    *segment = p->go[p->ngo].segment;
    return true;
}

bool dtx_passing_any(const struct dtx_passing *p)
{
    return p->ngo > 0;
}
