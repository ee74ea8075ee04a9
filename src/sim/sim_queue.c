/* SPDX-License-Identifier: MIT */
/* The events of the simulator in their order; see sim.h for the order of those
 * that are due at the same time.  It never looks at what an event means. */
#include <stdlib.h>

#include "base/buf.h"
#include "sim/sim_state.h"

static bool event_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_sim *s = ctx;
    const struct dtx_sim_event *x = &s->event[a], *y = &s->event[b];

    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns;
    if (x->kind != y->kind)
        return x->kind < y->kind;
    if (x->target != y->target)
        return x->target < y->target;
    return x->seq < y->seq;
}

uint32_t dtx_sim_post(struct dtx_sim *s, int64_t at_ns, enum dtx_sim_kind kind,
                      uint32_t target, uint32_t a)
{
    struct dtx_sim_event *p;
    uint32_t i;

    if (s->nspare > 0) {
        i = s->spare_event[--s->nspare];
    } else {
        p = dtx_grow(s->event, &s->cap_events, s->nevents + 1, sizeof(*p));
        if (!p) {
            s->nomem = true;
            return DTX_SIM_NONE;
        }
        s->event = p;
        i = (uint32_t)s->nevents++;
    }
    s->event[i] = (struct dtx_sim_event){
        .at_ns = at_ns, .seq = s->seq++, .kind = kind, .target = target,
        .life = target ? dtx_sim_rank_of(s, target)->life : 0, .a = a,
    };
    if (!dtx_heap_push(&s->queue, i))
        s->nomem = true;
    return i;
}

void dtx_sim_give_event(struct dtx_sim *s, uint32_t i)
{
    uint32_t *p = dtx_grow(s->spare_event, &s->cap_spare, s->nspare + 1,
                           sizeof(*p));

    free(s->event[i].data);
    s->event[i].data = NULL;
    if (!p) {
        s->nomem = true;
        return;
    }
    s->spare_event = p;
    s->spare_event[s->nspare++] = i;
}

void dtx_sim_cancel(struct dtx_sim *s, uint32_t event)
{
    if (event == DTX_SIM_NONE)
        return;
    dtx_heap_remove(&s->queue, event);
    dtx_sim_give_event(s, event);
}

void dtx_sim_queue_init(struct dtx_sim *s)
{
    dtx_heap_init(&s->queue, event_before, s);
}

void dtx_sim_queue_fini(struct dtx_sim *s)
{
    size_t i;

    for (i = 0; i < s->nevents; i++)
        free(s->event[i].data);
    dtx_heap_fini(&s->queue);
    free(s->event);
    free(s->spare_event);
}
