/* SPDX-License-Identifier: MIT */
/* A task list as records; see replay.h. */
#include <string.h>

#include "base/error.h"
#include "wire/replay.h"
#include "wire/wire.h"

/* A record is handed on when it has grown to this many bytes. */
#define RECORD_BYTES (1u << 20)

struct emitter {
    struct dtx_buf b;
    dtx_emit_f emit;
    void *ctx;
    size_t header; /* bytes before the first item */
};

static void begin(struct emitter *e, const struct dtx_rec *rec)
{
    dtx_buf_clear(&e->b);
    dtx_rec_encode(&e->b, rec);
    e->header = e->b.len;
}

static int flush(struct emitter *e)
{
    return e->b.failed ? DTX_ENOMEM : e->emit(e->ctx, e->b.data, e->b.len);
}

static int put_attrs(struct emitter *e, const struct dtx_tasklist *l)
{
    struct dtx_rec rec = {.kind = DTX_REC_ATTRS};
    size_t i;
    int rc = DTX_OK;

    begin(e, &rec);
    for (i = 0; i < l->nattrs && rc == DTX_OK; i++) {
        const struct dtx_task_attr *a = &l->attr[i];
        struct dtx_item_attr it = {
            a->cpus,
            a->prio,
            a->retries,
            a->timeout_ns,
            (uint8_t)a->flags,
            dtx_str_of(dtx_tasklist_pool(l, a->cwd)),
            dtx_str_of(dtx_tasklist_pool(l, a->env))};

        dtx_item_attr_encode(&e->b, &it);
        if (e->b.len > RECORD_BYTES) {
            rc = flush(e);
            begin(e, &rec);
        }
    }
    return rc ? rc : flush(e);
}

static int put_tasks(struct emitter *e, const struct dtx_tasklist *l)
{
    struct dtx_rec rec = {.kind = DTX_REC_TASKS};
    size_t i;
    int rc = DTX_OK;

    begin(e, &rec);
    for (i = 0; i < l->ntasks && rc == DTX_OK; i++) {
        const struct dtx_task *t = &l->task[i];
        struct dtx_item_task it = {t->attr, t->line, t->index,
                                   dtx_str_of(dtx_tasklist_pool(l, t->name)),
                                   {dtx_tasklist_text(l, t), t->len}};

        dtx_item_task_encode(&e->b, &it);
        if (e->b.len > RECORD_BYTES) {
            rc = flush(e);
            rec.u.tasks.first = (uint32_t)i + 1;
            begin(e, &rec);
        }
    }
    return rc || e->b.len == e->header ? rc : flush(e);
}

static int put_edges(struct emitter *e, const struct dtx_graph *g,
                     uint64_t *count)
{
    struct dtx_rec rec = {.kind = DTX_REC_EDGES};
    uint32_t node, j;
    int rc = DTX_OK;

    *count = 0;
    if (!g->start)
        return DTX_OK;
    begin(e, &rec);
    for (node = 0; node < g->nnodes && rc == DTX_OK; node++) {
        for (j = g->start[node]; j < g->start[node + 1]; j++) {
            struct dtx_item_edge it = {node, g->succ[j]};

            dtx_item_edge_encode(&e->b, &it);
            ++*count;
            if (e->b.len > RECORD_BYTES) {
                rc = rc ? rc : flush(e);
                begin(e, &rec);
            }
        }
    }
    return rc || e->b.len == e->header ? rc : flush(e);
}

int dtx_list_encode(const struct dtx_tasklist *l, const struct dtx_graph *g,
                    const char *source, const char *cwd, dtx_emit_f emit,
                    void *ctx)
{
    struct emitter e = {DTX_BUF_INIT, emit, ctx, 0};
    struct dtx_rec rec = {.kind = DTX_REC_LIST};
    uint64_t edges = 0;
    int rc;

    rec.u.list.tasks = (uint32_t)l->ntasks;
    rec.u.list.gates = g->nnodes - g->ntasks;
    rec.u.list.barriers = g->nbarriers;
    rec.u.list.source = dtx_str_of(source);
    rec.u.list.cwd = dtx_str_of(cwd);
    begin(&e, &rec);
    rc = flush(&e);
    if (rc == DTX_OK)
        rc = put_attrs(&e, l);
    if (rc == DTX_OK)
        rc = put_tasks(&e, l);
    if (rc == DTX_OK)
        rc = put_edges(&e, g, &edges);
    if (rc == DTX_OK) {
        memset(&rec, 0, sizeof(rec));
        rec.kind = DTX_REC_LISTED;
        rec.u.listed.tasks = (uint32_t)l->ntasks;
        rec.u.listed.edges = edges;
        begin(&e, &rec);
        rc = flush(&e);
    }
    dtx_buf_free(&e.b);
    return rc;
}
