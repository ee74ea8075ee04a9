/* SPDX-License-Identifier: MIT */
/* run/program.h - when a command's program was last changed
 *
 * Each program is asked for once, by the name that commands give it, and found
 * as a shell would find it: a name with a '/' from the task's directory,
 * another one along PATH, and last in that directory, where scripts lie.
 */
#ifndef DTX_RUN_PROGRAM_H
#define DTX_RUN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_program;

/* Zero-initialise. */
struct dtx_programs {
    struct dtx_program *program; /* a table, or NULL */
    size_t used;
};

/* The mark of the program called 'name' ('len' bytes) by a task in 'cwd'
 * (predict/features.h); 0: it is not known. 'look': a new one may be asked for;
 * '*asked' (or NULL) is set to true when that was done. */
uint32_t dtx_program_mark(struct dtx_programs *p, const char *cwd,
                          const char *name, size_t len, bool look,
                          bool *asked);
void dtx_programs_free(struct dtx_programs *p);

#endif
