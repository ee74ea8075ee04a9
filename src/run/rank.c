/* SPDX-License-Identifier: MIT */
/* One rank of a job; see rank.h.  Builds the parts, lets the loop run, takes
 * them down again.  Whatever fails before the loop fails before any task has
 * run, on all ranks alike. */
#include "run/rank.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "engine/pulse.h"
#include "engine/worker.h"
#include "mpi/transport.h"
#include "node/clock.h"
#include "node/others.h"
#include "node/spawner.h"
#include "node/topo.h"
#include "run/alloc.h"
#include "run/exec.h"
#include "run/forecast.h"
#include "run/job.h"
#include "run/learn.h"
#include "run/lines.h"
#include "run/loop.h"
#include "run/noderun.h"
#include "run/options.h"
#include "run/rank_state.h"
#include "run/report.h"
#include "run/restart.h"
#include "run/show.h"
#include "run/sidefile.h"
#include "run/signals.h"
#include "run/status.h"
#include "run/spread.h"
#include "run/stream.h"
#include "run/supervise.h"
#include "run/voice.h"
#include "run/watch.h"
#include "run/where.h"
#include "store/output.h"
#include "store/rundir.h"
#include "store/writer.h"

#define LEAVE_NS (30 * DTX_SEC_NS)
#define ABANDON_S 15
#define DEADLINE_WAIT_MS 5000 /* for Slurm to answer, before tasks start */

extern char **environ;

int dtx_rank_complain(const struct dtx_error *err, int status)
{
    dtx_log(DTX_LOG_ERROR, "%s", err->text);
    return status;
}
/* ---- first breath ---- */

/* Until all ranks have met each waits for all, and nobody but the supervisor
 * can end that when one dies. */
static void guard_start(struct dtx_rank_life *r)
{
    const char *marker = getenv(DTX_MARKER_ENV);
    struct dtx_buf path = DTX_BUF_INIT;

    if (!marker)
        return;
    dtx_marker_lost_path(&path, marker);
    if (path.failed ||
        dtx_spawner_guard(r->spawner, path.data,
                          dtx_pulse_still(r->o->lost_after_ns), true))
        dtx_log(DTX_LOG_WARN, "the death of this rank could go unseen");
    dtx_buf_free(&path);
}

static int begin(struct dtx_rank_life *r, const struct dtx_where_info *where)
{
    const char *marker = getenv(DTX_MARKER_ENV);
    struct dtx_error err = {0, ""};
    int rc;

    r->size = 1;
    if (where->where == DTX_WHERE_SINGLE ||
        (where->where == DTX_WHERE_RANK && dtx_rank_is_first()) ||
        r->o->deadline.kind != DTX_WHEN_UNSET)
        dtx_deadline_begin(&r->deadline, r->o);
    r->bell = dtx_bell_create(&err);
    if (!r->bell || dtx_signals_install(r->bell) ||
        dtx_spawner_fork(r->bell, !r->o->no_counters, &r->spawner, &err))
        return dtx_rank_complain(&err, DTX_EXIT_INTERNAL);
    if (where->where == DTX_WHERE_RANK) {
        guard_start(r);
        if (dtx_transport_open(&r->transport, &err))
            return dtx_rank_complain(&err, DTX_EXIT_MPI);
        r->me = (uint32_t)dtx_transport_rank(r->transport);
        if (r->me == 0 && marker && dtx_marker_up(marker))
            dtx_log(DTX_LOG_WARN, "cannot write beside the completion marker");
        r->size = (uint32_t)dtx_transport_size(r->transport);
        if (dtx_where_check(where, (int)r->size, &err))
            return dtx_rank_complain(&err, DTX_EXIT_MPI);
    }
    rc = dtx_topo_detect(&r->cores, &r->machine, &err);
    if (rc == DTX_EINVAL)
        return dtx_rank_complain(&err, DTX_EXIT_USAGE);
    return rc ? dtx_rank_complain(&err, DTX_EXIT_INTERNAL) : 0;
}

/* ---- the deadline ---- */

bool dtx_rank_is_first(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                        "PMI_RANK", "SLURM_PROCID"};
    const char *rank = NULL;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]) && !rank; i++)
        rank = getenv(names[i]);
    return !rank || strcmp(rank, "0") == 0;
}

void dtx_rank_deadline(struct dtx_rank_life *r, int wait_ms)
{
    int64_t wall, left;

    while (dtx_deadline_next(&r->deadline, wait_ms, &wall)) {
        wait_ms = 0;
        if (wall == INT64_MAX && !r->has_deadline)
            continue;
        r->has_deadline = true;
        left = wall == INT64_MAX ? INT64_MAX / 4
                                 : wall - dtx_clock_wall_ns();
        dtx_loop_deadline(r->loop, dtx_clock_mono_ns() + left);
        if (r->forecast)
            dtx_forecast_deadline(r->forecast, wall);
        dtx_rank_tell_deadline(wall == INT64_MAX ? INT64_MAX : left);
    }
}

/* ---- rank 0's end ---- */

/* A supervisor uses USR1 for all that it wants drained. */
static bool is_time_over(const struct dtx_master_stats *s)
{
    return s->expired || (s->late > 0 && !s->stopping) ||
           (dtx_signals_time_over() && !getenv(DTX_MARKER_ENV));
}

static int status_of(struct dtx_rank_life *r, const struct dtx_master_stats *s)
{
    if (dtx_loop_trouble(r->loop))
        return dtx_loop_trouble(r->loop);
    if (dtx_signals_asked() == DTX_STOP_KILL && (s->left > 0 || s->open))
        return DTX_EXIT_INTERRUPTED;
    if (r->stream && dtx_taskstream_bad(r->stream))
        return DTX_EXIT_TASKFILE;
    if ((s->left > 0 || s->open) && is_time_over(s))
        return DTX_EXIT_DEADLINE;
    if ((s->left > 0 || s->open) && s->lost_ranks > 0 && !s->stopping)
        return DTX_EXIT_LOST; /* nobody is left who could do it */
    if (s->left > 0 && r->size > 1 && !s->halted && getenv(DTX_MARKER_ENV) &&
        dtx_signals_by_launcher() && !dtx_rundir_stop_seen(r->job.lease))
        return DTX_EXIT_LOST; /* mpirun gives up */
    if (s->halted && r->o->halt.on == DTX_HALT_SUCCESS)
        return DTX_EXIT_OK; /* what was looked for is there */
    if ((s->left > 0 || s->open) &&
        !(s->halted && (s->failed > 0 || r->o->halt.on == DTX_HALT_DONE)))
        return DTX_EXIT_STOPPED;
    if (s->failed + s->skipped == 0 && dtx_show_error(r->show))
        return DTX_EXIT_STORAGE;
    return dtx_exit_of_failed(s->failed + s->skipped);
}

/* The node of rank 0, taken to be like the others. */
static struct dtx_usage_node node_of(const struct dtx_rank_life *r)
{
    int64_t bytes = r->machine.real ? dtx_machine_memory(&r->machine) : 0;

    return (struct dtx_usage_node){bytes > 0 ? (uint64_t)bytes : 0,
                                   r->share.nslots * r->share.node_ranks};
}

static void summarise(struct dtx_rank_life *r, const struct dtx_master_stats *s,
                      struct dtx_buf *b)
{
    struct dtx_buf told = DTX_BUF_INIT;
    struct dtx_usage_node node = node_of(r);

    dtx_learn_finish(r->learn, (uint32_t)r->share.job_slots, &told);
    dtx_report_wipe(r->report, b);
    if (!r->o->quiet) {
        dtx_report_summary(r->report,
                           r->last_ns ? r->last_ns - r->begin_ns : 0, b);
        if (r->learn)
            dtx_slow_tell(&r->slow, b);
        dtx_neighbours_tell(&r->neighbours, r->last_ns, b);
        dtx_usages_tell(&r->usage.all, &node, b);
        if (r->spread)
            dtx_spread_tell(r->spread, s, b);
        dtx_buf_append(b, told.data, told.len);
        if (r->forecast)
            dtx_forecast_score(r->forecast, dtx_clock_wall_ns(), s->left == 0,
                               is_time_over(s), b);
        if (s->left > 0)
            dtx_buf_printf(b,
                           "resume     distributex run --resume --run-dir %s\n",
                           r->run_dir);
    }
    dtx_buf_free(&told);
}

static void stop_packing(struct dtx_rank_life *r)
{
    if (r->packer)
        (void)dtx_writer_stop(r->packer, NULL);
    r->packer = NULL;
    dtx_output_close(r->output);
    r->output = NULL;
    dtx_output_close(r->passing);
    r->passing = NULL;
}

/* Under a supervisor the marker tells the status and the rank itself leaves
 * with 0, so that mpirun has nothing to say about it. */
static int mark(struct dtx_rank_life *r, int status)
{
    const char *marker = getenv(DTX_MARKER_ENV);

    r->marked = true;
    if (!marker)
        return status;
    if (r->me == 0 &&
        dtx_marker_write(marker, status, r->loop && dtx_loop_lossy(r->loop))) {
        dtx_log(DTX_LOG_ERROR, "cannot write the completion marker %s", marker);
        return status;
    }
    return 0;
}

/* Would another session like this one get the job further? Tasks that are told
 * with a signal of their own keep what they did. */
static bool got_further(const struct dtx_rank_life *r,
                        const struct dtx_master_stats *s)
{
    return s->ok + s->failed > s->prior_ok + s->prior_failed ||
           (s->expired && r->o->term_signal != SIGTERM);
}

/* Rank 0: write the session's end, then tell: a reader may be slow. */
static int conclude(struct dtx_rank_life *r)
{
    struct dtx_master_stats s;
    struct dtx_job_end end;
    struct dtx_buf summary = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    int status;

    dtx_master_stats(r->master, &s);
    status = status_of(r, &s);
    dtx_rank_tell_late(r);
    if (s.expired)
        dtx_rank_tell_stopping(r);
    summarise(r, &s, &summary);
    dtx_sidefile_restart(r->o, &r->job, r->master);
    if (r->o->requeue && got_further(r, &s) && dtx_requeue_advise(r->run_dir))
        dtx_log(DTX_LOG_WARN, "cannot write in %s: no requeue", r->run_dir);
    end = (struct dtx_job_end){(uint32_t)status, s.ok, s.failed + s.skipped,
                               s.left};
    if (dtx_writer_stop(r->writer, &err))
        status = dtx_rank_complain(&err, DTX_EXIT_STORAGE);
    r->writer = NULL;
    dtx_show_stop(r->show);
    r->show = NULL;
    if (r->o->keep != DTX_KEEP_ALL)
        dtx_output_sweep(r->run_dir); /* all ranks have done with it */
    if (dtx_job_close(&r->job, &end, &err))
        status = dtx_rank_complain(&err, DTX_EXIT_STORAGE);
    r->job_open = false;
    dtx_learn_runfile(r->learn, r->run_dir);
    r->leave = mark(r, status);
    dtx_loop_dismiss(r->loop);
    dtx_voice_say(summary.data ? summary.data : "", summary.len);
    dtx_buf_free(&summary);
    return status;
}

/* ---- whole ---- */

static const char *from_environ(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

/* So that a later start of the same Slurm job goes on here. */
static void mark_start(const struct dtx_rank_life *r)
{
    struct dtx_error err = {0, ""};
    struct dtx_alloc a;

    dtx_alloc_read(from_environ, NULL, &a);
    if (dtx_restart_mark(r->run_dir, &a, &err))
        dtx_log(DTX_LOG_WARN, "%s", err.text);
}

static int live(struct dtx_rank_life *r)
{
    struct dtx_error err = {0, ""};
    int rc, status;

    r->phase = WORKING;
    rc = dtx_rank_build(r, &err);
    if (rc)
        return dtx_rank_complain(&err, dtx_job_status_of(rc));
    if (r->me == 0) {
        r->job.begun = true;
        if (dtx_rundir_link_latest(r->run_dir, &err))
            dtx_log(DTX_LOG_WARN, "%s", err.text);
        mark_start(r);
        dtx_rank_greet(r);
    }
    if (r->o->verbose)
        dtx_rank_tell(r);
    if (r->me == 0)
        dtx_rank_deadline(r, DEADLINE_WAIT_MS);
    if (r->forecast)
        dtx_forecast_begin(r->forecast);
    r->begin_ns = dtx_clock_mono_ns();
    status = dtx_loop_run(r->loop, &err);
    if (status)
        return dtx_rank_complain(&err, status);
    if (dtx_exec_error(r->exec))
        dtx_log(DTX_LOG_ERROR,
                "rank %u: %s; tasks whose output is lost run again after "
                "--resume",
                r->me, dtx_exec_error_text(r->exec));
    dtx_spawner_let_rest(r->spawner); /* disks may be slow */
    stop_packing(r); /* all outputs are on disk before the end is recorded */
    status = dtx_loop_part(r->loop, &err);
    if (status)
        return dtx_rank_complain(&err, status);
    r->phase = ORDERLY;
    dtx_spawner_unguard(r->spawner);
    return r->me == 0 ? conclude(r) : 0;
}

static void take_down(struct dtx_rank_life *r)
{
    dtx_deadline_end(&r->deadline);
    dtx_spawner_stop(r->spawner);
    r->lossy = r->loop && dtx_loop_lossy(r->loop);
    dtx_loop_destroy(r->loop);
    dtx_others_destroy(r->others);
    dtx_watch_destroy(r->watch);
    dtx_noderun_destroy(r->node);
    dtx_buf_free(&r->setup);
    dtx_buf_free(&r->teardown);
    dtx_taskstream_destroy(r->stream);
    if (r->writer)
        (void)dtx_writer_stop(r->writer, NULL);
    stop_packing(r);
    dtx_show_stop(r->show);
    dtx_exec_destroy(r->exec);
    dtx_lines_destroy(r->lines);
    dtx_worker_destroy(r->worker);
    dtx_report_destroy(r->report);
    dtx_forecast_destroy(r->forecast);
    dtx_learn_destroy(r->learn);
    dtx_spread_destroy(r->spread);
    dtx_usages_free(&r->usage.all);
    dtx_master_destroy(r->master);
    dtx_needs_fini(&r->needs);
    dtx_zones_fini(&r->zones);
    dtx_output_reader_destroy(r->reader);
    if (r->job_open)
        (void)dtx_job_close(&r->job, NULL, NULL);
    dtx_cores_free(&r->cores);
    dtx_machine_free(&r->machine);
    free(r->cards);
    dtx_signals_remove();
    dtx_bell_destroy(r->bell);
}

/* Leave in disorder. Before all have agreed the others wait for this rank, and
 * rank 0 has them all wait: then the job ends. Another rank goes alone; its
 * spawner, or its silence, tells of it. What was handed to the store is written
 * first, for as long as that takes a sane file system. */
static void abandon(struct dtx_rank_life *r, int status)
{
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(ABANDON_S);
    dtx_spawner_stop(r->spawner);
    if (r->writer)
        (void)dtx_writer_stop(r->writer, NULL);
    if (r->job_open)
        (void)dtx_job_close(&r->job, NULL, NULL);
    if (r->phase == WORKING && r->me > 0) {
        /* Open MPI 5 with ULFM ends the job when a rank exits with a status,
         * but not when one is killed (seen with 5.0.7) */
        if (dtx_transport_ft())
            (void)raise(SIGKILL);
        _exit(status);
    }
    dtx_transport_abort(status);
}

int dtx_rank_main(const struct dtx_options *o,
                  const struct dtx_where_info *where, const char *command_line)
{
    struct dtx_rank_life r;
    char *run_dir = NULL; /* outlives the rank */
    int status;

    memset(&r, 0, sizeof(r));
    r.o = o;
    status = begin(&r, where);
    if (!status && r.me == 0 && !where->inside_task)
        dtx_rank_warn_slips(environ);
    if (!status)
        status = dtx_rank_meet(&r, command_line);
    if (!status)
        status = live(&r);
    if (!r.marked)
        r.leave = mark(&r, status);
    if (r.phase != WORKING && r.spawner) /* it has said why it goes */
        dtx_spawner_unguard(r.spawner);
    if (r.transport && (r.phase == APART || r.phase == WORKING))
        abandon(&r, status);
    if (r.me == 0 && r.phase == ORDERLY && !getenv(DTX_MARKER_ENV))
        run_dir = strdup(r.run_dir);
    take_down(&r);
    if (run_dir)
        dtx_requeue(o, run_dir, r.leave);
    free(run_dir);
    /* MPI_Finalize after the loss of a rank: with Open MPI 4.1 it hung in 2 of
     * 10 runs on one machine and always across hosts; with 5.0 and ULFM in 3
     * of 9. Leaving without it: never in 18 */
    if (r.transport &&
        !dtx_transport_close(r.transport, !r.lossy, LEAVE_NS)) {
        (void)fflush(NULL);
        _exit(r.leave);
    }
    return r.leave;
}
