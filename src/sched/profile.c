/* SPDX-License-Identifier: MIT */
/* Costs of parts of a loop, and dealing by them; see profile.h.  It decides who
 * begins with what, never what happens later. */
#include "sched/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* A run of neighbouring buckets whose grains cost about the same. */
struct run {
    uint32_t first, count;
    uint64_t unit; /* ns of a grain */
};

struct deal {
    uint32_t nranks, me;
    const uint32_t *slots;
    uint32_t last; /* of the ranks that have slots */
    uint64_t *load; /* ns given to each rank so far */
    struct dtx_segment *seg;
    size_t nseg, cap;
    bool failed;
};

void dtx_profile_init(struct dtx_profile *p, uint32_t total)
{
    memset(p, 0, sizeof(*p));
    p->total = total;
    p->buckets = total < DTX_PROFILE_BUCKETS ? total : DTX_PROFILE_BUCKETS;
}

/* The first grain of bucket b. */
static uint32_t start_of(const struct dtx_profile *p, uint32_t b)
{
    return (uint32_t)((uint64_t)p->total * b / p->buckets);
}

static uint32_t bucket_of(const struct dtx_profile *p, uint32_t grain)
{
    uint32_t b = (uint32_t)((uint64_t)grain * p->buckets / p->total);

    while (b + 1 < p->buckets && start_of(p, b + 1) <= grain)
        b++;
    return b;
}

void dtx_profile_add(struct dtx_profile *p, uint32_t first, uint32_t count,
                     uint64_t ns)
{
    uint32_t b, left = count;

    if (count == 0)
        return;
    b = bucket_of(p, first);
    while (left > 0) {
        uint32_t end = start_of(p, b + 1);
        uint32_t n = end - first < left ? end - first : left;
        uint64_t part = left == n ? ns : ns / left * n;

        p->ns[b++] += part;
        ns -= part;
        first += n;
        left -= n;
    }
}

void dtx_profile_merge(struct dtx_profile *p, const struct dtx_profile *q)
{
    uint32_t b;

    for (b = 0; b < p->buckets; b++)
        p->ns[b] += q->ns[b];
}

void dtx_profile_encode(struct dtx_buf *b, const struct dtx_profile *p)
{
    uint32_t i;

    for (i = 0; i < p->buckets; i++)
        dtx_put_u64(b, p->ns[i]);
}

bool dtx_profile_decode(struct dtx_profile *p, struct dtx_str bytes)
{
    struct dtx_cursor c = dtx_cursor_over(bytes.data, bytes.len);
    uint32_t i;

    for (i = 0; i < p->buckets; i++)
        p->ns[i] += dtx_get_u64(&c);
    return dtx_cursor_done(&c);
}

uint64_t dtx_profile_sum(const struct dtx_profile *p)
{
    uint64_t sum = 0;
    uint32_t b;

    for (b = 0; b < p->buckets; b++)
        sum += p->ns[b];
    return sum;
}

/* v * num / den; 'num' and 'den' below 2^32. */
static uint64_t part_of(uint64_t v, uint64_t num, uint64_t den)
{
    return v / den * num + v % den * num / den;
}

/* What lies before 'grain' and rem / den of it; 'ns' are the buckets' costs,
 * 'before' their sums. */
static uint64_t cost_before(const struct dtx_profile *p, const uint64_t *ns,
                            const uint64_t *before, uint32_t grain,
                            uint32_t rem, uint32_t den)
{
    uint32_t b, width;

    if (grain >= p->total)
        return before[p->buckets];
    b = bucket_of(p, grain);
    width = start_of(p, b + 1) - start_of(p, b);
    return before[b] + part_of(ns[b], grain - start_of(p, b), width) +
           part_of(ns[b] / width, rem, den);
}

/* Parts of the mean take the place of what is not believed. */
static void flatten(struct dtx_profile *p, uint32_t believed)
{
    uint64_t each = dtx_profile_sum(p) / p->total;
    uint32_t b;

    for (b = 0; b < p->buckets; b++) {
        uint64_t width = start_of(p, b + 1) - start_of(p, b);

        p->ns[b] = part_of(p->ns[b], believed, 256) +
                   part_of(each * width, 256 - believed, 256);
    }
}

void dtx_profile_stretch(const struct dtx_profile *p, uint32_t total,
                         uint32_t believed, struct dtx_profile *out)
{
    uint64_t ns[DTX_PROFILE_BUCKETS], before[DTX_PROFILE_BUCKETS + 1] = {0};
    bool longer = total > p->total; /* then finer, else rounding is felt */
    uint64_t last = 0;
    uint32_t b;

    dtx_profile_init(out, total);
    if (p->total == 0 || total == 0)
        return;
    for (b = 0; b < p->buckets; b++) {
        ns[b] = longer ? part_of(p->ns[b], total, p->total) : p->ns[b];
        before[b + 1] = before[b] + ns[b];
    }
    for (b = 0; b < out->buckets; b++) {
        uint64_t end = (uint64_t)start_of(out, b + 1) * p->total;
        uint64_t at = cost_before(p, ns, before, (uint32_t)(end / total),
                                  (uint32_t)(end % total), total);

        out->ns[b] = longer ? at - last
                            : part_of(at - last, total, p->total);
        last = at;
    }
    if (believed < 256)
        flatten(out, believed);
}

static uint32_t highest_bit(uint64_t v)
{
    uint32_t n = 0;

    while (v >>= 1)
        n++;
    return n;
}

/* Runs of buckets of one class, a class being a power of two of the cost of a
 * grain. */
static size_t find_runs(const struct dtx_profile *p, struct run *run)
{
    size_t n = 0;
    uint32_t b, class = UINT32_MAX;

    for (b = 0; b < p->buckets; b++) {
        uint32_t first = start_of(p, b), count = start_of(p, b + 1) - first;
        uint64_t unit = p->ns[b] / count;

        if (highest_bit(unit) != class) {
            class = highest_bit(unit);
            run[n++] = (struct run){first, 0, 0};
        }
        run[n - 1].count += count;
        run[n - 1].unit += p->ns[b]; /* the sum, for now */
    }
    for (b = 0; b < n; b++)
        run[b].unit /= run[b].count;
    return n;
}

static int dearest_first(const void *x, const void *y)
{
    const struct run *a = x, *b = y;

    if (a->unit != b->unit)
        return a->unit > b->unit ? -1 : 1;
    return a->first < b->first ? -1 : 1;
}

static void keep(struct deal *d, uint32_t first, uint32_t count, uint64_t unit)
{
    struct dtx_segment *s, *last = d->nseg ? &d->seg[d->nseg - 1] : NULL;

    if (last && last->first + last->count == first &&
        highest_bit(last->ns / last->count) == highest_bit(unit)) {
        last->count += count;
        last->ns += unit * count;
        return;
    }
    s = dtx_grow(d->seg, &d->cap, d->nseg + 1, sizeof(*s));
    if (!s) {
        d->failed = true;
        return;
    }
    d->seg = s;
    s[d->nseg++] = (struct dtx_segment){first, count, unit * count};
}

static void give(struct deal *d, uint32_t to, uint32_t first, uint32_t count,
                 uint64_t unit)
{
    d->load[to] += unit * count;
    if (to == d->me && count > 0)
        keep(d, first, count, unit);
}

/* Nothing is known: a contiguous piece for each rank, by its slots. */
static void give_evenly(struct deal *d, uint32_t count, uint64_t all)
{
    uint64_t before = 0;
    uint32_t r;

    for (r = 0; r < d->nranks; r++) {
        uint64_t after = before + d->slots[r];
        uint32_t from = (uint32_t)(count * before / all);
        uint32_t to = (uint32_t)(count * after / all);

        give(d, r, from, to - from, 0);
        before = after;
    }
}

/* How much of a run a rank lacks to have its part of all that is dealt so far,
 * the run included. */
static uint64_t lacks(const struct deal *d, uint32_t r, uint64_t each)
{
    uint64_t part = each * d->slots[r];

    return part > d->load[r] ? part - d->load[r] : 0;
}

/* The one behind 'r' that has slots; not for the last. */
static uint32_t next_alive(const struct deal *d, uint32_t r)
{
    for (r++; d->slots[r] == 0; r++)
        ;
    return r;
}

/* A contiguous piece for each rank, cut where the cost says. */
static void give_pieces(struct deal *d, const struct dtx_profile *p,
                        const struct run *run, uint64_t slots)
{
    uint64_t sum = run->unit * run->count, want;
    uint32_t r, b = bucket_of(p, run->first), at = run->first;
    uint32_t end = run->first + run->count;

    for (r = 0; r < d->nranks; r++)
        sum += d->load[r];
    sum = sum / slots + 1;
    r = 0;
    want = lacks(d, r, sum);
    while (at < end) {
        uint32_t stop = start_of(p, b + 1), n = stop - at;
        uint64_t unit = p->ns[b] / (stop - start_of(p, b));

        if (r < d->last && unit * n > want) {
            n = (uint32_t)(want / unit);
            give(d, r, at, n, unit);
            r = next_alive(d, r);
            want = lacks(d, r, sum);
        } else {
            give(d, r, at, n, unit);
            want -= unit * n < want ? unit * n : want;
        }
        at += n;
        b += at == stop;
    }
}

/* The rank with the least to do for each of its slots. */
static uint32_t least_loaded(const struct deal *d)
{
    uint32_t r, best = 0;

    for (r = 1; r < d->nranks; r++) {
        if (d->slots[r] > 0 &&
            d->load[r] / d->slots[r] < d->load[best] / d->slots[best])
            best = r;
    }
    return best;
}

static void deal_run(struct deal *d, const struct dtx_profile *p,
                     const struct run *run, uint64_t slots)
{
    uint32_t i;

    if (run->count >= 4 * slots) {
        give_pieces(d, p, run, slots);
        return;
    }
    for (i = 0; i < run->count; i++)
        give(d, least_loaded(d), run->first + i, 1, run->unit);
}

static void deal_profile(struct deal *d, const struct dtx_profile *p,
                         uint64_t slots)
{
    struct run *run = calloc(p->buckets, sizeof(*run));
    size_t n, i;

    if (!run) {
        d->failed = true;
        return;
    }
    n = find_runs(p, run);
    qsort(run, n, sizeof(*run), dearest_first);
    for (i = 0; i < n; i++)
        deal_run(d, p, &run[i], slots);
    free(run);
}

bool dtx_profile_deal(const struct dtx_profile *p, uint32_t total,
                      uint32_t nranks, const uint32_t *slots, uint32_t me,
                      struct dtx_segment **out, size_t *count)
{
    struct deal d = {.nranks = nranks, .me = me, .slots = slots};
    uint64_t all = 0;
    uint32_t r;

    for (r = 0; r < nranks; r++) {
        all += slots[r];
        if (slots[r] > 0)
            d.last = r;
    }
    d.load = calloc(nranks, sizeof(*d.load));
    if (!d.load)
        return false;
    if (p && p->total == total && total > 0)
        deal_profile(&d, p, all);
    else
        give_evenly(&d, total, all);
    free(d.load);
    if (d.failed) {
        free(d.seg);
        return false;
    }
    *out = d.seg;
    *count = d.nseg;
    return true;
}
