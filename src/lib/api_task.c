/* SPDX-License-Identifier: MIT */
/* Tasks are submitted and run: by all ranks together, or by rank 0 while the
 * others serve. */
#include "lib/api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/ledger.h"
#include "lib/diary.h"
#include "predict/foresee.h"

/* A task is known again by its kernel and its input. */
static uint64_t key_of(const struct dtx_kernel *k, const void *in, size_t bytes)
{
    uint64_t name = dtx_hash128(k->name, strlen(k->name), 5).lo;

    return dtx_hash128(in ? in : "", bytes, name).lo;
}

/* What is said of a task makes sense. */
static int check_how(const struct dtx_task_how *how)
{
    size_t i;

    if ((how->nafter && !how->after) || (how->nfeatures && !how->features))
        return dtx_api_fail(DTX_EINVAL, "dtx_work_submit: a list is NULL");
    if (how->nfeatures > DTX_FEATURES)
        return dtx_api_fail(DTX_ELIMIT, "dtx_work_submit: at most %d features",
                            DTX_FEATURES);
    if (!isfinite(how->cost) || how->cost < 0)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_submit: a cost of %g: a number from 0 on "
                            "is needed", how->cost);
    for (i = 0; i < how->nfeatures; i++) {
        if (!isfinite(how->features[i]))
            return dtx_api_fail(DTX_EINVAL,
                                "dtx_work_submit: feature %zu is not finite",
                                i);
    }
    return DTX_OK;
}

/* Rank 0's books for the tasks of 'w', at the first one. */
static bool make_books(struct dtx_work *w)
{
    if (!w->ledger)
        w->ledger = dtx_ledger_create();
    if (!w->foresight && w->session->calls)
        w->foresight = dtx_foresee_create(w->session->calls);
    return w->ledger && (w->foresight || !w->session->calls);
}

static void drop_books(struct dtx_work *w)
{
    dtx_ledger_destroy(w->ledger);
    dtx_foresee_destroy(w->foresight);
    w->ledger = NULL;
    w->foresight = NULL;
}

/* What it will cost, as far as is known. False when out of memory. */
static bool foresee(struct dtx_work *w, struct dtx_task_item *t,
                    const struct dtx_task_how *how)
{
    struct dtx_kernel_call c = {w->session->kernel[t->kernel]->name, t->bytes,
                                0, NULL, 0};

    if (how) {
        c.hint = t->cost = how->cost;
        c.x = how->features;
        c.nx = (uint32_t)how->nfeatures;
    }
    if (w->foresight)
        t->cost = dtx_foresee_submit(w->foresight, &c, w->session->slots_all);
    return t->cost >= 0;
}

int64_t dtx_work_submit(struct dtx_work *w, const char *kernel, const void *in,
                        size_t bytes, const struct dtx_task_how *how)
{
    struct dtx_task_item *t;
    int64_t k, id;

    if (!dtx_api_session)
        return dtx_api_outside("dtx_work_submit");
    if (!w || (bytes && !in) || bytes > DTX_MAX_TASK)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_submit: a task has up to %u bytes",
                            DTX_MAX_TASK);
    if (how && check_how(how) < 0)
        return dtx_api_error.code;
    if (w->session->net.rank != 0)
        return dtx_api_fail(DTX_ESTATE, "dtx_work_submit: rank 0 submits");
    if (w->closing)
        return dtx_api_fail(DTX_ECANCEL,
                            "dtx_work_submit: the run has ended early");
    k = dtx_api_task_kernel(w->session, kernel ? kernel : w->kernel->name);
    if (k < 0)
        return dtx_api_fail(DTX_ENOENT, "no kernel of tasks is called '%s'",
                            kernel ? kernel : w->kernel->name);
    t = make_books(w) ? dtx_task_item_create((uint32_t)k, in, bytes) : NULL;
    if (!t || !foresee(w, t, how)) {
        free(t);
        return dtx_api_fail(DTX_ENOMEM, "out of memory");
    }
    t->priority = how ? how->priority : 0;
    id = dtx_ledger_add(w->ledger, t, how ? how->after : NULL,
                        how ? how->nafter : 0);
    if (id < 0) {
        free(t);
        if (w->foresight)
            dtx_foresee_withdraw(w->foresight);
        return dtx_api_fail((int)id, "dtx_work_submit: %s",
                            id == DTX_ENOENT
                                ? "'after' names no task of this run"
                                : "out of memory");
    }
    if (w->diary) /* 't' waits in the ledger */
        t->known = dtx_diary_submit(w->diary, (uint64_t)id,
                                    key_of(w->session->kernel[k], in, bytes));
    return id;
}

int dtx_work_on_end(struct dtx_work *w, dtx_ended_f ended, void *ctx)
{
    if (!w)
        return dtx_api_fail(DTX_EINVAL, "dtx_work_on_end: no work");
    w->ended = ended;
    w->ended_ctx = ctx;
    return DTX_OK;
}

void dtx_api_close_tasks(struct dtx_work *w, int code)
{
    struct dtx_error err = dtx_api_error; /* callbacks may make others */
    uint64_t id = 0;

    w->closing = true;
    while ((id = dtx_ledger_next_open(w->ledger, id))) {
        if (w->ended)
            w->ended(w->ended_ctx, id, code, NULL, 0);
    }
    w->closing = false;
    dtx_ledger_forget(w->ledger);
    if (w->foresight)
        dtx_foresee_forget(w->foresight);
    dtx_api_error = err;
}

static int run_tasks(struct dtx_work *w, bool *is_last,
                     const struct dtx_error *refused)
{
    struct dtx_region g = {
        .style = &dtx_style_task, .last = *is_last, .refused = refused};
    int rc;

    if (atomic_load(&w->session->running))
        return dtx_api_busy(w->session);
    if (!make_books(w))
        g.ill = DTX_ENOMEM;
    rc = dtx_api_run(&g, w, NULL, 0);
    *is_last = g.last;
    return rc;
}

int dtx_work_run(struct dtx_work *w)
{
    bool is_last = false;

    if (!dtx_api_session)
        return dtx_api_outside("dtx_work_run");
    if (!w || w->result_bytes || (w->journaled && w->nred)) {
        (void)dtx_api_fail(DTX_EINVAL,
                           "dtx_work_run: no work, or one with results of "
                           "iterations, or with a journal and sums");
        return dtx_api_refuse();
    }
    return run_tasks(w, &is_last, NULL);
}

/* A work of no kernel: what servers have, and what dismisses them. */
static int run_plain(bool *is_last, const struct dtx_error *refused)
{
    static const struct dtx_kernel none = {.kind = DTX_KERNEL_TASK};
    struct dtx_work w = {.session = dtx_api_session, .kernel = &none};
    int rc = run_tasks(&w, is_last, refused);

    drop_books(&w);
    return rc;
}

int dtx_api_run_nothing(const struct dtx_error *why)
{
    bool is_last = false;

    return run_plain(&is_last, why);
}

/* A run has ended so, and the next may come: as it is, or rank 0 has called
 * dtx_work_run with wrong arguments. */
static bool goes_on(int rc)
{
    return rc == DTX_OK || rc == DTX_EKERNEL || rc == DTX_ECANCEL ||
           rc == DTX_EINVAL || rc == DTX_ELIMIT || rc == DTX_ENOENT;
}

int dtx_serve(void)
{
    bool is_last = false;
    int rc = DTX_OK;

    if (!dtx_api_session)
        return dtx_api_outside("dtx_serve");
    if (dtx_api_session->net.rank == 0)
        return dtx_api_fail(DTX_ESTATE, "dtx_serve: rank 0 is served");
    while (!is_last && goes_on(rc))
        rc = run_plain(&is_last, NULL);
    return rc == DTX_EKERNEL ? DTX_OK : rc;
}

int dtx_dismiss(void)
{
    bool is_last = true;

    if (!dtx_api_session)
        return dtx_api_outside("dtx_dismiss");
    return dtx_api_session->net.rank == 0
               ? run_plain(&is_last, NULL)
               : dtx_api_fail(DTX_ESTATE, "dtx_dismiss: rank 0 dismisses");
}
