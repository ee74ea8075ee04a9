/* SPDX-License-Identifier: MIT */
/* engine/worker_state.h - what the worker's own files share
 *
 * Private to engine/worker*.c.  worker.c hears events and decides what is
 * handed over and given back; worker_tasks.c keeps the tasks; worker_lease.c
 * knows whether the master lives.
 */
#ifndef DTX_ENGINE_WORKER_STATE_H
#define DTX_ENGINE_WORKER_STATE_H

#include "engine/worker.h"
#include "wire/wire.h"

#define NONE UINT32_MAX

/* A granted task that has not been handed over. */
struct dtx_queued {
    uint32_t task, attempt, cpus;
    size_t len; /* of the encoded work item behind this struct */
};

/* A task that has been handed over. Entries are linked twice: by age, and in
 * the bucket of their task. */
struct dtx_handed {
    uint32_t task, attempt, cpus;
    uint32_t older, newer;
    uint32_t chain;
    bool recalling; /* a RECALL is unanswered */
    bool started;   /* a RECALL came too late for it or a newer one */
};

struct dtx_worker {
    struct dtx_worker_config c;
    bool finished, deserted;
    int64_t lease_ns;  /* sent then, and answered by the master since */
    int64_t beat_ns;   /* when to ask it again */
    int64_t wake_ns;   /* when to look at these next */
    int64_t step_ns;   /* the last event's time */
    int64_t doubt_ns;  /* in doubt, see dtx_worker_note_gap: until then */
    bool doubted;      /* since the last answer */
    enum dtx_stop stopping;
    bool met;          /* the master has spoken */
    bool held;         /* what was handed over need not have started */
    uint64_t received; /* tasks granted to us so far */

    struct dtx_queued **queue; /* a ring */
    size_t q_at, q_len, q_cap;

    struct dtx_handed *entry;
    size_t nentries, cap_entries;
    uint32_t free_entry, newest, oldest;
    uint32_t *bucket; /* NULL: there are few, and they are looked through */
    size_t nbuckets;
    uint64_t count; /* entries in use */
    uint64_t used;  /* cpus they ask for */
    uint64_t fresh; /* of them, not 'started': the newest */
    uint64_t wide;  /* of several cpus */

    bool yielding;         /* a YIELD is being answered */
    bool yield_all;        /* give everything back once that is answered */
    bool kill_all;         /* and end what runs */
    uint32_t recalls;      /* RECALLs unanswered */
    struct dtx_buf given;  /* encoded taskrefs for YIELDED */
    struct dtx_buf ended;  /* encoded outcomes for DONE */
    struct dtx_actions *out;
    bool nomem;
    char host[64];
};

/* ---- worker.c ---- */
void dtx_worker_trace(struct dtx_worker *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Send a message, and behind it what 'list' (may be NULL) has gathered, which
 * is empty then. */
void dtx_worker_send(struct dtx_worker *w, struct dtx_msg msg,
                     struct dtx_buf *list);
/* End all that was handed over. */
void dtx_worker_kill_all(struct dtx_worker *w);

/* ---- worker_tasks.c ---- */
/* One that has been handed over, or NULL. */
struct dtx_handed *dtx_worker_find(struct dtx_worker *w, uint32_t task,
                                   uint32_t attempt);
/* It is handed over, the newest from now on; false: out of memory. */
bool dtx_worker_remember(struct dtx_worker *w, const struct dtx_queued *q);
void dtx_worker_forget(struct dtx_worker *w, struct dtx_handed *h);
/* To the queue's end; 'data' is the item as it came. False: out of memory. */
bool dtx_worker_enqueue(struct dtx_worker *w, const struct dtx_item_work *item,
                        const void *data, size_t len);
/* From its beginning or its end; the caller frees. NULL: it is empty. */
struct dtx_queued *dtx_worker_dequeue(struct dtx_worker *w, bool from_end);

/* ---- worker_lease.c ---- */
void dtx_worker_lease_start(struct dtx_worker *w, int64_t now_ns);
/* The master has answered what was sent then. */
int dtx_worker_answered(struct dtx_worker *w, int64_t sent_ns, int64_t now_ns);
/* The master's first word: its answers to what was asked before may follow. */
void dtx_worker_meet(struct dtx_worker *w, int64_t now_ns);
/* Time goes on. This side was stopped, with its machine perhaps, for as long as
 * the master may have been as well: an answer may lie unread. A beat is the
 * time to find it, once. */
void dtx_worker_note_gap(struct dtx_worker *w, int64_t now_ns);
/* Ask, or give up, if it is time. */
void dtx_worker_lease_timer(struct dtx_worker *w, const struct dtx_event *ev);

#endif
