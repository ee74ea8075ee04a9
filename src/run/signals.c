/* SPDX-License-Identifier: MIT */
/* Signal handlers that count and ring; see signals.h.  Nothing else happens in
 * a handler. */
#include "run/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/units.h"
#include "node/bell.h"

#define SAME_NS (100 * DTX_MSEC_NS)

static struct dtx_bell *_Atomic g_bell;
static _Atomic int64_t g_interrupt_ns;
static atomic_uint g_count, g_interrupts, g_kills, g_overs, g_terms;

/* What comes within that of the last one is the same Ctrl-C, passed on by
 * somebody in between ("timeout --foreground"), who had it as well. */
static bool is_another(void)
{
    struct timespec t = {0, 0};
    int64_t now, last;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    now = (int64_t)t.tv_sec * DTX_SEC_NS + t.tv_nsec;
    last = atomic_load(&g_interrupt_ns);
    if (last != 0 && now - last <= SAME_NS)
        return false;
    atomic_store(&g_interrupt_ns, now);
    return true;
}

static void handle(int sig)
{
    struct dtx_bell *bell = atomic_load(&g_bell);
    int keep = errno;

    if (sig == SIGINT && is_another())
        (void)atomic_fetch_add(&g_interrupts, 1);
    if (sig == SIGUSR1 && atomic_load(&g_count) == 0)
        (void)atomic_fetch_add(&g_overs, 1);
    if (sig == SIGTERM)
        (void)atomic_fetch_add(&g_terms, 1);
    if (sig == SIGUSR2)
        (void)atomic_fetch_add(&g_kills, 1);
    (void)atomic_fetch_add(&g_count, 1);
    if (bell)
        dtx_bell_ring(bell);
    errno = keep;
}

/* By convention a program that is started with HUP or INT ignored (nohup, a
 * script's background) leaves them so. */
static const struct {
    int sig;
    bool may_be_ignored;
} handled[] = {{SIGINT, true},
               {SIGHUP, true},
               {SIGTERM, false},
               {SIGUSR1, false},
               {SIGUSR2, false}};

static bool is_ignored(int sig)
{
    struct sigaction old;

    return sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

int dtx_signals_install(struct dtx_bell *bell)
{
    struct sigaction sa;
    size_t i;

    memset(&sa, 0, sizeof(sa));
    (void)sigemptyset(&sa.sa_mask);
    sa.sa_handler = handle;
    atomic_store(&g_bell, bell);
    for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        if (handled[i].may_be_ignored && is_ignored(handled[i].sig))
            continue;
        if (sigaction(handled[i].sig, &sa, NULL) != 0)
            return DTX_ESYS;
    }
    sa.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &sa, NULL) == 0 ? DTX_OK : DTX_ESYS;
}

void dtx_signals_remove(void)
{
    atomic_store(&g_bell, NULL);
}

enum dtx_stop dtx_signals_asked(void)
{
    if (atomic_load(&g_interrupts) > 1 || atomic_load(&g_kills) > 0)
        return DTX_STOP_KILL;
    return atomic_load(&g_count) > 0 ? DTX_STOP_DRAIN : (enum dtx_stop)0;
}

bool dtx_signals_time_over(void)
{
    return atomic_load(&g_overs) > 0;
}

bool dtx_signals_by_launcher(void)
{
    unsigned n = atomic_load(&g_count);

    return n > 0 && atomic_load(&g_terms) == n;
}

unsigned dtx_signals_count(void)
{
    return atomic_load(&g_count);
}
