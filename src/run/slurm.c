/* SPDX-License-Identifier: MIT */
/* Talks with Slurm; see slurm.h.  It decides nothing: what the end means is the
 * engine's business, and when to queue again run/requeue.c's. */
#include "run/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "base/units.h"
#include "base/when.h"
#include "node/clock.h"
#include "run/command.h"
#include "run/deadline.h"

#define LIMIT_NS (10 * DTX_SEC_NS)
#define APART_NS (5 * DTX_SEC_NS)   /* the two answers are rounded */
#define SHIFT_NS (1800 * DTX_SEC_NS) /* clocks of a country move by so much */
#define SOON_NS (10 * DTX_SEC_NS)

/* ---- questions ---- */

static int64_t read_left(const char *text, int64_t now_ns)
{
    int64_t left;

    if (strcmp(text, "UNLIMITED") == 0)
        return INT64_MAX;
    return dtx_parse_duration(text, &left) == DTX_OK ? now_ns + left : -1;
}

static int64_t read_date(const char *text)
{
    struct dtx_when when;
    int64_t ns;

    if (dtx_parse_when(text, &when) != DTX_OK ||
        when.kind != DTX_WHEN_LOCAL || dtx_deadline_resolve(&when, 0, &ns))
        return -1;
    return ns;
}

/* The time left follows the limit and knows no time zone; the end is earlier
 * when the job is preempted. A difference of hours is the hour that a country
 * has twice. */
int dtx_slurm_read_end(const char *text, int64_t now_ns, int64_t *end_ns)
{
    const char *bar = strchr(text, '|');
    char left[64], end[64];
    int64_t by_left, by_end, ahead;

    if (!bar || (size_t)(bar - text) >= sizeof(left))
        return DTX_EPARSE;
    (void)snprintf(left, sizeof(left), "%.*s", (int)(bar - text), text);
    (void)snprintf(end, sizeof(end), "%.*s", (int)strcspn(bar + 1, " \n"),
                   bar + 1);
    by_left = read_left(left, now_ns);
    by_end = read_date(end);
    if (by_left < 0 && by_end < 0)
        return DTX_EPARSE;
    *end_ns = by_left;
    if (by_left < 0)
        *end_ns = by_end;
    if (by_end < 0 || by_left <= by_end)
        return DTX_OK;
    ahead = by_left - by_end;
    if (by_left == INT64_MAX ||
        (ahead > APART_NS && (ahead + APART_NS) % SHIFT_NS > 2 * APART_NS))
        *end_ns = by_end;
    return DTX_OK;
}

int dtx_slurm_end(const char *job_id, int64_t *end_ns, struct dtx_error *err)
{
    char *const argv[] = {(char *)(uintptr_t)"squeue",
                          (char *)(uintptr_t)"--noheader",
                          (char *)(uintptr_t)"--jobs",
                          (char *)(uintptr_t)job_id,
                          (char *)(uintptr_t)"--format=%L|%e", NULL};
    const struct dtx_command c = {.argv = argv, .limit_ns = LIMIT_NS};
    struct dtx_buf out = DTX_BUF_INIT;
    int status = 0, rc = dtx_command_run(&c, &out, &status, err);

    if (rc == DTX_OK &&
        (status != 0 || out.failed ||
         dtx_slurm_read_end(out.data, dtx_clock_wall_ns(), end_ns)))
        rc = dtx_error_set(err, DTX_EPARSE,
                           "squeue does not tell when job %s ends (status %d)",
                           job_id, status);
    dtx_buf_free(&out);
    return rc;
}

bool dtx_slurm_read_preempted(const char *text)
{
    const char *when = strstr(text, " PreemptTime=");

    return when && strncmp(when + 13, "None", 4) != 0 &&
           strstr(text, " Requeue=1") != NULL;
}

bool dtx_slurm_preempted(const char *job_id)
{
    char *const argv[] = {(char *)(uintptr_t)"scontrol",
                          (char *)(uintptr_t)"--oneliner",
                          (char *)(uintptr_t)"show",
                          (char *)(uintptr_t)"job",
                          (char *)(uintptr_t)job_id, NULL};
    const struct dtx_command c = {.argv = argv, .limit_ns = LIMIT_NS};
    struct dtx_buf out = DTX_BUF_INIT;
    int status = 0;
    bool yes = dtx_command_run(&c, &out, &status, NULL) == DTX_OK &&
               status == 0 && !out.failed && dtx_slurm_read_preempted(out.data);

    dtx_buf_free(&out);
    return yes;
}

int dtx_slurm_requeue(const char *job_id, struct dtx_error *err)
{
    char *const argv[] = {(char *)(uintptr_t)"scontrol",
                          (char *)(uintptr_t)"requeue",
                          (char *)(uintptr_t)job_id, NULL};
    const struct dtx_command c = {
        .argv = argv, .with_stderr = true, .limit_ns = LIMIT_NS};
    struct dtx_buf out = DTX_BUF_INIT;
    int status = 0, rc = dtx_command_run(&c, &out, &status, err);

    if (rc == DTX_OK && status != 0)
        rc = dtx_error_set(err, DTX_ESYS,
                           "scontrol requeue %s: status %d: %.200s", job_id,
                           status, out.failed ? "" : out.data);
    dtx_buf_free(&out);
    return rc;
}

/* ---- the watch ---- */

/* Nothing of the rank's is held, and no signal to the job ends it: it goes with
 * the rank. */
static bool step_aside(pid_t parent)
{
    static const int deaf[] = {SIGINT,  SIGTERM, SIGHUP, SIGUSR1,
                               SIGUSR2, SIGPIPE, SIGCONT};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    size_t i;

    (void)prctl(PR_SET_NAME, "dtx-slurm", 0, 0, 0);
    (void)setsid();
    for (i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        (void)signal(deaf[i], SIG_IGN);
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
           null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
           dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0 &&
           setenv("SLURM_TIME_FORMAT", "standard", 1) == 0;
}

/* Sleep until it is time to ask again; false when the rank has gone. */
static bool rest(int asks, int64_t last_ns)
{
    int64_t due = last_ns + DTX_SLURM_ASK_S * DTX_SEC_NS, now;
    struct pollfd fd = {asks, POLLIN, 0};
    char byte;

    while ((now = dtx_clock_mono_ns()) < due) {
        if (poll(&fd, 1, (int)((due - now) / DTX_MSEC_NS) + 1) <= 0)
            continue;
        if (read(asks, &byte, 1) <= 0)
            return false;
        if (last_ns + SOON_NS < due)
            due = last_ns + SOON_NS;
    }
    return true;
}

static void watch(const char *job_id, int answers, int asks)
    __attribute__((noreturn));

static void watch(const char *job_id, int answers, int asks)
{
    int64_t told = 0, end, last;

    do {
        struct dtx_error err;

        last = dtx_clock_mono_ns();
        if (dtx_slurm_end(job_id, &end, &err))
            end = told ? told : -1;
        if (end != told &&
            write(answers, &end, sizeof(end)) != (ssize_t)sizeof(end))
            _exit(0);
        told = end;
    } while (rest(asks, last));
    _exit(0);
}

int dtx_slurm_watch_begin(struct dtx_slurm_watch *w, const char *job_id,
                          struct dtx_error *err)
{
    int answers[2], asks[2];
    pid_t parent = getpid();

    *w = (struct dtx_slurm_watch){0, -1, -1};
    if (pipe2(answers, O_CLOEXEC) < 0)
        return dtx_error_errno(err, "watch of Slurm: pipe");
    if (pipe2(asks, O_CLOEXEC) < 0) {
        (void)close(answers[0]);
        (void)close(answers[1]);
        return dtx_error_errno(err, "watch of Slurm: pipe");
    }
    w->pid = fork();
    if (w->pid == 0) {
        (void)close(answers[0]);
        (void)close(asks[1]);
        if (step_aside(parent))
            watch(job_id, answers[1], asks[0]);
        _exit(1);
    }
    (void)close(answers[1]);
    (void)close(asks[0]);
    w->answers = answers[0];
    w->asks = asks[1];
    if (w->pid < 0) {
        dtx_slurm_watch_end(w);
        return dtx_error_errno(err, "watch of Slurm: fork");
    }
    return DTX_OK;
}

bool dtx_slurm_watch_next(struct dtx_slurm_watch *w, int wait_ms,
                          int64_t *end_ns)
{
    struct pollfd fd = {w->answers, POLLIN, 0};
    ssize_t n;

    if (w->pid <= 0 || poll(&fd, 1, wait_ms) <= 0)
        return false;
    n = read(w->answers, end_ns, sizeof(*end_ns));
    if (n == (ssize_t)sizeof(*end_ns))
        return *end_ns > 0;
    dtx_slurm_watch_end(w); /* it has gone */
    return false;
}

void dtx_slurm_watch_ask(struct dtx_slurm_watch *w)
{
    if (w->pid > 0 && write(w->asks, "?", 1) != 1)
        dtx_slurm_watch_end(w);
}

void dtx_slurm_watch_end(struct dtx_slurm_watch *w)
{
    if (w->pid > 0) {
        (void)kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (w->pid != 0) {
        (void)close(w->answers);
        (void)close(w->asks);
    }
    w->pid = 0;
}
