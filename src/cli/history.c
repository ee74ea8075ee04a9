/* SPDX-License-Identifier: MIT */
/* What the commands that use a history share; see history.h. */
#include "cli/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/told.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "predict/sizes.h"
#include "run/program.h"
#include "task/task.h"
#include "wire/experience.h"

int dtx_cli_history_dir(const struct dtx_cli_words *w, struct dtx_buf *dir,
                        bool *none, struct dtx_error *err)
{
    return dtx_cli_history_named(dtx_cli_option(w, "history"), dir, none, err);
}

int dtx_cli_history_named(const char *given, struct dtx_buf *dir, bool *none,
                          struct dtx_error *err)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (!given)
        given = getenv("DTX_HISTORY");
    *none = given && strcmp(given, "none") == 0;
    if (given && *given)
        dtx_buf_str(dir, given);
    else if (data && *data)
        dtx_buf_printf(dir, "%s/distributex/history", data);
    else if (home && *home)
        dtx_buf_printf(dir, "%s/.local/share/distributex/history", home);
    else
        return dtx_error_set(err, DTX_ENOENT, "no history directory: say "
                             "--history DIR (there is no HOME)");
    if (dir->failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    return DTX_OK;
}

void dtx_cli_history_warn(void *ctx, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "distributex: warning: %s\n", text);
}

void dtx_cli_history_look(const char *dir)
{
    char text[256];

    if (access(dir, F_OK) == 0 || errno != ENOENT)
        return;
    (void)snprintf(text, sizeof(text), "history: there is no %.200s", dir);
    dtx_cli_history_warn(NULL, text);
}

void dtx_history_name(struct dtx_history_names *s, const char *name)
{
    if (s->n > 0 && strncmp(s->last, name, sizeof(s->last) - 1) == 0)
        return;
    if (s->n < DTX_HISTORY_NAMES)
        dtx_buf_printf(&s->text, "%s'%.60s'", s->n ? ", " : "", name);
    (void)snprintf(s->last, sizeof(s->last), "%s", name);
    s->n++;
}

struct loading {
    struct dtx_predictor *p;
    uint64_t senseless;
};

static int load_one(void *ctx, const struct dtx_history_file *f,
                    const struct dtx_experience *e, struct dtx_error *err)
{
    struct loading *l = ctx;

    (void)f;
    if (dtx_predictor_load(l->p, e, &l->senseless) != DTX_OK)
        return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    return DTX_OK;
}

int dtx_cli_history_load(const char *dir, struct dtx_predictor *p,
                         struct dtx_error *err)
{
    struct loading l = {p, 0};
    char text[256];
    int rc;

    dtx_cli_history_look(dir);
    rc = dtx_history_read(dir, DTX_HISTORY_MODELS, load_one, &l,
                          dtx_cli_history_warn, NULL, err);
    if (rc == DTX_OK && l.senseless > 0) {
        (void)snprintf(text, sizeof(text), "history: %llu rows in %.80s make "
                       "no sense and are left out",
                       (unsigned long long)l.senseless, dir);
        dtx_cli_history_warn(NULL, text);
    }
    return rc;
}

struct dtx_sizes *dtx_cli_sizes(const struct dtx_cli_words *w, int *rc,
                                struct dtx_error *err)
{
    const char *path = dtx_cli_option(w, "sizes");
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_sizes *s = NULL;

    *rc = DTX_OK;
    if (!path)
        return NULL;
    *rc = dtx_told_file(path, &b, err);
    if (*rc == DTX_OK) {
        s = dtx_sizes_read(path, b.data, b.len, err);
        *rc = s ? DTX_OK : err->code;
    }
    dtx_buf_free(&b);
    return s;
}

static int64_t size_on_disk(void *ctx, const char *name, size_t len)
{
    char path[4096];
    struct stat st;

    (void)ctx;
    if (len >= sizeof(path))
        return -1;
    memcpy(path, name, len);
    path[len] = '\0';
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

int dtx_cli_predict_each(struct dtx_predictor *p, struct dtx_sizes *sizes,
                         const struct dtx_tasklist *list, dtx_cli_said_f fn,
                         void *ctx)
{
    struct dtx_programs programs = {NULL, 0};
    struct dtx_prediction said;
    struct dtx_features f;
    uint32_t i;
    int rc = DTX_OK;

    for (i = 0; rc == DTX_OK && i < list->ntasks; i++) {
        const struct dtx_task *t = &list->task[i];
        const char *text = dtx_tasklist_text(list, t);

        dtx_features_of(text, t->len, NULL,
                        sizes ? dtx_sizes_of : size_on_disk, sizes, &f);
        if (!sizes)
            f.mark = dtx_program_mark(&programs, ".", text + f.name_at,
                                      f.name_len, true, NULL);
        (void)dtx_predictor_ask(p, &f, &said);
        rc = fn(ctx, i, &f, &said);
    }
    dtx_programs_free(&programs);
    return rc;
}

long long dtx_cli_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

void dtx_cli_json_text(struct dtx_buf *b, const char *s)
{
    dtx_buf_char(b, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            dtx_buf_char(b, '\\');
        if ((unsigned char)*s < 0x20)
            dtx_buf_printf(b, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            dtx_buf_char(b, *s);
    }
    dtx_buf_char(b, '"');
}
