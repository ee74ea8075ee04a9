#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What classes of tasks use: one that waits is named, one that works is not.

# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
export DTX_CONFIG=/dev/null

test_case "a class that waits is named, without a history as well" '
    for i in 1 2 3 4 5 6; do echo "sleep 0.2$i"; done >list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 6 list 2>err
    grep "^usage      class \"sleep #\" uses [0-9]* % of its core: it waits" err ||
        fail "$(cat err)"
    grep -q "^usage .*more slots than cores may help (-j)" err
    timeout -k 5 50 "$DISTRIBUTEX" run -q -j 6 list 2>err
    if grep "^usage" err; then fail "-q tells"; fi
'

test_case "short tasks, and too few of them, are not spoken of" '
    yes true | head -n 50 >list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 2 list 2>err
    echo "sleep 0.2" >list
    timeout -k 5 50 "$DISTRIBUTEX" run -j 2 list 2>>err
    if grep "^usage" err; then fail "it is"; fi
'

test_done
