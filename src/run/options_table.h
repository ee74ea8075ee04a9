/* SPDX-License-Identifier: MIT */
/* run/options_table.h - every option of "distributex run", one row each
 *
 * G(title): a group begins.
 * X(name, letter, kind, place, arg, lo, hi, value, help): the long name; the
 * letter or 0; how its value reads (enum dtx_option_kind) and where it goes
 * (AT(field of struct dtx_options), or 0); what help calls the value; the
 * range (nanoseconds for durations; of a mode, 'lo' is the enum dtx_resume);
 * the default or NULL; the help.
 *
 * Internal to run/; includers define AT.
 */
#ifndef DTX_RUN_OPTIONS_TABLE_H
#define DTX_RUN_OPTIONS_TABLE_H

#define DTX_OPTION_SECOND INT64_C(1000000000)
#define DTX_OPTION_HOUR (3600 * DTX_OPTION_SECOND)
#define DTX_OPTION_DAY (24 * DTX_OPTION_HOUR)

#define DTX_OPTION_MAP(G, X)                                                   \
    G("Where it runs")                                                         \
    X("jobs", 'j', JOBS, AT(jobs), "N", 0, 65535, NULL,                        \
      "run N tasks at a time on each node, divided among its ranks (default: " \
      "one for each core that may be used). +N, -N, N%: so many more than "    \
      "those cores, fewer, or that share of them; 0: as many as there are "    \
      "tasks and the limit of open files allows, up to 1024. -P and "          \
      "--max-procs mean the same")                                             \
    X("ranks", 0, NUMBER, AT(ranks), "N", 1, 1000000, NULL,                    \
      "launch mpirun with N ranks and watch over it (default: one process, "   \
      "without MPI; under mpirun or srun this process is a rank)")             \
    X("hostfile", 0, TEXT, AT(hostfile), "FILE", 0, 0, NULL,                   \
      "launch mpirun on the hosts that FILE lists")                            \
    X("mpirun", 0, TEXT, AT(mpirun), "PATH", 0, 0, NULL,                       \
      "the mpirun to launch (default: $MPIRUN, else mpirun)")                  \
    X("bind", 0, BIND, AT(bind), "HOW", 0, 0, "auto",                          \
      "core: bind each task to its cores; none: never; auto: where the rank "  \
      "has its cores for itself")                                              \
    X("counters", 0, COUNTERS, AT(no_counters), "HOW", 0, 0, "auto",           \
      "auto: count what long tasks do by the processor's or the kernel's "     \
      "counters, where there are any (see topo); off: never")                  \
    X("numa-spread", 0, YESNO, AT(numa_spread), "yes|no", 0, 0, "yes",         \
      "where the processor's counters show that tasks are bound by memory "    \
      "bandwidth: start no more of them in a NUMA node than fill its memory "  \
      "while others wait, bind them there, and say what came of it; no: heed " \
      "it not")                                                                \
    X("numa-bandwidth", 0, SIZE, AT(numa_bytes), "SIZE", 0, 0, NULL,           \
      "what the memory of a NUMA node moves in a second, as STREAM measures "  \
      "it: 100G (default: a little more than one was seen to move)")           \
    X("cpus", 0, NUMBER, AT(cpus), "N", 1, DTX_MAX_CPUS, NULL,                 \
      "give each task N of a rank's slots, near each other, and tell it so in "\
      "OMP_NUM_THREADS. A task's own cpus= wins")                              \
    X("mem", 0, SIZE, AT(mem_bytes), "SIZE", 0, 0, NULL,                       \
      "start a task only while its node has so much memory left, counting "    \
      "what the tasks there have asked for: 512M, 4G. A node has what the "    \
      "machine has, the cgroup's limit or the Slurm job's, whichever is "      \
      "least. A task's own mem= wins")                                         \
    X("gpus", 0, NUMBER, AT(gpus), "N", 0, DTX_MAX_GPUS, NULL,                 \
      "give each task N GPUs of its own, near its cores, and name them in "    \
      "CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES. A task's own gpus= wins") \
    G("Which tasks run, and in what order")                                    \
    X("policy", 0, POLICY, AT(policy), "NAME", 0, 0, NULL,                     \
      "who gets the next tasks, and how many; 'distributex help policies' "    \
      "lists them")                                                            \
    X("blind-steals", 0, FLAG, AT(blind_steals), NULL, 0, 0, NULL,             \
      "idle ranks take tasks from the rank that is behind most, however far "  \
      "it is; without this, from the nearest of those that are behind most")   \
    X("resume", 0, MODE, 0, NULL, DTX_RESUME, 0, NULL,                         \
      "go on with the job in the run directory: run what has not finished")    \
    X("resume-failed", 0, MODE, 0, NULL, DTX_RESUME_FAILED, 0, NULL,           \
      "as --resume, and run again what has failed")                            \
    X("retry-failed", 0, MODE, 0, NULL, DTX_RETRY_FAILED, 0, NULL,             \
      "run again what has failed, and what was skipped because of it, and "    \
      "nothing else")                                                          \
    X("history", 0, TEXT, AT(history), "DIR|none", 0, 0, NULL,                 \
      "learn from the outcomes in DIR, and add this job's: tasks that are "    \
      "predicted to take longest start first; see 'distributex history' "      \
      "(default: none; a line \"history = DIR\" in the configuration file is " \
      "for all jobs)")                                                         \
    X("no-look", 0, FLAG, AT(no_look), NULL, 0, 0, NULL,                       \
      "with --history: ask the file system neither for the sizes of files "    \
      "that commands name nor when their programs were changed")               \
    X("equal-speeds", 0, FLAG, AT(equal_speeds), NULL, 0, 0, NULL,             \
      "give all ranks alike; without this, one whose processors others use, "  \
      "or whose tasks are seen to take longer than predicted, beside the "     \
      "others' (with --history), gets that much less, and is left out at the " \
      "end where another would be done earlier. Both name it")                 \
    G("Templates and job arrays")                                              \
    X("arg-file", 'a', TEXTS, AT(arg_files), "FILE", 0, 0, NULL,               \
      "the lines of FILE ('-' is standard input) are arguments for the "       \
      "command, as with '::::'; may be given several times")                   \
    X("colsep", 'C', TEXT, AT(colsep), "REGEX", 0, 0, NULL,                    \
      "split each line where REGEX (extended) matches: {1}, {2} ... are the "  \
      "columns")                                                               \
    X("header", 0, HEADER, AT(header), ":", 0, 0, NULL,                        \
      "the first line of each source names its columns: {name}")               \
    X("quote", 0, FLAG, AT(quote), NULL, 0, 0, NULL,                           \
      "quote the command's own words too, so that the shell reads them as "    \
      "they were given")                                                       \
    X("shuf", 0, FLAG, AT(shuf), NULL, 0, 0, NULL,                             \
      "run the combinations in random order")                                  \
    X("array", 0, ARRAY, AT(array), "SPEC", 0, 0, NULL,                        \
      "run the command once for each index, as a Slurm job array: 1-1000:2, "  \
      "or 1,3,7-9; it finds it in SLURM_ARRAY_TASK_ID")                        \
    X("dry-run", 0, FLAG, AT(dry_run), NULL, 0, 0, NULL,                       \
      "print the commands and run nothing")                                    \
    G("Failures and time")                                                     \
    X("retries", 0, NUMBER, AT(retries), "N", 1, DTX_MAX_RETRIES, "1",         \
      "attempts in all for a task that fails")                                 \
    X("retry-delay", 0, DURATION, AT(retry_delay_ns), "DUR", 0,                \
      DTX_OPTION_DAY, "1s", "pause before a further attempt")                  \
    X("delay", 0, DURATION, AT(delay_ns), "DUR", 0, DTX_OPTION_DAY, "0",       \
      "at least DUR between the starts of two tasks, over the whole job (in "  \
      "GNU parallel: on each server); tasks are handed out one at a time "     \
      "then, to free slots, and further attempts keep the pace as well")       \
    X("memfree", 0, SIZE, AT(memfree), "SIZE", 0, 0, NULL,                     \
      "start a task only while its node has SIZE (2G; K is 1024) of memory "   \
      "free, as far as the control group it is in allows; with less than "     \
      "half of that free the task that started last, of several, is ended, "   \
      "which counts as no attempt: it runs again later; more than any node "   \
      "has is an error")                                                       \
    X("timeout", 0, TIMEOUT, AT(timeout_ns), "DUR|N%", 0,                      \
      36500 * DTX_OPTION_DAY, "none",                                          \
      "end a task that runs longer; it counts as failed. 200%: longer than "   \
      "twice the median run time of the tasks that succeeded in this "         \
      "session, known to about 2% once there are three; also for those that "  \
      "run by then. A task's own timeout= wins")                               \
    X("term-grace", 0, DURATION, AT(grace_ns), "DUR", 0, DTX_OPTION_HOUR,      \
      "5s", "time between TERM and KILL for a task that is to end")            \
    X("term-signal", 0, SIGNAL, AT(term_signal), "SIGNAL", 0, 0, "TERM",       \
      "what a task that is to end gets first, in place of TERM: INT or USR1 "  \
      "for programs that write a checkpoint then; KILL follows after "         \
      "--term-grace")                                                          \
    X("deadline", 0, WHEN, AT(deadline), "TIME", 0, 0, NULL,                   \
      "when the job is to be over: 2h30m from now, 2026-03-01T17:30, or none " \
      "(default: in a Slurm job that job's end). No task is started that is "  \
      "expected to take longer than what is left: by its prediction "          \
      "(--history), or the median run time of tasks that succeeded in this "   \
      "session, or else its timeout; "                                         \
      "what still runs 10 s and --term-grace before is ended, and runs again " \
      "after --resume")                                                        \
    X("deadline-policy", 0, LATE, AT(late), "WHICH", 0, 0, "expected",         \
      "tasks that are not started before a deadline, and stay for --resume: "  \
      "expected: those that would more likely than not be cut off; safe: "     \
      "those that are not sure, nineteen times in twenty, to end in time; "    \
      "hopeful: those that would be cut off nineteen times in twenty; start: " \
      "none, for tasks that keep what they have done (--term-signal)")         \
    X("requeue", 0, FLAG, AT(requeue), NULL, 0, 0, NULL,                       \
      "when the time of a Slurm job is over with work left: queue the job "    \
      "again; it goes on by itself, since a job that is started again "        \
      "resumes. Not when no task has ended since the last start, unless "      \
      "--term-signal says that tasks keep what they have done")                \
    X("lost-after", 0, DURATION, AT(lost_after_ns), "DUR", 0,                  \
      DTX_OPTION_DAY, "5s",                                                    \
      "a rank, host or link that hangs or is cut off counts as lost within "   \
      "this time: nothing was heard for nine tenths of it. What it ran has "   \
      "been ended there by then (after half of it where the rank stands "      \
      "still, seven tenths where it hears nothing) and runs elsewhere. A "     \
      "process that dies is noticed without that. 0: never")                   \
    X("crash-limit", 0, NUMBER, AT(crash_limit), "N", 0, 255, "5",             \
      "set a task aside, as failed, that was running each time when N ranks "  \
      "died; 0: never")                                                        \
    X("relaunch", 0, NUMBER, AT(relaunches), "N", 0, 1000, "5",                \
      "with --ranks or --hostfile: when rank 0, mpirun or a node is lost, "    \
      "launch the rest of the job up to N times in a row, after pauses that "  \
      "double from 1 s to 60 s; one that lasts ten minutes counts anew")       \
    X("halt", 0, HALT, AT(halt), "SPEC", 0, 0, "never",                        \
      "stop early: soon,fail=N once N tasks have failed (those that run may "  \
      "end), now,fail=N (those that run are killed); success=N, done=N: once " \
      "N tasks have succeeded, or ended either way. N% is a share: with "      \
      "fail= of the tasks that ended, after at least three, else of all tasks "\
      "of this session (of a live list, once it has ended). 0, 1, 2, -1, -2 "  \
      "and N% alone mean what they mean in GNU parallel")                      \
    G("Once on each node")                                                     \
    X("node-setup", 0, TEXT, AT(node_setup), "CMD", 0, 0, NULL,                \
      "run CMD on each node before its first task, in each session; it sees "  \
      "what a task sees but no DTX_TASK_ID, and DTX_NODE_SETUP=1. A node "     \
      "where it fails takes no part; where it fails on all, no task runs. "    \
      "The last lines of what it wrote are told when it fails, and with "      \
      "--verbose; redirect it to keep all")                                    \
    X("node-teardown", 0, TEXT, AT(node_teardown), "CMD", 0, 0, NULL,          \
      "run CMD on each node after its last task, also after a drain, a halt "  \
      "or a --node-setup that failed, with DTX_NODE_TEARDOWN=1; a failure is " \
      "a warning. Never after a kill -9, a lost node, or when nothing can be " \
      "recorded any more")                                                     \
    X("node-setup-timeout", 0, DURATION, AT(node_limit_ns), "DUR",             \
      DTX_OPTION_SECOND / 1000, DTX_OPTION_DAY, "10m",                         \
      "end either of them after this long; it has failed then")                \
    G("What is kept and shown")                                                \
    X("run-dir", 0, TEXT, AT(run_dir), "DIR", 0, 0, NULL,                      \
      "keep journal and outputs in DIR (default: a new "                       \
      "./distributex-<Slurm job, or time and pid>)")                           \
    X("joblog", 0, TEXT, AT(joblog), "FILE", 0, 0, NULL,                       \
      "write a line for each task in the nine columns of GNU parallel. With "  \
      "a resume option and a task list, where there is no run directory to "   \
      "go on with, FILE is read first, ours or GNU parallel's: tasks it tells "\
      "of (by command, not by number alone) have finished")                    \
    X("keep-outputs", 0, KEEP, AT(keep), "WHICH", 0, 0, "all",                 \
      "failed: outputs of attempts that succeed take no lasting place in the " \
      "run directory: they are shown (unless --no-show) and given up; none: "  \
      "so are all. 'distributex output' says which were not kept, and a "      \
      "resume does not run their tasks again; --results gets all")             \
    X("results", 0, RESULTS, AT(results), "DIR", 0, 0, NULL,                   \
      "write what each task wrote to files as well, laid out as GNU parallel " \
      "does: DIR/1/A/2/B/stdout, stderr and seq for the arguments A and B "    \
      "(names of --header in place of 1 and 2), DIR/N/... for task N of a "    \
      "task file. With replacement strings in DIR it is the file's name "      \
      "(stderr: NAME.err, number: NAME.seq), or a directory when it ends in "  \
      "a slash. Ranks write them, so DIR is to be seen by all nodes")          \
    X("keep-order", 'k', FLAG, AT(keep_order), NULL, 0, 0, NULL,               \
      "show outputs in the order of the tasks, of each the last attempt; "     \
      "they wait in the run directory, not in memory")                         \
    X("line-buffer", 0, FLAG, AT(line_buffer), NULL, 0, 0, NULL,               \
      "show whole lines while their task runs, mixed with those of others; "   \
      "a line longer than 256 KiB comes in parts. With -k it has no effect: "  \
      "outputs wait for their turn")                                           \
    X("lb", 0, FLAG, AT(line_buffer), NULL, 0, 0, NULL,                        \
      "the same as --line-buffer")                                             \
    X("tag", 0, FLAG, AT(tag), NULL, 0, 0, NULL,                               \
      "begin each line shown with the task and a TAB: its arguments, its "     \
      "name=, or else its command")                                            \
    X("no-show", 0, FLAG, AT(no_output), NULL, 0, 0, NULL,                     \
      "keep the outputs of tasks without showing them")                        \
    X("bar", 0, FLAG, AT(bar), NULL, 0, 0, NULL,                               \
      "show the progress line, also with --quiet, and also when stderr is no " \
      "terminal: a line every ten seconds then. On a terminal it is there "    \
      "anyhow")                                                                \
    X("eta", 0, FLAG, AT(eta), NULL, 0, 0, NULL,                               \
      "as --bar, and the line also tells the time gone so far beside the "     \
      "estimated time left")                                                   \
    X("quiet", 'q', FLAG, AT(quiet), NULL, 0, 0, NULL,                         \
      "no summary and no warnings")                                            \
    X("verbose", 'v', FLAG, AT(verbose), NULL, 0, 0, NULL,                     \
      "tell more: the policy's view, and the cores and places of each rank")   \
    G("Details")                                                               \
    X("shell", 0, TEXT, AT(shell), "PATH", 0, 0, "/bin/sh",                    \
      "the shell for lines that need one")                                     \
    X("tmp-dir", 0, TEXT, AT(tmp_dir), "DIR", 0, 0, NULL,                      \
      "where outputs gather while a task runs (default: $TMPDIR, or /tmp)")    \
    X("sync", 0, DURATION, AT(sync_ns), "DUR", 0, DTX_OPTION_HOUR, "1s",       \
      "force the journal to disk at most this late; 0: each write (only loss " \
      "of power needs it, not a kill)")                                        \
    X("help", 'h', HELP, 0, NULL, 0, 0, NULL, "show this text")

/* Options that are promised but not built: X(name, letter). */
#define DTX_OPTION_LATER_MAP(X)                                                \
    X("metrics-listen", 0)                                                     \
    X("on-alert", 0)                                                           \
    X("tagstring", 0)

#endif
