/* SPDX-License-Identifier: MIT */
/* run/spread.h - rank 0 tells the master which tasks are bound by memory
 *
 * Joins what classes were seen to move (predict/usage.h), what the memory of a
 * NUMA node can move, and where the ranks' cores are, and tells the master the
 * share of a NUMA node that a task of such a class uses; the master then
 * spreads them (sched/traffic.h).  It knows nothing before tasks have been
 * counted, and nothing at all where the hardware's counters are shut.
 *
 * What the memory can move is said, or learned (predict/bandwidth.h): the most
 * that was moved at once, once as many attempts have ended as twice all slots,
 * and a tenth more, or one task more, so that it finds out whether more goes.
 * That errs to the side of too much: what is too little keeps memory idle that
 * the job waits for in the end (tests/property/prop_memory.c has both).
 *
 * A class that has been seen to be bound by memory (dtx_usage_bound) stays so
 * for the session, since spreading it is what lets it compute; how much it
 * moves is told again when that has changed by a tenth.  Looking at the tasks
 * that wait takes a few milliseconds of each second, while there is such a
 * class.
 */
#ifndef DTX_RUN_SPREAD_H
#define DTX_RUN_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_card;
struct dtx_costs;
struct dtx_jobs;
struct dtx_master;
struct dtx_master_stats;
struct dtx_outcome;
struct dtx_spread;
struct dtx_tasklist;
struct dtx_traffic;
struct dtx_usage;
struct dtx_usages;

struct dtx_spread_config {
    const struct dtx_card *cards;
    uint32_t ncards;
    const struct dtx_jobs *jobs;
    int64_t numa_bytes;             /* a second, of a NUMA node; 0: not known,
                                       so it is learned */
    const struct dtx_usages *usage; /* borrowed for its life, as is: */
    const struct dtx_tasklist *list;
};

/* NULL when out of memory. */
struct dtx_spread *dtx_spread_create(const struct dtx_spread_config *c);
void dtx_spread_destroy(struct dtx_spread *s); /* NULL is allowed */
/* For the master's configuration. */
struct dtx_traffic *dtx_spread_traffic(const struct dtx_spread *s);

/* Now and then: true when there is something to tell the master, in 'out',
 * valid until the next call. 'wall_ns': since 1970. */
bool dtx_spread_tick(struct dtx_spread *s, const struct dtx_master *m,
                     int64_t wall_ns, struct dtx_costs *out);
/* An attempt has ended. 'class': its class's profile, NULL when it was not
 * added to any. */
void dtx_spread_ended(struct dtx_spread *s, const struct dtx_usage *class,
                      const struct dtx_outcome *o);
/* The summary's line, if there was anything to spread. */
void dtx_spread_tell(const struct dtx_spread *s,
                     const struct dtx_master_stats *m, struct dtx_buf *b);

#endif
