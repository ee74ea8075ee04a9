/* SPDX-License-Identifier: MIT */
/* Agreeing with the other ranks before any task has run; see rank_state.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "mpi/transport.h"
#include "node/clock.h"
#include "run/alloc.h"
#include "run/deadline.h"
#include "run/job.h"
#include "run/needs.h"
#include "run/options.h"
#include "run/place.h"
#include "run/rank_state.h"
#include "run/sidefile.h"
#include "run/status.h"
#include "run/supervise.h"

static void say_waiting(void *ctx, const char *text)
{
    (void)ctx;
    dtx_log(DTX_LOG_WARN, "%s", text);
}

/* Rank 0: the job on disk, and what the others must know of it. */
static void open_job(struct dtx_rank_life *r, const char *command_line,
                     struct dtx_card *card)
{
    struct dtx_error err = {0, ""};
    struct dtx_buf here = DTX_BUF_INIT;
    uint64_t now = (uint64_t)dtx_clock_wall_ns();
    int fd;

    card->status = dtx_deadline_check(r->o, &err);
    if (!card->status)
        card->status = dtx_job_open(r->o, r->size, command_line, say_waiting,
                                    NULL, &r->job, &err);
    if (card->status) {
        (void)dtx_rank_complain(&err, card->status);
        return;
    }
    r->job_open = true;
    card->status = dtx_sidefile_keep(r->o, &r->job, &card->commands, &err);
    if (card->status) {
        (void)dtx_rank_complain(&err, card->status);
        return;
    }
    if (strlen(r->job.run_dir) >= sizeof(card->run_dir)) {
        dtx_log(DTX_LOG_ERROR, "the run directory's path is too long");
        card->status = DTX_EXIT_RUNDIR;
        return;
    }
    (void)snprintf(card->run_dir, sizeof(card->run_dir), "%s", r->job.run_dir);
    card->epoch = r->job.epoch;
    card->widest = r->job.widest;
    card->needy = dtx_needs_asked(&r->job.list, r->job.live, r->o->mem_bytes,
                                  r->o->gpus);
    card->tasks = r->job.live ? 0 : (uint32_t)r->job.list.ntasks;
    card->nonce = dtx_hash128(&now, sizeof(now), (uint64_t)getpid()).hi;
    dtx_buf_printf(&here, "%s/.here-%016llx", card->run_dir,
                   (unsigned long long)card->nonce);
    fd = here.failed ? -1
                     : open(here.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    else
        card->status = DTX_EXIT_RUNDIR;
    dtx_buf_free(&here);
}

static int gather(struct dtx_rank_life *r, const void *in, size_t len,
                  void *out)
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
static int check_directory(struct dtx_rank_life *r)
{
    char path[DTX_CARD_DIR + 64];
    int32_t sees, *all = calloc(r->size, sizeof(*all));
    uint32_t i;
    int rc;

    if (!all)
        return DTX_EXIT_INTERNAL;
    (void)snprintf(path, sizeof(path), "%s/.here-%016llx", r->cards[0].run_dir,
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
                    i, r->cards[i].host, r->cards[0].run_dir, r->cards[0].host);
    }
    free(all);
    return rc;
}

static const char *list_name(const struct dtx_rank_life *r)
{
    if (r->o->form == DTX_FORM_TASKFILE)
        return r->o->task_file;
    return r->job.from ? r->job.from : "arguments";
}

static int check_width(const struct dtx_rank_life *r)
{
    if (r->cards[0].widest <= r->share.most_slots)
        return 0;
    if (r->me == 0)
        dtx_log(DTX_LOG_ERROR,
                "%s:%u: task %llu asks for cpus=%u and no rank has more "
                "than %u slot%s: start fewer ranks with more cores each, such "
                "as mpirun --map-by node --bind-to none, or give a larger "
                "--jobs: it is divided among the ranks of a node",
                list_name(r),
                r->job.list.task[r->job.widest_task].line,
                (unsigned long long)dtx_task_id(r->job.widest_task),
                r->cards[0].widest, r->share.most_slots,
                r->share.most_slots == 1 ? "" : "s");
    return DTX_EXIT_TASKFILE;
}

/* Rank 0: what the nodes have, and whether each task fits on one. */
static int weigh_needs(struct dtx_rank_life *r)
{
    struct dtx_error err = {0, ""};
    struct dtx_alloc alloc;
    int rc;

    dtx_rank_alloc(&alloc);
    r->needs.mem_bytes = r->o->mem_bytes;
    r->needs.gpus = r->o->gpus;
    r->needs.jobs = &r->o->jobs;
    if (dtx_needs_init(&r->needs, r->cards, r->size, alloc.mem_bytes)) {
        dtx_log(DTX_LOG_ERROR, "out of memory");
        return DTX_EXIT_INTERNAL;
    }
    rc = dtx_needs_check(&r->needs, &r->job.list, 0, r->o->task_file, &err);
    if (rc == DTX_EINVAL)
        return dtx_rank_complain(&err, DTX_EXIT_USAGE);
    return rc ? dtx_rank_complain(&err, DTX_EXIT_TASKFILE) : 0;
}

/* From the cards, so that all ranks find the same. */
static int check_free(const struct dtx_rank_life *r)
{
    struct dtx_error err = {0, ""};

    if (r->o->memfree <= 0 ||
        dtx_needs_check_free(r->cards, r->size, r->o->memfree, &err) == DTX_OK)
        return 0;
    return r->me == 0 ? dtx_rank_complain(&err, DTX_EXIT_USAGE)
                      : DTX_EXIT_USAGE;
}

/* What rank 0 found, for all. */
static int check_needs(struct dtx_rank_life *r)
{
    int32_t found = 0, *all;
    int rc;

    if (!r->cards[0].needy)
        return 0;
    all = calloc(r->size, sizeof(*all));
    if (!all)
        return DTX_EXIT_INTERNAL;
    if (r->me == 0)
        found = weigh_needs(r);
    rc = gather(r, &found, sizeof(found), all);
    if (!rc)
        rc = all[0];
    free(all);
    return rc;
}

/* Tell the supervisor that from now on nobody waits but for the others. */
static void say_open(void)
{
    const char *marker = getenv(DTX_MARKER_ENV);

    if (marker && dtx_marker_open(marker))
        dtx_log(DTX_LOG_WARN, "cannot write beside the completion marker %s",
                marker);
}

/* Tell the supervisor that all ranks hear signals now. */
static void say_ready(const struct dtx_rank_life *r)
{
    const char *marker = getenv(DTX_MARKER_ENV);

    if (r->me == 0 && marker && dtx_marker_ready(marker))
        dtx_log(DTX_LOG_WARN, "cannot write beside the completion marker %s",
                marker);
}

/* Meet the other ranks. */
int dtx_rank_meet(struct dtx_rank_life *r, const char *command_line)
{
    struct dtx_card *card = calloc(1, sizeof(*card));
    int rc;

    r->cards = calloc(r->size, sizeof(*r->cards));
    if (!card || !r->cards) {
        free(card);
        return DTX_EXIT_INTERNAL;
    }
    dtx_card_fill(card, &r->cores, r->bell);
    dtx_card_place(card, &r->machine);
    if (r->me == 0) {
        open_job(r, command_line, card);
        say_open();
    }
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
    if (dtx_share_of(r->cards, r->size, r->me, &r->o->jobs, &r->share)) {
        dtx_log(DTX_LOG_ERROR, "out of memory");
        return DTX_EXIT_INTERNAL;
    }
    rc = check_width(r);
    if (!rc)
        rc = check_free(r);
    return rc ? rc : check_needs(r);
}
