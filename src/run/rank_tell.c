/* SPDX-License-Identifier: MIT */
/* What a rank says before its tasks run; see rank_state.h.  It decides
 * nothing and changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/units.h"
#include "node/clock.h"
#include "node/cores.h"
#include "node/spawner.h"
#include "run/alloc.h"
#include "run/options.h"
#include "run/rank_state.h"
#include "run/supervise.h"
#include "sched/policy.h"

#define FEW 8 /* ranks and cores that are told one by one */

void dtx_rank_warn_slips(char *const *env)
{
    char meant[64];

    for (; *env; env++) {
        if (dtx_options_slip(*env, meant, sizeof(meant)))
            dtx_log(DTX_LOG_WARN,
                    "the environment variable %.*s is no option and is not "
                    "heeded; did you mean %s?",
                    (int)strcspn(*env, "="), *env, meant);
    }
}

static const char *from_environ(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static void tell_alloc(const struct dtx_alloc *a)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_alloc_tell(a, &b);
    if (b.len > 0 && !b.failed)
        dtx_log(DTX_LOG_INFO, "%s", b.data);
    dtx_buf_free(&b);
}

/* Was this launched for what others have left? Nodes may be lost, then. */
static bool is_relaunch(void)
{
    const char *epoch = getenv(DTX_GO_ON_ENV);

    return epoch && strcmp(epoch, "0") != 0;
}

/* Much of what was reserved stays idle. Slurm may count two threads a core. */
static bool warn_of_alloc(const struct dtx_rank_life *r,
                          const struct dtx_alloc *a)
{
    if (!a->inside || is_relaunch() ||
        (r->share.nodes >= a->nodes &&
         r->share.job_slots * 2 >= a->cpus))
        return false;
    dtx_log(DTX_LOG_WARN,
            "using %llu of %llu cores, %u of %u nodes of the Slurm job: in its "
            "script start 'distributex run' plainly, without mpirun or srun, "
            "or with mpirun --map-by ppr:1:node --bind-to none",
            (unsigned long long)r->share.job_slots, (unsigned long long)a->cpus,
            (unsigned)r->share.nodes, (unsigned)a->nodes);
    return true;
}

static void warn_of_idle_cores(const struct dtx_rank_life *r,
                               const struct dtx_alloc *a)
{
    if (r->o->jobs.how != DTX_JOBS_CORES || warn_of_alloc(r, a) ||
        r->share.job_slots * 2 > r->share.job_cores)
        return;
    if (a->inside && r->share.job_slots * 2 >= a->cpus)
        return; /* the rest is others' */
    dtx_log(DTX_LOG_WARN,
            "using %llu of %llu cores: launch with one rank a core, or "
            "with mpirun --bind-to none",
            (unsigned long long)r->share.job_slots,
            (unsigned long long)r->share.job_cores);
}

void dtx_rank_alloc(struct dtx_alloc *out)
{
    dtx_alloc_read(from_environ, NULL, out);
}

/* One line for each node: what it is, and how far from rank 0's. */
static void tell_nodes(const struct dtx_rank_life *r)
{
    uint32_t i, k;

    for (i = 0; i < r->size; i++) {
        const struct dtx_card *c = &r->cards[i];
        struct dtx_machine m;

        for (k = 0; k < i && !dtx_card_same_node(&r->cards[k], c);)
            k++;
        if (k < i || i >= FEW)
            continue;
        dtx_card_machine(c, &m);
        dtx_log(DTX_LOG_DEBUG,
                "node %s: %u core%s in %zu NUMA node%s, %lld MiB of memory for "
                "tasks, %zu GPU%s, switches %s; distance %u from rank 0",
                c->host, m.cores, dtx_plural(m.cores), m.nnumas,
                dtx_plural(m.nnumas),
                (long long)(dtx_machine_memory(&m) >> 20), m.ngpus,
                dtx_plural(m.ngpus),
                m.path[0] ? m.path : "not known",
                dtx_card_distance(&r->cards[0], 0, c, 0));
        dtx_machine_free(&m);
    }
}

static void warn_of_gpus(const struct dtx_rank_life *r)
{
    if (r->machine.gpus_odd[0])
        dtx_log(DTX_LOG_WARN,
                "CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES holds '%s', "
                "which is no device or stands there twice; devices for tasks: "
                "%zu",
                r->machine.gpus_odd, r->machine.ngpus);
}

static void warn_of_picture(const struct dtx_rank_life *r)
{
    const char *name = dtx_cores_picture();

    if (!r->machine.real && r->o->bind != DTX_BIND_NONE)
        dtx_log(DTX_LOG_WARN,
                "tasks are placed on the machine that %s draws, but not bound "
                "to cores",
                name ? name : "hwloc's environment");
}

void dtx_rank_greet(const struct dtx_rank_life *r)
{
    char count[32] = "tasks as they come";
    struct dtx_alloc alloc;

    dtx_rank_alloc(&alloc);
    tell_alloc(&alloc);
    if (!r->job.live)
        (void)snprintf(count, sizeof(count), "%zu task%s", r->job.list.ntasks,
                       r->job.list.ntasks == 1 ? "" : "s");
    if (r->job.live && isatty(r->job.stream_fd) == 1)
        dtx_log(DTX_LOG_WARN,
                "tasks are read from the terminal: one command a line, Ctrl-D "
                "ends them");
    if (r->o->from_launcher)
        dtx_log(DTX_LOG_INFO, "the task file is LAUNCHER_JOB_FILE: %s",
                r->o->task_file);
    dtx_log(DTX_LOG_INFO,
            "%s on %u rank%s, %u node%s, %llu slot%s, policy %s; run "
            "directory %s",
            count, r->size, dtx_plural(r->size), r->share.nodes,
            dtx_plural(r->share.nodes), (unsigned long long)r->share.job_slots,
            dtx_plural(r->share.job_slots),
            r->o->policy ? r->o->policy : "steal", r->run_dir);
    if (r->job.torn)
        dtx_log(DTX_LOG_WARN,
                "the journal's last %llu bytes were not a whole record and "
                "were cut",
                (unsigned long long)r->job.torn);
    if (r->job.redone)
        dtx_log(DTX_LOG_WARN,
                "%llu finished tasks run again: their output is not in out/",
                (unsigned long long)r->job.redone);
    if (r->job.list.ntasks == 0 && !r->job.live)
        dtx_log(DTX_LOG_WARN, "there are no tasks in it");
    if (r->o->jobs.how == DTX_JOBS_COUNT &&
        r->share.job_slots > (uint64_t)r->o->jobs.n * r->share.nodes)
        dtx_log(DTX_LOG_WARN,
                "every rank has at least one slot: %llu, more than --jobs %d "
                "a node",
                (unsigned long long)r->share.job_slots, (int)r->o->jobs.n);
    warn_of_idle_cores(r, &alloc);
    warn_of_picture(r);
    warn_of_gpus(r);
}

void dtx_rank_tell_deadline(int64_t left_ns)
{
    char text[32], date[32] = "";
    time_t end;
    struct tm tm;

    if (left_ns == INT64_MAX) {
        dtx_log(DTX_LOG_INFO, "there is no deadline any more");
        return;
    }
    end = (time_t)((dtx_clock_wall_ns() + left_ns) / DTX_SEC_NS);
    if (localtime_r(&end, &tm))
        (void)strftime(date, sizeof(date), " (%Y-%m-%dT%H:%M:%S)", &tm);
    dtx_log(DTX_LOG_INFO, "deadline in %s%s",
            dtx_format_duration(text, sizeof(text), left_ns > 0 ? left_ns : 0),
            date);
}

/* ---- with --verbose ---- */

/* What the policy would give each of the first ranks, all being idle. */
static void tell_policy(const struct dtx_rank_life *r)
{
    const struct dtx_policy *policy = dtx_policy_find(r->o->policy, NULL);
    struct dtx_policy_state state = {0};
    struct dtx_sched_view v;
    struct dtx_buf b = DTX_BUF_INIT;
    uint32_t i;

    if (!policy)
        return;
    memset(&v, 0, sizeof(v));
    v.ready = r->job.list.ntasks;
    v.nranks = r->size;
    v.slots_all = r->share.job_slots;
    for (i = 0; i < r->size && i < FEW; i++) {
        struct dtx_share s;
        uint64_t n;

        if (dtx_share_of(r->cards, r->size, i, &r->o->jobs, &s))
            break;
        v.slots = s.nslots;
        n = policy->chunk(&state, &v);
        n = n > v.ready ? v.ready : n;
        v.ready -= n;
        dtx_buf_printf(&b, "%s%llu", i ? ", " : "", (unsigned long long)n);
    }
    dtx_log(DTX_LOG_DEBUG,
            "policy %s: %s; if all %zu tasks were ready, the ranks from 0 "
            "would be given %s%s to begin with",
            policy->name, policy->help, r->job.list.ntasks,
            b.failed || b.len == 0 ? "?" : b.data, i < r->size ? ", ..." : "");
    dtx_buf_free(&b);
}

/* The first processing unit of each core of the rank's share. */
static void tell_cores(const struct dtx_rank_life *r, struct dtx_buf *b)
{
    uint32_t i, n = r->share.ncores;

    if (!r->cores.real || n == 0) {
        dtx_buf_str(b, "unknown cores");
        return;
    }
    dtx_buf_printf(b, "core%s ", n == 1 ? "" : "s");
    for (i = 0; i < n && i < FEW; i++) {
        const struct dtx_core *c = &r->cores.core[r->share.first_core + i];

        dtx_buf_printf(b, "%s%u", i ? "," : "", r->cores.pus[c->first_pu]);
    }
    if (i < n)
        dtx_buf_printf(b, ",... (%u)", n);
}

void dtx_rank_tell(const struct dtx_rank_life *r)
{
    const struct dtx_share *s = &r->share;
    struct dtx_buf cores = DTX_BUF_INIT;

    if (r->me == 0) {
        tell_policy(r);
        tell_nodes(r);
        dtx_log(DTX_LOG_DEBUG, "session %u; journal %s/journal", r->epoch,
                r->run_dir);
    }
    tell_cores(r, &cores);
    dtx_log(DTX_LOG_DEBUG,
            "rank %u on %s: slots %u to %u of the node, %s; outputs gather in "
            "%s",
            r->me, r->cards[r->me].host, s->first_slot,
            s->first_slot + s->nslots - 1, cores.failed ? "?" : cores.data,
            dtx_spawner_dir(r->spawner));
    dtx_buf_free(&cores);
}
