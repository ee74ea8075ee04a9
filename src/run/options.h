/* SPDX-License-Identifier: MIT */
/* run/options.h - the option table of "distributex run"
 *
 * One row per option (options_table.h): long name, letter, environment
 * variable, type, range, default, help.  Command line, environment,
 * configuration file, --help and the man page all come from it.  Order:
 * command line, environment (DTX_RUN_DIR for --run-dir), file, default.
 *
 * Inside a task (dtx_where) the environment's option variables are the outer
 * job's and are ignored.
 */
#ifndef DTX_RUN_OPTIONS_H
#define DTX_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"
#include "engine/master.h"
#include "run/place.h"
#include "task/outcome.h"

struct dtx_buf;
struct dtx_error;

enum dtx_resume { DTX_RESUME_NO, DTX_RESUME, DTX_RESUME_FAILED,
                  DTX_RETRY_FAILED };

enum dtx_bind { DTX_BIND_AUTO, DTX_BIND_CORE, DTX_BIND_NONE };

/* What the positional words are. */
enum dtx_form {
    DTX_FORM_NONE,     /* a resume: the journal knows the tasks */
    DTX_FORM_TASKFILE, /* 'task_file' */
    DTX_FORM_TEMPLATE, /* a command and its sources of arguments */
    DTX_FORM_ARRAY     /* --array and a command */
};

struct dtx_texts {
    char **text;
    size_t n, cap;
};

/* Texts are owned by the struct; 'words' are those of the command line. Zero
 * means "not given" where it can. */
struct dtx_options {
    struct dtx_jobs jobs;   /* -j: slots per node */
    uint32_t ranks;         /* --ranks: launch mpirun with that many */
    char *hostfile;         /* --hostfile: launch mpirun with it */
    char *run_dir;          /* --run-dir */
    enum dtx_resume resume; /* --resume, --resume-failed, --retry-failed */
    char *history;          /* --history: a directory, "none", or NULL */
    char *policy;           /* --policy; never NULL */
    bool blind_steals;      /* --blind-steals */
    uint32_t cpus;          /* --cpus of each task, 0 = not said */
    int64_t mem_bytes;      /* --mem of each task, 0 = not said */
    uint32_t gpus;          /* --gpus of each task */
    uint32_t retries;       /* --retries: attempts in all, default 1 */
    int64_t retry_delay_ns; /* --retry-delay, default 1 s */
    int64_t memfree;        /* --memfree in bytes, 0 = none */
    int64_t delay_ns;       /* --delay between two starts, 0 = none */
    int64_t timeout_ns;     /* --timeout, 0 = none */
    double timeout_percent; /* --timeout 200%: of the median, 0 = none */
    int64_t grace_ns;       /* --term-grace, from TERM to KILL, default 5 s */
    int term_signal;        /* --term-signal, default SIGTERM */
    struct dtx_when deadline; /* --deadline */
    enum dtx_late late;       /* --deadline-policy */
    bool requeue;           /* --requeue */
    int64_t lost_after_ns;  /* --lost-after, default 5 s, 0 = never */
    uint32_t crash_limit;   /* --crash-limit, default 5, 0 = none */
    uint32_t relaunches;    /* --relaunch, default 5 */
    struct dtx_halt halt;   /* --halt now|soon,fail|success|done=N|N% */
    char *node_setup;       /* --node-setup CMD */
    char *node_teardown;    /* --node-teardown CMD */
    int64_t node_limit_ns;  /* --node-setup-timeout, for each, default 10 min */
    char *joblog;           /* --joblog FILE */
    bool bar;               /* --bar: progress line even without a terminal */
    bool eta;               /* --eta: as --bar, with the time gone */
    bool quiet;             /* -q: no summary, no warnings */
    bool verbose;           /* -v */
    bool line_buffer;       /* show lines while their task runs */
    bool no_look;           /* --no-look: predict without sizes and marks */
    bool no_output;         /* --no-show: outputs go to out/ only, not to
                               stdout */
    enum dtx_keep keep;     /* --keep-outputs all|failed|none */
    char *results;          /* --results DIR, or NULL */
    bool keep_order;        /* -k: shown in the order of the tasks */
    bool equal_speeds;      /* --equal-speeds: ranks are not told apart */
    bool tag;               /* --tag: the task before each line shown */
    char *shell;            /* --shell, default /bin/sh */
    bool no_counters;       /* --counters auto|off */
    enum dtx_bind bind;     /* --bind auto|core|none */
    bool numa_spread;       /* --numa-spread yes|no */
    int64_t numa_bytes;     /* --numa-bandwidth a second, 0 = not said */
    char *tmp_dir;          /* --tmp-dir for captures */
    char *mpirun;           /* --mpirun, NULL: see run/supervise.h */
    int64_t sync_ns;        /* --sync: journal fdatasync interval, default
                               1 s; 0 = each write */
    struct dtx_texts arg_files; /* -a, in order */
    char *colsep;           /* --colsep */
    char *header;           /* --header, ":" or NULL */
    bool quote;             /* --quote: the command's own words as well */
    bool shuf;              /* --shuf */
    bool dry_run;           /* --dry-run */
    char *array;            /* --array */
    enum dtx_form form;
    char *task_file;        /* the positional, NULL when none */
    bool from_launcher;     /* 'task_file' is what LAUNCHER_JOB_FILE names */
    bool launcher;          /* tasks see what TACC Launcher tells them */
    char *launcher_dir;     /* then: LAUNCHER_WORKDIR, or NULL */
    char *const *words;     /* TEMPLATE, ARRAY: the positional words */
    size_t nwords;
};

enum dtx_options_end {
    DTX_OPTIONS_GO,   /* parsed */
    DTX_OPTIONS_DONE, /* help: 'text' is to be printed, status 0 */
    DTX_OPTIONS_BAD   /* usage error: 'err' is filled, status 102 */
};

/* Where environment variables come from: a callback, for tests. */
typedef const char *(*dtx_getenv_f)(void *ctx, const char *name);

struct dtx_options_input {
    int argc;           /* words behind "run" */
    char *const *argv;
    dtx_getenv_f get;   /* NULL: no environment (inside a task) */
    void *get_ctx;
    const char *config; /* contents of the configuration file, or NULL */
    size_t config_len;
    const char *config_name;
};

/* 'out' is to be finished after DTX_OPTIONS_GO; otherwise it is all zeroes and
 * may be finished. Options end at the first positional. A long flag takes
 * =yes or =no as well, to turn off what the environment says. An empty
 * environment variable counts as not set. */
enum dtx_options_end dtx_options_parse(const struct dtx_options_input *in,
                                       struct dtx_options *out,
                                       struct dtx_buf *text,
                                       struct dtx_error *err);
void dtx_options_fini(struct dtx_options *o);

/* Read the configuration file: $DTX_CONFIG, else
 * $XDG_CONFIG_HOME/distributex/config, else ~/.config/distributex/config; a
 * missing default file is no error. Lines "name = value" with long names,
 * '#' comments; flags take yes/no. 'name' and 'text' are filled. */
int dtx_options_config(dtx_getenv_f get, void *ctx, struct dtx_buf *name,
                       struct dtx_buf *text, struct dtx_error *err);

/* A variable of the environment, "NAME=value", that is no option's but looks
 * like a slip in the name of one: true, and the name that may be meant in
 * 'meant'. What the runtime itself puts into an environment is none. */
bool dtx_options_slip(const char *variable, char *meant, size_t size);

/* The help text, and the options part of the man page (roff). */
void dtx_options_help(struct dtx_buf *out);
void dtx_options_man(struct dtx_buf *out);
/* All of one option, "--halt", "halt" or "-j"; false when there is none. */
bool dtx_options_help_one(struct dtx_buf *out, const char *word);

#endif
