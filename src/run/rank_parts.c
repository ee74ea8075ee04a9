/* SPDX-License-Identifier: MIT */
/* Building the parts of a rank and joining them; see rank_state.h.  It
 * decides nothing: the parts do. */
#include <fcntl.h>
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
#include "node/spawner.h"
#include "run/exec.h"
#include "run/forecast.h"
#include "run/launcher.h"
#include "run/learn.h"
#include "run/lines.h"
#include "run/loop.h"
#include "run/noderun.h"
#include "run/options.h"
#include "run/nodes.h"
#include "run/place.h"
#include "run/rank_state.h"
#include "run/report.h"
#include "run/show.h"
#include "run/sidefile.h"
#include "run/signals.h"
#include "run/spread.h"
#include "run/stream.h"
#include "run/supervise.h"
#include "run/terminal.h"
#include "run/voice.h"
#include "run/watch.h"
#include "run/where.h"
#include "store/output.h"
#include "store/rundir.h"
#include "store/writer.h"
#include "task/args.h"

/* Tasks handed to the spawner beyond its slots, for each slot: enough that the
 * ends of short tasks can be heard of in groups.  What has not started can be
 * taken back at once, so nothing is lost by it. */
#define AHEAD 24
/* Between the end of a task by a signal and the news that the whole job is
 * ended: slurmd signals the processes of a step one after the other, which
 * takes milliseconds, and a rank on a busy machine may be some tenths of a
 * second late to tell of it. mpirun, told to end, signals its ranks a second
 * later. Twice that, then, for the latter to count as the same end. */
#define DOUBT_NS (2 * DTX_SEC_NS)

/* ---- the parts ---- */

static void notify(void *ctx)
{
    dtx_bell_ring(((struct dtx_rank_life *)ctx)->bell);
}

static int start_packer(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_writer_config c;

    memset(&c, 0, sizeof(c));
    c.output = r->output;
    c.passing = r->passing;
    c.keep = r->o->keep;
    c.notify = notify;
    c.ctx = r;
    return dtx_writer_start(&c, &r->packer, err);
}

static int start_writer(struct dtx_rank_life *r, struct dtx_error *err)
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

/* With -k the order of the tasks wins. */
static bool shows_lines(const struct dtx_options *o)
{
    return o->line_buffer && !o->no_output && !o->keep_order;
}

static int make_worker(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_worker_config c;
    int rc = dtx_rank_configure_spawner(r, err);

    if (rc == DTX_OK)
        rc = dtx_output_open(r->run_dir, r->epoch, r->me, &r->output, err);
    if (rc == DTX_OK && r->o->keep != DTX_KEEP_ALL && !r->o->no_output)
        rc = dtx_output_open_passing(r->run_dir, r->epoch, r->me, &r->passing,
                                     err);
    if (rc == DTX_OK)
        rc = start_packer(r, err);
    if (rc)
        return rc;
    memset(&c, 0, sizeof(c));
    c.rank = r->me;
    c.epoch = r->epoch;
    c.slots = r->share.nslots;
    c.ahead = r->share.nslots * AHEAD;
    c.host = r->cards[r->me].host;
    c.lost_after_ns = r->me > 0 ? r->o->lost_after_ns : 0;
    r->worker = dtx_worker_create(&c);
    r->exec = dtx_exec_create(r->spawner, r->packer);
    if (r->exec)
        dtx_exec_devices(r->exec, &r->machine);
    if (r->exec && r->o->results)
        dtx_exec_pack_all(r->exec);
    if (shows_lines(r->o))
        r->lines = dtx_lines_create(r->spawner, r->size);
    if (r->exec && r->lines)
        dtx_exec_tell(r->exec, r->lines);
    r->reader = dtx_output_reader_create(r->run_dir);
    if (!r->worker || !r->exec || !r->reader ||
        (shows_lines(r->o) && !r->lines))
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    return DTX_OK;
}

static const char *host_of(void *ctx, uint32_t rank)
{
    return ((struct dtx_rank_life *)ctx)->cards[rank].host;
}

static bool is_unfit(void *ctx, uint32_t rank)
{
    const struct dtx_rank_life *r = ctx;

    return r->node && dtx_noderun_failed_for(r->node, rank);
}

/* Can its outputs be read here? Of a lost rank they can only be read here. */
static bool is_near(void *ctx, uint32_t rank)
{
    const struct dtx_rank_life *r = ctx;

    return (r->watch && dtx_watch_cause(r->watch, rank)) ||
           dtx_card_same_node(&r->cards[rank], &r->cards[0]);
}

static void ended(void *ctx, const struct dtx_outcome *o, bool final)
{
    struct dtx_rank_life *r = ctx;
    const struct dtx_usage *class;

    r->last_ns = dtx_clock_mono_ns();
    dtx_report_ended(r->report, o, final);
    class = dtx_usage_hear(&r->usage, &r->job.list, o);
    if (r->spread)
        dtx_spread_ended(r->spread, class, o);
    if (r->learn)
        dtx_learn_ended(r->learn, o, r->cards[o->rank].host);
}

static void lost(void *ctx, uint32_t rank)
{
    struct dtx_rank_life *r = ctx;
    struct dtx_buf b = DTX_BUF_INIT;

    if (!dtx_report_lost(r->report, rank, &b))
        dtx_log(DTX_LOG_DEBUG, "rank %u is lost", rank);
    else if (!b.failed)
        dtx_log(DTX_LOG_WARN, "%s", b.data);
    dtx_buf_free(&b);
}

static const char *cause_of(void *ctx, uint32_t rank)
{
    struct dtx_rank_life *r = ctx;

    return r->watch ? dtx_watch_cause(r->watch, rank) : NULL;
}

void dtx_rank_tell_stopping(struct dtx_rank_life *r)
{
    struct dtx_master_stats s;

    dtx_master_stats(r->master, &s);
    if (s.stopping <= r->told)
        return;
    r->told = s.stopping;
    if (s.expired)
        dtx_log(DTX_LOG_WARN,
                "the time is nearly over: what still runs is ended, and runs "
                "again after --resume");
    else if (s.stopping == DTX_STOP_KILL)
        dtx_log(DTX_LOG_WARN, "ending %llu running tasks",
                (unsigned long long)s.granted);
    else
        dtx_log(DTX_LOG_WARN,
                "%s: nothing new is started, %llu running tasks may finish; "
                "Ctrl-C once more ends them now",
                s.halted ? "halting" : "draining",
                (unsigned long long)s.granted);
}

void dtx_rank_tell_late(struct dtx_rank_life *r)
{
    struct dtx_master_stats s;

    dtx_master_stats(r->master, &s);
    if (r->told_late || s.late == 0 || s.stopping)
        return;
    r->told_late = true;
    dtx_log(DTX_LOG_WARN,
            "too little time is left to start more tasks of their usual "
            "length: %llu task%s left for --resume, %llu %s",
            (unsigned long long)s.late, s.late == 1 ? " is" : "s are",
            (unsigned long long)s.granted, s.granted == 1 ? "runs" : "run");
}

/* Slurm is asked anew after a signal, here or on another rank, since that may
 * mean preemption. */
static void heed_deadline(struct dtx_rank_life *r)
{
    unsigned heard = dtx_signals_count() + (r->told != 0);

    if (heard != r->heard) {
        r->heard = heard;
        dtx_deadline_ask(&r->deadline);
    }
    dtx_rank_deadline(r, 0);
    dtx_rank_tell_late(r);
}

static void predict(struct dtx_rank_life *r)
{
    struct dtx_costs costs;

    dtx_learn_tick(r->learn);
    if (dtx_learn_again(r->learn, r->master, r->o->late, &costs))
        dtx_loop_costs(r->loop, &costs);
    if (r->forecast)
        dtx_forecast_tick(r->forecast);
    dtx_slow_tick(&r->slow, dtx_clock_mono_ns());
}

/* Tasks of a live list. */
static void arrive(void *ctx, struct dtx_arrival *a)
{
    struct dtx_rank_life *r = ctx;

    dtx_learn_arrive(r->learn, r->o->late, a);
}

static const char *left_of(void *ctx)
{
    return dtx_forecast_line(((struct dtx_rank_life *)ctx)->forecast);
}

static enum dtx_stop tick(void *ctx)
{
    struct dtx_rank_life *r = ctx;
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_costs costs;

    (void)dtx_voice_flush(0);
    dtx_report_line(r->report, dtx_clock_mono_ns(), dtx_terminal_columns(),
                    &b);
    if (b.len > 0 && !r->no_bar)
        r->no_bar = !dtx_voice_try(b.data, b.len);
    dtx_buf_free(&b);
    dtx_rank_tell_stopping(r);
    heed_deadline(r);
    if (r->spread &&
        dtx_spread_tick(r->spread, r->master, dtx_clock_wall_ns(), &costs))
        dtx_loop_costs(r->loop, &costs);
    if (r->learn)
        predict(r);
    dtx_neighbours_tick(&r->neighbours, dtx_clock_mono_ns());
    return dtx_rundir_stop_seen(r->job.lease) ? DTX_STOP_DRAIN
                                              : (enum dtx_stop)0;
}

/* Nothing more comes of this task in this session. */
static bool is_settled(void *ctx, uint32_t task)
{
    const struct dtx_rank_life *r = ctx;

    switch (dtx_master_task_state(r->master, task)) {
    case DTX_TASK_OK:
    case DTX_TASK_FAILED:
    case DTX_TASK_SKIPPED:
    case DTX_TASK_LEFT:
        return true;
    default:
        return false;
    }
}

/* What --tag puts before each line. */
static void tag_of(void *ctx, uint32_t task, struct dtx_buf *b)
{
    dtx_args_tag(b, &((struct dtx_rank_life *)ctx)->job.list, task);
    dtx_buf_char(b, '\t');
}

/* What the master is to know; costs apart. */
static struct dtx_master_config master_config(const struct dtx_rank_life *r)
{
    struct dtx_master_config c;

    memset(&c, 0, sizeof(c));
    c.epoch = r->epoch;
    c.nranks = r->size;
    c.policy = r->o->policy;
    c.retries = r->o->retries;
    c.timeout_ns = r->o->timeout_ns;
    c.timeout_percent = r->o->timeout_percent;
    c.retry_pause_ns = r->o->retry_delay_ns;
    c.doubt_ns = DOUBT_NS;
    c.delay_ns = r->o->delay_ns;
    c.grace_ns = r->o->grace_ns;
    c.leave_ns = DTX_DEADLINE_LEAVE_NS;
    c.late = r->o->late;
    c.equal_speeds = r->o->equal_speeds;
    c.halt = r->o->halt;
    c.lost_after_ns = r->transport ? r->o->lost_after_ns : 0;
    c.crash_limit = r->o->crash_limit;
    c.list = &r->job.list;
    c.graph = &r->job.graph;
    c.layout = r->job.layout;
    c.live = r->job.live;
    c.prior = r->job.prior;
    c.attempts = r->job.attempts;
    c.losses = r->job.losses;
    return c;
}

/* What is known before of what the tasks will take. */
static int begin_learning(struct dtx_rank_life *r, struct dtx_master_config *c,
                          struct dtx_error *err)
{
    const float *low, *high;

    r->job.no_look = r->o->no_look;
    if (dtx_learn_begin(r->o->history, &r->job, &r->learn, err))
        return err->code;
    dtx_learn_bounds(r->learn, &low, &high);
    c->cost_s = dtx_learn_costs(r->learn);
    c->need_s = c->late == DTX_LATE_SAFE      ? high
                : c->late == DTX_LATE_HOPEFUL ? low
                                              : NULL;
    c->longest_first = c->speeds = r->learn != NULL;
    return DTX_OK;
}

static int begin_forecast(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_forecast_config c = {
        .learn = r->learn, .master = r->master, .list = &r->job.list,
        .nranks = r->size, .slots = (uint32_t)r->share.job_slots,
        .kept_ns = r->o->grace_ns + DTX_DEADLINE_LEAVE_NS};

    if (!r->learn)
        return DTX_OK;
    r->forecast = dtx_forecast_create(&c);
    return r->forecast ? DTX_OK
                       : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

/* How far the ranks are apart; of one rank there is nothing to tell. */
static int weigh_ways(struct dtx_rank_life *r, struct dtx_master_config *c,
                      struct dtx_error *err)
{
    struct dtx_nodes nodes;
    int rc;

    if (r->size == 1 || r->o->blind_steals)
        return DTX_OK;
    rc = dtx_nodes_init(&nodes, r->cards, r->size);
    if (rc == DTX_OK) {
        rc = dtx_nodes_zones(&nodes, r->cards, r->size, &r->zones);
        dtx_nodes_fini(&nodes);
    }
    if (rc != DTX_OK)
        return dtx_error_set(err, rc, "out of memory");
    c->zones = &r->zones;
    dtx_nodes_ways(&c->ways);
    return DTX_OK;
}

/* Whose memory tasks share, where their counters may tell what they move. */
static int weigh_memory(struct dtx_rank_life *r, struct dtx_master_config *c,
                        struct dtx_error *err)
{
    struct dtx_spread_config s = {
        .cards = r->cards, .ncards = r->size, .jobs = &r->o->jobs,
        .numa_bytes = r->o->numa_bytes, .usage = &r->usage.all,
        .list = &r->job.list};

    if (!r->o->numa_spread || r->o->no_counters)
        return DTX_OK;
    r->spread = dtx_spread_create(&s);
    if (!r->spread)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    c->traffic = dtx_spread_traffic(r->spread);
    return DTX_OK;
}

static int make_master(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_master_config c = master_config(r);
    struct dtx_show_config s;
    struct dtx_report_config p;
    bool terminal = dtx_terminal_columns() > 0;

    if (r->o->launcher &&
        dtx_launcher_env(&r->job.list, r->share.nodes, r->share.job_slots, err))
        return err->code;
    if (weigh_ways(r, &c, err) || weigh_memory(r, &c, err) ||
        begin_learning(r, &c, err))
        return err->code;
    c.stock = r->needs.stock;
    c.mem_bytes = r->o->mem_bytes;
    c.gpus = r->o->gpus;
    r->usage.mem_bytes = r->o->mem_bytes;
    r->master = dtx_master_create(&c, err);
    r->slow = (struct dtx_slow){.master = r->master, .nranks = r->size,
                                .heeded = !r->o->equal_speeds};
    r->neighbours = (struct dtx_neighbours){.master = r->master,
                                            .nranks = r->size,
                                            .heeded = !r->o->equal_speeds};
    if (!r->master || begin_forecast(r, err) || start_writer(r, err))
        return err->code;
    p = (struct dtx_report_config){
        .master = r->master,
        .list = &r->job.list,
        .run_dir = r->run_dir,
        .epoch = r->epoch,
        .nranks = r->size,
        .bar = r->o->bar || r->o->eta || (terminal && !r->o->quiet),
        .tty = terminal,
        .gone = r->o->eta,
        .mem_bytes = r->needs.all_mem,
        .gpus = r->needs.all_gpus,
        .mem_each = r->o->mem_bytes,
        .gpus_each = r->o->gpus,
        .host = host_of,
        .unfit = is_unfit,
        .cause = cause_of,
        .left = r->forecast ? left_of : NULL,
        .ctx = r};
    r->report = dtx_report_create(&p);
    if (!r->report)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    s = (struct dtx_show_config){.run_dir = r->run_dir,
                                 .epoch = r->epoch,
                                 .list = &r->job.list,
                                 .output = !r->o->no_output,
                                 .passing = r->passing ? r->size : 0,
                                 .wipe = p.bar && p.tty,
                                 .joblog = r->o->joblog,
                                 .append = r->job.resumed ||
                                           r->job.from_joblog,
                                 .lines = shows_lines(r->o),
                                 .keep_order = r->o->keep_order,
                                 .is_settled = is_settled,
                                 .tag_of = r->o->tag ? tag_of : NULL,
                                 .live = r->job.live,
                                 .host = host_of,
                                 .is_near = is_near,
                                 .notify = notify,
                                 .ctx = r};
    return dtx_show_start(&s, &r->show, err);
}

/* The option's command, or the task file's; NULL for none. */
static int find_command(struct dtx_rank_life *r, const char *option,
                        unsigned which, struct dtx_buf *text,
                        const char **command, struct dtx_error *err)
{
    int rc = DTX_OK;

    *command = option;
    if (option || !(r->cards[0].commands & which))
        return DTX_OK;
    rc = dtx_sidefile_command(r->run_dir, which, text, err);
    if (rc == DTX_OK)
        dtx_buf_append(text, "", 1);
    if (rc == DTX_OK && text->failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    *command = text->data;
    return rc;
}

/* What runs once on each node, if anything does. */
static int make_node(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_noderun_config c = {.rank = r->me,
                                   .size = r->size,
                                   .cards = r->cards,
                                   .spawner = r->spawner,
                                   .slots = r->share.nslots,
                                   .limit_ns = r->o->node_limit_ns};
    int rc = find_command(r, r->o->node_setup, DTX_SIDE_SETUP, &r->setup,
                          &c.setup, err);

    if (rc == DTX_OK)
        rc = find_command(r, r->o->node_teardown, DTX_SIDE_TEARDOWN,
                          &r->teardown, &c.teardown, err);
    if (rc)
        return rc;
    if (!c.setup && !c.teardown)
        return DTX_OK;
    r->node = dtx_noderun_create(&c);
    return r->node ? DTX_OK : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

/* Where the tasks of a live list come from. */
static int start_stream(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_taskstream_config c;

    if (!r->job.live)
        return DTX_OK;
    memset(&c, 0, sizeof(c));
    c.fd = r->job.stream_fd;
    c.name = r->job.source;
    c.list = &r->job.list;
    c.most_cpus = r->share.most_slots;
    c.needs = &r->needs;
    c.writer = r->writer;
    c.carrier = r->job.carrier;
    c.cwd = r->job.cwd;
    c.again = r->o->resume == DTX_RESUME_FAILED;
    c.notify = notify;
    c.ctx = r;
    return dtx_taskstream_start(&c, &r->stream, err);
}

/* From here on this rank's end does not go unseen, nor that of others. */
static int make_watch(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_watch_config c = {.rank = r->me,
                                 .size = r->size,
                                 .cards = r->cards,
                                 .run_dir = r->run_dir,
                                 .epoch = r->epoch,
                                 .lease = r->job.lease};
    struct dtx_buf path = DTX_BUF_INIT;
    const char *marker = getenv(DTX_MARKER_ENV);
    int rc = DTX_OK;

    if (!r->transport)
        return DTX_OK;
    if (r->me == 0)
        rc = dtx_rundir_hear_losses(r->job.lease, err);
    if (rc)
        return rc;
    if (r->me == 0 && marker)
        dtx_marker_lost_path(&path, marker);
    else
        dtx_rundir_loss_path(&path, r->run_dir, r->epoch, r->me);
    r->watch = dtx_watch_create(&c);
    if (!r->watch || path.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (dtx_spawner_guard(r->spawner, path.data,
                               dtx_pulse_still(r->o->lost_after_ns), true))
        rc = dtx_error_set(err, DTX_ELIMIT,
                           "the run directory's path is too long");
    dtx_buf_free(&path);
    return rc;
}

static int make_loop(struct dtx_rank_life *r, struct dtx_error *err)
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
    c.lines = r->lines;
    c.writer = r->writer;
    c.reader = r->reader;
    c.node = r->node;
    c.watch = r->watch;
    c.others = r->others = dtx_neighbours_watch(r->cards, r->size, r->me,
                                                &r->cores, &r->share);
    c.lost_after_ns = r->o->lost_after_ns;
    c.lost = lost;
    c.master = r->master;
    c.list = &r->job.list;
    c.stream = r->stream;
    c.show = r->show;
    c.run_dir = r->run_dir;
    c.arrive = r->learn ? arrive : NULL;
    c.ended = ended;
    c.tick = r->master ? tick : NULL;
    c.ctx = r;
    r->loop = dtx_loop_create(&c);
    return r->loop ? DTX_OK : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

int dtx_rank_build(struct dtx_rank_life *r, struct dtx_error *err)
{
    int rc = make_worker(r, err);

    if (rc == DTX_OK && r->me == 0)
        rc = make_master(r, err);
    if (rc == DTX_OK && r->me == 0)
        rc = start_stream(r, err);
    if (rc == DTX_OK)
        rc = make_node(r, err);
    if (rc == DTX_OK)
        rc = make_watch(r, err);
    if (rc == DTX_OK)
        rc = make_loop(r, err);
    return rc;
}
