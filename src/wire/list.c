/* SPDX-License-Identifier: MIT */
/* A task list as records; see replay.h. */
#include <string.h>

#include "base/error.h"
#include "task/after.h"
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

static int put_attrs(struct emitter *e, const struct dtx_tasklist *l,
                     size_t from)
{
    struct dtx_rec rec = {.kind = DTX_REC_ATTRS};
    size_t i;
    int rc = DTX_OK;

    begin(e, &rec);
    for (i = from; i < l->nattrs && rc == DTX_OK; i++) {
        const struct dtx_task_attr *a = &l->attr[i];
        struct dtx_item_attr it = {
            a->cpus,
            a->prio,
            a->retries,
            a->timeout_ns,
            (uint8_t)a->flags,
            a->gpus,
            a->mem_bytes,
            dtx_str_of(dtx_tasklist_pool(l, a->cwd)),
            dtx_str_of(dtx_tasklist_pool(l, a->env))};

        dtx_item_attr_encode(&e->b, &it);
        if (e->b.len > RECORD_BYTES) {
            rc = flush(e);
            begin(e, &rec);
        }
    }
    return rc || e->b.len == e->header ? rc : flush(e);
}

static int put_tasks(struct emitter *e, const struct dtx_tasklist *l,
                     size_t from)
{
    struct dtx_rec rec = {.kind = DTX_REC_TASKS};
    size_t i;
    int rc = DTX_OK;

    rec.u.tasks.first = (uint32_t)from;
    begin(e, &rec);
    for (i = from; i < l->ntasks && rc == DTX_OK; i++) {
        const struct dtx_task *t = &l->task[i];
        struct dtx_item_task it = {t->attr, t->line, t->index,
                                   dtx_str_of(dtx_tasklist_pool(l, t->name)),
                                   {dtx_tasklist_text(l, t), t->len},
                                   {dtx_tasklist_args(l, t), t->args}};

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

static int put_listed(struct emitter *e, const struct dtx_tasklist *l,
                      uint64_t edges)
{
    struct dtx_rec rec = {.kind = DTX_REC_LISTED};

    rec.u.listed.tasks = (uint32_t)l->ntasks;
    rec.u.listed.edges = edges;
    begin(e, &rec);
    return flush(e);
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
    rec.u.list.trim = l->trim;
    rec.u.list.columns = (struct dtx_str){l->columns.data, l->columns.len};
    rec.u.list.source = dtx_str_of(source);
    rec.u.list.cwd = dtx_str_of(cwd);
    begin(&e, &rec);
    rc = flush(&e);
    if (rc == DTX_OK)
        rc = put_attrs(&e, l, 0);
    if (rc == DTX_OK)
        rc = put_tasks(&e, l, 0);
    if (rc == DTX_OK)
        rc = put_edges(&e, g, &edges);
    if (rc == DTX_OK)
        rc = put_listed(&e, l, edges);
    dtx_buf_free(&e.b);
    return rc;
}

/* ---- live lists ---- */

int dtx_list_encode_live(const char *source, const char *cwd, dtx_emit_f emit,
                         void *ctx)
{
    struct emitter e = {DTX_BUF_INIT, emit, ctx, 0};
    struct dtx_rec rec = {.kind = DTX_REC_LIST};
    int rc;

    rec.u.list.live = 1;
    rec.u.list.source = dtx_str_of(source);
    rec.u.list.cwd = dtx_str_of(cwd);
    begin(&e, &rec);
    rc = flush(&e);
    dtx_buf_free(&e.b);
    return rc;
}

int dtx_list_encode_more(const struct dtx_tasklist *l, size_t from_attr,
                         size_t from, const struct dtx_edge *edge,
                         size_t nedges, dtx_emit_f emit, void *ctx)
{
    struct emitter e = {DTX_BUF_INIT, emit, ctx, 0};
    struct dtx_rec rec = {.kind = DTX_REC_EDGES};
    int rc = put_attrs(&e, l, from_attr);
    size_t i;

    if (rc == DTX_OK)
        rc = put_tasks(&e, l, from);
    begin(&e, &rec);
    for (i = 0; i < nedges && rc == DTX_OK; i++) {
        struct dtx_item_edge it = {edge[i].before, edge[i].after};

        dtx_item_edge_encode(&e.b, &it);
        if (e.b.len > RECORD_BYTES) {
            rc = flush(&e);
            begin(&e, &rec);
        }
    }
    if (rc == DTX_OK && e.b.len > e.header)
        rc = flush(&e);
    dtx_buf_free(&e.b);
    return rc;
}

int dtx_list_encode_closed(const struct dtx_tasklist *l, uint64_t edges,
                           dtx_emit_f emit, void *ctx)
{
    struct emitter e = {DTX_BUF_INIT, emit, ctx, 0};
    int rc = put_listed(&e, l, edges);

    dtx_buf_free(&e.b);
    return rc;
}
