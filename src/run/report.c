/* SPDX-License-Identifier: MIT */
/* The progress line and the summary; see report.h.  Only words: it prints
 * nothing itself. */
#include "run/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "engine/master.h"
#include "store/output.h"
#include "task/outcome.h"
#include "task/task.h"

#define MAX_FAILURES 10
#define TAIL_BYTES 2048
#define TAIL_LINES 3
#define RANK_ROWS 16
#define COMMAND_BYTES 120 /* shown of a command */
#define TTY_NS (DTX_SEC_NS / 2) /* between two progress lines */
#define LOG_NS (10 * DTX_SEC_NS)

struct dtx_report {
    struct dtx_report_config c;
    struct dtx_outcome failure[MAX_FAILURES];
    char command[MAX_FAILURES][COMMAND_BYTES + 4]; /* and "..." */
    uint32_t nfailures;
    uint64_t ended;      /* attempts in this session */
    int64_t wall_ns;     /* their seconds together */
    int64_t slot_ns;     /* the same times cpus */
    int64_t longest_ns;
    uint32_t longest;
    int64_t first_ns;    /* when the first line was due */
    int64_t last_line_ns;
    bool drawn;
};

struct dtx_report *dtx_report_create(const struct dtx_report_config *c)
{
    struct dtx_report *r = calloc(1, sizeof(*r));

    if (r)
        r->c = *c;
    return r;
}

void dtx_report_destroy(struct dtx_report *r)
{
    free(r);
}

/* The command as well: a live list forgets it. */
static void note_failure(struct dtx_report *r, const struct dtx_outcome *o)
{
    struct dtx_buf c = DTX_BUF_INIT;

    dtx_tasklist_command(&c, r->c.list, o->task, o->slot);
    (void)snprintf(r->command[r->nfailures], sizeof(r->command[0]), "%.*s%s",
                   COMMAND_BYTES, c.data ? c.data : "",
                   c.len > COMMAND_BYTES ? "..." : "");
    dtx_plain(r->command[r->nfailures], strlen(r->command[r->nfailures]));
    dtx_buf_free(&c);
    r->failure[r->nfailures++] = *o;
}

void dtx_report_ended(struct dtx_report *r, const struct dtx_outcome *o,
                      bool final)
{
    uint32_t cpus = dtx_tasklist_attr_of(r->c.list, o->task)->cpus;

    if (o->status == DTX_STATUS_LOST) { /* nobody saw it end */
        if (final && r->nfailures < MAX_FAILURES)
            note_failure(r, o);
        return;
    }
    r->ended++;
    r->wall_ns += o->wall_ns;
    r->slot_ns += o->wall_ns * (int64_t)cpus;
    if (o->wall_ns > r->longest_ns) {
        r->longest_ns = o->wall_ns;
        r->longest = o->task;
    }
    if (final && o->status != DTX_STATUS_OK && r->nfailures < MAX_FAILURES)
        note_failure(r, o);
}

/* ---- the progress line ---- */

/* Slots of the ranks that are there; '*running': the tasks they run, taken to
 * be one a slot. NULL: all is over, and those that were lost count as well. */
static uint64_t slots_there(const struct dtx_report *r, uint64_t *running)
{
    struct dtx_rank_stats k;
    uint64_t n = 0, busy = 0;
    uint32_t i;

    for (i = 0; i < r->c.nranks; i++) {
        dtx_master_rank_stats(r->c.master, i, &k);
        n += k.alive || k.left || !running ? k.slots : 0;
        busy += k.granted < k.slots ? k.granted : k.slots;
    }
    if (running)
        *running = busy;
    return n;
}

/* Seconds left, if tasks go on costing what they cost so far. */
static void append_left(const struct dtx_report *r,
                        const struct dtx_master_stats *s, uint64_t slots,
                        struct dtx_buf *b)
{
    uint64_t todo = s->left;
    const char *claim = r->c.left ? r->c.left(r->c.ctx) : NULL;
    char text[32];

    if (claim)
        dtx_buf_printf(b, ", %s", claim);
    if (claim || r->ended == 0 || slots == 0 || s->open)
        return;
    dtx_buf_printf(
        b, ", about %s left",
        dtx_format_duration(text, sizeof(text),
                            (int64_t)((double)r->slot_ns / (double)r->ended *
                                      (double)todo / (double)slots)));
}

/* Of a live list nobody knows how many tasks it will have. */
static void append_done(const struct dtx_master_stats *s, uint64_t done,
                        struct dtx_buf *b)
{
    dtx_buf_printf(b, "%llu of %llu%s done", (unsigned long long)done,
                   (unsigned long long)s->tasks, s->open ? "+" : "");
    if (!s->open)
        dtx_buf_printf(b, " (%.0f %%)",
                       s->tasks ? 100.0 * (double)done / (double)s->tasks
                                : 100.0);
}

static void append_progress(const struct dtx_report *r, int64_t now_ns,
                            struct dtx_buf *b)
{
    struct dtx_master_stats s;
    uint64_t failed, slots, running;
    char text[32];

    dtx_master_stats(r->c.master, &s);
    failed = s.failed + s.skipped;
    slots = slots_there(r, &running);
    append_done(&s, s.ok + failed, b);
    dtx_buf_printf(b, ", %llu running", (unsigned long long)running);
    dtx_buf_printf(b, ", %llu failed", (unsigned long long)failed);
    if (r->c.gone)
        dtx_buf_printf(b, ", %s gone",
                       dtx_format_duration(text, sizeof(text),
                                           now_ns - r->first_ns));
    if (s.stopping)
        dtx_buf_str(b, ", stopping");
    else
        append_left(r, &s, slots, b);
}

void dtx_report_line(struct dtx_report *r, int64_t now_ns, int columns,
                     struct dtx_buf *b)
{
    static const char who[] = "distributex: ";
    int64_t every = r->c.tty ? TTY_NS : LOG_NS;
    struct dtx_buf line = DTX_BUF_INIT;
    size_t room = columns > 1 ? (size_t)columns - 1 : 0;

    if (!r->c.bar)
        return;
    if (r->first_ns == 0)
        r->first_ns = r->last_line_ns = now_ns;
    if (now_ns - r->last_line_ns < every)
        return;
    r->last_line_ns = now_ns;
    append_progress(r, now_ns, &line);
    if (!line.failed && !r->c.tty) {
        dtx_buf_printf(b, "%s%s\n", who, line.data);
    } else if (!line.failed) {
        /* the numbers are worth more than the name */
        dtx_buf_printf(b, "\r\033[K%s%.*s",
                       line.len + strlen(who) <= room ? who : "",
                       (int)(line.len < room ? line.len : room), line.data);
        r->drawn = true;
    }
    dtx_buf_free(&line);
}

void dtx_report_wipe(struct dtx_report *r, struct dtx_buf *b)
{
    if (r->drawn)
        dtx_buf_str(b, "\r\033[K");
    r->drawn = false;
}

/* ---- the summary ---- */

static void append_counts(const struct dtx_master_stats *s, struct dtx_buf *b)
{
    dtx_buf_printf(b, "tasks      %llu%s: %llu succeeded, %llu failed",
                   (unsigned long long)s->tasks, s->open ? "+" : "",
                   (unsigned long long)s->ok, (unsigned long long)s->failed);
    if (s->skipped)
        dtx_buf_printf(b, ", %llu skipped because another failed",
                       (unsigned long long)s->skipped);
    if (s->left)
        dtx_buf_printf(b, ", %llu left to do", (unsigned long long)s->left);
    dtx_buf_char(b, '\n');
    if (s->halted)
        dtx_buf_str(b, "           halted, as --halt asked for\n");
    if (s->prior_ok + s->prior_failed)
        dtx_buf_printf(b,
                       "           of these %llu ended in earlier sessions\n",
                       (unsigned long long)(s->prior_ok + s->prior_failed));
    if (s->retried + s->lost)
        dtx_buf_printf(b,
                       "attempts   %llu made again after a failure, %llu "
                       "after the loss of a rank\n",
                       (unsigned long long)s->retried,
                       (unsigned long long)s->lost);
}

static void append_makespan(const struct dtx_report *r, int64_t makespan_ns,
                            uint64_t slots, struct dtx_buf *b)
{
    char a[32], c[32], d[32];
    int64_t bound = slots ? r->slot_ns / (int64_t)slots : 0;
    bool by_longest = r->longest_ns > bound;

    if (by_longest)
        bound = r->longest_ns;
    dtx_buf_printf(
        b, "makespan   %s; lower bound %s (%s)",
        dtx_format_duration(a, sizeof(a), makespan_ns),
        dtx_format_duration(c, sizeof(c), bound),
        by_longest ? "the longest task" : "all work divided by all slots");
    if (bound > 0)
        dtx_buf_printf(b, ", %.1f %% above it",
                       100.0 * ((double)makespan_ns / (double)bound - 1.0));
    dtx_buf_printf(b, "\nwork       %s in %llu attempt%s",
                   dtx_format_duration(d, sizeof(d), r->wall_ns),
                   (unsigned long long)r->ended, r->ended == 1 ? "" : "s");
    if (r->ended)
        dtx_buf_printf(b, ", longest %s (task %llu)",
                       dtx_format_duration(a, sizeof(a), r->longest_ns),
                       (unsigned long long)dtx_task_id(r->longest));
    dtx_buf_char(b, '\n');
}

static void append_rank(const struct dtx_rank_stats *k, uint32_t rank,
                        int64_t makespan_ns, struct dtx_buf *b)
{
    double share = makespan_ns > 0 && k->slots
                       ? 100.0 * (double)k->busy_ns /
                             ((double)makespan_ns * k->slots)
                       : 0;

    dtx_buf_printf(b,
                   "rank %-5u %s, %u slot%s: %llu task%s, %.1f %% busy, "
                   "stole %llu, gave %llu%s\n",
                   rank, k->host[0] ? k->host : "?", k->slots,
                   k->slots == 1 ? "" : "s", (unsigned long long)k->ended,
                   k->ended == 1 ? "" : "s", share,
                   (unsigned long long)k->stolen_by,
                   (unsigned long long)k->stolen_from,
                   k->alive || k->left ? "" : ", LOST");
}

/* One that never was heard of. */
static void append_absent(const struct dtx_report *r, uint32_t rank,
                          struct dtx_buf *b)
{
    const struct dtx_report_config *c = &r->c;

    dtx_buf_printf(b, "rank %-5u %s: %s\n", rank,
                   c->host ? c->host(c->ctx, rank) : "?",
                   c->unfit && c->unfit(c->ctx, rank)
                       ? "took no part: --node-setup failed on its node"
                       : "never came");
}

static void append_ranks(const struct dtx_report *r, int64_t makespan_ns,
                         struct dtx_buf *b)
{
    struct dtx_rank_stats k;
    uint32_t i;

    for (i = 0; i < r->c.nranks; i++) {
        dtx_master_rank_stats(r->c.master, i, &k);
        if (!k.came)
            append_absent(r, i, b);
        else if (i < RANK_ROWS || !(k.alive || k.left))
            append_rank(&k, i, makespan_ns, b);
        else if (i == RANK_ROWS)
            dtx_buf_printf(b, "           ... and %u more ranks\n",
                           r->c.nranks - RANK_ROWS);
    }
}

static bool append_loss(const struct dtx_report *r, uint32_t rank,
                        const char *verb, struct dtx_buf *b)
{
    const char *cause = r->c.cause ? r->c.cause(r->c.ctx, rank) : NULL;
    struct dtx_rank_stats k;
    char text[32];

    dtx_master_rank_stats(r->c.master, rank, &k);
    if (!cause || !k.came || k.alive || k.left)
        return false;
    dtx_buf_printf(b, "rank %u on %s%s after %s (%s): ", rank,
                   k.host[0] ? k.host : "?", verb,
                   dtx_format_duration(text, sizeof(text), k.lost_ns), cause);
    if (k.took_back == 0)
        dtx_buf_str(b, "it had no tasks");
    else
        dtx_buf_printf(b, "its %llu unfinished task%s elsewhere",
                       (unsigned long long)k.took_back,
                       k.took_back == 1 ? " runs" : "s run");
    return true;
}

bool dtx_report_lost(const struct dtx_report *r, uint32_t rank,
                     struct dtx_buf *b)
{
    return append_loss(r, rank, " lost", b);
}

static void append_lost(const struct dtx_report *r, struct dtx_buf *b)
{
    uint32_t i;

    for (i = 0; i < r->c.nranks; i++) {
        size_t at = b->len;

        dtx_buf_str(b, "lost       ");
        if (append_loss(r, i, "", b))
            dtx_buf_char(b, '\n');
        else if (!b->failed)
            b->len = at;
    }
}

static void append_tail(struct dtx_output_reader *reader, uint32_t epoch,
                        const struct dtx_outcome *o, struct dtx_buf *b)
{
    char tail[TAIL_BYTES];
    uint64_t len = o->err_len < TAIL_BYTES ? o->err_len : TAIL_BYTES;
    const char *p = tail + len, *end = tail + len;
    int lines = 0;

    if (len == 0 || !reader ||
        dtx_output_read(reader, epoch, o->rank,
                        o->out_off + o->out_len + o->err_len - len, tail,
                        (size_t)len, NULL))
        return;
    if (end[-1] == '\n')
        p = --end;
    while (p > tail && lines < TAIL_LINES) {
        if (p[-1] == '\n' && ++lines == TAIL_LINES)
            break;
        p--;
    }
    dtx_buf_str(b, "             ");
    for (; p < end; p++) {
        dtx_buf_char(b, (unsigned char)*p < ' ' && *p != '\n' ? '?' : *p);
        if (*p == '\n')
            dtx_buf_str(b, "             ");
    }
    dtx_buf_char(b, '\n');
}

static void append_why(const struct dtx_outcome *o, struct dtx_buf *b)
{
    char text[32];

    switch ((enum dtx_status)o->status) {
    case DTX_STATUS_SIGNALED:
        dtx_buf_printf(b, "ended by signal %d (%s)", o->signal,
                       strsignal(o->signal));
        break;
    case DTX_STATUS_LOST:
        dtx_buf_str(b, "set aside: it was running each time when so many "
                       "ranks died (--crash-limit)");
        break;
    case DTX_STATUS_TIMEOUT:
        dtx_buf_printf(b, "ended by its timeout after %s",
                       dtx_format_duration(text, sizeof(text), o->wall_ns));
        break;
    default:
        dtx_buf_printf(b, "exit %d", o->exit_code);
        if (o->exit_code == 127)
            dtx_buf_str(b, " (command not found)");
        else if (o->exit_code == 126)
            dtx_buf_str(b, " (could not be executed)");
    }
}

static void append_failures(const struct dtx_report *r, uint64_t failed,
                            struct dtx_buf *b)
{
    struct dtx_output_reader *reader = dtx_output_reader_create(r->c.run_dir);
    uint32_t i;

    for (i = 0; i < r->nfailures; i++) {
        const struct dtx_outcome *o = &r->failure[i];
        const struct dtx_task *t = &r->c.list->task[o->task];
        dtx_buf_printf(b, "failed     task %llu",
                       (unsigned long long)dtx_task_id(o->task));
        if (t->line)
            dtx_buf_printf(b, " (line %u)", t->line);
        dtx_buf_str(b, ": ");
        append_why(o, b);
        dtx_buf_printf(b, ": %s\n", r->command[i]);
        append_tail(reader, r->c.epoch, o, b);
    }
    if (failed > r->nfailures && r->nfailures > 0)
        dtx_buf_printf(b, "           ... and %llu more\n",
                       (unsigned long long)(failed - r->nfailures));
    dtx_output_reader_destroy(reader);
}

/* The first tasks that were skipped, and because of which. */
static void append_skipped(const struct dtx_report *r, uint64_t skipped,
                           struct dtx_buf *b)
{
    uint32_t i, shown = 0;

    for (i = 0; shown < skipped && i < r->c.list->ntasks; i++) {
        uint32_t cause = dtx_master_skip_cause(r->c.master, i);

        if (cause == DTX_NO_TASK)
            continue;
        if (shown++ == MAX_FAILURES) {
            dtx_buf_printf(b, "           ... and %llu more\n",
                           (unsigned long long)(skipped - MAX_FAILURES));
            return;
        }
        dtx_buf_printf(b, "skipped    task %llu",
                       (unsigned long long)dtx_task_id(i));
        if (r->c.list->task[i].line)
            dtx_buf_printf(b, " (line %u)", r->c.list->task[i].line);
        dtx_buf_printf(b, ": task %llu failed, which it waits for\n",
                       (unsigned long long)dtx_task_id(cause));
    }
}

void dtx_report_summary(struct dtx_report *r, int64_t makespan_ns,
                        struct dtx_buf *b)
{
    struct dtx_master_stats s;

    dtx_master_stats(r->c.master, &s);
    append_counts(&s, b);
    if (r->ended)
        append_makespan(r, makespan_ns, slots_there(r, NULL), b);
    dtx_buf_printf(b, "balance    %llu grants, %llu steals moved %llu tasks\n",
                   (unsigned long long)s.grants, (unsigned long long)s.steals,
                   (unsigned long long)s.stolen);
    append_ranks(r, makespan_ns, b);
    append_lost(r, b);
    append_failures(r, s.failed - s.prior_failed, b);
    append_skipped(r, s.skipped, b);
    dtx_buf_printf(b, "run dir    %s\n", r->c.run_dir);
}
