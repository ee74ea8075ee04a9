/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_broker.c - work that moves, and an end that is the end
 *
 * A world of ranks in memory: frames between two ranks keep their order, those
 * of different pairs are delivered in any, by a seed.  Ranks work units off one
 * by one, may find that a unit makes more of them, answer who asks for a share
 * at once or later, and ask when they run dry.  No unit may be lost or doubled,
 * and the region may end only, and must end, when none is left.  */
#include "engine/broker.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "wire/wire.h"

#define MOST_RANKS 9u
#define MOST_FRAMES 64u

struct frame {
    char data[128];
    size_t len;
};

struct pipe {
    struct frame f[MOST_FRAMES];
    size_t head, tail;
};

struct rank {
    uint64_t units, received, done;
    bool entered, want_sent, idle_sent, asked, over;
    struct pipe up, down;
};

static struct rank rank[MOST_RANKS];
static uint32_t nranks;
static struct dtx_broker *broker;
static struct dtx_actions out;
static struct dtx_rng rng;
static uint64_t made; /* units, all in all */
static int over_code;
static char over_text[512];

static void push(struct pipe *p, const void *data, size_t len)
{
    struct frame *f = &p->f[p->tail++ % MOST_FRAMES];

    ck_assert_uint_le(len, sizeof(f->data));
    ck_assert_uint_le(p->tail - p->head, MOST_FRAMES);
    memcpy(f->data, data, len);
    f->len = len;
}

static void say(uint32_t r, struct dtx_msg *m)
{
    struct dtx_buf b = DTX_BUF_INIT;

    m->epoch = 3;
    dtx_msg_encode(&b, m);
    push(&rank[r].up, b.data, b.len);
    dtx_buf_free(&b);
}

static void enter(uint32_t r, uint64_t digest, const char *kernels)
{
    struct dtx_msg m = {.kind = DTX_MSG_ENTER};

    m.u.enter.protocol = DTX_PROTOCOL;
    m.u.enter.digest = digest;
    m.u.enter.call = dtx_str_of("that call");
    m.u.enter.kernels = dtx_str_of(kernels);
    say(r, &m);
    rank[r].entered = true;
}

static void begin(uint32_t n, dtx_broker_source_f source)
{
    static const uint32_t slots[MOST_RANKS] = {1, 2, 1, 4, 1, 1, 3, 1, 1};
    struct dtx_broker_config c = {n, slots};
    struct dtx_broker_region g = {.number = 3,
                                  .digest = 77,
                                  .call = "this call",
                                  .kernels = "a\nb\n",
                                  .source = source};

    nranks = n;
    made = 0;
    over_code = 1;
    memset(rank, 0, sizeof(rank));
    broker = dtx_broker_create(&c);
    ck_assert_ptr_nonnull(broker);
    dtx_broker_begin(broker, &g);
}

static void end(void)
{
    dtx_broker_destroy(broker);
    dtx_actions_free(&out);
    memset(&out, 0, sizeof(out));
}

/* The master hears the next frame of rank r. */
static int hear(uint32_t r)
{
    struct pipe *p = &rank[r].up;
    struct frame *f = &p->f[p->head++ % MOST_FRAMES];
    struct dtx_event ev = {.kind = DTX_EV_FRAME, .now_ns = (int64_t)made};
    int rc;

    ev.u.frame.from = r;
    ev.u.frame.data = f->data;
    ev.u.frame.len = f->len;
    rc = dtx_broker_step(broker, &ev, &out);
    for (size_t i = 0; i < out.count; i++) {
        const struct dtx_action *a = &out.list[i];

        if (a->kind == DTX_ACT_SEND)
            push(&rank[a->u.to].down, dtx_action_bytes(&out, a), a->len);
    }
    return rc;
}

static void answer(uint32_t r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELDED};
    uint64_t half = rank[r].units / 2;
    char text[24];

    rank[r].asked = false;
    rank[r].units -= half;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)half);
    m.u.kyielded.left_ns = rank[r].units ? -1 : 0;
    m.u.kyielded.work = dtx_str_of(half ? text : "");
    say(r, &m);
}

static void listen(uint32_t r)
{
    struct pipe *p = &rank[r].down;
    struct frame *f = &p->f[p->head++ % MOST_FRAMES];
    struct dtx_msg m;
    char text[24] = "";

    ck_assert_int_eq(dtx_msg_decode(f->data, f->len, &m), DTX_OK);
    switch (m.kind) {
    case DTX_MSG_KYIELD:
        ck_assert(!rank[r].asked);
        rank[r].asked = true;
        break;
    case DTX_MSG_KGRANT:
        memcpy(text, m.u.kgrant.work.data, m.u.kgrant.work.len);
        rank[r].units += strtoull(text, NULL, 10);
        rank[r].received++;
        rank[r].want_sent = rank[r].idle_sent = false;
        break;
    case DTX_MSG_KOVER:
        rank[r].over = true;
        over_code = m.u.kover.code;
        memcpy(over_text, m.u.kover.text.data, m.u.kover.text.len);
        over_text[m.u.kover.text.len] = '\0';
        break;
    default:
        ck_abort_msg("a rank is sent a %s", dtx_msg_name(m.kind));
    }
}

/* Something happens at rank r: it works, answers, or asks. */
static void live(uint32_t r, unsigned fertile)
{
    struct rank *k = &rank[r];
    struct dtx_msg m = {.kind = DTX_MSG_KWANT};
    bool early = k->units == 1 && dtx_rng_below(&rng, 2);

    if (k->asked && (k->units > 1 || k->units == 0 || !fertile)) {
        answer(r);
    } else if ((k->units == 0 && !k->idle_sent) ||
               (early && !k->want_sent)) {
        m.u.kwant.received = k->received;
        m.u.kwant.idle = k->units == 0;
        k->want_sent = true;
        k->idle_sent = k->units == 0;
        say(r, &m);
    } else if (k->units > 0) {
        k->units--;
        k->done++;
        if (made < 400 && dtx_rng_below(&rng, 100) < fertile) {
            uint64_t n = dtx_rng_below(&rng, 4);

            k->units += n;
            made += n;
        }
    }
}

static bool all_over(void)
{
    for (uint32_t r = 0; r < nranks; r++) {
        if (!rank[r].over)
            return false;
    }
    return true;
}

static void run(unsigned fertile)
{
    for (long step = 0; !all_over(); step++) {
        uint32_t r = (uint32_t)dtx_rng_below(&rng, nranks);

        ck_assert_msg(step < 2000000, "it does not end");
        switch (dtx_rng_below(&rng, 3)) {
        case 0:
            if (rank[r].up.head < rank[r].up.tail)
                ck_assert_int_eq(hear(r), DTX_OK);
            break;
        case 1:
            if (rank[r].down.head < rank[r].down.tail)
                listen(r);
            break;
        default:
            if (!rank[r].over && rank[r].entered)
                live(r, fertile);
            else if (!rank[r].entered)
                enter(r, 77, "a\nb\n");
        }
    }
}

static void check_end(void)
{
    uint64_t done = 0;

    for (uint32_t r = 0; r < nranks; r++) {
        ck_assert_uint_eq(rank[r].units, 0);
        done += rank[r].done;
    }
    ck_assert_int_eq(over_code, DTX_OK);
    ck_assert_uint_eq(done, made);
    ck_assert(dtx_broker_over(broker));
}

/* A loop: each rank begins with some units, none makes more. */
START_TEST(a_loop_ends_when_all_is_done)
{
    dtx_rng_seed(&rng, (uint64_t)_i);
    begin((uint32_t)_i % MOST_RANKS + 1, NULL);
    for (uint32_t r = 0; r < nranks; r++) {
        rank[r].units = dtx_rng_below(&rng, 2) * dtx_rng_below(&rng, 200);
        made += rank[r].units;
    }
    run(0);
    check_end();
    end();
}
END_TEST

/* A tree: one unit at rank 0, from which all others come. */
START_TEST(a_tree_ends_when_all_is_done)
{
    dtx_rng_seed(&rng, (uint64_t)_i + 1000);
    begin((uint32_t)_i % MOST_RANKS + 1, NULL);
    rank[0].units = made = 1;
    run(60);
    check_end();
    end();
}
END_TEST

static uint64_t stock;

static void draw(void *ctx, uint32_t r, uint32_t count,
                 const struct dtx_broker_news *news, struct dtx_buf *work)
{
    (void)ctx;
    (void)r;
    (void)news;
    if (stock == 0)
        return;
    if (count > stock)
        count = (uint32_t)stock;
    stock -= count;
    dtx_buf_printf(work, "%u", count);
}

START_TEST(chunks_of_a_source)
{
    dtx_rng_seed(&rng, (uint64_t)_i);
    begin((uint32_t)_i % MOST_RANKS + 1, draw);
    stock = made = 100;
    run(0);
    check_end();
    ck_assert_uint_eq(stock, 0);
    end();
}
END_TEST

START_TEST(ranks_that_disagree_are_named)
{
    begin(2, NULL);
    enter(0, 77, "a\nb\n");
    ck_assert_int_eq(hear(0), DTX_OK);
    enter(1, _i ? 77 : 78, _i ? "a\n" : "a\nb\n");
    ck_assert_int_eq(hear(1), DTX_OK);
    listen(1);
    ck_assert_int_eq(over_code, DTX_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(over_text, "rank 1"));
    ck_assert_ptr_nonnull(strstr(over_text, _i ? "rank 0 has registered b, rank 1 none"
                                             : "that call"));
    end();
}
END_TEST

START_TEST(a_lost_rank_ends_the_region)
{
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};

    begin(2, NULL);
    ev.u.lost = (struct dtx_loss){.rank = 1};
    ck_assert_int_eq(dtx_broker_step(broker, &ev, &out), DTX_OK);
    ck_assert(dtx_broker_over(broker));
    ck_assert_uint_eq(out.count, 2); /* KOVER for rank 0, and FINISH */
    end();
}
END_TEST

static int had_nothing(void *ctx, uint32_t r, struct dtx_buf *work)
{
    (void)ctx;
    (void)r;
    (void)work;
    return DTX_OK;
}

static void want(uint32_t r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KWANT};

    m.u.kwant.idle = 1;
    say(r, &m);
    ck_assert_int_eq(hear(r), DTX_OK);
}

/* The first of 'kind' that is sent to rank r. */
static void await(uint32_t r, int kind, struct dtx_msg *m)
{
    struct pipe *p = &rank[r].down;

    do {
        struct frame *f = &p->f[p->head++ % MOST_FRAMES];

        ck_assert_uint_le(p->head, p->tail);
        ck_assert_int_eq(dtx_msg_decode(f->data, f->len, m), DTX_OK);
    } while ((int)m->kind != kind);
}

/* Rank 2 is sent a share by rank 1, straight; or it has died before that. */
START_TEST(a_share_goes_straight)
{
    static const uint32_t slots[3] = {1, 1, 1};
    struct dtx_broker_config c = {3, slots};
    struct dtx_broker_region g = {.number = 3, .digest = 77, .call = "a call",
                                  .kernels = "a\nb\n", .lost = had_nothing};
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};
    struct dtx_msg m;
    uint64_t ask;

    memset(rank, 0, sizeof(rank));
    broker = dtx_broker_create(&c);
    dtx_broker_begin(broker, &g);
    for (uint32_t r = 0; r < 3; r++) {
        enter(r, 77, "a\nb\n");
        ck_assert_int_eq(hear(r), DTX_OK);
    }
    want(0);
    await(1, DTX_MSG_KYIELD, &m); /* for rank 0: it has none */
    m = (struct dtx_msg){.kind = DTX_MSG_KYIELDED};
    m.u.kyielded.straight = 1;
    say(1, &m);
    ck_assert_int_eq(hear(1), DTX_EPROTO); /* not to rank 0 */
    m.u.kyielded.straight = 0;
    m.u.kyielded.left_ns = -1;
    m.u.kyielded.work = dtx_str_of("0");
    say(1, &m);
    ck_assert_int_eq(hear(1), DTX_OK);
    want(2);
    m = (struct dtx_msg){.kind = DTX_MSG_KYIELDED};
    say(0, &m); /* who was not asked yet is first: it has none either */
    ck_assert_int_eq(hear(0), DTX_OK);
    await(1, DTX_MSG_KYIELD, &m);
    ck_assert_uint_eq(m.u.kyield.thief, 2);
    ask = m.u.kyield.ask;
    ck_assert_uint_gt(ask, 0);
    ev.u.lost = (struct dtx_loss){.rank = 2};
    if (_i)
        ck_assert_int_eq(dtx_broker_step(broker, &ev, &out), DTX_OK);
    m = (struct dtx_msg){.kind = DTX_MSG_KYIELDED};
    m.u.kyielded.straight = 5000;
    say(1, &m);
    ck_assert_int_eq(hear(1), DTX_OK);
    if (_i == 0) {
        await(2, DTX_MSG_KGRANT, &m);
        ck_assert_uint_eq(m.u.kgrant.ask, ask);
        ck_assert(!dtx_broker_over(broker));
    } else {
        await(1, DTX_MSG_KOVER, &m);
        ck_assert_int_eq(m.u.kover.code, DTX_ELOST);
    }
    end();
}
END_TEST

START_TEST(who_cannot_make_the_call_ends_it)
{
    struct dtx_msg m = {.kind = DTX_MSG_ENTER};

    begin(2, NULL);
    enter(0, 77, "a\nb\n");
    ck_assert_int_eq(hear(0), DTX_OK);
    m.u.enter.protocol = DTX_PROTOCOL;
    m.u.enter.code = DTX_EINVAL;
    m.u.enter.call = dtx_str_of("no work");
    m.u.enter.kernels = dtx_str_of("a\nb\n");
    say(1, &m);
    ck_assert_int_eq(hear(1), DTX_OK);
    listen(0);
    ck_assert_int_eq(over_code, DTX_EINVAL);
    ck_assert_str_eq(over_text, "rank 1: no work");
    end();
}
END_TEST

START_TEST(nonsense_is_refused)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELDED};

    begin(2, NULL);
    say(0, &m); /* has not entered */
    ck_assert_int_eq(hear(0), DTX_EPROTO);
    enter(0, 77, "a\nb\n");
    ck_assert_int_eq(hear(0), DTX_OK);
    say(0, &m); /* was not asked */
    ck_assert_int_eq(hear(0), DTX_EPROTO);
    m.kind = DTX_MSG_KWANT;
    m.u.kwant.received = 1; /* of none */
    say(0, &m);
    ck_assert_int_eq(hear(0), DTX_EPROTO);
    push(&rank[0].up, "\xff", 1);
    ck_assert_int_eq(hear(0), DTX_EPROTO);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine/broker");
    TCase *t = tcase_create("all");
    int rounds = dtx_rounds(300);

    tcase_add_loop_test(t, a_loop_ends_when_all_is_done, 0, rounds);
    tcase_add_loop_test(t, a_tree_ends_when_all_is_done, 0, rounds);
    tcase_add_loop_test(t, chunks_of_a_source, 0, 40);
    tcase_add_loop_test(t, ranks_that_disagree_are_named, 0, 2);
    tcase_add_test(t, a_lost_rank_ends_the_region);
    tcase_add_loop_test(t, a_share_goes_straight, 0, 2);
    tcase_add_test(t, who_cannot_make_the_call_ends_it);
    tcase_add_test(t, nonsense_is_refused);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
