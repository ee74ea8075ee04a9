/* SPDX-License-Identifier: MIT */
/* A rank's side of a region; see member.h. It decides when what is heard may
 * be acted upon, never what work is. */
#include "engine/member.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* What is shorter goes with the message that tells of it: a message more costs
 * as much as some KiB more do. */
#define STRAIGHT_LEAST 4096u

struct dtx_half {
    struct dtx_half *next;
    uint64_t ask;
    bool granted; /* it is the broker's; else the other rank's */
    struct dtx_buf work;
};

void dtx_member_begin(struct dtx_member *m, uint32_t region)
{
    memset(m, 0, sizeof(*m));
    m->region = region;
}

static void drop_half(struct dtx_half **at)
{
    struct dtx_half *h = *at;

    *at = h->next;
    dtx_buf_free(&h->work);
    free(h);
}

void dtx_member_fini(struct dtx_member *m)
{
    while (m->half)
        drop_half(&m->half);
    dtx_buf_free(&m->whole);
    dtx_buf_free(&m->text);
    dtx_buf_free(&m->held);
}

bool dtx_member_owes(const struct dtx_member *m)
{
    return m->handed_in < m->rounds;
}

static int hold(struct dtx_member *m, const void *frame, size_t len)
{
    dtx_buf_append(&m->held, &len, sizeof(len));
    dtx_buf_append(&m->held, frame, len);
    return m->held.failed ? DTX_ENOMEM : DTX_MEMBER_NOTHING;
}

/* Why it ends. False when out of memory. */
static bool keep_why(struct dtx_member *m, int32_t code, struct dtx_str text)
{
    m->code = code;
    dtx_buf_clear(&m->text);
    dtx_buf_append(&m->text, text.data, text.len);
    return !m->text.failed;
}

/* Also without the memory for the text. */
static int on_fail(struct dtx_member *m, const struct dtx_msg *msg)
{
    int32_t code = msg->u.kfail.code;

    m->over = true;
    (void)keep_why(m, code < 0 ? code : DTX_EPROTO, msg->u.kfail.text);
    return DTX_MEMBER_FAIL;
}

static int on_over(struct dtx_member *m, const struct dtx_msg *msg)
{
    m->rounds++;
    m->over = true;
    m->thief_slots = 0;
    if (m->waits > 0 && msg->u.kover.code == DTX_OK)
        return DTX_EPROTO; /* work was under way */
    m->waits = 0;
    return keep_why(m, msg->u.kover.code, msg->u.kover.text) ? DTX_MEMBER_STOP
                                                             : DTX_ENOMEM;
}

static int receive(struct dtx_member *m, struct dtx_str work)
{
    m->received++;
    m->want_sent = m->idle_sent = false;
    m->work = work;
    return DTX_MEMBER_TAKE;
}

/* Keep one until the other comes. */
static int keep_half(struct dtx_member *m, uint64_t ask, bool granted,
                     struct dtx_str work)
{
    struct dtx_half *h = calloc(1, sizeof(*h));

    if (!h)
        return DTX_ENOMEM;
    h->ask = ask;
    h->granted = granted;
    h->next = m->half;
    m->half = h;
    dtx_buf_append(&h->work, work.data, work.len);
    m->waits += granted;
    return h->work.failed ? DTX_ENOMEM : DTX_MEMBER_NOTHING;
}

/* One half has come; with the other one it is work. */
static int join(struct dtx_member *m, uint64_t ask, bool granted,
                struct dtx_str work)
{
    struct dtx_half **at = &m->half, *h;

    while (*at && (*at)->ask != ask)
        at = &(*at)->next;
    h = *at;
    if (!h)
        return keep_half(m, ask, granted, work);
    if (h->granted == granted)
        return DTX_EPROTO;
    m->waits -= h->granted;
    dtx_buf_clear(&m->whole);
    if (granted)
        dtx_buf_append(&m->whole, work.data, work.len);
    dtx_buf_append(&m->whole, h->work.data, h->work.len);
    if (!granted)
        dtx_buf_append(&m->whole, work.data, work.len);
    drop_half(at);
    if (m->whole.failed)
        return DTX_ENOMEM;
    return receive(m, (struct dtx_str){m->whole.data, m->whole.len});
}

static int on_grant(struct dtx_member *m, const struct dtx_msg *msg)
{
    m->over = false;
    return msg->u.kgrant.ask
               ? join(m, msg->u.kgrant.ask, true, msg->u.kgrant.work)
               : receive(m, msg->u.kgrant.work);
}

/* From another rank, at any time: the broker's word may never come, when its
 * sender has died or the region is over. */
static int on_pass(struct dtx_member *m, const struct dtx_msg *msg)
{
    if (msg->u.kpass.ask == 0)
        return DTX_EPROTO;
    return m->code != DTX_OK ? DTX_MEMBER_NOTHING
                             : join(m, msg->u.kpass.ask, false,
                                    msg->u.kpass.work);
}

static int on_yield(struct dtx_member *m, const struct dtx_msg *msg)
{
    if (m->over)
        return DTX_EPROTO; /* who has nothing is not asked */
    m->thief_slots = msg->u.kyield.slots ? msg->u.kyield.slots : 1;
    m->thief = msg->u.kyield.thief;
    m->ask = msg->u.kyield.ask;
    return DTX_MEMBER_SHARE;
}

int dtx_member_hear(struct dtx_member *m, const struct dtx_msg *msg,
                    const void *frame, size_t len)
{
    if (msg->kind == DTX_MSG_KFAIL)
        return on_fail(m, msg);
    if (msg->kind == DTX_MSG_KPASS)
        return on_pass(m, msg);
    if (msg->kind != DTX_MSG_KYIELD && msg->kind != DTX_MSG_KGRANT &&
        msg->kind != DTX_MSG_KOVER)
        return DTX_MEMBER_OTHER;
    if (dtx_member_owes(m))
        return hold(m, frame, len);
    if (msg->kind == DTX_MSG_KOVER)
        return on_over(m, msg);
    if (msg->kind == DTX_MSG_KGRANT)
        return on_grant(m, msg);
    return on_yield(m, msg);
}

void dtx_member_want(struct dtx_member *m, uint32_t count, bool idle,
                     struct dtx_msg *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = DTX_MSG_KWANT;
    out->epoch = m->region;
    out->u.kwant.received = m->received;
    out->u.kwant.count = count;
    out->u.kwant.idle = idle;
    m->want_sent = true;
    m->idle_sent |= idle;
}

void dtx_member_fresh(struct dtx_member *m, struct dtx_msg *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = DTX_MSG_KLOAD;
    out->epoch = m->region;
    out->u.kload.received = m->received;
    out->u.kload.left_ns = -1;
    m->want_sent = m->idle_sent = false;
}

bool dtx_member_asked(const struct dtx_member *m)
{
    return m->thief_slots > 0 && m->waits == 0;
}

bool dtx_member_passes(const struct dtx_member *m, uint32_t self, size_t bytes)
{
    return self != 0 && m->thief != 0 && m->thief != self &&
           bytes >= STRAIGHT_LEAST;
}

void dtx_member_shared(struct dtx_member *m)
{
    m->thief_slots = 0;
}

uint32_t dtx_member_hand_in(struct dtx_member *m)
{
    m->handed_in = m->rounds;
    return m->rounds;
}

bool dtx_member_next(struct dtx_member *m, struct dtx_buf *frame)
{
    size_t len;

    if (dtx_member_owes(m) || m->held_at == m->held.len)
        return false;
    memcpy(&len, m->held.data + m->held_at, sizeof(len));
    m->held_at += sizeof(len);
    dtx_buf_append(frame, m->held.data + m->held_at, len);
    m->held_at += len;
    if (m->held_at == m->held.len) {
        dtx_buf_clear(&m->held);
        m->held_at = 0;
    }
    return true;
}
