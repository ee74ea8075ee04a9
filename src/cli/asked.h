/* SPDX-License-Identifier: MIT */
/* cli/asked.h - which tasks "distributex output" and its like are asked for
 *
 * From its command line: the run directory, tasks by number, range or name, a
 * state, which streams, and whether to wait for more.
 */
#ifndef DTX_CLI_ASKED_H
#define DTX_CLI_ASKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_tasklist;

/* Tasks named on the command line: numbers from 0, or a name. */
struct dtx_asked_ref {
    uint32_t first, last;
    const char *name; /* NULL: the range */
    size_t len;
};

struct dtx_asked {
    const char *dir; /* NULL: the latest */
    struct dtx_asked_ref *ref;
    size_t nrefs, cap_refs;
    const char *state; /* NULL: any */
    bool follow;
    bool want[2]; /* by enum dtx_stream */
};

/* A number from 1 or a range of them, as in 3 or 4-7, "to the end" as in 4-;
 * 'len' bytes: 1, 0 when it is none, or -1 when it cannot be one of tasks. */
int dtx_asked_range(const char *s, size_t len, struct dtx_asked_ref *ref);
/* Read the words; they must stay. 0, or the exit status of bad usage, which
 * has been told. Free it in any case. */
int dtx_asked_read(int argc, char **argv, struct dtx_asked *q);
void dtx_asked_free(struct dtx_asked *q);

/* Is the task among them? Without a list no name is known. */
bool dtx_asked_has(const struct dtx_asked *q, const struct dtx_tasklist *list,
                   uint32_t task);
/* Is this status (enum dtx_status) of the state asked for? */
bool dtx_asked_has_status(const struct dtx_asked *q, uint8_t status);
/* Is it one task, by its number: q->ref[0].first? */
bool dtx_asked_one(const struct dtx_asked *q);
/* DTX_ENOENT for a number or name of which the list has no task. */
int dtx_asked_check(const struct dtx_asked *q, const struct dtx_tasklist *list,
                    struct dtx_error *err);

#endif
