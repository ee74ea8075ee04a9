/* SPDX-License-Identifier: MIT */
/* Fuzz target: any bytes as a task file, then each command, and the bytes
 * themselves, as words.  Beside what the sanitizers see, it checks what every
 * success and every error promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"
#include "task/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check_error(int rc, const struct dtx_error *err)
{
    const char *p;

    require(err->code == rc && strncmp(err->text, "f:", 2) == 0);
    for (p = err->text; *p; p++)
        require(*p >= 0x20 && *p < 0x7f);
}

static void check_words(const char *command, size_t len)
{
    struct dtx_words w;
    size_t i, total = 0;

    require(dtx_words_split(command, len, &w) == 0);
    if (w.shell) {
        require(!w.argv && w.argc == 0);
    } else {
        require(w.argc > 0 && w.argv[0][0] && !w.argv[w.argc]);
        for (i = 0; i < w.argc; i++)
            total += strlen(w.argv[i]) + 1;
        require(total <= len + 1);
    }
    dtx_words_free(&w);
}

static void check_task(const struct dtx_tasklist *l, uint32_t i)
{
    const struct dtx_task *t = &l->task[i];
    const struct dtx_task_attr *a = dtx_tasklist_attr_of(l, i);
    const char *name = dtx_tasklist_pool(l, t->name);
    const char *cwd = dtx_tasklist_pool(l, a->cwd);
    const char *text = dtx_tasklist_text(l, t);

    require(t->len > 0 && t->text + t->len <= l->text.len);
    require(!memchr(text, 0, t->len) && !memchr(text, '\n', t->len));
    require(text[0] != ' ' && text[0] != '\t');
    require(t->line > 0 && (i == 0 || t->line >= t[-1].line));
    require(a->cpus >= 1 && a->cpus <= DTX_MAX_CPUS);
    require(a->prio >= -DTX_MAX_PRIO && a->prio <= DTX_MAX_PRIO);
    require(a->retries <= DTX_MAX_RETRIES && a->timeout_ns >= -1);
    require(!name || (*name && *name != '-' && !strchr(name, ',')));
    require(!cwd || *cwd);
    check_words(text, t->len);
}

/* Every edge is within the graph, and all can be walked in some order. */
static void check_graph(const struct dtx_graph *g)
{
    uint32_t *degree, *queue, head = 0, tail = 0, i, n;

    if (!g->start) {
        require(!g->succ && !g->indegree);
        return;
    }
    degree = malloc(g->nnodes * sizeof(*degree));
    queue = malloc(g->nnodes * sizeof(*queue));
    require(degree && queue);
    require(g->start[0] == 0 && g->start[g->nnodes] == g->nedges);
    memcpy(degree, g->indegree, g->nnodes * sizeof(*degree));
    for (n = 0; n < g->nnodes; n++) {
        if (degree[n] == 0)
            queue[tail++] = n;
    }
    while (head < tail) {
        n = queue[head++];
        for (i = g->start[n]; i < g->start[n + 1]; i++) {
            require(g->succ[i] < g->nnodes);
            if (--degree[g->succ[i]] == 0)
                queue[tail++] = g->succ[i];
        }
    }
    require(tail == g->nnodes);
    free(degree);
    free(queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_error err;
    uint32_t i;
    int rc;

    memset(&err, 0, sizeof(err));
    rc = dtx_taskfile_parse("f", (const char *)data, size, &list, &graph, &err);
    if (rc) {
        check_error(rc, &err);
    } else {
        for (i = 0; i < list.ntasks; i++)
            check_task(&list, i);
        check_graph(&graph);
        dtx_tasklist_fini(&list);
        dtx_graph_fini(&graph);
    }
    check_words((const char *)data, size);
    return 0;
}
