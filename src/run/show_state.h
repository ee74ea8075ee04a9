/* SPDX-License-Identifier: MIT */
/* run/show_state.h - what the files of run/show.h share, and nobody else
 *
 * show.c is the main thread's side: what is to be shown, and in which order;
 * show_thread.c, the thread that writes it; show_far.c, bytes that are asked
 * from other nodes; show_joblog.c, lines of the joblog, which the thread writes
 * in between.
 */
#ifndef DTX_RUN_SHOW_STATE_H
#define DTX_RUN_SHOW_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/order.h"
#include "run/printer.h"
#include "run/show.h"

struct dtx_output_reader;
struct dtx_passing;
struct dtx_shown;

/* What --line-buffer adds to an entry: it is lines of a task that still runs,
 * or an output of which some has been shown. */
struct dtx_show_live {
    uint64_t skip[2]; /* bytes of each stream that are not to be shown */
    uint64_t from;    /* far: the entry's lengths begin so far behind 'off' */
    bool in_line[2];  /* goes on within a line */
    bool lines;       /* 'text' is all there is, of the one stream that has a
                         length */
    char text[];
};

/* An output waiting to be shown: all that is kept of its task. */
struct dtx_show_entry {
    struct dtx_show_entry *next;
    uint64_t off, out_len, err_len;
    char *tag; /* NULL: there is none yet */
    struct dtx_show_live *live; /* or NULL */
    uint32_t task, rank, crc;
    bool far;
};
_Static_assert(sizeof(struct dtx_show_entry) <= 64,
               "one for each waiting output");

/* A far output of which some has been asked for. */
struct dtx_show_pull {
    struct dtx_show_pull *next;
    struct dtx_show_entry *e;
    uint64_t asked, got;
    struct dtx_buf data; /* come and not yet written */
    bool lost;           /* the rest will not come */
};

struct dtx_show {
    struct dtx_show_config c;
    pthread_t thread;
    pthread_mutex_t lock; /* over these: */
    pthread_cond_t cond;
    struct dtx_show_entry *first, **last;
    struct dtx_show_entry *ask; /* nothing before it is still to be asked for */
    struct dtx_show_pull *pull, *newest; /* in the order of the entries */
    struct dtx_show_entry *untagged;     /* before it all have their tags */
    size_t tag_bytes;
    struct dtx_show_entry *spent; /* lines that were written, to be told */
    bool awaited; /* somebody waits for all to be shown */
    bool asleep;  /* the thread waits for something to show */
    unsigned npulls;
    uint64_t pulling;   /* bytes asked and not written */
    struct dtx_buf log; /* joblog lines to be written */
    bool logging;       /* the thread writes some just now */
    bool holding;       /* the thread holds some output back */
    struct dtx_passing *passing; /* NULL: all is kept */
    /* the main thread's own */
    struct dtx_order early; /* entries before their turn */
    uint32_t next;          /* all tasks before it are settled */
    struct dtx_shown *shown; /* of tasks that run; NULL: without lines */
    /* anybody's */
    atomic_bool stopping; /* set with the lock held */
    /* the thread's own */
    struct dtx_output_reader *reader;
    struct dtx_printer printer; /* mute and error are anybody's */
    struct dtx_buf line;
    int joblog_fd;
};

/* Bytes of an entry that are to be shown. */
static inline uint64_t dtx_show_total(const struct dtx_show_entry *e)
{
    return e->out_len + e->err_len;
}

/* ---- show_joblog.c ---- */

/* Begin or go on with the file. 0 or a DTX_E* with 'err' filled. */
int dtx_show_open_joblog(struct dtx_show *s, struct dtx_error *err);
/* 0 or DTX_ENOMEM. Called with the lock held. */
int dtx_show_add_line(struct dtx_show *s, const struct dtx_outcome *o);
/* Write the lines that wait. Called without the lock; what cannot be written
 * is told once. */
void dtx_show_write_log(void *show);

/* ---- show_far.c ---- */

/* The first entry, which is far: write its bytes as they come. Called and
 * returns with the lock held. */
void dtx_show_far(struct dtx_show *s, struct dtx_show_entry *e);
/* The oldest pull is done with; so much of it was written. With the lock. */
void dtx_show_free_pull(struct dtx_show *s, uint64_t written);

/* ---- show_thread.c ---- */

int dtx_show_start_thread(struct dtx_show *s, struct dtx_error *err);
/* Would anybody see it? */
bool dtx_show_wants(struct dtx_show *s, uint64_t out_len, uint64_t err_len);
/* Tags are made shortly before they are needed, unless the commands are
 * forgotten by then. */
bool dtx_show_tags_late(const struct dtx_show *s);
/* Nothing is left to write. Called with the lock held. */
bool dtx_show_all_shown(const struct dtx_show *s);
/* The output is no longer needed. With the lock held. */
void dtx_show_let_pass(struct dtx_show *s, uint32_t rank, uint64_t off);
void dtx_show_free_entry(struct dtx_show_entry *e);

#endif
