/* SPDX-License-Identifier: MIT */
/* Work: a kernel, and what is asked for beside running it (reductions, results,
 * a journal, a schedule). */
#include "lib/api.h"

#include <stdlib.h>
#include <string.h>

#include "engine/ledger.h"
#include "lib/diary.h"
#include "predict/foresee.h"
#include "sched/recall.h"
#include "task/counters.h"

int dtx_api_init_work(struct dtx_work *w, const char *kernel)
{
    memset(w, 0, sizeof(*w));
    if (!dtx_api_session)
        return dtx_api_outside("dtx_work");
    w->session = dtx_api_session;
    w->kernel = kernel ? dtx_api_kernel(dtx_api_session, kernel) : NULL;
    if (!w->kernel)
        return dtx_api_fail(DTX_ENOENT, "no kernel called '%s' is registered",
                            kernel ? kernel : "");
    return DTX_OK;
}

struct dtx_work *dtx_work_create(const char *kernel)
{
    struct dtx_work *w = malloc(sizeof(*w));

    if (!w) {
        (void)dtx_api_fail(DTX_ENOMEM, "out of memory");
        return NULL;
    }
    if (dtx_api_init_work(w, kernel) < 0) {
        free(w);
        return NULL;
    }
    w->recall = dtx_recall_create();
    if (!w->recall) {
        (void)dtx_api_fail(DTX_ENOMEM, "out of memory");
        free(w);
        return NULL;
    }
    w->remembers = true;
    w->next = w->session->works;
    w->at = &w->session->works;
    if (w->next)
        w->next->at = &w->next;
    w->session->works = w;
    return w;
}

void dtx_work_destroy(struct dtx_work *w)
{
    unsigned k;

    if (!w)
        return;
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    for (k = 0; k < w->nred; k++)
        free(w->red[k].identity);
    dtx_ledger_destroy(w->ledger);
    dtx_foresee_destroy(w->foresight);
    dtx_diary_close(w->diary);
    dtx_recall_destroy(w->recall);
    free(w);
}

static size_t width_of(enum dtx_type type)
{
    switch (type) {
    case DTX_I64:
    case DTX_U64:
        return sizeof(uint64_t);
    case DTX_F64:
        return sizeof(double);
    }
    return 0;
}

static int add_reduction(struct dtx_work *w, const struct dtx_reduction *r)
{
    if (w->nred == DTX_MAX_REDUCTIONS)
        return dtx_api_fail(DTX_ELIMIT, "at most %u reductions",
                            DTX_MAX_REDUCTIONS);
    if (r->bytes == 0 || r->bytes > DTX_MAX_VALUE - w->value_bytes)
        return dtx_api_fail(DTX_ELIMIT,
                            "what is reduced has 1 to %u bytes in all",
                            DTX_MAX_VALUE);
    w->red[w->nred] = *r;
    w->red[w->nred].offset = w->value_bytes;
    w->nred++;
    w->value_bytes += (r->bytes + 15) / 16 * 16;
    return DTX_OK;
}

int dtx_work_reduce(struct dtx_work *w, enum dtx_type type, enum dtx_op op,
                    void *value, size_t count)
{
    struct dtx_reduction r = {.type = type, .op = op, .value = value};

    if (!w || !value || width_of(type) == 0 ||
        (op != DTX_SUM && op != DTX_MIN && op != DTX_MAX))
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_reduce: no such type or operator, or "
                            "no value");
    if (count > DTX_MAX_VALUE)
        count = DTX_MAX_VALUE; /* and is refused */
    r.bytes = count * width_of(type);
    return add_reduction(w, &r);
}

int dtx_work_reduce_by(struct dtx_work *w, dtx_combine_f combine,
                       const void *identity, void *value, size_t bytes)
{
    struct dtx_reduction r = {
        .combine = combine, .value = value, .bytes = bytes};
    int rc;

    if (!w || !combine || !identity || !value)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_reduce_by: an argument is NULL");
    if (bytes > DTX_MAX_VALUE)
        return dtx_api_fail(DTX_ELIMIT,
                            "what is reduced has 1 to %u bytes in all",
                            DTX_MAX_VALUE);
    r.identity = malloc(bytes + 1);
    if (!r.identity)
        return dtx_api_fail(DTX_ENOMEM, "out of memory");
    memcpy(r.identity, identity, bytes);
    rc = add_reduction(w, &r);
    if (rc < 0)
        free(r.identity);
    return rc;
}

static int want_results(struct dtx_work *w, size_t bytes, const char *who)
{
    if (!w)
        return dtx_api_fail(DTX_EINVAL, "%s: no work", who);
    if (w->kernel->kind == DTX_KERNEL_TREE)
        return dtx_api_fail(
            DTX_EINVAL, "%s: nodes of a tree have no place for results", who);
    if (bytes == 0 || bytes > DTX_MAX_RESULT)
        return dtx_api_fail(DTX_ELIMIT,
                            "%s: a result has 1 to %u "
                            "bytes",
                            who, DTX_MAX_RESULT);
    w->result_bytes = bytes;
    w->gather = false;
    w->deliver = NULL;
    return DTX_OK;
}

int dtx_work_gather(struct dtx_work *w, void *results, size_t bytes)
{
    int rc;

    if (w && w->session->net.rank == 0 && !results)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_gather: rank 0 needs a place for the "
                            "results");
    rc = want_results(w, bytes, "dtx_work_gather");
    if (rc < 0)
        return rc;
    w->gather = true;
    w->results = results;
    return DTX_OK;
}

int dtx_work_deliver(struct dtx_work *w, dtx_deliver_f deliver, void *ctx,
                     size_t bytes, int ordered)
{
    int rc;

    if (!deliver)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_deliver: the function is NULL");
    rc = want_results(w, bytes, "dtx_work_deliver");
    if (rc < 0)
        return rc;
    w->deliver = deliver;
    w->deliver_ctx = ctx;
    w->ordered = ordered != 0;
    return DTX_OK;
}

int dtx_work_journal(struct dtx_work *w, const char *path)
{
    int rc;

    if (!w || w->diary || w->kernel->kind == DTX_KERNEL_TREE)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_journal: %s",
                            !w          ? "no work"
                            : w->diary ? "there is a journal already"
                                       : "trees have none");
    if (w->session->net.rank == 0 && (!path || !*path))
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_journal: rank 0 needs the file's name");
    w->journaled = true;
    if (w->session->net.rank != 0)
        return DTX_OK;
    rc = dtx_diary_open(path, &w->diary, &w->unkept);
    if (rc < 0)
        dtx_api_error = w->unkept;
    return rc;
}

int dtx_work_schedule(struct dtx_work *w, const char *schedule)
{
    struct dtx_schedule_choice none = {NULL, 0, 0, 0};

    if (!w)
        return dtx_api_fail(DTX_EINVAL, "dtx_work_schedule: no work");
    if (!schedule) {
        w->schedule = none;
        return DTX_OK;
    }
    return dtx_schedule_parse(schedule, &w->schedule, &dtx_api_error);
}

int dtx_work_stats(const struct dtx_work *w, struct dtx_stats *out)
{
    if (!w || !out)
        return dtx_api_fail(DTX_EINVAL, "dtx_work_stats: NULL");
    *out = w->stats;
    return DTX_OK;
}

_Static_assert(DTX_HAS_INSTRUCTIONS == 1 << DTX_COUNTED_INSTRUCTIONS &&
                   DTX_HAS_CYCLES == 1 << DTX_COUNTED_CYCLES &&
                   DTX_HAS_MISSES == 1 << DTX_COUNTED_MISSES &&
                   DTX_HAS_CLOCK == 1 << DTX_COUNTED_CLOCK_NS,
               "the program's bits are ours");

int dtx_work_counters(const struct dtx_work *w, struct dtx_counter_stats *out)
{
    const struct dtx_counters *c;

    if (!w || !out)
        return dtx_api_fail(DTX_EINVAL, "dtx_work_counters: NULL");
    memset(out, 0, sizeof(*out));
    c = &w->counters;
    out->provider = dtx_counter_name(c->provider);
    out->measured = c->counted & (DTX_HAS_INSTRUCTIONS | DTX_HAS_CYCLES |
                                  DTX_HAS_MISSES | DTX_HAS_CLOCK);
    (void)dtx_counters_get(c, DTX_COUNTED_INSTRUCTIONS, &out->instructions);
    (void)dtx_counters_get(c, DTX_COUNTED_CYCLES, &out->cycles);
    (void)dtx_counters_get(c, DTX_COUNTED_MISSES, &out->misses);
    (void)dtx_counters_get(c, DTX_COUNTED_CLOCK_NS, &out->clock_ns);
    return DTX_OK;
}
