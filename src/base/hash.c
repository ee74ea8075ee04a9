/* SPDX-License-Identifier: MIT */
/* Checksums, keys and the key map; see hash.h. */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t mix(uint64_t k)
{
    k ^= k >> 33;
    k *= 0xff51afd7ed558ccdu;
    k ^= k >> 33;
    k *= 0xc4ceb9fe1a85ec53u;
    return k ^ (k >> 33);
}

static uint64_t load64(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    while (n > 0)
        v = v << 8 | p[--n];
    return v;
}

struct dtx_key dtx_hash128(const void *data, size_t len, uint64_t seed)
{
    const uint64_t c1 = 0x87c37b91114253d5u, c2 = 0x4cf5ad432745937fu;
    const unsigned char *p = data;
    uint64_t h1 = seed, h2 = seed;
    size_t left = len;

    for (; left >= 16; left -= 16, p += 16) {
        h1 ^= rotl(load64(p, 8) * c1, 31) * c2;
        h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotl(load64(p + 8, 8) * c2, 33) * c1;
        h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    if (left > 8)
        h2 ^= rotl(load64(p + 8, left - 8) * c2, 33) * c1;
    if (left > 0)
        h1 ^= rotl(load64(p, left < 8 ? left : 8) * c1, 31) * c2;
    h1 ^= len;
    h2 ^= len;
    h1 += h2;
    h2 += h1;
    h1 = mix(h1);
    h2 = mix(h2);
    h1 += h2;
    h2 += h1;
    return (struct dtx_key){h1, h2};
}

bool dtx_key_equal(struct dtx_key a, struct dtx_key b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

uint32_t dtx_crc32(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *p = data;

    while (len > 0) {
        uInt n = len > 1u << 30 ? 1u << 30 : (uInt)len;

        crc = (uint32_t)crc32(crc, p, n);
        p += n;
        len -= n;
    }
    return crc;
}

/* The place of 'k', or the free place where it belongs. */
static size_t place_of(const struct dtx_keymap *m, struct dtx_key k)
{
    size_t i = (size_t)k.lo & (m->size - 1);

    while (m->value[i] != 0 && !dtx_key_equal(m->key[i], k))
        i = (i + 1) & (m->size - 1);
    return i;
}

static bool keymap_grow(struct dtx_keymap *m)
{
    struct dtx_keymap n = {NULL, NULL, m->size ? m->size * 2 : 64, m->used};
    size_t i;

    n.key = malloc(n.size * sizeof(*n.key));
    n.value = calloc(n.size, sizeof(*n.value));
    if (!n.key || !n.value) {
        free(n.key);
        free(n.value);
        return false;
    }
    for (i = 0; i < m->size; i++) {
        if (m->value[i] != 0) {
            size_t j = place_of(&n, m->key[i]);

            n.key[j] = m->key[i];
            n.value[j] = m->value[i];
        }
    }
    free(m->key);
    free(m->value);
    *m = n;
    return true;
}

bool dtx_keymap_put(struct dtx_keymap *m, struct dtx_key k, uint32_t fresh,
                    uint32_t *found, bool *made)
{
    size_t i;
    bool is_new;

    if (m->used + 1 > m->size / 4 * 3 && !keymap_grow(m))
        return false;
    i = place_of(m, k);
    is_new = m->value[i] == 0;
    if (is_new) {
        m->key[i] = k;
        m->value[i] = fresh + 1;
        m->used++;
    }
    if (found)
        *found = m->value[i] - 1;
    if (made)
        *made = is_new;
    return true;
}

bool dtx_keymap_get(const struct dtx_keymap *m, struct dtx_key k,
                    uint32_t *found)
{
    size_t i;

    if (m->size == 0)
        return false;
    i = place_of(m, k);
    if (m->value[i] == 0)
        return false;
    *found = m->value[i] - 1;
    return true;
}

void dtx_keymap_set(struct dtx_keymap *m, struct dtx_key k, uint32_t value)
{
    if (m->size > 0) {
        size_t i = place_of(m, k);

        if (m->value[i] != 0)
            m->value[i] = value + 1;
    }
}

void dtx_keymap_free(struct dtx_keymap *m)
{
    free(m->key);
    free(m->value);
    memset(m, 0, sizeof(*m));
}
