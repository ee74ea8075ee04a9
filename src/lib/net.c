/* SPDX-License-Identifier: MIT */
/* Frames and bells; see net.h.  It decides how long one may sleep, never what
 * is sent. */
#include "lib/net.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "node/bell.h"
#include "node/clock.h"
#include "node/cores.h"
#include "node/tether.h"
#include "run/place.h"
#include "wire/wire.h"

#define LONGEST_NAP_NS INT64_C(50000000)
#define BUSY_NAP_NS INT64_C(20000) /* while a message is on its way */
#define WATCH_NS INT64_C(20000000) /* between two looks who lives */
#define CLOSE_LOST_NS INT64_C(2000000000)
#define CLOSE_GRACE_NS INT64_C(30000000000)

/* What each rank tells of itself: a card, its weight, and how many slots its
 * node is to have (0: its cores). */
struct calling {
    struct dtx_card card;
    double weight;
    uint32_t jobs;
};

/* Ranks of other nodes than rank 0's are tied to it. All of them take part, or
 * none. */
static int tie(struct dtx_net *n, const struct dtx_net_options *o,
               const struct calling *all)
{
    struct dtx_tether_call call;
    bool apart = false;
    uint32_t r;
    int rc;

    for (r = 1; r < n->size; r++)
        apart |= !dtx_card_same_node(&all[r].card, &all[0].card);
    if (!apart)
        return DTX_OK;
    memset(&call, 0, sizeof(call));
    if (n->rank == 0 && o->lost_after_ns > 0)
        n->tethers = dtx_tethers_listen(n->size, o->lost_after_ns, false,
                                        &call);
    rc = dtx_transport_bcast(n->transport, &call, sizeof(call));
    if (rc == DTX_OK && o->lost_after_ns > 0 &&
        !dtx_card_same_node(&all[n->rank].card, &all[0].card))
        n->tethers = dtx_tethers_connect(&call, n->rank, o->lost_after_ns);
    return rc;
}

/* The slots' processing units, in the order of the share's cores. Nobody is
 * bound when ranks share cores, or slots do. */
static int choose_pus(struct dtx_net *n, const struct dtx_cores *cores,
                      const struct dtx_share *s)
{
    uint32_t i;

    if (!cores->real || s->nslots > s->ncores || s->job_slots > s->job_cores)
        return DTX_OK;
    n->pu = calloc(s->nslots, sizeof(*n->pu));
    if (!n->pu)
        return DTX_ENOMEM;
    for (i = 0; i < s->nslots; i++)
        n->pu[i] = cores->pus[cores->core[s->first_core + i].first_pu];
    return DTX_OK;
}

static struct dtx_jobs jobs_of(const struct calling *c)
{
    return (struct dtx_jobs){.how = c->jobs ? DTX_JOBS_COUNT : DTX_JOBS_CORES,
                             .n = c->jobs < INT32_MAX ? (int32_t)c->jobs
                                                      : INT32_MAX};
}

/* The ranks of a node divide one number of slots. */
static int check_jobs(const struct dtx_net *n, const struct calling *all,
                      struct dtx_error *err)
{
    const struct calling *mine = &all[n->rank];
    uint32_t r;

    for (r = 0; r < n->size; r++) {
        if (all[r].jobs == mine->jobs ||
            !dtx_card_same_node(&all[r].card, &mine->card))
            continue;
        return dtx_error_set(err, DTX_EMISMATCH,
                             "slots=%u (0: not given) is not what rank %u of "
                             "the same node has: %u", mine->jobs, r,
                             all[r].jobs);
    }
    return DTX_OK;
}

static int take_cards(struct dtx_net *n, const struct dtx_net_options *o,
                      const struct calling *all, const struct dtx_cores *cores)
{
    struct dtx_card *card = calloc(n->size, sizeof(*card));
    uint32_t r;
    int rc = card ? DTX_OK : DTX_ENOMEM;

    for (r = 0; r < n->size && rc == DTX_OK; r++)
        card[r] = all[r].card;
    for (r = 0; r < n->size && rc == DTX_OK; r++) {
        const struct dtx_jobs jobs = jobs_of(&all[r]);
        struct dtx_share s;

        rc = dtx_share_of(card, n->size, r, &jobs, &s);
        n->slots[r] = n->threads ? s.nslots : 1;
        n->weight[r] = all[r].weight;
        if (rc == DTX_OK && r == n->rank)
            rc = choose_pus(n, cores, &s);
        if (r == n->rank)
            continue;
        if ((n->rank == 0 || r == 0) &&
            dtx_card_same_node(&card[r], &card[n->rank]))
            dtx_peer_watch(&n->watched[r], card[r].bell.pid, false);
        if (o->bells && dtx_card_same_node(&card[r], &card[n->rank]))
            n->peer[r] = dtx_bell_open(&card[r].bell);
        n->far |= !n->peer[r];
    }
    free(card);
    return rc;
}

/* Each step is made by all ranks or by none: who cannot says so first. */
static int exchange(struct dtx_net *n, const struct dtx_net_options *o,
                    double weight, const struct dtx_cores *cores,
                    struct calling *all, struct dtx_error *err)
{
    struct calling *mine = &all[n->size];
    int rc;

    dtx_card_fill(&mine->card, cores, n->bell);
    mine->weight = weight;
    mine->jobs = o->jobs;
    rc = dtx_transport_allgather(n->transport, mine, sizeof(*mine), all);
    if (rc == DTX_OK)
        rc = check_jobs(n, all, err);
    if (rc == DTX_OK)
        rc = take_cards(n, o, all, cores);
    if (rc < 0 && err->code == DTX_OK)
        (void)dtx_error_set(err, rc, "cannot meet the other ranks: %s",
                            dtx_strerror(rc));
    rc = dtx_transport_agree(n->transport, err);
    if (rc == DTX_OK)
        rc = tie(n, o, all);
    return rc < 0 && err->code == DTX_OK
               ? dtx_error_set(err, rc, "cannot tie the ranks: %s",
                               dtx_strerror(rc))
               : rc;
}

static int meet(struct dtx_net *n, const struct dtx_net_options *o,
                double weight, struct dtx_error *err)
{
    struct calling *all = calloc((size_t)n->size + 1, sizeof(*all));
    struct dtx_error why = {0};
    struct dtx_cores cores;
    bool known = dtx_cores_detect(&cores, &why) == DTX_OK;
    int rc;

    if (!known && err->code == DTX_OK)
        *err = why;
    if (!all && err->code == DTX_OK)
        (void)dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = dtx_transport_agree(n->transport, err);
    if (rc == DTX_OK)
        rc = exchange(n, o, weight, &cores, all, err);
    if (known)
        dtx_cores_free(&cores);
    free(all);
    return rc;
}

static void free_parts(struct dtx_net *n)
{
    uint32_t r;

    for (r = 0; n->peer && r < n->size; r++)
        dtx_bell_destroy(n->peer[r]);
    for (r = 0; n->watched && r < n->size; r++)
        dtx_peer_forget(&n->watched[r]);
    dtx_tethers_close(n->tethers);
    dtx_bell_destroy(n->bell);
    dtx_buf_free(&n->self);
    free(n->peer);
    free(n->watched);
    free(n->lost);
    free(n->slots);
    free(n->weight);
    free(n->pu);
    memset(n, 0, sizeof(*n));
}

static bool make_parts(struct dtx_net *n)
{
    uint32_t r;

    n->peer = calloc(n->size, sizeof(struct dtx_bell *));
    n->slots = calloc(n->size, sizeof(*n->slots));
    n->weight = calloc(n->size, sizeof(*n->weight));
    n->lost = calloc(n->size, sizeof(*n->lost));
    n->watched = calloc(n->size, sizeof(*n->watched));
    for (r = 0; n->watched && r < n->size; r++)
        n->watched[r] = (struct dtx_peer)DTX_PEER_NONE;
    return n->peer && n->slots && n->weight && n->lost && n->watched;
}

int dtx_net_open(struct dtx_net *n, const struct dtx_net_options *o,
                 double weight, struct dtx_error *err)
{
    struct dtx_error why = {0};
    int rc;

    memset(n, 0, sizeof(*n));
    rc = dtx_transport_open_on(&n->transport, o->comm, o->comm_size,
                               &n->threads, &why);
    if (rc < 0 && err->code == DTX_OK)
        *err = why;
    if (rc < 0)
        return err->code;
    n->rank = (uint32_t)dtx_transport_rank(n->transport);
    n->size = (uint32_t)dtx_transport_size(n->transport);
    n->nap_ns = o->nap_ns;
    n->bell = dtx_bell_create(&why);
    if (!n->bell && err->code == DTX_OK)
        *err = why;
    if (!make_parts(n) && err->code == DTX_OK)
        (void)dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = meet(n, o, weight, err);
    if (rc < 0) { /* on all ranks */
        (void)dtx_transport_close(n->transport, true, CLOSE_GRACE_NS);
        free_parts(n);
    }
    return rc;
}

static bool any_lost(const struct dtx_net *n)
{
    uint32_t r;

    for (r = 0; r < n->size; r++) {
        if (n->lost[r])
            return true;
    }
    return false;
}

/* BYE, with 1 as its epoch when a rank is lost. */
static void say_bye(struct dtx_net *n, uint32_t to)
{
    struct dtx_msg m = {.kind = DTX_MSG_BYE, .epoch = any_lost(n)};
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_msg_encode(&b, &m);
    if (!b.failed)
        (void)dtx_net_send(n, to, DTX_CHANNEL_FRAMES, b.data, b.len);
    dtx_buf_free(&b);
}

/* One more BYE: true, and whether its rank knows of a loss; other frames are
 * thrown away. */
static bool hear_bye(struct dtx_net *n, bool *lost)
{
    struct dtx_buf b = DTX_BUF_INIT;
    enum dtx_channel c;
    struct dtx_msg m;
    bool bye = false;
    int from = 0;

    while (!bye && dtx_net_recv(n, &c, &from, &b) > 0) {
        bye = !dtx_msg_decode(b.data, b.len, &m) && m.kind == DTX_MSG_BYE &&
              !n->lost[from];
        if (bye)
            *lost = m.epoch != 0;
        dtx_buf_clear(&b);
    }
    dtx_buf_free(&b);
    return bye;
}

static uint32_t count_others(const struct dtx_net *n)
{
    uint32_t r, count = 0;

    for (r = 1; r < n->size; r++)
        count += !n->lost[r];
    return n->rank == 0 ? count : 1;
}

/* Come together once more, so that all know alike whether a rank is lost: a
 * barrier with a dead one never ends. */
static bool part(struct dtx_net *n)
{
    int64_t until = dtx_clock_mono_ns() + CLOSE_GRACE_NS;
    bool lost = false;
    uint32_t heard = n->byes, r;
    int dead;

    if (n->rank != 0 && !n->lost[0])
        say_bye(n, 0);
    while (heard < count_others(n) && !n->lost[0] &&
           dtx_clock_mono_ns() < until) {
        uint32_t seen = dtx_net_seen(n);

        if (hear_bye(n, &lost))
            heard++;
        else
            dtx_net_wait(n, seen, WATCH_NS);
        dead = dtx_net_died(n);
        if (dead >= 0)
            dtx_net_lose(n, (uint32_t)dead);
    }
    for (r = 1; n->rank == 0 && r < n->size; r++)
        say_bye(n, r);
    return n->rank == 0 ? any_lost(n) : lost || n->lost[0];
}

int dtx_net_close(struct dtx_net *n)
{
    bool lost = n->size > 1 && part(n), down;

    down = dtx_transport_close(n->transport, !lost,
                               lost ? CLOSE_LOST_NS : CLOSE_GRACE_NS);
    free_parts(n);
    return lost ? DTX_ELOST : down ? DTX_OK : DTX_EMPI;
}

int dtx_net_died(struct dtx_net *n)
{
    int64_t now = dtx_clock_mono_ns();
    uint32_t r, end = n->rank == 0 ? n->size : 1;
    int rank;

    if (n->size == 1 || now - n->watched_at < WATCH_NS)
        return -1;
    for (r = 0; r < end; r++) {
        if (!n->lost[r] && n->watched[r].pid &&
            dtx_peer_died(&n->watched[r]))
            return (int)r;
    }
    rank = n->tethers ? dtx_tethers_gone(n->tethers) : -1;
    if (rank < 0)
        rank = dtx_transport_died(n->transport);
    if (rank >= 0 && !n->lost[rank])
        return rank;
    n->watched_at = now;
    return -1;
}

void dtx_net_lose(struct dtx_net *n, uint32_t rank)
{
    if (rank >= n->size || n->lost[rank])
        return;
    n->lost[rank] = true;
    dtx_transport_lose(n->transport, (int)rank);
    dtx_bell_destroy(n->peer[rank]);
    n->peer[rank] = NULL;
}

int dtx_net_send(struct dtx_net *n, uint32_t to, enum dtx_channel c,
                 const void *frame, size_t len)
{
    int rc;

    if (to == n->rank) {
        dtx_buf_append(&n->self, &len, sizeof(len));
        dtx_buf_append(&n->self, frame, len);
        return n->self.failed ? DTX_ENOMEM : DTX_OK;
    }
    rc = dtx_transport_send(n->transport, c, (int)to, frame, len);
    if (n->peer[to])
        dtx_bell_ring(n->peer[to]);
    return rc;
}

/* The next frame to oneself. */
static int recv_self(struct dtx_net *n, struct dtx_buf *out)
{
    size_t len;

    memcpy(&len, n->self.data + n->self_at, sizeof(len));
    n->self_at += sizeof(len);
    dtx_buf_append(out, n->self.data + n->self_at, len);
    n->self_at += len;
    if (n->self_at == n->self.len) {
        dtx_buf_clear(&n->self);
        n->self_at = 0;
    }
    return out->failed ? DTX_ENOMEM : 1;
}

int dtx_net_recv(struct dtx_net *n, enum dtx_channel *c, int *from,
                 struct dtx_buf *out)
{
    if (n->self_at < n->self.len) {
        *from = (int)n->rank;
        *c = DTX_CHANNEL_FRAMES;
        return recv_self(n, out);
    }
    return n->size == 1 ? 0 : dtx_transport_recv(n->transport, c, from, out);
}

uint32_t dtx_net_seen(const struct dtx_net *n)
{
    return dtx_bell_seen(n->bell);
}

void dtx_net_wait(struct dtx_net *n, uint32_t seen, int64_t nap_ns)
{
    if (nap_ns > LONGEST_NAP_NS)
        nap_ns = LONGEST_NAP_NS;
    if (n->far && nap_ns > n->nap_ns)
        nap_ns = n->nap_ns;
    if (n->self_at < n->self.len)
        return;
    if (n->size > 1 && !dtx_transport_quiet(n->transport) &&
        nap_ns > BUSY_NAP_NS)
        nap_ns = BUSY_NAP_NS;
    dtx_bell_wait(n->bell, seen, nap_ns);
}

void dtx_net_ring(struct dtx_net *n)
{
    dtx_bell_ring(n->bell);
}
