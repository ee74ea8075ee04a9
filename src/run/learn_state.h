/* SPDX-License-Identifier: MIT */
/* run/learn_state.h - what the files of run/learn.h share
 *
 * Private to run/learn*.c.  learn.c begins, predicts and writes; learn_hear.c
 * learns from what ended; learn_again.c predicts what waits anew; learn_tell.c
 * says at the end what it was worth.
 */
#ifndef DTX_RUN_LEARN_STATE_H
#define DTX_RUN_LEARN_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "predict/predictor.h"
#include "run/learn.h"
#include "run/program.h"
#include "store/history.h"
#include "wire/experience.h"

struct dtx_buf;
struct dtx_features;
struct dtx_learn_waiting;

#define DTX_LEARN_AGAIN 1024u /* tasks told of at once */
#define DTX_LEARN_SAID 2048u  /* predictions that are not made twice */

/* What was said last of a command, or of a class. */
struct dtx_learn_said {
    uint64_t key;
    uint64_t pass; /* in which it was, plus one; 0: there is none */
    struct dtx_prediction said;
};

struct dtx_learn_score {
    uint64_t n, known, inside; /* known: before the job began */
    double seconds, error;
};

/* A pass over the tasks that wait. */
struct dtx_learn_again {
    uint32_t next;  /* task to look at ... */
    uint32_t upto;  /* ... before this one; the same: between passes */
    uint64_t due;   /* outcomes at which the next pass begins */
    int64_t begun_ns; /* when the last one began */
    uint64_t passes, changed;
    uint32_t task[DTX_LEARN_AGAIN];
    float seconds[DTX_LEARN_AGAIN], need[DTX_LEARN_AGAIN];
};

struct dtx_learn {
    const struct dtx_job *job;
    char *dir;
    struct dtx_predictor *p;   /* all that is known */
    struct dtx_predictor *own; /* what this job has taught */
    struct dtx_experience rows;
    struct dtx_history_file file;
    uint64_t before;           /* outcomes in the history */
    size_t files;
    float *cost;               /* of each task, or NULL; last said before it */
    float *low, *high;         /* ran; nine times of ten it lies between */
    bool *knew;                /* it was when the job began */
    uint32_t ncost;            /* tasks in these ... */
    size_t cap_cost;           /* ... and room for */
    bool any_cost;
    int64_t ask_ns;            /* time spent on predicting what comes */
    float *began;              /* seconds since the job began, likewise */
    float *took;               /* of each task, below 0: not known; or NULL */
    struct dtx_learn_score score;
    struct dtx_programs programs; /* and when they were changed */
    int64_t begin_ns, sizes_ns; /* time spent on sizes */
    int64_t checkpoint_ns;
    uint64_t saved;            /* outcomes, when last written */
    bool resumed;              /* its file has outcomes of earlier sessions */
    bool broken;               /* out of memory: it learns no more */
    uint64_t learned;          /* outcomes in this session ... */
    uint64_t brief;            /* ... of which only the row was kept */
    int64_t learn_ns;          /* time spent on them */
    struct dtx_learn_waiting *waiting; /* a ring of outcomes */
    uint32_t first_waiting, nwaiting;
    struct dtx_learn_again again;
    struct dtx_learn_said *said;
    bool writing;              /* a thread writes 'snapshot' ... */
    atomic_bool written;       /* ... and has done so */
    pthread_t writer;
    struct dtx_experience snapshot;
    struct dtx_history_file snapshot_file;
};

/* ---- learn.c ---- */

/* What is known of a task; 'text': of its command, NULL: where it stands;
 * 'before_ns': files written later count as unknown; 'sizes': ask for those of
 * its files. */
void dtx_learn_features(struct dtx_learn *l, uint32_t task, const char *text,
                        const char *host, int64_t before_ns, bool sizes,
                        struct dtx_features *f);
/* What it will cost. The same command is not thought about twice in a pass;
 * 'late': nor is the same class. */
void dtx_learn_say(struct dtx_learn *l, uint32_t task, bool late,
                   struct dtx_prediction *out);
/* Note what is said of a task. */
void dtx_learn_note(struct dtx_learn *l, uint32_t task,
                    const struct dtx_prediction *said);
/* May file sizes still be asked for? */
bool dtx_learn_may_look(const struct dtx_learn *l);

/* ---- learn_hear.c ---- */

/* Learn from outcomes that wait, as long as there is time, or from all. */
void dtx_learn_catch_up(struct dtx_learn *l, bool all);
void dtx_learn_drop(struct dtx_learn *l); /* those that wait */

/* ---- learn_tell.c ---- */

void dtx_learn_tell(const struct dtx_learn *l, uint32_t slots,
                    struct dtx_buf *b);

#endif
