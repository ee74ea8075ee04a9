/* SPDX-License-Identifier: MIT */
/* The journal's records into a job's state; see replay.h.  Trusts nothing in
 * a record: numbers are checked against the list they speak of. */
#include "wire/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "task/after.h"
#include "task/args.h"
#include "task/outcome.h"
#include "wire/replay_kept.h"
#include "wire/wire.h"

/* A list under construction. */
struct dtx_replay_list {
    struct dtx_tasklist list;
    struct dtx_graph graph;
    char *source, *cwd;
    uint32_t *attr; /* attribute numbers of the records -> of the list */
    size_t nattrs, cap_attrs;
    uint32_t ntasks; /* to come; of a live list the most there can be */
    uint64_t nedges;
    bool live;
};

static void free_list(struct dtx_replay_list *n)
{
    if (!n)
        return;
    dtx_tasklist_fini(&n->list);
    dtx_graph_fini(&n->graph);
    free(n->source);
    free(n->cwd);
    free(n->attr);
    free(n);
}

/* Nothing more will come of a live list. */
static void stop_growing(struct dtx_replay *r)
{
    if (r->growing)
        free(r->growing->attr);
    free(r->growing);
    r->growing = NULL;
}

void dtx_replay_init(struct dtx_replay *r)
{
    memset(r, 0, sizeof(*r));
}

void dtx_replay_fini(struct dtx_replay *r)
{
    free_list(r->next);
    stop_growing(r);
    if (r->has_list) {
        dtx_tasklist_fini(&r->list);
        dtx_graph_fini(&r->graph);
    }
    free(r->source);
    free(r->cwd);
    free(r->known);
    dtx_kept_free(&r->kept);
    free(r->edge);
    dtx_keymap_free(&r->seen);
    free(r->ended_epochs);
    memset(r, 0, sizeof(*r));
}

/* ---- reading ---- */

static int corrupt(struct dtx_error *err, const char *what)
{
    return dtx_error_set(err, DTX_ECORRUPT, "journal: %s", what);
}

static char *copy_str(struct dtx_str s)
{
    char *p = malloc(s.len + 1);

    if (p) {
        memcpy(p, s.data, s.len);
        p[s.len] = '\0';
    }
    return p;
}

static int on_session(struct dtx_replay *r, const struct dtx_rec *rec,
                      struct dtx_error *err)
{
    if (rec->u.session.records > DTX_RECORDS)
        return dtx_error_set(err, DTX_EFOREIGN,
                             "journal: written by a newer version (%u, this "
                             "one reads up to %u)",
                             rec->u.session.records, DTX_RECORDS);
    if (rec->u.session.records < DTX_RECORDS)
        return dtx_error_set(err, DTX_EFOREIGN,
                             "journal: written by an older version (%u, this "
                             "one reads %u): go on with that version",
                             rec->u.session.records, DTX_RECORDS);
    if (rec->u.session.epoch <= r->epoch)
        return corrupt(err, "sessions out of order");
    if (r->unsure && rec->u.session.epoch != r->epoch + 1)
        r->list_lost = true; /* a session is missing: so may be its list */
    r->epoch = rec->u.session.epoch;
    r->ended = false;
    r->begun = r->unsure = r->headless = false;
    stop_growing(r);
    free_list(r->next);
    r->next = NULL;
    return DTX_OK;
}

/* A damaged stretch of the journal. The session's list may have been in it if
 * it had not been read to its end before. */
static int on_gap(struct dtx_replay *r, size_t len, uint64_t at)
{
    if (r->gaps++ == 0)
        r->gap_at = at;
    r->gap_bytes += len;
    if (r->next || r->growing || !r->begun)
        r->list_lost = true;
    r->unsure = true;
    r->headless = false;
    stop_growing(r);
    free_list(r->next);
    r->next = NULL;
    return DTX_OK;
}

static int on_end(struct dtx_replay *r)
{
    uint32_t *p;

    r->begun = true;
    if (r->unsure || r->headless) /* the end of which session? */
        return DTX_OK;
    r->ended = true;
    if (r->nended > 0 && r->ended_epochs[r->nended - 1] == r->epoch)
        return DTX_OK;
    p = dtx_grow(r->ended_epochs, &r->cap_ended, r->nended + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    r->ended_epochs = p;
    p[r->nended++] = r->epoch;
    return DTX_OK;
}

bool dtx_replay_ended(const struct dtx_replay *r, uint32_t epoch)
{
    size_t low = 0, high = r->nended;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (r->ended_epochs[mid] < epoch)
            low = mid + 1;
        else
            high = mid;
    }
    return low < r->nended && r->ended_epochs[low] == epoch;
}

static int adopt(struct dtx_replay *r, struct dtx_replay_list *n);

static int on_list(struct dtx_replay *r, const struct dtx_rec *rec,
                   struct dtx_error *err)
{
    const struct dtx_str columns = rec->u.list.columns;
    struct dtx_replay_list *n;
    uint32_t gate, i;

    free_list(r->next);
    r->next = NULL;
    if (rec->u.list.tasks > DTX_MAX_TASKS ||
        rec->u.list.gates > DTX_MAX_TASKS || rec->u.list.live > 1 ||
        (rec->u.list.live && rec->u.list.tasks + rec->u.list.gates > 0))
        return corrupt(err, "a task list of impossible size");
    if (rec->u.list.trim > 1 || columns.len > DTX_MAX_ARGS ||
        !dtx_args_valid(columns.data, columns.len))
        return corrupt(err, "a task list with broken columns");
    n = calloc(1, sizeof(*n));
    if (!n)
        return DTX_ENOMEM;
    n->live = rec->u.list.live != 0;
    n->ntasks = n->live ? DTX_MAX_TASKS : rec->u.list.tasks;
    n->source = copy_str(rec->u.list.source);
    n->cwd = copy_str(rec->u.list.cwd);
    if (!n->source || !n->cwd || dtx_tasklist_init(&n->list)) {
        free_list(n);
        return DTX_ENOMEM;
    }
    n->list.trim = rec->u.list.trim;
    dtx_buf_append(&n->list.columns, columns.data, columns.len);
    if (n->list.columns.failed) {
        free_list(n);
        return DTX_ENOMEM;
    }
    dtx_graph_init(&n->graph, n->live ? 0 : n->ntasks);
    for (i = 0; i < rec->u.list.gates; i++) {
        if (dtx_graph_gate(&n->graph, &gate)) {
            free_list(n);
            return corrupt(err, "a task list with too many gates");
        }
    }
    if (rec->u.list.barriers > rec->u.list.gates) {
        free_list(n);
        return corrupt(err, "a task list with more barriers than gates");
    }
    n->graph.nbarriers = rec->u.list.barriers;
    r->next = n;
    return n->live ? adopt(r, n) : DTX_OK;
}

/* The empty text is none. */
static bool intern(struct dtx_tasklist *l, struct dtx_str s, uint32_t *out)
{
    *out = s.len > 0 ? dtx_tasklist_intern(l, s.data, s.len) : DTX_NO_TEXT;
    return s.len == 0 || *out != DTX_NO_TEXT;
}

static int on_attrs(struct dtx_replay_list *n, struct dtx_rec *rec,
                    struct dtx_error *err)
{
    struct dtx_item_attr it;
    int rc;

    while ((rc = dtx_item_attr_next(&rec->items, &it)) > 0) {
        struct dtx_task_attr a = {it.cpus,       it.prio,     it.retries,
                                  DTX_NO_TEXT,   it.timeout_ns, DTX_NO_TEXT,
                                  it.flags,      it.gpus,     0,
                                  it.mem_bytes};
        uint32_t *p = dtx_grow(n->attr, &n->cap_attrs, n->nattrs + 1,
                               sizeof(*p));

        if (!p)
            return DTX_ENOMEM;
        n->attr = p;
        if (a.cpus == 0 || a.cpus > DTX_MAX_CPUS ||
            a.retries > DTX_MAX_RETRIES || it.cwd.len > DTX_MAX_CWD ||
            it.env.len > DTX_MAX_ENV || (it.flags & ~DTX_ATTR_SLOT) ||
            (it.gpus > DTX_MAX_GPUS && it.gpus != DTX_NO_GPUS) ||
            it.mem_bytes < -1)
            return corrupt(err, "attributes out of range");
        if (!intern(&n->list, it.cwd, &a.cwd) ||
            !intern(&n->list, it.env, &a.env))
            return DTX_ENOMEM;
        if (dtx_tasklist_attr(&n->list, &a, &p[n->nattrs]))
            return DTX_ENOMEM;
        n->nattrs++;
    }
    return rc ? corrupt(err, "a broken ATTRS record") : DTX_OK;
}

static int on_tasks(struct dtx_replay_list *n, struct dtx_rec *rec,
                    struct dtx_error *err)
{
    struct dtx_item_task it;
    uint32_t name;
    int rc;

    if (rec->u.tasks.first != n->list.ntasks)
        return corrupt(err, "tasks out of order");
    while ((rc = dtx_item_task_next(&rec->items, &it)) > 0) {
        if (it.attr >= n->nattrs || n->list.ntasks >= n->ntasks ||
            it.name.len > DTX_MAX_NAME || it.command.len > DTX_MAX_COMMAND ||
            it.args.len > (n->live ? 0 : DTX_MAX_ARGS) ||
            !dtx_args_valid(it.args.data, it.args.len))
            return corrupt(err, "a task out of range");
        name = DTX_NO_TEXT;
        if (it.name.len > 0) {
            name = dtx_tasklist_intern(&n->list, it.name.data, it.name.len);
            if (name == DTX_NO_TEXT)
                return DTX_ENOMEM;
        }
        if (dtx_tasklist_add(&n->list, it.command.data, it.command.len,
                             n->attr[it.attr], it.line, name))
            return DTX_ENOMEM;
        if (it.args.len > 0 &&
            dtx_tasklist_set_args(&n->list, it.args.data, it.args.len))
            return DTX_ENOMEM;
        n->list.task[n->list.ntasks - 1].index = it.index;
    }
    if (n->live)
        n->graph.ntasks = n->graph.nnodes = (uint32_t)n->list.ntasks;
    return rc ? corrupt(err, "a broken TASKS record") : DTX_OK;
}

static int on_edges(struct dtx_replay_list *n, struct dtx_rec *rec,
                    struct dtx_error *err)
{
    struct dtx_item_edge it;
    int rc;

    while ((rc = dtx_item_edge_next(&rec->items, &it)) > 0) {
        if (it.before >= n->graph.nnodes || it.after >= n->graph.nnodes)
            return corrupt(err, "a dependency out of range");
        if (dtx_graph_edge(&n->graph, it.before, it.after))
            return DTX_ENOMEM;
        n->nedges++;
    }
    return rc ? corrupt(err, "a broken EDGES record") : DTX_OK;
}

static void drop_live_edges(struct dtx_replay *r)
{
    free(r->edge);
    r->edge = NULL;
    r->nedges = r->cap_edges = 0;
    r->ngates = 0;
}

/* Each waits for earlier ones; a gate begins with its first edge. */
static bool live_edge_fits(struct dtx_replay *r,
                           const struct dtx_item_edge *it)
{
    uint32_t before = it->before & ~DTX_GATE, after = it->after & ~DTX_GATE;
    uint32_t ngates = r->ngates;

    if (it->after & DTX_GATE) {
        if (after > ngates)
            return false;
        r->ngates += after == ngates;
    } else if (after >= r->list.ntasks) {
        return false;
    }
    if (it->before & DTX_GATE)
        return before < ngates && (!(it->after & DTX_GATE) || before < after);
    return before < r->list.ntasks &&
           ((it->after & DTX_GATE) || before < after);
}

/* Tasks are still coming, so nodes cannot be numbered yet. */
static int on_live_edges(struct dtx_replay *r, struct dtx_rec *rec,
                         struct dtx_error *err)
{
    struct dtx_item_edge it;
    int rc;

    while ((rc = dtx_item_edge_next(&rec->items, &it)) > 0) {
        struct dtx_edge *p = dtx_grow(r->edge, &r->cap_edges, r->nedges + 1,
                                      sizeof(*p));

        if (!p)
            return DTX_ENOMEM;
        r->edge = p;
        if (!live_edge_fits(r, &it))
            return corrupt(err, "a dependency out of range");
        p[r->nedges++] = (struct dtx_edge){it.before, it.after};
        r->growing->nedges++;
    }
    return rc ? corrupt(err, "a broken EDGES record") : DTX_OK;
}

/* No more tasks come: gates are numbered behind them. */
static int seal_live(struct dtx_replay *r, struct dtx_error *err)
{
    uint32_t ntasks = r->graph.ntasks, a, b, i;
    size_t e;
    int rc = DTX_OK;

    for (i = 0; i < r->ngates && !rc; i++)
        rc = dtx_graph_gate(&r->graph, &a);
    for (e = 0; e < r->nedges && !rc; e++) {
        a = r->edge[e].before;
        b = r->edge[e].after;
        rc = dtx_graph_edge(&r->graph,
                            a & DTX_GATE ? ntasks + (a & ~DTX_GATE) : a,
                            b & DTX_GATE ? ntasks + (b & ~DTX_GATE) : b);
    }
    drop_live_edges(r);
    if (!rc)
        rc = dtx_graph_seal(&r->graph, &a, &b);
    if (rc == DTX_EINVAL)
        return corrupt(err, "a task list with a cycle");
    return rc ? dtx_error_set(err, rc, "journal: out of memory") : DTX_OK;
}

/* The new list is whole: it takes the old one's place. */
static int adopt(struct dtx_replay *r, struct dtx_replay_list *n)
{
    struct dtx_known *known =
        calloc(n->list.ntasks + 1, sizeof(*known));
    int rc = known ? DTX_OK : DTX_ENOMEM;

    if (rc == DTX_OK)
        rc = dtx_replay_recall(r, &n->list, n->cwd, known, NULL);
    if (rc) {
        free(known);
        return rc;
    }
    if (r->has_list) {
        dtx_tasklist_fini(&r->list);
        dtx_graph_fini(&r->graph);
    }
    free(r->source);
    free(r->cwd);
    free(r->known);
    drop_live_edges(r);
    dtx_keymap_free(&r->seen);
    memset(&r->seen, 0, sizeof(r->seen));
    r->list = n->list;
    r->graph = n->graph;
    r->source = n->source;
    r->cwd = n->cwd;
    r->known = known;
    r->has_list = true;
    r->list_lost = false;
    r->begun = true;
    r->headless = r->unsure;
    r->unsure = false;
    r->next = NULL;
    r->live = r->unsealed = n->live;
    r->closed = false;
    r->cap_known = n->list.ntasks + 1;
    stop_growing(r);
    r->growing = n;
    if (!n->live)
        stop_growing(r);
    return DTX_OK;
}

/* A LISTED ends a live list as well. */
static int on_end_of_live(struct dtx_replay *r, const struct dtx_rec *rec,
                          struct dtx_error *err)
{
    if (rec->u.listed.tasks != r->list.ntasks ||
        rec->u.listed.edges != r->growing->nedges)
        return corrupt(err, "an incomplete task list");
    r->closed = true;
    stop_growing(r);
    return DTX_OK;
}

/* Room for what is known of the tasks that have come since there were
 * 'before'. */
static int know_more(struct dtx_replay *r, size_t before)
{
    struct dtx_known *p = dtx_grow(r->known, &r->cap_known,
                                   r->list.ntasks + 1, sizeof(*p));
    size_t i;
    int rc = DTX_OK;

    if (!p)
        return DTX_ENOMEM;
    r->known = p;
    for (i = before; i < r->list.ntasks && rc == DTX_OK; i++)
        rc = dtx_kept_recall(&r->kept, &r->seen, &r->list, (uint32_t)i,
                             r->cwd, &p[i]);
    return rc;
}

/* ATTRS, TASKS, EDGES or LISTED of a live list. The list and its graph stand in
 * the replay, and go into 'growing' for as long as that is at work. */
static int on_more(struct dtx_replay *r, struct dtx_rec *rec,
                   struct dtx_error *err)
{
    struct dtx_replay_list *n = r->growing;
    size_t before = r->list.ntasks;
    int rc;

    if (rec->kind == DTX_REC_LISTED)
        return on_end_of_live(r, rec, err);
    if (rec->kind == DTX_REC_EDGES)
        return on_live_edges(r, rec, err);
    n->list = r->list;
    n->graph = r->graph;
    rc = rec->kind == DTX_REC_ATTRS ? on_attrs(n, rec, err)
                                    : on_tasks(n, rec, err);
    r->list = n->list;
    r->graph = n->graph;
    return rc || r->list.ntasks == before ? rc : know_more(r, before);
}

static int on_listed(struct dtx_replay *r, const struct dtx_rec *rec,
                     struct dtx_error *err)
{
    struct dtx_replay_list *n = r->next;
    uint32_t a, b;
    int rc;

    if (n->list.ntasks != n->ntasks || rec->u.listed.tasks != n->ntasks ||
        rec->u.listed.edges != n->nedges)
        return corrupt(err, "an incomplete task list");
    rc = dtx_graph_seal(&n->graph, &a, &b);
    if (rc == DTX_EINVAL)
        return corrupt(err, "a task list with a cycle");
    return rc ? rc : adopt(r, n);
}

/* Is it certain that this outcome speaks of the list as it is known? In doubt
 * after a gap no: another list might have stood there. */
static bool trust(struct dtx_replay *r, uint32_t epoch)
{
    if (r->unsure && epoch != r->epoch)
        r->list_lost = true;
    if ((r->unsure || r->headless) && epoch > r->epoch) {
        r->epoch = epoch; /* its session's head is lost */
        r->ended = false;
    }
    r->unsure = r->headless = false;
    r->begun = true;
    return r->has_list && !r->list_lost;
}

static int on_outcome(struct dtx_replay *r, struct dtx_rec *rec, uint64_t at,
                      struct dtx_error *err)
{
    struct dtx_item_outcome item;
    struct dtx_outcome o;
    struct dtx_known *k;

    if (dtx_item_outcome_next(&rec->items, &item) != 1 ||
        !dtx_cursor_done(&rec->items) || dtx_outcome_from_item(&item, &o))
        return corrupt(err, "a broken OUTCOME record");
    r->outcomes++;
    if (!trust(r, rec->u.outcome.epoch) || o.task >= r->list.ntasks) {
        r->foreign++;
        return DTX_OK;
    }
    k = &r->known[o.task];
    k->at = at + 1;
    k->epoch = rec->u.outcome.epoch;
    k->status = o.status;
    k->final = rec->u.outcome.final != 0;
    if (k->final)
        k->losses = 0;
    else if (o.status == DTX_STATUS_LOST && k->losses < UINT8_MAX)
        k->losses++;
    if (o.attempt > k->attempts)
        k->attempts = o.attempt > UINT16_MAX ? UINT16_MAX : (uint16_t)o.attempt;
    return DTX_OK;
}

/* A part of a list whose head was in a gap. */
static int lose_part(struct dtx_replay *r)
{
    r->list_lost = true;
    return DTX_OK;
}

int dtx_replay_record(struct dtx_replay *r, const void *payload, size_t len,
                      uint64_t at, struct dtx_error *err)
{
    struct dtx_rec rec;
    int rc;

    if (!payload)
        return on_gap(r, len, at);
    if (dtx_rec_decode(payload, len, &rec))
        return corrupt(err, "a record that cannot be read");
    if (!r->next && rec.kind >= DTX_REC_ATTRS && rec.kind <= DTX_REC_LISTED) {
        rc = r->growing ? on_more(r, &rec, err)
             : r->unsure || r->live
                 ? lose_part(r)
                 : corrupt(err, "a part of no task list");
        if (rc == DTX_ENOMEM)
            (void)dtx_error_set(err, rc, "journal: out of memory");
        return rc;
    }
    switch (rec.kind) {
    case DTX_REC_SESSION:
        rc = on_session(r, &rec, err);
        break;
    case DTX_REC_LIST:
        rc = on_list(r, &rec, err);
        break;
    case DTX_REC_ATTRS:
        rc = on_attrs(r->next, &rec, err);
        break;
    case DTX_REC_TASKS:
        rc = on_tasks(r->next, &rec, err);
        break;
    case DTX_REC_EDGES:
        rc = on_edges(r->next, &rec, err);
        break;
    case DTX_REC_LISTED:
        rc = on_listed(r, &rec, err);
        break;
    case DTX_REC_OUTCOME:
        rc = on_outcome(r, &rec, at, err);
        break;
    case DTX_REC_END:
        rc = on_end(r);
        break;
    default:
        rc = corrupt(err, "it is of a program's work, not of a job");
    }
    if (rc == DTX_ENOMEM)
        (void)dtx_error_set(err, rc, "journal: out of memory");
    return rc;
}

int dtx_replay_end(struct dtx_replay *r, struct dtx_error *err)
{
    int rc = DTX_OK;

    stop_growing(r);
    if (r->has_list && r->unsealed)
        rc = seal_live(r, err);
    r->unsealed = false;
    return rc;
}
