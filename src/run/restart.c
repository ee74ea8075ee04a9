/* SPDX-License-Identifier: MIT */
/* Starts of one Slurm job; see restart.h.  It keeps two small files in the run
 * directory and never looks into the journal. */
#include "run/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "run/alloc.h"
#include "run/options.h"
#include "run/slurm.h"
#include "run/status.h"

#define JOB_FILE "slurm-job"
#define FORM "job %23s start %u\n"
#define ADVICE_FILE ".requeue"
#define DIRECTORIES 10000

static const char *from_environ(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static bool exists(const char *dir, const char *name)
{
    struct dtx_buf path = DTX_BUF_INIT;
    bool there;

    dtx_buf_printf(&path, "%s/%s", dir, name);
    there = !path.failed && access(path.data, F_OK) == 0;
    dtx_buf_free(&path);
    return there;
}

/* Was the directory used by an earlier start of this job, and not by this
 * one? */
static bool is_left_over(const char *dir, const struct dtx_alloc *a)
{
    struct dtx_buf path = DTX_BUF_INIT;
    char id[24] = "";
    unsigned start = 0;
    FILE *f = NULL;
    int n = 0;

    dtx_buf_printf(&path, "%s/" JOB_FILE, dir);
    if (!path.failed)
        f = fopen(path.data, "re");
    if (f) {
        n = fscanf(f, FORM, id, &start);
        (void)fclose(f);
    }
    dtx_buf_free(&path);
    return n == 2 && strcmp(id, a->job_id) == 0 && start < a->restarts &&
           exists(dir, "journal");
}

static int adopt(struct dtx_options *o, const char *dir, struct dtx_error *err)
{
    char *copy = strdup(dir);

    if (!copy)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    free(o->run_dir);
    o->run_dir = copy;
    o->resume = DTX_RESUME;
    return DTX_OK;
}

bool dtx_restart_adopt(struct dtx_options *o, const struct dtx_alloc *a,
                       struct dtx_error *err)
{
    char dir[64];
    unsigned n;

    if (!a->inside || a->restarts == 0 || o->resume != DTX_RESUME_NO ||
        o->dry_run)
        return false;
    if (o->run_dir)
        return is_left_over(o->run_dir, a) &&
               adopt(o, o->run_dir, err) == DTX_OK;
    for (n = 1; n <= DIRECTORIES; n++) {
        (void)snprintf(dir, sizeof(dir), "distributex-%s", a->job_id);
        if (n > 1)
            (void)snprintf(dir, sizeof(dir), "distributex-%s-%u", a->job_id,
                           n);
        if (access(dir, F_OK) != 0)
            break;
        if (is_left_over(dir, a))
            return adopt(o, dir, err) == DTX_OK;
    }
    return false;
}

/* A small file, replaced as a whole. */
static int write_file(const char *dir, const char *name, const char *text)
{
    struct dtx_buf path = DTX_BUF_INIT, tmp = DTX_BUF_INIT;
    size_t len = strlen(text);
    int fd = -1, rc = -1;

    dtx_buf_printf(&path, "%s/%s", dir, name);
    dtx_buf_printf(&tmp, "%s/%s.new", dir, name);
    if (!path.failed && !tmp.failed)
        fd = open(tmp.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) {
        rc = write(fd, text, len) == (ssize_t)len ? 0 : -1;
        if (close(fd) < 0)
            rc = -1;
        if (rc == 0)
            rc = rename(tmp.data, path.data);
    }
    dtx_buf_free(&path);
    dtx_buf_free(&tmp);
    return rc;
}

/* The advice is good for once. */
static bool take_advice(const char *run_dir)
{
    struct dtx_buf path = DTX_BUF_INIT;
    bool good;

    dtx_buf_printf(&path, "%s/" ADVICE_FILE, run_dir);
    good = !path.failed && unlink(path.data) == 0;
    dtx_buf_free(&path);
    return good;
}

int dtx_restart_mark(const char *run_dir, const struct dtx_alloc *a,
                     struct dtx_error *err)
{
    char text[64];

    (void)take_advice(run_dir); /* of a session that was killed */
    if (!a->inside)
        return DTX_OK;
    (void)snprintf(text, sizeof(text), "job %s start %u\n", a->job_id,
                   (unsigned)a->restarts);
    if (write_file(run_dir, JOB_FILE, text) < 0)
        return dtx_error_errno(err,
                               "cannot write %s/" JOB_FILE ": a later start "
                               "of this Slurm job will not go on by itself",
                               run_dir);
    return DTX_OK;
}

int dtx_requeue_advise(const char *run_dir)
{
    return write_file(run_dir, ADVICE_FILE, "") < 0 ? DTX_ESYS : DTX_OK;
}

static void queue_again(const struct dtx_alloc *a, const char *run_dir,
                        const char *why)
{
    struct dtx_error err = {0, ""};

    dtx_log(DTX_LOG_INFO,
            "%squeueing Slurm job %s again: it will go on with %s", why,
            a->job_id, run_dir);
    if (dtx_slurm_requeue(a->job_id, &err))
        dtx_log(DTX_LOG_ERROR, "%s; go on with --resume --run-dir %s",
                err.text, run_dir);
}

void dtx_requeue(const struct dtx_options *o, const char *run_dir, int status)
{
    bool progress = take_advice(run_dir);
    struct dtx_alloc a;

    if (status != DTX_EXIT_DEADLINE && status != DTX_EXIT_STOPPED)
        return;
    dtx_alloc_read(from_environ, NULL, &a);
    if (a.inside && dtx_slurm_preempted(a.job_id))
        queue_again(&a, run_dir, "preempted: ");
    else if (!o->requeue || status != DTX_EXIT_DEADLINE)
        return;
    else if (!a.inside)
        dtx_log(DTX_LOG_WARN, "--requeue: this is no Slurm job; go on with "
                              "--resume");
    else if (progress)
        queue_again(&a, run_dir, "");
    else
        dtx_log(DTX_LOG_WARN,
                "not queued again: no task has ended in this session, so "
                "another one like it would not get further; give the job more "
                "time");
}
