/* SPDX-License-Identifier: MIT */
/* The task file line by line: the same tasks as from the whole, edges at once,
 * and the errors that only a stream has. */
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "task/after.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"

/* Give the text to a parser; the edges of all lines go to 'out'. */
static int feed(const char *text, struct dtx_tasklist *list,
                struct dtx_buf *out, struct dtx_error *err)
{
    struct dtx_taskparser *p = dtx_taskparser_create("f", list);
    const char *s = text, *nl;
    int rc = 0;

    ck_assert_ptr_nonnull(p);
    while (!rc && *s) {
        const struct dtx_edge *e;
        size_t n, i;

        nl = strchr(s, '\n');
        rc = dtx_taskparser_line(p, s, nl ? (size_t)(nl - s) : strlen(s), err);
        e = dtx_taskparser_edges(p, &n);
        for (i = 0; i < n && !rc; i++)
            dtx_buf_printf(out, "%s%lu<%s%lu ",
                           e[i].before & DTX_GATE ? "g" : "",
                           (unsigned long)(e[i].before & ~DTX_GATE),
                           e[i].after & DTX_GATE ? "g" : "",
                           (unsigned long)(e[i].after & ~DTX_GATE));
        s = nl ? nl + 1 : s + strlen(s);
    }
    if (!rc)
        rc = dtx_taskparser_end(p, err);
    dtx_taskparser_destroy(p);
    return rc;
}

static const struct {
    const char *text, *edges, *error;
} cases[] = {
    {"", "", NULL},
    {"\xef\xbb\xbf"
     "a\r\n\n# c\n  b  \n",
     "", NULL},
    {"a\nb\n#DTX after=1-2\nc\n", "0<2 1<2 ", NULL},
    {"#DTX name=x\na\n#DTX name=x\nb\n#DTX after=x,1 cpus=2\nc\nd\n",
     "0<g0 1<g0 g0<2 0<2 ", NULL},
    {"#DTX name=x\na\n#DTX name=x\nb\n#DTX after=x name=y\nc\n"
     "#DTX name=x\nd\n#DTX after=x\ne\n#DTX after=x\nf\n#DTX after=y\ng",
     "0<g0 1<g0 g0<2 g0<g1 3<g1 g1<4 g1<5 2<6 ", NULL},
    {"a\nb\nc\nd\ne\n#DTX after=1-5\nf\n#DTX after=1-4\ng\n",
     "0<g0 1<g0 2<g0 3<g0 g0<5 4<5 g0<6 ", NULL},
    {"a\nb\n#DTX after=1-2\n#DISBATCH REPEAT 3 c\n",
     "0<2 1<2 0<g0 1<g0 g0<3 g0<4 ", NULL},
    {"a\n#DTX after=1\n#DISBATCH REPEAT 2 b\nc\n", "0<1 0<2 ", NULL},
    {"a\n#DTX after=2\nb\n", NULL,
     "f:2: after=2: this is task 2, and in a stream a task can only wait for "
     "earlier ones; put the tasks into a file"},
    {"a\n#DTX after=1-9\nb\n", NULL,
     "f:2: after=1-9: this is task 2, and in a stream a task can only wait for "
     "earlier ones; put the tasks into a file"},
    {"a\n#DTX after=x\n\nb\n#DTX name=x\nc\n", NULL,
     "f:2: after=x: no earlier task has this name; in a stream '#DTX "
     "name=...' must come before"},
    {"#DTX name=x\na\n#DTX name=x after=x\nb\n", NULL,
     "f:3: after=x: task 2 waits for itself"},
    {"a\n#DTX after=0\nb\n", NULL,
     "f:2: after=0: numbers count tasks from 1"},
    {"a\nb\n#DTX after=2-1\nb\n", NULL,
     "f:3: after=2-1: a range goes from low to high: 1-2"},
    {"a\n#DTX after=1,\nb\n", NULL,
     "f:2: after=: a task is missing beside a comma; write after=1,3-5,NAME"},
    {"a\n#DTX cpus=2\n", NULL, "f:2: this directive has no task after it"},
    {"#DTX cpu=2\n", NULL,
     "f:1: unknown key 'cpu': did you mean cpus=?; the keys are name= cpus= "
     "prio= after= timeout= retries= cwd= mem= gpus="},
};

START_TEST(case_as_expected)
{
    struct dtx_tasklist list;
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err;
    int rc;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    rc = feed(cases[_i].text, &list, &out, &err);
    if (cases[_i].error) {
        ck_assert_int_eq(rc, DTX_EPARSE);
        ck_assert_str_eq(err.text, cases[_i].error);
    } else {
        ck_assert_int_eq(rc, 0);
        ck_assert_str_eq(out.data ? out.data : "", cases[_i].edges);
    }
    dtx_buf_free(&out);
    dtx_tasklist_fini(&list);
}
END_TEST

START_TEST(nul_is_refused)
{
    struct dtx_tasklist list;
    struct dtx_taskparser *p;
    struct dtx_error err;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    p = dtx_taskparser_create("f", &list);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(dtx_taskparser_line(p, "a", 1, &err), 0);
    ck_assert_int_eq(dtx_taskparser_line(p, "b\0c", 3, &err), DTX_EPARSE);
    ck_assert_str_eq(err.text,
                     "f:2: the line holds a NUL byte; is this a text file?");
    dtx_taskparser_destroy(p);
    dtx_tasklist_fini(&list);
}
END_TEST

/* The list may be emptied: numbers count on. */
START_TEST(emptied_list)
{
    struct dtx_tasklist list;
    struct dtx_taskparser *p;
    const struct dtx_edge *e;
    struct dtx_error err;
    size_t n;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    p = dtx_taskparser_create("f", &list);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(dtx_taskparser_line(p, "#DTX name=x", 11, &err), 0);
    ck_assert_int_eq(dtx_taskparser_line(p, "a", 1, &err), 0);
    ck_assert_uint_eq(list.ntasks, 1);
    list.ntasks = 0;
    list.text.len = 0;
    ck_assert_int_eq(dtx_taskparser_line(p, "#DTX after=x", 12, &err), 0);
    ck_assert_int_eq(dtx_taskparser_line(p, "b", 1, &err), 0);
    ck_assert_uint_eq(list.ntasks, 1);
    ck_assert_uint_eq(list.task[0].line, 4);
    e = dtx_taskparser_edges(p, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(e[0].before, 0);
    ck_assert_uint_eq(e[0].after, 1);
    dtx_taskparser_destroy(p);
    dtx_tasklist_fini(&list);
}
END_TEST

static void draw_line(struct dtx_rng *rng, struct dtx_buf *b, unsigned ntasks)
{
    switch (dtx_rng_below(rng, 6)) {
    case 0:
        dtx_buf_str(b, "# comment\n");
        break;
    case 1:
        dtx_buf_printf(b, "#DTX cpus=%u name=n%u\r\n", ntasks % 5 + 1,
                       ntasks % 3);
        break;
    case 2:
        if (ntasks > 0)
            dtx_buf_printf(b, "#DTX after=%u prio=2\n", ntasks);
        break;
    default:
        dtx_buf_str(b, "\n");
    }
    dtx_buf_printf(b, "  cmd %u \n", ntasks);
}

static void draw_file(uint64_t seed, struct dtx_buf *b)
{
    struct dtx_rng rng;
    unsigned i, n;

    dtx_rng_seed(&rng, seed);
    n = (unsigned)dtx_rng_below(&rng, 40);
    for (i = 0; i < n; i++)
        draw_line(&rng, b, i);
    dtx_buf_str(b, "last");
}

static void same_lists(const struct dtx_tasklist *a,
                       const struct dtx_tasklist *b)
{
    size_t i;

    ck_assert_uint_eq(a->ntasks, b->ntasks);
    ck_assert_uint_eq(a->nattrs, b->nattrs);
    ck_assert_uint_eq(a->text.len, b->text.len);
    ck_assert_mem_eq(a->text.data, b->text.data, a->text.len);
    for (i = 0; i < a->ntasks; i++) /* padding may differ */
        ck_assert_mem_eq(&a->task[i], &b->task[i],
                         offsetof(struct dtx_task, index));
}

START_TEST(same_as_whole)
{
    struct dtx_buf b = DTX_BUF_INIT, out = DTX_BUF_INIT;
    struct dtx_tasklist whole, list;
    struct dtx_graph graph;
    struct dtx_error err;

    draw_file((uint64_t)_i + 1, &b);
    ck_assert_int_eq(dtx_taskfile_parse("f", b.data, b.len, &whole, &graph,
                                        &err),
                     0);
    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    ck_assert_int_eq(feed(b.data, &list, &out, &err), 0);
    same_lists(&whole, &list);
    dtx_tasklist_fini(&list);
    dtx_tasklist_fini(&whole);
    dtx_graph_fini(&graph);
    dtx_buf_free(&out);
    dtx_buf_free(&b);
}
END_TEST

/* What has been read of a stream is in the journal: it stays as it was. */
START_TEST(disbatch_leaves_earlier_tasks_alone)
{
    struct dtx_tasklist list;
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err;
    const char *env;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    ck_assert_int_eq(feed("a\n#DTX cpus=2\nb\n#DISBATCH SUFFIX ; c\nd\n"
                          "#DTX cpus=2\ne\n",
                          &list, &out, &err),
                     0);
    ck_assert_uint_eq(list.ntasks, 4);
    ck_assert_uint_eq(dtx_tasklist_attr_of(&list, 0)->env, DTX_NO_TEXT);
    ck_assert_uint_eq(dtx_tasklist_attr_of(&list, 1)->env, DTX_NO_TEXT);
    env = dtx_tasklist_pool(&list, dtx_tasklist_attr_of(&list, 2)->env);
    ck_assert_ptr_nonnull(strstr(env, "DISBATCH_TASKID=%z"));
    ck_assert_uint_eq(dtx_tasklist_attr_of(&list, 3)->env,
                      dtx_tasklist_attr_of(&list, 2)->env);
    ck_assert_uint_eq(dtx_tasklist_attr_of(&list, 3)->cpus, 2);
    dtx_buf_free(&out);
    dtx_tasklist_fini(&list);
}
END_TEST

/* ---- what many wait for ---- */

#define MOST 400u

/* Which tasks a node waits for in the end. */
struct waits {
    bool of[2 * MOST][MOST]; /* tasks, then gates */
    uint32_t ngates;
};

static void wait_for(struct waits *w, const struct dtx_edge *e)
{
    uint32_t after = e->after & DTX_GATE ? MOST + (e->after & ~DTX_GATE)
                                         : e->after, i;

    if (e->after & DTX_GATE && (e->after & ~DTX_GATE) >= w->ngates)
        ck_assert_uint_eq(e->after & ~DTX_GATE, w->ngates++);
    ck_assert_uint_lt(after, 2 * MOST);
    if (e->before & DTX_GATE) {
        ck_assert_uint_lt(e->before & ~DTX_GATE, w->ngates);
        for (i = 0; i < MOST; i++)
            w->of[after][i] |= w->of[MOST + (e->before & ~DTX_GATE)][i];
    } else {
        ck_assert_uint_lt(e->before, MOST);
        w->of[after][e->before] = true;
    }
}

static void line(struct dtx_taskparser *p, const char *s)
{
    struct dtx_error err;

    ck_assert_int_eq(dtx_taskparser_line(p, s, strlen(s), &err), 0);
}

/* Task i waits for a range, or a name that others bear. */
START_TEST(waits_are_those_asked_for)
{
    static struct waits w;
    bool want[MOST], named[MOST] = {false};
    struct dtx_tasklist list;
    struct dtx_taskparser *p;
    struct dtx_rng rng;
    uint32_t i, k;

    memset(&w, 0, sizeof(w));
    dtx_rng_seed(&rng, (uint64_t)_i + 1);
    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    p = dtx_taskparser_create("f", &list);
    ck_assert_ptr_nonnull(p);
    for (i = 0; i < MOST; i++) {
        uint32_t kind = i == 0 ? 0 : (uint32_t)dtx_rng_below(&rng, 4);
        uint32_t lo = i ? (uint32_t)dtx_rng_below(&rng, i) : 0;
        uint32_t hi = i ? lo + (uint32_t)dtx_rng_below(&rng, i - lo) : 0;
        const struct dtx_edge *e;
        char text[64];
        size_t n;

        memset(want, 0, sizeof(want));
        if (kind == 0) {
            line(p, "#DTX name=prep");
            named[i] = true;
        } else if (kind == 1) {
            line(p, "#DTX after=prep");
            memcpy(want, named, sizeof(want));
        } else {
            (void)snprintf(text, sizeof(text), "#DTX after=%u-%u", lo + 1,
                           hi + 1);
            line(p, text);
            for (k = lo; k <= hi; k++)
                want[k] = true;
        }
        line(p, "run");
        e = dtx_taskparser_edges(p, &n);
        for (k = 0; k < n; k++)
            wait_for(&w, &e[k]);
        ck_assert_mem_eq(w.of[i], want, sizeof(want));
    }
    dtx_taskparser_destroy(p);
    dtx_tasklist_fini(&list);
}
END_TEST

/* As many edges as there are tasks, about, whatever they are written as. */
static const struct {
    const char *first, *then; /* %u: the number of the task before */
    unsigned most;            /* edges for each task */
} crowds[] = {
    {"#DTX name=prep", "#DTX after=prep", 1},
    {"", "#DTX after=1-20000", 1},
    {"", "#DTX after=1-%u", 25},
    {"", "#DTX after=7-%u", 40},
};

START_TEST(edges_are_as_many_as_tasks)
{
    struct dtx_tasklist list;
    struct dtx_taskparser *p;
    uint32_t half = 20000, i;
    size_t n, all = 0;
    char text[64];

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    p = dtx_taskparser_create("f", &list);
    ck_assert_ptr_nonnull(p);
    dtx_tasklist_live(&list);
    for (i = 0; i < 2 * half; i++) {
        const char *s = i < half ? crowds[_i].first : crowds[_i].then;
        const char *number = strchr(s, '%');

        (void)snprintf(text, sizeof(text), "%.*s%.0u",
                       (int)(number ? number - s : (ptrdiff_t)strlen(s)), s,
                       number ? i : 0u);
        line(p, text);
        line(p, "run");
        (void)dtx_taskparser_edges(p, &n);
        all += n;
    }
    ck_assert_uint_gt(all, half);
    ck_assert_uint_le(all, (size_t)half * (crowds[_i].most + 2));
    ck_assert_uint_eq(list.open_bytes, 2 * half * 3 + all * DTX_WAIT_BYTES);
    for (i = 0; i < 2 * half; i++)
        dtx_tasklist_forget(&list, i);
    ck_assert_uint_eq(list.open_bytes, 0);
    dtx_taskparser_destroy(p);
    dtx_tasklist_fini(&list);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("taskparser");
    TCase *t = tcase_create("taskparser");

    tcase_add_loop_test(t, case_as_expected, 0,
                        DTX_COUNT(cases));
    tcase_add_test(t, nul_is_refused);
    tcase_add_test(t, emptied_list);
    tcase_add_loop_test(t, same_as_whole, 0, 200);
    tcase_add_test(t, disbatch_leaves_earlier_tasks_alone);
    tcase_add_loop_test(t, waits_are_those_asked_for, 0, 20);
    tcase_add_loop_test(t, edges_are_as_many_as_tasks, 0, DTX_COUNT(crowds));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
