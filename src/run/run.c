/* SPDX-License-Identifier: MIT */
/* "distributex run": options, then a rank, the whole job, or the supervisor;
 * see run.h. */
#include "run/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "run/alloc.h"
#include "run/deadline.h"
#include "mpi/transport.h"
#include "run/forward.h"
#include "run/guard.h"
#include "run/job.h"
#include "run/options.h"
#include "run/rank.h"
#include "run/restart.h"
#include "run/source.h"
#include "run/status.h"
#include "run/supervise.h"
#include "run/terminal.h"
#include "run/voice.h"
#include "run/where.h"
#include "store/rundir.h"

#define LEAVE_NS (10 * DTX_SEC_NS) /* what ranks need to leave, tasks apart */
#define RANKS_PER_CPU 16              /* beyond a few dozen */

static const char *from_environ(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

/* ---- options ---- */

static enum dtx_options_end read_options(int argc, char *const *argv,
                                         const struct dtx_where_info *where,
                                         struct dtx_options *o)
{
    struct dtx_buf name = DTX_BUF_INIT, config = DTX_BUF_INIT,
                   text = DTX_BUF_INIT;
    struct dtx_options_input in;
    struct dtx_error err = {0, ""};
    enum dtx_options_end end = DTX_OPTIONS_BAD;

    memset(&in, 0, sizeof(in));
    in.argc = argc;
    in.argv = argv;
    in.get = where->inside_task ? NULL : from_environ;
    if (dtx_options_config(from_environ, NULL, &name, &config, &err) ==
        DTX_OK) {
        in.config = config.data;
        in.config_len = config.len;
        in.config_name = name.data;
        end = dtx_options_parse(&in, o, &text, &err);
    }
    if (end == DTX_OPTIONS_BAD)
        (void)fprintf(stderr, "distributex: %s\n", err.text);
    else if (end == DTX_OPTIONS_DONE)
        (void)fwrite(text.data, 1, text.len, stdout);
    dtx_buf_free(&name);
    dtx_buf_free(&config);
    dtx_buf_free(&text);
    return end;
}

static char *join(const char *self, int argc, char *const *argv)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int i;

    dtx_buf_printf(&b, "%s run", self);
    for (i = 0; i < argc; i++) {
        dtx_buf_char(&b, ' ');
        dtx_buf_shell_quoted(&b, argv[i], strlen(argv[i]));
    }
    if (b.failed) {
        dtx_buf_free(&b);
        return NULL;
    }
    return b.data;
}

/* ---- the supervisor ---- */

/* The run directory the ranks are to use: made now, so that the completion
 * marker has a place whatever happens to them. */
static int choose_directory(const struct dtx_options *o, struct dtx_buf *path,
                            bool *made, struct dtx_error *err)
{
    enum dtx_rundir_found found = DTX_RUNDIR_THERE;
    int rc;

    *made = false;
    if (o->resume != DTX_RESUME_NO && !dtx_job_from_joblog(o))
        return dtx_rundir_find(o->run_dir, path, err);
    *made = !o->run_dir;
    if (!o->run_dir)
        return dtx_rundir_make_default(".", getenv("SLURM_JOB_ID"), path, err);
    rc = dtx_rundir_make(o->run_dir, path, &found, err);
    *made = found == DTX_RUNDIR_MADE;
    return rc;
}

/* mpirun reads nodes from Slurm and starts its daemons there with srun: one
 * rank on each, or --ranks of them evenly; daemons that may use all the cores
 * of the job and see this environment, whatever sbatch was told of it. Slurm is
 * to leave them when one of their nodes is lost, and not to let those of a
 * later launch wait until it is sure of that. What the user has set for Open
 * MPI stays. */
static bool shape_launch(const struct dtx_alloc *a, bool one_a_node)
{
    if (!a->inside)
        return true;
    return setenv("OMPI_MCA_rmaps_base_mapping_policy",
                  one_a_node ? "ppr:1:node" : "node", 0) == 0 &&
           setenv("SLURM_EXPORT_ENV", "ALL", 1) == 0 &&
           setenv("SLURM_CPU_BIND", "none", 0) == 0 &&
           setenv("SLURM_NO_KILL", "set", 0) == 0 &&
           setenv("SLURM_OVERLAP", "1", 0) == 0;
}

/* A stream is gone once it has been read. */
static bool can_go_on(const struct dtx_options *o)
{
    struct stat st;

    return o->form != DTX_FORM_TASKFILE || !o->task_file ||
           stat(o->task_file, &st) != 0 || !S_ISFIFO(st.st_mode);
}

static int launch(const struct dtx_options *o, int argc, char *const *argv,
                  const char *run_dir)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char **words = calloc((size_t)argc + 4, sizeof(*words)), began[24];
    struct dtx_forward forward;
    struct dtx_supervise s;
    pid_t guard;
    struct dtx_error err = {0, ""};
    int i, status = DTX_EXIT_INTERNAL;

    (void)snprintf(began, sizeof(began), "%lld",
                   (long long)dtx_clock_wall_ns());
    /* inside a task, too, the ranks are ranks, and heed DTX_RUN_DIR */
    if (n <= 0 || !words || setenv("DTX_RUN_DIR", run_dir, 1) != 0 ||
        setenv(DTX_BEGAN_ENV, began, 1) != 0 || unsetenv("DTX_TASK_ID") != 0 ||
        dtx_terminal_tell() != 0) {
        free(words);
        dtx_log(DTX_LOG_ERROR, "cannot prepare the launch");
        return status;
    }
    self[n] = '\0';
    words[0] = self;
    words[1] = strdup("run");
    for (i = 0; i < argc; i++)
        words[i + 2] = argv[i];
    if (o->from_launcher) { /* ranks elsewhere may not have the variable */
        words[argc + 2] = o->task_file;
        dtx_log(DTX_LOG_INFO, "the task file is LAUNCHER_JOB_FILE: %s",
                o->task_file);
    }
    memset(&s, 0, sizeof(s));
    s.ranks = o->ranks;
    s.hostfile = o->hostfile;
    s.nodes = s.hostfile || !getenv("SLURM_JOB_ID")
                  ? NULL
                  : getenv("SLURM_JOB_NODELIST");
    s.mpirun = o->mpirun;
    s.ft = dtx_transport_ft();
    s.run_dir = run_dir;
    s.argv = words;
    s.verbose = o->verbose;
    s.pass_stdin = dtx_source_is_stdin(o);
    s.leave_ns = o->grace_ns + LEAVE_NS;
    s.lost_after_ns = o->lost_after_ns;
    s.relaunches = can_go_on(o) ? o->relaunches : 0;
    if (dtx_forward_begin(&forward, &err))
        dtx_log(DTX_LOG_WARN, "%s", err.text);
    guard = s.nodes ? dtx_guard_begin() : 0;
    if (dtx_supervise_run(&s, &status, &err))
        dtx_log(DTX_LOG_ERROR, "%s", err.text);
    dtx_guard_end(guard);
    dtx_forward_end(&forward);
    free(words[1]);
    free(words);
    return status;
}

static int supervise(const struct dtx_options *o, int argc, char *const *argv)
{
    struct dtx_buf path = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    int status = DTX_EXIT_RUNDIR;
    bool made;

    if (dtx_source_is_stdin(o) && isatty(STDIN_FILENO)) {
        /* mpirun, in a group of its own, could not read it */
        dtx_log(DTX_LOG_ERROR,
                "standard input is a terminal: with --ranks pipe the list "
                "into this command, or name a file");
        status = DTX_EXIT_USAGE;
    } else if (o->hostfile && access(o->hostfile, R_OK) != 0) {
        (void)dtx_error_errno(&err, "cannot read hostfile %s", o->hostfile);
        dtx_log(DTX_LOG_ERROR, "%s", err.text);
        status = DTX_EXIT_USAGE;
    } else if (dtx_deadline_check(o, &err)) {
        dtx_log(DTX_LOG_ERROR, "%s", err.text);
        status = DTX_EXIT_USAGE;
    } else if (choose_directory(o, &path, &made, &err)) {
        dtx_log(DTX_LOG_ERROR, "%s", err.text);
    } else {
        status = launch(o, argc, argv, path.data);
        dtx_requeue(o, path.data, status);
        if (made)
            (void)rmdir(path.data); /* nothing was begun: leave nothing */
    }
    dtx_buf_free(&path);
    return status;
}

/* ---- whole ---- */

/* Of several ranks the first one speaks; none needs MPI for that. */
static int print_commands(const struct dtx_options *o,
                          const struct dtx_where_info *where)
{
    struct dtx_error err = {0, ""};
    int status;

    if (where->where == DTX_WHERE_RANK && !dtx_rank_is_first())
        return DTX_EXIT_OK;
    status = dtx_source_print(o, &err);
    if (status)
        dtx_log(DTX_LOG_ERROR, "%s", err.text);
    return status;
}

/* A standard descriptor that was closed is held by one that is not. */
static bool is_readable(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_ACCMODE) != O_WRONLY;
}

/* In a Slurm job that is started again: go on. */
static void adopt(struct dtx_options *o, const struct dtx_where_info *where)
{
    struct dtx_error err = {0, ""};
    struct dtx_alloc a;

    if (where->inside_task ||
        (where->where == DTX_WHERE_RANK && !dtx_rank_is_first()))
        return;
    dtx_alloc_read(from_environ, NULL, &a);
    if (dtx_restart_adopt(o, &a, &err)) {
        if (!getenv(DTX_MARKER_ENV)) /* else the supervisor has said so */
            dtx_log(DTX_LOG_INFO,
                    "start %u of Slurm job %s: going on with %s",
                    (unsigned)a.restarts + 1, a.job_id, o->run_dir);
    } else if (err.code) {
        dtx_log(DTX_LOG_WARN, "%s", err.text);
    }
}

/* Is this process to launch ranks? In an allocation of several nodes it is,
 * also when nobody said so: one on each node. */
static bool shall_launch(struct dtx_options *o,
                         const struct dtx_where_info *where)
{
    struct dtx_alloc a;
    uint32_t ranks;
    bool asked = o->ranks > 0 || o->hostfile;

    if (where->where == DTX_WHERE_RANK)
        return false;
    dtx_alloc_read(from_environ, NULL, &a);
    ranks = where->where == DTX_WHERE_SINGLE ? dtx_alloc_ranks(&a) : 0;
    if (!asked && ranks == 0)
        return false;
    if (!asked)
        o->ranks = ranks;
    if (where->where == DTX_WHERE_SINGLE && !o->hostfile &&
        !shape_launch(&a, !asked))
        dtx_log(DTX_LOG_WARN, "cannot shape the launch: out of memory");
    return true;
}

/* Far more ranks than processors only hinder each other, and mpirun hears no
 * signal while it starts them. A list of hosts may bring any number. */
static bool too_many_ranks(const struct dtx_options *o)
{
    struct dtx_alloc a;
    uint64_t cpus, most;
    long here = sysconf(_SC_NPROCESSORS_ONLN);

    if (o->hostfile)
        return false;
    dtx_alloc_read(from_environ, NULL, &a);
    cpus = a.inside && a.cpus > 0 ? a.cpus : here > 0 ? (uint64_t)here : 1;
    most = 64 + RANKS_PER_CPU * cpus;
    if (o->ranks <= most)
        return false;
    dtx_log(DTX_LOG_ERROR,
            "--ranks %u: at most %llu ranks on the %llu processors %s; give "
            "one rank more slots (-j), or more machines (--hostfile)",
            (unsigned)o->ranks, (unsigned long long)most,
            (unsigned long long)cpus,
            a.inside ? "of this allocation" : "of this machine");
    return true;
}

static int run(const char *self, int argc, char *const *argv,
               struct dtx_options *o, const struct dtx_where_info *where)
{
    char *line;
    int status;

    dtx_voice_begin(o->quiet     ? DTX_LOG_ERROR
                    : o->verbose ? DTX_LOG_DEBUG
                                 : DTX_LOG_INFO);
    if (where->where != DTX_WHERE_RANK && dtx_source_is_stdin(o) &&
        !is_readable(STDIN_FILENO)) {
        dtx_log(DTX_LOG_ERROR, "standard input is closed: nothing can come "
                "from it");
        return DTX_EXIT_USAGE;
    }
    if (o->dry_run)
        return print_commands(o, where);
    if (where->where != DTX_WHERE_RANK && too_many_ranks(o))
        return DTX_EXIT_USAGE;
    adopt(o, where);
    if (shall_launch(o, where))
        return supervise(o, argc, argv);
    line = join(self, argc, argv);
    status = dtx_rank_main(o, where, line ? line : "");
    free(line);
    return status;
}

int dtx_run_main(const char *self, int argc, char *const *argv)
{
    struct dtx_where_info where;
    struct dtx_options o;
    struct dtx_error err = {0, ""};
    int status;

    if (dtx_where_am_i(from_environ, NULL, &where, &err)) {
        if (dtx_rank_is_first())
            (void)fprintf(stderr, "distributex: %s\n", err.text);
        return DTX_EXIT_MPI;
    }
    switch (read_options(argc, argv, &where, &o)) {
    case DTX_OPTIONS_DONE:
        return DTX_EXIT_OK;
    case DTX_OPTIONS_BAD:
        return DTX_EXIT_USAGE;
    case DTX_OPTIONS_GO:
        break;
    }
    status = run(self, argc, argv, &o, &where);
    dtx_options_fini(&o);
    return status;
}
