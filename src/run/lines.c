/* SPDX-License-Identifier: MIT */
/* Reads the captures of tasks that run; see lines.h.  It shows nothing and
 * keeps no text: what it may not send yet is read again later. */
#include "run/lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/spawner.h"
#include "task/task.h"

#define ROUNDS 8 /* chunks of one stream at a look, where nobody reads them */

/* An attempt of which lines were sent: at most one for each slot. */
struct run {
    uint32_t task, attempt;
    uint64_t sent[2];
    int64_t start[2];
    bool off[2]; /* its file was emptied */
};

/* An outcome to be told once 'number' pieces have been heard. */
struct kept {
    struct kept *next;
    uint64_t number;
    struct dtx_outcome o;
};

struct dtx_lines {
    struct dtx_spawner *spawner;
    dtx_lines_send_f send;
    void *ctx;
    struct run *run;
    size_t nruns, cap;
    struct kept *first, **last;
    uint64_t sent, heard; /* pieces */
    uint64_t unwritten;   /* bytes, and the costs of their pieces */
    uint64_t window;      /* nothing is sent while 'unwritten' is not below */
    uint32_t turn;        /* who is looked at first */
    bool waits;           /* there was no room */
    char chunk[DTX_LINES_CHUNK];
};

struct dtx_lines *dtx_lines_create(struct dtx_spawner *s, uint32_t ranks)
{
    struct dtx_lines *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->spawner = s;
    l->window = DTX_LINES_ALL / (ranks ? ranks : 1);
    if (l->window > DTX_LINES_WINDOW)
        l->window = DTX_LINES_WINDOW;
    l->last = &l->first;
    return l;
}

void dtx_lines_destroy(struct dtx_lines *l)
{
    if (!l)
        return;
    while (l->first) {
        struct kept *k = l->first;

        l->first = k->next;
        free(k);
    }
    free(l->run);
    free(l);
}

void dtx_lines_to(struct dtx_lines *l, dtx_lines_send_f send, void *ctx)
{
    l->send = send;
    l->ctx = ctx;
}

/* ---- attempts ---- */

static struct run *find_run(const struct dtx_lines *l, uint32_t task,
                            uint32_t attempt)
{
    size_t i;

    for (i = 0; i < l->nruns; i++)
        if (l->run[i].task == task && l->run[i].attempt == attempt)
            return &l->run[i];
    return NULL;
}

/* NULL when out of memory. */
static struct run *add_run(struct dtx_lines *l, const struct dtx_spawn_view *v)
{
    struct run *r;

    if (l->nruns == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;

        r = realloc(l->run, cap * sizeof(*r));
        if (!r)
            return NULL;
        l->run = r;
        l->cap = cap;
    }
    r = &l->run[l->nruns++];
    memset(r, 0, sizeof(*r));
    r->task = v->task;
    r->attempt = v->attempt;
    r->start[0] = v->start[0];
    r->start[1] = v->start[1];
    return r;
}

/* ---- reading ---- */

static void send_piece(struct dtx_lines *l, const struct dtx_lines_piece *p)
{
    l->sent++;
    l->unwritten += p->len + DTX_LINES_COST;
    l->send(l->ctx, p);
}

/* How much of the chunk may go: the whole lines there is room for, or else one,
 * or all of it when it is full of one line. */
static size_t whole_lines(const struct dtx_lines *l, size_t len)
{
    uint64_t room = l->window - l->unwritten;
    const char *end = memrchr(l->chunk, '\n', len < room ? len : (size_t)room);

    if (!end)
        end = memchr(l->chunk, '\n', len);
    if (end)
        return (size_t)(end - l->chunk) + 1;
    return len == DTX_LINES_CHUNK ? len : 0;
}

/* Send the next lines of stream 'k'. False when there are none now. */
static bool send_lines(struct dtx_lines *l, const struct dtx_spawn_view *v,
                       int k)
{
    struct run *r = find_run(l, v->task, v->attempt);
    struct dtx_lines_piece p = {v->task, v->attempt, k, 0, l->chunk, 0};
    ssize_t n;

    if (r && r->off[k])
        return false;
    p.off = r ? r->sent[k] : 0;
    n = pread(v->fd[k], l->chunk, sizeof(l->chunk),
              v->start[k] + (int64_t)p.off);
    p.len = n > 0 ? whole_lines(l, (size_t)n) : 0;
    if (p.len == 0)
        return false;
    if (!dtx_spawner_holds(l->spawner, v, k)) {
        if (r)
            r->off[k] = true;
        return false;
    }
    if (!r && !(r = add_run(l, v)))
        return false;
    r->sent[k] += p.len;
    send_piece(l, &p);
    return true;
}

/* Both streams, a chunk of each in turn. */
static bool look_at(struct dtx_lines *l, const struct dtx_spawn_view *v)
{
    bool more[2] = {true, true}, moved = false;
    int round, k;

    for (round = 0; round < ROUNDS && (more[0] || more[1]); round++) {
        for (k = 0; k < 2; k++) {
            if (more[k] && l->unwritten >= l->window) {
                l->waits = true;
                return moved;
            }
            more[k] = more[k] && send_lines(l, v, k);
            moved |= more[k];
        }
    }
    return moved;
}

bool dtx_lines_poll(struct dtx_lines *l)
{
    struct dtx_spawn_view v;
    uint32_t n = 0, i;
    bool moved = false;

    l->waits = false;
    while (dtx_spawner_view(l->spawner, n, &v))
        n++;
    for (i = 0; i < n && !l->waits; i++) {
        uint32_t at = (l->turn + i) % n;

        if (!dtx_spawner_view(l->spawner, at, &v) || v.fd[0] < 0 ||
            v.fd[1] < 0 || v.task == DTX_NO_TASK)
            continue;
        moved |= look_at(l, &v);
        if (l->waits)
            l->turn = at; /* this one goes on when there is room */
    }
    if (!l->waits)
        l->turn = n ? (l->turn + 1) % n : 0;
    return moved;
}

bool dtx_lines_back(struct dtx_lines *l, uint32_t pieces, uint64_t bytes)
{
    l->heard += pieces;
    l->unwritten -= bytes < l->unwritten ? bytes : l->unwritten;
    return l->waits && l->unwritten <= l->window / 2;
}

/* ---- ends ---- */

void dtx_lines_end(struct dtx_lines *l, uint32_t task, uint32_t attempt,
                   const int64_t start[2])
{
    const struct run *r = find_run(l, task, attempt);
    struct dtx_lines_piece p = {task, attempt, 0, 0, NULL, 0};

    for (; r && p.stream < 2; p.stream++)
        if (r->sent[p.stream] > 0 && r->start[p.stream] != start[p.stream])
            send_piece(l, &p);
}

bool dtx_lines_hold(struct dtx_lines *l, const struct dtx_outcome *o)
{
    struct run *r = find_run(l, o->task, o->attempt);
    struct kept *k;

    if (!r)
        return false;
    *r = l->run[--l->nruns];
    k = l->heard < l->sent ? calloc(1, sizeof(*k)) : NULL;
    if (!k)
        return false; /* out of memory: something may be shown twice */
    k->number = l->sent;
    k->o = *o;
    *l->last = k;
    l->last = &k->next;
    return true;
}

bool dtx_lines_next(struct dtx_lines *l, struct dtx_outcome *out)
{
    struct kept *k = l->first;

    if (!k || k->number > l->heard)
        return false;
    *out = k->o;
    l->first = k->next;
    if (!l->first)
        l->last = &l->first;
    free(k);
    return true;
}
