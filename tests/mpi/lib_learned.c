/* SPDX-License-Identifier: MIT */
/* tests/mpi/lib_learned.c - a program whose runs learn from one another
 *
 * lib_learned N [cost|for|features X]: a loop of N iterations, the last tenth
 * of them dear and the very last the dearest, then tasks of four sizes.  Says,
 * as rank 0: how many iterations ran on its rank before the dearest one, how
 * many of the tasks that ran in the first quarter were of the largest kind, and
 * what the file had.  Started by tests/cli/lib_learned.t. */
#include <mpi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <distributex.h>

#define TASKS 40

static _Thread_local volatile unsigned sink;
static atomic_uint turn; /* iterations begun on this rank */
static uint64_t n;
static int largest, ended;
static uint64_t first_task;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, dtx_error_text());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void burn(unsigned k)
{
    while (k-- > 0)
        sink = sink * 1664525u + 1013904223u;
}

static unsigned weight(uint64_t i)
{
    return i + 1 == n ? 400 : i >= n - n / 10 ? 40 : 1;
}

static int skewed(struct dtx_call *c, uint64_t i)
{
    uint32_t place = atomic_fetch_add(&turn, 1);

    burn(20000 * weight(i));
    if (dtx_call_result(c, i))
        memcpy(dtx_call_result(c, i), &place, sizeof(place));
    return 0;
}

static double guess(void *ctx, uint64_t begin, uint64_t end)
{
    double sum = 0;

    (void)ctx;
    for (; begin < end; begin++)
        sum += weight(begin);
    return sum;
}

static unsigned char kind_of(uint64_t i)
{
    return (unsigned char)(i * 7 % 4);
}

static int task(struct dtx_call *c, const void *in, size_t bytes)
{
    const unsigned char *kind = in;

    (void)c;
    if (bytes == 1)
        burn(100000u << *kind);
    return 0;
}

static void count(void *ctx, uint64_t id, int code, const void *out, size_t k)
{
    (void)ctx;
    (void)code;
    (void)out;
    (void)k;
    if (ended++ < TASKS / 4)
        largest += kind_of(id - first_task) == 3;
}

static void run_tasks(void)
{
    struct dtx_work *w = dtx_work_create("task");
    uint64_t i;

    if (!w || dtx_work_on_end(w, count, NULL) < 0)
        fail("tasks");
    for (i = 0; dtx_rank() == 0 && i < TASKS; i++) {
        unsigned char kind = kind_of(i);
        double x = 1 << kind;
        struct dtx_task_how how = {.features = &x, .nfeatures = 1};
        int64_t id = dtx_work_submit(w, NULL, &kind, 1, &how);

        if (i == 0)
            first_task = (uint64_t)id;
    }
    if (dtx_work_run(w) < 0)
        fail("run");
    dtx_work_destroy(w);
}

static void run_loop(int argc, char **argv)
{
    struct dtx_work *w = dtx_work_create("skewed");
    uint32_t *place = calloc(n, sizeof(*place));
    double x = argc > 3 ? strtod(argv[3], NULL) : 0;

    if (!w || !place || dtx_work_gather(w, place, sizeof(*place)) < 0)
        fail("work");
    if (argc > 2 && strcmp(argv[2], "cost") == 0 &&
        dtx_work_cost(w, guess, NULL) < 0)
        fail("cost");
    if (argc > 3 && dtx_work_features(w, &x, 1) < 0)
        fail("features");
    if (dtx_work_for(w, 0, n, NULL, 0) < 0)
        fail("loop");
    if (dtx_rank() == 0)
        printf("%u before the dearest\n", place[n - 1]);
    free(place);
    dtx_work_destroy(w);
}

int main(int argc, char **argv)
{
    struct dtx_learned_stats st;
    int rc, rank;

    if (dtx_init("bind=no") < 0) { /* on all ranks */
        fprintf(stderr, "begin: %s\n", dtx_error_text());
        return 1;
    }
    if (argc < 2 ||
        dtx_kernel_each("skewed", skewed) < 0 ||
        dtx_kernel_task("task", task) < 0 || dtx_learned_stats(&st) < 0)
        fail("begin");
    rank = dtx_rank();
    n = strtoull(argv[1], NULL, 10);
    if (rank == 0)
        printf("had %llu loops, %llu outcomes; left out %llu; %s: %s\n",
               (unsigned long long)st.loops, (unsigned long long)st.outcomes,
               (unsigned long long)st.left_out,
               st.code ? dtx_strerror(st.code) : "well",
               st.code ? dtx_error_text() : "");
    if (argc > 2 && strcmp(argv[2], "for") == 0) {
        if (dtx_for("skewed", 0, n, NULL, 0) < 0)
            fail("for");
    } else {
        run_loop(argc, argv);
    }
    run_tasks();
    if (rank == 0)
        printf("%d of the first %d tasks were large\n", largest, TASKS / 4);
    rc = dtx_finalize();
    if (rank == 0 && rc < 0)
        printf("at the end: %s\n", dtx_error_text());
    return 0;
}
