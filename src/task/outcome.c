/* SPDX-License-Identifier: MIT */
/* The names of statuses and which of them end a task's attempt for good; see
 * outcome.h.  Decides nothing about retries. */
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
