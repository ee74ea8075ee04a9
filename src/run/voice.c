/* SPDX-License-Identifier: MIT */
/* A queue before stderr; see voice.h.  It writes no more at a time than what
 * poll() promises room for, and never decides what is worth saying. */
#include "run/voice.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/units.h"
#include "node/clock.h"

static struct {
    pthread_mutex_t lock; /* over the rest */
    struct dtx_buf waiting;
    size_t said;            /* bytes of it that have been written */
    unsigned long long lost; /* messages there was no room for */
} g_voice = {.lock = PTHREAD_MUTEX_INITIALIZER, .waiting = DTX_BUF_INIT};

/* Is there room now, or within so many milliseconds? */
static bool has_room(int patience_ms)
{
    struct pollfd pf = {STDERR_FILENO, POLLOUT, 0};
    int n;

    do
        n = poll(&pf, 1, patience_ms);
    while (n < 0 && errno == EINTR && patience_ms == 0);
    return n == 1 && (pf.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL));
}

static void forget_all(void)
{
    dtx_buf_clear(&g_voice.waiting);
    g_voice.said = 0;
}

/* Write some of what waits; false when there is nobody to write to or no
 * room. With the lock. A pipe that has room takes PIPE_BUF bytes at once. */
static bool write_some(void)
{
    size_t left = g_voice.waiting.len - g_voice.said;
    ssize_t n = write(STDERR_FILENO, g_voice.waiting.data + g_voice.said,
                      left < PIPE_BUF ? left : PIPE_BUF);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n < 0) { /* the reader has left: nobody is to be told */
        forget_all();
        return false;
    }
    g_voice.said += (size_t)n;
    if (g_voice.said == g_voice.waiting.len)
        forget_all();
    return true;
}

/* With the lock. */
static bool flush_now(int patience_ms)
{
    int64_t until = dtx_clock_mono_ns() + patience_ms * DTX_MSEC_NS;

    while (g_voice.waiting.len > 0) {
        int64_t left = until - dtx_clock_mono_ns();

        if (!has_room(left > 0 ? (int)(left / DTX_MSEC_NS) : 0)) {
            if (left <= 0)
                return false;
            continue;
        }
        if (!write_some() && left <= 0)
            break;
    }
    return g_voice.waiting.len == 0;
}

/* With the lock. */
static void add(const char *text, size_t len)
{
    if (g_voice.waiting.len + len > DTX_VOICE_BYTES ||
        !dtx_buf_reserve(&g_voice.waiting, len)) {
        g_voice.lost++;
        return;
    }
    dtx_buf_append(&g_voice.waiting, text, len);
}

/* With the lock. */
static void tell_lost(void)
{
    char text[100];
    int n;

    if (g_voice.lost == 0)
        return;
    n = snprintf(text, sizeof(text),
                 "distributex: warning: %llu messages found no room here\n",
                 g_voice.lost);
    g_voice.lost = 0;
    add(text, n > 0 ? (size_t)n : 0);
}

void dtx_voice_say(const char *text, size_t len)
{
    (void)pthread_mutex_lock(&g_voice.lock);
    if (g_voice.lost == 0 || flush_now(0)) {
        tell_lost();
        add(text, len);
        (void)flush_now(0);
    } else {
        g_voice.lost++;
    }
    (void)pthread_mutex_unlock(&g_voice.lock);
}

bool dtx_voice_try(const char *text, size_t len)
{
    bool read = true;

    (void)pthread_mutex_lock(&g_voice.lock);
    if (flush_now(0) && has_room(0))
        read = write(STDERR_FILENO, text, len) >= 0 || errno == EINTR ||
               errno == EAGAIN;
    (void)pthread_mutex_unlock(&g_voice.lock);
    return read;
}

bool dtx_voice_flush(int patience_ms)
{
    bool all;

    (void)pthread_mutex_lock(&g_voice.lock);
    all = flush_now(patience_ms);
    if (all && g_voice.lost > 0) {
        tell_lost();
        all = flush_now(patience_ms);
    }
    (void)pthread_mutex_unlock(&g_voice.lock);
    return all;
}

static void say_log(void *ctx, enum dtx_log_level level, const char *text)
{
    static const char *const word[] = {"error: ", "warning: ", "", "debug: "};
    char line[2200];
    int n = snprintf(line, sizeof(line), "distributex: %s%s\n", word[level],
                     text);

    (void)ctx;
    if (n >= (int)sizeof(line)) {
        n = (int)sizeof(line) - 1;
        line[n - 1] = '\n';
    }
    if (n > 0)
        dtx_voice_say(line, (size_t)n);
}

static void leave(void)
{
    (void)dtx_voice_flush(DTX_VOICE_PATIENCE_MS);
    (void)pthread_mutex_lock(&g_voice.lock);
    dtx_buf_free(&g_voice.waiting);
    g_voice.said = 0;
    (void)pthread_mutex_unlock(&g_voice.lock);
}

void dtx_voice_begin(enum dtx_log_level level)
{
    static bool begun;

    if (!begun)
        (void)atexit(leave);
    begun = true;
    dtx_log_set(say_log, NULL, level);
}
