/* SPDX-License-Identifier: MIT */
/* What Slurm's commands say, and going on in a job that is started again.  The
 * commands are small scripts in a PATH of our own; the real ones are in
 * tests/slurm. */
#include "run/slurm.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "node/clock.h"
#include "run/alloc.h"
#include "run/command.h"
#include "run/deadline.h"
#include "run/guard.h"
#include "run/options.h"
#include "run/restart.h"

#define NOW INT64_C(1764057600) /* 2025-11-25T08:00:00 UTC */
#define S DTX_SEC_NS

static char dir[] = "/tmp/dtx-slurm.XXXXXX";
static char path[256];

static void set_up(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/dtx-slurm.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", dir);
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    tzset();
}

static void tear_down(void)
{
    char command[64];

    (void)snprintf(command, sizeof(command), "/bin/rm -rf %s", dir);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(name, 0755), 0);
}

/* ---- when the job ends ---- */

static const struct {
    const char *text;
    int rc;
    int64_t end_s; /* from NOW; -1: never */
} ends[] = {
    {"59:30|2025-11-25T08:59:30\n", 0, 3570},
    {"1-00:00:00|2025-11-26T08:00:00\n", 0, 86400},
    {"5:00|2025-11-25T08:05:01\n", 0, 300},
    {"UNLIMITED|N/A\n", 0, -1},
    {"UNLIMITED|2025-11-25T08:00:20\n", 0, 20}, /* preempted */
    {"59:30|2025-11-25T08:00:20\n", 0, 20},     /* likewise */
    {"59:30|N/A\n", 0, 3570},
    {"INVALID|2025-11-25T08:10:00\n", 0, 600},
    {"2:00:00|2025-11-25T09:00:00\n", 0, 7200}, /* an hour that comes twice */
    {"INVALID|N/A\n", DTX_EPARSE, 0},
    {"\n", DTX_EPARSE, 0},
    {"", DTX_EPARSE, 0},
    {"slurm_load_jobs error: Invalid job id specified\n", DTX_EPARSE, 0},
};

START_TEST(test_ends)
{
    int64_t end = 0;

    ck_assert_int_eq(dtx_slurm_read_end(ends[_i].text, NOW * S, &end),
                     ends[_i].rc);
    if (ends[_i].rc == 0)
        ck_assert_msg(end == (ends[_i].end_s < 0 ? INT64_MAX
                                                 : (NOW + ends[_i].end_s) * S),
                      "%s: %lld", ends[_i].text, (long long)(end / S - NOW));
}
END_TEST

START_TEST(test_preempted)
{
    ck_assert(dtx_slurm_read_preempted(
        "JobId=1 Requeue=1 PreemptEligibleTime=2025-11-25T08:45:12 "
        "PreemptTime=2025-11-25T08:45:14 x"));
    ck_assert(!dtx_slurm_read_preempted(
        "JobId=1 Requeue=1 PreemptEligibleTime=2025-11-25T08:45:12 "
        "PreemptTime=None x"));
    ck_assert(!dtx_slurm_read_preempted(
        "JobId=1 Requeue=0 PreemptTime=2025-11-25T08:45:14 x"));
    ck_assert(!dtx_slurm_read_preempted(""));
}
END_TEST

START_TEST(test_watch)
{
    struct dtx_slurm_watch w;
    int64_t end, now = dtx_clock_wall_ns();

    write_text("squeue", "#!/bin/sh\necho \"$*\" >>asked\n"
                         "[ $(wc -l <asked) = 1 ] && echo '10:00|N/A' || "
                         "echo '20:00|N/A'\n");
    ck_assert_int_eq(dtx_slurm_watch_begin(&w, "17", NULL), 0);
    ck_assert(dtx_slurm_watch_next(&w, 9000, &end));
    ck_assert_int_ge(end, now + 600 * S);
    ck_assert_int_le(end, dtx_clock_wall_ns() + 600 * S);
    ck_assert(!dtx_slurm_watch_next(&w, 0, &end)); /* not again at once */
    dtx_slurm_watch_end(&w);
    ck_assert(!dtx_slurm_watch_next(&w, 0, &end));
    dtx_slurm_watch_end(&w);
    ck_assert_int_eq(system("grep -qx -- '--noheader --jobs 17 "
                            "--format=%L|%e' asked"),
                     0);
}
END_TEST

START_TEST(test_no_slurm)
{
    struct dtx_error err = {0, ""};
    int64_t end;

    ck_assert_int_eq(setenv("PATH", dir, 1), 0);
    ck_assert_int_eq(dtx_slurm_end("17", &end, &err), DTX_ENOENT);
    ck_assert(strstr(err.text, "cannot run squeue"));
    ck_assert(!dtx_slurm_preempted("17"));
    write_text("scontrol", "#!/bin/sh\necho 'no such job' >&2\nexit 1\n");
    ck_assert_int_eq(dtx_slurm_requeue("17", &err), DTX_ESYS);
    ck_assert_msg(strstr(err.text, "scontrol requeue 17: status 1: no such"),
                  "%s", err.text);
}
END_TEST

/* ---- the guard on another node ---- */

static void set_job(const char *nodes)
{
    ck_assert_int_eq(setenv("SLURM_JOB_ID", "17", 1), 0);
    ck_assert_int_eq(setenv("SLURMD_NODENAME", "n1", 1), 0);
    ck_assert_int_eq(setenv("SLURM_JOB_NODELIST", nodes, 1), 0);
}

static void unset_job(void)
{
    ck_assert_int_eq(unsetenv("SLURM_JOB_ID"), 0);
    ck_assert_int_eq(unsetenv("SLURMD_NODENAME"), 0);
    ck_assert_int_eq(unsetenv("SLURM_JOB_NODELIST"), 0);
}

/* Wait for a line of a file that is written meanwhile. */
static bool has_line(const char *name, const char *want)
{
    char line[64];
    bool found = false;

    for (int i = 0; i < 2000 && !found; i++) {
        FILE *f = fopen(name, "r");

        while (f && !found && fgets(line, sizeof(line), f))
            found = strcmp(line, want) == 0;
        if (f)
            (void)fclose(f);
        if (!found)
            (void)usleep(5000);
    }
    return found;
}

/* The node of the script answers twice, then it is down; the job may not be
 * queued again. */
START_TEST(test_guard)
{
    pid_t pid;

    write_text("srun", "#!/bin/sh\nwhile [ $1 != --nodelist ]; do shift; "
                       "done\necho $2 >>said\nshift 2\nexec \"$@\"\n");
    write_text("sleep", "#!/bin/sh\nexec /bin/sleep 0.01\n");
    write_text("scontrol",
               "#!/bin/sh\n"
               "[ $1 != requeue ] || { echo $@ >>said; exit 1; }\n"
               "echo $@ >>asked\n[ $(wc -l <asked) -lt 3 ] || down=DOWN\n"
               "echo NodeName=$4 State=${down:-IDLE}* ThreadsPerCore=1\n");
    write_text("scancel", "#!/bin/sh\necho cancel $@ >>said\n");
    set_job("n[1-4]");
    pid = dtx_guard_begin();
    ck_assert_int_gt(pid, 0);
    ck_assert(has_line("said", "cancel 17\n"));
    ck_assert(has_line("said", "requeue 17\n"));
    ck_assert(has_line("said", "n2\n"));
    ck_assert(has_line("asked", "--oneliner show node n1\n"));
    dtx_guard_end(pid);
    ck_assert_int_eq(kill(pid, 0), -1);
    unset_job();
}
END_TEST

START_TEST(test_no_guard)
{
    ck_assert_int_eq(dtx_guard_begin(), 0);
    set_job("n1");
    ck_assert_int_eq(dtx_guard_begin(), 0);
    set_job("n[1-");
    ck_assert_int_eq(dtx_guard_begin(), 0);
    ck_assert_int_eq(unsetenv("SLURMD_NODENAME"), 0); /* a login node */
    ck_assert_int_eq(setenv("SLURM_JOB_NODELIST", "n[1-4]", 1), 0);
    ck_assert_int_eq(dtx_guard_begin(), 0);
    unset_job();
    dtx_guard_end(0);
}
END_TEST

/* ---- a program with a limit ---- */

START_TEST(test_command)
{
    char *sh[] = {(char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
                  (char *)(uintptr_t)"cat; echo err >&2; exit 7", NULL};
    struct dtx_command c = {sh, "hello\n", 6, true, 20 * S};
    struct dtx_buf out = DTX_BUF_INIT;
    int status = 0;

    ck_assert_int_eq(dtx_command_run(&c, &out, &status, NULL), 0);
    ck_assert_int_eq(status, 7);
    ck_assert_str_eq(out.data, "hello\nerr\n");
    dtx_buf_clear(&out);
    c.with_stderr = false;
    sh[2] = (char *)(uintptr_t)"echo err >&2; kill -9 $$";
    ck_assert_int_eq(dtx_command_run(&c, &out, &status, NULL), 0);
    ck_assert_int_eq(status, 128 + SIGKILL);
    ck_assert_str_eq(out.data, "");
    sh[2] = (char *)(uintptr_t)"trap '' TERM; sleep 61 & sleep 61";
    c.limit_ns = S / 5;
    ck_assert_int_eq(dtx_command_run(&c, &out, &status, NULL), DTX_EAGAIN);
    sh[2] = (char *)(uintptr_t)"exec >&-; sleep 61"; /* silent, not gone */
    ck_assert_int_eq(dtx_command_run(&c, &out, &status, NULL), DTX_EAGAIN);
    dtx_buf_free(&out);
}
END_TEST

/* ---- starts of one job ---- */

static struct dtx_options options;
static struct dtx_alloc job;

static void begin_job(uint32_t restarts)
{
    memset(&options, 0, sizeof(options));
    job = (struct dtx_alloc){.inside = true, .job_id = "17",
                             .restarts = restarts};
}

static void end_options(void)
{
    free(options.run_dir);
}

static void have_directory(const char *name, uint32_t start)
{
    struct dtx_alloc a = job;
    char journal[128];

    a.restarts = start;
    ck_assert_int_eq(mkdir(name, 0755), 0);
    (void)snprintf(journal, sizeof(journal), "%s/journal", name);
    write_text(journal, "");
    ck_assert_int_eq(dtx_restart_mark(name, &a, NULL), 0);
}

START_TEST(test_goes_on_with_each)
{
    begin_job(1);
    have_directory("distributex-17", 0);
    have_directory("distributex-17-2", 0);
    ck_assert(dtx_restart_adopt(&options, &job, NULL));
    ck_assert_str_eq(options.run_dir, "distributex-17");
    ck_assert_int_eq(options.resume, DTX_RESUME);
    ck_assert_int_eq(dtx_restart_mark("distributex-17", &job, NULL), 0);
    end_options();
    begin_job(1); /* the script's second one */
    ck_assert(dtx_restart_adopt(&options, &job, NULL));
    ck_assert_str_eq(options.run_dir, "distributex-17-2");
    ck_assert_int_eq(dtx_restart_mark("distributex-17-2", &job, NULL), 0);
    end_options();
    begin_job(1); /* a third that has never begun */
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
    ck_assert_ptr_null(options.run_dir);
}
END_TEST

START_TEST(test_does_not_go_on)
{
    begin_job(0); /* the first start */
    have_directory("distributex-17", 0);
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
    begin_job(1);
    options.resume = DTX_RESUME_FAILED; /* the user's word */
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
    begin_job(1);
    job.inside = false;
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
    begin_job(1);
    (void)snprintf(job.job_id, sizeof(job.job_id), "18"); /* another's */
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
    begin_job(1); /* a directory of one's own that is another job's */
    options.run_dir = strdup("d");
    (void)snprintf(job.job_id, sizeof(job.job_id), "16");
    have_directory("d", 0);
    (void)snprintf(job.job_id, sizeof(job.job_id), "17");
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
    ck_assert_int_eq(options.resume, DTX_RESUME_NO);
    end_options();
    begin_job(1); /* marked, but nothing was begun */
    ck_assert_int_eq(unlink("distributex-17/journal"), 0);
    ck_assert(!dtx_restart_adopt(&options, &job, NULL));
}
END_TEST

START_TEST(test_own_directory)
{
    begin_job(2);
    have_directory("d", 1);
    options.run_dir = strdup("d");
    ck_assert(dtx_restart_adopt(&options, &job, NULL));
    ck_assert_str_eq(options.run_dir, "d");
    ck_assert_int_eq(options.resume, DTX_RESUME);
    end_options();
}
END_TEST

/* ---- points of time ---- */

START_TEST(test_resolve)
{
    struct dtx_when w = {.kind = DTX_WHEN_SPAN, .ns = 5 * S};
    int64_t ns;

    ck_assert_int_eq(dtx_deadline_resolve(&w, 7 * S, &ns), 0);
    ck_assert_int_eq(ns, 12 * S);
    ck_assert_int_eq(dtx_deadline_resolve(&w, INT64_MAX - 1, &ns), 0);
    ck_assert_int_eq(ns, INT64_MAX);
    w = (struct dtx_when){DTX_WHEN_LOCAL, 0, 2025, 11, 25, 8, 0, 0};
    ck_assert_int_eq(dtx_deadline_resolve(&w, 0, &ns), 0);
    ck_assert_int_eq(ns, NOW * S);
    w.kind = DTX_WHEN_NONE;
    ck_assert_int_eq(dtx_deadline_resolve(&w, 0, &ns), 0);
    ck_assert_int_eq(ns, INT64_MAX);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/slurm");
    TCase *tc = tcase_create("slurm");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, test_ends, 0, DTX_COUNT(ends));
    tcase_add_test(tc, test_preempted);
    tcase_add_test(tc, test_watch);
    tcase_add_test(tc, test_no_slurm);
    tcase_add_test(tc, test_guard);
    tcase_add_test(tc, test_no_guard);
    tcase_add_test(tc, test_command);
    tcase_add_test(tc, test_goes_on_with_each);
    tcase_add_test(tc, test_does_not_go_on);
    tcase_add_test(tc, test_own_directory);
    tcase_add_test(tc, test_resolve);
    suite_add_tcase(s, tc);
    return dtx_check_main(s);
}
