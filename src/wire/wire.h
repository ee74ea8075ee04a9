/* SPDX-License-Identifier: MIT */
/* wire/wire.h - messages between ranks and records of the journal
 *
 * Everything here is generated from wire/tables.h.  A message or record is a
 * header, its fields, and for some kinds a list of items up to the end.
 *
 * Writing:  struct dtx_msg m = {.kind = DTX_MSG_YIELD, .epoch = ...};
 *           m.u.yield.count = 3;
 *           dtx_msg_encode(&buf, &m);          then, for a list, any number of
 *           dtx_item_outcome_encode(&buf, &item);
 * Reading:  if (dtx_msg_decode(data, len, &m)) refuse;
 *           while ((rc = dtx_item_outcome_next(&m.items, &item)) > 0) ...
 *           if (rc < 0) refuse;
 *
 * Texts in decoded structs point into the bytes that were decoded.  A decoder
 * refuses unknown kinds, short fields and trailing bytes.
 */
#ifndef DTX_WIRE_WIRE_H
#define DTX_WIRE_WIRE_H

#include "wire/codec.h"
#include "wire/tables.h"

struct dtx_outcome;

#define DTX_WIRE_FIELD(type, name) dtx_wire_##type name;

/* struct dtx_item_work, dtx_item_outcome, ... and their functions.
 * _next: 1 and 'out' filled, 0 at the end, DTX_EPROTO. */
#define DTX_ITEM_DECLARE(NAME, name)                                           \
    struct dtx_item_##name {                                                   \
        DTX_ITEM_FIELDS_##NAME(DTX_WIRE_FIELD)                                 \
    };                                                                         \
    void dtx_item_##name##_encode(struct dtx_buf *b,                           \
                                  const struct dtx_item_##name *item);         \
    int dtx_item_##name##_next(struct dtx_cursor *c,                           \
                               struct dtx_item_##name *out);
DTX_ITEM_MAP(DTX_ITEM_DECLARE)
#undef DTX_ITEM_DECLARE

enum dtx_msg_kind {
#define DTX_WIRE_ENUM(NAME, name, number, item) DTX_MSG_##NAME = number,
    DTX_MSG_MAP(DTX_WIRE_ENUM)
#undef DTX_WIRE_ENUM
};

enum dtx_rec_kind {
#define DTX_WIRE_ENUM(NAME, name, number, item) DTX_REC_##NAME = number,
    DTX_REC_MAP(DTX_WIRE_ENUM)
#undef DTX_WIRE_ENUM
};

struct dtx_msg {
    enum dtx_msg_kind kind;
    uint32_t epoch;       /* the job's session */
    uint32_t incarnation; /* of the rank that is not the master */
    union {
        char none; /* kinds without fields have no member */
#define DTX_WIRE_MEMBER(NAME, name, number, item)                              \
    struct {                                                                   \
        DTX_MSG_FIELDS_##NAME(DTX_WIRE_FIELD) char end_;                       \
    } name;
        DTX_MSG_MAP(DTX_WIRE_MEMBER)
#undef DTX_WIRE_MEMBER
    } u;
    struct dtx_cursor items; /* after decoding */
};

struct dtx_rec {
    enum dtx_rec_kind kind;
    union {
        char none;
#define DTX_WIRE_MEMBER(NAME, name, number, item)                              \
    struct {                                                                   \
        DTX_REC_FIELDS_##NAME(DTX_WIRE_FIELD) char end_;                       \
    } name;
        DTX_REC_MAP(DTX_WIRE_MEMBER)
#undef DTX_WIRE_MEMBER
    } u;
    struct dtx_cursor items;
};

void dtx_msg_encode(struct dtx_buf *b, const struct dtx_msg *m);
/* 0 or DTX_EPROTO. */
int dtx_msg_decode(const void *data, size_t len, struct dtx_msg *out);
const char *dtx_msg_name(enum dtx_msg_kind k);

void dtx_rec_encode(struct dtx_buf *b, const struct dtx_rec *r);
int dtx_rec_decode(const void *data, size_t len, struct dtx_rec *out);

/* Between the outcome of task/ and its item. From an item: 0, or DTX_EPROTO
 * when status or source are none we know. */
void dtx_outcome_to_item(const struct dtx_outcome *o,
                         struct dtx_item_outcome *item);
int dtx_outcome_from_item(const struct dtx_item_outcome *item,
                          struct dtx_outcome *o);

#endif
