/* SPDX-License-Identifier: MIT */
/* The list of actions of a step; see event.h. */
#include "engine/event.h"

#include <stdlib.h>
#include <string.h>

void dtx_actions_clear(struct dtx_actions *a)
{
    a->count = 0;
    a->failed = false;
    dtx_buf_clear(&a->bytes);
}

void dtx_actions_free(struct dtx_actions *a)
{
    free(a->list);
    dtx_buf_free(&a->bytes);
    *a = (struct dtx_actions)DTX_ACTIONS_INIT;
}

const void *dtx_action_bytes(const struct dtx_actions *a,
                             const struct dtx_action *act)
{
    return a->bytes.data + act->at;
}

struct dtx_action *dtx_actions_add(struct dtx_actions *a,
                                   enum dtx_action_kind kind)
{
    struct dtx_action *p = dtx_grow(a->list, &a->cap, a->count + 1, sizeof(*p));

    if (!p) {
        a->failed = true;
        return NULL;
    }
    a->list = p;
    p += a->count++;
    memset(p, 0, sizeof(*p));
    p->kind = kind;
    p->at = a->bytes.len;
    return p;
}

void dtx_actions_close(struct dtx_actions *a)
{
    struct dtx_action *p;

    if (a->bytes.failed)
        a->failed = true;
    if (a->failed || a->count == 0)
        return;
    p = &a->list[a->count - 1];
    p->len = a->bytes.len - p->at;
}
