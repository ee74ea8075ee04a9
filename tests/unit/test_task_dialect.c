/* SPDX-License-Identifier: MIT */
/* GREASY's and disBatch's files: what they come to, as tasks and as edges, and
 * each error with its line. */
#include <string.h>

#include "base/error.h"
#include "check_main.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"

/* Each task as "command", "command@cwd", "command#index"; behind " : " the
 * edges as "before>after" with ids from 1, barriers with '!'. */
static const struct {
    const char *text, *want;
} files[] = {
    {"# c\na\nb\n\n[# 2 #] c\n[#2-3#] d\n[# -1 , 3 #]e\n",
     "a|b|c|d|e : 1>3 1>6 2>6 2>5 4>5 6>4"},
    {"[@ /d @] a\n[@ e f @][# 1 #] b\n[# -1 #] [@ g @]   c x\n",
     "a@/d|b@e f|c x@g : 1>2 2>3"},
    {"#DTX cpus=2 after=2\n[@ /d @] a\nb\n", "a@/d|b : 2>1"},
    {"[ -f x ] && y\n", "[ -f x ] && y :"},
    {"a\n#DISBATCH PREFIX p  \nb\n#DISBATCH SUFFIX  > l\nc\n"
     "#DISBATCH PREFIX\n#DISBATCH SUFFIX\nd\n",
     "a|p  b|p  c > l|d :"},
    {"#DISBATCH REPEAT 3 start 100 step 50 x y\n", "x y#100|x y#150|x y#200 :"},
    {"#DISBATCH REPEAT 2 step 4  x\n#DISBATCH PREFIX q\n#DISBATCH REPEAT 1\n",
     "x|x#4|q :"},
    {"a\nb\n#DTX after=1\n#DTX cpus=2\n#DISBATCH REPEAT 3 c\nd\n",
     "a|b|c|c#1|c#2|d : 1>3 1>4 1>5"},
    {"#DTX name=a\nx\n#DTX name=a\nx\n#DTX after=a,1\n"
     "#DISBATCH REPEAT 2 c\n",
     "x|x|c|c#1 : 1>5 1>3 1>4 2>5 5>3 5>4"},
    {"a\nb\n#DISBATCH BARRIER\nc\n#DISBATCH BARRIER k\nd\n",
     "a|b|c|d : 1>!5 2>!5 3>!6 !5>3 !5>!6 !6>4"},
    {"a\n#DISBATCH BARRIER\nb\n#DISBATCH BARRIER CHECK\nc\n"
     "#DISBATCH BARRIER\nd\n",
     "a|b|c|d : 1>!6 1>5 2>5 3>!7 5>3 5>!7 5>4 !6>2 !6>5 !7>4"},
};

static void put_tasks(struct dtx_buf *b, const struct dtx_tasklist *l)
{
    uint32_t i;

    for (i = 0; i < l->ntasks; i++) {
        const char *cwd =
            dtx_tasklist_pool(l, dtx_tasklist_attr_of(l, i)->cwd);

        dtx_buf_str(b, i > 0 ? "|" : "");
        dtx_tasklist_command(b, l, i, 0);
        if (cwd)
            dtx_buf_printf(b, "@%s", cwd);
        if (l->task[i].index)
            dtx_buf_printf(b, "#%lu", (unsigned long)l->task[i].index);
    }
}

static void put_node(struct dtx_buf *b, const struct dtx_graph *g, uint32_t n)
{
    dtx_buf_printf(b, "%s%lu", dtx_graph_is_barrier(g, n) ? "!" : "",
                   (unsigned long)n + 1);
}

static void put_graph(struct dtx_buf *b, const struct dtx_graph *g)
{
    uint32_t n, i;

    dtx_buf_str(b, " :");
    for (n = 0; g->start && n < g->nnodes; n++) {
        for (i = g->start[n]; i < g->start[n + 1]; i++) {
            dtx_buf_str(b, " ");
            put_node(b, g, n);
            dtx_buf_str(b, ">");
            put_node(b, g, g->succ[i]);
        }
    }
}

START_TEST(files_come_to)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_tasklist l;
    struct dtx_graph g;
    struct dtx_error err;

    ck_assert_msg(dtx_taskfile_parse("f", files[_i].text,
                                     strlen(files[_i].text), &l, &g,
                                     &err) == 0,
                  "%s", err.text);
    put_tasks(&b, &l);
    put_graph(&b, &g);
    ck_assert_str_eq(b.data, files[_i].want);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&l);
    dtx_graph_fini(&g);
}
END_TEST

static const struct {
    const char *text, *error;
} errors[] = {
    {"a\n\n[# 2 #] b\n",
     "f:3: [# 2 #]: line 2 holds no task; the numbers are lines of the file, "
     "blank ones and comments counted"},
    {"a\n# c\nb\n[#1-3#] b\n",
     "f:4: [# 1-3 #]: line 2 holds no task; the numbers are lines of the file, "
     "blank ones and comments counted"},
    {"a\n[# 2 #] b\n",
     "f:2: [# 2 #]: must be a line before this one, which is 2; for later ones "
     "write #DTX after="},
    {"a\n[# +1 #] b\n",
     "f:2: [# +1 #]: must be lines as in [# 1-3,7,-2 #]: a number, a range, or "
     "-N for N lines before"},
    {"a\n[# 1, #] b\n",
     "f:2: [#  #]: must be lines as in [# 1-3,7,-2 #]: a number, a range, or "
     "-N for N lines before"},
    {"a\n[# -2 #] b\n",
     "f:2: [# -2 #]: lines count from 1, and a range goes from low to high"},
    {"a\n[# 1 ] b\n", "f:2: [# 1 ] b: the closing '#]' is missing"},
    {"a\n[# 1 #]\n", "f:2: a command is missing behind [# #] or [@ @]"},
    {"a\n[# 1 #][# 1 #] b\n", "f:2: a second [# #]: write one, with commas"},
    {"[@ @] b\n", "f:1: [@ @]: the directory is missing"},
    {"#DTX cwd=x\n[@ y @] b\n",
     "f:2: cwd=y: given twice for one task, first on line 1"},
    {"[@ y @] b\n#DISBATCH BARRIER\n",
     "f:2: a file may not mix GREASY's [# #] or [@ @] and #DISBATCH: line 1 "
     "has the other; write what both need as #DTX"},
    {"#DISBATCH BARIER\n",
     "f:1: #DISBATCH 'BARIER': unknown: did you mean BARRIER?; there are "
     "PREFIX, SUFFIX, REPEAT, BARRIER, PERENGINE"},
    {"#disbatch BARRIER\n",
     "f:1: '#disbatch': a directive is written '#DISBATCH WORD', a comment "
     "'# ...'"},
    {"a\n#DISBATCH PERENGINE START x\n",
     "f:2: PERENGINE START: it stands behind a task; put it before the first "
     "one"},
    {"#DISBATCH PERENGINE STOP x\n#DISBATCH PERENGINE STOP y\n",
     "f:2: PERENGINE STOP: given twice; join the commands with '&&'"},
    {"#DISBATCH PERENGINE STOP\n",
     "f:1: PERENGINE STOP: the command is missing"},
    {"#DISBATCH PERENGINE start x\n",
     "f:1: PERENGINE 'start': START or STOP and a command must follow"},
    {"#DISBATCH REPEAT x\n",
     "f:1: REPEAT: the count 'x' must be a whole number from 1 to 100000000"},
    {"#DISBATCH REPEAT 3 start\n",
     "f:1: REPEAT: start '' must be a whole number from 0 to 4294967294"},
    {"#DISBATCH REPEAT 3\n",
     "f:1: REPEAT: there is no command; write it behind, or give a PREFIX or "
     "SUFFIX before"},
    {"#DISBATCH REPEAT 3 start 4294967293 x\n",
     "f:1: REPEAT 3 start 4294967293 step 1: the last index is above "
     "4294967294"},
    {"a\n#DISBATCH REPEAT 100000000 x\n",
     "f:2: REPEAT 100000000: more than 100000000 tasks: split the file"},
    {"#DTX cpus=1\n#DISBATCH BARRIER\na\n",
     "f:2: BARRIER: it stands between a #DTX line and its task; put it before "
     "that line"},
};

START_TEST(error_is_said)
{
    struct dtx_tasklist l;
    struct dtx_graph g;
    struct dtx_error err;

    ck_assert_int_ne(dtx_taskfile_parse("f", errors[_i].text,
                                        strlen(errors[_i].text), &l, &g, &err),
                     0);
    ck_assert_str_eq(err.text, errors[_i].error);
}
END_TEST

START_TEST(variables_of_disbatch)
{
    const char *text = "a\n#DISBATCH REPEAT 1 start 7 b\nc\n";
    struct dtx_tasklist l;
    struct dtx_graph g;
    struct dtx_error err;
    uint32_t i;

    ck_assert_int_eq(dtx_taskfile_parse("d/50%", text, strlen(text), &l, &g,
                                        &err),
                     0);
    for (i = 0; i < 3; i++)
        ck_assert_str_eq(
            dtx_tasklist_pool(&l, dtx_tasklist_attr_of(&l, i)->env),
            i == 1 ? "DISBATCH_TASKID=%z\nDISBATCH_REPEAT_INDEX=%i\n"
                     "DISBATCH_NAMETASKS=50%%"
                   : "DISBATCH_TASKID=%z\nDISBATCH_REPEAT_INDEX=-1\n"
                     "DISBATCH_NAMETASKS=50%%");
    dtx_tasklist_fini(&l);
    dtx_graph_fini(&g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dialect");
    TCase *t = tcase_create("dialect");

    tcase_add_loop_test(t, files_come_to, 0, DTX_COUNT(files));
    tcase_add_loop_test(t, error_is_said, 0, DTX_COUNT(errors));
    tcase_add_test(t, variables_of_disbatch);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
