/* SPDX-License-Identifier: MIT */
/* Runs a node's set-up and tear-down; see noderun.h. */
#include "run/noderun.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "node/spawner.h"
#include "run/nodecmd.h"
#include "run/place.h"
#include "task/task.h"

#define TAIL_BYTES 1024 /* of stdout and of stderr */

enum word {
    SET_UP = 1,
    SETUP_FAILED,
    SETUP_STOPPED,
    TORN_DOWN,
    TEARDOWN_FAILED
};

struct dtx_noderun {
    struct dtx_noderun_config c;
    struct dtx_noderun_hooks h;
    struct dtx_nodecmd *table; /* rank 0 */
    bool leader, ready, out;
    enum { IDLE, SETTING_UP, TEARING_DOWN } doing;
};

/* ---- words ---- */

static void order(void *ctx, uint32_t rank, enum dtx_node_order what)
{
    struct dtx_noderun *n = ctx;

    if (what == DTX_NODE_OUT)
        n->h.lost(n->h.ctx, rank);
    if (rank == n->c.rank)
        dtx_noderun_hear(n, 0, what, "", 0);
    else
        n->h.send(n->h.ctx, rank, (uint8_t)what, "", 0);
}

static void say(struct dtx_noderun *n, enum word word, const char *text,
                size_t len)
{
    if (n->table)
        dtx_noderun_hear(n, 0, word, text, len);
    else
        n->h.send(n->h.ctx, 0, (uint8_t)word, text, len);
}

/* Rank 0 tells people, the node's name before each line. */
static void tell(const struct dtx_noderun *n, enum dtx_log_level level,
                 uint32_t from, const char *what, const char *text, size_t len)
{
    const char *host = n->c.cards[from].host, *end = text + len;

    dtx_log(level, "node %s: %s", host, what);
    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const char *stop = nl ? nl : end;

        dtx_log(level, "node %s: %.*s", host, (int)(stop - text), text);
        text = nl ? nl + 1 : end;
    }
}

static void hear_report(struct dtx_noderun *n, uint32_t from, uint64_t word,
                        const char *text, size_t len)
{
    switch (word) {
    case SET_UP:
        if (n->c.setup)
            tell(n, DTX_LOG_DEBUG, from, "--node-setup has succeeded", text,
                 len);
        dtx_nodecmd_set_up(n->table, from, true);
        break;
    case SETUP_STOPPED:
        n->h.stop(n->h.ctx);
        dtx_nodecmd_stopped(n->table, from);
        break;
    case SETUP_FAILED:
        tell(n, DTX_LOG_WARN, from,
             "--node-setup has failed: the node takes no part", text, len);
        dtx_nodecmd_set_up(n->table, from, false);
        if (dtx_nodecmd_all_out(n->table))
            dtx_log(DTX_LOG_ERROR, "--node-setup has failed on every node: no "
                                   "task was run");
        break;
    case TORN_DOWN:
        tell(n, DTX_LOG_DEBUG, from, "--node-teardown has succeeded", text,
             len);
        dtx_nodecmd_torn_down(n->table, from);
        break;
    case TEARDOWN_FAILED:
        tell(n, DTX_LOG_WARN, from, "--node-teardown has failed", text, len);
        dtx_nodecmd_torn_down(n->table, from);
        break;
    default:
        break;
    }
}

/* ---- running ---- */

static void run(struct dtx_noderun *n, const char *command, bool setup)
{
    struct dtx_spawn_request r = {.task = DTX_NO_TASK,
                                  .attempt = setup ? 1 : 2,
                                  .cpus = n->c.slots,
                                  .timeout_ns = n->c.limit_ns,
                                  .command = command,
                                  .len = strlen(command)};
    static const char text[] = "it could not be started";

    r.env = setup ? "DTX_NODE_SETUP=1" : "DTX_NODE_TEARDOWN=1";
    if (dtx_spawner_run(n->c.spawner, &r))
        say(n, setup ? SETUP_FAILED : TEARDOWN_FAILED, text, sizeof(text) - 1);
    else
        n->doing = setup ? SETTING_UP : TEARING_DOWN;
}

/* The last lines of 'len' bytes of a file. */
static void append_tail(struct dtx_buf *b, int fd, int64_t start, uint64_t len)
{
    char tail[TAIL_BYTES];
    size_t size = len < sizeof(tail) ? (size_t)len : sizeof(tail), i;
    ssize_t n = pread(fd, tail, size, start + (int64_t)(len - size));
    const char *p = tail;

    if (n <= 0)
        return;
    if ((uint64_t)n < len) { /* from the beginning of a line */
        const char *nl = memchr(tail, '\n', (size_t)n - 1);

        p = nl ? nl + 1 : tail;
    }
    for (i = (size_t)(p - tail); i < (size_t)n; i++)
        dtx_buf_char(b, tail[i] == '\n' || (unsigned char)tail[i] >= ' '
                            ? tail[i]
                            : '?');
    if (tail[n - 1] != '\n')
        dtx_buf_char(b, '\n');
}

static void append_end(struct dtx_buf *b, const struct dtx_spawn_result *r)
{
    const struct dtx_outcome *o = &r->outcome;
    char text[32];

    if (r->error)
        dtx_buf_str(b, "there was no place for its output\n");
    else if (o->status == DTX_STATUS_TIMEOUT)
        dtx_buf_printf(b, "ended by --node-setup-timeout after %s\n",
                       dtx_format_duration(text, sizeof(text), o->wall_ns));
    else if (o->signal)
        dtx_buf_printf(b, "ended by signal %d\n", o->signal);
    else if (o->exit_code)
        dtx_buf_printf(b, "exit %d\n", o->exit_code);
}

static void take(struct dtx_noderun *n, const struct dtx_spawn_result *r)
{
    bool good = r->outcome.status == DTX_STATUS_OK;
    bool killed = r->outcome.status == DTX_STATUS_KILLED && !r->error;
    struct dtx_buf b = DTX_BUF_INIT;
    int64_t out_start, err_start;
    int out_fd, err_fd;
    enum word word = good     ? SET_UP
                     : killed ? SETUP_STOPPED
                              : SETUP_FAILED;

    if (n->doing == TEARING_DOWN)
        word = good ? TORN_DOWN : TEARDOWN_FAILED;
    append_end(&b, r);
    if (r->capture >= 0) {
        if (dtx_spawner_capture_fds(n->c.spawner, r->capture, &out_fd,
                                    &out_start, &err_fd, &err_start) == 0) {
            append_tail(&b, out_fd, out_start, r->outcome.out_len);
            append_tail(&b, err_fd, err_start, r->outcome.err_len);
        }
        dtx_spawner_release(n->c.spawner, r->capture);
    }
    n->doing = IDLE;
    say(n, word, b.failed || !b.data ? "" : b.data, b.failed ? 0 : b.len);
    dtx_buf_free(&b);
}

bool dtx_noderun_pump(struct dtx_noderun *n)
{
    struct dtx_spawn_result r;

    if (n->doing == IDLE || !dtx_spawner_poll(n->c.spawner, &r))
        return false;
    take(n, &r);
    return true;
}

void dtx_noderun_kill(struct dtx_noderun *n)
{
    if (n->doing != IDLE)
        dtx_spawner_kill(n->c.spawner, DTX_NO_TASK,
                         n->doing == SETTING_UP ? 1 : 2);
}

/* ---- hearing ---- */

void dtx_noderun_hear(struct dtx_noderun *n, uint32_t from, uint64_t word,
                      const char *text, size_t len)
{
    if (word == DTX_NODE_GO)
        n->ready = true;
    else if (word == DTX_NODE_OUT)
        n->out = true;
    else if (word == DTX_NODE_STOP && n->doing == SETTING_UP)
        dtx_noderun_kill(n);
    else if (word == DTX_NODE_TEARDOWN && n->doing == IDLE && n->c.teardown)
        run(n, n->c.teardown, false);
    else if (n->table && from < n->c.size)
        hear_report(n, from, word, text, len);
}

bool dtx_noderun_busy(const struct dtx_noderun *n)
{
    return n->doing != IDLE;
}

bool dtx_noderun_ready(const struct dtx_noderun *n)
{
    return n->ready;
}

bool dtx_noderun_out(const struct dtx_noderun *n)
{
    return n->out;
}

void dtx_noderun_stop(struct dtx_noderun *n)
{
    dtx_nodecmd_stop(n->table);
}

void dtx_noderun_done(struct dtx_noderun *n, uint32_t rank)
{
    dtx_nodecmd_done(n->table, rank);
}

void dtx_noderun_lost(struct dtx_noderun *n, uint32_t rank)
{
    bool missed = dtx_nodecmd_lost(n->table, rank);

    if (missed && n->c.teardown)
        dtx_log(DTX_LOG_WARN,
                "node %s: --node-teardown does not run: rank %u, which would "
                "have, is lost",
                n->c.cards[rank].host, rank);
}

bool dtx_noderun_over(const struct dtx_noderun *n)
{
    return dtx_nodecmd_over(n->table);
}

bool dtx_noderun_failed(const struct dtx_noderun *n)
{
    return dtx_nodecmd_all_out(n->table);
}

bool dtx_noderun_failed_for(const struct dtx_noderun *n, uint32_t rank)
{
    return dtx_nodecmd_failed(n->table, rank);
}

/* ---- life ---- */

/* The lowest rank of each rank's node. */
static uint32_t *find_leaders(const struct dtx_noderun_config *c)
{
    uint32_t *leader = malloc(c->size * sizeof(*leader)), r, i, n = 0;
    uint32_t *known = malloc(c->size * sizeof(*known));

    for (r = 0; leader && known && r < c->size; r++) {
        for (i = 0; i < n; i++) {
            if (dtx_card_same_node(&c->cards[known[i]], &c->cards[r]))
                break;
        }
        if (i == n)
            known[n++] = r;
        leader[r] = known[i];
    }
    if (!known) {
        free(leader);
        leader = NULL;
    }
    free(known);
    return leader;
}

struct dtx_noderun *dtx_noderun_create(const struct dtx_noderun_config *c)
{
    struct dtx_noderun *n = calloc(1, sizeof(*n));
    uint32_t *leader = find_leaders(c);
    struct dtx_nodecmd_config t = {.nranks = c->size,
                                   .leader = leader,
                                   .teardown = c->teardown != NULL,
                                   .order = order,
                                   .ctx = n};

    if (n && leader) {
        n->c = *c;
        n->leader = leader[c->rank] == c->rank;
        if (c->rank == 0)
            n->table = dtx_nodecmd_create(&t);
    }
    if (!n || !leader || (c->rank == 0 && !n->table)) {
        free(n);
        n = NULL;
    }
    free(leader);
    return n;
}

void dtx_noderun_destroy(struct dtx_noderun *n)
{
    if (!n)
        return;
    dtx_nodecmd_destroy(n->table);
    free(n);
}

void dtx_noderun_begin(struct dtx_noderun *n,
                       const struct dtx_noderun_hooks *h)
{
    n->h = *h;
    if (!n->leader)
        return;
    if (n->c.setup)
        run(n, n->c.setup, true);
    else
        say(n, SET_UP, "", 0);
}
