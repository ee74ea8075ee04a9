/* SPDX-License-Identifier: MIT */
/* cli/history.h - what the commands that use a history share
 *
 * Which directory it is, and a predictor that knows all that is in it.
 */
#ifndef DTX_CLI_HISTORY_H
#define DTX_CLI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/words.h"
#include "store/history.h"

struct dtx_error;
struct dtx_features;
struct dtx_prediction;
struct dtx_predictor;
struct dtx_sizes;
struct dtx_tasklist;

/* The directory: 'given' where it is not NULL, else $DTX_HISTORY, else the
 * user's own. "none" is that: '*none'. */
int dtx_cli_history_named(const char *given, struct dtx_buf *dir, bool *none,
                          struct dtx_error *err);
/* The same of --history. */
int dtx_cli_history_dir(const struct dtx_cli_words *w, struct dtx_buf *dir,
                        bool *none, struct dtx_error *err);
/* Warnings go to stderr. */
void dtx_cli_history_warn(void *ctx, const char *text);
/* Warn when there is no such directory: then nothing is known. */
void dtx_cli_history_look(const char *dir);
/* All of 'dir' into the predictor. */
int dtx_cli_history_load(const char *dir, struct dtx_predictor *p,
                         struct dtx_error *err);
/* The file of --sizes, or NULL where it was not given: then '*rc' is 0. */
struct dtx_sizes *dtx_cli_sizes(const struct dtx_cli_words *w, int *rc,
                                struct dtx_error *err);
/* Predict each task of a list, in order: fn(ctx, ...) returns 0 to go on. The
 * sizes of files are those of 'sizes', or NULL: of the files themselves, and
 * programs are looked at, too. */
typedef int (*dtx_cli_said_f)(void *ctx, uint32_t task,
                              const struct dtx_features *f,
                              const struct dtx_prediction *said);
int dtx_cli_predict_each(struct dtx_predictor *p, struct dtx_sizes *sizes,
                         const struct dtx_tasklist *list, dtx_cli_said_f fn,
                         void *ctx);
/* Make one file of all of a directory but those of jobs that have not ended;
 * '*files' is how many there were. */
int dtx_cli_history_merge(const char *dir, size_t *files,
                          struct dtx_error *err);
/* Names of what was not asked for, to be told where nothing was found. */
#define DTX_HISTORY_NAMES 8 /* of them are told */

struct dtx_history_names {
    struct dtx_buf text;
    size_t n; /* different ones, as far as they follow each other */
    char last[64];
};

void dtx_history_name(struct dtx_history_names *s, const char *name);
/* Now, since 1970. */
long long dtx_cli_now_ns(void);
/* Append a text as a JSON string. */
void dtx_cli_json_text(struct dtx_buf *b, const char *s);

/* The parts of "distributex history", each an exit status. */
int dtx_history_cmd_score(const struct dtx_cli_words *w);
int dtx_history_cmd_import(const struct dtx_cli_words *w);
int dtx_history_cmd_list(const struct dtx_cli_words *w);
int dtx_history_cmd_show(const struct dtx_cli_words *w);
int dtx_history_cmd_merge(const struct dtx_cli_words *w);
int dtx_history_cmd_runfile(const struct dtx_cli_words *w);
int dtx_history_cmd_prune(const struct dtx_cli_words *w);

#endif
