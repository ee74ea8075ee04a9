/* SPDX-License-Identifier: MIT */
/* node/papi_count.c - PAPI
 *
 * Counts threads and programs by PAPI's events; see papi.h.  An event is good
 * only once it has been added, started and read, and what must have happened
 * in between was seen.  This is the only file that includes <papi.h>;
 * papi_none.c takes its place where the program is built without it.
 *
 * A program is counted by a set of its own that is attached to its process,
 * and inherited by what it starts.  Such sets run side by side; of a thread's
 * own sets PAPI runs but one at a time.
 */
#include "node/papi.h"

#include <papi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/counters.h"

#define SPIN_NS 2000000     /* of a processor, in the probe's grandchild */
#define LEAST_SEEN 200000   /* ns, cycles or instructions in that time */

struct event {
    const char *name;
    enum dtx_counted counted;
    bool certain; /* a little work makes it more than 0 */
};

/* In order of preference where two count the same. */
static const struct event hardware[] = {
    {"PAPI_TOT_INS", DTX_COUNTED_INSTRUCTIONS, true},
    {"PAPI_TOT_CYC", DTX_COUNTED_CYCLES, true},
    {"PAPI_L3_TCM", DTX_COUNTED_MISSES, false},
    {"perf::CACHE-MISSES", DTX_COUNTED_MISSES, false},
};
static const struct event software[] = {
    {"perf::TASK-CLOCK", DTX_COUNTED_CLOCK_NS, true},
    {"perf::CPU-MIGRATIONS", DTX_COUNTED_MIGRATIONS, false},
};

static const struct event *events_of(enum dtx_counter provider, size_t *n)
{
    bool hard = provider == DTX_COUNTER_PAPI_HARDWARE;

    *n = hard ? sizeof(hardware) / sizeof(hardware[0])
              : sizeof(software) / sizeof(software[0]);
    return hard ? hardware : software;
}

const char *dtx_papi_library(char *buf, size_t size)
{
    unsigned v = (unsigned)PAPI_VERSION;
    (void)snprintf(buf, size, "PAPI %u.%u.%u.%u", v >> 24 & 0xff,
                   v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff);
    return buf;
}

/* ---- sets of events ---- */

#define MOST 4

struct set {
    int id; /* PAPI's */
    uint32_t n;
    enum dtx_counted counted[MOST];
    long long last[MOST]; /* when it was last read */
};

/* For a process that waits before its exec. */
static int attach_set(int id, pid_t pid)
{
    int component = PAPI_get_component_index("perf_event"), rc;
    PAPI_option_t o;

    if (component < 0)
        return component;
    memset(&o, 0, sizeof(o));
    o.inherit.inherit = PAPI_INHERIT_ALL;
    o.inherit.eventset = id;
    rc = PAPI_assign_eventset_component(id, component);
    if (rc == PAPI_OK)
        rc = PAPI_set_opt(PAPI_INHERIT, &o);
    return rc == PAPI_OK ? PAPI_attach(id, (unsigned long)pid) : rc;
}

static void drop_set(struct set *s)
{
    (void)PAPI_cleanup_eventset(s->id);
    (void)PAPI_destroy_eventset(&s->id);
}

/* Start to count those of 'codes' (one for each of 's') that can be added, of
 * process 'pid', or of the calling thread if that is 0. PAPI_OK: at least one
 * counts. */
static int start_set(struct set *s, const int *codes, pid_t pid)
{
    uint32_t n = s->n, i;
    int rc = PAPI_create_eventset(&s->id), add;

    if (rc == PAPI_OK && pid != 0)
        rc = attach_set(s->id, pid);
    for (i = s->n = 0; rc == PAPI_OK && i < n; i++) {
        add = PAPI_add_event(s->id, codes[i]);
        if (add == PAPI_OK)
            s->counted[s->n++] = s->counted[i];
        else if (i + 1 == n && s->n == 0)
            rc = add;
    }
    if (rc == PAPI_OK)
        rc = PAPI_start(s->id);
    if (rc != PAPI_OK)
        drop_set(s);
    return rc;
}

/* What 'wanted' says of the provider's events, each once. */
static void list_events(enum dtx_counter provider, uint8_t wanted,
                        struct set *s, int *codes)
{
    const struct event *e;
    size_t n, i;

    e = events_of(provider, &n);
    memset(s, 0, sizeof(*s));
    s->id = PAPI_NULL;
    for (i = 0; i < n; i++) {
        if (!(wanted >> e[i].counted & 1) ||
            PAPI_event_name_to_code((char *)(uintptr_t)e[i].name,
                                    &codes[s->n]) != PAPI_OK ||
            PAPI_query_event(codes[s->n]) != PAPI_OK)
            continue;
        wanted &= (uint8_t)~(1u << e[i].counted);
        s->counted[s->n++] = e[i].counted;
    }
}

/* What was counted since the last time. */
static void take_set(struct set *s, const long long *now,
                     struct dtx_counters *out)
{
    uint32_t i;

    for (i = 0; i < s->n; i++) {
        if (now[i] >= s->last[i])
            dtx_counters_set(out, s->counted[i],
                             (uint64_t)(now[i] - s->last[i]));
        s->last[i] = now[i];
    }
}

/* ---- probes ---- */

static bool start_library(char *why)
{
    int rc = PAPI_library_init(PAPI_VER_CURRENT);

    if (rc == PAPI_VER_CURRENT)
        return true;
    (void)snprintf(why, DTX_COUNTER_WHY, "the library does not start: %s",
                   rc > 0 ? "it is of another version than its header"
                          : PAPI_strerror(rc));
    return false;
}

static void work_a_little(void)
{
    volatile unsigned x = 1;
    int i;

    for (i = 0; i < 10000; i++)
        x = x * 3 + 1;
}

/* 0 or PAPI's error; "does not count" is PAPI_ENOCNTR. */
static int try_event(const struct event *e)
{
    int set = PAPI_NULL, rc = PAPI_create_eventset(&set), stopped;
    long long value = 0;

    if (rc != PAPI_OK)
        return rc;
    rc = PAPI_add_named_event(set, e->name);
    if (rc == PAPI_OK)
        rc = PAPI_start(set);
    if (rc == PAPI_OK) {
        work_a_little();
        stopped = PAPI_stop(set, &value);
        rc = stopped != PAPI_OK ? stopped
             : value < 0 || (value == 0 && e->certain) ? PAPI_ENOCNTR
                                                       : PAPI_OK;
    }
    (void)PAPI_cleanup_eventset(set);
    (void)PAPI_destroy_eventset(&set);
    return rc;
}

bool dtx_papi_probe(enum dtx_counter provider, uint8_t *counted, char *why)
{
    const struct event *e;
    size_t n;
    int rc;

    *counted = 0;
    if (!start_library(why))
        return false;
    e = events_of(provider, &n);
    while (n-- > 0) {
        rc = try_event(&e[n]);
        if (rc == PAPI_OK)
            *counted |= (uint8_t)(1u << e[n].counted);
        else
            (void)snprintf(why, DTX_COUNTER_WHY, "%s: %s", e[n].name,
                           PAPI_strerror(rc));
    }
    PAPI_shutdown();
    return *counted != 0;
}

static uint64_t used_ns(void)
{
    struct timespec t;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return SPIN_NS;
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* A program that leaves the work to a process it starts, once it may go on. */
_Noreturn static void be_program(int go)
{
    pid_t pid = -1;
    char byte;

    if (read(go, &byte, 1) == 1)
        pid = fork();
    while (pid == 0 && used_ns() < SPIN_NS)
        work_a_little();
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    _exit(0);
}

/* Was what its child did counted as well? */
static bool saw_child(const struct dtx_counters *c)
{
    uint64_t v;

    return (dtx_counters_get(c, DTX_COUNTED_INSTRUCTIONS, &v) ||
            dtx_counters_get(c, DTX_COUNTED_CYCLES, &v) ||
            dtx_counters_get(c, DTX_COUNTED_CLOCK_NS, &v)) &&
           v >= LEAST_SEEN;
}

/* 0 or PAPI's error. */
static int try_program(struct dtx_papi_programs *p, struct dtx_counters *c)
{
    int go[2], rc = PAPI_ESYS;
    struct dtx_papi_program *x = NULL;
    pid_t pid;

    memset(c, 0, sizeof(*c));
    if (pipe(go) != 0)
        return rc;
    pid = fork();
    if (pid == 0) {
        (void)close(go[1]);
        be_program(go[0]);
    }
    (void)close(go[0]);
    if (pid > 0)
        x = dtx_papi_attach(p, pid, &rc);
    if (x)
        (void)!write(go[1], "", 1);
    (void)close(go[1]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    if (x)
        dtx_papi_end(x, c);
    return x ? PAPI_OK : rc;
}

bool dtx_papi_attaches(enum dtx_counter provider, uint8_t *counted, char *why)
{
    struct dtx_papi_programs *p = dtx_papi_open(provider, *counted, why);
    struct dtx_counters c;
    int rc;

    *counted = 0;
    if (!p)
        return false;
    rc = try_program(p, &c);
    if (rc != PAPI_OK)
        (void)snprintf(why, DTX_COUNTER_WHY, "it does not attach to a process: "
                       "%s", PAPI_strerror(rc));
    else if (!saw_child(&c))
        (void)snprintf(why, DTX_COUNTER_WHY,
                       "it does not count what a process starts");
    else
        *counted = c.counted;
    dtx_papi_close(p);
    return *counted != 0;
}

/* ---- programs ---- */

struct dtx_papi_programs {
    enum dtx_counter provider;
    struct set events;
    int codes[MOST];
};

struct dtx_papi_program {
    enum dtx_counter provider;
    struct set set;
};

struct dtx_papi_programs *dtx_papi_open(enum dtx_counter provider,
                                        uint8_t counted, char *why)
{
    struct dtx_papi_programs *p;

    if (!start_library(why))
        return NULL;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->provider = provider;
    list_events(provider, counted, &p->events, p->codes);
    return p;
}

void dtx_papi_close(struct dtx_papi_programs *p)
{
    free(p);
    PAPI_shutdown();
}

struct dtx_papi_program *dtx_papi_attach(const struct dtx_papi_programs *p,
                                         pid_t pid, int *why)
{
    struct dtx_papi_program *x = malloc(sizeof(*x));
    int rc = PAPI_ENOMEM;

    if (x) {
        x->provider = p->provider;
        x->set = p->events;
        rc = start_set(&x->set, p->codes, pid);
    }
    if (rc == PAPI_OK)
        return x;
    if (why)
        *why = rc;
    free(x);
    return NULL;
}

void dtx_papi_end(struct dtx_papi_program *x, struct dtx_counters *out)
{
    long long now[MOST] = {0};

    if (PAPI_stop(x->set.id, now) == PAPI_OK)
        take_set(&x->set, now, out);
    out->provider = (uint8_t)(out->counted ? x->provider : DTX_COUNTER_RUSAGE);
    drop_set(&x->set);
    free(x);
}

/* ---- threads ---- */

/* PAPI belongs to the process: what the program has started is the program's,
 * and left alone. What we have started stays till the process ends, since the
 * program may have come to use it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool ours;

static bool have_library(void)
{
    char why[DTX_COUNTER_WHY];
    bool have;

    (void)pthread_mutex_lock(&lock);
    if (!ours && PAPI_is_initialized() == PAPI_NOT_INITED)
        ours = start_library(why) && PAPI_thread_init(pthread_self) == PAPI_OK;
    have = ours;
    (void)pthread_mutex_unlock(&lock);
    return have;
}

void *dtx_papi_thread_open(enum dtx_counter provider)
{
    struct set *s = have_library() ? malloc(sizeof(*s)) : NULL;
    struct dtx_counters seen = {0};
    long long now[MOST] = {0};
    int codes[MOST];

    if (!s)
        return NULL;
    list_events(provider, UINT8_MAX, s, codes);
    if (s->n == 0 || start_set(s, codes, 0) != PAPI_OK) {
        free(s);
        return NULL;
    }
    work_a_little();
    if (PAPI_read(s->id, now) == PAPI_OK)
        take_set(s, now, &seen);
    if (seen.counted && (now[0] > 0 || s->counted[0] == DTX_COUNTED_MISSES))
        return s;
    dtx_papi_thread_close(s);
    return NULL;
}

void dtx_papi_thread_read(void *handle, struct dtx_counters *out)
{
    struct set *s = handle;
    long long now[MOST];

    if (PAPI_read(s->id, now) == PAPI_OK)
        take_set(s, now, out);
}

void dtx_papi_thread_close(void *handle)
{
    struct set *s = handle;
    long long now[MOST];

    (void)PAPI_stop(s->id, now);
    drop_set(s);
    (void)PAPI_unregister_thread();
    free(s);
}
