/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_hash.c - MurmurHash3 x64 128, CRC-32, the key map
 *
 * The hash is held to its authors' own proof (SMHasher's verification value
 * over 256 keys) and to published vectors, since resuming a job rests on it.
 */
#include "base/hash.h"
#include "base/rng.h"
#include "check_main.h"

#include <string.h>

static const struct {
    const char *text;
    uint64_t hi, lo;
} vectors[] = {
    {"", 0, 0},
    {"hello", UINT64_C(0xcbd8a7b341bd9b02), UINT64_C(0x5b1e906a48ae1d19)},
    {"The quick brown fox jumps over the lazy dog",
     UINT64_C(0xe34bbc7bbc071b6c), UINT64_C(0x7a433ca9c49a9347)},
};

START_TEST(published_vectors)
{
    const char *text = vectors[_i].text;
    struct dtx_key k = dtx_hash128(text, strlen(text), 0);
    ck_assert_uint_eq(k.hi, vectors[_i].hi);
    ck_assert_uint_eq(k.lo, vectors[_i].lo);
}
END_TEST

static void store64(unsigned char *to, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(v >> (8 * i));
}

START_TEST(smhasher_verification)
{
    unsigned char key[256] = {0}, all[256 * 16];
    for (unsigned i = 0; i < 256; i++) {
        key[i] = (unsigned char)i;
        struct dtx_key k = dtx_hash128(key, i, 256 - i);
        store64(all + (size_t)i * 16, k.hi);
        store64(all + (size_t)i * 16 + 8, k.lo);
    }
    struct dtx_key k = dtx_hash128(all, sizeof(all), 0);
    ck_assert_uint_eq(k.hi & UINT64_C(0xffffffff), UINT64_C(0x6384ba69));
}
END_TEST

START_TEST(keys_compare_whole)
{
    struct dtx_key a = {1, 2}, b = {1, 3}, c = {2, 2};
    ck_assert(dtx_key_equal(a, a));
    ck_assert(!dtx_key_equal(a, b));
    ck_assert(!dtx_key_equal(a, c));
}
END_TEST

START_TEST(crc_is_zlibs)
{
    ck_assert_uint_eq(dtx_crc32(0, "123456789", 9), 0xcbf43926u);
    uint32_t part = dtx_crc32(0, "1234", 4);
    ck_assert_uint_eq(dtx_crc32(part, "56789", 5), 0xcbf43926u);
    ck_assert_uint_eq(dtx_crc32(0, "", 0), 0);
}
END_TEST

static struct dtx_key key_of(uint32_t n)
{
    return dtx_hash128(&n, sizeof(n), 7);
}

START_TEST(map_keeps_what_was_put)
{
    struct dtx_keymap m = {0};
    uint32_t found;
    bool made;
    ck_assert(!dtx_keymap_get(&m, key_of(0), &found));
    for (uint32_t i = 0; i < 20000; i++) {
        ck_assert(dtx_keymap_put(&m, key_of(i), i * 3, &found, &made));
        ck_assert(made);
        ck_assert_uint_eq(found, i * 3);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        ck_assert(dtx_keymap_put(&m, key_of(i), 1, &found, &made));
        ck_assert(!made);
        ck_assert_uint_eq(found, i * 3);
        dtx_keymap_set(&m, key_of(i), i);
        ck_assert(dtx_keymap_get(&m, key_of(i), &found));
        ck_assert_uint_eq(found, i);
    }
    ck_assert_uint_eq(m.used, 20000);
    ck_assert(!dtx_keymap_get(&m, key_of(20000), &found));
    ck_assert(dtx_keymap_put(&m, key_of(20000), 5, NULL, NULL));
    dtx_keymap_free(&m);
}
END_TEST

START_TEST(map_bears_keys_that_collide)
{
    struct dtx_keymap m = {0};
    uint32_t found;
    for (uint64_t i = 0; i < 500; i++) {
        struct dtx_key k = {i, 42};
        ck_assert(dtx_keymap_put(&m, k, (uint32_t)i, NULL, NULL));
    }
    for (uint64_t i = 0; i < 500; i++) {
        struct dtx_key k = {i, 42};
        ck_assert(dtx_keymap_get(&m, k, &found));
        ck_assert_uint_eq(found, i);
    }
    dtx_keymap_free(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/hash");
    TCase *t = tcase_create("hash");
    tcase_add_loop_test(t, published_vectors, 0, DTX_COUNT(vectors));
    tcase_add_test(t, smhasher_verification);
    tcase_add_test(t, keys_compare_whole);
    tcase_add_test(t, crc_is_zlibs);
    tcase_add_test(t, map_keeps_what_was_put);
    tcase_add_test(t, map_bears_keys_that_collide);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
