/* SPDX-License-Identifier: MIT */
/* tests/mpi/test_lib_work.c - loops and trees of the library, for real
 *
 * The same cases with one to four slots a rank, in several sessions of one
 * program that has initialised MPI itself: each iteration runs exactly once
 * whatever schedule cuts the loop, results and reductions come together, a
 * kernel's failure is an outcome, ranks that disagree are told so, and a tree
 * has as many nodes as it has.  TAP from rank 0.  RANKS: 1 2 3 5 */
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <distributex.h>
#include <distributex_mpi.h>

#include "lib_tap.h"

#define N 3000u

/* Sum of i, of i * i, the least and the largest: each iteration exactly
 * once. */
static int each(struct dtx_call *c, uint64_t i)
{
    uint64_t *sum = dtx_call_value(c, 0);
    double *most = dtx_call_value(c, 1), *least = dtx_call_value(c, 2);
    size_t n;
    const unsigned *skew = dtx_call_args(c, &n);

    if (n == sizeof(*skew))
        burn((unsigned)(i * *skew));
    sum[0] += i;
    sum[1] += i * i;
    sum[2] += 1;
    if ((double)i > *most)
        *most = (double)i;
    if ((double)i < *least)
        *least = (double)i;
    return 0;
}

static int range(struct dtx_call *c, uint64_t begin, uint64_t end)
{
    int rc = 0;

    for (; begin < end; begin++)
        rc |= each(c, begin);
    return rc;
}

static int run_sums(const char *kernel, const char *schedule, uint64_t begin,
                    uint64_t end, unsigned skew, int sweeps)
{
    struct dtx_work *w = dtx_work_create(kernel);
    uint64_t sum[3], want[3] = {0, 0, 0}, i;
    double most, least;
    int ok = w && dtx_work_schedule(w, schedule) == 0 &&
             dtx_work_reduce(w, DTX_U64, DTX_SUM, sum, 3) == 0 &&
             dtx_work_reduce(w, DTX_F64, DTX_MAX, &most, 1) == 0 &&
             dtx_work_reduce(w, DTX_F64, DTX_MIN, &least, 1) == 0;

    for (i = begin; i < end; i++) {
        want[0] += i;
        want[1] += i * i;
        want[2]++;
    }
    while (ok && sweeps-- > 0) {
        struct dtx_stats st;

        memset(sum, 1, sizeof(sum));
        ok = dtx_work_for(w, begin, end, skew ? &skew : NULL,
                          skew ? sizeof(skew) : 0) == 0 &&
             memcmp(sum, want, sizeof(sum)) == 0 &&
             dtx_work_stats(w, &st) == 0 && st.done == end - begin &&
             st.failed == 0;
        if (begin < end)
            ok = ok && most == (double)(end - 1) && least == (double)begin;
        else
            ok = ok && most == -HUGE_VAL && least == HUGE_VAL;
    }
    dtx_work_destroy(w);
    return ok;
}

static void check_sums(void)
{
    static const char *const schedules[] = {
        NULL,  "static", "ss", "GSS",   "tss",   "fac", "wf", "awf-b",
        "AWF_C", "af", "fsc:h=1us:sigma=10us", "gss:least=7"};
    size_t i;

    for (i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++) {
        char what[80];

        (void)snprintf(what, sizeof(what), "schedule %s: each once",
                       schedules[i] ? schedules[i] : "of the session");
        verdict(run_sums("each", schedules[i], 5, N, 3, 1), what);
    }
    verdict(run_sums("range", NULL, 0, N, 3, 3), "runs, three sweeps");
    verdict(run_sums("each", NULL, 7, 8, 0, 2), "one iteration");
    verdict(run_sums("each", NULL, 9, 9, 0, 2), "none");
    verdict(run_sums("range", NULL, UINT64_MAX - 3, UINT64_MAX, 0, 1),
            "the largest indices");
}

/* --- more iterations than fit 32 bits ---------------------------------------- */

static int count_run(struct dtx_call *c, uint64_t begin, uint64_t end)
{
    uint64_t *sum = dtx_call_value(c, 0);

    sum[0] += end - begin;
    return 0;
}

static void check_large(void)
{
    struct dtx_work *w = dtx_work_create("count");
    uint64_t sum = 0, n = (UINT64_C(1) << 50) + 12345;

    verdict(w && dtx_work_reduce(w, DTX_U64, DTX_SUM, &sum, 1) == 0 &&
                dtx_work_schedule(w, "fac") == 0 &&
                dtx_work_for(w, 3, n + 3, NULL, 0) == 0 && sum == n,
            "2^50 iterations, by factoring");
    dtx_work_destroy(w);
}

/* --- results ------------------------------------------------------------------ */

struct result {
    uint64_t index, square;
    char pad[21];
};

static int square(struct dtx_call *c, uint64_t i)
{
    struct result *r = dtx_call_result(c, i);

    if (!r || dtx_call_result(c, i + 1000000))
        return 1;
    r->index = i;
    r->square = i * i;
    burn((unsigned)i);
    return 0;
}

static void check_gather(void)
{
    struct dtx_work *w = dtx_work_create("square");
    struct result *all = calloc(N, sizeof(*all));
    int ok = w && all && dtx_work_gather(w, all, sizeof(*all)) == 0;
    int sweep;
    uint64_t i;

    for (sweep = 0; ok && sweep < 2; sweep++) {
        memset(all, 0, N * sizeof(*all));
        ok = dtx_work_for(w, 10, N + 10, NULL, 0) == 0;
        for (i = 0; ok && rank == 0 && i < N; i++)
            ok = all[i].index == i + 10 && all[i].square == (i + 10) * (i + 10);
    }
    verdict(ok, "gathered in place");
    dtx_work_destroy(w);
    free(all);
}

struct seen {
    uint64_t next, count;
    int ordered, ok;
};

static void deliver(void *ctx, uint64_t first, uint64_t count, const void *data)
{
    struct seen *s = ctx;
    uint64_t i;

    s->ok &= !s->ordered || first == s->next;
    for (i = 0; i < count; i++) {
        struct result r;

        memcpy(&r, (const char *)data + i * sizeof(r), sizeof(r));
        s->ok &= r.index == first + i && r.square == (first + i) * (first + i);
    }
    s->next = first + count;
    s->count += count;
}

static void check_deliver(int ordered)
{
    struct dtx_work *w = dtx_work_create("square");
    struct seen s = {0, 0, ordered, 1};
    int ok = w &&
             dtx_work_deliver(w, deliver, &s, sizeof(struct result),
                              ordered) == 0 &&
             dtx_work_for(w, 0, N, NULL, 0) == 0;

    verdict(ok && s.ok && s.count == (rank == 0 ? N : 0),
            ordered ? "delivered in order" : "delivered as they come");
    dtx_work_destroy(w);
}

/* --- an operator of one's own -------------------------------------------------- */

struct best {
    double value;
    uint64_t where;
};

static int find(struct dtx_call *c, uint64_t i)
{
    struct best *b = dtx_call_value(c, 0);
    double v = sin((double)i);

    if (v > b->value) {
        b->value = v;
        b->where = i;
    }
    return 0;
}

static void better(void *into, const void *from, size_t bytes)
{
    struct best *a = into;
    const struct best *b = from;

    (void)bytes;
    if (b->value > a->value)
        *a = *b;
}

static void check_operator(void)
{
    struct dtx_work *w = dtx_work_create("find");
    struct best none = {-2, 0}, got = {0, 0}, want = {-2, 0};
    uint64_t i;

    for (i = 0; i < N; i++) {
        if (sin((double)i) > want.value)
            want = (struct best){sin((double)i), i};
    }
    verdict(w &&
                dtx_work_reduce_by(w, better, &none, &got, sizeof(got)) == 0 &&
                dtx_work_for(w, 0, N, NULL, 0) == 0 &&
                got.where == want.where,
            "an operator of one's own");
    dtx_work_destroy(w);
}

/* --- what goes wrong ------------------------------------------------------------ */

static int thirds(struct dtx_call *c, uint64_t i)
{
    (void)c;
    return i >= 30 && i % 3 == 0 ? 42 : 0;
}

static int stopper(struct dtx_call *c, uint64_t i)
{
    if (i == 10)
        dtx_call_cancel(c);
    burn(20000);
    return 0;
}

/* A call within a call. */
static int nested(struct dtx_call *c, uint64_t i)
{
    (void)c;
    return (i % 2 ? dtx_for("thirds", 0, 1, NULL, 0) : dtx_finalize()) ==
                   DTX_ESTATE
               ? 0
               : 1;
}

static void check_failures(void)
{
    struct dtx_work *w = dtx_work_create("thirds");
    struct dtx_stats st;
    int ok = w && dtx_work_for(w, 0, 300, NULL, 0) == DTX_EKERNEL &&
             strstr(dtx_error_text(), "thirds") &&
             strstr(dtx_error_text(), "42") && dtx_work_stats(w, &st) == 0 &&
             st.done == 300 && st.failed == 90 && st.first == 30;

    verdict(ok, "a kernel's failure is an outcome, on every rank");
    dtx_work_destroy(w);
    verdict(dtx_for("stopper", 0, 200000, NULL, 0) == DTX_ECANCEL,
            "a kernel can stop it all");
    verdict(dtx_for("nested", 0, 100, NULL, 0) == 0,
            "no call within a call");
    verdict(dtx_for("nobody", 0, 10, NULL, 0) == DTX_ENOENT, "no such kernel");
    verdict(dtx_for("each", 10, 0, NULL, 0) == DTX_EINVAL, "no such range");
}

static void check_mismatch(void)
{
    char who[32];

    if (size == 1)
        return;
    verdict(dtx_for(rank == size - 1 ? "stopper" : "thirds", 20, 30, NULL,
                    0) == DTX_EMISMATCH &&
                strstr(dtx_error_text(), "stopper") &&
                strstr(dtx_error_text(), "thirds"),
            "different kernels are told by name");
    verdict(dtx_for("thirds", 0, rank == 1 ? 11 : 10, NULL, 0) ==
                DTX_EMISMATCH,
            "different ranges");
    verdict(dtx_for("thirds", 0, 10, NULL, 0) == 0, "and it goes on");
    if (rank == 1 && dtx_kernel_each("mine", each) != 0)
        number = 999; /* and is told by name, until all have it */
    (void)snprintf(who, sizeof(who), "rank 1");
    verdict(dtx_for("thirds", 0, 10, NULL, 0) == DTX_EMISMATCH &&
                strstr(dtx_error_text(), who) &&
                strstr(dtx_error_text(), "mine"),
            "a kernel that only one rank has");
    if (rank != 1 && dtx_kernel_each("mine", each) != 0)
        number = 999;
    verdict(dtx_for("thirds", 0, 10, NULL, 0) == 0, "until all have it");
    if (rank == 1 ? dtx_kernel_each("kind", each) : /* last: for good */
                    dtx_kernel_range("kind", range))
        number = 999;
    verdict(dtx_for("thirds", 0, 10, NULL, 0) == DTX_EMISMATCH &&
                strstr(dtx_error_text(), "rank 1 'kind' of iterations"),
            "a kernel that is of another kind on one rank");
}

/* --- trees ---------------------------------------------------------------------- */

struct node {
    uint32_t depth, label;
    char rest[4080]; /* so one counts as large */
};

/* A lopsided one: child i of a node has i levels less below it. */
static int64_t visit(struct dtx_call *c, const void *node)
{
    const struct node *n = node;
    uint64_t *sum = dtx_call_value(c, 0);

    sum[0]++;
    sum[1] += n->label;
    burn(1000);
    if (n->rest[0] != n->rest[sizeof(n->rest) - 1])
        return -1;
    return n->depth;
}

static void child(struct dtx_call *c, const void *node, uint64_t i, void *out)
{
    const struct node *n = node;
    struct node *k = out;

    (void)c;
    k->depth = n->depth - 1 - (uint32_t)i;
    k->label = n->label * 31 + (uint32_t)i;
    memset(k->rest, (int)k->label, sizeof(k->rest));
}

static void walk(const struct node *n, uint64_t *sum)
{
    uint32_t i;

    sum[0]++;
    sum[1] += n->label;
    for (i = 0; i < n->depth; i++) {
        struct node k;

        child(NULL, n, i, &k);
        walk(&k, sum);
    }
}

static void check_tree(void)
{
    struct dtx_work *w = dtx_work_create("tree");
    struct node root = {15, 1, ""};
    uint64_t sum[2], want[2] = {0, 0}, straight = 0, all = 0;
    struct dtx_stats st = {0};
    int ok = w && dtx_work_reduce(w, DTX_U64, DTX_SUM, sum, 2) == 0, i;

    walk(&root, want); /* 2^15 nodes: a binomial tree */
    for (i = 0; ok && (i < 3 || (i < 60 && all == 0 && size > 2)); i++) {
        ok = dtx_work_tree(w, &root, NULL, 0) == 0 && sum[0] == 32768 &&
             memcmp(sum, want, sizeof(sum)) == 0 &&
             dtx_work_stats(w, &st) == 0;
        straight += st.straight;
        (void)MPI_Allreduce(&straight, &all, 1, MPI_UINT64_T, MPI_SUM,
                            MPI_COMM_WORLD);
    }
    verdict(ok && (size < 3 ? all == 0 : all > 0),
            "a lopsided tree, three times; bundles go straight");
    root.depth = 0;
    verdict(w && dtx_work_tree(w, &root, NULL, 0) == 0 && sum[0] == 1,
            "a tree of one node");
    dtx_work_destroy(w);
}

static int start(const char *options)
{
    return dtx_init_comm(MPI_COMM_WORLD, options) == 0 &&
           dtx_kernel_each("each", each) == 0 &&
           dtx_kernel_range("range", range) == 0 &&
           dtx_kernel_range("count", count_run) == 0 &&
           dtx_kernel_each("square", square) == 0 &&
           dtx_kernel_each("find", find) == 0 &&
           dtx_kernel_each("thirds", thirds) == 0 &&
           dtx_kernel_each("stopper", stopper) == 0 &&
           dtx_kernel_each("nested", nested) == 0 &&
           dtx_kernel_tree("tree", sizeof(struct node), visit, child) == 0 &&
           dtx_kernel_each("each", each) == DTX_EEXIST;
}

static void session(int slots, const char *more)
{
    const char *options = slots_option(slots, more);
    char what[160];

    (void)snprintf(what, sizeof(what), "a session with %s", options);
    verdict(start(options) && dtx_rank() == rank && dtx_ranks() == size,
            what);
    check_sums();
    check_large();
    check_gather();
    check_deliver(0);
    check_deliver(1);
    check_operator();
    check_failures();
    check_tree();
    check_mismatch();
    verdict(dtx_finalize() == 0 && dtx_rank() == -1, "the session ends");
}

/* --- a rank without memory ---------------------------------------------------- */

static _Atomic bool poor; /* this rank gets nothing more of the aligned kind */

/* The library's, too: a program's functions come first. */
__attribute__((visibility("default"))) void *
aligned_alloc(size_t alignment, size_t bytes)
{
    void *p = NULL;

    return !poor && posix_memalign(&p, alignment, bytes) == 0 ? p : NULL;
}

/* What it calls after that it cannot do. */
static void check_poor(int who, const char *kernel, const char *what)
{
    struct node root = {8, 1, ""};
    struct dtx_work *w;
    uint64_t sum[2];
    char name[32];
    int rc;

    (void)snprintf(name, sizeof(name), "rank %d: ", who);
    verdict(start(slots_option(2, "")), what);
    w = dtx_work_create(kernel);
    if (dtx_work_reduce(w, DTX_U64, DTX_SUM, sum, 2) < 0)
        number = 999;
    poor = rank == who;
    rc = strcmp(kernel, "tree") == 0 ? dtx_work_tree(w, &root, NULL, 0)
                                     : dtx_work_for(w, 0, 30, NULL, 0);
    poor = false;
    verdict(rc == DTX_ENOMEM &&
                (rank == who || strstr(dtx_error_text(), name)),
            "all are told which rank has no memory");
    verdict(dtx_for("thirds", 0, 30, NULL, 0) == DTX_ESTATE, "and nothing else begins");
    dtx_work_destroy(w);
    verdict(dtx_finalize() == 0, "but the end");
}

/* --- counters ------------------------------------------------------------- */

static _Atomic uint64_t used_ns; /* by 'work_or_rest' of this rank */

static uint64_t thread_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* 5 ms of work, or of sleep. */
static int work_or_rest(struct dtx_call *c, uint64_t i)
{
    const struct timespec nap = {0, 5000000};
    const int *rests = dtx_call_args(c, NULL);
    uint64_t from = thread_ns();

    (void)i;
    if (*rests)
        (void)nanosleep(&nap, NULL);
    while (!*rests && thread_ns() - from < 5000000)
        ;
    (void)atomic_fetch_add(&used_ns, thread_ns() - from);
    return 0;
}

static int count_loop(struct dtx_work *w, int rests,
                      struct dtx_counter_stats *c)
{
    atomic_store(&used_ns, 0);
    return dtx_work_for(w, 0, 20u * (unsigned)dtx_slots_all(), &rests,
                        sizeof(rests)) == 0 &&
           dtx_work_counters(w, c) == 0;
}

static void check_counters(const char *options, int counts)
{
    struct dtx_counter_stats busy = {0}, idle = {0};
    struct dtx_stats stats;
    struct dtx_work *w;
    uint64_t used;
    int ok;

    ok = dtx_init(slots_option(2, options)) == 0 &&
         dtx_kernel_each("work_or_rest", work_or_rest) == 0 &&
         (w = dtx_work_create("work_or_rest")) != NULL &&
         dtx_work_schedule(w, "static") == 0 && count_loop(w, 0, &busy);
    used = atomic_load(&used_ns);
    ok = ok && count_loop(w, 1, &idle) && dtx_work_stats(w, &stats) == 0;
    if (ok && counts)
        ok = (busy.measured & idle.measured & DTX_HAS_CLOCK) != 0 &&
             strcmp(busy.provider, "none") != 0 &&
             (double)busy.clock_ns > 0.7 * (double)used &&
             (double)busy.clock_ns < 1.3 * (double)used + 2e7 &&
             (double)idle.clock_ns < 5e6 + 5e6 / 4 * (double)stats.here;
    else if (ok)
        ok = busy.measured == 0 && strcmp(busy.provider, "none") == 0;
    if (!ok)
        fprintf(stderr, "# %s: %llu ns busy, %llu idle, %llu by the kernel\n",
                busy.provider, (unsigned long long)busy.clock_ns,
                (unsigned long long)idle.clock_ns, (unsigned long long)used);
    verdict(ok && dtx_finalize() == 0,
            counts ? "what slots do is counted" : "nothing is counted");
}

/* A file that cannot be opened is told on rank 0, and by the run on all. */
static void check_no_journal(void)
{
    struct dtx_work *w;
    double res[10];
    int rc;

    verdict(start(slots_option(2, "")), "a journal that cannot be");
    w = dtx_work_create("thirds");
    rc = dtx_work_gather(w, rank == 0 ? res : NULL, sizeof(res[0]));
    verdict(rc == 0, "with results");
    rc = dtx_work_journal(w, "/nonexistent/journal");
    verdict(rc == (rank == 0 ? DTX_ENOENT : 0), "rank 0 is told");
    rc = dtx_work_for(w, 0, 10, NULL, 0);
    verdict(rc == DTX_ENOENT &&
                strstr(dtx_error_text(), "/nonexistent/journal"),
            "and all are when it is run");
    verdict(dtx_for("thirds", 0, 10, NULL, 0) == 0, "other work is run");
    verdict(dtx_finalize() == 0, "then the end");
    verdict(dtx_work_for(w, 0, 10, NULL, 0) == DTX_ESTATE,
            "behind it nothing runs");
}

/* All are told what is wrong on one rank alone, by its name, and go on. */
static int all_told(int rc, int code, int who, const char *what)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "rank %d: ", who);
    return rc == code && strstr(dtx_error_text(), what) &&
           (size == 1 || strstr(dtx_error_text(), name));
}

static void check_wrong_options(int who)
{
    int ok;

    if (rank == who)
        (void)setenv("DTX_SLOTS", "many", 1);
    ok = all_told(dtx_init(NULL), DTX_EINVAL, who, "DTX_SLOTS: slots=many");
    (void)unsetenv("DTX_SLOTS");
    verdict(ok, "a wrong variable on one rank");
    ok = all_told(dtx_init(rank == who ? "nap=0s" : NULL), DTX_EINVAL, who,
                  "nap=0s");
    verdict(ok, "a wrong option on one rank");
    if (size == 1)
        return;
    ok = dtx_init(rank == who ? "slots=7" : "slots=5") == DTX_EMISMATCH &&
         strstr(dtx_error_text(), "of the same node");
    verdict(ok, "another number of slots on one rank");
}

/* Wrong arguments on rank 'who' alone, while the others make the call. */
static void check_wrong_calls(int who)
{
    struct dtx_work *w = dtx_work_create("square"),
                    *tree = dtx_work_create("tree"),
                    *each_w = dtx_work_create("each");
    static uint64_t results[64];
    struct node root = {3, 1, ""};
    uint64_t sum[2];
    int ok = w && tree && each_w &&
             dtx_work_gather(w, results, sizeof(results[0])) == 0 &&
             dtx_work_reduce(tree, DTX_U64, DTX_SUM, sum, 2) == 0;

    ok = ok && all_told(dtx_work_for(w, rank == who ? 65 : 0, 64, NULL, 0),
                        DTX_EINVAL, who, "65 to 64");
    ok = ok && all_told(dtx_work_for(rank == who ? NULL : w, 0, 64, NULL, 0),
                        DTX_EINVAL, who, "dtx_work_for");
    ok = ok && all_told(dtx_work_tree(tree, rank == who ? NULL : &root, NULL,
                                      0), DTX_EINVAL, who, "dtx_work_tree");
    ok = ok && all_told(dtx_for(rank == who ? "nobody" : "thirds", 0, 9, NULL,
                                0), DTX_ENOENT, who, "'nobody'");
    ok = ok && all_told(dtx_work_run(rank == who ? w : each_w), DTX_EINVAL,
                        who, "dtx_work_run");
    verdict(ok, "wrong arguments on one rank");
    ok = ok && dtx_work_for(w, 0, 64, NULL, 0) == 0 &&
         dtx_work_tree(tree, &root, NULL, 0) == 0 && sum[0] == 8;
    verdict(ok, "and the next calls are made");
    dtx_work_destroy(w);
    dtx_work_destroy(tree);
    dtx_work_destroy(each_w);
}

static void check_wrong(void)
{
    check_wrong_options(0);
    check_wrong_options(size - 1);
    verdict(start(slots_option(2, "")), "a session for wrong calls");
    check_wrong_calls(0);
    check_wrong_calls(size - 1);
    verdict(dtx_finalize() == 0, "ends");
}

/* What is wrong with one rank alone is told on all, and none waits for it. */
static void check_lone(void)
{
    int rc;

    if (rank == size - 1)
        (void)setenv("HWLOC_XMLFILE", "/nonexistent.xml", 1);
    rc = dtx_init(NULL);
    if (rank == size - 1)
        (void)unsetenv("HWLOC_XMLFILE");
    verdict(all_told(rc, DTX_EINVAL, size - 1, "/nonexistent.xml"),
            "a machine that one rank cannot read");
    verdict(start(slots_option(1, "")) && dtx_finalize() == 0,
            "and the next session is well");
}

int main(int argc, char **argv)
{
    if (!tap_begin(&argc, &argv, MPI_THREAD_FUNNELED))
        return 99;
    verdict(dtx_init("slot=3") == DTX_EINVAL &&
                strstr(dtx_error_text(), "slots="),
            "an unknown option, and what is meant");
    verdict(dtx_for("each", 0, 1, NULL, 0) == DTX_ESTATE, "outside a session");
    session(1, "");
    session(4, "bell=no nap=100us");
    session(2, "schedule=gss");
    check_counters("", 1);
    check_counters("counters=off", 0);
    check_no_journal();
    check_wrong();
    check_lone();
    check_poor(0, "thirds", "rank 0 is poor");
    check_poor(size - 1, "thirds", "the last is poor");
    check_poor(size - 1, "tree", "the last is poor, at a tree");
    return tap_end();
}
