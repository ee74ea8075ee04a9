/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_heap.c - the indexed heap against a plain model
 *
 * Random operations are done on the heap and on an array that is scanned; they
 * must agree after each.  The comparisons are counted: O(log n) a change.
 */
#include "base/heap.h"
#include "base/rng.h"
#include "check_main.h"

#include <string.h>

enum { ITEMS = 300 };

struct model {
    uint64_t key[ITEMS];
    bool in[ITEMS];
};

static bool smaller(const void *ctx, uint32_t a, uint32_t b)
{
    const uint64_t *key = ctx;
    return key[a] != key[b] ? key[a] < key[b] : a < b;
}

static uint32_t model_top(const struct model *m)
{
    uint32_t top = DTX_HEAP_NONE;
    for (uint32_t i = 0; i < ITEMS; i++)
        if (m->in[i] && (top == DTX_HEAP_NONE || smaller(m->key, i, top)))
            top = i;
    return top;
}

static void change(struct dtx_heap *h, struct model *m, struct dtx_rng *r)
{
    uint32_t i = (uint32_t)dtx_rng_below(r, ITEMS);
    switch (dtx_rng_below(r, 5)) {
    case 0:
    case 1:
        if (!m->in[i]) {
            m->key[i] = dtx_rng_below(r, 50);
            ck_assert(dtx_heap_push(h, i));
            m->in[i] = true;
        }
        break;
    case 2:
        i = model_top(m);
        ck_assert_uint_eq(dtx_heap_pop(h), i);
        if (i != DTX_HEAP_NONE)
            m->in[i] = false;
        break;
    case 3:
        m->key[i] = dtx_rng_below(r, 50);
        dtx_heap_fix(h, i);
        break;
    default:
        dtx_heap_remove(h, i);
        m->in[i] = false;
    }
}

START_TEST(random_changes_agree_with_the_model)
{
    static struct model m;
    struct dtx_heap h;
    struct dtx_rng r;
    memset(&m, 0, sizeof(m));
    dtx_rng_seed(&r, (uint64_t)_i);
    dtx_heap_init(&h, smaller, m.key);
    for (int round = 0; round < dtx_rounds(3000); round++) {
        change(&h, &m, &r);
        ck_assert_uint_eq(dtx_heap_top(&h), model_top(&m));
        uint32_t i = (uint32_t)dtx_rng_below(&r, ITEMS);
        ck_assert(dtx_heap_has(&h, i) == m.in[i]);
    }
    while (model_top(&m) != DTX_HEAP_NONE) {
        uint32_t top = model_top(&m);
        ck_assert_uint_eq(dtx_heap_pop(&h), top);
        m.in[top] = false;
    }
    ck_assert_uint_eq(h.len, 0);
    dtx_heap_fini(&h);
}
END_TEST

START_TEST(empty_heap_answers_none)
{
    struct dtx_heap h;
    dtx_heap_init(&h, smaller, NULL);
    ck_assert_uint_eq(dtx_heap_top(&h), DTX_HEAP_NONE);
    ck_assert_uint_eq(dtx_heap_pop(&h), DTX_HEAP_NONE);
    ck_assert(!dtx_heap_has(&h, 12345));
    dtx_heap_fix(&h, 12345);
    dtx_heap_remove(&h, 12345);
    dtx_heap_fini(&h);
}
END_TEST

enum { MANY = 1 << 16, LOG = 16 };

START_TEST(changes_cost_the_logarithm)
{
    uint64_t *key = calloc(MANY, sizeof(*key));
    ck_assert_ptr_nonnull(key);
    struct dtx_heap h;
    struct dtx_rng r;
    dtx_rng_seed(&r, 9);
    dtx_heap_init(&h, smaller, key);
    for (uint32_t i = 0; i < MANY; i++) {
        key[i] = MANY - i; /* each goes to the top: the worst order */
        uint64_t before = h.compares;
        ck_assert(dtx_heap_push(&h, i));
        ck_assert_uint_le(h.compares - before, LOG + 1);
    }
    for (int k = 0; k < 10000; k++) {
        uint32_t i = (uint32_t)dtx_rng_below(&r, MANY);
        key[i] = dtx_rng_u64(&r);
        uint64_t before = h.compares;
        dtx_heap_fix(&h, i);
        ck_assert_uint_le(h.compares - before, 3 * LOG);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t before = h.compares;
        ck_assert_uint_ne(dtx_heap_pop(&h), DTX_HEAP_NONE);
        ck_assert_uint_le(h.compares - before, 3 * LOG);
    }
    dtx_heap_fini(&h);
    free(key);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/heap");
    TCase *t = tcase_create("heap");
    tcase_add_loop_test(t, random_changes_agree_with_the_model, 0, 10);
    tcase_add_test(t, empty_heap_answers_none);
    tcase_add_test(t, changes_cost_the_logarithm);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
