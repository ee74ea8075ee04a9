/* SPDX-License-Identifier: MIT */
/* Fuzz target: any bytes as a joblog, read back for a small list.  Checks what
 * every success and every error promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "task/joblog.h"
#include "task/task.h"

#define TASKS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check(const struct dtx_outcome *out,
                  const struct dtx_joblog_counts *n)
{
    uint32_t i;

    require(n->foreign <= n->lines);
    for (i = 0; i < TASKS; i++) {
        if (out[i].status == DTX_STATUS_NONE)
            continue;
        require(out[i].task == i && out[i].wall_ns >= 0);
        require(out[i].exit_code >= 0 && out[i].exit_code <= 255);
        require((out[i].status == DTX_STATUS_FAILED) ==
                (out[i].exit_code != 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const command[TASKS] = {"a", "b", "a", "x", "x"};
    struct dtx_outcome out[TASKS];
    struct dtx_joblog_counts counts;
    struct dtx_tasklist list;
    struct dtx_error err;
    size_t i;
    int rc;

    memset(&err, 0, sizeof(err));
    require(dtx_tasklist_init(&list) == 0);
    for (i = 0; i < TASKS; i++)
        require(dtx_tasklist_add(&list, command[i], 1, 0, 0, DTX_NO_TEXT) ==
                0);
    list.task[3].index = 1;
    list.task[4].index = 2;
    rc = dtx_joblog_read("f", (const char *)data, size, &list, out, &counts,
                         &err);
    if (rc)
        require(err.code == rc && strncmp(err.text, "f:", 2) == 0);
    else
        check(out, &counts);
    dtx_tasklist_fini(&list);
    return 0;
}
