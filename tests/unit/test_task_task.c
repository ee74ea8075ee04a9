/* SPDX-License-Identifier: MIT */
/* The task list: what is put in comes out, equal things are kept once, limits
 * hold, and a million tasks are small. */
#include "task/task.h"

#include <string.h>

#include "base/error.h"
#include "check_main.h"

START_TEST(empty_list_has_default_attributes)
{
    struct dtx_tasklist l;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    ck_assert_uint_eq(l.ntasks, 0);
    ck_assert_uint_eq(l.nattrs, 1);
    ck_assert_uint_eq(l.attr[0].cpus, 1);
    ck_assert_int_eq(l.attr[0].prio, 0);
    ck_assert_uint_eq(l.attr[0].retries, 0);
    ck_assert_uint_eq(l.attr[0].cwd, DTX_NO_TEXT);
    ck_assert_int_eq(l.attr[0].timeout_ns, 0);
    ck_assert_ptr_null(dtx_tasklist_pool(&l, DTX_NO_TEXT));
    dtx_tasklist_trim(&l);
    dtx_tasklist_fini(&l);
    dtx_tasklist_fini(&l); /* twice is harmless */
}
END_TEST

START_TEST(tasks_come_out_as_put_in)
{
    static const char *const command[] = {"echo a", "", "b \\ ", "\x80\xff"};
    struct dtx_task_attr wide = {.cpus = 4,
                                 .prio = -7,
                                 .retries = 2,
                                 .timeout_ns = 5,
                                 .env = DTX_NO_TEXT};
    struct dtx_tasklist l;
    uint32_t attr, i;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    wide.cwd = dtx_tasklist_intern(&l, "/tmp", 4);
    ck_assert_int_eq(dtx_tasklist_attr(&l, &wide, &attr), 0);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(dtx_tasklist_add(&l, command[i], strlen(command[i]),
                                          i % 2 ? attr : 0, i + 10, wide.cwd),
                         0);
    dtx_tasklist_trim(&l);
    ck_assert_uint_eq(l.ntasks, 4);
    for (i = 0; i < 4; i++) {
        const struct dtx_task *t = &l.task[i];

        ck_assert_uint_eq(t->len, strlen(command[i]));
        ck_assert_mem_eq(dtx_tasklist_text(&l, t), command[i], t->len);
        ck_assert_uint_eq(t->line, i + 10);
        ck_assert_uint_eq(dtx_tasklist_attr_of(&l, i)->cpus, i % 2 ? 4 : 1);
        ck_assert_str_eq(dtx_tasklist_pool(&l, t->name), "/tmp");
    }
    ck_assert_uint_eq(dtx_task_id(3), 4);
    ck_assert_int_eq(dtx_tasklist_add(&l, "more", 4, 0, 0, DTX_NO_TEXT), 0);
    ck_assert_mem_eq(dtx_tasklist_text(&l, &l.task[4]), "more", 4);
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(equal_texts_are_kept_once)
{
    struct dtx_tasklist l;
    uint32_t a, b, c, i;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    a = dtx_tasklist_intern(&l, "prep", 4);
    b = dtx_tasklist_intern(&l, "prepare", 7);
    c = dtx_tasklist_intern(&l, "prep", 4);
    ck_assert_uint_ne(a, b);
    ck_assert_uint_eq(a, c);
    ck_assert_str_eq(dtx_tasklist_pool(&l, a), "prep");
    ck_assert_str_eq(dtx_tasklist_pool(&l, b), "prepare");
    ck_assert_uint_eq(l.pool.len, 13);
    for (i = 0; i < 1000; i++) {
        char text[16];
        int n = snprintf(text, sizeof(text), "n%u", i % 500);

        b = dtx_tasklist_intern(&l, text, (size_t)n);
        ck_assert_str_eq(dtx_tasklist_pool(&l, b), text);
    }
    ck_assert_uint_eq(l.interned.used, 502);
    ck_assert_uint_eq(dtx_tasklist_intern(&l, "", 0),
                      dtx_tasklist_intern(&l, "", 0));
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(equal_attributes_are_kept_once)
{
    struct dtx_tasklist l;
    struct dtx_task_attr a;
    uint32_t i, index;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    a = l.attr[0];
    ck_assert_int_eq(dtx_tasklist_attr(&l, &a, &index), 0);
    ck_assert_uint_eq(index, 0);
    for (i = 0; i < 300; i++) {
        a.prio = (int32_t)(i % 100) + 1;
        ck_assert_int_eq(dtx_tasklist_attr(&l, &a, &index), 0);
        ck_assert_uint_eq(index, i % 100 + 1);
    }
    ck_assert_uint_eq(l.nattrs, 101);
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(limits_change_nothing)
{
    static const char big[DTX_MAX_COMMAND + 1];
    struct dtx_tasklist l;
    size_t len;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    ck_assert_int_eq(dtx_tasklist_add(&l, big, sizeof(big), 0, 1, 0),
                     DTX_ELIMIT);
    ck_assert_int_eq(dtx_tasklist_add(&l, big, sizeof(big) - 1, 0, 1, 0), 0);
    ck_assert_uint_eq(l.ntasks, 1);
    l.ntasks = DTX_MAX_TASKS;
    ck_assert_int_eq(dtx_tasklist_add(&l, "x", 1, 0, 1, 0), DTX_ELIMIT);
    l.ntasks = 1;
    ck_assert_uint_eq(dtx_tasklist_intern(&l, "a", 1), 0);
    len = l.pool.len;
    l.pool.len = UINT32_MAX - 8; /* a pool that is nearly full */
    ck_assert_uint_eq(dtx_tasklist_intern(&l, "12345678", 8), DTX_NO_TEXT);
    l.pool.len = len;
    ck_assert_uint_eq(dtx_tasklist_intern(&l, "a", 1), 0);
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(arguments_stand_behind_their_command)
{
    static const char big[DTX_MAX_ARGS + 1];
    struct dtx_tasklist l;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    ck_assert_int_eq(dtx_tasklist_add(&l, "one", 3, 0, 0, DTX_NO_TEXT), 0);
    ck_assert_int_eq(dtx_tasklist_set_args(&l, "a\0b", 4), 0);
    ck_assert_int_eq(dtx_tasklist_add(&l, "two", 3, 0, 0, DTX_NO_TEXT), 0);
    ck_assert_int_eq(dtx_tasklist_set_args(&l, big, sizeof(big)), DTX_ELIMIT);
    ck_assert_int_eq(dtx_tasklist_add(&l, "three", 5, 0, 0, DTX_NO_TEXT), 0);
    ck_assert_int_eq(dtx_tasklist_set_args(&l, "", 1), 0);
    dtx_tasklist_trim(&l);
    ck_assert_uint_eq(l.task[0].len, 3);
    ck_assert_uint_eq(l.task[0].args, 4);
    ck_assert_int_eq(memcmp(dtx_tasklist_text(&l, &l.task[0]), "one", 3), 0);
    ck_assert_int_eq(memcmp(dtx_tasklist_args(&l, &l.task[0]), "a\0b", 4), 0);
    ck_assert_ptr_null(dtx_tasklist_args(&l, &l.task[1]));
    ck_assert_int_eq(memcmp(dtx_tasklist_text(&l, &l.task[1]), "two", 3), 0);
    ck_assert_int_eq(memcmp(dtx_tasklist_text(&l, &l.task[2]), "three", 5), 0);
    ck_assert_str_eq(dtx_tasklist_args(&l, &l.task[2]), "");
    ck_assert_uint_eq(l.task[2].args, 1);
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(a_million_tasks_are_small)
{
    static const char command[] = "./solve --case 123456 --out x";
    const size_t n = 1000000;
    struct dtx_tasklist l;
    size_t i, bytes;
    bool added = true; /* an assertion each would be most of the work */

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    for (i = 0; i < n; i++)
        added = added && dtx_tasklist_add(&l, command, sizeof(command) - 1, 0,
                                          (uint32_t)i, DTX_NO_TEXT) == 0;
    ck_assert(added);
    dtx_tasklist_trim(&l);
    bytes = l.cap_tasks * sizeof(*l.task) + l.text.cap + l.pool.cap;
    ck_assert_uint_le(bytes, n * (32 + sizeof(command) - 1) + 4096);
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(slot_stands_in_its_places)
{
    static const struct {
        const char *command, *none, *slot;
        uint32_t flags;
    } c[] = {
        {"a \001 b\001", "a {%} b{%}", "a 12 b12", DTX_ATTR_SLOT},
        {"\001", "{%}", "12", DTX_ATTR_SLOT},
        {"", "", "", DTX_ATTR_SLOT},
        {"a \001", "a \001", "a \001", 0},
    };
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_tasklist l;
    struct dtx_task_attr a;
    uint32_t i, attr;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        a = l.attr[0];
        a.flags = c[i].flags;
        ck_assert_int_eq(dtx_tasklist_attr(&l, &a, &attr), 0);
        ck_assert_int_eq(dtx_tasklist_add(&l, c[i].command,
                                          strlen(c[i].command), attr, 0,
                                          DTX_NO_TEXT),
                         0);
        dtx_buf_clear(&b);
        dtx_tasklist_command(&b, &l, i, 0);
        ck_assert_str_eq(b.data ? b.data : "", c[i].none);
        dtx_buf_clear(&b);
        dtx_tasklist_command(&b, &l, i, 12);
        ck_assert_str_eq(b.data ? b.data : "", c[i].slot);
    }
    dtx_buf_free(&b);
    dtx_tasklist_fini(&l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/task");
    TCase *t = tcase_create("list");

    tcase_add_test(t, empty_list_has_default_attributes);
    tcase_add_test(t, tasks_come_out_as_put_in);
    tcase_add_test(t, equal_texts_are_kept_once);
    tcase_add_test(t, equal_attributes_are_kept_once);
    tcase_add_test(t, limits_change_nothing);
    tcase_add_test(t, slot_stands_in_its_places);
    tcase_add_test(t, arguments_stand_behind_their_command);
    tcase_add_test(t, a_million_tasks_are_small);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
