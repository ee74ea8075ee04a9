/* SPDX-License-Identifier: MIT */
/* When will it be done? See forecast.h.  It asks predict/deadline.h and tells;
 * what is done about it is the engine's business. */
#include "run/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "node/clock.h"
#include "predict/deadline.h"
#include "run/learn.h"
#include "task/task.h"

#define MOST_ROWS (4u << 20) /* beyond that nothing is foretold: 80 MB */
#define EVERY_NS (10 * DTX_SEC_NS)
#define SHARE 200       /* of the time that passes, for this */
#define MOST 300u       /* tasks drawn one by one */
#define SHORT_S 5.0     /* of a job that takes less, and has no deadline, */
                        /* nothing is said */
#define COMMON 0.3      /* of the spread: an error of one is one of others */
#define RISK_SOME 0.05  /* worth a word; and a warning: */
#define RISK_MUCH 0.5

struct said {
    bool any;
    int64_t early_ns, late_ns, deadline_ns; /* since 1970 */
    double risk;
};

struct dtx_forecast {
    struct dtx_forecast_config c;
    int64_t deadline_ns; /* INT64_MAX: none */
    int64_t due_ns;      /* monotonic: the next look */
    int risk_class;      /* last told */
    bool open;           /* more tasks may come, as of the last look */
    struct said first;
    struct dtx_due_task *task;
    size_t cap;
    struct dtx_buf line;
};

struct dtx_forecast *dtx_forecast_create(const struct dtx_forecast_config *c)
{
    struct dtx_forecast *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->c = *c;
    f->deadline_ns = INT64_MAX;
    return f;
}

void dtx_forecast_destroy(struct dtx_forecast *f)
{
    if (!f)
        return;
    free(f->task);
    dtx_buf_free(&f->line);
    free(f);
}

void dtx_forecast_deadline(struct dtx_forecast *f, int64_t wall_ns)
{
    f->deadline_ns = wall_ns;
    f->due_ns = 0;
}

/* ---- words ---- */

static void put_line(struct dtx_forecast *f, const struct dtx_verdict *v,
                     int64_t now_ns)
{
    int64_t early = dtx_forecast_later(now_ns, v->early);
    int64_t late = dtx_forecast_later(now_ns, v->late);
    bool soon = dtx_forecast_soon(v->late);

    dtx_buf_clear(&f->line);
    if (!v->known)
        return;
    dtx_buf_str(&f->line, f->open ? "what has come is done " : "done ");
    dtx_forecast_time(&f->line, early, now_ns, soon);
    dtx_buf_str(&f->line, " to ");
    dtx_forecast_time(&f->line, late, now_ns, soon);
    if (f->deadline_ns == INT64_MAX)
        return;
    dtx_buf_printf(&f->line, ", %.0f %% risk of missing ", 100 * v->risk);
    dtx_forecast_time(&f->line, f->deadline_ns, now_ns, soon);
}

/* ---- what is left ---- */

static uint32_t slots_of(const struct dtx_forecast *f)
{
    struct dtx_rank_stats k;
    uint64_t n = 0;
    uint32_t r;

    for (r = 0; r < f->c.nranks; r++) {
        dtx_master_rank_stats(f->c.master, r, &k);
        n += k.alive ? k.slots : 0;
    }
    if (n == 0)
        n = f->c.slots;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static bool is_left(const struct dtx_forecast *f, uint32_t task)
{
    switch (dtx_master_task_state(f->c.master, task)) {
    case DTX_TASK_BLOCKED:
    case DTX_TASK_READY:
    case DTX_TASK_GRANTED:
    case DTX_TASK_PAUSED:
        return true;
    default:
        return false;
    }
}

static bool make_room(struct dtx_forecast *f, size_t n)
{
    struct dtx_due_task *p =
        dtx_grow(f->task, &f->cap, n ? n : 1, sizeof(*p));

    if (p)
        f->task = p;
    return p != NULL;
}

/* Each task that is left, a wide one once for each slot. False when of one
 * nothing is known, they are too many, or there is no memory. */
static bool gather(struct dtx_forecast *f, size_t *n)
{
    const float *cost = dtx_learn_costs(f->c.learn), *low, *high;
    uint32_t i, k;

    dtx_learn_bounds(f->c.learn, &low, &high);
    *n = 0;
    for (i = 0; cost && i < dtx_learn_count(f->c.learn); i++) {
        struct dtx_due_task t;

        if (!is_left(f, i))
            continue;
        if (!(cost[i] >= 0))
            return false;
        t = (struct dtx_due_task){cost[i], low[i], high[i],
                                  (float)dtx_master_elapsed_s(f->c.master, i)};
        if (!isfinite(t.high)) /* it has taken longer than was thought */
            t.high = fmaxf(t.seconds, t.elapsed) * 2;
        k = dtx_tasklist_attr_of(f->c.list, i)->cpus;
        if (*n + k > MOST_ROWS || !make_room(f, *n + k))
            return false;
        for (; k > 0; k--)
            f->task[(*n)++] = t;
    }
    return cost != NULL;
}

/* What runs first, then the longest. */
static int by_order(const void *a, const void *b)
{
    const struct dtx_due_task *x = a, *y = b;
    bool rx = x->elapsed >= 0, ry = y->elapsed >= 0;

    if (rx != ry)
        return rx ? -1 : 1;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

/* Bring the first 'most' in that order to the front, in one pass over all and a
 * sort of those: by a threshold from a histogram of the numbers' first bits. */
static uint32_t place_of(const struct dtx_due_task *t)
{
    uint32_t bits;

    if (t->elapsed >= 0)
        return 4095;
    memcpy(&bits, &t->seconds, sizeof(bits));
    return bits >> 20; /* of a float that is not negative: in its order */
}

static void put_in_order(struct dtx_due_task *t, size_t n, size_t most)
{
    static const size_t places = 4096;
    size_t *count = calloc(places, sizeof(*count)), sum = 0, at = 0, i;
    uint32_t least = (uint32_t)places;

    for (i = 0; count && i < n; i++)
        count[place_of(&t[i])]++;
    while (count && least > 0 && sum < most)
        sum += count[--least];
    for (i = 0; count && i < n; i++) {
        if (place_of(&t[i]) >= least) {
            struct dtx_due_task swap = t[at];

            t[at++] = t[i];
            t[i] = swap;
        }
    }
    qsort(t, count ? at : n, sizeof(*t), by_order);
    free(count);
}

/* Is it worth a word? */
static bool matters(const struct dtx_forecast *f, size_t n, uint32_t slots)
{
    double sum = 0;
    size_t i;

    if (f->deadline_ns != INT64_MAX || f->first.any)
        return true;
    for (i = 0; i < n; i++)
        sum += (double)f->task[i].seconds;
    return sum > SHORT_S * slots;
}

static bool judge(struct dtx_forecast *f, int64_t now_ns,
                  struct dtx_verdict *v)
{
    struct dtx_due d = {.slots = slots_of(f), .left_s = -1, .common = COMMON,
                        .seed = 1, .most = MOST};

    memset(v, 0, sizeof(*v));
    if (!gather(f, &d.n) || d.slots == 0 || !matters(f, d.n, d.slots))
        return false;
    put_in_order(f->task, d.n, MOST);
    d.task = f->task;
    if (f->deadline_ns != INT64_MAX)
        d.left_s = fmax(
            0, (double)(f->deadline_ns - f->c.kept_ns - now_ns) / 1e9);
    return dtx_deadline_judge(&d, v) && v->known;
}

/* ---- the beginning, and while it runs ---- */

static int class_of(const struct dtx_forecast *f, const struct dtx_verdict *v)
{
    if (f->deadline_ns == INT64_MAX || v->risk < RISK_SOME)
        return 0;
    return v->risk < RISK_MUCH ? 1 : 2;
}

static void tell(struct dtx_forecast *f, const struct dtx_verdict *v,
                 int64_t now_ns)
{
    struct dtx_buf b = DTX_BUF_INIT;

    f->risk_class = class_of(f, v);
    if (f->c.list->live)
        dtx_buf_str(&b, f->open ? "what has come so far " : "the list is "
                                                            "complete; it ");
    dtx_forecast_text(v, now_ns, f->deadline_ns, f->c.kept_ns, &b);
    if (!b.failed)
        dtx_log(f->risk_class > 0 ? DTX_LOG_WARN : DTX_LOG_INFO, "%s", b.data);
    dtx_buf_free(&b);
}

/* The first word about the whole job: it is held to that. */
static void tell_first(struct dtx_forecast *f, const struct dtx_verdict *v,
                       int64_t now_ns)
{
    tell(f, v, now_ns);
    f->first = (struct said){true, dtx_forecast_later(now_ns, v->early),
                             dtx_forecast_later(now_ns, v->late),
                             f->deadline_ns, v->risk};
}

void dtx_forecast_begin(struct dtx_forecast *f)
{
    int64_t now = dtx_clock_wall_ns();
    struct dtx_verdict v;

    f->open = f->c.list->live;
    if (f->open)
        return; /* nothing has come */
    f->due_ns = dtx_clock_mono_ns() + EVERY_NS;
    if (!judge(f, now, &v))
        return;
    put_line(f, &v, now);
    tell_first(f, &v, now);
}

/* Has a live list come to its end since the last look? */
static bool has_closed(struct dtx_forecast *f)
{
    struct dtx_master_stats s;
    bool was = f->open;

    dtx_master_stats(f->c.master, &s);
    f->open = s.open;
    return was && !s.open;
}

void dtx_forecast_tick(struct dtx_forecast *f)
{
    int64_t begin = dtx_clock_mono_ns(), now = dtx_clock_wall_ns(), spent;
    bool closed = f->c.list->live && has_closed(f);
    struct dtx_verdict v;

    if (begin < f->due_ns && !closed)
        return;
    if (judge(f, now, &v)) {
        put_line(f, &v, now);
        if (closed)
            tell_first(f, &v, now);
        else if (class_of(f, &v) != f->risk_class)
            tell(f, &v, now);
    } else {
        dtx_buf_clear(&f->line);
    }
    spent = dtx_clock_mono_ns() - begin;
    f->due_ns = begin + (spent * SHARE > EVERY_NS ? spent * SHARE : EVERY_NS);
}

const char *dtx_forecast_line(const struct dtx_forecast *f)
{
    return f && f->line.len > 0 && !f->line.failed ? f->line.data : NULL;
}

/* ---- the end ---- */

void dtx_forecast_score(const struct dtx_forecast *f, int64_t wall_ns,
                        bool all_done, bool by_deadline, struct dtx_buf *b)
{
    const struct said *s = &f->first;
    bool soon = dtx_forecast_soon(
        (double)(s->late_ns - s->early_ns) / 1e9);

    if (!s->any || (!all_done && !by_deadline))
        return; /* stopped for another reason: nothing was put to the test */
    dtx_buf_printf(b, "           %s it was to be done ",
                   f->c.list->live ? "when the list had ended"
                                   : "at the start");
    dtx_forecast_time(b, s->early_ns, wall_ns, soon);
    dtx_buf_str(b, " to ");
    dtx_forecast_time(b, s->late_ns, wall_ns, soon);
    dtx_buf_str(b, " (90 %): it was ");
    if (all_done) {
        dtx_forecast_time(b, wall_ns, wall_ns, soon);
        dtx_buf_str(b, wall_ns < s->early_ns  ? ", sooner"
                       : wall_ns > s->late_ns ? ", later"
                                              : ", as said");
    } else {
        dtx_buf_str(b, "not");
    }
    if (s->deadline_ns != INT64_MAX)
        dtx_buf_printf(b, "; the risk of missing the deadline was %.0f %%: it "
                       "was %s", 100 * s->risk, all_done ? "met" : "missed");
    dtx_buf_char(b, '\n');
}
