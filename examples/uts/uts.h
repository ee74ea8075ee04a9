/* SPDX-License-Identifier: MIT */
/* uts.h - the trees of the Unbalanced Tree Search benchmark (Olivier, Huan,
 *         Liu, Prins, Dinan, Sadayappan, Tseng: LCPC 2006)
 *
 * A node is 20 bytes of state; a child's are the SHA-1 of its parent's and its
 * number, so that nobody can know the shape of a subtree without walking it.
 */
#ifndef UTS_H
#define UTS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

struct uts_tree {
    const char *name;
    int binomial; /* or geometric */
    int linear;   /* geometric: the branching factor falls off, or is fixed */
    double b0;    /* children of the root, on average */
    double q;     /* binomial: how likely a node has children ... */
    int m;        /* ... and how many */
    int depth;    /* geometric: none below */
    int seed;
    uint64_t nodes; /* as published */
};

/* Published sample trees of about four million nodes. */
static const struct uts_tree uts_trees[] = {
    {"T1", 0, 0, 4, 0, 0, 10, 19, 4130071},
    {"T3", 1, 0, 2000, 0.124875, 8, 0, 42, 4112897},
    {"T5", 0, 1, 4, 0, 0, 20, 34, 4147582},
};

struct uts_node {
    uint8_t state[20];
    int32_t height;
};

static inline uint32_t uts_rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* SHA-1 (FIPS 180-4) of at most 55 bytes: one block. */
static inline void uts_sha1(const uint8_t *in, unsigned len, uint8_t out[20])
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc,
                                  0xca62c1d6};
    const uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                           0xc3d2e1f0};
    uint8_t block[64] = {0};
    uint32_t w[80], v[5];

    memcpy(block, in, len);
    block[len] = 0x80;
    block[62] = (uint8_t)(len * 8 >> 8);
    block[63] = (uint8_t)(len * 8);
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = uts_rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(v, h, sizeof(v));
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (v[1] & v[2]) | (~v[1] & v[3])
                     : i < 40 ? v[1] ^ v[2] ^ v[3]
                     : i < 60 ? (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3])
                              : v[1] ^ v[2] ^ v[3];
        uint32_t t = uts_rotate(v[0], 5) + f + v[4] + k[i / 20] + w[i];

        v[4] = v[3];
        v[3] = v[2];
        v[2] = uts_rotate(v[1], 30);
        v[1] = v[0];
        v[0] = t;
    }
    for (int i = 0; i < 20; i++)
        out[i] = (uint8_t)((h[i / 4] + v[i / 4]) >> (24 - 8 * (i % 4)));
}

static inline void uts_root(const struct uts_tree *t, struct uts_node *n)
{
    uint8_t in[20] = {0};

    for (int i = 0; i < 4; i++)
        in[16 + i] = (uint8_t)((uint32_t)t->seed >> (24 - 8 * i));
    uts_sha1(in, 20, n->state);
    n->height = 0;
}

static inline void uts_child(const struct uts_node *n, uint32_t i,
                             struct uts_node *child)
{
    uint8_t in[24];

    memcpy(in, n->state, 20);
    for (int j = 0; j < 4; j++)
        in[20 + j] = (uint8_t)(i >> (24 - 8 * j));
    uts_sha1(in, 24, child->state);
    child->height = n->height + 1;
}

/* In [0, 1), from the last 31 bits of the state. */
static inline double uts_chance(const struct uts_node *n)
{
    const uint8_t *s = n->state + 16;
    uint32_t v = (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 |
                 (uint32_t)s[2] << 8 | s[3];

    return (double)(v & 0x7fffffff) / 2147483648.0;
}

static inline int64_t uts_children(const struct uts_tree *t,
                                   const struct uts_node *n)
{
    double b = t->b0, count;

    if (t->binomial)
        return n->height == 0 ? (int64_t)t->b0
                              : (uts_chance(n) < t->q ? t->m : 0);
    if (n->height > 0)
        b = t->linear ? b * (1.0 - (double)n->height / t->depth)
                      : (n->height < t->depth ? b : 0);
    count = floor(log(1 - uts_chance(n)) / log(1 - 1 / (1 + b)));
    return count > 100 ? 100 : (int64_t)count;
}

#endif
