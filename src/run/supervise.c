/* SPDX-License-Identifier: MIT */
/* The supervisor; see supervise.h.  It decides how mpirun is called, which
 * signal it gets when, and what status the job ended with; it never talks to
 * the ranks, never believes mpirun's exit status, and never waits for it
 * without an end once the job is over. */
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

#define LEAVE_NS (10 * DTX_SEC_NS)
#define KILL_NS (5 * DTX_SEC_NS)
#define TICK_NS (200 * DTX_MSEC_NS)
#define DEAF_NS (5 * DTX_SEC_NS) /* mpirun should catch signals by then */

/* A list of strings of its own, ended by NULL. */
struct words {
    char **v;
    size_t n, cap;
    bool failed;
};

struct job {
    pid_t pid; /* mpirun, and its process group */
    struct dtx_marker marker;
    int64_t leave_ns, kill_ns;
    int64_t started;
    unsigned ints;
    bool draining, killing; /* asked for */
    bool kill_sent, deaf_said;
    int64_t next_drain, drain_gap;
    int64_t term_at, kill_at, give_up_at; /* 0: not planned */
    bool marked;                          /* the marker has been seen */
    bool ended;
    int wait_status;
};

struct signals {
    sigset_t wanted, old_mask;
    struct sigaction old_chld;
};

/* --- the command line and the environment --------------------------------- */

static void add_word(struct words *w, const char *s, size_t len)
{
    char **grown = dtx_grow(w->v, &w->cap, w->n + 2, sizeof(*w->v));
    char *copy = strndup(s, len);

    if (grown)
        w->v = grown;
    if (!grown || !copy) {
        w->failed = true;
        free(copy);
        return;
    }
    w->v[w->n++] = copy;
    w->v[w->n] = NULL;
}

static void add(struct words *w, const char *s)
{
    add_word(w, s, strlen(s));
}

static void free_words(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
}

static bool user_set(const char *name)
{
    return getenv(name) != NULL;
}

/* Options of ours in the environment have to reach ranks on other nodes. */
static void add_exports(struct words *w)
{
    add(w, "-x");
    add(w, DTX_MARKER_ENV);
    for (char **e = environ; e && *e; e++) {
        size_t len = strcspn(*e, "=");

        if (strncmp(*e, "DTX_", 4) != 0 ||
            (len == strlen(DTX_MARKER_ENV) &&
             strncmp(*e, DTX_MARKER_ENV, len) == 0))
            continue;
        add(w, "-x");
        add_word(w, *e, len);
    }
}

/* So that the ranks that are left go on when one dies, and that a daemon whose
 * link is cut is missed within seconds rather than minutes. */
static void add_settings(struct words *w)
{
    static const struct {
        const char *name, *value;
    } set[] = {{"orte_enable_recovery", "1"},
               {"oob_tcp_keepalive_time", "2"},
               {"oob_tcp_keepalive_intvl", "1"},
               {"oob_tcp_keepalive_probes", "3"}};
    char name[64];

    for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        (void)snprintf(name, sizeof(name), "OMPI_MCA_%s", set[i].name);
        if (user_set(name))
            continue;
        add(w, "--mca");
        add(w, set[i].name);
        add(w, set[i].value);
    }
}

/* Ranks share the cores among themselves: mpirun must not bind them, nor count
 * them. What the user has set by environment is left alone. */
static void build_command(const struct dtx_supervise *s, struct words *w)
{
    const char *env = getenv("MPIRUN");
    char count[16];

    add(w, s->mpirun ? s->mpirun : env && env[0] ? env : "mpirun");
    (void)snprintf(count, sizeof(count), "%u", (unsigned)s->ranks);
    add(w, "-n");
    add(w, count);
    if (s->hostfile) {
        add(w, "--hostfile");
        add(w, s->hostfile);
    }
    if (!user_set("OMPI_MCA_rmaps_base_oversubscribe") &&
        !user_set("OMPI_MCA_rmaps_base_no_oversubscribe"))
        add(w, "--oversubscribe");
    if (!user_set("OMPI_MCA_hwloc_base_binding_policy")) {
        add(w, "--bind-to");
        add(w, "none");
    }
    add_settings(w);
    add_exports(w);
    for (char **a = s->argv; *a; a++)
        add(w, *a);
}

static void add_setting(struct words *w, const char *name, const char *value)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_buf_printf(&b, "%s=%s", name, value);
    if (b.failed)
        w->failed = true;
    else
        add(w, b.data);
    dtx_buf_free(&b);
}

static void add_default(struct words *w, const char *name, const char *value)
{
    if (!user_set(name))
        add_setting(w, name, value);
}

static void build_env(const char *marker, struct words *w)
{
    size_t len = strlen(DTX_MARKER_ENV);

    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, DTX_MARKER_ENV, len) != 0 || (*e)[len] != '=')
            add(w, *e);
    }
    add_setting(w, DTX_MARKER_ENV, marker);
    add_default(w, "OMPI_MCA_mpi_yield_when_idle", "1");
    if (geteuid() == 0) {
        add_default(w, "OMPI_ALLOW_RUN_AS_ROOT", "1");
        add_default(w, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
}

static void log_command(const struct words *w)
{
    struct dtx_buf b = DTX_BUF_INIT;

    for (size_t i = 0; i < w->n; i++) {
        if (i > 0)
            dtx_buf_char(&b, ' ');
        dtx_buf_shell_quoted(&b, w->v[i], strlen(w->v[i]));
    }
    if (!b.failed)
        dtx_log(DTX_LOG_INFO, "supervisor: %s", b.data);
    dtx_buf_free(&b);
}

/* --- starting mpirun ------------------------------------------------------ */

/* In the child, up to exec. A background group may write to the terminal also
 * under "stty tostop". */
static void become_mpirun(const struct words *cmd, const struct words *env,
                          const struct signals *sig, int in_fd, int report_fd,
                          pid_t parent) __attribute__((noreturn));

static void become_mpirun(const struct words *cmd, const struct words *env,
                          const struct signals *sig, int in_fd, int report_fd,
                          pid_t parent)
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

static int start(struct job *j, const struct words *cmd,
                 const struct words *env, const struct signals *sig, int in_fd,
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

/* --- watching it ---------------------------------------------------------- */

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

static void tell(const struct job *j, int sig)
{
    if (kill(j->pid, sig) < 0)
        dtx_log(DTX_LOG_DEBUG, "supervisor: mpirun is gone");
}

static void plan_end(struct job *j, int64_t at)
{
    if (j->term_at == 0 || at < j->term_at)
        j->term_at = at;
}

static void on_signal(struct job *j, int sig)
{
    if (sig == SIGCHLD)
        return;
    if (sig == SIGINT)
        j->ints++;
    j->draining = true;
    if (j->ints >= 2)
        j->killing = true;
}

/* Will a signal reach the ranks, and not end them? */
static bool can_tell(const struct job *j, int sig)
{
    return catches(j->pid, sig) && dtx_marker_is_ready(&j->marker);
}

static void say_deaf(struct job *j)
{
    j->deaf_said = true;
    dtx_log(DTX_LOG_WARN,
            "supervisor: the ranks cannot be told to drain: %s; a second "
            "Ctrl-C ends them",
            catches(j->pid, SIGUSR1) ? "they have not met yet"
                                     : "mpirun does not catch SIGUSR1");
}

/* Pass on what was asked for. */
static void pass_on(struct job *j, int64_t now)
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

/* TERM, KILL and giving up, each when its time has come. */
static void push(struct job *j, int64_t now)
{
    if (!j->marked && access(j->marker.path, F_OK) == 0) {
        j->marked = true;
        plan_end(j, now + j->leave_ns);
    }
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

static void watch(struct job *j, const struct signals *sig)
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
            on_signal(j, got);
    }
}

static const char *say_ending(const struct job *j, char *buf, size_t size)
{
    if (!j->ended)
        (void)snprintf(buf, size, "nothing, and did not end");
    else if (WIFSIGNALED(j->wait_status))
        (void)snprintf(buf, size, "signal %d", WTERMSIG(j->wait_status));
    else
        (void)snprintf(buf, size, "exit %d", WEXITSTATUS(j->wait_status));
    return buf;
}

static int judge(const struct job *j, int *exit_status, struct dtx_error *err)
{
    int status = dtx_marker_read(&j->marker);
    char said[64];

    if (status >= 0) {
        *exit_status = status;
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
    if (!dtx_marker_is_ready(&j->marker)) {
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
static int hold_signals(struct signals *sig)
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

static void release_signals(const struct signals *sig)
{
    const struct timespec none = {0, 0};

    while (sigtimedwait(&sig->wanted, NULL, &none) > 0)
        continue;
    (void)sigaction(SIGCHLD, &sig->old_chld, NULL);
    (void)sigprocmask(SIG_SETMASK, &sig->old_mask, NULL);
}

static int launch_and_watch(const struct dtx_supervise *s, struct job *j,
                            const struct words *cmd, const struct words *env,
                            struct dtx_error *err)
{
    struct signals sig;
    int in_fd = -1, rc;

    if (!s->pass_stdin) {
        in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (in_fd < 0)
            return dtx_error_errno(err, "/dev/null");
    }
    if (hold_signals(&sig) < 0) {
        rc = dtx_error_errno(err, "supervisor: signals");
    } else {
        rc = start(j, cmd, env, &sig, in_fd, err);
        if (rc == DTX_OK)
            watch(j, &sig);
        release_signals(&sig);
    }
    if (in_fd >= 0)
        (void)close(in_fd);
    return rc;
}

int dtx_supervise_run(const struct dtx_supervise *s, int *exit_status,
                      struct dtx_error *err)
{
    struct words cmd = {NULL, 0, 0, false}, env = {NULL, 0, 0, false};
    struct job j = {.leave_ns = s->leave_ns ? s->leave_ns : LEAVE_NS,
                    .kill_ns = s->kill_ns ? s->kill_ns : KILL_NS,
                    .drain_gap = DTX_SEC_NS};
    int rc;

    *exit_status = DTX_EXIT_MPI;
    dtx_marker_name(&j.marker, s->run_dir);
    build_command(s, &cmd);
    if (j.marker.path)
        build_env(j.marker.path, &env);
    if (!j.marker.path || cmd.failed || env.failed) {
        rc = dtx_error_set(err, DTX_ENOMEM, "supervisor: out of memory");
    } else {
        if (s->verbose)
            log_command(&cmd);
        rc = launch_and_watch(s, &j, &cmd, &env, err);
        if (rc == DTX_OK)
            rc = judge(&j, exit_status, err);
    }
    dtx_marker_remove(&j.marker);
    free_words(&cmd);
    free_words(&env);
    return rc;
}
