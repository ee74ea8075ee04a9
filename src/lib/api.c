/* SPDX-License-Identifier: MIT */
/* The calls of distributex.h: arguments are checked here, and here alone; then
 * a region is run.  The one session of a process, and the text of the last
 * error, are this file's only state. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/broker.h"
#include "engine/event.h"
#include "engine/ledger.h"
#include "lib/diary.h"
#include "lib/session.h"
#include "sched/loop.h"

#define LONGEST_NAME 255u

static struct dtx_session *current;
static struct dtx_error last;

static int outside(const char *what)
{
    return dtx_error_set(&last, DTX_ESTATE, "%s: there is no session: call "
                         "dtx_init first", what);
}

/* --- the session ---------------------------------------------------------- */

static int open_session(struct dtx_session *s, const void *comm, size_t size)
{
    struct dtx_net_options n = {.comm = comm,
                                .comm_size = size,
                                .jobs = s->options.slots,
                                .bells = s->options.bell,
                                .nap_ns = s->options.nap_ns};
    int rc = dtx_net_open(&s->net, &n, s->options.weight, &last);
    unsigned slots;
    uint32_t r;

    if (rc < 0)
        return rc;
    slots = s->net.slots[s->net.rank];
    for (r = 0; r < s->net.size; r++)
        s->slots_all += s->net.slots[r];
    rc = dtx_crew_start(&s->crew, &s->net, slots,
                        s->options.bind ? s->net.pu : NULL, !s->net.threads,
                        &last);
    if (rc < 0)
        (void)dtx_net_close(&s->net);
    return rc;
}

static int make_broker(struct dtx_session *s)
{
    struct dtx_broker_config c = {s->net.size, s->net.slots};

    if (s->net.rank != 0)
        return DTX_OK;
    s->broker = dtx_broker_create(&c);
    s->actions = calloc(1, sizeof(*s->actions));
    return s->broker && s->actions
               ? DTX_OK
               : dtx_error_set(&last, DTX_ENOMEM, "out of memory");
}

static void free_session(struct dtx_session *s)
{
    size_t i;

    for (i = 0; i < s->nkernels; i++) {
        free(s->kernel[i]->name);
        free(s->kernel[i]);
    }
    free(s->kernel);
    dtx_broker_destroy(s->broker);
    if (s->actions)
        dtx_actions_free(s->actions);
    free(s->actions);
    dtx_buf_free(&s->names);
    free(s);
}

int dtx_init_handle(const void *comm, size_t size, const char *options)
{
    struct dtx_session *s;
    int rc;

    if (current)
        return dtx_error_set(&last, DTX_ESTATE,
                             "dtx_init: there is a session already");
    s = calloc(1, sizeof(*s));
    if (!s)
        return dtx_error_set(&last, DTX_ENOMEM, "out of memory");
    rc = dtx_options_parse(options, &s->options, &last);
    if (rc == DTX_OK)
        rc = open_session(s, comm, size);
    if (rc < 0) {
        free_session(s);
        return rc;
    }
    dtx_buf_str(&s->names, "");
    current = s;
    rc = make_broker(s);
    if (rc < 0)
        (void)dtx_finalize();
    return rc;
}

int dtx_init(const char *options)
{
    return dtx_init_handle(NULL, 0, options);
}

int dtx_finalize(void)
{
    struct dtx_session *s = current;
    int rc;

    if (!s)
        return outside("dtx_finalize");
    while (s->works)
        dtx_work_destroy(s->works);
    dtx_crew_stop(&s->crew);
    rc = dtx_net_close(&s->net);
    current = NULL;
    free_session(s);
    if (rc == DTX_ELOST)
        return dtx_error_set(&last, rc,
                             "dtx_finalize: a rank was lost, and so MPI is not "
                             "finalised: end without any further call of it");
    return rc < 0 ? dtx_error_set(&last, rc,
                                  "dtx_finalize: the ranks did not come "
                                  "together")
                  : rc;
}

int dtx_rank(void)
{
    return current ? (int)current->net.rank : -1;
}

int dtx_ranks(void)
{
    return current ? (int)current->net.size : -1;
}

int dtx_slots(void)
{
    return current ? (int)current->crew.n : -1;
}

int dtx_slots_all(void)
{
    return current ? (int)current->slots_all : -1;
}

const char *dtx_error_text(void)
{
    return last.text;
}

/* --- kernels -------------------------------------------------------------- */

static struct dtx_kernel *find_kernel(const struct dtx_session *s,
                                      const char *name)
{
    size_t i;

    for (i = 0; i < s->nkernels; i++) {
        if (strcmp(s->kernel[i]->name, name) == 0)
            return s->kernel[i];
    }
    return NULL;
}

static int check_name(const char *name)
{
    size_t i, len = name ? strlen(name) : 0;

    if (len == 0 || len > LONGEST_NAME)
        return dtx_error_set(&last, DTX_EINVAL,
                             "a kernel's name has 1 to %u bytes",
                             LONGEST_NAME);
    for (i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 32 || name[i] == 127)
            return dtx_error_set(&last, DTX_EINVAL,
                                 "a kernel's name holds a control character");
    }
    if (find_kernel(current, name))
        return dtx_error_set(&last, DTX_EEXIST,
                             "a kernel called '%s' is registered already",
                             name);
    return DTX_OK;
}

static int add_kernel(const char *name, const struct dtx_kernel *model)
{
    struct dtx_session *s = current;
    struct dtx_kernel *k, **grown;
    int rc;

    if (!s)
        return outside("dtx_kernel");
    rc = check_name(name);
    if (rc < 0)
        return rc;
    k = malloc(sizeof(*k));
    grown = dtx_grow(s->kernel, &s->kernels_cap, s->nkernels + 1,
                     sizeof(*grown));
    if (grown)
        s->kernel = grown;
    if (k)
        *k = *model;
    if (k)
        k->name = strdup(name);
    if (!k || !grown || !k->name) {
        free(k);
        return dtx_error_set(&last, DTX_ENOMEM, "out of memory");
    }
    s->kernel[s->nkernels++] = k;
    dtx_buf_printf(&s->names, "%s\n", name);
    return s->names.failed ? dtx_error_set(&last, DTX_ENOMEM, "out of memory")
                           : DTX_OK;
}

int dtx_kernel_each(const char *name, dtx_each_f kernel)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_EACH, .each = kernel};

    if (!kernel)
        return dtx_error_set(&last, DTX_EINVAL, "the kernel is NULL");
    return add_kernel(name, &k);
}

int dtx_kernel_range(const char *name, dtx_range_f kernel)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_RANGE, .range = kernel};

    if (!kernel)
        return dtx_error_set(&last, DTX_EINVAL, "the kernel is NULL");
    return add_kernel(name, &k);
}

int dtx_kernel_tree(const char *name, size_t node_bytes, dtx_visit_f visit,
                    dtx_child_f child)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_TREE,
                           .visit = visit,
                           .child = child,
                           .node_bytes = node_bytes};

    if (!visit || !child)
        return dtx_error_set(&last, DTX_EINVAL, "the kernel is NULL");
    if (node_bytes == 0 || node_bytes > DTX_MAX_NODE)
        return dtx_error_set(&last, DTX_ELIMIT, "a node has 1 to %u bytes",
                             DTX_MAX_NODE);
    return add_kernel(name, &k);
}

int dtx_kernel_task(const char *name, dtx_task_f kernel)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_TASK, .task = kernel};

    if (!kernel)
        return dtx_error_set(&last, DTX_EINVAL, "the kernel is NULL");
    return add_kernel(name, &k);
}

/* The number of a kernel of tasks, or negative. Any thread. */
static int64_t task_kernel(const struct dtx_session *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->nkernels; i++) {
        if (s->kernel[i]->kind == DTX_KERNEL_TASK &&
            strcmp(s->kernel[i]->name, name) == 0)
            return (int64_t)i;
    }
    return DTX_ENOENT;
}

int dtx_call_output(struct dtx_call *call, const void *out, size_t bytes)
{
    if (call->region->style != &dtx_style_task)
        return DTX_ESTATE;
    return dtx_task_output(call, out, bytes);
}

int dtx_call_spawn(struct dtx_call *call, const char *kernel, const void *in,
                   size_t bytes)
{
    int64_t k;

    if (call->region->style != &dtx_style_task)
        return DTX_ESTATE;
    k = task_kernel(call->session, kernel);
    if (k < 0)
        return (int)k;
    return bytes > DTX_MAX_TASK
               ? DTX_ELIMIT
               : dtx_task_spawn(call, (uint32_t)k, in, bytes);
}

int dtx_call_rank(const struct dtx_call *call)
{
    return (int)call->session->net.rank;
}

int dtx_call_slot(const struct dtx_call *call)
{
    return (int)call->slot;
}

const void *dtx_call_args(const struct dtx_call *call, size_t *size)
{
    if (size)
        *size = call->region->args_bytes;
    return call->region->args;
}

void *dtx_call_value(const struct dtx_call *call, unsigned k)
{
    const struct dtx_work *w = call->region->work;

    return k < w->nred ? call->values + w->red[k].offset : NULL;
}

void *dtx_call_result(const struct dtx_call *call, uint64_t index)
{
    if (!call->results || index < call->results_at ||
        index >= call->results_end)
        return NULL;
    return call->results +
           (index - call->results_at) * call->region->work->result_bytes;
}

void dtx_call_cancel(struct dtx_call *call)
{
    if (!atomic_exchange(&call->region->cancel, true))
        dtx_net_ring(&call->session->net);
}

/* --- work ----------------------------------------------------------------- */

static int init_work(struct dtx_work *w, const char *kernel)
{
    memset(w, 0, sizeof(*w));
    if (!current)
        return outside("dtx_work");
    w->session = current;
    w->kernel = kernel ? find_kernel(current, kernel) : NULL;
    if (!w->kernel)
        return dtx_error_set(&last, DTX_ENOENT,
                             "no kernel called '%s' is registered",
                             kernel ? kernel : "");
    return DTX_OK;
}

struct dtx_work *dtx_work_create(const char *kernel)
{
    struct dtx_work *w = malloc(sizeof(*w));

    if (!w) {
        (void)dtx_error_set(&last, DTX_ENOMEM, "out of memory");
        return NULL;
    }
    if (init_work(w, kernel) < 0) {
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
    dtx_diary_close(w->diary);
    free(w->profile);
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
        return dtx_error_set(&last, DTX_ELIMIT, "at most %u reductions",
                             DTX_MAX_REDUCTIONS);
    if (r->bytes == 0 || r->bytes > DTX_MAX_VALUE - w->value_bytes)
        return dtx_error_set(&last, DTX_ELIMIT,
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
        return dtx_error_set(&last, DTX_EINVAL,
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
    struct dtx_reduction r = {.combine = combine,
                              .value = value,
                              .bytes = bytes};
    int rc;

    if (!w || !combine || !identity || !value)
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_reduce_by: an argument is NULL");
    if (bytes > DTX_MAX_VALUE)
        return dtx_error_set(&last, DTX_ELIMIT,
                             "what is reduced has 1 to %u bytes in all",
                             DTX_MAX_VALUE);
    r.identity = malloc(bytes + 1);
    if (!r.identity)
        return dtx_error_set(&last, DTX_ENOMEM, "out of memory");
    memcpy(r.identity, identity, bytes);
    rc = add_reduction(w, &r);
    if (rc < 0)
        free(r.identity);
    return rc;
}

static int want_results(struct dtx_work *w, size_t bytes, const char *who)
{
    if (!w)
        return dtx_error_set(&last, DTX_EINVAL, "%s: no work", who);
    if (w->kernel->kind == DTX_KERNEL_TREE)
        return dtx_error_set(&last, DTX_EINVAL,
                             "%s: nodes of a tree have no place for results",
                             who);
    if (bytes == 0 || bytes > DTX_MAX_RESULT)
        return dtx_error_set(&last, DTX_ELIMIT, "%s: a result has 1 to %u "
                             "bytes", who, DTX_MAX_RESULT);
    w->result_bytes = bytes;
    w->gather = false;
    w->deliver = NULL;
    return DTX_OK;
}

int dtx_work_gather(struct dtx_work *w, void *results, size_t bytes)
{
    int rc;

    if (w && w->session->net.rank == 0 && !results)
        return dtx_error_set(&last, DTX_EINVAL,
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
        return dtx_error_set(&last, DTX_EINVAL,
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
    if (!w || w->journaled || w->kernel->kind == DTX_KERNEL_TREE)
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_journal: no work, one of a tree, or one "
                             "that has a journal already");
    if (w->session->net.rank == 0 && (!path || !*path))
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_journal: rank 0 needs the file's name");
    w->journaled = true;
    return w->session->net.rank == 0 ? dtx_diary_open(path, &w->diary, &last)
                                     : DTX_OK;
}

int dtx_work_schedule(struct dtx_work *w, const char *schedule)
{
    struct dtx_schedule_choice none = {NULL, 0, 0, 0};

    if (!w)
        return dtx_error_set(&last, DTX_EINVAL, "dtx_work_schedule: no work");
    if (!schedule) {
        w->schedule = none;
        return DTX_OK;
    }
    return dtx_schedule_parse(schedule, &w->schedule, &last);
}

int dtx_work_stats(const struct dtx_work *w, struct dtx_stats *out)
{
    if (!w || !out)
        return dtx_error_set(&last, DTX_EINVAL, "dtx_work_stats: NULL");
    *out = w->stats;
    return DTX_OK;
}

/* --- running -------------------------------------------------------------- */

/* The call for people; what it says must be alike on all ranks. */
static void describe(struct dtx_region *g)
{
    const struct dtx_work *w = g->work;
    const struct dtx_schedule_choice *c =
        w->schedule.schedule ? &w->schedule : &g->session->options.schedule;
    struct dtx_buf *b = &g->text;

    if (g->style == &dtx_style_task)
        dtx_buf_str(b, "tasks");
    else if (g->style == &dtx_style_tree)
        dtx_buf_printf(b, "tree kernel %s (root %016llx)", g->kernel->name,
                       (unsigned long long)dtx_hash128(
                           g->root, g->kernel->node_bytes, 3).lo);
    else
        dtx_buf_printf(b, "kernel %s for %llu .. %llu", g->kernel->name,
                       (unsigned long long)g->begin,
                       (unsigned long long)g->end);
    if (g->args_bytes)
        dtx_buf_printf(b, ", %zu bytes of arguments (%016llx)", g->args_bytes,
                       (unsigned long long)dtx_hash128(
                           g->args, g->args_bytes, 4).lo);
    if (c->schedule && g->style == &dtx_style_loop)
        dtx_buf_printf(b, ", schedule %s", c->schedule->name);
    if (w->nred)
        dtx_buf_printf(b, ", %u reductions of %zu bytes", w->nred,
                       w->value_bytes);
    if (w->result_bytes)
        dtx_buf_printf(b, ", results of %zu bytes", w->result_bytes);
    if (w->journaled && g->style == &dtx_style_loop)
        dtx_buf_str(b, ", with a journal");
}

static int run(struct dtx_region *g, struct dtx_work *w, const void *args,
               size_t args_bytes)
{
    int rc;

    if (args_bytes > DTX_MAX_ARGS || (args_bytes && !args))
        return dtx_error_set(&last, args ? DTX_ELIMIT : DTX_EINVAL,
                             "arguments have up to %u bytes", DTX_MAX_ARGS);
    if (w->session->broken)
        return dtx_error_set(&last, DTX_ESTATE,
                             "an earlier call failed on this rank alone: the "
                             "session can only be finalised");
    g->session = w->session;
    g->work = w;
    g->kernel = w->kernel;
    g->args = args;
    g->args_bytes = args_bytes;
    describe(g);
    rc = g->text.failed ? dtx_error_set(&last, DTX_ENOMEM, "out of memory")
                        : dtx_region_run(g, &last);
    dtx_buf_free(&g->text);
    return rc;
}

int dtx_work_for(struct dtx_work *w, uint64_t begin, uint64_t end,
                 const void *args, size_t args_bytes)
{
    struct dtx_region g = {.style = &dtx_style_loop,
                           .begin = begin,
                           .end = end};

    if (!w || w->kernel->kind == DTX_KERNEL_TREE ||
        w->kernel->kind == DTX_KERNEL_TASK)
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_for: a kernel of dtx_kernel_each or "
                             "dtx_kernel_range is needed");
    if (begin > end)
        return dtx_error_set(&last, DTX_EINVAL,
                             "a loop from %llu to %llu: the end comes first",
                             (unsigned long long)begin,
                             (unsigned long long)end);
    if (w->journaled && (w->nred || !w->result_bytes ||
                         end - begin > UINT32_MAX))
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_for: a journal keeps results of "
                             "iterations, up to 2^32 of them, and no sums");
    return run(&g, w, args, args_bytes);
}

int dtx_work_tree(struct dtx_work *w, const void *root, const void *args,
                  size_t args_bytes)
{
    struct dtx_region g = {.style = &dtx_style_tree, .root = root};

    if (!w || !root || w->kernel->kind != DTX_KERNEL_TREE)
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_tree: a kernel of dtx_kernel_tree and "
                             "a root are needed");
    return run(&g, w, args, args_bytes);
}

/* --- tasks ---------------------------------------------------------------- */

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
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_submit: a task has up to %u bytes, and "
                             "pointers to what it names",
                             DTX_MAX_TASK);
    if (w->session->net.rank != 0)
        return dtx_error_set(&last, DTX_ESTATE,
                             "dtx_work_submit: rank 0 submits");
    k = task_kernel(w->session, kernel ? kernel : w->kernel->name);
    if (k < 0)
        return dtx_error_set(&last, DTX_ENOENT,
                             "no kernel of tasks is called '%s'",
                             kernel ? kernel : w->kernel->name);
    if (!w->ledger)
        w->ledger = dtx_ledger_create();
    t = w->ledger ? dtx_task_item_create((uint32_t)k, in, bytes) : NULL;
    if (!t)
        return dtx_error_set(&last, DTX_ENOMEM, "out of memory");
    if (how) {
        t->priority = how->priority;
        t->cost = how->cost;
    }
    id = dtx_ledger_add(w->ledger, t, how ? how->after : NULL,
                        how ? how->nafter : 0);
    if (id < 0) {
        free(t);
        return dtx_error_set(&last, (int)id, "dtx_work_submit: %s",
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
        return dtx_error_set(&last, DTX_EINVAL, "dtx_work_on_end: no work");
    w->ended = ended;
    w->ended_ctx = ctx;
    return DTX_OK;
}

static int run_tasks(struct dtx_work *w, bool *is_last)
{
    struct dtx_region g = {.style = &dtx_style_task, .last = *is_last};
    int rc;

    if (!w->ledger)
        w->ledger = dtx_ledger_create();
    if (!w->ledger)
        return dtx_error_set(&last, DTX_ENOMEM, "out of memory");
    rc = run(&g, w, NULL, 0);
    if (dtx_ledger_open(w->ledger) == 0) {
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
        return dtx_error_set(&last, DTX_EINVAL,
                             "dtx_work_run: no work, or one with results of "
                             "iterations, or with a journal and sums");
    return run_tasks(w, &is_last);
}

/* A work of no kernel: what servers have, and what dismisses them. */
static int run_plain(bool *is_last)
{
    static const struct dtx_kernel none = {.kind = DTX_KERNEL_TASK};
    struct dtx_work w = {.session = current, .kernel = &none};
    int rc = run_tasks(&w, is_last);

    dtx_ledger_destroy(w.ledger);
    return rc;
}

int dtx_serve(void)
{
    bool is_last = false;
    int rc = DTX_OK;

    if (!current)
        return outside("dtx_serve");
    if (current->net.rank == 0)
        return dtx_error_set(&last, DTX_ESTATE,
                             "dtx_serve: rank 0 is served");
    while (!is_last && (rc == DTX_OK || rc == DTX_EKERNEL ||
                        rc == DTX_ECANCEL))
        rc = run_plain(&is_last);
    return rc == DTX_EKERNEL ? DTX_OK : rc;
}

int dtx_dismiss(void)
{
    bool is_last = true;

    if (!current)
        return outside("dtx_dismiss");
    return current->net.rank == 0
               ? run_plain(&is_last)
               : dtx_error_set(&last, DTX_ESTATE,
                               "dtx_dismiss: rank 0 dismisses");
}

int dtx_for(const char *kernel, uint64_t begin, uint64_t end, const void *args,
            size_t args_bytes)
{
    struct dtx_work w;
    int rc = init_work(&w, kernel);

    return rc < 0 ? rc : dtx_work_for(&w, begin, end, args, args_bytes);
}
