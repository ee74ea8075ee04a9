/* SPDX-License-Identifier: MIT */
/* The rank's side of the spawner; see spawner.h.  It hands over requests,
 * takes results and keeps the list of what is under way.  It never waits for
 * the spawner (apart from the end), and decides nothing about tasks. */
#include "node/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "node/bell.h"
#include "node/capture.h"
#include "node/clock.h"
#include "node/spawner_config.h"
#include "node/spawner_env.h"
#include "node/spawner_proc.h"
#include "node/spawner_ring.h"
#include "task/task.h"

#define SPARE_FILES 256u /* descriptors that are not for captures */
#define STOP_LIMIT_NS (12 * DTX_SEC_NS) /* it takes 10 s at most */
#define BEGIN_TURNS 5000                /* of a millisecond */

/* A request that has been handed over and whose result has not come. */
struct live {
    uint32_t task, attempt, cpus, entry;
};

struct held {
    int out_fd, err_fd;
    int64_t out_start, err_start;
    bool held; /* a result named it and it has not been released */
};

struct dtx_spawner {
    struct dtx_ring *ring;
    struct dtx_bell *bell;
    int sock, wake_fd;
    pid_t pid; /* of the watcher, its parent */
    bool dead, configured;
    char dir[4096]; /* for captures */
    uint32_t nslots, rank;
    uint32_t received; /* captures taken from the socket */
    uint32_t ncaptures;
    struct held *capture;
    uint32_t done_head;
    uint32_t nlive, nfree, nkilled, first_killed;
    struct live live[DTX_RING_ENTRIES];
    uint32_t place[DTX_RING_ENTRIES];      /* of an entry in 'live' */
    uint32_t free_entry[DTX_RING_ENTRIES];
    struct live killed[DTX_RING_ENTRIES];  /* before they started; a ring */
};

/* ---- beginning ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void free_spawner(struct dtx_spawner *s)
{
    uint32_t i;

    for (i = 0; s->capture && i < s->ncaptures; i++) {
        close_fd(&s->capture[i].out_fd);
        close_fd(&s->capture[i].err_fd);
    }
    free(s->capture);
    close_fd(&s->sock);
    close_fd(&s->wake_fd);
    dtx_ring_unmap(s->ring);
    free(s);
}

static struct dtx_spawner *make_spawner(struct dtx_bell *bell)
{
    struct dtx_spawner *s = calloc(1, sizeof(*s));
    uint32_t i;

    if (!s)
        return NULL;
    s->bell = bell;
    s->sock = -1;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->ring = dtx_ring_map();
    if (s->wake_fd < 0 || !s->ring) {
        free_spawner(s);
        return NULL;
    }
    s->nfree = DTX_RING_ENTRIES;
    for (i = 0; i < DTX_RING_ENTRIES; i++)
        s->free_entry[i] = DTX_RING_ENTRIES - 1 - i;
    return s;
}

int dtx_spawner_fork(struct dtx_bell *bell, bool counts,
                     struct dtx_spawner **out, struct dtx_error *err)
{
    struct dtx_spawner *s = make_spawner(bell);
    int pair[2], rc = DTX_OK;

    if (!s)
        return dtx_error_errno(err, "spawner: cannot get shared memory");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        rc = dtx_error_errno(err, "spawner: cannot make a socket");
        free_spawner(s);
        return rc;
    }
    s->sock = pair[0];
    s->ring->counts = counts;
    s->pid = fork();
    if (s->pid == 0)
        dtx_proc_main(s->ring, bell, pair[1], s->wake_fd);
    if (s->pid < 0)
        rc = dtx_error_errno(err, "spawner: cannot fork");
    (void)close(pair[1]);
    if (rc == DTX_OK)
        *out = s;
    else
        free_spawner(s);
    return rc;
}

/* Let this process have as many files open as the captures need; returns how
 * many captures there may be. */
static uint32_t make_file_room(uint32_t nslots)
{
    rlim_t want = 4 * (rlim_t)nslots + 64, need = 2 * want + SPARE_FILES;
    struct rlimit now;

    if (getrlimit(RLIMIT_NOFILE, &now) != 0)
        return (uint32_t)want;
    if (now.rlim_cur < need) {
        now.rlim_cur = now.rlim_max < need ? now.rlim_max : need;
        if (setrlimit(RLIMIT_NOFILE, &now) != 0 &&
            getrlimit(RLIMIT_NOFILE, &now) != 0)
            return (uint32_t)want;
    }
    if (now.rlim_cur < need)
        want = now.rlim_cur > SPARE_FILES ? (now.rlim_cur - SPARE_FILES) / 2
                                          : 0;
    return (uint32_t)want;
}

static int make_captures(struct dtx_spawner *s, uint32_t nslots,
                         struct dtx_error *err)
{
    uint32_t n = make_file_room(nslots), i;

    if (n < nslots + 1)
        return dtx_error_set(err, DTX_ELIMIT,
                             "spawner: the limit of open files is too low for "
                             "%u slots: raise it with 'ulimit -n %u'",
                             nslots, 2 * (nslots + 1) + SPARE_FILES);
    s->capture = calloc(n, sizeof(*s->capture));
    if (!s->capture)
        return dtx_error_set(err, DTX_ENOMEM, "spawner: out of memory");
    for (i = 0; i < n; i++)
        s->capture[i].out_fd = s->capture[i].err_fd = -1;
    s->ncaptures = n;
    return DTX_OK;
}

/* Tell the spawner that there is something; a sleeping one that can start
 * nothing is only woken when it is 'urgent'. */
static void wake_spawner(struct dtx_spawner *s, bool urgent)
{
    const uint64_t one = 1;
    uint32_t how = atomic_load(&s->ring->asleep);

    if (how == DTX_AWAKE || (how == DTX_ASLEEP_FULL && !urgent))
        return;
    if (atomic_exchange(&s->ring->asleep, DTX_AWAKE) != DTX_AWAKE)
        (void)!write(s->wake_fd, &one, sizeof(one)); /* full: it is awake */
}

static int send_config(struct dtx_spawner *s,
                       const struct dtx_spawner_config *c, const char *tmp_dir,
                       struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_record *r = NULL;
    int rc = DTX_OK;

    dtx_config_encode(&b, c, tmp_dir);
    if (b.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "spawner: out of memory");
    else if (b.len > DTX_RING_RECORD_MAX - sizeof(*r) ||
             !(r = dtx_ring_reserve(s->ring, sizeof(*r) + b.len)))
        rc = dtx_error_set(err, DTX_ELIMIT,
                           "spawner: the environment is too large");
    if (rc == DTX_OK) {
        r->kind = DTX_RECORD_CONFIG;
        r->len = (uint32_t)b.len;
        r->cpus = s->ncaptures;
        memcpy(r + 1, b.data, b.len);
        dtx_ring_publish(s->ring, r);
        wake_spawner(s, true);
    }
    dtx_buf_free(&b);
    return rc;
}

int dtx_spawner_configure(struct dtx_spawner *s,
                          const struct dtx_spawner_config *c,
                          struct dtx_error *err)
{
    int rc;

    if (s->configured)
        return dtx_error_set(err, DTX_ESTATE, "spawner: configured already");
    if (c->nslots < 1)
        return dtx_error_set(err, DTX_EINVAL, "spawner: no slots");
    if (c->nslots > DTX_RING_SLOTS)
        return dtx_error_set(err, DTX_ELIMIT,
                             "spawner: %u slots in one rank, at most %u: use "
                             "more ranks",
                             c->nslots, DTX_RING_SLOTS);
    rc = dtx_capture_choose(c, s->dir, sizeof(s->dir), err);
    if (rc == DTX_OK && !s->capture)
        rc = make_captures(s, c->nslots, err);
    if (rc == DTX_OK)
        rc = send_config(s, c, s->dir, err);
    if (rc != DTX_OK)
        return rc;
    s->nslots = c->nslots;
    s->rank = c->rank;
    s->configured = true;
    return DTX_OK;
}

/* ---- handing over and taking back ---- */

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

/* A text with its NUL; returns the place behind it. */
static char *put_text(char *p, const char *s, uint32_t size)
{
    if (size)
        memcpy(p, s, size);
    return p + size;
}

/* The record's lengths of texts but the command's are set. */
static void fill_record(struct dtx_record *r, const struct dtx_spawn_request *q)
{
    char *p = (char *)(r + 1);

    r->kind = DTX_RECORD_RUN;
    r->task = q->task;
    r->attempt = q->attempt;
    r->cpus = q->cpus;
    r->len = (uint32_t)q->len;
    r->index = q->index;
    r->slot_mark = q->slot_mark;
    r->limited = q->limited;
    r->traffic = q->traffic;
    r->heavy = q->heavy;
    r->timeout_ns = q->timeout_ns;
    if (q->len)
        memcpy(p, q->command, q->len);
    p[q->len] = '\0';
    p = put_text(p + q->len + 1, q->cwd, r->cwd_len);
    p = put_text(p, q->name, r->name_len);
    (void)put_text(p, q->env, r->env_len);
}

static void add_live(struct dtx_spawner *s, const struct dtx_spawn_request *q,
                     uint32_t entry)
{
    struct live *l = &s->live[s->nlive];

    l->task = q->task;
    l->attempt = q->attempt;
    l->cpus = q->cpus;
    l->entry = entry;
    s->place[entry] = s->nlive++;
}

int dtx_spawner_run(struct dtx_spawner *s, const struct dtx_spawn_request *q)
{
    size_t cwd = text_size(q->cwd), name = text_size(q->name);
    size_t env = text_size(q->env), size;
    struct dtx_record *r;
    struct dtx_entry *e;
    uint32_t entry, old;

    if (!s->configured)
        return DTX_ESTATE;
    if (q->cpus < 1 || q->cpus > s->nslots || name > DTX_ENV_NAME_MAX + 1 ||
        env > DTX_MAX_ENV + 1 ||
        cwd > DTX_RING_RECORD_MAX / 4 || q->len > DTX_RING_RECORD_MAX / 2)
        return DTX_ELIMIT;
    if (s->nfree <= s->nkilled) /* the killed ones have yet to be polled */
        return DTX_EAGAIN;
    size = sizeof(*r) + q->len + 1 + cwd + name + env;
    r = dtx_ring_reserve(s->ring, size);
    if (!r)
        return DTX_EAGAIN;
    entry = s->free_entry[--s->nfree];
    e = &s->ring->entry[entry];
    old = atomic_load_explicit(&e->state, memory_order_relaxed);
    r->cwd_len = (uint32_t)cwd;
    r->name_len = (uint32_t)name;
    r->env_len = (uint32_t)env;
    fill_record(r, q);
    r->entry = entry;
    r->state = (old & ~DTX_ENTRY_MASK) + DTX_ENTRY_GENERATION + DTX_ENTRY_READY;
    atomic_store(&e->kill, DTX_KILL_NONE);
    atomic_store(&e->capture, -1);
    atomic_store(&e->state, r->state);
    add_live(s, q, entry);
    dtx_ring_publish(s->ring, r);
    wake_spawner(s, false);
    return DTX_OK;
}

/* The place in 'live' of an attempt, or nlive. */
static uint32_t find_live(const struct dtx_spawner *s, uint32_t task,
                          uint32_t attempt)
{
    uint32_t i;

    for (i = 0; i < s->nlive; i++)
        if (s->live[i].task == task && s->live[i].attempt == attempt)
            break;
    return i;
}

static void drop_live(struct dtx_spawner *s, uint32_t i)
{
    s->live[i] = s->live[--s->nlive];
    s->place[s->live[i].entry] = i;
}

/* Take number 'i' of 'live' back if it has not started. Its entry is free
 * again at once: a request left in the ring has an older generation. */
static bool take_back(struct dtx_spawner *s, uint32_t i)
{
    struct live l = s->live[i];
    struct dtx_entry *e = &s->ring->entry[l.entry];
    uint32_t state = atomic_load(&e->state);
    uint32_t recalled = (state & ~DTX_ENTRY_MASK) | DTX_ENTRY_RECALLED;

    if ((state & DTX_ENTRY_MASK) != DTX_ENTRY_READY ||
        !atomic_compare_exchange_strong(&e->state, &state, recalled))
        return false;
    drop_live(s, i);
    s->free_entry[s->nfree++] = l.entry;
    if (l.cpus > 1)
        wake_spawner(s, true); /* it may have held up others */
    return true;
}

bool dtx_spawner_recall(struct dtx_spawner *s, uint32_t task, uint32_t attempt)
{
    uint32_t i = find_live(s, task, attempt);

    return i < s->nlive && take_back(s, i);
}

/* The same, and it ends as KILLED. */
static bool drop_waiting(struct dtx_spawner *s, uint32_t i)
{
    struct live l = s->live[i];

    if (!take_back(s, i))
        return false;
    s->killed[(s->first_killed + s->nkilled++) % DTX_RING_ENTRIES] = l;
    return true;
}

static void tell_killed(struct dtx_spawner *s)
{
    (void)atomic_fetch_add(&s->ring->attention, 1);
    wake_spawner(s, true);
    if (s->nkilled)
        dtx_bell_ring(s->bell);
}

void dtx_spawner_kill(struct dtx_spawner *s, uint32_t task, uint32_t attempt)
{
    uint32_t i = find_live(s, task, attempt);

    if (i == s->nlive)
        return;
    if (!drop_waiting(s, i))
        atomic_store(&s->ring->entry[s->live[i].entry].kill, DTX_KILL_TERM);
    tell_killed(s);
}

void dtx_spawner_limit(struct dtx_spawner *s, int64_t limit_ns)
{
    atomic_store(&s->ring->limit_ns, limit_ns);
    (void)atomic_fetch_add(&s->ring->attention, 1);
    wake_spawner(s, true);
}

void dtx_spawner_deadline(struct dtx_spawner *s, int64_t deadline_ns)
{
    atomic_store(&s->ring->deadline_ns, deadline_ns);
}

void dtx_spawner_memory(const struct dtx_spawner *s,
                        struct dtx_spawner_memory *out)
{
    out->held = atomic_load(&s->ring->held) != 0;
    out->relieved = atomic_load(&s->ring->relieved);
    out->free_bytes = atomic_load(&s->ring->memory);
}

/* ---- guarding ---- */

int dtx_spawner_guard(struct dtx_spawner *s, const char *notice,
                      int64_t still_ns, bool busy)
{
    size_t n = notice ? strlen(notice) : 0;

    if (n >= sizeof(s->ring->notice))
        return DTX_ELIMIT;
    atomic_store(&s->ring->guarded, 0);
    if (n > 0)
        memcpy(s->ring->notice, notice, n + 1);
    atomic_store(&s->ring->guarded, n > 0);
    atomic_store(&s->ring->busy, busy);
    atomic_store(&s->ring->still_ns, still_ns);
    (void)atomic_fetch_add(&s->ring->attention, 1);
    wake_spawner(s, true);
    return DTX_OK;
}

void dtx_spawner_beat(struct dtx_spawner *s)
{
    uint32_t n = atomic_load_explicit(&s->ring->beat, memory_order_relaxed);

    atomic_store_explicit(&s->ring->beat, n + 1, memory_order_relaxed);
}

void dtx_spawner_busy(struct dtx_spawner *s, bool busy)
{
    dtx_spawner_beat(s);
    atomic_store(&s->ring->busy, busy);
}

void dtx_spawner_let_rest(struct dtx_spawner *s)
{
    atomic_store(&s->ring->still_ns, 0);
}

void dtx_spawner_unguard(struct dtx_spawner *s)
{
    atomic_store(&s->ring->guarded, 0);
    atomic_store(&s->ring->still_ns, 0);
}

void dtx_spawner_drop_waiting(struct dtx_spawner *s)
{
    uint32_t i = s->nlive;

    while (i-- > 0) /* the last one takes a dropped one's place */
        (void)drop_waiting(s, i);
    if (s->nkilled)
        dtx_bell_ring(s->bell);
}

/* ---- results ---- */

/* Take one pair of files from the socket. */
static bool receive_capture(struct dtx_spawner *s)
{
    struct dtx_capture_note note = {-1};
    int fds[2];
    union {
        char bytes[CMSG_SPACE(sizeof(fds))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {&note, sizeof(note)};
    struct msghdr m;
    const struct cmsghdr *h;
    struct held *c;

    memset(&m, 0, sizeof(m));
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
    m.msg_control = control.bytes;
    m.msg_controllen = sizeof(control.bytes);
    if (recvmsg(s->sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
            (ssize_t)sizeof(note) ||
        note.capture < 0 || (uint32_t)note.capture >= s->ncaptures)
        return false;
    c = &s->capture[note.capture];
    close_fd(&c->out_fd);
    close_fd(&c->err_fd);
    h = CMSG_FIRSTHDR(&m);
    if (h && h->cmsg_type == SCM_RIGHTS &&
        h->cmsg_len == CMSG_LEN(sizeof(fds))) {
        memcpy(fds, CMSG_DATA(h), sizeof(fds));
        c->out_fd = fds[0];
        c->err_fd = fds[1];
    }
    return true;
}

static void receive_captures(struct dtx_spawner *s)
{
    uint32_t sent = atomic_load_explicit(&s->ring->sent, memory_order_acquire);

    while (s->received != sent && receive_capture(s))
        s->received++;
}

bool dtx_spawner_view(struct dtx_spawner *s, uint32_t i,
                      struct dtx_spawn_view *out)
{
    const struct dtx_entry *e;
    int32_t capture;

    if (i >= s->nlive)
        return false;
    e = &s->ring->entry[s->live[i].entry];
    out->task = s->live[i].task;
    out->attempt = s->live[i].attempt;
    out->entry = s->live[i].entry;
    out->fd[0] = out->fd[1] = -1;
    capture = atomic_load(&e->capture);
    if (capture < 0 || (uint32_t)capture >= s->ncaptures)
        return true;
    receive_captures(s);
    out->fd[0] = s->capture[capture].out_fd;
    out->fd[1] = s->capture[capture].err_fd;
    out->start[0] = e->start[0];
    out->start[1] = e->start[1];
    return true;
}

bool dtx_spawner_holds(const struct dtx_spawner *s,
                       const struct dtx_spawn_view *v, int k)
{
    const struct dtx_entry *e = &s->ring->entry[v->entry];
    uint64_t now[2];

    return pread(v->fd[k], now, sizeof(now), 0) == (ssize_t)sizeof(now) &&
           now[0] == e->mark[k][0] && now[1] == e->mark[k][1] &&
           atomic_load(&e->capture) >= 0;
}

/* One that was killed before it started. */
static bool poll_killed(struct dtx_spawner *s, struct dtx_spawn_result *out)
{
    const struct live *l = &s->killed[s->first_killed];

    if (s->nkilled == 0)
        return false;
    memset(out, 0, sizeof(*out));
    out->capture = -1;
    out->outcome.task = l->task;
    out->outcome.attempt = l->attempt;
    out->outcome.rank = s->rank;
    out->outcome.status = DTX_STATUS_KILLED;
    out->outcome.start_ns = dtx_clock_wall_ns();
    s->first_killed = (s->first_killed + 1) % DTX_RING_ENTRIES;
    s->nkilled--;
    return true;
}

bool dtx_spawner_poll(struct dtx_spawner *s, struct dtx_spawn_result *out)
{
    const struct dtx_ring_result *x;
    struct held *c;
    uint32_t entry;

    if (s->done_head ==
        atomic_load_explicit(&s->ring->done_tail, memory_order_acquire))
        return poll_killed(s, out);
    receive_captures(s);
    entry = s->ring->done[s->done_head++ % DTX_RING_ENTRIES];
    x = &s->ring->entry[entry].result;
    *out = x->r;
    if (out->capture >= 0) {
        c = &s->capture[out->capture];
        c->out_start = x->out_start;
        c->err_start = x->err_start;
        c->held = true;
    }
    drop_live(s, s->place[entry]);
    s->free_entry[s->nfree++] = entry;
    return true;
}

int dtx_spawner_capture_fds(struct dtx_spawner *s, int32_t capture, int *out_fd,
                            int64_t *out_start, int *err_fd,
                            int64_t *err_start)
{
    const struct held *c;

    if (capture < 0 || (uint32_t)capture >= s->ncaptures)
        return DTX_EINVAL;
    c = &s->capture[capture];
    if (c->out_fd < 0 || c->err_fd < 0)
        return DTX_ENOENT;
    *out_fd = c->out_fd;
    *out_start = c->out_start;
    *err_fd = c->err_fd;
    *err_start = c->err_start;
    return DTX_OK;
}

void dtx_spawner_release(struct dtx_spawner *s, int32_t capture)
{
    if (capture < 0 || (uint32_t)capture >= s->ncaptures ||
        !s->capture[capture].held)
        return;
    s->capture[capture].held = false;
    atomic_store(&s->ring->released[capture], 1);
    if (atomic_load(&s->ring->starved))
        wake_spawner(s, true);
}

/* ---- end ---- */

/* It died before us: what it ran must not go on unseen. The watcher has seen to
 * that, if it was not killed as well: then the leaders died with the spawner,
 * and their groups may have members left. */
static void note_death(struct dtx_spawner *s)
{
    uint32_t i;

    s->dead = true;
    for (i = 0; i < s->nslots; i++) {
        pid_t group = atomic_load(&s->ring->group[i]);

        if (group > 1)
            (void)kill(-group, SIGKILL);
    }
}

bool dtx_spawner_alive(struct dtx_spawner *s)
{
    pid_t pid;

    if (s->dead)
        return false;
    pid = waitpid(s->pid, NULL, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return true;
    note_death(s);
    return false;
}

const char *dtx_spawner_dir(const struct dtx_spawner *s)
{
    return s->dir;
}

int dtx_spawner_pid(const struct dtx_spawner *s)
{
    const struct timespec turn = {0, DTX_MSEC_NS};
    int pid = atomic_load(&s->ring->pid), i;

    for (i = 0; pid == 0 && i < BEGIN_TURNS; i++) { /* it is just beginning */
        (void)nanosleep(&turn, NULL);
        pid = atomic_load(&s->ring->pid);
    }
    return pid;
}

/* Wait until it has closed its end of the socket, which it does by ending. */
static void wait_for_end(struct dtx_spawner *s)
{
    struct pollfd f = {s->sock, POLLIN, 0};
    int64_t end_ns = dtx_clock_mono_ns() + STOP_LIMIT_NS, now_ns;
    char byte;

    while ((now_ns = dtx_clock_mono_ns()) < end_ns) {
        int ms = (int)((end_ns - now_ns) / DTX_MSEC_NS) + 1;
        ssize_t n;

        if (poll(&f, 1, ms) <= 0)
            continue;
        n = recv(s->sock, &byte, 1, MSG_DONTWAIT); /* a capture: dropped */
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
    if (atomic_load(&s->ring->pid) > 0)
        (void)kill(atomic_load(&s->ring->pid), SIGKILL);
    (void)kill(s->pid, SIGKILL);
}

void dtx_spawner_stop(struct dtx_spawner *s)
{
    if (!s)
        return;
    if (dtx_spawner_alive(s) && shutdown(s->sock, SHUT_WR) == 0) {
        pid_t pid;

        wait_for_end(s);
        do
            pid = waitpid(s->pid, NULL, 0);
        while (pid < 0 && errno == EINTR);
    }
    free_spawner(s);
}
