/* SPDX-License-Identifier: MIT */
/* tests/bench/expand.c [N] - how fast commands are made
 *
 * Combinations of three sources, lines of a file through a template, lines
 * with columns, and lines of a task file: N of each, in CPU time. Prints one
 * line for each, with the rate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"
#include "task/template.h"

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const char *what, uint64_t n, double seconds)
{
    printf("%-34s %10.0f /s\n", what, (double)n / seconds);
}

static void give_up(const struct dtx_error *err)
{
    (void)fprintf(stderr, "expand: %s\n", err->text);
    exit(1);
}

/* Every combination into a task list, as the program does it. */
static uint64_t expand(struct dtx_template *t, char **word, size_t n,
                       const char *colsep)
{
    struct dtx_template_how how = {colsep, false, false};
    struct dtx_buf b = DTX_BUF_INIT, args = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_tasklist list;
    uint32_t i;

    if (dtx_tasklist_init(&list) ||
        dtx_template_compile(t, word, n, &how, &err))
        give_up(&err);
    for (i = 0; i < dtx_template_count(t); i++) {
        dtx_buf_clear(&b);
        if (dtx_template_put(t, i, (uint64_t)i + 1, &b, &err) ||
            dtx_tasklist_add(&list, b.data, b.len, 0, 0, DTX_NO_TEXT))
            give_up(&err);
        dtx_buf_clear(&args);
        dtx_template_args(t, &args);
        if (dtx_tasklist_set_args(&list, args.data, args.len))
            give_up(&err);
    }
    dtx_buf_free(&args);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
    dtx_template_destroy(t);
    return i;
}

/* Lines "BEFORE<number>AFTER". */
static void put_lines(struct dtx_buf *b, unsigned n, const char *before,
                      const char *after)
{
    unsigned i;

    for (i = 0; i < n; i++)
        dtx_buf_printf(b, "%s%u%s\n", before, i, after);
}

static void lines(const char *what, unsigned n, const char *before,
                  const char *after, char **word, size_t nwords,
                  const char *colsep)
{
    struct dtx_template *t = dtx_template_create();
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    double begin;
    uint64_t made;

    put_lines(&b, n, before, after);
    begin = now();
    if (!t || b.failed ||
        dtx_template_lines(t, "lines", b.data, b.len, false, &err))
        give_up(&err);
    made = expand(t, word, nwords, colsep);
    say(what, made, now() - begin);
    dtx_buf_free(&b);
}

static void combinations(unsigned n, char **word, size_t nwords)
{
    struct dtx_template *t = dtx_template_create();
    struct dtx_buf b[3] = {DTX_BUF_INIT, DTX_BUF_INIT, DTX_BUF_INIT};
    unsigned sizes[3] = {10, 100, n / 1000};
    struct dtx_error err = {0, ""};
    double begin = now();
    uint64_t made;
    int i;

    for (i = 0; i < 3; i++) {
        put_lines(&b[i], sizes[i], "data/", ".txt");
        if (!t || b[i].failed ||
            dtx_template_lines(t, "lines", b[i].data, b[i].len, false, &err))
            give_up(&err);
    }
    made = expand(t, word, nwords, NULL);
    say("combinations of three sources", made, now() - begin);
    for (i = 0; i < 3; i++)
        dtx_buf_free(&b[i]);
}

static void task_file(unsigned n)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_tasklist list;
    struct dtx_graph graph;
    double begin;

    put_lines(&b, n, "./solve --in data/", ".txt --out out.txt");
    begin = now();
    if (b.failed ||
        dtx_taskfile_parse("lines", b.data, b.len, &list, &graph, &err))
        give_up(&err);
    say("lines of a task file", list.ntasks, now() - begin);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&graph);
    dtx_buf_free(&b);
}

int main(int argc, char **argv)
{
    char solve[] = "./solve", in[] = "--in", out[] = "--out", one[] = "{}",
         stem[] = "{/.}.out", first[] = "{1}", second[] = "{2}";
    char *whole[] = {solve, in, one, out, stem};
    char *columns[] = {solve, in, first, out, second};
    char *all[] = {solve, first, second};
    int64_t n = 1000000;

    if (argc > 2 || (argc == 2 && dtx_parse_int(argv[1], 1000, 100000000, &n)))
        return 2;
    combinations((unsigned)n, all, 3);
    lines("lines as arguments", (unsigned)n, "data/", ".txt", whole, 5,
          NULL);
    lines("lines, quoted", (unsigned)n, "it's ", ".txt", whole, 5, NULL);
    lines("lines in columns (-C ,)", (unsigned)n, "", ",b", columns, 5, ",");
    lines("lines in columns (-C '[,;] *')", (unsigned)n, "", ", b", columns,
          5, "[,;] *");
    task_file((unsigned)n);
    return 0;
}
