/* SPDX-License-Identifier: MIT */
/* "distributex simulate": reads what is to be imagined, has the simulator run
 * it, and prints what came of it.  It knows no scheduling. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/history.h"
#include "cli/recorded.h"
#include "cli/words.h"
#include "node/clock.h"
#include "predict/predictor.h"
#include "run/status.h"
#include "sched/policy.h"
#include "sim/scenario.h"
#include "sim/workload.h"

#define MAX_SWEEP 200
#define MAX_POLICIES 16
#define NOT_GIVEN (-1)

struct request {
    const char *workload, *from, *history;
    struct dtx_recorded recorded;
    bool json, trace;
    struct dtx_scenario c;
    uint32_t nodes[MAX_SWEEP];
    size_t nnodes;
    const char *policy[MAX_POLICIES];
    size_t npolicies;
    struct dtx_scenario_job job;
    float *predicted_s; /* of --history: of each task, below 0: not known */
    uint64_t known;     /* of how many there is a prediction */
};

/* What one run brought. */
struct result {
    uint32_t nodes;
    const char *policy;
    struct dtx_sim_result sim;
    int64_t ideal_ns;
    int64_t blind_ns; /* memory-bound tasks not spread; 0: there are none */
    double seconds;
};

/* ---- values ---- */

enum form { WORD, FLAG, COUNT, NUMBER, TIME, OWN };

typedef int (*set_f)(struct request *q, const char *value,
                     struct dtx_error *err);

struct row {
    const char *name;
    enum form form;
    size_t place;
    double lo, hi;
    set_f set;
};

static int set_nodes(struct request *q, const char *value,
                     struct dtx_error *err)
{
    return dtx_cli_numbers("--nodes", value, q->nodes, MAX_SWEEP, &q->nnodes,
                           err);
}

static int add_policy(struct request *q, const char *name, size_t len,
                      struct dtx_error *err)
{
    const struct dtx_policy *p;
    char text[64];

    if (len >= sizeof(text))
        len = sizeof(text) - 1;
    memcpy(text, name, len);
    text[len] = '\0';
    p = dtx_policy_find(text, err);
    if (!p)
        return DTX_EINVAL;
    if (q->npolicies == MAX_POLICIES)
        return dtx_error_set(err, DTX_EINVAL, "--policy: at most %d of them",
                             MAX_POLICIES);
    q->policy[q->npolicies++] = p->name;
    return DTX_OK;
}

static int set_policy(struct request *q, const char *value,
                      struct dtx_error *err)
{
    const struct dtx_policy *table;
    size_t i, n;
    int rc = DTX_OK;

    q->npolicies = 0;
    if (strcmp(value, "all") == 0) {
        table = dtx_policy_table(&n);
        for (i = 0; i < n && rc == DTX_OK; i++)
            rc = add_policy(q, table[i].name, strlen(table[i].name), err);
        return rc;
    }
    for (;; value++) {
        size_t len = strcspn(value, ",");

        rc = add_policy(q, value, len, err);
        value += len;
        if (rc != DTX_OK || *value == '\0')
            return rc;
    }
}

static int set_order(struct request *q, const char *value,
                     struct dtx_error *err)
{
    if (strcmp(value, "file") == 0)
        q->c.order = DTX_ORDER_FILE;
    else if (strcmp(value, "lpt") == 0)
        q->c.order = DTX_ORDER_LPT;
    else if (strcmp(value, "predicted") == 0)
        q->c.order = DTX_ORDER_PREDICTED;
    else
        return dtx_error_set(err, DTX_EINVAL, "--order '%.60s' must be file, "
                             "lpt or predicted", value);
    return DTX_OK;
}

static int set_bandwidth(struct request *q, const char *value,
                         struct dtx_error *err)
{
    int64_t bytes;

    if (dtx_parse_size(value, &bytes) != 0 || bytes < 1000)
        return dtx_error_set(err, DTX_EINVAL,
                             "--bandwidth '%.60s' must be bytes a second from "
                             "1000, as 100M or 12.5G", value);
    q->c.machine.cost.byte_ns = 1e9 / (double)bytes;
    return DTX_OK;
}

static int set_task_data(struct request *q, const char *value,
                         struct dtx_error *err)
{
    int64_t bytes;

    if (dtx_parse_size(value, &bytes) != 0 || bytes < 0 ||
        bytes > INT64_C(1) << 50)
        return dtx_error_set(err, DTX_EINVAL, "--task-data '%.60s' must be "
                             "bytes, at most 1P, as 64M", value);
    q->c.machine.task_bytes = bytes;
    return DTX_OK;
}

static int set_nap(struct request *q, const char *value,
                   struct dtx_error *err)
{
    int64_t ns;

    if (dtx_parse_duration(value, &ns) != 0 || ns > DTX_SEC_NS)
        return dtx_error_set(err, DTX_EINVAL, "--nap '%.60s' must be a time "
                             "from 0 to 1s, as 1ms", value);
    q->c.machine.cost.nap_max_ns = ns;
    q->c.machine.cost.nap_min_ns = ns / 10; /* as the real one */
    return DTX_OK;
}

static int set_slow(struct request *q, const char *value,
                    struct dtx_error *err)
{
    char *end = NULL;
    unsigned long n = 0;
    double factor = 0;

    if (value[0] >= '0' && value[0] <= '9') {
        n = strtoul(value, &end, 10);
        if (*end == ':' && end[1] >= '0' && end[1] <= '9')
            factor = strtod(end + 1, &end);
    }
    if (!end || *end != '\0' || n > 1000000 || !(factor >= 1) ||
        !(factor <= 1000))
        return dtx_error_set(err, DTX_EINVAL,
                             "--slow '%.60s' must be N:FACTOR, a number of "
                             "nodes and how many times as long they take, from "
                             "1 to 1000, as in 2:1.5", value);
    q->c.machine.slow_nodes = (uint32_t)n;
    q->c.machine.slow_factor = factor;
    return DTX_OK;
}

/* B or B:SHARE, both from 0 to 1. */
static int set_memory_bound(struct request *q, const char *value,
                            struct dtx_error *err)
{
    char *end = NULL;
    double bound = -1, share = 1;

    if (value[0] >= '0' && value[0] <= '9') {
        bound = strtod(value, &end);
        if (*end == ':' && end[1] >= '0' && end[1] <= '9')
            share = strtod(end + 1, &end);
    }
    if (!end || *end != '\0' || !(bound >= 0 && bound <= 1) ||
        !(share >= 0 && share <= 1))
        return dtx_error_set(err, DTX_EINVAL,
                             "--memory-bound '%.60s' must be B or B:SHARE, the "
                             "share of its time that a task waits for memory "
                             "and of the tasks that do, both from 0 to 1, as "
                             "in 0.8:0.5", value);
    q->c.bound = bound;
    q->c.bound_share = share;
    return DTX_OK;
}

static int set_spread(struct request *q, const char *value,
                      struct dtx_error *err)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return dtx_error_set(err, DTX_EINVAL, "--numa-spread '%.60s' must be "
                             "yes or no", value);
    q->c.spread = value[0] == 'y';
    return DTX_OK;
}

static int set_message_cost(struct request *q, const char *value,
                            struct dtx_error *err)
{
    int64_t ns;

    if (dtx_parse_duration(value, &ns) != 0 || ns > 60 * DTX_SEC_NS)
        return dtx_error_set(err, DTX_EINVAL, "--message-cost '%.60s' must be "
                             "a time from 0 to 60s, as 2us", value);
    q->c.machine.cost.send_ns = q->c.machine.cost.recv_ns = ns;
    return DTX_OK;
}

static int set_seed(struct request *q, const char *value,
                    struct dtx_error *err)
{
    int64_t n;

    if (dtx_parse_int(value, 0, INT64_MAX, &n) != 0)
        return dtx_error_set(err, DTX_EINVAL, "--seed '%.60s' must be a whole "
                             "number from 0", value);
    q->c.seed = (uint64_t)n;
    return DTX_OK;
}

#define AT(field) offsetof(struct request, field)
#define YEAR 31536000.0

static const struct row rows[] = {
    {"workload", WORD, AT(workload), 0, 0, NULL},
    {"from", WORD, AT(from), 0, 0, NULL},
    {"json", FLAG, AT(json), 0, 0, NULL},
    {"trace", FLAG, AT(trace), 0, 0, NULL},
    {"nodes", OWN, 0, 0, 0, set_nodes},
    {"slots", COUNT, AT(c.machine.slots), 1, 10000000, NULL},
    {"ranks-per-node", COUNT, AT(c.machine.ranks_per_node), 1, 65535, NULL},
    {"policy", OWN, 0, 0, 0, set_policy},
    {"order", OWN, 0, 0, 0, set_order},
    {"history", WORD, AT(history), 0, 0, NULL},
    {"prediction-error", NUMBER, AT(c.error_sigma), 0, 3, NULL},
    {"seed", OWN, 0, 0, 0, set_seed},
    {"latency", TIME, AT(c.machine.far_ns), 0, 60, NULL},
    {"latency-near", TIME, AT(c.machine.near_ns), 0, 60, NULL},
    {"nodes-per-switch", COUNT, AT(c.machine.nodes_per_switch), 1, 1000000,
     NULL},
    {"latency-switch", TIME, AT(c.machine.hop_ns), 0, 60, NULL},
    {"jitter", TIME, AT(c.machine.spread_ns), 0, 60, NULL},
    {"bandwidth", OWN, 0, 0, 0, set_bandwidth},
    {"taper", NUMBER, AT(c.machine.taper), 1, 1000, NULL},
    {"task-data", OWN, 0, 0, 0, set_task_data},
    {"blind-steals", FLAG, AT(c.blind), 0, 0, NULL},
    {"message-cost", OWN, 0, 0, 0, set_message_cost},
    {"nap", OWN, 0, 0, 0, set_nap},
    {"master-message", TIME, AT(c.machine.cost.frame_ns), 0, 60, NULL},
    {"master-task", TIME, AT(c.machine.cost.task_ns), 0, 60, NULL},
    {"store", TIME, AT(c.machine.store_ns), 0, 60, NULL},
    {"spawn", TIME, AT(c.machine.spawn_ns), 0, 3600, NULL},
    {"numa", COUNT, AT(c.machine.domains), 1, 1024, NULL},
    {"numa-streams", NUMBER, AT(c.machine.streams), 0.01, 65535, NULL},
    {"memory-bound", OWN, 0, 0, 0, set_memory_bound},
    {"numa-spread", OWN, 0, 0, 0, set_spread},
    {"speed-sigma", NUMBER, AT(c.machine.speed_sigma), 0, 2, NULL},
    {"slow", OWN, 0, 0, 0, set_slow},
    {"equal-speeds", FLAG, AT(c.equal_speeds), 0, 0, NULL},
    {"noise", NUMBER, AT(c.machine.noise_sigma), 0, 3, NULL},
    {"fail", NUMBER, AT(c.fail_share), 0, 0.99, NULL},
    {"retries", COUNT, AT(c.retries), 1, DTX_MAX_RETRIES, NULL},
    {"rank-mtbf", TIME, AT(c.machine.rank_mtbf_ns), 1e-6, 100 * YEAR, NULL},
    {"node-mtbf", TIME, AT(c.machine.node_mtbf_ns), 1e-6, 100 * YEAR, NULL},
    {"detect", TIME, AT(c.machine.detect_ns), 0, YEAR, NULL},
    {"deadline", TIME, AT(c.deadline_ns), 1e-6, 10 * YEAR, NULL},
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static int set_number(void *place, const struct row *r, const char *value,
                      struct dtx_error *err)
{
    char *end;
    double d = -1;

    if (value[0] != '\0' && value[strspn(value, "0123456789.")] == '\0') {
        d = strtod(value, &end);
        if (*end != '\0')
            d = -1;
    }
    if (!(d >= r->lo && d <= r->hi))
        return dtx_error_set(err, DTX_EINVAL, "--%s '%.60s' must be a number "
                             "from %g to %g", r->name, value, r->lo, r->hi);
    *(double *)place = d;
    return DTX_OK;
}

static int set_time(void *place, const struct row *r, const char *value,
                    struct dtx_error *err)
{
    char lo[40], hi[40];
    int64_t ns = 0, least = (int64_t)(r->lo * (double)DTX_SEC_NS);
    int64_t most = (int64_t)(r->hi * (double)DTX_SEC_NS);

    if (dtx_parse_duration(value, &ns) != 0 || ns < least || ns > most)
        return dtx_error_set(err, DTX_EINVAL, "--%s '%.60s' must be a time "
                             "from %s to %s, as 2us, 30s or 1h30m", r->name,
                             value,
                             dtx_format_duration(lo, sizeof(lo), least),
                             dtx_format_duration(hi, sizeof(hi), most));
    *(int64_t *)place = ns;
    return DTX_OK;
}

static int set_value(struct request *q, const struct row *r, const char *value,
                     struct dtx_error *err)
{
    void *place = (char *)q + r->place;
    int64_t n = 0;

    switch (r->form) {
    case WORD:
        *(const char **)place = value;
        return DTX_OK;
    case FLAG:
        *(bool *)place = true;
        return DTX_OK;
    case COUNT:
        if (dtx_parse_int(value, (int64_t)r->lo, (int64_t)r->hi, &n) != 0)
            return dtx_error_set(err, DTX_EINVAL,
                                 "--%s '%.60s' must be a whole number from "
                                 "%.0f to %.0f", r->name, value, r->lo, r->hi);
        *(uint32_t *)place = (uint32_t)n;
        return DTX_OK;
    case NUMBER:
        return set_number(place, r, value, err);
    case TIME:
        return set_time(place, r, value, err);
    case OWN:
        break;
    }
    return r->set(q, value, err);
}

/* ---- the command line ---- */

static const struct row *row_of(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < NROWS; i++) {
        if (strlen(rows[i].name) == len &&
            memcmp(rows[i].name, name, len) == 0)
            return &rows[i];
    }
    return NULL;
}

/* The option at argv[*i], whose value may be the next word: 0, or the exit
 * status after a complaint. */
static int read_option(struct request *q, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : strlen(word);
    const struct row *r = NULL;
    struct dtx_error err;

    if (len > 2 && word[0] == '-' && word[1] == '-')
        r = row_of(word + 2, len - 2);
    if (!r)
        return dtx_cmd_unknown_option("simulate", word);
    if (r->form == FLAG && value)
        return dtx_cmd_usage("simulate: --%s takes no value", r->name);
    if (r->form != FLAG && !value && ++*i == argc)
        return dtx_cmd_usage("simulate: --%s needs a value", r->name);
    if (r->form != FLAG)
        value = value ? value + 1 : argv[*i];
    if (set_value(q, r, value, &err) != DTX_OK)
        return dtx_cmd_usage("simulate: %s", err.text);
    return 0;
}

static int read_words(struct request *q, int argc, char **argv)
{
    int status = 0, i;

    for (i = 2; i < argc && status == 0; i++) {
        if (argv[i][0] == '-')
            status = read_option(q, argc, argv, &i);
        else
            status = dtx_cmd_usage("simulate: unexpected '%.60s'; the tasks "
                                   "come from --workload or --from", argv[i]);
    }
    if (status == 0 && (q->c.bound > 0) != (q->c.machine.domains > 0))
        return dtx_cmd_usage("simulate: --numa says how many NUMA nodes share "
                             "memory, --memory-bound which tasks need it: give "
                             "both");
    if (status == 0 && q->history &&
        (!q->from || q->c.order != DTX_ORDER_PREDICTED))
        return dtx_cmd_usage("simulate: --history predicts the tasks of --from "
                             "for --order predicted; give both");
    if (status == 0 && !q->workload == !q->from)
        return dtx_cmd_usage("simulate: %s --workload "
                             "lognormal:mean=10s,tasks=1000, or --from RUNDIR",
                             q->from ? "either" : "which tasks?");
    return status;
}

static void preset(struct request *q)
{
    memset(q, 0, sizeof(*q));
    dtx_machine_preset(&q->c.machine);
    q->c.machine.spawn_ns = NOT_GIVEN;
    q->c.error_sigma = 0.3;
    q->c.spread = true;
    q->c.seed = 1;
    q->nodes[0] = 1;
    q->nnodes = 1;
    q->policy[0] = dtx_policy_find(NULL, NULL)->name;
    q->npolicies = 1;
}

/* ---- running ---- */

static int take_prediction(void *ctx, uint32_t i, const struct dtx_features *f,
                           const struct dtx_prediction *said)
{
    struct request *q = ctx;

    (void)f;
    q->predicted_s[i] = -1;
    if (said->basis == DTX_BASIS_NONE)
        return DTX_OK;
    q->predicted_s[i] = (float)said->seconds;
    q->known++;
    return DTX_OK;
}

/* --history: what the predictor says of the tasks, as the real run would have
 * it. */
static int predict(struct request *q, struct dtx_error *err)
{
    struct dtx_predictor *p = dtx_predictor_create(0);
    struct dtx_buf dir = DTX_BUF_INIT;
    bool none = false;
    int rc = dtx_cli_history_named(q->history, &dir, &none, err);

    q->predicted_s = calloc(q->job.list.ntasks + 1, sizeof(float));
    if (rc == DTX_OK && (!p || !q->predicted_s))
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == DTX_OK && !none)
        rc = dtx_cli_history_load(dir.data, p, err);
    if (rc == DTX_OK)
        rc = dtx_cli_predict_each(p, NULL, &q->job.list, take_prediction, q);
    if (rc == DTX_OK && q->known == 0)
        rc = dtx_error_set(err, DTX_ENOENT, "the history in %.200s knows "
                           "nothing: 'distributex history import' a joblog or "
                           "a run directory", dir.data);
    q->c.predicted_s = q->predicted_s;
    dtx_buf_free(&dir);
    dtx_predictor_destroy(p);
    return rc;
}

static int load(struct request *q, struct dtx_error *err)
{
    struct dtx_workload w;
    struct dtx_machine usual;
    int rc = dtx_scenario_job_init(&q->job);

    dtx_machine_preset(&usual);
    if (q->c.machine.spawn_ns == NOT_GIVEN)
        q->c.machine.spawn_ns = q->from ? DTX_SPAWN_RECORDED_NS
                                         : usual.spawn_ns;
    if (rc != DTX_OK)
        return dtx_error_set(err, rc, "out of memory");
    if (q->from) {
        rc = dtx_recorded_load(q->from, &q->job, &q->recorded, err);
        if (q->c.retries == 0)
            q->c.retries = q->recorded.attempts;
        return rc == DTX_OK && q->history ? predict(q, err) : rc;
    }
    rc = dtx_workload_parse(q->workload, &w, err);
    (void)(rc ? dtx_error_prefix(err, "simulate: ") : 0);
    return rc ? rc : dtx_scenario_draw(&q->job, &w, q->c.seed, err);
}

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)fprintf(stderr, "%s\n", line);
}

/* The run; the same without what is done for memory-bound tasks, if anything
 * was; and the same where the master and the network cost nothing. */
static int run_one(struct request *q, struct result *r, struct dtx_error *err)
{
    struct dtx_scenario c = q->c;
    struct dtx_sim_result other;
    int64_t begin = dtx_clock_mono_ns();
    int rc;

    c.job = &q->job;
    c.machine.nodes = r->nodes;
    if (c.machine.slow_nodes > r->nodes)
        c.machine.slow_nodes = r->nodes;
    c.policy = r->policy;
    c.trace = q->trace ? print_line : NULL;
    rc = dtx_scenario_run(&c, &r->sim, err);
    r->seconds = (double)(dtx_clock_mono_ns() - begin) / (double)DTX_SEC_NS;
    c.trace = NULL;
    if (rc == DTX_OK && r->sim.stats.heavy) {
        c.spread = false;
        rc = dtx_scenario_run(&c, &other, err);
        r->blind_ns = other.makespan_ns;
        c.spread = true;
    }
    if (rc != DTX_OK)
        return rc;
    c.ideal = true;
    rc = dtx_scenario_run(&c, &other, err);
    r->ideal_ns = other.makespan_ns;
    return rc;
}

/* ---- what came of it ---- */

static double seconds(int64_t ns)
{
    return (double)ns / (double)DTX_SEC_NS;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 1;
}

static uint64_t messages(const struct result *r)
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
static void put_json(struct dtx_buf *b, const struct result *r, bool named)
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

static void put_table_row(struct dtx_buf *b, const struct request *q,
                          const struct result *r)
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

static void put_effort(struct dtx_buf *b, const struct result *r)
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
static void put_spread(struct dtx_buf *b, const struct result *r)
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

static void put_text(struct dtx_buf *b, const struct request *q,
                     const struct result *r)
{
    const struct dtx_machine *m = &q->c.machine;
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

static void put_result(struct dtx_buf *b, const struct request *q,
                       const struct result *r, size_t i, size_t n)
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

/* Each run, printed when it is known. */
static int run_all(struct request *q, struct dtx_error *err)
{
    size_t n = q->nnodes * q->npolicies, i;
    int rc = DTX_OK, status = 0;

    for (i = 0; i < n && rc == DTX_OK && status == 0; i++) {
        struct result r = {.nodes = q->nodes[i / q->npolicies],
                           .policy = q->policy[i % q->npolicies]};
        struct dtx_buf b = DTX_BUF_INIT;

        rc = run_one(q, &r, err);
        if (rc != DTX_OK)
            break;
        put_result(&b, q, &r, i, n);
        status = dtx_cmd_print(&b);
    }
    if (rc != DTX_OK)
        (void)dtx_error_prefix(err, "simulate: ");
    return rc != DTX_OK ? dtx_cmd_fail(DTX_CMD_FAILED, err) : status;
}

/* Of a job that could not be had. */
static int status_of(const struct request *q, int rc)
{
    if (rc == DTX_ENOMEM)
        return DTX_CMD_FAILED;
    return q->from ? DTX_EXIT_RUNDIR : DTX_EXIT_USAGE;
}

int dtx_cmd_simulate(int argc, char **argv)
{
    struct request q;
    struct dtx_error err;
    int status, rc, i;

    for (i = 2; i < argc; i++) {
        if (dtx_cmd_asks_help(argv[i]))
            return dtx_cmd_print_usage("simulate");
    }
    preset(&q);
    status = read_words(&q, argc, argv);
    if (status != 0)
        return status;
    rc = load(&q, &err);
    if (rc != DTX_OK)
        status = dtx_cmd_fail(status_of(&q, rc), &err);
    else
        status = run_all(&q, &err);
    dtx_scenario_job_fini(&q.job);
    free(q.predicted_s);
    return status;
}
