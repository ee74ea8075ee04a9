/* SPDX-License-Identifier: MIT */
/* How nodes' cores and slots are divided: invented cards, expected shares. */
#include "run/place.h"

#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "task/machine.h"

#define MAX_RANKS 16

/* One rank: its node, the cores it may use (first, how many). */
struct rank {
    unsigned node, first, cores;
};

static struct dtx_card card[MAX_RANKS];

static void deal(const struct rank *r, uint32_t n)
{
    memset(card, 0, sizeof(card));
    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(card[i].host, sizeof(card[i].host), "n%u", r[i].node);
        card[i].boot = 7;
        card[i].ncores = r[i].cores;
        card[i].machine_cores = 16;
        card[i].tasks = 30;
        card[i].room = r[i].node == 7 ? 9 : 1024;
        for (uint32_t pu = r[i].first; pu < r[i].first + r[i].cores; pu++)
            card[i].pus[pu / 8] |= (uint8_t)(1u << (pu % 8));
    }
}

/* What each rank should have: first core of its own list, cores, slots, first
 * slot on the node. */
struct want {
    uint32_t first_core, ncores, nslots, first_slot;
};

enum { ALL = -100, HALF, MORE, FEWER };

static const struct dtx_jobs cores_only = {DTX_JOBS_CORES, 0, 0};

static struct dtx_jobs jobs_of(int n)
{
    struct dtx_jobs j = {DTX_JOBS_COUNT, n, 0};

    if (n == 0)
        j.how = DTX_JOBS_CORES;
    else if (n == ALL)
        j.how = DTX_JOBS_ALL;
    else if (n == HALF)
        j = (struct dtx_jobs){DTX_JOBS_SHARE, 0, 50};
    else if (n == MORE || n == FEWER)
        j = (struct dtx_jobs){DTX_JOBS_MORE, n == MORE ? 2 : -2, 0};
    return j;
}

static const struct {
    const char *what;
    uint32_t n;
    int jobs; /* a count, 0: the cores; or one of the following */
    struct rank rank[8];
    struct want want[8];
    uint32_t nodes, most;
    uint64_t slots, cores;
} cases[] = {
    {"one rank has all", 1, 0, {{0, 0, 8}}, {{0, 8, 8, 1}}, 1, 8, 8, 16},
    {"two share", 2, 0, {{0, 0, 8}, {0, 0, 8}},
     {{0, 4, 4, 1}, {4, 4, 4, 5}}, 1, 4, 8, 16},
    {"three share unevenly", 3, 0, {{0, 0, 8}, {0, 0, 8}, {0, 0, 8}},
     {{0, 3, 3, 1}, {3, 3, 3, 4}, {6, 2, 2, 7}}, 1, 3, 8, 16},
    {"each is bound to its own", 2, 0, {{0, 0, 4}, {0, 4, 4}},
     {{0, 4, 4, 1}, {0, 4, 4, 5}}, 1, 4, 8, 16},
    {"two pairs share halves", 4, 0,
     {{0, 0, 4}, {0, 4, 4}, {0, 0, 4}, {0, 4, 4}},
     {{0, 2, 2, 1}, {0, 2, 2, 3}, {2, 2, 2, 5}, {2, 2, 2, 7}}, 1, 2, 8, 16},
    {"more ranks than cores", 5, 0,
     {{0, 0, 2}, {0, 0, 2}, {0, 0, 2}, {0, 0, 2}, {0, 0, 2}},
     {{0, 1, 1, 1}, {1, 1, 1, 2}, {0, 1, 1, 3}, {1, 1, 1, 4}, {0, 1, 1, 5}},
     1, 1, 5, 16},
    {"two nodes", 4, 0, {{0, 0, 8}, {1, 0, 8}, {0, 0, 8}, {1, 0, 8}},
     {{0, 4, 4, 1}, {0, 4, 4, 1}, {4, 4, 4, 5}, {4, 4, 4, 5}}, 2, 4, 16, 32},
    {"unlike nodes", 3, 0, {{0, 0, 8}, {1, 0, 2}, {1, 0, 2}},
     {{0, 8, 8, 1}, {0, 1, 1, 1}, {1, 1, 1, 2}}, 2, 8, 10, 32},
    {"-j is per node", 3, 5, {{0, 0, 8}, {0, 0, 8}, {1, 0, 8}},
     {{0, 4, 3, 1}, {4, 4, 2, 4}, {0, 8, 5, 1}}, 2, 5, 10, 32},
    {"-j below the ranks: one each", 3, 2, {{0, 0, 8}, {0, 0, 8}, {0, 0, 8}},
     {{0, 3, 1, 1}, {3, 3, 1, 2}, {6, 2, 1, 3}}, 1, 1, 3, 16},
    {"-j above the cores", 1, 40, {{0, 0, 8}}, {{0, 8, 40, 1}}, 1, 40, 40, 16},
    {"half of the cores, up", 2, HALF, {{0, 0, 5}, {0, 0, 5}},
     {{0, 3, 2, 1}, {3, 2, 1, 3}}, 1, 2, 3, 16},
    {"two more, ranks bound", 2, MORE, {{0, 0, 1}, {0, 1, 1}},
     {{0, 1, 2, 1}, {0, 1, 2, 3}}, 1, 2, 4, 16},
    {"two more, more ranks than cores", 5, MORE,
     {{0, 0, 2}, {0, 0, 2}, {0, 0, 2}, {0, 0, 2}, {0, 0, 2}},
     {{0, 1, 1, 1}, {1, 1, 1, 2}, {0, 1, 1, 3}, {1, 1, 1, 4}, {0, 1, 1, 5}},
     1, 1, 5, 16},
    {"two fewer, unlike nodes", 2, FEWER, {{0, 0, 8}, {1, 0, 1}},
     {{0, 8, 6, 1}, {0, 1, 1, 1}}, 2, 6, 7, 32},
    {"as many as there are tasks", 2, ALL, {{0, 0, 2}, {1, 0, 2}},
     {{0, 2, 30, 1}, {0, 2, 30, 1}}, 2, 30, 60, 32},
    {"... and files allow", 1, ALL, {{7, 0, 2}}, {{0, 2, 9, 1}}, 1, 9, 9, 16},
    {"no core is known", 2, 0, {{0, 0, 0}, {0, 0, 0}},
     {{0, 0, 1, 1}, {0, 0, 1, 2}}, 1, 1, 2, 16},
};

START_TEST(shares)
{
    uint32_t n = cases[_i].n;

    deal(cases[_i].rank, n);
    for (uint32_t me = 0; me < n; me++) {
        const struct want *w = &cases[_i].want[me];
        const struct dtx_jobs jobs = jobs_of(cases[_i].jobs);
        struct dtx_share s;

        ck_assert_int_eq(dtx_share_of(card, n, me, &jobs, &s), 0);
        ck_assert_msg(s.first_core == w->first_core &&
                          s.ncores == w->ncores && s.nslots == w->nslots &&
                          s.first_slot == w->first_slot,
                      "%s: rank %u: %u %u %u %u", cases[_i].what, me,
                      s.first_core, s.ncores, s.nslots, s.first_slot);
        ck_assert_uint_eq(s.nodes, cases[_i].nodes);
        ck_assert_uint_eq(s.most_slots, cases[_i].most);
        ck_assert_uint_eq(s.job_slots, cases[_i].slots);
        ck_assert_uint_eq(s.job_cores, cases[_i].cores);
    }
}
END_TEST

/* Whatever the shape: no rank without a slot, parts stay inside the cores, and
 * numbers on a node are each used once. */
START_TEST(shares_are_sound)
{
    uint32_t cores = (uint32_t)_i + 1;
    struct rank r[MAX_RANKS];

    for (uint32_t n = 1; n <= MAX_RANKS; n++) {
        uint32_t next = 1;

        for (uint32_t i = 0; i < n; i++)
            r[i] = (struct rank){0, 0, cores};
        deal(r, n);
        for (uint32_t me = 0; me < n; me++) {
            struct dtx_share s;

            ck_assert_int_eq(dtx_share_of(card, n, me, &cores_only, &s), 0);
            ck_assert_uint_ge(s.nslots, 1);
            ck_assert_uint_le(s.first_core + s.ncores, cores);
            ck_assert_uint_eq(s.first_slot, next);
            ck_assert_uint_eq(s.node_ranks, n);
            next += s.nslots;
        }
        ck_assert_uint_eq(next - 1, n > cores ? n : cores);
    }
}
END_TEST

START_TEST(a_node_is_a_host_and_a_boot)
{
    static const struct rank two[] = {{3, 0, 2}, {3, 0, 2}};

    deal(two, 2);
    ck_assert(dtx_card_same_node(&card[0], &card[1]));
    card[1].boot++; /* a container of the same name, or it was started anew */
    ck_assert(!dtx_card_same_node(&card[0], &card[1]));
    card[1].boot--;
    card[1].host[0] = 'm';
    ck_assert(!dtx_card_same_node(&card[0], &card[1]));
}
END_TEST

/* The machine of this test: whatever it has. */
START_TEST(this_process_has_a_card)
{
    struct dtx_bell *bell = dtx_bell_create(NULL);
    struct dtx_cores cores;
    static struct dtx_card c, d;
    uint32_t bits = 0;

    ck_assert_ptr_nonnull(bell);
    ck_assert_int_eq(dtx_cores_detect(&cores, NULL), 0);
    dtx_card_fill(&c, &cores, bell);
    dtx_card_fill(&d, &cores, bell);
    ck_assert(dtx_card_same_node(&c, &d));
    ck_assert_mem_eq(c.pus, d.pus, sizeof(c.pus));
    ck_assert_str_ne(c.host, "");
    for (uint32_t pu = 0; pu < DTX_CARD_PUS; pu++)
        bits += ((unsigned)c.pus[pu / 8] >> (pu % 8)) & 1u;
    ck_assert_uint_eq(bits, cores.npus);
    ck_assert_uint_eq(c.ncores, cores.ncores);
    dtx_cores_free(&cores);
    dtx_bell_destroy(bell);
}
END_TEST

/* Two nodes of one leaf switch, one of another; on each two caches. */
START_TEST(test_distance)
{
    static const struct rank ranks[] = {
        {0, 0, 4}, {0, 0, 4}, {1, 0, 4}, {2, 0, 4}};
    static const struct {
        uint32_t a, i, b, j, want;
    } c[] = {{0, 0, 1, 0, DTX_NEAR_CORE},  {0, 0, 1, 1, DTX_NEAR_CACHE},
             {0, 0, 1, 2, DTX_NEAR_NUMA},  {0, 0, 2, 0, DTX_NEAR_SWITCH},
             {0, 3, 3, 1, DTX_NEAR_SWITCH + 1},
             {3, 1, 3, 3, DTX_NEAR_NUMA}};
    struct dtx_machine m;
    uint32_t r, i;

    deal(ranks, 4);
    for (r = 0; r < 4; r++) {
        dtx_machine_init(&m);
        (void)snprintf(m.path, sizeof(m.path), "s0.s%u", 1 + ranks[r].node / 2);
        for (i = 0; i < 4; i++) {
            struct dtx_locus at = {i, i / 2, 0, 0};

            ck_assert(dtx_machine_add_core(&m, &at));
        }
        dtx_card_place(&card[r], &m);
        dtx_machine_free(&m);
    }
    for (i = 0; i < (uint32_t)DTX_COUNT(c); i++) {
        ck_assert_uint_eq(dtx_card_distance(&card[c[i].a], c[i].i,
                                            &card[c[i].b], c[i].j), c[i].want);
        ck_assert_uint_eq(dtx_card_distance(&card[c[i].b], c[i].j,
                                            &card[c[i].a], c[i].i), c[i].want);
    }
    card[2].place_len = DTX_CARD_PLACE + 1; /* not known: as any other node */
    ck_assert_uint_eq(dtx_card_distance(&card[0], 0, &card[2], 0),
                      DTX_NEAR_SWITCH);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("run/place");
    TCase *t = tcase_create("shares");

    tcase_add_loop_test(t, shares, 0, DTX_COUNT(cases));
    tcase_add_loop_test(t, shares_are_sound, 0, 12);
    suite_add_tcase(s, t);
    t = tcase_create("cards");
    tcase_add_test(t, a_node_is_a_host_and_a_boot);
    tcase_add_test(t, this_process_has_a_card);
    tcase_add_test(t, test_distance);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}
