/* SPDX-License-Identifier: MIT */
/* The dependency graph: small shapes by hand, then random graphs against a
 * plain matrix of "must come before". */
#include "task/graph.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"

#define MAX_NODES 40

static struct dtx_graph make(uint32_t ntasks, const uint32_t (*edge)[2],
                             size_t n)
{
    struct dtx_graph g;
    size_t i;

    dtx_graph_init(&g, ntasks);
    for (i = 0; i < n; i++)
        ck_assert_int_eq(dtx_graph_edge(&g, edge[i][0], edge[i][1]), 0);
    return g;
}

START_TEST(no_edges_cost_nothing)
{
    struct dtx_graph g;
    uint32_t a, b;

    dtx_graph_init(&g, 1000);
    ck_assert_int_eq(dtx_graph_seal(&g, &a, &b), 0);
    ck_assert_ptr_null(g.start);
    ck_assert_ptr_null(g.succ);
    ck_assert_ptr_null(g.indegree);
    ck_assert_uint_eq(g.nnodes, 1000);
    dtx_graph_fini(&g);
    dtx_graph_fini(&g);
}
END_TEST

START_TEST(successors_keep_their_order)
{
    static const uint32_t edge[][2] = {{2, 0}, {0, 1}, {0, 3}, {2, 3}, {0, 3}};
    struct dtx_graph g = make(4, edge, 5);
    static const uint32_t start[] = {0, 3, 3, 5, 5};
    static const uint32_t succ[] = {1, 3, 3, 0, 3};
    static const uint32_t indegree[] = {1, 1, 0, 3};
    uint32_t a, b;

    ck_assert_int_eq(dtx_graph_seal(&g, &a, &b), 0);
    ck_assert_mem_eq(g.start, start, sizeof(start));
    ck_assert_mem_eq(g.succ, succ, sizeof(succ));
    ck_assert_mem_eq(g.indegree, indegree, sizeof(indegree));
    ck_assert_ptr_null(g.edge);
    dtx_graph_fini(&g);
}
END_TEST

static const struct {
    uint32_t edge[6][2];
    size_t n;
    uint32_t cycle, next; /* tasks 0..4, gates 5 and 6 */
} cycles[] = {
    {{{3, 3}}, 1, 3, 3},
    {{{1, 2}, {2, 1}}, 2, 2, 1},
    {{{4, 3}, {3, 4}, {4, 0}}, 3, 4, 3},
    {{{0, 1}, {1, 2}, {2, 3}, {3, 1}, {3, 4}}, 5, 3, 1},
    {{{1, 5}, {5, 1}}, 2, 1, 1},
    {{{1, 5}, {5, 6}, {6, 3}, {3, 1}}, 4, 3, 1},
    {{{2, 5}, {1, 5}, {5, 4}, {4, 6}, {6, 2}}, 5, 4, 2},
};

START_TEST(cycle_is_named)
{
    struct dtx_graph g;
    uint32_t node, a = 99, b = 99;
    size_t i;

    dtx_graph_init(&g, 5);
    ck_assert_int_eq(dtx_graph_gate(&g, &node), 0);
    ck_assert_uint_eq(node, 5);
    ck_assert_int_eq(dtx_graph_gate(&g, &node), 0);
    ck_assert_uint_eq(node, 6);
    for (i = 0; i < cycles[_i].n; i++)
        ck_assert_int_eq(
            dtx_graph_edge(&g, cycles[_i].edge[i][0], cycles[_i].edge[i][1]),
            0);
    ck_assert_int_eq(dtx_graph_seal(&g, &a, &b), DTX_EINVAL);
    ck_assert_uint_eq(a, cycles[_i].cycle);
    ck_assert_uint_eq(b, cycles[_i].next);
    ck_assert_ptr_null(g.start);
    ck_assert_uint_eq(g.nedges, cycles[_i].n);
    dtx_graph_fini(&g);
}
END_TEST

START_TEST(limits_are_held)
{
    struct dtx_graph g;
    uint32_t node;

    dtx_graph_init(&g, 3);
    g.nedges = DTX_MAX_EDGES;
    ck_assert_int_eq(dtx_graph_edge(&g, 0, 1), DTX_ELIMIT);
    g.nedges = 0;
    g.nnodes = UINT32_MAX - 1;
    ck_assert_int_eq(dtx_graph_gate(&g, &node), DTX_ELIMIT);
    dtx_graph_fini(&g);
}
END_TEST

START_TEST(a_long_chain_is_no_recursion)
{
    const uint32_t n = 300000;
    struct dtx_graph g;
    uint32_t i, a = 0, b = 0;
    bool added = true; /* an assertion each would be most of the work */

    dtx_graph_init(&g, n);
    for (i = 1; i < n; i++)
        added = added && dtx_graph_edge(&g, i - 1, i) == 0;
    ck_assert(added);
    ck_assert_int_eq(dtx_graph_edge(&g, n - 1, 0), 0);
    ck_assert_int_eq(dtx_graph_seal(&g, &a, &b), DTX_EINVAL);
    ck_assert_uint_eq(a, n - 1);
    ck_assert_uint_eq(b, 0);
    dtx_graph_fini(&g);
}
END_TEST

/* A random graph twice: in 'g', and as a matrix over tasks alone, where each
 * gate is written out as all its pairs. */
struct pair {
    struct dtx_graph g;
    uint32_t ntasks;
    bool before[MAX_NODES][MAX_NODES]; /* [a][b]: b waits for a */
};

static void random_gate(struct pair *p, struct dtx_rng *rng)
{
    bool in[MAX_NODES] = {false}, out[MAX_NODES] = {false};
    uint32_t gate, i, j, n = p->ntasks;

    ck_assert_int_eq(dtx_graph_gate(&p->g, &gate), 0);
    for (i = 0; i < n; i++) {
        in[i] = dtx_rng_below(rng, 4) == 0;
        out[i] = dtx_rng_below(rng, 4) == 0 && !in[i];
        if (in[i])
            ck_assert_int_eq(dtx_graph_edge(&p->g, i, gate), 0);
        if (out[i])
            ck_assert_int_eq(dtx_graph_edge(&p->g, gate, i), 0);
    }
    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++)
            p->before[i][j] = p->before[i][j] || (in[i] && out[j]);
    }
}

static void random_pair(struct pair *p, uint64_t seed)
{
    struct dtx_rng rng;
    uint32_t i, edges, gates;
    bool forward;

    memset(p, 0, sizeof(*p));
    dtx_rng_seed(&rng, seed);
    p->ntasks = 1 + (uint32_t)dtx_rng_below(&rng, MAX_NODES - 1);
    edges = (uint32_t)dtx_rng_below(&rng, p->ntasks * 2);
    gates = dtx_rng_below(&rng, 3) == 0 ? (uint32_t)dtx_rng_below(&rng, 3) : 0;
    forward = dtx_rng_below(&rng, 2) == 0;
    dtx_graph_init(&p->g, p->ntasks);
    for (i = 0; i < edges; i++) {
        uint32_t a = (uint32_t)dtx_rng_below(&rng, p->ntasks);
        uint32_t b = (uint32_t)dtx_rng_below(&rng, p->ntasks);

        if (forward && a >= b)
            continue;
        ck_assert_int_eq(dtx_graph_edge(&p->g, a, b), 0);
        p->before[a][b] = true;
    }
    for (i = 0; i < gates; i++)
        random_gate(p, &rng);
}

/* Depth first; 'state' 1 = on the path, 2 = done. True on a cycle. */
static bool has_cycle(const struct pair *p, uint32_t n, char *state)
{
    uint32_t i;

    state[n] = 1;
    for (i = 0; i < p->ntasks; i++) {
        if (!p->before[n][i])
            continue;
        if (state[i] == 1 || (state[i] == 0 && has_cycle(p, i, state)))
            return true;
    }
    state[n] = 2;
    return false;
}

static bool is_cyclic(const struct pair *p)
{
    char state[MAX_NODES] = {0};
    uint32_t i;

    for (i = 0; i < p->ntasks; i++) {
        if (state[i] == 0 && has_cycle(p, i, state))
            return true;
    }
    return false;
}

/* Can 'to' be reached from 'from' in the matrix? */
static bool reaches(const struct pair *p, uint32_t from, uint32_t to)
{
    bool seen[MAX_NODES] = {false};
    uint32_t stack[MAX_NODES], n = 0, i;

    stack[n++] = from;
    while (n > 0) {
        uint32_t x = stack[--n];

        for (i = 0; i < p->ntasks; i++) {
            if (!p->before[x][i] || seen[i])
                continue;
            seen[i] = true;
            stack[n++] = i;
        }
    }
    return seen[to];
}

/* Run the graph as the engine would: a node opens when all before it are
 * done. Every task must find all its predecessors of the matrix done. */
static void check_order(const struct pair *p)
{
    const struct dtx_graph *g = &p->g;
    bool done[MAX_NODES] = {false};
    uint32_t degree[MAX_NODES + 8], queue[MAX_NODES + 8], head = 0, tail = 0;
    uint32_t i, n;

    for (n = 0; n < g->nnodes; n++) {
        degree[n] = g->indegree ? g->indegree[n] : 0;
        if (degree[n] == 0)
            queue[tail++] = n;
    }
    while (head < tail) {
        n = queue[head++];
        for (i = 0; n < p->ntasks && i < p->ntasks; i++)
            ck_assert(!p->before[i][n] || done[i]);
        if (n < p->ntasks)
            done[n] = true;
        for (i = g->start ? g->start[n] : 0; g->start && i < g->start[n + 1];
             i++) {
            if (--degree[g->succ[i]] == 0)
                queue[tail++] = g->succ[i];
        }
    }
    ck_assert_uint_eq(tail, g->nnodes);
}

/* What each task waits for, gates written out, is what the matrix says. */
static void check_same(const struct pair *p)
{
    const struct dtx_graph *g = &p->g;
    bool got[MAX_NODES][MAX_NODES] = {{false}};
    uint32_t a, i, j;

    for (a = 0; g->start && a < p->ntasks; a++) {
        for (i = g->start[a]; i < g->start[a + 1]; i++) {
            uint32_t b = g->succ[i];

            if (b < p->ntasks)
                got[a][b] = true;
            for (j = g->start[b]; b >= p->ntasks && j < g->start[b + 1]; j++)
                got[a][g->succ[j]] = true;
        }
    }
    for (a = 0; a < p->ntasks; a++)
        ck_assert_mem_eq(got[a], p->before[a], p->ntasks);
}

START_TEST(random_graphs_equal_their_expansion)
{
    static struct pair p;
    uint64_t seed, seeds = (uint64_t)dtx_rounds(3000);
    unsigned cyclic = 0;

    for (seed = 1; seed <= seeds; seed++) {
        uint32_t a = 0, b = 0;
        int rc;

        random_pair(&p, seed);
        rc = dtx_graph_seal(&p.g, &a, &b);
        ck_assert_msg((rc == DTX_EINVAL) == is_cyclic(&p),
                      "seed %llu: seal says %d", (unsigned long long)seed, rc);
        if (rc == DTX_EINVAL) {
            cyclic++;
            ck_assert_msg(p.before[a][b], "seed %llu",
                          (unsigned long long)seed);
            ck_assert(reaches(&p, b, a));
        } else {
            check_order(&p);
            check_same(&p);
        }
        dtx_graph_fini(&p.g);
    }
    ck_assert_uint_gt(cyclic, seeds / 10);
    ck_assert_uint_lt(cyclic, seeds - seeds / 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/graph");
    TCase *t = tcase_create("graph");

    tcase_add_test(t, no_edges_cost_nothing);
    tcase_add_test(t, successors_keep_their_order);
    tcase_add_loop_test(t, cycle_is_named, 0, DTX_COUNT(cycles));
    tcase_add_test(t, limits_are_held);
    tcase_add_test(t, a_long_chain_is_no_recursion);
    tcase_add_test(t, random_graphs_equal_their_expansion);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
