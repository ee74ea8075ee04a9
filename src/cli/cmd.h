/* SPDX-License-Identifier: MIT */
/* cli/cmd.h - the commands of the program
 *
 * One row per command; dispatch, help and the man page come from it.  Each is
 * a function of main's own arguments (argv[0] the program, argv[1] the
 * command's name, if there is one) that prints what the user should see and
 * returns the exit status (run/status.h).
 */
#ifndef DTX_CLI_CMD_H
#define DTX_CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>

struct dtx_buf;
struct dtx_error;
struct dtx_page;

/* X(name, arguments, help) */
#define DTX_CMD_MAP(X)                                                         \
    X(run, "[options] TASKFILE", "run the commands in TASKFILE, one per line") \
    X(submit, "[options] [options of run] TASKFILE",                           \
      "write a batch job for Slurm that runs TASKFILE (or a template, or an "  \
      "array: all that 'distributex run' takes), send it, and print its "      \
      "number and how to watch it. It has whole nodes, a rank on each, and a " \
      "slot for each of their cores; when its time is over with work left it " \
      "queues itself again and goes on. TASKFILE and the options of run are "  \
      "checked first")                                                         \
    X(stop, "[RUNDIR]",                                                        \
      "ask a running job to start nothing new, to let running tasks finish "   \
      "and to leave; 'distributex run --resume' goes on with it")              \
    X(output,                                                                  \
      "[--stdout | --stderr] [--state STATE] [--follow] [RUNDIR] TASK...",     \
      "print what tasks wrote, in their order, their stdout to stdout and "    \
      "their stderr to stderr; TASK is a number from 1, a range such as 3-5 "  \
      "or 7-, a name=, or several of these with commas. --state ok, failed "   \
      "(whatever did not succeed), killed (by a signal), timeout or all takes "\
      "those of that state, of all tasks where none is named. --follow prints "\
      "them as they end, until the job does. The first of several words is "   \
      "RUNDIR unless it is a number")                                          \
    X(help, "[TOPIC]", "explain a command, an option or a topic")              \
    X(completion, "bash | zsh", "print the completion script of a shell")      \
    X(version, "[-v]", "print the version; with -v those of the libraries")

/* The options of the commands other than run, whose own are in
 * run/options_table.h: X(command, name, letter or 0, value or NULL, help). A
 * value is what help calls it, or the words there are: "ok|failed". */
#define DTX_CMD_OPTION_MAP(X)                                                  \
    X(submit, "nodes", 'N', "N", "so many nodes (default: 1)")                 \
    X(submit, "time", 't', "TIME",                                             \
      "for so long: 4h, 1h30m, 04:00:00, 1-12:00:00, or minutes (default: "    \
      "that of the partition)")                                                \
    X(submit, "partition", 'p', "NAME", "in this partition")                   \
    X(submit, "account", 'A', "NAME", "charged to this account")               \
    X(submit, "qos", 0, "NAME", "with this quality of service")                \
    X(submit, "job-name", 'J', "NAME", "called so (default: distributex)")     \
    X(submit, "cpus-per-node", 0, "N",                                         \
      "so many cores of each node, shared with other jobs, in place of whole " \
      "nodes")                                                                 \
    X(submit, "mem-per-node", 0, "SIZE", "so much memory of each node")        \
    X(submit, "gpus-per-node", 0, "N", "so many GPUs of each node")            \
    X(submit, "sbatch", 0, "OPTION",                                           \
      "another option of sbatch as it is: --sbatch=--constraint=ib; may be "   \
      "given several times")                                                   \
    X(submit, "no-requeue", 0, NULL,                                           \
      "end when the time is over; 'distributex run --resume' goes on")         \
    X(submit, "dry-run", 0, NULL, "print the script and send nothing")         \
    X(output, "stdout", 0, NULL, "print only what it wrote to stdout")         \
    X(output, "stderr", 0, NULL, "print only what it wrote to stderr")         \
    X(output, "state", 0, "all|ok|failed|killed|timeout",                      \
      "print those of the tasks that ended so; without TASK, of all")          \
    X(output, "follow", 0, NULL, "print outputs as tasks end")                 \
    X(version, "verbose", 'v', NULL, "name the libraries as well")

#define DTX_CMD_DECLARE(name, args, help)                                      \
    int dtx_cmd_##name(int argc, char **argv);
DTX_CMD_MAP(DTX_CMD_DECLARE)
#undef DTX_CMD_DECLARE

/* The status of a command that could not do what it was asked, where
 * run/status.h has no better one. */
#define DTX_CMD_FAILED 1

struct dtx_cmd {
    const char *name;
    const char *args;
    const char *help;
    int (*run)(int argc, char **argv);
};

struct dtx_cmd_option {
    const char *command;
    const char *name;
    char letter;
    const char *value;
    const char *help;
};

const struct dtx_cmd_option *dtx_cmd_option_table(size_t *count);
const struct dtx_cmd *dtx_cmd_table(size_t *count);
/* The row of this name, or NULL. */
const struct dtx_cmd *dtx_cmd_find(const char *name);

/* Print "distributex: text" to stderr; the status for bad usage. */
int dtx_cmd_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Print the error likewise and return 'status'. */
int dtx_cmd_fail(int status, const struct dtx_error *err);
/* Refuse a word that the command does not know as an option. */
int dtx_cmd_unknown_option(const char *command, const char *word);

/* Write all bytes to 'fd', waiting where it does not block: 0, or -1 with
 * errno. */
int dtx_cmd_write(int fd, const void *data, size_t len);
/* Print to stdout and free the buffer: the exit status. A reader that has gone
 * away is no failure. */
int dtx_cmd_print(struct dtx_buf *b);
/* The options of a command as items of a page. */
void dtx_cmd_put_options(struct dtx_page *p, const char *command);
/* Print how a command is called, as its --help. */
int dtx_cmd_print_usage(const char *command);
/* Is it -h or --help? */
bool dtx_cmd_asks_help(const char *word);

#endif
