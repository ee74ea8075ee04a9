/* SPDX-License-Identifier: MIT */
/* The names of statuses, which of them end a task's attempt for good, and whose
 * outputs are kept; see outcome.h.  Decides nothing about retries. */
#include "task/outcome.h"

const char *dtx_status_name(enum dtx_status s)
{
    switch (s) {
    case DTX_STATUS_OK:
        return "ok";
    case DTX_STATUS_FAILED:
        return "failed";
    case DTX_STATUS_SIGNALED:
        return "signaled";
    case DTX_STATUS_TIMEOUT:
        return "timeout";
    case DTX_STATUS_KILLED:
        return "killed";
    case DTX_STATUS_LOST:
        return "lost";
    case DTX_STATUS_NONE:
        break;
    }
    return "none";
}

bool dtx_status_finished(enum dtx_status s)
{
    return s == DTX_STATUS_OK || s == DTX_STATUS_FAILED ||
           s == DTX_STATUS_SIGNALED || s == DTX_STATUS_TIMEOUT;
}

bool dtx_keep_has(enum dtx_keep k, enum dtx_status s)
{
    return k == DTX_KEEP_ALL || (k == DTX_KEEP_FAILED && s != DTX_STATUS_OK);
}

bool dtx_outcome_is_kept(const struct dtx_outcome *o)
{
    return (o->out_off & DTX_OUTPUT_PASSING) == 0;
}
