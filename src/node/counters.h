/* SPDX-License-Identifier: MIT */
/* node/counters.h - who counts what tasks do, and how
 *
 * A source is one way to count (task/counters.h names them). Each is tried
 * once, by adding its events and reading them after a little work: what a
 * library lists or the kernel accepts need not count. The first that works and
 * can count a whole program from its first instruction, the processes it starts
 * included, counts the tasks; why the others do not is kept for people.
 *
 * Tasks are counted so: their process opens the events on itself, enabled by
 * its exec and inherited by its children, and hands the files to the spawner
 * (dtx_perf_give, dtx_perf_take), who reads them when the task has ended.
 *
 * Threads that run kernels count themselves, each from its start on, and are
 * read by another: nothing is done where kernels are called.
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
    bool programs; /* it can count a program from its first instruction */
    /* Count a little: true and what could be read in '*counted', or false and
     * why not in 'why' (DTX_COUNTER_WHY bytes). */
    bool (*probe)(enum dtx_counter provider, uint8_t *counted, char *why);
};

/* What became of each source, in the order in which they were tried. */
struct dtx_counter_choice {
    enum dtx_counter provider; /* of tasks: never NONE */
    uint8_t counted;           /* by it */
    size_t n;
    struct dtx_counter_row {
        enum dtx_counter provider;
        bool works;
        uint8_t counted;
        char why[DTX_COUNTER_WHY]; /* why it does not count tasks; "" = does */
    } row[DTX_COUNTERS];
};

/* Try 'n' sources, best first, at most DTX_COUNTERS. RUSAGE is what is left
 * when none will do. With 'first' the search ends where the choice is made, and
 * sources that do not count programs are not tried at all. */
void dtx_counters_choose(const struct dtx_counter_source *source, size_t n,
                         bool first, struct dtx_counter_choice *out);
/* The same with the sources of this program and machine. */
void dtx_counters_probe(bool first, struct dtx_counter_choice *out);

/* Which tasks are counted: those that start while tasks take at least
 * DTX_COUNTER_SHORT_NS, as a moving mean of what has ended. Counting takes some
 * 40 us a task, and the first event on a machine that has none 8 to 18 ms (the
 * kernel waits for all its processors): with short tasks that would be felt, so
 * nothing is opened, not even to probe. Zero-initialise. */
#define DTX_COUNTER_SHORT_NS INT64_C(20000000)
struct dtx_counter_pace {
    int64_t mean_ns;
    bool known; /* some have ended */
};
/* One starts: is it counted? */
bool dtx_counter_pace_start(const struct dtx_counter_pace *p);
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

/* One way to count a thread. */
struct dtx_thread_source {
    enum dtx_counter provider;
    /* Begin to count the calling thread; NULL when this does not count here,
     * which is tried. */
    void *(*open)(enum dtx_counter provider);
    /* By any thread: what was counted since the last time, in 'out', which is
     * all zeroes. */
    void (*read)(void *handle, struct dtx_counters *out);
    void (*close)(void *handle);
};

struct dtx_thread_counter {
    const struct dtx_thread_source *source; /* NULL: the thread's clock alone */
    void *handle;
    bool clocked;
    clockid_t clock;
    uint64_t clock_ns; /* when it was last read */
};

/* Begin to count the calling thread by the first of 'n' sources that does, best
 * first, and by its clock. */
void dtx_thread_counter_choose(struct dtx_thread_counter *t,
                               const struct dtx_thread_source *source,
                               size_t n);
/* The same with the sources of this program and machine. */
void dtx_thread_counter_open(struct dtx_thread_counter *t);
/* What the thread has done since this was last called, or since it was opened;
 * while the thread is there. Where the source does not give CLOCK_NS the
 * thread's clock does; the provider is RUSAGE when that is all. */
void dtx_thread_counter_read(struct dtx_thread_counter *t,
                             struct dtx_counters *out);
/* Zeroes are allowed, and are what it leaves. */
void dtx_thread_counter_close(struct dtx_thread_counter *t);

/* What counts threads by perf events; see counters_perf.c. */
void *dtx_perf_thread_open(enum dtx_counter provider);
void dtx_perf_thread_read(void *handle, struct dtx_counters *out);
void dtx_perf_thread_close(void *handle);

#endif
