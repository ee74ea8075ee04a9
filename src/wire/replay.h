/* SPDX-License-Identifier: MIT */
/* wire/replay.h - a job's state from the records of its journal
 *
 * Writing side: dtx_list_encode turns a task list into records.  Reading side:
 * feed every record in order to dtx_replay_record, then dtx_replay_end.
 *
 * The journal may hold several sessions and, when a resume was given a task
 * file, several lists.  Outcomes of an older list are carried to the newer by
 * the resume key: hash of the command and its effective directory, and which
 * occurrence of that pair it is; never by line or number.  What is known of a
 * task that drops out of the list is kept, for a list in which it comes back.
 * A list that was not completed (no LISTED record) never counts; but a live
 * one, that of a stream, counts as far as it goes.
 *
 * The journal may also be damaged in places.  Told of a gap, the reading goes
 * on with what is certain: outcomes of a session whose list may have stood in
 * the gap are not counted, since nobody knows which tasks they speak of.
 */
#ifndef DTX_WIRE_REPLAY_H
#define DTX_WIRE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "task/graph.h"
#include "task/task.h"

struct dtx_edge;
struct dtx_error;

/* Called for each record in order; non-zero ends and is returned. */
typedef int (*dtx_emit_f)(void *ctx, const void *payload, size_t len);

/* LIST, ATTRS, TASKS, EDGES and LISTED records of a sealed list. 'cwd' is the
 * absolute directory of the job. No record is larger than about 1 MiB and a
 * command. */
int dtx_list_encode(const struct dtx_tasklist *l, const struct dtx_graph *g,
                    const char *source, const char *cwd, dtx_emit_f emit,
                    void *ctx);

/* The same of a live list: its LIST record; what has come since it had 'from'
 * tasks and 'from_attr' attributes, with its edges; and LISTED, when no more
 * will come, with the number of all edges. */
int dtx_list_encode_live(const char *source, const char *cwd, dtx_emit_f emit,
                         void *ctx);
int dtx_list_encode_more(const struct dtx_tasklist *l, size_t from_attr,
                         size_t from, const struct dtx_edge *edge,
                         size_t nedges, dtx_emit_f emit, void *ctx);
int dtx_list_encode_closed(const struct dtx_tasklist *l, uint64_t edges,
                           dtx_emit_f emit, void *ctx);

/* What is known of a task. */
struct dtx_known {
    uint64_t at;       /* file offset of its last outcome's frame plus one, 0 =
                          no outcome */
    uint32_t epoch;    /* of the session of that outcome */
    uint16_t attempts; /* largest attempt number seen */
    uint8_t status;    /* enum dtx_status of the last outcome */
    uint8_t losses;    /* of ranks that ran it, since its last final outcome */
    bool final;        /* OK, or failed with no further attempt to come */
};

/* What is known by key, of tasks in the list or not. */
struct dtx_kept {
    struct dtx_keymap index; /* key -> row */
    struct dtx_known *row;
    size_t n, cap;
};

/* The same for a list that grows: which occurrences it has had. */
struct dtx_carrier {
    struct dtx_kept kept;
    struct dtx_keymap seen;
};

struct dtx_replay {
    uint32_t epoch;     /* of the last session, 0 = none */
    bool ended;         /* the last session ended in good order */
    uint64_t outcomes;  /* records of outcomes seen */
    uint64_t foreign;   /* outcomes that fit no task */
    uint64_t gaps;      /* damaged stretches, with 'gap_bytes' in them, the */
    uint64_t gap_bytes; /* first at 'gap_at' */
    uint64_t gap_at;
    bool has_list;
    bool list_lost; /* a later list than this may have been in a gap */
    char *source, *cwd; /* of the list; owned */
    struct dtx_tasklist list;
    struct dtx_graph graph; /* sealed, once dtx_replay_end was called */
    bool live;   /* the list is that of a stream */
    bool closed; /* and the stream had come to its end */
    struct dtx_known *known; /* list.ntasks rows */
    /* private */
    struct dtx_replay_list *next; /* the list being read */
    struct dtx_replay_list *growing; /* the list is live and may go on */
    bool unsealed;
    struct dtx_edge *edge; /* of a live list, for 'graph' */
    size_t nedges, cap_edges;
    uint32_t ngates; /* in those */
    size_t cap_known;
    struct dtx_kept kept;
    struct dtx_keymap seen; /* of a live list */
    uint32_t *ended_epochs; /* ascending */
    size_t nended, cap_ended;
    bool begun;  /* the last session is past the place of its list */
    bool unsure; /* a gap since: another session may have begun */
    bool headless; /* the list came behind a gap: its outcomes tell the epoch */
};

void dtx_replay_init(struct dtx_replay *r);
void dtx_replay_fini(struct dtx_replay *r);
/* One record whose frame is at 'at'; payload NULL: 'len' bytes there were
 * damaged and have been skipped. DTX_EFOREIGN for records of a newer version,
 * DTX_ECORRUPT for ones that make no sense, DTX_ENOMEM. */
int dtx_replay_record(struct dtx_replay *r, const void *payload, size_t len,
                      uint64_t at, struct dtx_error *err);
/* All records have been read. 0 or DTX_ENOMEM. */
int dtx_replay_end(struct dtx_replay *r, struct dtx_error *err);
/* Did that session end in good order? */
bool dtx_replay_ended(const struct dtx_replay *r, uint32_t epoch);

/* What the whole journal knows of the tasks of a list: 'out' has 'to->ntasks'
 * rows and is overwritten. '*found' (may be NULL) counts rows with an
 * outcome. */
int dtx_replay_recall(struct dtx_replay *r, const struct dtx_tasklist *to,
                      const char *to_cwd, struct dtx_known *out,
                      uint64_t *found);

/* What the whole journal knows, taken out of the replay, for a list that will
 * grow; only _fini may follow there. */
int dtx_replay_carrier(struct dtx_replay *r, struct dtx_carrier *c);
void dtx_carrier_fini(struct dtx_carrier *c);
/* What is known of task i of 'l', asked once for each task in order; all zero
 * when nothing. 0 or DTX_ENOMEM. */
int dtx_carrier_task(struct dtx_carrier *c, const struct dtx_tasklist *l,
                     uint32_t i, const char *cwd, struct dtx_known *out);

#endif
