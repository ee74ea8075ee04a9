/* SPDX-License-Identifier: MIT */
/* Cards and shares; see place.h.  Ranks that share a node are found by host
 * and boot, those that share cores by their sets of processing units; the
 * launcher is not asked, since it may not know. */
#include "run/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "task/machine.h"
#include "wire/locality.h"

#define SLOT_FILES 8    /* open files a slot may need */
#define SPARE_FILES 512

static uint64_t boot_hash(void)
{
    char text[256];
    struct stat st;
    size_t n = 0;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (f) {
        n = fread(text, 1, 64, f);
        (void)fclose(f);
    }
    if (stat("/proc/self/ns/pid", &st) == 0)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %llu",
                              (unsigned long long)st.st_ino);
    return dtx_hash128(text, n, 11).hi;
}

static uint32_t room_for_slots(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 ||
        r.rlim_max <= SPARE_FILES + SLOT_FILES)
        return 1;
    if (r.rlim_max / SLOT_FILES > DTX_JOBS_MOST + SPARE_FILES)
        return DTX_JOBS_MOST;
    return (uint32_t)((r.rlim_max - SPARE_FILES) / SLOT_FILES);
}

void dtx_card_fill(struct dtx_card *c, const struct dtx_cores *cores,
                   const struct dtx_bell *bell)
{
    uint32_t i;

    memset(c, 0, sizeof(*c));
    if (gethostname(c->host, sizeof(c->host)) != 0)
        c->host[0] = '\0';
    c->host[sizeof(c->host) - 1] = '\0';
    c->boot = boot_hash();
    c->room = room_for_slots();
    c->ncores = cores->ncores;
    c->machine_cores = cores->machine_cores;
    for (i = 0; i < cores->npus; i++) {
        uint32_t pu = cores->pus[i];

        if (pu < DTX_CARD_PUS)
            c->pus[pu / 8] |= (uint8_t)(1u << pu % 8);
    }
    dtx_bell_address(bell, &c->bell);
}

bool dtx_card_same_node(const struct dtx_card *a, const struct dtx_card *b)
{
    return a->boot == b->boot &&
           strncmp(a->host, b->host, sizeof(a->host)) == 0;
}

void dtx_card_place(struct dtx_card *c, const struct dtx_machine *m)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_locality_encode(&b, m, sizeof(c->place));
    c->place_len = 0;
    if (!b.failed && b.len > 0) {
        memcpy(c->place, b.data, b.len);
        c->place_len = (uint32_t)b.len;
    }
    dtx_buf_free(&b);
}

void dtx_card_machine(const struct dtx_card *c, struct dtx_machine *out)
{
    if (c->place_len > sizeof(c->place) ||
        dtx_locality_decode(c->place, c->place_len, out) != DTX_OK)
        dtx_machine_init(out);
}

uint32_t dtx_card_distance(const struct dtx_card *a, uint32_t i,
                           const struct dtx_card *b, uint32_t j)
{
    struct dtx_machine ma, mb;
    uint32_t d;

    dtx_card_machine(a, &ma);
    dtx_card_machine(b, &mb);
    if (dtx_card_same_node(a, b)) {
        struct dtx_locus x = dtx_machine_core(&ma, i),
                         y = dtx_machine_core(&mb, j);

        d = dtx_locus_distance(&x, &y);
    } else {
        d = dtx_path_distance(ma.path, mb.path);
    }
    dtx_machine_free(&ma);
    dtx_machine_free(&mb);
    return d;
}

static bool same_cores(const struct dtx_card *a, const struct dtx_card *b)
{
    return memcmp(a->pus, b->pus, sizeof(a->pus)) == 0;
}

/* The k-th of n parts of 'total', which differ by at most one. */
static uint32_t part(uint32_t total, uint32_t k, uint32_t n)
{
    return total / n + (k < total % n);
}

static uint32_t part_start(uint32_t total, uint32_t k, uint32_t n)
{
    return total / n * k + (k < total % n ? k : total % n);
}

/* Which of how many. */
struct seat {
    uint32_t index, of;
    uint32_t cores; /* of the node, those its ranks may use */
};

static int compare_nodes(const struct dtx_card *a, const struct dtx_card *b)
{
    if (a->boot != b->boot)
        return a->boot < b->boot ? -1 : 1;
    return strncmp(a->host, b->host, sizeof(a->host));
}

/* For qsort, of pointers into the array of cards: nodes, in each the ranks. */
static int by_node(const void *x, const void *y)
{
    const struct dtx_card *a = *(const struct dtx_card *const *)x,
                          *b = *(const struct dtx_card *const *)y;
    int order = compare_nodes(a, b);

    return order ? order : (a > b) - (a < b);
}

/* Likewise: nodes, in each the sets of cores, in each the ranks. */
static int by_cores(const void *x, const void *y)
{
    const struct dtx_card *a = *(const struct dtx_card *const *)x,
                          *b = *(const struct dtx_card *const *)y;
    int order = compare_nodes(a, b);

    if (!order)
        order = memcmp(a->pus, b->pus, sizeof(a->pus));
    return order ? order : (a > b) - (a < b);
}

/* Number the ranks of each group of 'sorted', whose seats are by rank. */
static void number(const struct dtx_card **sorted, uint32_t n,
                   const struct dtx_card *cards, bool cores,
                   struct seat *seats)
{
    uint32_t i, j, k;

    for (i = 0; i < n; i = j) {
        for (j = i + 1; j < n && dtx_card_same_node(sorted[i], sorted[j]) &&
                        (!cores || same_cores(sorted[i], sorted[j]));)
            j++;
        for (k = i; k < j; k++)
            seats[sorted[k] - cards] = (struct seat){k - i, j - i, 0};
    }
}

/* Ranks that share cores share them wholly: each counts its part. */
static void count_cores(const struct dtx_card **sorted, uint32_t n,
                        const struct dtx_card *cards, const struct seat *core,
                        struct seat *node)
{
    uint32_t i, j, k;

    for (i = 0; i < n; i = j) {
        uint32_t cores = 0;

        for (j = i; j < n && dtx_card_same_node(sorted[i], sorted[j]); j++) {
            const struct seat *c = &core[sorted[j] - cards];

            cores += part(sorted[j]->ncores, c->index, c->of);
        }
        for (k = i; k < j; k++)
            node[sorted[k] - cards].cores = cores;
    }
}

uint32_t dtx_jobs_slots(const struct dtx_jobs *jobs, uint32_t cores,
                        uint32_t tasks)
{
    double share = jobs->percent * cores / 100.0;
    int64_t n = 0;

    switch (jobs->how) {
    case DTX_JOBS_CORES:
        return 0;
    case DTX_JOBS_COUNT:
        n = jobs->n;
        break;
    case DTX_JOBS_MORE:
        n = (int64_t)cores + jobs->n;
        break;
    case DTX_JOBS_SHARE:
        n = (int64_t)share + ((double)(int64_t)share < share);
        break;
    case DTX_JOBS_ALL:
        n = tasks && tasks < DTX_JOBS_MOST ? tasks : DTX_JOBS_MOST;
        break;
    }
    return n < 1 ? 1 : (uint32_t)n;
}

/* One rank's slots, without its numbers on the node. */
static void share_alone(const struct dtx_card *card, struct seat node,
                        struct seat core, const struct dtx_jobs *jobs,
                        uint32_t tasks, struct dtx_share *s)
{
    uint32_t slots = dtx_jobs_slots(jobs, node.cores, tasks);

    s->node_ranks = node.of;
    s->ncores = part(card->ncores, core.index, core.of);
    s->first_core = part_start(card->ncores, core.index, core.of);
    if (s->ncores == 0) { /* more ranks than cores: they take turns */
        s->first_core = card->ncores ? core.index % card->ncores : 0;
        s->ncores = card->ncores ? 1 : 0;
    }
    s->nslots = slots ? part(slots, node.index, node.of) : s->ncores;
    if (jobs->how == DTX_JOBS_ALL && s->nslots > card->room)
        s->nslots = card->room;
    if (s->nslots == 0)
        s->nslots = 1;
}

/* What all ranks together have, and where this one's slots begin. */
static void add_up(const struct dtx_card *cards, const struct seat *node,
                   const struct seat *core, uint32_t n, uint32_t me,
                   const struct dtx_jobs *jobs, struct dtx_share *out)
{
    uint32_t r;

    for (r = 0; r < n; r++) {
        struct dtx_share s;

        memset(&s, 0, sizeof(s));
        share_alone(&cards[r], node[r], core[r], jobs, cards[0].tasks, &s);
        out->job_slots += s.nslots;
        if (s.nslots > out->most_slots)
            out->most_slots = s.nslots;
        if (r < me && dtx_card_same_node(&cards[r], &cards[me]))
            out->first_slot += s.nslots;
        if (node[r].index == 0) {
            out->nodes++;
            out->job_cores += cards[r].machine_cores;
        }
    }
}

/* Where each rank sits on its node, and among those with the same cores. */
static int take_seats(const struct dtx_card *cards, uint32_t n,
                      struct seat **node, struct seat **core)
{
    const struct dtx_card **sorted = calloc(n, sizeof(*sorted));
    int rc = DTX_ENOMEM;
    uint32_t r;

    *node = calloc(n, sizeof(**node));
    *core = calloc(n, sizeof(**core));
    if (sorted && *node && *core) {
        for (r = 0; r < n; r++)
            sorted[r] = &cards[r];
        qsort(sorted, n, sizeof(*sorted), by_node);
        number(sorted, n, cards, false, *node);
        qsort(sorted, n, sizeof(*sorted), by_cores);
        number(sorted, n, cards, true, *core);
        count_cores(sorted, n, cards, *core, *node);
        rc = DTX_OK;
    }
    free(sorted);
    return rc;
}

int dtx_share_of(const struct dtx_card *cards, uint32_t n, uint32_t me,
                 const struct dtx_jobs *jobs, struct dtx_share *out)
{
    struct seat *node, *core;
    int rc = take_seats(cards, n, &node, &core);

    memset(out, 0, sizeof(*out));
    if (rc == DTX_OK) {
        share_alone(&cards[me], node[me], core[me], jobs, cards[0].tasks, out);
        out->first_slot = 1;
        add_up(cards, node, core, n, me, jobs, out);
    }
    free(node);
    free(core);
    return rc;
}

int dtx_shares_of(const struct dtx_card *cards, uint32_t n,
                  const struct dtx_jobs *jobs, struct dtx_share *each)
{
    struct seat *node, *core;
    int rc = take_seats(cards, n, &node, &core);
    uint32_t r;

    memset(each, 0, n * sizeof(*each));
    for (r = 0; rc == DTX_OK && r < n; r++)
        share_alone(&cards[r], node[r], core[r], jobs, cards[0].tasks,
                    &each[r]);
    free(node);
    free(core);
    return rc;
}
