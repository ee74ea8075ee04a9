/* SPDX-License-Identifier: MIT */
/* cli/foretell.h - a plan for a job, from its command line and the history
 *
 * Reads the tasks, asks the predictor what each will take, and has sim/plan.h
 * draw and simulate the rest.  What plan and submit share.
 */
#ifndef DTX_CLI_FORETELL_H
#define DTX_CLI_FORETELL_H

#include <stdint.h>

#include "base/buf.h"
#include "sim/outlook.h"
#include "sim/plan.h"

struct dtx_error;
struct dtx_options;

struct dtx_foretell {
    /* asked: all may be zero */
    const char *history, *sizes; /* as --history and --sizes of predict */
    uint32_t nodes[DTX_PLAN_ROWS];
    size_t nnodes;
    uint32_t cores;              /* of a node; 0: of this machine */
    uint32_t slots;              /* 0: what -j makes of the cores */
    double within_s;
    uint32_t draws;
    uint64_t seed;
    /* answered */
    struct dtx_plan plan;
    struct dtx_plan_config config; /* that it was made from */
    struct dtx_scenario_job job;
    struct dtx_outlook outlook;
    struct dtx_buf dir;          /* the history's */
    uint64_t like;    /* tasks of a command or class seen before */
    uint64_t strange; /* the others; their first: */
    uint32_t stranger;
};

/* 0, and the caller finishes 'f'; else 'f' is finished, 'err' says why, and it
 * is the exit status. A history that knows nothing of these tasks is an error
 * that says what to do. */
int dtx_foretell(struct dtx_foretell *f, const struct dtx_options *o,
                 struct dtx_error *err);
void dtx_foretell_fini(struct dtx_foretell *f);

#endif
