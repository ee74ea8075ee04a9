/* SPDX-License-Identifier: MIT */
/* tests/mpi/lib_lost.c - ranks that are killed while the library works
 *
 * Rank 1 kills itself in a loop, between two, while results are gathered or
 * delivered, in a loop that a schedule cuts, among submitted tasks; the last
 * rank in a tree; rank 0 in a loop.  What the others come to is exact, and in
 * the last two they are told.  "cut" is a loop while which the last rank's host
 * is cut off.  Each case is a world of its own: LOST=CASE, and a rank that lives
 * says "CASE ok".  Started by tests/cli/lib_lost.t and lib_hosts.t. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <distributex.h>

#define N 4000u

static int rank, size, victim;
static unsigned calls; /* of this rank; one slot a rank */
static uint64_t got[N];
static unsigned char seen[N + 1];
static int wrong;

static void fail(const char *what)
{
    fprintf(stderr, "rank %d: %s: %s\n", rank, what, dtx_error_text());
    _exit(1);
}

/* Says once that the last rank has begun, for who cuts its host off. */
static void tell(void)
{
    static int told;
    FILE *f;

    if (!getenv("LOST_BEGAN") || rank != size - 1 || told++)
        return;
    f = fopen(getenv("LOST_BEGAN"), "w");
    if (f)
        (void)fclose(f);
}

static void nap(long ns)
{
    const struct timespec t = {0, ns};

    (void)nanosleep(&t, NULL);
}

/* The victim's so many-th call is its last. */
static void fate(unsigned last)
{
    if (rank == victim && ++calls == last)
        (void)raise(SIGKILL);
}

static uint64_t worth(uint64_t i)
{
    return i * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static int each(struct dtx_call *c, uint64_t i)
{
    uint64_t *sum = dtx_call_value(c, 0), *out = dtx_call_result(c, i);

    fate(150);
    tell();
    nap(200000);
    if (sum)
        *sum += worth(i);
    if (out)
        *out = worth(i);
    return 0;
}

static int task(struct dtx_call *c, const void *in, size_t bytes)
{
    uint64_t *sum = dtx_call_value(c, 0), i, out;

    if (bytes != sizeof(i))
        return 1;
    memcpy(&i, in, sizeof(i));
    fate(150);
    nap(200000);
    out = worth(i);
    if (sum)
        *sum += out;
    return dtx_call_output(c, &out, sizeof(out));
}

static int64_t visit(struct dtx_call *c, const void *node)
{
    unsigned depth;

    (void)c;
    memcpy(&depth, node, sizeof(depth));
    fate(20);
    nap(1000000);
    return depth < 11 ? 2 : 0;
}

static void child(struct dtx_call *c, const void *node, uint64_t i, void *out)
{
    unsigned depth;

    (void)c;
    (void)i;
    memcpy(&depth, node, sizeof(depth));
    depth++;
    memcpy(out, &depth, sizeof(depth));
}

static uint64_t want(void)
{
    uint64_t sum = 0, i;

    for (i = 0; i < N; i++)
        sum += worth(i);
    return sum;
}

/* Twice: with the loss, and after it among those who are left; or with the loss
 * between the two. */
static void loop(const char *schedule, int between)
{
    struct dtx_work *w = dtx_work_create("each");
    uint64_t sum = 0;
    struct dtx_stats st;
    int run;

    if (!w || dtx_work_reduce(w, DTX_U64, DTX_SUM, &sum, 1) < 0 ||
        dtx_work_schedule(w, schedule) < 0)
        fail("no work");
    for (run = 0; run < 2; run++) {
        sum = 0;
        if (between && run == 1 && rank == 1)
            (void)raise(SIGKILL);
        if (dtx_work_for(w, 0, N, NULL, 0) < 0)
            fail("the loop");
        if (sum != want() || dtx_work_stats(w, &st) < 0 || st.done != N)
            fail("the sum is wrong");
    }
}

static void deliver(void *ctx, uint64_t first, uint64_t count, const void *p)
{
    const char *at = p;
    uint64_t i;

    (void)ctx;
    for (i = first; i < first + count; i++, at += sizeof(uint64_t)) {
        wrong += i >= N || seen[i]++;
        memcpy(&got[i % N], at, sizeof(uint64_t));
    }
}

static void results(int gather)
{
    struct dtx_work *w = dtx_work_create("each");
    uint64_t i;

    if (!w || (gather ? dtx_work_gather(w, rank == 0 ? got : NULL, 8)
                      : dtx_work_deliver(w, deliver, NULL, 8, 1)) < 0 ||
        dtx_work_for(w, 0, N, NULL, 0) < 0)
        fail("the loop");
    for (i = 0; rank == 0 && i < N; i++)
        wrong += got[i] != worth(i) || (!gather && seen[i] != 1);
    if (wrong)
        fail("results are wrong, or come twice");
}

static void ended(void *ctx, uint64_t id, int code, const void *out, size_t n)
{
    uint64_t value = 0;

    (void)ctx;
    if (n == sizeof(value))
        memcpy(&value, out, sizeof(value));
    wrong += code != 0 || id > N || seen[id]++ || value != worth(id - 1);
}

static void submit(struct dtx_work *w)
{
    uint64_t i, after;

    for (i = 0; i < N; i++) {
        struct dtx_task_how how = {0};

        after = i > 40 ? i - 40 : 0;
        how.after = &after;
        how.nafter = after > 0;
        if (dtx_work_submit(w, NULL, &i, sizeof(i), &how) < 0)
            fail("submit");
    }
}

/* Called by all, with a sum; or by rank 0, served by the others. */
static void tasks(int served)
{
    struct dtx_work *w = dtx_work_create("task");
    uint64_t sum = 0, i;

    if (!w || dtx_work_on_end(w, ended, NULL) < 0)
        fail("no work");
    if (!served && dtx_work_reduce(w, DTX_U64, DTX_SUM, &sum, 1) < 0)
        fail("no sum");
    if (rank == 0)
        submit(w);
    if (served && rank != 0) {
        if (dtx_serve() < 0)
            fail("serve");
        return;
    }
    if (dtx_work_run(w) < 0)
        fail("run");
    for (i = 1; rank == 0 && i <= N; i++)
        wrong += seen[i] != 1;
    if (wrong || (!served && sum != want()))
        fail("tasks are wrong, or end twice");
    if (served && dtx_dismiss() < 0)
        fail("dismiss");
}

static void tree(void)
{
    struct dtx_work *w = dtx_work_create("tree");
    unsigned root = 0;
    char text[32];

    if (!w || dtx_work_tree(w, &root, NULL, 0) != DTX_ELOST)
        fail("no error");
    (void)snprintf(text, sizeof(text), "rank %d", size - 1);
    if (!strstr(dtx_error_text(), text))
        fail("who?");
    if (dtx_for("each", 0, 1, NULL, 0) != DTX_ESTATE)
        fail("the session goes on");
}

static void root(void)
{
    if (dtx_for("each", 0, N, NULL, 0) != DTX_ELOST)
        fail("no error");
    if (!strstr(dtx_error_text(), "rank 0"))
        fail("who?");
    if (dtx_for("each", 0, 1, NULL, 0) != DTX_ESTATE)
        fail("the session goes on");
}

int main(void)
{
    const char *what = getenv("LOST");

    if (!what || dtx_init("bind=no") < 0)
        fail("init");
    rank = dtx_rank();
    size = dtx_ranks();
    if (dtx_kernel_each("each", each) < 0 || dtx_kernel_task("task", task) < 0 ||
        dtx_kernel_tree("tree", sizeof(unsigned), visit, child) < 0)
        fail("kernels");
    victim = strcmp(what, "tree") == 0      ? size - 1
             : strcmp(what, "root") == 0    ? 0
             : strcmp(what, "between") == 0 ||
                       strcmp(what, "cut") == 0
                 ? -1
                                            : 1;
    if (strcmp(what, "loop") == 0 || strcmp(what, "between") == 0 ||
        strcmp(what, "cut") == 0)
        loop(NULL, strcmp(what, "between") == 0);
    else if (strcmp(what, "fac") == 0 || strcmp(what, "static") == 0)
        loop(what, 0);
    else if (strcmp(what, "gather") == 0 || strcmp(what, "deliver") == 0)
        results(strcmp(what, "gather") == 0);
    else if (strcmp(what, "tasks") == 0 || strcmp(what, "serve") == 0)
        tasks(strcmp(what, "serve") == 0);
    else if (strcmp(what, "tree") == 0)
        tree();
    else
        root();
    if (dtx_finalize() != DTX_ELOST)
        fail("finalize");
    if (rank == (victim == 0))
        printf("%s ok\n", what);
    (void)fflush(stdout);
    return 0;
}
