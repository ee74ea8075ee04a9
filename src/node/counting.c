/* SPDX-License-Identifier: MIT */
/* Counts programs by perf or by PAPI; see counting.h.  It decides what a child
 * and its parent say to each other before the child executes its program. */
#include "node/counting.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/papi.h"

static bool make_gate(struct dtx_counting *c)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->gate) == 0;
}

bool dtx_counting_init(struct dtx_counting *c, enum dtx_counter provider,
                       uint8_t counted)
{
    char why[DTX_COUNTER_WHY];

    memset(c, 0, sizeof(*c));
    c->provider = provider;
    c->gate[0] = c->gate[1] = -1;
    if (provider == DTX_COUNTER_PAPI_HARDWARE ||
        provider == DTX_COUNTER_PAPI_SOFTWARE) {
        c->papi = dtx_papi_open(provider, counted, why);
        return c->papi != NULL;
    }
    dtx_perf_set_init(&c->perf, provider, counted);
    if (c->perf.n > 0 && !make_gate(c))
        c->perf.n = 0;
    return c->perf.n > 0;
}

bool dtx_counting_holds(const struct dtx_counting *c)
{
    return c->papi != NULL;
}

/* A gate for PAPI is of one child, so that its parent sees when it dies. */
bool dtx_counting_prepare(struct dtx_counting *c)
{
    return c->papi ? make_gate(c) : c->perf.n > 0;
}

void dtx_counting_child(const struct dtx_counting *c)
{
    char byte = 0;

    if (!c->papi) {
        dtx_perf_give(&c->perf, c->gate[0]);
        return;
    }
    (void)close(c->gate[1]);
    if (send(c->gate[0], &byte, 1, MSG_NOSIGNAL) == 1)
        (void)!read(c->gate[0], &byte, 1);
}

/* Wait until it stands at the gate, attach to it, and let it go. */
static void open_gate(struct dtx_counting *c, pid_t pid,
                      struct dtx_counting_run *run)
{
    char byte;
    ssize_t n = 0;

    (void)close(c->gate[0]);
    do {
        if (pid > 0)
            n = read(c->gate[1], &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        run->papi = dtx_papi_attach(c->papi, pid, NULL);
        (void)send(c->gate[1], &byte, 1, MSG_NOSIGNAL);
    }
    (void)close(c->gate[1]);
}

void dtx_counting_begin(struct dtx_counting *c, pid_t pid,
                        struct dtx_counting_run *run)
{
    memset(run, 0, sizeof(*run));
    if (c->papi)
        open_gate(c, pid, run);
    else
        run->files = dtx_perf_take(&c->perf, c->gate[1], run->fd);
}

void dtx_counting_end(const struct dtx_counting *c,
                      struct dtx_counting_run *run, struct dtx_counters *out)
{
    memset(out, 0, sizeof(*out));
    out->provider = DTX_COUNTER_RUSAGE;
    if (run->papi)
        dtx_papi_end(run->papi, out);
    else if (run->files)
        dtx_perf_end(&c->perf, run->fd, out);
    memset(run, 0, sizeof(*run));
}
