/* SPDX-License-Identifier: MIT */
/* lib/options.h - the words given to dtx_init, and the environment's */
#ifndef DTX_LIB_OPTIONS_H
#define DTX_LIB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/counters.h"

#define DTX_MAX_PATH 4096u

struct dtx_error;
struct dtx_loop_schedule;

struct dtx_schedule_choice {
    const struct dtx_loop_schedule *schedule; /* NULL: not chosen */
    int64_t overhead_ns, sigma_ns;            /* 0: not given */
    uint64_t least;
};

struct dtx_options {
    uint32_t slots; /* of a node; 0 = its cores */
    struct dtx_schedule_choice schedule;
    char learned[DTX_MAX_PATH]; /* a file; "": none */
    bool bind, bell, predict, assist;
    enum dtx_thread_counting counters;
    int64_t nap_ns, lost_after_ns;
    double weight;
};

/* "gss", "fsc:h=1us:sigma=10us", "ss:least=4" */
int dtx_schedule_parse(const char *text, struct dtx_schedule_choice *out,
                       struct dtx_error *err);
/* Words of 'text' (may be NULL) over the defaults, and the environment over
 * both. DTX_EINVAL: the text names the word. */
int dtx_options_parse(const char *text, struct dtx_options *out,
                      struct dtx_error *err);

#endif
