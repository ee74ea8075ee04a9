/* SPDX-License-Identifier: MIT */
/* predict/bandwidth.h - what the memory of some NUMA nodes was seen to move
 *
 * From what attempts moved while they ran: time is cut into equal parts, what
 * an attempt moved is laid over those in which it ran, and the fullest part
 * tells how much was moved at once.  That is what the memory can do when
 * enough ran that it was full, and less otherwise.  It may be a tenth more,
 * since what an attempt moved is laid evenly over its time and it had less in a
 * crowd than alone: therefore a part is at least half as long as the longest
 * attempt.
 *
 *     struct dtx_bandwidth b = {0};
 *     dtx_bandwidth_add(&b, start_ns, wall_ns, bytes);
 *     ... b.best: bytes a second
 */
#ifndef DTX_PREDICT_BANDWIDTH_H
#define DTX_PREDICT_BANDWIDTH_H

#include <stdint.h>

#define DTX_BANDWIDTH_PARTS 64u

/* Zero-initialise. */
struct dtx_bandwidth {
    double best;      /* bytes a second, in the fullest part so far */
    int64_t width_ns; /* of a part */
    int64_t first;    /* number of the oldest part that is kept */
    double bytes[DTX_BANDWIDTH_PARTS];
};

/* An attempt has moved so much; 'start_ns' by the clock of its node. What is
 * not sensible is left out. */
void dtx_bandwidth_add(struct dtx_bandwidth *b, int64_t start_ns,
                       int64_t wall_ns, double bytes);

#endif
