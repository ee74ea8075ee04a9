/* SPDX-License-Identifier: MIT */
/* Asks hosts whether they are there, the way mpirun would reach them; see
 * supervise_hosts.h. */
#include "run/supervise_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "run/supervise.h"
#include "run/supervise_words.h"
#include "task/nodelist.h"

#define ANSWER_NS (10 * DTX_SEC_NS)
#define STEP_NS (20 * DTX_MSEC_NS)
#define AT_ONCE 64 /* hosts asked */

struct host {
    char *line; /* as in the file */
    char name[256];
    pid_t pid;
    bool answers;
};

struct hosts {
    struct host *v;
    size_t n, cap;
};

/* Lines that name no host are kept as well. */
static bool add_line(struct hosts *h, const char *line, size_t len)
{
    struct host *p = dtx_grow(h->v, &h->cap, h->n + 1, sizeof(*p));

    if (!p)
        return false;
    h->v = p;
    p += h->n;
    memset(p, 0, sizeof(*p));
    p->line = strndup(line, len);
    if (!p->line)
        return false;
    h->n++;
    line += strspn(line, " \t");
    len = strcspn(line, " \t\n#");
    if (len > 0 && len < sizeof(p->name))
        memcpy(p->name, line, len);
    return true;
}

static bool read_hosts(const char *path, struct hosts *h)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    bool good = f != NULL;
    ssize_t n;

    while (good && (n = getline(&line, &cap, f)) > 0)
        good = add_line(h, line, (size_t)n);
    free(line);
    if (f)
        (void)fclose(f);
    return good;
}

static int add_node(void *hosts, const char *name)
{
    char line[DTX_NODE_NAME_MAX + 2];
    int len = snprintf(line, sizeof(line), "%s\n", name);

    return add_line(hosts, line, (size_t)len) ? 0 : -1;
}

/* With 'mpirun' NULL the way to it is srun's. What the job asked for its own
 * processes is not for this one. */
static void ask(const char *mpirun, struct host *h)
{
#define WORD(text) (char *)(uintptr_t)(text)
    char *const by_mpirun[] = {WORD(mpirun), WORD("--host"), h->name,
                               WORD("-n"), WORD("1"),
                               WORD("--oversubscribe"), WORD("true"), NULL};
    char *const by_srun[] = {
        WORD("srun"),       WORD("--overlap"),      WORD("--nodes=1"),
        WORD("--ntasks=1"), WORD("--mpi=none"),     WORD("--mem=0"),
        WORD("--gres=none"), WORD("--cpus-per-task=1"),
        WORD("--ntasks-per-node=1"), WORD("--nodelist"),
        h->name,            WORD("true"),           NULL};
#undef WORD
    char *const *words = mpirun ? by_mpirun : by_srun;
    sigset_t none;
    int null;

    h->pid = fork();
    if (h->pid != 0)
        return;
    null = open("/dev/null", O_RDWR);
    (void)setpgid(0, 0);
    if (geteuid() == 0) {
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    }
    if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 &&
        dup2(null, 2) == 2 && sigemptyset(&none) == 0 &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        (void)execvp(words[0], words);
    _exit(127);
}

/* Take note of those that have answered; true when none is waited for. */
static bool hear(struct host *h, size_t n)
{
    bool all = true;

    for (size_t i = 0; i < n; i++) {
        int status;
        pid_t pid = h[i].pid > 0 ? waitpid(h[i].pid, &status, WNOHANG) : 0;

        if (pid == h[i].pid && pid > 0) {
            h[i].pid = 0;
            h[i].answers = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        all &= h[i].pid <= 0;
    }
    return all;
}

static void ask_some(const char *mpirun, struct host *h, size_t n)
{
    const struct timespec step = {0, STEP_NS};
    int64_t end = dtx_clock_mono_ns() + ANSWER_NS;

    for (size_t i = 0; i < n; i++) {
        if (h[i].name[0])
            ask(mpirun, &h[i]);
    }
    while (!hear(h, n) && dtx_clock_mono_ns() < end)
        (void)nanosleep(&step, NULL);
    for (size_t i = 0; i < n; i++) {
        if (h[i].pid <= 0)
            continue;
        (void)kill(-h[i].pid, SIGKILL);
        (void)kill(h[i].pid, SIGKILL);
        while (waitpid(h[i].pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
}

static bool write_hosts(const struct hosts *h, const char *path)
{
    FILE *f = fopen(path, "we");
    bool good = f != NULL;

    for (size_t i = 0; good && i < h->n; i++) {
        if (!h->v[i].name[0] || h->v[i].answers)
            good = fputs(h->v[i].line, f) >= 0;
        else
            dtx_log(DTX_LOG_WARN, "supervisor: host %s does not answer: going "
                                  "on without it", h->v[i].name);
    }
    return f && fclose(f) == 0 && good;
}

bool dtx_supervise_hosts(const struct dtx_supervise *s, const char *run_dir,
                         struct dtx_buf *path, uint32_t *ranks)
{
    struct hosts h = {NULL, 0, 0};
    size_t alive = 0;
    bool good = s->hostfile ? read_hosts(s->hostfile, &h)
                            : dtx_nodelist_each(s->nodes, add_node, &h) == 0;

    *ranks = s->ranks;
    dtx_buf_clear(path);
    for (size_t i = 0; good && i < h.n; i += AT_ONCE)
        ask_some(s->hostfile ? dtx_supervise_mpirun(s) : NULL, h.v + i,
                 h.n - i < AT_ONCE ? h.n - i : AT_ONCE);
    for (size_t i = 0; i < h.n; i++)
        alive += h.v[i].answers;
    if (good && alive > 0) {
        dtx_buf_printf(path, "%s/.hosts", run_dir);
        if (path->failed || !write_hosts(&h, path->data))
            dtx_buf_clear(path);
        else if (!s->hostfile && s->ranks % h.n == 0)
            *ranks = s->ranks / (uint32_t)h.n * (uint32_t)alive;
    }
    for (size_t i = 0; i < h.n; i++)
        free(h.v[i].line);
    free(h.v);
    return !good || alive > 0;
}
