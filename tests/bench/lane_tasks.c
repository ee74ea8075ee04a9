/* SPDX-License-Identifier: MIT */
/* tests/bench/lane_tasks.c - trees and tasks of the kernel lane's benchmark
 *
 * The trees of UTS as the library walks them and as OpenMP tasks do; tasks of
 * 64 bytes by the library and by OpenMP; a program that submits the next task
 * when one has ended; and one whose tasks all go to the other rank. */
#include <mpi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <distributex.h>

#include "examples/uts/uts.h"
#include "lane.h"

/* --- trees ---------------------------------------------------------------- */

static const struct uts_tree *tree;

static int64_t visit(struct dtx_call *call, const void *node)
{
    uint64_t *count = dtx_call_value(call, 0);

    ++*count;
    return uts_children(tree, node);
}

static void child(struct dtx_call *call, const void *node, uint64_t i,
                  void *out)
{
    (void)call;
    uts_child(node, (uint32_t)i, out);
}

/* Depth first, on a stack of one's own. */
static uint64_t walk(void)
{
    static struct {
        struct uts_node node;
        int64_t lo, hi;
    } stack[100000];
    uint64_t nodes = 1;
    size_t depth = 1;

    uts_root(tree, &stack[0].node);
    stack[0].lo = 0;
    stack[0].hi = uts_children(tree, &stack[0].node);
    while (depth > 0) {
        if (stack[depth - 1].lo == stack[depth - 1].hi) {
            depth--;
            continue;
        }
        uts_child(&stack[depth - 1].node, (uint32_t)stack[depth - 1].lo++,
                  &stack[depth].node);
        nodes++;
        stack[depth].hi = uts_children(tree, &stack[depth].node);
        stack[depth].lo = 0;
        depth += stack[depth].hi > 0;
    }
    return nodes;
}

#ifdef _OPENMP
static uint64_t found;
#pragma omp threadprivate(found)

/* A task for each child: as the published version with OpenMP tasks. */
static void walk_below(const struct uts_node *node)
{
    int64_t n = uts_children(tree, node);

    found++;
    for (int64_t i = 0; i < n; i++) {
        struct uts_node below;

        uts_child(node, (uint32_t)i, &below);
#pragma omp task firstprivate(below)
        walk_below(&below);
    }
}

static double openmp_tree(void)
{
    struct uts_node root;
    uint64_t sum = 0;
    double t = now();

    uts_root(tree, &root);
#pragma omp parallel num_threads(2) reduction(+ : sum)
    {
        found = 0;
#pragma omp single
        walk_below(&root);
#pragma omp barrier
        sum += found;
    }
    if (sum != tree->nodes)
        die("OpenMP counts wrong");
    return now() - t;
}
#endif

static void round_of_tree(struct dtx_work *w, const uint64_t *count, int r)
{
    struct uts_node root;
    double t = now();

    if (rank == 0 && walk() != tree->nodes)
        die("the serial walk counts wrong");
    seen[SERIAL][r] = now() - t;
    wait_for_rank_0();
    uts_root(tree, &root);
    (void)MPI_Barrier(MPI_COMM_WORLD);
    t = now();
    if (dtx_work_tree(w, &root, NULL, 0) < 0 || *count != tree->nodes)
        die("wrong count");
    seen[COLD][r] = (now() - t) / (seen[SERIAL][r] / 2);
#ifdef _OPENMP
    if (rank == 0)
        seen[OMP_TASKS][r] = openmp_tree() / (seen[SERIAL][r] / 2);
    wait_for_rank_0();
#endif
}

void bench_trees(void)
{
    for (size_t k = 0; k < 3; k++) {
        struct dtx_work *w;
        uint64_t count = 0;
        char row[16];

        tree = &uts_trees[k];
        (void)snprintf(row, sizeof(row), "UTS %s", tree->name);
        if (!is_wanted(row))
            continue;
        memset(seen, 0, sizeof(seen));
        w = dtx_work_create("uts");
        if (!w || dtx_work_reduce(w, DTX_U64, DTX_SUM, &count, 1) < 0)
            die("tree");
        for (int r = 0; r < rounds; r++)
            round_of_tree(w, &count, r);
        print_row(row);
        dtx_work_destroy(w);
    }
}

/* --- tasks ---------------------------------------------------------------- */

static int echo(struct dtx_call *call, const void *in, size_t bytes)
{
    return dtx_call_output(call, in, bytes);
}

static void count_back(void *ctx, uint64_t task, int code, const void *out,
                       size_t bytes)
{
    (void)task;
    (void)out;
    *(uint64_t *)ctx += code == 0 && bytes == 64;
}

#ifdef _OPENMP
static _Thread_local char echoed[64];

static void omp_echo(const char *in)
{
    memcpy(echoed, in, sizeof(echoed));
}

/* The same number of OpenMP tasks, each with its own 64 bytes. */
static double openmp_tasks(uint64_t n)
{
    struct {
        char in[64];
    } t64 = {""};
    double t = now();

#pragma omp parallel num_threads(2)
#pragma omp single
    for (uint64_t i = 0; i < n; i++) {
#pragma omp task firstprivate(t64)
        omp_echo(t64.in);
    }
    return (double)n / (now() - t) / 1e6;
}
#endif

enum rate { SUBMITTED, RUN, MOVED, OPENMP };

/* Of all, how many another rank has run: there and back. */
static double moved(struct dtx_work *w, uint64_t n)
{
    struct dtx_stats st;

    return dtx_work_stats(w, &st) < 0 ? 0 : (double)(n - st.here);
}

static void round_of_tasks(struct dtx_work *w, uint64_t n, int r)
{
    char in[64] = "";
    uint64_t back = 0;
    double t, ran;

    (void)dtx_work_on_end(w, count_back, &back);
    (void)MPI_Barrier(MPI_COMM_WORLD);
    t = now();
    for (uint64_t i = 0; rank == 0 && i < n; i++) {
        if (dtx_work_submit(w, NULL, in, sizeof(in), NULL) < 0)
            die("submit");
    }
    ran = now();
    if (dtx_work_run(w) < 0 || (rank == 0 && back != n))
        die("tasks");
    seen[SUBMITTED][r] = (double)n / (now() - t) / 1e6;
    seen[RUN][r] = (double)n / (now() - ran) / 1e6;
    seen[MOVED][r] = moved(w, n) / (now() - ran) / 1e6;
#ifdef _OPENMP
    if (rank == 0)
        seen[OPENMP][r] = openmp_tasks(n);
    wait_for_rank_0();
#endif
}

static void bench_rate(void)
{
    struct dtx_work *w = dtx_work_create("echo");

    if (!w)
        die("tasks");
    memset(seen, 0, sizeof(seen));
    for (int r = 0; r < rounds; r++)
        round_of_tasks(w, 500000, r);
    if (rank == 0) {
        printf("%-22s %.2f M/s with their submission, %.2f M/s without",
               "tasks, 64 bytes", median(seen[SUBMITTED]), median(seen[RUN]));
        if (size > 1)
            printf(", of them %.2f M/s to other ranks and back",
                   median(seen[MOVED]));
        if (seen[OPENMP][0] > 0)
            printf("; omp tasks %.2f M/s", median(seen[OPENMP]));
        printf("\n");
    }
    dtx_work_destroy(w);
}

struct chain {
    struct dtx_work *w;
    uint64_t left;
};

static void next_one(void *ctx, uint64_t task, int code, const void *out,
                     size_t bytes)
{
    struct chain *c = ctx;

    (void)task;
    if (code != 0 || c->left == 0)
        return;
    c->left--;
    if (dtx_work_submit(c->w, NULL, out, bytes, NULL) < 0)
        die("submit");
}

/* So many under way at a time: each outcome brings one more. */
static void bench_chain(const char *row, uint64_t n, int at_once)
{
    struct dtx_work *w = dtx_work_create("echo");
    char in[64] = "";

    if (!w)
        die("tasks");
    for (int r = 0; r < rounds; r++) {
        struct chain c = {w, n - (uint64_t)at_once};
        double t;

        (void)dtx_work_on_end(w, next_one, &c);
        for (int i = 0; rank == 0 && i < at_once; i++)
            (void)dtx_work_submit(w, NULL, in, sizeof(in), NULL);
        (void)MPI_Barrier(MPI_COMM_WORLD);
        t = now();
        if (dtx_work_run(w) < 0 || (rank == 0 && c.left))
            die("chain");
        seen[RUN][r] = (double)n / (now() - t) / 1e3;
    }
    if (rank == 0)
        printf("%-22s %.0f k/s\n", row, median(seen[RUN]));
    dtx_work_destroy(w);
}

/* --- there and back ------------------------------------------------------- */

#define TRIPS 3000u

static _Atomic int kept; /* a slot of rank 0 is */
static _Atomic int let_go;

/* Keeps a slot of rank 0 busy; elsewhere it ends at once. */
static int keep(struct dtx_call *call, const void *in, size_t bytes)
{
    (void)in;
    (void)bytes;
    if (dtx_call_rank(call) != 0)
        return dtx_call_output(call, "again", 5);
    kept = 1;
    while (!let_go)
        ;
    return 0;
}

struct trips {
    struct dtx_work *w;
    unsigned back; /* since the slot is kept */
    double begin, end;
};

static void next_trip(void *ctx, uint64_t task, int code, const void *out,
                      size_t bytes)
{
    struct trips *t = ctx;
    const char *kernel = bytes == 5 ? "keep" : NULL;

    (void)task;
    if (code != 0 || bytes == 0)
        return; /* the slot is free again */
    if (!kernel && kept && t->back++ == 0)
        t->begin = now();
    if (!kernel && t->back > TRIPS) {
        t->end = now();
        let_go = 1;
        return;
    }
    if (dtx_work_submit(t->w, kernel, out, bytes, NULL) < 0)
        die("submit");
}

/* Messages of 64 bytes between ranks 0 and 1, by MPI alone. */
static double ping_pong(void)
{
    char m[64] = "";
    double t = now();

    for (unsigned i = 0; rank < 2 && i < TRIPS; i++) {
        if (rank == 0)
            (void)MPI_Send(m, 64, MPI_CHAR, 1, 6, MPI_COMM_WORLD);
        (void)MPI_Recv(m, 64, MPI_CHAR, !rank, 6, MPI_COMM_WORLD,
                       MPI_STATUS_IGNORE);
        if (rank == 1)
            (void)MPI_Send(m, 64, MPI_CHAR, 0, 6, MPI_COMM_WORLD);
    }
    t = (now() - t) / TRIPS * 1e6;
    wait_for_rank_0();
    return t;
}

/* One task at a time while rank 0's slot is kept, so that each travels. */
static void bench_trips(void)
{
    struct dtx_work *w = dtx_work_create("echo");
    char in[64] = "";

    for (int r = 0; w && r < rounds; r++) {
        struct trips t = {w, 0, 0, 0};

        kept = let_go = 0;
        (void)dtx_work_on_end(w, next_trip, &t);
        if (rank == 0 &&
            (dtx_work_submit(w, "keep", in, 5, NULL) < 0 ||
             dtx_work_submit(w, NULL, in, sizeof(in), NULL) < 0))
            die("submit");
        (void)MPI_Barrier(MPI_COMM_WORLD);
        if (dtx_work_run(w) < 0)
            die("trips");
        seen[0][r] = (t.end - t.begin) / TRIPS * 1e6;
        seen[1][r] = ping_pong();
    }
    if (rank == 0)
        printf("%-22s %.2f us, a ping-pong of MPI %.2f us\n",
               "task there and back", median(seen[0]), median(seen[1]));
    dtx_work_destroy(w);
}

struct load {
    struct dtx_work *w;
    uint64_t back, all;
};

static void count_load(void *ctx, uint64_t task, int code, const void *out,
                       size_t bytes)
{
    struct load *l = ctx;

    (void)task;
    l->back += code == 0 && bytes == 64;
    if (l->back == l->all)
        let_go = 1;
    else if (bytes == 5 && dtx_work_submit(l->w, "keep", out, 5, NULL) < 0)
        die("submit");
}

/* All at once while rank 0's slot is kept: they travel in batches. */
static void bench_batches(void)
{
    struct dtx_work *w = dtx_work_create("echo");
    const uint64_t n = 500000;
    char in[64] = "";

    for (int r = 0; w && r < rounds; r++) {
        struct load l = {w, 0, n};
        double t;

        kept = let_go = 0;
        (void)dtx_work_on_end(w, count_load, &l);
        for (uint64_t i = 0; rank == 0 && i <= n; i++) {
            if (dtx_work_submit(w, i ? NULL : "keep", in, i ? 64 : 5, NULL) < 0)
                die("submit");
        }
        (void)MPI_Barrier(MPI_COMM_WORLD);
        t = now();
        if (dtx_work_run(w) < 0)
            die("batches");
        seen[0][r] = moved(w, n + 1) / (now() - t) / 1e6;
    }
    if (rank == 0)
        printf("%-22s %.2f M/s there and back\n", "tasks in batches",
               median(seen[0]));
    dtx_work_destroy(w);
}

void bench_tasks(void)
{
    if (is_wanted("tasks, 64 bytes"))
        bench_rate();
    if (is_wanted("tasks, one by one"))
        bench_chain("tasks, one by one", 300000, 1);
    if (is_wanted("tasks, 64 at a time"))
        bench_chain("tasks, 64 at a time", 100000, 64);
    if (size > 1 && dtx_slots() == 1 && is_wanted("task there and back"))
        bench_trips();
    if (size > 1 && dtx_slots() == 1 && is_wanted("tasks in batches"))
        bench_batches();
}

int register_more(void)
{
    int rc = dtx_kernel_task("echo", echo);

    if (rc == 0)
        rc = dtx_kernel_task("keep", keep);
    return rc < 0
               ? rc
               : dtx_kernel_tree("uts", sizeof(struct uts_node), visit, child);
}
