/* SPDX-License-Identifier: MIT */
/* task/outcome.h - what happened to an attempt */
#ifndef DTX_TASK_OUTCOME_H
#define DTX_TASK_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "task/counters.h"

enum dtx_status {
    DTX_STATUS_NONE,     /* no outcome */
    DTX_STATUS_OK,       /* exit 0 */
    DTX_STATUS_FAILED,   /* exit code not 0 (126, 127: could not be executed) */
    DTX_STATUS_SIGNALED, /* ended by a signal that was not ours */
    DTX_STATUS_TIMEOUT,  /* ended by us after its timeout */
    DTX_STATUS_KILLED,   /* ended by us since the job was stopped: the task is
                            not finished and a resume runs it again */
    DTX_STATUS_LOST      /* the rank that may have been running it was lost: the
                            task is not finished, unless that has happened so
                            often that it was set aside */
};

/* Where the numbers of an outcome come from. */
enum dtx_source {
    DTX_SOURCE_NONE,
    DTX_SOURCE_RUSAGE,
    DTX_SOURCE_JOBLOG /* the whole outcome was told by a joblog: no usage, no
                         output, no attempt of ours */
};

/* Whose outputs take a lasting place in out/. */
enum dtx_keep { DTX_KEEP_ALL, DTX_KEEP_FAILED, DTX_KEEP_NONE };

/* In out_off: the output is not kept. What the other bits say, if anything, is
 * store/output.h's business. */
#define DTX_OUTPUT_PASSING (UINT64_C(1) << 63)

struct dtx_outcome {
    uint32_t task;      /* number from 0 */
    uint32_t attempt;   /* from 1 */
    uint32_t rank;      /* who ran it */
    uint32_t slot;      /* first slot it used, unique on its node, from 1 */
    uint8_t status;     /* enum dtx_status */
    uint8_t source;     /* enum dtx_source; NONE: the usage fields are unset */
    int32_t exit_code;  /* 0..255; 0 when ended by a signal */
    int32_t signal;     /* 0 when it exited */
    int64_t start_ns;   /* wall clock since 1970 */
    int64_t wall_ns;    /* duration by a monotonic clock */
    int64_t utime_ns, stime_ns;
    int64_t maxrss_kib;
    int64_t minflt, majflt, nvcsw, nivcsw, inblock, oublock;
    struct dtx_counters counters;
    /* its output in out/, see store/output.h; stdout first, stderr behind it */
    uint64_t out_off, out_len, err_len;
    uint32_t out_crc;   /* CRC-32 of out_len + err_len bytes */
};

/* "ok", "failed", "signaled", "timeout", "killed", "lost", "none" */
const char *dtx_status_name(enum dtx_status s);
/* Is this the end of an attempt that the task itself brought about (OK,
 * FAILED, SIGNALED, TIMEOUT)? KILLED and LOST are not. */
bool dtx_status_finished(enum dtx_status s);

/* By its status: is the output of such an attempt to be kept? */
bool dtx_keep_has(enum dtx_keep k, enum dtx_status s);
/* False: there was an output, and it was not kept. */
bool dtx_outcome_is_kept(const struct dtx_outcome *o);

#endif
