/* SPDX-License-Identifier: MIT */
/* sched/policy.h - who gets the next tasks, and how many
 *
 * A policy is arithmetic over a snapshot: it reads how much is ready and what
 * a rank has, and answers with a number.  It sends nothing, waits for nothing
 * and asks nobody the time, so the engine and the simulator run the same code.
 *
 * Of a live list, whose total nobody knows, what has come and is ready counts
 * as all there is: guided, factoring and static cut that window.
 *
 * Where costs are predicted, a chunk is a policy's share of the seconds as well
 * as of the tasks, whichever is less: with the longest first an equal number of
 * tasks would give the first ranks all the long ones.  What is predicted can so
 * make chunks smaller, never larger than they are without it.
 *
 * The engine keeps the ranks in the order the policy asks for (least loaded
 * first, or least given first), offers to the first, and goes on until the
 * first one wants nothing; one whose own queue is full is passed over, when
 * costs are predicted, until one of its tasks leaves it.
 */
#ifndef DTX_SCHED_POLICY_H
#define DTX_SCHED_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;

/* What a policy may look at. A slot is a place where one task runs. */
struct dtx_sched_view {
    uint64_t ready;     /* tasks that could be granted now */
    uint32_t nranks;    /* ranks alive */
    uint64_t slots_all; /* their slots together, and a guess for ranks that
                           are still to come */
    uint32_t slots;     /* this rank's slots */
    uint64_t used;      /* slots its granted and unfinished tasks ask for */
    int64_t mean_ns;    /* mean duration of a task lately, 0 = unknown */
    int64_t depth_ns;   /* how much work a queue should hold per slot, so that
                           a round trip to the master is hidden */
    bool shallow;       /* tasks wait for a slot that must be near (memory
                           bandwidth): what lasts longer than depth_ns is not
                           queued in front of them */
    bool weighed;       /* costs are predicted, and these are set: */
    double ready_s;     /* seconds of what is ready, one slot each */
    double next_s;      /* of the task that is granted next */
    double busy_s;      /* until the rank has done what it has, its slots
                           together; with a free slot it says nothing */
    double slow;        /* a task takes so many times as long here as was
                           predicted (sched/speed.h); 0: just as long */
    double capacity;    /* slots_all, each by its rank's speed; 0: the same */
};

/* A policy's own memory; part of the engine's state. */
struct dtx_policy_state {
    uint64_t chunk; /* size of the chunks of the current batch; static: tasks
                       left in it */
    uint64_t left;  /* chunks left in it; static: slots left */
    double batch_s; /* seconds of each of its chunks, when weighed */
    double most_s;  /* of the chunk just answered: more seconds than these are
                       not put into it, unless one task takes longer; 0: there
                       is no such bound */
    bool full;      /* 0 was answered because this rank's own queue is deep
                       enough: another's may not be */
};

struct dtx_policy {
    const char *name;
    const char *help;   /* one line */
    const char *source; /* the paper */
    bool by_given;      /* offer to the rank that was given least, not to the
                           one that has least; in seconds, when weighed */
    bool waits;         /* grant nothing before all ranks have come */
    bool steals;        /* take unstarted tasks back for ranks without work */
    bool spreads;       /* queues little enough ahead for tasks that are bound
                           by memory bandwidth to be placed (traffic.h) */
    /* How many tasks the rank gets now; 0: it has enough. May exceed what is
     * ready. */
    uint64_t (*chunk)(struct dtx_policy_state *s,
                      const struct dtx_sched_view *v);
};

/* The table of policies; *count rows. The first is the default. */
const struct dtx_policy *dtx_policy_table(size_t *count);
/* The policy called 'name' (NULL: the default); NULL and 'err' filled with the
 * names there are when it is unknown. */
const struct dtx_policy *dtx_policy_find(const char *name,
                                         struct dtx_error *err);

/* How many of a victim's 'waiting' unstarted tasks a thief asks for: its share
 * by slots of victim and thief together, rounded up, at least one. */
uint32_t dtx_policy_loot(uint64_t waiting, uint32_t victim_slots,
                         uint32_t thief_slots);
/* The same in seconds: what makes both end together, when all the victim has
 * left takes 'left_s'. Slots of a rank that takes twice as long are half. */
double dtx_policy_loot_s(double left_s, double victim_slots,
                         double thief_slots);
/* The least seconds of tasks that are worth a way of 'way_s': a thief is to be
 * at work for longer than it waited. */
double dtx_policy_worth_s(double way_s, uint32_t thief_slots);
/* By how much a victim that would be done in 'left_s', its slots together, is
 * done earlier when a thief without work takes its share over a way of
 * 'way_s'. Below 0: the way is longer than what is left. */
double dtx_policy_gain_s(double left_s, double way_s, uint32_t victim_slots,
                         uint32_t thief_slots);

#endif
