/* SPDX-License-Identifier: MIT */
/* tests/bench/lane.c - the kernel lane against half of serial, and its peers
 *
 *     mpirun -n 2 lane [ROUNDS [ROW...]]     two ranks of one slot
 *     mpirun -n 1 lane [ROUNDS [ROW...]]     one rank of two slots
 *     mpirun -n 4 lane [ROUNDS [ROW...]]     more slots than cores
 *
 * A ROW is a part of a row's name ("10 us", "UTS", "naps"); all, when there is
 * none.  In each round: the work serially on rank 0 (nobody computes then),
 * by the library, by OpenMP (dynamic and guided, two threads of rank 0), and on
 * several ranks by a shared counter (MPI_Fetch_and_op) and by a hand-written
 * farm, in which rank 0 only hands out chunks; and loops of equal iterations in
 * two bare halves, by two ranks or threads without any runtime between a start
 * and an end, which is what the machine allows.  A ratio is a time over half of
 * the round's serial time; medians of the rounds are printed.  With naps the
 * ranks have no doorbell, as between nodes.  It asserts nothing but that
 * results are right. */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <distributex.h>
#include <distributex_mpi.h>

#include "lane.h"

int rank, size, rounds = 9;
double seen[COLUMNS][MOST_ROUNDS];
static char **wanted; /* NULL at its end */
static _Thread_local volatile unsigned sink;
static unsigned loops_of_10us; /* of 'burn' */

double now(void)
{
    return MPI_Wtime();
}

static void burn(unsigned n)
{
    unsigned x = sink;

    while (n-- > 0)
        x = x * 1664525u + 1013904223u;
    sink = x;
}

/* --- the loops ------------------------------------------------------------ */

struct loop {
    const char *name;
    uint64_t n;
    void (*body)(uint64_t i);
    int sweeps; /* the library's: the last is told apart */
    bool even;  /* iterations cost the same */
};

static void body_10us(uint64_t i)
{
    (void)i;
    burn(loops_of_10us);
}

static void body_100us(uint64_t i)
{
    (void)i;
    burn(10 * loops_of_10us);
}

/* 400 iterations from 0.05 ms on, longer and longer, the last 4 % of all. */
#define SKEWED 400
static void body_skew(uint64_t i)
{
    burn((unsigned)((i + 1 == SKEWED ? 4000 : 5 + i / 2) * loops_of_10us));
}

static void body_mandel(uint64_t y)
{
    double ci = 1.5 - (double)y * 3 / 1024;
    unsigned sum = 0;

    for (int x = 0; x < 1024; x++) {
        double cr = -2.25 + x * 3.0 / 1024, r = 0, i = 0;
        int n;

        for (n = 0; n < 2000 && r * r + i * i < 4; n++) {
            double t = r * r - i * i + cr;

            i = 2 * r * i + ci;
            r = t;
        }
        sum += (unsigned)n;
    }
    sink = sum;
}

static const struct loop loops[] = {
    {"100,000 x 10 us", 100000, body_10us, 1, true},
    {"20,000 x 100 us", 20000, body_100us, 1, true},
    {"skewed, longest last", SKEWED, body_skew, 2, false},
    {"Mandelbrot by rows", 1024, body_mandel, 1, false},
};
#define LOOPS (sizeof(loops) / sizeof(loops[0]))

static int each(struct dtx_call *c, uint64_t i)
{
    const uint32_t *which = dtx_call_args(c, NULL);

    loops[*which].body(i);
    return 0;
}

static int null(struct dtx_call *c, uint64_t i)
{
    (void)c;
    (void)i;
    return 0;
}

/* --- columns -------------------------------------------------------------- */

static const char *const column[COLUMNS] = {
    "serial", "library", "2nd sweep", "omp dyn", "omp guided", "counter",
    "farm", "omp tasks", "bare halves"};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *v)
{
    qsort(v, (size_t)rounds, sizeof(*v), by_value);
    return v[rounds / 2];
}

bool is_wanted(const char *row)
{
    char **w = wanted;

    while (*w && !strstr(row, *w))
        w++;
    return *w || !*wanted;
}

/* What was seen of a row. */
void print_row(const char *row)
{
    if (rank != 0)
        return;
    printf("%-22s serial %.3f s;", row, median(seen[SERIAL]));
    for (int c = COLD; c < COLUMNS; c++) {
        if (seen[c][0] > 0)
            printf(" %s %.3f", column[c], median(seen[c]));
    }
    printf("\n");
    (void)fflush(stdout);
}

/* Others sleep while rank 0 does something alone. */
void wait_for_rank_0(void)
{
    const struct timespec nap = {0, 1000000};
    MPI_Request r;
    int done = 0;

    (void)MPI_Ibarrier(MPI_COMM_WORLD, &r);
    while (!done) {
        (void)MPI_Test(&r, &done, MPI_STATUS_IGNORE);
        if (!done)
            (void)nanosleep(&nap, NULL);
    }
}

static double serial(const struct loop *l)
{
    double t = now();

    for (uint64_t i = 0; i < l->n; i++)
        l->body(i);
    return now() - t;
}

#ifdef _OPENMP
static double openmp(const struct loop *l, int guided)
{
    double t = now();

    omp_set_schedule(guided ? omp_sched_guided : omp_sched_dynamic, 1);
#pragma omp parallel for schedule(runtime) num_threads(2)
    for (uint64_t i = 0; i < l->n; i++)
        l->body(i);
    return now() - t;
}
#endif

/* Each rank takes the next iterations from a counter on rank 0. */
static double counter(const struct loop *l)
{
    static MPI_Win win = MPI_WIN_NULL;
    static long *next;
    long mine, chunk = l->n > 10000 ? 10 : 1;
    double t;

    if (win == MPI_WIN_NULL)
        (void)MPI_Win_allocate(rank == 0 ? sizeof(long) : 0, sizeof(long),
                               MPI_INFO_NULL, MPI_COMM_WORLD, &next, &win);
    if (rank == 0)
        *next = 0;
    (void)MPI_Barrier(MPI_COMM_WORLD);
    t = now();
    (void)MPI_Win_lock_all(0, win);
    for (;;) {
        (void)MPI_Fetch_and_op(&chunk, &mine, MPI_LONG, 0, 0, MPI_SUM, win);
        (void)MPI_Win_flush(0, win);
        if (mine >= (long)l->n)
            break;
        for (long i = mine; i < mine + chunk && i < (long)l->n; i++)
            l->body((uint64_t)i);
    }
    (void)MPI_Win_unlock_all(win);
    (void)MPI_Barrier(MPI_COMM_WORLD);
    return now() - t;
}

/* Rank 0 hands out, the others work: what is written by hand most often. */
static double farm(const struct loop *l)
{
    long chunk = l->n > 10000 ? 10 : 1, at = 0, stop = -1;
    double t;

    (void)MPI_Barrier(MPI_COMM_WORLD);
    t = now();
    if (rank == 0) {
        for (int left = size - 1; left > 0;) {
            MPI_Status s;
            long none;

            (void)MPI_Recv(&none, 1, MPI_LONG, MPI_ANY_SOURCE, 5,
                           MPI_COMM_WORLD, &s);
            (void)MPI_Send(at < (long)l->n ? &at : &stop, 1, MPI_LONG,
                           s.MPI_SOURCE, 5, MPI_COMM_WORLD);
            left -= at >= (long)l->n;
            at += chunk;
        }
    } else {
        for (;;) {
            long mine = 0;

            (void)MPI_Send(&mine, 1, MPI_LONG, 0, 5, MPI_COMM_WORLD);
            (void)MPI_Recv(&mine, 1, MPI_LONG, 0, 5, MPI_COMM_WORLD,
                           MPI_STATUS_IGNORE);
            if (mine < 0)
                break;
            for (long i = mine; i < mine + chunk && i < (long)l->n; i++)
                l->body((uint64_t)i);
        }
    }
    (void)MPI_Barrier(MPI_COMM_WORLD);
    return now() - t;
}

/* --- what the machine allows ---------------------------------------------- */

static void *run_lower(void *loop)
{
    const struct loop *l = loop;

    for (uint64_t i = 0; i < l->n / 2; i++)
        l->body(i);
    return NULL;
}

static void run_upper(const struct loop *l)
{
    for (uint64_t i = l->n / 2; i < l->n; i++)
        l->body(i);
}

/* Two halves, by ranks 0 and 1, or by two threads of the only rank. */
static double halves(struct loop l)
{
    pthread_t other;
    double t;

    (void)MPI_Barrier(MPI_COMM_WORLD);
    t = now();
    if (size > 1) {
        if (rank == 0)
            (void)run_lower(&l);
        else if (rank == 1)
            run_upper(&l);
        (void)MPI_Barrier(MPI_COMM_WORLD);
    } else {
        if (pthread_create(&other, NULL, run_lower, &l))
            die("thread");
        run_upper(&l);
        (void)pthread_join(other, NULL);
    }
    return now() - t;
}

/* --- one round ------------------------------------------------------------ */

void die(const char *what)
{
    fprintf(stderr, "lane: rank %d: %s: %s\n", rank, what, dtx_error_text());
    (void)MPI_Abort(MPI_COMM_WORLD, 1);
}

static double library(struct dtx_work *w, uint32_t which)
{
    double t;

    (void)MPI_Barrier(MPI_COMM_WORLD);
    t = now();
    if (dtx_work_for(w, 0, loops[which].n, &which, sizeof(which)) < 0)
        die("loop");
    return now() - t;
}

static void round_of(uint32_t which, int r)
{
    const struct loop *l = &loops[which];
    struct dtx_work *w = dtx_work_create("each");
    double half;

    if (rank == 0)
        seen[SERIAL][r] = serial(l);
    wait_for_rank_0();
    half = seen[SERIAL][r] / 2;
    seen[COLD][r] = library(w, which) / half;
    if (l->even)
        seen[HALVES][r] = halves(*l) / half;
    if (l->sweeps > 1)
        seen[WARM][r] = library(w, which) / half;
    dtx_work_destroy(w);
#ifdef _OPENMP
    if (rank == 0) {
        seen[DYNAMIC][r] = openmp(l, 0) / half;
        seen[GUIDED][r] = openmp(l, 1) / half;
    }
    wait_for_rank_0();
#endif
    if (size > 1) {
        seen[COUNTER][r] = counter(l) / half;
        seen[FARM][r] = farm(l) / half;
    }
}

static void bench_loops(void)
{
    for (uint32_t k = 0; k < LOOPS; k++) {
        if (!is_wanted(loops[k].name))
            continue;
        memset(seen, 0, sizeof(seen));
        for (int r = 0; r < rounds; r++)
            round_of(k, r);
        print_row(loops[k].name);
    }
}

/* The first two, in a session without doorbells. */
static void bench_naps(void)
{
    for (uint32_t k = 0; k < 2; k++) {
        char row[40];

        (void)snprintf(row, sizeof(row), "%s, naps", loops[k].name);
        if (!is_wanted(row))
            continue;
        memset(seen, 0, sizeof(seen));
        for (int r = 0; r < rounds; r++) {
            struct dtx_work *w = dtx_work_create("each");

            if (rank == 0)
                seen[SERIAL][r] = serial(&loops[k]);
            wait_for_rank_0();
            seen[COLD][r] = library(w, k) / (seen[SERIAL][r] / 2);
            dtx_work_destroy(w);
        }
        print_row(row);
    }
}

static void bench_null(void)
{
    const uint64_t n = 300000000;

    if (!is_wanted("null iterations"))
        return;
    for (int r = 0; r < rounds; r++) {
        double t;

        (void)MPI_Barrier(MPI_COMM_WORLD);
        t = now();
        if (dtx_for("null", 0, n, NULL, 0) < 0)
            die("null");
        seen[0][r] = (double)n / (now() - t) / 1e6;
    }
    if (rank == 0)
        printf("%-22s %.0f M/s\n", "null iterations", median(seen[0]));
}

/* --- from run to run ------------------------------------------------------ */

/* One run of a program that keeps what it learns in 'path': the skewed loop. */
static double run_learning(const char *path)
{
    const uint32_t skewed = 2;
    char options[128];
    struct dtx_work *w;
    double t;

    (void)snprintf(options, sizeof(options), "learned=%s", path);
    if (dtx_init_comm(MPI_COMM_WORLD, options) < 0 ||
        dtx_kernel_each("each", each) < 0 || !(w = dtx_work_create("each")))
        die("start");
    t = library(w, skewed);
    dtx_work_destroy(w);
    if (dtx_finalize() < 0)
        die("end");
    return t;
}

static void bench_learned(void)
{
    char path[64];

    if (!is_wanted("second run"))
        return;
    (void)snprintf(path, sizeof(path), "/tmp/dtx-lane-%ld", (long)getpid());
    (void)MPI_Bcast(path, sizeof(path), MPI_CHAR, 0, MPI_COMM_WORLD);
    for (int r = 0; r < rounds; r++) {
        double half = rank == 0 ? serial(&loops[2]) / 2 : 1;

        wait_for_rank_0();
        (void)remove(path);
        seen[0][r] = run_learning(path) / half;
        seen[1][r] = run_learning(path) / half;
    }
    (void)remove(path);
    if (rank == 0)
        printf("%-22s first sweep %.3f, of the first run %.3f (skewed)\n",
               "second run", median(seen[1]), median(seen[0]));
}

/* --- counters ------------------------------------------------------------- */

/* Seconds of a run of 'n' null iterations, after one that is not looked at. */
static double run_nulls(const char *options, uint64_t n, int runs)
{
    double t = 0;

    if (dtx_init_comm(MPI_COMM_WORLD, options) < 0 ||
        dtx_kernel_each("null", null) < 0)
        die("start");
    for (int k = -1; k < runs; k++) {
        if (k == 0)
            t = now();
        if (dtx_for("null", 0, n, NULL, 0) < 0)
            die("null");
    }
    t = (now() - t) / runs;
    if (dtx_finalize() < 0)
        die("end");
    return t;
}

/* What counters cost: in a long loop, and a call of a short one. */
static void bench_counters(void)
{
    const uint64_t n = 100000000;

    if (!is_wanted("counters"))
        return;
    for (int r = 0; r < rounds; r++) {
        seen[0][r] = run_nulls("counters=auto", n, 1) /
                     run_nulls("counters=off", n, 1);
        seen[1][r] = run_nulls("counters=auto", 100, 1000) * 1e6;
        seen[2][r] = run_nulls("counters=off", 100, 1000) * 1e6;
    }
    if (rank == 0)
        printf("%-22s null iterations %.3f of the time without; a loop of 100 "
               "%.2f us, without %.2f us\n",
               "counters", median(seen[0]), median(seen[1]), median(seen[2]));
}

static void calibrate(void)
{
    double best = 1;

    for (int i = 0; i < 20; i++) {
        double t = now();

        burn(1000000);
        t = now() - t;
        best = t < best ? t : best;
    }
    loops_of_10us = (unsigned)(1000000 * 1e-5 / best);
    (void)MPI_Bcast(&loops_of_10us, 1, MPI_UNSIGNED, 0, MPI_COMM_WORLD);
}

static void begin(const char *options)
{
    if (dtx_init_comm(MPI_COMM_WORLD, options) < 0 ||
        dtx_kernel_each("each", each) < 0 ||
        dtx_kernel_each("null", null) < 0 || register_more() < 0)
        die("start");
}

int main(int argc, char **argv)
{
    int level;

    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc > 1)
        rounds = (int)strtol(argv[1], NULL, 10);
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    wanted = argv + (argc > 1 ? 2 : 1);
    begin(NULL);
    calibrate();
    if (rank == 0)
        printf("# %d ranks, %d slots; ratios to serial/2, medians of %d\n",
               size, dtx_slots_all(), rounds);
    bench_loops();
    bench_null();
    bench_trees();
    bench_tasks();
    (void)dtx_finalize();
    if (size > 1) {
        begin("bell=no");
        bench_naps();
        (void)dtx_finalize();
    }
    bench_learned();
    bench_counters();
    (void)MPI_Finalize();
    return 0;
}
