/* SPDX-License-Identifier: MIT */
/* Tasks from what the user gave; see source.h.  It opens and reads the files;
 * what their bytes mean is task/'s business. */
#include "run/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "run/options.h"
#include "run/signals.h"
#include "run/status.h"
#include "task/array.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"
#include "task/template.h"

/* How long a signal that comes between looking and waiting may be missed. */
#define POLL_MS 200
#define PRINT_BYTES (1u << 16)

/* ---- files ---- */

/* Wait until something can be read: a pipe may keep us waiting for ever. */
static int await_bytes(int fd, const char *name, struct dtx_error *err)
{
    struct pollfd p = {fd, POLLIN, 0};

    for (;;) {
        int n = poll(&p, 1, POLL_MS);

        if (n > 0)
            return DTX_OK;
        if (n < 0 && errno != EINTR)
            return dtx_error_errno(err, "cannot wait for %s", name);
        if (dtx_signals_asked())
            return dtx_error_set(err, DTX_ESTATE,
                                 "interrupted while reading %s", name);
    }
}

static int read_whole(int fd, struct dtx_buf *b, const char *name,
                      struct dtx_error *err)
{
    for (;;) {
        ssize_t n;
        int rc = await_bytes(fd, name, err);

        if (rc)
            return rc;
        if (!dtx_buf_reserve(b, 1u << 20))
            return dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", name);
        n = read(fd, b->data + b->len, 1u << 20);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return dtx_error_errno(err, "cannot read %s", name);
        if (n == 0)
            return DTX_OK;
        b->len += (size_t)n;
    }
}

int dtx_source_file(const char *what, const char *name, struct dtx_buf *b,
                    struct dtx_error *err)
{
    struct stat st;
    int rc, fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return dtx_error_errno(err, "cannot open %s %s", what, name);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)close(fd);
        return dtx_error_set(err, DTX_EINVAL, "%s %s is a directory", what,
                             name);
    }
    rc = read_whole(fd, b, name, err);
    (void)close(fd);
    return rc;
}

static int read_tasks(const char *name, struct dtx_tasklist *list,
                      struct dtx_graph *graph,
                      struct dtx_taskfile_more *more, struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc;

    if (strcmp(name, "-") != 0)
        rc = dtx_source_file("task file", name, &b, err);
    else /* --dry-run: a job reads it as it comes */
        rc = read_whole(STDIN_FILENO, &b, name = "standard input", err);

    if (rc == DTX_OK)
        rc = dtx_taskfile_parse_more(name, b.data ? b.data : "", b.len, list,
                                     graph, more, err);
    dtx_buf_free(&b);
    return rc;
}

/* ---- templates ---- */

/* What a template's sources point into. */
struct files {
    struct dtx_buf *buf;
    size_t n, cap;
    bool stdin_used;
};

static void free_files(struct files *f)
{
    size_t i;

    for (i = 0; i < f->n; i++)
        dtx_buf_free(&f->buf[i]);
    free(f->buf);
}

static int read_arguments(struct files *f, const char *name, struct dtx_buf *b,
                          struct dtx_error *err)
{
    if (strcmp(name, "-") != 0)
        return dtx_source_file("argument file", name, b, err);
    if (f->stdin_used)
        return dtx_error_set(err, DTX_EINVAL,
                             "standard input ('-') can be a source of "
                             "arguments once only");
    f->stdin_used = true;
    if (isatty(STDIN_FILENO))
        return dtx_error_set(err, DTX_EINVAL,
                             "standard input is a terminal: give a file, or "
                             "pipe the arguments into this command");
    return read_whole(STDIN_FILENO, b, "standard input", err);
}

static int add_file(struct dtx_template *t, struct files *f, const char *name,
                    bool linked, struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT, *p;
    int rc = read_arguments(f, name, &b, err);

    p = rc ? NULL : dtx_grow(f->buf, &f->cap, f->n + 1, sizeof(*p));
    if (!p) {
        dtx_buf_free(&b);
        return rc ? rc : dtx_error_set(err, DTX_ENOMEM, "out of memory");
    }
    f->buf = p;
    p[f->n++] = b;
    return dtx_template_lines(t, strcmp(name, "-") == 0 ? "stdin" : name,
                              b.data ? b.data : "", b.len, linked, err);
}

/* ":::" "::::" ":::+" "::::+" */
static bool is_separator(const char *word, bool *file, bool *linked)
{
    size_t n = strspn(word, ":");

    *file = n == 4;
    *linked = word[n] == '+';
    return (n == 3 || n == 4) && !word[n + *linked];
}

/* Sources as the words name them; '*ncommand' are those before. */
static int add_sources(struct dtx_template *t, struct files *f,
                       const struct dtx_options *o, size_t *ncommand,
                       struct dtx_error *err)
{
    bool file, linked;
    size_t i, k;
    int rc = DTX_OK;

    for (i = 0; i < o->arg_files.n && rc == DTX_OK; i++)
        rc = add_file(t, f, o->arg_files.text[i], false, err);
    for (i = 0; i < o->nwords; i++) {
        if (is_separator(o->words[i], &file, &linked))
            break;
    }
    *ncommand = i;
    while (rc == DTX_OK && i < o->nwords) {
        bool next_file = false, next_linked = false;

        (void)is_separator(o->words[i], &file, &linked);
        for (k = ++i; k < o->nwords; k++) {
            if (is_separator(o->words[k], &next_file, &next_linked))
                break;
        }
        if (!file)
            rc = dtx_template_words(t, o->words + i, k - i, linked, err);
        for (; file && i < k && rc == DTX_OK; i++)
            rc = add_file(t, f, o->words[i], linked, err);
        i = k;
    }
    return rc;
}

/* Numbers 0 .. n - 1 in random order, or NULL. */
static uint32_t *shuffle(uint32_t n)
{
    uint32_t i, *p = malloc(((size_t)n + 1) * sizeof(*p));
    struct dtx_rng rng;
    uint64_t seed = 0;

    if (!p)
        return NULL;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = (uint64_t)getpid();
    dtx_rng_seed(&rng, seed);
    for (i = 0; i < n; i++) {
        uint32_t k = (uint32_t)dtx_rng_below(&rng, (uint64_t)i + 1);

        p[i] = p[k];
        p[k] = i;
    }
    return p;
}

static bool asked_to_stop(void)
{
    return dtx_signals_asked() != 0;
}

static int add_task(struct dtx_tasklist *list, const struct dtx_buf *command,
                    uint32_t attr, struct dtx_error *err)
{
    int rc;

    if (command->len == 0)
        return dtx_error_set(err, DTX_EPARSE,
                             "task %zu: the command is empty",
                             list->ntasks + 1);
    if (list->ntasks % DTX_STOP_EVERY == DTX_STOP_EVERY - 1 &&
        asked_to_stop())
        return dtx_error_set(err, DTX_ESTATE,
                             "stopped while the list was built: nothing was "
                             "run");
    rc = dtx_tasklist_add(list, command->data, command->len, attr, 0,
                          DTX_NO_TEXT);
    return rc ? dtx_error_set(err, rc, "task %zu: %s", list->ntasks + 1,
                              dtx_strerror(rc))
              : DTX_OK;
}

/* The arguments of the task added last. */
static int set_args(struct dtx_tasklist *list, const struct dtx_template *t,
                    struct dtx_buf *args, struct dtx_error *err)
{
    int rc;

    dtx_buf_clear(args);
    dtx_template_args(t, args);
    rc = args->failed ? DTX_ENOMEM
                      : dtx_tasklist_set_args(list, args->data, args->len);
    return rc ? dtx_error_set(err, rc, "task %zu: its arguments: %s (%u bytes)",
                              list->ntasks, dtx_strerror(rc), DTX_MAX_ARGS)
              : DTX_OK;
}

/* What the header says of arguments. */
static int set_columns(const struct dtx_options *o, struct dtx_tasklist *list,
                       const struct dtx_template *t, struct dtx_error *err)
{
    list->trim = o->colsep != NULL;
    dtx_template_columns(t, &list->columns);
    if (list->columns.failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (list->columns.len > DTX_MAX_ARGS)
        return dtx_error_set(err, DTX_ELIMIT,
                             "--header: the names have %zu bytes, more than %u",
                             list->columns.len, DTX_MAX_ARGS);
    return DTX_OK;
}

static int put_tasks(const struct dtx_options *o, struct dtx_template *t,
                     struct dtx_tasklist *list, struct dtx_error *err)
{
    struct dtx_task_attr attr = list->attr[0];
    struct dtx_buf command = DTX_BUF_INIT, args = DTX_BUF_INIT;
    uint32_t i, index, n = dtx_template_count(t), *order = NULL;
    int rc;

    attr.flags = dtx_template_has_slot(t) ? DTX_ATTR_SLOT : 0;
    rc = dtx_tasklist_attr(list, &attr, &index);
    if (rc == DTX_OK && o->shuf) {
        order = shuffle(n);
        rc = order ? DTX_OK : DTX_ENOMEM;
    }
    if (rc)
        return dtx_error_set(err, rc, "out of memory");
    for (i = 0; i < n && rc == DTX_OK; i++) {
        dtx_buf_clear(&command);
        rc = dtx_template_put(t, order ? order[i] : i, (uint64_t)i + 1,
                              &command, err);
        if (rc == DTX_OK)
            rc = add_task(list, &command, index, err);
        if (rc == DTX_OK)
            rc = set_args(list, t, &args, err);
    }
    dtx_buf_free(&command);
    dtx_buf_free(&args);
    free(order);
    return rc;
}

static int expand(const struct dtx_options *o, struct dtx_tasklist *list,
                  struct dtx_error *err)
{
    struct dtx_template *t = dtx_template_create();
    struct dtx_template_how how = {o->colsep, o->header != NULL, o->quote};
    struct files files = {NULL, 0, 0, false};
    size_t ncommand;
    int rc;

    if (!t)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = add_sources(t, &files, o, &ncommand, err);
    if (rc == DTX_OK)
        rc = dtx_template_compile(t, o->words, ncommand, &how, err);
    if (rc == DTX_OK)
        rc = set_columns(o, list, t, err);
    if (rc == DTX_OK)
        rc = put_tasks(o, t, list, err);
    dtx_template_destroy(t);
    free_files(&files);
    return rc;
}

/* ---- job arrays ---- */

/* The words as one command: as they are, as GNU parallel joins them, or each
 * quoted. */
static void join_words(const struct dtx_options *o, struct dtx_buf *b)
{
    size_t i;

    for (i = 0; i < o->nwords; i++) {
        if (i > 0)
            dtx_buf_char(b, ' ');
        if (o->quote)
            dtx_buf_shell_quoted(b, o->words[i], strlen(o->words[i]));
        else
            dtx_buf_str(b, o->words[i]);
    }
}

/* What a job-array script finds in its environment. */
static int array_variables(const struct dtx_array *a, struct dtx_tasklist *list,
                           struct dtx_task_attr *attr)
{
    const char *job = getenv("SLURM_JOB_ID");
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_buf_str(&b, "SLURM_ARRAY_JOB_ID=");
    if (job && *job && strspn(job, "0123456789") == strlen(job))
        dtx_buf_str(&b, job);
    else
        dtx_buf_printf(&b, "%ld", (long)getpid());
    dtx_buf_printf(&b,
                   "\nSLURM_ARRAY_TASK_ID=%%i\nSLURM_ARRAY_TASK_MIN=%lu\n"
                   "SLURM_ARRAY_TASK_MAX=%lu\nSLURM_ARRAY_TASK_STEP=%lu\n"
                   "SLURM_ARRAY_TASK_COUNT=%zu",
                   (unsigned long)a->index[0],
                   (unsigned long)a->index[a->n - 1], (unsigned long)a->step,
                   a->n);
    if (!b.failed)
        attr->env = dtx_tasklist_intern(list, b.data, b.len);
    dtx_buf_free(&b);
    return attr->env == DTX_NO_TEXT ? DTX_ENOMEM : DTX_OK;
}

static int put_array(const struct dtx_options *o, const struct dtx_array *a,
                     struct dtx_tasklist *list, struct dtx_error *err)
{
    struct dtx_task_attr attr = list->attr[0];
    struct dtx_buf command = DTX_BUF_INIT;
    uint32_t index;
    size_t i;
    int rc;

    join_words(o, &command);
    rc = command.failed ? DTX_ENOMEM : array_variables(a, list, &attr);
    if (rc == DTX_OK)
        rc = dtx_tasklist_attr(list, &attr, &index);
    if (rc)
        (void)dtx_error_set(err, rc, "out of memory");
    for (i = 0; i < a->n && rc == DTX_OK; i++) {
        rc = add_task(list, &command, index, err);
        if (rc == DTX_OK)
            list->task[i].index = a->index[i];
    }
    dtx_buf_free(&command);
    return rc;
}

static int read_array(const struct dtx_options *o, struct dtx_tasklist *list,
                      struct dtx_error *err)
{
    struct dtx_array a;
    int rc = dtx_array_parse(o->array, &a, err);

    if (rc)
        return rc;
    rc = put_array(o, &a, list, err);
    dtx_array_free(&a);
    return rc;
}

/* ---- whole ---- */

int dtx_source_read(const struct dtx_options *o, struct dtx_tasklist *list,
                    struct dtx_graph *graph, struct dtx_taskfile_more *more,
                    struct dtx_error *err)
{
    uint32_t a, b;
    int rc;

    more->stop = asked_to_stop;
    more->cpus = o->cpus;
    if (o->form == DTX_FORM_TASKFILE)
        return read_tasks(o->task_file, list, graph, more, err);
    rc = dtx_tasklist_init(list);
    if (rc)
        return dtx_error_set(err, rc, "out of memory");
    if (dtx_tasklist_cpus(list, o->cpus))
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (o->form == DTX_FORM_ARRAY)
        rc = read_array(o, list, err);
    else
        rc = expand(o, list, err);
    if (rc) {
        dtx_tasklist_fini(list);
        return rc;
    }
    dtx_tasklist_trim(list);
    dtx_graph_init(graph, (uint32_t)list->ntasks);
    rc = dtx_graph_seal(graph, &a, &b);
    if (rc == DTX_OK)
        return DTX_OK;
    dtx_graph_fini(graph);
    dtx_tasklist_fini(list);
    return dtx_error_set(err, rc, "out of memory");
}

const char *dtx_source_name(const struct dtx_options *o)
{
    switch (o->form) {
    case DTX_FORM_TEMPLATE:
        return "(template)";
    case DTX_FORM_ARRAY:
        return "(array)";
    case DTX_FORM_NONE:
    case DTX_FORM_TASKFILE:
        break;
    }
    return o->task_file;
}

/* Another name of standard input counts as well: it too is for rank 0 alone,
 * and the supervisor has to hand it on. */
static bool names_stdin(const char *name)
{
    static const char *const names[] = {"-", "/dev/stdin", "/dev/fd/0",
                                        "/proc/self/fd/0"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

bool dtx_source_is_stdin(const struct dtx_options *o)
{
    bool file, linked, in_files = false;
    size_t i;

    if (o->form == DTX_FORM_TASKFILE)
        return names_stdin(o->task_file);
    for (i = 0; i < o->arg_files.n; i++) {
        if (names_stdin(o->arg_files.text[i]))
            return true;
    }
    for (i = 0; i < o->nwords && o->form == DTX_FORM_TEMPLATE; i++) {
        if (is_separator(o->words[i], &file, &linked))
            in_files = file;
        else if (in_files && names_stdin(o->words[i]))
            return true;
    }
    return false;
}

static bool flush(struct dtx_buf *b)
{
    bool good = !b->failed && fwrite(b->data ? b->data : "", 1, b->len,
                                     stdout) == b->len;

    dtx_buf_clear(b);
    return good;
}

int dtx_source_print(const struct dtx_options *o, struct dtx_error *err)
{
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_taskfile_more more = {.greasy = false};
    uint32_t i;
    bool good = true;
    int rc;

    if (o->form == DTX_FORM_NONE) {
        (void)dtx_error_set(err, DTX_EINVAL,
                            "--dry-run needs the tasks: a task file, a command "
                            "with ':::', or --array");
        return DTX_EXIT_USAGE;
    }
    rc = dtx_source_read(o, &list, &graph, &more, err);
    dtx_buf_free(&more.setup);
    dtx_buf_free(&more.teardown);
    if (rc)
        return DTX_EXIT_TASKFILE;
    for (i = 0; i < list.ntasks && good; i++) {
        dtx_tasklist_command(&b, &list, i, 1);
        dtx_buf_char(&b, '\n');
        if (b.len > PRINT_BYTES)
            good = flush(&b);
    }
    good = good && flush(&b) && fflush(stdout) == 0;
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&graph);
    if (good)
        return DTX_EXIT_OK;
    (void)dtx_error_errno(err, "cannot write to standard output");
    return DTX_EXIT_STORAGE;
}
