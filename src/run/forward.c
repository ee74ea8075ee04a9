/* SPDX-License-Identifier: MIT */
/* Carrying stdout past mpirun; see forward.h.  The carrier ends at the end of
 * its input, whoever was killed. */
#include "run/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"

#define END_WAIT_NS (10 * DTX_SEC_NS)
#define END_STEP_NS (5 * DTX_MSEC_NS)

static bool write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void carry(int from, int to) __attribute__((noreturn));

static void carry(int from, int to)
{
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2,
                               SIGPIPE};
    char piece[65536];
    bool heard = true;
    ssize_t n;
    size_t i;

    for (i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        (void)signal(deaf[i], SIG_IGN);
    for (;;) {
        n = read(from, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(0);
        heard = heard && write_all(to, piece, (size_t)n);
    }
}

int dtx_forward_begin(struct dtx_forward *f, struct dtx_error *err)
{
    struct stat st;
    int way[2];

    f->pid = 0;
    if (fstat(STDOUT_FILENO, &st) != 0 ||
        !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return DTX_OK;
    f->old_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (f->old_stdout < 0 || pipe2(way, O_CLOEXEC) != 0)
        return dtx_error_errno(err, "cannot make a pipe for stdout");
    f->pid = fork();
    if (f->pid == 0) {
        (void)close(way[1]);
        (void)close(STDOUT_FILENO);
        carry(way[0], f->old_stdout);
    }
    (void)close(way[0]);
    if (f->pid < 0 || dup2(way[1], STDOUT_FILENO) < 0) {
        f->pid = 0;
        (void)close(way[1]);
        return dtx_error_errno(err, "cannot start a carrier for stdout");
    }
    (void)close(way[1]);
    return DTX_OK;
}

void dtx_forward_end(struct dtx_forward *f)
{
    const struct timespec step = {0, END_STEP_NS};
    int64_t waited = 0;

    if (f->pid == 0)
        return;
    (void)dup2(f->old_stdout, STDOUT_FILENO);
    (void)close(f->old_stdout);
    while (waitpid(f->pid, NULL, WNOHANG) == 0 && waited < END_WAIT_NS) {
        (void)nanosleep(&step, NULL);
        waited += END_STEP_NS;
    }
    f->pid = 0;
}
