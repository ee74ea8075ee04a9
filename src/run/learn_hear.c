/* SPDX-License-Identifier: MIT */
/* What ended, and when it is learned from; see learn.h.  Learning from an
 * outcome costs microseconds, which is nothing beside a task of a second and
 * much beside one of a millisecond.  So it has a share of the time that passes:
 * what comes beyond that waits, in the order in which it came, until there is
 * time again or the job is over.  Of more than can wait the history keeps the
 * row, and the models go without. */
#include "run/learn_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "predict/features.h"
#include "predict/predictor.h"
#include "run/job.h"
#include "task/outcome.h"

#define LEARN_NS (2 * DTX_MSEC_NS) /* to learn with, and ... */
#define LEARN_SHARE 200            /* ... this part of the time gone */
#define WAITING_MAX 16384u         /* outcomes */
#define ROWS_MAX 1000000u          /* outcomes of a job that are kept */

struct dtx_learn_waiting {
    struct dtx_outcome outcome;
    const char *host;
    char *text; /* of a task whose own text will be given back, or NULL */
};

static void keep_counters(struct dtx_exp_outcome *row,
                          const struct dtx_counters *c)
{
    static const enum dtx_counted kept[] = {
        DTX_COUNTED_INSTRUCTIONS, DTX_COUNTED_CYCLES, DTX_COUNTED_MISSES,
        DTX_COUNTED_IOWAIT_NS};
    float *const to[] = {&row->instructions, &row->cycles, &row->misses,
                         &row->iowait_seconds};
    uint64_t v;
    size_t i;

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (!dtx_counters_get(c, kept[i], &v))
            continue;
        row->counted |= (uint8_t)(1u << kept[i]);
        *to[i] = (float)(kept[i] == DTX_COUNTED_IOWAIT_NS ? (double)v / 1e9
                                                          : (double)v);
    }
}

int dtx_learn_keep(struct dtx_experience *e, const struct dtx_outcome *o,
                   const char *host, const struct dtx_features *f)
{
    struct dtx_exp_outcome row;

    memset(&row, 0, sizeof(row));
    row.host = dtx_experience_host(e, host, strlen(host));
    if (row.host == UINT32_MAX)
        return DTX_ENOMEM;
    row.class_key = f->class_key;
    row.program_key = f->program_key;
    row.command = f->exact.lo;
    row.start_ns = o->start_ns;
    row.seconds = (float)((double)o->wall_ns / 1e9);
    row.cpu_seconds = o->source == DTX_SOURCE_RUSAGE
                          ? (float)((double)(o->utime_ns + o->stime_ns) / 1e9)
                          : -1;
    row.rss_kib = o->source == DTX_SOURCE_RUSAGE && o->maxrss_kib > 0
                      ? (uint32_t)o->maxrss_kib
                      : 0;
    row.status = o->status;
    keep_counters(&row, &o->counters);
    return dtx_experience_outcome(e, &row);
}

static int keep(struct dtx_learn *l, const struct dtx_learn_waiting *w,
                const struct dtx_features *f)
{
    return l->rows.noutcomes < ROWS_MAX
               ? dtx_learn_keep(&l->rows, &w->outcome, w->host, f)
               : DTX_OK;
}

static void count(struct dtx_learn_score *s, const struct dtx_prediction *said,
                  double seconds)
{
    if (said->basis == DTX_BASIS_NONE)
        return;
    s->n++;
    s->inside += seconds >= said->low && seconds <= said->high;
    s->seconds += seconds;
    s->error += fabs(said->seconds - seconds);
}

/* 'brief': there is no time for more than its row. */
static void learn_from(struct dtx_learn *l, const struct dtx_learn_waiting *w,
                       bool brief)
{
    const struct dtx_outcome *o = &w->outcome;
    double seconds = (double)o->wall_ns / 1e9;
    bool ok = o->status == DTX_STATUS_OK;
    struct dtx_prediction said;
    struct dtx_features f;
    int rc = DTX_OK;

    dtx_predictor_stopped(l->p, o->task);
    dtx_learn_features(l, o->task, w->text, w->host, o->start_ns, !brief, &f);
    if (!brief)
        rc = dtx_predictor_replay(l->p, &f, seconds, !ok, &said);
    if (rc != DTX_OK || keep(l, w, &f) != DTX_OK) {
        l->broken = true;
        dtx_log(DTX_LOG_WARN, "history: out of memory; nothing more is "
                "learned in this job");
        return;
    }
    l->learned++;
    l->brief += brief;
    if (ok && !brief)
        count(&l->score, &said, seconds);
}

/* ---- waiting ---- */

static bool may_learn(const struct dtx_learn *l, int64_t now)
{
    return l->learn_ns <= LEARN_NS + (now - l->begin_ns) / LEARN_SHARE;
}

/* False: no more can wait. */
static bool put(struct dtx_learn *l, struct dtx_learn_waiting w)
{
    const struct dtx_tasklist *list = &l->job->list;
    const struct dtx_task *t = &list->task[w.outcome.task];
    struct dtx_learn_waiting *p = l->waiting;

    if (l->nwaiting == WAITING_MAX)
        return false;
    if (!p)
        p = l->waiting = malloc(WAITING_MAX * sizeof(*p));
    if (p && l->job->live)
        w.text = strndup(dtx_tasklist_text(list, t), t->len);
    if (!p || (l->job->live && !w.text))
        return false;
    p[(l->first_waiting + l->nwaiting++) % WAITING_MAX] = w;
    return true;
}

void dtx_learn_catch_up(struct dtx_learn *l, bool all)
{
    int64_t begun = dtx_clock_mono_ns(), now = begun;

    while (l->nwaiting > 0 && (all || may_learn(l, now))) {
        struct dtx_learn_waiting *w = &l->waiting[l->first_waiting];

        if (!l->broken)
            learn_from(l, w, false);
        free(w->text);
        l->first_waiting = (l->first_waiting + 1) % WAITING_MAX;
        l->nwaiting--;
        now = dtx_clock_mono_ns();
        l->learn_ns += now - begun;
        begun = now;
    }
}

void dtx_learn_drop(struct dtx_learn *l)
{
    for (; l->nwaiting > 0; l->nwaiting--) {
        free(l->waiting[l->first_waiting].text);
        l->first_waiting = (l->first_waiting + 1) % WAITING_MAX;
    }
    free(l->waiting);
}

void dtx_learn_ended(struct dtx_learn *l, const struct dtx_outcome *o,
                     const char *host)
{
    struct dtx_learn_waiting w = {*o, host, NULL};
    int64_t now = dtx_clock_mono_ns();
    bool later;

    if (l->broken || o->task >= l->job->list.ntasks)
        return;
    dtx_predictor_stopped(l->p, o->task);
    if (l->took) {
        l->took[o->task] = (float)((double)o->wall_ns / 1e9);
        l->began[o->task] =
            (float)((double)(o->start_ns - l->file.made_ns) / 1e9);
    }
    if (o->status == DTX_STATUS_OK)
        l->score.known += l->knew && l->knew[o->task];
    later = l->nwaiting > 0 || !may_learn(l, now);
    if (!later || !put(l, w))
        learn_from(l, &w, later);
    l->learn_ns += dtx_clock_mono_ns() - now;
    if (later)
        dtx_learn_catch_up(l, false);
}
