/* SPDX-License-Identifier: MIT */
/* engine/pulse.h - how long somebody has been silent, and who acts when
 *
 * A failure detector by heartbeats with a fixed time-out (Chandra and Toueg,
 * "Unreliable failure detectors for reliable distributed systems", J. ACM
 * 43(2), 1996): it may be wrong about a slow rank, which is then fenced, and it
 * always finds a dead one.  So that a task of a rank which is cut off has ended
 * there before it begins elsewhere, what a rank may run is held as a lease
 * (Gray and Cheriton, "Leases: an efficient fault-tolerant mechanism for
 * distributed file cache consistency", SOSP 1989): it counts from when the rank
 * sent what the master has answered, the master's patience from when it heard
 * that, which is later, and the lease is the shorter of the two.
 *
 * All times are parts of one, 'lost_after_ns' (--lost-after), within which a
 * loss is noticed whatever it is:
 *
 *     0.1   a worker asks the master (PING) so often
 *     0.5   a rank whose main loop stands still for this long is ended by its
 *           spawner, which needs a quarter of this more to be sure
 *     0.7   the lease: a rank without an answer for so long ends its tasks
 *     0.9   silence: what a rank had that was silent for so long runs elsewhere
 *     0.95  ... since the master looks each 0.05
 *
 * Silence is counted in the time in which this side was awake to hear: between
 * two looks at most 'most_ns' count, however late the second one comes.  So a
 * master that was stopped for a minute, or whose machine slept, does not take
 * all others for dead when it goes on; and who listens has to look at least
 * each 'most_ns'.
 */
#ifndef DTX_ENGINE_PULSE_H
#define DTX_ENGINE_PULSE_H

#include <stdint.h>

/* As long as a rank waits for the first word of a master that reads a history
 * or asks a batch system before it begins: nothing has been granted yet, so
 * there is nothing to be ended in time. */
#define DTX_PULSE_FIRST_NS INT64_C(60000000000)

/* Parts of 'lost_after_ns', see above. */
static inline int64_t dtx_pulse_beat(int64_t lost_after_ns)
{
    return lost_after_ns / 10 + 1;
}

static inline int64_t dtx_pulse_still(int64_t lost_after_ns)
{
    return lost_after_ns / 2;
}

static inline int64_t dtx_pulse_lease(int64_t lost_after_ns)
{
    return lost_after_ns / 10 * 7;
}

static inline int64_t dtx_pulse_silence(int64_t lost_after_ns)
{
    return lost_after_ns / 10 * 9;
}

static inline int64_t dtx_pulse_look(int64_t lost_after_ns)
{
    return lost_after_ns / 20 + 1;
}

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
