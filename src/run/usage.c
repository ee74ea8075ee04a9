/* SPDX-License-Identifier: MIT */
/* Outcomes into profiles; see usage.h. */
#include "run/usage.h"

#include "base/units.h"
#include "node/clock.h"
#include "task/outcome.h"
#include "task/task.h"

#define FREE_NS (2 * DTX_MSEC_NS) /* to spend, and ... */
#define SHARE 200                 /* ... this part of the time gone */

const struct dtx_usage *dtx_usage_hear(struct dtx_usage_heard *h,
                                       const struct dtx_tasklist *list,
                                       const struct dtx_outcome *o)
{
    int64_t now = dtx_clock_mono_ns();
    const struct dtx_task_attr *a;
    const struct dtx_task *t;
    int64_t asked;
    struct dtx_features f;
    bool added;

    if (h->begun_ns == 0)
        h->begun_ns = now;
    if (o->task >= list->ntasks || o->status != DTX_STATUS_OK ||
        h->spent_ns > FREE_NS + (now - h->begun_ns) / SHARE)
        return NULL;
    t = &list->task[o->task];
    dtx_features_of(dtx_tasklist_text(list, t), t->len, NULL, NULL, NULL, &f);
    a = dtx_tasklist_attr_of(list, o->task);
    asked = a->mem_bytes ? a->mem_bytes : h->mem_bytes;
    added = dtx_usages_add(&h->all, &f, o, a->cpus,
                           asked > 0 ? (uint64_t)asked : 0);
    h->spent_ns += dtx_clock_mono_ns() - now;
    return added ? dtx_usages_find(&h->all, f.class_key) : NULL;
}
