/* SPDX-License-Identifier: MIT */
/* lib/region.h - how far a region is, on this rank
 *
 * Shared by region.c, which is any rank's, and region_lead.c, which is rank
 * 0's: the broker, the parts of the result, and losses.
 */
#ifndef DTX_LIB_REGION_H
#define DTX_LIB_REGION_H

#include "engine/member.h"
#include "lib/session.h"

struct dtx_run {
    struct dtx_region *g;
    struct dtx_session *s;
    struct dtx_member member;
    struct dtx_buf frame, out;
    bool working;         /* slots are at the region */
    bool cancel_sent;
    int64_t load_at;      /* when to say KLOAD */
    /* the result */
    char *values;         /* merged, on rank 0; the result in the end */
    struct dtx_failures failures;
    uint64_t done;
    struct dtx_profile *profile;
    bool valued;
    int rc;               /* of what is done here */
    uint64_t straight;    /* grants whose work came from its rank itself */
    bool told;            /* it is another rank that failed: 'rc' is its */
    /* rank 0, of each rank */
    struct dtx_buf *part; /* its KPART, while results that it names lack */
    uint64_t *taken;      /* results that have come */
};

/* lib/region.c: fills in the epoch; a failure is kept in 'rc'. */
void dtx_run_send(struct dtx_run *r, uint32_t to, struct dtx_msg *m);

/* lib/region_lead.c, on rank 0 */
int dtx_lead_begin(struct dtx_run *r, uint64_t digest);
void dtx_lead_end(struct dtx_run *r);
/* A frame that is no member's matter: 0 or negative. */
int dtx_lead_hear(struct dtx_run *r, uint32_t from, const struct dtx_msg *m);
/* A rank has ended its session, while others are here. */
void dtx_lead_left(struct dtx_run *r, uint32_t from);
/* This rank has failed: the others are to know. */
void dtx_lead_fail(struct dtx_run *r, const struct dtx_msg *m);
void dtx_lead_lose(struct dtx_run *r, uint32_t rank);
/* All parts are there: tell all ranks. False: they are not. */
bool dtx_lead_conclude(struct dtx_run *r);

/* Any rank: these ranks have no part in what comes. */
void dtx_session_bury(struct dtx_session *s, uint32_t rank);

#endif
