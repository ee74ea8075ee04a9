/* SPDX-License-Identifier: MIT */
/* lib/session.h - what the parts of the library share
 *
 * A session lives from dtx_init to dtx_finalize.  A region is one call that all
 * ranks make together.  A style (loop, tree) says how slots work on a region,
 * and how a share of what is left is made into bytes and out of them.
 */
#ifndef DTX_LIB_SESSION_H
#define DTX_LIB_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <distributex.h>

#include "base/buf.h"
#include "base/error.h"
#include "lane/trust.h"
#include "lib/crew.h"
#include "lib/net.h"
#include "lib/options.h"
#include "sched/profile.h"
#include "wire/wire.h"

struct dtx_broker;
struct dtx_diary;
struct dtx_broker_news;
struct dtx_actions;
struct dtx_calls;
struct dtx_foresight;
struct dtx_ledger;
struct dtx_results;
struct dtx_recall;
struct dtx_region;
struct dtx_session;

#define DTX_MAX_REDUCTIONS 8u
#define DTX_MAX_VALUE (1u << 20)  /* bytes that are reduced */
#define DTX_MAX_ARGS (1u << 20)
#define DTX_MAX_RESULT 65536u     /* bytes of the result of an iteration */
#define DTX_MAX_NODE 4096u

#define DTX_MAX_TASK (1u << 20)   /* bytes of a task's input or output */

enum dtx_kernel_kind {
    DTX_KERNEL_EACH,
    DTX_KERNEL_RANGE,
    DTX_KERNEL_TREE,
    DTX_KERNEL_TASK
};

struct dtx_kernel {
    char *name;
    enum dtx_kernel_kind kind;
    dtx_each_f each;
    dtx_range_f range;
    dtx_visit_f visit;
    dtx_child_f child;
    dtx_task_f task;
    size_t node_bytes;
    struct dtx_trust trust; /* tasks */
};

struct dtx_reduction {
    enum dtx_type type;
    enum dtx_op op;
    dtx_combine_f combine; /* NULL: type and op say how */
    char *identity;        /* of 'bytes'; NULL likewise */
    void *value;
    size_t bytes, offset;
};

/* What is failed, and the first. */
struct dtx_failures {
    uint64_t count, first;
    int code;
};

/* A slot's view of a region; alone in its cache lines. */
struct dtx_call {
    _Alignas(128) struct dtx_session *session;
    struct dtx_region *region;
    unsigned slot;
    char *values;          /* reduced, this slot's */
    char *results;         /* of iteration 'results_at', and those behind */
    uint64_t results_at, results_end;
    struct dtx_failures failures;
    uint64_t done;
    int64_t busy_ns;
    void *own;             /* the style's */
};

/* What a rank parts with. */
struct dtx_parted {
    struct dtx_buf work;     /* goes through rank 0 */
    struct dtx_buf straight; /* may go to its new owner without */
    int64_t left_ns;         /* of work that stays here; -1: unknown */
};

/* How one kind of region works. All but 'step' are called by the communicating
 * thread. */
struct dtx_style {
    /* The region begins: this rank's first work. 0 or negative. */
    int (*begin)(struct dtx_region *g);
    /* A slot's. */
    bool (*step)(void *region, unsigned slot);
    /* With the crew's lock held: the next piece of what another rank has parted
     * with, as bytes (0 or negative); and there is no more of it (may be
     * NULL). */
    int (*take)(struct dtx_region *g, struct dtx_cursor *work);
    void (*taken)(struct dtx_region *g);
    /* Part with a share for a rank of so many slots. True when that is the
     * answer, even if it is nothing; false: ask again later. */
    bool (*give)(struct dtx_region *g, uint32_t slots, struct dtx_parted *out);
    /* So little is left that more should be asked for: how many chunks (1 where
     * there are none); 0: enough. */
    uint32_t (*wants)(struct dtx_region *g);
    int64_t (*left_ns)(struct dtx_region *g);
    /* For schedules that learn, since it was last asked; may be NULL. */
    void (*news)(struct dtx_region *g, uint64_t *done, int64_t *busy_ns);
    /* Throw away what is left. */
    void (*drop)(struct dtx_region *g);
    void (*end)(struct dtx_region *g);
    /* Those of tasks, else NULL: what was taken is there for slots (else: it is
     * published); do some of what was held back from them instead (false: there
     * was none); this rank waits for what others do; there is more than others
     * were told (says so once); outcomes have come to rank 0; pass on
     * outcomes. */
    void (*offer)(struct dtx_region *g);
    bool (*assist)(struct dtx_region *g);
    bool (*holds)(struct dtx_region *g);
    bool (*fresh)(struct dtx_region *g);
    int (*hear)(struct dtx_region *g, uint32_t from, struct dtx_str ended);
    int (*pump)(struct dtx_region *g, bool *left);
    /* Rank 0's books, for when a rank is lost; all NULL: a loss is the end.
     * Work has moved (dtx_broker_moved_f); some has that went straight; a part
     * of a round has come (false: out of memory); what a lost rank had is to
     * be done again: appended to 'work', or put back (0 or negative;
     * DTX_ELOST: nobody knows what it had). */
    bool (*moved)(struct dtx_region *g, uint32_t from, uint32_t to,
                  struct dtx_str work, struct dtx_buf *full);
    void (*passed)(struct dtx_region *g);
    bool (*bank)(struct dtx_region *g, uint32_t rank, uint32_t round);
    int (*lost)(struct dtx_region *g, uint32_t rank, struct dtx_buf *work);
};

struct dtx_region {
    struct dtx_session *session;
    struct dtx_work *work;
    const struct dtx_kernel *kernel;
    const struct dtx_style *style;
    uint32_t number;
    int ill;             /* negative: it cannot begin here, and all are told */
    const struct dtx_error *refused; /* the call makes no sense here, and so
                                        nobody makes it; NULL: it does */
    uint64_t begin, end; /* loops */
    const void *args;
    size_t args_bytes;
    const void *root;    /* trees */
    struct dtx_call *call; /* of each slot */
    struct dtx_results *results; /* NULL: none are asked for */
    struct dtx_profile *prior; /* loops: what parts cost, as is thought, or
                                  NULL */
    void *own;           /* the style's */
    unsigned stock;      /* shares there are at the start, for dtx_crew */
    struct dtx_buf text; /* the call, for people */
    uint64_t gone_done;  /* tasks that ended on ranks that are lost, ... */
    struct dtx_failures gone; /* ... and those of them that failed */
    bool last;           /* rank 0: those who serve may go; others: so it is */
    _Atomic bool dropped; /* nothing more is to be begun */
    _Atomic bool cancel; /* a kernel asks for it */
    struct dtx_error trouble; /* why rank 0 asks for it; code 0: it does not */
};

struct dtx_work {
    struct dtx_session *session;
    struct dtx_work *next, **at; /* in the session's list */
    const struct dtx_kernel *kernel;
    struct dtx_reduction red[DTX_MAX_REDUCTIONS];
    unsigned nred;
    size_t value_bytes;
    /* results */
    bool gather;
    void *results;
    size_t result_bytes;
    dtx_deliver_f deliver;
    void *deliver_ctx;
    bool ordered;
    bool journaled;
    struct dtx_diary *diary;  /* rank 0 */
    struct dtx_error unkept;  /* why it has none */
    /* tasks, on rank 0 */
    struct dtx_ledger *ledger;
    struct dtx_foresight *foresight; /* NULL: nothing is foreseen */
    bool closing; /* those that have not ended are told so */
    dtx_ended_f ended;
    void *ended_ctx;
    /* loops */
    struct dtx_schedule_choice schedule;
    bool remembers;
    struct dtx_recall *recall; /* what its sweeps cost; NULL of dtx_for */
    double x[DTX_FEATURES];
    uint32_t nx;
    dtx_cost_f cost; /* what the program thinks, or NULL */
    void *cost_ctx;
    struct dtx_stats stats;
    struct dtx_counters counters; /* of this rank's slots, in the last run */
};

struct dtx_session {
    struct dtx_net net;
    struct dtx_crew crew;
    struct dtx_options options;
    uint32_t slots_all;
    struct dtx_kernel **kernel;
    size_t nkernels, kernels_cap;
    struct dtx_buf names; /* of the kernels, each with a newline */
    struct dtx_broker *broker; /* rank 0 */
    struct dtx_calls *calls;   /* rank 0: what calls took; NULL: predict=no */
    struct dtx_actions *actions;
    struct dtx_recall *recall; /* earlier runs' loops; NULL: no learned= */
    struct {
        uint64_t loops, outcomes, left_out; /* that the file had */
        uint64_t sweeps, saved_turn;
        int64_t saved_ns;
        int code;     /* what is wrong about the file */
        bool foreign; /* it is not to be written */
    } learned;
    struct dtx_work *works;
    uint32_t regions;
    _Atomic bool running; /* a region; kernels may ask */
    bool broken; /* a frame could not be sent, or was not the protocol's */
};

/* lib/region.c: run it; all of 'g' but session .. root is filled here. 0 or
 * negative; 'err' filled. */
int dtx_region_run(struct dtx_region *g, struct dtx_error *err);

extern const struct dtx_style dtx_style_loop, dtx_style_tree, dtx_style_task;

/* lib/task.c, for a task's kernel. 0 or negative. */
int dtx_task_spawn(struct dtx_call *c, uint32_t kernel, const void *in,
                   size_t bytes);
int dtx_task_output(struct dtx_call *c, const void *out, size_t bytes);

/* lib/loop_books.c, rank 0: chunks for a rank, where a schedule cuts them
 * (dtx_broker_source_f). */
bool dtx_loop_is_source(const struct dtx_region *g);
void dtx_loop_draw(void *region, uint32_t rank, uint32_t count,
                   const struct dtx_broker_news *news, struct dtx_buf *work);
/* The profile that was measured on this rank, of all slots, since it was last
 * asked for; NULL: none. */
struct dtx_profile *dtx_loop_profile(struct dtx_region *g);

/* lib/reduce.c */
size_t dtx_reduce_stride(const struct dtx_work *w);
void dtx_reduce_begin(const struct dtx_work *w, char *values);
void dtx_reduce_merge(const struct dtx_work *w, char *into, const char *from);
void dtx_reduce_store(const struct dtx_work *w, const char *values);

/* Rank 0's communicating thread: the region cannot go on, on any rank. */
void dtx_region_trouble(struct dtx_region *g, const struct dtx_error *err);

void dtx_failures_add(struct dtx_failures *f, uint64_t first, uint64_t count,
                      int code);

#endif
