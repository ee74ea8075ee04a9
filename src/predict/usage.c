/* SPDX-License-Identifier: MIT */
/* Sums over what attempts used, class by class; see usage.h. */
#include "predict/usage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "task/outcome.h"

#define TOLD 5u   /* classes */
#define QUANTILE 0.9

void dtx_usages_free(struct dtx_usages *u)
{
    free(u->of);
    memset(u, 0, sizeof(*u));
}

static bool make_room(struct dtx_usages *u)
{
    if (!u->of)
        u->of = calloc(DTX_USAGE_CLASSES, sizeof(*u->of));
    return u->of != NULL;
}

const struct dtx_usage *dtx_usages_find(const struct dtx_usages *u,
                                        uint64_t class_key)
{
    uint32_t i;

    for (i = 0; i < u->n; i++) {
        if (u->of[i].key == class_key)
            return &u->of[i];
    }
    return NULL;
}

/* The place of a class; NULL: there is none left. */
static struct dtx_usage *place_of(struct dtx_usages *u, uint64_t key,
                                  const char text[DTX_FEATURE_TEMPLATE])
{
    const struct dtx_usage *known = dtx_usages_find(u, key);
    struct dtx_usage *c;

    if (known)
        return &u->of[known - u->of];
    if (u->n == DTX_USAGE_CLASSES)
        return NULL;
    c = &u->of[u->n++];
    c->key = key;
    memcpy(c->text, text, DTX_FEATURE_TEMPLATE);
    return c;
}

static void add_counters(struct dtx_usage *c, const struct dtx_outcome *o,
                         double wall_s, double slot_s)
{
    const struct dtx_counters *k = &o->counters;
    uint64_t done, v;

    if (dtx_counters_get(k, DTX_COUNTED_IOWAIT_NS, &v)) {
        c->io_s += (double)v / 1e9;
        c->io_wall_s += wall_s;
    }
    if (dtx_counters_get(k, DTX_COUNTED_INSTRUCTIONS, &done)) {
        if (dtx_counters_get(k, DTX_COUNTED_CYCLES, &v)) {
            c->cycles += (double)v;
            c->cycles_done += (double)done;
        }
        if (dtx_counters_get(k, DTX_COUNTED_MISSES, &v)) {
            c->misses += (double)v;
            c->misses_done += (double)done;
        }
    }
    if (dtx_counters_get(k, DTX_COUNTED_MISSES, &v))
        dtx_sketch_add(&c->bandwidth,
                       log((v > 0 ? (double)v : 1) * DTX_USAGE_LINE / slot_s),
                       1);
}

/* What tasks ask for decides how many of them run at once, so the least. */
static void add_asked(struct dtx_usage *c, bool first, uint32_t cpus,
                      uint64_t asked)
{
    if (first || asked < c->asked)
        c->asked = asked;
    if (first || cpus < c->cpus)
        c->cpus = cpus;
}

static bool is_measured(const struct dtx_outcome *o)
{
    return o->status == DTX_STATUS_OK && o->source == DTX_SOURCE_RUSAGE &&
           o->wall_ns > 0;
}

static double slots_of(const struct dtx_outcome *o, uint32_t cpus)
{
    return (double)o->wall_ns / 1e9 * (cpus > 0 ? cpus : 1);
}

void dtx_usage_add(struct dtx_usage *c, const struct dtx_outcome *o,
                   uint32_t cpus, uint64_t asked)
{
    double wall_s = (double)o->wall_ns / 1e9, slot_s = slots_of(o, cpus);

    if (!is_measured(o))
        return;
    add_asked(c, c->n == 0, cpus, asked);
    c->n++;
    c->wall_s += wall_s;
    c->slot_s += slot_s;
    c->cpu_s += (double)(o->utime_ns + o->stime_ns) / 1e9;
    c->waited += (double)o->nvcsw;
    c->preempted += (double)o->nivcsw;
    if (o->maxrss_kib > 0 && (uint64_t)o->maxrss_kib > c->peak_kib)
        c->peak_kib = (uint64_t)o->maxrss_kib;
    add_counters(c, o, wall_s, slot_s);
}

bool dtx_usages_add(struct dtx_usages *u, const struct dtx_features *f,
                    const struct dtx_outcome *o, uint32_t cpus,
                    uint64_t asked)
{
    struct dtx_usage *c;

    if (!is_measured(o))
        return true;
    if (!make_room(u))
        return false;
    u->slot_s += slots_of(o, cpus);
    c = place_of(u, f->class_key, f->text);
    if (c)
        dtx_usage_add(c, o, cpus, asked);
    else
        u->beyond++;
    return true;
}

/* ---- what they say ---- */

static bool ratio(double part, double whole, double *value)
{
    if (whole > 0)
        *value = part / whole;
    return whole > 0;
}

bool dtx_usage_get(const struct dtx_usage *c, enum dtx_usage_trait what,
                   double *value)
{
    switch (what) {
    case DTX_USAGE_CPU:
        return ratio(c->cpu_s, c->slot_s, value);
    case DTX_USAGE_IO:
        return ratio(c->io_s, c->io_wall_s, value);
    case DTX_USAGE_IPC:
        return ratio(c->cycles_done, c->cycles, value);
    case DTX_USAGE_MISSES:
        return ratio(c->misses, c->misses_done, value);
    case DTX_USAGE_BYTES:
        if (c->bandwidth.n > 0)
            *value = exp(dtx_sketch_quantile(&c->bandwidth, QUANTILE));
        return c->bandwidth.n > 0;
    case DTX_USAGE_PEAK:
        if (c->peak_kib > 0)
            *value = (double)c->peak_kib * 1024;
        return c->peak_kib > 0;
    }
    return false;
}

static bool matters(const struct dtx_usages *u, const struct dtx_usage *c)
{
    return c->n >= DTX_USAGE_LEAST &&
           c->wall_s >= DTX_USAGE_MEAN_S * (double)c->n &&
           c->slot_s >= DTX_USAGE_PART * u->slot_s;
}

bool dtx_usage_waits(const struct dtx_usages *u, const struct dtx_usage *c)
{
    double share;
    bool kept = 2 * c->preempted > c->waited &&
                c->cpu_s > DTX_USAGE_CPU_S * (double)c->n;

    return matters(u, c) && !kept &&
           dtx_usage_get(c, DTX_USAGE_CPU, &share) && share < DTX_USAGE_WAITS;
}

bool dtx_usage_bound(const struct dtx_usages *u, const struct dtx_usage *c)
{
    double bytes, ipc;

    return matters(u, c) && dtx_usage_get(c, DTX_USAGE_BYTES, &bytes) &&
           bytes >= DTX_USAGE_MEMORY_BPS &&
           dtx_usage_get(c, DTX_USAGE_IPC, &ipc) && ipc < DTX_USAGE_MEMORY_IPC;
}

bool dtx_usage_fills(const struct dtx_usage *c,
                     const struct dtx_usage_node *node, uint64_t *at_once)
{
    uint64_t peak = c->peak_kib * 1024;

    *at_once = node->slots / (c->cpus > 0 ? c->cpus : 1);
    if (c->asked > 0 && node->bytes / c->asked < *at_once)
        *at_once = node->bytes / c->asked;
    if (*at_once == 0)
        *at_once = 1;
    if (*at_once > 1 && c->asked >= peak)
        return false;
    return node->bytes > 0 && (double)peak * (double)*at_once >=
                                  DTX_USAGE_FULL * (double)node->bytes;
}

static void put_size(struct dtx_buf *b, uint64_t bytes)
{
    char text[32];

    dtx_buf_str(b, dtx_format_size(text, sizeof(text), (int64_t)bytes));
}

/* A tenth more than it held, as --mem reads it. */
static void put_remedy(struct dtx_buf *b, uint64_t peak)
{
    const uint64_t mib = UINT64_C(1) << 20;
    uint64_t want = (peak + peak / 10 + mib - 1) / mib;
    bool large = want >= 10240;

    dtx_buf_printf(b, ": --mem %llu%c, or mem= before the tasks, starts no "
                   "more than there is room for\n",
                   (unsigned long long)(large ? (want + 1023) / 1024 : want),
                   large ? 'G' : 'M');
}

static void tell_fills(const struct dtx_usage *c,
                       const struct dtx_usage_node *node, uint64_t at_once,
                       struct dtx_buf *b)
{
    uint64_t peak = c->peak_kib * 1024;

    dtx_buf_printf(b, "usage      class \"%s\" held up to ", c->text);
    put_size(b, peak);
    if (at_once == 1) {
        dtx_buf_str(b, " of a node's ");
        put_size(b, node->bytes);
        dtx_buf_str(b, ": larger ones need nodes with more memory\n");
        return;
    }
    if (c->asked > 0) {
        dtx_buf_str(b, " and asked for ");
        put_size(b, c->asked);
    }
    dtx_buf_printf(b, "; %llu at once, as a node may run, fill its ",
                   (unsigned long long)at_once);
    put_size(b, node->bytes);
    put_remedy(b, peak);
}

static void tell_waits(const struct dtx_usage *c, struct dtx_buf *b)
{
    bool one = c->slot_s < 1.5 * c->wall_s;
    double v = 0;

    (void)dtx_usage_get(c, DTX_USAGE_CPU, &v);
    dtx_buf_printf(b, "usage      class \"%s\" uses %.0f %% of its %s: it "
                   "waits", c->text, 100 * v, one ? "core" : "cores");
    if (dtx_usage_get(c, DTX_USAGE_IO, &v) && v >= 0.01)
        dtx_buf_printf(b, " (I/O %.0f %%)", 100 * (v < 1 ? v : 1));
    dtx_buf_printf(b, "; %s\n", one ? "more slots than cores may help (-j)"
                                    : "fewer cpus for each may do (cpus=)");
}

static void tell_bound(const struct dtx_usage *c, struct dtx_buf *b)
{
    double bytes = 0, ipc = 0, misses = 0;

    (void)dtx_usage_get(c, DTX_USAGE_BYTES, &bytes);
    (void)dtx_usage_get(c, DTX_USAGE_IPC, &ipc);
    dtx_buf_printf(b, "usage      class \"%s\" is bound by memory: %.1f GB/s "
                   "a core, %.2f instructions per cycle", c->text, bytes / 1e9,
                   ipc);
    if (dtx_usage_get(c, DTX_USAGE_MISSES, &misses))
        dtx_buf_printf(b, ", %.1f misses per 1000", 1000 * misses);
    dtx_buf_char(b, '\n');
}

void dtx_usages_tell(const struct dtx_usages *u,
                     const struct dtx_usage_node *node, struct dtx_buf *b)
{
    uint32_t i, told = 0;
    uint64_t at_once;

    for (i = 0; i < u->n && told < TOLD; i++) {
        if (!dtx_usage_fills(&u->of[i], node, &at_once))
            continue;
        tell_fills(&u->of[i], node, at_once, b);
        told++;
    }
    told = 0;
    for (i = 0; i < u->n && told < TOLD; i++) {
        const struct dtx_usage *c = &u->of[i];

        if (dtx_usage_waits(u, c))
            tell_waits(c, b);
        else if (dtx_usage_bound(u, c))
            tell_bound(c, b);
        else
            continue;
        told++;
    }
}
