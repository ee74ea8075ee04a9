/* SPDX-License-Identifier: MIT */
/* What one rank's loop does when ranks are lost, or its own spawner is. */
#include <stdio.h>

#include "base/units.h"
#include "engine/master.h"
#include "engine/pulse.h"
#include "mpi/transport.h"
#include "node/bell.h"
#include "node/spawner.h"
#include "run/loop_state.h"
#include "run/noderun.h"
#include "run/status.h"
#include "run/watch.h"

void dtx_loop_packed(struct dtx_loop *l, uint32_t rank)
{
    if (l->done[rank])
        return;
    l->done[rank] = true;
    l->packed++;
    if (l->c.node)
        dtx_noderun_done(l->c.node, rank);
}

/* Rank 0: no word goes to that rank any more, and none is waited for. */
void dtx_loop_lose(struct dtx_loop *l, uint32_t rank)
{
    if (l->gone[rank])
        return;
    l->gone[rank] = true;
    l->ngone++;
    dtx_transport_lose(l->c.transport, (int)rank);
    dtx_bell_destroy(l->peer[rank]);
    l->peer[rank] = NULL;
    dtx_loop_answered(l, rank, true, 0);
    if (l->c.node)
        dtx_noderun_lost(l->c.node, rank);
    dtx_loop_packed(l, rank);
}

/* Ranks that the kernel or a spawner knows to be dead. */
bool dtx_loop_watch(struct dtx_loop *l, int64_t now)
{
    struct dtx_loss loss;
    bool moved = false;
    int dead = l->c.watch ? dtx_transport_died(l->c.transport) : -1;

    if (dead >= 0 && (l->c.master || dead == 0))
        dtx_watch_died(l->c.watch, (uint32_t)dead, now);
    while (l->c.watch && !l->status &&
           dtx_watch_next(l->c.watch, now, &loss)) {
        moved = true;
        if (!l->c.master) {
            dtx_loop_fail(l, DTX_EXIT_LOST, "rank 0 has died");
            break;
        }
        dtx_loop_lose(l, loss.rank);
        dtx_inbox_lost(&l->to_master, &loss);
    }
    return moved;
}

/* The master has found one by itself. */
void dtx_loop_expel(struct dtx_loop *l, const struct dtx_action *a)
{
    uint32_t rank = a->u.lost.rank;
    char gone[32], cause[64] = "it sent what is no message";

    if (a->u.lost.silent)
        (void)snprintf(cause, sizeof(cause), "silent for %s",
                       dtx_format_duration(gone, sizeof(gone),
                                           dtx_pulse_silence(
                                               l->c.lost_after_ns)));
    if (rank == l->c.rank || !l->c.watch) {
        dtx_loop_fail(l, DTX_EXIT_INTERNAL,
                      "the engine does not understand itself");
        return;
    }
    dtx_watch_expel(l->c.watch, rank, cause);
    dtx_loop_lose(l, rank);
}

/* Tell of those that the master has heard of by now. */
void dtx_loop_tell_lost(struct dtx_loop *l)
{
    uint32_t r;

    if (l->nsaid == l->ngone)
        return;
    l->nsaid = l->ngone;
    for (r = 0; r < l->c.size; r++) {
        if (l->gone[r])
            l->c.lost(l->c.ctx, r);
    }
}

/* When it has died, what ended before may still be on its way to the journal:
 * give up at the second look. */
void dtx_loop_spawner(struct dtx_loop *l)
{
    if (dtx_spawner_alive(l->c.spawner))
        return;
    if (l->bereft)
        dtx_loop_fail(l, DTX_EXIT_LOST,
                      "the process that runs the tasks has died");
    l->bereft = true;
}
