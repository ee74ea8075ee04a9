/* SPDX-License-Identifier: MIT */
/* One task in the spawner: it gets slots, a capture and a process, and when
 * its process has ended a result.  It decides what an outcome says; neither
 * which slots a task gets nor when it is to be killed.  Requests are started
 * in the order they came: one that needs many slots holds up those behind. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "node/clock.h"
#include "node/spawner_config.h"
#include "node/spawner_proc.h"
#include "node/spawner_ring.h"
#include "task/task.h"

#define RETRIES 8
#define RETRY_FIRST_NS (10 * DTX_MSEC_NS)
#define ENDED_MOST 16 /* reaped before what they leave is seen to */

/* ---- configuration ---- */

/* More files may be open here than a task should be told of. */
static void raise_file_limit(struct dtx_proc *p, uint32_t captures)
{
    /* one task may have begun in a slot whose last is not done with */
    rlim_t need = 2 * (rlim_t)captures + 64 +
                  2 * DTX_PERF_EVENTS * (rlim_t)p->config->nslots;
    struct rlimit now;

    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= need)
        return;
    p->launcher.files = now;
    now.rlim_cur = now.rlim_max < need ? now.rlim_max : need;
    p->launcher.set_files = setrlimit(RLIMIT_NOFILE, &now) == 0;
}

static bool make_tables(struct dtx_proc *p)
{
    uint32_t n = p->config->nslots, i;

    p->run = calloc(n, sizeof(*p->run));
    p->leader = calloc(n, sizeof(*p->leader));
    p->free_run = calloc(n, sizeof(*p->free_run));
    p->nplaces = n < ENDED_MOST ? n + 1 : ENDED_MOST;
    p->ended = calloc(p->nplaces, sizeof(*p->ended));
    p->slot_run = calloc(n, sizeof(*p->slot_run));
    p->chosen = calloc(n, sizeof(*p->chosen));
    if (!p->run || !p->leader || !p->free_run || !p->ended || !p->slot_run ||
        !p->chosen)
        return false;
    for (i = 0; i < n; i++) {
        p->free_run[i] = n - 1 - i;
        p->slot_run[i] = DTX_NO_RUN;
    }
    p->nfree_runs = p->nfree_slots = n;
    return true;
}

/* The configuration has come. False when out of memory. */
static bool configure(struct dtx_proc *p, const struct dtx_record *r)
{
    uint32_t captures = r->cpus; /* how many the rank has room for */

    p->config = dtx_config_decode(r + 1, r->len);
    if (!p->config || dtx_env_init(&p->env, p->config) != DTX_OK ||
        dtx_launcher_init(&p->launcher, p->config->shell, p->env.path) !=
            DTX_OK ||
        dtx_captures_init(&p->captures, p->ring, p->sock, p->config->tmp_dir,
                          captures) != DTX_OK)
        return false;
    raise_file_limit(p, captures);
    if (chdir(p->config->cwd) != 0)
        p->launcher.base_cwd = p->config->cwd; /* each task says so itself */
    return dtx_proc_make_room(p) && make_tables(p);
}

/* ---- results ---- */

static int64_t of_timeval(struct timeval t)
{
    return (int64_t)t.tv_sec * DTX_SEC_NS + (int64_t)t.tv_usec * 1000;
}

static void fill_usage(struct dtx_outcome *o, const struct rusage *u)
{
    o->source = DTX_SOURCE_RUSAGE;
    o->utime_ns = of_timeval(u->ru_utime);
    o->stime_ns = of_timeval(u->ru_stime);
    o->maxrss_kib = u->ru_maxrss;
    o->minflt = u->ru_minflt;
    o->majflt = u->ru_majflt;
    o->nvcsw = u->ru_nvcsw;
    o->nivcsw = u->ru_nivcsw;
    o->inblock = u->ru_inblock;
    o->oublock = u->ru_oublock;
}

static void fill_counters(struct dtx_proc *p, struct dtx_run *r,
                          struct dtx_counters *c)
{
    uint64_t ns;

    dtx_counting_end(&p->launcher.counting, &r->counter, c);
    if (r->waited && dtx_iowait_of(&p->iowait, &r->iowait,
                                   (uint64_t)r->usage.ru_nvcsw, &ns))
        dtx_counters_set(c, DTX_COUNTED_IOWAIT_NS, ns);
}

static void fill_status(struct dtx_outcome *o, int wait_status, uint8_t reason)
{
    if (WIFSIGNALED(wait_status)) {
        o->signal = WTERMSIG(wait_status);
        o->status = DTX_STATUS_SIGNALED;
    } else {
        o->exit_code = WEXITSTATUS(wait_status);
        o->status = o->exit_code ? DTX_STATUS_FAILED : DTX_STATUS_OK;
    }
    if (reason)
        o->status = reason; /* whatever it made of our signal */
}

/* What the run has written; the capture is held until the rank has it. */
static void fill_output(struct dtx_proc *p, const struct dtx_run *r,
                        struct dtx_ring_result *x)
{
    struct dtx_capture_range range;

    if (r->capture < 0)
        return;
    dtx_captures_measure(&p->captures, r->capture, &range);
    if (r->tainted)
        dtx_captures_retire(&p->captures, r->capture);
    if (range.out_len == 0 && range.err_len == 0) {
        dtx_captures_put(&p->captures, r->capture);
        return;
    }
    x->r.outcome.out_len = (uint64_t)range.out_len;
    x->r.outcome.err_len = (uint64_t)range.err_len;
    x->out_start = range.out_start;
    x->err_start = range.err_start;
    x->r.capture = r->capture;
    dtx_captures_hold(&p->captures, r->capture);
}

/* Output that has filled the place where it gathers may be cut: whatever the
 * task made of that, it is not taken to be finished. */
static void check_output(struct dtx_proc *p, struct dtx_ring_result *x)
{
    if (x->r.capture < 0 || x->r.error ||
        !dtx_capture_cut(&p->captures, x->r.capture))
        return;
    x->r.error = DTX_ENOSPC;
    x->r.outcome.status = DTX_STATUS_KILLED;
}

/* Give up its slots and its place: what is left of it is in '*out'. */
static void leave_run(struct dtx_proc *p, uint32_t run, struct dtx_run *out)
{
    *out = p->run[run];
    if (out->act_ns)
        p->ntimed--;
    dtx_proc_free_slots(p, run);
    p->free_run[p->nfree_runs++] = run;
}

/* Hand the result over, and the capture. */
static void finish_run(struct dtx_proc *p, struct dtx_run *r, bool used)
{
    struct dtx_ring_result *x = &p->ring->entry[r->entry].result;
    struct dtx_outcome *o = &x->r.outcome;

    atomic_store(&p->ring->entry[r->entry].capture, -1);
    memset(x, 0, sizeof(*x));
    o->task = r->task;
    o->attempt = r->attempt;
    o->rank = p->config->rank;
    o->slot = p->config->first_slot + r->slot;
    o->start_ns = r->start_wall_ns;
    o->wall_ns = r->wall_ns;
    x->r.capture = -1;
    x->r.error = r->error;
    fill_status(o, r->wait_status, r->reason);
    if (used) {
        fill_usage(o, &r->usage);
        fill_counters(p, r, &o->counters);
        dtx_counter_pace_end(&p->pace, r->wall_ns);
    }
    fill_output(p, r, x);
    check_output(p, x);
    dtx_ring_done(p->ring, r->entry);
    p->unrung++;
    p->hurry |= o->status != DTX_STATUS_OK;
}

/* ---- start ---- */

/* Could not be started at all: say so where the task would have. */
static void fail_run(struct dtx_proc *p, uint32_t run, int e)
{
    struct dtx_run left;
    char text[160];
    int n;

    leave_run(p, run, &left);
    n = snprintf(text, sizeof(text),
                 "distributex: cannot start a process: %s\n", strerror(e));
    if (left.capture >= 0 && n > 0)
        n = (int)write(p->captures.c[left.capture].err.fd, text, (size_t)n);
    (void)n; /* the exit code tells as well */
    left.wait_status = 126 << 8; /* as wait() would give it */
    left.wall_ns = 0;
    finish_run(p, &left, false);
}

/* There is no place for its output: the task has not failed, we have. */
static void drop_run(struct dtx_proc *p, uint32_t run, int e)
{
    struct dtx_run left;

    leave_run(p, run, &left);
    errno = e;
    left.error = dtx_error_errno(NULL, "capture");
    left.reason = DTX_STATUS_KILLED;
    finish_run(p, &left, false);
}

/* Not now: try again later, more and more patiently; 'forever' while something
 * of ours is under way that may free what is missing. False when that has been
 * done often enough. */
static bool try_later(struct dtx_proc *p, bool forever)
{
    uint32_t n = p->failed_starts;

    if (n >= RETRIES && !forever)
        return false;
    if (n < RETRIES)
        p->failed_starts = n + 1;
    p->retry_ns = dtx_clock_mono_ns() + (RETRY_FIRST_NS << (n < 6 ? n : 6));
    return true;
}

/* A capture if there is to be one: true and '*capture', else false and the
 * reason in 'p', or a failure that will not pass (DTX_CAPTURE_FAILED and
 * errno). */
static bool take_capture(struct dtx_proc *p, int32_t *capture)
{
    int e;

    *capture = -1;
    if (!p->config->capture)
        return true;
    *capture = dtx_captures_take(&p->captures);
    if (*capture >= 0)
        return true;
    if (*capture == DTX_CAPTURE_HELD) {
        p->starved = true;
        return false;
    }
    e = errno;
    /* those that are in use come back */
    if (try_later(p, p->nruns + p->nended > 0 || p->captures.nheld > 0))
        return false;
    errno = e;
    return true;
}

static struct dtx_run *begin_run(struct dtx_proc *p, const struct dtx_record *r,
                                 int32_t capture, uint32_t *number)
{
    uint32_t run = p->free_run[--p->nfree_runs];
    struct dtx_run *x = &p->run[run];

    memset(x, 0, sizeof(*x));
    x->entry = r->entry;
    x->task = r->task;
    x->attempt = r->attempt;
    x->cpus = r->cpus;
    x->traffic = r->traffic;
    x->heavy = r->heavy != 0;
    x->capture = capture;
    dtx_proc_take_slots(p, run);
    x->start_wall_ns = dtx_clock_wall_ns();
    x->start_ns = dtx_clock_mono_ns();
    *number = run;
    return x;
}

static void undo_run(struct dtx_proc *p, uint32_t run)
{
    struct dtx_run *x = &p->run[run];

    dtx_proc_free_slots(p, run);
    p->free_run[p->nfree_runs++] = run;
    if (x->capture >= 0)
        dtx_captures_put(&p->captures, x->capture);
}

/* The command with the slot's number where it is to stand. */
static bool put_slot(struct dtx_proc *p, struct dtx_launch *t, uint32_t slot)
{
    dtx_buf_clear(&p->command);
    dtx_command_with_slot(&p->command, t->command, t->len, slot);
    if (p->command.failed || !dtx_buf_reserve(&p->command, 1))
        return false;
    t->command = p->command.data;
    t->len = p->command.len;
    return true;
}

static void begin_counting(struct dtx_proc *p, uint32_t word)
{
    enum dtx_counter who = DTX_COUNTING_PROVIDER(word);
    int64_t cost_ns = 0;

    if (dtx_counting_init(&p->launcher.counting, who,
                          DTX_COUNTING_COUNTED(word)))
        cost_ns = dtx_counter_cost_ns(who);
    p->iowait = dtx_iowait_find("");
    if (p->iowait != DTX_IOWAIT_OFF)
        cost_ns += DTX_COUNTER_IOWAIT_NS;
    dtx_counter_pace_init(&p->pace, cost_ns, p->config->nslots);
}

/* Once the watcher has said by whom. */
static bool is_counted(struct dtx_proc *p)
{
    uint32_t word = atomic_load(&p->ring->counting);

    if (word != p->counting) {
        p->counting = word;
        begin_counting(p, word);
    }
    return dtx_counter_pace_start(&p->pace);
}

static pid_t launch(struct dtx_proc *p, struct dtx_record *r, uint32_t run)
{
    const struct dtx_run *x = &p->run[run];
    char *text = (char *)(r + 1);
    char *cwd = text + r->len + 1, *name = cwd + r->cwd_len;
    char *env = name + r->name_len;
    struct dtx_launch t = {.command = text, .len = r->len};
    struct dtx_env_task e = {.task = r->task,
                             .index = r->index,
                             .attempt = r->attempt,
                             .slot = p->config->first_slot + x->slot,
                             .cpus = r->cpus,
                             .now_ns = x->start_wall_ns};

    t.cwd = r->cwd_len ? cwd : NULL;
    e.name = r->name_len ? name : NULL;
    e.extra = r->env_len ? env : NULL;
    t.out_fd = t.err_fd = -1;
    if (x->capture >= 0) {
        t.out_fd = p->captures.c[x->capture].out.fd;
        t.err_fd = p->captures.c[x->capture].err.fd;
    }
    t.mask = dtx_proc_bind_mask(p, run);
    t.mask_size = p->mask_size;
    e.bound = t.mask != NULL;
    if (atomic_load(&p->ring->deadline_ns))
        p->env.deadline_ns = atomic_load(&p->ring->deadline_ns);
    t.env = dtx_env_task(&p->env, &e);
    if (!t.env || (r->slot_mark && !put_slot(p, &t, e.slot))) {
        errno = ENOMEM;
        return -1;
    }
    t.group = &p->ring->group[run];
    p->run[run].counted = is_counted(p);
    t.counter = p->run[run].counted ? &p->run[run].counter : NULL;
    return dtx_launcher_start(&p->launcher, &t);
}

/* Let the rank look at what it writes while it runs. */
static void tell_capture(struct dtx_proc *p, const struct dtx_run *x)
{
    struct dtx_entry *entry = &p->ring->entry[x->entry];
    const struct dtx_capture *c;

    if (x->capture < 0)
        return;
    c = &p->captures.c[x->capture];
    entry->start[0] = c->out.end;
    entry->start[1] = c->err.end;
    memcpy(entry->mark[0], c->out.mark, sizeof(entry->mark[0]));
    memcpy(entry->mark[1], c->err.mark, sizeof(entry->mark[1]));
    atomic_store(&entry->capture, x->capture);
}

static void note_started(struct dtx_proc *p, uint32_t run, pid_t pid,
                         const struct dtx_record *r)
{
    struct dtx_run *x = &p->run[run];
    int64_t timeout_ns = r->timeout_ns;

    p->leader[run] = pid;
    p->nruns++;
    tell_capture(p, x);
    x->limited = r->limited && timeout_ns <= 0;
    if (x->limited)
        timeout_ns = atomic_load(&p->ring->limit_ns);
    if (timeout_ns > 0) {
        x->act_ns = x->start_ns + timeout_ns;
        p->ntimed++;
    }
    if (atomic_load(&p->ring->entry[x->entry].kill))
        p->attention--; /* asked for while we were starting it: look again */
}

/* Start this request. False when it has to wait; true when it is done with:
 * started, failed, or recalled. */
static bool start_request(struct dtx_proc *p, struct dtx_record *r)
{
    struct dtx_entry *entry = &p->ring->entry[r->entry];
    uint32_t ready = r->state, run;
    uint32_t taken = (ready & ~DTX_ENTRY_MASK) | DTX_ENTRY_TAKEN;
    int32_t capture;
    pid_t pid;
    int e;

    if (atomic_load(&entry->state) != ready)
        return true;
    if (r->cpus > p->nfree_slots || !dtx_proc_has_memory(p, r) ||
        !take_capture(p, &capture))
        return false;
    e = errno;
    if (!atomic_compare_exchange_strong(&entry->state, &ready, taken)) {
        if (capture >= 0)
            dtx_captures_put(&p->captures, capture);
        return true;
    }
    (void)begin_run(p, r, capture < 0 ? -1 : capture, &run);
    if (capture == DTX_CAPTURE_FAILED) {
        drop_run(p, run, e);
        return true;
    }
    pid = launch(p, r, run);
    e = errno;
    if (pid > 0) {
        note_started(p, run, pid, r);
        return true;
    }
    if (try_later(p, p->nruns > 0)) {
        undo_run(p, run);
        atomic_store(&entry->state, r->state);
        return false;
    }
    fail_run(p, run, e);
    return true;
}

/* The first tasks wait a little to be counted, on a machine where nobody else
 * counts. */
static bool awaits_word(struct dtx_proc *p)
{
    if (p->await_ns && (atomic_load(&p->ring->counting) != 0 ||
                        dtx_clock_mono_ns() >= p->await_ns))
        p->await_ns = 0;
    return p->await_ns != 0;
}

void dtx_proc_start_waiting(struct dtx_proc *p)
{
    struct dtx_record *r;

    p->starved = false;
    p->blocked = p->retry_ns > dtx_clock_mono_ns();
    while (!p->blocked && (r = dtx_ring_peek(p->ring)) != NULL) {
        p->retry_ns = 0;
        if (r->kind == DTX_RECORD_CONFIG) {
            if (!configure(p, r))
                _exit(1);
        } else if (awaits_word(p) || !start_request(p, r)) {
            p->blocked = true;
            return;
        }
        p->failed_starts = 0;
        dtx_ring_drop(p->ring, r);
    }
}

/* ---- end ---- */

static uint32_t find_run(const struct dtx_proc *p, pid_t pid)
{
    uint32_t n = p->config ? p->config->nslots : 0, i;

    for (i = 0; i < n; i++)
        if (p->leader[i] == pid)
            return i;
    return DTX_NO_RUN;
}

/* Reap one child. While it is unreaped its number is its own, so the group
 * can be killed safely. */
static void reap_child(struct dtx_proc *p, pid_t pid)
{
    uint32_t run = find_run(p, pid);
    struct dtx_run *r;

    if (run == DTX_NO_RUN) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            dtx_strays_forget(&p->strays, pid);
        return;
    }
    r = &p->run[run];
    r->wall_ns = dtx_clock_mono_ns() - r->start_ns;
    (void)kill(-pid, SIGKILL);
    r->waited = r->counted && p->iowait != DTX_IOWAIT_OFF &&
                dtx_iowait_read("", pid, &r->iowait);
    if (wait4(pid, &r->wait_status, 0, &r->usage) != pid)
        return;
    p->leader[run] = 0;
    p->nruns--;
    atomic_store_explicit(&p->ring->group[run], 0, memory_order_relaxed);
    leave_run(p, run, &p->ended[p->nended++]);
}

/* Any of the tasks that ran till now may have left it. */
static void taint_all(struct dtx_proc *p)
{
    uint32_t i;

    for (i = 0; i < p->config->nslots; i++)
        if (p->leader[i])
            p->run[i].tainted = true;
    for (i = 0; i < p->nended; i++)
        p->ended[i].tainted = true;
}

/* What those who have ended leave to be done. */
static void finish_ended(struct dtx_proc *p)
{
    uint32_t i;

    if (p->nended == 0)
        return;
    if (p->config->capture &&
        dtx_strays_look(&p->strays, p->leader, p->config->nslots, p->nruns))
        taint_all(p);
    for (i = 0; i < p->nended; i++)
        finish_run(p, &p->ended[i], true);
    p->nended = 0;
}

/* A core stands idle until the next task runs on it: that comes before all
 * there is to do about the one that has ended. */
void dtx_proc_reap(struct dtx_proc *p, bool go_on)
{
    siginfo_t child;

    p->unreaped = false;
    for (;;) {
        child.si_pid = 0;
        if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            child.si_pid == 0)
            break;
        reap_child(p, child.si_pid);
        if (go_on)
            dtx_proc_start_waiting(p);
        p->unreaped = p->nended > 0 && p->nended == p->nplaces;
        if (p->unreaped)
            break;
    }
    finish_ended(p);
}
