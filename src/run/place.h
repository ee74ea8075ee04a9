/* SPDX-License-Identifier: MIT */
/* run/place.h - where the ranks are, and which slots each has
 *
 * Every rank describes itself in a card; the cards are gathered once, at the
 * start.  From them each rank works out, alike, who shares its node, how the
 * node's cores are divided, and how the ranks can wake each other.
 */
#ifndef DTX_RUN_PLACE_H
#define DTX_RUN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/bell.h"
#include "node/cores.h"

struct dtx_error;
struct dtx_machine;

#define DTX_CARD_PUS 4096 /* processing units a card can name */
#define DTX_CARD_DIR 1024
#define DTX_CARD_PLACE 1024
#define DTX_JOBS_MOST 1024 /* slots of a node under -j 0 */

/* --jobs: slots per node; all zero is one for each core. */
struct dtx_jobs {
    enum {
        DTX_JOBS_CORES,
        DTX_JOBS_COUNT, /* n */
        DTX_JOBS_MORE,  /* the cores and n more; n may be below 0 */
        DTX_JOBS_SHARE, /* percent of the cores, rounded up */
        DTX_JOBS_ALL    /* as many as there are tasks and files allow */
    } how;
    int32_t n;
    double percent;
};

/* The slots of a node of so many cores; 0: one for each core. 'tasks' in the
 * job, 0 = not known. */
uint32_t dtx_jobs_slots(const struct dtx_jobs *jobs, uint32_t cores,
                        uint32_t tasks);

/* Plain bytes: all ranks run the same program on like machines. */
struct dtx_card {
    int32_t status;     /* rank 0: exit status when the job cannot start */
    uint32_t epoch;     /* rank 0: of the session */
    uint64_t nonce;     /* rank 0: stands in the run directory's lease */
    uint32_t widest;    /* rank 0: most cpus any task asks for */
    uint32_t needy;     /* rank 0: tasks may ask for memory or devices */
    unsigned commands;  /* rank 0: DTX_SIDE_* in the run directory */
    uint32_t tasks;     /* rank 0: in the list; 0 = not known */
    uint32_t room;      /* slots that the limit of open files allows */
    uint32_t ncores;        /* it may use */
    uint32_t machine_cores; /* there are */
    uint64_t boot;      /* hash of boot id and pid namespace */
    struct dtx_bell_address bell;
    char host[64];
    char run_dir[DTX_CARD_DIR]; /* rank 0 */
    uint8_t pus[DTX_CARD_PUS / 8]; /* bit per OS index it may use */
    uint32_t place_len;
    uint8_t place[DTX_CARD_PLACE]; /* wire/locality.h */
};

/* The part of a node's cores that is a rank's. */
struct dtx_share {
    uint32_t first_core, ncores; /* of the rank's own core list */
    uint32_t nslots;
    uint32_t first_slot;         /* number on the node, from 1 */
    uint32_t node_ranks;         /* ranks of this node */
    uint32_t nodes;              /* nodes of the job */
    uint64_t job_cores;          /* cores of these nodes, usable or not */
    uint64_t job_slots;          /* slots of all ranks */
    uint32_t most_slots;         /* of any rank */
};

/* Describe this process. */
void dtx_card_fill(struct dtx_card *c, const struct dtx_cores *cores,
                   const struct dtx_bell *bell);
/* Where it is; a machine too strange for the room there is stays unknown. */
void dtx_card_place(struct dtx_card *c, const struct dtx_machine *m);
/* What a rank's card says of its place, to be freed; an empty machine where
 * that is nothing. */
void dtx_card_machine(const struct dtx_card *c, struct dtx_machine *out);
/* How far the i-th usable core of 'a' is from the j-th of 'b': see enum
 * dtx_distance and dtx_path_distance. */
uint32_t dtx_card_distance(const struct dtx_card *a, uint32_t i,
                           const struct dtx_card *b, uint32_t j);
bool dtx_card_same_node(const struct dtx_card *a, const struct dtx_card *b);
/* Pure: rank 'me's share; never fewer than one slot a rank. Costs a sort of
 * the cards. 0 or DTX_ENOMEM. */
int dtx_share_of(const struct dtx_card *cards, uint32_t n, uint32_t me,
                 const struct dtx_jobs *jobs, struct dtx_share *out);
/* Likewise of every rank, and of each only first_core, ncores, nslots and
 * node_ranks: 'each' has a place for all. */
int dtx_shares_of(const struct dtx_card *cards, uint32_t n,
                  const struct dtx_jobs *jobs, struct dtx_share *each);

#endif
