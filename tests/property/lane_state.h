/* SPDX-License-Identifier: MIT */
/* tests/property/lane_state.h - what the parts of the simulated kernel lane share */
#ifndef DTX_SIM_LANE_STATE_H
#define DTX_SIM_LANE_STATE_H

#include "base/buf.h"
#include "base/rng.h"
#include "base/spans.h"
#include "engine/broker.h"
#include "engine/event.h"
#include "engine/ledger.h"
#include "engine/member.h"
#include "engine/owners.h"
#include "lane.h"

#define DTX_LANE_REGION 7u

struct dtx_lane_pipe {
    struct dtx_buf bytes; /* frames, each with its length before it */
    size_t at;
};

struct dtx_lane_rank {
    struct dtx_member member;
    struct dtx_lane_pipe up, down; /* to rank 0, from rank 0 */
    struct dtx_lane_pipe *side;    /* to each rank, straight */
    bool entered, dead, noticed;
    bool left;                     /* it has failed, or heard of it */
    struct dtx_spans todo;         /* iterations */
    struct dtx_task_queue queue;   /* tasks, those spawned too */
    struct dtx_buf nodes;          /* u64 each: nodes of a tree */
    uint64_t done, sum;            /* since the last part */
};

struct dtx_lane_end {
    uint8_t ends; /* times */
    bool ok, has;
    uint32_t nafter;
    uint64_t after[3];
};

struct dtx_lane {
    struct dtx_lane_case c;
    struct dtx_lane_result *r;
    struct dtx_rng rng;
    struct dtx_lane_rank *rank;
    struct dtx_broker *broker;
    struct dtx_actions actions;
    struct dtx_owners owners;
    struct dtx_ledger *ledger;
    struct dtx_lane_end *end; /* of each task, from 1 */
    struct dtx_spans source;
    bool spawned;
    uint32_t failed; /* the rank */
    int rc;
};

void dtx_lane_wrong(struct dtx_lane *l, const char *what, uint64_t which);
/* Rank 'r' says something. */
void dtx_lane_say(struct dtx_lane *l, uint32_t r, struct dtx_msg *m);

/* tests/property/lane_work.c: what differs from kind to kind. */
int dtx_lane_work_begin(struct dtx_lane *l);
void dtx_lane_work_end(struct dtx_lane *l);
bool dtx_lane_has_work(struct dtx_lane *l, uint32_t r);
/* Do one unit. */
void dtx_lane_work_unit(struct dtx_lane *l, uint32_t r);
void dtx_lane_take(struct dtx_lane *l, uint32_t r, struct dtx_str work);
/* Part with some, or none; 'straight': what may go so. */
void dtx_lane_share(struct dtx_lane *l, uint32_t r, struct dtx_buf *out,
                    struct dtx_buf *straight);
/* Rank 0: outcomes of tasks have come from 'from'. */
void dtx_lane_ended(struct dtx_lane *l, uint32_t from, struct dtx_str ended);
/* Rank 0: it waits for others' outcomes. */
bool dtx_lane_holds(const struct dtx_lane *l);
/* Rank 0: the part of 'rank' of a round has come. */
void dtx_lane_bank(struct dtx_lane *l, uint32_t rank, uint32_t round);
/* The broker's three. */
void dtx_lane_draw(void *lane, uint32_t rank, uint32_t count,
                   const struct dtx_broker_news *news, struct dtx_buf *work);
bool dtx_lane_moved(void *lane, uint32_t from, uint32_t to,
                    struct dtx_str work, uint64_t straight,
                    struct dtx_buf *full);
int dtx_lane_lost(void *lane, uint32_t rank, struct dtx_buf *work);

#endif
