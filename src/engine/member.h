/* SPDX-License-Identifier: MIT */
/* engine/member.h - a rank's side of a region, as the broker sees it
 *
 * What the rank has heard of the broker, and what it may say.  A region ends in
 * rounds: on KOVER the rank hands in its part (KPART, with the number of the
 * round), and waits for the value of all parts.  When a rank is lost before its
 * part has come, its work is given out again: a KGRANT opens the region once
 * more, and another KOVER closes it.  A part is then what was done since the
 * last one.  Frames that come between a KOVER and the part that answers it are
 * held back until that is sent, so that a part is exactly what the rank had at
 * the KOVER.  A rank that cannot go on (it has no memory) says KFAIL and
 * leaves; whoever hears of one leaves as well, whatever was due.
 *
 * Large work comes in two halves: from the rank that had it, straight (KPASS),
 * and from the broker, which says whose it is now (KGRANT).  Either may be
 * first.  Until both are there the grant does not count as received, nor does
 * the rank answer who wants a share of it.
 *
 * Pure: no threads, no network, no clock.
 */
#ifndef DTX_ENGINE_MEMBER_H
#define DTX_ENGINE_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

struct dtx_half;

struct dtx_member {
    uint32_t region;
    uint64_t received;   /* grants */
    uint32_t rounds;     /* KOVERs heard */
    uint32_t handed_in;  /* of which a part was handed in */
    bool want_sent, idle_sent;
    uint32_t thief_slots; /* somebody waits for a share; 0: nobody */
    uint32_t thief;       /* that rank, and the request's number */
    uint64_t ask;
    bool over;
    int32_t code;        /* of the last KOVER, or of a KFAIL */
    struct dtx_buf text; /* likewise */
    struct dtx_buf held; /* frames, each with its length before it */
    size_t held_at;
    struct dtx_half *half; /* of grants that come in two */
    uint32_t waits;        /* grants heard of that are not whole */
    struct dtx_str work;   /* what is to be taken */
    struct dtx_buf whole;  /* that of two halves */
};

enum dtx_member_do {
    DTX_MEMBER_NOTHING,
    DTX_MEMBER_TAKE,  /* 'work', which is valid until the next call */
    DTX_MEMBER_SHARE, /* somebody waits */
    DTX_MEMBER_STOP,  /* begin nothing more: hand in a part */
    DTX_MEMBER_FAIL,  /* a rank cannot go on, and so nobody can: code, text */
    DTX_MEMBER_OTHER  /* not of the broker: see to it yourself */
};

void dtx_member_begin(struct dtx_member *m, uint32_t region);
void dtx_member_fini(struct dtx_member *m);
/* A frame has come, from the broker or (KPASS) another rank, decoded as 'msg':
 * what is to be done. Negative: DTX_ENOMEM, DTX_EPROTO. */
int dtx_member_hear(struct dtx_member *m, const struct dtx_msg *msg,
                    const void *frame, size_t len);
/* A KWANT, ready to be sent, for 'count' chunks. */
void dtx_member_want(struct dtx_member *m, uint32_t count, bool idle,
                     struct dtx_msg *out);
/* More was found than the broker knows of: a KLOAD, ready to be sent. */
void dtx_member_fresh(struct dtx_member *m, struct dtx_msg *out);
/* Does somebody wait for a share who may be answered now? */
bool dtx_member_asked(const struct dtx_member *m);
/* Does so much go to who waits straight, rather than through rank 0? This is
 * rank 'self'. */
bool dtx_member_passes(const struct dtx_member *m, uint32_t self,
                       size_t bytes);
/* The thief was answered. */
void dtx_member_shared(struct dtx_member *m);
/* Is a part due? Then it is handed in, of this round. */
bool dtx_member_owes(const struct dtx_member *m);
uint32_t dtx_member_hand_in(struct dtx_member *m);
/* A frame that was held back and may be heard now; false: there is none. */
bool dtx_member_next(struct dtx_member *m, struct dtx_buf *frame);

#endif
