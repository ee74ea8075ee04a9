/* SPDX-License-Identifier: MIT */
/* Joins spawner and store thread for the worker; see exec.h.  It decides
 * nothing: what the spawner cannot take yet waits here in order. */
#include "run/exec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "node/clock.h"
#include "node/spawner.h"
#include "run/lines.h"
#include "run/needs.h"
#include "store/writer.h"
#include "task/task.h"

#define MAX_AT_ONCE 256
#define GROUP 32 /* outputs that are packed together, about */
#define SHORT_NS (10 * DTX_MSEC_NS)

/* Where the results of an attempt go, from its start until they are there. */
struct place {
    struct place *next;
    uint32_t task, attempt;
    bool slot_mark;
    char *path;
};

/* A command the spawner had no room for yet. */
struct held {
    struct held *next;
    struct place *place; /* or NULL */
    uint32_t task, attempt, cpus, index, traffic;
    bool slot_mark, limited, heavy;
    int64_t timeout_ns;
    size_t len;
    const char *command, *cwd, *env, *name; /* in 'text' */
    char text[];
};

struct dtx_exec {
    struct dtx_spawner *spawner;
    const struct dtx_machine *machine; /* NULL: tasks get no devices */
    struct dtx_writer *packer;
    struct dtx_lines *lines; /* or NULL */
    struct held *first, **last;
    struct place *places; /* of what runs or is packed: a few for each slot */
    struct dtx_outcome *ended; /* a ring */
    size_t at, len, cap;
    uint64_t open;    /* handed to the spawner and not ended */
    uint64_t packing; /* handed to the packer and not come back */
    bool pack_all;
    int error;
    char text[512]; /* about it */
};

/* ---- places of results ---- */

static void free_place(struct place *p)
{
    if (p)
        free(p->path);
    free(p);
}

static void free_held(struct held *h)
{
    free_place(h->place);
    free(h);
}

static struct place *make_place(const struct dtx_item_work *w)
{
    struct place *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->task = w->task;
    p->attempt = w->attempt;
    p->slot_mark = (w->flags & DTX_WORK_RESULTS_SLOT) != 0;
    p->path = strndup(w->results.data, w->results.len);
    if (p->path)
        return p;
    free_place(p);
    return NULL;
}

static struct place **find_place(struct dtx_exec *x, uint32_t task,
                                 uint32_t attempt)
{
    struct place **p = &x->places;

    while (*p && ((*p)->task != task || (*p)->attempt != attempt))
        p = &(*p)->next;
    return p;
}

static void drop_place(struct dtx_exec *x, uint32_t task, uint32_t attempt)
{
    struct place **at = find_place(x, task, attempt), *p = *at;

    if (p)
        *at = p->next;
    free_place(p);
}

/* Where what has run in a slot goes: DTX_OK, and NULL when nowhere. */
static int place_of(struct dtx_exec *x, const struct dtx_outcome *o,
                    const char **path)
{
    struct place *p = *find_place(x, o->task, o->attempt);
    struct dtx_buf b = DTX_BUF_INIT;

    *path = p ? p->path : NULL;
    if (!p)
        return x->pack_all ? DTX_ELIMIT : DTX_OK;
    if (!p->slot_mark)
        return DTX_OK;
    dtx_command_with_slot(&b, p->path, strlen(p->path), o->slot);
    if (b.failed) {
        dtx_buf_free(&b);
        return DTX_ENOMEM;
    }
    free(p->path);
    *path = p->path = b.data;
    p->slot_mark = false;
    return DTX_OK;
}

/* ---- life ---- */

struct dtx_exec *dtx_exec_create(struct dtx_spawner *s,
                                 struct dtx_writer *packer)
{
    struct dtx_exec *x = calloc(1, sizeof(*x));

    if (x) {
        x->spawner = s;
        x->packer = packer;
        x->last = &x->first;
    }
    return x;
}

void dtx_exec_destroy(struct dtx_exec *x)
{
    if (!x)
        return;
    while (x->first) {
        struct held *h = x->first;

        x->first = h->next;
        free_held(h);
    }
    while (x->places) {
        struct place *p = x->places;

        x->places = p->next;
        free_place(p);
    }
    free(x->ended);
    free(x);
}

void dtx_exec_pack_all(struct dtx_exec *x)
{
    x->pack_all = true;
}

void dtx_exec_devices(struct dtx_exec *x, const struct dtx_machine *m)
{
    x->machine = m;
}

void dtx_exec_tell(struct dtx_exec *x, struct dtx_lines *lines)
{
    x->lines = lines;
}

/* ---- ends ---- */

static void push(struct dtx_exec *x, const struct dtx_outcome *o)
{
    if (x->len == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 64, i;
        struct dtx_outcome *p = malloc(cap * sizeof(*p));

        if (!p) {
            if (!x->error)
                (void)snprintf(x->text, sizeof(x->text), "out of memory");
            x->error = DTX_ENOMEM;
            return;
        }
        for (i = 0; i < x->len; i++)
            p[i] = x->ended[(x->at + i) % x->cap];
        free(x->ended);
        x->ended = p;
        x->cap = cap;
        x->at = 0;
    }
    x->ended[(x->at + x->len++) % x->cap] = *o;
}

bool dtx_exec_next(struct dtx_exec *x, struct dtx_outcome *out)
{
    if (x->len == 0)
        return false;
    *out = x->ended[x->at];
    x->at = (x->at + 1) % x->cap;
    x->len--;
    return true;
}

/* An attempt that never started. */
static void push_unstarted(struct dtx_exec *x, uint32_t task, uint32_t attempt,
                           enum dtx_status status, int exit_code)
{
    struct dtx_outcome o;

    memset(&o, 0, sizeof(o));
    o.task = task;
    o.attempt = attempt;
    o.status = (uint8_t)status;
    o.exit_code = exit_code;
    o.start_ns = dtx_clock_wall_ns();
    push(x, &o);
}

/* ---- running ---- */

/* Copy a text to '*p' with a NUL behind, and go on there; NULL for none. */
static const char *put_text(char **p, struct dtx_str s)
{
    char *begin = *p;

    if (s.len > 0)
        memcpy(begin, s.data, s.len);
    begin[s.len] = '\0';
    *p = begin + s.len + 1;
    return s.len ? begin : NULL;
}

static struct held *hold(const struct dtx_item_work *w, struct dtx_str env)
{
    struct held *h = malloc(sizeof(*h) + w->command.len + w->cwd.len +
                            env.len + w->name.len + 4);
    char *p;

    if (!h)
        return NULL;
    h->place = w->results.len > 0 ? make_place(w) : NULL;
    if (w->results.len > 0 && !h->place) {
        free(h);
        return NULL;
    }
    h->next = NULL;
    h->task = w->task;
    h->attempt = w->attempt;
    h->cpus = w->cpus;
    h->index = w->index;
    h->slot_mark = (w->flags & DTX_ATTR_SLOT) != 0;
    h->limited = (w->flags & DTX_WORK_LIMITED) != 0;
    h->traffic = w->traffic;
    h->heavy = (w->flags & DTX_WORK_HEAVY) != 0;
    h->timeout_ns = w->timeout_ns;
    h->len = w->command.len;
    p = h->text;
    h->command = p;
    (void)put_text(&p, w->command);
    h->cwd = put_text(&p, w->cwd);
    h->env = put_text(&p, env);
    h->name = put_text(&p, w->name);
    return h;
}

/* Hold it with its own variables and those that name its devices. */
static struct held *hold_with_devices(struct dtx_exec *x,
                                      const struct dtx_item_work *w)
{
    struct dtx_buf env = DTX_BUF_INIT;
    struct held *h = NULL;

    if (!x->machine || w->gpus == 0)
        return hold(w, w->env);
    dtx_buf_append(&env, w->env.data, w->env.len);
    dtx_needs_variables(x->machine, w->gpus, &env);
    if (!env.failed)
        h = hold(w, (struct dtx_str){env.data, env.len});
    dtx_buf_free(&env);
    return h;
}

static int hand_over(struct dtx_exec *x, struct held *h)
{
    struct dtx_spawn_request r = {.task = h->task,
                                  .attempt = h->attempt,
                                  .cpus = h->cpus,
                                  .index = h->index,
                                  .slot_mark = h->slot_mark,
                                  .limited = h->limited,
                                  .traffic = h->traffic,
                                  .heavy = h->heavy,
                                  .timeout_ns = h->timeout_ns,
                                  .command = h->command,
                                  .len = h->len,
                                  .cwd = h->cwd,
                                  .env = h->env,
                                  .name = h->name};
    int rc = dtx_spawner_run(x->spawner, &r);

    x->open += rc == DTX_OK;
    if (rc == DTX_OK && h->place) {
        h->place->next = x->places;
        x->places = h->place;
        h->place = NULL;
    }
    if (rc != DTX_OK && rc != DTX_EAGAIN)
        push_unstarted(x, h->task, h->attempt, DTX_STATUS_FAILED, 126);
    return rc;
}

/* Hand over what was held, in order, until the spawner is full. */
static bool hand_over_held(struct dtx_exec *x)
{
    bool moved = false;

    while (x->first && hand_over(x, x->first) != DTX_EAGAIN) {
        struct held *h = x->first;

        x->first = h->next;
        if (!x->first)
            x->last = &x->first;
        free_held(h);
        moved = true;
    }
    return moved;
}

int dtx_exec_run(struct dtx_exec *x, const struct dtx_item_work *item)
{
    struct held *h;

    if (x->error) {
        push_unstarted(x, item->task, item->attempt, DTX_STATUS_KILLED, 0);
        return DTX_OK;
    }
    h = hold_with_devices(x, item);
    if (!h)
        return DTX_ENOMEM;
    *x->last = h;
    x->last = &h->next;
    (void)hand_over_held(x);
    return DTX_OK;
}

static bool drop_held(struct dtx_exec *x, uint32_t task, uint32_t attempt)
{
    struct held **p = &x->first, *h;

    while (*p && ((*p)->task != task || (*p)->attempt != attempt))
        p = &(*p)->next;
    h = *p;
    if (!h)
        return false;
    *p = h->next;
    if (x->last == &h->next)
        x->last = p;
    free_held(h);
    return true;
}

bool dtx_exec_recall(struct dtx_exec *x, uint32_t task, uint32_t attempt)
{
    if (drop_held(x, task, attempt))
        return true;
    if (!dtx_spawner_recall(x->spawner, task, attempt))
        return false;
    drop_place(x, task, attempt);
    x->open -= x->open > 0;
    return true;
}

void dtx_exec_kill(struct dtx_exec *x, uint32_t task, uint32_t attempt)
{
    if (drop_held(x, task, attempt))
        push_unstarted(x, task, attempt, DTX_STATUS_KILLED, 0);
    else
        dtx_spawner_kill(x->spawner, task, attempt);
}

/* ---- trouble ---- */

static void drop_all_held(struct dtx_exec *x)
{
    while (x->first) {
        struct held *h = x->first;

        x->first = h->next;
        push_unstarted(x, h->task, h->attempt, DTX_STATUS_KILLED, 0);
        free_held(h);
    }
    x->last = &x->first;
}

/* Remember what went wrong first; nothing more is started. */
static void note_error(struct dtx_exec *x, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void note_error(struct dtx_exec *x, int error, const char *fmt, ...)
{
    va_list args;

    if (x->error)
        return;
    x->error = error;
    va_start(args, fmt);
    (void)vsnprintf(x->text, sizeof(x->text), fmt, args);
    va_end(args);
    drop_all_held(x);
    dtx_spawner_drop_waiting(x->spawner);
}

/* ---- results ---- */

static void output_lost(struct dtx_exec *x, struct dtx_outcome *o, int error)
{
    note_error(x, error,
               "outputs of tasks cannot be kept in out/ of the run "
               "directory%s: %s",
               x->pack_all ? " or below the directory of --results" : "",
               dtx_strerror(error));
    o->status = DTX_STATUS_KILLED;
    o->out_len = o->err_len = 0;
    push(x, o);
}

/* Where its streams really began; a task can empty its files. */
static void tell_lines(const struct dtx_exec *x, const struct dtx_pack *p)
{
    const int64_t start[2] = {p->out_start, p->err_start};

    if (x->lines && p->capture >= 0)
        dtx_lines_end(x->lines, p->outcome.task, p->outcome.attempt, start);
}

static void take_result(struct dtx_exec *x, struct dtx_spawn_result *r)
{
    struct dtx_pack p;
    int rc;

    x->open -= x->open > 0;
    if (r->error)
        note_error(x, r->error,
                   "outputs of tasks cannot gather in %s: %s; "
                   "--tmp-dir names another place",
                   dtx_spawner_dir(x->spawner), dtx_strerror(r->error));
    if (r->capture < 0 && !x->pack_all) {
        push(x, &r->outcome);
        return;
    }
    memset(&p, 0, sizeof(p));
    p.outcome = r->outcome;
    p.capture = r->capture;
    /* where short tasks follow each other their outputs go in groups */
    p.lazy = x->open > 1 && r->outcome.wall_ns < SHORT_NS &&
             r->outcome.status == DTX_STATUS_OK && x->packing < GROUP;
    p.out_fd = p.err_fd = -1;
    rc = r->capture < 0
             ? DTX_OK
             : dtx_spawner_capture_fds(x->spawner, r->capture, &p.out_fd,
                                       &p.out_start, &p.err_fd, &p.err_start);
    if (rc == DTX_OK)
        tell_lines(x, &p);
    if (rc == DTX_OK)
        rc = place_of(x, &r->outcome, &p.results);
    if (rc == DTX_OK)
        rc = dtx_writer_pack(x->packer, &p);
    x->packing += rc == DTX_OK;
    if (rc) {
        if (r->capture >= 0)
            dtx_spawner_release(x->spawner, r->capture);
        drop_place(x, r->outcome.task, r->outcome.attempt);
        output_lost(x, &r->outcome, rc);
    }
}

static void take_packed(struct dtx_exec *x, const struct dtx_pack *p)
{
    struct dtx_outcome o = p->outcome;

    x->packing--;
    if (p->capture >= 0)
        dtx_spawner_release(x->spawner, p->capture);
    drop_place(x, o.task, o.attempt);
    if (p->error)
        output_lost(x, &o, p->error);
    else
        push(x, &o);
}

bool dtx_exec_pump(struct dtx_exec *x)
{
    struct dtx_spawn_result r;
    struct dtx_writer_result w;
    bool moved = false;
    int i;

    for (i = 0; i < MAX_AT_ONCE && dtx_spawner_poll(x->spawner, &r); i++) {
        take_result(x, &r);
        moved = true;
    }
    for (i = 0; i < MAX_AT_ONCE && dtx_writer_poll(x->packer, &w); i++) {
        if (w.kind == DTX_WRITER_PACKED)
            take_packed(x, &w.pack);
        moved = true;
    }
    return hand_over_held(x) || moved;
}

int dtx_exec_error(const struct dtx_exec *x)
{
    return x->error;
}

const char *dtx_exec_error_text(const struct dtx_exec *x)
{
    return x->text;
}
