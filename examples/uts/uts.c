/* SPDX-License-Identifier: MIT */
/* uts - count the nodes of a tree whose shape nobody knows beforehand
 *
 *     mpirun -n 4 uts [T1|T3|T5]
 *
 * Prints the number of nodes, of leaves and the depth, and the time; the status
 * is 1 when the number is not the published one. */
#include <stdio.h>

#include <distributex.h>

#include "uts.h"

static const struct uts_tree *tree = uts_trees;

/* One slot's count; the library adds them up. */
enum { NODES, LEAVES, COUNTS };

static int64_t visit(struct dtx_call *call, const void *node)
{
    uint64_t *count = dtx_call_value(call, 0);
    int64_t *depth = dtx_call_value(call, 1);
    const struct uts_node *n = node;
    int64_t children = uts_children(tree, n);

    count[NODES]++;
    count[LEAVES] += children == 0;
    if (n->height > *depth)
        *depth = n->height;
    return children;
}

static void child(struct dtx_call *call, const void *node, uint64_t i,
                  void *out)
{
    (void)call;
    uts_child(node, (uint32_t)i, out);
}

static int fail(const char *what)
{
    fprintf(stderr, "uts: %s: %s\n", what, dtx_error_text());
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t count[COUNTS] = {0, 0};
    int64_t depth = 0;
    struct uts_node root;
    struct dtx_work *w;
    struct dtx_stats st;
    int rank, right;

    for (size_t i = 0; i < sizeof(uts_trees) / sizeof(uts_trees[0]); i++) {
        if (argc > 1 && strcmp(argv[1], uts_trees[i].name) == 0)
            tree = &uts_trees[i];
    }
    if (argc > 2 || (argc == 2 && strcmp(argv[1], tree->name) != 0)) {
        fprintf(stderr, "usage: uts [T1|T3|T5]\n");
        return 2;
    }
    if (dtx_init(NULL) < 0)
        return fail("cannot start");
    rank = dtx_rank();
    if (dtx_kernel_tree("uts", sizeof(root), visit, child) < 0)
        return fail("kernel");
    w = dtx_work_create("uts");
    if (!w || dtx_work_reduce(w, DTX_U64, DTX_SUM, count, COUNTS) < 0 ||
        dtx_work_reduce(w, DTX_I64, DTX_MAX, &depth, 1) < 0)
        return fail("work");
    uts_root(tree, &root);
    if (dtx_work_tree(w, &root, NULL, 0) < 0)
        return fail("tree");
    (void)dtx_work_stats(w, &st);
    right = count[NODES] == tree->nodes;
    if (rank == 0)
        printf("%s: %llu nodes (%s), %llu leaves, depth %lld, %.3f s on %d "
               "slots of %d ranks\n",
               tree->name, (unsigned long long)count[NODES],
               right ? "as published" : "WRONG",
               (unsigned long long)count[LEAVES], (long long)depth, st.seconds,
               dtx_slots_all(), dtx_ranks());
    dtx_work_destroy(w);
    if (dtx_finalize() < 0)
        return fail("end");
    return right ? 0 : 1;
}
