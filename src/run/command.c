/* SPDX-License-Identifier: MIT */
/* Runs a program and listens; see command.h.  It never waits without an end,
 * and leaves no child behind. */
#include "run/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "node/clock.h"

extern char **environ;

/* Both ends of what goes on between us and the child. */
struct talk {
    int to[2], from[2];
    size_t written;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int open_talk(struct talk *t)
{
    *t = (struct talk){{-1, -1}, {-1, -1}, 0};
    if (pipe2(t->to, O_CLOEXEC) < 0 || pipe2(t->from, O_CLOEXEC) < 0)
        return -1;
    return fcntl(t->to[1], F_SETFL, O_NONBLOCK);
}

static void close_talk(struct talk *t)
{
    close_fd(&t->to[0]);
    close_fd(&t->to[1]);
    close_fd(&t->from[0]);
    close_fd(&t->from[1]);
}

/* The child gets no signal blocked or ignored that we have so, and a group of
 * its own, to be killed whole. */
static int spawn(const struct dtx_command *c, const struct talk *t, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc = posix_spawn_file_actions_init(&files);

    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc) {
        (void)posix_spawn_file_actions_destroy(&files);
        return rc;
    }
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &all);
    (void)posix_spawnattr_setpgroup(&attr, 0);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    rc = posix_spawn_file_actions_adddup2(&files, t->to[0], STDIN_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&files, t->from[1],
                                              STDOUT_FILENO);
    if (!rc && c->with_stderr)
        rc = posix_spawn_file_actions_adddup2(&files, t->from[1],
                                              STDERR_FILENO);
    else if (!rc)
        rc = posix_spawn_file_actions_addopen(&files, STDERR_FILENO,
                                              "/dev/null", O_WRONLY, 0);
    if (!rc)
        rc = posix_spawnp(pid, c->argv[0], &files, &attr, c->argv, environ);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Bytes from the child: false at their end. */
static bool listen_to(struct talk *t, struct dtx_buf *out)
{
    char piece[4096];
    ssize_t n = read(t->from[0], piece, sizeof(piece));

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n > 0 && out->len < DTX_COMMAND_OUTPUT)
        dtx_buf_append(out, piece, (size_t)n);
    return n > 0;
}

static void tell(const struct dtx_command *c, struct talk *t)
{
    ssize_t n = -1;

    if (t->written < c->len)
        n = write(t->to[1], c->input + t->written, c->len - t->written);
    if (n > 0)
        t->written += (size_t)n;
    if (t->written >= c->len || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&t->to[1]);
}

/* Until it has closed its output: true; or the time is over. */
static bool converse(const struct dtx_command *c, struct talk *t,
                     struct dtx_buf *out, int64_t end_ns)
{
    for (;;) {
        struct pollfd fd[2] = {{t->from[0], POLLIN, 0},
                               {t->to[1], POLLOUT, 0}};
        int64_t left = end_ns - dtx_clock_mono_ns();

        if (left <= 0)
            return false;
        if (poll(fd, 2, (int)(left / DTX_MSEC_NS) + 1) < 0 && errno != EINTR)
            return false;
        if (fd[1].revents)
            tell(c, t);
        if (fd[0].revents && !listen_to(t, out))
            return true;
    }
}

/* Wait for its end, up to a time; then kill it. */
static int reap(pid_t pid, int64_t end_ns, bool *killed)
{
    const struct timespec nap = {0, 5 * DTX_MSEC_NS};
    int status = 0;

    *killed = false;
    for (;;) {
        pid_t got = waitpid(pid, &status, *killed ? 0 : WNOHANG);

        if (got == pid || (got < 0 && errno != EINTR))
            return status;
        if (got == 0 && dtx_clock_mono_ns() < end_ns) {
            (void)nanosleep(&nap, NULL);
        } else if (got == 0) {
            *killed = true;
            (void)kill(-pid, SIGKILL);
            (void)kill(pid, SIGKILL);
        }
    }
}

int dtx_command_run(const struct dtx_command *c, struct dtx_buf *out,
                    int *status, struct dtx_error *err)
{
    int64_t end = dtx_clock_mono_ns() + c->limit_ns;
    void (*old_pipe)(int) = signal(SIGPIPE, SIG_IGN);
    struct talk t;
    bool killed = false;
    pid_t pid = -1;
    int rc = open_talk(&t) < 0 ? errno : 0;

    if (!rc)
        rc = spawn(c, &t, &pid);
    if (!rc) {
        close_fd(&t.to[0]);
        close_fd(&t.from[1]);
        if (!converse(c, &t, out, end))
            end = 0;
        rc = reap(pid, end, &killed);
        *status = WIFSIGNALED(rc) ? 128 + WTERMSIG(rc) : WEXITSTATUS(rc);
        rc = 0;
    }
    close_talk(&t);
    (void)signal(SIGPIPE, old_pipe);
    dtx_buf_append(out, "", 1);
    if (!out->failed)
        out->len--;
    if (rc)
        return dtx_error_set(err, rc == ENOENT ? DTX_ENOENT : DTX_ESYS,
                             "cannot run %s: %s", c->argv[0], strerror(rc));
    if (killed)
        return dtx_error_set(err, DTX_EAGAIN, "%s did not answer in %d s",
                             c->argv[0], (int)(c->limit_ns / DTX_SEC_NS));
    return DTX_OK;
}
