/* SPDX-License-Identifier: MIT */
/* The supervisor; see supervise.h.  It decides how often mpirun is called, and
 * what status the job ended with; it never talks to the ranks and never
 * believes mpirun's exit status. */
#include "run/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "run/status.h"
#include "run/supervise_hosts.h"
#include "run/supervise_job.h"
#include "run/supervise_words.h"
#include "store/rundir.h"

#define LEAVE_NS (10 * DTX_SEC_NS)
#define KILL_NS (5 * DTX_SEC_NS)
#define TICK_NS DTX_SUPERVISE_TICK_NS
#define SILENT_NS (15 * DTX_SEC_NS) /* of rank 0, at least */
#define PAUSE_NS (1 * DTX_SEC_NS)   /* before a launch; doubled each time */
#define PAUSE_MOST_NS (60 * DTX_SEC_NS)
#define GOOD_NS (600 * DTX_SEC_NS)  /* a launch that lasts, counts anew */
#define START_NS (60 * DTX_SEC_NS) /* for MPI to come up */
#define START_RANK_NS (20 * DTX_MSEC_NS) /* more for each rank */
#define GHOST_NS (3 * DTX_SEC_NS)   /* for the old rank 0 to go */

/* --- starting mpirun ------------------------------------------------------ */

/* In the child, up to exec. A background group may write to the terminal also
 * under "stty tostop". */
static void become_mpirun(const struct dtx_argv *cmd,
                          const struct dtx_argv *env,
                          const struct dtx_mpirun_signals *sig, int in_fd,
                          int report_fd, pid_t parent)
    __attribute__((noreturn));

static void become_mpirun(const struct dtx_argv *cmd,
                          const struct dtx_argv *env,
                          const struct dtx_mpirun_signals *sig, int in_fd,
                          int report_fd, pid_t parent)
{
    static const int to_default[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD,
                                     SIGPIPE};
    int e;

    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
        _exit(127);
    for (size_t i = 0; i < sizeof(to_default) / sizeof(to_default[0]); i++)
        (void)signal(to_default[i], SIG_DFL);
    (void)signal(SIGTTOU, SIG_IGN);
    if ((in_fd < 0 || dup2(in_fd, STDIN_FILENO) >= 0) &&
        sigprocmask(SIG_SETMASK, &sig->old_mask, NULL) == 0)
        (void)execvpe(cmd->v[0], cmd->v, env->v);
    e = errno;
    if (write(report_fd, &e, sizeof(e)) != (ssize_t)sizeof(e))
        _exit(126);
    _exit(127);
}

/* 0 when exec was reached (the pipe closed without a word), else errno. */
static int read_report(int fd)
{
    int e = 0;
    ssize_t n;

    do {
        n = read(fd, &e, sizeof(e));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(e) ? e : 0;
}

static int fail_exec(const char *mpirun, int e, struct dtx_error *err)
{
    return dtx_error_set(
        err, DTX_ENOENT,
        "cannot run %s: %s\ninstall Open MPI (Debian, Ubuntu: openmpi-bin; "
        "RHEL family: openmpi, then `module load mpi`; Spack: openmpi), or say "
        "where it is with --mpirun",
        mpirun, strerror(e));
}

static int start(struct dtx_mpirun *j, const struct dtx_argv *cmd,
                 const struct dtx_argv *env,
                 const struct dtx_mpirun_signals *sig, int in_fd,
                 struct dtx_error *err)
{
    pid_t me = getpid();
    int report[2], e;

    if (pipe2(report, O_CLOEXEC) < 0)
        return dtx_error_errno(err, "supervisor: pipe");
    j->pid = fork();
    if (j->pid == 0)
        become_mpirun(cmd, env, sig, in_fd, report[1], me);
    e = errno;
    (void)close(report[1]);
    if (j->pid < 0) {
        (void)close(report[0]);
        errno = e;
        return dtx_error_errno(err, "supervisor: fork");
    }
    (void)setpgid(j->pid, j->pid); /* whoever is first */
    e = read_report(report[0]);
    (void)close(report[0]);
    j->started = dtx_clock_mono_ns();
    if (e == 0)
        return DTX_OK;
    while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return fail_exec(cmd->v[0], e, err);
}

static const char *say_ending(const struct dtx_mpirun *j, char *buf,
                              size_t size)
{
    if (!j->ended)
        (void)snprintf(buf, size, "nothing, and did not end");
    else if (WIFSIGNALED(j->wait_status))
        (void)snprintf(buf, size, "signal %d", WTERMSIG(j->wait_status));
    else
        (void)snprintf(buf, size, "exit %d", WEXITSTATUS(j->wait_status));
    return buf;
}

/* By somebody else, that is. */
static bool was_killed(const struct dtx_mpirun *j)
{
    return j->ended && j->term_at == 0 && WIFSIGNALED(j->wait_status);
}

static int judge(const struct dtx_mpirun *j, int *exit_status,
                 struct dtx_error *err)
{
    bool lossy;
    int status = dtx_marker_read(&j->marker, &lossy);
    char said[64];

    if (status >= 0) {
        *exit_status = status == DTX_EXIT_STOPPED && j->time_over
                           ? DTX_EXIT_DEADLINE
                           : status;
        return DTX_OK;
    }
    if (j->killing) {
        *exit_status = DTX_EXIT_INTERRUPTED;
        return DTX_OK;
    }
    if (access(j->marker.run_dir, F_OK) != 0) {
        *exit_status = DTX_EXIT_STORAGE;
        return dtx_error_set(err, DTX_ENOENT,
                             "the run directory %s has been removed while the "
                             "job ran: how it ended is lost (mpirun said: %s)",
                             j->marker.run_dir,
                             say_ending(j, said, sizeof(said)));
    }
    if (!dtx_marker_is_ready(&j->marker) && !j->lost && !was_killed(j)) {
        *exit_status = DTX_EXIT_MPI;
        return dtx_error_set(err, DTX_EMPI,
                             "the ranks did not come up (mpirun said: %s): no "
                             "task was started; mpirun's own message should "
                             "tell why",
                             say_ending(j, said, sizeof(said)));
    }
    *exit_status = DTX_EXIT_LOST;
    return dtx_error_set(err, DTX_EMPI,
                         "the ranks ended without a completion marker (mpirun "
                         "said: %s); what had finished is in the journal: go "
                         "on with --resume",
                         say_ending(j, said, sizeof(said)));
}

/* --- signals of our own --------------------------------------------------- */

/* Block what is to be waited for. What was ignored at the start stays so. */
static int hold_signals(struct dtx_mpirun_signals *sig)
{
    static const int asked[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    struct sigaction dfl;

    memset(&dfl, 0, sizeof(dfl));
    dfl.sa_handler = SIG_DFL;
    if (sigaction(SIGCHLD, &dfl, &sig->old_chld) < 0 ||
        sigemptyset(&sig->wanted) < 0 || sigaddset(&sig->wanted, SIGCHLD) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct sigaction old;

        if (sigaction(asked[i], NULL, &old) < 0)
            return -1;
        if (old.sa_handler != SIG_IGN && sigaddset(&sig->wanted, asked[i]) < 0)
            return -1;
    }
    return sigprocmask(SIG_BLOCK, &sig->wanted, &sig->old_mask);
}

static void release_signals(const struct dtx_mpirun_signals *sig)
{
    const struct timespec none = {0, 0};

    while (sigtimedwait(&sig->wanted, NULL, &none) > 0)
        continue;
    (void)sigaction(SIGCHLD, &sig->old_chld, NULL);
    (void)sigprocmask(SIG_SETMASK, &sig->old_mask, NULL);
}

/* ---- launches ------------------------------------------------------------ */

/* One launch, to its end. */
static int launch(const struct dtx_supervise *s, struct dtx_mpirun *j,
                  const struct dtx_mpirun_signals *sig, const char *hostfile,
                  struct dtx_error *err)
{
    struct dtx_argv cmd = {NULL, 0, 0, false}, env = cmd;
    struct dtx_supervise now = *s;
    int in_fd = -1, rc = DTX_OK;

    now.ranks = j->ranks;

    if (!s->pass_stdin) {
        in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (in_fd < 0)
            return dtx_error_errno(err, "/dev/null");
    }
    dtx_supervise_command(&now, hostfile, &cmd);
    dtx_supervise_env(j->marker.path, j->launches ? j->first_epoch : 0, &env);
    if (cmd.failed || env.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "supervisor: out of memory");
    if (rc == DTX_OK && s->verbose)
        dtx_supervise_log(&cmd);
    if (rc == DTX_OK)
        rc = start(j, &cmd, &env, sig, in_fd, err);
    if (rc == DTX_OK)
        dtx_mpirun_watch(j, sig);
    if (in_fd >= 0)
        (void)close(in_fd);
    dtx_argv_free(&cmd);
    dtx_argv_free(&env);
    return rc;
}

/* Wait, and hear signals meanwhile; false when one came. */
static bool pause_for(struct dtx_mpirun *j,
                      const struct dtx_mpirun_signals *sig, int64_t ns)
{
    const struct timespec tick = {0, TICK_NS};
    int64_t end = dtx_clock_mono_ns() + ns;

    while (dtx_clock_mono_ns() < end && !j->draining) {
        int got = sigtimedwait(&sig->wanted, NULL, &tick);

        if (got > 0)
            dtx_mpirun_hear(j, got);
    }
    return !j->draining;
}

/* A rank 0 of ours that has outlived its mpirun - stopped, perhaps - holds the
 * lease: end it, where that can be done. */
static void lay_ghost(struct dtx_mpirun *j,
                      const struct dtx_mpirun_signals *sig)
{
    struct dtx_rundir_owner o;
    int64_t end = dtx_clock_mono_ns() + GHOST_NS;

    while (dtx_rundir_owner(j->marker.run_dir, &o) == 0 && o.here &&
           o.epoch >= j->first_epoch && !j->draining) {
        if (dtx_clock_mono_ns() >= end) {
            (void)kill((pid_t)o.pid, SIGKILL);
            return;
        }
        (void)pause_for(j, sig, TICK_NS);
    }
}

/* Is there a point in launching the rest? */
static bool may_relaunch(const struct dtx_supervise *s,
                         const struct dtx_mpirun *j, int rc, int status)
{
    if (j->draining || s->pass_stdin || s->relaunches == 0 ||
        rc == DTX_ENOENT || access(j->marker.run_dir, F_OK) != 0)
        return false;
    /* one of the hosts may be down, or a process died before anybody watched
     * it: once more */
    return status == DTX_EXIT_LOST ||
           (status == DTX_EXIT_MPI && rc != DTX_OK && j->launches == 0 &&
            (s->hostfile || s->nodes || j->timed_out));
}

/* The state of a launch, before it. */
static int prepare(struct dtx_mpirun *j, struct dtx_error *err)
{
    const char *run_dir = j->marker.run_dir;

    dtx_marker_remove(&j->marker);
    dtx_marker_name(&j->marker, run_dir);
    j->drain_gap = DTX_SEC_NS;
    j->next_drain = j->term_at = j->kill_at = j->give_up_at = 0;
    j->beat_ns = j->look_ns = j->looks = 0;
    j->open_ns = j->look_start_ns = 0;
    j->met = j->timed_out = j->marked = j->ended = false;
    j->lost = j->kill_sent = false;
    return j->marker.path ? DTX_OK
                          : dtx_error_set(err, DTX_ENOMEM,
                                          "supervisor: out of memory");
}

/* Before the next launch: wait, and find out which hosts are left. False: there
 * is to be none. */
static bool get_ready(const struct dtx_supervise *s, struct dtx_mpirun *j,
                      const struct dtx_mpirun_signals *sig,
                      struct dtx_buf *hostfile)
{
    int64_t pause = PAUSE_NS;
    char text[32];

    if (dtx_clock_mono_ns() - j->started > GOOD_NS)
        j->failures = 0;
    if (j->failures >= s->relaunches) {
        dtx_log(DTX_LOG_WARN, "supervisor: lost %u times in a row: giving up "
                              "(--relaunch)", j->failures + 1);
        return false;
    }
    for (uint32_t i = 0; i < j->failures && pause < PAUSE_MOST_NS; i++)
        pause *= 2;
    if (pause > PAUSE_MOST_NS)
        pause = PAUSE_MOST_NS;
    j->failures++;
    dtx_log(DTX_LOG_WARN, "supervisor: launching the rest of the job in %s "
                          "(%u of %u)",
            dtx_format_duration(text, sizeof(text), pause), j->failures,
            s->relaunches);
    if (!pause_for(j, sig, pause))
        return false;
    lay_ghost(j, sig);
    if ((s->hostfile || s->nodes) &&
        !dtx_supervise_hosts(s, j->marker.run_dir, hostfile, &j->ranks)) {
        dtx_log(DTX_LOG_WARN, "supervisor: no host of %s answers",
                s->hostfile ? s->hostfile : "the Slurm job");
        return get_ready(s, j, sig, hostfile);
    }
    return !j->draining;
}

static int launch_all(const struct dtx_supervise *s, struct dtx_mpirun *j,
                      const struct dtx_mpirun_signals *sig, int *exit_status,
                      struct dtx_error *err)
{
    struct dtx_buf hostfile = DTX_BUF_INIT;
    int rc;

    for (;;) {
        rc = prepare(j, err);
        if (rc == DTX_OK)
            rc = launch(s, j, sig, hostfile.len ? hostfile.data : s->hostfile,
                        err);
        if (rc == DTX_OK)
            rc = judge(j, exit_status, err);
        /* the cause may pass when an earlier launch did come up */
        j->came_up |= dtx_marker_is_ready(&j->marker);
        if (rc != DTX_OK && j->came_up && *exit_status == DTX_EXIT_MPI)
            *exit_status = DTX_EXIT_LOST;
        if (!may_relaunch(s, j, rc, *exit_status))
            break;
        if (rc != DTX_OK)
            dtx_log(DTX_LOG_WARN, "%s", err->text);
        j->launches++;
        if (!get_ready(s, j, sig, &hostfile))
            break;
        *exit_status = DTX_EXIT_MPI;
    }
    if (hostfile.len)
        (void)unlink(hostfile.data);
    dtx_buf_free(&hostfile);
    return rc;
}

int dtx_supervise_run(const struct dtx_supervise *s, int *exit_status,
                      struct dtx_error *err)
{
    struct dtx_mpirun j = {.leave_ns = s->leave_ns ? s->leave_ns : LEAVE_NS,
                    .kill_ns = s->kill_ns ? s->kill_ns : KILL_NS,
                    .silent_ns = s->lost_after_ns,
                    .start_ns = s->start_ns,
                    .ranks = s->ranks};
    struct dtx_rundir_owner o;
    struct dtx_mpirun_signals sig;
    int rc;

    *exit_status = DTX_EXIT_MPI;
    if (j.silent_ns > 0 && j.silent_ns < SILENT_NS)
        j.silent_ns = SILENT_NS;
    if (j.start_ns == 0)
        j.start_ns = START_NS + s->ranks * START_RANK_NS;
    j.marker.run_dir = s->run_dir;
    j.first_epoch = dtx_rundir_owner(s->run_dir, &o) == 0 ? o.epoch + 1 : 1;
    if (hold_signals(&sig) < 0)
        return dtx_error_errno(err, "supervisor: signals");
    rc = launch_all(s, &j, &sig, exit_status, err);
    release_signals(&sig);
    dtx_marker_remove(&j.marker);
    return rc;
}
