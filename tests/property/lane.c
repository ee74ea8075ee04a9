/* SPDX-License-Identifier: MIT */
/* What happens next among the simulated ranks of the kernel lane; see lane.h.
 * It knows frames, members and deaths; what work is lane_work.c knows. */
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lane_state.h"

#define MOST_STEPS 3000000u

void dtx_lane_wrong(struct dtx_lane *l, const char *what, uint64_t which)
{
    if (!l->r->wrong[0])
        (void)snprintf(l->r->wrong, sizeof(l->r->wrong), "%s %llu", what,
                       (unsigned long long)which);
}

/* --- the network ---------------------------------------------------------- */

static void push(struct dtx_lane *l, struct dtx_lane_pipe *p, const void *data,
                 size_t len)
{
    dtx_buf_append(&p->bytes, &len, sizeof(len));
    dtx_buf_append(&p->bytes, data, len);
    if (p->bytes.failed)
        l->rc = DTX_ENOMEM;
}

/* The next frame, if there is one. */
static bool pop(struct dtx_lane *l, struct dtx_lane_pipe *p,
                struct dtx_buf *frame)
{
    size_t len;

    if (p->at == p->bytes.len)
        return false;
    memcpy(&len, p->bytes.data + p->at, sizeof(len));
    dtx_buf_append(frame, p->bytes.data + p->at + sizeof(len), len);
    p->at += sizeof(len) + len;
    if (p->at == p->bytes.len) {
        dtx_buf_clear(&p->bytes);
        p->at = 0;
    }
    if (frame->failed)
        l->rc = DTX_ENOMEM;
    return true;
}

void dtx_lane_say(struct dtx_lane *l, uint32_t r, struct dtx_msg *m)
{
    struct dtx_buf b = DTX_BUF_INIT;

    m->epoch = DTX_LANE_REGION;
    dtx_msg_encode(&b, m);
    push(l, &l->rank[r].up, b.data, b.len);
    dtx_buf_free(&b);
}

/* --- rank 0 --------------------------------------------------------------- */

static void step_broker(struct dtx_lane *l, const struct dtx_event *ev)
{
    int rc = dtx_broker_step(l->broker, ev, &l->actions);
    size_t i;

    if (rc < 0)
        dtx_lane_wrong(l, "the broker refuses with code", (uint64_t)-rc);
    for (i = 0; i < l->actions.count; i++) {
        const struct dtx_action *a = &l->actions.list[i];

        if (a->kind != DTX_ACT_SEND)
            continue;
        if (l->rank[a->u.to].noticed)
            dtx_lane_wrong(l, "a frame to dead rank", a->u.to);
        push(l, &l->rank[a->u.to].down, dtx_action_bytes(&l->actions, a),
             a->len);
    }
}

static void on_part(struct dtx_lane *l, uint32_t from, const struct dtx_msg *m)
{
    uint64_t sum;

    if (m->u.kpart.value.len != sizeof(sum)) {
        dtx_lane_wrong(l, "a part without a value of rank", from);
        return;
    }
    memcpy(&sum, m->u.kpart.value.data, sizeof(sum));
    l->r->sum += sum;
    l->r->done += m->u.kpart.done;
    dtx_lane_bank(l, from, m->u.kpart.round);
    dtx_broker_bank(l->broker, from, m->u.kpart.round);
}

static void rank0_hears(struct dtx_lane *l, uint32_t from)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    struct dtx_buf frame = DTX_BUF_INIT;
    struct dtx_msg m;

    if (!l->rank[from].noticed && pop(l, &l->rank[from].up, &frame)) {
        ev.u.frame.from = from;
        ev.u.frame.data = frame.data;
        ev.u.frame.len = frame.len;
        if (dtx_msg_decode(frame.data, frame.len, &m))
            dtx_lane_wrong(l, "no frame, of rank", from);
        else if (m.kind == DTX_MSG_KPART)
            on_part(l, from, &m);
        else if (m.kind == DTX_MSG_KENDED)
            dtx_lane_ended(l, from, m.u.kended.ended);
        else
            step_broker(l, &ev);
    }
    dtx_buf_free(&frame);
}

/* It cannot go on, says so and leaves. */
static void fail(struct dtx_lane *l, uint32_t r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KFAIL, .epoch = DTX_LANE_REGION};
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    struct dtx_buf b = DTX_BUF_INIT;

    if (!l->c.fails || l->r->failed || dtx_rng_below(&l->rng, 20))
        return;
    l->r->failed = l->rank[r].left = true;
    l->failed = r;
    m.u.kfail.code = DTX_ENOMEM;
    m.u.kfail.text = dtx_str_of("out of memory");
    if (r != 0) {
        dtx_lane_say(l, r, &m);
        return;
    }
    dtx_msg_encode(&b, &m);
    ev.u.frame.data = b.data;
    ev.u.frame.len = b.len;
    step_broker(l, &ev);
    dtx_buf_free(&b);
}

/* What it had sent may have gone with it. */
static void lose_side(struct dtx_lane *l, uint32_t r)
{
    uint32_t to;

    for (to = 0; to < l->c.nranks; to++) {
        struct dtx_lane_pipe *p = &l->rank[r].side[to];

        if (dtx_rng_below(&l->rng, 2))
            p->at = p->bytes.len;
    }
}

static void die(struct dtx_lane *l, uint32_t r)
{
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};
    struct dtx_lane_rank *k = &l->rank[r];

    if (r == 0 || (!k->dead && l->r->dead == l->c.deaths))
        return;
    if (!k->dead) {
        k->dead = true;
        l->r->dead++;
        lose_side(l, r);
    } else if (!k->noticed && dtx_rng_below(&l->rng, 4) == 0) {
        k->noticed = true;
        ev.u.lost = (struct dtx_loss){.rank = r};
        step_broker(l, &ev);
    }
}

/* --- any rank ------------------------------------------------------------- */

static void enter(struct dtx_lane *l, uint32_t r)
{
    struct dtx_msg m = {.kind = DTX_MSG_ENTER};

    m.u.enter.protocol = DTX_PROTOCOL;
    m.u.enter.call = dtx_str_of("a call");
    m.u.enter.kernels = dtx_str_of("k\n");
    dtx_lane_say(l, r, &m);
    l->rank[r].entered = true;
}

/* The next frame for a rank: of rank 0, or of any other. */
static bool next_frame(struct dtx_lane *l, uint32_t r, struct dtx_buf *frame)
{
    struct dtx_lane_rank *k = &l->rank[r];
    uint32_t from = dtx_rng_below(&l->rng, 2)
                        ? (uint32_t)dtx_rng_below(&l->rng, l->c.nranks)
                        : 0;

    if (from != 0)
        return pop(l, &l->rank[from].side[r], frame);
    return dtx_member_next(&k->member, frame) || pop(l, &k->down, frame);
}

static void hears(struct dtx_lane *l, uint32_t r)
{
    struct dtx_lane_rank *k = &l->rank[r];
    struct dtx_buf frame = DTX_BUF_INIT;
    struct dtx_msg m;
    uint32_t waits = k->member.waits;
    int what;

    if (next_frame(l, r, &frame)) {
        if (dtx_msg_decode(frame.data, frame.len, &m)) {
            dtx_lane_wrong(l, "no frame, for rank", r);
        } else {
            what = dtx_member_hear(&k->member, &m, frame.data, frame.len);
            if (what < 0)
                dtx_lane_wrong(l, "out of turn: a frame for rank", r);
            if (what == DTX_MEMBER_FAIL)
                k->left = true;
            if (what == DTX_MEMBER_TAKE)
                dtx_lane_take(l, r, k->member.work);
            l->r->late += k->member.waits > waits;
        }
    }
    dtx_buf_free(&frame);
}

static void hand_in(struct dtx_lane *l, uint32_t r)
{
    struct dtx_lane_rank *k = &l->rank[r];
    struct dtx_msg m = {.kind = DTX_MSG_KPART};

    m.u.kpart.round = dtx_member_hand_in(&k->member);
    m.u.kpart.done = k->done;
    m.u.kpart.value = (struct dtx_str){(const char *)&k->sum, sizeof(k->sum)};
    dtx_lane_say(l, r, &m);
    k->done = k->sum = 0;
}

/* Shares are small here: some count as large. */
static size_t straight_bytes(struct dtx_lane *l)
{
    return dtx_rng_below(&l->rng, 3) ? SIZE_MAX : 1;
}

static void pass(struct dtx_lane *l, uint32_t r, const struct dtx_buf *work)
{
    const struct dtx_member *k = &l->rank[r].member;
    struct dtx_msg m = {.kind = DTX_MSG_KPASS, .epoch = DTX_LANE_REGION};
    struct dtx_buf b = DTX_BUF_INIT;

    m.u.kpass.ask = k->ask;
    m.u.kpass.work = (struct dtx_str){work->data, work->len};
    dtx_msg_encode(&b, &m);
    push(l, &l->rank[r].side[k->thief], b.data, b.len);
    dtx_buf_free(&b);
    l->r->straight++;
}

static void answer(struct dtx_lane *l, uint32_t r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELDED};
    struct dtx_buf work = DTX_BUF_INIT, straight = DTX_BUF_INIT;
    const struct dtx_member *k = &l->rank[r].member;
    size_t as_if = straight_bytes(l);

    dtx_lane_share(l, r, &work, &straight);
    if (straight.len > 0 && dtx_member_passes(k, r, as_if)) {
        pass(l, r, &straight);
        m.u.kyielded.straight = straight.len;
    } else {
        dtx_buf_append(&work, straight.data, straight.len);
    }
    dtx_buf_free(&straight);
    m.u.kyielded.left_ns = dtx_lane_has_work(l, r) ? -1 : 0;
    m.u.kyielded.work = (struct dtx_str){work.data, work.len};
    dtx_lane_say(l, r, &m);
    dtx_member_shared(&l->rank[r].member);
    dtx_buf_free(&work);
}

/* A rank works, answers, asks, or hands in. */
static void lives(struct dtx_lane *l, uint32_t r)
{
    struct dtx_lane_rank *k = &l->rank[r];
    bool work = dtx_lane_has_work(l, r), early = dtx_rng_below(&l->rng, 8) == 0;
    struct dtx_msg m;

    if (!k->entered) {
        enter(l, r);
    } else if (dtx_member_owes(&k->member)) {
        if (!work || k->member.code != DTX_OK)
            hand_in(l, r);
        else
            dtx_lane_wrong(l, "over, with work on rank", r);
    } else if (k->member.over) {
        return;
    } else if (dtx_member_asked(&k->member) && dtx_rng_below(&l->rng, 2)) {
        answer(l, r);
    } else if (work && (k->member.idle_sent || k->member.want_sent) &&
               r == 0 && l->ledger) {
        dtx_member_fresh(&k->member, &m); /* the ledger has released some */
        dtx_lane_say(l, r, &m);
    } else if (work && !(early && !k->member.want_sent)) {
        dtx_lane_work_unit(l, r);
    } else if (work || (!k->member.idle_sent &&
                        !(r == 0 && dtx_lane_holds(l)))) {
        dtx_member_want(&k->member, 2, !work, &m);
        dtx_lane_say(l, r, &m);
    }
}

/* --- all of it ------------------------------------------------------------ */

static bool is_settled(const struct dtx_lane *l)
{
    uint32_t r;

    for (r = 0; r < l->c.nranks; r++) {
        if (l->rank[r].dead ? !l->rank[r].noticed
                            : l->r->failed && !l->rank[r].left)
            return false;
    }
    return l->r->failed || dtx_broker_complete(l->broker);
}

static void step(struct dtx_lane *l)
{
    uint32_t r = (uint32_t)dtx_rng_below(&l->rng, l->c.nranks);
    uint64_t what = dtx_rng_below(&l->rng, 300);

    if (what < 1 || (l->rank[r].dead && what < 100))
        die(l, r);
    else if (what < 2 && !l->rank[r].dead)
        fail(l, r);
    else if (what < 100 && !l->rank[0].left)
        rank0_hears(l, r);
    else if (l->rank[r].left)
        return;
    else if (!l->rank[r].dead && what < 200)
        hears(l, r);
    else if (!l->rank[r].dead)
        lives(l, r);
}

static int begin(struct dtx_lane *l)
{
    uint32_t *slots = calloc(l->c.nranks, sizeof(*slots)), r;
    struct dtx_broker_config config = {l->c.nranks, slots};
    struct dtx_broker_region g = {.number = DTX_LANE_REGION,
                                  .call = "a call",
                                  .kernels = "k\n",
                                  .moved = dtx_lane_moved,
                                  .lost = dtx_lane_lost,
                                  .ctx = l};

    l->rank = calloc(l->c.nranks, sizeof(*l->rank));
    for (r = 0; slots && r < l->c.nranks; r++)
        slots[r] = 1 + r % 3;
    if (slots && l->rank)
        l->broker = dtx_broker_create(&config);
    free(slots);
    if (!l->broker)
        return DTX_ENOMEM;
    if (l->c.kind == DTX_LANE_CHUNKS)
        g.source = dtx_lane_draw;
    dtx_broker_begin(l->broker, &g);
    for (r = 0; r < l->c.nranks; r++) {
        dtx_member_begin(&l->rank[r].member, DTX_LANE_REGION);
        dtx_task_queue_init(&l->rank[r].queue);
        l->rank[r].side = calloc(l->c.nranks, sizeof(*l->rank[r].side));
        if (!l->rank[r].side)
            return DTX_ENOMEM;
    }
    return dtx_lane_work_begin(l);
}

/* What rank 'r' has come to. */
static void conclude(struct dtx_lane *l, uint32_t r)
{
    const struct dtx_member *m = &l->rank[r].member;
    char who[32];

    if (l->rank[r].dead || (l->r->failed && r == l->failed))
        return;
    l->r->code = m->code;
    l->r->rounds = m->rounds;
    (void)snprintf(who, sizeof(who), "rank %u: out of memory", l->failed);
    if (l->r->failed && m->code == DTX_ENOMEM && m->text.len &&
        strcmp(m->text.data, who) == 0)
        l->r->told++;
    else if (l->r->failed)
        l->r->alone++;
}

static void free_rank(struct dtx_lane_rank *k, uint32_t nranks)
{
    uint32_t to;

    for (to = 0; k->side && to < nranks; to++)
        dtx_buf_free(&k->side[to].bytes);
    free(k->side);
    dtx_member_fini(&k->member);
    dtx_buf_free(&k->up.bytes);
    dtx_buf_free(&k->down.bytes);
    dtx_buf_free(&k->nodes);
    dtx_spans_free(&k->todo);
    dtx_task_queue_fini(&k->queue);
}

int dtx_lane_simulate(const struct dtx_lane_case *c,
                      struct dtx_lane_result *out)
{
    struct dtx_lane l = {.c = *c, .r = out};
    uint32_t steps, r;

    memset(out, 0, sizeof(*out));
    dtx_rng_seed(&l.rng, c->seed);
    l.rc = begin(&l);
    for (steps = 0; l.rc == DTX_OK && !is_settled(&l); steps++) {
        if (out->wrong[0])
            break;
        if (steps == MOST_STEPS)
            dtx_lane_wrong(&l, "no end, with seed", c->seed);
        step(&l);
    }
    for (r = 0; l.rank && r < c->nranks; r++) {
        conclude(&l, r);
        free_rank(&l.rank[r], c->nranks);
    }
    if (out->failed)
        out->code = DTX_ENOMEM;
    dtx_lane_work_end(&l);
    dtx_broker_destroy(l.broker);
    dtx_actions_free(&l.actions);
    free(l.rank);
    return l.rc;
}
