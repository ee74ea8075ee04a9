/* SPDX-License-Identifier: MIT */
/* task/words.h - can this command be executed without a shell?
 *
 * A line that is only words, plainly or with quotes and backslashes as POSIX
 * sh reads them, can be executed directly.  One that holds an operator,
 * expansion, glob, tilde, comment, assignment, reserved word or the name of a
 * shell builtin that differs from (or lacks) a program of its own, needs
 * /bin/sh -c.
 */
#ifndef DTX_TASK_WORDS_H
#define DTX_TASK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct dtx_words {
    bool shell;     /* needs a shell: argv is NULL, argc 0 */
    size_t argc;
    char **argv;    /* argc words and a NULL; one allocation with 'argv' */
};

/* Split 'len' bytes of a command. 0 or DTX_ENOMEM. Free with dtx_words_free. */
int dtx_words_split(const char *command, size_t len, struct dtx_words *out);
void dtx_words_free(struct dtx_words *w);

#endif
