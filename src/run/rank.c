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
#include "engine/worker.h"
#include "mpi/transport.h"
#include "node/clock.h"
#include "node/spawner.h"
#include "run/exec.h"
#include "run/job.h"
#include "run/lines.h"
#include "run/loop.h"
#include "run/noderun.h"
#include "run/options.h"
#include "run/rank_state.h"
#include "run/report.h"
#include "run/show.h"
#include "run/sidefile.h"
#include "run/signals.h"
#include "run/status.h"
#include "run/stream.h"
#include "run/supervise.h"
#include "run/voice.h"
#include "run/where.h"
#include "store/output.h"
#include "store/rundir.h"
#include "store/writer.h"

#define LEAVE_NS (30 * DTX_SEC_NS)
#define ABANDON_S 15

extern char **environ;

int dtx_rank_complain(const struct dtx_error *err, int status)
{
    dtx_log(DTX_LOG_ERROR, "%s", err->text);
    return status;
}
/* ---- first breath ---- */

static int begin(struct dtx_rank_life *r, const struct dtx_where_info *where)
{
    struct dtx_error err = {0, ""};
    int rc;

    r->size = 1;
    r->bell = dtx_bell_create(&err);
    if (!r->bell || dtx_signals_install(r->bell) ||
        dtx_spawner_fork(r->bell, &r->spawner, &err))
        return dtx_rank_complain(&err, DTX_EXIT_INTERNAL);
    if (where->where == DTX_WHERE_RANK) {
        if (dtx_transport_open(&r->transport, &err))
            return dtx_rank_complain(&err, DTX_EXIT_MPI);
        r->me = (uint32_t)dtx_transport_rank(r->transport);
        r->size = (uint32_t)dtx_transport_size(r->transport);
        if (dtx_where_check(where, (int)r->size, &err))
            return dtx_rank_complain(&err, DTX_EXIT_MPI);
    }
    rc = dtx_cores_detect(&r->cores, &err);
    return rc ? dtx_rank_complain(&err, DTX_EXIT_INTERNAL) : 0;
}

/* ---- rank 0's end ---- */

static int status_of(struct dtx_rank_life *r, const struct dtx_master_stats *s)
{
    if (dtx_loop_trouble(r->loop))
        return dtx_loop_trouble(r->loop);
    if (dtx_signals_asked() == DTX_STOP_KILL && (s->left > 0 || s->open))
        return DTX_EXIT_INTERRUPTED;
    if (r->stream && dtx_taskstream_bad(r->stream))
        return DTX_EXIT_TASKFILE;
    if ((s->left > 0 || s->open) && !(s->halted && s->failed > 0))
        return DTX_EXIT_STOPPED;
    if (s->failed + s->skipped == 0 && dtx_show_error(r->show))
        return DTX_EXIT_STORAGE;
    return dtx_exit_of_failed(s->failed + s->skipped);
}

static void summarise(struct dtx_rank_life *r, const struct dtx_master_stats *s,
                      struct dtx_buf *b)
{
    dtx_report_wipe(r->report, b);
    if (r->o->quiet)
        return;
    dtx_report_summary(r->report, r->last_ns ? r->last_ns - r->begin_ns : 0, b);
    if (s->left > 0)
        dtx_buf_printf(b, "resume     distributex run --resume --run-dir %s\n",
                       r->run_dir);
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
    if (r->me == 0 && dtx_marker_write(marker, status)) {
        dtx_log(DTX_LOG_ERROR, "cannot write the completion marker %s", marker);
        return status;
    }
    return 0;
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
    summarise(r, &s, &summary);
    dtx_sidefile_restart(r->o, &r->job, r->master);
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
    r->leave = mark(r, status);
    dtx_loop_dismiss(r->loop);
    dtx_voice_say(summary.data ? summary.data : "", summary.len);
    dtx_buf_free(&summary);
    return status;
}

/* ---- whole ---- */

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
        dtx_rank_greet(r);
    }
    if (r->o->verbose)
        dtx_rank_tell(r);
    r->begin_ns = dtx_clock_mono_ns();
    status = dtx_loop_run(r->loop, &err);
    if (status)
        return dtx_rank_complain(&err, status);
    if (dtx_exec_error(r->exec))
        dtx_log(DTX_LOG_ERROR,
                "rank %u: %s; tasks whose output is lost run again after "
                "--resume",
                r->me, dtx_exec_error_text(r->exec));
    stop_packing(r); /* all outputs are on disk before the end is recorded */
    status = dtx_loop_part(r->loop, &err);
    if (status)
        return dtx_rank_complain(&err, status);
    r->phase = ORDERLY;
    return r->me == 0 ? conclude(r) : 0;
}

static void take_down(struct dtx_rank_life *r)
{
    dtx_spawner_stop(r->spawner);
    dtx_loop_destroy(r->loop);
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
    dtx_master_destroy(r->master);
    dtx_output_reader_destroy(r->reader);
    if (r->job_open)
        (void)dtx_job_close(&r->job, NULL, NULL);
    dtx_cores_free(&r->cores);
    free(r->cards);
    dtx_signals_remove();
    dtx_bell_destroy(r->bell);
}

/* The others wait for this rank: it cannot leave alone in disorder. What was
 * handed to the store is written first, for as long as that takes a sane file
 * system. */
static void abandon(struct dtx_rank_life *r, int status)
{
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(ABANDON_S);
    dtx_spawner_stop(r->spawner);
    if (r->writer)
        (void)dtx_writer_stop(r->writer, NULL);
    if (r->job_open)
        (void)dtx_job_close(&r->job, NULL, NULL);
    dtx_transport_abort(status);
}

int dtx_rank_main(const struct dtx_options *o,
                  const struct dtx_where_info *where, const char *command_line)
{
    struct dtx_rank_life r;
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
    if (r.transport && (r.phase == APART || r.phase == WORKING))
        abandon(&r, status);
    take_down(&r);
    if (r.transport)
        dtx_transport_close(r.transport, true, LEAVE_NS);
    return r.leave;
}
