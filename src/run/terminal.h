/* SPDX-License-Identifier: MIT */
/* run/terminal.h - is what we say on stderr read on a terminal
 *
 * A rank's stderr is a pipe to mpirun. The supervisor, which knows where that
 * ends, tells the ranks in a variable.
 */
#ifndef DTX_RUN_TERMINAL_H
#define DTX_RUN_TERMINAL_H

/* Set by the supervisor for its ranks: the columns, 0 for no terminal. */
#define DTX_TERMINAL_ENV "DTX_TERMINAL"

/* The columns of the terminal behind stderr, at this moment where that can be
 * known; 0: it is none. */
int dtx_terminal_columns(void);
/* For the supervisor: tell the ranks. 0, or -1 with errno. */
int dtx_terminal_tell(void);

#endif
