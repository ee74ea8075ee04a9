#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/summary.sh LOG... - count what really happened
#
# Reads each test's .log, and the .trs beside it, and counts single checks:
#   100%: Checks: 7, Failures: 0, Errors: 0       the Check framework
#   ok 1 - name / not ok 2 - name / ok 3 # SKIP   scripts
# A test that failed without saying which check is one failure; so is one that
# passed without running any, and one that left no result.  The last line is
# "N passed, N failed, N skipped"; the status is 0 when none failed and some
# passed.

passed=0
failed=0
skipped=0
broken=

# count LOG: "passed failed skipped" by the lines of a log
count() {
    awk '
        /^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
            gsub(/[^0-9 ]/, "")
            bad += $3 + $4
            good += $2 - $3 - $4
        }
        /^ok [0-9]+.*# *SKIP/ { skip++; next }
        /^ok [0-9]+/ { good++ }
        /^not ok [0-9]+/ { bad++ }
        END { print good + 0, bad + 0, skip + 0 }' "$1"
}

for log in "$@"; do
    trs=${log%.log}.trs
    result=$(sed -n 's/^:test-result: *\([A-Z]*\).*/\1/p' "$trs" 2>/dev/null)
    # shellcheck disable=SC2046
    if [ -r "$log" ]; then set -- $(count "$log"); else set -- 0 0 0; fi
    p=$1 f=$2 s=$3
    case $result in
        PASS) [ $((p + f + s)) -gt 0 ] || f=1 ;;
        SKIP) [ "$s" -gt 0 ] || s=1 ;;
        *) [ "$f" -gt 0 ] || f=1 ;;
    esac
    [ "$f" -eq 0 ] || broken="$broken ${log%.log}"
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
done

for name in $broken; do
    echo "FAILED: $name (see $name.log)"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
