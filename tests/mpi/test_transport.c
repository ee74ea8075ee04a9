/* SPDX-License-Identifier: MIT */
/* The transport between 1..N real ranks: order, channels, sizes, leaving.  A
 * plain program for mpirun: all ranks run the same cases, verdicts are reduced
 * before rank 0 prints them as TAP.  RANKS: 1 2 3 5 */
#include <math.h>
#include <mpi.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "mpi/transport.h"

#define PATIENCE_NS (60 * DTX_SEC_NS)
#define FRAMES_PER_PAIR 120
#define BULK_PER_PAIR 25
#define BULK_BURST 24
#define SMALL_FRAMES 100000
#define PING_ROUNDS 2000
#define CHANNELS 2
#define MIB (1u << 20)

static struct dtx_transport *tr;
static int me, nranks;
static int cases, failed_cases;
static char why[256]; /* the first thing that went wrong on this rank */

static void complain(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

static void complain(const char *fmt, ...)
{
    va_list ap;

    if (why[0])
        return;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
}

static void verdict(const char *name)
{
    int bad = why[0] != '\0', all = 0;

    if (bad)
        fprintf(stderr, "# rank %d: %s: %s\n", me, name, why);
    if (MPI_Allreduce(&bad, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        all = 1;
    cases++;
    failed_cases += all > 0;
    if (me == 0)
        printf("%sok %d - %s\n", all ? "not " : "", cases, name);
    fflush(stdout);
    why[0] = '\0';
}

static int64_t now_ns(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * DTX_SEC_NS + ts.tv_nsec;
}

static void meet(void)
{
    if (MPI_Barrier(MPI_COMM_WORLD) != MPI_SUCCESS)
        complain("barrier failed");
}

/* Look once; false when the frame cannot be had, with the reason noted. */
static bool recv_some(enum dtx_channel *c, int *from, struct dtx_buf *b,
                      int64_t until_ns)
{
    int rc;

    dtx_buf_clear(b);
    while ((rc = dtx_transport_recv(tr, c, from, b)) == 0) {
        if (now_ns() > until_ns) {
            complain("timed out waiting for a frame");
            return false;
        }
        (void)sched_yield();
    }
    if (rc < 0)
        complain("recv: %s", dtx_strerror(rc));
    return rc == 1;
}

static void check_quiet(void)
{
    int64_t until = now_ns() + PATIENCE_NS;

    while (!dtx_transport_quiet(tr)) {
        if (now_ns() > until) {
            complain("never quiet");
            return;
        }
        (void)sched_yield();
    }
}

/* --- allgather ------------------------------------------------------------ */

static void case_allgather(void)
{
    uint64_t mine[4], *all = calloc((size_t)nranks, sizeof(mine));
    int rc;

    for (int i = 0; i < 4; i++)
        mine[i] = (uint64_t)(me * 1000 + i);
    if (!all) {
        complain("out of memory");
        return;
    }
    rc = dtx_transport_allgather(tr, mine, sizeof(mine), all);
    if (rc < 0)
        complain("allgather: %s", dtx_strerror(rc));
    for (int i = 0; i < 4 * nranks; i++) {
        if (all[i] != (uint64_t)(i / 4 * 1000 + i % 4))
            complain("word %d is %llu", i, (unsigned long long)all[i]);
    }
    free(all);
}

/* --- all to all ----------------------------------------------------------- */

/* The frames of one pair and channel follow from the seed, so that the
 * receiver knows size and content of each without a header. */
struct stream {
    struct dtx_rng rng;
    int left;
};

static void open_stream(struct stream *s, int from, int to, int c)
{
    dtx_rng_seed(&s->rng, (uint64_t)(from * 1000 + to * 10 + c));
    s->left = c == DTX_CHANNEL_FRAMES ? FRAMES_PER_PAIR : BULK_PER_PAIR;
}

static size_t next_frame(struct stream *s, uint64_t *words)
{
    size_t len = 0;

    s->left--;
    if (dtx_rng_below(&s->rng, 8) > 0)
        len = (size_t)pow(2.0, 20.0 * dtx_rng_unit(&s->rng));
    if (s->left == 0)
        len = MIB;
    for (size_t i = 0; i < (len + 7) / 8; i++)
        words[i] = dtx_rng_u64(&s->rng);
    return len;
}

static void check_frame(struct stream *in, int from, int c,
                        const struct dtx_buf *got, uint64_t *words)
{
    size_t len;

    if (in->left == 0) {
        complain("a frame too many from %d on %d", from, c);
        return;
    }
    len = next_frame(in, words);
    if (got->len != len)
        complain("from %d on %d: %zu bytes, not %zu (%d left)", from, c,
                 got->len, len, in->left);
    else if (len > 0 && memcmp(got->data, words, len) != 0)
        complain("from %d on %d: content differs (%d left)", from, c, in->left);
}

static void send_one(struct stream *out, int turn, uint64_t *words)
{
    struct stream *s = &out[turn];
    int rc;

    if (s->left == 0)
        return;
    rc = dtx_transport_send(tr, (enum dtx_channel)(turn % CHANNELS),
                            turn / CHANNELS, words, next_frame(s, words));
    if (rc < 0)
        complain("send: %s", dtx_strerror(rc));
}

static void case_all_to_all(void)
{
    int n = nranks * CHANNELS, most = FRAMES_PER_PAIR;
    struct stream *out = calloc((size_t)n, sizeof(*out));
    struct stream *in = calloc((size_t)n, sizeof(*in));
    uint64_t *words = malloc(MIB);
    struct dtx_buf b = DTX_BUF_INIT;
    int64_t until = now_ns() + PATIENCE_NS;
    int missing = nranks * (FRAMES_PER_PAIR + BULK_PER_PAIR);
    bool ok = out && in && words;

    if (!ok)
        complain("out of memory");
    for (int i = 0; ok && i < n; i++) {
        open_stream(&out[i], me, i / CHANNELS, i % CHANNELS);
        open_stream(&in[i], i / CHANNELS, me, i % CHANNELS);
    }
    for (int turn = 0; ok && (missing > 0 || turn < n * most); turn++) {
        enum dtx_channel c;
        int from, rc;

        if (turn < n * most)
            send_one(out, turn % n, words);
        if (missing == 0 || (turn < n * most && turn % 3 == 0))
            continue; /* falls behind, so that receives pile up */
        dtx_buf_clear(&b);
        rc = dtx_transport_recv(tr, &c, &from, &b);
        ok = rc >= 0 && now_ns() < until;
        if (!ok)
            complain("recv: %s, %d missing", dtx_strerror(rc), missing);
        if (rc == 0)
            (void)sched_yield();
        if (rc <= 0)
            continue;
        missing--;
        check_frame(&in[from * CHANNELS + (int)c], from, (int)c, &b, words);
    }
    check_quiet();
    dtx_buf_free(&b);
    free(words);
    free(in);
    free(out);
}

/* --- bulk beside frames --------------------------------------------------- */

static void burst(void *mib)
{
    for (int to = 1; to < nranks; to++) {
        for (int i = 0; i < BULK_BURST; i++) {
            if (dtx_transport_send(tr, DTX_CHANNEL_BULK, to, mib, MIB) < 0)
                complain("send of bulk");
        }
        if (dtx_transport_send(tr, DTX_CHANNEL_FRAMES, to, "grant", 5) < 0)
            complain("send of frame");
    }
}

static void expect_burst(void)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int64_t until = now_ns() + PATIENCE_NS;
    int place = -1;

    for (int i = 0; i < BULK_BURST + 1; i++) {
        enum dtx_channel c;
        int from;

        if (!recv_some(&c, &from, &b, until))
            break;
        if (c == DTX_CHANNEL_FRAMES)
            place = i;
        if (b.len != (c == DTX_CHANNEL_FRAMES ? 5 : MIB) || from != 0)
            complain("wrong frame of %zu bytes from %d", b.len, from);
    }
    if (place < 0 || place >= BULK_BURST)
        complain("the frame came at place %d", place);
    dtx_buf_free(&b);
}

static void case_bulk_beside_frames(void)
{
    char *mib = calloc(1, MIB);

    if (!mib)
        complain("out of memory");
    else if (me == 0)
        burst(mib);
    meet();
    if (me > 0 && !why[0])
        expect_burst();
    check_quiet();
    free(mib);
}

/* --- many small ones ------------------------------------------------------ */

static void send_small(int count)
{
    struct dtx_buf b = DTX_BUF_INIT;

    for (int i = 0; i < count; i++) {
        int64_t words[4] = {i, me, -i, 0};

        if (dtx_transport_send(tr, DTX_CHANNEL_FRAMES, 0, words,
                               sizeof(words)) < 0) {
            complain("send %d", i);
            break;
        }
    }
    check_quiet();
    dtx_buf_free(&b);
}

static void recv_small(int count)
{
    int64_t *next = calloc((size_t)nranks, sizeof(*next)), words[4];
    int64_t began = now_ns(), until = began + PATIENCE_NS;
    struct dtx_buf b = DTX_BUF_INIT;

    if (!next) {
        complain("out of memory");
        return;
    }
    for (int i = 0; i < count; i++) {
        enum dtx_channel c;
        int from;

        if (!recv_some(&c, &from, &b, until))
            break;
        if (b.len != sizeof(words)) {
            complain("a frame of %zu bytes", b.len);
            break;
        }
        memcpy(words, b.data, sizeof(words));
        if (words[0] != next[from]++ || words[1] != from)
            complain("frame %lld of %d out of order", (long long)words[0],
                     from);
    }
    printf("# %d small frames in %.0f ms\n", count,
           (double)(now_ns() - began) / 1e6);
    dtx_buf_free(&b);
    free(next);
}

static void case_small(void)
{
    int each = SMALL_FRAMES / (nranks > 1 ? nranks - 1 : 1);

    meet();
    if (me > 0 || nranks == 1)
        send_small(nranks > 1 ? each : 0);
    else
        recv_small(each * (nranks - 1));
    check_quiet();
}

/* --- ping-pong: a diagnostic ---------------------------------------------- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void case_ping_pong(void)
{
    static int64_t took[PING_ROUNDS];
    struct dtx_buf b = DTX_BUF_INIT;
    char ping[16] = "ping";

    meet();
    for (int i = 0; i < PING_ROUNDS && me < 2 && nranks > 1 && !why[0]; i++) {
        int64_t began = now_ns();
        enum dtx_channel c;
        int from;

        if (me == 0 && dtx_transport_send(tr, DTX_CHANNEL_FRAMES, 1, ping,
                                          sizeof(ping)) < 0)
            complain("ping");
        if (!recv_some(&c, &from, &b, began + PATIENCE_NS))
            break;
        if (me == 1 && dtx_transport_send(tr, DTX_CHANNEL_FRAMES, 0, ping,
                                          sizeof(ping)) < 0)
            complain("pong");
        took[i] = now_ns() - began;
    }
    qsort(took, PING_ROUNDS, sizeof(took[0]), compare);
    if (me == 0 && nranks > 1)
        printf("# round trip of 16 bytes: median %.2f us, 99 %% %.2f us\n",
               (double)took[PING_ROUNDS / 2] / 1e3,
               (double)took[PING_ROUNDS * 99 / 100] / 1e3);
    check_quiet();
    dtx_buf_free(&b);
}

/* --- limits --------------------------------------------------------------- */

static void case_limits(void)
{
    size_t len = (size_t)DTX_MAX_FRAME + 1;
    char *big = calloc(1, len);
    struct dtx_buf b = DTX_BUF_INIT;
    enum dtx_channel c;
    int from;

    if (!big) {
        complain("out of memory");
        return;
    }
    if (dtx_transport_send(tr, DTX_CHANNEL_FRAMES, me, big, len) != DTX_ELIMIT)
        complain("too long a frame was sent");
    if (dtx_transport_send(tr, DTX_CHANNEL_FRAMES, nranks, big, 1) !=
            DTX_EINVAL ||
        dtx_transport_send(tr, DTX_CHANNEL_FRAMES, -1, big, 1) != DTX_EINVAL)
        complain("a frame was sent to nobody");
    big[len - 2] = 'x';
    if (dtx_transport_send(tr, DTX_CHANNEL_BULK, (me + 1) % nranks, big,
                           len - 1) < 0)
        complain("the longest frame was not sent");
    if (recv_some(&c, &from, &b, now_ns() + PATIENCE_NS) &&
        (b.len != len - 1 || memcmp(b.data, big, len - 1) != 0))
        complain("the longest frame came as %zu bytes", b.len);
    check_quiet();
    dtx_buf_free(&b);
    free(big);
}

static const struct {
    const char *name;
    void (*run)(void);
} table[] = {
    {"allgather", case_allgather},
    {"all to all keeps order, content and size", case_all_to_all},
    {"a frame passes bulk data", case_bulk_beside_frames},
    {"100000 small frames", case_small},
    {"ping-pong", case_ping_pong},
    {"limits", case_limits},
};

int main(void)
{
    struct dtx_error err = {0, ""};
    char name[128];
    bool down;

    if (dtx_transport_open(&tr, &err) < 0) {
        fprintf(stderr, "# %s\n", err.text);
        return 99;
    }
    me = dtx_transport_rank(tr);
    nranks = dtx_transport_size(tr);
    if (me == 0)
        printf("# %s, %d ranks\n",
               dtx_transport_library(name, sizeof(name)), nranks);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        table[i].run();
        verdict(table[i].name);
    }
    /* Left over on purpose: closing has to take it in. */
    if (dtx_transport_send(tr, DTX_CHANNEL_BULK, (me + 1) % nranks, table,
                           sizeof(table)) < 0)
        failed_cases++;
    down = dtx_transport_close(tr, true, 30 * DTX_SEC_NS);
    if (me == 0)
        printf("%sok %d - leaves in order\n1..%d\n", down ? "" : "not ",
               cases + 1, cases + 1);
    return failed_cases > 0 || !down;
}
