/* SPDX-License-Identifier: MIT */
/* run/signals.h - what the user's signals ask for
 *
 * INT, TERM, HUP and USR1 ask to drain, once or many times; a second INT, or
 * USR2 (the supervisor's word for it), asks to kill.  SIGPIPE is ignored.
 */
#ifndef DTX_RUN_SIGNALS_H
#define DTX_RUN_SIGNALS_H

#include <stdbool.h>

#include "engine/event.h"

struct dtx_bell;

/* Install the handlers; they ring 'bell' (borrowed until _remove). */
int dtx_signals_install(struct dtx_bell *bell);
void dtx_signals_remove(void);
/* What has been asked so far; 0 = nothing. */
enum dtx_stop dtx_signals_asked(void);
/* Was the first of them USR1, by which batch systems say that the time is
 * over? */
bool dtx_signals_time_over(void);
/* Has nothing come but TERM? So a launcher ends ranks when it gives up a job;
 * who means to drain a supervised one sends USR1. */
bool dtx_signals_by_launcher(void);
/* Signals seen so far: changes when one more has come. */
unsigned dtx_signals_count(void);

#endif
