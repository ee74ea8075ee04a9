/* SPDX-License-Identifier: MIT */
/* cli/words.h - a command's words: options by the table, and the others
 *
 * For commands other than run: --name VALUE, --name=VALUE, -x, in any order
 * with the other words; "--" ends the options.
 */
#ifndef DTX_CLI_WORDS_H
#define DTX_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;

#define DTX_CLI_OPTIONS 16

struct dtx_cli_words {
    const char *name[DTX_CLI_OPTIONS];  /* of the options given */
    const char *value[DTX_CLI_OPTIONS]; /* NULL where it takes none */
    size_t noptions;
    char **word;                        /* the others, argv's own; free it */
    size_t nwords;
};

/* Read argv from 'first' on. 0, or the exit status when it was --help (it has
 * been printed: '*done') or an error (likewise). */
int dtx_cli_words(const char *command, int argc, char **argv, int first,
                  struct dtx_cli_words *out, bool *done);
/* The same for a command that takes those of "run" as well: the others are
 * what "run" is to be given, options in front. Its own options end at the first
 * word that is no option, as those of "run" do. */
int dtx_cli_words_run(const char *command, int argc, char **argv, int first,
                      struct dtx_cli_words *out, bool *done);
/* The value of the last option of this name; "" for one without; NULL when it
 * was not given. */
const char *dtx_cli_option(const struct dtx_cli_words *w, const char *name);
/* Numbers from 1 to 1000000 as in "1,2,4-8", at most 'max' of them. 'name' is
 * the option's, for messages. 0 or DTX_EINVAL. */
int dtx_cli_numbers(const char *name, const char *value, uint32_t *out,
                    size_t max, size_t *n, struct dtx_error *err);

#endif
