/* SPDX-License-Identifier: MIT */
/* Frames over MPI point-to-point; see transport.h.  It decides how a frame is
 * copied, matched and put in order, and how much may be under way when
 * receiving; it never looks into a frame, never blocks outside open, allgather,
 * bcast and close, and never decides that a rank is dead.
 *
 * Sends: MPI_Isend of a copy; the requests are tested a few at a time.
 * Receives: MPI_Improbe per channel, MPI_Imrecv into an item, MPI_Test.  Items
 * wait in the order of matching, one list per channel, so that a small frame
 * never passes a large one of the same rank. */
#include "mpi/transport.h"

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "mpi/failed.h"

#define CHANNELS 2
#define SMALL_BYTES 4096u      /* items of this size are kept for reuse */
#define SMALL_KEPT 1024u       /* so many of them */
#define INBOX_ITEMS 64u        /* receives under way per channel */
#define INBOX_BYTES (16u << 20)
#define REAP_FEW 8u            /* sends tested in passing */
#define BULK_TURN 32u          /* every so many looks bulk comes first */
#define CLOSE_SPIN 1000        /* looks before close begins to nap */
#define CLOSE_NAP_NS 100000

struct item {
    struct item *next;
    MPI_Request request;
    uint64_t len;
    size_t cap;
    int from; /* or whereto */
    bool done;
    bool refused; /* longer than allowed: never received */
    bool dead;    /* it never comes; its rank is about to be lost */
    char data[];
};

struct inbox {
    struct item *head, **tail;
    size_t count;
    uint64_t bytes;
    uint64_t *stuck; /* per rank: the walk that met an unfinished item of it */
    uint64_t walk;
    MPI_Message held; /* matched, but there was no memory for it */
    int held_from;
    uint64_t held_len;
};

struct dtx_transport {
    MPI_Comm comm;
    int rank, size;
    bool own_init;
    struct item *spare; /* of SMALL_BYTES */
    size_t nspare;
    struct item **send; /* under way, in no order */
    size_t nsend, send_cap, send_at;
    struct inbox in[CHANNELS];
    unsigned turn;
    bool *lost; /* per rank */
    bool any_lost;
};

static const int tag_of[CHANNELS] = {
    [DTX_CHANNEL_FRAMES] = 1,
    [DTX_CHANNEL_BULK] = 2,
};

static int fail_mpi(struct dtx_error *err, const char *what, int rc)
{
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int len = 0;

    if (MPI_Error_string(rc, text, &len) != MPI_SUCCESS)
        (void)snprintf(text, sizeof(text), "error %d", rc);
    if (err)
        return dtx_error_set(err, DTX_EMPI, "mpi: %s: %s", what, text);
    dtx_log(DTX_LOG_ERROR, "mpi: %s: %s", what, text);
    return DTX_EMPI;
}

/* --- items ---------------------------------------------------------------- */

static struct item *take_item(struct dtx_transport *t, uint64_t len)
{
    size_t cap = len <= SMALL_BYTES ? SMALL_BYTES : (size_t)len;
    struct item *it = cap == SMALL_BYTES ? t->spare : NULL;

    if (it) {
        t->spare = it->next;
        t->nspare--;
    } else {
        it = malloc(sizeof(*it) + cap);
        if (!it)
            return NULL;
    }
    it->next = NULL;
    it->request = MPI_REQUEST_NULL;
    it->len = len;
    it->cap = cap;
    it->from = -1;
    it->done = it->refused = it->dead = false;
    return it;
}

static void give_item(struct dtx_transport *t, struct item *it)
{
    if (it->cap == SMALL_BYTES && t->nspare < SMALL_KEPT) {
        it->next = t->spare;
        t->spare = it;
        t->nspare++;
    } else {
        free(it);
    }
}

/* --- sending -------------------------------------------------------------- */

/* Test up to 'most' pending sends, beginning where the last call stopped, until
 * one is not over: a test that fails costs a round of MPI's progress. */
static void reap_sends(struct dtx_transport *t, size_t most)
{
    while (t->nsend > 0 && most-- > 0) {
        struct item *it;
        int done = 0, rc;

        if (t->send_at >= t->nsend)
            t->send_at = 0;
        it = t->send[t->send_at];
        rc = MPI_Test(&it->request, &done, MPI_STATUS_IGNORE);
        if (rc != MPI_SUCCESS && !dtx_mpi_is_loss(rc))
            (void)fail_mpi(NULL, "a send failed", rc);
        if (rc == MPI_SUCCESS && !done) {
            t->send_at++;
            return;
        }
        t->send[t->send_at] = t->send[--t->nsend];
        give_item(t, it);
    }
}

int dtx_transport_send(struct dtx_transport *t, enum dtx_channel c, int to,
                       const void *frame, size_t len)
{
    struct item *it, **grown;
    int rc, done = 0;

    if (len > DTX_MAX_FRAME)
        return DTX_ELIMIT;
    if (to < 0 || to >= t->size)
        return DTX_EINVAL;
    if (t->lost[to])
        return DTX_OK;
    grown = dtx_grow(t->send, &t->send_cap, t->nsend + 1, sizeof(*t->send));
    if (!grown)
        return DTX_ENOMEM;
    t->send = grown;
    it = take_item(t, len);
    if (!it)
        return DTX_ENOMEM;
    it->from = to;
    if (len > 0)
        memcpy(it->data, frame, len);
    rc = MPI_Isend(it->data, (int)len, MPI_BYTE, to, tag_of[c], t->comm,
                   &it->request);
    if (rc == MPI_SUCCESS)
        rc = MPI_Test(&it->request, &done, MPI_STATUS_IGNORE);
    if (rc == MPI_SUCCESS && !done)
        t->send[t->nsend++] = it;
    else
        give_item(t, it);
    reap_sends(t, 2);
    return rc == MPI_SUCCESS || dtx_mpi_is_loss(rc)
               ? DTX_OK
               : fail_mpi(NULL, "cannot send", rc);
}

/* --- receiving ------------------------------------------------------------ */

/* Look for the next message of the channel and keep it in 'held': 1, 0 or
 * negative. */
static int match(struct dtx_transport *t, int c)
{
    struct inbox *in = &t->in[c];
    MPI_Status status;
    MPI_Count bytes = 0;
    int found = 0, rc;

    if (in->held != MPI_MESSAGE_NULL)
        return 1;
    rc = MPI_Improbe(MPI_ANY_SOURCE, tag_of[c], t->comm, &found, &in->held,
                     &status);
    if (rc != MPI_SUCCESS) {
        in->held = MPI_MESSAGE_NULL;
        return fail_mpi(NULL, "cannot look for messages", rc);
    }
    if (!found) {
        in->held = MPI_MESSAGE_NULL;
        return 0;
    }
    rc = MPI_Get_elements_x(&status, MPI_BYTE, &bytes);
    if (rc != MPI_SUCCESS || bytes < 0)
        bytes = (MPI_Count)DTX_MAX_FRAME + 1;
    in->held_from = status.MPI_SOURCE;
    in->held_len = (uint64_t)bytes;
    return 1;
}

/* Begin to receive the held message and queue it. One that is too long is only
 * queued, to be refused in its turn, and never received: Open MPI 4.1 writes
 * past a buffer that is shorter than a large message. */
static int begin_receive(struct dtx_transport *t, int c)
{
    struct inbox *in = &t->in[c];
    bool refused = in->held_len > DTX_MAX_FRAME;
    struct item *it = take_item(t, refused ? 0 : in->held_len);
    int rc = MPI_SUCCESS;

    if (!it)
        return DTX_ENOMEM;
    it->from = in->held_from;
    it->done = it->refused = refused;
    if (!refused)
        rc = MPI_Imrecv(it->data, (int)it->len, MPI_BYTE, &in->held,
                        &it->request);
    in->held = MPI_MESSAGE_NULL;
    if (rc != MPI_SUCCESS) {
        give_item(t, it);
        return fail_mpi(NULL, "cannot receive", rc);
    }
    *in->tail = it;
    in->tail = &it->next;
    in->count++;
    in->bytes += it->len;
    return DTX_OK;
}

static int test_receive(struct item *it)
{
    int done = 0, rc;

    if (it->done || it->dead)
        return DTX_OK;
    rc = MPI_Test(&it->request, &done, MPI_STATUS_IGNORE);
    it->done = done != 0;
    if (dtx_mpi_is_loss(rc)) {
        it->done = false;
        it->dead = true;
        return DTX_OK;
    }
    return rc == MPI_SUCCESS ? DTX_OK : fail_mpi(NULL, "a receive failed", rc);
}

static void unlink_item(struct dtx_transport *t, struct inbox *in,
                        struct item **at)
{
    struct item *it = *at;

    *at = it->next;
    if (in->tail == &it->next)
        in->tail = at;
    in->count--;
    in->bytes -= it->len;
    give_item(t, it);
}

/* Hand over the item at '*at', which has arrived. */
static int deliver(struct dtx_transport *t, struct inbox *in, struct item **at,
                   int *from, struct dtx_buf *out)
{
    struct item *it = *at;
    bool refused = it->refused;

    if (!refused && !dtx_buf_reserve(out, (size_t)it->len))
        return DTX_ENOMEM;
    *from = it->from;
    if (!refused)
        dtx_buf_append(out, it->data, (size_t)it->len);
    else
        dtx_log(DTX_LOG_ERROR, "mpi: refused a frame of rank %d: too long",
                it->from);
    unlink_item(t, in, at);
    return refused ? DTX_EPROTO : 1;
}

/* The first item that has arrived and has no unfinished one of its rank before
 * it: 1, 0 or negative. */
static int deliver_next(struct dtx_transport *t, struct inbox *in, int *from,
                        struct dtx_buf *out)
{
    struct item **at;

    in->walk++;
    for (at = &in->head; *at; at = &(*at)->next) {
        struct item *it = *at;
        int rc;

        if (in->stuck[it->from] == in->walk)
            continue;
        rc = test_receive(it);
        if (rc < 0) {
            *from = it->from;
            unlink_item(t, in, at);
            return rc;
        }
        if (it->done)
            return deliver(t, in, at, from, out);
        in->stuck[it->from] = in->walk;
    }
    return 0;
}

static bool has_room(const struct inbox *in)
{
    return in->count < INBOX_ITEMS && in->bytes < INBOX_BYTES;
}

static int look(struct dtx_transport *t, int c, int *from, struct dtx_buf *out)
{
    struct inbox *in = &t->in[c];
    int rc = in->head ? deliver_next(t, in, from, out) : 0;

    while (rc == 0 && has_room(in)) {
        rc = match(t, c);
        if (rc <= 0)
            return rc;
        rc = begin_receive(t, c);
        if (rc < 0)
            return rc;
        rc = deliver_next(t, in, from, out);
    }
    return rc;
}

int dtx_transport_recv(struct dtx_transport *t, enum dtx_channel *c, int *from,
                       struct dtx_buf *out)
{
    int first = ++t->turn % BULK_TURN == 0 ? DTX_CHANNEL_BULK
                                           : DTX_CHANNEL_FRAMES;

    reap_sends(t, REAP_FEW);
    for (int i = 0; i < 2 * CHANNELS; i++) {
        int channel = (first + i) % CHANNELS;
        int rc = look(t, channel, from, out);

        if (rc != 0) {
            *c = (enum dtx_channel)channel;
            return rc;
        }
    }
    return 0;
}

size_t dtx_transport_pending(const struct dtx_transport *t)
{
    return t->nsend;
}

int dtx_transport_died(struct dtx_transport *t)
{
    return dtx_mpi_next_failed(t->comm, t->lost, t->size);
}

const char *dtx_transport_ft(void)
{
    return dtx_mpi_ft();
}

/* --- losing a rank -------------------------------------------------------- */

/* Open MPI tells nobody that a peer is gone: what was under way stays so for
 * ever (a rendezvous whose other half never comes), and MPI may still look at
 * the buffers. They are left to it. */
void dtx_transport_lose(struct dtx_transport *t, int rank)
{
    size_t n = 0;

    if (rank < 0 || rank >= t->size)
        return;
    t->lost[rank] = t->any_lost = true;
    for (size_t i = 0; i < t->nsend; i++) {
        if (t->send[i]->from != rank)
            t->send[n++] = t->send[i];
    }
    t->nsend = n;
    for (int c = 0; c < CHANNELS; c++) {
        struct item **at = &t->in[c].head;

        while (*at) {
            struct item *it = *at;

            if (it->from != rank || it->done) {
                at = &it->next;
                continue;
            }
            *at = it->next;
            if (t->in[c].tail == &it->next)
                t->in[c].tail = at;
            t->in[c].count--;
            t->in[c].bytes -= it->len;
        }
    }
}

bool dtx_transport_quiet(struct dtx_transport *t)
{
    reap_sends(t, t->nsend);
    if (t->nsend > 0)
        return false;
    for (int c = 0; c < CHANNELS; c++) {
        if (t->in[c].head || t->in[c].held != MPI_MESSAGE_NULL)
            return false;
    }
    return true;
}

/* --- opening and leaving -------------------------------------------------- */

static int init_mpi(struct dtx_transport *t, bool *threads,
                    struct dtx_error *err)
{
    int there = 0, gone = 0, level = MPI_THREAD_SINGLE, rc;

    rc = MPI_Initialized(&there);
    if (rc == MPI_SUCCESS && MPI_Finalized(&gone) == MPI_SUCCESS && gone)
        return dtx_error_set(err, DTX_ESTATE, "mpi: MPI is finalised already");
    if (rc == MPI_SUCCESS && there)
        rc = MPI_Query_thread(&level);
    else if (rc == MPI_SUCCESS)
        rc = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    if (rc != MPI_SUCCESS)
        return fail_mpi(err, "cannot start", rc);
    t->own_init = !there;
    *threads = level >= MPI_THREAD_FUNNELED;
    return DTX_OK;
}

static int make_comm(struct dtx_transport *t, const void *comm,
                     struct dtx_error *err)
{
    int rc = MPI_Comm_dup(comm ? *(const MPI_Comm *)comm : MPI_COMM_WORLD,
                          &t->comm);

    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_set_errhandler(t->comm, MPI_ERRORS_RETURN);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_rank(t->comm, &t->rank);
    if (rc == MPI_SUCCESS)
        rc = MPI_Comm_size(t->comm, &t->size);
    return rc == MPI_SUCCESS ? DTX_OK
                             : fail_mpi(err, "cannot make a communicator", rc);
}

static void free_all(struct dtx_transport *t)
{
    while (t->spare) {
        struct item *it = t->spare;

        t->spare = it->next;
        free(it);
    }
    for (int c = 0; c < CHANNELS; c++)
        free(t->in[c].stuck);
    free(t->send);
    free(t->lost);
    free(t);
}

int dtx_transport_open(struct dtx_transport **out, struct dtx_error *err)
{
    bool threads = false;
    int rc = dtx_transport_open_on(out, NULL, 0, &threads, err);

    if (rc == DTX_OK && !threads) {
        (void)dtx_transport_close(*out, true, 0);
        *out = NULL;
        rc = dtx_error_set(err, DTX_EMPI,
                           "mpi: this MPI does not allow threads at all");
    }
    return rc;
}

static bool shut_down(struct dtx_transport *t)
{
    if (MPI_Comm_free(&t->comm) != MPI_SUCCESS)
        return false;
    return !t->own_init || MPI_Finalize() == MPI_SUCCESS;
}

/* What is needed for each rank. */
static int make_room(struct dtx_transport *t, struct dtx_error *err)
{
    bool ok;

    t->lost = calloc((size_t)t->size, sizeof(*t->lost));
    ok = t->lost != NULL;
    for (int c = 0; c < CHANNELS; c++) {
        t->in[c].tail = &t->in[c].head;
        t->in[c].held = MPI_MESSAGE_NULL;
        t->in[c].stuck = calloc((size_t)t->size, sizeof(uint64_t));
        ok = ok && t->in[c].stuck;
    }
    err->code = DTX_OK;
    if (!ok)
        (void)dtx_error_set(err, DTX_ENOMEM, "mpi: out of memory");
    return dtx_transport_agree(t, err);
}

int dtx_transport_open_on(struct dtx_transport **out, const void *comm,
                          size_t comm_size, bool *threads,
                          struct dtx_error *err)
{
    struct dtx_error why = {0};
    struct dtx_transport *t;
    int rc;

    if (comm && comm_size != sizeof(MPI_Comm))
        return dtx_error_set(err, DTX_EINVAL,
                             "mpi: a communicator of another MPI library");
    t = calloc(1, sizeof(*t));
    if (!t)
        return dtx_error_set(err, DTX_ENOMEM, "mpi: out of memory");
    t->comm = MPI_COMM_NULL;
    rc = init_mpi(t, threads, err);
    if (rc == DTX_OK)
        rc = make_comm(t, comm, err);
    if (rc == DTX_OK) {
        rc = make_room(t, &why);
        if (rc < 0 && err)
            *err = why;
        if (rc < 0)
            (void)shut_down(t);
    }
    if (rc < 0) {
        free_all(t);
        return rc;
    }
    *out = t;
    return DTX_OK;
}

int dtx_transport_rank(const struct dtx_transport *t)
{
    return t->rank;
}

int dtx_transport_size(const struct dtx_transport *t)
{
    return t->size;
}

int dtx_transport_allgather(struct dtx_transport *t, const void *in, size_t len,
                            void *out)
{
    int rc;

    if (len > DTX_MAX_FRAME)
        return DTX_ELIMIT;
    rc = MPI_Allgather(in, (int)len, MPI_BYTE, out, (int)len, MPI_BYTE,
                       t->comm);
    return rc == MPI_SUCCESS ? DTX_OK : fail_mpi(NULL, "allgather failed", rc);
}

int dtx_transport_agree(struct dtx_transport *t, struct dtx_error *err)
{
    int mine = err->code < 0 ? t->rank : t->size, first = 0, rc;

    rc = MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, t->comm);
    if (rc == MPI_SUCCESS && first == t->size)
        return DTX_OK;
    if (rc == MPI_SUCCESS)
        rc = MPI_Bcast(err, (int)sizeof(*err), MPI_BYTE, first, t->comm);
    if (rc != MPI_SUCCESS)
        return fail_mpi(err, "the ranks cannot agree", rc);
    return t->size > 1 ? dtx_error_prefix(err, "rank %d: ", first) : err->code;
}

int dtx_transport_bcast(struct dtx_transport *t, void *data, size_t len)
{
    int rc;

    if (len > INT_MAX)
        return DTX_ELIMIT;
    rc = MPI_Bcast(data, (int)len, MPI_BYTE, 0, t->comm);
    return rc == MPI_SUCCESS ? DTX_OK : fail_mpi(NULL, "broadcast failed", rc);
}

static int64_t now_ns(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Take in and throw away what comes, until it pauses. */
static void discard(struct dtx_transport *t, struct dtx_buf *scratch)
{
    for (int i = 0; i < 64; i++) {
        enum dtx_channel c;
        int from;

        dtx_buf_clear(scratch);
        if (dtx_transport_recv(t, &c, &from, scratch) == 0)
            break;
    }
}

static void rest(long looks)
{
    const struct timespec nap = {0, CLOSE_NAP_NS};

    if (looks < CLOSE_SPIN)
        (void)sched_yield();
    else
        (void)nanosleep(&nap, NULL);
}

/* Until the own sends are over; then, when 'clean', until everybody's are, for
 * which each rank enters a barrier that does not block. True when reached. */
static bool settle(struct dtx_transport *t, bool clean, int64_t until_ns)
{
    struct dtx_buf scratch = DTX_BUF_INIT;
    MPI_Request barrier = MPI_REQUEST_NULL;
    bool entered = false;
    int done = 0, rc = MPI_SUCCESS;

    for (long looks = 0; !done && rc == MPI_SUCCESS; looks++) {
        discard(t, &scratch);
        if (entered) {
            rc = MPI_Test(&barrier, &done, MPI_STATUS_IGNORE);
        } else if (dtx_transport_quiet(t)) {
            entered = clean;
            done = !clean;
            if (clean)
                rc = MPI_Ibarrier(t->comm, &barrier);
        }
        if (!done && now_ns() >= until_ns)
            break;
        if (!done)
            rest(looks);
    }
    dtx_buf_free(&scratch);
    return done && rc == MPI_SUCCESS && dtx_transport_quiet(t);
}

bool dtx_transport_close(struct dtx_transport *t, bool clean, int64_t grace_ns)
{
    bool settled, down = false;

    if (!t)
        return true;
    clean = clean && !t->any_lost;
    settled = settle(t, clean, now_ns() + grace_ns);
    if (settled && clean)
        down = shut_down(t);
    free_all(t);
    return down;
}

void dtx_transport_abort(int status)
{
    int there = 0, gone = 0;

    if (MPI_Initialized(&there) == MPI_SUCCESS && there &&
        MPI_Finalized(&gone) == MPI_SUCCESS && !gone)
        (void)MPI_Abort(MPI_COMM_WORLD, status);
    _exit(status);
}

const char *dtx_transport_library(char *buf, size_t size)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING + 1] = "";
    int len = 0;

    if (MPI_Get_library_version(text, &len) != MPI_SUCCESS)
        (void)snprintf(text, sizeof(text), "unknown MPI");
    text[strcspn(text, ",\n")] = '\0';
    (void)snprintf(buf, size, "%s", text);
    return buf;
}
