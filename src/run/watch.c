/* SPDX-License-Identifier: MIT */
/* Hears of dead ranks; see watch.h. */
#include "run/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "node/notice.h"
#include "node/peer.h"
#include "run/place.h"
#include "store/rundir.h"

/* A spawner that lives needs a few milliseconds for its word, more on a busy
 * machine: a task's processes are ended first. */
#define WORD_NS (1 * DTX_SEC_NS)
#define CAUSE_BYTES 64

struct watched {
    struct dtx_peer peer; /* nobody: on another node, or not to be watched */
    int64_t died_ns;      /* seen dead, the word has not come; 0 = no */
    bool told;            /* of its loss, or by the loop */
    char *cause;
};

struct dtx_watch {
    struct dtx_watch_config c;
    bool near;
    bool far_dead; /* MPI has told of one on another node */
    struct dtx_notice last; /* its list was lent out */
    struct watched row[];
};

struct dtx_watch *dtx_watch_create(const struct dtx_watch_config *c)
{
    struct dtx_watch *w =
        calloc(1, sizeof(*w) + c->size * sizeof(w->row[0]));
    uint32_t r;

    if (!w)
        return NULL;
    w->c = *c;
    for (r = 0; r < c->size; r++) {
        struct watched *x = &w->row[r];

        x->peer = (struct dtx_peer)DTX_PEER_NONE;
        if (r == c->rank || (c->rank != 0 && r != 0) ||
            !dtx_card_same_node(&c->cards[r], &c->cards[c->rank]))
            continue;
        dtx_peer_watch(&x->peer, c->cards[r].bell.pid, c->plain);
        w->near = true;
    }
    return w;
}

void dtx_watch_destroy(struct dtx_watch *w)
{
    uint32_t r;

    if (!w)
        return;
    for (r = 0; r < w->c.size; r++) {
        dtx_peer_forget(&w->row[r].peer);
        free(w->row[r].cause);
    }
    free(w->last.ran);
    free(w);
}

bool dtx_watch_is_near(const struct dtx_watch *w)
{
    return w->near;
}

static void set_cause(struct watched *x, const char *text)
{
    free(x->cause);
    x->cause = strdup(text);
}

/* The word of a rank's spawner: true when it is there. */
static bool read_word(struct dtx_watch *w, uint32_t rank)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc = DTX_ENOMEM;

    free(w->last.ran);
    memset(&w->last, 0, sizeof(w->last));
    w->last.status = -1;
    dtx_rundir_loss_path(&b, w->c.run_dir, w->c.epoch, rank);
    if (!b.failed)
        rc = dtx_notice_read(b.data, &w->last);
    dtx_buf_free(&b);
    return rc == DTX_OK;
}

static bool tell(struct dtx_watch *w, uint32_t rank, struct dtx_loss *l)
{
    struct watched *x = &w->row[rank];
    char cause[CAUSE_BYTES];

    if (x->told)
        return false;
    if (w->last.status < 0)
        w->last.status = dtx_peer_status(&x->peer);
    x->told = true;
    if (!x->cause)
        set_cause(x, dtx_notice_cause(&w->last, cause, sizeof(cause)));
    *l = (struct dtx_loss){rank, w->last.told, w->last.ran, w->last.nran};
    return true;
}

/* A near one: dead, and its word there or waited for long enough. */
static bool is_over(struct dtx_watch *w, uint32_t rank, int64_t now_ns)
{
    struct watched *x = &w->row[rank];

    if (x->told || (x->died_ns == 0 && !dtx_peer_died(&x->peer)))
        return false;
    if (x->died_ns == 0)
        x->died_ns = now_ns;
    /* who is rank 0's heir need not know what it ran */
    return w->c.rank != 0 || read_word(w, rank) ||
           now_ns - x->died_ns >= WORD_NS;
}

bool dtx_watch_next(struct dtx_watch *w, int64_t now_ns, struct dtx_loss *l)
{
    uint32_t r;

    for (r = 0; (w->near || w->far_dead) && r < w->c.size; r++) {
        if (is_over(w, r, now_ns) && tell(w, r, l))
            return true;
        if (w->c.rank != 0)
            break;
    }
    while (w->c.lease && dtx_rundir_next_loss(w->c.lease, &r)) {
        if (r < w->c.size && r != w->c.rank && read_word(w, r) &&
            tell(w, r, l))
            return true;
    }
    return false;
}

void dtx_watch_died(struct dtx_watch *w, uint32_t rank, int64_t now_ns)
{
    struct watched *x = &w->row[rank];

    if (x->died_ns == 0)
        x->died_ns = now_ns;
    w->far_dead |= x->peer.pid == 0;
}

void dtx_watch_expel(struct dtx_watch *w, uint32_t rank, const char *cause)
{
    struct watched *x = &w->row[rank];

    if (x->told)
        return;
    x->told = true;
    set_cause(x, cause);
    dtx_peer_kill(&x->peer);
}

const char *dtx_watch_cause(struct dtx_watch *w, uint32_t rank)
{
    const struct watched *x = &w->row[rank];

    if (!x->told)
        return NULL;
    return x->cause ? x->cause : "out of memory for why";
}
