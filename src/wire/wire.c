/* SPDX-License-Identifier: MIT */
/* Encoders and decoders, generated from wire/tables.h; see wire.h. */
#include "wire/wire.h"

#include <string.h>

#include "base/error.h"
#include "task/outcome.h"

#define PUT(type, name) dtx_put_##type(b, v->name);
#define GET(type, name) v->name = dtx_get_##type(c);

#define DTX_ITEM_DEFINE(NAME, name)                                            \
    void dtx_item_##name##_encode(struct dtx_buf *b,                           \
                                  const struct dtx_item_##name *v)             \
    {                                                                          \
        DTX_ITEM_FIELDS_##NAME(PUT)                                            \
    }                                                                          \
    int dtx_item_##name##_next(struct dtx_cursor *c,                           \
                               struct dtx_item_##name *v)                      \
    {                                                                          \
        if (c->bad)                                                            \
            return DTX_EPROTO;                                                 \
        if (c->p == c->end)                                                    \
            return 0;                                                          \
        DTX_ITEM_FIELDS_##NAME(GET) return c->bad ? DTX_EPROTO : 1;            \
    }
DTX_ITEM_MAP(DTX_ITEM_DEFINE)

/* Whether a kind carries a list: "1" for item names, "0" for NONE. */
#define HAS_LIST(item) (sizeof(#item) != sizeof("NONE") || #item[0] != 'N')

/* ---- messages ---- */

#define PUT_MSG(type, name) dtx_put_##type(b, v->name);
#define MSG_CASE_ENCODE(NAME, name_, number, item)                             \
    case DTX_MSG_##NAME: {                                                     \
        const __typeof__(m->u.name_) *v = &m->u.name_;                         \
        (void)v;                                                               \
        DTX_MSG_FIELDS_##NAME(PUT_MSG) break;                                  \
    }
#define MSG_CASE_DECODE(NAME, name_, number, item)                             \
    case DTX_MSG_##NAME: {                                                     \
        __typeof__(m->u.name_) *v = &m->u.name_;                               \
        v->end_ = 0;                                                           \
        DTX_MSG_FIELDS_##NAME(GET) has_list = HAS_LIST(item);                  \
        break;                                                                 \
    }
#define REC_CASE_ENCODE(NAME, name_, number, item)                             \
    case DTX_REC_##NAME: {                                                     \
        const __typeof__(m->u.name_) *v = &m->u.name_;                         \
        (void)v;                                                               \
        DTX_REC_FIELDS_##NAME(PUT_MSG) break;                                  \
    }
#define REC_CASE_DECODE(NAME, name_, number, item)                             \
    case DTX_REC_##NAME: {                                                     \
        __typeof__(m->u.name_) *v = &m->u.name_;                               \
        v->end_ = 0;                                                           \
        DTX_REC_FIELDS_##NAME(GET) has_list = HAS_LIST(item);                  \
        break;                                                                 \
    }
#define CASE_NAME_MSG(NAME, name, number, item)                                \
    case DTX_MSG_##NAME:                                                       \
        return #NAME;

void dtx_msg_encode(struct dtx_buf *b, const struct dtx_msg *m)
{
    dtx_put_u8(b, (uint8_t)m->kind);
    dtx_put_u32(b, m->epoch);
    dtx_put_u32(b, m->incarnation);
    switch (m->kind) {
        DTX_MSG_MAP(MSG_CASE_ENCODE)
    }
}

int dtx_msg_decode(const void *data, size_t len, struct dtx_msg *m)
{
    struct dtx_cursor cur = dtx_cursor_over(data, len), *c = &cur;
    bool has_list = false;

    memset(m, 0, sizeof(*m));
    m->kind = (enum dtx_msg_kind)dtx_get_u8(c);
    m->epoch = dtx_get_u32(c);
    m->incarnation = dtx_get_u32(c);
    switch (m->kind) {
        DTX_MSG_MAP(MSG_CASE_DECODE)
    default:
        return DTX_EPROTO;
    }
    m->items = cur;
    return cur.bad || (!has_list && cur.p != cur.end) ? DTX_EPROTO : DTX_OK;
}

const char *dtx_msg_name(enum dtx_msg_kind k)
{
    switch (k) {
        DTX_MSG_MAP(CASE_NAME_MSG)
    default:
        return "?";
    }
}

/* ---- records ---- */

void dtx_rec_encode(struct dtx_buf *b, const struct dtx_rec *m)
{
    dtx_put_u8(b, (uint8_t)m->kind);
    switch (m->kind) {
        DTX_REC_MAP(REC_CASE_ENCODE)
    }
}

int dtx_rec_decode(const void *data, size_t len, struct dtx_rec *m)
{
    struct dtx_cursor cur = dtx_cursor_over(data, len), *c = &cur;
    bool has_list = false;

    memset(m, 0, sizeof(*m));
    m->kind = (enum dtx_rec_kind)dtx_get_u8(c);
    switch (m->kind) {
        DTX_REC_MAP(REC_CASE_DECODE)
    default:
        return DTX_EPROTO;
    }
    m->items = cur;
    return cur.bad || (!has_list && cur.p != cur.end) ? DTX_EPROTO : DTX_OK;
}

/* ---- outcomes ---- */

void dtx_outcome_to_item(const struct dtx_outcome *o,
                         struct dtx_item_outcome *item)
{
#define COPY(type, name) item->name = o->name;
    DTX_ITEM_FIELDS_OUTCOME(COPY)
#undef COPY
}

int dtx_outcome_from_item(const struct dtx_item_outcome *item,
                          struct dtx_outcome *o)
{
    if (item->status == DTX_STATUS_NONE || item->status > DTX_STATUS_LOST ||
        item->source > DTX_SOURCE_JOBLOG)
        return DTX_EPROTO;
    memset(o, 0, sizeof(*o));
#define COPY(type, name) o->name = item->name;
    DTX_ITEM_FIELDS_OUTCOME(COPY)
#undef COPY
    return DTX_OK;
}
