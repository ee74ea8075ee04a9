/* SPDX-License-Identifier: MIT */
/* The nodes' commands as a state machine; see nodecmd.h. */
#include "run/nodecmd.h"

#include <stdlib.h>

enum state { SETTING_UP, READY, OUT, TEARING_DOWN, TORN_DOWN };

/* Of a node in the row of its leader; 'leader', 'done' of each rank. */
struct row {
    uint32_t leader;
    uint32_t ranks, left; /* of the node; of those, not done */
    enum state state;
    bool done, stopped, failed;
    bool headless; /* its leader is lost */
};

struct dtx_nodecmd {
    struct dtx_nodecmd_config c;
    uint32_t nnodes, nout, ntorn;
    struct row row[];
};

struct dtx_nodecmd *dtx_nodecmd_create(const struct dtx_nodecmd_config *c)
{
    struct dtx_nodecmd *n =
        calloc(1, sizeof(*n) + c->nranks * sizeof(n->row[0]));
    uint32_t r;

    if (!n)
        return NULL;
    n->c = *c;
    n->c.leader = NULL;
    for (r = 0; r < c->nranks; r++) {
        struct row *node = &n->row[c->leader[r]];

        n->row[r].leader = c->leader[r];
        n->nnodes += c->leader[r] == r;
        node->ranks++;
        node->left++;
    }
    return n;
}

void dtx_nodecmd_destroy(struct dtx_nodecmd *n)
{
    free(n);
}

static bool leads(const struct dtx_nodecmd *n, uint32_t rank)
{
    return rank < n->c.nranks && n->row[rank].leader == rank;
}

void dtx_nodecmd_set_up(struct dtx_nodecmd *n, uint32_t leader, bool good)
{
    uint32_t r, told = 0;

    if (!leads(n, leader) || n->row[leader].state != SETTING_UP)
        return;
    n->row[leader].state = good ? READY : OUT;
    n->row[leader].failed = !good && !n->row[leader].stopped;
    n->nout += n->row[leader].failed;
    for (r = leader; told < n->row[leader].ranks && r < n->c.nranks; r++) {
        if (n->row[r].leader != leader)
            continue;
        told++;
        n->c.order(n->c.ctx, r, good ? DTX_NODE_GO : DTX_NODE_OUT);
    }
}

void dtx_nodecmd_stopped(struct dtx_nodecmd *n, uint32_t leader)
{
    if (!leads(n, leader))
        return;
    n->row[leader].stopped = true;
    dtx_nodecmd_set_up(n, leader, false);
}

void dtx_nodecmd_stop(struct dtx_nodecmd *n)
{
    uint32_t r;

    for (r = 0; r < n->c.nranks; r++) {
        if (!leads(n, r) || n->row[r].state != SETTING_UP ||
            n->row[r].stopped)
            continue;
        n->row[r].stopped = true;
        n->c.order(n->c.ctx, r, DTX_NODE_STOP);
    }
}

void dtx_nodecmd_done(struct dtx_nodecmd *n, uint32_t rank)
{
    struct row *node;

    if (rank >= n->c.nranks || n->row[rank].done)
        return;
    n->row[rank].done = true;
    node = &n->row[n->row[rank].leader];
    node->left--;
    if (node->left > 0)
        return;
    node->state = TEARING_DOWN;
    if (n->c.teardown && !node->headless)
        n->c.order(n->c.ctx, n->row[rank].leader, DTX_NODE_TEARDOWN);
    else
        dtx_nodecmd_torn_down(n, n->row[rank].leader);
}

void dtx_nodecmd_torn_down(struct dtx_nodecmd *n, uint32_t leader)
{
    if (!leads(n, leader) || n->row[leader].state != TEARING_DOWN)
        return;
    n->row[leader].state = TORN_DOWN;
    n->ntorn++;
}

bool dtx_nodecmd_lost(struct dtx_nodecmd *n, uint32_t rank)
{
    bool leader = leads(n, rank), missed;

    if (rank >= n->c.nranks || n->row[rank].headless)
        return false;
    missed = leader && n->row[rank].state != TORN_DOWN &&
             n->row[rank].state != OUT;
    n->row[rank].headless = leader;
    if (leader && n->row[rank].state == SETTING_UP)
        dtx_nodecmd_stopped(n, rank);
    if (leader)
        dtx_nodecmd_torn_down(n, rank);
    dtx_nodecmd_done(n, rank);
    return missed;
}

bool dtx_nodecmd_over(const struct dtx_nodecmd *n)
{
    return n->ntorn == n->nnodes;
}

bool dtx_nodecmd_all_out(const struct dtx_nodecmd *n)
{
    return n->nout == n->nnodes;
}

bool dtx_nodecmd_failed(const struct dtx_nodecmd *n, uint32_t rank)
{
    return rank < n->c.nranks && n->row[n->row[rank].leader].failed;
}
