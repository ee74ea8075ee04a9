/* SPDX-License-Identifier: MIT */
/* What one rank's loop sends to the others and hears from them: the engine's
 * frames, and the bulk messages of loop_state.h; among these the bytes of
 * outputs that rank 0 shows. */
#include <stdlib.h>

#include "base/error.h"
#include "mpi/transport.h"
#include "node/bell.h"
#include "node/clock.h"
#include "run/loop_state.h"
#include "run/noderun.h"
#include "run/show.h"
#include "run/status.h"
#include "store/output.h"
#include "wire/wire.h"

#define MAX_AT_ONCE 256

/* ---- sending ---- */

static void send_to(struct dtx_loop *l, enum dtx_channel ch, uint32_t to,
                    const void *data, size_t len)
{
    if (dtx_transport_send(l->c.transport, ch, (int)to, data, len)) {
        dtx_loop_fail(l, DTX_EXIT_INTERNAL, "cannot send a frame");
        return;
    }
    if (!l->peer[to])
        return;
    dtx_bell_ring(l->peer[to]);
    l->unsent[to] = l->any_unsent = true;
}

/* A frame that MPI had to hold back may have gone out since its receiver was
 * rung. */
static void ring_again(struct dtx_loop *l)
{
    uint32_t r;

    if (!l->any_unsent || !dtx_transport_quiet(l->c.transport))
        return;
    for (r = 0; r < l->c.size; r++) {
        if (l->unsent[r])
            dtx_bell_ring(l->peer[r]);
        l->unsent[r] = false;
    }
    l->any_unsent = false;
}

void dtx_loop_frame(struct dtx_loop *l, uint32_t to, const void *data,
                    size_t len)
{
    if (to != l->c.rank)
        send_to(l, DTX_CHANNEL_FRAMES, to, data, len);
    else
        dtx_inbox_frame(&l->to_worker, 0, data, len);
}

void dtx_loop_bulk(struct dtx_loop *l, uint32_t to, enum dtx_bulk kind,
                   uint64_t off, const void *data, size_t len)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_put_u8(&b, (uint8_t)kind);
    dtx_put_u64(&b, off);
    dtx_put_str(&b, (struct dtx_str){data ? data : "", data ? len : 0});
    dtx_put_u32(&b, (uint32_t)len);
    if (b.failed)
        dtx_loop_fail(l, DTX_EXIT_INTERNAL, "out of memory");
    else
        send_to(l, DTX_CHANNEL_BULK, to, b.data, b.len);
    dtx_buf_free(&b);
}

void dtx_loop_lines(void *ctx, uint32_t to, bool back, uint64_t off,
                    const void *data, size_t len)
{
    struct dtx_loop *l = ctx;

    if (l->gone[to])
        return;
    dtx_loop_bulk(ctx, to, back ? DTX_BULK_BACK : DTX_BULK_LINES, off, data,
                  len);
}

/* ---- what is asked for ---- */

/* What a lost rank was asked for is read from its file instead. */
static void read_instead(struct dtx_loop *l, const struct dtx_pulled *p)
{
    struct dtx_error err;
    char *piece = malloc(p->len + 1u);
    size_t len = p->len;

    if (!piece || dtx_output_read(l->c.reader, l->c.epoch, p->rank, p->off,
                                  piece, len, &err))
        len = 0;
    dtx_show_feed(l->c.show, p->rank, p->off, piece ? piece : "", len);
    free(piece);
}

/* The PULLs of a rank, or of this place alone, are answered. */
void dtx_loop_answered(struct dtx_loop *l, uint32_t rank, bool all,
                       uint64_t off)
{
    size_t i, n = 0;

    for (i = 0; i < l->npulled; i++) {
        struct dtx_pulled p = l->pulled[i];

        if (p.rank != rank || (!all && p.off != off))
            l->pulled[n++] = p;
        else if (all)
            read_instead(l, &p);
    }
    l->npulled = n;
}

/* Answer a PULL; an empty answer means the bytes cannot be had. */
static void serve_pull(struct dtx_loop *l, uint32_t from, uint64_t off,
                       uint32_t len)
{
    struct dtx_error err;
    char *piece = len <= DTX_SHOW_PIECE ? malloc(len) : NULL;

    if (!piece || dtx_output_read(l->c.reader, l->c.epoch, l->c.rank, off,
                                  piece, len, &err))
        len = 0;
    dtx_loop_bulk(l, from, DTX_BULK_DATA, off, piece ? piece : "", len);
    free(piece);
}

static void on_bulk(struct dtx_loop *l, uint32_t from)
{
    struct dtx_cursor c = dtx_cursor_over(l->frame.data, l->frame.len);
    uint8_t kind = dtx_get_u8(&c);
    uint64_t off = dtx_get_u64(&c);
    struct dtx_str data = dtx_get_str(&c);
    uint32_t len = dtx_get_u32(&c);

    if (!dtx_cursor_done(&c) || l->gone[from])
        return;
    l->here_ns[from] = dtx_clock_mono_ns();
    if (kind == DTX_BULK_PULL && from == 0)
        serve_pull(l, from, off, len);
    else if (kind == DTX_BULK_DATA && l->c.show) {
        dtx_loop_answered(l, from, false, off);
        dtx_show_feed(l->c.show, from, off, data.data, data.len);
    }
    else if (kind == DTX_BULK_TROUBLE && l->c.master)
        l->trouble = len < 256 ? (int)len : DTX_EXIT_INTERNAL;
    else if (kind == DTX_BULK_PACKED && l->c.master)
        dtx_loop_packed(l, from);
    else if (kind == DTX_BULK_NODE && l->c.node)
        dtx_noderun_hear(l->c.node, from, off, data.data, data.len);
    else if (kind == DTX_BULK_HERE && l->c.master)
        dtx_loop_bulk(l, from, DTX_BULK_HERE, 0, NULL, 0);
    else if (kind == DTX_BULK_LINES && l->c.show)
        dtx_live_hear(&l->live, from, off, data);
    else if (kind == DTX_BULK_BACK && from == 0)
        dtx_live_back(&l->live, len, off);
    else if (kind == DTX_BULK_LEAVE && from == 0) {
        l->leave = true;
        l->lossy = off != 0;
    }
}

bool dtx_loop_hear(struct dtx_loop *l)
{
    enum dtx_channel ch;
    int from, rc = 0, i;

    if (!l->c.transport)
        return false;
    for (i = 0; i < MAX_AT_ONCE; i++) {
        dtx_buf_clear(&l->frame);
        rc = dtx_transport_recv(l->c.transport, &ch, &from, &l->frame);
        if (rc <= 0)
            break;
        if (ch == DTX_CHANNEL_BULK)
            on_bulk(l, (uint32_t)from);
        else
            dtx_inbox_frame(l->c.master ? &l->to_master : &l->to_worker,
                            (uint32_t)from, l->frame.data, l->frame.len);
    }
    if (rc == DTX_ENOMEM)
        dtx_loop_fail(l, DTX_EXIT_INTERNAL, "out of memory");
    else if (rc < 0)
        dtx_loop_fail(l, DTX_EXIT_LOST, "MPI cannot receive");
    ring_again(l);
    return i > 0;
}

static void pull(struct dtx_loop *l, const struct dtx_pulled *want)
{
    struct dtx_pulled *p;

    if (l->gone[want->rank]) {
        read_instead(l, want);
        return;
    }
    p = dtx_grow(l->pulled, &l->cap_pulled, l->npulled + 1, sizeof(*p));
    if (!p) {
        dtx_loop_fail(l, DTX_EXIT_INTERNAL, "out of memory");
        return;
    }
    l->pulled = p;
    l->pulled[l->npulled++] = *want;
    dtx_loop_bulk(l, want->rank, DTX_BULK_PULL, want->off, NULL, want->len);
}

bool dtx_loop_show(struct dtx_loop *l)
{
    struct dtx_show_want w;
    bool moved = false;

    if (l->c.show)
        dtx_show_tend(l->c.show);
    while (l->c.show && l->c.transport && dtx_show_want(l->c.show, &w)) {
        pull(l, &(struct dtx_pulled){w.rank, w.len, w.off});
        moved = true;
    }
    return moved;
}
