/* SPDX-License-Identifier: MIT */
/* Who takes longer than the others, in words; see slow.h.  It decides nothing:
 * what ranks are given is the engine's business. */
#include "run/slow.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "sched/speed.h"

#define EVERY_NS (2 * DTX_SEC_NS)
#define WORTH 1.1  /* times as long as others that are worth a word */
#define LEAST 10.0 /* outcomes that such a word rests on */

/* A node, or a rank. */
struct place {
    uint32_t rank; /* its first */
    uint32_t ranks;
    uint64_t stood_back;
    struct dtx_speed speed;
    struct dtx_speed_claim claim;
};

static uint32_t place_of(struct dtx_keymap *map, const char *host,
                         uint32_t fresh, bool *ok)
{
    uint32_t found = fresh;

    *ok = *ok && dtx_keymap_put(map, dtx_hash128(host, strlen(host), 0), fresh,
                                &found, NULL);
    return found;
}

/* All nodes, or when there is one, its ranks. Returns how many; 0 also when out
 * of memory. '*nodes' tells which. */
static uint32_t gather(const struct dtx_slow *s, struct place *p, bool *nodes)
{
    struct dtx_keymap map = {0};
    struct dtx_rank_stats k;
    uint32_t n = 0, r, i;
    bool ok = true;

    for (*nodes = true; ok; *nodes = false) {
        memset(p, 0, s->nranks * sizeof(*p));
        for (n = 0, r = 0; ok && r < s->nranks; r++) {
            dtx_master_rank_stats(s->master, r, &k);
            if (!k.came)
                continue;
            i = *nodes ? place_of(&map, k.host, n, &ok) : n;
            if (i == n) {
                n++;
                p[i].rank = r;
            }
            p[i].ranks++;
            p[i].stood_back += k.stood_back;
            dtx_speed_add(&p[i].speed, &k.speed);
        }
        if (n > 1 || !*nodes)
            break;
    }
    dtx_keymap_free(&map);
    return ok ? n : 0;
}

static int by_times(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->claim.times < y->claim.times || x->claim.times > y->claim.times)
        return x->claim.times < y->claim.times ? 1 : -1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The slowest, in order; the caller frees '*out'. */
static uint32_t find(const struct dtx_slow *s, struct place **out, bool *nodes)
{
    const struct dtx_speeds *all = dtx_master_speeds(s->master);
    struct place *p = calloc((size_t)s->nranks + 1, sizeof(*p));
    uint32_t n = p ? gather(s, p, nodes) : 0, found = 0, i;

    for (i = 0; i < n; i++) {
        struct dtx_speed_claim c;

        if (p[i].speed.n < LEAST ||
            !dtx_speed_claim(all, &p[i].speed, p[i].ranks, &c) ||
            c.times < WORTH)
            continue;
        p[found] = p[i];
        p[found++].claim = c;
    }
    if (found > 0)
        qsort(p, found, sizeof(*p), by_times);
    *out = p;
    return found < DTX_SLOW_NAMED ? found : DTX_SLOW_NAMED;
}

static void put_words(const struct dtx_slow *s, const struct place *p,
                      bool nodes, struct dtx_buf *b)
{
    const struct dtx_speed_claim *c = &p->claim;
    struct dtx_rank_stats k;

    dtx_master_rank_stats(s->master, p->rank, &k);
    if (nodes)
        dtx_buf_printf(b, "node %s", k.host[0] ? k.host : "?");
    else
        dtx_buf_printf(b, "rank %u", (unsigned)p->rank);
    dtx_buf_printf(b, " takes %.1f times as long as the others for what is "
                   "predicted alike (%.1f to %.1f, by its last %.0f tasks)",
                   c->times, c->low, c->high, c->n);
}

static bool was_told(const struct dtx_slow *s, uint32_t rank)
{
    uint32_t i;

    for (i = 0; i < s->told; i++) {
        if (s->whom[i] == rank)
            return true;
    }
    return s->told == DTX_SLOW_NAMED;
}

void dtx_slow_tick(struct dtx_slow *s, int64_t now_ns)
{
    struct place *p;
    uint32_t n, i;
    bool nodes;

    if (now_ns < s->due_ns || s->nranks < 2)
        return;
    s->due_ns = now_ns + EVERY_NS;
    n = find(s, &p, &nodes);
    for (i = 0; i < n; i++) {
        struct dtx_buf b = DTX_BUF_INIT;

        if (was_told(s, p[i].rank))
            continue;
        s->whom[s->told++] = p[i].rank;
        put_words(s, &p[i], nodes, &b);
        if (!b.failed)
            dtx_log(DTX_LOG_WARN, "%s%s", b.data,
                    s->heeded ? "; it is given that much less" : "");
        dtx_buf_free(&b);
    }
    free(p);
}

void dtx_slow_tell(const struct dtx_slow *s, struct dtx_buf *b)
{
    struct place *p;
    uint32_t n, i;
    bool nodes;

    if (s->nranks < 2)
        return;
    n = find(s, &p, &nodes);
    for (i = 0; i < n; i++) {
        dtx_buf_str(b, "slow       ");
        put_words(s, &p[i], nodes, b);
        if (!s->heeded)
            dtx_buf_str(b, "; that was not heeded (--equal-speeds)");
        else
            dtx_buf_printf(b, "; it was given that much less, and stood back "
                           "%llu times",
                           (unsigned long long)p[i].stood_back);
        dtx_buf_char(b, '\n');
    }
    free(p);
}
