/* SPDX-License-Identifier: MIT */
/* From a list to records and back, what outcomes add up to, how they are
 * carried to another list, and that no bytes can do harm. */
#include "wire/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "task/after.h"
#include "task/outcome.h"
#include "task/taskfile.h"
#include "wire/wire.h"

#define MAX_RECORDS 4096
#define CWD "/home/user"

/* ---- records in memory ---- */

struct journal {
    struct dtx_buf rec[MAX_RECORDS];
    size_t n;
    size_t fail_at; /* emit fails at this record, 0 = never */
};

static int keep(void *ctx, const void *payload, size_t len)
{
    struct journal *j = ctx;

    if (j->fail_at && j->n + 1 == j->fail_at)
        return DTX_ENOSPC;
    ck_assert_uint_lt(j->n, MAX_RECORDS);
    ck_assert_uint_gt(len, 0);
    dtx_buf_append(&j->rec[j->n], payload, len);
    ck_assert(!j->rec[j->n++].failed);
    return DTX_OK;
}

static struct journal *new_journal(void)
{
    struct journal *j = calloc(1, sizeof(*j));

    ck_assert_ptr_nonnull(j);
    return j;
}

static void drop_journal(struct journal *j)
{
    for (size_t i = 0; i < j->n; i++)
        dtx_buf_free(&j->rec[i]);
    free(j);
}

static void put(struct journal *j, const struct dtx_rec *rec)
{
    dtx_rec_encode(&j->rec[j->n], rec);
    ck_assert(!j->rec[j->n++].failed);
}

static void put_session(struct journal *j, uint32_t epoch)
{
    struct dtx_rec rec = {.kind = DTX_REC_SESSION};

    rec.u.session.records = DTX_RECORDS;
    rec.u.session.epoch = epoch;
    rec.u.session.host = rec.u.session.policy = rec.u.session.version =
        rec.u.session.command_line = dtx_str_of("x");
    put(j, &rec);
}

static void put_end(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_END};

    put(j, &rec);
}

static void put_outcome(struct journal *j, uint32_t epoch, uint32_t task,
                        uint32_t attempt, enum dtx_status status, bool final)
{
    struct dtx_rec rec = {.kind = DTX_REC_OUTCOME};
    struct dtx_item_outcome item;
    struct dtx_outcome o;

    memset(&o, 0, sizeof(o));
    o.task = task;
    o.attempt = attempt;
    o.status = (uint8_t)status;
    rec.u.outcome.epoch = epoch;
    rec.u.outcome.final = final;
    dtx_outcome_to_item(&o, &item);
    dtx_rec_encode(&j->rec[j->n], &rec);
    dtx_item_outcome_encode(&j->rec[j->n], &item);
    ck_assert(!j->rec[j->n++].failed);
}

struct list {
    struct dtx_tasklist l;
    struct dtx_graph g;
};

static void parse(const char *text, struct list *out)
{
    struct dtx_error err = {0, ""};

    ck_assert_msg(dtx_taskfile_parse("list", text, strlen(text), &out->l,
                                     &out->g, &err) == 0,
                  "%s", err.text);
}

static void drop(struct list *x)
{
    dtx_tasklist_fini(&x->l);
    dtx_graph_fini(&x->g);
}

static void put_list(struct journal *j, const char *text)
{
    struct list x;

    parse(text, &x);
    ck_assert_int_eq(dtx_list_encode(&x.l, &x.g, "list", CWD, keep, j), 0);
    drop(&x);
}

/* Feed them all; record i stands at 100 * i. The first failure, if any. */
static int replay(const struct journal *j, struct dtx_replay *r)
{
    struct dtx_error err = {0, ""};
    int rc = DTX_OK;

    dtx_replay_init(r);
    for (size_t i = 0; i < j->n && rc == DTX_OK; i++)
        rc = dtx_replay_record(r, j->rec[i].data, j->rec[i].len, 100 * i,
                               &err);
    if (rc)
        ck_assert_str_ne(err.text, "");
    return rc;
}

/* ---- lists ---- */

static void same_text(const char *a, const char *b)
{
    if (a && b)
        ck_assert_str_eq(a, b);
    else
        ck_assert_ptr_eq(a, b);
}

static void same_task(const struct dtx_tasklist *a,
                      const struct dtx_tasklist *b, uint32_t i)
{
    const struct dtx_task *t = &a->task[i], *u = &b->task[i];
    const struct dtx_task_attr *p = dtx_tasklist_attr_of(a, i),
                               *q = dtx_tasklist_attr_of(b, i);

    ck_assert_uint_eq(t->len, u->len);
    ck_assert_mem_eq(dtx_tasklist_text(a, t), dtx_tasklist_text(b, u), t->len);
    ck_assert_uint_eq(t->line, u->line);
    same_text(dtx_tasklist_pool(a, t->name), dtx_tasklist_pool(b, u->name));
    ck_assert_uint_eq(p->cpus, q->cpus);
    ck_assert_int_eq(p->prio, q->prio);
    ck_assert_uint_eq(p->retries, q->retries);
    ck_assert_int_eq(p->timeout_ns, q->timeout_ns);
    same_text(dtx_tasklist_pool(a, p->cwd), dtx_tasklist_pool(b, q->cwd));
}

static void same_graph(const struct dtx_graph *a, const struct dtx_graph *b)
{
    ck_assert_uint_eq(a->ntasks, b->ntasks);
    ck_assert_uint_eq(a->nnodes, b->nnodes);
    ck_assert_int_eq(a->start == NULL, b->start == NULL);
    if (!a->start)
        return;
    ck_assert_mem_eq(a->start, b->start,
                     (a->nnodes + 1) * sizeof(*a->start));
    ck_assert_mem_eq(a->succ, b->succ,
                     a->start[a->nnodes] * sizeof(*a->succ));
    ck_assert_mem_eq(a->indegree, b->indegree,
                     a->nnodes * sizeof(*a->indegree));
}

static const char *const lists[] = {
    "",
    "true\n",
    "echo a\n\n# comment\necho b; echo c\n  echo   d  \n",
    "#DTX name=x cpus=4 prio=-3 retries=7 timeout=3s cwd=/tmp\necho a\n"
    "#DTX timeout=none cwd=rel/dir\necho b\n#DTX name=x\necho c\n",
    "#DTX after=2\na\nb\n#DTX after=1-2\nc\n",
    "#DTX name=p\na\n#DTX name=p\nb\n#DTX name=p\nc\n"
    "#DTX after=p\nd\n#DTX after=p\ne\n#DTX after=p,4\nf\n",
    "a\nb\nc\nd\n#DTX after=1-4\nx\n#DTX after=1-4\ny\n#DTX after=2-3\nz\n",
};

START_TEST(list_comes_back)
{
    struct journal *j = new_journal();
    struct dtx_replay r;
    struct list x;

    parse(lists[_i], &x);
    put_session(j, 1);
    ck_assert_int_eq(dtx_list_encode(&x.l, &x.g, "my list", CWD, keep, j), 0);
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert(r.has_list && !r.ended);
    ck_assert_str_eq(r.source, "my list");
    ck_assert_str_eq(r.cwd, CWD);
    ck_assert_uint_eq(r.list.ntasks, x.l.ntasks);
    for (uint32_t i = 0; i < x.l.ntasks; i++)
        same_task(&x.l, &r.list, i);
    same_graph(&x.g, &r.graph);
    dtx_replay_fini(&r);
    drop(&x);
    drop_journal(j);
}
END_TEST

/* Several records, none much larger than a MiB. */
START_TEST(long_list_comes_back)
{
    struct journal *j = new_journal();
    struct dtx_buf text = DTX_BUF_INIT;
    struct dtx_replay r;
    struct list x;

    for (int i = 0; i < 150000; i++)
        dtx_buf_printf(&text, "#DTX prio=%d after=%d\necho task %d\n", i % 50,
                       i == 0 ? 150000 : 150001, i);
    dtx_buf_str(&text, "true\ntrue\n");
    parse(text.data, &x);
    ck_assert_int_eq(dtx_list_encode(&x.l, &x.g, "l", CWD, keep, j), 0);
    ck_assert_uint_gt(j->n, 6);
    for (size_t i = 0; i < j->n; i++)
        ck_assert_uint_lt(j->rec[i].len, (1u << 20) + 4096);
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert_uint_eq(r.list.ntasks, 150002);
    same_task(&x.l, &r.list, 0);
    same_task(&x.l, &r.list, 149999);
    same_graph(&x.g, &r.graph);
    dtx_replay_fini(&r);
    drop(&x);
    dtx_buf_free(&text);
    drop_journal(j);
}
END_TEST

START_TEST(emit_that_fails_ends_it)
{
    struct list x;

    parse(lists[5], &x);
    for (size_t at = 1; at <= 5; at++) {
        struct journal *j = new_journal();

        j->fail_at = at;
        ck_assert_int_eq(dtx_list_encode(&x.l, &x.g, "l", CWD, keep, j),
                         DTX_ENOSPC);
        ck_assert_uint_eq(j->n, at - 1);
        drop_journal(j);
    }
    drop(&x);
}
END_TEST

/* ---- outcomes ---- */

START_TEST(outcomes_add_up)
{
    struct journal *j = new_journal();
    struct dtx_replay r;

    put_session(j, 1);
    put_list(j, "a\nb\nc\n");
    put_outcome(j, 1, 0, 1, DTX_STATUS_FAILED, false);
    put_outcome(j, 1, 2, 1, DTX_STATUS_OK, true);
    put_outcome(j, 1, 0, 2, DTX_STATUS_SIGNALED, true);
    put_outcome(j, 1, 77, 1, DTX_STATUS_OK, true);
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert_uint_eq(r.outcomes, 4);
    ck_assert_uint_eq(r.foreign, 1);
    ck_assert(r.known[0].final);
    ck_assert_uint_eq(r.known[0].status, DTX_STATUS_SIGNALED);
    ck_assert_uint_eq(r.known[0].attempts, 2);
    ck_assert_uint_eq(r.known[0].epoch, 1);
    ck_assert_uint_eq(r.known[0].at, 100 * (j->n - 2) + 1);
    ck_assert_uint_eq(r.known[1].at, 0);
    ck_assert(!r.known[1].final);
    ck_assert_uint_eq(r.known[2].attempts, 1);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

START_TEST(sessions_end_in_order_or_not)
{
    struct journal *j = new_journal();
    struct dtx_replay r;

    put_session(j, 3);
    put_list(j, "a\n");
    put_end(j);
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert(r.ended);
    ck_assert_uint_eq(r.epoch, 3);
    dtx_replay_fini(&r);
    put_session(j, 4);
    put_outcome(j, 4, 0, 9, DTX_STATUS_OK, true);
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert(!r.ended);
    ck_assert_uint_eq(r.epoch, 4);
    ck_assert_uint_eq(r.known[0].epoch, 4);
    ck_assert_uint_eq(r.known[0].attempts, 9);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* ---- another list ---- */

/* Which tasks of 'to' have the outcome of which of 'from': text of numbers
 * from 1, '-' for none. All tasks of 'from' marked 'x' in 'done' have one. */
static const struct {
    const char *from, *done, *to;
    const char *to_cwd;
    const char *want;
} carries[] = {
    {"a\nb\nc\n", "xxx", "a\nb\nc\n", CWD, "123"},
    {"a\nb\nc\n", "x.x", "c\nb\na\n", CWD, "3-1"},
    {"a\nb\nc\n", "xxx", "new\nc\n\n# b\na\nlast\n", CWD, "-31-"},
    {"a\na\na\n", "x.x", "a\na\na\na\n", CWD, "1-3-"},
    {"a\na\na\n", "xxx", "a\n", CWD, "1"},
    {"a\nb\na\n", "..x", "a\na\nb\n", CWD, "-3-"},
    {"a\n", "x", "a \n", CWD, "1"},
    {"a b\n", "x", "a  b\n", CWD, "-"},
    {"a\n", "x", "a\n", "/elsewhere", "-"},
    {"#DTX cwd=/abs\na\n", "x", "#DTX cwd=/abs\na\n", "/elsewhere", "1"},
    {"#DTX cwd=rel\na\n", "x", "#DTX cwd=rel\na\n", "/elsewhere", "-"},
    {"#DTX cwd=rel\na\na\n", "xx", "a\n#DTX cwd=rel\na\n", CWD, "21"},
    /* what it may take, and what it waits for, is not what it is */
    {"a\nb\n", "xx", "#DTX timeout=3s prio=2 name=n\na\n#DTX after=n\nb\n",
     CWD, "12"},
    {"", "", "a\n", CWD, "-"},
    {"a\n", "x", "", CWD, ""},
};

static void check_known(const struct dtx_known *k, size_t n, const char *want)
{
    ck_assert_uint_eq(n, strlen(want));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(want[i] == '-'
                          ? k[i].at == 0
                          : k[i].at != 0 &&
                                k[i].attempts == (uint32_t)(want[i] - '0'),
                      "task %zu has %u, wanted %c", i + 1, k[i].attempts,
                      want[i]);
}

START_TEST(carried_by_command_and_occurrence)
{
    struct journal *j = new_journal();
    struct dtx_known to[8];
    struct dtx_replay r;
    struct list b;
    uint64_t carried = 99, want = 0;

    put_session(j, 1);
    put_list(j, carries[_i].from);
    for (uint32_t i = 0; carries[_i].done[i]; i++) {
        if (carries[_i].done[i] == 'x') /* the attempt tells which it is */
            put_outcome(j, 1, i, i + 1, DTX_STATUS_OK, true);
    }
    ck_assert_int_eq(replay(j, &r), 0);
    parse(carries[_i].to, &b);
    memset(to, 0xff, sizeof(to));
    ck_assert_int_eq(
        dtx_replay_recall(&r, &b.l, carries[_i].to_cwd, to, &carried), 0);
    check_known(to, b.l.ntasks, carries[_i].want);
    for (const char *p = carries[_i].want; *p; p++)
        want += *p != '-';
    ck_assert_uint_eq(carried, want);
    drop(&b);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* A later list takes the place of an older. */
START_TEST(later_list_takes_over)
{
    struct journal *j = new_journal();
    struct dtx_replay r;

    put_session(j, 1);
    put_list(j, "a\nb\nc\n");
    put_outcome(j, 1, 1, 1, DTX_STATUS_OK, true);
    put_session(j, 2);
    put_list(j, "c\nd\nb\n");
    put_outcome(j, 2, 0, 1, DTX_STATUS_FAILED, true);
    put_session(j, 3);
    put_list(j, "d\nc\nb\na\n");
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert_uint_eq(r.list.ntasks, 4);
    ck_assert_uint_eq(r.known[0].at, 0);
    ck_assert_uint_eq(r.known[1].status, DTX_STATUS_FAILED);
    ck_assert_uint_eq(r.known[1].epoch, 2);
    ck_assert_uint_eq(r.known[2].status, DTX_STATUS_OK);
    ck_assert_uint_eq(r.known[2].epoch, 1);
    ck_assert_uint_eq(r.known[3].at, 0);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* What drops out of the list and comes back is still known; of several
 * outcomes of one key the last counts. */
START_TEST(dropped_tasks_come_back)
{
    struct journal *j = new_journal();
    struct dtx_known out[4];
    struct dtx_replay r;
    struct list again;
    uint64_t found = 0;

    put_session(j, 1);
    put_list(j, "a\nb\na\n");
    put_outcome(j, 1, 0, 1, DTX_STATUS_OK, true);
    put_outcome(j, 1, 1, 1, DTX_STATUS_OK, true);
    put_outcome(j, 1, 2, 1, DTX_STATUS_OK, true);
    put_session(j, 2);
    put_list(j, "x\na\n");
    put_outcome(j, 2, 0, 1, DTX_STATUS_OK, true);
    put_outcome(j, 2, 1, 5, DTX_STATUS_FAILED, true);
    put_session(j, 3);
    put_list(j, "y\n");
    put_session(j, 4);
    put_list(j, "a\na\nb\n");
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert_uint_eq(r.known[0].status, DTX_STATUS_FAILED);
    ck_assert_uint_eq(r.known[0].epoch, 2);
    ck_assert_uint_eq(r.known[0].attempts, 5);
    ck_assert_uint_eq(r.known[1].status, DTX_STATUS_OK);
    ck_assert_uint_eq(r.known[1].epoch, 1);
    ck_assert_uint_eq(r.known[2].status, DTX_STATUS_OK);
    /* and for a list that is not in the journal yet */
    parse("a\na\na\nx\n", &again);
    ck_assert_int_eq(dtx_replay_recall(&r, &again.l, CWD, out, &found), 0);
    ck_assert_uint_eq(found, 3);
    ck_assert_uint_eq(out[0].epoch, 2);
    ck_assert_uint_eq(out[1].epoch, 1);
    ck_assert_uint_eq(out[2].at, 0);
    ck_assert_uint_eq(out[3].epoch, 2);
    drop(&again);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

START_TEST(each_session_ends_or_not)
{
    struct journal *j = new_journal();
    struct dtx_replay r;

    put_session(j, 1);
    put_list(j, "a\n");
    put_end(j);
    put_session(j, 2);
    put_session(j, 5);
    put_end(j);
    put_session(j, 6);
    ck_assert_int_eq(replay(j, &r), 0);
    for (uint32_t epoch = 0; epoch < 8; epoch++)
        ck_assert_int_eq(dtx_replay_ended(&r, epoch),
                         epoch == 1 || epoch == 5);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* ---- damage ---- */

/* Of the story below 'x' is in a gap. What is known then: from which session
 * of each task of the list, and which sessions have ended. */
static const struct {
    const char *lost;
    bool list_lost;
    const char *known, *ended;
} gaps[] = {
    /* 1LATloo!2LATlo!3o! */
    {"..................", false, "13", "123"},
    {"x.................", false, "13", "123"},
    {".x................", false, "-3", "123"}, /* whose outcomes were they? */
    {"..x...............", false, "-3", "123"},
    {"...x..............", false, "-3", "123"},
    {"....x.............", false, "-3", "123"},
    {".....x............", false, "13", "123"},
    {"......x...........", false, "-3", "23"},
    {".......x..........", false, "13", "23"},
    {".......xx.........", false, "13", "23"},
    {"........x.........", false, "13", "123"},
    {".........x........", true, "11", "123"}, /* the older list stays */
    {"..........x.......", true, "11", "123"},
    {"............x.....", true, "11", "123"},
    {".............x....", false, "13", "13"},
    {"..............x...", false, "13", "13"},
    {"...............x..", true, "12", "123"}, /* had it a list of its own? */
    {"................x.", true, "12", "12"},
    {".................x", false, "13", "12"},
    {"......xxxxxxxxx...", true, "1-", "3"},
    {"xxxxxxxxxxxxxxxxx.", true, NULL, ""},
};

/* Three sessions: lists in the first two, the third goes on with that of the
 * second. */
static void put_story(struct journal *j)
{
    put_session(j, 1);
    put_list(j, "a\nb\n");
    put_outcome(j, 1, 0, 1, DTX_STATUS_OK, true);
    put_outcome(j, 1, 1, 1, DTX_STATUS_OK, true);
    put_end(j);
    put_session(j, 2);
    put_list(j, "b\na\n");
    put_outcome(j, 2, 1, 2, DTX_STATUS_FAILED, true);
    put_end(j);
    put_session(j, 3);
    put_outcome(j, 3, 1, 3, DTX_STATUS_OK, true);
    put_end(j);
}

/* Nothing that is certain is lost, and nothing uncertain is believed. */
START_TEST(gap_costs_what_stood_there)
{
    struct journal *j = new_journal();
    struct dtx_replay r;
    bool any = strchr(gaps[_i].lost, 'x') != NULL;

    put_story(j);
    ck_assert_uint_eq(j->n, strlen(gaps[_i].lost));
    dtx_replay_init(&r);
    for (size_t i = 0; i < j->n; i++) {
        bool lost = gaps[_i].lost[i] == 'x';

        if (lost && i > 0 && gaps[_i].lost[i - 1] == 'x')
            continue;
        ck_assert_int_eq(dtx_replay_record(&r, lost ? NULL : j->rec[i].data,
                                           lost ? 7 : j->rec[i].len, 100 * i,
                                           NULL),
                         0);
    }
    ck_assert_int_eq(r.list_lost, gaps[_i].list_lost);
    ck_assert_int_eq(r.has_list, gaps[_i].known != NULL);
    for (uint32_t i = 0; r.has_list && i < 2; i++)
        ck_assert_int_eq(r.known[i].epoch, gaps[_i].known[i] == '-'
                                               ? 0
                                               : gaps[_i].known[i] - '0');
    for (uint32_t epoch = 1; epoch <= 3; epoch++)
        ck_assert_int_eq(dtx_replay_ended(&r, epoch),
                         strchr(gaps[_i].ended, (char)('0' + epoch)) != NULL);
    ck_assert_uint_eq(r.gaps, any ? 1 : 0);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* A list whose writing was cut off anywhere does not count. */
START_TEST(incomplete_list_is_ignored)
{
    struct journal *whole = new_journal();
    size_t first;

    put_session(whole, 1);
    put_list(whole, "a\nb\n");
    put_outcome(whole, 1, 1, 1, DTX_STATUS_OK, true);
    put_session(whole, 2);
    first = whole->n;
    put_list(whole, lists[5]);
    for (size_t cut = first; cut < whole->n; cut++) {
        struct journal *j = new_journal();
        struct dtx_replay r;

        for (size_t i = 0; i < cut; i++)
            (void)keep(j, whole->rec[i].data, whole->rec[i].len);
        put_session(j, 3);
        put_outcome(j, 3, 0, 1, DTX_STATUS_OK, true);
        ck_assert_int_eq(replay(j, &r), 0);
        ck_assert_uint_eq(r.list.ntasks, 2);
        ck_assert(r.known[0].final && r.known[1].final);
        dtx_replay_fini(&r);
        drop_journal(j);
    }
    drop_journal(whole);
}
END_TEST

/* ---- what is refused ---- */

static void wrong_epoch(struct journal *j)
{
    put_session(j, 5);
    put_session(j, 4);
}

static void same_epoch(struct journal *j)
{
    put_session(j, 5);
    put_session(j, 5);
}

static void newer_version(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_SESSION};

    rec.u.session.records = DTX_RECORDS + 1;
    rec.u.session.epoch = 1;
    put(j, &rec);
}

static void part_of_no_list(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_TASKS};

    put_session(j, 1);
    put(j, &rec);
}

static void listed_too_early(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_LIST};

    rec.u.list.tasks = 1;
    rec.u.list.source = rec.u.list.cwd = dtx_str_of("");
    put(j, &rec);
    memset(&rec, 0, sizeof(rec));
    rec.kind = DTX_REC_LISTED;
    rec.u.listed.tasks = 1;
    put(j, &rec);
}

static void impossible_size(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_LIST};

    rec.u.list.tasks = UINT32_MAX;
    rec.u.list.source = rec.u.list.cwd = dtx_str_of("");
    put(j, &rec);
}

/* A list of one task with these arguments, and names of them. */
static void put_args(struct journal *j, bool live, struct dtx_str columns,
                     struct dtx_str args)
{
    struct dtx_rec rec = {.kind = DTX_REC_LIST};
    struct dtx_item_attr a = {.cpus = 1};
    struct dtx_item_task t = {.command = {"c", 1}, .args = args};

    rec.u.list.tasks = !live;
    rec.u.list.live = live;
    rec.u.list.trim = 1;
    rec.u.list.columns = columns;
    rec.u.list.source = rec.u.list.cwd = dtx_str_of("");
    put(j, &rec);
    rec = (struct dtx_rec){.kind = DTX_REC_ATTRS};
    dtx_rec_encode(&j->rec[j->n], &rec);
    dtx_item_attr_encode(&j->rec[j->n++], &a);
    rec = (struct dtx_rec){.kind = DTX_REC_TASKS};
    dtx_rec_encode(&j->rec[j->n], &rec);
    dtx_item_task_encode(&j->rec[j->n++], &t);
    rec = (struct dtx_rec){.kind = DTX_REC_LISTED};
    rec.u.listed.tasks = 1;
    put(j, &rec);
}

static const struct dtx_str none = {NULL, 0}, good = {"a\0b", 4},
                            open_end = {"a\0b", 3};

static void args_without_end(struct journal *j)
{
    put_args(j, false, none, open_end);
}

static void columns_without_end(struct journal *j)
{
    put_args(j, false, open_end, good);
}

static void args_in_a_stream(struct journal *j)
{
    put_args(j, true, none, good);
}

static void args_too_long(struct journal *j)
{
    static const char big[DTX_MAX_ARGS + 1];

    put_args(j, false, none, (struct dtx_str){big, sizeof(big)});
}

static void impossible_trim(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_LIST};

    rec.u.list.trim = 2;
    rec.u.list.source = rec.u.list.cwd = dtx_str_of("");
    put(j, &rec);
}

static void put_edge(struct journal *j, uint32_t before, uint32_t after)
{
    struct dtx_rec rec = {.kind = DTX_REC_EDGES};
    struct dtx_item_edge e = {before, after};

    dtx_rec_encode(&j->rec[j->n], &rec);
    dtx_item_edge_encode(&j->rec[j->n], &e);
    ck_assert(!j->rec[j->n++].failed);
}

static void edge_out_of_range(struct journal *j)
{
    put_list(j, "a\nb\n");
    dtx_buf_free(&j->rec[--j->n]); /* LISTED */
    put_edge(j, 0, 2);
}

static void cycle(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_LISTED};

    put_list(j, "a\nb\n");
    dtx_buf_free(&j->rec[--j->n]);
    put_edge(j, 0, 1);
    put_edge(j, 1, 0);
    rec.u.listed.tasks = 2;
    rec.u.listed.edges = 2;
    put(j, &rec);
}

static void edges_miscounted(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_LISTED};

    put_list(j, "a\nb\n");
    dtx_buf_free(&j->rec[--j->n]);
    put_edge(j, 0, 1);
    rec.u.listed.tasks = 2;
    put(j, &rec);
}

static void outcome_without_item(struct journal *j)
{
    struct dtx_rec rec = {.kind = DTX_REC_OUTCOME};

    put_list(j, "a\n");
    put(j, &rec);
}

static void trailing_bytes(struct journal *j)
{
    put_list(j, "a\n");
    put_outcome(j, 1, 0, 1, DTX_STATUS_OK, true);
    dtx_buf_char(&j->rec[j->n - 1], 'x');
}

static const struct {
    void (*make)(struct journal *j);
    int rc;
} refusals[] = {
    {wrong_epoch, DTX_ECORRUPT},      {same_epoch, DTX_ECORRUPT},
    {newer_version, DTX_EFOREIGN},    {part_of_no_list, DTX_ECORRUPT},
    {listed_too_early, DTX_ECORRUPT}, {impossible_size, DTX_ECORRUPT},
    {edge_out_of_range, DTX_ECORRUPT}, {cycle, DTX_ECORRUPT},
    {edges_miscounted, DTX_ECORRUPT}, {outcome_without_item, DTX_ECORRUPT},
    {trailing_bytes, DTX_ECORRUPT},   {args_without_end, DTX_ECORRUPT},
    {columns_without_end, DTX_ECORRUPT}, {args_in_a_stream, DTX_ECORRUPT},
    {args_too_long, DTX_ECORRUPT},    {impossible_trim, DTX_ECORRUPT},
};

START_TEST(arguments_come_back)
{
    struct journal *j = new_journal(), *again = new_journal();
    struct dtx_replay r;
    const struct dtx_task *t;
    int i;

    put_args(j, false, good, good);
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(replay(i ? again : j, &r), 0);
        ck_assert(r.list.trim);
        ck_assert_uint_eq(r.list.columns.len, 4);
        ck_assert_int_eq(memcmp(r.list.columns.data, "a\0b", 4), 0);
        t = &r.list.task[0];
        ck_assert_uint_eq(t->args, 4);
        ck_assert_int_eq(memcmp(dtx_tasklist_args(&r.list, t), "a\0b", 4), 0);
        ck_assert_int_eq(memcmp(dtx_tasklist_text(&r.list, t), "c", 1), 0);
        if (i == 0) /* and once more, as the list itself is written */
            ck_assert_int_eq(dtx_list_encode(&r.list, &r.graph, "list", CWD,
                                             keep, again),
                             0);
        dtx_replay_fini(&r);
    }
    drop_journal(j);
    drop_journal(again);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    struct journal *j = new_journal();
    struct dtx_replay r;

    refusals[_i].make(j);
    ck_assert_int_eq(replay(j, &r), refusals[_i].rc);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* ---- any bytes ---- */

static void feed_random(struct dtx_rng *rng, struct dtx_replay *r)
{
    char bytes[64];
    size_t len = dtx_rng_below(rng, sizeof(bytes));

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)dtx_rng_below(rng, 256);
    if (len > 0)
        bytes[0] = (char)dtx_rng_below(rng, 12);
    (void)dtx_replay_record(r, bytes, len, dtx_rng_u64(rng) >> 1, NULL);
}

/* A true record with some bytes turned, or cut. */
static void feed_bent(struct dtx_rng *rng, struct dtx_replay *r,
                      const struct dtx_buf *rec)
{
    struct dtx_buf b = DTX_BUF_INIT;
    uint64_t turns = dtx_rng_below(rng, 3);

    dtx_buf_append(&b, rec->data, rec->len);
    ck_assert(!b.failed);
    while (turns-- > 0)
        b.data[dtx_rng_below(rng, b.len)] = (char)dtx_rng_below(rng, 256);
    (void)dtx_replay_record(r, b.data,
                            dtx_rng_below(rng, 8) ? b.len
                                                  : dtx_rng_below(rng, b.len),
                            1, NULL);
    dtx_buf_free(&b);
}

START_TEST(no_bytes_do_harm)
{
    struct journal *j = new_journal();
    struct dtx_replay r;
    struct dtx_rng rng;

    put_session(j, 1);
    put_list(j, lists[3]);
    put_list(j, lists[5]);
    put_outcome(j, 1, 3, 2, DTX_STATUS_OK, true);
    put_end(j);
    dtx_rng_seed(&rng, (uint64_t)_i + 1);
    dtx_replay_init(&r);
    for (int i = 0; i < 20000; i++) {
        if (dtx_rng_below(&rng, 4) == 0)
            feed_random(&rng, &r);
        else
            feed_bent(&rng, &r, &j->rec[(size_t)i % j->n]);
    }
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

/* ---- live lists ---- */

static void put_live(struct journal *j, const char *text,
                     const struct dtx_edge *edge, size_t n)
{
    struct list x;

    parse(text, &x);
    ck_assert_int_eq(dtx_list_encode_live("-", CWD, keep, j), 0);
    ck_assert_int_eq(dtx_list_encode_more(&x.l, 0, 0, edge, n, keep, j), 0);
    ck_assert_int_eq(dtx_list_encode_closed(&x.l, n, keep, j), 0);
    drop(&x);
}

/* Two gates, one behind the other; they are numbered behind the tasks. */
START_TEST(live_gates_come_back)
{
    const struct dtx_edge edge[] = {
        {0, DTX_GATE}, {1, DTX_GATE}, {DTX_GATE, 2},
        {DTX_GATE, DTX_GATE | 1}, {2, DTX_GATE | 1}, {DTX_GATE | 1, 3}};
    struct journal *j = new_journal();
    struct dtx_error err;
    struct dtx_replay r;

    put_session(j, 1);
    put_live(j, "a\nb\nc\nd\n", edge, DTX_COUNT(edge));
    ck_assert_int_eq(replay(j, &r), 0);
    ck_assert(r.live && r.closed);
    ck_assert_int_eq(dtx_replay_end(&r, &err), 0);
    ck_assert_uint_eq(r.graph.ntasks, 4);
    ck_assert_uint_eq(r.graph.nnodes, 6);
    ck_assert_uint_eq(r.graph.indegree[4], 2);
    ck_assert_uint_eq(r.graph.indegree[5], 2);
    ck_assert_uint_eq(r.graph.indegree[3], 1);
    ck_assert_uint_eq(r.graph.succ[r.graph.start[0]], 4);
    ck_assert_uint_eq(r.graph.succ[r.graph.start[5]], 3);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

static const struct {
    struct dtx_edge edge[3];
    bool at_end; /* it is seen when all has been read */
} bad_edges[] = {
    {{{0, DTX_GATE | 1}}, false},              /* no gate 0 before */
    {{{DTX_GATE, 1}}, false},                  /* there is none */
    {{{DTX_GATE, DTX_GATE}}, false},           /* for itself */
    {{{1, 0}}, false},                         /* for a later one */
    {{{0, 9}}, false},
    {{{9, DTX_GATE}}, false},
    {{{1, DTX_GATE}, {DTX_GATE, 1}}, true},    /* round and round */
};

START_TEST(bad_live_edges_are_refused)
{
    struct journal *j = new_journal();
    struct dtx_error err;
    struct dtx_replay r;
    int rc;

    put_session(j, 1);
    put_live(j, "a\nb\n", bad_edges[_i].edge, 1 + bad_edges[_i].at_end);
    rc = replay(j, &r);
    ck_assert_int_eq(rc, bad_edges[_i].at_end ? DTX_OK : DTX_ECORRUPT);
    if (rc == DTX_OK)
        ck_assert_int_eq(dtx_replay_end(&r, &err), DTX_ECORRUPT);
    dtx_replay_fini(&r);
    drop_journal(j);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("wire/replay");
    TCase *t = tcase_create("lists");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, list_comes_back, 0, DTX_COUNT(lists));
    tcase_add_test(t, long_list_comes_back);
    tcase_add_test(t, emit_that_fails_ends_it);
    suite_add_tcase(s, t);
    t = tcase_create("outcomes");
    tcase_add_test(t, outcomes_add_up);
    tcase_add_test(t, sessions_end_in_order_or_not);
    suite_add_tcase(s, t);
    t = tcase_create("another list");
    tcase_add_loop_test(t, carried_by_command_and_occurrence, 0,
                        DTX_COUNT(carries));
    tcase_add_test(t, later_list_takes_over);
    tcase_add_test(t, dropped_tasks_come_back);
    tcase_add_test(t, each_session_ends_or_not);
    tcase_add_test(t, incomplete_list_is_ignored);
    suite_add_tcase(s, t);
    t = tcase_create("live");
    tcase_add_test(t, live_gates_come_back);
    tcase_add_loop_test(t, bad_live_edges_are_refused, 0,
                        DTX_COUNT(bad_edges));
    suite_add_tcase(s, t);
    t = tcase_create("damage");
    tcase_add_loop_test(t, gap_costs_what_stood_there, 0, DTX_COUNT(gaps));
    suite_add_tcase(s, t);
    t = tcase_create("refused");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, arguments_come_back);
    tcase_add_loop_test(t, nonsense_is_refused, 0, DTX_COUNT(refusals));
    tcase_add_loop_test(t, no_bytes_do_harm, 0, 4);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}
