/* SPDX-License-Identifier: MIT */
/* What others use, from the cards to words; see neighbours.h. */
#include "run/neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "node/others.h"
#include "run/place.h"

#define EVERY_NS (2 * DTX_SEC_NS)
#define WORTH 0.1    /* share of the processors that is worth a word, */
#define LOST_S 1.0   /* when it has cost so many seconds of each, */
#define LATELY 0.2   /* and, while the job runs, is so much now, */
#define SURE_S 5.0   /* and has cost so many */

/* ---- measuring ---- */

static bool share_pus(const struct dtx_card *a, const struct dtx_card *b)
{
    size_t i;

    for (i = 0; i < sizeof(a->pus); i++) {
        if (a->pus[i] & b->pus[i])
            return true;
    }
    return false;
}

struct dtx_others *dtx_neighbours_watch(const struct dtx_card *cards,
                                        uint32_t n, uint32_t me,
                                        const struct dtx_cores *cores,
                                        const struct dtx_share *share)
{
    struct dtx_others_config c = {
        .root = "", .pus = cores->pus, .npus = cores->npus};
    struct dtx_others *o;
    int32_t *pid;
    uint32_t r;

    if (!cores->real)
        return NULL;
    pid = malloc(n * sizeof(*pid));
    if (!pid)
        return NULL;
    for (r = 0; r < n; r++) {
        if (r == me || (dtx_card_same_node(&cards[r], &cards[me]) &&
                        share_pus(&cards[r], &cards[me])))
            pid[c.npids++] = cards[r].bell.pid;
    }
    c.pid = pid;
    c.slots = share->nslots * c.npids; /* these are alike but for one */
    o = dtx_others_create(&c);
    free(pid);
    if (o && !dtx_others_watch(o)) {
        dtx_others_destroy(o);
        o = NULL;
    }
    return o;
}

/* ---- telling ---- */

struct place {
    uint32_t rank; /* its first */
    uint32_t ranks;
    double now, mean, most; /* sums, but for the last */
};

/* The nodes; the caller frees '*out'. Returns how many, 0 also when out of
 * memory. */
static uint32_t gather(const struct dtx_neighbours *s, struct place **out)
{
    struct place *p = calloc((size_t)s->nranks + 1, sizeof(*p));
    struct dtx_keymap map = {0};
    struct dtx_rank_stats k;
    uint32_t n = 0, r, i;
    bool good = p != NULL;

    for (r = 0; good && r < s->nranks; r++) {
        dtx_master_rank_stats(s->master, r, &k);
        if (!k.came)
            continue;
        i = n;
        good = dtx_keymap_put(&map, dtx_hash128(k.host, strlen(k.host), 0), n,
                              &i, NULL);
        if (!good)
            break;
        if (i == n)
            p[n++].rank = r;
        p[i].ranks++;
        p[i].now += k.others;
        p[i].mean += k.others_mean;
        if (k.others_most > p[i].most)
            p[i].most = k.others_most;
    }
    dtx_keymap_free(&map);
    *out = p;
    return good ? n : 0;
}

static int by_mean(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->mean < y->mean || x->mean > y->mean)
        return x->mean < y->mean ? 1 : -1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Those that lose most, in order. */
static uint32_t find(const struct dtx_neighbours *s, int64_t now_ns,
                     bool lately, struct place **out)
{
    double seconds = s->begin_ns ? (double)(now_ns - s->begin_ns) / 1e9 : 0;
    uint32_t n = gather(s, out), found = 0, i;
    struct place *p = *out;

    for (i = 0; i < n; i++) {
        struct place q = p[i];

        q.now /= q.ranks;
        q.mean /= q.ranks;
        if (lately ? q.now >= LATELY && q.mean * seconds >= SURE_S
                   : q.mean >= WORTH && q.mean * seconds >= LOST_S)
            p[found++] = q;
    }
    if (found > 0)
        qsort(p, found, sizeof(*p), by_mean);
    return found < DTX_NEIGHBOURS_NAMED ? found : DTX_NEIGHBOURS_NAMED;
}

static const char *host_of(const struct dtx_neighbours *s,
                           const struct place *p, struct dtx_rank_stats *k)
{
    dtx_master_rank_stats(s->master, p->rank, k);
    return k->host[0] ? k->host : "?";
}

static bool was_told(const struct dtx_neighbours *s, uint32_t rank)
{
    uint32_t i;

    for (i = 0; i < s->told; i++) {
        if (s->whom[i] == rank)
            return true;
    }
    return s->told == DTX_NEIGHBOURS_NAMED;
}

void dtx_neighbours_tick(struct dtx_neighbours *s, int64_t now_ns)
{
    struct dtx_rank_stats k;
    struct place *p;
    uint32_t n, i;

    if (s->begin_ns == 0)
        s->begin_ns = now_ns;
    if (now_ns < s->due_ns)
        return;
    s->due_ns = now_ns + EVERY_NS;
    n = find(s, now_ns, true, &p);
    for (i = 0; i < n; i++) {
        if (was_told(s, p[i].rank))
            continue;
        s->whom[s->told++] = p[i].rank;
        dtx_log(DTX_LOG_WARN,
                "node %s: others use %.0f %% of the processors that its tasks "
                "could use%s",
                host_of(s, &p[i], &k), 100 * p[i].now,
                s->heeded && s->nranks > p[i].ranks
                    ? "; it is given that much less"
                    : "");
    }
    free(p);
}

void dtx_neighbours_tell(const struct dtx_neighbours *s, int64_t now_ns,
                         struct dtx_buf *b)
{
    struct dtx_rank_stats k;
    struct place *p;
    uint32_t n = find(s, now_ns, false, &p), i;

    for (i = 0; i < n; i++) {
        dtx_buf_printf(b, "others     node %s: others used %.0f %% of the "
                       "processors that its tasks could use (at most %.0f %%)",
                       host_of(s, &p[i], &k), 100 * p[i].mean,
                       100 * p[i].most);
        if (!s->heeded)
            dtx_buf_str(b, "; that was not heeded (--equal-speeds)");
        else if (s->nranks > p[i].ranks)
            dtx_buf_str(b, "; it was given that much less");
        dtx_buf_char(b, '\n');
    }
    free(p);
}
