/* SPDX-License-Identifier: MIT */
/* store/lease.h - the lease file: its text, its owner, how it changes hands
 *
 * Internal to store/ (rundir.h is the interface); times are arguments here so
 * that tests need not wait.
 *
 * Taking: the next epoch is claimed by making "lease.e<epoch>" exclusively;
 * then all claims of smaller epochs are removed, and if there is no larger one
 * and the lease is still what was judged, the claim is renamed over it.  Of
 * two takers one gets EEXIST, or finds its claim gone, or a larger one, or the
 * lease changed, and looks again.  A beat rewrites the owner's own file in
 * place, so it can never undo a taking.
 */
#ifndef DTX_STORE_LEASE_H
#define DTX_STORE_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;

#define DTX_LEASE_FILE "lease"
#define DTX_LEASE_MAX_TEXT 2048u

struct dtx_lease {
    uint32_t epoch;
    char host[256];
    char boot[64];  /* the kernel's boot id, "-" when unknown */
    uint64_t pidns; /* inode of the pid namespace, 0 when unknown */
    int64_t pid;
    uint64_t start; /* of the process, in ticks since boot */
    uint64_t beat;
    bool released;
};

enum dtx_lease_owner {
    DTX_LEASE_GONE,   /* certainly */
    DTX_LEASE_ALIVE,  /* certainly */
    DTX_LEASE_UNKNOWN /* another host, or hidden from us: watch its beat */
};

/* Describe this process; epoch and beat 0. */
void dtx_lease_self(struct dtx_lease *l);
/* The text of 'l', of the same length whatever beat and released are. */
void dtx_lease_format(const struct dtx_lease *l, struct dtx_buf *out);
/* 0, DTX_ECORRUPT, or DTX_EFOREIGN for a newer version. 'l' is only written on
 * success. */
int dtx_lease_parse(const char *text, size_t len, struct dtx_lease *l);
/* The lease of the directory. DTX_ENOENT when there is none. */
int dtx_lease_read(const char *dir, struct dtx_lease *l, struct dtx_error *err);
/* Does the process that wrote it live? Released ones are GONE. */
enum dtx_lease_owner dtx_lease_judge(const struct dtx_lease *l);

struct dtx_lease_taking {
    const char *dir;
    uint32_t at_least; /* epoch */
    int64_t stale_ns;  /* how long a silent owner is watched */
    /* as in rundir.h; may be NULL */
    bool (*waiting)(void *ctx, const char *text);
    void *ctx;
};

/* Take it: 0 and '*mine' is what was written, or DTX_EBUSY, or DTX_ESTATE when
 * 'waiting' did not want to wait any more. */
int dtx_lease_take(const struct dtx_lease_taking *t, struct dtx_lease *mine,
                   struct dtx_error *err);
/* Write the beat plus one ('released' as it is in 'mine'). DTX_ESTALE when
 * another session has it. A lease that has vanished or is damaged is made
 * again. */
int dtx_lease_beat(const char *dir, struct dtx_lease *mine,
                   struct dtx_error *err);

#endif
