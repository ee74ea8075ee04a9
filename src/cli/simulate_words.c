/* SPDX-License-Identifier: MIT */
/* What "distributex simulate" is to imagine, from its command line: a table of
 * options, and those that need more than a number. */
#include "cli/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "cli/cmd.h"
#include "cli/words.h"
#include "run/status.h"
#include "sched/policy.h"

/* ---- values ---- */

enum form { WORD, FLAG, COUNT, NUMBER, TIME, OWN };

typedef int (*set_f)(struct dtx_simulation *q, const char *value,
                     struct dtx_error *err);

struct row {
    const char *name;
    enum form form;
    size_t place;
    double lo, hi;
    set_f set;
};

static int set_nodes(struct dtx_simulation *q, const char *value,
                     struct dtx_error *err)
{
    return dtx_cli_numbers("--nodes", value, q->nodes,
                           DTX_SIMULATE_SWEEP, &q->nnodes, err);
}

static int add_policy(struct dtx_simulation *q, const char *name, size_t len,
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
    if (q->npolicies == DTX_SIMULATE_POLICIES)
        return dtx_error_set(err, DTX_EINVAL, "--policy: at most %d of them",
                             DTX_SIMULATE_POLICIES);
    q->policy[q->npolicies++] = p->name;
    return DTX_OK;
}

static int set_policy(struct dtx_simulation *q, const char *value,
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

static int set_order(struct dtx_simulation *q, const char *value,
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

static int set_bandwidth(struct dtx_simulation *q, const char *value,
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

static int set_task_data(struct dtx_simulation *q, const char *value,
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

static int set_nap(struct dtx_simulation *q, const char *value,
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

static int set_slow(struct dtx_simulation *q, const char *value,
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
static int set_memory_bound(struct dtx_simulation *q, const char *value,
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

static int set_spread(struct dtx_simulation *q, const char *value,
                      struct dtx_error *err)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return dtx_error_set(err, DTX_EINVAL, "--numa-spread '%.60s' must be "
                             "yes or no", value);
    q->c.spread = value[0] == 'y';
    return DTX_OK;
}

static int set_message_cost(struct dtx_simulation *q, const char *value,
                            struct dtx_error *err)
{
    int64_t ns;

    if (dtx_parse_duration(value, &ns) != 0 || ns > 60 * DTX_SEC_NS)
        return dtx_error_set(err, DTX_EINVAL, "--message-cost '%.60s' must be "
                             "a time from 0 to 60s, as 2us", value);
    q->c.machine.cost.send_ns = q->c.machine.cost.recv_ns = ns;
    return DTX_OK;
}

static int set_seed(struct dtx_simulation *q, const char *value,
                    struct dtx_error *err)
{
    int64_t n;

    if (dtx_parse_int(value, 0, INT64_MAX, &n) != 0)
        return dtx_error_set(err, DTX_EINVAL, "--seed '%.60s' must be a whole "
                             "number from 0", value);
    q->c.seed = (uint64_t)n;
    return DTX_OK;
}

#define AT(field) offsetof(struct dtx_simulation, field)
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

static int set_value(struct dtx_simulation *q, const struct row *r,
                     const char *value, struct dtx_error *err)
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
static int read_option(struct dtx_simulation *q, int argc, char **argv, int *i)
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

static void preset(struct dtx_simulation *q)
{
    memset(q, 0, sizeof(*q));
    dtx_cluster_preset(&q->c.machine);
    q->c.machine.spawn_ns = DTX_SIMULATE_NOT_GIVEN;
    q->c.error_sigma = 0.3;
    q->c.spread = true;
    q->c.seed = 1;
    q->nodes[0] = 1;
    q->nnodes = 1;
    q->policy[0] = dtx_policy_find(NULL, NULL)->name;
    q->npolicies = 1;
}

int dtx_simulate_read(struct dtx_simulation *q, int argc, char **argv)
{
    int status = 0, i;

    preset(q);
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
