/* SPDX-License-Identifier: MIT */
/* A bounded map of classes; see classes.h. */
#include "predict/classes.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static size_t place(const struct dtx_classes *c, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
           (c->nbuckets - 1);
}

static void detach(struct dtx_classes *c, struct dtx_class *k)
{
    *(k->newer ? &k->newer->older : &c->newest) = k->older;
    *(k->older ? &k->older->newer : &c->oldest) = k->newer;
}

static void put_newest(struct dtx_classes *c, struct dtx_class *k)
{
    k->newer = NULL;
    k->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = k;
    c->newest = k;
}

static void destroy(struct dtx_class *k)
{
    dtx_model_fini(&k->model);
    free(k->text);
    free(k);
}

void dtx_classes_free(struct dtx_classes *c)
{
    struct dtx_class *k, *next;

    for (k = c->newest; k; k = next) {
        next = k->older;
        destroy(k);
    }
    free(c->bucket);
    memset(c, 0, sizeof(*c));
}

struct dtx_class *dtx_classes_find(struct dtx_classes *c, uint64_t key)
{
    struct dtx_class *k = c->nbuckets ? c->bucket[place(c, key)] : NULL;

    while (k && k->key != key)
        k = k->chain;
    if (k && k != c->newest) {
        detach(c, k);
        put_newest(c, k);
    }
    return k;
}

static bool widen(struct dtx_classes *c)
{
    size_t n = c->nbuckets ? 2 * c->nbuckets : 64;
    struct dtx_class **b, *k;

    if (c->count < c->nbuckets)
        return true;
    b = calloc(n, sizeof(*b)); /* NOLINT: of pointers */
    if (!b)
        return false;
    free(c->bucket);
    c->bucket = b;
    c->nbuckets = n;
    for (k = c->newest; k; k = k->older) {
        struct dtx_class **at = &b[place(c, k->key)];

        k->chain = *at;
        *at = k;
    }
    return true;
}

struct dtx_class *dtx_classes_make(struct dtx_classes *c, uint64_t key,
                                   uint64_t program_key, const char *text,
                                   size_t text_len, enum dtx_grain grain)
{
    struct dtx_class *k = dtx_classes_find(c, key), **at;

    if (k)
        return k;
    if (!widen(c))
        return NULL;
    k = calloc(1, sizeof(*k));
    if (k)
        k->text = strndup(text, text_len);
    if (!k || !k->text) {
        free(k);
        return NULL;
    }
    dtx_plain(k->text, strlen(k->text)); /* of somebody's file */
    k->key = key;
    k->program_key = program_key;
    dtx_model_init(&k->model, grain);
    at = &c->bucket[place(c, key)];
    k->chain = *at;
    *at = k;
    put_newest(c, k);
    c->count++;
    return k;
}

static void forget(struct dtx_classes *c, struct dtx_class *k)
{
    struct dtx_class **at = &c->bucket[place(c, k->key)];

    while (*at != k)
        at = &(*at)->chain;
    *at = k->chain;
    detach(c, k);
    c->bytes -= k->bytes;
    c->count--;
    c->forgotten++;
    destroy(k);
}

void dtx_classes_settle(struct dtx_classes *c, struct dtx_class *k,
                        size_t limit)
{
    size_t now = sizeof(*k) + strlen(k->text) + 1 + dtx_model_bytes(&k->model);

    c->bytes += now - k->bytes;
    k->bytes = now;
    /* the last three are in use: class, program, and a merge's */
    while (c->bytes > limit && c->count > 3)
        forget(c, c->oldest);
}
