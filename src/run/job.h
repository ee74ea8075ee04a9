/* SPDX-License-Identifier: MIT */
/* run/job.h - rank 0's job on disk: task list, run directory, journal
 *
 * dtx_job_open reads the task file or the journal, takes the run directory,
 * works out what earlier sessions have finished, and begins the session's part
 * of the journal.  Nothing has run when it fails, and it says why.  Standard
 * input ("-") and a FIFO are not read here: their tasks come while the job runs
 * (run/stream.h).
 */
#ifndef DTX_RUN_JOB_H
#define DTX_RUN_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"

struct dtx_carrier;
struct dtx_error;
struct dtx_known;
struct dtx_layout;
struct dtx_options;
struct dtx_outcome;

struct dtx_job {
    char *run_dir;  /* absolute */
    char *from;     /* of a resume without a task file: where the tasks came
                       from; or NULL */
    char *cwd;      /* absolute; where tasks run unless they say otherwise */
    uint32_t epoch; /* of this session */
    uint32_t last_epoch; /* of the journal's last session, 0 = none */
    bool resumed;
    uint32_t go_on; /* an earlier launch of the same command began with this
                       epoch; 0: this is the first, or that got nowhere */
    bool from_joblog;    /* a new run directory; what is finished was told by
                            the joblog */
    bool made_dir;  /* the run directory is this session's own making */
    bool begun;     /* set by the owner when tasks may run: from then on the run
                       directory stays */
    uint64_t torn;  /* bytes cut from the journal's end */
    uint64_t redone; /* finished tasks whose output is gone: they run again */
    struct dtx_rundir *lease;
    struct dtx_journal *journal;
    struct dtx_output_index *index;
    struct dtx_tasklist list;
    struct dtx_graph graph;
    bool has_list;
    struct dtx_taskfile_more more; /* what the task file says beside them */
    bool live;          /* the list is empty and grows from ... */
    int stream_fd;      /* this, while live */
    const char *source; /* what that is called */
    struct dtx_carrier *carrier; /* live, resumed: what earlier sessions did */
    uint8_t *prior;     /* enum dtx_prior per task, or NULL */
    bool no_look;       /* predict without sizes of files and marks of programs:
                           set by the owner */
    uint16_t *attempts; /* per task, or NULL */
    uint8_t *losses;    /* the same: see dtx_master_config */
    uint32_t widest;      /* most cpus any task asks for */
    uint32_t widest_task; /* the first that does */
    struct dtx_outcome *told; /* by a joblog, per task, or NULL */
    struct dtx_layout *layout; /* of --results, or NULL */
    struct dtx_known *known; /* per task, while a resumed job is opened */
};

/* 0, or an exit status of run/status.h with 'err' filled. 'waiting' is told
 * when an owner on another host must be watched first. A signal ends the
 * waiting for that, or for a task file that is a pipe
 * (DTX_EXIT_INTERRUPTED). */
int dtx_job_open(const struct dtx_options *o, uint32_t ranks,
                 const char *command_line,
                 void (*waiting)(void *ctx, const char *text), void *ctx,
                 struct dtx_job *job, struct dtx_error *err);

/* What the session came to, for the END record. */
struct dtx_job_end {
    uint32_t status;
    uint64_t succeeded, failed, left;
};
/* Close everything; 'end' (may be NULL) is recorded first. What a new job made
 * before it was begun is removed again, so that the corrected command may use
 * the same directory. */
int dtx_job_close(struct dtx_job *job, const struct dtx_job_end *end,
                  struct dtx_error *err);

/* Is what has finished to be told by the joblog: a resume with a joblog and a
 * task file, where there is no job to go on with? */
bool dtx_job_from_joblog(const struct dtx_options *o);
/* Can the joblog be written? It is made when it is not there. */
int dtx_joblog_check(const char *path, struct dtx_error *err);

/* The exit status for an error of the store. */
int dtx_job_status_of(int code);

#endif
