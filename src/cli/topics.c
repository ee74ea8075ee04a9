/* SPDX-License-Identifier: MIT */
/* The texts of the help topics.  Policies, exit statuses and variables come
 * from the tables of those who act on them; the rest is written here. */
#include "cli/topics.h"

#include <stdio.h>

#include "base/buf.h"
#include "run/page.h"
#include "run/status.h"
#include "sched/policy.h"
#include "sim/workload.h"

static void write_taskfile(struct dtx_page *p)
{
    dtx_page_para(p, "A task file holds one command per line. Blank lines and "
                     "lines that begin with '#' are skipped, except "
                     "directives: '#DTX key=value ...' stands alone before the "
                     "task it applies to.");
    dtx_page_code(p, "# a sweep\n"
                     "#DTX name=prep timeout=10m\n"
                     "./prepare input.dat\n"
                     "#DTX after=prep cpus=4\n"
                     "./simulate --seed 1 > 1.log\n"
                     "#DTX after=prep cpus=4\n"
                     "./simulate --seed 2 > 2.log\n"
                     "#DTX after=2-3\n"
                     "./collect *.log\n");
    dtx_page_item(p, "name=NAME", "a name for after=; several tasks may share "
                                  "it");
    dtx_page_item(p, "after=LIST", "run only when these tasks have succeeded: "
                                   "numbers, ranges and names, as in "
                                   "1,3-5,prep. Numbers count tasks from 1, "
                                   "not lines, and may name later tasks. A "
                                   "task behind a failed one is skipped and "
                                   "counts as failed");
    dtx_page_item(p, "cpus=N", "the cores it needs, on one rank");
    dtx_page_item(p, "mem=SIZE", "as --mem, for this task; 0: none");
    dtx_page_item(p, "gpus=N", "as --gpus, for this task");
    dtx_page_item(p, "prio=N", "larger ones run first");
    dtx_page_item(p, "timeout=DUR", "as --timeout, for this task; or none");
    dtx_page_item(p, "retries=N", "as --retries, for this task");
    dtx_page_item(p, "cwd=DIR", "the directory it runs in");
    dtx_page_para(p, "Files of GREASY ('[# 1-3,-2 #] command' and '[@ DIR @] "
                     "command', whose numbers are lines) and of disBatch "
                     "('#DISBATCH PREFIX', 'SUFFIX', 'REPEAT' and 'BARRIER') "
                     "are read as they are, and may hold #DTX lines too; one "
                     "file may not mix the two.");
    dtx_page_para(p, "A line that is only words is executed directly; one with "
                     "operators, variables, patterns, assignments or a shell's "
                     "own commands goes to /bin/sh -c (see --shell). A mistake "
                     "in the file is an error 'FILE:LINE: reason', before "
                     "anything runs.");
}

static void write_environment(struct dtx_page *p)
{
    dtx_page_para(p, "Each option of 'distributex run' can be given as a "
                     "variable: DTX_ and the long name in capitals, with '_' "
                     "for '-', as DTX_RUN_DIR for --run-dir. Options without a "
                     "value take yes or no (1 or 0, true or false), and "
                     "--name=no on the command line turns one off again. An "
                     "empty variable counts as not set. Inside a task they are "
                     "ignored, since they were the outer job's.");
    dtx_page_item(p, "DTX_CONFIG", "the configuration file, instead of "
                                   "~/.config/distributex/config (or that of "
                                   "XDG_CONFIG_HOME): lines 'name = value' "
                                   "with the long names, and comments that "
                                   "begin with '#'");
    dtx_page_item(p, "TMPDIR", "where outputs gather while a task runs, unless "
                               "--tmp-dir says otherwise");
    dtx_page_group(p, "What a task finds in its environment");
    dtx_page_item(p, "DTX_TASK_ID", "its number, from 1 (PARALLEL_SEQ as "
                                    "well)");
    dtx_page_item(p, "DTX_TASK_NAME", "its name=, if it has one");
    dtx_page_item(p, "DTX_ATTEMPT", "the attempt, from 1");
    dtx_page_item(p, "DTX_RANK", "the rank that runs it");
    dtx_page_item(p, "DTX_SLOT", "its slot, unique on its node, from 1 "
                                 "(PARALLEL_JOBSLOT as well)");
    dtx_page_item(p, "DTX_RUN_DIR", "the run directory");
    dtx_page_item(p, "DTX_REMAINING_SECONDS", "to the deadline, where there is "
                                              "one");
    dtx_page_item(p, "OMP_NUM_THREADS", "its cpus, unless it was set already");
    dtx_page_para(p, "The launcher's own variables are removed, so that a task "
                     "may itself call mpirun; what that starts stays on the "
                     "cores of the task (OMPI_MCA_hwloc_base_binding_policy="
                     "none). Settings of yours (OMPI_MCA_..., PRTE_MCA_...) "
                     "reach the tasks of one process as they are; under "
                     "mpirun or --ranks they cannot be told from mpirun's own "
                     "and are removed: set them in the command. "
                     "In a Slurm job a task sees one of its own: "
                     "SLURM_NTASKS and SLURM_NNODES are 1, "
                     "SLURM_CPUS_PER_TASK its cores.");
}

static void write_policies(struct dtx_page *p)
{
    const struct dtx_policy *table;
    struct dtx_buf text = DTX_BUF_INIT;
    size_t i, n;

    dtx_page_para(p, "The policy decides how many tasks a rank is given at a "
                     "time, and whether idle ranks take work from loaded "
                     "ones.");
    table = dtx_policy_table(&n);
    for (i = 0; i < n; i++) {
        dtx_buf_clear(&text);
        dtx_buf_printf(&text, "%s%s (%s)", table[i].help,
                       i == 0 ? "; the default" : "", table[i].source);
        dtx_page_item(p, table[i].name,
                      text.failed ? table[i].help : text.data);
    }
    dtx_buf_free(&text);
}

static void write_exit_status(struct dtx_page *p)
{
    static const struct {
        int first, last;
        const char *text;
    } rows[] = {
#define EXIT_ROW(name, first, last, text) {first, last, text},
        DTX_EXIT_MAP(EXIT_ROW)
#undef EXIT_ROW
    };
    char range[32];
    size_t i;

    dtx_page_para(p, "Of 'distributex run', about the whole job, earlier "
                     "sessions included:");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].first == rows[i].last)
            (void)snprintf(range, sizeof(range), "%d", rows[i].first);
        else
            (void)snprintf(range, sizeof(range), "%d to %d", rows[i].first,
                           rows[i].last);
        dtx_page_item(p, range, rows[i].text);
    }
    dtx_page_para(p, "The other commands end with 0, with 1 when they could "
                     "not do what was asked, and with the statuses above for "
                     "bad usage and run directories.");
}

static void write_resume(struct dtx_page *p)
{
    dtx_page_para(p, "Whatever ends a job, it can go on: what has finished is "
                     "in the journal of its run directory. Without a task file "
                     "the journal's own list counts; with one, tasks may have "
                     "been added, removed and moved: a task is known by its "
                     "command, its directory and its occurrence, not by its "
                     "line (GNU parallel's --resume goes by the number).");
    dtx_page_item(p, "--resume", "run what has not finished; what has failed "
                                 "stays failed");
    dtx_page_item(p, "--resume-failed", "run what has not finished and what "
                                        "has failed");
    dtx_page_item(p, "--retry-failed", "run what has failed, and what was "
                                       "skipped because of it");
    dtx_page_para(p, "GNU parallel keeps what has finished in the joblog, by "
                     "sequence number: a list that has grown at its front is "
                     "resumed wrongly there, and rightly here. It needs "
                     "--joblog to resume; here the run directory is enough. "
                     "--resume-failed and --retry-failed mean the same in "
                     "both.");
    dtx_page_code(p, "distributex run --resume\n"
                     "mpirun -n 64 distributex run --resume-failed --run-dir "
                     "distributex-4711\n"
                     "distributex run --resume --run-dir distributex-4711 "
                     "longer.txt\n");
    dtx_page_para(p, "Ctrl-C, TERM, USR1 and 'distributex stop' let running "
                     "tasks finish and leave; a second Ctrl-C ends them. What "
                     "was running when a rank died may run again, as a new "
                     "attempt.");
    dtx_page_para(p, "A Slurm job that is started again (its time was over and "
                     "it had --requeue, preemption, a lost node) resumes by "
                     "itself.");
}

static void write_files(struct dtx_page *p)
{
    dtx_page_para(p, "A job keeps everything in its run directory: that of "
                     "--run-dir, else a new ./distributex-<Slurm job, or UTC "
                     "time and pid>. All nodes must see it.");
    dtx_page_item(p, "journal", "the outcomes, each record with its checksum; "
                                "what is in it is finished");
    dtx_page_item(p, "out/", "the outputs, packed per session and rank, and an "
                             "index to them ('distributex output')");
    dtx_page_item(p, "lease", "who runs the job; it keeps a second one out");
    dtx_page_item(p, "stop", "a request to drain ('distributex stop')");
    dtx_page_item(p, "slurm-job", "the Slurm job and which start of it: a "
                                  "later start goes on by itself");
    dtx_page_para(p, "Beside run directories that were not named by --run-dir "
                     "stands distributex-latest, a link to the last one, which "
                     "commands use when none is named.");
    dtx_page_item(p, "~/.config/distributex/config",
                  "settings, as lines 'name = value' with the long names of "
                  "options ('distributex help environment')");
}

static void write_joblog(struct dtx_page *p)
{
    dtx_page_para(p, "--joblog writes a line for each task that ended, with "
                     "the nine columns of GNU parallel, separated by tabs: "
                     "Seq Host Starttime JobRuntime Send Receive Exitval "
                     "Signal Command. A task that was skipped, since one it "
                     "waits for failed, never ran and has no line, as with GNU "
                     "parallel; it counts as failed all the same.");
}

static void write_workloads(struct dtx_page *p)
{
    const struct dtx_workload_row *row;
    struct dtx_buf term = DTX_BUF_INIT;
    size_t i, n;

    dtx_page_para(p, "A workload is NAME:KEY=VALUE,... Each takes tasks=1000, "
                     "mean=1s (the average), cpus=1 (slots that a task needs), "
                     "mem=0 and gpus=0 (memory and devices of its node) and "
                     "layers=1 (a layer begins when the one before it has "
                     "ended), here with what they are when not given. The "
                     "names, and what they take beside these:");
    row = dtx_workload_table(&n);
    for (i = 0; i < n; i++) {
        dtx_buf_clear(&term);
        dtx_buf_printf(&term, "%s %s", row[i].name, row[i].keys);
        dtx_page_item(p, term.failed ? row[i].name : term.data, row[i].help);
    }
    dtx_buf_free(&term);
}

static void write_simulation(struct dtx_page *p)
{
    dtx_page_para(p, "'distributex simulate' runs the engine and the policies "
                     "of 'distributex run' on a machine that is imagined: "
                     "virtual time, and ranks whose messages take time and "
                     "keep processors busy. The same seed brings the same "
                     "numbers.");
    dtx_page_code(p, "distributex simulate --workload "
                     "lognormal:mean=10s,tasks=100000 \\\n"
                     "    --nodes 100 --slots 64 --policy all\n");
    write_workloads(p);
    dtx_page_group(p, "What is printed");
    dtx_page_item(p, "makespan", "from the start to the last record");
    dtx_page_item(p, "lower bound", "the longest of: all work divided by all "
                                    "slots, the longest task, the longest "
                                    "chain of tasks that wait for one another");
    dtx_page_item(p, "ideal", "the makespan of the same policy where messages, "
                              "the master and the journal cost nothing");
    dtx_page_item(p, "efficiency", "ideal divided by makespan: what the "
                                   "master and the network leave. Two "
                                   "schedules of equal quality differ by "
                                   "chance, so it can exceed 1 a little");
    dtx_page_item(p, "messages", "that the master heard and sent");
    dtx_page_item(p, "busy as the master", "the share of the makespan in which "
                                           "rank 0's process did the master's "
                                           "work: near 100 % it is the limit");
    dtx_page_para(p, "In JSON (--json) times are seconds and shares are parts "
                     "of 1; events, seconds and memory (bytes) tell what the "
                     "simulation itself took.");
}

static void write_examples(struct dtx_page *p)
{
    dtx_page_para(p, "All cores of this machine:");
    dtx_page_code(p, "distributex run sweep.txt\n");
    dtx_page_para(p, "64 ranks, under mpirun and under Slurm:");
    dtx_page_code(p, "mpirun -n 64 distributex run sweep.txt\n"
                     "sbatch slurm/distributex.sbatch sweep.txt\n"
                     "distributex submit --nodes 8 --time 4h sweep.txt\n");
    dtx_page_para(p, "Three attempts of ten minutes each, and the end of the "
                     "job once a tenth of the tasks has failed:");
    dtx_page_code(p, "distributex run --retries 3 --timeout 10m --halt "
                     "soon,fail=10% sweep.txt\n");
    dtx_page_para(p, "Stop it from another terminal, look at what task 17 "
                     "wrote, go on:");
    dtx_page_code(p, "distributex stop\n"
                     "distributex output 17\n"
                     "distributex run --resume\n");
}

static const struct dtx_topic table[] = {
    {"taskfile", "TASK FILE", "what a task file may hold", write_taskfile},
    {"resume", "RESUME", "stopping a job and going on with it", write_resume},
    {"policies", "POLICIES", "who gets the next tasks", write_policies},
    {"environment", "ENVIRONMENT", "variables and the configuration file",
     write_environment},
    {"exit-status", "EXIT STATUS", "what the exit status means",
     write_exit_status},
    {"joblog", "JOBLOG", "the log in the form of GNU parallel", write_joblog},
    {"files", "FILES", "the run directory and what is in it", write_files},
    {"simulation", "SIMULATION", "imagined jobs and machines, and the words",
     write_simulation},
    {"examples", "EXAMPLES", "command lines to begin with", write_examples},
};

const struct dtx_topic *dtx_topic_table(size_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}
