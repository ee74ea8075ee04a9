/* SPDX-License-Identifier: MIT */
/* Watching mpirun; see supervise_job.h.  It decides which signal mpirun gets
 * when, and when rank 0 counts as lost; it never waits without an end once the
 * job is over. */
#include "run/supervise_job.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "node/notice.h"
#include "store/rundir.h"

#define TICK_NS DTX_SUPERVISE_TICK_NS
#define LOOK_NS (1 * DTX_SEC_NS)
#define LOSSY_NS (2 * DTX_SEC_NS)   /* for the other ranks to leave */
#define DEAF_NS (5 * DTX_SEC_NS) /* mpirun should catch signals by then */

/* Does the process catch this signal? Before it does, a signal meant for the
 * ranks would only end it. True when /proc cannot tell. */
static bool catches(pid_t pid, int sig)
{
    unsigned long long caught = ~0ull;
    char path[64], line[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    f = fopen(path, "re");
    if (!f)
        return true;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "SigCgt: %llx", &caught) == 1)
            break;
    }
    (void)fclose(f);
    return (caught >> (sig - 1)) & 1;
}

static void tell(const struct dtx_mpirun *j, int sig)
{
    if (kill(j->pid, sig) < 0)
        dtx_log(DTX_LOG_DEBUG, "supervisor: mpirun is gone");
}

static void plan_end(struct dtx_mpirun *j, int64_t at)
{
    if (j->term_at == 0 || at < j->term_at)
        j->term_at = at;
}

void dtx_mpirun_hear(struct dtx_mpirun *j, int sig)
{
    if (sig == SIGCHLD)
        return;
    if (sig == SIGINT)
        j->ints++;
    if (!j->draining)
        j->time_over = sig == SIGUSR1;
    j->draining = true;
    if (j->ints >= 2)
        j->killing = true;
}

/* Will a signal reach the ranks, and not end them? */
static bool can_tell(const struct dtx_mpirun *j, int sig)
{
    return catches(j->pid, sig) && dtx_marker_is_ready(&j->marker);
}

static void say_deaf(struct dtx_mpirun *j)
{
    j->deaf_said = true;
    dtx_log(DTX_LOG_WARN,
            "supervisor: the ranks cannot be told to drain: %s; a second "
            "Ctrl-C ends them",
            catches(j->pid, SIGUSR1) ? "they have not met yet"
                                     : "mpirun does not catch SIGUSR1");
}

/* Pass on what was asked for. */
static void pass_on(struct dtx_mpirun *j, int64_t now)
{
    if (j->killing && !j->kill_sent) {
        j->kill_sent = true;
        if (can_tell(j, SIGUSR2)) {
            tell(j, SIGUSR2);
            plan_end(j, now + j->leave_ns);
        } else {
            plan_end(j, now);
        }
    }
    if (!j->draining || j->killing || now < j->next_drain)
        return;
    if (can_tell(j, SIGUSR1)) {
        tell(j, SIGUSR1);
        j->next_drain = now + j->drain_gap;
        j->drain_gap *= 2;
    } else if (now - j->started > DEAF_NS && !j->deaf_said) {
        say_deaf(j);
    }
}

/* Rank 0's heartbeat is the lease it renews each second. Looks are a second
 * apart, and only those count: the time in which this process or the file
 * system was stopped is no silence. */
static bool is_silent(struct dtx_mpirun *j, int64_t now)
{
    struct dtx_rundir_owner o;

    if (j->silent_ns <= 0 || now < j->look_ns)
        return false;
    j->look_ns = now + LOOK_NS;
    if (!dtx_marker_is_ready(&j->marker) ||
        dtx_rundir_owner(j->marker.run_dir, &o) != 0 ||
        o.epoch < j->first_epoch)
        return false;
    if (j->beat_ns == 0 || o.beat != j->beat) {
        j->beat = o.beat;
        j->beat_ns = now;
        j->looks = 0;
    }
    return ++j->looks > j->silent_ns / LOOK_NS;
}

/* Without rank 0 the others have nobody to work for. */
static void look_at_rank_0(struct dtx_mpirun *j, int64_t now)
{
    struct dtx_notice n;
    char cause[64];

    if (j->lost || j->marked)
        return;
    if (dtx_notice_read(j->marker.lost, &n) == 0) {
        (void)dtx_notice_cause(&n, cause, sizeof(cause));
        free(n.ran);
        if (dtx_marker_is_ready(&j->marker))
            dtx_log(DTX_LOG_WARN, "supervisor: rank 0 is lost (%s)", cause);
        else
            dtx_log(DTX_LOG_WARN, "supervisor: a rank was lost before all had "
                                  "met (%s)", cause);
        j->lost = dtx_marker_is_ready(&j->marker) || n.status < 0 ||
                  WIFSIGNALED(n.status);
        plan_end(j, now);
        return;
    } else if (is_silent(j, now)) {
        dtx_log(DTX_LOG_WARN, "supervisor: rank 0 is lost (it renews its lease "
                              "of the run directory no more)");
    } else {
        return;
    }
    j->lost = true;
    plan_end(j, now);
}

/* A program that cannot be loaded on one host, or ends before MPI knows it:
 * with recovery the others wait in MPI_Init for ever, and mpirun for them. So
 * they do for each other where they meet, when a link is cut just then; but
 * before that rank 0 may read its tasks for as long as that takes. */
static void look_at_start(struct dtx_mpirun *j, int64_t now)
{
    int64_t limit = j->open_ns ? j->open_ns + j->start_ns / 2
                               : j->started + j->start_ns;

    if (j->met || j->marked || now < j->look_start_ns)
        return;
    j->look_start_ns = now + 5 * TICK_NS;
    j->met = dtx_marker_is_ready(&j->marker);
    if (!j->met && !j->open_ns && dtx_marker_is_open(&j->marker))
        j->open_ns = now;
    else if (!j->met && now > limit &&
             (j->open_ns || !dtx_marker_is_up(&j->marker))) {
        dtx_log(DTX_LOG_WARN, "supervisor: the ranks have not %s in time: "
                              "ending them",
                j->open_ns ? "met" : "come up");
        j->lost = j->open_ns != 0;
        j->met = j->timed_out = true;
        plan_end(j, now);
    }
}

/* TERM, KILL and giving up, each when its time has come. */
static void push(struct dtx_mpirun *j, int64_t now)
{
    bool lossy;

    if (!j->marked && dtx_marker_read(&j->marker, &lossy) >= 0) {
        j->marked = true;
        plan_end(j, now + (lossy && j->leave_ns > LOSSY_NS ? LOSSY_NS
                                                           : j->leave_ns));
    }
    look_at_rank_0(j, now);
    look_at_start(j, now);
    if (j->term_at && now >= j->term_at && !j->kill_at) {
        tell(j, SIGTERM);
        j->kill_at = now + j->kill_ns;
    }
    if (j->kill_at && now >= j->kill_at && !j->give_up_at) {
        (void)kill(-j->pid, SIGKILL);
        tell(j, SIGKILL);
        j->give_up_at = now + j->kill_ns;
    }
}

void dtx_mpirun_watch(struct dtx_mpirun *j,
                      const struct dtx_mpirun_signals *sig)
{
    const struct timespec tick = {0, TICK_NS};

    for (;;) {
        pid_t pid = waitpid(j->pid, &j->wait_status, WNOHANG);
        int64_t now = dtx_clock_mono_ns();
        int got;

        j->ended = pid == j->pid;
        if (pid != 0 && !(pid < 0 && errno == EINTR))
            return;
        pass_on(j, now);
        push(j, now);
        if (j->give_up_at && now >= j->give_up_at)
            return;
        got = sigtimedwait(&sig->wanted, NULL, &tick);
        if (got > 0)
            dtx_mpirun_hear(j, got);
    }
}
