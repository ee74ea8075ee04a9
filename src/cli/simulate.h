/* SPDX-License-Identifier: MIT */
/* cli/simulate.h - the parts of "distributex simulate"
 *
 * cmd_simulate.c runs what simulate_words.c has read from the command line, and
 * simulate_tell.c says what came of it.
 */
#ifndef DTX_CLI_SIMULATE_H
#define DTX_CLI_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/recorded.h"
#include "sim/scenario.h"

struct dtx_buf;

#define DTX_SIMULATE_SWEEP 200
#define DTX_SIMULATE_POLICIES 16
#define DTX_SIMULATE_NOT_GIVEN (-1)

/* What is asked for. */
struct dtx_simulation {
    const char *workload, *from, *history;
    struct dtx_recorded recorded;
    bool json, trace;
    struct dtx_scenario c;
    uint32_t nodes[DTX_SIMULATE_SWEEP];
    size_t nnodes;
    const char *policy[DTX_SIMULATE_POLICIES];
    size_t npolicies;
    struct dtx_scenario_job job;
    float *predicted_s; /* of --history: of each task, below 0: not known */
    uint64_t known;     /* of how many there is a prediction */
};

/* What one run brought. */
struct dtx_simulated {
    uint32_t nodes;
    const char *policy;
    struct dtx_sim_result sim;
    int64_t ideal_ns;
    int64_t blind_ns; /* memory-bound tasks not spread; 0: there are none */
    double seconds;
};

/* The command line, into 'q': 0, or the exit status after a complaint. */
int dtx_simulate_read(struct dtx_simulation *q, int argc, char **argv);
/* What the i-th of 'n' runs brought: text, a row of a table, or JSON. */
void dtx_simulate_tell(struct dtx_buf *b, const struct dtx_simulation *q,
                       const struct dtx_simulated *r, size_t i, size_t n);

#endif
