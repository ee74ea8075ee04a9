/* SPDX-License-Identifier: MIT */
/* One rank of a job; see rank.h.  Builds the parts, lets the loop run, takes
 * them down again.  Whatever fails before the loop fails before any task has
 * run, on all ranks alike. */
#include "run/rank.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "engine/worker.h"
#include "mpi/transport.h"
#include "node/clock.h"
#include "node/spawner.h"
#include "run/exec.h"
#include "run/job.h"
#include "run/loop.h"
#include "run/options.h"
#include "run/place.h"
#include "run/report.h"
#include "run/show.h"
#include "run/signals.h"
#include "run/status.h"
#include "run/supervise.h"
#include "run/where.h"
#include "store/output.h"
#include "store/rundir.h"
#include "store/writer.h"

#define LEAVE_NS (30 * DTX_SEC_NS)
#define ABANDON_S 15

extern char **environ;

struct rank {
    const struct dtx_options *o;
    uint32_t me, size;
    struct dtx_bell *bell;
    struct dtx_spawner *spawner;
    struct dtx_transport *transport; /* NULL: one process */
    struct dtx_cores cores;
    struct dtx_card *cards;
    struct dtx_share share;
    const char *run_dir;
    uint32_t epoch;
    struct dtx_output *output;
    struct dtx_output_reader *reader;
    struct dtx_writer *packer; /* of outputs */
    struct dtx_exec *exec;
    struct dtx_worker *worker;
    struct dtx_loop *loop;
    enum {
        APART,   /* the others do not know yet how this rank does */
        AGREED,  /* all know whether the job begins */
        WORKING, /* they wait for each other */
        ORDERLY  /* the loop came to its end */
    } phase;
    /* rank 0 */
    struct dtx_job job;
    bool job_open;
    struct dtx_writer *writer; /* of the journal */
    struct dtx_master *master;
    struct dtx_report *report;
    struct dtx_show *show;
    bool marked;
    int leave; /* what the process leaves with, once marked */
    int64_t begin_ns, last_ns; /* monotonic: loop entered, last end */
    enum dtx_stop told;        /* the user has been told of */
    bool no_bar;               /* nobody reads the progress line */
};

static int complain(const struct dtx_error *err, int status)
{
    dtx_log(DTX_LOG_ERROR, "%s", err->text);
    return status;
}

/* ---- first breath ---- */

static int begin(struct rank *r, const struct dtx_where_info *where)
{
    struct dtx_error err = {0, ""};
    int rc;

    r->size = 1;
    r->bell = dtx_bell_create(&err);
    if (!r->bell || dtx_signals_install(r->bell) ||
        dtx_spawner_fork(r->bell, &r->spawner, &err))
        return complain(&err, DTX_EXIT_INTERNAL);
    if (where->where == DTX_WHERE_RANK) {
        if (dtx_transport_open(&r->transport, &err))
            return complain(&err, DTX_EXIT_MPI);
        r->me = (uint32_t)dtx_transport_rank(r->transport);
        r->size = (uint32_t)dtx_transport_size(r->transport);
        if (dtx_where_check(where, (int)r->size, &err))
            return complain(&err, DTX_EXIT_MPI);
    }
    rc = dtx_cores_detect(&r->cores, &err);
    return rc ? complain(&err, DTX_EXIT_INTERNAL) : 0;
}

static void say_waiting(void *ctx, const char *text)
{
    (void)ctx;
    dtx_log(DTX_LOG_WARN, "%s", text);
}

/* Rank 0: the job on disk, and what the others must know of it. */
static void open_job(struct rank *r, const char *command_line,
                     struct dtx_card *card)
{
    struct dtx_error err = {0, ""};
    struct dtx_buf here = DTX_BUF_INIT;
    uint64_t now = (uint64_t)dtx_clock_wall_ns();
    int fd;

    card->status = dtx_job_open(r->o, r->size, command_line, say_waiting, NULL,
                                &r->job, &err);
    if (card->status) {
        (void)complain(&err, card->status);
        return;
    }
    r->job_open = true;
    if (strlen(r->job.run_dir) >= sizeof(card->run_dir)) {
        dtx_log(DTX_LOG_ERROR, "the run directory's path is too long");
        card->status = DTX_EXIT_RUNDIR;
        return;
    }
    (void)snprintf(card->run_dir, sizeof(card->run_dir), "%s", r->job.run_dir);
    card->epoch = r->job.epoch;
    card->widest = r->job.widest;
    card->nonce = dtx_hash128(&now, sizeof(now), (uint64_t)getpid()).hi;
    dtx_buf_printf(&here, "%s/.here-%016llx", card->run_dir,
                   (unsigned long long)card->nonce);
    fd = here.failed ? -1 : open(here.data, O_WRONLY | O_CREAT | O_CLOEXEC,
                                 0600);
    if (fd >= 0)
        (void)close(fd);
    else
        card->status = DTX_EXIT_RUNDIR;
    dtx_buf_free(&here);
    if (dtx_rundir_link_latest(card->run_dir, &err))
        dtx_log(DTX_LOG_WARN, "%s", err.text);
}

static int gather(struct rank *r, const void *in, size_t len, void *out)
{
    if (!r->transport) {
        memcpy(out, in, len);
        return 0;
    }
    if (dtx_transport_allgather(r->transport, in, len, out)) {
        dtx_log(DTX_LOG_ERROR, "MPI cannot gather");
        return DTX_EXIT_MPI;
    }
    return 0;
}

/* Does every rank see the run directory of rank 0? */
static int check_directory(struct rank *r)
{
    char path[DTX_CARD_DIR + 64];
    int32_t sees, *all = calloc(r->size, sizeof(*all));
    uint32_t i;
    int rc;

    if (!all)
        return DTX_EXIT_INTERNAL;
    (void)snprintf(path, sizeof(path), "%s/.here-%016llx",
                   r->cards[0].run_dir,
                   (unsigned long long)r->cards[0].nonce);
    sees = access(path, F_OK) == 0;
    rc = gather(r, &sees, sizeof(sees), all);
    if (r->me == 0)
        (void)unlink(path);
    for (i = 0; i < r->size && !rc; i++) {
        if (all[i])
            continue;
        rc = DTX_EXIT_RUNDIR;
        if (r->me == 0)
            dtx_log(DTX_LOG_ERROR,
                    "rank %u on %s does not see the run directory %s of rank "
                    "0 on %s: put it on a file system that all nodes share "
                    "(--run-dir)",
                    i, r->cards[i].host, r->cards[0].run_dir,
                    r->cards[0].host);
    }
    free(all);
    return rc;
}

static int check_width(const struct rank *r)
{
    if (r->cards[0].widest <= r->share.most_slots)
        return 0;
    if (r->me == 0)
        dtx_log(DTX_LOG_ERROR,
                "a task asks for cpus=%u and no rank has more than %u slots: "
                "start fewer ranks with more cores each, such as mpirun "
                "--map-by node --bind-to none, or give --jobs",
                r->cards[0].widest, r->share.most_slots);
    return DTX_EXIT_TASKFILE;
}

/* Tell the supervisor that all ranks hear signals now. */
static void say_ready(const struct rank *r)
{
    const char *marker = getenv(DTX_MARKER_ENV);

    if (r->me == 0 && marker && dtx_supervise_ready(marker))
        dtx_log(DTX_LOG_WARN, "cannot write beside the completion marker %s",
                marker);
}

/* Meet the other ranks. */
static int meet(struct rank *r, const char *command_line)
{
    struct dtx_card *card = calloc(1, sizeof(*card));
    int rc;

    r->cards = calloc(r->size, sizeof(*r->cards));
    if (!card || !r->cards) {
        free(card);
        return DTX_EXIT_INTERNAL;
    }
    dtx_card_fill(card, &r->cores, r->bell);
    if (r->me == 0)
        open_job(r, command_line, card);
    rc = gather(r, card, sizeof(*card), r->cards);
    free(card);
    if (rc)
        return rc;
    say_ready(r);
    rc = r->cards[0].status;
    if (!rc)
        rc = check_directory(r);
    r->phase = AGREED;
    if (rc)
        return rc;
    r->run_dir = r->cards[0].run_dir;
    r->epoch = r->cards[0].epoch;
    dtx_share_of(r->cards, r->size, r->me, r->o->jobs, &r->share);
    return check_width(r);
}

/* ---- the parts ---- */

/* The processing units of each slot; NULL: do not bind. */
static struct dtx_slot_cpus *slot_cpus(const struct rank *r)
{
    const struct dtx_share *s = &r->share;
    struct dtx_slot_cpus *slots;
    uint32_t i;

    if (r->o->bind == DTX_BIND_NONE || !r->cores.real ||
        s->nslots > s->ncores)
        return NULL;
    slots = calloc(s->nslots, sizeof(*slots));
    for (i = 0; slots && i < s->nslots; i++) {
        const struct dtx_core *c = &r->cores.core[s->first_core + i];

        slots[i].pus = r->cores.pus + c->first_pu;
        slots[i].npus = c->npus;
    }
    return slots;
}

static int configure_spawner(struct rank *r, struct dtx_error *err)
{
    struct dtx_slot_cpus *slots = slot_cpus(r);
    char cwd[4096];
    struct dtx_spawner_config c;
    int rc;

    memset(&c, 0, sizeof(c));
    if (!getcwd(cwd, sizeof(cwd)))
        (void)snprintf(cwd, sizeof(cwd), "/");
    c.nslots = r->share.nslots;
    c.first_slot = r->share.first_slot;
    c.slots = slots;
    c.bind_single = r->o->bind == DTX_BIND_CORE;
    c.rank = r->me;
    c.shell = r->o->shell;
    c.cwd = r->job_open ? r->job.cwd : cwd;
    c.run_dir = r->run_dir;
    c.tmp_dir = r->o->tmp_dir;
    c.capture = true;
    c.grace_ns = r->o->grace_ns;
    c.env = environ;
    rc = dtx_spawner_configure(r->spawner, &c, err);
    free(slots);
    return rc;
}

static void notify(void *ctx)
{
    dtx_bell_ring(((struct rank *)ctx)->bell);
}

static int start_packer(struct rank *r, struct dtx_error *err)
{
    struct dtx_writer_config c;

    memset(&c, 0, sizeof(c));
    c.output = r->output;
    c.notify = notify;
    c.ctx = r;
    return dtx_writer_start(&c, &r->packer, err);
}

static int start_writer(struct rank *r, struct dtx_error *err)
{
    struct dtx_writer_config c;

    memset(&c, 0, sizeof(c));
    c.journal = r->job.journal;
    c.index = r->job.index;
    c.lease = r->job.lease;
    c.sync_ns = r->o->sync_ns;
    c.notify = notify;
    c.ctx = r;
    return dtx_writer_start(&c, &r->writer, err);
}

static int make_worker(struct rank *r, struct dtx_error *err)
{
    struct dtx_worker_config c;
    int rc = configure_spawner(r, err);

    if (rc == DTX_OK)
        rc = dtx_output_open(r->run_dir, r->epoch, r->me, &r->output, err);
    if (rc == DTX_OK)
        rc = start_packer(r, err);
    if (rc)
        return rc;
    memset(&c, 0, sizeof(c));
    c.rank = r->me;
    c.epoch = r->epoch;
    c.slots = r->share.nslots;
    c.ahead = r->share.nslots;
    c.host = r->cards[r->me].host;
    r->worker = dtx_worker_create(&c);
    r->exec = dtx_exec_create(r->spawner, r->packer);
    r->reader = dtx_output_reader_create(r->run_dir);
    if (!r->worker || !r->exec || !r->reader)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    return DTX_OK;
}

static const char *host_of(void *ctx, uint32_t rank)
{
    return ((struct rank *)ctx)->cards[rank].host;
}

static bool is_near(void *ctx, uint32_t rank)
{
    const struct rank *r = ctx;

    return dtx_card_same_node(&r->cards[rank], &r->cards[0]);
}

static void ended(void *ctx, const struct dtx_outcome *o, bool final)
{
    struct rank *r = ctx;

    r->last_ns = dtx_clock_mono_ns();
    dtx_report_ended(r->report, o, final);
}

static void tell_stopping(struct rank *r)
{
    struct dtx_master_stats s;

    dtx_master_stats(r->master, &s);
    if (s.stopping <= r->told)
        return;
    r->told = s.stopping;
    if (s.stopping == DTX_STOP_KILL)
        dtx_log(DTX_LOG_WARN, "ending %llu running tasks",
                (unsigned long long)s.granted);
    else
        dtx_log(DTX_LOG_WARN,
                "%s: nothing new is started, %llu running tasks may finish; "
                "Ctrl-C once more ends them now",
                s.halted ? "halting" : "draining",
                (unsigned long long)s.granted);
}

/* Can a line be written without waiting for whoever reads? */
static bool may_write(int fd)
{
    struct pollfd pf = {fd, POLLOUT, 0};

    return poll(&pf, 1, 0) == 1 && (pf.revents & POLLOUT) != 0;
}

static enum dtx_stop tick(void *ctx)
{
    struct rank *r = ctx;
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_report_line(r->report, dtx_clock_mono_ns(), &b);
    if (b.len > 0 && !r->no_bar && may_write(STDERR_FILENO))
        r->no_bar = write(STDERR_FILENO, b.data, b.len) < 0;
    dtx_buf_free(&b);
    tell_stopping(r);
    return dtx_rundir_stop_seen(r->job.lease) ? DTX_STOP_DRAIN
                                              : (enum dtx_stop)0;
}

static int make_master(struct rank *r, struct dtx_error *err)
{
    struct dtx_master_config c;
    struct dtx_show_config s;
    struct dtx_report_config p;

    memset(&c, 0, sizeof(c));
    c.epoch = r->epoch;
    c.nranks = r->size;
    c.policy = r->o->policy;
    c.seed = r->o->seed;
    c.retries = r->o->retries;
    c.timeout_ns = r->o->timeout_ns;
    c.retry_pause_ns = r->o->retry_delay_ns;
    c.halt = r->o->halt;
    c.list = &r->job.list;
    c.graph = &r->job.graph;
    c.prior = r->job.prior;
    c.attempts = r->job.attempts;
    r->master = dtx_master_create(&c, err);
    if (!r->master || start_writer(r, err))
        return err->code;
    p = (struct dtx_report_config){
        r->master, &r->job.list, r->run_dir, r->epoch, r->size,
        r->o->bar || (isatty(STDERR_FILENO) && !r->o->quiet),
        isatty(STDERR_FILENO) == 1};
    r->report = dtx_report_create(&p);
    if (!r->report)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    s = (struct dtx_show_config){.run_dir = r->run_dir,
                                 .epoch = r->epoch,
                                 .list = &r->job.list,
                                 .output = !r->o->no_output,
                                 .wipe = p.bar && p.tty,
                                 .joblog = r->o->joblog,
                                 .append = r->job.resumed,
                                 .host = host_of,
                                 .is_near = is_near,
                                 .notify = notify,
                                 .ctx = r};
    return dtx_show_start(&s, &r->show, err);
}

static int make_loop(struct rank *r, struct dtx_error *err)
{
    struct dtx_loop_config c;

    memset(&c, 0, sizeof(c));
    c.rank = r->me;
    c.size = r->size;
    c.epoch = r->epoch;
    c.transport = r->transport;
    c.cards = r->cards;
    c.bell = r->bell;
    c.worker = r->worker;
    c.spawner = r->spawner;
    c.exec = r->exec;
    c.writer = r->writer;
    c.reader = r->reader;
    c.master = r->master;
    c.show = r->show;
    c.run_dir = r->run_dir;
    c.ended = ended;
    c.tick = r->master ? tick : NULL;
    c.ctx = r;
    r->loop = dtx_loop_create(&c);
    return r->loop ? DTX_OK
                   : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

/* ---- rank 0's words ---- */

static void greet(const struct rank *r)
{
    dtx_log(DTX_LOG_INFO,
            "%zu tasks on %u rank%s, %u node%s, %llu slots, policy %s; run "
            "directory %s",
            r->job.list.ntasks, r->size, r->size == 1 ? "" : "s",
            r->share.nodes, r->share.nodes == 1 ? "" : "s",
            (unsigned long long)r->share.job_slots,
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
    if (!r->o->jobs && r->share.job_slots * 2 <= r->share.job_cores)
        dtx_log(DTX_LOG_WARN,
                "using %llu of %llu cores: launch with one rank a core, or "
                "with mpirun --bind-to none",
                (unsigned long long)r->share.job_slots,
                (unsigned long long)r->share.job_cores);
}

static int status_of(const struct rank *r, const struct dtx_master_stats *s)
{
    if (dtx_loop_trouble(r->loop))
        return dtx_loop_trouble(r->loop);
    if (dtx_signals_asked() == DTX_STOP_KILL && s->left > 0)
        return DTX_EXIT_INTERRUPTED;
    if (s->left > 0 && !(s->halted && s->failed > 0))
        return DTX_EXIT_STOPPED;
    return dtx_exit_of_failed(s->failed + s->skipped);
}

static void summarise(struct rank *r, const struct dtx_master_stats *s)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_report_wipe(r->report, &b);
    if (!r->o->quiet) {
        dtx_report_summary(
            r->report, r->last_ns ? r->last_ns - r->begin_ns : 0, &b);
        if (s->left > 0)
            dtx_buf_printf(&b,
                           "resume     distributex run --resume --run-dir %s\n",
                           r->run_dir);
    }
    if (b.len > 0 && write(STDERR_FILENO, b.data, b.len) < 0)
        dtx_log(DTX_LOG_DEBUG, "nobody reads the summary");
    dtx_buf_free(&b);
}

static void stop_packing(struct rank *r)
{
    if (r->packer)
        (void)dtx_writer_stop(r->packer, NULL);
    r->packer = NULL;
    dtx_output_close(r->output);
    r->output = NULL;
}

/* Under a supervisor the marker tells the status and the rank itself leaves
 * with 0, so that mpirun has nothing to say about it. */
static int mark(struct rank *r, int status)
{
    const char *marker = getenv(DTX_MARKER_ENV);

    r->marked = true;
    if (!marker)
        return status;
    if (r->me == 0 && dtx_supervise_mark(marker, status)) {
        dtx_log(DTX_LOG_ERROR, "cannot write the completion marker %s",
                marker);
        return status;
    }
    return 0;
}

/* Rank 0: tell, and write the session's end. */
static int conclude(struct rank *r)
{
    struct dtx_master_stats s;
    struct dtx_job_end end;
    struct dtx_error err = {0, ""};
    int status;

    dtx_master_stats(r->master, &s);
    status = status_of(r, &s);
    summarise(r, &s);
    end = (struct dtx_job_end){(uint32_t)status, s.ok, s.failed + s.skipped,
                               s.left};
    if (dtx_writer_stop(r->writer, &err))
        status = complain(&err, DTX_EXIT_STORAGE);
    r->writer = NULL;
    dtx_show_stop(r->show);
    r->show = NULL;
    if (dtx_job_close(&r->job, &end, &err))
        status = complain(&err, DTX_EXIT_STORAGE);
    r->job_open = false;
    r->leave = mark(r, status);
    dtx_loop_dismiss(r->loop);
    return status;
}

/* ---- whole ---- */

static int live(struct rank *r)
{
    struct dtx_error err = {0, ""};
    int rc, status;

    r->phase = WORKING;
    rc = make_worker(r, &err);
    if (rc == DTX_OK && r->me == 0)
        rc = make_master(r, &err);
    if (rc == DTX_OK)
        rc = make_loop(r, &err);
    if (rc)
        return complain(&err, dtx_job_status_of(rc));
    if (r->me == 0)
        greet(r);
    r->begin_ns = dtx_clock_mono_ns();
    status = dtx_loop_run(r->loop, &err);
    if (status)
        return complain(&err, status);
    if (dtx_exec_error(r->exec))
        dtx_log(DTX_LOG_ERROR,
                "rank %u: an output could not be written to %s/out: %s; its "
                "task runs again after --resume",
                r->me, r->run_dir, dtx_strerror(dtx_exec_error(r->exec)));
    stop_packing(r); /* all outputs are on disk before the end is recorded */
    status = dtx_loop_part(r->loop, &err);
    if (status)
        return complain(&err, status);
    r->phase = ORDERLY;
    return r->me == 0 ? conclude(r) : 0;
}

static void take_down(struct rank *r)
{
    dtx_spawner_stop(r->spawner);
    dtx_loop_destroy(r->loop);
    if (r->writer)
        (void)dtx_writer_stop(r->writer, NULL);
    stop_packing(r);
    dtx_show_stop(r->show);
    dtx_exec_destroy(r->exec);
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
static void abandon(struct rank *r, int status)
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
                  const struct dtx_where_info *where,
                  const char *command_line)
{
    struct rank r;
    int status;

    memset(&r, 0, sizeof(r));
    r.o = o;
    status = begin(&r, where);
    if (!status)
        status = meet(&r, command_line);
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
