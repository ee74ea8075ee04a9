/* SPDX-License-Identifier: MIT */
/* Reads /proc/stat and the accounts of processes; see others.h. */
#include "node/others.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/units.h"
#include "node/clock.h"

#define STAT_BYTES (1u << 20) /* of /proc/stat, at most */
#define PAUSE_NS (1 * DTX_SEC_NS)
#define COST_PARTS 200 /* a look's time is that part of the pauses' at most */
#define LEAST_NS (DTX_SEC_NS / 4) /* ticks in less tell nothing */
#define FULL 0.95 /* so busy, no processor is idle */
#define STEADY 0.5 /* weight of what a look has found */
#define MOST 4.0 /* a look at who runs is not more exact */
#define SPARE 1.2 /* accounts may run ahead of the clock by so much */

/* A process at a look. */
struct process {
    int32_t pid, parent;
    uint64_t ticks; /* its own, and of its children that have ended */
    bool runs;      /* or could */
    int8_t own;     /* -1: not known yet */
};

/* What a look adds up. */
struct look {
    int64_t at_ns;
    uint64_t busy, own; /* ticks */
    uint32_t running;   /* own processes, ranks apart, that run or could */
};

struct dtx_others {
    char *root;
    uint32_t *pus, npus;
    int32_t *pid;
    uint32_t npids;
    double slots, hertz;
    struct process *process;
    size_t nprocesses, cap_processes;
    char *text; /* of STAT_BYTES */
    struct look last;
    double share; /* below 0: not known */
    _Atomic uint32_t told;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool watching, over;
};

/* ---- files ---- */

/* A file's beginning, ended by NUL; false: there is none. */
static bool read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return false;
    while (len < size - 1 && ((n = read(fd, text + len, size - 1 - len)) > 0 ||
                              (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    (void)close(fd);
    text[len] = '\0';
    return len > 0;
}

static bool has_pu(const struct dtx_others *o, unsigned long pu)
{
    uint32_t i;

    for (i = 0; i < o->npus; i++) {
        if (o->pus[i] == pu)
            return true;
    }
    return false;
}

/* user nice system idle iowait irq softirq steal: all but those of idleness. */
static uint64_t busy_ticks(const char *p)
{
    uint64_t sum = 0;
    int i;

    for (i = 0; i < 8; i++) {
        char *end;
        unsigned long long n = strtoull(p, &end, 10);

        if (end == p)
            break;
        if (i != 3 && i != 4)
            sum += n;
        p = end;
    }
    return sum;
}

/* "cpu7 ..." of each of our processing units. */
static bool read_busy(struct dtx_others *o, uint64_t *busy)
{
    char path[PATH_MAX], *line, *rest = NULL;
    uint32_t found = 0;
    int n = snprintf(path, sizeof(path), "%s/proc/stat", o->root);

    *busy = 0;
    if (n < 0 || (size_t)n >= sizeof(path) ||
        !read_file(path, o->text, STAT_BYTES))
        return false;
    for (line = strtok_r(o->text, "\n", &rest);
         line && strncmp(line, "cpu", 3) == 0;
         line = strtok_r(NULL, "\n", &rest)) {
        char *end;
        unsigned long pu;

        if (!isdigit((unsigned char)line[3]))
            continue;
        pu = strtoul(line + 3, &end, 10);
        if (!has_pu(o, pu))
            continue;
        *busy += busy_ticks(end);
        found++;
    }
    return found == o->npus;
}

/* "PID (NAME) STATE PARENT ...": fields 14 to 17 are times. */
static bool parse_process(const char *text, struct process *p)
{
    const char *q = strrchr(text, ')');
    unsigned long long user, sys;
    long long cuser, csys;
    char state;
    int parent;

    if (!q || sscanf(q + 1,
                     " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu "
                     "%lld %lld",
                     &state, &parent, &user, &sys, &cuser, &csys) != 6)
        return false;
    p->parent = parent;
    p->ticks = user + sys + (uint64_t)(cuser > 0 ? cuser : 0) +
               (uint64_t)(csys > 0 ? csys : 0);
    p->runs = state == 'R';
    p->own = -1;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

static void add_process(struct dtx_others *o, int32_t pid)
{
    char path[PATH_MAX], text[1024];
    struct process p = {.pid = pid}, *q;
    int n = snprintf(path, sizeof(path), "%s/proc/%d/stat", o->root, (int)pid);

    if (n < 0 || (size_t)n >= sizeof(path) ||
        !read_file(path, text, sizeof(text)) || !parse_process(text, &p))
        return; /* it has gone */
    q = dtx_grow(o->process, &o->cap_processes, o->nprocesses + 1, sizeof(*q));
    if (!q)
        return;
    o->process = q;
    q[o->nprocesses++] = p;
}

static bool read_processes(struct dtx_others *o)
{
    char path[PATH_MAX];
    const struct dirent *e;
    DIR *d;
    int n = snprintf(path, sizeof(path), "%s/proc", o->root);

    o->nprocesses = 0;
    d = n < 0 || (size_t)n >= sizeof(path) ? NULL : opendir(path);
    if (!d)
        return false;
    while ((e = readdir(d)) != NULL) {
        long pid = isdigit((unsigned char)e->d_name[0])
                       ? strtol(e->d_name, NULL, 10)
                       : 0;

        if (pid > 0 && pid <= INT32_MAX)
            add_process(o, (int32_t)pid);
    }
    (void)closedir(d);
    if (o->nprocesses > 0)
        qsort(o->process, o->nprocesses, sizeof(*o->process), by_pid);
    return o->nprocesses > 0;
}

/* ---- whose they are ---- */

static bool is_rank(const struct dtx_others *o, int32_t pid)
{
    uint32_t i;

    for (i = 0; i < o->npids; i++) {
        if (o->pid[i] == pid)
            return true;
    }
    return false;
}

/* Up to a rank, to one that is known, or to the top; then down again. */
static bool is_own(struct dtx_others *o, struct process *p)
{
    struct process key, *q = p;
    int8_t own = 0;
    size_t steps;

    for (steps = 0; q && steps < o->nprocesses; steps++) {
        if (q->own >= 0 || is_rank(o, q->pid)) {
            own = q->own >= 0 ? q->own : 1;
            break;
        }
        key.pid = q->parent;
        q = bsearch(&key, o->process, o->nprocesses, sizeof(key), by_pid);
    }
    for (q = p; q && q->own < 0;) {
        q->own = own;
        if (is_rank(o, q->pid))
            break;
        key.pid = q->parent;
        q = bsearch(&key, o->process, o->nprocesses, sizeof(key), by_pid);
    }
    return own == 1;
}

static bool take_look(struct dtx_others *o, struct look *l)
{
    size_t i;

    if (!read_busy(o, &l->busy) || !read_processes(o))
        return false;
    l->own = l->running = 0;
    for (i = 0; i < o->nprocesses; i++) {
        struct process *p = &o->process[i];

        if (!is_own(o, p))
            continue;
        l->own += p->ticks;
        l->running += p->runs && !is_rank(o, p->pid);
    }
    return true;
}

/* ---- what follows ---- */

/* 'busy' and 'own' are processors in use, 'wanted' those that the job's
 * processes would use. */
static double share_of(const struct dtx_others *o, double busy, double own,
                       double wanted)
{
    double all = o->npus, slots = o->slots, want;

    want = fmin(fmax(busy - own, 0), all);
    if (busy >= FULL * all && wanted > own && own > 0)
        want *= fmin(wanted / own, MOST);
    if (slots + want <= all)
        return 0;
    return 1 - all * slots / (slots + want) / fmin(slots, all);
}

double dtx_others_look(struct dtx_others *o, int64_t now_ns)
{
    struct look l = {.at_ns = now_ns}, last = o->last;
    double seconds, busy, own, share;

    if (!take_look(o, &l)) {
        o->last.at_ns = 0;
        return o->share = -1;
    }
    if (last.at_ns > 0 && now_ns - last.at_ns < LEAST_NS)
        return o->share;
    o->last = l;
    if (last.at_ns == 0 || l.busy < last.busy || l.own < last.own)
        return o->share; /* who ended between two files is missing, once */
    seconds = (double)(now_ns - last.at_ns) / 1e9;
    busy = (double)(l.busy - last.busy) / o->hertz / seconds;
    own = (double)(l.own - last.own) / o->hertz / seconds;
    if (own > SPARE * busy + 0.1)
        return o->share; /* or was counted twice */
    share = share_of(o, busy, own, (l.running + last.running) / 2.0);
    share = fmin(fmax(share, 0), 1);
    o->share = o->share < 0 ? share
                            : o->share + STEADY * (share - o->share);
    return o->share;
}

/* ---- the thread ---- */

/* What this thread has used of a processor. */
static int64_t used_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * DTX_SEC_NS + t.tv_nsec;
}

/* Look; when to do so again. */
static int64_t look_now(struct dtx_others *o)
{
    int64_t begin_ns = dtx_clock_mono_ns(), used = used_ns(), pause;
    double share = dtx_others_look(o, begin_ns);

    atomic_store(&o->told, share < 0 ? 0 : 1 + (uint32_t)lround(share * 1000));
    pause = (used_ns() - used) * COST_PARTS;
    return begin_ns + (pause > PAUSE_NS ? pause : PAUSE_NS);
}

static void *watch(void *arg)
{
    struct dtx_others *o = arg;

    (void)pthread_mutex_lock(&o->lock);
    while (!o->over) {
        struct timespec t;
        int64_t next_ns;

        (void)pthread_mutex_unlock(&o->lock);
        next_ns = look_now(o);
        t.tv_sec = (time_t)(next_ns / DTX_SEC_NS);
        t.tv_nsec = (long)(next_ns % DTX_SEC_NS);
        (void)pthread_mutex_lock(&o->lock);
        while (!o->over &&
               pthread_cond_timedwait(&o->wake, &o->lock, &t) != ETIMEDOUT)
            ;
    }
    (void)pthread_mutex_unlock(&o->lock);
    return NULL;
}

bool dtx_others_watch(struct dtx_others *o)
{
    sigset_t all, old;
    int rc;

    if (o->watching)
        return true;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0)
        return false;
    rc = pthread_create(&o->thread, NULL, watch, o);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        (void)pthread_setname_np(o->thread, "dtx-others");
    o->watching = rc == 0;
    return o->watching;
}

uint32_t dtx_others_told(const struct dtx_others *o)
{
    return atomic_load(&o->told);
}

/* ---- life ---- */

static bool init_sync(struct dtx_others *o)
{
    pthread_condattr_t a;
    bool good;

    if (pthread_condattr_init(&a) != 0)
        return false;
    good = pthread_condattr_setclock(&a, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&o->wake, &a) == 0;
    (void)pthread_condattr_destroy(&a);
    if (good && pthread_mutex_init(&o->lock, NULL) != 0) {
        (void)pthread_cond_destroy(&o->wake);
        good = false;
    }
    return good;
}

static void *copy(const void *p, size_t size)
{
    void *q = malloc(size ? size : 1);

    if (q && size)
        memcpy(q, p, size);
    return q;
}

static void free_parts(struct dtx_others *o)
{
    free(o->root);
    free(o->pus);
    free(o->pid);
    free(o->text);
    free(o->process);
    free(o);
}

struct dtx_others *dtx_others_create(const struct dtx_others_config *c)
{
    struct dtx_others *o = c->npus ? calloc(1, sizeof(*o)) : NULL;
    long hertz = sysconf(_SC_CLK_TCK);

    if (!o)
        return NULL;
    o->root = strdup(c->root);
    o->pus = copy(c->pus, c->npus * sizeof(*c->pus));
    o->pid = copy(c->pid, c->npids * sizeof(*c->pid));
    o->text = malloc(STAT_BYTES);
    o->npus = c->npus;
    o->npids = c->npids;
    o->slots = c->slots ? c->slots : 1;
    o->hertz = hertz > 0 ? (double)hertz : 100;
    o->share = -1;
    if (!o->root || !o->pus || !o->pid || !o->text || !init_sync(o)) {
        free_parts(o);
        return NULL;
    }
    return o;
}

void dtx_others_destroy(struct dtx_others *o)
{
    if (!o)
        return;
    if (o->watching) {
        (void)pthread_mutex_lock(&o->lock);
        o->over = true;
        (void)pthread_cond_signal(&o->wake);
        (void)pthread_mutex_unlock(&o->lock);
        (void)pthread_join(o->thread, NULL);
    }
    (void)pthread_cond_destroy(&o->wake);
    (void)pthread_mutex_destroy(&o->lock);
    free_parts(o);
}
