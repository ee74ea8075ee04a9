#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/check-layers.sh - the house keeps its order
#
# Reads the sources and says, as "not ok" lines, what breaks a rule:
# - which folder may include which (doc/architecture.md): pure code knows no
#   adapter, adapters know neither the engine nor each other;
# - <mpi.h> only in mpi/, <hwloc> and <papi> only in node/, <hdf5.h> only in
#   store/; no operating system in pure code;
# - includes name the folder; functions that cannot be used safely are not;
#   files and functions stay short; each file says its licence.

cd "${srcdir:-.}" || exit 99
number=0
failures=0

# verdict NAME TEXT: a check is passed when TEXT, its complaints, is empty.
verdict() {
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        failures=$((failures + 1))
        echo "not ok $number - $1"
        echo "$2" | sed 's/^/#   /'
    fi
}

# sources FOLDER...: the files in these folders of src/
sources() {
    for f in "$@"; do
        find "src/$f" -name '*.[ch]' ! -name config.h 2>/dev/null
    done | LC_ALL=C sort
}

# folder NAME ALLOWED...: src/NAME includes only itself and ALLOWED.
folder() {
    name=$1
    shift
    files=$(sources "$name")
    [ -n "$files" ] || return 0
    # shellcheck disable=SC2086
    bad=$(awk -v name="$name" -v allowed=" $name $* " '
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, part, "\"")
            to = part[2]
            if (to !~ /\//) {
                print FILENAME ": \"" to "\" must name the folder"
                next
            }
            sub(/\/.*/, "", to)
            if (!index(allowed, " " to " "))
                print FILENAME ": src/" name " must not include " to "/"
        }' $files)
    verdict "src/$name includes only: $name $*" "$bad"
}

# header PATTERN FOLDER: <PATTERN> is included in src/FOLDER alone.
header() {
    # shellcheck disable=SC2046
    bad=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$1" \
        $(find src include -name '*.[ch]' ! -path "src/$2/*" \
            ! -path include/distributex_mpi.h) /dev/null)
    verdict "<$1> only in src/$2" "$bad"
}

pure='base task wire predict sched engine lane'
values='base task wire'
# shellcheck disable=SC2086
{
    folder base
    folder task base
    folder wire base task
    folder predict $values
    folder sched $values predict
    folder engine $values predict sched
    folder lane base
    folder mpi $values
    folder node $values
    folder store $values
    folder monitor $values
    folder run $pure mpi node store monitor
    folder sim $pure
    folder lib $pure mpi node store run
    folder cli $pure mpi node store monitor run sim
}

header 'mpi\.h' mpi
header 'hwloc' node
header 'papi' node
header 'hdf5' store

# shellcheck disable=SC2046,SC2086
bad=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<(unistd|sys/|time|pthread|fcntl|signal|poll|dirent|spawn|sched)[./a-z]*' \
    $(sources $pure) /dev/null)
verdict "pure code includes no operating system" "$bad"

# shellcheck disable=SC2046
bad=$(grep -nE '(^|[^[:alnum:]_])(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|rand|srand|alloca)[[:space:]]*\(' \
    $(find src include tests -name '*.[ch]') /dev/null |
    grep -vE ':[0-9]+:[[:space:]]*(\*|/\*)')
verdict "no strcpy, sprintf, strtok, atoi, rand and their like" "$bad"

# shellcheck disable=SC2046
bad=$(wc -l $(find src tests -name '*.[ch]') | awk '
    $2 != "total" && $1 > 1000 { print $2 ": " $1 " lines, at most 1000" }')
verdict "no file is longer than 1000 lines" "$bad"

# shellcheck disable=SC2046
bad=$(awk 'length($0) > 80 { print FILENAME ":" FNR ": longer than 80" }
           /\t/ { print FILENAME ":" FNR ": a tab" }' \
    $(find src include -name '*.[ch]' ! -name config.h) /dev/null)
verdict "lines end before column 81, without tabs" "$bad"

bad=$(find src include tests -name '*.[ch]' ! -name config.h | while read -r f
do
    head -n 1 "$f" | grep -qF '/* SPDX-License-Identifier: MIT */' ||
        echo "$f: the first line must be the licence's SPDX line"
done)
verdict "each source says its licence" "$bad"

if ctags --version 2>/dev/null | grep -q Universal; then
    # shellcheck disable=SC2046
    bad=$(ctags -x --c-kinds=f --fields=+ne \
        --_xformat='%N %F %n %e' $(find src -name '*.c') 2>/dev/null |
        awk '$4 - $3 + 1 > 70 {
            print $2 ": " $1 "() has " $4 - $3 + 1 " lines, at most 70" }')
    verdict "no function is longer than 70 lines" "$bad"
else
    number=$((number + 1))
    echo "ok $number # SKIP length of functions: no universal-ctags here"
fi

echo "1..$number"
[ "$failures" -eq 0 ]
