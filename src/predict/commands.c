/* SPDX-License-Identifier: MIT */
/* A bounded table of commands; see commands.h. */
#include "predict/commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 4u
#define AVERAGED 3u /* outcomes from which on an average moves */

bool dtx_commands_init(struct dtx_commands *c, size_t count)
{
    memset(c, 0, sizeof(*c));
    for (c->count = WAYS; c->count < count; c->count *= 2)
        ;
    c->entry = calloc(c->count, sizeof(*c->entry));
    return c->entry != NULL;
}

void dtx_commands_free(struct dtx_commands *c)
{
    free(c->entry);
    memset(c, 0, sizeof(*c));
}

static uint64_t key_of(struct dtx_key k)
{
    uint64_t key = k.hi ^ k.lo * UINT64_C(0x9e3779b97f4a7c15);

    return key ? key : 1;
}

static struct dtx_command *set_of(const struct dtx_commands *c, uint64_t key)
{
    return &c->entry[((key >> 17) & (c->count / WAYS - 1)) * WAYS];
}

static struct dtx_command *find(const struct dtx_commands *c, uint64_t key)
{
    struct dtx_command *e = set_of(c, key);
    uint32_t i;

    for (i = 0; i < WAYS; i++) {
        if (e[i].key == key)
            return &e[i];
    }
    return NULL;
}

const struct dtx_command *dtx_commands_find(const struct dtx_commands *c,
                                            struct dtx_key k)
{
    return find(c, key_of(k));
}

/* A place for this key: its own, a free one, or the oldest. */
static struct dtx_command *make(struct dtx_commands *c, uint64_t key)
{
    struct dtx_command *e = set_of(c, key), *best = find(c, key);
    uint32_t i;

    if (best)
        return best;
    best = e;
    for (i = 0; i < WAYS && best->key; i++) {
        if (e[i].key == 0 || (int32_t)(e[i].when - best->when) < 0)
            best = &e[i];
    }
    c->used += best->key == 0;
    c->forgotten += best->key != 0;
    memset(best, 0, sizeof(*best));
    best->key = key;
    return best;
}

/* What newer outcomes count for in the average, after 'n' others: they are as
 * good as these, until there are a few. */
static float share_of(uint32_t n, uint32_t newer)
{
    float share = (float)newer / ((float)n + (float)newer);
    float least = 1 - powf(1 - 1 / (float)AVERAGED, (float)newer);

    return fmaxf(share, least);
}

void dtx_commands_learn(struct dtx_commands *c, struct dtx_key k, double y,
                        uint32_t when, uint32_t mark)
{
    struct dtx_command *e = make(c, key_of(k));

    if (e->mark && mark && mark != e->mark)
        e->n = 0; /* of another program: that is over */
    e->mark = mark ? mark : e->mark;
    e->n += e->n < UINT32_MAX;
    e->least = 0;
    e->when = when;
    if (e->n > 1)
        e->off = (float)y - e->y;
    e->y += ((float)y - e->y) / (float)(e->n < AVERAGED ? e->n : AVERAGED);
}

void dtx_commands_cut(struct dtx_commands *c, struct dtx_key k, double seconds)
{
    struct dtx_command *e = find(c, key_of(k));

    if (e)
        e->least = fmaxf(e->least, (float)seconds);
}

void dtx_commands_add(struct dtx_commands *c, const struct dtx_command *from)
{
    struct dtx_command *e = make(c, from->key);
    struct dtx_command was = *e;
    uint32_t n = e->n, sum = n + from->n < n ? UINT32_MAX : n + from->n;

    if (n > 0 && (int32_t)(e->when - from->when) > 0) {
        e->n = sum;
        return;
    }
    *e = *from;
    e->n = sum;
    if (n > 0 && (!from->mark || from->mark == was.mark))
        e->y = was.y + (from->y - was.y) * share_of(n, from->n);
}
