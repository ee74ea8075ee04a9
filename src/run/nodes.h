/* SPDX-License-Identifier: MIT */
/* run/nodes.h - which ranks share a node, and how far nodes are apart
 *
 * Worked out from the cards that ranks exchange at the start (run/place.h).
 */
#ifndef DTX_RUN_NODES_H
#define DTX_RUN_NODES_H

#include <stdint.h>

struct dtx_card;
struct dtx_locus;
struct dtx_machine;
struct dtx_share;
struct dtx_traffic_reach;
struct dtx_ways;
struct dtx_zones;

struct dtx_nodes {
    uint32_t n;
    uint32_t *of;  /* per rank: its node */
    uint32_t *nth; /* per rank: how many of its node come before it */
    uint32_t *first, *ranks; /* per node: its first rank, how many it has */
};

/* 0 or DTX_ENOMEM (then nothing is to be freed). */
int dtx_nodes_init(struct dtx_nodes *t, const struct dtx_card *cards,
                   uint32_t ncards);
void dtx_nodes_fini(struct dtx_nodes *t); /* zeroed is allowed */
/* The first and the last core that are the rank's own, of its machine: ranks
 * that share a node's cores have them side by side. */
void dtx_nodes_cores(const struct dtx_nodes *t, const struct dtx_machine *m,
                     uint32_t rank, struct dtx_locus *first,
                     struct dtx_locus *last);
/* What the ranks share, as zones: caches, NUMA nodes, packages, nodes, and
 * switches where all nodes know theirs. 0 or DTX_ENOMEM. */
int dtx_nodes_zones(const struct dtx_nodes *t, const struct dtx_card *cards,
                    uint32_t ncards, struct dtx_zones *z);
/* Which NUMA nodes each rank's cores are in, those of a node that have any
 * numbered from 0 ('each': by dtx_shares_of). 0 or DTX_ENOMEM. */
int dtx_nodes_memory(const struct dtx_nodes *t, const struct dtx_card *cards,
                     uint32_t ncards, const struct dtx_share *each,
                     struct dtx_traffic_reach *reach);
/* What ways cost between ranks of a real job. */
void dtx_nodes_ways(struct dtx_ways *w);

#endif
