/* SPDX-License-Identifier: MIT */
/* Prepares a command and starts it by vfork; see spawner_child.h.  It decides
 * how a command is executed (directly or by the shell, by which file) and
 * what its process looks like; never when, and never watches it.
 *
 * Functions named child_* run between vfork and execve, in the child, on the
 * spawner's memory while the spawner stands still.  They allocate nothing and
 * take no lock.  Signals that the spawner catches become the default ones at
 * execve, so only the mask has to be set. */
#include "node/spawner_child.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "task/words.h"

#define DEFAULT_PATH "/bin:/usr/bin"
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

/* One prepared start. */
struct start {
    const struct dtx_launcher *l;
    const struct dtx_launch *t;
    char **argv; /* argv[-1] is there to be used */
    const char *name;
    const char *path; /* NULL: to be searched by the child */
    bool counts;
};

int dtx_launcher_init(struct dtx_launcher *l, const char *shell,
                      const char *path)
{
    memset(l, 0, sizeof(*l));
    l->shell = shell;
    l->path = path && path[0] ? path : DEFAULT_PATH;
    l->self = getpid();
    l->candidate_size = strlen(l->path) + NAME_MAX + 3;
    l->candidate = malloc(l->candidate_size);
    return l->candidate ? DTX_OK : DTX_ENOMEM;
}

static void forget_program(struct dtx_program *p)
{
    free(p->name);
    free(p->path);
    p->name = p->path = NULL;
}

/* ---- in the child ---- */

_Noreturn static void child_fail(int code, const char *whose, const char *what,
                                 const char *why)
{
    struct iovec v[6] = {
        {(void *)(uintptr_t) "distributex: ", 13},
        {(void *)(uintptr_t)whose, strlen(whose)},
        {(void *)(uintptr_t)what, strnlen(what, 1000)},
        {(void *)(uintptr_t) ": ", 2},
        {(void *)(uintptr_t)why, strlen(why)},
        {(void *)(uintptr_t) "\n", 1},
    };

    (void)writev(STDERR_FILENO, v, 6); /* the exit code tells as well */
    _exit(code);
}

/* strerror() may translate, which takes a lock; the spawner holds none. */
_Noreturn static void child_fail_exec(const struct start *s, const char *path,
                                      int e)
{
    bool missing = e == ENOENT || e == ENOTDIR || e == ENAMETOOLONG;

    if (e == ENOENT && path && access(path, F_OK) == 0)
        child_fail(EXIT_NOT_EXECUTABLE, "", s->name,
                   "its interpreter or loader was not found");
    child_fail(missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, "", s->name,
               strerror(e));
}

/* Returns only on failure, with the errno. A text file without "#!" is given
 * to the shell, as execvp does. */
static int child_exec(const struct start *s, const char *path)
{
    (void)execve(path, s->argv, s->t->env);
    if (errno == ENOEXEC) {
        s->argv[-1] = (char *)(uintptr_t) "/bin/sh";
        s->argv[0] = (char *)(uintptr_t)path;
        (void)execve("/bin/sh", s->argv - 1, s->t->env);
    }
    return errno;
}

/* Go through PATH; returns the errno when nothing could be executed. */
static int child_search(const struct start *s)
{
    const char *dir = s->l->path;
    size_t n = strlen(s->name);
    bool denied = false;
    int e = ENOENT;

    if (n > NAME_MAX)
        return ENAMETOOLONG;
    if (n == 0)
        return ENOENT;
    while (dir) {
        const char *end = strchrnul(dir, ':');
        size_t len = (size_t)(end - dir);
        char *p = s->l->candidate;

        memcpy(p, dir, len);
        if (len > 0)
            p[len++] = '/';
        memcpy(p + len, s->name, n + 1);
        e = child_exec(s, p);
        if (e == EACCES)
            denied = true;
        else if (e != ENOENT && e != ENOTDIR && e != ESTALE && e != ENODEV &&
                 e != ETIMEDOUT && e != ENAMETOOLONG && e != ELOOP)
            return e;
        dir = *end ? end + 1 : NULL;
    }
    return denied ? EACCES : ENOENT;
}

static void child_enter(const char *dir)
{
    if (dir && chdir(dir) != 0)
        child_fail(EXIT_NOT_EXECUTABLE, "the working directory ", dir,
                   strerror(errno));
}

static void child_redirect(int from, int to)
{
    if (from >= 0 && dup2(from, to) < 0)
        _exit(EXIT_NOT_EXECUTABLE);
}

_Noreturn static void child_run(const struct start *s)
{
    const struct dtx_launcher *l = s->l;
    const struct dtx_launch *t = s->t;
    sigset_t none;
    int e;

    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        getppid() != l->self)
        _exit(EXIT_NOT_EXECUTABLE);
    /* here, so that the rank knows it whenever the spawner dies */
    atomic_store_explicit(t->group, getpid(), memory_order_relaxed);
    child_redirect(t->err_fd, STDERR_FILENO);
    child_redirect(t->out_fd, STDOUT_FILENO);
    /* a mask that does not suit any more (a changed cgroup) is no reason not
     * to run */
    if (t->mask)
        (void)syscall(SYS_sched_setaffinity, 0, t->mask_size, t->mask);
    if (l->set_files)
        (void)setrlimit(RLIMIT_NOFILE, &l->files);
    child_enter(l->base_cwd);
    child_enter(t->cwd);
    if (s->counts)
        dtx_counting_child(&l->counting);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    e = s->path ? child_exec(s, s->path) : ENOENT;
    if (e == ENOENT && s->path != s->name)
        child_fail_exec(s, s->path, child_search(s));
    child_fail_exec(s, s->path, e);
}

/* vfork in a function of its own: it must not return in the child, and the
 * compiler must not keep anything in registers across it. */
__attribute__((noinline)) static pid_t start_by_vfork(const struct start *s)
{
    pid_t pid = vfork();

    if (pid == 0)
        child_run(s);
    return pid;
}

/* One that is to wait for us cannot have our memory. */
static pid_t start_by_fork(const struct start *s)
{
    pid_t pid = fork();

    if (pid == 0)
        child_run(s);
    return pid;
}

static pid_t start_child(struct dtx_launcher *l, struct start *s)
{
    pid_t pid;
    int e;

    s->counts = s->t->counter && dtx_counting_prepare(&l->counting);
    if (!s->counts)
        return start_by_vfork(s);
    pid = dtx_counting_holds(&l->counting) ? start_by_fork(s)
                                           : start_by_vfork(s);
    e = errno;
    dtx_counting_begin(&l->counting, pid, s->t->counter);
    errno = e;
    return pid;
}

/* ---- in the spawner ---- */

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           access(path, X_OK) == 0;
}

/* Look through PATH as long as its directories are absolute: the others mean
 * something else for every task. The path in 'candidate', or NULL. */
static const char *search_path(struct dtx_launcher *l, const char *name)
{
    const char *dir = l->path;
    size_t n = strlen(name);

    while (n <= NAME_MAX && dir && dir[0] == '/') {
        const char *end = strchrnul(dir, ':');
        size_t len = (size_t)(end - dir);

        memcpy(l->candidate, dir, len);
        l->candidate[len] = '/';
        memcpy(l->candidate + len + 1, name, n + 1);
        if (is_program(l->candidate))
            return l->candidate;
        dir = *end ? end + 1 : NULL;
    }
    return NULL;
}

/* The file of a program named without a slash, from the cache if it is there.
 * NULL: the child has to search. */
static const char *find_program(struct dtx_launcher *l, const char *name)
{
    size_t n = strlen(name);
    struct dtx_program *p;
    const char *found;

    p = &l->program[dtx_hash128(name, n, 0).lo % DTX_PATH_CACHE];
    if (p->name && strcmp(p->name, name) == 0)
        return p->path;
    found = search_path(l, name);
    if (!found)
        return NULL;
    forget_program(p);
    p->name = strdup(name);
    p->path = strdup(found);
    if (!p->name || !p->path)
        forget_program(p);
    return p->path;
}

/* Room for 'n' arguments, one before them and the NULL. */
static bool reserve_vec(struct dtx_launcher *l, size_t n)
{
    char **v = dtx_grow(l->vec, &l->cap_vec, n + 2, sizeof(*v));

    if (v)
        l->vec = v;
    return v != NULL;
}

static bool prepare_shell(struct dtx_launcher *l, const struct dtx_launch *t)
{
    char *command = t->command;

    if (!reserve_vec(l, 3))
        return false;
    if (command[0] == '-' || command[0] == '+') {
        /* a blank keeps the shell from reading it as an option */
        dtx_buf_clear(&l->text);
        dtx_buf_char(&l->text, ' ');
        dtx_buf_append(&l->text, command, t->len);
        if (l->text.failed)
            return false;
        command = l->text.data;
    }
    l->vec[1] = (char *)(uintptr_t)l->shell;
    l->vec[2] = (char *)(uintptr_t) "-c";
    l->vec[3] = command;
    l->vec[4] = NULL;
    return true;
}

static bool prepare_words(struct dtx_launcher *l, const struct dtx_words *w)
{
    if (!reserve_vec(l, w->argc))
        return false;
    memcpy(l->vec + 1, w->argv, (w->argc + 1) * sizeof(*w->argv));
    return true;
}

pid_t dtx_launcher_start(struct dtx_launcher *l, const struct dtx_launch *t)
{
    struct dtx_words w;
    struct start s = {l, t, NULL, NULL, NULL, false};
    bool ready;
    pid_t pid = -1;
    int e = ENOMEM;

    if (dtx_words_split(t->command, t->len, &w) != DTX_OK) {
        errno = ENOMEM;
        return -1;
    }
    if (w.shell || w.argc == 0)
        ready = prepare_shell(l, t);
    else
        ready = prepare_words(l, &w);
    if (ready) {
        s.argv = l->vec + 1;
        s.name = s.argv[0];
        s.path = strchr(s.name, '/') ? s.name : find_program(l, s.name);
        pid = start_child(l, &s);
        e = errno;
    }
    dtx_words_free(&w);
    errno = e;
    return pid;
}
