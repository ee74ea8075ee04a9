/* SPDX-License-Identifier: MIT */
/* Tests of node/cores: machines drawn by hwloc, and this one. */
#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "check_main.h"
#include "node/cores.h"

static const struct {
    const char *machine;
    uint32_t cores, pus_per_core;
    uint32_t first[3]; /* units of the first cores */
} drawn[] = {
    {"pack:2 numa:2 l3:2 core:4 pu:2", 32, 2, {0, 2, 4}},
    {"pack:1 core:6 pu:1", 6, 1, {0, 1, 2}},
    {"numa:4 core:16 pu:4", 64, 4, {0, 4, 8}},
    /* second threads numbered behind all first ones, as Linux does */
    {"pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", 4, 2, {0, 1, 2}},
};

static void detect(struct dtx_cores *c)
{
    struct dtx_error err = {0};

    ck_assert_msg(dtx_cores_detect(c, &err) == DTX_OK, "%s", err.text);
}

static void check_shape(const struct dtx_cores *c)
{
    uint32_t i, next = 0;

    for (i = 0; i < c->ncores; i++) {
        ck_assert_uint_eq(c->core[i].first_pu, next);
        ck_assert_uint_ge(c->core[i].npus, 1);
        next += c->core[i].npus;
    }
    ck_assert_uint_eq(next, c->npus);
    ck_assert_uint_ge(c->machine_cores, c->ncores);
}

START_TEST(test_drawn)
{
    struct dtx_cores c;
    uint32_t i;

    ck_assert_int_eq(setenv("HWLOC_SYNTHETIC", drawn[_i].machine, 1), 0);
    detect(&c);
    check_shape(&c);
    ck_assert(!c.real);
    ck_assert_uint_eq(c.ncores, drawn[_i].cores);
    ck_assert_uint_eq(c.machine_cores, drawn[_i].cores);
    ck_assert_uint_eq(c.npus, drawn[_i].cores * drawn[_i].pus_per_core);
    for (i = 0; i < 3; i++)
        ck_assert_uint_eq(c.pus[c.core[i].first_pu], drawn[_i].first[i]);
    dtx_cores_free(&c);
    ck_assert_uint_eq(c.ncores, 0);
    (void)unsetenv("HWLOC_SYNTHETIC");
}
END_TEST

START_TEST(test_this_machine)
{
    struct dtx_cores c;
    cpu_set_t mask;
    uint32_t i;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(mask), &mask), 0);
    detect(&c);
    check_shape(&c);
    ck_assert(c.real);
    ck_assert_int_eq((int)c.npus, CPU_COUNT(&mask));
    for (i = 0; i < c.npus; i++)
        ck_assert(CPU_ISSET(c.pus[i], &mask));
    dtx_cores_free(&c);
}
END_TEST

/* A rank that its launcher has bound sees its own core alone. */
START_TEST(test_bound_process)
{
    struct dtx_cores c;
    cpu_set_t mask, one;
    size_t last = 0, i;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(mask), &mask), 0);
    for (i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &mask))
            last = i;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    detect(&c);
    check_shape(&c);
    ck_assert_uint_eq(c.ncores, 1);
    ck_assert_uint_eq(c.npus, 1);
    ck_assert_uint_eq(c.pus[0], last);
    dtx_cores_free(&c);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(mask), &mask), 0);
}
END_TEST

static const struct {
    const char *synthetic, *xml; /* the variables */
    const char *why;             /* the error's text holds it */
} bad[] = {
    {"rubbish", NULL, "HWLOC_SYNTHETIC=rubbish: hwloc "},
    {"rubbish", "/dev/null", "HWLOC_SYNTHETIC=rubbish: "},
    {NULL, "/nonexistent", "HWLOC_XMLFILE=/nonexistent: No such file"},
    {"", "/etc/passwd", "HWLOC_XMLFILE=/etc/passwd: hwloc "},
    {NULL, "/dev/null", "HWLOC_XMLFILE=/dev/null: hwloc "},
    {NULL, "/", "HWLOC_XMLFILE=/: "},
};

static void draw(const char *synthetic, const char *xml)
{
    (void)unsetenv("HWLOC_SYNTHETIC");
    (void)unsetenv("HWLOC_XMLFILE");
    if (synthetic)
        ck_assert_int_eq(setenv("HWLOC_SYNTHETIC", synthetic, 1), 0);
    if (xml)
        ck_assert_int_eq(setenv("HWLOC_XMLFILE", xml, 1), 0);
}

/* A picture that is none is an error, not the real machine. */
START_TEST(test_bad_picture)
{
    struct dtx_error err = {0, ""};
    struct dtx_cores c;

    draw(bad[_i].synthetic, bad[_i].xml);
    ck_assert_int_eq(dtx_cores_detect(&c, &err), DTX_EINVAL);
    ck_assert_msg(strstr(err.text, bad[_i].why) != NULL, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "unset it"));
    ck_assert_uint_eq(c.ncores, 0);
    draw(NULL, NULL);
}
END_TEST

/* Of both variables hwloc heeds one, and an empty one not at all. */
START_TEST(test_which_picture)
{
    struct dtx_cores c;

    draw("core:4 pu:1", "/nonexistent");
    ck_assert_str_eq(dtx_cores_picture(), "HWLOC_SYNTHETIC");
    detect(&c);
    ck_assert_uint_eq(c.ncores, 4);
    dtx_cores_free(&c);
    draw("", "a.xml");
    ck_assert_str_eq(dtx_cores_picture(), "HWLOC_XMLFILE");
    draw("", "");
    ck_assert_ptr_null(dtx_cores_picture());
    detect(&c);
    ck_assert(c.real);
    dtx_cores_free(&c);
    draw(NULL, NULL);
}
END_TEST

START_TEST(test_library)
{
    char buf[64];

    ck_assert_ptr_eq(dtx_cores_library(buf, sizeof(buf)), buf);
    ck_assert_int_eq(strncmp(buf, "hwloc ", 6), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/cores");
    TCase *t = tcase_create("cores");

    tcase_add_loop_test(t, test_drawn, 0,
                        DTX_COUNT(drawn));
    tcase_add_test(t, test_this_machine);
    tcase_add_test(t, test_bound_process);
    tcase_add_loop_test(t, test_bad_picture, 0, DTX_COUNT(bad));
    tcase_add_test(t, test_which_picture);
    tcase_add_test(t, test_library);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
