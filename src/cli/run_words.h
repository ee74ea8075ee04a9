/* SPDX-License-Identifier: MIT */
/* cli/run_words.h - the words of "distributex run" that other commands take
 *
 * submit and plan speak of a job that runs later: what would be wrong with its
 * command line is told now.
 */
#ifndef DTX_CLI_RUN_WORDS_H
#define DTX_CLI_RUN_WORDS_H

#include <stddef.h>

struct dtx_options;

/* Read the words behind "run", with the environment and the configuration file
 * as the job will see them. 0, and '*o' is to be finished, or the exit status
 * after a complaint that begins with 'command'; 'form' is what it should look
 * like. */
int dtx_cli_run_words(const char *command, const char *form, char *const *words,
                      size_t nwords, struct dtx_options *o);
/* The path of this program. 0, or the exit status after a complaint. */
int dtx_cli_self(char *out, size_t size);

#endif
