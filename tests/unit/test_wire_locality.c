/* SPDX-License-Identifier: MIT */
/* Locality records there and back, cut short, and nonsense. */
#include "wire/locality.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "task/machine.h"

/* Two packages of two NUMA nodes of eight cores; the fifth may not be used. */
static void draw(struct dtx_machine *m, uint32_t cores)
{
    uint32_t i;

    dtx_machine_init(m);
    m->real = true;
    m->cores = m->units = cores;
    m->packages = 2;
    m->mem_bytes = INT64_C(1) << 40;
    m->mem_limit = INT64_C(1) << 30;
    (void)snprintf(m->path, sizeof(m->path), "s0.s4");
    for (i = 0; i < 4; i++)
        dtx_machine_add_numa(m)->mem_bytes = m->mem_bytes / 4;
    for (i = 0; i < cores; i++) {
        struct dtx_locus at = {i, i / 4, i / 8 % 4, i / 16 % 2};

        if (i != 5)
            ck_assert(dtx_machine_add_core(m, &at));
    }
    for (i = 0; i < 3; i++) {
        struct dtx_gpu *g = dtx_machine_add_gpu(m);

        g->kind = i < 2 ? DTX_GPU_CUDA : DTX_GPU_ROCM;
        g->numa = i ? i : DTX_MACHINE_NONE;
        g->package = DTX_MACHINE_NONE;
        (void)snprintf(g->name, sizeof(g->name), "GPU-%u", i);
    }
}

static void check_same(const struct dtx_machine *a, const struct dtx_machine *b)
{
    struct dtx_buf ta = DTX_BUF_INIT, tb = DTX_BUF_INIT;

    dtx_machine_tell(a, &ta);
    dtx_machine_tell(b, &tb);
    ck_assert_str_eq(ta.data, tb.data);
    ck_assert_uint_eq(a->usable, b->usable);
    ck_assert_uint_eq(a->real, b->real);
    dtx_buf_free(&ta);
    dtx_buf_free(&tb);
}

START_TEST(test_round_trip)
{
    struct dtx_machine m, back;
    struct dtx_buf b = DTX_BUF_INIT;
    uint32_t i;

    draw(&m, 32);
    dtx_locality_encode(&b, &m, 1024);
    ck_assert_uint_gt(b.len, 0);
    ck_assert_uint_lt(b.len, 200);
    ck_assert_int_eq(dtx_locality_decode(b.data, b.len, &back), DTX_OK);
    check_same(&m, &back);
    for (i = 0; i < m.usable; i++) {
        struct dtx_locus x = dtx_machine_core(&m, i),
                         y = dtx_machine_core(&back, i);

        ck_assert_mem_eq(&x, &y, sizeof(x));
    }
    dtx_machine_free(&back);
    dtx_machine_free(&m);
    dtx_buf_free(&b);
}
END_TEST

/* What does not fit is left out, cores first. */
START_TEST(test_most)
{
    struct dtx_machine m, back;
    struct dtx_buf b = DTX_BUF_INIT;

    draw(&m, 4096);
    dtx_locality_encode(&b, &m, 1024);
    ck_assert_uint_gt(b.len, 0);
    ck_assert_uint_le(b.len, 1024);
    ck_assert_int_eq(dtx_locality_decode(b.data, b.len, &back), DTX_OK);
    ck_assert_uint_eq(back.usable, 0);
    ck_assert_uint_eq(back.ngpus, 3);
    ck_assert_int_eq(dtx_machine_memory(&back), INT64_C(1) << 30);
    dtx_machine_free(&back);
    dtx_buf_clear(&b);
    dtx_locality_encode(&b, &m, 10);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_int_eq(dtx_locality_decode("", 0, &back), DTX_OK);
    ck_assert_int_eq(dtx_machine_memory(&back), 0);
    dtx_machine_free(&m);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(test_damage)
{
    struct dtx_machine m, back;
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_rng rng;
    unsigned char bytes[256];
    size_t i;
    int round;

    draw(&m, 32);
    dtx_locality_encode(&b, &m, sizeof(bytes));
    for (i = 1; i < b.len; i++) {
        ck_assert_int_eq(dtx_locality_decode(b.data, i, &back), DTX_EPARSE);
        ck_assert_ptr_null(back.nest);
    }
    dtx_rng_seed(&rng, 7);
    for (round = 0; round < 20000; round++) {
        memcpy(bytes, b.data, b.len);
        for (i = 0; i < 1 + (size_t)round % 3; i++)
            bytes[dtx_rng_below(&rng, b.len)] =
                (unsigned char)dtx_rng_below(&rng, 256);
        if (dtx_locality_decode(bytes, b.len, &back) == DTX_OK)
            dtx_machine_free(&back);
    }
    dtx_buf_free(&b);
    dtx_machine_free(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/locality");
    TCase *t = tcase_create("locality");

    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_most);
    tcase_add_test(t, test_damage);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
