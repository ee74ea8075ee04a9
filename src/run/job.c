/* SPDX-License-Identifier: MIT */
/* Rank 0's job on disk; see job.h.  What counts as finished is decided in
 * run/resume.c, what the journal says of the session in run/job_journal.c; here
 * files are opened, in an order that loses nothing when any step fails. */
#include "run/job_state.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "run/launcher.h"
#include "run/options.h"
#include "run/resume.h"
#include "run/signals.h"
#include "run/source.h"
#include "run/status.h"
#include "store/journal.h"
#include "store/output.h"
#include "store/results.h"
#include "store/rundir.h"
#include "task/joblog.h"
#include "task/layout.h"
#include "wire/replay.h"

/* Tenths of a second a resume waits for an owner on this host to end. */
#define BUSY_TRIES 30

int dtx_job_status_of(int code)
{
    switch (code) {
    case DTX_ENOSPC:
        return DTX_EXIT_STORAGE;
    case DTX_EPARSE:
    case DTX_ELIMIT:
        return DTX_EXIT_TASKFILE;
    case DTX_ENOMEM:
        return DTX_EXIT_INTERNAL;
    case DTX_ESTATE:
        return DTX_EXIT_INTERRUPTED;
    default:
        return DTX_EXIT_RUNDIR;
    }
}

/* ---- the tasks ---- */

static int begin_live(const struct dtx_options *o, struct dtx_job *job, int fd,
                      const char *name, struct dtx_error *err)
{
    int rc = dtx_tasklist_init(&job->list);

    if (!rc && dtx_tasklist_cpus(&job->list, o->cpus)) {
        dtx_tasklist_fini(&job->list);
        rc = DTX_ENOMEM;
    }
    if (rc)
        rc = dtx_error_set(err, rc, "out of memory");
    if (!rc && o->launcher_dir) {
        rc = dtx_launcher_dir(&job->list, o->launcher_dir, err);
        if (rc)
            dtx_tasklist_fini(&job->list);
    }
    if (rc) {
        if (fd != STDIN_FILENO)
            (void)close(fd);
        return rc;
    }
    dtx_tasklist_live(&job->list);
    dtx_graph_init(&job->graph, 0);
    job->live = job->has_list = true;
    job->stream_fd = fd;
    job->source = name;
    return DTX_OK;
}

/* Standard input and a FIFO are read while the job runs, all else now. */
static int read_tasks(const struct dtx_options *o, struct dtx_job *job,
                      struct dtx_error *err)
{
    struct stat st;
    int rc, fd;

    if (o->form == DTX_FORM_TASKFILE && strcmp(o->task_file, "-") == 0)
        return begin_live(o, job, STDIN_FILENO, "standard input", err);
    if (o->form == DTX_FORM_TASKFILE && stat(o->task_file, &st) == 0 &&
        S_ISFIFO(st.st_mode)) {
        fd = open(o->task_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            return dtx_error_errno(err, "cannot open task file %s",
                                   o->task_file);
        return begin_live(o, job, fd, o->task_file, err);
    }
    rc = dtx_source_read(o, &job->list, &job->graph, &job->more, err);
    if (rc == DTX_OK && o->launcher_dir) {
        rc = dtx_launcher_dir(&job->list, o->launcher_dir, err);
        if (rc) {
            dtx_tasklist_fini(&job->list);
            dtx_graph_fini(&job->graph);
        }
    }
    job->has_list = rc == DTX_OK;
    return rc;
}

/* ---- the run directory ---- */

bool dtx_job_from_joblog(const struct dtx_options *o)
{
    struct dtx_buf path = DTX_BUF_INIT;
    bool none;

    if (o->resume == DTX_RESUME_NO || !o->joblog ||
        o->form == DTX_FORM_NONE)
        return false;
    none = dtx_rundir_find(o->run_dir, &path, NULL) != 0;
    dtx_buf_free(&path);
    return none;
}

static char *copy(const char *s)
{
    return s ? strdup(s) : NULL;
}

static int read_no_further(void *ctx, const void *payload, size_t len,
                           uint64_t at, struct dtx_error *err)
{
    (void)ctx;
    (void)payload;
    (void)len;
    (void)at;
    (void)err;
    return 1;
}

/* The directory holds a journal: what --resume would have to say against it
 * is said now. */
static int refuse_job(const char *dir, struct dtx_error *err)
{
    struct dtx_buf journal = DTX_BUF_INIT;
    int rc = 0;

    dtx_buf_printf(&journal, "%s/journal", dir);
    if (!journal.failed)
        rc = dtx_journal_read(journal.data, read_no_further, NULL, NULL, err);
    dtx_buf_free(&journal);
    if (rc == DTX_EFOREIGN)
        return rc;
    return dtx_error_set(err, DTX_EEXIST,
                         "%s holds a job already: add --resume to go on with "
                         "it, --resume-failed to run its failed tasks again as "
                         "well, or name another --run-dir", dir);
}

static int fresh_directory(const struct dtx_options *o, struct dtx_buf *path,
                           bool *made, struct dtx_error *err)
{
    enum dtx_rundir_found found = DTX_RUNDIR_THERE;
    int rc;

    *made = !o->run_dir;
    if (!o->run_dir)
        return dtx_rundir_make_default(".", getenv("SLURM_JOB_ID"), path, err);
    rc = dtx_rundir_make(o->run_dir, path, &found, err);
    *made = found == DTX_RUNDIR_MADE;
    if (rc == DTX_OK && found == DTX_RUNDIR_JOB)
        rc = refuse_job(o->run_dir, err);
    return rc;
}

/* While somebody else's lease is watched. */
struct watching {
    void (*say)(void *ctx, const char *text);
    void *ctx;
};

static bool go_on_waiting(void *ctx, const char *text)
{
    const struct watching *w = ctx;

    if (text && w->say)
        w->say(w->ctx, text);
    return !dtx_signals_asked();
}

/* Whoever asks to stop from here on means this session. */
static int take_lease(struct dtx_job *job, uint32_t at_least,
                      struct watching *w, struct dtx_error *err)
{
    const struct timespec step = {0, 100000000};
    int i, rc;

    /* the last session's ranks may be just about to end, killed as they are */
    for (i = 0;; i++) {
        rc = dtx_rundir_take(job->run_dir, at_least, go_on_waiting, w,
                             &job->lease, &job->epoch, err);
        if (rc != DTX_EBUSY || !job->resumed || i == BUSY_TRIES ||
            dtx_signals_asked())
            break;
        (void)nanosleep(&step, NULL);
    }
    if (rc == DTX_OK)
        dtx_rundir_clear_stop(job->run_dir);
    return rc;
}

static int take_directory(const struct dtx_options *o, struct watching *w,
                          struct dtx_job *job, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc;

    if (!job->resumed)
        rc = fresh_directory(o, &path, &job->made_dir, err);
    else
        rc = dtx_rundir_find(o->run_dir, &path, err);
    if (rc == DTX_OK) {
        job->run_dir = copy(path.data);
        if (!job->run_dir)
            rc = DTX_ENOMEM;
    }
    dtx_buf_free(&path);
    if (rc == DTX_OK)
        rc = take_lease(job, 0, w, err);
    return rc;
}

/* ---- the whole ---- */

static void find_widest(struct dtx_job *job)
{
    size_t i;

    job->widest = 1;
    for (i = 0; i < job->list.ntasks; i++) {
        uint32_t cpus = dtx_tasklist_attr_of(&job->list, (uint32_t)i)->cpus;

        if (cpus > job->widest) {
            job->widest = cpus;
            job->widest_task = (uint32_t)i;
        }
    }
}

static int make_layout(const struct dtx_options *o, struct dtx_job *job,
                       struct dtx_error *err)
{
    struct dtx_layout_limits limits;
    struct dtx_layout_twins t;
    int rc = dtx_results_check(o->results, &limits, err);

    if (rc)
        return rc;
    job->layout = dtx_layout_create(o->results, &job->list, &limits, err);
    if (!job->layout)
        return err->code;
    rc = dtx_layout_check(job->layout, &t, err);
    if (rc == DTX_OK && t.first != t.second)
        dtx_log(DTX_LOG_WARN,
                "--results: task %llu writes the same files as task %llu: what "
                "ends last stays; with {#} in DIR each has its own",
                (unsigned long long)dtx_task_id(t.second),
                (unsigned long long)dtx_task_id(t.first));
    return rc;
}

/* Where the files of --results go; the list is known, unless it is to come.
 * An exit status. */
static int lay_out(const struct dtx_options *o, struct dtx_job *job,
                   struct dtx_error *err)
{
    if (!o->results || make_layout(o, job, err) == DTX_OK)
        return 0;
    (void)dtx_job_close(job, NULL, NULL);
    return DTX_EXIT_USAGE;
}

static int open_files(const struct dtx_options *o, uint32_t ranks,
                      const char *command_line, struct dtx_job *job,
                      bool new_list, struct dtx_error *err)
{
    struct watching w = {NULL, NULL};
    int rc = DTX_OK;

    if (job->epoch <= job->last_epoch) {
        /* the lease file was lost: the journal knows better */
        dtx_rundir_release(job->lease);
        job->lease = NULL;
        rc = take_lease(job, job->last_epoch + 1, &w, err);
    }
    if (rc == DTX_OK)
        rc = dtx_job_open_journal(job, err);
    if (rc == DTX_OK)
        rc = dtx_job_begin_session(o, job, ranks, command_line, new_list,
                                   err);
    if (rc == DTX_OK)
        rc = dtx_output_index_open(job->run_dir, &job->index, err);
    if (rc == DTX_OK && job->resumed)
        rc = dtx_resume_index(job, err);
    return rc;
}

/* What can be said without the run directory: where we are, and the tasks. An
 * exit status. */
static int begin_job(const struct dtx_options *o, struct dtx_job *job,
                     struct dtx_error *err)
{
    char cwd[PATH_MAX];
    int rc;

    if (!getcwd(cwd, sizeof(cwd))) {
        (void)dtx_error_errno(err, "cannot tell the working directory");
        return DTX_EXIT_RUNDIR;
    }
    job->cwd = copy(cwd);
    if (!job->cwd)
        return DTX_EXIT_INTERNAL;
    rc = DTX_OK;
    if (o->form != DTX_FORM_NONE)
        rc = read_tasks(o, job, err);
    if (rc == DTX_OK)
        return 0;
    (void)dtx_job_close(job, NULL, NULL);
    return rc == DTX_ESTATE ? DTX_EXIT_INTERRUPTED : DTX_EXIT_TASKFILE;
}

/* What the joblog tells of the tasks. An exit status. */
static int read_joblog(const struct dtx_options *o, struct dtx_job *job,
                       struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_joblog_counts n = {0, 0};
    int rc = DTX_OK;

    job->told = calloc(job->list.ntasks + 1, sizeof(*job->told));
    if (!job->told)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else
        rc = dtx_source_file("joblog", o->joblog, &b, err);
    if (rc == DTX_OK)
        rc = dtx_joblog_read(o->joblog, b.data ? b.data : "", b.len,
                             &job->list, job->told, &n, err);
    if (rc == DTX_OK)
        rc = dtx_resume_joblog(job, o->resume, job->told, err);
    dtx_buf_free(&b);
    if (rc == DTX_OK) {
        dtx_log(DTX_LOG_INFO,
                "a new run directory: joblog %s tells what has finished, %llu "
                "lines, %llu of them of tasks that are not in the list",
                o->joblog, (unsigned long long)n.lines,
                (unsigned long long)n.foreign);
        return 0;
    }
    (void)dtx_job_close(job, NULL, NULL);
    return rc == DTX_EPARSE ? DTX_EXIT_USAGE : dtx_job_status_of(rc);
}

/* What cannot be said of tasks that are not known yet. An exit status. */
static int check_live(const struct dtx_options *o, struct dtx_job *job,
                      struct dtx_error *err)
{
    if (!job->live ||
        (o->resume != DTX_RETRY_FAILED && !job->from_joblog))
        return 0;
    if (job->from_joblog)
        (void)dtx_error_set(err, DTX_EINVAL,
                            "%s: there is no such run directory, and a joblog "
                            "cannot be told to tasks as they come: put them "
                            "into a file", job->source);
    else
        (void)dtx_error_set(err, DTX_EINVAL,
                            "--retry-failed runs tasks the journal knows, and "
                            "%s would bring others: leave %s out, or give "
                            "--resume-failed", job->source, o->task_file);
    (void)dtx_job_close(job, NULL, NULL);
    return DTX_EXIT_USAGE;
}

static int open_job(const struct dtx_options *o, uint32_t ranks,
                    const char *command_line,
                    void (*waiting)(void *ctx, const char *text), void *ctx,
                    struct dtx_job *job, struct dtx_error *err);

int dtx_job_open(const struct dtx_options *o, uint32_t ranks,
                 const char *command_line,
                 void (*waiting)(void *ctx, const char *text), void *ctx,
                 struct dtx_job *job, struct dtx_error *err)
{
    struct dtx_options rest = *o;

    memset(job, 0, sizeof(*job));
    dtx_job_find_beginning(o, job);
    if (!job->go_on)
        return open_job(o, ranks, command_line, waiting, ctx, job, err);
    rest.form = DTX_FORM_NONE;
    if (rest.resume == DTX_RESUME_NO)
        rest.resume = DTX_RESUME;
    return open_job(&rest, ranks, command_line, waiting, ctx, job, err);
}

/* A joblog and a list were given to go on with, and the latest run directory
 * knows nothing of that list: whoever asked did not mean it. */
static int refuse_another(const struct dtx_options *o,
                          const struct dtx_job *job, struct dtx_error *err)
{
    size_t i, n = job->list.ntasks;

    if (!o->joblog || o->run_dir || o->form == DTX_FORM_NONE || job->live)
        return DTX_OK;
    for (i = 0; i < n; i++) {
        if (job->known[i].at > 0)
            return DTX_OK;
    }
    return dtx_error_set(err, DTX_EINVAL,
                         "the latest run directory, %s, knows no task of %s: "
                         "name the one meant with --run-dir; with a new one "
                         "the joblog %s tells what has finished",
                         job->run_dir, o->task_file ? o->task_file
                                                    : "these arguments",
                         o->joblog);
}

static int open_job(const struct dtx_options *o, uint32_t ranks,
                    const char *command_line,
                    void (*waiting)(void *ctx, const char *text), void *ctx,
                    struct dtx_job *job, struct dtx_error *err)
{
    struct watching w = {waiting, ctx};
    bool new_list = o->form != DTX_FORM_NONE;
    int rc;

    job->from_joblog = dtx_job_from_joblog(o);
    job->resumed = o->resume != DTX_RESUME_NO && !job->from_joblog;
    job->stream_fd = -1;
    if (o->joblog && dtx_joblog_check(o->joblog, err))
        return DTX_EXIT_USAGE;
    rc = begin_job(o, job, err);
    if (!rc)
        rc = check_live(o, job, err);
    if (!rc && job->from_joblog)
        rc = read_joblog(o, job, err);
    if (!rc && new_list)
        rc = lay_out(o, job, err);
    if (rc)
        return rc;
    rc = take_directory(o, &w, job, err);
    if (rc == DTX_OK && job->resumed) {
        dtx_output_sweep(job->run_dir); /* what a killed session has left */
        rc = dtx_resume_read(job, o->resume, &new_list, err);
        if (rc == DTX_OK)
            rc = refuse_another(o, job, err);
    }
    if (rc == DTX_OK && job->resumed && !new_list && o->cpus > 0)
        dtx_log(DTX_LOG_WARN, "--cpus: tasks keep the cpus they were given; "
                "give the task list too to change that");
    if (rc == DTX_OK && !job->layout && lay_out(o, job, err))
        return DTX_EXIT_USAGE;
    if (rc == DTX_OK)
        rc = open_files(o, ranks, command_line, job, new_list, err);
    if (rc) {
        (void)dtx_job_close(job, NULL, NULL);
        return dtx_job_status_of(rc);
    }
    find_widest(job);
    return 0;
}

int dtx_job_close(struct dtx_job *job, const struct dtx_job_end *end,
                  struct dtx_error *err)
{
    bool discard;
    int rc = DTX_OK;

    if (end && job->journal)
        rc = dtx_job_record_end(job, end, err);
    discard = job->journal && job->lease && !job->begun && !job->resumed;
    dtx_output_index_close(job->index);
    dtx_journal_close(job->journal);
    dtx_rundir_release(job->lease);
    if (discard)
        dtx_rundir_discard(job->run_dir, job->made_dir);
    if (job->has_list) {
        dtx_tasklist_fini(&job->list);
        dtx_graph_fini(&job->graph);
    }
    if (job->carrier)
        dtx_carrier_fini(job->carrier);
    free(job->carrier);
    if (job->live && job->stream_fd > STDIN_FILENO)
        (void)close(job->stream_fd);
    dtx_layout_destroy(job->layout);
    free(job->prior);
    free(job->attempts);
    free(job->losses);
    free(job->known);
    free(job->told);
    dtx_buf_free(&job->more.setup);
    dtx_buf_free(&job->more.teardown);
    free(job->run_dir);
    free(job->from);
    free(job->cwd);
    memset(job, 0, sizeof(*job));
    return rc;
}
