/* SPDX-License-Identifier: MIT */
/* The executors of the simulator, as node/spawner.h describes one: attempts are
 * handed over, start first come first served when enough slots are free, and
 * can be recalled until they start.  It never decides what is handed over. */
#include <stdlib.h>
#include <string.h>

#include "sim/sim_state.h"
#include "task/placement.h"

struct dtx_sim_run *dtx_sim_run_of(struct dtx_sim *s, uint32_t task,
                                   uint32_t attempt)
{
    uint32_t i = task < s->ntasks ? s->task[task].run : DTX_SIM_NONE;

    while (i != DTX_SIM_NONE && s->run[i].attempt != attempt)
        i = s->run[i].before;
    return i == DTX_SIM_NONE ? NULL : &s->run[i];
}

int dtx_sim_exec_init(struct dtx_sim_rank *r, uint32_t slots)
{
    uint32_t i;

    r->slots = r->free = slots;
    r->limit_ns = 0;
    r->waiting = r->running =
        (struct dtx_sim_list){DTX_SIM_NONE, DTX_SIM_NONE};
    if (!r->slot_of)
        r->slot_of = malloc(slots * sizeof(*r->slot_of));
    if (!r->freed && r->sim->c.measure_idle)
        r->freed = malloc(slots * sizeof(*r->freed));
    if (!r->slot_of || (r->sim->c.measure_idle && !r->freed))
        return DTX_ENOMEM;
    r->freed_at = 0;
    for (i = 0; i < slots; i++) {
        r->slot_of[i] = DTX_SIM_NONE;
        if (r->freed)
            r->freed[i] = (struct dtx_sim_free){r->sim->now_ns, r->sim->yields};
    }
    return DTX_OK;
}

/* ---- lists of runs ---- */

static void append(struct dtx_sim *s, struct dtx_sim_list *l, uint32_t i)
{
    s->run[i].next = DTX_SIM_NONE;
    s->run[i].prev = l->tail;
    if (l->tail != DTX_SIM_NONE)
        s->run[l->tail].next = i;
    else
        l->head = i;
    l->tail = i;
}

static void take_out(struct dtx_sim *s, struct dtx_sim_list *l, uint32_t i)
{
    struct dtx_sim_run *r = &s->run[i];

    if (r->prev != DTX_SIM_NONE)
        s->run[r->prev].next = r->next;
    else
        l->head = r->next;
    if (r->next != DTX_SIM_NONE)
        s->run[r->next].prev = r->prev;
    else
        l->tail = r->prev;
}

/* ---- starting ---- */

/* Give the run the lowest free slots; the first of them. */
static uint32_t take_slots(struct dtx_sim_rank *r, uint32_t run, uint32_t n)
{
    uint32_t i, first = DTX_SIM_NONE;

    for (i = 0; i < r->slots && n > 0; i++) {
        if (r->slot_of[i] != DTX_SIM_NONE)
            continue;
        if (first == DTX_SIM_NONE)
            first = i;
        r->slot_of[i] = run;
        n--;
    }
    return first;
}

static bool slot_is_free(void *ctx, uint32_t slot)
{
    return ((struct dtx_sim_rank *)ctx)->slot_of[slot] == DTX_SIM_NONE;
}

static uint32_t slot_numa(void *ctx, uint32_t slot)
{
    const struct dtx_sim_rank *r = ctx;

    return dtx_sim_memory_numa(r->sim, r->number, slot);
}

static uint32_t slot_parts(void *ctx, uint32_t slot)
{
    const struct dtx_sim_rank *r = ctx;

    return r->sim->run[r->slot_of[slot]].traffic;
}

/* Count what keeps to its NUMA node, in those of the rank's slots: how many
 * they are, and '*first'. */
static uint32_t count_heavy(struct dtx_sim_rank *r, uint32_t *first)
{
    struct dtx_placement_memory *m = r->sim->numas;
    uint32_t n = slot_numa(r, r->slots - 1) + 1, i;

    *first = slot_numa(r, 0);
    n -= *first;
    memset(m, 0, n * sizeof(*m));
    for (i = 0; i < r->slots; i++) {
        struct dtx_placement_memory *p = &m[slot_numa(r, i) - *first];
        const struct dtx_sim_run *run;

        p->cores++;
        if (slot_is_free(r, i))
            continue;
        run = &r->sim->run[r->slot_of[i]];
        if (!run->heavy && run->cpus == 1)
            continue;
        p->load += run->traffic;
        p->taken++;
    }
    return n;
}

/* As in a real rank, where one that is heavy is bound to its NUMA node and the
 * kernel moves others away: one of those goes on in a free slot. */
static uint32_t seat_heavy(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;
    uint32_t first, n = count_heavy(r, &first), spare = DTX_SIM_NONE;
    uint32_t want = first + dtx_placement_memory(s->numas, n), i;
    uint32_t other = DTX_SIM_NONE;

    for (i = 0; i < r->slots; i++) {
        bool here = slot_numa(r, i) == want, free = slot_is_free(r, i);

        if (here && free)
            return i;
        if (free && spare == DTX_SIM_NONE)
            spare = i;
        if (here && other == DTX_SIM_NONE && !s->run[r->slot_of[i]].heavy &&
            s->run[r->slot_of[i]].cpus == 1)
            other = i;
    }
    if (other == DTX_SIM_NONE)
        return spare;
    r->slot_of[spare] = r->slot_of[other];
    dtx_sim_memory_move(s, r->slot_of[spare], spare);
    return other;
}

/* The slots for a run that begins; the first of them. */
static uint32_t seat(struct dtx_sim_rank *r, uint32_t i)
{
    const struct dtx_placement_traffic t = {slot_numa, slot_is_free,
                                            slot_parts, r};
    const struct dtx_sim_run *run = &r->sim->run[i];
    uint32_t slot;

    if (run->traffic == 0 || run->cpus > 1)
        return take_slots(r, i, run->cpus);
    slot = run->heavy && r->sim->domains
               ? seat_heavy(r)
               : dtx_placement_spread(&t, r->slots, run->heavy);
    r->slot_of[slot] = i;
    return slot;
}

static void give_slots(struct dtx_sim_rank *r, uint32_t run, uint32_t n)
{
    uint32_t i;

    for (i = r->sim->run[run].slot; i < r->slots && n > 0; i++) {
        if (r->slot_of[i] == run) {
            r->slot_of[i] = DTX_SIM_NONE;
            n--;
        }
    }
}

void dtx_sim_exec_sent(struct dtx_sim *s, uint32_t to, const void *data,
                       size_t len)
{
    struct dtx_item_work w;
    struct dtx_msg m;

    if (!s->c.moves.zones || dtx_msg_decode(data, len, &m) ||
        m.kind != DTX_MSG_GRANT)
        return;
    while (dtx_item_work_next(&m.items, &w) > 0) {
        if (w.task < s->ntasks && s->task[w.task].home == DTX_SIM_NONE)
            s->task[w.task].home = to;
    }
}

/* How long a task fetches what it needs. */
static int64_t fetching(const struct dtx_sim *s, uint32_t task, uint32_t rank)
{
    const struct dtx_sim_moves *m = &s->c.moves;
    uint32_t home = s->task[task].home;

    if (!m->zones || home == rank || home == DTX_SIM_NONE)
        return 0;
    return dtx_way_ns(m->ns, dtx_zones_distance(m->zones, home, rank));
}

/* How long it has run by now; it may still be fetching. */
static int64_t so_far(const struct dtx_sim *s, const struct dtx_sim_run *run)
{
    return s->now_ns > run->start_ns ? s->now_ns - run->start_ns : 0;
}

static void begin(struct dtx_sim_rank *r, uint32_t i)
{
    struct dtx_sim *s = r->sim;
    struct dtx_sim_run *run = &s->run[i];
    double speed = s->c.speed ? s->c.speed[r->number] : 1.0;
    int64_t wall = (int64_t)((double)s->c.duration_ns[run->task] / speed /
                             (1 - r->crowd));

    take_out(s, &r->waiting, i);
    append(s, &r->running, i);
    run->state = RUN_RUNS;
    run->start_ns = s->now_ns + fetching(s, run->task, r->number);
    run->slot = seat(r, i);
    run->full_ns = wall + s->c.spawn_ns;
    if (run->limited)
        run->timeout_ns = r->limit_ns;
    if (run->timeout_ns > 0 && wall > run->timeout_ns) {
        run->status = DTX_STATUS_TIMEOUT;
        wall = run->timeout_ns;
    }
    run->wall_ns = wall + s->c.spawn_ns;
    run->end_event = dtx_sim_post(s, run->start_ns + run->wall_ns,
                                  DTX_SIM_END, r->target, i);
    dtx_sim_memory_enter(s, i);
    r->free -= run->cpus;
    dtx_sim_check_start(s, run);
    if (run->cpus == 1)
        dtx_sim_idle_holds(r, -1);
    dtx_sim_idle_take(r, run->cpus);
}

static void begin_waiting(struct dtx_sim_rank *r)
{
    while (r->waiting.head != DTX_SIM_NONE &&
           r->sim->run[r->waiting.head].cpus <= r->free)
        begin(r, r->waiting.head);
}

/* What is with the executor fits the slots and a little more. */
static void check_load(struct dtx_sim_rank *r, uint32_t cpus)
{
    struct dtx_sim *s = r->sim;
    uint64_t sum = cpus + (r->slots - r->free);
    uint32_t i;

    if (s->c.unchecked)
        return;
    for (i = r->waiting.head; i != DTX_SIM_NONE; i = s->run[i].next)
        sum += s->run[i].cpus;
    if (sum > (uint64_t)r->slots + dtx_sim_ahead(r) && sum != cpus)
        dtx_sim_break(s, "rank %u was handed too much: %llu", r->number,
                      (unsigned long long)sum);
}

/* A new run, unless this attempt has been handed over before. */
static uint32_t new_run(struct dtx_sim_rank *r,
                        const struct dtx_item_work *w)
{
    struct dtx_sim *s = r->sim;
    struct dtx_sim_run *p, *old = dtx_sim_run_of(s, w->task, w->attempt);
    uint32_t i, before = s->task[w->task].run;

    if (old && old->state != RUN_RECALLED) {
        dtx_sim_break(s, "task %u attempt %u is handed over twice",
                      w->task + 1, w->attempt);
        return DTX_SIM_NONE;
    }
    if (old) {
        i = (uint32_t)(old - s->run);
        before = old->before;
    } else {
        p = dtx_grow(s->run, &s->cap_runs, s->nruns + 1, sizeof(*p));
        if (!p) {
            s->nomem = true;
            return DTX_SIM_NONE;
        }
        s->run = p;
        i = (uint32_t)s->nruns++;
        s->task[w->task].run = i;
    }
    s->run[i] = (struct dtx_sim_run){
        .task = w->task, .attempt = w->attempt, .rank = r->number,
        .life = r->life, .cpus = w->cpus, .before = before,
        .end_event = DTX_SIM_NONE,
        .state = RUN_WAITS, .timeout_ns = w->timeout_ns,
        .limited = (w->flags & DTX_WORK_LIMITED) != 0,
        .traffic = w->traffic,
        .heavy = (w->flags & DTX_WORK_HEAVY) != 0,
    };
    return i;
}

void dtx_sim_exec_run(struct dtx_sim_rank *r, const void *data, size_t len)
{
    struct dtx_sim *s = r->sim;
    struct dtx_cursor c = dtx_cursor_over(data, len);
    const struct dtx_tasklist *l = s->c.master.list;
    struct dtx_item_work w;
    uint32_t i;

    if (dtx_item_work_next(&c, &w) != 1 || !dtx_cursor_done(&c) ||
        w.task >= s->ntasks || w.cpus == 0 || w.cpus > r->slots) {
        dtx_sim_break(s, "rank %u runs a bad work item", r->number);
        return;
    }
    if (w.command.len != l->task[w.task].len ||
        memcmp(w.command.data, dtx_tasklist_text(l, &l->task[w.task]),
               w.command.len) != 0)
        dtx_sim_break(s, "task %u has another command", w.task + 1);
    check_load(r, w.cpus);
    i = new_run(r, &w);
    if (i == DTX_SIM_NONE)
        return;
    append(s, &r->waiting, i);
    begin_waiting(r);
    if (w.cpus > 1 && s->run[i].state != RUN_RUNS)
        dtx_sim_break(s, "wide task %u waits on rank %u with %u free slots",
                      w.task + 1, r->number, r->free);
}

/* ---- ending ---- */

void dtx_sim_outcome(const struct dtx_sim_run *r, struct dtx_outcome *o)
{
    memset(o, 0, sizeof(*o));
    o->task = r->task;
    o->attempt = r->attempt;
    o->rank = r->rank;
    o->slot = r->slot + 1;
    o->status = r->status;
    o->exit_code = r->status == DTX_STATUS_FAILED;
    o->signal = r->status == DTX_STATUS_KILLED ||
                        r->status == DTX_STATUS_TIMEOUT
                    ? 15
                    : 0;
    o->start_ns = r->start_ns;
    o->wall_ns = r->wall_ns;
}

static void tell(struct dtx_sim_rank *r, uint32_t run)
{
    struct dtx_sim *s = r->sim;

    s->run[run].state = RUN_ENDED;
    (void)dtx_sim_post(s, s->now_ns + s->c.notice_ns, DTX_SIM_NOTICE,
                       r->target, run);
}

/* How an attempt that nobody ended ends. */
static uint8_t fate(struct dtx_sim *s, uint32_t task)
{
    uint32_t fails = s->c.failures ? s->c.failures[task] : 0;

    if (fails != 255 && s->task[task].failed_runs >= fails)
        return DTX_STATUS_OK;
    s->task[task].failed_runs++;
    return DTX_STATUS_FAILED;
}

void dtx_sim_exec_end(struct dtx_sim *s, uint32_t i)
{
    struct dtx_sim_run *run = &s->run[i];
    struct dtx_sim_rank *r = &s->rank[run->rank];

    run->end_event = DTX_SIM_NONE;
    if (run->status == DTX_STATUS_NONE)
        run->status = fate(s, run->task);
    run->wall_ns = so_far(s, run);
    dtx_sim_check_end(s, run);
    take_out(s, &r->running, i);
    dtx_sim_memory_leave(s, i);
    give_slots(r, i, run->cpus);
    r->free += run->cpus;
    dtx_sim_idle_free(r, run->cpus);
    tell(r, i);
    begin_waiting(r);
}

void dtx_sim_exec_recall(struct dtx_sim_rank *r, uint32_t task,
                         uint32_t attempt)
{
    struct dtx_sim *s = r->sim;
    struct dtx_sim_run *run = dtx_sim_run_of(s, task, attempt);
    uint32_t i, e;
    bool taken;

    if (!run || run->rank != r->number || run->life != r->life) {
        dtx_sim_break(s, "rank %u recalls task %u, which it has not",
                      r->number, task + 1);
        return;
    }
    i = (uint32_t)(run - s->run);
    taken = run->state == RUN_WAITS;
    if (taken) {
        take_out(s, &r->waiting, i);
        run->state = RUN_RECALLED;
        begin_waiting(r); /* a wide one may have been in the way */
    }
    e = dtx_sim_post(s, s->now_ns + s->c.recall_ns, DTX_SIM_ANSWER, r->target,
                     i);
    if (e != DTX_SIM_NONE)
        s->event[e].flag = taken;
}

void dtx_sim_exec_kill(struct dtx_sim_rank *r, uint32_t task,
                       uint32_t attempt)
{
    struct dtx_sim *s = r->sim;
    struct dtx_sim_run *run = dtx_sim_run_of(s, task, attempt);
    uint32_t i;

    if (!run || run->rank != r->number || run->life != r->life)
        return;
    i = (uint32_t)(run - s->run);
    if (run->state == RUN_WAITS) {
        take_out(s, &r->waiting, i);
        run->status = DTX_STATUS_KILLED;
        if (run->cpus == 1)
            dtx_sim_idle_holds(r, -1);
        tell(r, i);
    } else if (run->state == RUN_RUNS && run->end_event != DTX_SIM_NONE) {
        dtx_sim_cancel(s, run->end_event);
        run->status = DTX_STATUS_KILLED;
        run->end_event =
            dtx_sim_post(s, s->now_ns, DTX_SIM_END, r->target, i);
    }
}

/* What runs ends later or sooner than it would have. */
void dtx_sim_exec_limit(struct dtx_sim_rank *r, int64_t limit_ns)
{
    struct dtx_sim *s = r->sim;
    uint32_t i;

    r->limit_ns = limit_ns;
    for (i = r->running.head; i != DTX_SIM_NONE; i = s->run[i].next) {
        struct dtx_sim_run *run = &s->run[i];
        bool over = limit_ns < run->full_ns;
        int64_t end = run->start_ns + (over ? limit_ns : run->full_ns);

        if (!run->limited || run->end_event == DTX_SIM_NONE ||
            run->status == DTX_STATUS_KILLED)
            continue;
        dtx_sim_cancel(s, run->end_event);
        run->status = over ? DTX_STATUS_TIMEOUT : DTX_STATUS_NONE;
        run->end_event = dtx_sim_post(s, end > s->now_ns ? end : s->now_ns,
                                      DTX_SIM_END, r->target, i);
    }
}

void dtx_sim_exec_drop(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;
    uint32_t i;

    for (i = r->running.head; i != DTX_SIM_NONE; i = s->run[i].next) {
        dtx_sim_memory_leave(s, i);
        dtx_sim_cancel(s, s->run[i].end_event);
        s->run[i].wall_ns = so_far(s, &s->run[i]);
        s->run[i].state = RUN_ENDED;
        s->run[i].status = DTX_STATUS_KILLED;
        s->run[i].dropped = true;
    }
    for (i = r->waiting.head; i != DTX_SIM_NONE; i = s->run[i].next)
        s->run[i].state = RUN_ENDED;
    r->running = r->waiting =
        (struct dtx_sim_list){DTX_SIM_NONE, DTX_SIM_NONE};
}
