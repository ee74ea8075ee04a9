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

#define UTS_CHOOSE(x, y, z) (((x) & ((y) ^ (z))) ^ (z))
#define UTS_PARITY(x, y, z) ((x) ^ (y) ^ (z))
#define UTS_MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
/* One step; five of them bring the words back to their places. */
#define UTS_STEP(f, k, a, b, c, d, e, i)                                       \
    do {                                                                       \
        e += uts_rotate(a, 5) + f(b, c, d) + (k) + w[i];                       \
        b = uts_rotate(b, 30);                                                 \
    } while (0)
#define UTS_STEPS(f, k, from)                                                  \
    for (int i = from; i < from + 20; i += 5) {                                \
        UTS_STEP(f, k, a, b, c, d, e, i);                                      \
        UTS_STEP(f, k, e, a, b, c, d, i + 1);                                  \
        UTS_STEP(f, k, d, e, a, b, c, i + 2);                                  \
        UTS_STEP(f, k, c, d, e, a, b, i + 3);                                  \
        UTS_STEP(f, k, b, c, d, e, a, i + 4);                                  \
    }

/* SHA-1 (FIPS 180-4) of at most 55 bytes: one block. */
static inline void uts_sha1(const uint8_t *in, unsigned len, uint8_t out[20])
{
    uint32_t a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476,
             e = 0xc3d2e1f0, w[80], sum[5];
    uint8_t block[64] = {0};

    memcpy(block, in, len);
    block[len] = 0x80;
    block[62] = (uint8_t)(len * 8 >> 8);
    block[63] = (uint8_t)(len * 8);
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = uts_rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    UTS_STEPS(UTS_CHOOSE, 0x5a827999u, 0)
    UTS_STEPS(UTS_PARITY, 0x6ed9eba1u, 20)
    UTS_STEPS(UTS_MAJORITY, 0x8f1bbcdcu, 40)
    UTS_STEPS(UTS_PARITY, 0xca62c1d6u, 60)
    sum[0] = a + 0x67452301;
    sum[1] = b + 0xefcdab89;
    sum[2] = c + 0x98badcfe;
    sum[3] = d + 0x10325476;
    sum[4] = e + 0xc3d2e1f0;
    for (int i = 0; i < 20; i++)
        out[i] = (uint8_t)(sum[i / 4] >> (24 - 8 * (i % 4)));
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
