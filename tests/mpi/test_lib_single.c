/* SPDX-License-Identifier: MIT */
/* tests/mpi/test_lib_single.c - the library where MPI allows no threads
 *
 * With MPI_THREAD_SINGLE the calling thread both computes and communicates:
 * loops, trees and tasks come to the same results, and no thread is made.
 * TAP from rank 0.  RANKS: 1 2 3 */
#include <dirent.h>
#include <string.h>

#include "lib_tap.h"

static int count_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n;
}

static int each(struct dtx_call *c, uint64_t i)
{
    uint64_t *sum = dtx_call_value(c, 0);

    *sum += i;
    return 0;
}

static int64_t visit(struct dtx_call *c, const void *node)
{
    const uint32_t *depth = node;
    uint64_t *sum = dtx_call_value(c, 0);

    ++*sum;
    return *depth ? 2 : 0;
}

static void child(struct dtx_call *c, const void *node, uint64_t i, void *out)
{
    uint32_t depth = *(const uint32_t *)node - 1;

    (void)c;
    (void)i;
    memcpy(out, &depth, sizeof(depth));
}

static int task(struct dtx_call *c, const void *in, size_t bytes)
{
    uint64_t *sum = dtx_call_value(c, 0);

    *sum += bytes;
    return bytes > 1 ? dtx_call_spawn(c, "task", in, bytes / 2) : 0;
}

static int nothing(struct dtx_call *c, uint64_t i)
{
    (void)c;
    (void)i;
    return 0;
}

/* One rank lacks the kernel; then it ends its session: the others do not wait
 * for it, and are told. */
static void check_left(void)
{
    int last = rank == size - 1, rc, end, told;
    char who[32];

    verdict(dtx_init(NULL) == 0 &&
                (last || dtx_kernel_each("each", nothing) == 0),
            "another session");
    rc = dtx_for("each", 0, 1000, NULL, 0);
    (void)snprintf(who, sizeof(who), "rank %d: no kernel", size - 1);
    verdict(rc == DTX_ENOENT && strstr(dtx_error_text(), who),
            "a rank that lacks a kernel");
    rc = last ? DTX_EMISMATCH : dtx_work_run(dtx_work_create("each"));
    (void)snprintf(who, sizeof(who), "rank %d: it has called", size - 1);
    told = last || strstr(dtx_error_text(), who) != NULL;
    end = dtx_finalize();
    verdict(rc == DTX_EMISMATCH && told && end == 0, "and leaves");
}

int main(int argc, char **argv)
{
    struct dtx_work *w;
    uint64_t sum = 0;
    uint32_t depth = 12;
    int before;

    if (!tap_begin(&argc, &argv, MPI_THREAD_SINGLE))
        return 99;
    before = count_threads();
    verdict(dtx_init("slots=16") == 0 &&
                dtx_kernel_each("each", each) == 0 &&
                dtx_kernel_tree("tree", sizeof(depth), visit, child) == 0 &&
                dtx_kernel_task("task", task) == 0,
            "a session");
    if (level == MPI_THREAD_SINGLE)
        verdict(dtx_slots() == 1 && count_threads() == before,
                "one slot, and no thread more");
    w = dtx_work_create("each");
    verdict(w && dtx_work_reduce(w, DTX_U64, DTX_SUM, &sum, 1) == 0 &&
                dtx_work_for(w, 0, 100001, NULL, 0) == 0 &&
                sum == UINT64_C(5000050000) &&
                dtx_work_schedule(w, "gss") == 0 &&
                dtx_work_for(w, 0, 100001, NULL, 0) == 0 &&
                sum == UINT64_C(5000050000),
            "a loop");
    dtx_work_destroy(w);
    w = dtx_work_create("tree");
    verdict(w && dtx_work_reduce(w, DTX_U64, DTX_SUM, &sum, 1) == 0 &&
                dtx_work_tree(w, &depth, NULL, 0) == 0 && sum == 8191,
            "a tree");
    dtx_work_destroy(w);
    w = dtx_work_create("task");
    for (int i = 0; w && dtx_rank() == 0 && i < 100; i++)
        (void)dtx_work_submit(w, NULL, "01234567", 8, NULL);
    verdict(w && dtx_work_reduce(w, DTX_U64, DTX_SUM, &sum, 1) == 0 &&
                dtx_work_run(w) == 0 && sum == 1500,
            "tasks that spawn");
    verdict(dtx_finalize() == 0, "and its end");
    if (size > 1)
        check_left();
    if (number && failures == 0 && level != MPI_THREAD_SINGLE)
        printf("# this MPI gave level %d\n", level);
    return tap_end();
}
