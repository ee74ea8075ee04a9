/* SPDX-License-Identifier: MIT */
/* run/voice.h - what this process says on stderr, without waiting for a reader
 *
 * A reader that stands still ("2>&1 | less", a terminal with Ctrl-S) must not
 * hold up the thread that schedules: a message that finds no room waits, in
 * order, up to DTX_VOICE_BYTES of them; what comes beyond is counted and told.
 *
 * dtx_voice_begin once, before threads start: messages of base/log go here
 * from then on, and what waits at the exit gets DTX_VOICE_PATIENCE_MS.
 * dtx_voice_flush now and then from a thread that may not wait.
 */
#ifndef DTX_RUN_VOICE_H
#define DTX_RUN_VOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

#define DTX_VOICE_BYTES (256u << 10)
#define DTX_VOICE_PATIENCE_MS 10000

void dtx_voice_begin(enum dtx_log_level level);
/* Say 'len' bytes as they are, behind what waits. */
void dtx_voice_say(const char *text, size_t len);
/* Say them if there is room for them just now and nothing waits; else they are
 * dropped: a progress line. False: nobody reads any more. */
bool dtx_voice_try(const char *text, size_t len);
/* Say what waits as far as there is room; waits up to so many milliseconds for
 * room, 0 = not at all. False: some is left. */
bool dtx_voice_flush(int patience_ms);

#endif
