/* SPDX-License-Identifier: MIT */
/* Options of GNU parallel that are not here, and what to use in their place.
 * It decides the words alone; that the option is refused is options.c's. */
#include "run/options_row.h"

#include <string.h>

#define FOREIGN_MAP(X)                                                         \
    X("max-replace-args", "N", "split lines into columns with --colsep")       \
    X("max-args", "n", "each task takes one combination; split lines into "    \
      "columns with --colsep")                                                 \
    X("max-lines", "L", "each line is one argument; join lines beforehand")    \
    X("xargs", "m", "each task takes one combination; call xargs in the "      \
      "command")                                                               \
    X("context-replace", "X", "each task takes one combination")               \
    X("pipe", "", "split the input into files and give these behind '::::'")   \
    X("pipepart", "", "split the input into files and give these behind "      \
      "'::::'")                                                                \
    X("block", "", "split the input into files (split -C) and give these "     \
      "behind '::::'")                                                         \
    X("recstart", "", "split the input into files beforehand")                 \
    X("recend", "", "split the input into files beforehand")                   \
    X("sshlogin", "S", "hosts come from --hostfile, or from mpirun and Slurm") \
    X("sshloginfile", "", "hosts come from --hostfile, or from mpirun and "    \
      "Slurm")                                                                 \
    X("slf", "", "hosts come from --hostfile, or from mpirun and Slurm")       \
    X("transferfile", "", "hosts share a file system here; copy in the "       \
      "command")                                                               \
    X("return", "", "hosts share a file system here; copy in the command")     \
    X("semaphore", "", "flock(1) does that")                                   \
    X("fg", "", "flock(1) does that")                                          \
    X("bg", "", "flock(1) does that")                                          \
    X("replace", "I", "the replacement string is {}")                          \
    X("i", "i", "the replacement string is {}")                                \
    X("null", "0", "arguments are lines; tr '\\0' '\\n' <FILE makes them")     \
    X("delimiter", "d", "arguments are lines; tr makes them of any other "     \
      "separator")                                                             \
    X("arg-sep", "", "the separators are ':::' and '::::'")                    \
    X("arg-file-sep", "", "the separators are ':::' and '::::'")               \
    X("eof", "E", "cut the file before: sed '/END/,$d'")                       \
    X("no-run-if-empty", "r", "an empty line is an empty argument; remove "    \
      "such lines beforehand: grep .")                                         \
    X("trim", "", "--colsep trims columns; otherwise sed does it")             \
    X("link", "", "write ':::+' or '::::+' before the linked arguments")       \
    X("xapply", "", "write ':::+' or '::::+' before the linked arguments")     \
    X("env", "", "exported variables reach the tasks by themselves")           \
    X("workdir", "", "cd in the command, or cwd=DIR in a task file's #DTX "    \
      "line")                                                                  \
    X("wd", "", "cd in the command, or cwd=DIR in a task file's #DTX line")    \
    X("nice", "", "call nice(1) in the command")                               \
    X("load", "", "--jobs sets how many tasks run at a time")                  \
    X("max-procs", "P", "it is --jobs (-j)")                                   \
    X("noswap", "", "--jobs sets how many tasks run at a time")                \
    X("plus", "", "use the shell's own ${name%suffix} in the command")         \
    X("rpl", "", "use the shell's own ${name%suffix} in the command")          \
    X("csv", "", "--colsep splits lines that need no quotes")                  \
    X("citation", "", "there is nothing to confirm")                           \
    X("bibtex", "", "there is nothing to confirm")                             \
    X("will-cite", "", "there is nothing to confirm")                          \
    X("ungroup", "u", "a task's output is shown in one piece")                 \
    X("group", "", "a task's output is shown in one piece as it is")           \
    X("interactive", "p", "--dry-run shows the commands")                      \
    X("tty", "", "tasks have no terminal")                                     \
    X("tmux", "", "tasks have no terminal")                                    \
    X("progress", "", "--bar shows the progress line")                         \
    X("silent", "", "it is --quiet (-q)")                                      \
    X("profile", "J", "a configuration file holds options: 'distributex help " \
      "environment'")                                                          \
    X("termseq", "", "--term-grace is the time between TERM and KILL")         \
    X("tmpdir", "", "it is --tmp-dir")                                         \
    X("sql", "", "the journal in the run directory keeps the results")         \
    X("sqlmaster", "", "the journal in the run directory keeps the results")   \
    X("sqlworker", "", "the journal in the run directory keeps the results")

static const struct {
    const char *name, *letter, *instead;
} foreign[] = {
#define ROW(name, letter, instead) {name, letter, instead},
    FOREIGN_MAP(ROW)
#undef ROW
};

const char *dtx_option_foreign(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        const char *known = len == 1 ? foreign[i].letter : foreign[i].name;

        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return foreign[i].instead;
    }
    return NULL;
}
