/* SPDX-License-Identifier: MIT */
/* Where tasks are put on drawn machines, and how far places are apart. */
#include "task/placement.h"

#include <string.h>

#include "base/rng.h"
#include "check_main.h"

#define SLOTS 32

/* Two packages of two NUMA nodes of two caches of four slots. */
static struct dtx_locus at[SLOTS];
static uint8_t chosen[SLOTS];

static void draw(void)
{
    uint32_t i;

    for (i = 0; i < SLOTS; i++)
        at[i] = (struct dtx_locus){i, i / 4, i / 8, i / 16};
}

static bool free_mark(void *ctx, uint32_t slot)
{
    return ((const char *)ctx)[slot] == '.';
}

/* What is free ('.'), how many, and what is chosen ('x'). */
static const struct {
    const char *free;
    uint32_t k;
    const char *want;
} cases[] = {
    {"................................", 1, "x..............................."},
    {"................................", 4, "xxxx............................"},
    /* a hole that it just fits is better than a large one */
    {"....###.....##..................", 2, "....###.....##xx................"},
    {"#...............................", 3, "#xxx............................"},
    /* no cache has five: a NUMA node has */
    {"###............###..............", 5, "###xxxxx.......###.............."},
    /* no NUMA node has nine: a package has */
    {"................................", 9, "xxxxxxxxx......................."},
    {"........#.......................", 16, "........#.......xxxxxxxxxxxxxxxx"},
    /* nothing has it whole: as few parts as may be */
    {".#.#####.#.#####....####.#######", 6, "x#.#####.#.#####xxxx####x#######"},
};

static uint32_t parts(const uint8_t *c, uint32_t size)
{
    uint32_t n = 0, i, last = UINT32_MAX;

    for (i = 0; i < SLOTS; i++) {
        if (!c[i] || i / size == last)
            continue;
        n++;
        last = i / size;
    }
    return n;
}

static uint32_t count(const uint8_t *c)
{
    uint32_t n = 0, i;

    for (i = 0; i < SLOTS; i++)
        n += c[i] != 0;
    return n;
}

START_TEST(test_cases)
{
    char map[SLOTS + 1];
    uint32_t i;

    draw();
    memcpy(map, cases[_i].free, sizeof(map));
    ck_assert(dtx_placement_slots(at, SLOTS, free_mark, map, cases[_i].k,
                                  chosen));
    ck_assert_uint_eq(count(chosen), cases[_i].k);
    for (i = 0; i < SLOTS; i++) {
        ck_assert(!chosen[i] || map[i] == '.');
        if (chosen[i])
            map[i] = 'x';
    }
    ck_assert_msg(strcmp(map, cases[_i].want) == 0, "case %d: %s", _i, map);
}
END_TEST

/* Against every free set that a seed draws: where some part of a level has
 * room, the task lies in one part of that level. */
START_TEST(test_property)
{
    static const uint32_t sizes[] = {4, 8, 16};
    struct dtx_rng rng;
    char map[SLOTS];
    uint32_t i, k, s, p, most, nfree, share;
    int round;

    draw();
    dtx_rng_seed(&rng, 11);
    for (round = 0; round < 5000; round++) {
        share = (uint32_t)dtx_rng_below(&rng, 11);
        for (i = nfree = 0; i < SLOTS; i++) {
            map[i] = dtx_rng_below(&rng, 10) < share ? '.' : '#';
            nfree += map[i] == '.';
        }
        k = 1 + (uint32_t)dtx_rng_below(&rng, SLOTS);
        ck_assert_int_eq(dtx_placement_slots(at, SLOTS, free_mark, map, k,
                                             chosen),
                         k <= nfree);
        ck_assert_uint_eq(count(chosen), k <= nfree ? k : 0);
        for (i = 0; i < SLOTS; i++)
            ck_assert(!chosen[i] || map[i] == '.');
        for (s = 0; s < 3; s++) {
            for (p = most = 0; p < SLOTS / sizes[s]; p++) {
                uint32_t here = 0;

                for (i = 0; i < sizes[s]; i++)
                    here += map[p * sizes[s] + i] == '.';
                most = here > most ? here : most;
            }
            if (most >= k)
                ck_assert_uint_eq(parts(chosen, sizes[s]), 1);
        }
    }
}
END_TEST

/* Where nothing is known of places, slots side by side. */
START_TEST(test_unknown)
{
    char map[] = "#.#..#...#######################";
    static const uint8_t three[SLOTS] = {0, 0, 0, 0, 0, 0, 1, 1, 1};
    static const uint8_t four[SLOTS] = {0, 1, 0, 1, 1, 0, 1};

    ck_assert(dtx_placement_slots(NULL, SLOTS, free_mark, map, 3, chosen));
    ck_assert_mem_eq(chosen, three, SLOTS);
    ck_assert(dtx_placement_slots(NULL, SLOTS, free_mark, map, 4, chosen));
    ck_assert_mem_eq(chosen, four, SLOTS);
    ck_assert(!dtx_placement_slots(NULL, SLOTS, free_mark, map, 7, chosen));
}
END_TEST

START_TEST(test_distance)
{
    static const struct {
        uint32_t a, b;
        enum dtx_distance d;
    } c[] = {{3, 3, DTX_NEAR_CORE},     {0, 3, DTX_NEAR_CACHE},
             {0, 4, DTX_NEAR_NUMA},     {0, 8, DTX_NEAR_PACKAGE},
             {0, 16, DTX_NEAR_NODE},    {31, 15, DTX_NEAR_NODE}};
    struct dtx_locus none = {DTX_MACHINE_NONE, DTX_MACHINE_NONE,
                             DTX_MACHINE_NONE, DTX_MACHINE_NONE};
    size_t i;

    draw();
    for (i = 0; i < (size_t)DTX_COUNT(c); i++) {
        ck_assert_uint_eq(dtx_locus_distance(&at[c[i].a], &at[c[i].b]), c[i].d);
        ck_assert_uint_eq(dtx_locus_distance(&at[c[i].b], &at[c[i].a]), c[i].d);
    }
    ck_assert_uint_eq(dtx_locus_distance(&none, &none), DTX_NEAR_NODE);
}
END_TEST

START_TEST(test_path_distance)
{
    static const struct {
        const char *a, *b;
        uint32_t climb;
    } c[] = {{"s0.s1", "s0.s1", 0}, {"s0.s1", "s0.s2", 1},
             {"s0.s1", "s0.s11", 1}, {"s0.s1.s5", "s0.s2.s5", 2},
             {"s0.s1", "s9.s1", 2}, {"", "s0", 0}, {"", "", 0},
             {"s0", "s1", 1}, {"s0.s1", "s0", 1}};
    size_t i;

    for (i = 0; i < (size_t)DTX_COUNT(c); i++) {
        ck_assert_uint_eq(dtx_path_distance(c[i].a, c[i].b),
                          DTX_NEAR_SWITCH + c[i].climb);
        ck_assert_uint_eq(dtx_path_distance(c[i].b, c[i].a),
                          DTX_NEAR_SWITCH + c[i].climb);
    }
}
END_TEST

START_TEST(test_gpus)
{
    static const struct dtx_gpu gpu[] = {{DTX_GPU_CUDA, 0, 0, "0"},
                                         {DTX_GPU_CUDA, 1, 0, "1"},
                                         {DTX_GPU_CUDA, 2, 1, "2"},
                                         {DTX_GPU_CUDA, 3, 1, "3"}};

    draw();
    ck_assert_uint_eq(dtx_placement_gpus(gpu, 4, 15, &at[0], 1), 1);
    ck_assert_uint_eq(dtx_placement_gpus(gpu, 4, 15, &at[24], 1), 8);
    ck_assert_uint_eq(dtx_placement_gpus(gpu, 4, 15, &at[24], 2), 12);
    ck_assert_uint_eq(dtx_placement_gpus(gpu, 4, 6, &at[0], 1), 2);
    ck_assert_uint_eq(dtx_placement_gpus(gpu, 4, 15, &at[8], 3), 7);
    ck_assert_uint_eq(dtx_placement_gpus(gpu, 4, 6, &at[0], 3), 0);
}
END_TEST

/* Slots of four NUMA nodes of eight: '.' is free, a digit what runs there
 * moves. */
static const struct {
    const char *slots;
    bool heavy;
    uint32_t want;
} spread_cases[] = {
    {"................................", true, 0},
    {"................................", false, 0},
    {"9...............................", true, 8},
    {"9.......9.......9.......9.......", true, 1},
    {"9.......9.......8.......9.......", true, 17},
    {"99......9999999.88......9999999.", true, 18},
    /* where least is moved, but there is no room */
    {"99......9.......00000000999.....", true, 9},
    /* one that is not heavy goes where most is free */
    {"0000....00......000.....00000000", false, 10},
    {"00......91......00......99......", false, 26},
    {"11111111111111111111111111111111", true, 32},
    {"11111111111111111111111111111111", false, 32},
    {"1111111111111111111111111111111.", true, 31},
};

static uint32_t numa_of(void *ctx, uint32_t slot)
{
    return ctx ? slot / 8 : 0;
}

static uint32_t moved(void *ctx, uint32_t slot)
{
    return (uint32_t)(((const char *)ctx)[slot] - '0');
}

static bool is_dot(void *ctx, uint32_t slot)
{
    return ((const char *)ctx)[slot] == '.';
}

START_TEST(test_spread)
{
    char slots[SLOTS + 1];
    struct dtx_placement_traffic t = {numa_of, is_dot, moved, slots};

    memcpy(slots, spread_cases[_i].slots, sizeof(slots));
    ck_assert_uint_eq(dtx_placement_spread(&t, SLOTS, spread_cases[_i].heavy),
                      spread_cases[_i].want);
}
END_TEST

/* What is moved in each NUMA node, cores taken, and cores there are. */
static const struct {
    struct dtx_placement_memory of[4];
    uint32_t n, want;
} memory_cases[] = {
    {{{9, 1, 4}}, 1, 0},
    {{{9, 9, 4}}, 1, 0},
    {{{0, 0, 4}, {0, 0, 4}}, 2, 0},
    {{{5, 1, 4}, {4, 3, 4}}, 2, 1},            /* less is moved */
    {{{5, 1, 4}, {4, 4, 4}, {6, 1, 4}}, 3, 0}, /* there no core is left */
    {{{5, 2, 4}, {5, 1, 4}, {5, 1, 4}}, 3, 1}, /* more cores are left */
    {{{5, 2, 4}, {5, 2, 8}, {0, 2, 2}}, 3, 1},
    {{{5, 4, 4}, {4, 8, 8}, {7, 2, 2}}, 3, 1}, /* none is left anywhere */
};

START_TEST(test_memory)
{
    ck_assert_uint_eq(dtx_placement_memory(memory_cases[_i].of,
                                           memory_cases[_i].n),
                      memory_cases[_i].want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/placement");
    TCase *t = tcase_create("placement");

    tcase_add_loop_test(t, test_cases, 0, DTX_COUNT(cases));
    tcase_add_test(t, test_property);
    tcase_add_test(t, test_unknown);
    tcase_add_test(t, test_distance);
    tcase_add_test(t, test_path_distance);
    tcase_add_test(t, test_gpus);
    tcase_add_loop_test(t, test_spread, 0, DTX_COUNT(spread_cases));
    tcase_add_loop_test(t, test_memory, 0, DTX_COUNT(memory_cases));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
