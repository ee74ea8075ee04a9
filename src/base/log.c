/* SPDX-License-Identifier: MIT */
/* The log's one switch; see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static struct {
    dtx_log_sink_f sink;
    void *ctx;
    enum dtx_log_level level;
} g_log;

void dtx_log_set(dtx_log_sink_f sink, void *ctx, enum dtx_log_level level)
{
    g_log.sink = sink;
    g_log.ctx = ctx;
    g_log.level = level;
}

void dtx_log(enum dtx_log_level level, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    if (!g_log.sink || level > g_log.level)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    g_log.sink(g_log.ctx, level, text);
}
