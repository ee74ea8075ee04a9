/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_mark.c - when a program is not the one it was
 *
 * What a class knows counts for little once the mark of its program has
 * changed: the interval is wider at once, a few outcomes teach the new costs,
 * of commands seen before as well; marks that come and go change nothing; all
 * of it also by way of a history.
 */
#include "check_main.h"
#include "base/rng.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "wire/experience.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OLD 11
#define NEW 22
#define ASKED 50

static struct dtx_features of(int n, uint32_t mark)
{
    struct dtx_features f;
    char text[64];
    int len = snprintf(text, sizeof(text), "./solve --size %d", n);

    dtx_features_of(text, (size_t)len, NULL, NULL, NULL, &f);
    f.mark = mark;
    return f;
}

static double cost(int n)
{
    return 1e-3 * pow(n, 1.2);
}

/* 'n' outcomes that take 'times' as long as they should. */
static void teach(struct dtx_predictor *p, struct dtx_rng *r, int n,
                  double times, uint32_t mark)
{
    int i;

    for (i = 0; i < n; i++) {
        int size = 100 + (int)dtx_rng_below(r, 10000);
        struct dtx_features f = of(size, mark);

        ck_assert_int_eq(dtx_predictor_replay(
            p, &f, times * cost(size) * exp(0.05 * dtx_rng_normal(r)), false,
            NULL), 0);
    }
}

/* How far it is off on average, as a logarithm; '*width' of the interval. */
static double off(struct dtx_predictor *p, double times, uint32_t mark,
                  double *width)
{
    double sum = 0;
    int i;

    *width = 0;
    for (i = 0; i < ASKED; i++) {
        struct dtx_features f = of(201 + 200 * i, mark);
        struct dtx_prediction said;

        ck_assert(dtx_predictor_ask(p, &f, &said));
        sum += fabs(log(said.seconds / (times * cost(201 + 200 * i))));
        *width += log(said.high / said.low) / ASKED;
    }
    return sum / ASKED;
}

static struct dtx_predictor *told(const struct dtx_predictor *p)
{
    struct dtx_predictor *q = dtx_predictor_create(1 << 22);
    struct dtx_experience e;
    uint64_t bad = 0;

    memset(&e, 0, sizeof(e));
    ck_assert_int_eq(dtx_predictor_save(p, &e), 0);
    ck_assert_int_eq(dtx_predictor_load(q, &e, &bad), 0);
    ck_assert_uint_eq(bad, 0);
    dtx_experience_free(&e);
    return q;
}

/* Three times as slow, or as fast: after ten outcomes that is known, and it is
 * better known than where nothing told that the program had changed. */
START_TEST(a_new_program_is_learned_anew)
{
    double times = _i % 2 ? 3 : 1.0 / 3, before, after, plain, same, width;
    struct dtx_predictor *p = dtx_predictor_create(1 << 22), *q;
    struct dtx_predictor *blind = dtx_predictor_create(1 << 22);
    struct dtx_rng r;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    teach(p, &r, 300, 1, OLD);
    dtx_rng_seed(&r, (uint64_t)_i + 1);
    teach(blind, &r, 300, 1, 0);
    q = told(p);
    ck_assert_double_le(off(q, 1, OLD, &same), 0.05);
    ck_assert_double_le(off(q, 1, NEW, &before), 0.05);
    ck_assert_double_ge(before, 1.8 * same);
    dtx_rng_seed(&r, 99);
    teach(q, &r, 12, times, NEW);
    after = off(q, times, NEW, &width);
    dtx_rng_seed(&r, 99);
    teach(blind, &r, 12, times, 0);
    plain = off(blind, times, 0, &width);
    ck_assert_msg(after <= 0.3 && after <= plain,
                  "off by %.3f, and by %.3f without a mark", after, plain);
    teach(q, &r, 100, times, NEW);
    ck_assert_double_le(off(q, times, NEW, &width), 0.08);
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
    dtx_predictor_destroy(blind);
}
END_TEST

/* The same commands again: a few tell how much longer the others take. */
START_TEST(commands_move_together)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_prediction said;
    struct dtx_features f;
    int i;

    for (i = 0; i < 60; i++) { /* nothing but the command itself tells */
        f = of(i, OLD);
        ck_assert_int_eq(dtx_predictor_learn(p, &f, 1 + i * 37 % 60, false),
                         0);
    }
    for (i = 0; i < 20; i++) {
        f = of(i, NEW);
        ck_assert_int_eq(dtx_predictor_learn(p, &f, 2 + 2 * (i * 37 % 60),
                                             false), 0);
    }
    for (i = 20; i < 60; i++) {
        double t = 2 + 2 * (i * 37 % 60);

        f = of(i, NEW);
        ck_assert(dtx_predictor_ask(p, &f, &said));
        ck_assert_msg(fabs(log(said.seconds / t)) < 0.25,
                      "%d: %.3g in place of %g", i, said.seconds, t);
    }
    dtx_predictor_destroy(p);
}
END_TEST

/* Two copies of a program, or many: what one has taught is not lost. */
START_TEST(marks_that_come_and_go_change_nothing)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    uint32_t marks = (uint32_t)_i + 2, i;
    double width, last;
    struct dtx_rng r;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (i = 0; i < 300; i++)
        teach(p, &r, 1, 1, 1 + i % marks);
    ck_assert_double_le(off(p, 1, 1 + (i - 1) % marks, &last), 0.05);
    ck_assert_double_le(off(p, 1, 1 + (i - 2) % marks, &width), 0.05);
    ck_assert_double_le(width, 1.1 * last);
    dtx_predictor_destroy(p);
}
END_TEST

/* What one has learned is added to what another knows, as from a history. */
static void add_up(struct dtx_predictor *into, const struct dtx_predictor *from)
{
    struct dtx_experience e = {0};
    uint64_t senseless = 0;

    ck_assert_int_eq(dtx_predictor_save(from, &e), 0);
    ck_assert_int_eq(dtx_predictor_load(into, &e, &senseless), 0);
    ck_assert_uint_eq(senseless, 0);
    dtx_experience_free(&e);
}

/* Histories in the order in which they were made. */
START_TEST(what_is_merged_later_is_the_program)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_predictor *q = dtx_predictor_create(1 << 22);
    struct dtx_rng r;
    double width;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    teach(p, &r, 300, 1, OLD);
    teach(q, &r, 30, 2, NEW);
    add_up(p, q);
    ck_assert_double_le(off(p, 2, NEW, &width), 0.2);
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
}
END_TEST

START_TEST(the_command_says_which_file)
{
    static const struct {
        const char *command, *name;
    } rows[] = {
        {"./solve --size 5", "./solve"},
        {"OMP_NUM_THREADS=2 /opt/bin/solve 5", "/opt/bin/solve"},
        {"python3 -u 'my tool.py' 7", "my tool.py"},
        {"nice bash run.sh 3", "run.sh"},
        {"", ""},
    };
    struct dtx_features f;
    const char *c = rows[_i].command;

    dtx_features_of(c, strlen(c), NULL, NULL, NULL, &f);
    ck_assert_uint_eq(f.name_len, strlen(rows[_i].name));
    ck_assert_int_eq(memcmp(c + f.name_at, rows[_i].name, f.name_len), 0);
    ck_assert_uint_ne(dtx_features_mark(5, 7), 0);
    ck_assert_uint_ne(dtx_features_mark(5, 7), dtx_features_mark(6, 7));
    ck_assert_uint_ne(dtx_features_mark(5, 7), dtx_features_mark(5, 8));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/mark");
    TCase *t = tcase_create("mark");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_new_program_is_learned_anew, 0, 6);
    tcase_add_test(t, commands_move_together);
    tcase_add_loop_test(t, marks_that_come_and_go_change_nothing, 0, 3);
    tcase_add_loop_test(t, what_is_merged_later_is_the_program, 0, 3);
    tcase_add_loop_test(t, the_command_says_which_file, 0, 5);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
