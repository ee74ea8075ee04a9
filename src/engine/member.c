/* SPDX-License-Identifier: MIT */
/* A rank's side of a region; see member.h. It decides when what is heard may
 * be acted upon, never what work is. */
#include "engine/member.h"

#include <string.h>

#include "base/error.h"

void dtx_member_begin(struct dtx_member *m, uint32_t region)
{
    memset(m, 0, sizeof(*m));
    m->region = region;
}

void dtx_member_fini(struct dtx_member *m)
{
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
    return keep_why(m, msg->u.kover.code, msg->u.kover.text) ? DTX_MEMBER_STOP
                                                             : DTX_ENOMEM;
}

static int on_grant(struct dtx_member *m)
{
    m->received++;
    m->over = false;
    m->want_sent = m->idle_sent = false;
    return DTX_MEMBER_TAKE;
}

int dtx_member_hear(struct dtx_member *m, const struct dtx_msg *msg,
                    const void *frame, size_t len)
{
    if (msg->kind == DTX_MSG_KFAIL)
        return on_fail(m, msg);
    if (msg->kind != DTX_MSG_KYIELD && msg->kind != DTX_MSG_KGRANT &&
        msg->kind != DTX_MSG_KOVER)
        return DTX_MEMBER_OTHER;
    if (dtx_member_owes(m))
        return hold(m, frame, len);
    if (msg->kind == DTX_MSG_KOVER)
        return on_over(m, msg);
    if (msg->kind == DTX_MSG_KGRANT)
        return on_grant(m);
    if (m->over)
        return DTX_EPROTO; /* who has nothing is not asked */
    m->thief_slots = msg->u.kyield.slots ? msg->u.kyield.slots : 1;
    return DTX_MEMBER_SHARE;
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
