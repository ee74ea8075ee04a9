/* SPDX-License-Identifier: MIT */
/* Options of GNU parallel that are not here, and what to use in their place.
 * Beside them those that are promised and not built.  It decides the words
 * alone; that the option is refused is options.c's. */
#include "run/options_row.h"

#include <string.h>

#include "run/options_table.h"

static const char *const later[] = {
#define LATER(name, letter) name,
    DTX_OPTION_LATER_MAP(LATER)
#undef LATER
};

#define NLATER (sizeof(later) / sizeof(later[0]))

const char *dtx_option_later(size_t i)
{
    return i < NLATER ? later[i] : NULL;
}

bool dtx_option_is_later(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < NLATER; i++) {
        if (strlen(later[i]) == len && memcmp(later[i], name, len) == 0)
            return true;
    }
    return false;
}

/* X(long names, letters, what to use in their place) */
#define FOREIGN_MAP(X)                                                         \
    X("max-replace-args", "N", "split lines into columns with --colsep")       \
    X("max-args", "n",                                                         \
      "each task takes one combination; split lines into columns with "        \
      "--colsep")                                                              \
    X("max-lines", "Ll", "each line is one argument; join lines beforehand")   \
    X("max-chars", "s", "each task takes one combination, of any length")      \
    X("exit", "x", "each task takes one combination, of any length")           \
    X("xargs", "m",                                                            \
      "each task takes one combination; call xargs in the command")            \
    X("context-replace", "X", "each task takes one combination")               \
    X("pipe spread-stdin pipe-part block block-size block-timeout "            \
      "bt round-robin round regexp regex remove-rec-sep rrs shard "            \
      "bin group-by cat fifo tee recstart recend", "",                         \
      "split the input into files and give these behind '::::'")               \
    X("sshlogin", "S",                                                         \
      "hosts come from --hostfile, or from mpirun and Slurm")                  \
    X("sshloginfile slf hostgroups hostgroup hostgrp hgrp "                    \
      "filter-hosts filter-host", "",                                          \
      "hosts come from --hostfile, or from mpirun and Slurm")                  \
    X("onall nonall", "",                                                      \
      "--node-setup CMD runs a command once on each node")                     \
    X("ssh ssh-delay rsync-opts", "",                                          \
      "mpirun or Slurm start the ranks, and hosts share a file system")        \
    X("controlmaster", "M", "mpirun or Slurm start the ranks")                 \
    X("transferfile transfer-file transferfiles tf transfer return "           \
      "trc cleanup basefile bf", "",                                           \
      "hosts share a file system here; copy in the command, or once on "       \
      "each node with --node-setup and --node-teardown")                       \
    X("semaphore semaphore-name id semaphore-timeout st wait fg bg", "",       \
      "flock(1) does that")                                                    \
    X("replace", "I", "the replacement string is {}")                          \
    X("", "i", "the replacement string is {}")                                 \
    X("", "U", "the replacement string is {.}, always")                        \
    X("extensionreplace er basenamereplace bnr dirnamereplace dnr "            \
      "basenameextensionreplace bner", "",                                     \
      "the replacement strings are {.}, {/}, {//} and {/.}, always")           \
    X("seqreplace slotreplace", "",                                            \
      "the replacement strings are {#} and {%}, always")                       \
    X("process-slot-var", "",                                                  \
      "the slot is in DTX_SLOT and PARALLEL_JOBSLOT, and {%} in a command")    \
    X("null", "0", "arguments are lines; tr '\\0' '\\n' <FILE makes them")     \
    X("delimiter", "d",                                                        \
      "arguments are lines; tr makes them of any other separator")             \
    X("arg-sep arg-file-sep", "", "the separators are ':::' and '::::'")       \
    X("eof", "Ee", "cut the file before: sed '/END/,$d'")                      \
    X("skip-first-line", "",                                                   \
      "tail -n +2 skips it; --header : takes it for names of columns")         \
    X("no-run-if-empty", "r",                                                  \
      "an empty line is an empty argument; remove such lines beforehand: "     \
      "grep .")                                                                \
    X("trim", "", "--colsep trims columns; otherwise sed does it")             \
    X("link xapply link-input-source xapply-input-source", "",                 \
      "write ':::+' or '::::+' before the linked arguments")                   \
    X("env record-env session", "",                                            \
      "exported variables reach the tasks by themselves")                      \
    X("workdir wd", "",                                                        \
      "cd in the command, or cwd=DIR in a task file's #DTX line")              \
    X("", "W", "cd in the command, or cwd=DIR in a task file's #DTX line")     \
    X("nice", "", "call nice(1) in the command")                               \
    X("load noswap limit", "", "--jobs sets how many tasks run at a time")     \
    X("memsuspend", "", "--jobs sets how many tasks run at a time")            \
    X("use-cores-instead-of-threads use-sockets-instead-of-threads "           \
      "use-cpus-instead-of-cores", "",                                         \
      "--jobs goes by cores; -j 200% is two tasks on each")                    \
    X("number-of-cpus number-of-cores number-of-sockets "                      \
      "number-of-threads", "", "nproc(1) and lscpu(1) tell that")              \
    X("max-line-length-allowed show-limits", "",                               \
      "a command may be as long as the kernel allows: getconf ARG_MAX")        \
    X("plus parens rpl", "",                                                   \
      "use the shell's own ${name%suffix} in the command")                     \
    X("csv", "", "--colsep splits lines that need no quotes")                  \
    X("citation bibtex will-cite no-notice nn", "",                            \
      "there is nothing to confirm: leave it out")                             \
    X("gnu tollef plain", "",                                                  \
      "leave it out: DTX_CONFIG=/dev/null sets the configuration file "        \
      "aside")                                                                 \
    X("ungroup", "u", "--line-buffer shows lines while their task runs")       \
    X("latest-line ll", "",                                                    \
      "--line-buffer shows all lines while their task runs; --bar shows how "  \
      "far the job is")                                                        \
    X("group", "g",                                                            \
      "a task's output is shown in one piece as it is: leave it out")          \
    X("no-keep-order nok", "",                                                 \
      "outputs come as tasks end unless --keep-order is given: "               \
      "--keep-order=no")                                                       \
    X("files output-as-files files0", "",                                      \
      "outputs are in files: those of --results, and 'distributex output'")    \
    X("compress compress-program use-compress-program "                        \
      "decompress-program use-decompress-program", "",                         \
      "compress in the command; --keep-outputs failed saves space")            \
    X("color colour ctag ctag-string color-failed colour-failed "              \
      "color-fail colour-fail cf", "", "--tag marks lines without colour")     \
    X("", "t", "--dry-run shows the commands, --joblog those that ran")        \
    X("interactive", "p", "--dry-run shows the commands")                      \
    X("open-tty", "o", "tasks have no terminal")                               \
    X("", "T", "tasks have no terminal")                                       \
    X("tty tmux tmuxpane", "", "tasks have no terminal")                       \
    X("progress total-jobs total", "", "--bar shows the progress line")        \
    X("silent", "", "it is --quiet (-q)")                                      \
    X("debug", "D", "--verbose (-v) tells more")                               \
    X("profile", "J",                                                          \
      "a configuration file holds options: 'distributex help environment'")    \
    X("term-seq", "", "--term-grace is the time between TERM and KILL")        \
    X("tempdir", "", "it is --tmp-dir")                                        \
    X("", "H", "--halt says when to stop early")                               \
    X("", "B", "copy in the command, or once on each node with --node-setup")  \
    X("sql sql-master sql-worker sql-and-worker", "",                          \
      "the journal in the run directory keeps the results")                    \
    X("shell-quote", "",                                                       \
      "arguments are quoted as they are put into the command; printf %q "      \
      "does it alone")                                                         \
    X("shebang hashbang shebang-wrap embed", "Y",                              \
      "a file of commands with the first line '#!/usr/bin/env -S "             \
      "distributex run' is one")                                               \
    X("template tmpl", "", "make the files in the command")                    \
    X("filter", "",                                                            \
      "filter the combinations beforehand: --dry-run prints the "              \
      "commands, 'distributex run -' reads them")                              \
    X("shell-completion", "", "'distributex completion bash' writes it")       \
    X("version", "V", "it is 'distributex --version'")                         \
    X("min-version", "", "'distributex --version' tells the version")          \
    X("ctrl-c no-ctrl-c", "",                                                  \
      "Ctrl-C lets running tasks finish; a second one ends them")              \
    X("jl", "", "it is --joblog")                                              \
    X("res result", "", "it is --results")                                     \
    X("dr", "", "it is --dry-run")

static const struct {
    const char *names, *letters, *instead;
} foreign[] = {
#define ROW(names, letters, instead) {names, letters, instead},
    FOREIGN_MAP(ROW)
#undef ROW
};

/* GNU parallel takes its long names with and without the dashes in them. */
static bool is_same(const char *known, size_t known_len, const char *name,
                    size_t len)
{
    const char *known_end = known + known_len, *end = name + len;

    for (;;) {
        while (known < known_end && *known == '-')
            known++;
        while (name < end && *name == '-')
            name++;
        if (known == known_end || name == end)
            return known == known_end && name == end;
        if (*known++ != *name++)
            return false;
    }
}

static bool has_name(const char *names, const char *name, size_t len)
{
    while (*names) {
        size_t n = strcspn(names, " ");

        if (is_same(names, n, name, len))
            return true;
        names += n + (names[n] == ' ');
    }
    return false;
}

const char *dtx_option_foreign(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (len == 1 ? strchr(foreign[i].letters, name[0]) != NULL
                     : has_name(foreign[i].names, name, len))
            return foreign[i].instead;
    }
    return NULL;
}
