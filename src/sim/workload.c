/* SPDX-License-Identifier: MIT */
/* Imagined durations; see workload.h.  It reads a workload as people write it
 * and draws from it; it knows nothing of machines. */
#include "sim/workload.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "base/rng.h"
#include "base/units.h"
#include "task/task.h"

#define LONGEST_S (10.0 * 365 * 86400)
#define LEAST_NS 1000

static const struct dtx_workload_row table[] = {
    {"constant", "", "all alike"},
    {"uniform", "min=0s max=2*mean", "evenly between min and max"},
    {"normal", "sigma=mean/4",
     "normal with the standard deviation sigma, as DUR; drawn again below 0"},
    {"exponential", "", "exponential"},
    {"gamma", "shape=2", "gamma with this shape"},
    {"lognormal", "sigma=0.5",
     "lognormal; sigma is the standard deviation of the logarithm"},
    {"bimodal", "share=0.1 ratio=10",
     "two lengths: this share of the tasks takes ratio times as long as the "
     "others"},
    {"pareto", "alpha=2.5",
     "Pareto with this exponent, above 1: a few very long ones"},
    {"increasing", "min=0s max=2*mean", "from min to max, each longer than the "
                                        "one before"},
    {"decreasing", "min=0s max=2*mean", "from max to min"},
};

#define NKINDS (sizeof(table) / sizeof(table[0]))
#define ALL_KINDS ((1u << NKINDS) - 1)
#define IN(kind) (1u << DTX_WORK_##kind)
#define RAMPS (IN(UNIFORM) | IN(INCREASING) | IN(DECREASING))

enum form { COUNT, NUMBER, SECONDS, SIZE };

struct key {
    const char *name;
    unsigned kinds; /* that know it */
    enum form form;
    size_t place;
    double lo, hi;
    const char *want;
};

#define AT(field) offsetof(struct dtx_workload, field)

static const struct key keys[] = {
    {"tasks", ALL_KINDS, COUNT, AT(tasks), 1, DTX_MAX_TASKS,
     "a number from 1 to 100000000"},
    {"mean", ALL_KINDS, SECONDS, AT(mean_s), 1e-6, LONGEST_S,
     "a time from 1us to ten years, as 10, 250ms or 1h30m"},
    {"cpus", ALL_KINDS, COUNT, AT(cpus), 1, DTX_MAX_CPUS,
     "a number from 1 to 65535"},
    {"mem", ALL_KINDS, SIZE, AT(mem_bytes), 0, 1e15,
     "a size up to 900T, as 512M or 4G"},
    {"gpus", ALL_KINDS, COUNT, AT(gpus), 0, 64, "a number from 0 to 64"},
    {"layers", ALL_KINDS, COUNT, AT(layers), 1, DTX_MAX_TASKS,
     "a number from 1 to that of the tasks"},
    {"min", RAMPS, SECONDS, AT(min_s), 0, LONGEST_S,
     "a time from 0 to ten years, as 10, 250ms or 1h30m"},
    {"max", RAMPS, SECONDS, AT(max_s), 1e-6, LONGEST_S,
     "a time from 1us to ten years, as 10, 250ms or 1h30m"},
    {"sigma", IN(NORMAL), SECONDS, AT(sigma), 0, LONGEST_S,
     "a time from 0 to ten years, as 2, 250ms or 1h"},
    {"sigma", IN(LOGNORMAL), NUMBER, AT(sigma), 0, 10,
     "a number from 0 to 10"},
    {"shape", IN(GAMMA), NUMBER, AT(shape), 0.01, 1e6,
     "a number from 0.01 to 1000000"},
    {"alpha", IN(PARETO), NUMBER, AT(shape), 1.0001, 1000,
     "a number above 1, at most 1000"},
    {"share", IN(BIMODAL), NUMBER, AT(share), 0, 1, "a number from 0 to 1"},
    {"ratio", IN(BIMODAL), NUMBER, AT(ratio), 1, 1e6,
     "a number from 1 to 1000000"},
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

const struct dtx_workload_row *dtx_workload_table(size_t *count)
{
    *count = NKINDS;
    return table;
}

/* ---- reading ---- */

static int refuse_kind(const char *name, size_t len, struct dtx_error *err)
{
    struct dtx_buf names = DTX_BUF_INIT;
    struct dtx_near near;
    size_t i;

    dtx_near_init(&near, name, len);
    for (i = 0; i < NKINDS; i++) {
        dtx_buf_printf(&names, "%s%s", i ? ", " : "", table[i].name);
        dtx_near_offer(&near, table[i].name);
    }
    (void)dtx_error_set(err, DTX_EINVAL,
                        "workload: there is no '%.*s'; %s%s%sthere are: %s",
                        (int)(len < 60 ? len : 60), name,
                        near.best ? "did you mean " : "",
                        near.best ? near.best : "", near.best ? "? " : "",
                        names.failed ? "?" : names.data);
    dtx_buf_free(&names);
    return DTX_EINVAL;
}

static int refuse_key(const struct dtx_workload *w, const char *name,
                      size_t len, struct dtx_error *err)
{
    struct dtx_buf names = DTX_BUF_INIT;
    struct dtx_near near;
    size_t i, n = 0;

    dtx_near_init(&near, name, len);
    for (i = 0; i < NKEYS; i++) {
        if (!(keys[i].kinds & 1u << w->kind))
            continue;
        dtx_buf_printf(&names, "%s%s=", n++ ? ", " : "", keys[i].name);
        dtx_near_offer(&near, keys[i].name);
    }
    (void)dtx_error_set(err, DTX_EINVAL,
                        "workload: %s knows no '%.*s='; %s%s%sit takes: %s",
                        table[w->kind].name, (int)(len < 60 ? len : 60), name,
                        near.best ? "did you mean " : "",
                        near.best ? near.best : "", near.best ? "=? " : "",
                        names.failed ? "?" : names.data);
    dtx_buf_free(&names);
    return DTX_EINVAL;
}

static const struct key *key_of(const struct dtx_workload *w,
                                const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < NKEYS; i++) {
        if ((keys[i].kinds & 1u << w->kind) && strlen(keys[i].name) == len &&
            memcmp(keys[i].name, name, len) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool read_number(const char *text, double *out)
{
    char *end;

    if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

static bool read_value(const struct key *k, const char *text, double *out)
{
    int64_t n = 0;
    bool good = false;

    if (k->form == NUMBER) {
        good = read_number(text, out);
    } else if (k->form == COUNT) {
        good = dtx_parse_int(text, 0, DTX_MAX_TASKS, &n) == 0;
        *out = (double)n;
    } else if (k->form == SIZE) {
        good = dtx_parse_size(text, &n) == 0;
        *out = (double)n;
    } else {
        good = dtx_parse_duration(text, &n) == 0;
        *out = (double)n / (double)DTX_SEC_NS;
    }
    return good && *out >= k->lo && *out <= k->hi;
}

static int set(struct dtx_workload *w, const struct key *k, const char *value,
               size_t len, struct dtx_error *err)
{
    char text[40];
    double d = 0;

    if (len < sizeof(text)) {
        memcpy(text, value, len);
        text[len] = '\0';
    }
    if (len >= sizeof(text) || !read_value(k, text, &d))
        return dtx_error_set(err, DTX_EINVAL,
                             "workload: %s='%.*s' must be %s", k->name,
                             (int)(len < 60 ? len : 60), value, k->want);
    if (k->form == COUNT)
        *(uint32_t *)((char *)w + k->place) = (uint32_t)d;
    else
        *(double *)((char *)w + k->place) = d;
    return DTX_OK;
}

static void preset(struct dtx_workload *w, enum dtx_workload_kind kind)
{
    *w = (struct dtx_workload){
        .kind = kind, .mean_s = 1, .min_s = -1, .max_s = -1, .sigma = -1,
        .shape = kind == DTX_WORK_PARETO ? 2.5 : 2, .ratio = 10, .share = 0.1,
        .tasks = 1000, .cpus = 1, .layers = 1};
}

/* What was not given follows from the mean. */
static int complete(struct dtx_workload *w, struct dtx_error *err)
{
    if (w->sigma < 0)
        w->sigma = w->kind == DTX_WORK_NORMAL ? w->mean_s / 4 : 0.5;
    if (w->min_s < 0)
        w->min_s = 0;
    if (w->max_s < 0)
        w->max_s = 2 * w->mean_s - w->min_s;
    if (w->min_s > w->max_s)
        return dtx_error_set(err, DTX_EINVAL,
                             "workload: min=%gs is above max=%gs%s", w->min_s,
                             w->max_s, "; give max= as well");
    w->mean_s = (RAMPS & 1u << w->kind) ? (w->min_s + w->max_s) / 2
                                        : w->mean_s;
    if (w->layers > w->tasks)
        return dtx_error_set(err, DTX_EINVAL,
                             "workload: layers=%u are more than tasks=%u",
                             w->layers, w->tasks);
    return DTX_OK;
}

int dtx_workload_parse(const char *spec, struct dtx_workload *w,
                       struct dtx_error *err)
{
    size_t len = strcspn(spec, ":"), i = 0;
    const char *p = spec + len;
    int rc = DTX_OK;

    while (i < NKINDS && (strlen(table[i].name) != len ||
                          memcmp(table[i].name, spec, len) != 0))
        i++;
    if (i == NKINDS)
        return refuse_kind(spec, len, err);
    preset(w, (enum dtx_workload_kind)i);
    while (rc == DTX_OK && *p != '\0') {
        const char *name = p + 1;
        size_t n = strcspn(name, ",="), v;
        const struct key *k = key_of(w, name, n);

        if (name[n] != '=')
            return dtx_error_set(err, DTX_EINVAL,
                                 "workload: '%.60s' is not KEY=VALUE, as in "
                                 "%s:mean=10s,tasks=1000", name,
                                 table[w->kind].name);
        if (!k)
            return refuse_key(w, name, n, err);
        v = strcspn(name + n + 1, ",");
        rc = set(w, k, name + n + 1, v, err);
        p = name + n + 1 + v;
    }
    return rc == DTX_OK ? complete(w, err) : rc;
}

/* ---- drawing ---- */

static double normal_above_0(struct dtx_rng *rng, double mean, double sigma)
{
    double d;

    do
        d = mean + sigma * dtx_rng_normal(rng);
    while (d < 0);
    return d;
}

/* Gamma of shape k and mean 1: Marsaglia and Tsang, "A simple method for
 * generating gamma variables", ACM TOMS 26(3), 2000; below 1 by their remark
 * that Gamma(k) = Gamma(k + 1) U^(1/k). */
static double gamma_of_mean_1(struct dtx_rng *rng, double k)
{
    double shape = k < 1 ? k + 1 : k, d = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d), x, v, u;

    do {
        do {
            x = dtx_rng_normal(rng);
            v = 1.0 + c * x;
        } while (v <= 0);
        v = v * v * v;
        u = 1.0 - dtx_rng_unit(rng);
    } while (log(u) >= 0.5 * x * x + d - d * v + d * log(v));
    v *= d;
    if (k < 1)
        v *= pow(1.0 - dtx_rng_unit(rng), 1.0 / k);
    return v / k;
}

/* Pareto by inversion; its mean is alpha / (alpha - 1) times the least. */
static double pareto(struct dtx_rng *rng, double mean, double alpha)
{
    double least = mean * (alpha - 1) / alpha;

    return least * pow(1.0 - dtx_rng_unit(rng), -1.0 / alpha);
}

static double bimodal(const struct dtx_workload *w, struct dtx_rng *rng)
{
    double brief = w->mean_s / (1 - w->share + w->share * w->ratio);

    return dtx_rng_unit(rng) < w->share ? brief * w->ratio : brief;
}

/* The i-th of 'n' steps from one end to the other, at the step's middle. */
static double ramp(const struct dtx_workload *w, uint32_t i)
{
    return w->min_s +
           (w->max_s - w->min_s) * ((double)i + 0.5) / (double)w->tasks;
}

double dtx_workload_sample(const struct dtx_workload *w, uint32_t i,
                           struct dtx_rng *rng)
{
    switch (w->kind) {
    case DTX_WORK_UNIFORM:
        return w->min_s + (w->max_s - w->min_s) * dtx_rng_unit(rng);
    case DTX_WORK_NORMAL:
        return normal_above_0(rng, w->mean_s, w->sigma);
    case DTX_WORK_EXPONENTIAL:
        return dtx_rng_exp(rng, w->mean_s);
    case DTX_WORK_GAMMA:
        return w->mean_s * gamma_of_mean_1(rng, w->shape);
    case DTX_WORK_LOGNORMAL:
        return dtx_rng_lognormal(rng, w->mean_s, w->sigma);
    case DTX_WORK_BIMODAL:
        return bimodal(w, rng);
    case DTX_WORK_PARETO:
        return pareto(rng, w->mean_s, w->shape);
    case DTX_WORK_INCREASING:
        return ramp(w, i);
    case DTX_WORK_DECREASING:
        return ramp(w, w->tasks - 1 - i);
    case DTX_WORK_CONSTANT:
        break;
    }
    return w->mean_s;
}

void dtx_workload_draw(const struct dtx_workload *w, uint64_t seed,
                       int64_t *ns)
{
    struct dtx_rng rng;
    uint32_t i;

    dtx_rng_seed(&rng, seed);
    for (i = 0; i < w->tasks; i++) {
        double s = dtx_workload_sample(w, i, &rng);

        if (s > LONGEST_S)
            s = LONGEST_S;
        ns[i] = llround(s * (double)DTX_SEC_NS);
        if (ns[i] < LEAST_NS)
            ns[i] = LEAST_NS;
    }
}
