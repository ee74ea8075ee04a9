/* SPDX-License-Identifier: MIT */
/* node/clock.h - the time */
#ifndef DTX_NODE_CLOCK_H
#define DTX_NODE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC: for durations and timers. */
int64_t dtx_clock_mono_ns(void);
/* Nanoseconds since 1970 of CLOCK_REALTIME: for people and records. */
int64_t dtx_clock_wall_ns(void);

#endif
