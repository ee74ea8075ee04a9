/* SPDX-License-Identifier: MIT */
/* The words of "distributex output"; see asked.h.  It reads the command line
 * and asks the file system only whether the first word is a directory. */
#include "cli/asked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/cmd.h"
#include "store/output.h"
#include "task/outcome.h"
#include "task/task.h"

#define FORM                                                                   \
    "the form: distributex output [--stdout | --stderr] [--state STATE] "      \
    "[--follow] [RUNDIR] TASK..."

/* ---- what is meant ---- */

static const char *const states[] = {"all", "ok", "failed", "killed",
                                     "timeout"};

/* Is this status meant by the state? "failed" is all that is not ok. */
static bool state_has(const char *state, uint8_t status)
{
    if (!state || strcmp(state, "all") == 0)
        return true;
    if (strcmp(state, "ok") == 0)
        return status == DTX_STATUS_OK;
    if (strcmp(state, "killed") == 0)
        return status == DTX_STATUS_SIGNALED;
    if (strcmp(state, "timeout") == 0)
        return status == DTX_STATUS_TIMEOUT;
    return status != DTX_STATUS_OK;
}

/* Is the task meant by a word? */
static bool ref_has(const struct dtx_asked_ref *ref,
                    const struct dtx_tasklist *list, uint32_t task)
{
    const char *name;

    if (!ref->name)
        return ref->first <= task && task <= ref->last;
    name = list && task < list->ntasks
               ? dtx_tasklist_pool(list, list->task[task].name)
               : NULL;
    return name && strlen(name) == ref->len &&
           memcmp(name, ref->name, ref->len) == 0;
}

bool dtx_asked_has_status(const struct dtx_asked *q, uint8_t status)
{
    return state_has(q->state, status);
}

bool dtx_asked_has(const struct dtx_asked *q, const struct dtx_tasklist *list,
                   uint32_t task)
{
    size_t i;

    for (i = 0; i < q->nrefs; i++) {
        if (ref_has(&q->ref[i], list, task))
            return true;
    }
    return q->nrefs == 0;
}

bool dtx_asked_one(const struct dtx_asked *q)
{
    return q->nrefs == 1 && !q->state && !q->ref[0].name &&
           q->ref[0].first == q->ref[0].last;
}

int dtx_asked_check(const struct dtx_asked *q, const struct dtx_tasklist *list,
                    struct dtx_error *err)
{
    size_t i;
    uint32_t t;

    for (i = 0; i < q->nrefs; i++) {
        const struct dtx_asked_ref *ref = &q->ref[i];

        if (!ref->name && ref->first < list->ntasks)
            continue;
        if (!ref->name)
            return dtx_error_set(err, DTX_ENOENT,
                                 "there is no task %" PRIu64
                                 ": the job has %zu",
                                 dtx_task_id(ref->first), list->ntasks);
        for (t = 0; t < list->ntasks && !ref_has(ref, list, t);)
            t++;
        if (t == list->ntasks)
            return dtx_error_set(err, DTX_ENOENT,
                                 "no task has the name '%.*s'",
                                 (int)(ref->len < 200 ? ref->len : 200),
                                 ref->name);
    }
    return 0;
}

/* ---- the command line ---- */

int dtx_asked_range(const char *s, size_t len, struct dtx_asked_ref *ref)
{
    char text[48], *dash;
    int64_t first = 0, last = DTX_MAX_TASKS;

    if (len == 0 || strspn(s, "0123456789-") < len || s[0] == '-')
        return 0;
    if (len >= sizeof(text))
        return -1;
    memcpy(text, s, len);
    text[len] = '\0';
    dash = strchr(text, '-');
    if (dash)
        *dash++ = '\0';
    if (dtx_parse_int(text, 1, DTX_MAX_TASKS, &first) != 0)
        return -1;
    if (!dash)
        last = first;
    else if (*dash && dtx_parse_int(dash, first, DTX_MAX_TASKS, &last) != 0)
        return -1;
    ref->first = (uint32_t)(first - 1);
    ref->last = (uint32_t)(last - 1);
    ref->name = NULL;
    return 1;
}

/* 1,3-5,prep */
static int read_tasks(struct dtx_asked *q, const char *word)
{
    const char *s = word;

    for (;;) {
        size_t len = strcspn(s, ",");
        struct dtx_asked_ref ref = {0, 0, s, len}, *p;

        if (len == 0 || len > DTX_MAX_NAME || dtx_asked_range(s, len, &ref) < 0)
            return dtx_cmd_usage("output: '%.200s' is not a task: a number "
                                 "from 1, a range such as 3-5, or a name\n"
                                 FORM, word);
        p = dtx_grow(q->ref, &q->cap_refs, q->nrefs + 1, sizeof(*p));
        if (!p)
            return dtx_cmd_usage("output: out of memory");
        q->ref = p;
        q->ref[q->nrefs++] = ref;
        if (!s[len])
            return 0;
        s += len + 1;
    }
}

/* Is the first word the run directory? Of several it is, unless it reads as
 * numbers; one alone must look like it. */
static bool is_dir(const char *word, int n)
{
    struct stat st;
    struct dtx_asked_ref ref;

    if (strcmp(word, "latest") == 0 || strchr(word, '/'))
        return true;
    if (dtx_asked_range(word, strcspn(word, ","), &ref) != 0)
        return false;
    return n > 1 || (stat(word, &st) == 0 && S_ISDIR(st.st_mode));
}

static int read_words(struct dtx_asked *q, char *const *word, int n)
{
    int i = 0, rc = 0;

    if (n > 0 && is_dir(word[0], n)) {
        q->dir = strcmp(word[0], "latest") != 0 ? word[0] : NULL;
        i = 1;
    }
    for (; i < n && rc == 0; i++)
        rc = read_tasks(q, word[i]);
    if (rc == 0 && q->nrefs == 0 && !q->state && !q->follow)
        return dtx_cmd_usage("output: no task\n" FORM);
    return rc;
}

static int read_state(struct dtx_asked *q, const char *value)
{
    size_t i;

    for (i = 0; value && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(value, states[i]) == 0) {
            q->state = states[i];
            return 0;
        }
    }
    return dtx_cmd_usage("output: --state takes all, ok, failed, killed or "
                         "timeout%s%.60s%s", value ? ", not '" : "",
                         value ? value : "", value ? "'" : "");
}

/* The words that are no options come first in argv afterwards; '*n' of
 * them. */
static int read_options(struct dtx_asked *q, int argc, char **argv, char **word,
                        int *n)
{
    bool options = true;
    int i, rc = 0;

    for (i = 2; i < argc && rc == 0; i++) {
        if (!options || argv[i][0] != '-')
            word[(*n)++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options = false;
        else if (strcmp(argv[i], "--stdout") == 0)
            q->want[DTX_STDOUT] = true;
        else if (strcmp(argv[i], "--stderr") == 0)
            q->want[DTX_STDERR] = true;
        else if (strcmp(argv[i], "--follow") == 0)
            q->follow = true;
        else if (strncmp(argv[i], "--state=", 8) == 0)
            rc = read_state(q, argv[i] + 8);
        else if (strcmp(argv[i], "--state") == 0)
            rc = read_state(q, ++i < argc ? argv[i] : NULL);
        else
            return dtx_cmd_unknown_option("output", argv[i]);
    }
    return rc;
}

int dtx_asked_read(int argc, char **argv, struct dtx_asked *q)
{
    char **word = calloc((size_t)argc + 1, sizeof(*word));
    int rc, n = 0;

    memset(q, 0, sizeof(*q));
    rc = word ? read_options(q, argc, argv, word, &n)
              : dtx_cmd_usage("output: out of memory");
    if (!q->want[DTX_STDOUT] && !q->want[DTX_STDERR])
        q->want[DTX_STDOUT] = q->want[DTX_STDERR] = true;
    if (rc == 0)
        rc = read_words(q, word, n);
    free(word);
    return rc;
}

void dtx_asked_free(struct dtx_asked *q)
{
    free(q->ref);
    q->ref = NULL;
    q->nrefs = q->cap_refs = 0;
}
