/* SPDX-License-Identifier: MIT */
/* store/writer_state.h - what the store thread and its callers share
 *
 * writer.c is the callers' side, writer_thread.c the thread.  Private to
 * store/writer*.c.
 */
#ifndef DTX_STORE_WRITER_STATE_H
#define DTX_STORE_WRITER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/output.h"
#include "store/writer.h"

#define DTX_WRITER_PACKS 64 /* that go together */

/* Records that are written together. */
struct dtx_writer_group {
    struct dtx_buf bytes; /* framed */
    struct dtx_index_entry *mark; /* at: offset in the bytes */
    size_t nmarks, cap;
    uint64_t last; /* number of the last record in it */
};

/* Packs in order, first in first out. */
struct dtx_writer_packs {
    struct dtx_pack *item;
    size_t head, len, cap; /* items head .. len-1 are there */
};

enum dtx_writer_sleeping {
    DTX_WRITER_AWAKE,
    DTX_WRITER_GATHERING,
    DTX_WRITER_ASLEEP
};

struct dtx_writer {
    struct dtx_writer_config c;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under the lock */
    struct dtx_writer_group in;
    struct dtx_writer_packs todo, packed;
    bool hurry;        /* something that came in may not wait for company */
    uint64_t asked;    /* number of the last record handed in */
    uint64_t recorded; /* in the journal */
    uint64_t told;     /* recorded, and polled */
    enum dtx_writer_sleeping sleeping;
    bool stopping;
    int failed; /* code of the first failure */
    bool failure_told;
    char text[256];
    /* without it */
    atomic_bool ready; /* there is something to poll */
    /* the thread's own */
    struct dtx_writer_group out;
    int64_t gather_until;   /* 0: not gathering */
    int64_t unsynced_since; /* 0: all is synced */
    int64_t beat_at;
    bool beat_warned;
    bool broken; /* as 'failed' */
    bool pack_told; /* why an output could not be kept */
};

/* With the lock. False when out of memory; when there is none. */
bool dtx_writer_push(struct dtx_writer_packs *q, const struct dtx_pack *p);
bool dtx_writer_pop(struct dtx_writer_packs *q, struct dtx_pack *p);

/* ---- writer_thread.c ---- */

/* Begin the thread; it ends once it has done all when 'stopping'. 0 or an
 * errno. */
int dtx_writer_thread(struct dtx_writer *w);
/* Called from within a long pack: records do not wait for it. */
void dtx_writer_progress(void *writer);

#endif
