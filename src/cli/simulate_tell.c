/* SPDX-License-Identifier: MIT */
/* What came of a simulation: as text, as a row of a table, as JSON. */
#include "cli/simulate.h"

#include <inttypes.h>
#include <math.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/units.h"

static double seconds(int64_t ns)
{
    return (double)ns / (double)DTX_SEC_NS;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 1;
}

static uint64_t messages(const struct dtx_simulated *r)
{
    return r->sim.stats.frames_in + r->sim.stats.frames_out;
}

/* The most that this process has had, in bytes; 0: not known. */
static int64_t memory(void)
{
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) == 0 ? (int64_t)u.ru_maxrss * 1024 : 0;
}

/* makespan_not_spread and what follows only where memory-bound tasks were
 * spread. */
static void put_json(struct dtx_buf *b, const struct dtx_simulated *r,
                     bool named)
{
    dtx_buf_char(b, '{');
    if (named)
        dtx_buf_printf(b, "\"nodes\": %" PRIu32 ", \"policy\": \"%s\", ",
                       r->nodes, r->policy);
    dtx_buf_printf(b,
                   "\"makespan\": %.9f, \"lower_bound\": %.9f, "
                   "\"ideal_makespan\": %.9f, \"efficiency\": %.6f, ",
                   seconds(r->sim.makespan_ns), seconds(r->sim.lower_bound_ns),
                   seconds(r->ideal_ns),
                   share(r->ideal_ns, r->sim.makespan_ns));
    dtx_buf_printf(b,
                   "\"steals\": %" PRIu64 ", \"messages\": %" PRIu64 ", "
                   "\"master_busy\": %.6f, \"events\": %" PRIu64 ", "
                   "\"seconds\": %.6f, \"memory\": %" PRId64,
                   r->sim.stats.steals, messages(r),
                   share(r->sim.master_ns, r->sim.makespan_ns), r->sim.events,
                   r->seconds, memory());
    if (r->blind_ns > 0)
        dtx_buf_printf(b, ", \"makespan_not_spread\": %.9f, \"spread\": %"
                       PRIu64 ", \"crowded\": %" PRIu64,
                       seconds(r->blind_ns), r->sim.stats.spread,
                       r->sim.stats.crowded);
    dtx_buf_char(b, '}');
}

static void put_table_row(struct dtx_buf *b, const struct dtx_simulation *q,
                          const struct dtx_simulated *r)
{
    char span[40], ideal[40];

    dtx_buf_printf(b,
                   "%8" PRIu32 " %10" PRIu64 " %-9s %10s %10s %9.1f %% %9"
                   PRIu64 " %10" PRIu64 " %7.1f %%\n",
                   r->nodes, (uint64_t)r->nodes * q->c.machine.slots,
                   r->policy,
                   dtx_format_duration(span, sizeof(span), r->sim.makespan_ns),
                   dtx_format_duration(ideal, sizeof(ideal), r->ideal_ns),
                   100 * share(r->ideal_ns, r->sim.makespan_ns),
                   r->sim.stats.steals, messages(r),
                   100 * share(r->sim.master_ns, r->sim.makespan_ns));
}

static void put_table_head(struct dtx_buf *b)
{
    dtx_buf_printf(b, "%8s %10s %-9s %10s %10s %11s %9s %10s %9s\n", "nodes",
                   "slots", "policy", "makespan", "ideal", "efficiency",
                   "steals", "messages", "master");
}

/* Whatever did not succeed. */
static void put_losses(struct dtx_buf *b, const struct dtx_master_stats *s)
{
    if (s->failed + s->skipped + s->left > 0)
        dtx_buf_printf(b, "tasks      %" PRIu64 " succeeded, %" PRIu64
                       " failed, %" PRIu64 " skipped, %" PRIu64 " left\n",
                       s->ok, s->failed, s->skipped, s->left);
    if (s->lost + s->retried > 0)
        dtx_buf_printf(b, "again      %" PRIu64 " attempts after a failure, %"
                       PRIu64 " after the loss of a rank\n", s->retried,
                       s->lost);
}

static void put_effort(struct dtx_buf *b, const struct dtx_simulated *r)
{
    char size[40];

    dtx_buf_printf(b, "simulated  %" PRIu64 " events in %.2f s",
                   r->sim.events, r->seconds);
    if (memory() > 0)
        dtx_buf_printf(b, "; %s of memory",
                       dtx_format_size(size, sizeof(size), memory()));
    dtx_buf_char(b, '\n');
}

/* What it was good for to know which tasks are bound by memory. */
static void put_spread(struct dtx_buf *b, const struct dtx_simulated *r)
{
    const struct dtx_master_stats *s = &r->sim.stats;
    char span[40];

    if (r->blind_ns == 0)
        return;
    dtx_buf_printf(b, "memory     %" PRIu64 " memory-bound tasks started where "
                   "there was bandwidth, %" PRIu64 " where there was none\n",
                   s->spread, s->crowded);
    dtx_buf_printf(b, "           not spread: %s, %.1f %% %s\n",
                   dtx_format_duration(span, sizeof(span), r->blind_ns),
                   100 * fabs((double)r->blind_ns /
                              (double)r->sim.makespan_ns - 1),
                   r->blind_ns < r->sim.makespan_ns ? "less" : "more");
}

static void put_text(struct dtx_buf *b, const struct dtx_simulation *q,
                     const struct dtx_simulated *r)
{
    const struct dtx_cluster *m = &q->c.machine;
    char span[40], bound[40], ideal[40];

    dtx_buf_printf(b, "job        %zu tasks: %s\n", q->job.list.ntasks,
                   q->from ? q->from : q->workload);
    if (q->recorded.unknown > 0)
        dtx_buf_printf(b, "           %" PRIu64 " have no recorded time: taken "
                       "to be the median\n", q->recorded.unknown);
    if (q->predicted_s)
        dtx_buf_printf(b, "           %" PRIu64 " predicted from the history\n",
                       q->known);
    if (q->recorded.makespan_ns > 0)
        dtx_buf_printf(b, "recorded   %s\n",
                       dtx_format_duration(span, sizeof(span),
                                           q->recorded.makespan_ns));
    dtx_buf_printf(b, "machine    %" PRIu32 " node%s of %" PRIu32 " rank%s and "
                   "%" PRIu32 " slot%s; policy %s\n", r->nodes,
                   r->nodes == 1 ? "" : "s", m->ranks_per_node,
                   m->ranks_per_node == 1 ? "" : "s", m->slots,
                   m->slots == 1 ? "" : "s", r->policy);
    dtx_buf_printf(b, "makespan   %s; lower bound %s; with a free master and "
                   "network %s\n",
                   dtx_format_duration(span, sizeof(span), r->sim.makespan_ns),
                   dtx_format_duration(bound, sizeof(bound),
                                       r->sim.lower_bound_ns),
                   dtx_format_duration(ideal, sizeof(ideal), r->ideal_ns));
    dtx_buf_printf(b, "efficiency %.1f %%\n",
                   100 * share(r->ideal_ns, r->sim.makespan_ns));
    dtx_buf_printf(b, "balance    %" PRIu64 " grants, %" PRIu64
                   " steals moved %" PRIu64 " tasks\n", r->sim.stats.grants,
                   r->sim.stats.steals, r->sim.stats.stolen);
    dtx_buf_printf(b, "rank 0     %" PRIu64 " messages, busy as the master "
                   "%.1f %% of the time\n", messages(r),
                   100 * share(r->sim.master_ns, r->sim.makespan_ns));
    put_spread(b, r);
    put_losses(b, &r->sim.stats);
    put_effort(b, r);
}

void dtx_simulate_tell(struct dtx_buf *b, const struct dtx_simulation *q,
                       const struct dtx_simulated *r, size_t i, size_t n)
{
    if (q->json) {
        dtx_buf_str(b, n == 1 ? "" : i == 0 ? "[" : ",\n ");
        put_json(b, r, n > 1);
        dtx_buf_str(b, n == 1 ? "\n" : i == n - 1 ? "]\n" : "");
    } else if (n == 1) {
        put_text(b, q, r);
    } else {
        if (i == 0)
            put_table_head(b);
        put_table_row(b, q, r);
    }
}
