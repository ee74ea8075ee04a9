/* SPDX-License-Identifier: MIT */
/* Writes and reads small files beside a job; see sidefile.h.  Each appears
 * whole or not at all.  What stands in a restart file is
 * task/greasy_restart.c's part. */
#include "run/sidefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/master.h"
#include "run/job.h"
#include "run/options.h"
#include "run/source.h"
#include "run/status.h"
#include "task/greasy_restart.h"

static const char *const names[] = {NULL, "node-setup", "node-teardown"};

static int write_all(int fd, const char *s, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, s, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        s += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Put 'b' at 'path' by way of a temporary name. */
static int put_file(const char *path, const struct dtx_buf *b,
                    struct dtx_error *err)
{
    struct dtx_buf tmp = DTX_BUF_INIT;
    int fd, rc = DTX_OK;
    bool good;

    dtx_buf_printf(&tmp, "%s.%ld.tmp", path, (long)getpid());
    if (tmp.failed) {
        dtx_buf_free(&tmp);
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    }
    fd = open(tmp.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    good = fd >= 0 && write_all(fd, b->data, b->len) == 0 && fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0)
        good = false;
    if (!good || rename(tmp.data, path) != 0) {
        rc = dtx_error_errno(err, "cannot write %s", path);
        (void)unlink(tmp.data);
    }
    dtx_buf_free(&tmp);
    return rc;
}

/* ---- commands for nodes ---- */

static int keep(const struct dtx_job *job, unsigned which, bool fresh,
                const struct dtx_buf *text, unsigned *found,
                struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc = DTX_OK;

    dtx_buf_printf(&path, "%s/%s", job->run_dir, names[which]);
    if (path.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (text->len > 0)
        rc = put_file(path.data, text, err);
    else if (fresh && unlink(path.data) != 0 && errno != ENOENT)
        rc = dtx_error_errno(err, "cannot remove %s", path.data);
    if (!rc && access(path.data, R_OK) == 0)
        *found |= which;
    dtx_buf_free(&path);
    return rc;
}

int dtx_sidefile_keep(const struct dtx_options *o, const struct dtx_job *job,
                      unsigned *which, struct dtx_error *err)
{
    const struct dtx_taskfile_more *more = &job->more;
    bool fresh = o->form != DTX_FORM_NONE;
    int rc;

    *which = 0;
    if ((more->setup.len > 0 && o->node_setup) ||
        (more->teardown.len > 0 && o->node_teardown)) {
        (void)dtx_error_set(err, DTX_EINVAL,
                            "%s: #DISBATCH PERENGINE %s and --node-%s both "
                            "give a command: leave one out",
                            o->task_file,
                            more->setup.len > 0 && o->node_setup ? "START"
                                                                 : "STOP",
                            more->setup.len > 0 && o->node_setup ? "setup"
                                                                 : "teardown");
        return DTX_EXIT_TASKFILE;
    }
    rc = keep(job, DTX_SIDE_SETUP, fresh, &more->setup, which, err);
    if (!rc)
        rc = keep(job, DTX_SIDE_TEARDOWN, fresh, &more->teardown, which, err);
    return rc ? DTX_EXIT_RUNDIR : 0;
}

int dtx_sidefile_command(const char *run_dir, unsigned which,
                         struct dtx_buf *text, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc;

    dtx_buf_printf(&path, "%s/%s", run_dir, names[which]);
    rc = path.failed ? dtx_error_set(err, DTX_ENOMEM, "out of memory")
                     : dtx_source_file("the command", path.data, text, err);
    dtx_buf_free(&path);
    return rc;
}

/* ---- the restart file ---- */

static bool is_done(void *ctx, uint32_t task)
{
    return dtx_master_task_state(ctx, task) == DTX_TASK_OK;
}

enum whose { NO_FILE, OURS, NOT_OURS };

/* Who wrote it? */
static enum whose look_at(const char *path)
{
    char head[sizeof(DTX_GREASY_RESTART_HEAD)];
    const size_t len = sizeof(head) - 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? NO_FILE : NOT_OURS;
    n = read(fd, head, len);
    (void)close(fd);
    return n == (ssize_t)len && memcmp(head, DTX_GREASY_RESTART_HEAD, len) == 0
               ? OURS : NOT_OURS;
}

/* The file becomes what 'b' holds of 'n' tasks, or goes when there are none. */
static int put_restart(const char *path, const struct dtx_buf *b, uint32_t n,
                       struct dtx_error *err)
{
    enum whose whose = look_at(path);

    if (n > 0 && whose == NOT_OURS)
        return dtx_error_set(err, DTX_EEXIST,
                             "%s is not a restart file of this program: it is "
                             "left as it is",
                             path);
    if (n == 0 && whose != OURS)
        return DTX_OK;
    if (n > 0 ? put_file(path, b, err) != 0 : unlink(path) != 0)
        return n > 0 ? err->code
                     : dtx_error_errno(err, "cannot remove %s", path);
    if (n > 0)
        dtx_log(DTX_LOG_INFO, "the restart file %s holds the %lu tasks that "
                "have not succeeded", path, (unsigned long)n);
    else
        dtx_log(DTX_LOG_INFO, "the restart file %s is removed: nothing is left",
                path);
    return DTX_OK;
}

static void write_restart(const char *path, const struct dtx_job *job,
                          const struct dtx_master *m)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    uint32_t n = 0;
    int rc = dtx_greasy_restart(&job->list, &job->graph, is_done, (void *)m,
                                &b, &n);

    if (rc)
        rc = dtx_error_set(&err, rc, "cannot write %s: %s", path,
                           dtx_strerror(rc));
    else
        rc = put_restart(path, &b, n, &err);
    if (rc)
        dtx_log(DTX_LOG_WARN, "%s", err.text);
    dtx_buf_free(&b);
}

/* Where it is. Of a resume without the task file nobody knows whether that was
 * one of GREASY's, but a restart file that is there tells. */
static bool find_restart(const struct dtx_options *o, const struct dtx_job *job,
                         struct dtx_buf *path)
{
    const char *from = o->task_file ? o->task_file : job->from, *slash;

    if (!from || (o->task_file ? !job->more.greasy
                               : job->live || job->graph.nbarriers > 0))
        return false;
    slash = strrchr(from, '/');
    if (!o->task_file)
        dtx_buf_printf(path, "%s/", job->cwd);
    dtx_buf_printf(path, "%s.rst", slash ? slash + 1 : from);
    return path->failed || o->task_file || look_at(path->data) == OURS;
}

void dtx_sidefile_restart(const struct dtx_options *o,
                          const struct dtx_job *job,
                          const struct dtx_master *m)
{
    struct dtx_buf path = DTX_BUF_INIT;
    bool due = find_restart(o, job, &path);

    if (path.failed)
        dtx_log(DTX_LOG_WARN, "no restart file: out of memory");
    else if (due)
        write_restart(path.data, job, m);
    dtx_buf_free(&path);
}
