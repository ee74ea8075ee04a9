/* SPDX-License-Identifier: MIT */
/* engine/pulse.h - how long somebody has been silent
 *
 * Silence is counted in the time in which this side was awake to hear: between
 * two looks at most 'most_ns' count, however late the second one comes.  So a
 * process that was stopped for a minute, or a machine that slept, does not take
 * all others for dead when it goes on; and who listens has to look at least
 * each 'most_ns'.
 *
 * This is a failure detector by heartbeats with a fixed time-out (Chandra and
 * Toueg, "Unreliable failure detectors for reliable distributed systems",
 * J. ACM 43(2), 1996): it may be wrong about a slow rank, which is then fenced,
 * and it always finds a dead one.
 */
#ifndef DTX_ENGINE_PULSE_H
#define DTX_ENGINE_PULSE_H

#include <stdint.h>

/* A worker speaks, and is spoken to, so often in the time after which silence
 * is a loss; the master looks twice as often. */
#define DTX_PULSE_BEATS 4

struct dtx_pulse {
    int64_t most_ns;
    int64_t last_ns;  /* of the driver's clock */
    int64_t awake_ns; /* the time that counts, from 0 */
};

static inline void dtx_pulse_init(struct dtx_pulse *p, int64_t most_ns,
                                  int64_t now_ns)
{
    p->most_ns = most_ns;
    p->last_ns = now_ns;
    p->awake_ns = 0;
}

/* It is 'now_ns': the time that counts. */
static inline int64_t dtx_pulse_tick(struct dtx_pulse *p, int64_t now_ns)
{
    int64_t gone = now_ns - p->last_ns;

    if (gone > 0) {
        p->awake_ns += gone < p->most_ns ? gone : p->most_ns;
        p->last_ns = now_ns;
    }
    return p->awake_ns;
}

#endif
