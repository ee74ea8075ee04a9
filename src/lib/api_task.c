/* SPDX-License-Identifier: MIT */
/* Tasks are submitted and run: by all ranks together, or by rank 0 while the
 * others serve. */
#include "lib/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/ledger.h"
#include "lib/diary.h"

/* A task is known again by its kernel and its input. */
static uint64_t key_of(const struct dtx_kernel *k, const void *in, size_t bytes)
{
    uint64_t name = dtx_hash128(k->name, strlen(k->name), 5).lo;

    return dtx_hash128(in ? in : "", bytes, name).lo;
}

int64_t dtx_work_submit(struct dtx_work *w, const char *kernel, const void *in,
                        size_t bytes, const struct dtx_task_how *how)
{
    struct dtx_task_item *t;
    int64_t k, id;

    if (!w || (bytes && !in) || bytes > DTX_MAX_TASK ||
        (how && how->nafter && !how->after))
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_submit: a task has up to %u bytes, and "
                            "pointers to what it names",
                            DTX_MAX_TASK);
    if (w->session->net.rank != 0)
        return dtx_api_fail(DTX_ESTATE, "dtx_work_submit: rank 0 submits");
    k = dtx_api_task_kernel(w->session, kernel ? kernel : w->kernel->name);
    if (k < 0)
        return dtx_api_fail(DTX_ENOENT, "no kernel of tasks is called '%s'",
                            kernel ? kernel : w->kernel->name);
    if (!w->ledger)
        w->ledger = dtx_ledger_create();
    t = w->ledger ? dtx_task_item_create((uint32_t)k, in, bytes) : NULL;
    if (!t)
        return dtx_api_fail(DTX_ENOMEM, "out of memory");
    if (how) {
        t->priority = how->priority;
        t->cost = how->cost;
    }
    id = dtx_ledger_add(w->ledger, t, how ? how->after : NULL,
                        how ? how->nafter : 0);
    if (id < 0) {
        free(t);
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

static int run_tasks(struct dtx_work *w, bool *is_last)
{
    struct dtx_region g = {.style = &dtx_style_task, .last = *is_last};
    int rc;

    if (atomic_load(&w->session->running))
        return dtx_api_busy(w->session);
    if (!w->ledger)
        w->ledger = dtx_ledger_create();
    if (!w->ledger)
        g.ill = DTX_ENOMEM;
    rc = dtx_api_run(&g, w, NULL, 0);
    if (w->ledger && dtx_ledger_open(w->ledger) == 0) {
        dtx_ledger_forget(w->ledger);
    } else { /* cancelled, or worse */
        dtx_ledger_destroy(w->ledger);
        w->ledger = NULL;
    }
    *is_last = g.last;
    return rc;
}

int dtx_work_run(struct dtx_work *w)
{
    bool is_last = false;

    if (!w || w->result_bytes || (w->journaled && w->nred))
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_run: no work, or one with results of "
                            "iterations, or with a journal and sums");
    return run_tasks(w, &is_last);
}

/* A work of no kernel: what servers have, and what dismisses them. */
static int run_plain(bool *is_last)
{
    static const struct dtx_kernel none = {.kind = DTX_KERNEL_TASK};
    struct dtx_work w = {.session = dtx_api_session, .kernel = &none};
    int rc = run_tasks(&w, is_last);

    dtx_ledger_destroy(w.ledger);
    return rc;
}

int dtx_serve(void)
{
    bool is_last = false;
    int rc = DTX_OK;

    if (!dtx_api_session)
        return dtx_api_outside("dtx_serve");
    if (dtx_api_session->net.rank == 0)
        return dtx_api_fail(DTX_ESTATE, "dtx_serve: rank 0 is served");
    while (!is_last && (rc == DTX_OK || rc == DTX_EKERNEL || rc == DTX_ECANCEL))
        rc = run_plain(&is_last);
    return rc == DTX_EKERNEL ? DTX_OK : rc;
}

int dtx_dismiss(void)
{
    bool is_last = true;

    if (!dtx_api_session)
        return dtx_api_outside("dtx_dismiss");
    return dtx_api_session->net.rank == 0
               ? run_plain(&is_last)
               : dtx_api_fail(DTX_ESTATE, "dtx_dismiss: rank 0 dismisses");
}
