/* SPDX-License-Identifier: MIT */
/* tests/trace/trace_engine.c - what master and workers say to each other in a
 * few scenes, line by line
 *
 * Each scene is a small job on the simulator; its transcript is in
 * trace_scenes.h.  "  text" is what an engine says of itself, "1 > master:"
 * and "master > 1:" are frames as they arrive, tasks are ID/ATTEMPT.
 * TRACE_PRINT=1 prints the transcripts as they are now.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "sched/zones.h"
#include "sim/sim.h"
#include "task/distance.h"
#include "task/graph.h"
#include "task/task.h"
#include "trace_scenes.h"
#include "unit/check_main.h"

#define MAX_TASKS 16384
#define MS DTX_MSEC_NS
#define US INT64_C(1000)

struct scene {
    struct dtx_tasklist list;
    struct dtx_graph graph;
    uint32_t ntasks;
    int64_t duration_ns[MAX_TASKS];
    uint8_t failures[MAX_TASKS];
    uint32_t slots[4];
    struct dtx_sim_fault fault[2];
    struct dtx_sim_config c;
    struct dtx_sim_result r;
    struct dtx_sim *sim;
    struct dtx_buf text;
};

static struct scene scene;

static void add_line(void *ctx, const char *line)
{
    struct scene *s = ctx;

    dtx_buf_str(&s->text, line);
    dtx_buf_char(&s->text, '\n');
}

/* 'ranks' of one slot, frames take 100 us, a record 1 ms. */
static struct scene *open_scene(uint32_t ranks)
{
    struct scene *s = &scene;
    uint32_t i;

    memset(s, 0, sizeof(*s));
    ck_assert_int_eq(dtx_tasklist_init(&s->list), 0);
    for (i = 0; i < 4; i++)
        s->slots[i] = 1;
    s->c.seed = 1;
    s->c.master.epoch = 1;
    s->c.master.nranks = ranks;
    s->c.master.list = &s->list;
    s->c.master.graph = &s->graph;
    s->c.duration_ns = s->duration_ns;
    s->c.failures = s->failures;
    s->c.slots = s->slots;
    s->c.ahead = 1;
    s->c.delay_ns = 100 * US;
    s->c.store_delay_ns = MS;
    s->c.detect_ns = 5 * MS;
    s->c.faults = s->fault;
    s->c.measure_idle = true;
    s->c.trace = add_line;
    s->c.trace_ctx = s;
    return s;
}

static uint32_t add(struct scene *s, int64_t ms, uint32_t cpus, int32_t prio)
{
    struct dtx_task_attr a = {.cpus = cpus, .prio = prio,
                              .cwd = DTX_NO_TEXT, .env = DTX_NO_TEXT};
    uint32_t index;

    ck_assert_uint_lt(s->ntasks, MAX_TASKS);
    ck_assert_int_eq(dtx_tasklist_attr(&s->list, &a, &index), 0);
    ck_assert_int_eq(
        dtx_tasklist_add(&s->list, "work", 4, index, 0, DTX_NO_TEXT), 0);
    s->duration_ns[s->ntasks] = ms * MS;
    return s->ntasks++;
}

static void add_many(struct scene *s, uint32_t n, int64_t ms)
{
    while (n-- > 0)
        (void)add(s, ms, 1, 0);
}

/* 'edge' is n pairs of "before" and "after". */
static void play(struct scene *s, const uint32_t (*edge)[2], size_t n)
{
    struct dtx_error err = {0};
    uint32_t a, b;
    size_t i;

    dtx_graph_init(&s->graph, s->ntasks);
    for (i = 0; i < n; i++)
        ck_assert_int_eq(dtx_graph_edge(&s->graph, edge[i][0], edge[i][1]), 0);
    ck_assert_int_eq(dtx_graph_seal(&s->graph, &a, &b), 0);
    s->sim = dtx_sim_create(&s->c, &err);
    ck_assert_msg(s->sim != NULL, "%s", err.text);
    ck_assert_msg(dtx_sim_run(s->sim, &s->r, &err) == 0, "%s\n%s", err.text,
                  s->text.data);
}

static void free_scene(struct scene *s)
{
    dtx_sim_destroy(s->sim);
    dtx_graph_fini(&s->graph);
    dtx_tasklist_fini(&s->list);
    dtx_buf_free(&s->text);
}

static void close_scene(struct scene *s, const char *name,
                        const char *expected)
{
    if (getenv("TRACE_PRINT"))
        printf("@@ %s\n%s", name, s->text.data);
    else
        ck_assert_str_eq(s->text.data, expected);
    free_scene(s);
}

START_TEST(steal)
{
    struct scene *s = open_scene(2);

    (void)add(s, 20, 1, 0); /* rank 0 sits on this one */
    add_many(s, 5, 2);
    play(s, NULL, 0);
    ck_assert_uint_ge(s->r.stats.steals, 1);
    ck_assert_int_le(s->r.makespan_ns, 22 * MS);
    close_scene(s, "steal", trace_steal);
}
END_TEST

/* Ranks are two and two on nodes; from node to node is a way of 8 ms. */
static void put_on_nodes(struct scene *s, struct dtx_zones *z)
{
    uint32_t r, node;

    ck_assert_int_eq(
        dtx_zones_init(z, s->c.master.nranks, DTX_NEAR_SWITCH), 0);
    for (r = 0; r < s->c.master.nranks; r++) {
        ck_assert_int_eq(dtx_zones_child(z, 0, DTX_NEAR_NODE, r / 2, &node),
                         0);
        dtx_zones_set(z, r, node);
    }
    ck_assert_int_eq(dtx_zones_seal(z), 0);
    s->c.master.zones = z;
    s->c.master.ways.move_ns[DTX_NEAR_SWITCH] = 8 * MS;
}

/* Rank 3 robs its neighbour, not the one from whom it would take too long. */
START_TEST(distance)
{
    struct scene *s = open_scene(4);
    struct dtx_zones z;

    put_on_nodes(s, &z);
    (void)add(s, 20, 1, 0); /* rank 0 sits on this one, */
    add_many(s, 5, 2);
    (void)add(s, 20, 1, 0); /* and rank 3 on that */
    add_many(s, 9, 2);
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 16);
    ck_assert_uint_ge(s->r.stats.steals, 2);
    close_scene(s, "distance", trace_distance);
    dtx_zones_fini(&z);
}
END_TEST

/* Rank 2 has no neighbour. It takes 8 ms to fetch a task that will, as far as
 * one can tell, begin within 3: only when that has not come true for 8 ms is it
 * taken. */
START_TEST(far_away)
{
    struct scene *s = open_scene(3);
    struct dtx_zones z;

    put_on_nodes(s, &z);
    (void)add(s, 40, 1, 0);
    (void)add(s, 2, 1, 0);
    (void)add(s, 40, 1, 0); /* of rank 1 */
    add_many(s, 3, 2);
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.steals, 2);
    close_scene(s, "far_away", trace_far_away);
    dtx_zones_fini(&z);
}
END_TEST

/* Starts keep a pace: one at a time, and nothing is queued ahead. */
START_TEST(pace)
{
    struct scene *s = open_scene(2);

    add_many(s, 4, 4);
    s->c.master.delay_ns = 3 * MS;
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 4);
    ck_assert_int_ge(s->r.makespan_ns, 13 * MS);
    close_scene(s, "pace", trace_pace);
}
END_TEST

/* A limit of twice the median: for what runs, and for further attempts. */
START_TEST(limit)
{
    struct scene *s = open_scene(2);

    (void)add(s, 500, 1, 0);
    add_many(s, 4, 4);
    s->c.master.timeout_percent = 200;
    s->c.master.retries = 2;
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 4);
    ck_assert_uint_eq(s->r.stats.failed, 1);
    ck_assert_int_le(s->r.makespan_ns, 60 * MS);
    close_scene(s, "limit", trace_limit);
}
END_TEST

START_TEST(death)
{
    struct scene *s = open_scene(2);

    add_many(s, 4, 4);
    s->c.nfaults = 1;
    s->fault[0] = (struct dtx_sim_fault){
        .kind = DTX_SIM_DIE, .rank = 1, .at_ns = 3 * MS};
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 4);
    ck_assert_uint_eq(s->r.stats.lost, 2);
    close_scene(s, "death", trace_death);
}
END_TEST

/* It is declared lost, wakes up, tells of an attempt that runs elsewhere. */
START_TEST(hang)
{
    struct scene *s = open_scene(2);

    add_many(s, 4, 4);
    s->c.nfaults = 1;
    s->fault[0] = (struct dtx_sim_fault){
        .kind = DTX_SIM_HANG, .rank = 1, .at_ns = 3 * MS, .for_ns = 8 * MS};
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 4);
    ck_assert_uint_eq(s->r.refused, 2);
    close_scene(s, "hang", trace_hang);
}
END_TEST

/* Nobody but the silence tells: rank 1 is expelled after 8 ms, and fenced when
 * it wakes up. */
START_TEST(silence)
{
    struct scene *s = open_scene(2);

    add_many(s, 4, 6);
    s->c.unnoticed = true;
    s->c.master.lost_after_ns = 8 * MS;
    s->c.nfaults = 1;
    s->fault[0] = (struct dtx_sim_fault){
        .kind = DTX_SIM_HANG, .rank = 1, .at_ns = 3 * MS, .for_ns = 14 * MS};
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 4);
    ck_assert_uint_eq(s->r.stats.lost_ranks, 1);
    close_scene(s, "silence", trace_silence);
}
END_TEST

/* Cut off for ever: each side gives the other up, and no task of the old side
 * outlives that. */
START_TEST(cut_off)
{
    struct scene *s = open_scene(2);

    (void)add(s, 4, 1, 0);
    (void)add(s, 100, 1, 0);
    s->c.unnoticed = true;
    s->c.master.lost_after_ns = 8 * MS;
    s->c.nfaults = 1;
    s->fault[0] = (struct dtx_sim_fault){
        .kind = DTX_SIM_CUT, .rank = 1, .at_ns = 3 * MS, .for_ns = 500 * MS};
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 2);
    ck_assert_uint_eq(s->r.stats.lost_ranks, 1);
    ck_assert_int_le(s->r.makespan_ns, 120 * MS);
    close_scene(s, "cut_off", trace_cut_off);
}
END_TEST

/* When the master gave a rank up, by the transcript. */
static int64_t lost_at(const struct scene *s)
{
    const char *line = strstr(s->text.data, " is expelled");

    while (line && line > s->text.data && line[-1] != '\n')
        line--;
    return line ? strtoll(line, NULL, 10) * 1000 : 0;
}

/* With the defaults: whatever the moment, who is cut off for good is lost
 * within 5 s, and who was cut off or stopped for 2 s is not. */
START_TEST(five_seconds)
{
    static const enum dtx_sim_fault_kind kind[] = {DTX_SIM_CUT, DTX_SIM_CUT,
                                                   DTX_SIM_HANG};

    for (int i = 0; i < 3 * dtx_rounds(60); i++) {
        struct scene *s = open_scene(3);
        int64_t at = 3000 * MS + i * 37 * MS, lost_ns;

        add_many(s, 3, 20000);
        s->c.unnoticed = true;
        s->c.delay_ns = 2 * MS;
        s->c.delay_spread_ns = 40 * MS;
        s->c.seed = (uint64_t)i;
        s->c.master.lost_after_ns = 5000 * MS;
        s->c.nfaults = 1;
        s->fault[0] = (struct dtx_sim_fault){
            .kind = kind[i % 3], .rank = 2, .at_ns = at,
            .for_ns = i % 3 ? 2000 * MS : 60000 * MS};
        play(s, NULL, 0);
        ck_assert_uint_eq(s->r.stats.ok, 3);
        ck_assert_uint_eq(s->r.stats.lost_ranks, i % 3 ? 0 : 1);
        lost_ns = lost_at(s);
        if (i % 3 == 0)
            ck_assert_int_le(lost_ns - at, 5000 * MS);
        free_scene(s);
    }
}
END_TEST

START_TEST(drain)
{
    struct scene *s = open_scene(2);

    add_many(s, 6, 4);
    s->c.stop_at_ns = 2 * MS;
    s->c.stop = DTX_STOP_DRAIN;
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 2);
    ck_assert_uint_eq(s->r.stats.left, 4);
    close_scene(s, "drain", trace_drain);
}
END_TEST

/* Asked for by a worker; the running tasks are not finished. */
START_TEST(kill)
{
    struct scene *s = open_scene(2);

    add_many(s, 6, 4);
    s->c.nfaults = 1;
    s->fault[0] = (struct dtx_sim_fault){.kind = DTX_SIM_STOPREQ, .rank = 1,
                                         .at_ns = 2 * MS,
                                         .stop = DTX_STOP_KILL};
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 0);
    close_scene(s, "kill", trace_kill);
}
END_TEST

/* The second success ends it: what runs on the other rank is killed. */
START_TEST(halt)
{
    struct scene *s = open_scene(2);

    add_many(s, 6, 4);
    s->duration_ns[0] = 50 * MS;
    s->c.master.halt = (struct dtx_halt){DTX_STOP_KILL, DTX_HALT_SUCCESS, 2, 0};
    play(s, NULL, 0);
    ck_assert(s->r.stats.halted);
    ck_assert_uint_eq(s->r.stats.ok, 2);
    ck_assert_uint_eq(s->r.stats.left, 4);
    close_scene(s, "halt", trace_halt);
}
END_TEST

/* When each halts, of ten tasks of which two had ended before. */
static const struct {
    struct dtx_halt halt;
    const char *ends; /* of the first tasks: ok, failed */
} halts[] = {
    {{DTX_STOP_DRAIN, DTX_HALT_SUCCESS, 2, 0}, "offo"},
    {{DTX_STOP_KILL, DTX_HALT_SUCCESS, 1, 0}, "fffo"},
    {{DTX_STOP_DRAIN, DTX_HALT_SUCCESS, 0, 25}, "ofo"},
    {{DTX_STOP_DRAIN, DTX_HALT_DONE, 3, 0}, "ofo"},
    {{DTX_STOP_DRAIN, DTX_HALT_DONE, 0, 50}, "offo"},
    {{DTX_STOP_KILL, DTX_HALT_DONE, 0, 1}, "o"},
    {{DTX_STOP_DRAIN, DTX_HALT_FAIL, 0, 60}, "oofff"},
    {{DTX_STOP_KILL, DTX_HALT_FAIL, 2, 0}, "fooof"},
};

START_TEST(halt_conditions)
{
    static const uint8_t prior[10] = {[8] = DTX_PRIOR_OK,
                                      [9] = DTX_PRIOR_FAILED};
    const struct dtx_halt *h = &halts[_i].halt;
    struct scene *s = open_scene(1);
    size_t i, n = strlen(halts[_i].ends);

    add_many(s, 10, 4);
    for (i = 0; i < n; i++)
        s->failures[i] = halts[_i].ends[i] == 'f';
    s->c.master.halt = *h;
    s->c.master.prior = prior;
    play(s, NULL, 0);
    ck_assert(s->r.stats.halted);
    ck_assert_int_eq(s->r.stats.stopping, h->how);
    /* when draining, what ran at that moment ends as well */
    ck_assert_uint_eq(s->r.stats.ok + s->r.stats.failed - 2,
                      n + (h->how == DTX_STOP_DRAIN));
    free_scene(s);
}
END_TEST

/* Task 4 wants all three slots and comes before the last four: the rank gets
 * no more than is running until they are free. */
START_TEST(wide)
{
    struct scene *s = open_scene(1);
    static const uint32_t edge[][2] = {{0, 3}};

    s->slots[0] = 3;
    (void)add(s, 2, 1, 0);
    add_many(s, 2, 6);
    (void)add(s, 2, 3, 1);
    add_many(s, 4, 2);
    play(s, edge, 1);
    close_scene(s, "wide", trace_wide);
}
END_TEST

/* The task that rank 1 is asked to give back has started and ended when the
 * YIELD comes: DONE and YIELD cross. */
START_TEST(crossing)
{
    struct scene *s = open_scene(2);

    s->c.delay_ns = 2 * MS;
    (void)add(s, 5, 1, 0);
    (void)add(s, 1, 1, 0);
    (void)add(s, 3, 1, 0);
    (void)add(s, 1, 1, 0);
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.yields, 1);
    ck_assert_uint_eq(s->r.stats.steals, 0);
    ck_assert_uint_eq(s->r.stats.ok, 4);
    close_scene(s, "crossing", trace_crossing);
}
END_TEST

START_TEST(retry)
{
    struct scene *s = open_scene(1);

    add_many(s, 2, 1);
    s->failures[0] = 1;
    s->failures[1] = 255;
    s->c.master.retries = 2;
    s->c.master.retry_pause_ns = 3 * MS;
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 1);
    ck_assert_uint_eq(s->r.stats.failed, 1);
    close_scene(s, "retry", trace_retry);
}
END_TEST

/* Task 1 fails; all others wait for it. */
START_TEST(skip_in_slices)
{
    struct scene *s = open_scene(1);
    static uint32_t edge[MAX_TASKS][2];
    uint32_t i, n = 3 * DTX_MASTER_SLICE + 100;

    add_many(s, n, 1);
    s->failures[0] = 255;
    for (i = 1; i < n; i++) {
        edge[i - 1][0] = 0;
        edge[i - 1][1] = i;
    }
    play(s, (const uint32_t(*)[2])edge, n - 1);
    ck_assert_uint_eq(s->r.stats.skipped, n - 1);
    ck_assert_uint_eq(dtx_master_skip_cause(dtx_sim_master(s->sim), n - 1),
                      0);
    close_scene(s, "skip", trace_skip);
}
END_TEST

/* Nothing is granted until rank 2, which never comes, counts as lost. */
START_TEST(static_waits)
{
    struct scene *s = open_scene(3);

    s->c.master.policy = "static";
    s->c.never = 2;
    add_many(s, 5, 1);
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 5);
    close_scene(s, "static", trace_static);
}
END_TEST

/* Seven 4 ms tasks on two ranks, predicted so, with 18 ms to the deadline,
 * of which 3 ms are to end and leave: what cannot end by 15 ms is put off, and
 * the job ends when nothing more fits. */
START_TEST(deadline_fits)
{
    struct scene *s = open_scene(2);
    static float cost_s[7];
    uint32_t i;

    for (i = 0; i < 7; i++)
        cost_s[i] = 0.004f;
    s->c.master.cost_s = cost_s;
    s->c.master.grace_ns = 2 * MS;
    s->c.master.leave_ns = MS;
    s->c.deadline_ns = 18 * MS;
    s->c.deadline_told_ns = 0;
    add_many(s, 7, 4);
    play(s, NULL, 0);
    ck_assert_uint_eq(s->r.stats.ok, 6);
    ck_assert_uint_eq(s->r.stats.late, 1);
    ck_assert(!s->r.stats.expired);
    ck_assert_int_le(s->r.makespan_ns, 15 * MS);
    close_scene(s, "deadline_fits", trace_deadline_fits);
}
END_TEST

/* Nothing is known of the tasks at first; then three have taken 2 ms, so at 10
 * ms, 2 before the end, what waits is called back; a task of 50 ms is ended. */
START_TEST(deadline_ends)
{
    struct scene *s = open_scene(2);

    s->c.master.policy = "static"; /* all is handed out at the start */
    s->c.master.leave_ns = MS;
    s->c.deadline_ns = 13 * MS;
    (void)add(s, 50, 1, 0);
    add_many(s, 11, 2);
    play(s, NULL, 0);
    ck_assert(s->r.stats.expired);
    ck_assert_uint_gt(s->r.stats.ok, 3);
    ck_assert_int_eq(dtx_master_task_state(dtx_sim_master(s->sim), 0),
                     DTX_TASK_READY);
    ck_assert_int_le(s->r.makespan_ns, 15 * MS);
    close_scene(s, "deadline_ends", trace_deadline_ends);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("trace_engine");
    TCase *tc = tcase_create("scenes");

    tcase_add_test(tc, steal);
    tcase_add_test(tc, distance);
    tcase_add_test(tc, far_away);
    tcase_add_test(tc, pace);
    tcase_add_test(tc, limit);
    tcase_add_test(tc, death);
    tcase_add_test(tc, hang);
    tcase_add_test(tc, silence);
    tcase_add_test(tc, cut_off);
    tcase_add_test(tc, five_seconds);
    tcase_add_test(tc, drain);
    tcase_add_test(tc, kill);
    tcase_add_test(tc, halt);
    tcase_add_loop_test(tc, halt_conditions, 0, DTX_COUNT(halts));
    tcase_add_test(tc, wide);
    tcase_add_test(tc, crossing);
    tcase_add_test(tc, retry);
    tcase_add_test(tc, skip_in_slices);
    tcase_add_test(tc, static_waits);
    tcase_add_test(tc, deadline_fits);
    tcase_add_test(tc, deadline_ends);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}
