/* SPDX-License-Identifier: MIT */
/* tests/unit/test_run_options.c - command lines, environments, files
 *
 * Each row is what a user gives and what comes of it: the values that are not
 * the defaults, or the exact words of the error.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "run/options.h"
#include "run/options_row.h"
#include "check_main.h"
#include "store_dir.h"

#define MAX_WORDS 16
#define SEE "; see 'distributex run --help'"
#define FORM "\nthe form: distributex run [options] TASKFILE"
#define FORMS                                                                  \
    "\nthe forms: distributex run [options] TASKFILE\n"                       \
    "           distributex run [options] COMMAND ::: ARGUMENT...\n"          \
    "           distributex run [options] -a FILE COMMAND\n"                  \
    "           distributex run [options] --array 1-10 COMMAND"

struct row {
    const char *line;   /* words behind "run", by blanks; _ is an empty one */
    const char *env;    /* A=1;B=2, or NULL for none */
    const char *config; /* or NULL */
    const char *want;   /* what is not the default, or NULL */
    const char *error;  /* exact, or NULL */
};

static const struct row rows[] = {
    /* defaults and spelling */
    {"t", NULL, NULL, "task_file=t", NULL},
    {"-j4 t", NULL, NULL, "jobs=4 task_file=t", NULL},
    {"-j 4 t", NULL, NULL, "jobs=4 task_file=t", NULL},
    {"--jobs=4 t", NULL, NULL, "jobs=4 task_file=t", NULL},
    {"--jobs 4 t", NULL, NULL, "jobs=4 task_file=t", NULL},
    {"-P 4 t", NULL, NULL, "jobs=4 task_file=t", NULL},
    {"--max-procs=4 t", NULL, NULL, "jobs=4 task_file=t", NULL},
    {"-j0 t", NULL, NULL, "jobs=all task_file=t", NULL},
    {"-j+1 t", NULL, NULL, "jobs=cores+1 task_file=t", NULL},
    {"-j -1 t", NULL, NULL, "jobs=cores-1 task_file=t", NULL},
    {"-j12.5% t", NULL, NULL, "jobs=12.5% task_file=t", NULL},
    {"-qv t", NULL, NULL, "quiet verbose task_file=t", NULL},
    {"-qvj4 t", NULL, NULL, "jobs=4 quiet verbose task_file=t", NULL},
    {"-q -v -- t", NULL, NULL, "quiet verbose task_file=t", NULL},
    {"-- -t", NULL, NULL, "task_file=-t", NULL},
    {"-j4 --jobs 5 -j6 t", NULL, NULL, "jobs=6 task_file=t", NULL},
    {"--bar --bar=no t", NULL, NULL, "task_file=t", NULL},
    {"--run-dir=--jobs t", NULL, NULL, "run_dir=--jobs task_file=t", NULL},
    {"--ranks 8 --hostfile h --mpirun /m t", NULL, NULL,
     "ranks=8 hostfile=h mpirun=/m task_file=t", NULL},
    {"--policy guided t", NULL, NULL, "policy=guided task_file=t", NULL},
    {"--retries 3 --retry-delay 250ms --timeout 1h30m --term-grace 0 t", NULL,
     NULL,
     "retries=3 retry_delay=250000000 timeout=5400000000000 grace=0 "
     "task_file=t", NULL},
    {"--timeout none t", "DTX_TIMEOUT=5", NULL, "task_file=t", NULL},
    {"--timeout 150.5% --delay 250ms --eta t", "DTX_TIMEOUT=5", NULL,
     "timeout_percent=1505 delay=250000000 eta=1 task_file=t", NULL},
    {"--timeout 5 t", "DTX_TIMEOUT=200%", NULL,
     "timeout=5000000000 task_file=t", NULL},
    {"--timeout 02:30:00 t", NULL, NULL,
     "timeout=9000000000000 task_file=t", NULL},
    {"--joblog l --no-show --shell /bin/bash --tmp-dir /x --sync 0 t", NULL,
     NULL, "joblog=l no_output shell=/bin/bash tmp_dir=/x sync=0 task_file=t",
     NULL},
    {"--term-signal USR1 --deadline 2h --requeue t", NULL, NULL,
     "term_signal=10 deadline=2/7200000000000 requeue task_file=t", NULL},
    {"--term-signal SIGINT t", "DTX_DEADLINE=none", NULL,
     "term_signal=2 deadline=1/0 task_file=t", NULL},
    {"--term-signal sigint t", NULL, NULL, NULL,
     "--term-signal: 'sigint' is not TERM, INT, HUP, QUIT, USR1, USR2, CONT "
     "or KILL"},
    {"--deadline tomorrow t", NULL, NULL, NULL,
     "--deadline: 'tomorrow' is not a time: 2h30m or 45:00 from now, "
     "2026-03-01T17:30 of the local calendar, @SECONDS since 1970, or none"},
    {"--bind core t", NULL, NULL, "bind=1 task_file=t", NULL},
    {"--bind=none t", NULL, NULL, "bind=2 task_file=t", NULL},
    {"--counters off t", NULL, NULL, "no_counters task_file=t", NULL},
    {"--numa-spread no --numa-bandwidth 2K t", NULL, NULL,
     "blind_memory numa_bytes=2048 task_file=t", NULL},
    {"--numa-spread=yes t", "DTX_NUMA_SPREAD=no", NULL, "task_file=t", NULL},
    {"t", "DTX_NUMA_SPREAD=no", NULL, "blind_memory task_file=t", NULL},
    {"--counters off --counters=auto t", NULL, NULL, "task_file=t", NULL},
    {"--keep-outputs failed t", NULL, NULL, "keep=1 task_file=t", NULL},
    {"--keep-outputs=all t", "DTX_KEEP_OUTPUTS=none", NULL, "task_file=t",
     NULL},
    {"t", "DTX_KEEP_OUTPUTS=none", NULL, "keep=2 task_file=t", NULL},
    {"--halt soon,fail=1 t", NULL, NULL, "halt=1/1/0 task_file=t", NULL},
    {"--halt now,fail=3 t", NULL, NULL, "halt=2/3/0 task_file=t", NULL},
    {"--halt now,fail=12.5% t", NULL, NULL, "halt=2/0/12.5 task_file=t", NULL},
    {"--halt now,success=2 t", NULL, NULL, "halt=2/success 2/0 task_file=t",
     NULL},
    {"--halt soon,done=50% t", NULL, NULL, "halt=1/done 0/50 task_file=t",
     NULL},
    {"--halt 0 t", NULL, NULL, "task_file=t", NULL},
    {"--halt 1 t", NULL, NULL, "halt=1/1/0 task_file=t", NULL},
    {"--halt 2 t", NULL, NULL, "halt=2/1/0 task_file=t", NULL},
    {"--halt -1 t", NULL, NULL, "halt=1/success 1/0 task_file=t", NULL},
    {"--halt -2 t", NULL, NULL, "halt=2/success 1/0 task_file=t", NULL},
    {"--halt 10% t", NULL, NULL, "halt=1/0/10 task_file=t", NULL},
    {"--halt never t", "DTX_HALT=now,fail=1", NULL, "task_file=t", NULL},
    /* modes and positionals */
    {"--resume", NULL, NULL, "resume=1", NULL},
    {"--resume-failed t", NULL, NULL, "resume=2 task_file=t", NULL},
    {"--retry-failed --run-dir d", NULL, NULL, "run_dir=d resume=3", NULL},
    {"--resume --resume", NULL, NULL, "resume=1", NULL},
    {"--resume=no t", "DTX_RESUME=yes", NULL, "task_file=t", NULL},
    {"--retry-failed", "DTX_RESUME=yes", "resume-failed = yes", "resume=3",
     NULL},
    {"--resume --retry-failed", NULL, NULL, NULL,
     "--resume and --retry-failed exclude each other"},
    {"_", "DTX_RESUME=1;DTX_RETRY_FAILED=true", NULL, NULL,
     "environment variables DTX_RESUME and DTX_RETRY_FAILED exclude each "
     "other"},
    {"_", NULL, "resume = yes\nresume-failed = 1\n", NULL,
     "conf: --resume and --resume-failed exclude each other"},
    {"", NULL, NULL, NULL, "no task file" FORMS},
    {"--", NULL, NULL, NULL, "no task file" FORMS},
    {"_", NULL, NULL, NULL, "the task file's name is empty" FORM},
    {"a.txt b.txt", NULL, NULL, NULL,
     "exactly one task file, or arguments for the command behind ':::': "
     "a.txt b.txt" FORMS},
    {"--resume a b", NULL, NULL, NULL,
     "exactly one task file, or arguments for the command behind ':::': "
     "a b" FORMS},
    {"a.txt -j 4", NULL, NULL, NULL,
     "exactly one task file, and options before it: a.txt -j 4" FORMS},
    {"echo ::: a b", NULL, NULL, "words=4", NULL},
    {"-j4 -a f --arg-file=- echo -n", NULL, NULL, "jobs=4 -a=f -a=- words=2",
     NULL},
    {"::: a", "DTX_ARG_FILE=f", "arg-file = g\n", "-a=f words=2", NULL},
    {"-C , --header : --shuf --quote --dry-run e :::: f", NULL, NULL,
     "colsep=, header shuf quote dry_run words=3", NULL},
    {"--array 1-9 --quote j.sh x", NULL, NULL, "quote array=1-9 words=2", NULL},
    {"--array 1-9 e ::: x", NULL, NULL, NULL,
     "--array and ':::', '::::' or -a exclude each other" FORMS},
    {"--array 1-9", NULL, NULL, NULL,
     "--array: the command is missing" FORMS},
    {"--colsep , t", NULL, NULL, NULL,
     "--colsep is for a command with ':::', '::::' or -a" FORMS},
    {"t", "DTX_COLSEP=,", NULL, "colsep=, task_file=t", NULL},
    {"--header 2 e ::: a", NULL, NULL, NULL,
     "--header: '2' is not ':', the only form there is: the first line of each "
     "source names its columns"},
    {"--pipe e ::: a", NULL, NULL, NULL,
     "--pipe is an option of GNU parallel that is not here: split the input "
     "into files and give these behind '::::'"},
    {"-N2 e ::: a", NULL, NULL, NULL,
     "-N is an option of GNU parallel that is not here: split lines into "
     "columns with --colsep"},
    /* unknown ones */
    {"--retri 3 t", NULL, NULL, NULL,
     "unknown option --retri; did you mean --retries?"},
    {"--job=3 t", NULL, NULL, NULL,
     "unknown option --job; did you mean --jobs?"},
    {"--run_dir d t", NULL, NULL, NULL,
     "unknown option --run_dir; did you mean --run-dir?"},
    {"--tagstring=d t", NULL, NULL, NULL,
     "unknown option --tagstring: it is not in this version" SEE},
    {"--memfree=2X t", NULL, NULL, NULL,
     "--memfree: '2X' is not a size below 8E: bytes, or with K, M, G, T or P "
     "behind it (of 1024), such as 512M or 2.5G"},
    {"--memfree=1.5k t", NULL, NULL, "memfree=1536 task_file=t", NULL},
    {"t", "DTX_METRICS_LISTEN=:1", NULL, NULL,
     "environment variable DTX_METRICS_LISTEN: unknown option "
     "--metrics-listen: it is not in this version; unset the variable"},
    {"t", NULL, "tagstring = x\n", NULL,
     "conf:1: unknown option 'tagstring': it is not in this version; remove "
     "the line"},
    {"t", NULL, "load = 80%\n", NULL,
     "conf:1: 'load' is an option of GNU parallel that is not here: --jobs "
     "sets how many tasks run at a time"},
    {"-t e ::: a", NULL, NULL, NULL,
     "-t is an option of GNU parallel that is not here: --dry-run shows the "
     "commands, --joblog those that ran"},
    {"--willcite e ::: a", NULL, NULL, NULL,
     "--willcite is an option of GNU parallel that is not here: there is "
     "nothing to confirm: leave it out"},
    {"--no-notice e ::: a", NULL, NULL, NULL,
     "--no-notice is an option of GNU parallel that is not here: there is "
     "nothing to confirm: leave it out"},
    {"-qZ t", NULL, NULL, NULL, "unknown option -Z" SEE},
    {"--completely-different t", NULL, NULL, NULL,
     "unknown option --completely-different" SEE},
    {"--=x t", NULL, NULL, NULL, "unknown option --" SEE},
    /* values that are none */
    {"--jobs=0% t", NULL, NULL, NULL, "--jobs: '0%' is not a number up to 65535, +N or -N (more or "
     "fewer than the cores), or N% of the cores"},
    {"-j x t", NULL, NULL, NULL, "-j: 'x' is not a number up to 65535, +N or -N (more or "
     "fewer than the cores), or N% of the cores"},
    {"-j +-1 t", NULL, NULL, NULL, "-j: '+-1' is not a number up to 65535, +N or -N (more or "
     "fewer than the cores), or N% of the cores"},
    {"-j 65536 t", NULL, NULL, NULL, "-j: '65536' is not a number up to 65535, +N or -N (more or "
     "fewer than the cores), or N% of the cores"},
    {"-j", NULL, NULL, NULL, "-j needs a value: -j N"},
    {"--run-dir", NULL, NULL, NULL, "--run-dir needs a value: --run-dir DIR"},
    {"--run-dir --resume", NULL, NULL, NULL,
     "--run-dir needs a value (DIR), but --resume follows"},
    {"--run-dir= t", NULL, NULL, NULL, "--run-dir: the value is empty"},
    {"--retries 0 t", NULL, NULL, NULL,
     "--retries: '0' is not a whole number from 1 to 1000"},
    {"--timeout 100% t", NULL, NULL, NULL,
     "--timeout: '100%' is not valid: a share of the median run time is above "
     "100% and up to 1000000%, such as 200%"},
    {"--timeout 2x0% t", NULL, NULL, NULL,
     "--timeout: '2x0%' is not valid: a share of the median run time is above "
     "100% and up to 1000000%, such as 200%"},
    {"--timeout soon t", NULL, NULL, NULL,
     "--timeout: 'soon' is not a duration from 0s to 36500d, such as 90, 30s, "
     "1h30m or 02:30:00, or none"},
    {"--term-grace 2h t", NULL, NULL, NULL,
     "--term-grace: '2h' is not a duration from 0s to 1h, such as 90, 30s, "
     "1h30m or 02:30:00"},
    {"--policy lifo t", NULL, NULL, NULL,
     "--policy: unknown policy 'lifo'; there are: steal, self, guided, "
     "factoring, static"},
    {"--numa-spread maybe t", NULL, NULL, NULL,
     "--numa-spread: 'maybe' is not yes or no (1 or 0, true or false)"},
    {"--counters of t", NULL, NULL, NULL,
     "--counters: 'of' is not auto or off; did you mean off?"},
    {"--bind socket t", NULL, NULL, NULL,
     "--bind: 'socket' is not auto, core or none"},
    {"--bind cores t", NULL, NULL, NULL,
     "--bind: 'cores' is not auto, core or none; did you mean core?"},
    {"--results r/x.csv t", NULL, NULL, NULL,
     "--results: 'r/x.csv' is not a directory, or a name with replacement "
     "strings: one table of all is not written; --joblog FILE is one without "
     "the outputs"},
    {"t", "DTX_RESULTS=-.JSON", NULL, NULL,
     "environment variable DTX_RESULTS: '-.JSON' is not a directory, or a "
     "name with replacement strings: one table of all is not written; --joblog "
     "FILE is one without the outputs"},
    {"--keep-outputs fail t", NULL, NULL, NULL,
     "--keep-outputs: 'fail' is not all, failed or none; did you mean failed?"},
    {"--policy stael t", NULL, NULL, NULL,
     "--policy: unknown policy 'stael'; did you mean steal? there are: steal, "
     "self, guided, factoring, static"},
    {"--halt son,fail=1 t", NULL, NULL, NULL,
     "--halt: 'son,fail=1' is not never, or soon or now with fail=, "
     "success= or done= and a number or a share, such as soon,fail=1 or "
     "now,success=10%; did you mean soon,fail=1?"},
    {"--halt 3 t", NULL, NULL, NULL, "--halt: '3' is not never, or soon or now with fail=, "
     "success= or done= and a number or a share, such as soon,fail=1 or "
     "now,success=10%"},
    {"--halt now,success t", NULL, NULL, NULL,
     "--halt: 'now,success' is not never, or soon or now with fail=, "
     "success= or done= and a number or a share, such as soon,fail=1 or "
     "now,success=10%; did you mean "
     "now,success=1?"},
    {"--halt % t", NULL, NULL, NULL, "--halt: '%' is not never, or soon or now with fail=, "
     "success= or done= and a number or a share, such as soon,fail=1 or "
     "now,success=10%"},
    {"--halt now,fail=0 t", NULL, NULL, NULL,
     "--halt: 'now,fail=0' is not valid: behind '=' stands a number from 1, "
     "or a share such as 10%"},
    {"--halt soon,fail=101% t", NULL, NULL, NULL,
     "--halt: 'soon,fail=101%' is not valid: a share is above 0% and up to "
     "100%"},
    {"--halt soon,fail=1e1% t", NULL, NULL, NULL,
     "--halt: 'soon,fail=1e1%' is not valid: a share is above 0% and up to "
     "100%"},
    {"--bar=maybe t", NULL, NULL, NULL,
     "--bar: 'maybe' is not yes or no (1 or 0, true or false)"},
    {"--help=yes t", NULL, NULL, NULL, "--help takes no value"},
    /* environment */
    {"t", "DTX_JOBS=3;DTX_RUN_DIR=d;DTX_NO_SHOW=true;DTX_BAR=0", NULL,
     "jobs=3 run_dir=d no_output task_file=t", NULL},
    {"-j5 t", "DTX_JOBS=3", NULL, "jobs=5 task_file=t", NULL},
    {"-j5 t", "DTX_JOBS=x", NULL, "jobs=5 task_file=t", NULL},
    {"t", "DTX_JOBS=;DTX_TASK_ID=7;DTX_HELP=1", NULL, "task_file=t", NULL},
    {"t", "DTX_RETRIES=x", NULL, NULL,
     "environment variable DTX_RETRIES: 'x' is not a whole number from 1 to "
     "1000"},
    {"--quiet=no t", "DTX_QUIET=yes", "quiet = yes", "task_file=t", NULL},
    /* file */
    {"t", NULL, "# mine\n\n jobs = 3 \r\nrun-dir=a b\n", "jobs=3 run_dir=a b "
     "task_file=t", NULL},
    {"t", NULL, "run-dir = \" x\"\nbar = yes", "run_dir= x bar task_file=t",
     NULL},
    {"t", NULL, "jobs = 3\njobs = 4\n", "jobs=4 task_file=t", NULL},
    {"t", "DTX_JOBS=2", "jobs = 3\nretries = 2", "jobs=2 retries=2 "
     "task_file=t", NULL},
    {"t", NULL, "jobs = 3\nretris = 4\n", NULL,
     "conf:2: unknown option 'retris'; did you mean retries?"},
    {"t", NULL, "something = 4", NULL, "conf:1: unknown option 'something'" SEE},
    {"t", NULL, "help = yes", NULL, "conf:1: unknown option 'help'" SEE},
    {"t", NULL, "\nbar\n", NULL, "conf:2: expected a line 'name = value'"},
    {"t", NULL, "retries = 0\n", NULL,
     "conf:1: retries: '0' is not a whole number from 1 to 1000"},
    {"t", NULL, "shell =\n", NULL, "conf:1: shell: the value is empty"},
};

/* 'name' in "A=1;B=2". */
static const char *get_from_row(void *ctx, const char *name)
{
    static char value[256];
    const char *s = ctx;
    size_t n = strlen(name);

    while (s && *s) {
        size_t len = strcspn(s, ";");

        if (strncmp(s, name, n) == 0 && s[n] == '=') {
            (void)snprintf(value, sizeof(value), "%.*s", (int)(len - n - 1),
                           s + n + 1);
            return value;
        }
        s += len + (s[len] == ';');
    }
    return NULL;
}

static int split(char *line, char **word)
{
    int n = 0;
    char *save = NULL, *w;

    for (w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        ck_assert_int_lt(n, MAX_WORDS);
        if (strcmp(w, "_") == 0)
            *w = '\0';
        word[n++] = w;
    }
    return n;
}

static void put(struct dtx_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void put(struct dtx_buf *b, const char *fmt, ...)
{
    char piece[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(piece, sizeof(piece), fmt, ap);
    va_end(ap);
    dtx_buf_printf(b, "%s%s", b->len > 0 ? " " : "", piece);
}

static void put_text(struct dtx_buf *b, const char *name, const char *value,
                     const char *usual)
{
    if (value && (!usual || strcmp(value, usual) != 0))
        put(b, "%s=%s", name, value);
}

static void put_number(struct dtx_buf *b, const char *name, int64_t value,
                       int64_t usual)
{
    if (value != usual)
        put(b, "%s=%lld", name, (long long)value);
}

/* What is not the default. */
static void describe(struct dtx_buf *b, const struct dtx_options *o)
{
    size_t i;

    if (o->jobs.how == DTX_JOBS_COUNT)
        put(b, "jobs=%d", (int)o->jobs.n);
    else if (o->jobs.how == DTX_JOBS_MORE)
        put(b, "jobs=cores%+d", (int)o->jobs.n);
    else if (o->jobs.how == DTX_JOBS_SHARE)
        put(b, "jobs=%g%%", o->jobs.percent);
    else if (o->jobs.how == DTX_JOBS_ALL)
        put(b, "jobs=all");
    put_number(b, "ranks", o->ranks, 0);
    put_text(b, "hostfile", o->hostfile, NULL);
    put_text(b, "run_dir", o->run_dir, NULL);
    put_number(b, "resume", o->resume, DTX_RESUME_NO);
    put_text(b, "policy", o->policy, "steal");
    put_number(b, "retries", o->retries, 1);
    put_number(b, "retry_delay", o->retry_delay_ns, DTX_SEC_NS);
    put_number(b, "timeout", o->timeout_ns, 0);
    put_number(b, "timeout_percent", (int64_t)(o->timeout_percent * 10), 0);
    put_number(b, "delay", o->delay_ns, 0);
    put_number(b, "memfree", o->memfree, 0);
    put_number(b, "eta", o->eta, 0);
    put_number(b, "grace", o->grace_ns, 5 * DTX_SEC_NS);
    put_number(b, "term_signal", o->term_signal, SIGTERM);
    if (o->deadline.kind != DTX_WHEN_UNSET)
        put(b, "deadline=%d/%lld", (int)o->deadline.kind,
            (long long)o->deadline.ns);
    if (o->requeue)
        put(b, "requeue");
    if (o->halt.count != 0 || o->halt.percent > 0)
        put(b, "halt=%d/%s%u/%g", (int)o->halt.how,
            o->halt.on == DTX_HALT_FAIL      ? ""
            : o->halt.on == DTX_HALT_SUCCESS ? "success "
                                             : "done ",
            o->halt.count, o->halt.percent);
    put_text(b, "joblog", o->joblog, NULL);
    if (o->bar)
        put(b, "bar");
    if (o->quiet)
        put(b, "quiet");
    if (o->verbose)
        put(b, "verbose");
    if (o->no_output)
        put(b, "no_output");
    put_text(b, "shell", o->shell, "/bin/sh");
    put_number(b, "bind", o->bind, DTX_BIND_AUTO);
    if (o->no_counters)
        put(b, "no_counters");
    if (!o->numa_spread)
        put(b, "blind_memory");
    if (o->numa_bytes)
        put(b, "numa_bytes=%lld", (long long)o->numa_bytes);
    put_number(b, "keep", o->keep, DTX_KEEP_ALL);
    put_text(b, "tmp_dir", o->tmp_dir, NULL);
    put_text(b, "mpirun", o->mpirun, NULL);
    put_number(b, "sync", o->sync_ns, DTX_SEC_NS);
    for (i = 0; i < o->arg_files.n; i++)
        put(b, "-a=%s", o->arg_files.text[i]);
    put_text(b, "colsep", o->colsep, NULL);
    if (o->header)
        put(b, "header");
    if (o->shuf)
        put(b, "shuf");
    if (o->quote)
        put(b, "quote");
    if (o->dry_run)
        put(b, "dry_run");
    put_text(b, "array", o->array, NULL);
    put_text(b, "task_file", o->task_file, NULL);
    if (o->form == DTX_FORM_TEMPLATE || o->form == DTX_FORM_ARRAY)
        put_number(b, "words", (int64_t)o->nwords, 0);
}

static enum dtx_options_end parse_row(const struct row *r,
                                      struct dtx_options *o,
                                      struct dtx_buf *text,
                                      struct dtx_error *err)
{
    char line[256], *word[MAX_WORDS];
    struct dtx_options_input in = {
        .argv = word,
        .get = r->env ? get_from_row : NULL,
        .config = r->config,
        .config_len = r->config ? strlen(r->config) : 0,
        .config_name = "conf"};
    union {
        const char *in;
        void *out;
    } env = {r->env};

    (void)snprintf(line, sizeof(line), "%s", r->line);
    in.argc = split(line, word);
    in.get_ctx = env.out;
    return dtx_options_parse(&in, o, text, err);
}

START_TEST(row)
{
    const struct row *r = &rows[_i];
    struct dtx_buf text = DTX_BUF_INIT, got = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_options o;
    enum dtx_options_end end = parse_row(r, &o, &text, &err);

    if (r->error) {
        ck_assert_msg(end == DTX_OPTIONS_BAD &&
                          strcmp(err.text, r->error) == 0,
                      "%s: %d, \"%s\"; expected \"%s\"", r->line, (int)end,
                      err.text, r->error);
        ck_assert_int_eq(err.code, DTX_EINVAL);
        ck_assert_ptr_null(o.shell);
    } else {
        ck_assert_msg(end == DTX_OPTIONS_GO, "%s: %s", r->line, err.text);
        describe(&got, &o);
        ck_assert_str_eq(got.data, r->want);
    }
    ck_assert_uint_eq(text.len, 0);
    dtx_options_fini(&o);
    dtx_options_fini(&o);
    dtx_buf_free(&got);
    dtx_buf_free(&text);
}
END_TEST

static const struct row help_rows[] = {
    {"--help", NULL, NULL, NULL, NULL},
    {"-h", "DTX_JOBS=x", NULL, NULL, NULL},
    {"-qh -j", NULL, "bad", NULL, NULL},
    {"-j4 --help --unknown a b", NULL, NULL, NULL, NULL},
};

/* Nothing behind --help, and no other source, can be at fault. */
START_TEST(help_comes_first)
{
    struct dtx_buf text = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_options o;

    ck_assert_int_eq(parse_row(&help_rows[_i], &o, &text, &err),
                     DTX_OPTIONS_DONE);
    ck_assert_ptr_nonnull(strstr(text.data, "usage: distributex run"));
    dtx_buf_free(&text);
}
END_TEST

/* Every option is in the help and in the man page, and lines are short. */
START_TEST(help_is_whole)
{
    struct dtx_buf help = DTX_BUF_INIT, man = DTX_BUF_INIT;
    const struct dtx_option *table;
    char name[64];
    const char *s;
    size_t i, n;

    dtx_options_help(&help);
    dtx_options_man(&man);
    table = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        size_t k = 0;

        if (!table[i].name)
            continue;
        (void)snprintf(name, sizeof(name), "--%s", table[i].name);
        ck_assert_msg(strstr(help.data, name) != NULL, "help lacks %s", name);
        for (s = table[i].name; *s && k + 3 < sizeof(name); s++) {
            if (*s == '-')
                name[k++] = '\\';
            name[k++] = *s;
        }
        name[k] = '\0';
        ck_assert_msg(strstr(man.data, name) != NULL, "man lacks %s", name);
    }
    for (s = help.data; *s; s += strcspn(s, "\n") + 1)
        ck_assert_uint_lt(strcspn(s, "\n"), 80);
    dtx_buf_free(&help);
    dtx_buf_free(&man);
}
END_TEST

/* Names are unique, letters too, and every default can be read. */
START_TEST(table_is_sound)
{
    const struct dtx_option *t;
    size_t i, j, n;

    t = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        if (!t[i].name)
            continue;
        ck_assert_ptr_eq(dtx_option_named(t[i].name, strlen(t[i].name)),
                         &t[i]);
        for (j = i + 1; j < n; j++)
            ck_assert(!t[i].letter || t[i].letter != t[j].letter);
        ck_assert_int_eq(dtx_option_takes_value(&t[i]), t[i].arg != NULL);
    }
}
END_TEST

/* ---- where the file is ---- */

static const struct {
    const char *env;
    const char *name; /* file found, "" for none, NULL for an error */
    const char *text; /* its content, or what the error begins with */
} places[] = {
    {"", "", ""},
    {"HOME=relative", "", ""},
    {"HOME=/nowhere/at/all", "", ""},
    {"HOME=@home", "@home/.config/distributex/config", "of home\n"},
    {"HOME=@home;XDG_CONFIG_HOME=@xdg", "@xdg/distributex/config", "of xdg\n"},
    {"HOME=@home;XDG_CONFIG_HOME=xdg", "@home/.config/distributex/config",
     "of home\n"},
    {"HOME=@home;DTX_CONFIG=", "@home/.config/distributex/config",
     "of home\n"},
    {"HOME=@home;DTX_CONFIG=mine", "mine", "of mine\n"},
    {"DTX_CONFIG=missing", NULL,
     "environment variable DTX_CONFIG: cannot open missing: No such file"},
    {"DTX_CONFIG=.", NULL,
     "environment variable DTX_CONFIG: cannot read .: Is a directory"},
};

/* '@' is the scratch directory and a slash. */
static void expand_at(const char *from, char *to, size_t size)
{
    const char *at;
    size_t n = 0;

    to[0] = '\0';
    while ((at = strchr(from, '@')) != NULL) {
        n += (size_t)snprintf(to + n, size - n, "%.*s%s/", (int)(at - from),
                              from, dtx_scratch_path);
        from = at + 1;
    }
    (void)snprintf(to + n, size - n, "%s", from);
}

START_TEST(config_is_found)
{
    struct dtx_buf name = DTX_BUF_INIT, text = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    char env[1024], want[1024];
    int rc;

    expand_at(places[_i].env, env, sizeof(env));
    rc = dtx_options_config(get_from_row, env, &name, &text, &err);
    if (!places[_i].name) {
        ck_assert_int_ne(rc, 0);
        ck_assert_msg(strncmp(err.text, places[_i].text,
                              strlen(places[_i].text)) == 0, "%s", err.text);
    } else {
        ck_assert_msg(rc == 0, "%s", err.text);
        expand_at(places[_i].name, want, sizeof(want));
        ck_assert_str_eq(name.len > 0 ? name.data : "", want);
        ck_assert_str_eq(text.len > 0 ? text.data : "", places[_i].text);
    }
    dtx_buf_free(&name);
    dtx_buf_free(&text);
}
END_TEST

static int make_files(void)
{
    dtx_scratch_enter();
    return mkdir("home", 0700) == 0 && mkdir("home/.config", 0700) == 0 &&
           mkdir("home/.config/distributex", 0700) == 0 &&
           mkdir("xdg", 0700) == 0 && mkdir("xdg/distributex", 0700) == 0 &&
           dtx_scratch_write("home/.config/distributex/config", "of home\n",
                             8) &&
           dtx_scratch_write("xdg/distributex/config", "of xdg\n", 7) &&
           dtx_scratch_write("mine", "of mine\n", 8);
}

static const struct {
    const char *variable, *meant; /* NULL: none */
} slips[] = {
    {"DTX_RETRYS=3", "DTX_RETRIES"}, {"DTX_RUNDIR=d", "DTX_RUN_DIR"},
    {"DTX_Timeout=1", "DTX_TIMEOUT"}, {"DTX_HALTS=", "DTX_HALT"},
    {"DTX_RETRIES=3", NULL}, {"DTX_RANK=0", NULL}, {"DTX_CONFIG=f", NULL},
    {"DTX_MARKER=f", NULL}, {"DTX_SOMETHING_ELSE=1", NULL}, {"DTX_=1", NULL},
    {"DTX", NULL}, {"", NULL}, {"DT_RETRYS=3", NULL}, {"DTX_J=1", NULL},
};

START_TEST(slip)
{
    char meant[64] = "";
    bool found = dtx_options_slip(slips[_i].variable, meant, sizeof(meant));

    ck_assert_msg(found == (slips[_i].meant != NULL), "%s: %s",
                  slips[_i].variable, meant);
    if (found)
        ck_assert_str_eq(meant, slips[_i].meant);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/options");
    TCase *t = tcase_create("parse"), *c = tcase_create("config");

    if (!make_files())
        return EXIT_FAILURE;
    tcase_add_loop_test(t, row, 0, DTX_COUNT(rows));
    tcase_add_loop_test(t, help_comes_first, 0, DTX_COUNT(help_rows));
    tcase_add_loop_test(t, slip, 0, DTX_COUNT(slips));
    tcase_add_test(t, help_is_whole);
    tcase_add_test(t, table_is_sound);
    tcase_add_loop_test(c, config_is_found, 0, DTX_COUNT(places));
    suite_add_tcase(s, t);
    suite_add_tcase(s, c);
    return dtx_check_main(s);
}
