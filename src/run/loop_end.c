/* SPDX-License-Identifier: MIT */
/* From the engine's end to the ranks' leave: outputs that rank 0 has not shown
 * yet, tear-downs of nodes, and ranks that die while they wait. */
#include "node/bell.h"
#include "node/clock.h"
#include "run/loop_state.h"
#include "run/noderun.h"
#include "run/signals.h"
#include "run/status.h"
#include "run/watch.h"

#define HERE_NS (5 * DTX_SEC_NS)
#define PART_NS (60 * DTX_SEC_NS) /* silence at the end, disks may be slow */

/* Ctrl-C while a tear-down runs ends it. */
static bool poll_node(struct dtx_loop *l)
{
    if (!l->c.node)
        return false;
    if (dtx_signals_count() != l->signals) {
        l->signals = dtx_signals_count();
        if (dtx_signals_asked() == DTX_STOP_KILL)
            dtx_noderun_kill(l->c.node);
    }
    return dtx_noderun_pump(l->c.node);
}

/* After the run: only the transport is listened to. */
static bool may_part(const struct dtx_loop *l)
{
    if (!l->c.master)
        return l->leave;
    return l->packed >= l->c.size &&
           (!l->c.node || dtx_noderun_over(l->c.node));
}

/* Who waits for the end hears and says now and then that the others live: the
 * engine does not listen any more. */
static void watch_parting(struct dtx_loop *l, int64_t now)
{
    uint32_t r;

    if (now < l->alive_ns)
        return;
    l->alive_ns = now + DTX_LOOP_ALIVE_NS;
    if (l->c.node && !dtx_noderun_over(l->c.node))
        dtx_loop_spawner(l); /* whose death would leave a tear-down undone */
    (void)dtx_loop_watch(l, now);
    if (l->c.master) {
        for (r = 1; r < l->c.size; r++) {
            if (!l->done[r] && now - l->here_ns[r] > PART_NS) {
                dtx_watch_expel(l->c.watch, r, "it did not come to its end");
                dtx_loop_lose(l, r);
            }
        }
        dtx_loop_tell_lost(l);
        return;
    }
    if (now - l->here_ns[0] > PART_NS)
        dtx_loop_fail(l, DTX_EXIT_LOST, "rank 0 is silent");
    if (now - l->here_ns[l->c.rank] > HERE_NS) {
        l->here_ns[l->c.rank] = now;
        dtx_loop_bulk(l, 0, DTX_BULK_HERE, 0, NULL, 0);
    }
}

int dtx_loop_part(struct dtx_loop *l, struct dtx_error *err)
{
    uint32_t r;

    l->err = err;
    l->tick_ns = l->live.next_ns = INT64_MAX;
    for (r = 0; r < l->c.size; r++)
        l->here_ns[r] = dtx_clock_mono_ns();
    if (!l->c.master)
        dtx_loop_bulk(l, 0, DTX_BULK_PACKED, 0, NULL, 0);
    else
        dtx_loop_packed(l, 0);
    while (!l->status && !may_part(l)) {
        uint32_t seen = dtx_bell_seen(l->c.bell);
        bool moved = poll_node(l);

        moved |= dtx_loop_hear(l);
        watch_parting(l, dtx_clock_mono_ns());
        if (moved)
            l->nap_ns = DTX_LOOP_NAP_NS;
        else if (!l->status && !may_part(l))
            dtx_loop_rest(l, seen);
    }
    return l->status;
}

void dtx_loop_dismiss(struct dtx_loop *l)
{
    uint32_t r;

    for (r = 1; l->c.master && r < l->c.size; r++)
        dtx_loop_bulk(l, r, DTX_BULK_LEAVE, l->ngone, NULL, 0);
}

bool dtx_loop_lossy(const struct dtx_loop *l)
{
    return l->lossy || l->ngone > 0;
}

int dtx_loop_trouble(const struct dtx_loop *l)
{
    if (l->c.node && l->c.master && dtx_noderun_failed(l->c.node))
        return DTX_EXIT_SETUP;
    return l->trouble;
}
