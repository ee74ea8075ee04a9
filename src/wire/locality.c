/* SPDX-License-Identifier: MIT */
/* Machines as bytes; see locality.h.  Numbers that may be DTX_MACHINE_NONE are
 * sent one higher, so that it becomes 0. */
#include "wire/locality.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/machine.h"
#include "wire/codec.h"

#define VERSION 1
#define MOST_ROWS 65536u /* of a kind; no machine has so many */

static void put_maybe(struct dtx_buf *b, uint32_t v)
{
    dtx_put_u32(b, v + 1);
}

static uint32_t get_maybe(struct dtx_cursor *c)
{
    return dtx_get_u32(c) - 1;
}

/* ---- encode ---- */

static void put_nests(struct dtx_buf *b, const struct dtx_machine *m)
{
    size_t i;

    dtx_put_u32(b, (uint32_t)m->nnests);
    for (i = 0; i < m->nnests; i++) {
        const struct dtx_nest *n = &m->nest[i];

        dtx_put_u32(b, n->at.core);
        dtx_put_u32(b, n->ncores);
        put_maybe(b, n->at.cache);
        put_maybe(b, n->at.numa);
        put_maybe(b, n->at.package);
    }
}

static void put_machine(struct dtx_buf *b, const struct dtx_machine *m,
                        bool cores)
{
    size_t i;

    dtx_put_u8(b, VERSION);
    dtx_put_u8(b, m->real);
    dtx_put_u32(b, m->cores);
    dtx_put_u32(b, m->units);
    dtx_put_u32(b, m->packages);
    dtx_put_i64(b, m->mem_bytes);
    dtx_put_i64(b, m->mem_limit);
    dtx_put_str(b, dtx_str_of(m->path));
    dtx_put_u32(b, (uint32_t)m->nnumas);
    for (i = 0; i < m->nnumas; i++) {
        dtx_put_u32(b, m->numa[i].os_index);
        dtx_put_i64(b, m->numa[i].mem_bytes);
    }
    dtx_put_u32(b, (uint32_t)m->ngpus);
    for (i = 0; i < m->ngpus; i++) {
        dtx_put_u8(b, (uint8_t)m->gpu[i].kind);
        put_maybe(b, m->gpu[i].numa);
        put_maybe(b, m->gpu[i].package);
        dtx_put_str(b, dtx_str_of(m->gpu[i].name));
    }
    if (cores)
        put_nests(b, m);
    else
        dtx_put_u32(b, 0);
}

void dtx_locality_encode(struct dtx_buf *b, const struct dtx_machine *m,
                         size_t most)
{
    struct dtx_buf one = DTX_BUF_INIT;

    put_machine(&one, m, true);
    if (one.len > most) {
        dtx_buf_clear(&one);
        put_machine(&one, m, false);
    }
    if (one.failed)
        b->failed = true;
    else if (one.len <= most)
        dtx_buf_append(b, one.data, one.len);
    dtx_buf_free(&one);
}

/* ---- decode ---- */

static void get_text(struct dtx_cursor *c, char *to, size_t size)
{
    struct dtx_str s = dtx_get_str(c);

    if (s.len >= size || (s.len && memchr(s.data, '\0', s.len))) {
        c->bad = true;
        return;
    }
    if (s.len)
        memcpy(to, s.data, s.len);
    to[s.len] = '\0';
}

/* How many rows follow, each of at least 'least' bytes. */
static uint32_t get_count(struct dtx_cursor *c, uint32_t least)
{
    uint32_t n = dtx_get_u32(c);

    if (n > MOST_ROWS || n > (size_t)(c->end - c->p) / least)
        c->bad = true;
    return c->bad ? 0 : n;
}

static int get_numas(struct dtx_cursor *c, struct dtx_machine *m)
{
    uint32_t n = get_count(c, 2);

    for (; n > 0; n--) {
        struct dtx_numa *row = dtx_machine_add_numa(m);

        if (!row)
            return DTX_ENOMEM;
        row->os_index = dtx_get_u32(c);
        row->mem_bytes = dtx_get_i64(c);
        if (row->mem_bytes < 0)
            c->bad = true;
    }
    return DTX_OK;
}

static int get_gpus(struct dtx_cursor *c, struct dtx_machine *m)
{
    uint32_t n = get_count(c, 4);

    if (n > DTX_MACHINE_GPUS)
        c->bad = true;
    for (; n > 0 && !c->bad; n--) {
        struct dtx_gpu *g = dtx_machine_add_gpu(m);
        uint8_t kind = dtx_get_u8(c);

        if (!g)
            return DTX_ENOMEM;
        if (kind > DTX_GPU_ROCM)
            c->bad = true;
        g->kind = kind == DTX_GPU_ROCM ? DTX_GPU_ROCM : DTX_GPU_CUDA;
        g->numa = get_maybe(c);
        g->package = get_maybe(c);
        get_text(c, g->name, sizeof(g->name));
    }
    return DTX_OK;
}

/* Nests rise and do not touch what the machine has not. */
static int get_nests(struct dtx_cursor *c, struct dtx_machine *m)
{
    uint32_t n = get_count(c, 5);
    uint64_t next = 0;

    for (; n > 0 && !c->bad; n--) {
        struct dtx_locus at;
        uint32_t cores;

        at.core = dtx_get_u32(c);
        cores = dtx_get_u32(c);
        at.cache = get_maybe(c);
        at.numa = get_maybe(c);
        at.package = get_maybe(c);
        if (cores == 0 || cores > MOST_ROWS || at.core < next ||
            at.core > UINT32_MAX - MOST_ROWS)
            c->bad = true;
        next = (uint64_t)at.core + cores;
        for (; cores > 0 && !c->bad; cores--, at.core++)
            if (!dtx_machine_add_core(m, &at))
                return DTX_ENOMEM;
    }
    return DTX_OK;
}

static int get_machine(struct dtx_cursor *c, struct dtx_machine *m)
{
    int rc;

    if (dtx_get_u8(c) != VERSION)
        c->bad = true;
    m->real = dtx_get_u8(c) != 0;
    m->cores = dtx_get_u32(c);
    m->units = dtx_get_u32(c);
    m->packages = dtx_get_u32(c);
    m->mem_bytes = dtx_get_i64(c);
    m->mem_limit = dtx_get_i64(c);
    if (m->mem_bytes < 0 || m->mem_limit < 0)
        c->bad = true;
    get_text(c, m->path, sizeof(m->path));
    rc = get_numas(c, m);
    if (rc == DTX_OK)
        rc = get_gpus(c, m);
    if (rc == DTX_OK)
        rc = get_nests(c, m);
    if (rc == DTX_OK && !dtx_cursor_done(c))
        rc = DTX_EPARSE;
    return rc;
}

int dtx_locality_decode(const void *data, size_t len, struct dtx_machine *m)
{
    struct dtx_cursor c;
    int rc;

    dtx_machine_init(m);
    if (len == 0)
        return DTX_OK;
    c = dtx_cursor_over(data, len);
    rc = get_machine(&c, m);
    if (rc != DTX_OK)
        dtx_machine_free(m);
    return rc;
}
