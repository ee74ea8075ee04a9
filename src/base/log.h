/* SPDX-License-Identifier: MIT */
/* base/log.h - what adapters and fronts say to the person watching
 *
 * Pure code never logs.  Messages are lower case, the subsystem first:
 * dtx_log(DTX_LOG_WARN, "store: cannot open %s: %s", ...).  The front sets a
 * sink once, before threads start; without one nothing is printed.
 */
#ifndef DTX_BASE_LOG_H
#define DTX_BASE_LOG_H

enum dtx_log_level { DTX_LOG_ERROR, DTX_LOG_WARN, DTX_LOG_INFO, DTX_LOG_DEBUG };

/* 'text' is one message without a final newline. Called from any thread. */
typedef void (*dtx_log_sink_f)(void *ctx, enum dtx_log_level level,
                               const char *text);

/* 'level' is the most talkative one that is passed on. */
void dtx_log_set(dtx_log_sink_f sink, void *ctx, enum dtx_log_level level);
void dtx_log(enum dtx_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
