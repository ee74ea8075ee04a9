/* SPDX-License-Identifier: MIT */
/* node/spawner_ring.h - the memory a rank and its spawner share
 *
 * Mapped before the fork.  The rank writes requests of variable size into a
 * ring of bytes; the spawner reads them where they lie and moves on when the
 * command has been started.  A request names an entry; the spawner leaves the
 * result in the entry and puts the entry's number into a second ring.  Entries
 * are handed out and taken back by the rank alone, so neither the second ring
 * nor any message to the spawner can overflow: what the rank has to say about
 * something under way (kill it, the capture is free) is a flag.
 *
 * An entry's state word holds a generation, and taking a request back is one
 * compare-and-swap against starting it.
 */
#ifndef DTX_NODE_SPAWNER_RING_H
#define DTX_NODE_SPAWNER_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "node/notice.h"
#include "node/spawner.h"

#define DTX_RING_BYTES (4u << 20)
#define DTX_RING_RECORD_MAX (DTX_RING_BYTES / 2) /* always fits one day */
#define DTX_RING_ENTRIES 4096u
#define DTX_RING_SLOTS 1024u
#define DTX_RING_CAPTURES (4 * DTX_RING_SLOTS + 64)

enum dtx_record_kind { DTX_RECORD_PAD, DTX_RECORD_CONFIG, DTX_RECORD_RUN };

/* Low two bits of an entry's state; the rest is its generation. */
enum dtx_entry_state {
    DTX_ENTRY_FREE,
    DTX_ENTRY_READY,    /* waits to be started; either side may change it */
    DTX_ENTRY_RECALLED, /* the rank took it back */
    DTX_ENTRY_TAKEN     /* the spawner's until its number comes back */
};
#define DTX_ENTRY_MASK 3u
#define DTX_ENTRY_GENERATION 4u

/* What the spawner waits for while it sleeps. */
enum dtx_asleep {
    DTX_AWAKE,
    DTX_ASLEEP_IDLE, /* anything */
    DTX_ASLEEP_FULL  /* it could start nothing: a new request need not wake */
};

/* Who counts tasks, and what: by the watcher, who finds it out while the rank
 * starts; 0 = not known yet, or nobody is to. */
#define DTX_COUNTING_WORD(provider, counted)                                   \
    ((uint32_t)(provider) << 8 | (uint32_t)(counted))
#define DTX_COUNTING_PROVIDER(word) ((enum dtx_counter)((word) >> 8))
#define DTX_COUNTING_COUNTED(word) ((uint8_t)(word))

enum dtx_kill { DTX_KILL_NONE, DTX_KILL_TERM };

struct dtx_record {
    uint32_t size; /* of the whole record, a multiple of DTX_RECORD_ALIGN */
    uint32_t kind; /* enum dtx_record_kind */
    uint32_t entry, state; /* the entry and its state word when READY */
    uint32_t task, attempt, cpus;
    uint32_t len;      /* command; CONFIG: bytes of the encoded config */
    uint32_t cwd_len;  /* with its NUL, 0 = none */
    uint32_t name_len; /* with its NUL, 0 = none */
    uint32_t env_len;  /* with its NUL, 0 = none */
    uint32_t index;
    uint8_t slot_mark, limited, heavy, unused; /* 0 or 1; limited: limit_ns of
                                                  the ring holds */
    uint32_t traffic; /* as in struct dtx_spawn_request, and heavy as well */
    int64_t timeout_ns;
    /* command NUL cwd name env */
};
#define DTX_RECORD_ALIGN 16u

struct dtx_ring_result {
    struct dtx_spawn_result r;
    int64_t out_start, err_start;
};

struct dtx_entry {
    _Atomic uint32_t state;
    _Atomic uint32_t kill; /* enum dtx_kill, set by the rank */
    /* Of the run under way, -1: none. What stands below it is set before it
     * and stays until the rank hands over the entry again. */
    _Atomic int32_t capture;
    int64_t start[2];    /* where its stdout and stderr begin */
    uint64_t mark[2][2]; /* at the beginning of the two files */
    struct dtx_ring_result result;
};

struct dtx_ring {
    /* written by the rank */
    uint32_t counts; /* before the fork. 1: tasks are to be counted */
    alignas(64) _Atomic uint64_t tail;
    _Atomic uint32_t attention; /* counts kills asked for, and new limits */
    _Atomic int64_t limit_ns;   /* for limited tasks, 0 = none */
    _Atomic int64_t deadline_ns; /* wall clock; 0 = that of the configuration */
    _Atomic uint32_t beat;      /* counts up while the rank goes on */
    _Atomic int64_t still_ns;   /* it must not stand still so long, 0 = may */
    _Atomic uint32_t busy;      /* 1: only to be stopped counts as standing */
    _Atomic uint32_t guarded;   /* 1: its end is to be told in 'notice' */
    char notice[DTX_NOTICE_PATH];
    /* written by the spawner */
    alignas(64) _Atomic uint64_t head;
    _Atomic uint32_t done_tail;
    _Atomic uint32_t sent;    /* captures passed through the socket */
    _Atomic uint32_t starved; /* it waits for a released capture */
    _Atomic int32_t pid;      /* its process id, 0 at first */
    _Atomic uint32_t held;    /* 1: what waits, waits for memory */
    _Atomic uint32_t relieved; /* tasks ended since memory ran short */
    _Atomic int64_t memory;   /* bytes that were free at the last look */
    /* written by the watcher */
    _Atomic uint32_t counting; /* DTX_COUNTING_WORD */
    /* both */
    alignas(64) _Atomic uint32_t asleep; /* enum dtx_asleep */
    alignas(64) _Atomic uint8_t released[DTX_RING_CAPTURES];
    _Atomic int32_t group[DTX_RING_SLOTS]; /* process groups that run */
    uint32_t done[DTX_RING_ENTRIES];       /* ring of entries with results */
    struct dtx_entry entry[DTX_RING_ENTRIES];
    alignas(64) unsigned char bytes[DTX_RING_BYTES];
};

/* NULL when there is no memory. Shared with processes forked later. */
struct dtx_ring *dtx_ring_map(void);
void dtx_ring_unmap(struct dtx_ring *m); /* NULL is allowed */

/* The rank: a place for a record of at least 'size' bytes (<= RECORD_MAX), its
 * 'size' set, or NULL when the ring is full. Fill it, then publish. */
struct dtx_record *dtx_ring_reserve(struct dtx_ring *m, size_t size);
void dtx_ring_publish(struct dtx_ring *m, const struct dtx_record *r);

/* The spawner: the oldest record or NULL, valid until it is dropped. */
struct dtx_record *dtx_ring_peek(struct dtx_ring *m);
void dtx_ring_drop(struct dtx_ring *m, const struct dtx_record *r);
/* The spawner: give entry number 'entry' back, with its result. */
void dtx_ring_done(struct dtx_ring *m, uint32_t entry);

#endif
