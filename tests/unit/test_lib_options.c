/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lib_options.c - words, the environment, and what is wrong */
#include "lib/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check_main.h"
#include "sched/loop.h"

static struct dtx_options o;
static struct dtx_error err;

static void clear(void)
{
    (void)unsetenv("DTX_SLOTS");
    (void)unsetenv("DTX_SCHEDULE");
    (void)unsetenv("DTX_BIND");
    (void)unsetenv("DTX_NAP");
    (void)unsetenv("DTX_BELL");
    (void)unsetenv("DTX_WEIGHT");
    (void)unsetenv("DTX_COUNTERS");
    (void)unsetenv("DTX_ASSIST");
}

START_TEST(words_over_defaults_and_the_environment_over_both)
{
    ck_assert_int_eq(dtx_options_parse(NULL, &o, &err), DTX_OK);
    ck_assert_int_eq(o.counters, DTX_THREAD_COUNTING_AUTO);
    ck_assert(o.bind && o.bell && o.assist);
    ck_assert(o.slots == 0 && o.nap_ns == 200000);
    ck_assert_ptr_null(o.schedule.schedule);
    ck_assert_int_eq(
        dtx_options_parse("  slots=3 schedule=fac:least=4\tbind=no\nnap=1ms "
                          "bell=no predict=no weight=2.5 counters=off "
                          "assist=no",
                          &o, &err),
        DTX_OK);
    ck_assert_int_eq(o.counters, DTX_THREAD_COUNTING_OFF);
    ck_assert(!o.assist);
    ck_assert(!o.bind && !o.bell && o.slots == 3 && o.nap_ns == 1000000);
    ck_assert_str_eq(o.schedule.schedule->name, "fac");
    ck_assert_uint_eq(o.schedule.least, 4);
    (void)setenv("DTX_SLOTS", "9", 1);
    (void)setenv("DTX_SCHEDULE", "", 1);
    ck_assert_int_eq(dtx_options_parse("slots=3", &o, &err), DTX_OK);
    ck_assert_uint_eq(o.slots, 9);
}
END_TEST

static const struct {
    const char *text, *told;
} wrong[] = {
    {"slots", "name=value"},        {"slots=", "from 1"},
    {"slots=0", "from 1"},          {"slots=70000", "65536"},
    {"slot=1", "slots="},           {"xyzzy=1", "schedule="},
    {"bind=maybe", "yes or no"},    {"nap=2s", "from 1us to 1s"},
    {"counters=yes", "auto, perf or off"}, {"assist=off", "yes or no"},
    {"lost-after=1ms", "from 1s"},  {"learned=", "a file"},
    {"nap=1ns", "from 1us to 1s"},  {"weight=0", "above 0"},
    {"weight=nan", "above 0"},      {"weight=1x", "above 0"},
    {"schedule=gs", "gss"},         {"schedule=fsc", "fsc:h=1us:sigma=10us"},
    {"schedule=ss:leas=1", "least=N"}, {"schedule=ss:least=0", "least=N"},
    {"schedule=fsc:h=1us", "both times"},
};

START_TEST(what_is_wrong_is_told)
{
    ck_assert_int_lt(dtx_options_parse(wrong[_i].text, &o, &err), 0);
    ck_assert_msg(strstr(err.text, wrong[_i].told) != NULL, "%s: %s",
                  wrong[_i].text, err.text);
}
END_TEST

START_TEST(the_variable_is_named)
{
    (void)setenv("DTX_NAP", "soon", 1);
    ck_assert_int_eq(dtx_options_parse(NULL, &o, &err), DTX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "DTX_NAP"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lib/options");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, clear, NULL);
    tcase_add_test(t, words_over_defaults_and_the_environment_over_both);
    tcase_add_loop_test(t, what_is_wrong_is_told, 0, DTX_COUNT(wrong));
    tcase_add_test(t, the_variable_is_named);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
