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
    X(profile, "[--json] [RUNDIR | FILE] [TASK...]",                           \
      "tell what the tasks of a job used, class by class: cores, waiting for " \
      "devices, instructions per cycle, misses of the last cache per 1000 "    \
      "instructions, what a core took from memory, and the most memory one "   \
      "held; '-': not measured. With TASK, a number from 1, a range such as "  \
      "3-5, or several of these with commas, each attempt at it and what was " \
      "counted. FILE is a run.h5; the first word is RUNDIR unless it is a "    \
      "number")                                                                \
    X(simulate,                                                                \
      "(--workload SPEC | --from PATH) [options]",                             \
      "run a job that is imagined, or was recorded, on a machine that need "   \
      "not exist, with the engine and the policies of the real run, and tell " \
      "how long it takes and what limits it; 'distributex help simulation' "   \
      "has the workloads and the terms. Several nodes or policies make a "     \
      "table")                                                                 \
    X(predict,                                                                 \
      "[--history DIR] [--sizes FILE] [--json] TASKFILE | [options of run] "   \
      "COMMAND ::: ARGUMENT...",                                               \
      "say what each task of TASKFILE (or of a template, or of an array: "     \
      "words as 'distributex run' takes them, options in front) will take, "   \
      "with an interval that nine of ten outcomes lie in, for each class of "  \
      "tasks and in all, from what the history tells")                         \
    X(plan, "[options] [options of run] TASKFILE",                             \
      "say how long TASKFILE (or a template, or an array: all that "           \
      "'distributex run' takes) will run on how many nodes, what that costs, " \
      "which time to ask for and how many nodes to take, and why: from what "  \
      "the history tells of its tasks, and the simulator. Runs nothing. "      \
      "'distributex submit --plan' asks Slurm for just that")                  \
    X(history,                                                                 \
      "list|show [CLASS]|import LOG...|merge|prune|score LOG|runfile RUNDIR "  \
      "[--history DIR] [--sizes FILE] [--json]",                               \
      "what tasks took in earlier jobs. LOG is a joblog of GNU parallel's or " \
      "ours, a run directory, or a run.h5. 'list' lists the history's files, " \
      "'show' what is known of each class whose name contains CLASS, 'import' "\
      "learns from logs, 'merge' makes one file of all, 'prune' removes old "  \
      "ones, 'score' replays a log in its order and tells how well each task " \
      "would have been predicted before it was run; it begins with nothing, "  \
      "or with --history. 'runfile' writes run.h5 into a run directory, "      \
      "with everything its journal tells, as a job with --history does at "    \
      "its end")                                                     \
    X(topo, "[--json]",                                                        \
      "show the machine as a run sees it here: cores, caches, NUMA nodes, "    \
      "memory and its limit, GPUs, switches; what is missing, and how to "     \
      "get it")                                                                \
    X(help, "[TOPIC]", "explain a command, an option or a topic")              \
    X(completion, "bash | zsh", "print the completion script of a shell")      \
    X(version, "[-v]", "print the version; with -v those of the libraries")

#define DTX_CMD_HISTORY_HELP                                                   \
    "the directory of the history (default: $DTX_HISTORY, else "               \
    "~/.local/share/distributex/history)"
#define DTX_CMD_SIZES_HELP                                                     \
    "sizes of files that are not there any more: lines of name, tab, bytes, "  \
    "tab, Seq of the task that writes the file, or 0; a size is used once its "\
    "writer is done"

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
    X(submit, "plan", 0, NULL,                                                 \
      "nodes and time, where not given, as 'distributex plan' recommends "     \
      "them (99 % sure) for nodes of --cpus-per-node cores, else of as many "  \
      "as this machine has")                                                   \
    X(submit, "dry-run", 0, NULL, "print the script and send nothing")         \
    X(output, "stdout", 0, NULL, "print only what it wrote to stdout")         \
    X(output, "stderr", 0, NULL, "print only what it wrote to stderr")         \
    X(output, "state", 0, "all|ok|failed|killed|timeout",                      \
      "print those of the tasks that ended so; without TASK, of all")          \
    X(output, "follow", 0, NULL, "print outputs as tasks end")                 \
    X(profile, "json", 0, NULL,                                                \
      "print JSON, null for what was not measured; misses are per "            \
      "instruction, memory_bytes_per_second of a core")                        \
    X(simulate, "workload", 0, "SPEC",                                         \
      "the tasks: NAME:KEY=VALUE,..., such as "                                \
      "lognormal:mean=10s,sigma=0.5,tasks=10000")                              \
    X(simulate, "from", 0, "PATH",                                             \
      "the tasks of a run, with the times they took: a run directory, with "   \
      "what waits for what ('latest' for the last one), or a joblog, also "    \
      "GNU parallel's")                                                        \
    X(simulate, "nodes", 0, "LIST",                                            \
      "how many nodes: a number, or several as in 1,2,4-8 (default: 1)")       \
    X(simulate, "slots", 0, "N",                                               \
      "slots of each node, divided among its ranks (default: 1)")              \
    X(simulate, "ranks-per-node", 0, "N", "ranks of each node (default: 1)")   \
    X(simulate, "policy", 0, "NAME",                                           \
      "the policy, or several with commas, or all")                            \
    X(simulate, "order", 0, "file|lpt|predicted",                              \
      "ready tasks start as they come, longest first, or longest first as "    \
      "far as predicted (default: file)")                                      \
    X(simulate, "history", 0, "DIR",                                           \
      "--from with --order predicted: predictions are those of the real "      \
      "predictor with this history; which should not hold the very run")       \
    X(simulate, "prediction-error", 0, "SIGMA",                                \
      "without --history: predictions are off by a lognormal factor of this "  \
      "sigma (default: 0.3)")                                                  \
    X(simulate, "seed", 0, "N", "what is drawn follows from it (default: 1)")  \
    X(simulate, "latency", 0, "DUR",                                           \
      "the way of a message from node to node (default: 2us)")                 \
    X(simulate, "latency-near", 0, "DUR",                                      \
      "the same inside a node, with waking its reader (default: 20us)")        \
    X(simulate, "nodes-per-switch", 0, "N",                                    \
      "nodes of one switch (default: all)")                                    \
    X(simulate, "latency-switch", 0, "DUR",                                    \
      "what the way to a node of another switch takes more (default: 1us)")    \
    X(simulate, "jitter", 0, "DUR",                                            \
      "a message takes up to this much longer (default: 0)")                   \
    X(simulate, "bandwidth", 0, "SIZE",                                        \
      "bytes a second of a node's link (default: 10G)")                        \
    X(simulate, "taper", 0, "N",                                               \
      "between switches there is so many times less bandwidth than below one " \
      "(default: 1)")                                                          \
    X(simulate, "task-data", 0, "SIZE",                                        \
      "what each task reads: it is brought to the node the task is granted "   \
      "to first, and fetched from there when the task is stolen (default: 0)") \
    X(simulate, "blind-steals", 0, NULL,                                       \
      "idle ranks take tasks from the slowest rank, however far it is")        \
    X(simulate, "message-cost", 0, "DUR",                                      \
      "of the processor for each message, at its sender and at its receiver "  \
      "(default: as measured, 0.1us and 0.36us)")                              \
    X(simulate, "nap", 0, "DUR",                                               \
      "the longest sleep before an idle rank looks for messages of other "     \
      "nodes; 0s: it is woken (default: 1ms)")                                 \
    X(simulate, "master-message", 0, "DUR",                                    \
      "the master's service time for each message (default: as measured, "     \
      "0.22us)")                                                               \
    X(simulate, "master-task", 0, "DUR",                                       \
      "the master's service time for each task (default: as measured, 0.8us "  \
      "up to 1,000 ranks, 1.1us at 10,000, 2.2us at 100,000)")                 \
    X(simulate, "store", 0, "DUR",                                             \
      "until outcomes are in the journal (default: 0.2ms)")                    \
    X(simulate, "spawn", 0, "DUR",                                             \
      "what starting a process adds to a task (default: 0.7ms as measured; of "\
      "recorded times, which hold most of it, 0.1ms)")                         \
    X(simulate, "numa", 0, "N",                                                \
      "NUMA nodes of each node; memory-bound tasks of one slow one another")   \
    X(simulate, "numa-streams", 0, "N",                                        \
      "so many tasks that do nothing but move data fill the memory of a NUMA " \
      "node (default: 4)")                                                     \
    X(simulate, "memory-bound", 0, "B[:SHARE]",                                \
      "with --numa: this share of the tasks (default: 1) waits for memory for "\
      "the share B of its time, while it is alone")                            \
    X(simulate, "numa-spread", 0, "yes|no",                                    \
      "with --memory-bound: the master knows which tasks are, runs no more of "\
      "them in a NUMA node than fill its memory while others wait, and says "  \
      "what that gained (default: yes)")                                       \
    X(simulate, "speed-sigma", 0, "SIGMA",                                     \
      "nodes differ in speed by a lognormal factor of this sigma")             \
    X(simulate, "slow", 0, "N:FACTOR",                                         \
      "the last N nodes take FACTOR times as long")                            \
    X(simulate, "equal-speeds", 0, NULL,                                       \
      "ranks that take longer get as much as others all the same")             \
    X(simulate, "noise", 0, "SIGMA",                                           \
      "tasks differ from what they should take by a lognormal factor")         \
    X(simulate, "fail", 0, "SHARE",                                            \
      "this share of the attempts fails, from 0 to 0.99")                      \
    X(simulate, "retries", 0, "N", "attempts of a task in all (default: 1)")   \
    X(simulate, "rank-mtbf", 0, "DUR",                                         \
      "mean time until a rank dies; rank 0 does not")                          \
    X(simulate, "node-mtbf", 0, "DUR",                                         \
      "mean time until a node dies; that of rank 0 does not")                  \
    X(simulate, "detect", 0, "DUR",                                            \
      "until the death of a rank is noticed (default: 5s)")                    \
    X(simulate, "deadline", 0, "DUR",                                          \
      "start nothing after this time; what is left is told")                   \
    X(simulate, "trace", 0, NULL,                                              \
      "tell on stderr what happens: each message, and what the master and "    \
      "the ranks say of it, such as who is robbed and why")                    \
    X(simulate, "json", 0, NULL,                                               \
      "print makespan, lower_bound, ideal_makespan, efficiency, steals, "      \
      "messages, master_busy, events, seconds and memory (bytes, the most of " \
      "this process) as JSON; of several runs a list, with nodes and policy")  \
    X(predict, "history", 0, "DIR", DTX_CMD_HISTORY_HELP)                      \
    X(predict, "sizes", 0, "FILE", DTX_CMD_SIZES_HELP)                         \
    X(predict, "json", 0, NULL, "print JSON")                                  \
    X(plan, "nodes", 0, "LIST",                                                \
      "how many nodes to look at: a number, or several as in 1,2,4-8 "         \
      "(default: 1, 2, 3, 4, 6, 8, 12 ... while more of them help)")           \
    X(plan, "slots", 0, "N",                                                   \
      "slots of each node (default: what -j says, else as many as this "       \
      "machine has cores)")                                                    \
    X(plan, "within", 0, "TIME",                                               \
      "recommend the fewest nodes that end within TIME, start included, nine " \
      "times of ten (default: those with the most speedup for each "           \
      "core-hour)")                                                            \
    X(plan, "confidence", 0, "90|99",                                          \
      "how sure, in per cent, the recommended time is to be enough (default: " \
      "99; with --within 90)")                                                 \
    X(plan, "draws", 0, "N",                                                   \
      "draw what tasks take so many times, from 20 to 10000 (default: 200)")   \
    X(plan, "seed", 0, "N", "what is drawn follows from it (default: 1)")      \
    X(plan, "history", 0, "DIR", DTX_CMD_HISTORY_HELP)                         \
    X(plan, "sizes", 0, "FILE", DTX_CMD_SIZES_HELP)                            \
    X(plan, "json", 0, NULL,                                                   \
      "print tasks, slots, draws, plans (of each number of nodes makespan, "   \
      "low, high, walltime_90, walltime_99, core_hours, efficiency, limit) "   \
      "and recommended (nodes, reason) as JSON; times are seconds")            \
    X(plan, "sbatch", 0, NULL,                                                 \
      "print the batch script of the recommended plan for Slurm")              \
    X(history, "history", 0, "DIR", DTX_CMD_HISTORY_HELP)                      \
    X(history, "sizes", 0, "FILE", DTX_CMD_SIZES_HELP)                         \
    X(history, "json", 0, NULL, "list, show, score: print JSON")               \
    X(history, "older", 0, "TIME",                                             \
      "prune: remove files made longer ago than this, such as 90d")            \
    X(history, "open", 0, NULL,                                                \
      "prune: remove the files of jobs that have not ended, if they were "     \
      "killed")                                                                \
    X(topo, "json", 0, NULL, "print JSON")                                     \
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
