/* SPDX-License-Identifier: MIT */
/* The spawner process: it waits for requests, ended children and the clock,
 * and goes when the rank does.  It decides when a task is killed and when the
 * rank is woken; how a task starts and ends is spawner_task.c's.  It never
 * blocks on anything but its one ppoll and the start of a process.
 *
 * Children are watched by SIGCHLD through a signalfd, on every kernel alike:
 * measured, a pidfd per child costs 8 us of a task more, and a subreaper has
 * to wait for any child anyway. */
#include "node/spawner_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "node/bell.h"
#include "node/clock.h"
#include "node/spawner_ring.h"
#include "task/task.h"

#define FD_SOCK 3
#define FD_WAKE 4
#define FD_REST 5
#define COALESCE_NS (4 * DTX_MSEC_NS)
#define END_LIMIT_NS (10 * DTX_SEC_NS)
#define LOOKS 4u /* at a heartbeat, in the time it may stand still */
#define STATUS_TURNS 10 /* of PAUSE_NS: until its parent has waited for it */
#define AWAIT_NS (20 * DTX_MSEC_NS) /* for who counts, before the first task */
#define PAUSE_NS (5 * DTX_MSEC_NS)

enum news { NEWS_CHILD = 1, NEWS_LOST = 2, NEWS_STILL = 4 };

/* ---- becoming the spawner ---- */

static void close_listed(void)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;

    if (!d)
        return;
    while ((e = readdir(d)) != NULL) {
        long fd = strtol(e->d_name, NULL, 10);

        if (fd >= FD_REST && fd != dirfd(d))
            (void)close((int)fd);
    }
    (void)closedir(d);
}

static void close_rest(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, FD_REST, ~0u, 0) == 0)
        return;
#endif
    close_listed(); /* Linux before 5.9 */
}

/* Keep two descriptors, under known numbers; stdio becomes /dev/null: the
 * launcher waits for whoever holds the rank's. */
static bool settle_files(int sock, int wake_fd)
{
    int s = fcntl(sock, F_DUPFD_CLOEXEC, 10);
    int w = fcntl(wake_fd, F_DUPFD_CLOEXEC, 10);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (s < 0 || w < 0 || in < 0 || out < 0)
        return false;
    in = fcntl(in, F_DUPFD_CLOEXEC, 10);
    out = fcntl(out, F_DUPFD_CLOEXEC, 10);
    if (dup2(in, 0) != 0 || dup2(out, 1) != 1 || dup2(out, 2) != 2 ||
        dup3(s, FD_SOCK, O_CLOEXEC) != FD_SOCK ||
        dup3(w, FD_WAKE, O_CLOEXEC) != FD_WAKE)
        return false;
    close_rest();
    return true;
}

static void ignore_signal(int sig)
{
    (void)sig; /* caught, not ignored: tasks get the default at execve */
}

/* All as it is in a fresh process, but what would end us; SIGCHLD is blocked,
 * for it is read from a descriptor. */
static bool settle_signals(sigset_t *child)
{
    static const int caught[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                 SIGUSR1, SIGUSR2, SIGPIPE, SIGXCPU};
    struct sigaction a;
    size_t i;
    int sig;

    memset(&a, 0, sizeof(a));
    a.sa_handler = SIG_DFL;
    a.sa_flags = SA_NOCLDSTOP;
    for (sig = 1; sig < NSIG; sig++)
        (void)sigaction(sig, &a, NULL); /* some may not be changed */
    a.sa_handler = ignore_signal;
    a.sa_flags = SA_RESTART;
    for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        if (sigaction(caught[i], &a, NULL) != 0)
            return false;
    return sigemptyset(child) == 0 && sigaddset(child, SIGCHLD) == 0 &&
           sigprocmask(SIG_SETMASK, child, NULL) == 0;
}

/* For the watcher and for the spawner. */
static bool adopt(struct dtx_strays *strays, const char *name)
{
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 &&
           dtx_strays_init(strays) == 0;
}

/* Tell of the rank's end, once, unless it has left in order. */
static void give_notice(struct dtx_ring *ring, const struct dtx_peer *rank,
                        struct dtx_notice *n)
{
    const struct timespec pause = {0, PAUSE_NS};
    int i;

    if (!atomic_exchange(&ring->guarded, 0))
        return;
    n->status = dtx_peer_status(rank);
    for (i = 0; i < STATUS_TURNS && n->status == -1; i++) {
        (void)nanosleep(&pause, NULL);
        n->status = dtx_peer_status(rank);
    }
    (void)dtx_notice_write(ring->notice, n);
}

/* Find out who counts tasks, while the rank starts. An event is kept open as
 * long as the watcher lives: the first on a machine takes the kernel 8 to 18
 * ms, since it waits for all processors, and those beside it microseconds. */
static void choose_counters(struct dtx_ring *ring)
{
    struct dtx_counter_choice c = {.provider = DTX_COUNTER_RUSAGE};
    const uint64_t one = 1;

    if (!ring->counts)
        return;
    if (dtx_perf_keep_open())
        dtx_counters_probe(true, &c);
    atomic_store(&ring->counting, DTX_COUNTING_WORD(c.provider, c.counted));
    (void)!write(FD_WAKE, &one, sizeof(one)); /* full: it is awake */
}

/* The life of the watcher: what the spawner leaves becomes its child. Until
 * then the spawner is its only one. */
static _Noreturn void watch(struct dtx_ring *ring, const struct dtx_peer *rank,
                            pid_t spawner)
{
    struct dtx_notice notice = {.status = -1};
    struct dtx_strays strays;
    bool ready = adopt(&strays, "dtx-watcher");

    (void)close(FD_SOCK);
    choose_counters(ring);
    (void)close(FD_WAKE);
    while (waitpid(spawner, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (ready)
        dtx_strays_end(&strays, END_LIMIT_NS);
    give_notice(ring, rank, &notice);
    _exit(0);
}

/* Returns in the spawner. */
static bool settle(struct dtx_proc *p, int sock, int wake_fd)
{
    pid_t rank = getppid(), pid;
    sigset_t child;

    (void)setsid(); /* fails only if we lead a group, which a child does not */
    if (!settle_files(sock, wake_fd) || !settle_signals(&child))
        return false;
    dtx_peer_watch(&p->rank, rank, false);
    if (getppid() != rank)
        return false; /* it has died already */
    pid = fork();
    if (pid > 0)
        watch(p->ring, &p->rank, pid);
    if (pid < 0 || !adopt(&p->strays, "dtx-spawner"))
        return false;
    p->sock = FD_SOCK;
    p->wake_fd = FD_WAKE;
    if (p->ring->counts)
        p->await_ns = dtx_clock_mono_ns() + AWAIT_NS;
    p->signal_fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    atomic_store(&p->ring->pid, (int32_t)getpid());
    return p->signal_fd >= 0;
}

/* ---- killing ---- */

static void set_time(struct dtx_proc *p, struct dtx_run *r, int64_t act_ns)
{
    if (r->act_ns)
        p->ntimed--;
    r->act_ns = act_ns;
    if (act_ns)
        p->ntimed++;
}

static void kill_run(struct dtx_proc *p, uint32_t run)
{
    struct dtx_run *r = &p->run[run];

    r->stage = DTX_STAGE_KILL;
    set_time(p, r, 0);
    (void)kill(-p->leader[run], SIGKILL);
    (void)kill(p->leader[run], SIGKILL); /* should it have left its group */
}

void dtx_proc_end_run(struct dtx_proc *p, uint32_t run, uint8_t reason,
                      bool now)
{
    struct dtx_run *r = &p->run[run];

    if (r->reason == 0)
        r->reason = reason;
    if (now) {
        kill_run(p, run);
    } else if (r->stage == DTX_STAGE_RUNS) {
        r->stage = DTX_STAGE_TERM;
        set_time(p, r, dtx_clock_mono_ns() + p->config->grace_ns);
        (void)kill(-p->leader[run], p->config->term_signal
                                        ? p->config->term_signal
                                        : SIGTERM);
        (void)kill(-p->leader[run], SIGCONT); /* a stopped one must hear it */
    }
}

/* The limit of those that have no timeout of their own may have moved. */
static void heed_limit(struct dtx_proc *p)
{
    int64_t limit_ns = atomic_load(&p->ring->limit_ns);
    uint32_t i;

    for (i = 0; limit_ns > 0 && i < p->config->nslots; i++) {
        struct dtx_run *r = &p->run[i];

        if (p->leader[i] && r->limited && r->stage == DTX_STAGE_RUNS)
            set_time(p, r, r->start_ns + limit_ns);
    }
}

/* What the rank wants killed. */
static void heed_kills(struct dtx_proc *p)
{
    uint32_t now = atomic_load(&p->ring->attention), i, how;

    if (now == p->attention || !p->config)
        return;
    p->attention = now;
    heed_limit(p);
    for (i = 0; i < p->config->nslots; i++) {
        if (!p->leader[i])
            continue;
        how = atomic_load(&p->ring->entry[p->run[i].entry].kill);
        if (how != DTX_KILL_NONE)
            dtx_proc_end_run(p, i, DTX_STATUS_KILLED, false);
    }
}

/* Has the rank stood still for too long? Looks are counted rather than time,
 * since all of us may have been stopped. */
static bool is_still(struct dtx_proc *p, int64_t now_ns)
{
    int64_t still_ns = atomic_load(&p->ring->still_ns);
    uint32_t beat = atomic_load(&p->ring->beat);

    if (still_ns <= 0) {
        p->look_ns = 0;
        return false;
    }
    if (p->look_ns == 0 || beat != p->beat) {
        p->beat = beat;
        p->looks = 0;
    } else if (now_ns < p->look_ns) {
        return false;
    } else if (atomic_load(&p->ring->busy) && !dtx_peer_stopped(&p->rank)) {
        p->looks = 0;
    } else if (++p->looks >= LOOKS) {
        return true;
    }
    p->look_ns = now_ns + still_ns / LOOKS;
    return false;
}

/* What is over its time. */
static void heed_clock(struct dtx_proc *p, int64_t now_ns)
{
    uint32_t i;

    if (p->ntimed == 0)
        return;
    for (i = 0; i < p->config->nslots; i++) {
        const struct dtx_run *r = &p->run[i];

        if (p->leader[i] && r->act_ns && r->act_ns <= now_ns)
            dtx_proc_end_run(p, i, DTX_STATUS_TIMEOUT,
                             r->stage == DTX_STAGE_TERM);
    }
}

/* ---- waiting ---- */

/* Wake the rank for results: at once when nothing waits here any more or a
 * task has failed, else not more often than COALESCE_NS. */
static void ring_bell(struct dtx_proc *p, int64_t now_ns)
{
    if (p->unrung == 0)
        return;
    if (!p->hurry && dtx_ring_peek(p->ring) &&
        now_ns - p->rung_ns < COALESCE_NS)
        return;
    dtx_bell_ring(p->bell);
    p->unrung = 0;
    p->hurry = false;
    p->rung_ns = now_ns;
}

static void sooner(int64_t *at_ns, int64_t other_ns)
{
    if (other_ns && other_ns < *at_ns)
        *at_ns = other_ns;
}

/* When there is something to do even if nothing happens. */
static int64_t next_time(const struct dtx_proc *p)
{
    int64_t at_ns = INT64_MAX;
    uint32_t i;

    sooner(&at_ns, p->retry_ns);
    if (p->blocked)
        sooner(&at_ns, p->await_ns);
    sooner(&at_ns, p->look_ns);
    sooner(&at_ns, p->relief_ns);
    if (p->unrung)
        sooner(&at_ns, p->rung_ns + COALESCE_NS);
    for (i = 0; p->ntimed > 0 && i < p->config->nslots; i++)
        if (p->leader[i])
            sooner(&at_ns, p->run[i].act_ns);
    return at_ns;
}

/* Has the rank asked for something since we looked? */
static bool has_news(const struct dtx_proc *p, enum dtx_asleep how)
{
    const struct dtx_ring *m = p->ring;

    return atomic_load(&m->attention) != p->attention ||
           (how == DTX_ASLEEP_IDLE &&
            atomic_load(&m->tail) != atomic_load(&m->head)) ||
           (p->starved && dtx_captures_released(&p->captures));
}

/* Take away what made the descriptors readable. */
static unsigned read_news(const struct dtx_proc *p, const struct pollfd f[3])
{
    struct signalfd_siginfo child;
    uint64_t wakes;
    unsigned news = 0;

    if (f[0].revents && read(p->signal_fd, &child, sizeof(child)) > 0)
        news |= NEWS_CHILD;
    if (f[1].revents && read(p->wake_fd, &wakes, sizeof(wakes)) < 0)
        news |= errno == EAGAIN ? 0 : NEWS_LOST;
    if (f[2].revents)
        news |= NEWS_LOST; /* it never writes: this is the end of file */
    return news;
}

/* Sleep until something happens; a set of enum news.
 *
 * No request is missed: the rank stores what it has to say and then loads
 * 'asleep'; we store 'asleep' and then look at what it may have said.  All four
 * are sequentially consistent, so at least one sees the other. */
static unsigned sleep_for_news(struct dtx_proc *p, int64_t now_ns)
{
    bool can_start = !p->config || (!p->blocked && p->nfree_slots > 0);
    enum dtx_asleep how = can_start ? DTX_ASLEEP_IDLE : DTX_ASLEEP_FULL;
    struct pollfd f[3] = {{p->signal_fd, POLLIN, 0},
                          {p->wake_fd, POLLIN, 0},
                          {p->sock, POLLIN, 0}};
    int64_t at_ns = next_time(p), left_ns;
    struct timespec t;

    atomic_store(&p->ring->starved, p->starved ? 1 : 0);
    atomic_store(&p->ring->asleep, how);
    if (has_news(p, how))
        at_ns = now_ns;
    left_ns = at_ns > now_ns ? at_ns - now_ns : 0;
    t.tv_sec = (time_t)(left_ns / DTX_SEC_NS);
    t.tv_nsec = (long)(left_ns % DTX_SEC_NS);
    if (ppoll(f, 3, at_ns == INT64_MAX ? NULL : &t, NULL) < 0)
        f[0].revents = f[1].revents = f[2].revents = 0; /* look again */
    atomic_store(&p->ring->asleep, DTX_AWAKE);
    return read_news(p, f);
}

static unsigned serve(struct dtx_proc *p)
{
    unsigned news = 0;
    int64_t now_ns;

    while (!(news & (NEWS_LOST | NEWS_STILL))) {
        if (news & NEWS_CHILD)
            dtx_proc_reap(p);
        dtx_proc_start_waiting(p);
        heed_kills(p);
        now_ns = dtx_clock_mono_ns();
        heed_clock(p, now_ns);
        dtx_proc_heed_memory(p, now_ns);
        ring_bell(p, now_ns);
        if (is_still(p, now_ns))
            news = NEWS_STILL;
        else
            news = sleep_for_news(p, now_ns);
    }
    return news;
}

/* What runs, apart from what is being ended: as rank 0 may hear it. */
static void list_runs(struct dtx_proc *p, struct dtx_notice *n)
{
    uint32_t i;

    dtx_proc_reap(p);
    n->ran = p->config ? calloc(p->config->nslots, sizeof(*n->ran)) : NULL;
    n->told = !p->config || n->ran;
    for (i = 0; n->ran && p->leader && i < p->config->nslots; i++) {
        const struct dtx_run *r = &p->run[i];

        if (p->leader[i] && r->stage == DTX_STAGE_RUNS &&
            r->task != DTX_NO_TASK)
            n->ran[n->nran++] =
                (struct dtx_item_taskref){r->task, r->attempt};
    }
}

/* The rank is gone, or is to go: so is everything that ran for it. */
static void end_all(struct dtx_proc *p, unsigned news)
{
    struct dtx_notice notice = {.status = -1, .still = news == NEWS_STILL};
    uint32_t i;

    if (notice.still)
        dtx_peer_kill(&p->rank);
    list_runs(p, &notice);
    for (i = 0; p->leader && i < p->config->nslots; i++)
        if (p->leader[i])
            (void)kill(-p->leader[i], SIGKILL);
    dtx_strays_end(&p->strays, END_LIMIT_NS);
    give_notice(p->ring, &p->rank, &notice);
}

_Noreturn void dtx_proc_main(struct dtx_ring *ring, struct dtx_bell *bell,
                             int sock, int wake_fd)
{
    struct dtx_proc *p = calloc(1, sizeof(*p));

    if (!p)
        _exit(1);
    p->ring = ring;
    p->bell = bell;
    if (!settle(p, sock, wake_fd))
        _exit(1);
    end_all(p, serve(p));
    _exit(0);
}
