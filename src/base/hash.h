/* SPDX-License-Identifier: MIT */
/* base/hash.h - checksums, 128-bit keys and a map from keys to numbers */
#ifndef DTX_BASE_HASH_H
#define DTX_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_key {
    uint64_t hi, lo;
};

/* MurmurHash3 x64 128 (Appleby, public domain): not for adversaries, stable
 * across machines and versions, since the journal's resume rests on it. */
struct dtx_key dtx_hash128(const void *data, size_t len, uint64_t seed);
bool dtx_key_equal(struct dtx_key a, struct dtx_key b);

/* CRC-32 (zlib's), continued from 'crc' (0 to begin). */
uint32_t dtx_crc32(uint32_t crc, const void *data, size_t len);

/* A map from keys to 32-bit numbers: open addressing, no deletion.
 * Zero-initialise.  Distinct texts are told apart by their 128-bit hash
 * alone. */
struct dtx_keymap {
    struct dtx_key *key;
    uint32_t *value; /* 0 = free place; values are stored plus one */
    size_t size;     /* power of two, or 0 */
    size_t used;
};

/* Find 'k', or add it with the value 'fresh' (< UINT32_MAX).  '*found' (if not
 * NULL) is its value now, '*made' (if not NULL) says whether it was added.
 * False when out of memory (nothing changed). */
bool dtx_keymap_put(struct dtx_keymap *m, struct dtx_key k, uint32_t fresh,
                    uint32_t *found, bool *made);
/* True and '*found' set when 'k' is there. */
bool dtx_keymap_get(const struct dtx_keymap *m, struct dtx_key k,
                    uint32_t *found);
/* Change the value of a key that is there. */
void dtx_keymap_set(struct dtx_keymap *m, struct dtx_key k, uint32_t value);
void dtx_keymap_free(struct dtx_keymap *m);

#endif
