/* SPDX-License-Identifier: MIT */
/* after=: single edges, gates and how often they are made, and random files
 * against a naive reading that writes every dependency out. */
#include "task/after.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"

#define MAX_TASKS 30

/* 'edges' as "before>after ..." in the order of successor lists, ids from 1;
 * gates are a, b, ... */
static const struct {
    const char *text, *edges;
} cases[] = {
    {"a\n#DTX after=1\nb", "1>2"},
    {"#DTX after=2\na\nb", "2>1"},
    {"a\n#DTX after=1-1\nb", "1>2"},
    {"a\n#DTX after=01\nb", "1>2"},
    {"a\n#DTX after=1,1\nb", "1>2 1>2"},
    {"a\nb\n#DTX after=' 1 , 2 '\nc", "1>3 2>3"},
    {"#DTX name=x\na\n#DTX after=x\nb", "1>2"},
    {"#DTX after=x\na\n#DTX name=x\nb", "2>1"},
    {"#DTX name=3-\na\n#DTX after=3-\nb", "1>2"},
    {"a\nb\n#DTX after=1-2\nc", "1>a 2>a a>3"},
    {"a\nb\n#DTX after=1-2\nc\n#DTX after=1-2\nd\n#DTX after=1-02,1-2\ne",
     "1>a 2>a a>3 a>4 a>5 a>5"},
    {"#DTX name=x\na\n#DTX name=x\nb\n#DTX after=x\nc\n#DTX after=x,1\nd",
     "1>a 1>4 2>a a>3 a>4"},
    {"#DTX name=x\na\n#DTX name=x\nb\n#DTX after=x,1-2\nc",
     "1>a 1>b 2>a 2>b a>3 b>3"},
    {"#DTX after=2-3\na\nb\nc\n#DTX after=1-3\nd",
     "1>b 2>a 2>b 3>a 3>b a>1 b>4"},
};

static void put_node(struct dtx_buf *b, const struct dtx_graph *g, uint32_t n)
{
    if (n < g->ntasks)
        dtx_buf_printf(b, "%u", (unsigned)n + 1);
    else
        dtx_buf_char(b, (char)('a' + (int)(n - g->ntasks)));
}

START_TEST(elements_become_edges)
{
    struct dtx_tasklist list;
    struct dtx_graph g;
    struct dtx_error err;
    struct dtx_buf b = DTX_BUF_INIT;
    uint32_t n, i;

    ck_assert_msg(dtx_taskfile_parse("f", cases[_i].text,
                                     strlen(cases[_i].text), &list, &g,
                                     &err) == 0,
                  "%s", err.text);
    for (n = 0; n < g.nnodes; n++) {
        for (i = g.start[n]; i < g.start[n + 1]; i++) {
            if (b.len)
                dtx_buf_char(&b, ' ');
            put_node(&b, &g, n);
            dtx_buf_char(&b, '>');
            put_node(&b, &g, g.succ[i]);
        }
    }
    ck_assert_str_eq(b.data, cases[_i].edges);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&g);
}
END_TEST

/* A thousand after a thousand are two thousand edges, by range or name. */
START_TEST(barriers_are_cheap)
{
    const char *const what[] = {"1-1000", "first"};
    struct dtx_tasklist list;
    struct dtx_graph g;
    struct dtx_error err;
    struct dtx_buf b = DTX_BUF_INIT;
    int i;

    for (i = 0; i < 1000; i++)
        dtx_buf_str(&b, "#DTX name=first\na\n");
    for (i = 0; i < 1000; i++)
        dtx_buf_printf(&b, "#DTX after=%s\nb\n", what[_i]);
    ck_assert_int_eq(dtx_taskfile_parse("f", b.data, b.len, &list, &g, &err),
                     0);
    ck_assert_uint_eq(g.nnodes, 2001);
    ck_assert_uint_eq(g.nedges, 2000);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&g);
}
END_TEST

/* Collected by hand, as the parser does it. */
START_TEST(failure_names_the_line)
{
    struct dtx_after a = {0};
    struct dtx_tasklist list;
    struct dtx_graph g;
    struct dtx_error err;
    uint32_t line = 0;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    ck_assert_int_eq(dtx_tasklist_add(&list, "a", 1, 0, 1, DTX_NO_TEXT), 0);
    ck_assert_int_eq(dtx_tasklist_add(&list, "b", 1, 0, 2, DTX_NO_TEXT), 0);
    ck_assert_int_eq(dtx_after_add(&a, 0, 7, "2", 1), 0);
    ck_assert_int_eq(dtx_after_resolve(&a, &list, &g, &line, &err), 0);
    ck_assert_uint_eq(line, 0);
    dtx_graph_fini(&g);
    ck_assert_int_eq(dtx_after_add(&a, 1, 9, "3", 1), 0);
    ck_assert_int_eq(dtx_after_resolve(&a, &list, &g, &line, &err), DTX_EPARSE);
    ck_assert_uint_eq(line, 9);
    dtx_graph_fini(&g);
    a.ref[1].value = "1";
    line = 0;
    ck_assert_int_eq(dtx_after_resolve(&a, &list, &g, &line, &err), DTX_EPARSE);
    ck_assert_uint_eq(line, 7); /* task 1, the lowest of the cycle */
    dtx_graph_fini(&g);
    dtx_after_fini(&a);
    dtx_tasklist_fini(&list);
}
END_TEST

/* A random file and what it means, written out. */
struct random_file {
    struct dtx_buf text;
    uint32_t ntasks;
    char name[MAX_TASKS];              /* 'a'.. or 0 */
    bool before[MAX_TASKS][MAX_TASKS]; /* [a][b]: b waits for a */
    bool self, unknown;
};

static void want(struct random_file *f, uint32_t a, uint32_t b)
{
    if (a == b)
        f->self = true;
    f->before[a][b] = true;
}

static void random_element(struct random_file *f, struct dtx_rng *rng,
                           uint32_t me)
{
    uint32_t lo = (uint32_t)dtx_rng_below(rng, f->ntasks), hi = lo, i;
    char name = (char)('a' + (int)dtx_rng_below(rng, 4));
    bool known = false;

    switch (dtx_rng_below(rng, 3)) {
    case 0:
        dtx_buf_printf(&f->text, "%u", (unsigned)lo + 1);
        break;
    case 1:
        hi += (uint32_t)dtx_rng_below(rng, f->ntasks - lo);
        hi = hi > lo + 4 ? lo + 4 : hi;
        dtx_buf_printf(&f->text, "%u-%u", (unsigned)lo + 1, (unsigned)hi + 1);
        break;
    default:
        for (i = 0; i < f->ntasks; i++) {
            if (f->name[i] == name)
                want(f, i, me);
            known = known || f->name[i] == name;
        }
        f->unknown = f->unknown || !known;
        dtx_buf_char(&f->text, name);
        return;
    }
    for (i = lo; i <= hi; i++)
        want(f, i, me);
}

static void make_file(struct random_file *f, uint64_t seed)
{
    struct dtx_rng rng;
    uint32_t i, n;

    memset(f, 0, sizeof(*f));
    dtx_rng_seed(&rng, seed);
    f->ntasks = 1 + (uint32_t)dtx_rng_below(&rng, MAX_TASKS - 1);
    for (i = 0; i < f->ntasks; i++) {
        if (dtx_rng_below(&rng, 3) == 0)
            f->name[i] = (char)('a' + (int)dtx_rng_below(&rng, 3));
    }
    for (i = 0; i < f->ntasks; i++) {
        if (f->name[i])
            dtx_buf_printf(&f->text, "#DTX name=%c\n", f->name[i]);
        if (dtx_rng_below(&rng, 8) == 0) {
            dtx_buf_str(&f->text, "#DTX after=");
            for (n = (uint32_t)dtx_rng_below(&rng, 3); n > 0; n--) {
                random_element(f, &rng, i);
                dtx_buf_char(&f->text, ',');
            }
            random_element(f, &rng, i);
            dtx_buf_char(&f->text, '\n');
        }
        dtx_buf_str(&f->text, "x\n");
    }
}

/* Is there a cycle? Warshall's closure, for so few. */
static bool is_cyclic(const struct random_file *f)
{
    static bool r[MAX_TASKS][MAX_TASKS];
    uint32_t i, j, k, n = f->ntasks;
    bool cyclic = false;

    memcpy(r, f->before, sizeof(r));
    for (k = 0; k < n; k++) {
        for (i = 0; i < n; i++) {
            for (j = 0; j < n; j++)
                r[i][j] = r[i][j] || (r[i][k] && r[k][j]);
        }
    }
    for (i = 0; i < n; i++)
        cyclic = cyclic || r[i][i];
    return cyclic;
}

static void check_same(const struct random_file *f, const struct dtx_graph *g)
{
    bool got[MAX_TASKS][MAX_TASKS] = {{false}};
    uint32_t a, i, j;

    for (a = 0; g->start && a < f->ntasks; a++) {
        for (i = g->start[a]; i < g->start[a + 1]; i++) {
            uint32_t b = g->succ[i];

            if (b < f->ntasks)
                got[a][b] = true;
            for (j = g->start[b]; b >= f->ntasks && j < g->start[b + 1]; j++)
                got[a][g->succ[j]] = true;
        }
    }
    ck_assert_mem_eq(got, f->before, sizeof(got));
}

START_TEST(random_files_mean_what_they_say)
{
    static struct random_file f;
    unsigned good = 0, cyclic = 0;
    uint64_t seed;

    for (seed = 1; seed <= 5000; seed++) {
        struct dtx_tasklist list;
        struct dtx_graph g;
        struct dtx_error err;
        bool bad;
        int rc;

        make_file(&f, seed);
        bad = f.self || f.unknown || is_cyclic(&f);
        rc = dtx_taskfile_parse("f", f.text.data, f.text.len, &list, &g, &err);
        ck_assert_msg((rc != 0) == bad, "seed %llu: %s\n%s",
                      (unsigned long long)seed, rc ? err.text : "accepted",
                      f.text.data);
        if (rc == 0) {
            good++;
            check_same(&f, &g);
            dtx_tasklist_fini(&list);
            dtx_graph_fini(&g);
        } else if (!f.self && !f.unknown) {
            cyclic++;
            ck_assert_ptr_nonnull(strstr(err.text, ", which waits for it"));
        }
        dtx_buf_free(&f.text);
    }
    ck_assert_uint_gt(good, 500);
    ck_assert_uint_gt(cyclic, 50);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/after");
    TCase *t = tcase_create("after");

    tcase_add_loop_test(t, elements_become_edges, 0, DTX_COUNT(cases));
    tcase_add_loop_test(t, barriers_are_cheap, 0, 2);
    tcase_add_test(t, failure_names_the_line);
    tcase_add_test(t, random_files_mean_what_they_say);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
