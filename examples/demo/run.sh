#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# examples/demo/run.sh [DISTRIBUTEX] - a bag of irregular work on two ranks
#
# Packs, sums, sorts and searches some hundreds of files that any machine has,
# under mpirun with two ranks; shows one task's output; then stops a job half
# way and goes on with it.  Everything happens in a new directory, which is
# removed at the end (KEEP=1 keeps it).  Well under a minute.

set -u
export LC_ALL=C
program=${1:-$PWD/distributex}
case $program in
    /*) ;;
    *) program=$PWD/$program ;;
esac
[ -x "$program" ] || {
    echo "demo: $program is not there: build it, or give its path" >&2
    exit 1
}
ranks=2
want=440                 # tasks, about
budget=$((200 * 1000000)) # bytes they read together
largest=$((4 * 1000000))

# The demo is the same whatever is set here.
for name in $(env | sed -n 's/^\(DTX_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
export DTX_CONFIG=/dev/null

home=$(mktemp -d "${TMPDIR:-/tmp}/distributex-demo.XXXXXX") || exit 1
job='' # process number of a job in the background
# shellcheck disable=SC2317
clean_up() {
    local status=$?
    trap - EXIT
    [ -z "$job" ] || kill -KILL "$job" 2>/dev/null
    if [ -n "${KEEP:-}" ]; then
        echo "kept: $home"
    else
        rm -rf "$home"
    fi
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$home" || exit 1

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else bold='' plain=''; fi

title() {
    printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"
}

# shown COMMAND...: what is run, as one would type it.
shown() {
    printf '    $ %s\n\n' "$*"
}

give_up() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# --- the list ---------------------------------------------------------------

# Files of all sizes: the large ones as far as the budget goes, and of the rest
# every so many-th, in the order of their names.
choose_files() {
    find /usr/share/doc /usr/include /usr/lib /usr/share /usr/bin /etc \
        -xdev -type f -readable -size +1k -size -4000k \
        ! -name '*[!A-Za-z0-9_./+-]*' ! -path '*[!A-Za-z0-9_./+-]*' \
        -printf '%s %p\n' 2>/dev/null | sort -k2 -u >all
    awk -v largest=$largest '$1 <= largest' all | sort -k1,1nr -k2 |
        awk -v left=$((budget * 6 / 10)) '$1 > 1000000 && $1 <= left &&
            n < 60 { left -= $1; n++; print $2 }' >large
    awk -v left=$((budget * 4 / 10)) -v want=$want -v all="$(wc -l <all)" '
        BEGIN { every = all > want ? all / want : 1 }
        NR >= next_one && $1 <= 1000000 && $1 <= left {
            next_one += every; left -= $1; print $2 }' all >small
    sort -u large small
}

# One command a line: words run as they are, what has a pipe goes to a shell.
write_list() {
    awk '
        { f = $1 }
        NR % 5 == 0 { print "gzip -9 -c " f " | wc -c" }
        NR % 5 == 1 { print "sha256sum " f }
        NR % 5 == 2 { print "tr -cs A-Za-z \"\\n\" < " f \
            " | sort | uniq -c | sort -rn | head -n 3" }
        NR % 5 == 3 { print "gzip -1 -c " f " | gzip -dc | cksum" }
        NR % 5 == 4 { print "grep -c -a -i the " f " || true" }'
    printf '#DTX name=last after=1-%d\n' "$1"
    echo 'echo "all the others have succeeded"'
}

# --- the demo ---------------------------------------------------------------

main_run() {
    local n
    choose_files >files
    n=$(wc -l <files)
    [ "$n" -ge 100 ] || give_up "only $n files were found here"
    write_list "$n" <files >bag.txt
    title "1. A bag of $((n + 1)) tasks on $ranks ranks"
    cat <<END
Five kinds of commands over files of this machine, of a kilobyte to many
megabytes; the last task waits for all others.

END
    sed -n '1,5p' bag.txt | cut -c1-72 | sed 's/^/    /'
    printf '    ...\n'
    tail -n 2 bag.txt | sed 's/^/    /'
    printf '\n'
    shown 'distributex run --ranks 2 --run-dir first bag.txt >outputs'
    "$program" run --ranks $ranks --run-dir first bag.txt >outputs ||
        give_up "the job ended with status $?"
    cat <<END

So: who ran how many tasks, how busy each rank was, and how far the whole is
from the least time possible. What the tasks wrote came out in one piece each:

    outputs: $(wc -l <outputs) lines, $(wc -c <outputs) bytes
END
}

one_output() {
    title "2. What one task wrote"
    sed -n 2p bag.txt | sed 's/^/    task 2: /'
    printf '\n'
    shown 'distributex output first 2'
    "$program" output first 2 | sed 's/^/    /'
}

# Each task leaves its number behind, so that we can count who ran.
write_small_list() {
    local i
    for i in $(seq 60); do
        echo "echo $i >>ran; sleep 0.0$((i * 7 % 10)); echo task $i"
    done
}

count_ran() {
    if [ -e ran ]; then wc -l <ran; else echo 0; fi
}

stop_and_resume() {
    local before status=0
    write_small_list >small.txt
    title "3. Stopped half way, and gone on with"
    cat <<END
60 small tasks; after some of them the job is told to stop, as a batch system
does when the time is over.

END
    shown 'distributex run --ranks 2 --run-dir second small.txt &  kill %1'
    "$program" run --ranks $ranks --run-dir second small.txt \
        >outputs.1 2>words &
    job=$!
    while [ "$(count_ran)" -lt 15 ] && kill -0 "$job" 2>/dev/null; do
        sleep 0.02
    done
    kill -TERM "$job" 2>/dev/null
    wait "$job" || status=$?
    job=''
    before=$(count_ran)
    sed -n '/^tasks /p; /^resume /p' words | sed 's/^/    /'
    cat <<END

Status $status: stopped with work left. What ran was finished and recorded,
nothing new was begun.

END
    shown 'distributex run --ranks 2 --run-dir second --resume'
    "$program" run --ranks $ranks --run-dir second --resume \
        >outputs.2 2>words || give_up "the resume ended with status $?"
    sed -n '/^tasks /p; /^ .*earlier/p' words | sed 's/^/    /'
    cat <<END

$before tasks ran before the stop, $(($(count_ran) - before)) after it; $(
    sort ran | uniq -d | wc -l) ran twice, $(
    (seq 60; sort -un ran) | sort | uniq -u | wc -l) are missing.
END
    if [ "$(sort -un ran | wc -l)" -ne 60 ] || [ "$(count_ran)" -ne 60 ]; then
        give_up "each task should have run once"
    fi
}

begin=$SECONDS
main_run
one_output
stop_and_resume
title "Done in $((SECONDS - begin)) s"
echo "Next: the other examples (examples/README.md), and distributex help."
