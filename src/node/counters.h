/* SPDX-License-Identifier: MIT */
/* node/counters.h - who counts what tasks do, and how
 *
 * A source is one way to count (task/counters.h names them). Each is tried
 * once, by adding its events and reading them after a little work: what a
 * library lists or the kernel accepts need not count. The first that works and
 * can count a whole program from its first instruction, the processes it starts
 * included, counts the tasks; why the others do not is kept for people.
 *
 * Tasks are counted so. By perf: their process opens the events on itself,
 * enabled by its exec and inherited by its children, and hands the files to the
 * spawner (dtx_perf_give, dtx_perf_take), who reads them when the task has
 * ended. By PAPI: their process waits before its exec until the spawner has
 * attached events to it (node/papi.h).
 *
 * Threads that run kernels count themselves, each from its start on, and are
 * read when they rest: nothing is done where kernels are called.
 */
#ifndef DTX_NODE_COUNTERS_H
#define DTX_NODE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "task/counters.h"

enum { DTX_COUNTER_WHY = 160, DTX_PERF_EVENTS = 3 };

struct dtx_counter_source {
    enum dtx_counter provider;
    /* Count a little of the calling thread: true and what could be read in
     * '*counted', or false and why not in 'why' (DTX_COUNTER_WHY bytes). */
    bool (*probe)(enum dtx_counter provider, uint8_t *counted, char *why);
    /* Count a program and what it starts, of what is in '*counted': true and
     * what could be read, or false and why not. NULL: all that the probe
     * counts. */
    bool (*programs)(enum dtx_counter provider, uint8_t *counted, char *why);
};

/* What became of each source, in the order in which they were tried. */
struct dtx_counter_choice {
    enum dtx_counter provider; /* of tasks: never NONE */
    uint8_t counted;           /* by it */
    size_t n;
    struct dtx_counter_row {
        enum dtx_counter provider;
        bool works;
        uint8_t counted; /* of programs where it counts these */
        char why[DTX_COUNTER_WHY]; /* why not tasks; "": it does */
    } row[DTX_COUNTERS];
};

/* Try 'n' sources, best first, at most DTX_COUNTERS. RUSAGE is what is left
 * when none will do. With 'first' the search ends where the choice is made. */
void dtx_counters_choose(const struct dtx_counter_source *source, size_t n,
                         bool first, struct dtx_counter_choice *out);
/* The same with the sources of this program and machine. With 'first' PAPI is
 * not even started where the kernel knows of no counter in the processor. May
 * take 20 ms; starts processes and waits for them. */
void dtx_counters_probe(bool first, struct dtx_counter_choice *out);

/* Which tasks are counted. To count one takes time, DTX_COUNTER_PERF_NS or, by
 * PAPI, DTX_COUNTER_PAPI_NS; a DTX_COUNTER_SHARE th of the time that tasks take
 * is for it, and of short ones, whose start is most of what they are, a quarter
 * of that. So all are counted that take that many times the cost (25 ms and 125
 * ms), and of shorter ones a sample; of the first ones, of which nothing is
 * known, as many as there are slots. Zeroes count nothing. */
#define DTX_COUNTER_PERF_NS INT64_C(50000)
#define DTX_COUNTER_PAPI_NS INT64_C(250000)
#define DTX_COUNTER_IOWAIT_NS INT64_C(30000) /* on top (node/iowait.h) */
#define DTX_COUNTER_SHARE 500
#define DTX_COUNTER_SHORT_NS INT64_C(10000000)
struct dtx_counter_pace {
    int64_t cost_ns;          /* of one */
    int64_t left_ns, most_ns; /* to spend */
};
int64_t dtx_counter_cost_ns(enum dtx_counter provider); /* 0: of nothing */
void dtx_counter_pace_init(struct dtx_counter_pace *p, int64_t cost_ns,
                           uint32_t slots);
/* One starts: is it counted? If so it has been paid for. */
bool dtx_counter_pace_start(struct dtx_counter_pace *p);
/* One has ended that took 'wall_ns'. */
void dtx_counter_pace_end(struct dtx_counter_pace *p, int64_t wall_ns);

/* ---- perf events ---- */

struct dtx_perf_event {
    uint32_t type;
    uint64_t config;
    enum dtx_counted counted;
};

/* What a provider of perf events counts here. */
struct dtx_perf_set {
    enum dtx_counter provider;
    uint32_t n; /* 0: nothing, and nothing costs anything */
    struct dtx_perf_event event[DTX_PERF_EVENTS];
};

/* Have the kernel ready for events as long as this process lives. False: it
 * permits none. */
bool dtx_perf_keep_open(void);
/* Does the kernel know of a counter in the processor? A call or two. */
bool dtx_perf_has_hardware(void);
/* A probe for struct dtx_counter_source: PERF_HARDWARE or PERF_SOFTWARE. Good
 * if one of its events can be read; counted are those that can. */
bool dtx_perf_probe(enum dtx_counter provider, uint8_t *counted, char *why);
/* Those events of 'provider' that are in 'counted'; none for other providers.
 */
void dtx_perf_set_init(struct dtx_perf_set *s, enum dtx_counter provider,
                       uint8_t counted);
/* In a child of vfork, before its exec: begin to count there and send the files
 * to 'sock'. System calls alone; all or nothing. */
void dtx_perf_give(const struct dtx_perf_set *s, int sock);
/* The files that a child has just sent to the other end: false when it has
 * not, and they are -1. */
bool dtx_perf_take(const struct dtx_perf_set *s, int sock,
                   int fd[DTX_PERF_EVENTS]);
/* Read what they have counted into 'out', and close them. What was not counted
 * is absent; if nothing was, the provider is RUSAGE. */
void dtx_perf_end(const struct dtx_perf_set *s, int fd[DTX_PERF_EVENTS],
                  struct dtx_counters *out);

/* ---- threads ---- */

/* By whom. */
enum dtx_thread_counting {
    DTX_THREAD_COUNTING_OFF,
    DTX_THREAD_COUNTING_PERF, /* not by PAPI, which the program uses itself */
    DTX_THREAD_COUNTING_AUTO  /* the best */
};

/* One way to count a thread. */
struct dtx_thread_source {
    enum dtx_counter provider;
    bool own; /* only the thread that has opened it may read and close it */
    /* Begin to count the calling thread; NULL when this does not count here,
     * which is tried. */
    void *(*open)(enum dtx_counter provider);
    /* What was counted since the last time, in 'out', which is all zeroes. */
    void (*read)(void *handle, struct dtx_counters *out);
    void (*close)(void *handle);
};

struct dtx_thread_counter {
    const struct dtx_thread_source *source; /* NULL: the thread's clock alone */
    void *handle;
    struct dtx_counters noted; /* of an 'own' source, since it was last read */
    bool clocked;
    clockid_t clock;
    uint64_t clock_ns; /* when it was last read */
};

/* Begin to count the calling thread by the first of 'n' sources that does, best
 * first, and by its clock. */
void dtx_thread_counter_choose(struct dtx_thread_counter *t,
                               const struct dtx_thread_source *source,
                               size_t n);
/* The same with the sources of this program and machine, as far as 'by' lets
 * them. */
void dtx_thread_counter_open(struct dtx_thread_counter *t,
                             enum dtx_thread_counting by);
/* By the thread itself, before another reads: have what was counted ready where
 * the source lets nobody else read it; else nothing. */
void dtx_thread_counter_note(struct dtx_thread_counter *t);
/* By any thread, while the one that is counted is there: what that has done
 * since this was last called, or since it was opened, as far as it was noted.
 * Where the source does not give CLOCK_NS the thread's clock does; the provider
 * is RUSAGE when that is all. */
void dtx_thread_counter_read(struct dtx_thread_counter *t,
                             struct dtx_counters *out);
/* By the thread itself. Zeroes are allowed, and are what it leaves. */
void dtx_thread_counter_close(struct dtx_thread_counter *t);

/* What counts threads by perf events; see counters_perf.c. */
void *dtx_perf_thread_open(enum dtx_counter provider);
void dtx_perf_thread_read(void *handle, struct dtx_counters *out);
void dtx_perf_thread_close(void *handle);

#endif
