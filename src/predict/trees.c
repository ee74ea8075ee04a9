/* SPDX-License-Identifier: MIT */
/* A forest of extremely randomised trees; see trees.h. */
#include "predict/trees.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "predict/sample.h"

#define LEAF 5      /* samples that are not divided further */
#define TRIES 8     /* cuts a node looks at */
#define NODES (2 * DTX_TREES_MAX_SAMPLES / 2)
#define FOLLOW 16.0f /* a leaf counts for at most so many samples */

/* Features by number: numbers, then words, then these. */
#define F_WORD DTX_FEATURE_NUMBERS
#define F_HOST (F_WORD + DTX_FEATURE_WORDS)
#define F_MARK (F_HOST + 1)
#define F_AGE (F_MARK + 1)
#define F_COUNT (F_AGE + 1)
#define F_LEAF 255

struct node {
    union {
        float cut;     /* left: below it */
        uint32_t word; /* left: this one */
        float count;   /* of a leaf */
    } u;
    float mean;        /* of a leaf */
    uint16_t left;     /* the right one follows it */
    uint8_t feature;
};

struct tree {
    uint16_t nnodes;
    struct node node[NODES];
};

struct dtx_trees {
    struct tree tree[DTX_TREES];
};

struct grow {
    struct tree *t;
    const struct dtx_sample *s;
    const float *y;
    uint16_t *order;          /* samples of the present node are a piece */
    uint8_t feature[F_COUNT]; /* that differ at all */
    uint32_t nfeatures;
    struct dtx_rng *rng;
};

struct cut {
    uint8_t feature;
    float at;
    uint32_t word;
    double gain;
};

static uint32_t word_of(const struct dtx_sample *s, uint32_t f)
{
    return f == F_HOST ? s->host : f == F_MARK ? s->mark : s->word[f - F_WORD];
}

static bool is_word(uint32_t f)
{
    return f >= F_WORD && f <= F_MARK;
}

static float number_of(const struct dtx_sample *s, uint32_t f)
{
    return f == F_AGE ? (float)s->when : s->x[f];
}

static bool goes_left(const struct dtx_sample *s, uint32_t f, float at,
                      uint32_t word)
{
    return is_word(f) ? word_of(s, f) == word : number_of(s, f) < at;
}

/* A random cut of feature 'f' in the piece; false when all are the same. */
static bool draw(struct grow *g, const uint16_t *piece, uint32_t n, uint32_t f,
                 struct cut *c)
{
    float lo, hi;
    uint32_t i;

    c->feature = (uint8_t)f;
    if (is_word(f)) {
        uint32_t w = word_of(&g->s[piece[dtx_rng_below(g->rng, n)]], f);

        c->word = w;
        for (i = 0; i < n && word_of(&g->s[piece[i]], f) == w; i++)
            ;
        return i < n;
    }
    lo = hi = number_of(&g->s[piece[0]], f);
    for (i = 1; i < n; i++) {
        float v = number_of(&g->s[piece[i]], f);

        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    c->at = lo + (hi - lo) * (float)dtx_rng_unit(g->rng);
    if (c->at <= lo)
        c->at = hi;
    return lo < hi;
}

/* How much of the variance the cut explains, up to a constant. */
static void weigh(const struct grow *g, const uint16_t *piece, uint32_t n,
                  struct cut *c)
{
    double left = 0, all = 0;
    uint32_t i, nleft = 0;

    for (i = 0; i < n; i++) {
        const struct dtx_sample *s = &g->s[piece[i]];
        double y = (double)g->y[piece[i]];
        bool l = goes_left(s, c->feature, c->at, c->word);

        all += y;
        left += l ? y : 0;
        nleft += l;
    }
    c->gain = -1e300;
    if (nleft > 0 && nleft < n)
        c->gain = left * left / nleft +
                  (all - left) * (all - left) / (n - nleft) - all * all / n;
}

static bool best_cut(struct grow *g, const uint16_t *piece, uint32_t n,
                     struct cut *best)
{
    struct cut c = {0};
    uint32_t k;

    best->gain = -1e300;
    for (k = 0; k < TRIES; k++) {
        uint32_t f = g->feature[dtx_rng_below(g->rng, g->nfeatures)];

        if (!draw(g, piece, n, f, &c))
            continue;
        weigh(g, piece, n, &c);
        if (c.gain > best->gain)
            *best = c;
    }
    return best->gain > 1e-12;
}

static void make_leaf(const struct grow *g, struct node *k,
                      const uint16_t *piece, uint32_t n)
{
    double sum = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        sum += (double)g->y[piece[i]];
    k->feature = F_LEAF;
    k->mean = (float)(sum / n);
    k->u.count = (float)n;
}

static uint32_t divide(struct grow *g, uint16_t *piece, uint32_t n,
                       const struct cut *c)
{
    uint32_t i, left = 0;

    for (i = 0; i < n; i++) {
        if (goes_left(&g->s[piece[i]], c->feature, c->at, c->word)) {
            uint16_t was = piece[left];

            piece[left++] = piece[i];
            piece[i] = was;
        }
    }
    return left;
}

struct todo {
    uint16_t node, at, n;
};

static void grow_tree(struct grow *g, uint32_t n)
{
    struct todo stack[NODES];
    uint32_t depth = 0;

    g->t->nnodes = 1;
    stack[depth++] = (struct todo){0, 0, (uint16_t)n};
    while (depth > 0) {
        struct todo d = stack[--depth];
        struct node *k = &g->t->node[d.node];
        uint16_t *piece = g->order + d.at;
        struct cut c = {0};
        uint32_t left;

        if (d.n <= LEAF || g->nfeatures == 0 || g->t->nnodes + 2u > NODES ||
            !best_cut(g, piece, d.n, &c)) {
            make_leaf(g, k, piece, d.n);
            continue;
        }
        left = divide(g, piece, d.n, &c);
        k->feature = c.feature;
        if (is_word(c.feature))
            k->u.word = c.word;
        else
            k->u.cut = c.at;
        k->left = g->t->nnodes;
        g->t->nnodes = (uint16_t)(g->t->nnodes + 2);
        stack[depth++] = (struct todo){k->left, d.at, (uint16_t)left};
        stack[depth++] = (struct todo){(uint16_t)(k->left + 1),
                                       (uint16_t)(d.at + left),
                                       (uint16_t)(d.n - left)};
    }
}

/* The features that are not the same in all samples. */
static void find_features(struct grow *g, uint32_t n, struct dtx_trees_use use)
{
    uint32_t f, i;

    g->nfeatures = 0;
    for (f = 0; f < F_COUNT; f++) {
        if ((f == F_HOST && !use.host) || (f == F_AGE && !use.age))
            continue;
        for (i = 1; i < n; i++) {
            if (is_word(f) ? word_of(&g->s[i], f) != word_of(&g->s[0], f)
                           : number_of(&g->s[i], f) < number_of(&g->s[0], f) ||
                             number_of(&g->s[i], f) > number_of(&g->s[0], f))
                break;
        }
        if (i < n)
            g->feature[g->nfeatures++] = (uint8_t)f;
    }
}

bool dtx_trees_train(struct dtx_trees **t, const struct dtx_sample *s,
                     const float *y, uint32_t n, struct dtx_trees_use use,
                     struct dtx_rng *rng)
{
    uint16_t order[DTX_TREES_MAX_SAMPLES];
    struct grow g = {.s = s, .y = y, .order = order, .rng = rng};
    uint32_t i, k;

    if (!*t)
        *t = malloc(sizeof(**t));
    if (!*t)
        return false;
    find_features(&g, n, use);
    for (k = 0; k < DTX_TREES; k++) {
        g.t = &(*t)->tree[k];
        for (i = 0; i < n; i++)
            order[i] = (uint16_t)i;
        grow_tree(&g, n);
    }
    return true;
}

static uint16_t leaf_of(const struct tree *t, const struct dtx_sample *s)
{
    const struct node *k = t->node;

    while (k->feature != F_LEAF)
        k = &t->node[k->left + !goes_left(s, k->feature, k->u.cut, k->u.word)];
    return (uint16_t)(k - t->node);
}

double dtx_trees_value(const struct dtx_trees *t, const struct dtx_sample *s,
                       uint16_t leaf[DTX_TREES])
{
    double sum = 0;
    uint32_t i;

    for (i = 0; i < DTX_TREES; i++) {
        leaf[i] = leaf_of(&t->tree[i], s);
        sum += (double)t->tree[i].node[leaf[i]].mean;
    }
    return sum / DTX_TREES;
}

double dtx_trees_without(const struct dtx_trees *t, const struct dtx_sample *s,
                         double y, const struct dtx_sample *now)
{
    double sum = 0;
    uint32_t i, n = 0;

    for (i = 0; i < DTX_TREES; i++) {
        uint16_t at = leaf_of(&t->tree[i], now);
        const struct node *k = &t->tree[i].node[at];
        double count = (double)k->u.count, mean = (double)k->mean;

        if (at == leaf_of(&t->tree[i], s)) {
            if (count < 2)
                continue;
            mean = (mean * count - y) / (count - 1);
        }
        sum += mean;
        n++;
    }
    return n ? sum / n : NAN;
}

void dtx_trees_update(struct dtx_trees *t, const uint16_t leaf[DTX_TREES],
                      double y)
{
    uint32_t i;

    for (i = 0; i < DTX_TREES; i++) {
        struct node *k = &t->tree[i].node[leaf[i]];

        if (k->u.count < FOLLOW)
            k->u.count += 1;
        k->mean += ((float)y - k->mean) / k->u.count;
    }
}

void dtx_trees_destroy(struct dtx_trees *t)
{
    free(t);
}

size_t dtx_trees_bytes(void)
{
    return sizeof(struct dtx_trees);
}
