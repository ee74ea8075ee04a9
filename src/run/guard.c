/* SPDX-License-Identifier: MIT */
/* Has srun start the guard on another node; see guard.h.  It never decides that
 * a node is dead: Slurm does. */
#include "run/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "task/nodelist.h"

#define LEAVE_NS (2 * DTX_SEC_NS)
#define STEP_NS (10 * DTX_MSEC_NS)

/* $1 the node, $2 the job. The node is asked for alone, which is cheap. */
static const char script[] =
    "while sleep 60; do\n"
    "    case \"$(scontrol --oneliner show node \"$1\")\" in\n"
    "    *' State=DOWN'*)\n"
    "        scontrol requeue \"$2\" || scancel \"$2\"\n"
    "        ;;\n"
    "    esac\n"
    "done\n";

struct place {
    const char *here;
    struct dtx_buf *out;
};

static int look(void *ctx, const char *name)
{
    const struct place *p = ctx;

    if (strcmp(name, p->here) == 0)
        return 0;
    dtx_buf_str(p->out, name);
    return 1;
}

void dtx_guard_place(const char *nodes, const char *here, struct dtx_buf *out)
{
    struct place p = {here, out};

    (void)dtx_nodelist_each(nodes, look, &p);
}

static void become_srun(char *node, char *here, char *job, pid_t parent)
    __attribute__((noreturn));

/* What the job asked for its own processes is not for this one. */
static void become_srun(char *node, char *here, char *job, pid_t parent)
{
#define WORD(text) (char *)(uintptr_t)(text)
    char *const words[] = {
        WORD("srun"),          WORD("--overlap"),
        WORD("--no-kill"),     WORD("--nodes=1"),
        WORD("--ntasks=1"),    WORD("--ntasks-per-node=1"),
        WORD("--mpi=none"),    WORD("--mem=0"),
        WORD("--gres=none"),   WORD("--cpus-per-task=1"),
        WORD("--cpu-bind=none"), WORD("--job-name=dtx-guard"),
        WORD("--nodelist"),    node,
        WORD("sh"),            WORD("-c"),
        WORD(script),          WORD("dtx-guard"),
        here,                  job,
        NULL};
#undef WORD
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setpgid(0, 0);
    (void)signal(SIGINT, SIG_IGN); /* twice, and srun would end */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
        null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
        dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0)
        (void)execvp(words[0], words);
    _exit(127);
}

pid_t dtx_guard_begin(void)
{
    char *job = getenv("SLURM_JOB_ID"), *here = getenv("SLURMD_NODENAME");
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    struct dtx_buf node = DTX_BUF_INIT;
    pid_t parent = getpid(), pid = 0;

    if (!job || !here || !nodes)
        return 0;
    dtx_guard_place(nodes, here, &node);
    if (node.len > 0 && !node.failed)
        pid = fork();
    if (pid == 0 && node.len > 0 && getpid() != parent)
        become_srun(node.data, here, job, parent);
    if (pid < 0)
        dtx_log(DTX_LOG_WARN, "no process watches this node from %s: %s",
                node.data, strerror(errno));
    dtx_buf_free(&node);
    return pid > 0 ? pid : 0;
}

/* The first TERM has srun end the step; it need not be waited for. */
void dtx_guard_end(pid_t guard)
{
    const struct timespec step = {0, STEP_NS};
    int64_t end = dtx_clock_mono_ns() + LEAVE_NS;

    if (guard <= 0)
        return;
    (void)kill(guard, SIGTERM);
    while (waitpid(guard, NULL, WNOHANG) == 0) {
        if (dtx_clock_mono_ns() >= end)
            (void)kill(guard, SIGKILL);
        (void)nanosleep(&step, NULL);
    }
}
