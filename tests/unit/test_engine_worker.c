/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_worker.c - the worker, one event at a time
 *
 * Frames come from the test, actions are looked at one by one.  Whole jobs are
 * in tests/trace and tests/property.
 */
#include "engine/worker.h"

#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "wire/wire.h"

enum { EPOCH = 4, LIFE = 3 };

static struct dtx_worker *w;
static struct dtx_actions out;
static size_t seen; /* actions looked at since the last step */
static int64_t now_ns;

static int step(struct dtx_event ev)
{
    seen = 0;
    ev.now_ns = now_ns;
    return dtx_worker_step(w, &ev, &out);
}

static int hear(struct dtx_msg m, const struct dtx_buf *list, bool more)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME, .more = more};
    struct dtx_buf b = DTX_BUF_INIT;
    int rc;

    if (m.epoch == 0)
        m.epoch = EPOCH;
    if (m.incarnation == 0)
        m.incarnation = LIFE;
    dtx_msg_encode(&b, &m);
    if (list)
        dtx_buf_append(&b, list->data, list->len);
    ev.u.frame.data = b.data;
    ev.u.frame.len = b.len;
    rc = step(ev);
    dtx_buf_free(&b);
    return rc;
}

static int grant(uint32_t first, uint32_t n, uint32_t cpus)
{
    struct dtx_msg m = {.kind = DTX_MSG_GRANT};
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_item_work item = {.attempt = 1, .cpus = cpus};
    int rc;

    item.cwd = item.name = dtx_str_of("");
    item.command = dtx_str_of("work");
    for (; n > 0; n--) {
        item.task = first++;
        dtx_item_work_encode(&b, &item);
    }
    rc = hear(m, &b, false);
    dtx_buf_free(&b);
    return rc;
}

static int yield(uint32_t n)
{
    struct dtx_msg m = {.kind = DTX_MSG_YIELD};

    m.u.yield.count = n;
    return hear(m, NULL, false);
}

static int stop(enum dtx_stop how)
{
    struct dtx_msg m = {.kind = DTX_MSG_STOP};

    m.u.stop.mode = (uint8_t)how;
    return hear(m, NULL, false);
}

static void ended(uint32_t task, bool more)
{
    struct dtx_outcome o = {.task = task, .attempt = 1,
                            .status = DTX_STATUS_OK};
    struct dtx_event ev = {.kind = DTX_EV_TASK_ENDED, .more = more};

    ev.u.ended = &o;
    ck_assert_int_eq(step(ev), 0);
}

static void recalled(uint32_t task, bool taken)
{
    struct dtx_event ev = {.kind = DTX_EV_RECALLED};

    ev.u.recalled.task = task;
    ev.u.recalled.attempt = 1;
    ev.u.recalled.taken_back = taken;
    ck_assert_int_eq(step(ev), 0);
}

static const struct dtx_action *next(enum dtx_action_kind kind)
{
    const struct dtx_action *a;

    ck_assert_msg(seen < out.count, "no action left, %d wanted", (int)kind);
    a = &out.list[seen++];
    ck_assert_int_eq(a->kind, kind);
    return a;
}

static void expect_none(void)
{
    ck_assert_uint_eq(out.count, seen);
}

static void expect_run(uint32_t task)
{
    const struct dtx_action *a = next(DTX_ACT_RUN);
    struct dtx_cursor c = dtx_cursor_over(dtx_action_bytes(&out, a), a->len);
    struct dtx_item_work item;

    ck_assert_int_eq(dtx_item_work_next(&c, &item), 1);
    ck_assert(dtx_cursor_done(&c));
    ck_assert_uint_eq(item.task, task);
    ck_assert_uint_eq(item.command.len, 4);
}

static void expect_ref(enum dtx_action_kind kind, uint32_t task)
{
    const struct dtx_action *a = next(kind);

    ck_assert_uint_eq(a->u.ref.task, task);
    ck_assert_uint_eq(a->u.ref.attempt, 1);
}

static struct dtx_msg expect_send(enum dtx_msg_kind kind)
{
    const struct dtx_action *a = next(DTX_ACT_SEND);
    struct dtx_msg m;

    ck_assert_uint_eq(a->u.to, 0);
    ck_assert_int_eq(
        dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &m), 0);
    ck_assert_int_eq(m.kind, kind);
    ck_assert_uint_eq(m.epoch, EPOCH);
    ck_assert_uint_eq(m.incarnation, LIFE);
    return m;
}

/* A DONE with so many outcomes. */
static void expect_done(uint32_t n, uint64_t received, uint32_t waiting)
{
    struct dtx_msg m = expect_send(DTX_MSG_DONE);
    struct dtx_item_outcome o;

    for (; n > 0; n--) {
        ck_assert_int_eq(dtx_item_outcome_next(&m.items, &o), 1);
        ck_assert_uint_eq(o.rank, 5);
    }
    ck_assert(dtx_cursor_done(&m.items));
    ck_assert_uint_eq(m.u.done.received, received);
    ck_assert_uint_eq(m.u.done.waiting, waiting);
}

static void expect_yielded(const uint32_t *task, size_t n, uint32_t waiting)
{
    struct dtx_msg m = expect_send(DTX_MSG_YIELDED);
    struct dtx_item_taskref ref;
    size_t i;

    for (i = 0; i < n; i++) {
        ck_assert_int_eq(dtx_item_taskref_next(&m.items, &ref), 1);
        ck_assert_uint_eq(ref.task, task[i]);
        ck_assert_uint_eq(ref.attempt, 1);
    }
    ck_assert(dtx_cursor_done(&m.items));
    ck_assert_uint_eq(m.u.yielded.waiting, waiting);
}

/* Two slots and one ahead. */
static void make(int64_t lost_after_ns)
{
    struct dtx_worker_config c = {.rank = 5, .incarnation = LIFE,
                                  .epoch = EPOCH, .slots = 2, .ahead = 1,
                                  .host = "node",
                                  .lost_after_ns = lost_after_ns};

    now_ns = 0;
    w = dtx_worker_create(&c);
    ck_assert_ptr_nonnull(w);
}

static void set_up(void)
{
    out = (struct dtx_actions)DTX_ACTIONS_INIT;
    make(0);
}

static void tear_down(void)
{
    dtx_worker_destroy(w);
    dtx_actions_free(&out);
}

START_TEST(says_hello)
{
    struct dtx_msg m;

    ck_assert_int_eq(step((struct dtx_event){.kind = DTX_EV_START}), 0);
    m = expect_send(DTX_MSG_HELLO);
    ck_assert_uint_eq(m.u.hello.protocol, DTX_PROTOCOL);
    ck_assert_uint_eq(m.u.hello.slots, 2);
    ck_assert_uint_eq(m.u.hello.host.len, 4);
    expect_none();
}
END_TEST

START_TEST(hands_over_what_fits)
{
    ck_assert_int_eq(grant(10, 5, 1), 0);
    expect_run(10);
    expect_run(11);
    expect_run(12);
    expect_none();
    ck_assert_uint_eq(dtx_worker_tasks(w), 5);
    ended(11, false);
    expect_run(13);
    expect_done(1, 5, 2);
    expect_none();
    ck_assert_uint_eq(dtx_worker_tasks(w), 4);
}
END_TEST

START_TEST(wide_tasks_fit_exactly)
{
    ck_assert_int_eq(grant(1, 3, 2), 0);
    expect_run(1);
    expect_none();
    ended(1, false);
    expect_run(2);
    expect_done(1, 3, 1);
    ck_assert_int_eq(grant(9, 1, 3), DTX_EPROTO);
    ck_assert_int_eq(grant(9, 1, 0), DTX_EPROTO);
}
END_TEST

START_TEST(batches_what_ends)
{
    (void)grant(0, 3, 1);
    ended(0, true);
    expect_none();
    ended(2, true);
    expect_none();
    ended(1, false);
    expect_done(3, 3, 0);
    expect_none();
    ended(1, false); /* it has ended before */
    expect_none();
}
END_TEST

/* A frame does not grow without end. */
START_TEST(long_batches_are_cut)
{
    struct dtx_worker_config c = {.rank = 5, .incarnation = LIFE,
                                  .epoch = EPOCH, .slots = 5000};
    uint32_t i, sent = 0;

    dtx_worker_destroy(w);
    w = dtx_worker_create(&c);
    ck_assert_ptr_nonnull(w);
    (void)grant(0, 5000, 1);
    for (i = 0; i < 5000; i++) {
        ended(i, true);
        sent += out.count > 0;
        for (seen = 0; seen < out.count; seen++)
            ck_assert_uint_lt(out.list[seen].len, 40000);
    }
    ck_assert_uint_gt(sent, 1);
}
END_TEST

START_TEST(gives_back_the_newest_first)
{
    static const uint32_t first[] = {6, 5}, rest[] = {4, 3, 2};

    (void)grant(0, 7, 1);
    ck_assert_int_eq(yield(2), 0);
    expect_yielded(first, 2, 3);
    expect_none();
    ck_assert_int_eq(yield(9), 0); /* two queued, one beyond the slots */
    expect_ref(DTX_ACT_RECALL, 2);
    expect_none();
    recalled(2, true);
    expect_yielded(rest, 3, 0);
    expect_none();
    ck_assert_uint_eq(dtx_worker_tasks(w), 2);
}
END_TEST

/* A task that has started in spite of what was thought does not count as
 * waiting, though the news of an end is still to come. */
/* No frame grows with the number of tasks given back. */
START_TEST(long_answers_are_cut)
{
    const uint32_t n = 30000;
    uint32_t given = 0, frames = 0;
    bool more = true;

    ck_assert_int_eq(grant(0, n, 1), 0);
    ck_assert_int_eq(yield(n), 0);
    while (more) {
        struct dtx_item_taskref ref;
        struct dtx_msg m;

        ck_assert_uint_lt(seen, out.count);
        if (out.list[seen].kind == DTX_ACT_RECALL)
            break; /* the last part waits for these */
        ck_assert_uint_lt(out.list[seen].len, 40000);
        m = expect_send(DTX_MSG_YIELDED);
        more = m.u.yielded.more;
        frames++;
        while (dtx_item_taskref_next(&m.items, &ref) > 0)
            given++;
    }
    ck_assert_uint_gt(frames, 2);
    ck_assert_uint_gt(given, n / 2);
    ck_assert(more); /* until the recalls are answered */
}
END_TEST

START_TEST(recall_that_comes_too_late)
{
    (void)grant(0, 3, 1);
    (void)yield(1);
    expect_ref(DTX_ACT_RECALL, 2);
    recalled(2, false);
    expect_yielded(NULL, 0, 0);
    (void)yield(1);
    expect_yielded(NULL, 0, 0);
    ended(0, false);
    expect_done(1, 3, 0);
    (void)grant(3, 1, 1);
    expect_run(3);
    (void)yield(1);
    expect_ref(DTX_ACT_RECALL, 3);
    expect_none();
}
END_TEST

/* The end of a task that is being recalled comes first; then the answer. */
START_TEST(end_crosses_recall)
{
    (void)grant(0, 3, 1);
    (void)yield(1);
    expect_ref(DTX_ACT_RECALL, 2);
    ended(2, false);
    expect_done(1, 3, 0);
    expect_none();
    recalled(2, false);
    expect_yielded(NULL, 0, 0);
}
END_TEST

START_TEST(ends_are_told_before_yields)
{
    static const uint32_t back[] = {4, 3};

    (void)grant(0, 5, 1);
    ended(0, true);
    expect_run(3);
    expect_none();
    ended(1, true);
    expect_run(4);
    (void)yield(2);
    expect_ref(DTX_ACT_RECALL, 4);
    expect_done(2, 5, 1);
    recalled(4, true);
    expect_yielded(back, 1, 0);
}
END_TEST

START_TEST(drains)
{
    static const uint32_t back[] = {4, 3, 2};

    (void)grant(0, 5, 1);
    ck_assert_int_eq(stop(DTX_STOP_DRAIN), 0);
    expect_ref(DTX_ACT_RECALL, 2);
    expect_none();
    ck_assert_int_eq(stop(DTX_STOP_DRAIN), 0);
    expect_none();
    recalled(2, true);
    expect_yielded(back, 3, 0);
    ended(0, false);
    expect_done(1, 5, 0);
    ck_assert_int_eq(stop(DTX_STOP_KILL), 0);
    expect_yielded(NULL, 0, 0);
    expect_ref(DTX_ACT_KILL, 1);
    expect_none();
}
END_TEST

static void held(bool yes)
{
    struct dtx_event ev = {.kind = DTX_EV_HELD};

    ev.u.held = yes;
    ck_assert_int_eq(step(ev), 0);
}

/* While the executor starts nothing, what is within the slots waits too: it is
 * reported so, and given back to who asks. */
START_TEST(gives_back_what_is_held)
{
    static const uint32_t back[] = {2, 1};

    (void)grant(0, 3, 1);
    held(true);
    expect_done(0, 3, 3);
    held(true);
    expect_none();
    (void)yield(2);
    expect_ref(DTX_ACT_RECALL, 2);
    expect_ref(DTX_ACT_RECALL, 1);
    expect_none();
    recalled(2, true);
    recalled(1, true);
    expect_yielded(back, 2, 1);
    held(false);
    expect_done(0, 3, 0);
}
END_TEST

static void others(uint32_t n)
{
    struct dtx_event ev = {.kind = DTX_EV_OTHERS};

    ev.u.others = n;
    ck_assert_int_eq(step(ev), 0);
}

/* What others take is told when it has changed by much, and with what ends. */
START_TEST(tells_of_others)
{
    (void)grant(0, 1, 1);
    seen = out.count;
    others(30);
    expect_none();
    others(51);
    ck_assert_uint_eq(expect_send(DTX_MSG_DONE).u.done.others, 51);
    others(100);
    expect_none();
    ended(0, false);
    ck_assert_uint_eq(expect_send(DTX_MSG_DONE).u.done.others, 100);
    others(60);
    expect_none();
    others(5000);
    ck_assert_uint_eq(expect_send(DTX_MSG_DONE).u.done.others, 1001);
    others(0);
    ck_assert_uint_eq(expect_send(DTX_MSG_DONE).u.done.others, 0);
    expect_none();
}
END_TEST

/* A drain does not wait for what has not started. */
START_TEST(drains_what_is_held)
{
    static const uint32_t back[] = {2, 1};

    (void)grant(0, 3, 1);
    ck_assert_int_eq(stop(DTX_STOP_DRAIN), 0);
    expect_ref(DTX_ACT_RECALL, 2);
    recalled(2, true);
    expect_yielded(back, 1, 0);
    held(true);
    expect_done(0, 3, 2);
    expect_ref(DTX_ACT_RECALL, 1);
    expect_ref(DTX_ACT_RECALL, 0);
    expect_none();
    recalled(1, true);
    recalled(0, false); /* it runs */
    expect_yielded(back + 1, 1, 0);
}
END_TEST

START_TEST(kills)
{
    (void)grant(0, 3, 1);
    ck_assert_int_eq(stop(DTX_STOP_KILL), 0);
    expect_ref(DTX_ACT_RECALL, 2);
    expect_ref(DTX_ACT_KILL, 2);
    expect_ref(DTX_ACT_KILL, 1);
    expect_ref(DTX_ACT_KILL, 0);
    expect_none();
}
END_TEST

START_TEST(goes_when_told)
{
    struct dtx_msg bye = {.kind = DTX_MSG_BYE};

    (void)grant(0, 2, 1);
    ck_assert(!dtx_worker_finished(w));
    ck_assert_int_eq(hear(bye, NULL, false), 0);
    expect_ref(DTX_ACT_KILL, 1);
    expect_ref(DTX_ACT_KILL, 0);
    (void)expect_send(DTX_MSG_BYE);
    (void)next(DTX_ACT_FINISH);
    expect_none();
    ck_assert(dtx_worker_finished(w));
    ck_assert_int_eq(grant(7, 1, 1), 0);
    expect_none();
}
END_TEST

START_TEST(passes_a_stop_on)
{
    struct dtx_event ev = {.kind = DTX_EV_STOP};
    struct dtx_msg m;

    ev.u.stop = DTX_STOP_KILL;
    ck_assert_int_eq(step(ev), 0);
    m = expect_send(DTX_MSG_STOPREQ);
    ck_assert_uint_eq(m.u.stopreq.mode, DTX_STOP_KILL);
    expect_none();
}
END_TEST

/* Frames that are not for this rank in this session. */
START_TEST(ignores_others)
{
    struct dtx_msg m = {.kind = DTX_MSG_BYE, .epoch = EPOCH + 1};
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    struct dtx_buf b = DTX_BUF_INIT;

    ck_assert_int_eq(hear(m, NULL, false), 0);
    expect_none();
    m.epoch = EPOCH;
    m.incarnation = LIFE - 1;
    ck_assert_int_eq(hear(m, NULL, false), 0);
    expect_none();
    m.incarnation = LIFE;
    dtx_msg_encode(&b, &m);
    ev.u.frame.from = 1;
    ev.u.frame.data = b.data;
    ev.u.frame.len = b.len;
    ck_assert_int_eq(step(ev), 0);
    expect_none();
    dtx_buf_free(&b);
    ck_assert(!dtx_worker_finished(w));
}
END_TEST

START_TEST(refuses_what_is_no_message)
{
    static const enum dtx_msg_kind wrong[] = {
        DTX_MSG_HELLO, DTX_MSG_DONE, DTX_MSG_YIELDED, DTX_MSG_STOPREQ};
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    struct dtx_buf b = DTX_BUF_INIT;
    size_t i;

    ev.u.frame.data = "nonsense";
    ev.u.frame.len = 8;
    ck_assert_int_eq(step(ev), DTX_EPROTO);
    ev.u.frame.len = 0;
    ck_assert_int_eq(step(ev), DTX_EPROTO);
    for (i = 0; i < 4; i++) {
        struct dtx_msg m = {.kind = wrong[i]};

        ck_assert_int_eq(hear(m, NULL, false), DTX_EPROTO);
    }
    ck_assert_int_eq(stop((enum dtx_stop)9), DTX_EPROTO);
    dtx_buf_char(&b, '\x80');
    ck_assert_int_eq(
        hear((struct dtx_msg){.kind = DTX_MSG_GRANT}, &b, false), DTX_EPROTO);
    dtx_buf_free(&b);
}
END_TEST

/* ---- the lease; --lost-after is 10 s: asks each 1 s, ends after 7 ---- */

#define S DTX_SEC_NS

static void expect_wake(int64_t at_s)
{
    ck_assert_int_eq(next(DTX_ACT_WAKE_AT)->u.wake_at_ns / S, at_s);
}

static void timer(int64_t at_s)
{
    now_ns = at_s * S + 10 * at_s; /* a beat is 1 ns more */
    ck_assert_int_eq(step((struct dtx_event){.kind = DTX_EV_TIMER}), 0);
}

static void expect_ask(int64_t at_s)
{
    timer(at_s);
    ck_assert_int_eq(expect_send(DTX_MSG_PING).u.ping.sent_ns / S, at_s);
    expect_wake(at_s + 1);
    expect_none();
}

static int answer(int64_t sent_s)
{
    struct dtx_msg m = {.kind = DTX_MSG_PING};

    m.u.ping.sent_ns = sent_s * S;
    return hear(m, NULL, false);
}

/* One task runs. */
static void begin_leased(void)
{
    dtx_worker_destroy(w);
    make(10 * S);
    ck_assert_int_eq(step((struct dtx_event){.kind = DTX_EV_START}), 0);
    expect_wake(1);
    (void)expect_send(DTX_MSG_HELLO);
    ck_assert_int_eq(grant(7, 1, 1), 0);
    expect_run(7);
}

static void expect_desertion(void)
{
    expect_ref(DTX_ACT_KILL, 7);
    (void)next(DTX_ACT_FINISH);
    expect_none();
    ck_assert(dtx_worker_deserted(w));
}

/* It counts from when the question was sent, however late the answer came, and
 * nothing else the master says prolongs it. */
START_TEST(lease_counts_from_the_question)
{
    begin_leased();
    for (int64_t s = 1; s <= 6; s++)
        expect_ask(s);
    ck_assert_int_eq(answer(2), 0); /* sent at 2 s, read at 6 s */
    ck_assert_int_eq(answer(1), 0);
    for (int64_t s = 7; s <= 8; s++)
        expect_ask(s);
    ck_assert_int_eq(grant(8, 1, 1), 0);
    expect_run(8);
    ended(8, true);
    timer(9);
    (void)next(DTX_ACT_KILL);
    (void)next(DTX_ACT_FINISH);
    ck_assert(dtx_worker_deserted(w));
}
END_TEST

/* Stopped for longer than the lease: it asks and has a beat for the answer,
 * but only once. */
START_TEST(a_stopped_rank_asks_first)
{
    begin_leased();
    expect_ask(1);
    expect_ask(60);
    ck_assert_int_eq(answer(60), 0);
    expect_ask(61);
    expect_ask(99);
    timer(101); /* a gap again, and no answer since the last one */
    expect_desertion();
}
END_TEST

/* A master that is late to begin has granted nothing: there is time. From its
 * first word on there is the usual time, and two beats at least. */
START_TEST(waits_for_the_first_word)
{
    dtx_worker_destroy(w);
    make(10 * S);
    ck_assert_int_eq(step((struct dtx_event){.kind = DTX_EV_START}), 0);
    expect_wake(1);
    (void)expect_send(DTX_MSG_HELLO);
    for (int64_t s = 1; s <= 30; s++)
        expect_ask(s);
    ck_assert_int_eq(grant(7, 1, 1), 0);
    expect_run(7);
    expect_ask(31);
    timer(32); /* no answer at all */
    expect_desertion();
}
END_TEST

/* But not for ever. */
START_TEST(gives_up_on_the_first_word)
{
    dtx_worker_destroy(w);
    make(10 * S);
    ck_assert_int_eq(step((struct dtx_event){.kind = DTX_EV_START}), 0);
    for (int64_t s = 1; s <= 59; s++)
        timer(s);
    ck_assert(!dtx_worker_deserted(w));
    timer(60);
    ck_assert(dtx_worker_deserted(w));
}
END_TEST

START_TEST(refuses_an_answer_from_the_future)
{
    begin_leased();
    ck_assert_int_eq(answer(1), DTX_EPROTO);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("engine_worker");
    TCase *tc = tcase_create("worker");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, says_hello);
    tcase_add_test(tc, hands_over_what_fits);
    tcase_add_test(tc, wide_tasks_fit_exactly);
    tcase_add_test(tc, batches_what_ends);
    tcase_add_test(tc, long_batches_are_cut);
    tcase_add_test(tc, gives_back_the_newest_first);
    tcase_add_test(tc, long_answers_are_cut);
    tcase_add_test(tc, recall_that_comes_too_late);
    tcase_add_test(tc, end_crosses_recall);
    tcase_add_test(tc, ends_are_told_before_yields);
    tcase_add_test(tc, drains);
    tcase_add_test(tc, gives_back_what_is_held);
    tcase_add_test(tc, tells_of_others);
    tcase_add_test(tc, drains_what_is_held);
    tcase_add_test(tc, kills);
    tcase_add_test(tc, goes_when_told);
    tcase_add_test(tc, passes_a_stop_on);
    tcase_add_test(tc, ignores_others);
    tcase_add_test(tc, refuses_what_is_no_message);
    tcase_add_test(tc, lease_counts_from_the_question);
    tcase_add_test(tc, a_stopped_rank_asks_first);
    tcase_add_test(tc, waits_for_the_first_word);
    tcase_add_test(tc, gives_up_on_the_first_word);
    tcase_add_test(tc, refuses_an_answer_from_the_future);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}
