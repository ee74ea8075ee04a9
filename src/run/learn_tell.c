/* SPDX-License-Identifier: MIT */
/* What prediction was worth in a job, in words; see learn.h. */
#include "run/learn_state.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/units.h"
#include "predict/gain.h"
#include "run/job.h"

/* The tasks that ran, in their order: what they took, and what is the larger
 * the sooner they began: the order that predictions made of them, those that
 * came while the job ran included. */
static size_t gather(const struct dtx_learn *l, float *took, float *rank)
{
    size_t n = 0, i;

    for (i = 0; i < l->job->list.ntasks; i++) {
        if (l->took[i] < 0)
            continue;
        took[n] = l->took[i];
        rank[n++] = 1 / (1 + (l->began[i] > 0 ? l->began[i] : 0));
    }
    return n;
}

static void tell_gain(const struct dtx_learn *l, uint32_t slots,
                      struct dtx_buf *b)
{
    size_t all = l->job->list.ntasks;
    float *took = malloc((all + 1) * sizeof(*took));
    float *rank = malloc((all + 1) * sizeof(*rank));
    double plain, ordered;
    char one[32], two[32];
    size_t n = took && rank ? gather(l, took, rank) : 0;

    if (n > 0 && dtx_gain_makespan(took, NULL, n, slots, &plain) &&
        dtx_gain_makespan(took, l->any_cost ? rank : took, n, slots,
                          &ordered)) {
        (void)dtx_format_duration(one, sizeof(one), (int64_t)(plain * 1e9));
        (void)dtx_format_duration(two, sizeof(two), (int64_t)(ordered * 1e9));
        if (!l->any_cost)
            dtx_buf_printf(b, "           gained nothing this time; the "
                           "longest first would take %s where the order of "
                           "the list takes %s (simulated)\n", two, one);
        else if (ordered < plain * 0.999)
            dtx_buf_printf(b, "           gained %.1f %%: the order as it was "
                           "takes %s where the order of the list takes %s "
                           "(simulated)\n", 100 * (1 - ordered / plain), two,
                           one);
        else
            dtx_buf_printf(b, "           gained nothing: the order as it was "
                           "takes %s, the order of the list %s (simulated)\n",
                           two, one);
    }
    free(took);
    free(rank);
}

void dtx_learn_tell(const struct dtx_learn *l, uint32_t slots,
                    struct dtx_buf *b)
{
    const struct dtx_learn_score *s = &l->score;

    if (s->n + l->rows.noutcomes == 0)
        return;
    dtx_buf_printf(b, "prediction %llu task%s known before, from %llu "
                   "outcome%s in the history", (unsigned long long)s->known,
                   dtx_plural(s->known), (unsigned long long)l->before,
                   dtx_plural(l->before));
    if (s->n > 0 && s->seconds > 0)
        dtx_buf_printf(b, "; as it learned, off by %.1f %%, %.0f %% in their "
                       "interval", 100 * s->error / s->seconds,
                       100 * (double)s->inside / (double)s->n);
    dtx_buf_char(b, '\n');
    if (l->brief > 0)
        dtx_buf_printf(b, "           %llu outcome%s came too fast to learn "
                       "from: kept in the history alone\n",
                       (unsigned long long)l->brief, dtx_plural(l->brief));
    if (l->again.changed > 0)
        dtx_buf_printf(b, "           predictions changed while tasks waited: "
                       "%llu, in %llu pass%s\n",
                       (unsigned long long)l->again.changed,
                       (unsigned long long)l->again.passes,
                       l->again.passes == 1 ? "" : "es");
    if (l->job->live)
        return;
    if (l->job->graph.start || l->job->widest > 1)
        dtx_buf_str(b, "           what the order gained is not told: tasks "
                    "wait for others, or take several slots\n");
    else if (slots > 0)
        tell_gain(l, slots, b);
}
