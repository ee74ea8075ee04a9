/* SPDX-License-Identifier: MIT */
/* What is kept from run to run, and which profile a loop begins with; see
 * learned.h.  It never writes over a file that it does not know. */
#include "lib/learned.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/clock.h"
#include "predict/calls.h"
#include "sched/recall.h"
#include "store/kernels.h"

#define NOW_AND_THEN_NS (60 * INT64_C(1000000000))
#define HINTED_NS 1000 /* of an iteration, on the average, if only hints tell */

/* --- the file ------------------------------------------------------------- */

static void note(struct dtx_session *s, const struct dtx_error *why)
{
    s->learned.code = why->code;
}

static int on_loop(void *ctx, const struct dtx_kernels_loop *l)
{
    struct dtx_session *s = ctx;
    struct dtx_loop_name n = {l->kernel, l->begin, l->end, l->x, l->nx};
    struct dtx_profile *p = malloc(sizeof(*p));
    int rc = DTX_OK;

    if (!p)
        return DTX_ENOMEM;
    dtx_profile_init(p, l->total);
    if (!dtx_profile_decode(p, l->ns) || dtx_profile_sum(p) == 0)
        s->learned.left_out++;
    else if (!dtx_recall_load(s->recall, &n, p))
        rc = DTX_ENOMEM;
    free(p);
    return rc;
}

static int on_took(void *ctx, const struct dtx_kernels_took *t)
{
    struct dtx_session *s = ctx;
    struct dtx_kernel_call c = {t->kernel, t->bytes, t->hint, t->x, t->nx};

    if (!s->calls) /* not rank 0, or predict=no */
        return DTX_OK;
    s->learned.outcomes++;
    return dtx_calls_learn(s->calls, &c, (double)t->ns * 1e-9);
}

/* From where the program is now, wherever it goes. */
static bool make_absolute(char path[DTX_MAX_PATH])
{
    char cwd[DTX_MAX_PATH];
    size_t n, len = strlen(path);

    if (path[0] == '/')
        return true;
    if (!getcwd(cwd, sizeof(cwd)))
        return false;
    n = strlen(cwd);
    if (n + len + 2 > DTX_MAX_PATH)
        return false;
    memmove(path + n + 1, path, len + 1);
    memcpy(path, cwd, n);
    path[n] = '/';
    return true;
}

/* Where nothing can be written in the end it is told now. */
static int check_folder(const char *path, struct dtx_error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[DTX_MAX_PATH] = "/";
    struct stat st;

    if (slash > path)
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path),
                       path);
    if (stat(folder, &st) != 0)
        return dtx_error_errno(err, "learned=%s: its folder", path);
    return S_ISDIR(st.st_mode)
               ? DTX_OK
               : dtx_error_set(err, DTX_EINVAL, "learned=%s: %s is no folder",
                               path, folder);
}

/* Rank 0: the file's bytes; none when it is not there, or is foreign ('file'
 * says so). */
static int load(struct dtx_session *s, struct dtx_buf *b,
                struct dtx_error *file, struct dtx_error *err)
{
    struct dtx_kernels_reader nobody = {NULL, NULL, NULL};
    char *path = s->options.learned;
    int rc;

    if (!make_absolute(path))
        return dtx_error_set(err, DTX_ELIMIT, "learned=%.100s: the name is too "
                             "long", path);
    if (check_folder(path, err) < 0)
        return err->code;
    rc = dtx_kernels_load(path, b, file);
    if (rc == DTX_OK && b->len > 0)
        rc = dtx_kernels_parse(path, b->data, b->len, &nobody, NULL, file);
    if (rc == DTX_OK)
        return rc;
    dtx_buf_clear(b);
    if (rc == DTX_ENOENT) {
        memset(file, 0, sizeof(*file));
        return DTX_OK;
    }
    note(s, file);
    s->learned.foreign = true;
    return DTX_OK;
}

/* What rank 0 has read, on every rank. Each step is made by all or none. */
static int share(struct dtx_session *s, struct dtx_buf *b,
                 struct dtx_error *err)
{
    struct dtx_transport *t = s->net.transport;
    uint64_t bytes = b->len;
    int rc = dtx_transport_bcast(t, &bytes, sizeof(bytes));

    s->recall = dtx_recall_create();
    if (rc == DTX_OK && (!s->recall || !dtx_buf_reserve(b, bytes)))
        rc = DTX_ENOMEM;
    if (rc < 0)
        (void)dtx_error_set(err, rc, "learned=: %s", dtx_strerror(rc));
    rc = dtx_transport_agree(t, err);
    if (rc < 0 || bytes == 0)
        return rc;
    b->len = bytes;
    rc = dtx_transport_bcast(t, b->data, bytes);
    return rc < 0 ? dtx_error_set(err, rc, "learned=: %s", dtx_strerror(rc))
                  : rc;
}

/* What it says. */
static int learn(struct dtx_session *s, const struct dtx_buf *b,
                 struct dtx_error *file, struct dtx_error *err)
{
    struct dtx_kernels_reader r = {on_loop, on_took, s};
    uint64_t left_out = 0;
    struct dtx_error why = {0};
    int rc = b->len > 0 ? dtx_kernels_parse("learned=", b->data, b->len, &r,
                                            &left_out, &why)
                        : DTX_OK;

    s->learned.left_out += left_out;
    if (rc < 0)
        *err = why;
    if (rc == DTX_OK && s->learned.left_out > 0) {
        s->learned.code = DTX_ECORRUPT;
        (void)dtx_error_set(file, DTX_ECORRUPT, "%s: %llu damaged or senseless "
                            "parts were left out", s->options.learned,
                            (unsigned long long)s->learned.left_out);
    }
    s->learned.loops = dtx_recall_loops(s->recall);
    s->learned.saved_ns = dtx_clock_mono_ns();
    return dtx_transport_agree(s->net.transport, err);
}

int dtx_learned_open(struct dtx_session *s, struct dtx_error *file,
                     struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    uint8_t wanted = s->options.learned[0] != '\0'; /* rank 0 says */
    int rc;

    if (s->net.rank == 0 && wanted)
        (void)load(s, &b, file, err);
    rc = dtx_transport_agree(s->net.transport, err);
    if (rc == DTX_OK)
        rc = dtx_transport_bcast(s->net.transport, &wanted, sizeof(wanted));
    if (rc == DTX_OK && wanted)
        rc = share(s, &b, err);
    if (rc == DTX_OK && wanted)
        rc = learn(s, &b, file, err);
    dtx_buf_free(&b);
    return rc;
}

/* --- writing -------------------------------------------------------------- */

static int put_loop(void *ctx, const struct dtx_loop_name *n,
                    const struct dtx_profile *p)
{
    struct dtx_buf ns = DTX_BUF_INIT, *b = ctx;

    dtx_profile_encode(&ns, p);
    b->failed |= ns.failed;
    if (!b->failed)
        dtx_kernels_put_loop(b, n->kernel, n->begin, n->end, p->total, n->x,
                             n->nx, (struct dtx_str){ns.data, ns.len});
    dtx_buf_free(&ns);
    return 0;
}

static int put_took(void *ctx, const struct dtx_kernel_call *c, double seconds)
{
    dtx_kernels_put_took(ctx, c->kernel, c->bytes, c->hint, c->x, c->nx,
                         (uint64_t)(seconds * 1e9) + 1);
    return 0;
}

int dtx_learned_save(struct dtx_session *s, bool end, struct dtx_error *err)
{
    uint64_t turn = s->learned.sweeps +
                    (s->calls ? dtx_calls_outcomes(s->calls) : 0);
    struct dtx_buf b = DTX_BUF_INIT;
    int64_t now = dtx_clock_mono_ns();
    int rc;

    if (!s->recall || s->net.rank != 0 || s->learned.foreign ||
        (!end && now - s->learned.saved_ns < NOW_AND_THEN_NS) ||
        turn == s->learned.saved_turn + s->learned.outcomes)
        return DTX_OK;
    (void)dtx_recall_each(s->recall, put_loop, &b);
    if (s->calls)
        (void)dtx_calls_each(s->calls, put_took, &b);
    rc = dtx_kernels_write(s->options.learned, &b, err);
    dtx_buf_free(&b);
    s->learned.saved_ns = dtx_clock_mono_ns();
    s->learned.saved_turn = turn - s->learned.outcomes;
    if (rc < 0)
        note(s, err);
    return rc;
}

void dtx_learned_close(struct dtx_session *s)
{
    dtx_recall_destroy(s->recall);
    s->recall = NULL;
}

/* --- loops ---------------------------------------------------------------- */

static struct dtx_loop_name name_of(const struct dtx_region *g)
{
    return (struct dtx_loop_name){g->kernel->name, g->begin, g->end,
                                  g->work->x, g->work->nx};
}

/* What the program thinks. False: that makes no sense, or is the same for
 * all. */
static bool ask_program(const struct dtx_region *g, uint32_t total,
                        struct dtx_profile *p)
{
    const struct dtx_work *w = g->work;
    uint64_t n = g->end - g->begin;
    double *said = calloc(DTX_PROFILE_BUCKETS, sizeof(*said)), sum = 0;
    uint32_t b;

    dtx_profile_init(p, total);
    for (b = 0; said && b < p->buckets; b++) {
        uint64_t first = (uint64_t)((double)n * b / p->buckets);
        uint64_t last = (uint64_t)((double)n * (b + 1) / p->buckets);

        if (n < UINT32_MAX) { /* grains: buckets are as dtx_profile_init has
                                 them */
            first = n * b / p->buckets;
            last = n * (b + 1) / p->buckets;
        }
        said[b] = w->cost(w->cost_ctx, g->begin + first, g->begin + last);
        if (!isfinite(said[b]) || said[b] < 0)
            said[b] = 0;
        sum += said[b];
    }
    for (b = 0; said && b < p->buckets && sum > 0; b++)
        p->ns[b] = (uint64_t)(said[b] / sum * HINTED_NS * (double)total);
    free(said);
    return sum > 0 && dtx_profile_sum(p) > 0;
}

int dtx_learned_prior(struct dtx_region *g, uint32_t total, bool *guessed)
{
    const struct dtx_recall *own = g->work->recall, *all = g->session->recall;
    struct dtx_loop_name n = name_of(g);
    struct dtx_profile *p;
    bool exact = false, found;

    *guessed = false;
    if (!g->work->remembers || total == 0)
        return DTX_OK;
    p = malloc(sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    found = own && dtx_recall_find(own, &n, total, p, &exact) && exact;
    if (!found)
        found = all && dtx_recall_find(all, &n, total, p, &exact) && exact;
    if (!found && g->work->cost)
        found = *guessed = ask_program(g, total, p);
    if (!found)
        found = (own && dtx_recall_find(own, &n, total, p, NULL)) ||
                (all && dtx_recall_find(all, &n, total, p, NULL));
    if (found)
        g->prior = p;
    else
        free(p);
    return DTX_OK;
}

bool dtx_learned_sweep(const struct dtx_region *g, const struct dtx_profile *p)
{
    struct dtx_loop_name n = name_of(g);
    struct dtx_session *s = g->session;

    if (dtx_profile_sum(p) == 0)
        return true;
    s->learned.sweeps++;
    return (!g->work->recall || dtx_recall_keep(g->work->recall, &n, p)) &&
           (!s->recall || dtx_recall_keep(s->recall, &n, p));
}
