/* SPDX-License-Identifier: MIT */
/* wire/experience.h - what a history holds, as plain rows
 *
 * What predict/ has learned and store/ keeps, so that neither needs to know the
 * other; doc/history.md tells what each column means.  Rows of models add up:
 * sums, counts and windows of two histories make those of both.
 */
#ifndef DTX_WIRE_EXPERIENCE_H
#define DTX_WIRE_EXPERIENCE_H

#include <stddef.h>
#include <stdint.h>

#define DTX_EXP_NUMBERS 16u
#define DTX_EXP_WORDS 8u
#define DTX_EXP_HOSTS 16u
#define DTX_EXP_EXPERTS 16u
#define DTX_EXP_ERRORS 64u
#define DTX_EXP_BUCKETS 128u
#define DTX_EXP_MOMENTS ((DTX_EXP_NUMBERS + 2) * (DTX_EXP_NUMBERS + 3) / 2)
#define DTX_EXP_NAME 160u
#define DTX_EXP_HOST_NAME 64u
#define DTX_EXP_KERNEL 256u
#define DTX_EXP_FEATURES 8u
#define DTX_EXP_PARTS 1024u

/* An outcome: one attempt that came to an end. */
struct dtx_exp_outcome {
    uint64_t class_key, program_key;
    uint64_t command;  /* hash of its bytes */
    int64_t start_ns;  /* since 1970 */
    float seconds;
    float cpu_seconds; /* below 0: not measured */
    uint32_t rss_kib;  /* 0: not measured */
    uint32_t host;     /* row of the hosts, from 0 */
    uint8_t status;    /* enum dtx_status */
    uint8_t counted;   /* bits of enum dtx_counted: which of these are there,
                          as counted (task/counters.h) */
    float instructions, cycles, misses;
    float iowait_seconds;
};

struct dtx_exp_host {
    char name[DTX_EXP_HOST_NAME];
};

/* A class, a program, or everything, as learned. */
struct dtx_exp_class {
    uint64_t key, program_key;
    uint8_t grain;           /* 0 a class, 1 a program, 2 everything */
    char name[DTX_EXP_NAME]; /* the template, or the program's name */
    uint64_t n;              /* outcomes */
    uint64_t window_at;      /* its rows in the window table */
    uint32_t window_len;
    float mean, drift;
    uint32_t host[DTX_EXP_HOSTS]; /* hashes of names */
    float host_drift[DTX_EXP_HOSTS], host_count[DTX_EXP_HOSTS];
    double moment[DTX_EXP_MOMENTS];
    double spread;
    uint32_t dims;
    float low[DTX_EXP_NUMBERS + 1], high[DTX_EXP_NUMBERS + 1];
    int32_t sketch_scale, sketch_base;
    uint64_t sketch_n;
    uint32_t sketch_count[DTX_EXP_BUCKETS];
    float loss[DTX_EXP_EXPERTS], loss_count[DTX_EXP_EXPERTS];
    float scale;
    float error[DTX_EXP_ERRORS]; /* the oldest first */
    uint32_t nerrors;
    float alpha;
    uint32_t mark, former; /* of the program's file, and before it changed */
    uint32_t fresh;        /* outcomes since */
    float shift, shifts;   /* how much longer commands take since, of so many */
};

/* A recent outcome of a class, with its features. */
struct dtx_exp_sample {
    float y; /* logarithm of the seconds */
    uint32_t when;
    float x[DTX_EXP_NUMBERS];
    uint32_t word[DTX_EXP_WORDS];
    uint32_t host, mark, exact;
};

struct dtx_exp_command {
    uint64_t key;
    uint32_t when, n;
    float y, off;
    float least; /* seconds after which it was ended by force; 0: it was not */
    uint32_t mark;
};

/* The profile of a program's loop. */
struct dtx_exp_loop {
    char kernel[DTX_EXP_KERNEL];
    uint64_t begin, end;
    uint32_t grains; /* iterations, or groups of them beyond 2^32 */
    uint32_t nx;     /* features */
    double x[DTX_EXP_FEATURES];
    uint32_t parts;  /* of equal numbers of grains */
    uint64_t ns[DTX_EXP_PARTS];
};

/* All of it; zero-initialise, free with dtx_experience_free. */
struct dtx_experience {
    struct dtx_exp_outcome *outcome;
    size_t noutcomes, cap_outcomes;
    struct dtx_exp_host *host;
    size_t nhosts, cap_hosts;
    struct dtx_exp_class *class;
    size_t nclasses;
    struct dtx_exp_sample *sample;
    size_t nsamples;
    struct dtx_exp_command *command;
    size_t ncommands;
    struct dtx_exp_loop *loop;
    size_t nloops, cap_loops;
    uint64_t total; /* outcomes ever learned */
};

void dtx_experience_free(struct dtx_experience *e);
/* The row of this host, added when new; UINT32_MAX when out of memory. */
uint32_t dtx_experience_host(struct dtx_experience *e, const char *name,
                             size_t len);
/* Append. 0 or DTX_ENOMEM. */
int dtx_experience_outcome(struct dtx_experience *e,
                           const struct dtx_exp_outcome *o);
/* Append, or take the place of the same loop's row: the later one counts. */
int dtx_experience_loop(struct dtx_experience *e, const struct dtx_exp_loop *l);

#endif
