/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_keyheap.c - the heap that has its keys against a scan
 *
 * Keys collide in their first half, and in both; changes are heard of only by
 * dtx_keyheap_fix.  Comparisons are counted.
 */
#include "base/keyheap.h"

#include <string.h>

#include "base/rng.h"
#include "check_main.h"

enum { ITEMS = 200, MANY = 1 << 16, LOG = 16 };

static struct dtx_key_pair key[MANY];
static bool in[ITEMS];

static struct dtx_key_pair key_of(const void *ctx, uint32_t item)
{
    (void)ctx;
    return key[item];
}

static bool before(uint32_t a, uint32_t b)
{
    if (key[a].hi != key[b].hi)
        return key[a].hi < key[b].hi;
    return key[a].lo != key[b].lo ? key[a].lo < key[b].lo : a < b;
}

static uint32_t first(void)
{
    uint32_t i, best = DTX_HEAP_NONE;

    for (i = 0; i < ITEMS; i++)
        if (in[i] && (best == DTX_HEAP_NONE || before(i, best)))
            best = i;
    return best;
}

static void draw(struct dtx_rng *r, uint32_t i)
{
    key[i].hi = dtx_rng_below(r, 6) << 60;
    key[i].lo = (uint32_t)dtx_rng_below(r, 4) << 30;
}

static void change(struct dtx_keyheap *h, struct dtx_rng *r)
{
    uint32_t i = (uint32_t)dtx_rng_below(r, ITEMS);

    switch (dtx_rng_below(r, 5)) {
    case 0:
    case 1:
        if (in[i])
            return;
        draw(r, i);
        ck_assert(dtx_keyheap_push(h, i));
        in[i] = true;
        break;
    case 2:
        i = first();
        ck_assert_uint_eq(dtx_keyheap_pop(h), i);
        if (i != DTX_HEAP_NONE)
            in[i] = false;
        break;
    case 3:
        draw(r, i);
        dtx_keyheap_fix(h, i);
        break;
    default:
        dtx_keyheap_remove(h, i);
        in[i] = false;
    }
}

START_TEST(agrees_with_a_scan)
{
    struct dtx_keyheap h;
    struct dtx_rng r;
    uint32_t i, top;
    int round;

    dtx_rng_seed(&r, (uint64_t)_i);
    memset(in, 0, sizeof(in));
    dtx_keyheap_init(&h, key_of, NULL);
    for (round = 0; round < dtx_rounds(3000); round++) {
        change(&h, &r);
        ck_assert_uint_eq(dtx_keyheap_top(&h), first());
        i = (uint32_t)dtx_rng_below(&r, ITEMS);
        ck_assert(dtx_keyheap_has(&h, i) == in[i]);
    }
    for (i = 0; i < h.len; i++)
        ck_assert(in[dtx_keyheap_at(&h, i)]);
    while ((top = first()) != DTX_HEAP_NONE) {
        ck_assert_uint_eq(dtx_keyheap_pop(&h), top);
        in[top] = false;
    }
    ck_assert_uint_eq(dtx_keyheap_pop(&h), DTX_HEAP_NONE);
    dtx_keyheap_fini(&h);
}
END_TEST

START_TEST(changes_cost_the_logarithm)
{
    struct dtx_keyheap h;
    struct dtx_rng r;
    uint64_t was;
    uint32_t i, k;

    dtx_rng_seed(&r, 9);
    dtx_keyheap_init(&h, key_of, NULL);
    for (i = 0; i < MANY; i++) {
        key[i].hi = MANY - i; /* each goes to the top: the worst order */
        was = h.compares;
        ck_assert(dtx_keyheap_push(&h, i));
        ck_assert_uint_le(h.compares - was, LOG / 2 + 1);
    }
    for (k = 0; k < 10000; k++) {
        i = (uint32_t)dtx_rng_below(&r, MANY);
        key[i].hi = dtx_rng_u64(&r);
        was = h.compares;
        dtx_keyheap_fix(&h, i);
        ck_assert_uint_le(h.compares - was, 2 * LOG + 8);
    }
    for (i = 0; i < MANY; i++) {
        was = h.compares;
        ck_assert_uint_ne(dtx_keyheap_pop(&h), DTX_HEAP_NONE);
        ck_assert_uint_le(h.compares - was, 2 * LOG + 8);
    }
    dtx_keyheap_fini(&h);
}
END_TEST

START_TEST(numbers_keep_their_order)
{
    static const double v[] = {-1e300, -2.5, -1e-300, 0, 1e-300, 0.5,
                               1,      3,    1e9,     1e300};
    size_t i;

    for (i = 1; i < sizeof(v) / sizeof(v[0]); i++) {
        ck_assert(dtx_key_of_double(v[i - 1]) < dtx_key_of_double(v[i]));
        ck_assert(dtx_key_of_float((float)v[i - 1]) <=
                  dtx_key_of_float((float)v[i]));
    }
    ck_assert(dtx_key_of_double(-0.0) == dtx_key_of_double(0.0));
    ck_assert(dtx_key_of_float(-0.0f) == dtx_key_of_float(0.0f));
    ck_assert(dtx_key_of_float(1.0f) < dtx_key_of_float(1.5f));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/keyheap");
    TCase *c = tcase_create("keyheap");

    tcase_add_loop_test(c, agrees_with_a_scan, 0, 10);
    tcase_add_test(c, changes_cost_the_logarithm);
    tcase_add_test(c, numbers_keep_their_order);
    suite_add_tcase(s, c);
    return dtx_check_main(s);
}
