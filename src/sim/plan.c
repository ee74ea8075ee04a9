/* SPDX-License-Identifier: MIT */
/* Draws jobs from predictions and has them simulated; see plan.h.  It makes no
 * predictions and decides nothing about scheduling. */
#include "sim/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "sim/stock.h"

#define LEAST_DRAWS 20u
#define EFFORT 300000u    /* tasks simulated for a row, beyond the first draw */
#define GAIN 0.98         /* more nodes help when they take off two per cent */
#define MOST_NODES 4096u  /* that are looked at unasked */
#define LEAST_S 1e-6
#define MOST_OFF 20.0     /* logarithm of an error that can be counted with */

/* One draw of the whole job. */
struct draw {
    double work_s;    /* seconds times cpus */
    double longest_s; /* the longest task */
    double mem_s;     /* seconds times bytes */
    double gpu_s;     /* seconds times devices */
};

struct planning {
    const struct dtx_plan_config *c;
    struct dtx_plan *out;
    size_t ntasks;
    uint32_t ndraws;
    struct draw *draw;
    struct dtx_scenario_job job; /* the caller's, with durations of our own */
    float *predicted_s;
    double *common;              /* a normal number for each group */
    double *span, *sorted, *use; /* makespan and busy share of each draw */
};

/* ---- drawing ---- */

/* A task's own error: each of its group's with equal chance, or between two of
 * them. */
static double own_error(const struct dtx_plan_group *g, double chance)
{
    double at = chance * g->nerrors - 0.5;
    uint32_t i;

    if (g->nerrors == 0)
        return 0;
    if (at <= 0)
        return (double)g->error[0];
    i = (uint32_t)at;
    if (i + 1 >= g->nerrors)
        return (double)g->error[g->nerrors - 1];
    return (double)g->error[i] +
           (at - i) * (double)(g->error[i + 1] - g->error[i]);
}

static double draw_task(const struct planning *g, const struct dtx_plan_task *t,
                        double chance, double job)
{
    double off = own_error(&g->c->group[t->group], chance);

    off += (double)t->common * g->common[t->group] + job;
    return fmax((double)t->level * exp(fmin(off, MOST_OFF)), LEAST_S);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b > 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* The 'k'th normal number of draw 'd'. Each stretch of equal chance has one in
 * all draws, in an order of its own for each 'k' (Latin hypercube: McKay,
 * Beckman, Conover, Technometrics 21(2), 1979): what is common to many tasks
 * decides most, and chance would move the ends of its range. */
static double stratum(const struct planning *g, size_t k, uint32_t d)
{
    uint64_t n = g->ndraws, step, offset;
    struct dtx_rng rng;

    dtx_rng_seed(&rng, g->c->scenario.seed * UINT64_C(1000003) + k);
    offset = dtx_rng_below(&rng, n);
    do
        step = 1 + dtx_rng_below(&rng, n);
    while (common_divisor(step, n) > 1);
    return dtx_normal_quantile(((double)((offset + step * d) % n) + 0.5) /
                               (double)n);
}

/* Draw 'd': always the same. Durations are only kept where they are wanted. */
static void draw_job(struct planning *g, uint32_t d, int64_t *duration_ns)
{
    const struct dtx_plan_config *c = g->c;
    struct draw *r = &g->draw[d];
    double job = c->job_sigma * stratum(g, c->ngroups, d);
    struct dtx_rng rng;
    size_t i;

    dtx_rng_seed(&rng, c->scenario.seed * UINT64_C(1000003) + d);
    for (i = 0; i < c->ngroups; i++) {
        double z = stratum(g, i, d);

        g->common[i] = z + (double)c->group[i].skew * (2 * z * z + 1);
    }
    memset(r, 0, sizeof(*r));
    for (i = 0; i < g->ntasks; i++) {
        const struct dtx_plan_task *t = &c->task[i];
        const struct dtx_task_attr *a =
            dtx_tasklist_attr_of(&g->job.list, (uint32_t)i);
        double s = draw_task(g, t, dtx_rng_unit(&rng), job);

        r->work_s += s * a->cpus;
        r->mem_s += s * (double)dtx_scenario_mem(&c->scenario, a);
        r->gpu_s += s * dtx_scenario_gpus(&c->scenario, a);
        r->longest_s = fmax(r->longest_s, s);
        if (duration_ns)
            duration_ns[i] = llround(fmin(s, 1e9) * 1e9);
    }
}

/* How long memory and devices are needed, by what so many nodes have. */
static double mem_bound(const struct planning *g, const struct draw *d,
                        uint32_t nodes)
{
    double all = (double)g->c->scenario.machine.mem_bytes * nodes;

    return all > 0 ? d->mem_s / all : 0;
}

static double gpu_bound(const struct planning *g, const struct draw *d,
                        uint32_t nodes)
{
    double all = (double)g->c->scenario.machine.gpus * nodes;

    return all > 0 ? d->gpu_s / all : 0;
}

static double bound(const struct planning *g, const struct draw *d,
                    const struct dtx_plan_row *row)
{
    double needs = fmax(mem_bound(g, d, row->nodes),
                        gpu_bound(g, d, row->nodes));

    return fmax(fmax(d->work_s / (double)row->slots, d->longest_s), needs);
}

/* ---- one row ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double quantile(const double *sorted, uint32_t n, double q)
{
    double at = q * (n - 1);
    uint32_t i = (uint32_t)at;

    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]);
}

static enum dtx_plan_limit limit_of(const struct planning *g,
                                    const struct dtx_sim_result *r,
                                    const struct draw *d,
                                    const struct dtx_plan_row *row)
{
    double span = (double)r->makespan_ns / 1e9;
    double chain = (double)r->lower_bound_ns / 1e9;

    if (row->efficiency >= 0.9)
        return DTX_PLAN_WORK;
    if (d->longest_s >= 0.8 * span)
        return DTX_PLAN_TASK;
    if (mem_bound(g, d, row->nodes) >= 0.8 * span)
        return DTX_PLAN_MEMORY;
    if (gpu_bound(g, d, row->nodes) >= 0.8 * span)
        return DTX_PLAN_GPUS;
    if (chain > 1.001 * bound(g, d, row) && chain >= 0.8 * span)
        return DTX_PLAN_CHAIN;
    if (row->master_busy > 0.5)
        return DTX_PLAN_MASTER;
    return DTX_PLAN_TAIL;
}

/* Makespans of draws that are not simulated, from those that are. */
static void fill_draws(struct planning *g, const struct dtx_plan_row *row,
                       uint32_t simulated)
{
    uint32_t d;

    for (d = simulated; d < g->ndraws; d++) {
        uint32_t like = d % simulated;

        g->span[d] = g->span[like] * bound(g, &g->draw[d], row) /
                     bound(g, &g->draw[like], row);
        g->use[d] = g->draw[d].work_s / (g->span[d] * (double)row->slots);
    }
}

static void read_off(struct planning *g, struct dtx_plan_row *row)
{
    double use = 0;
    uint32_t d;

    memcpy(g->sorted, g->span, g->ndraws * sizeof(*g->sorted));
    qsort(g->sorted, g->ndraws, sizeof(*g->sorted), by_size);
    row->low_s = quantile(g->sorted, g->ndraws, 0.05);
    row->likely_s = quantile(g->sorted, g->ndraws, 0.5);
    row->high_s = quantile(g->sorted, g->ndraws, 0.95);
    row->sure90_s = quantile(g->sorted, g->ndraws, 0.9);
    row->sure99_s = quantile(g->sorted, g->ndraws, 0.99);
    row->core_hours = row->likely_s / 3600 *
                      (g->c->cores ? (double)row->nodes * g->c->cores
                                   : (double)row->slots);
    for (d = 0; d < g->ndraws; d++)
        use += g->use[d];
    row->efficiency = fmin(use / g->ndraws, 1);
}

static uint32_t how_many(const struct planning *g)
{
    size_t n = EFFORT / g->ntasks;

    return n < 1 ? 1 : n > g->ndraws ? g->ndraws : (uint32_t)n;
}

static int make_row(struct planning *g, uint32_t nodes, struct dtx_error *err)
{
    struct dtx_plan_row *row = &g->out->row[g->out->nrows];
    struct dtx_scenario s = g->c->scenario;
    struct dtx_sim_result r, first;
    uint32_t d, simulated = how_many(g);
    int rc = DTX_OK;

    memset(row, 0, sizeof(*row));
    memset(&first, 0, sizeof(first));
    row->nodes = nodes;
    row->slots = (uint64_t)nodes * s.machine.slots;
    s.job = &g->job;
    s.machine.nodes = nodes;
    s.predicted_s = g->predicted_s;
    s.order = DTX_ORDER_PREDICTED;
    s.deadline_ns = 0;
    for (d = 0; d < simulated && rc == DTX_OK; d++) {
        if (g->c->progress)
            g->c->progress(g->c->progress_ctx, nodes, d, simulated);
        draw_job(g, d, g->job.duration_ns);
        s.seed = g->c->scenario.seed + d;
        rc = dtx_scenario_run(&s, &r, err);
        if (rc != DTX_OK)
            return rc;
        g->span[d] = fmax((double)r.makespan_ns / 1e9, LEAST_S);
        g->use[d] = (double)r.busy_ns / 1e9 / (g->span[d] * (double)row->slots);
        row->master_busy += (double)r.master_ns / 1e9 / g->span[d] / simulated;
        if (d == 0)
            first = r;
    }
    fill_draws(g, row, simulated);
    read_off(g, row);
    row->limit = limit_of(g, &first, &g->draw[0], row);
    if (g->out->nrows == 0 || simulated < g->out->simulated)
        g->out->simulated = simulated;
    g->out->nrows++;
    return DTX_OK;
}

/* ---- all rows ---- */

/* 1, 2, 3, 4, 6, 8, 12, 16, 24 ... */
static uint32_t next_nodes(uint32_t n)
{
    if (n < 3)
        return n + 1;
    return (n & (n - 1)) == 0 ? n / 2 * 3 : n / 3 * 4;
}

/* Slots beyond which there is one for each task; no such number where tasks
 * share other things. */
static uint64_t width(const struct planning *g)
{
    uint64_t n = 0;
    size_t i;

    if (g->draw[0].mem_s + g->draw[0].gpu_s > 0)
        return UINT64_MAX;
    for (i = 0; i < g->ntasks; i++)
        n += dtx_tasklist_attr_of(&g->job.list, (uint32_t)i)->cpus;
    return n;
}

/* From its start to its end, as it is waited for and charged. */
static double all_of(const struct dtx_plan_row *r)
{
    return r->likely_s + DTX_PLAN_START_S;
}

/* Until two steps one after the other do not help. */
static int make_rows(struct planning *g, struct dtx_error *err)
{
    uint64_t wide = width(g);
    double best = INFINITY;
    uint32_t n = 1, idle = 0;
    int rc = DTX_OK;

    while (rc == DTX_OK && idle < 2 && g->out->nrows < DTX_PLAN_ROWS &&
           n <= MOST_NODES) {
        const struct dtx_plan_row *row = &g->out->row[g->out->nrows];

        rc = make_row(g, n, err);
        if (rc != DTX_OK)
            break;
        idle = all_of(row) > GAIN * best ? idle + 1 : 0;
        best = fmin(best, all_of(row));
        if (row->slots >= wide) /* one for each task */
            idle = 2;
        n = next_nodes(n);
    }
    g->out->all_seen = idle >= 2;
    return rc;
}

static void choose(struct planning *g)
{
    struct dtx_plan *p = g->out;
    double least = INFINITY, within = g->c->within_s, most = 0;
    size_t i, fastest = 0;

    for (i = 0; i < p->nrows; i++)
        most = fmax(most, p->row[i].efficiency);

    for (i = 0; i < p->nrows; i++) {
        const struct dtx_plan_row *r = &p->row[i];
        double cost = r->nodes * all_of(r) * all_of(r);

        if (r->sure90_s < p->row[fastest].sure90_s)
            fastest = i;
        if (cost < least && r->efficiency >= most / 2) {
            least = cost;
            p->best = i;
        }
    }
    if (!(within > 0))
        return;
    p->best = fastest;
    for (i = 0; i < p->nrows; i++) {
        const struct dtx_plan_row *r = &p->row[i];

        if ((double)dtx_plan_walltime_ns(r->sure90_s) / 1e9 > within ||
            (p->within && r->nodes >= p->row[p->best].nodes))
            continue;
        p->within = true;
        p->best = i;
    }
}

/* ---- the whole ---- */

static int allocate(struct planning *g)
{
    size_t n = g->ntasks, k = g->ndraws;

    g->draw = calloc(k, sizeof(*g->draw));
    g->span = calloc(k, sizeof(*g->span));
    g->sorted = calloc(k, sizeof(*g->sorted));
    g->use = calloc(k, sizeof(*g->use));
    g->common = calloc(g->c->ngroups + 1, sizeof(*g->common));
    g->predicted_s = calloc(n, sizeof(*g->predicted_s));
    g->job.duration_ns = calloc(n, sizeof(*g->job.duration_ns));
    return g->draw && g->span && g->sorted && g->use && g->common &&
                   g->predicted_s && g->job.duration_ns
               ? DTX_OK
               : DTX_ENOMEM;
}

static int plan(struct planning *g, struct dtx_error *err)
{
    const struct dtx_plan_config *c = g->c;
    uint32_t d;
    size_t i;
    int rc = DTX_OK;

    for (i = 0; i < g->ntasks; i++) {
        g->predicted_s[i] = c->task[i].seconds;
        if (c->task[i].seconds > c->task[g->out->longest].seconds)
            g->out->longest = (uint32_t)i;
    }
    for (d = 0; d < g->ndraws; d++)
        draw_job(g, d, NULL);
    for (i = 0; i < c->nnodes && i < DTX_PLAN_ROWS && rc == DTX_OK; i++)
        rc = make_row(g, c->nodes[i], err);
    if (c->nnodes == 0)
        rc = make_rows(g, err);
    if (rc == DTX_OK)
        choose(g);
    return rc;
}

int dtx_plan_make(const struct dtx_plan_config *c, struct dtx_plan *out,
                  struct dtx_error *err)
{
    struct planning g;
    int rc;

    memset(out, 0, sizeof(*out));
    memset(&g, 0, sizeof(g));
    g.c = c;
    g.out = out;
    g.job = *c->scenario.job;
    g.ntasks = g.job.list.ntasks;
    g.ndraws = c->draws ? c->draws : DTX_PLAN_DRAWS;
    if (g.ndraws < LEAST_DRAWS)
        g.ndraws = LEAST_DRAWS;
    out->draws = g.ndraws;
    if (g.ntasks == 0)
        return dtx_error_set(err, DTX_EINVAL, "there are no tasks");
    rc = allocate(&g);
    if (rc != DTX_OK)
        (void)dtx_error_set(err, rc, "out of memory");
    else
        rc = plan(&g, err);
    free(g.draw);
    free(g.span);
    free(g.sorted);
    free(g.use);
    free(g.common);
    free(g.predicted_s);
    free(g.job.duration_ns);
    return rc;
}

/* ---- words ---- */

static void put_limit(const struct dtx_plan_config *c,
                      const struct dtx_plan *p, enum dtx_plan_limit limit,
                      struct dtx_buf *b)
{
    char text[32];
    double s = (double)c->task[p->longest].seconds;

    switch (limit) {
    case DTX_PLAN_TASK:
        dtx_buf_printf(b, "the longest task decides (task %llu, %s)",
                       (unsigned long long)dtx_task_id(p->longest),
                       dtx_format_duration(text, sizeof(text),
                                           (int64_t)(s * 1e9)));
        break;
    case DTX_PLAN_CHAIN:
        dtx_buf_str(b, "the longest chain of tasks that wait for one another "
                       "decides");
        break;
    case DTX_PLAN_MEMORY:
        dtx_buf_str(b, "memory decides: tasks wait for it, not for slots");
        break;
    case DTX_PLAN_GPUS:
        dtx_buf_str(b, "GPUs decide: tasks wait for them, not for slots");
        break;
    case DTX_PLAN_MASTER:
        dtx_buf_str(b, "rank 0 decides: tasks are short for so many slots");
        break;
    case DTX_PLAN_TAIL:
        dtx_buf_str(b, "the end decides: the last tasks leave many slots "
                       "without work");
        break;
    case DTX_PLAN_WORK:
        dtx_buf_str(b, "what is gained in time costs more in core-hours");
        break;
    }
}

/* The row of the next larger number of nodes, or NULL. */
static const struct dtx_plan_row *above(const struct dtx_plan *p)
{
    const struct dtx_plan_row *next = NULL;
    size_t i;

    for (i = 0; i < p->nrows; i++) {
        const struct dtx_plan_row *r = &p->row[i];

        if (r->nodes > p->row[p->best].nodes && (!next || r->nodes <
                                                              next->nodes))
            next = r;
    }
    return next;
}

static void put_within(const struct dtx_plan_config *c,
                       const struct dtx_plan *p, struct dtx_buf *b)
{
    const struct dtx_plan_row *best = &p->row[p->best];
    char text[32];

    (void)dtx_format_duration(text, sizeof(text),
                              (int64_t)(c->within_s * 1e9));
    if (p->within) {
        dtx_buf_printf(b, "the fewest nodes looked at that end within %s, "
                       "nine times of ten", text);
        return;
    }
    dtx_buf_printf(b, "no number of nodes looked at ends within %s nine times "
                   "of ten; with %u node%s, which come nearest, ", text,
                   best->nodes, dtx_plural(best->nodes));
    put_limit(c, p, best->limit == DTX_PLAN_WORK ? DTX_PLAN_TAIL : best->limit,
              b);
}

void dtx_plan_reason(const struct dtx_plan_config *c, const struct dtx_plan *p,
                     struct dtx_buf *b)
{
    const struct dtx_plan_row *best = &p->row[p->best], *next = above(p);

    if (c->within_s > 0) {
        put_within(c, p, b);
    } else if (p->nrows == 1 && !p->all_seen) {
        dtx_buf_str(b, "the only number that was looked at");
    } else if (next || best->limit != DTX_PLAN_WORK) {
        dtx_buf_printf(b, "beyond %u node%s ", best->nodes,
                       dtx_plural(best->nodes));
        if (best->likely_s < DTX_PLAN_START_S)
            dtx_buf_str(b, "starting the job takes longer than the tasks");
        else
            put_limit(c, p, next ? next->limit : best->limit, b);
    } else {
        dtx_buf_printf(b, "more than %u node%s were not looked at, and these "
                       "are used well", best->nodes, dtx_plural(best->nodes));
    }
}

int64_t dtx_plan_walltime_ns(double makespan_s)
{
    int64_t minutes = (int64_t)ceil((makespan_s + DTX_PLAN_START_S) / 60);

    return minutes * 60 * DTX_SEC_NS;
}
