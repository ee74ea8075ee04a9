/* SPDX-License-Identifier: MIT */
/* store/rundir.h - the run directory: who may write in it, and what lies where
 *
 *     journal         the truth (store/journal.h)
 *     lease           who runs the job, and since when it was last alive
 *     out/            packed outputs (store/output.h) and their index
 *     stop            a request to drain, made by "distributex stop"
 *     lost/           while a session of several ranks runs: e<epoch>-r<rank>,
 *                     a word of each rank that died, from its spawner
 *
 * The lease is a small text file, replaced atomically when it changes hands:
 * session epoch, host, boot id, pid namespace, pid, the process's start time, a
 * beat count.  It guards the directory where flock does not work and after a
 * node died: an owner on this host (same name, boot and pid namespace) is
 * judged by pid and start time; any other by its beat: if that does not move
 * for DTX_LEASE_STALE_NS of watching, the owner is gone.
 * A later session writes a larger epoch; an owner that sees one must stop
 * (DTX_ESTALE from _beat).
 */
#ifndef DTX_STORE_RUNDIR_H
#define DTX_STORE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;
struct dtx_rundir;

#define DTX_LEASE_BEAT_NS INT64_C(1000000000)
#define DTX_LEASE_STALE_NS INT64_C(15000000000)
#define DTX_LATEST_LINK "distributex-latest"

/* The default name: "distributex-<job id>", or "distributex-<UTC time>-<pid>"
 * when job_id is NULL or empty; with -2, -3 ... when taken. Makes the
 * directory and returns its absolute path in 'path'. */
int dtx_rundir_make_default(const char *parent, const char *job_id,
                            struct dtx_buf *path, struct dtx_error *err);
enum dtx_rundir_found {
    DTX_RUNDIR_MADE,  /* it was not there */
    DTX_RUNDIR_THERE, /* somebody else's, without a journal */
    DTX_RUNDIR_JOB    /* it holds a journal */
};
/* Make (parents not included; may be there) the directory 'name', return its
 * absolute path in 'path' and what was found in '*found'. DTX_EEXIST when it
 * holds other things and no job. */
int dtx_rundir_make(const char *name, struct dtx_buf *path,
                    enum dtx_rundir_found *found, struct dtx_error *err);
/* Find the directory meant by 'name' (NULL: the link distributex-latest in the
 * current directory); absolute path in 'path'. Error when it holds no job. */
int dtx_rundir_find(const char *name, struct dtx_buf *path,
                    struct dtx_error *err);
/* Point ./distributex-latest at 'path', atomically. Failure is only worth a
 * warning. Never replaces something that is not a symbolic link. */
int dtx_rundir_link_latest(const char *path, struct dtx_error *err);

/* Take the lease; waits up to DTX_LEASE_STALE_NS and some when an owner on
 * another host must be watched ('waiting' (if not NULL) is called once with a
 * sentence for the user, then again and again with NULL; false ends the waiting
 * with DTX_ESTATE). DTX_EBUSY names the owner. '*epoch' is this session's
 * number: one more than the last. Makes out/ too. */
int dtx_rundir_take(const char *path, uint32_t at_least_epoch,
                    bool (*waiting)(void *ctx, const char *text), void *ctx,
                    struct dtx_rundir **out, uint32_t *epoch,
                    struct dtx_error *err);
/* Renew it: call every DTX_LEASE_BEAT_NS. DTX_ESTALE: a newer session owns the
 * directory; this one must write no more. */
int dtx_rundir_beat(struct dtx_rundir *d, struct dtx_error *err);
/* Give it up and free. The lease file stays, marked as released. */
void dtx_rundir_release(struct dtx_rundir *d); /* NULL is allowed */

/* Remove what a job that never ran left in 'path', and with 'whole' the
 * directory itself if nothing else is in it. Call without the lease. */
void dtx_rundir_discard(const char *path, bool whole);

/* Ask the job in 'path' to drain; true in '*running' when somebody holds the
 * lease (on another host: has not given it up). When nobody does, no request
 * is left behind. */
int dtx_rundir_request_stop(const char *path, bool *running,
                            struct dtx_error *err);
/* Who holds the lease, or held it last. */
struct dtx_rundir_owner {
    uint32_t epoch;
    uint64_t beat;
    int64_t pid;
    bool here; /* a process of this host that lives, and has not given it up */
};
/* 0, or an error when there is none. */
int dtx_rundir_owner(const char *path, struct dtx_rundir_owner *out);
/* Does a session run in 'path', as far as the lease tells (on another host: has
 * it not given it up)? '*beat' counts up while it does. */
bool dtx_rundir_runs(const char *path, uint64_t *beat);
/* Did _beat see one? Any thread; does not look. */
bool dtx_rundir_stop_seen(const struct dtx_rundir *d);
/* Make lost/, empty; from then on _beat looks for what comes there. */
int dtx_rundir_hear_losses(struct dtx_rundir *d, struct dtx_error *err);
/* A rank of this session whose word _beat saw there, each once; false: none.
 * Any thread. */
bool dtx_rundir_next_loss(struct dtx_rundir *d, uint32_t *rank);
/* Append the path of a rank's word. */
void dtx_rundir_loss_path(struct dtx_buf *b, const char *path, uint32_t epoch,
                          uint32_t rank);
/* Forget an old request (at the start of a session). */
void dtx_rundir_clear_stop(const char *path);

#endif
