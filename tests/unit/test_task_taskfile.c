/* SPDX-License-Identifier: MIT */
/* The task file: what a line becomes, every message word for word, and the
 * size and speed of a million lines. */
#include "task/taskfile.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "task/graph.h"
#include "task/task.h"

struct parsed {
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_error err;
    int rc;
};

/* From an allocation of exactly this size, for the sanitizer. */
static void parse(struct parsed *p, const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    memset(p, 0, sizeof(*p));
    p->rc = dtx_taskfile_parse("f", copy, len, &p->list, &p->graph, &p->err);
    free(copy);
}

static void finish(struct parsed *p)
{
    if (p->rc == 0) {
        dtx_tasklist_fini(&p->list);
        dtx_graph_fini(&p->graph);
    }
}

/* "line:command" of each task, joined by '|'. */
static const struct {
    const char *text, *tasks;
} lines[] = {
    {"", ""},
    {"\n\n  \n\t\r\n", ""},
    {"a", "1:a"},
    {"a\n", "1:a"},
    {"a\r\nb\r\n", "1:a|2:b"},
    {"a\r", "1:a"},
    {"a\r\r\n", "1:a\r"},
    {"\xef\xbb\xbf"
     "a\n",
     "1:a"},
    {"\xef\xbb\xbf#DTX name=x\na\n", "2:a"},
    {"\xef\xbb", "1:\xef\xbb"},
    {"  a  b \t\n", "1:a  b"},
    {"a \\ \n", "1:a \\ "},
    {"a \\  \t \n", "1:a \\ "},
    {"a \\\\ \n", "1:a \\\\"},
    {"a \\\\\\\t \n", "1:a \\\\\\\t"},
    {"a \\\nb\n", "1:a \\|2:b"},
    {"a \\ \r\n", "1:a \\ "},
    {"\\ \n", "1:\\ "},
    {"# a\n  # b\n#\n##DTX cpus=0\n#DTXfoo\n#DTXfoo bar=1\n# DTX x\na", "8:a"},
    {"#dt\n#dtxfoo\n#dtx-foo\n#D\na # b\n", "5:a # b"},
    {"\n\n#DTX\n\na\n\nb\n", "5:a|7:b"},
    {"#DTX \t \na", "2:a"},
};

START_TEST(lines_become_tasks)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct parsed p;
    size_t i;

    parse(&p, lines[_i].text, strlen(lines[_i].text));
    ck_assert_msg(p.rc == 0, "%s", p.err.text);
    for (i = 0; i < p.list.ntasks; i++) {
        const struct dtx_task *t = &p.list.task[i];

        dtx_buf_printf(&b, "%s%u:%.*s", i ? "|" : "", (unsigned)t->line,
                       (int)t->len, dtx_tasklist_text(&p.list, t));
    }
    ck_assert_str_eq(b.data ? b.data : "", lines[_i].tasks);
    dtx_buf_free(&b);
    finish(&p);
}
END_TEST

/* What the directives in front of one task say about it. */
static const struct {
    const char *text, *name, *cwd;
    uint32_t cpus;
    int32_t prio;
    uint32_t retries;
    int64_t timeout_ns;
} values[] = {
    {"", NULL, NULL, 1, 0, 0, 0},
    {"#DTX cpus=4\n", NULL, NULL, 4, 0, 0, 0},
    {"#DTX cpus=65535 prio=-1000000\n", NULL, NULL, 65535, -1000000, 0, 0},
    {"#DTX\tcpus='4'\t prio=1000000 \r\n", NULL, NULL, 4, 1000000, 0, 0},
    {"  #DTX cpus=\"2\"\n\n# note\n#DTX retries=1000\n", NULL, NULL, 2, 0, 1000,
     0},
    {"#DTX timeout=0\n", NULL, NULL, 1, 0, 0, -1},
    {"#DTX timeout=none\n", NULL, NULL, 1, 0, 0, -1},
    {"#DTX timeout=0s retries=1\n", NULL, NULL, 1, 0, 1, -1},
    {"#DTX timeout=10m\n", NULL, NULL, 1, 0, 0, 600 * DTX_SEC_NS},
    {"#DTX timeout=1-00:00:00\n", NULL, NULL, 1, 0, 0, 86400 * DTX_SEC_NS},
    {"#DTX timeout=250ms\n", NULL, NULL, 1, 0, 0, 250 * DTX_MSEC_NS},
    {"#DTX name=prep\n", "prep", NULL, 1, 0, 0, 0},
    {"#DTX name=3-x\n", "3-x", NULL, 1, 0, 0, 0},
    {"#DTX name=3-\n", "3-", NULL, 1, 0, 0, 0},
    {"#DTX name=1.5=x\n", "1.5=x", NULL, 1, 0, 0, 0},
    {"#DTX name=\xc3\xa9t\xc3\xa9\n", "\xc3\xa9t\xc3\xa9", NULL, 1, 0, 0, 0},
    {"#DTX cwd='/a b/\"c\"' name='n'\n", "n", "/a b/\"c\"", 1, 0, 0, 0},
    {"#DTX cwd=\"it's\"\n", NULL, "it's", 1, 0, 0, 0},
    {"#DTX cwd=a=b#c\n", NULL, "a=b#c", 1, 0, 0, 0},
};

START_TEST(directives_set_attributes)
{
    struct dtx_buf b = DTX_BUF_INIT;
    const struct dtx_task_attr *a;
    const char *name, *cwd;
    struct parsed p;

    dtx_buf_printf(&b, "before\n%sthis\nbehind\n", values[_i].text);
    parse(&p, b.data, b.len);
    ck_assert_msg(p.rc == 0, "%s", p.err.text);
    ck_assert_uint_eq(p.list.ntasks, 3);
    a = dtx_tasklist_attr_of(&p.list, 1);
    ck_assert_uint_eq(a->cpus, values[_i].cpus);
    ck_assert_int_eq(a->prio, values[_i].prio);
    ck_assert_uint_eq(a->retries, values[_i].retries);
    ck_assert_int_eq(a->timeout_ns, values[_i].timeout_ns);
    name = dtx_tasklist_pool(&p.list, p.list.task[1].name);
    cwd = dtx_tasklist_pool(&p.list, a->cwd);
    ck_assert_pstr_eq(name, values[_i].name);
    ck_assert_pstr_eq(cwd, values[_i].cwd);
    /* nothing spills over to the neighbours */
    ck_assert_uint_eq(p.list.task[0].attr, 0);
    ck_assert_uint_eq(p.list.task[2].attr, 0);
    ck_assert_uint_eq(p.list.task[2].name, DTX_NO_TEXT);
    dtx_buf_free(&b);
    finish(&p);
}
END_TEST

#define KEYS "; the keys are name= cpus= prio= after= timeout= retries= cwd= " \
             "mem= gpus="
#define INTRO ": a directive is written '#DTX key=value', a comment '# ...'"
#define QUOTES ": quotes go round the whole value, with a blank behind"
#define PAIR ": expected key=value, without blanks around the '='"
#define CHARS ": a name must not hold commas, blanks or control characters"
#define LOOK ": a name must not look like a number or a range"
#define DURATION                                                               \
    ": must be a duration such as 90, 30s, 1h30m or 2-12:00:00, "              \
    "or none"
#define CYCLE ", which waits for it (possibly through others)"
#define HUNDRED                                                                \
    "0123456789012345678901234567890123456789"                                 \
    "012345678901234567890123456789012345678901234567890123456789"
#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

static const struct {
    const char *text, *message;
} errors[] = {
    {"a\n#DTX cpus=0\nb\n",
     "f:2: cpus=0: must be a whole number from 1 to 65535"},
    {"#DTX cpus=65536\na", "f:1: cpus=65536: must be a whole number from 1 to "
                           "65535"},
    {"#DTX cpus=1.5\na", "f:1: cpus=1.5: must be a whole number from 1 to "
                         "65535"},
    {"#DTX cpus=9999999999999999999999999999\na",
     "f:1: cpus=9999999999999999999999999999: must be a whole number from 1 to "
     "65535"},
    {"#DTX prio=1000001\na", "f:1: prio=1000001: must be a whole number from "
                             "-1000000 to 1000000"},
    {"#DTX retries=0\na", "f:1: retries=0: must be a whole number from 1 to "
                          "1000"},
    {"#DTX timeout=soon\na", "f:1: timeout=soon" DURATION},
    {"#DTX timeout=-1\na", "f:1: timeout=-1" DURATION},
    {"#DTX timeout=" HUNDRED "\na", "f:1: timeout=" SIXTY "..." DURATION},
    {"#DTX timeout=101000d\na", "f:1: timeout=101000d: must be at most 100 "
                                "years, or none"},
    {"#DTX name=3\na", "f:1: name=3" LOOK},
    {"#DTX name=3-5\na", "f:1: name=3-5" LOOK},
    {"#DTX name=-x\na", "f:1: name=-x: a name must not begin with '-'"},
    {"#DTX name=a,b\na", "f:1: name=a,b" CHARS},
    {"#DTX name='a b'\na", "f:1: name=a b" CHARS},
    {"#DTX name=a\x01\x7f\na", "f:1: name=a\\x01\\x7f" CHARS},
    {"#DTX name=" HUNDRED HUNDRED HUNDRED "\na",
     "f:1: name=" SIXTY "...: a name has at most 255 bytes"},
    {"#DTX name=\na", "f:1: name=: the value is missing"},
    {"#DTX cwd=''\na", "f:1: cwd=: the value is missing"},
    {"#DTX cpu=2\na", "f:1: unknown key 'cpu': did you mean cpus=?" KEYS},
    {"#DTX CPUS=2\na", "f:1: unknown key 'CPUS': did you mean cpus=?" KEYS},
    {"#DTX cpsu=2\na", "f:1: unknown key 'cpsu': did you mean cpus=?" KEYS},
    {"#DTX time-out=2\na",
     "f:1: unknown key 'time-out': did you mean timeout=?" KEYS},
    {"#DTX gpu=2\na", "f:1: unknown key 'gpu': did you mean gpus=?" KEYS},
    {"#DTX gpus=65\na",
     "f:1: gpus=65: must be a whole number from 0 to 64"},
    {"#DTX mem=much\na",
     "f:1: mem=much: must be a size such as 512M, 4G or 0"},
    {"#DTX mem=-1\na", "f:1: mem=-1: must be a size such as 512M, 4G or 0"},
    {"#DTX x=2\na", "f:1: unknown key 'x'" KEYS},
    {"#DTX a\x1b=2\na", "f:1: unknown key 'a\\x1b'" KEYS},
    {"#DTX cpus\na", "f:1: 'cpus'" PAIR},
    {"#DTX cpus = 4\na", "f:1: 'cpus'" PAIR},
    {"#DTX =4\na", "f:1: ''" PAIR},
    {"#DTX cpus=4 # four\na", "f:1: '#'" PAIR},
    {"#DTX cpus=2 cpus=2\na",
     "f:1: cpus=2: given twice for one task, first on line 1"},
    {"#DTX cpus=2\n\n#DTX cpus=3\na",
     "f:3: cpus=3: given twice for one task, first on line 1"},
    {"#DTX cwd='a b\na", "f:1: cwd='a b: the closing quote is missing"},
    {"#DTX cwd='\na", "f:1: cwd=': the closing quote is missing"},
    {"#DTX cwd='a'b\na", "f:1: cwd=a'b" QUOTES},
    {"#DTX cwd=it's\na", "f:1: cwd=it's" QUOTES},
    {"#DTX cwd=a\"b c\"\na", "f:1: cwd=a\"b c\"" QUOTES},
    {"#DTXcpus=4\na", "f:1: '#DTXcpus=4'" INTRO},
    {"#dtx cpus=4\na", "f:1: '#dtx cpus=4'" INTRO},
    {"#Dtxcpus=4\na", "f:1: '#Dtxcpus=4'" INTRO},
    {"#dtx\na", "f:1: '#dtx'" INTRO},
    {"a\n#DTX cpus=4\n# end\n", "f:2: this directive has no task after it"},
    {"#DTX", "f:1: this directive has no task after it"},
    /* after= */
    {"#DTX after=0\na", "f:1: after=0: must be within 1 to 1: there is 1 task, "
                        "and numbers count tasks, not lines"},
    {"a\n#DTX after=1,7\nb", "f:2: after=7: must be within 1 to 2: there are 2 "
                             "tasks, and numbers count tasks, not lines"},
    {"a\n#DTX after=1-3\nb", "f:2: after=1-3: must be within 1 to 2: there are "
                             "2 tasks, and numbers count tasks, not lines"},
    {"#DTX after=99999999999999999999\na\nb",
     "f:1: after=99999999999999999999: must be within 1 to 2: there are 2 "
     "tasks, and numbers count tasks, not lines"},
    {"a\na\n#DTX after=2-1\nb",
     "f:3: after=2-1: a range goes from low to high: 1-2"},
    {"a\n#DTX after=1,\nb", "f:2: after=1,: a task is missing beside a comma; "
                            "write after=1,3-5,NAME"},
    {"a\n#DTX after=','\nb", "f:2: after=,: a task is missing beside a comma; "
                             "write after=1,3-5,NAME"},
    {"a\n#DTX after=prep\nb", "f:2: after=prep: no task has this name; give "
                              "one a line '#DTX name=...'"},
    {"#DTX cwd=d\na\n#DTX after=d\nb", "f:3: after=d: no task has this name; "
                                       "give one a line '#DTX name=...'"},
    {"a\n#DTX after=2\nb", "f:2: after=2: task 2 waits for itself"},
    {"a\n#DTX after=1-3\nb\nc", "f:2: after=1-3: task 2 waits for itself"},
    {"#DTX name=x after=x\na", "f:1: after=x: task 1 waits for itself"},
    {"#DTX name=x\na\n#DTX name=x\n#DTX after=x\nb",
     "f:4: after=x: task 2 waits for itself"},
    {"#DTX after=2\na\n#DTX after=1\nb", "f:1: task 1 waits for task 2" CYCLE},
    {"z\n#DTX after=4\na\n#DTX after=2\nb\n#DTX cpus=2\n#DTX after=3\nc\n"
     "#DTX after=2\nd",
     "f:2: task 2 waits for task 4" CYCLE},
    {"#DTX name=g after=3\na\n#DTX name=g\nb\n#DTX after=g\nc\n",
     "f:1: task 1 waits for task 3" CYCLE},
    {"#DTX after=2-3\na\nb\n#DTX after=1\nc\n",
     "f:1: task 1 waits for task 3" CYCLE},
};

START_TEST(error_is_said)
{
    struct parsed p;

    parse(&p, errors[_i].text, strlen(errors[_i].text));
    ck_assert_int_eq(p.rc, DTX_EPARSE);
    ck_assert_int_eq(p.err.code, p.rc);
    ck_assert_str_eq(p.err.text, errors[_i].message);
    ck_assert_int_eq(dtx_taskfile_parse("f", errors[_i].text,
                                        strlen(errors[_i].text), &p.list,
                                        &p.graph, NULL),
                     DTX_EPARSE);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    struct parsed p;

    parse(&p, "a\nb\nc\0d\n", 8);
    ck_assert_int_eq(p.rc, DTX_EPARSE);
    ck_assert_str_eq(p.err.text,
                     "f:3: the line holds a NUL byte; is this a text file?");
    parse(&p,
          "\xff\xfe"
          "a\0\n\0",
          6);
    ck_assert_str_eq(p.err.text, "f:1: the line holds a NUL byte; the file is "
                                 "UTF-16: save it as UTF-8");
}
END_TEST

START_TEST(long_things_are_limited)
{
    const size_t max = DTX_MAX_COMMAND;
    struct dtx_buf b = DTX_BUF_INIT;
    struct parsed p;

    dtx_buf_str(&b, "a\n");
    ck_assert(dtx_buf_reserve(&b, max + 1));
    memset(b.data + 2, 'x', max + 1);
    parse(&p, b.data, max + 2);
    ck_assert_int_eq(p.rc, 0);
    ck_assert_uint_eq(p.list.task[1].len, max);
    finish(&p);
    parse(&p, b.data, max + 3);
    ck_assert_int_eq(p.rc, DTX_ELIMIT);
    ck_assert_str_eq(p.err.text, "f:2: a command of 1048577 bytes: the limit "
                                 "is 1048576; put it into a script");
    memcpy(b.data, "#DTX cwd=", 9);
    b.data[9 + DTX_MAX_CWD] = '\n';
    parse(&p, b.data, 9 + DTX_MAX_CWD + 2);
    ck_assert_int_eq(p.rc, 0);
    finish(&p);
    b.data[9 + DTX_MAX_CWD] = 'x';
    b.data[10 + DTX_MAX_CWD] = '\n';
    parse(&p, b.data, 9 + DTX_MAX_CWD + 3);
    ck_assert_str_eq(p.err.text,
                     "f:1: cwd="
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: a path of 4097 bytes: "
                     "the limit is 4096");
    dtx_buf_free(&b);
}
END_TEST

START_TEST(long_file_names_leave_room)
{
    char name[3000];
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_error err;

    memset(name, 'd', sizeof(name));
    memcpy(name + sizeof(name) - 11, "/sweep.txt", 11);
    ck_assert_int_eq(
        dtx_taskfile_parse(name, "#DTX x=1\n", 9, &list, &graph, &err),
        DTX_EPARSE);
    ck_assert_mem_eq(err.text, "...ddd", 6);
    ck_assert_ptr_nonnull(strstr(err.text, "d/sweep.txt:1: unknown key 'x'"));
    ck_assert_ptr_nonnull(strstr(err.text, "cwd="));
}
END_TEST

START_TEST(empty_input_may_be_null)
{
    struct parsed p;

    p.rc = dtx_taskfile_parse("f", NULL, 0, &p.list, &p.graph, &p.err);
    ck_assert_int_eq(p.rc, 0);
    ck_assert_uint_eq(p.list.ntasks, 0);
    finish(&p);
}
END_TEST

static double seconds(void)
{
    struct timespec t;

    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The bound is for a slow machine and for sanitizers; the line tells. */
START_TEST(a_million_lines)
{
    const size_t n = 1000000;
    struct dtx_buf b = DTX_BUF_INIT;
    size_t i, text = 0, bytes;
    struct parsed p;
    double t;

    for (i = 0; i < n; i++)
        dtx_buf_printf(&b, "./solve --case %06zu --out x\n", i);
    t = seconds();
    p.rc = dtx_taskfile_parse("f", b.data, b.len, &p.list, &p.graph, &p.err);
    t = seconds() - t;
    ck_assert_int_eq(p.rc, 0);
    ck_assert_uint_eq(p.list.ntasks, n);
    for (i = 0; i < n; i++)
        text += p.list.task[i].len;
    ck_assert_uint_eq(text, b.len - n);
    bytes = p.list.cap_tasks * sizeof(*p.list.task) + p.list.text.cap - text;
    ck_assert_uint_le(bytes, 33 * n);
    (void)printf("a million lines: %.3f s, %.1f bytes a task beside the text\n",
                 t, (double)bytes / (double)n);
    ck_assert_double_lt(t, 60); /* only a broken one takes that */
    finish(&p);
    dtx_buf_free(&b);
}
END_TEST

static unsigned asked;

static bool ask(void)
{
    return ++asked == 2;
}

/* It is asked now and then whether to go on. */
START_TEST(a_long_file_can_be_given_up)
{
    struct dtx_taskfile_more more = {.stop = ask};
    struct dtx_buf text = DTX_BUF_INIT;
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_error err = {0, ""};
    uint32_t i;

    for (i = 0; i < 3 * DTX_STOP_EVERY; i++)
        dtx_buf_str(&text, "a\n");
    asked = 0;
    ck_assert_int_eq(dtx_taskfile_parse_more("f", text.data, text.len, &list,
                                             &graph, &more, &err),
                     DTX_ESTATE);
    ck_assert_uint_eq(asked, 2);
    ck_assert_str_eq(err.text, "f:131072: stopped while the list was read: "
                               "nothing was run");
    dtx_buf_free(&text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/taskfile");
    TCase *t = tcase_create("taskfile");

    tcase_add_loop_test(t, lines_become_tasks, 0, DTX_COUNT(lines));
    tcase_add_loop_test(t, directives_set_attributes, 0, DTX_COUNT(values));
    tcase_add_loop_test(t, error_is_said, 0, DTX_COUNT(errors));
    tcase_add_test(t, nul_bytes_are_refused);
    tcase_add_test(t, long_things_are_limited);
    tcase_add_test(t, long_file_names_leave_room);
    tcase_add_test(t, empty_input_may_be_null);
    tcase_add_test(t, a_long_file_can_be_given_up);
    tcase_add_test(t, a_million_lines);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
