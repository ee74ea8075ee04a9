/* SPDX-License-Identifier: MIT */
/* tests/bench/bare_loop.c - the least that runs a file of commands
 *
 *     bare_loop [-k N] [-s] [-r DIR] [-t FILE] COMMANDS
 *
 * posix_spawn, a pidfd for each child, epoll: N commands in flight (2), in the
 * order of the file.  A line that is only words is executed directly, any
 * other goes to sh -c.  It captures nothing, records nothing, limits nothing:
 * what the benchmarks compare with.  -s sets DTX_SLOT; -r has command N
 * write straight to DIR/N/stdout and DIR/N/stderr, with DIR/N/seq beside them;
 * -t writes the seconds between the first start and the last end to FILE.  Ends
 * with 1 when a command failed, with 2 when it could not do its work.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

extern char **environ;

struct command {
    char **argv;
};

struct list {
    struct command *item;
    size_t n, cap;
};

struct loop {
    struct list list;
    int epoll_fd;
    int *slot_fd; /* pidfd per slot, -1 = free */
    int nslots;
    bool tell_slot;
    const char *results; /* directory, or NULL */
    size_t next;
    int running;
    bool failed;
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void *need(void *p)
{
    if (!p)
        die("bare_loop");
    return p;
}

static double seconds(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the commands ---- */

static char **shell_words(char *line)
{
    char **v = need(calloc(4, sizeof(*v)));
    static char sh[] = "/bin/sh", c[] = "-c";

    v[0] = sh;
    v[1] = c;
    v[2] = line;
    return v;
}

static char **split_words(char *line)
{
    size_t n = 0, cap = strlen(line) / 2 + 2;
    char **v = need(calloc(cap, sizeof(*v))), *save = NULL, *word;

    for (word = strtok_r(line, " \t", &save); word;
         word = strtok_r(NULL, " \t", &save))
        v[n++] = word;
    return v;
}

static void add_line(struct list *l, char *line)
{
    static const char special[] = "|&;<>()$`\\\"'*?[]#~=%!{}";
    struct command *grown;

    if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
        return;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 1024;
        grown = realloc(l->item, l->cap * sizeof(*grown));
        l->item = need(grown);
    }
    l->item[l->n++].argv =
        strpbrk(line, special) ? shell_words(line) : split_words(line);
}

static void read_list(struct list *l, const char *path)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (!f)
        die(path);
    while ((len = getline(&line, &cap, f)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        add_line(l, need(strdup(line)));
    }
    free(line);
    if (ferror(f) || fclose(f) != 0)
        die(path);
}

/* ---- the loop ---- */

static int open_result(const char *dir, size_t n, const char *name)
{
    char path[512];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%zu/%s", dir, n, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        die(path);
    return fd;
}

/* The folder of command 'n', and where its output goes. */
static void make_results(const char *dir, size_t n, int fd[2])
{
    char path[512];
    int seq;

    (void)snprintf(path, sizeof(path), "%s/%zu", dir, n);
    if (mkdir(path, 0777) != 0)
        die(path);
    seq = open_result(dir, n, "seq");
    if (dprintf(seq, "%zu", n) < 0 || close(seq) != 0)
        die("seq");
    fd[0] = open_result(dir, n, "stdout");
    fd[1] = open_result(dir, n, "stderr");
}

static int spawn(const struct loop *l, char **argv, pid_t *pid)
{
    posix_spawn_file_actions_t to;
    int rc, fd[2];

    if (!l->results)
        return posix_spawnp(pid, argv[0], NULL, NULL, argv, environ);
    make_results(l->results, l->next, fd);
    if (posix_spawn_file_actions_init(&to) != 0 ||
        posix_spawn_file_actions_adddup2(&to, fd[0], 1) != 0 ||
        posix_spawn_file_actions_adddup2(&to, fd[1], 2) != 0)
        die("posix_spawn_file_actions");
    rc = posix_spawnp(pid, argv[0], &to, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&to);
    (void)close(fd[0]);
    (void)close(fd[1]);
    return rc;
}

static void start_next(struct loop *l, int slot)
{
    char **argv = l->list.item[l->next++].argv, text[16];
    struct epoll_event ev = {.events = EPOLLIN};
    pid_t pid;
    int rc, fd;

    if (l->tell_slot) {
        (void)snprintf(text, sizeof(text), "%d", slot + 1);
        if (setenv("DTX_SLOT", text, 1) != 0)
            die("setenv");
    }
    rc = spawn(l, argv, &pid);
    if (rc != 0) {
        errno = rc;
        die(argv[0]);
    }
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        die("pidfd_open");
    ev.data.u32 = (uint32_t)slot;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
        die("epoll_ctl");
    l->slot_fd[slot] = fd;
    l->running++;
}

static void reap(struct loop *l, int slot)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    if (waitid((idtype_t)P_PIDFD, (id_t)l->slot_fd[slot], &info, WEXITED) != 0)
        die("waitid");
    l->failed |= info.si_code != CLD_EXITED || info.si_status != 0;
    /* a child between vfork and exec may still hold the pidfd open */
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->slot_fd[slot], NULL) != 0)
        die("epoll_ctl");
    if (close(l->slot_fd[slot]) != 0)
        die("close");
    l->slot_fd[slot] = -1;
    l->running--;
}

static void run(struct loop *l)
{
    struct epoll_event ev[64];
    int i, n;

    for (i = 0; i < l->nslots && l->next < l->list.n; i++)
        start_next(l, i);
    while (l->running > 0) {
        n = epoll_wait(l->epoll_fd, ev, 64, -1);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (i = 0; i < n; i++) {
            reap(l, (int)ev[i].data.u32);
            if (l->next < l->list.n)
                start_next(l, (int)ev[i].data.u32);
        }
    }
}

static void write_time(const char *path, double s)
{
    FILE *f = fopen(path, "we");

    if (!f)
        die(path);
    (void)fprintf(f, "%.6f\n", s);
    if (fclose(f) != 0)
        die(path);
}

int main(int argc, char **argv)
{
    struct loop l = {.nslots = 2};
    const char *time_file = NULL;
    double begin;
    int c, i;

    while ((c = getopt(argc, argv, "k:r:st:")) != -1) {
        if (c == 'k')
            l.nslots = (int)strtol(optarg, NULL, 10);
        else if (c == 'r')
            l.results = optarg;
        else if (c == 's')
            l.tell_slot = true;
        else if (c == 't')
            time_file = optarg;
        else
            return 2;
    }
    if (argc - optind != 1 || l.nslots < 1 || l.nslots > 65536) {
        (void)fprintf(stderr,
                      "usage: bare_loop [-k N] [-s] [-r DIR] [-t FILE] "
                      "COMMANDS\n");
        return 2;
    }
    read_list(&l.list, argv[optind]);
    l.slot_fd = need(calloc((size_t)l.nslots, sizeof(*l.slot_fd)));
    for (i = 0; i < l.nslots; i++)
        l.slot_fd[i] = -1;
    l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l.epoll_fd < 0)
        die("epoll_create1");
    if (l.results && mkdir(l.results, 0777) != 0)
        die(l.results);
    begin = seconds();
    run(&l);
    if (time_file)
        write_time(time_file, seconds() - begin);
    return l.failed ? 1 : 0;
}
