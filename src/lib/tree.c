/* SPDX-License-Identifier: MIT */
/* How slots work on a tree.  Each has a stack of frames: a node, and which of
 * its children are still to be made.  Nobody else ever looks at it.  When
 * somebody is hungry (one plain load for each node tells), the slot parts with
 * half of what is open on every level, from the top of the tree on, as one
 * bundle: so few handovers suffice, whatever the shape of the tree.  (Half of
 * the stack rather than one node: Kumar, Grama and Rao, J. Parallel and
 * Distributed Computing 22(1), 1994; Dinan, Larkins, Sadayappan, Krishnamoorthy
 * and Nieplocha, SC 2009.) */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/session.h"
#include "node/clock.h"

#define MOST_FRAMES 64u     /* in a bundle */
#define FEW_OPEN 8u         /* children: not worth dividing ... */
#define LIGHT_NS 2000       /* ... when a node takes less than this */
#define VISITS 65536u       /* in a step */
#define VISITS_INLINED 32u

struct frame {
    uint64_t lo, hi; /* children that are still to be made */
    char node[];
};

struct bundle {
    struct bundle *next;
    size_t frames;
    bool root; /* its one node is still to be visited */
    _Alignas(16) char data[];
};

struct tree {
    size_t stride; /* of a frame */
    struct bundle *pool, **tail; /* under the crew's lock */
};

/* A slot's own. */
struct own {
    _Alignas(128) char *data;
    size_t depth, cap; /* frames */
    int64_t unit_ns;   /* a visit takes; 0: unknown */
};

static struct tree *tree_of(const struct dtx_region *g)
{
    return g->own;
}

static struct frame *frame_at(char *data, size_t stride, size_t i)
{
    return (struct frame *)(void *)(data + i * stride);
}

static bool reserve(struct own *o, size_t stride, size_t frames)
{
    size_t cap = o->cap ? o->cap : 64;
    char *p;

    if (frames <= o->cap)
        return true;
    while (cap < frames)
        cap *= 2;
    p = realloc(o->data, cap * stride);
    if (!p)
        return false;
    o->data = p;
    o->cap = cap;
    return true;
}

/* --- bundles -------------------------------------------------------------- */

static struct bundle *make_bundle(size_t stride, size_t frames)
{
    struct bundle *b = malloc(sizeof(*b) + frames * stride);

    if (b) {
        b->next = NULL;
        b->frames = 0;
        b->root = false;
    }
    return b;
}

/* With the crew's lock held. What a slot parts with when all was dropped just
 * now would stay for ever. */
static void put_bundle(struct dtx_region *g, struct bundle *b)
{
    struct tree *t = tree_of(g);

    if (atomic_load_explicit(&g->dropped, memory_order_relaxed)) {
        free(b);
        return;
    }
    *t->tail = b;
    t->tail = &b->next;
    dtx_crew_stocked(&g->session->crew);
}

static struct bundle *get_bundle(struct dtx_region *g, bool root)
{
    struct tree *t = tree_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct bundle *b;

    (void)pthread_mutex_lock(&c->lock);
    b = t->pool && (root || !t->pool->root) ? t->pool : NULL;
    if (b) {
        t->pool = b->next;
        if (!t->pool)
            t->tail = &t->pool;
        c->stock--;
        dtx_crew_weigh(c);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return b;
}

static uint64_t count_open(const struct own *o, size_t stride)
{
    uint64_t open = 0;
    size_t i;

    for (i = 0; i < o->depth; i++) {
        const struct frame *f = frame_at(o->data, stride, i);

        open += f->hi - f->lo;
    }
    return open;
}

/* Move the last 'count' children of frame 'f' into the bundle. */
static void move(struct bundle *b, size_t stride, struct frame *f,
                 uint64_t count)
{
    struct frame *to = frame_at(b->data, stride, b->frames++);

    memcpy(to, f, stride);
    f->hi -= count;
    to->lo = f->hi;
}

static void fill_bundle(struct bundle *b, struct own *o, size_t stride)
{
    size_t i;

    for (i = 0; i < o->depth && b->frames < MOST_FRAMES; i++) {
        struct frame *f = frame_at(o->data, stride, i);

        if (f->hi - f->lo >= 2)
            move(b, stride, f, (f->hi - f->lo) / 2);
    }
    for (i = 0; i < o->depth && b->frames == 0; i++) {
        struct frame *f = frame_at(o->data, stride, i);

        if (f->hi > f->lo)
            move(b, stride, f, 1);
    }
}

/* Somebody is hungry: part with half. */
static void divide(struct dtx_region *g, struct own *o)
{
    struct dtx_crew *c = &g->session->crew;
    size_t stride = tree_of(g)->stride;
    uint64_t open = count_open(o, stride);
    bool light = o->unit_ns > 0 && o->unit_ns < LIGHT_NS;
    struct bundle *b;

    if (open < (light ? FEW_OPEN : 2))
        return;
    b = make_bundle(stride, MOST_FRAMES);
    if (!b)
        return; /* it goes on alone */
    fill_bundle(b, o, stride);
    (void)pthread_mutex_lock(&c->lock);
    put_bundle(g, b);
    (void)pthread_mutex_unlock(&c->lock);
}

/* --- visiting ------------------------------------------------------------- */

/* Visit the node of the frame behind the top; it becomes the top when it has
 * children. */
static void visit(struct dtx_call *c, struct own *o, struct frame *f)
{
    int64_t n = c->region->kernel->visit(c, f->node);

    c->done++;
    if (n > 0) {
        f->lo = 0;
        f->hi = (uint64_t)n;
        o->depth++;
    } else if (n < 0) {
        dtx_failures_add(&c->failures, 0, 1, n < INT_MIN ? INT_MIN : (int)n);
    }
}

/* One child more, or one level less. False when out of memory. */
static bool advance(struct dtx_call *c, struct own *o, size_t stride)
{
    struct frame *f = frame_at(o->data, stride, o->depth - 1), *next;

    if (f->lo == f->hi) {
        o->depth--;
        return true;
    }
    if (o->depth == o->cap) {
        if (!reserve(o, stride, o->depth + 1))
            return false;
        f = frame_at(o->data, stride, o->depth - 1);
    }
    next = frame_at(o->data, stride, o->depth);
    c->region->kernel->child(c, f->node, f->lo++, next->node);
    visit(c, o, next);
    return true;
}

static bool load(struct dtx_region *g, struct dtx_call *c, struct own *o)
{
    size_t stride = tree_of(g)->stride;
    struct bundle *b = get_bundle(g, true);

    if (!b)
        return false;
    if (!reserve(o, stride, b->frames + 1)) {
        dtx_failures_add(&c->failures, 0, 1, DTX_ENOMEM);
    } else {
        memcpy(o->data, b->data, b->frames * stride);
        if (b->root)
            visit(c, o, frame_at(o->data, stride, 0));
        else
            o->depth = b->frames;
    }
    free(b);
    return true;
}

static bool step(void *region, unsigned slot)
{
    struct dtx_region *g = region;
    struct dtx_call *c = &g->call[slot];
    struct own *o = c->own;
    size_t stride = tree_of(g)->stride;
    const struct dtx_crew *crew = &g->session->crew;
    unsigned most = crew->inlined ? VISITS_INLINED : VISITS;
    uint64_t before = c->done;
    int64_t start = dtx_clock_mono_ns();

    if (atomic_load_explicit(&g->dropped, memory_order_relaxed))
        o->depth = 0;
    else if (o->depth == 0 && !load(g, c, o))
        return false;
    while (o->depth > 0 && c->done - before < most) {
        if (!advance(c, o, stride)) {
            dtx_failures_add(&c->failures, 0, 1, DTX_ENOMEM);
            o->depth = 0; /* what it had is lost, and that is said */
        }
        if (__builtin_expect(dtx_crew_hungry(crew), 0))
            divide(g, o);
        if (atomic_load_explicit(&g->dropped, memory_order_relaxed))
            o->depth = 0;
    }
    c->busy_ns += dtx_clock_mono_ns() - start;
    if (c->done > before)
        o->unit_ns =
            (dtx_clock_mono_ns() - start) / (int64_t)(c->done - before) + 1;
    return !atomic_load_explicit(&g->dropped, memory_order_relaxed);
}

/* --- the communicating thread's ------------------------------------------- */

static int begin(struct dtx_region *g)
{
    struct tree *t = calloc(1, sizeof(*t));
    struct dtx_crew *c = &g->session->crew;
    struct bundle *b;
    unsigned i;

    if (!t)
        return DTX_ENOMEM;
    g->own = t;
    t->tail = &t->pool;
    t->stride = sizeof(struct frame) + (g->kernel->node_bytes + 15) / 16 * 16;
    for (i = 0; i < c->n; i++) {
        struct own *o = aligned_alloc(_Alignof(struct own), sizeof(*o));

        if (!o)
            return DTX_ENOMEM;
        memset(o, 0, sizeof(*o));
        g->call[i].own = o;
    }
    if (g->session->net.rank != 0)
        return DTX_OK;
    b = make_bundle(t->stride, 1);
    if (!b)
        return DTX_ENOMEM;
    b->frames = 1;
    b->root = true;
    memset(b->data, 0, t->stride);
    memcpy(frame_at(b->data, t->stride, 0)->node, g->root,
           g->kernel->node_bytes);
    t->pool = b;
    t->tail = &b->next;
    g->stock = 1;
    return DTX_OK;
}

static void free_pool(struct tree *t)
{
    while (t->pool) {
        struct bundle *b = t->pool;

        t->pool = b->next;
        free(b);
    }
    t->tail = &t->pool;
}

static void end(struct dtx_region *g)
{
    unsigned i;

    for (i = 0; g->call && i < g->session->crew.n; i++) {
        struct own *o = g->call[i].own;

        if (o)
            free(o->data);
        free(o);
    }
    if (!tree_of(g))
        return;
    free_pool(tree_of(g));
    free(tree_of(g));
}

static bool take_frame(struct dtx_cursor *c, struct frame *f, size_t node)
{
    struct dtx_str s;

    f->lo = dtx_get_u64(c);
    f->hi = dtx_get_u64(c);
    s = dtx_get_str(c);
    if (c->bad || s.len != node || f->lo >= f->hi)
        return false;
    memcpy(f->node, s.data, node);
    return true;
}

/* All that came together is one bundle. */
static int take(struct dtx_region *g, struct dtx_cursor *c)
{
    size_t stride = tree_of(g)->stride;
    struct bundle *b = make_bundle(stride, MOST_FRAMES);
    bool ok = true;

    if (!b)
        return DTX_ENOMEM;
    while (ok && !dtx_cursor_done(c)) {
        struct frame *f = frame_at(b->data, stride, b->frames);

        ok = b->frames < MOST_FRAMES;
        if (ok) {
            memset(f, 0, stride);
            ok = take_frame(c, f, g->kernel->node_bytes);
            b->frames++;
        }
    }
    if (!ok) {
        free(b);
        return DTX_EPROTO;
    }
    put_bundle(g, b);
    return DTX_OK;
}

static bool give(struct dtx_region *g, uint32_t slots, struct dtx_parted *out)
{
    size_t stride = tree_of(g)->stride, i;
    struct bundle *b;

    (void)slots;
    out->left_ns = 0;
    b = get_bundle(g, false);
    if (!b)
        return false;
    out->left_ns = -1;
    for (i = 0; i < b->frames; i++) {
        struct frame *f = frame_at(b->data, stride, i);

        dtx_put_u64(&out->straight, f->lo);
        dtx_put_u64(&out->straight, f->hi);
        dtx_put_str(&out->straight,
                    (struct dtx_str){f->node, g->kernel->node_bytes});
    }
    free(b);
    return true;
}

static uint32_t wants(struct dtx_region *g)
{
    (void)g; /* when all its slots are idle, the region asks */
    return 0;
}

static int64_t left_ns(struct dtx_region *g)
{
    (void)g;
    return -1; /* nobody knows how large a tree is */
}

static void drop(struct dtx_region *g)
{
    struct dtx_crew *c = &g->session->crew;

    (void)pthread_mutex_lock(&c->lock);
    free_pool(tree_of(g));
    c->stock = 0;
    dtx_crew_weigh(c);
    (void)pthread_mutex_unlock(&c->lock);
}

const struct dtx_style dtx_style_tree = {
    .begin = begin,
    .step = step,
    .take = take,
    .give = give,
    .wants = wants,
    .left_ns = left_ns,
    .drop = drop,
    .end = end,
};
