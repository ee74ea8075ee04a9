/* SPDX-License-Identifier: MIT */
/* Cores and memory that classes used; see history_usage.h. */
#include "cli/history_usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/history.h"
#include "task/outcome.h"
#include "wire/experience.h"

/* The place of a class, made when it is not there; NULL: out of memory. */
static struct dtx_usage *place_of(struct dtx_history_usage *u,
                                  uint64_t class_key)
{
    struct dtx_usage *p =
        dtx_grow(u->of, &u->cap, u->n + 1, sizeof(*p));
    struct dtx_key k = {class_key, 1};
    uint32_t at;

    if (!p)
        return NULL;
    u->of = p;
    at = (uint32_t)u->n;
    if (!dtx_keymap_put(&u->map, k, at, &at, NULL))
        return NULL;
    if (at == u->n)
        memset(&p[u->n++], 0, sizeof(*p));
    return &p[at];
}

/* What was kept of an outcome, as one again. */
static struct dtx_outcome outcome_of(const struct dtx_exp_outcome *row)
{
    static const enum dtx_counted kept[] = {
        DTX_COUNTED_INSTRUCTIONS, DTX_COUNTED_CYCLES, DTX_COUNTED_MISSES,
        DTX_COUNTED_IOWAIT_NS};
    const double value[] = {(double)row->instructions, (double)row->cycles,
                            (double)row->misses,
                            1e9 * (double)row->iowait_seconds};
    struct dtx_outcome o;
    size_t i;

    memset(&o, 0, sizeof(o));
    o.status = row->status;
    o.source = row->cpu_seconds >= 0 ? DTX_SOURCE_RUSAGE : DTX_SOURCE_JOBLOG;
    o.wall_ns = (int64_t)(1e9 * (double)row->seconds);
    o.utime_ns = (int64_t)(1e9 * (double)row->cpu_seconds);
    o.maxrss_kib = row->rss_kib;
    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (row->counted >> kept[i] & 1 && value[i] >= 0 && value[i] < 1e19)
            dtx_counters_set(&o.counters, kept[i], (uint64_t)value[i]);
    return o;
}

static bool is_sane(const struct dtx_exp_outcome *row)
{
    return row->seconds > 0 && row->seconds < 1e9f && row->cpu_seconds < 1e9f;
}

static int add_file(void *ctx, const struct dtx_history_file *f,
                    const struct dtx_experience *e, struct dtx_error *err)
{
    struct dtx_history_usage *u = ctx;
    size_t i;

    (void)f;
    for (i = 0; i < e->noutcomes; i++) {
        struct dtx_outcome o;
        struct dtx_usage *p;

        if (e->outcome[i].status != DTX_STATUS_OK || !is_sane(&e->outcome[i]))
            continue;
        p = place_of(u, e->outcome[i].class_key);
        if (!p)
            return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
        o = outcome_of(&e->outcome[i]);
        dtx_usage_add(p, &o, 1, 0);
    }
    return DTX_OK;
}

/* Warnings were given when the models were read. */
int dtx_history_usage_read(struct dtx_history_usage *u, const char *dir,
                           struct dtx_error *err)
{
    return dtx_history_read(dir, DTX_HISTORY_OUTCOMES, add_file, u, NULL, NULL,
                            err);
}

const struct dtx_usage *dtx_history_usage_of(const struct dtx_history_usage *u,
                                             uint64_t class_key)
{
    uint32_t at;

    return dtx_keymap_get(&u->map, (struct dtx_key){class_key, 1}, &at)
               ? &u->of[at]
               : NULL;
}

void dtx_history_usage_free(struct dtx_history_usage *u)
{
    dtx_keymap_free(&u->map);
    free(u->of);
    memset(u, 0, sizeof(*u));
}
