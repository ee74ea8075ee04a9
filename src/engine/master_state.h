/* SPDX-License-Identifier: MIT */
/* engine/master_state.h - what the master's own files share
 *
 * Private to engine/master*.c.  master.c hears events, master_life.c begins and
 * ends a master; master_grant.c decides who works on what, in the orders of
 * master_order.c; master_wide.c keeps slots free for wide tasks, master_steal.c
 * brokers steals; master_flow.c carries what follows from an end: records,
 * successors, retries; master_need.c knows tasks that ask for memory or
 * devices, master_traffic.c those that are bound by memory bandwidth;
 * master_live.c links tasks that come while the job runs; master_load.c counts
 * in predicted seconds what is ready and what ranks have; master_speed.c knows
 * which ranks are slow; master_late.c knows the deadline; master_loss.c knows
 * who is lost and takes back what they had.
 */
#ifndef DTX_ENGINE_MASTER_STATE_H
#define DTX_ENGINE_MASTER_STATE_H

#include "base/keyheap.h"
#include "base/tourney.h"
#include "engine/master.h"
#include "engine/median.h"
#include "engine/pulse.h"
#include "sched/crowd.h"
#include "sched/policy.h"
#include "sched/stock.h"
#include "sched/traffic.h"
#include "sched/zones.h"
#include "task/after.h"
#include "task/graph.h"
#include "task/layout.h"
#include "task/task.h"
#include "wire/wire.h"

#define NO_RANK UINT32_MAX
#define LATE (UINT32_MAX - 1) /* as the owner of a ready task: put off */
#define NEVER INT64_MAX
#define DTX_MASTER_PASSED 64u /* ranks that are passed over at most */

/* What each message of a rank touches comes first, in two lines of cache. */
struct dtx_rank {
    bool came;          /* has said HELLO once, believed or not */
    bool absent;        /* was lost before it came */
    bool alive;         /* may be granted to */
    bool left;          /* has said BYE when all was over */
    bool fenced;        /* has been told that it is not believed any more */
    bool yield_pending; /* a YIELD is unanswered */
    bool asking;        /* a steal for it is under way */
    bool told_stop;     /* it has asked to stop: it was signaled itself */
    bool sated;         /* its queue is deep enough until a task leaves it */
    bool aside;         /* it is slow: it gets nothing for now */
    bool passed;        /* over in this dispatch: the next task would end too
                           late there, though not elsewhere */
    uint32_t incarnation;
    uint32_t slots;     /* 0: was never believed */
    uint32_t reserved;  /* the wide task it waits to have room for, or none */
    uint32_t head;      /* its granted tasks, linked by next and prev, the */
    uint32_t tail;      /* newest first */
    uint32_t unsent;    /* the newest so many have not been sent */
    uint64_t used;      /* slots they ask for */
    uint64_t count;     /* how many those are */
    double load_s;      /* their estimated seconds times cpus */
    uint64_t given;     /* tasks granted since it came */
    uint64_t waiting;   /* granted tasks that may not have started, as known */
    uint64_t ended;
    int64_t busy_ns;
    /* when weighed (master_load.c): slots of those that are taken to have
     * started, and the sum of when they did, times cpus; seconds given since it
     * came; the oldest that is not taken to have started */
    uint64_t running;
    double begun_s, given_s, running_s; /* ... and what those were to take */
    uint32_t next_up;
    uint32_t group;     /* index into dtx_master.group */
    uint32_t thief;     /* for whom the pending YIELD was sent, or NO_RANK */
    uint32_t quieter, louder; /* the ranks heard of before and after it */
    int64_t heard_ns;   /* when it was, in time awake */
    int64_t hungry_ns;  /* in 'hungry' or 'patient' since then */
    int64_t patient_ns; /* in 'patient' until then, 0: is not */
    int64_t lost_ns;    /* since the start, when it was lost */
    uint64_t took_back; /* tasks it had then */
    uint64_t stolen_from, stolen_by;
    struct dtx_speed speed;
    double slow; /* so many times as long as all on average a task takes: as
                    its outcomes tell, and since others use its processors */
    double own_slow;         /* the former alone */
    struct dtx_crowd *crowd; /* the latter; NULL: nobody has, so far */
    uint64_t stood_back;
    int64_t aside_ns;    /* it stands back for 'aside_task' until then */
    uint32_t aside_task;
    char host[64];
};

/* Ranks with the same number of slots, those with most free slots first. */
struct dtx_rank_group {
    uint32_t slots;
    uint32_t alive;
    struct dtx_keyheap free; /* alive and without a reservation */
};

/* A record on its way to the disk. */
struct dtx_pending {
    struct dtx_outcome outcome;
    bool final;
};

/* A gate of a live list: opens when all that it waits for has succeeded. */
struct dtx_live_gate {
    uint32_t blockers, first; /* as those of tasks */
    uint32_t cause;           /* of one that never opens */
    uint8_t state;            /* enum dtx_task_state */
};

/* A live list: 'after' waits for the task whose list this is in. */
struct dtx_link {
    uint32_t after, next;
};

/* A cascade's place: the next edge of a node to look at. */
struct dtx_walk {
    uint32_t node, edge;
    uint32_t cause; /* DTX_NO_TASK: release; else skip because of this task */
};

/* What a lost rank had, to be taken back: the oldest first. */
struct dtx_lost {
    uint32_t task;  /* next to take back, linked by prev */
    uint32_t rank;
    uint64_t begun; /* so many of them may have been running */
};

struct dtx_retry {
    uint32_t task;
    int64_t at_ns;
};

/* An outcome that may not be the task's own doing: master_doubt.c. */
struct dtx_doubt {
    struct dtx_outcome outcome;
    uint32_t incarnation; /* of the rank that told it */
    int64_t at_ns;        /* when it is believed */
};

/* Ready tasks that are bound by memory bandwidth: their predicted seconds
 * (unknown: how many they are), and for how long these keep one NUMA node's
 * memory busy. */
struct dtx_heavy_sum {
    double s, moved_s;
};

/* What a task takes of a node. */
struct dtx_take {
    struct dtx_need need;
    uint32_t cpus;
};

struct dtx_master {
    struct dtx_master_config c;
    const struct dtx_policy *policy;
    struct dtx_policy_state policy_state;
    bool started, finished;
    enum dtx_stop stopping;
    bool asked;       /* to stop, by somebody */
    int64_t asked_ns; /* when it was the last time */
    bool halted;
    uint32_t budget;  /* items left in this step */
    int64_t armed_ns; /* the timer asked for, or NEVER */
    int64_t mean_ns;  /* recent mean duration, 0 = unknown */
    uint64_t nmeasured;
    struct dtx_median *median; /* with timeout_percent */
    int64_t limit_ns;      /* the ranks have been told, 0 = none yet */
    uint64_t limit_n;      /* of so many durations */
    struct dtx_buf path;   /* at work: where a task's results go */
    int64_t begin_ns;      /* the session's START */
    int64_t deadline_ns;   /* or NEVER */
    struct dtx_median *lengths; /* of successes, once there is a deadline */
    bool called_back;      /* the ranks have been told to give back */
    /* ready tasks that would not end in time, linked by next; and those that
     * are looked at once more */
    uint32_t late, late_last, returning;
    int64_t late_usual_ns; /* what was usual when the first was put off */
    int64_t next_start_ns; /* with delay_ns: nothing is granted before */
    uint64_t items;

    /* tasks and gates; arrays of list->ntasks unless said otherwise */
    uint32_t ntasks;
    size_t cap_tasks;
    bool open;           /* live: CLOSED has not come */
    uint8_t *state;      /* enum dtx_task_state; graph->nnodes of them */
    uint32_t *blockers;  /* predecessors not done; nnodes, or NULL */
    uint32_t *first;     /* live: head of the list of those that wait for it;
                            NULL like 'blockers' until anybody waits */
    struct dtx_live_gate *gate; /* live: node DTX_GATE | i is gate[i] */
    size_t ngates, cap_gates;
    struct dtx_link *link; /* live: those lists; what is used up is taken again,
                            linked from 'spare' */
    size_t nlinks, cap_links;
    uint32_t spare;
    uint32_t *owner;     /* rank of a granted or reserved task; LATE; cause of
                            a skipped one */
    uint32_t *next, *prev;
    float *cost_s;       /* predicted, below 0: not known; NULL: no costs are */
    float *need_s;       /* with costs: config.need_s, below 0: not known */
    double *start_s;     /* with costs: taken to have started, seconds since
                            START; below 0: not */
    float *est_s;        /* of a granted one: what the grant assumed */
    double ready_s;      /* predicted seconds of those in 'ready' ... */
    uint64_t ready_known; /* ... of which any are */
    uint32_t *attempt;   /* number of the present or next attempt */
    uint16_t *fails;     /* failed attempts in this session */
    uint32_t *share;     /* of memory bandwidth, in parts (sched/traffic); or
                            NULL: nobody looks after it */
    struct dtx_keyheap heavy; /* ready ones bound by it, and their sums */
    struct dtx_heavy_sum heavy_known, heavy_unknown;
    struct dtx_keyheap ready, wide; /* of one slot, of several */
    struct dtx_keyheap needy[2]; /* those that ask for devices, for memory */
    struct dtx_take least; /* of each, of the first so many attributes */
    size_t nweighed;
    /* wide tasks for which no rank alive has the slots, linked by next; and
     * those on their way back to 'wide' since a larger rank came */
    uint32_t parked, parked_last, unparking;
    uint64_t nparked; /* both */

    struct dtx_rank *rank;
    uint32_t ncame, nabsent, nalive;
    uint64_t slots_alive;
    struct dtx_speeds speeds;
    double capacity;        /* slots of the ranks alive, by their speeds */
    uint32_t passed[DTX_MASTER_PASSED], npassed; /* those ranks */
    uint32_t *aside;        /* a ring of ranks that were put aside */
    size_t aside_at, aside_len, aside_cap;
    struct dtx_keyheap low;    /* alive ranks in the policy's order */
    struct dtx_tourney rich; /* ranks one could steal from, slowest first; by
                                their places among the zones */
    struct dtx_keyheap hungry; /* with free slots and nothing under way; */
    struct dtx_keyheap patient; /* those of them that put off a theft */
    struct dtx_keyheap reserved; /* ranks with a reservation, by its task */
    uint32_t *touched;        /* ranks with something unsent */
    size_t ntouched, cap_touched;
    bool any_wide; /* else 'group[].free' is not kept: nobody asks */
    struct dtx_rank_group *group;
    size_t ngroups, cap_groups;

    struct dtx_pending *pending; /* a ring */
    size_t pending_at, pending_len, pending_cap;
    uint64_t next_record, recorded;
    struct dtx_walk *walk;
    size_t nwalks, cap_walks;
    struct dtx_retry *retry; /* a ring, by time since the pause is constant */
    size_t retry_at, retry_len, retry_cap;
    struct dtx_doubt *doubt; /* a ring, likewise */
    size_t doubt_at, doubt_len, doubt_cap;
    struct dtx_lost *lost; /* lists whose rank is gone */
    size_t nlost, cap_lost;
    uint8_t *losses;  /* per task, or NULL: ranks that died with it */
    struct dtx_pulse pulse;
    int64_t look_ns;  /* look for silent ranks then, or NEVER */
    uint32_t quietest, loudest; /* ends of the list of those listened to */

    struct dtx_master_stats st;
    struct dtx_actions *out; /* of the present step */
    int64_t now_ns;
    bool nomem;
};

/* ---- master_life.c ---- */
/* Make room for tasks up to 'n' and set up those from ntasks on. */
int dtx_master_grow(struct dtx_master *m, size_t n, const uint16_t *attempts);

/* ---- master.c ---- */
void dtx_master_trace(struct dtx_master *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
const struct dtx_task_attr *dtx_master_attr(const struct dtx_master *m,
                                            uint32_t task);
/* Open a frame to a rank; bytes may follow; dtx_master_sent ends it. */
bool dtx_master_open(struct dtx_master *m, uint32_t to,
                     const struct dtx_msg *msg);
void dtx_master_sent(struct dtx_master *m);
void dtx_master_send(struct dtx_master *m, uint32_t to, struct dtx_msg msg);
void dtx_master_stop(struct dtx_master *m, enum dtx_stop how);
/* Does the rank have this attempt, as far as the master knows? */
bool dtx_master_has_attempt(const struct dtx_master *m, uint32_t rank,
                            uint32_t task, uint32_t attempt);
/* Take one item of this step's budget; false when it is used up. */
bool dtx_master_spend(struct dtx_master *m);

/* ---- master_need.c ---- */
/* Where a ready task waits that asks for memory or devices; NULL: it asks for
 * neither. */
struct dtx_keyheap *dtx_master_needy_heap(struct dtx_master *m, uint32_t task);
bool dtx_master_is_needy(struct dtx_master *m, uint32_t task);
/* What the task had taken of the rank's node is there again. */
void dtx_master_give_back(struct dtx_master *m, uint32_t r, uint32_t task);
/* Place the first of such a heap or put it aside, or place a smaller one that
 * comes before 'next' (DTX_HEAP_NONE: any) if it must wait; false: all must. */
bool dtx_master_place_needy(struct dtx_master *m, struct dtx_keyheap *h,
                            uint32_t next);

/* ---- master_traffic.c ---- */
/* Does it wait in the heap of tasks that are bound by memory bandwidth? */
bool dtx_master_is_heavy(struct dtx_master *m, uint32_t task);
/* As dtx_master_widen_costs and dtx_master_set_costs. */
bool dtx_master_widen_shares(struct dtx_master *m, size_t cap);
void dtx_master_set_shares(struct dtx_master *m, size_t from, size_t to);
/* Into that heap, and out of it if it is there. */
void dtx_master_push_heavy(struct dtx_master *m, uint32_t task);
void dtx_master_pull_heavy(struct dtx_master *m, uint32_t task);
/* Does the first of them come before 'other' (none: DTX_HEAP_NONE)? */
bool dtx_master_heavy_first(const struct dtx_master *m, uint32_t other);
/* Is its priority above that of all narrow tasks? Then it waits for none. */
bool dtx_master_heavy_bars(const struct dtx_master *m);
/* Start the first of them. */
enum dtx_heavy {
    DTX_HEAVY_PLACED,  /* or it is one no more */
    DTX_HEAVY_NO_SLOT, /* its memory is there: no more is queued ahead that
                          comes after it, so that a slot becomes free */
    DTX_HEAVY_CROWDED  /* it waits, and nobody for it */
};
enum dtx_heavy dtx_master_place_heavy(struct dtx_master *m);
/* A task is granted to a rank, or is not any more. */
void dtx_master_use_memory(struct dtx_master *m, uint32_t r, uint32_t task,
                           bool begins);
/* What its executor is to know of it. */
void dtx_master_tell_traffic(struct dtx_master *m, uint32_t task,
                             struct dtx_item_work *w);

/* ---- master_order.c ---- */
/* Does ready task 'a' come before 'b'? */
bool dtx_master_before(const struct dtx_master *m, uint32_t a, uint32_t b);
int dtx_master_grant_init(struct dtx_master *m);
void dtx_master_grant_fini(struct dtx_master *m);
/* Put a rank where it belongs in the heaps after anything about it changed. */
void dtx_master_rank_changed(struct dtx_master *m, uint32_t r);
int dtx_master_rank_joined(struct dtx_master *m, uint32_t r);
void dtx_master_rank_left(struct dtx_master *m, uint32_t r);
/* Have all ranks come, or been lost before? */
bool dtx_master_all_came(const struct dtx_master *m);
/* The slots of the largest rank that is alive. */
uint32_t dtx_master_largest(const struct dtx_master *m);

/* ---- master_grant.c ---- */
/* Ready tasks, parked ones apart. */
size_t dtx_master_nready(const struct dtx_master *m);
void dtx_master_make_ready(struct dtx_master *m, uint32_t task);
/* Grant, reserve and steal as far as the policy and the budget go. */
void dtx_master_dispatch(struct dtx_master *m);
/* Grant a task that is in no heap, alone. */
void dtx_master_grant_one(struct dtx_master *m, uint32_t r, uint32_t task);
/* The rank's slots are free for the task: it goes there at once. */
void dtx_master_grant_wide(struct dtx_master *m, uint32_t r, uint32_t task);
/* Nothing is ready but so many tasks that were taken for this rank: it gets
 * them, if it has still room; else they are anybody's. */
void dtx_master_hand_over(struct dtx_master *m, uint32_t r, uint64_t n);
/* Is it too early for another start? */
bool dtx_master_held_back(const struct dtx_master *m);
/* When the pace of starts lets something be granted that waits, or NEVER. */
int64_t dtx_master_pace_due(const struct dtx_master *m);
/* Is there anything that could be granted to a rank that is alive, now or
 * when others have ended? */
bool dtx_master_placeable(const struct dtx_master *m);

/* ---- master_wide.c ---- */
/* Grant or reserve for the first wide task, or put it aside; false when all
 * that could take it are reserved. */
bool dtx_master_place_wide(struct dtx_master *m);
/* The rank gets the task, now or once its slots are free. */
void dtx_master_grant_or_reserve(struct dtx_master *m, uint32_t r,
                                 uint32_t task);
/* Slots may have become free on a rank: for the task it is reserved for, or
 * else for one that waits for another rank. */
void dtx_master_settle(struct dtx_master *m, uint32_t r);
/* A rank may have had the room for its reserved task when it was too early for
 * that. */
void dtx_master_settle_reserved(struct dtx_master *m);
/* Set a task aside that no rank alive has the room for. */
void dtx_master_park(struct dtx_master *m, uint32_t task);
/* A larger rank has come: what is parked goes back to 'wide', in slices. */
void dtx_master_begin_unparking(struct dtx_master *m);
void dtx_master_unpark(struct dtx_master *m);

/* ---- master_steal.c ---- */
/* Tasks of a rank that wait behind full slots: what one could steal. */
uint64_t dtx_master_spare(const struct dtx_rank *k);
/* Ask the victim for the newest so many that it has not started (UINT32_MAX:
 * all), for a thief or NO_RANK. */
void dtx_master_yield(struct dtx_master *m, uint32_t victim, uint32_t count,
                      uint32_t thief);
/* As long as somebody is hungry and somebody has what can be taken. */
void dtx_master_steal(struct dtx_master *m);
/* When somebody looks for a victim again, or NEVER. */
int64_t dtx_master_steal_due(const struct dtx_master *m);
/* Ask a rank for all that has not started. */
void dtx_master_call_back(struct dtx_master *m, uint32_t r);
/* A reserved rank has answered another YIELD: take the rest back too. */
void dtx_master_reclaim(struct dtx_master *m, uint32_t r);

/* ---- master_load.c ---- */
/* Room for costs of tasks up to 'cap'; costs of those from 'from' up to 'to',
 * where there are any: 'cost' and 'need' begin with the first of them, NULL:
 * nothing is known. */
bool dtx_master_widen_costs(struct dtx_master *m, size_t cap);
void dtx_master_set_costs(struct dtx_master *m, size_t from, size_t to,
                          const float *cost, const float *need);
/* The first costs of a job that began without: ranks are in another order from
 * now on. Nothing when there are some. False: out of memory. */
bool dtx_master_begin_costs(struct dtx_master *m);
/* New predictions have come. */
void dtx_master_predict(struct dtx_master *m, const struct dtx_costs *c);
/* Into the heap of ready narrow tasks, and its top out of it again. */
void dtx_master_push_ready(struct dtx_master *m, uint32_t task);
uint32_t dtx_master_pop_ready(struct dtx_master *m);
/* What a task is taken to cost, and all that are in that heap. */
double dtx_master_cost_s(const struct dtx_master *m, uint32_t task);
double dtx_master_usual_s(const struct dtx_master *m); /* of unknown cost */
double dtx_master_ready_s(const struct dtx_master *m);
/* The task is granted to the rank; it leaves its rank's list and load: its
 * state is the caller's. */
void dtx_master_link(struct dtx_master *m, uint32_t r, uint32_t task);
void dtx_master_unlink(struct dtx_master *m, uint32_t task);
/* When a rank without a free slot is predicted to have done all it has, its
 * slots together: seconds since START. */
double dtx_master_done_s(const struct dtx_rank *k);
/* How long one more task would wait there, slots being full. */
double dtx_master_wait_s(const struct dtx_master *m, const struct dtx_rank *k);
double dtx_master_now_s(const struct dtx_master *m);
/* From now on tasks take 'times' as long there as was thought: so does what it
 * has. */
void dtx_master_reload(struct dtx_master *m, uint32_t r, double times);
/* It has nothing any more. */
void dtx_master_unload(struct dtx_rank *k);
/* How many of a victim's tasks, the newest first, bring a thief its share, and
 * are worth the way of so many seconds. */
uint32_t dtx_master_loot(struct dtx_master *m, uint32_t victim, uint32_t thief,
                         uint64_t waiting, double way_s);

/* ---- master_speed.c ---- */
void dtx_master_speed_fini(struct dtx_master *m);
/* A rank has come; it is gone. */
void dtx_master_speed_join(struct dtx_master *m, uint32_t r);
void dtx_master_speed_leave(struct dtx_master *m, uint32_t r);
/* A task has left a rank: the first that stands back is looked at again. */
void dtx_master_call_one(struct dtx_master *m);
/* Others take so much of its processors, as DONE tells. */
void dtx_master_others(struct dtx_master *m, uint32_t r, uint32_t told);
/* What an attempt tells of its rank. */
void dtx_master_speed_ended(struct dtx_master *m, const struct dtx_outcome *o);
/* Would another rank be done earlier with the task that is next, though it has
 * to wait for a slot? Then this one stands back for a while. */
bool dtx_master_stand_back(struct dtx_master *m, uint32_t r);
/* Those whose patience is over are looked at again; and when that is so, or
 * NEVER. */
void dtx_master_call_due(struct dtx_master *m);
int64_t dtx_master_aside_due(const struct dtx_master *m);

/* ---- master_late.c ---- */
/* When what runs is ended, or NEVER. */
int64_t dtx_master_end_ns(const struct dtx_master *m);
/* How long a task is expected to take, 0 = unknown. */
int64_t dtx_master_expected_ns(const struct dtx_master *m, uint32_t task);
/* Would it end too late even if it started now? */
bool dtx_master_too_late(const struct dtx_master *m, uint32_t task);
/* Or if it started now on this rank, at its speed? */
bool dtx_master_too_late_on(const struct dtx_master *m, uint32_t r,
                            uint32_t task);
/* Would it end in time on this rank, at its speed and behind what that has
 * already? */
bool dtx_master_fits_in(const struct dtx_master *m, uint32_t r, uint32_t task);
/* Those that were put off are looked at once more. */
void dtx_master_look_again(struct dtx_master *m);
/* A ready task that is in no heap waits for better times. */
void dtx_master_put_off(struct dtx_master *m, uint32_t task);
/* Go on with looking at them once more. */
void dtx_master_return(struct dtx_master *m);
void dtx_master_set_deadline(struct dtx_master *m, int64_t at_ns);
/* Tell a rank, if there is one. */
void dtx_master_send_deadline(struct dtx_master *m, uint32_t r);
/* A task has succeeded in this time. */
void dtx_master_learn(struct dtx_master *m, int64_t wall_ns);
/* Call back and end what has to be. */
void dtx_master_heed_deadline(struct dtx_master *m);
/* When that is due next, or NEVER. */
int64_t dtx_master_late_due(const struct dtx_master *m);

/* ---- master_flow.c ---- */
/* Tell a rank the limit for tasks without a timeout of their own, if there is
 * one. */
void dtx_master_send_limit(struct dtx_master *m, uint32_t r);
int dtx_master_flow_init(struct dtx_master *m);
void dtx_master_flow_fini(struct dtx_master *m);
void dtx_master_flow_start(struct dtx_master *m);
/* An attempt has ended, and its task is in no rank's list any more: its outcome
 * is believed. */
void dtx_master_ended(struct dtx_master *m, const struct dtx_outcome *o);
/* Make room for one more in a ring of 'cap' items of 'size' bytes, of which
 * 'len' are used from 'at' on. The ring, moved perhaps, or NULL. */
void *dtx_master_ring(void *ring, size_t *at, size_t len, size_t *cap,
                      size_t size);
void dtx_master_recorded(struct dtx_master *m, uint64_t number);
/* A task whose state is BLOCKED begins, or is over already. */
void dtx_master_start_task(struct dtx_master *m, uint32_t i,
                           enum dtx_prior prior);
/* A node can never begin, because of this task. */
void dtx_master_skip(struct dtx_master *m, uint32_t node, uint32_t cause);
/* Live: the task is over. */
void dtx_master_forget(struct dtx_master *m, uint32_t task);
/* Hand an outcome to the store. */
void dtx_master_record(struct dtx_master *m, const struct dtx_outcome *o,
                       bool final);
void dtx_master_next_attempt(struct dtx_master *m, uint32_t task);
/* Go on with cascades, lost lists and retries that are due. */
void dtx_master_flow(struct dtx_master *m);
/* Is a cascade or a lost list unfinished? */
bool dtx_master_flow_busy(const struct dtx_master *m);
/* When the next retry is due, or the next start, or NEVER. */
int64_t dtx_master_flow_due(const struct dtx_master *m);

/* ---- master_doubt.c ---- */
/* An attempt has ended, as its rank tells: believe it, now or later. */
void dtx_master_told(struct dtx_master *m, const struct dtx_outcome *o);
/* Somebody asks to stop: what ended by a signal just before was ended, too. */
void dtx_master_asked(struct dtx_master *m, enum dtx_stop how);
/* Go on judging those for which it is time. */
void dtx_master_judge(struct dtx_master *m);
/* When that is due next, or NEVER. */
int64_t dtx_master_doubt_due(const struct dtx_master *m);

/* ---- master_live.c ---- */
/* Further tasks have come. */
void dtx_master_arrive(struct dtx_master *m, const struct dtx_arrival *a);
/* Where the list of those who wait for a node begins; or DTX_NO_TASK. */
uint32_t dtx_master_live_first(const struct dtx_master *m, uint32_t node);
/* Take the first of them off the list; '*next' is the link behind. */
uint32_t dtx_master_live_pop(struct dtx_master *m, uint32_t node,
                             uint32_t *next);
void dtx_master_live_fini(struct dtx_master *m);
/* The gate that a node of a live list is, or NULL: it is a task. */
static inline struct dtx_live_gate *
dtx_master_live_gate(const struct dtx_master *m, uint32_t node)
{
    return m->c.live && (node & DTX_GATE) ? &m->gate[node & ~DTX_GATE] : NULL;
}

/* ---- master_loss.c ---- */
void dtx_master_loss_init(struct dtx_master *m);
void dtx_master_loss_fini(struct dtx_master *m);
/* At the beginning of each step: time goes on. */
void dtx_master_wake(struct dtx_master *m);
/* A rank has come; a believed frame of it has. */
void dtx_master_listen(struct dtx_master *m, uint32_t r);
void dtx_master_heard(struct dtx_master *m, uint32_t r);
/* If it is time, expel those that have been silent for too long. */
void dtx_master_look(struct dtx_master *m);
/* It says good bye; it is dead; it is to count as dead. */
void dtx_master_part(struct dtx_master *m, uint32_t r);
void dtx_master_lose(struct dtx_master *m, const struct dtx_loss *l);
void dtx_master_expel(struct dtx_master *m, uint32_t r, bool silent);
/* A task that is in no rank's list, granted or not, goes back, since that rank
 * was lost; 'begun': it may have been running there. */
void dtx_master_lost_task(struct dtx_master *m, uint32_t task, uint32_t rank,
                          bool begun);
/* Go on taking back what lost ranks had, in slices. */
void dtx_master_take_back(struct dtx_master *m);

#endif
