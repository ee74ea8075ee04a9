/* SPDX-License-Identifier: MIT */
/* Cards and shares; see place.h.  Ranks that share a node are found by host
 * and boot, those that share cores by their sets of processing units; the
 * launcher is not asked, since it may not know. */
#include "run/place.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

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

void dtx_card_fill(struct dtx_card *c, const struct dtx_cores *cores,
                   const struct dtx_bell *bell)
{
    uint32_t i;

    memset(c, 0, sizeof(*c));
    if (gethostname(c->host, sizeof(c->host)) != 0)
        c->host[0] = '\0';
    c->host[sizeof(c->host) - 1] = '\0';
    c->boot = boot_hash();
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

/* One rank's slots, without its numbers on the node. */
static void share_alone(const struct dtx_card *cards, uint32_t n, uint32_t me,
                        uint32_t jobs, struct dtx_share *s)
{
    uint32_t r, on_node = 0, node_index = 0, sharers = 0, index = 0;

    for (r = 0; r < n; r++) {
        if (!dtx_card_same_node(&cards[r], &cards[me]))
            continue;
        node_index += r < me;
        on_node++;
        if (same_cores(&cards[r], &cards[me])) {
            index += r < me;
            sharers++;
        }
    }
    s->node_ranks = on_node;
    s->ncores = part(cards[me].ncores, index, sharers);
    s->first_core = part_start(cards[me].ncores, index, sharers);
    if (s->ncores == 0) { /* more ranks than cores: they take turns */
        s->first_core = cards[me].ncores ? index % cards[me].ncores : 0;
        s->ncores = cards[me].ncores ? 1 : 0;
    }
    s->nslots = jobs ? part(jobs, node_index, on_node) : s->ncores;
    if (s->nslots == 0)
        s->nslots = 1;
}

/* Is this the first rank of its node? */
static bool leads_node(const struct dtx_card *cards, uint32_t r)
{
    uint32_t i;

    for (i = 0; i < r; i++) {
        if (dtx_card_same_node(&cards[i], &cards[r]))
            return false;
    }
    return true;
}

void dtx_share_of(const struct dtx_card *cards, uint32_t n, uint32_t me,
                  uint32_t jobs, struct dtx_share *out)
{
    uint32_t r;

    memset(out, 0, sizeof(*out));
    share_alone(cards, n, me, jobs, out);
    out->first_slot = 1;
    for (r = 0; r < n; r++) {
        struct dtx_share s;

        memset(&s, 0, sizeof(s));
        share_alone(cards, n, r, jobs, &s);
        out->job_slots += s.nslots;
        if (s.nslots > out->most_slots)
            out->most_slots = s.nslots;
        if (r < me && dtx_card_same_node(&cards[r], &cards[me]))
            out->first_slot += s.nslots;
        if (leads_node(cards, r)) {
            out->nodes++;
            out->job_cores += cards[r].machine_cores;
        }
    }
}
