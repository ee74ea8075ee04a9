/* SPDX-License-Identifier: MIT */
/* tests/mpi/test_lib_tasks.c - tasks that are submitted, and those they spawn
 *
 * Bytes go in and come back once each; what waits runs after what it waits for,
 * or not at all; priorities count; trees of spawned tasks end when they end; a
 * master submits as results come in while the others serve.  TAP from rank 0.
 * RANKS: 1 2 3 5 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <distributex.h>
#include <distributex_mpi.h>

#include "lib_tap.h"

#define N 20000u

/* --- kernels -------------------------------------------------------------- */

/* Gives its bytes back, turned over; the first says how long it takes. */
static int echo(struct dtx_call *c, const void *in, size_t bytes)
{
    unsigned char out[64];
    const unsigned char *p = in;
    size_t i;

    for (i = 0; i < bytes && i < sizeof(out); i++)
        out[i] = (unsigned char)~p[i];
    burn(bytes ? p[0] * 100u : 0);
    return dtx_call_output(c, out, i);
}

static int bad(struct dtx_call *c, const void *in, size_t bytes)
{
    (void)c;
    (void)in;
    (void)bytes;
    return 7;
}

/* fib(n) tasks of n; counts the leaves. */
static int fib(struct dtx_call *c, const void *in, size_t bytes)
{
    uint64_t *leaves = dtx_call_value(c, 0);
    uint32_t n, k;

    if (bytes != sizeof(n))
        return 1;
    memcpy(&n, in, sizeof(n));
    if (n < 2) {
        *leaves += n;
        return n == 1 && *leaves % 64 == 0
                   ? dtx_call_output(c, "leaf", 4)
                   : 0;
    }
    k = n - 1;
    if (dtx_call_spawn(c, "fib", &k, sizeof(k)) < 0)
        return 2;
    k = n - 2;
    return dtx_call_spawn(c, "fib", &k, sizeof(k)) < 0 ? 2 : 0;
}

#define LARGE 8192u /* bytes of a spawned task */

/* A trunk of tasks that carry much, with two leaves at each: in[0] levels, and
 * all the rest says which one it is. The trunk is the oldest that waits, and so
 * it is what moves: who has given it away runs dry soon. */
static int carry(struct dtx_call *c, const void *in, size_t bytes)
{
    uint64_t *sum = dtx_call_value(c, 0);
    const unsigned char *p = in;
    unsigned char next[LARGE];
    size_t i;

    if (bytes != LARGE)
        return 1;
    for (i = 2; i < bytes; i++) {
        if (p[i] != p[1])
            return 2;
    }
    sum[0]++;
    sum[1] += p[1];
    burn(20000);
    for (i = 0; p[0] > 0 && i < 3; i++) {
        next[0] = (unsigned char)(i == 0 ? p[0] - 1 : 0);
        memset(next + 1, p[1] * 3 + (int)i, LARGE - 1);
        if (dtx_call_spawn(c, "carry", next, LARGE) < 0)
            return 3;
    }
    return 0;
}

static int stop(struct dtx_call *c, const void *in, size_t bytes)
{
    (void)in;
    (void)bytes;
    dtx_call_cancel(c);
    return 0;
}

/* --- bytes in, bytes out -------------------------------------------------- */

static unsigned char seen[N + 1];
static uint64_t base;
static int wrong;

static void fill(unsigned char *in, uint64_t i)
{
    memset(in, 0, 64);
    memcpy(in + 1, &i, sizeof(i));
    in[0] = (unsigned char)(i % 7);
}

static void check_echo(void *ctx, uint64_t task, int code, const void *out,
                       size_t bytes)
{
    unsigned char want[64];
    const unsigned char *p = out;

    (void)ctx;
    fill(want, task - base);
    for (size_t i = 0; i < sizeof(want) && i < bytes; i++)
        wrong += p[i] != (unsigned char)~want[i];
    wrong += code != 0 || bytes != 64 || task - base >= N ||
             seen[task - base]++;
}

static void check_bytes(void)
{
    struct dtx_work *w = dtx_work_create("echo");
    struct dtx_stats st;
    int ok = w && dtx_work_on_end(w, check_echo, NULL) == 0, run;
    unsigned char in[64];

    for (run = 0; ok && run < 2; run++) {
        memset(seen, 0, sizeof(seen));
        wrong = 0;
        for (uint64_t i = 0; ok && rank == 0 && i < N; i++) {
            int64_t id;

            fill(in, i);
            id = dtx_work_submit(w, NULL, in, sizeof(in), NULL);
            if (i == 0)
                base = (uint64_t)id;
            ok = id == (int64_t)(base + i);
        }
        ok = ok && dtx_work_run(w) == 0 && dtx_work_stats(w, &st) == 0 &&
             st.done == N && wrong == 0;
        for (uint64_t i = 0; rank == 0 && i < N; i++)
            ok &= seen[i] == 1;
    }
    verdict(ok, "20000 tasks of 64 bytes, each back once, twice");
    dtx_work_destroy(w);
}

/* --- order ---------------------------------------------------------------- */

static uint64_t order[400];
static int codes[400], ended;

static void note(void *ctx, uint64_t task, int code, const void *out,
                 size_t bytes)
{
    (void)ctx;
    (void)out;
    (void)bytes;
    if (ended < 400) {
        codes[ended] = code;
        order[ended++] = task;
    }
}

static int place_of(uint64_t task)
{
    int i;

    for (i = 0; i < ended; i++) {
        if (order[i] == task)
            return i;
    }
    return -1;
}

static uint64_t submit(struct dtx_work *w, const char *kernel, uint64_t a,
                       uint64_t b, int priority)
{
    uint64_t after[2] = {a, b};
    struct dtx_task_how how = {.priority = priority, .after = after};
    int64_t id;

    how.nafter = (size_t)(a != 0) + (size_t)(b != 0);
    id = dtx_work_submit(w, kernel, "x", 1, &how);
    return id > 0 ? (uint64_t)id : 0;
}

static void check_order(void)
{
    struct dtx_work *w = dtx_work_create("echo");
    uint64_t chain[50], wide[20], last = 0;
    int ok = w && dtx_work_on_end(w, note, NULL) == 0;

    ended = 0;
    for (int i = 0; rank == 0 && i < 50; i++)
        chain[i] = submit(w, NULL, i ? chain[i - 1] : 0, 0, 0);
    for (int i = 0; rank == 0 && i < 20; i++)
        wide[i] = submit(w, NULL, chain[10], i ? wide[i / 2] : 0, 0);
    if (rank == 0)
        last = submit(w, NULL, wide[19], chain[49], 0);
    ok = ok && dtx_work_run(w) == 0;
    for (int i = 1; ok && rank == 0 && i < 50; i++)
        ok = place_of(chain[i]) > place_of(chain[i - 1]);
    for (int i = 1; ok && rank == 0 && i < 20; i++)
        ok = place_of(wide[i]) > place_of(chain[10]) &&
             place_of(wide[i]) > place_of(wide[i / 2]);
    ok = ok && (rank != 0 ||
                (ended == 71 && place_of(last) > place_of(wide[19]) &&
                 place_of(last) > place_of(chain[49])));
    verdict(ok, "what waits comes after what it waits for");
    ended = 0;
    if (rank == 0) {
        uint64_t b = submit(w, "bad", 0, 0, 0), s = submit(w, NULL, b, 0, 0);
        uint64_t t = submit(w, NULL, s, 0, 0), u = submit(w, NULL, 0, 0, 0);

        ok = b && s && t && u && dtx_work_submit(w, NULL, NULL, 0, NULL) > 0 &&
             submit(w, NULL, last, 0, 0) == 0;
        ok = dtx_work_run(w) == DTX_EKERNEL && ok && ended == 5 &&
             codes[place_of(b)] == 7 && codes[place_of(s)] == DTX_ECANCEL &&
             codes[place_of(t)] == DTX_ECANCEL && codes[place_of(u)] == 0;
    } else {
        ok = dtx_work_run(w) == DTX_EKERNEL;
    }
    verdict(ok, "what waits for a failed one is not run");
    ended = 0;
    ok = 1;
    for (int i = 0; rank == 0 && i < 300; i++) {
        last = submit(w, NULL, 0, 0, i % 3 - 1);
        ok = ok && last > 0;
    }
    ok = dtx_work_run(w) == 0 && ok;
    if (rank == 0 && size == 1 && dtx_slots() == 1)
        for (int i = 0; i < 300; i++)
            ok &= (299 - (last - order[i])) % 3 == (uint64_t)(2 - i / 100);
    verdict(ok, "higher priorities first");
    dtx_work_destroy(w);
}

/* --- one by one ----------------------------------------------------------- */

#define CHAIN 5000

struct chain {
    struct dtx_work *w;
    int left, told;
};

static pthread_t caller;
static _Atomic int inside[64], assisted, crowded; /* of this rank */
static int plain[64]; /* each a slot's; a race shows under ThreadSanitizer */

/* Says which thread runs it; no two ever as one slot. */
static int where(struct dtx_call *c, const void *in, size_t bytes)
{
    int slot = dtx_call_slot(c);

    (void)in;
    (void)bytes;
    if (slot < 0 || slot >= dtx_slots() || slot >= 64 ||
        dtx_call_rank(c) != rank)
        return 1;
    crowded += atomic_fetch_add(&inside[slot], 1) != 0;
    plain[slot]++;
    assisted += pthread_equal(pthread_self(), caller) != 0;
    (void)atomic_fetch_sub(&inside[slot], 1);
    return dtx_call_output(c, "y", 1);
}

static void next_one(void *ctx, uint64_t task, int code, const void *out,
                     size_t bytes)
{
    struct chain *c = ctx;

    (void)task;
    (void)out;
    c->told += code == 0 && bytes == 1;
    if (c->left > 0 && dtx_work_submit(c->w, NULL, NULL, 0, NULL) > 0)
        c->left--;
}

/* Each is submitted when the last one has ended: so calling threads run some
 * themselves, unless they may not. */
static void check_one_by_one(int may_assist)
{
    struct chain c = {dtx_work_create("where"), CHAIN - 1, 0};
    struct dtx_stats st;
    int ok = c.w && dtx_work_on_end(c.w, next_one, &c) == 0, sum = 0;
    int mine, all = 0;

    caller = pthread_self();
    assisted = crowded = 0;
    memset(plain, 0, sizeof(plain));
    if (rank == 0)
        ok = ok && dtx_work_submit(c.w, NULL, NULL, 0, NULL) > 0;
    ok = ok && dtx_work_run(c.w) == 0 && dtx_work_stats(c.w, &st) == 0 &&
         st.done == CHAIN && crowded == 0;
    for (int i = 0; i < 64; i++)
        sum += plain[i];
    ok = ok && (uint64_t)sum == st.here;
    verdict(ok && (rank != 0 || c.told == CHAIN), "5000 tasks one by one");
    mine = assisted;
    (void)MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    verdict(may_assist ? all > 0 : all == 0,
            may_assist ? "calling threads have run some"
                       : "calling threads have run none");
    dtx_work_destroy(c.w);
}

/* --- a long one among short ones ------------------------------------------ */

static _Atomic int heard;

static void tell(void *ctx, uint64_t task, int code, const void *out,
                 size_t bytes)
{
    (void)ctx;
    (void)task;
    (void)out;
    heard += code == 0 && bytes == 1;
}

/* On rank 0: runs until the others' outcomes have come, or in vain for long. */
static int last(struct dtx_call *c, const void *in, size_t bytes)
{
    double until = MPI_Wtime() + 20;

    (void)in;
    (void)bytes;
    while (dtx_call_rank(c) == 0 && heard < 500) {
        if (MPI_Wtime() > until)
            return 1;
    }
    return 0;
}

static void check_long_one(void)
{
    struct dtx_work *w = dtx_work_create("where");
    int ok = w && dtx_work_on_end(w, tell, NULL) == 0;

    heard = 0;
    for (int i = 0; ok && rank == 0 && i <= 500; i++)
        ok = dtx_work_submit(w, i == 500 ? "last" : NULL, NULL, 0, NULL) > 0;
    ok = ok && dtx_work_run(w) == 0;
    verdict(ok && (rank != 0 || heard == 500),
            "short tasks' outcomes do not wait for a long one");
    dtx_work_destroy(w);
}

/* --- what tasks cost ------------------------------------------------------ */

#define CASES 24

/* Works for as long as its number says: 2^n rounds, from 0.1 ms on. */
static int weigh(struct dtx_call *c, const void *in, size_t bytes)
{
    const unsigned char *p = in;

    (void)c;
    burn(bytes ? 100000u << *p : 0);
    return 0;
}

/* Where in 'order' tasks of the heaviest kind ended, on the average. */
static double mean_place(uint64_t from, const unsigned char *kind,
                         unsigned char which)
{
    double sum = 0;
    int i, n = 0;

    for (i = 0; i < CASES; i++) {
        if (kind[i] != which)
            continue;
        sum += place_of(from + (uint64_t)i);
        n++;
    }
    return sum / n;
}

static int run_cases(struct dtx_work *w, int featured, int hinted,
                     unsigned char *kind, uint64_t *from)
{
    int ok = 1;

    ended = 0;
    for (int i = 0; rank == 0 && i < CASES; i++) {
        double x, hint;
        struct dtx_task_how how = {0};
        int64_t id;

        kind[i] = (unsigned char)(i * 5 % 4);
        x = 1 << kind[i];
        hint = hinted ? x * 1e9 : 0;
        how.features = &x;
        how.nfeatures = featured ? 1 : 0;
        how.cost = hint;
        id = dtx_work_submit(w, NULL, &kind[i], 1, &how);
        ok = ok && id > 0;
        if (i == 0)
            *from = (uint64_t)id;
    }
    return dtx_work_run(w) == 0 && ok;
}

/* One slot runs the dearest first: at once where hints tell, and from the
 * second run on where features do. */
static void check_cost(void)
{
    struct dtx_work *w = dtx_work_create("weigh");
    struct dtx_task_how how = {.cost = -1};
    double x[9] = {0};
    unsigned char kind[CASES];
    uint64_t from = 0;
    int ok = w && dtx_work_on_end(w, note, NULL) == 0;
    int alone = rank == 0 && size == 1 && dtx_slots() == 1;

    ok = ok && run_cases(w, 0, 1, kind, &from);
    if (alone)
        ok = ok && mean_place(from, kind, 3) < mean_place(from, kind, 0);
    verdict(ok, "hints order tasks from the first run on");
    ok = ok && run_cases(w, 1, 0, kind, &from);
    ok = ok && run_cases(w, 1, 0, kind, &from);
    if (alone)
        ok = ok && mean_place(from, kind, 3) < mean_place(from, kind, 0);
    verdict(ok, "what tasks took orders those with the like features");
    if (rank == 0) {
        ok = dtx_work_submit(w, NULL, "", 0, &how) == DTX_EINVAL;
        how.cost = 0;
        how.features = x;
        how.nfeatures = 9;
        ok &= dtx_work_submit(w, NULL, "", 0, &how) == DTX_ELIMIT;
        how.nfeatures = 2;
        x[1] = 1e308 * 10;
        ok &= dtx_work_submit(w, NULL, "", 0, &how) == DTX_EINVAL;
    }
    verdict(ok && dtx_work_run(w) == 0, "what makes no sense is refused");
    dtx_work_destroy(w);
}

/* --- spawning ------------------------------------------------------------- */

static void count_leaf(void *ctx, uint64_t task, int code, const void *out,
                       size_t bytes)
{
    int *leaves = ctx;

    (void)task;
    *leaves += code == 0 && bytes == 4 && memcmp(out, "leaf", 4) == 0;
}

static void check_spawn(void)
{
    struct dtx_work *w = dtx_work_create("fib");
    uint64_t leaves = 0;
    uint32_t n = 20;
    int told = 0;
    int ok = w && dtx_work_reduce(w, DTX_U64, DTX_SUM, &leaves, 1) == 0 &&
             dtx_work_on_end(w, count_leaf, &told) == 0;

    if (rank == 0)
        ok = ok && dtx_work_submit(w, NULL, &n, sizeof(n), NULL) > 0;
    ok = ok && dtx_work_run(w) == 0 && leaves == 6765;
    verdict(ok && (rank == 0 ? told > 20 : told == 0),
            "21891 tasks from one");
    ok = dtx_work_run(w) == 0 && leaves == 0;
    verdict(ok, "a run of nothing");
    dtx_work_destroy(w);
}

static void carried(unsigned levels, unsigned what, uint64_t *sum)
{
    sum[0]++;
    sum[1] += what;
    for (unsigned i = 0; levels > 0 && i < 3; i++)
        carried(i == 0 ? levels - 1 : 0, (what * 3 + i) & 255, sum);
}

static uint64_t went_straight; /* in all sessions, to any rank */

/* What a rank but 0 has spawned goes straight to another one; with three ranks
 * or more it comes to that, sooner or later, in one of the sessions. */
static void check_straight(void)
{
    struct dtx_work *w = dtx_work_create("carry");
    uint64_t sum[2], want[2] = {0, 0}, straight = 0, all = 0;
    unsigned char in[LARGE];
    struct dtx_stats st;
    int ok = w && dtx_work_reduce(w, DTX_U64, DTX_SUM, sum, 2) == 0, i;

    memset(in, 1, sizeof(in));
    in[0] = 250;
    carried(250, 1, want);
    for (i = 0; ok && i < 20 && all == 0 && (i < 1 || !went_straight); i++) {
        if (rank == 0)
            ok = dtx_work_submit(w, NULL, in, sizeof(in), NULL) > 0;
        ok = dtx_work_run(w) == 0 && dtx_work_stats(w, &st) == 0 && ok &&
             memcmp(sum, want, sizeof(sum)) == 0 &&
             st.straight <= st.received;
        straight += st.straight;
        (void)MPI_Allreduce(&straight, &all, 1, MPI_UINT64_T, MPI_SUM,
                            MPI_COMM_WORLD);
        if (size < 3)
            break;
    }
    went_straight += all;
    verdict(ok && (size > 2 || all == 0), "what was spawned goes straight");
    dtx_work_destroy(w);
}

#define STOPPED 1000

struct outcomes {
    struct dtx_work *w;
    int64_t first;
    int times[STOPPED], cancelled, wrong;
};

/* Each ends once, and asks for more. */
static void count_end(void *ctx, uint64_t task, int code, const void *out,
                      size_t bytes)
{
    struct outcomes *o = ctx;
    int64_t i = (int64_t)task - o->first;

    (void)out;
    (void)bytes;
    if (i < 0 || i >= STOPPED || o->times[i]++)
        o->wrong++;
    o->cancelled += code == DTX_ECANCEL;
    if (code == DTX_ECANCEL)
        o->wrong += dtx_work_submit(o->w, NULL, NULL, 0, NULL) != DTX_ECANCEL;
    else
        o->wrong += code != 0;
}

static void check_cancel(void)
{
    static struct outcomes o;
    struct dtx_work *w = dtx_work_create("stop");
    int ok;

    memset(&o, 0, sizeof(o));
    o.w = w;
    ok = w && dtx_work_on_end(w, count_end, &o) == 0;
    for (int i = 0; rank == 0 && ok && i < STOPPED; i++) {
        /* a chain from the one that stops all: it cannot have ended before */
        uint64_t after = (uint64_t)(o.first + (i == 9 ? 5 : i - 10));
        struct dtx_task_how how = {.after = &after, .nafter = i % 10 == 9};
        int64_t id = dtx_work_submit(w, i == 5 ? NULL : "echo", "\377", 1,
                                     &how);

        o.first = i ? o.first : id;
        ok = id == o.first + i;
    }
    ok = ok && dtx_work_run(w) == DTX_ECANCEL;
    verdict(ok, "a task can stop it all");
    for (int i = 0; rank == 0 && i < STOPPED; i++)
        o.wrong += o.times[i] != 1;
    verdict(rank != 0 || (o.wrong == 0 && o.cancelled > 0),
            "each task has one outcome");
    ok = dtx_work_run(w) == 0 && (rank != 0 || o.times[0] == 1);
    if (rank == 0 && dtx_work_on_end(w, NULL, NULL) == 0)
        ok = ok && dtx_work_submit(w, "echo", "\001", 1, NULL) ==
                       o.first + STOPPED;
    verdict(dtx_work_run(w) == 0 && ok, "and then nothing is left");
    dtx_work_destroy(w);
}

/* --- master and servers --------------------------------------------------- */

struct search {
    struct dtx_work *w;
    int sent, back;
};

static void more(void *ctx, uint64_t task, int code, const void *out,
                 size_t bytes)
{
    struct search *s = ctx;

    (void)task;
    (void)out;
    s->back += code == 0 && bytes == 1;
    while (s->sent < 500 && s->sent < 2 * s->back + 1)
        s->sent += dtx_work_submit(s->w, NULL, "\003", 1, NULL) > 0 ? 1 : 1000;
}

static void check_master(void)
{
    struct search s = {NULL, 1, 0};
    int ok = 1, i;

    if (rank != 0) {
        verdict(dtx_work_submit(NULL, NULL, NULL, 0, NULL) < 0 &&
                    dtx_serve() == 0,
                "a master submits as results come in");
        return;
    }
    s.w = dtx_work_create("echo");
    ok = s.w && dtx_work_on_end(s.w, more, &s) == 0;
    for (i = 0; ok && i < 3; i++) {
        s.sent = 1;
        s.back = 0;
        if (dtx_work_run(NULL) != DTX_EINVAL) /* the others serve on */
            break;
        ok = dtx_work_submit(s.w, NULL, "\003", 1, NULL) > 0 &&
             dtx_work_run(s.w) == 0 && s.sent == 500 && s.back == 500;
    }
    ok = ok && i == 3;
    if (size > 1)
        ok = dtx_dismiss() == 0 && ok;
    dtx_work_destroy(s.w);
    verdict(ok, "a master submits as results come in");
}

static void session(int slots, const char *more_options)
{
    const char *options = slots_option(slots, more_options);

    verdict(dtx_init_comm(MPI_COMM_WORLD, options) == 0 &&
                dtx_kernel_task("echo", echo) == 0 &&
                dtx_kernel_task("bad", bad) == 0 &&
                dtx_kernel_task("fib", fib) == 0 &&
                dtx_kernel_task("carry", carry) == 0 &&
                dtx_kernel_task("stop", stop) == 0 &&
                dtx_kernel_task("where", where) == 0 &&
                dtx_kernel_task("last", last) == 0 &&
                dtx_kernel_task("weigh", weigh) == 0,
            options);
    check_bytes();
    check_order();
    check_one_by_one(!strstr(more_options, "assist=no"));
    check_long_one();
    check_cost();
    check_spawn();
    check_straight();
    check_cancel();
    check_master();
    verdict(dtx_finalize() == 0, "the session ends");
}

int main(int argc, char **argv)
{
    if (!tap_begin(&argc, &argv, MPI_THREAD_FUNNELED))
        return 99;
    session(1, "");
    session(4, "bell=no nap=100us assist=no");
    session(2, "");
    session(3, "predict=no");
    verdict(size < 3 || went_straight > 0, "it has come to that");
    return tap_end();
}
