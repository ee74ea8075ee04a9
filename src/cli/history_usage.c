/* SPDX-License-Identifier: MIT */
/* Cores and memory that classes used; see history_usage.h. */
#include "cli/history_usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/history.h"
#include "task/outcome.h"
#include "wire/experience.h"

/* The place of a class, made when it is not there; NULL: out of memory. */
static struct dtx_history_used *place_of(struct dtx_history_usage *u,
                                         uint64_t class_key)
{
    struct dtx_history_used *p =
        dtx_grow(u->of, &u->cap, u->n + 1, sizeof(*p));
    struct dtx_key k = {class_key, 1};
    uint32_t at;

    if (!p)
        return NULL;
    u->of = p;
    at = (uint32_t)u->n;
    if (!dtx_keymap_put(&u->map, k, at, &at, NULL))
        return NULL;
    if (at == u->n)
        memset(&p[u->n++], 0, sizeof(*p));
    return &p[at];
}

static int add_file(void *ctx, const struct dtx_history_file *f,
                    const struct dtx_experience *e, struct dtx_error *err)
{
    struct dtx_history_usage *u = ctx;
    size_t i;

    (void)f;
    for (i = 0; i < e->noutcomes; i++) {
        const struct dtx_exp_outcome *o = &e->outcome[i];
        uint64_t bytes = (uint64_t)o->rss_kib * 1024;
        struct dtx_history_used *p;

        if (o->status != DTX_STATUS_OK)
            continue;
        p = place_of(u, o->class_key);
        if (!p)
            return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
        if (o->cpu_seconds >= 0 && o->seconds > 0) {
            p->seconds += (double)o->seconds;
            p->cpu_seconds += (double)o->cpu_seconds;
        }
        if (bytes > p->peak_bytes)
            p->peak_bytes = bytes;
    }
    return DTX_OK;
}

/* Warnings were given when the models were read. */
int dtx_history_usage_read(struct dtx_history_usage *u, const char *dir,
                           struct dtx_error *err)
{
    return dtx_history_read(dir, DTX_HISTORY_OUTCOMES, add_file, u, NULL, NULL,
                            err);
}

struct dtx_history_used dtx_history_usage_of(const struct dtx_history_usage *u,
                                             uint64_t class_key)
{
    struct dtx_history_used none = {0, 0, 0};
    uint32_t at;

    return dtx_keymap_get(&u->map, (struct dtx_key){class_key, 1}, &at)
               ? u->of[at]
               : none;
}

void dtx_history_usage_free(struct dtx_history_usage *u)
{
    dtx_keymap_free(&u->map);
    free(u->of);
    memset(u, 0, sizeof(*u));
}
