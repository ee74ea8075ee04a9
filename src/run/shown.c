/* SPDX-License-Identifier: MIT */
/* A table by task; see shown.h. */
#include "run/shown.h"

#include <stdlib.h>

#include "run/lines.h"

#define BUCKETS 4096u /* there are as many as tasks run that were shown */

struct node {
    struct node *next;
    uint32_t task, attempt;
    struct dtx_shown_so_far f;
};

struct dtx_shown {
    struct node *bucket[BUCKETS];
};

struct dtx_shown *dtx_shown_create(void)
{
    return calloc(1, sizeof(struct dtx_shown));
}

void dtx_shown_destroy(struct dtx_shown *s)
{
    uint32_t i;

    for (i = 0; s && i < BUCKETS; i++) {
        while (s->bucket[i]) {
            struct node *n = s->bucket[i];

            s->bucket[i] = n->next;
            free(n);
        }
    }
    free(s);
}

static struct node **find(struct dtx_shown *s, uint32_t task)
{
    struct node **at = &s->bucket[task % BUCKETS];

    while (*at && (*at)->task != task)
        at = &(*at)->next;
    return at;
}

/* The counts of this attempt; NULL: it is not the newest, or no memory. */
static struct node *node_of(struct dtx_shown *s, uint32_t task,
                            uint32_t attempt)
{
    struct node **at = find(s, task), *n = *at;

    if (!n) {
        n = *at = calloc(1, sizeof(*n));
    } else if (attempt > n->attempt) {
        n->f = (struct dtx_shown_so_far){{0, 0}, {false, false}};
    } else if (attempt < n->attempt) {
        return NULL;
    }
    if (n) {
        n->task = task;
        n->attempt = attempt;
    }
    return n;
}

bool dtx_shown_take(struct dtx_shown *s, const struct dtx_lines_piece *p,
                    bool *in_line)
{
    struct node *n = node_of(s, p->task, p->attempt);
    int k = p->stream;

    if (!n)
        return false;
    if (p->len == 0) {
        n->f.bytes[k] = 0;
        n->f.in_line[k] = false;
        return false;
    }
    if (p->off != n->f.bytes[k])
        return false;
    *in_line = n->f.in_line[k];
    n->f.bytes[k] += p->len;
    n->f.in_line[k] = p->data[p->len - 1] != '\n';
    return true;
}

struct dtx_shown_so_far dtx_shown_end(struct dtx_shown *s, uint32_t task,
                                      uint32_t attempt)
{
    struct dtx_shown_so_far f = {{0, 0}, {false, false}};
    struct node **at = find(s, task), *n = *at;

    if (!n || n->attempt > attempt)
        return f;
    if (n->attempt == attempt)
        f = n->f;
    *at = n->next;
    free(n);
    return f;
}
