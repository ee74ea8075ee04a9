/* SPDX-License-Identifier: MIT */
/* "distributex output": prints what a task wrote.  The index leads to the
 * task's record in the journal and the record to its bytes; where the index
 * does not know better, the journal is read through.  Nothing is written. */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "run/status.h"
#include "store/journal.h"
#include "store/output.h"
#include "store/rundir.h"
#include "task/outcome.h"
#include "task/task.h"
#include "wire/replay.h"
#include "wire/wire.h"

#define FORM "the form: distributex output [--stdout | --stderr] [RUNDIR] TASK"

struct request {
    const char *dir; /* NULL: the latest */
    uint32_t task;   /* number from 0 */
    bool want[2];    /* by enum dtx_stream */
};

/* ---- the record ---- */

struct found {
    struct dtx_outcome outcome;
    uint32_t epoch;
};

/* The outcome in the record at 'at': 0, or DTX_ECORRUPT when there is none. */
static int read_outcome(const char *journal, uint64_t at, struct found *f,
                        struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_item_outcome item;
    struct dtx_rec rec;
    int rc = dtx_journal_read_at(journal, at, &b, err);

    if (rc == 0 && (dtx_rec_decode(b.data, b.len, &rec) != 0 ||
                    rec.kind != DTX_REC_OUTCOME ||
                    dtx_item_outcome_next(&rec.items, &item) != 1 ||
                    dtx_outcome_from_item(&item, &f->outcome) != 0))
        rc = dtx_error_set(err, DTX_ECORRUPT,
                           "%s: the record at byte %" PRIu64 " is no outcome",
                           journal, at);
    if (rc == 0)
        f->epoch = rec.u.outcome.epoch;
    dtx_buf_free(&b);
    return rc;
}

static int replay_one(void *ctx, const void *payload, size_t len, uint64_t at,
                      struct dtx_error *err)
{
    return dtx_replay_record(ctx, payload, len, at, err);
}

/* Where the journal says the last outcome of the task is. */
static int search_journal(const char *journal, uint32_t task, uint64_t *at,
                          struct dtx_error *err)
{
    struct dtx_replay r;
    int rc;

    dtx_replay_init(&r);
    rc = dtx_journal_read(journal, replay_one, &r, NULL, err);
    if (rc == 0 && r.has_list && task >= r.list.ntasks)
        rc = dtx_error_set(err, DTX_ENOENT,
                           "there is no task %" PRIu64 ": the job has %zu",
                           dtx_task_id(task), r.list.ntasks);
    else if (rc == 0 && (!r.has_list || r.known[task].at == 0))
        rc = dtx_error_set(err, DTX_ENOENT,
                           "task %" PRIu64 " has no recorded outcome: it has "
                           "not ended, or was skipped since one it waits for "
                           "failed",
                           dtx_task_id(task));
    else if (rc == 0)
        *at = r.known[task].at - 1;
    dtx_replay_fini(&r);
    return rc;
}

/* By the index where it leads to a record of this very task. A task whose
 * number has changed since is found by reading. */
static int find_outcome(const char *dir, uint32_t task, struct found *f,
                        struct dtx_error *err)
{
    struct dtx_buf journal = DTX_BUF_INIT;
    uint64_t at = 0;
    int rc;

    dtx_buf_printf(&journal, "%s/journal", dir);
    if (journal.failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = dtx_output_index_get(dir, task, &at);
    if (rc == 0)
        rc = read_outcome(journal.data, at, f, NULL);
    if (rc != 0 || f->outcome.task != task) {
        rc = search_journal(journal.data, task, &at, err);
        if (rc == 0)
            rc = read_outcome(journal.data, at, f, err);
    }
    dtx_buf_free(&journal);
    return rc;
}

/* ---- its output ---- */

#define ENOUGH 1 /* nobody reads what would follow */

struct printer {
    const struct request *request;
    bool more_follows; /* stderr, which is wanted, behind stdout */
    bool closed;       /* stdout has no reader any more */
    struct dtx_error *err;
};

static int print_piece(void *ctx, enum dtx_stream s, const void *data,
                       size_t len)
{
    struct printer *p = ctx;
    int fd = s == DTX_STDOUT ? STDOUT_FILENO : STDERR_FILENO;

    /* what is not wanted is read all the same: its sum is checked */
    if (!p->request->want[s] || (s == DTX_STDOUT && p->closed))
        return 0;
    if (dtx_cmd_write(fd, data, len) == 0)
        return 0;
    if (errno != EPIPE)
        return dtx_error_errno(p->err, "cannot write to standard %s",
                               s == DTX_STDOUT ? "output" : "error");
    p->closed = true;
    return s == DTX_STDOUT && p->more_follows ? 0 : ENOUGH;
}

static int print_output(const char *dir, const struct request *q,
                        const struct found *f, struct dtx_error *err)
{
    struct printer p = {q, q->want[DTX_STDERR] && f->outcome.err_len > 0,
                        false, err};
    struct dtx_output_reader *r = dtx_output_reader_create(dir);
    int rc;

    if (!r)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = dtx_output_each(r, f->epoch, &f->outcome, print_piece, &p, err);
    dtx_output_reader_destroy(r);
    return rc == ENOUGH ? 0 : rc;
}

static int show(const struct request *q)
{
    struct dtx_buf dir = DTX_BUF_INIT;
    struct dtx_error err;
    struct found f;
    int rc, status = DTX_CMD_FAILED;

    memset(&f, 0, sizeof(f));
    memset(&err, 0, sizeof(err));
    rc = dtx_rundir_find(q->dir, &dir, &err);
    if (rc != 0)
        status = DTX_EXIT_RUNDIR;
    if (rc == 0)
        rc = find_outcome(dir.data, q->task, &f, &err);
    if (rc == 0)
        rc = print_output(dir.data, q, &f, &err);
    dtx_buf_free(&dir);
    return rc == 0 ? 0 : dtx_cmd_fail(status, &err);
}

/* ---- the command line ---- */

static int read_words(struct request *q, char *const *word, int n)
{
    const char *task = n > 0 ? word[n - 1] : NULL;
    int64_t number = 0;

    if (n > 2)
        return dtx_cmd_usage("output: at most a run directory and a task\n"
                             FORM);
    if (!task)
        return dtx_cmd_usage("output: no task\n" FORM);
    if (dtx_parse_int(task, 1, DTX_MAX_TASKS, &number) != 0)
        return dtx_cmd_usage("output: '%.200s' is not a task's number, from "
                             "1\n" FORM, task);
    q->task = (uint32_t)(number - 1);
    if (n == 2 && strcmp(word[0], "latest") != 0)
        q->dir = word[0];
    return 0;
}

int dtx_cmd_output(int argc, char **argv)
{
    struct request q = {NULL, 0, {false, false}};
    char *word[3] = {NULL, NULL, NULL};
    bool options = true;
    int i, rc, n = 0;

    for (i = 2; i < argc; i++) {
        if (!options || argv[i][0] != '-') {
            if (n < 3)
                word[n++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (strcmp(argv[i], "--stdout") == 0) {
            q.want[DTX_STDOUT] = true;
        } else if (strcmp(argv[i], "--stderr") == 0) {
            q.want[DTX_STDERR] = true;
        } else if (dtx_cmd_asks_help(argv[i])) {
            return dtx_cmd_print_usage("output");
        } else {
            return dtx_cmd_unknown_option("output", argv[i]);
        }
    }
    if (!q.want[DTX_STDOUT] && !q.want[DTX_STDERR])
        q.want[DTX_STDOUT] = q.want[DTX_STDERR] = true;
    rc = read_words(&q, word, n);
    if (rc != 0)
        return rc;
    (void)signal(SIGPIPE, SIG_IGN);
    return show(&q);
}
