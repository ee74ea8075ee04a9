/* SPDX-License-Identifier: MIT */
/* Signal handlers that count and ring; see signals.h.  Nothing else happens in
 * a handler. */
#include "run/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "node/bell.h"

static struct dtx_bell *_Atomic g_bell;
static atomic_uint g_count, g_interrupts, g_kills;

static void handle(int sig)
{
    struct dtx_bell *bell = atomic_load(&g_bell);
    int keep = errno;

    if (sig == SIGINT)
        (void)atomic_fetch_add(&g_interrupts, 1);
    if (sig == SIGUSR2)
        (void)atomic_fetch_add(&g_kills, 1);
    (void)atomic_fetch_add(&g_count, 1);
    if (bell)
        dtx_bell_ring(bell);
    errno = keep;
}

static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

int dtx_signals_install(struct dtx_bell *bell)
{
    struct sigaction sa;
    size_t i;

    memset(&sa, 0, sizeof(sa));
    (void)sigemptyset(&sa.sa_mask);
    sa.sa_handler = handle;
    atomic_store(&g_bell, bell);
    for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
        if (sigaction(handled[i], &sa, NULL) != 0)
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

unsigned dtx_signals_count(void)
{
    return atomic_load(&g_count);
}
