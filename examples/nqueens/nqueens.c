/* SPDX-License-Identifier: MIT */
/* nqueens - in how many ways N queens stand on a board without a threat
 *
 *     mpirun -n 4 nqueens [N]
 *
 * A node of the tree is a board with queens in its first rows; its children are
 * the places for the next one. Prints the number of ways; the status is 1 when
 * it is not the known one (N up to 18). */
#include <stdio.h>
#include <stdlib.h>

#include <distributex.h>

#define MOST 18

/* Columns and diagonals that are threatened in the next row, as bits. */
struct board {
    uint32_t columns, left, right;
    uint32_t free; /* places for the next queen */
};

static const uint64_t known[MOST + 1] = {
    1,      1,       0,       0,        2,         10,       4,
    40,     92,      352,     724,      2680,      14200,    73712,
    365596, 2279184, 14772512, 95815104, 666090624};

static int64_t visit(struct dtx_call *call, const void *node)
{
    const uint32_t all = *(const uint32_t *)dtx_call_args(call, NULL);
    uint64_t *ways = dtx_call_value(call, 0);
    const struct board *b = node;

    *ways += b->columns == all;
    return __builtin_popcount(b->free);
}

/* The i-th place that is free. */
static void child(struct dtx_call *call, const void *node, uint64_t i,
                  void *out)
{
    const uint32_t all = *(const uint32_t *)dtx_call_args(call, NULL);
    const struct board *b = node;
    struct board *next = out;
    uint32_t places = b->free, queen;

    while (i-- > 0)
        places &= places - 1;
    queen = places & -places;
    next->columns = b->columns | queen;
    next->left = (b->left | queen) << 1 & all;
    next->right = (b->right | queen) >> 1;
    next->free = all & ~(next->columns | next->left | next->right);
}

static int fail(const char *what)
{
    fprintf(stderr, "nqueens: %s: %s\n", what, dtx_error_text());
    return 2;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 12;
    uint32_t all = n >= 1 && n <= MOST ? (1u << n) - 1 : 0;
    struct board root = {0, 0, 0, all};
    uint64_t ways = 0;
    struct dtx_work *w;
    struct dtx_stats st;

    if (all == 0) {
        fprintf(stderr, "usage: nqueens [N], N from 1 to %d\n", MOST);
        return 2;
    }
    if (dtx_init(NULL) < 0)
        return fail("cannot start");
    if (dtx_kernel_tree("queens", sizeof(root), visit, child) < 0)
        return fail("kernel");
    w = dtx_work_create("queens");
    if (!w || dtx_work_reduce(w, DTX_U64, DTX_SUM, &ways, 1) < 0)
        return fail("work");
    if (dtx_work_tree(w, &root, &all, sizeof(all)) < 0)
        return fail("tree");
    (void)dtx_work_stats(w, &st);
    if (dtx_rank() == 0)
        printf("%ld queens: %llu ways%s, %llu boards, %.3f s on %d slots of "
               "%d ranks\n",
               n, (unsigned long long)ways, ways == known[n] ? "" : " (WRONG)",
               (unsigned long long)st.done, st.seconds, dtx_slots_all(),
               dtx_ranks());
    if (dtx_finalize() < 0)
        return fail("end");
    return ways == known[n] ? 0 : 1;
}
