#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Processes of a running job are killed or stopped at random moments: worker
# ranks, rank 0, mpirun, spawners. The job ends by itself, with the right status;
# each task has one recorded outcome, and what was recorded as finished does not
# run again.
#
# DTX_KILL_ROUNDS (5) rounds, from DTX_KILL_SEED (1); round n has the seed
# DTX_KILL_SEED + n - 1 and tells what it did.

rounds=${DTX_KILL_ROUNDS:-${TEST_LONG:+200}}
rounds=${rounds:-5}
first_seed=${DTX_KILL_SEED:-1}
# shellcheck source=tests/cli/lib.sh
. "$srcdir/tests/cli/lib.sh"
# shellcheck source=tests/cli/job.sh
. "$srcdir/tests/cli/job.sh"
unset "${!DTX_@}" "${!SLURM_@}"
# MPI libraries leak by themselves, and what is killed leaks all it had
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
case_seconds=100

leave_out_if_brief "killing some"
if [ -n "$no_mpi" ]; then
    skip_case "killing some" "$no_mpi"
    test_done
fi

# hit RANKS: one misfortune, told in the file hits; its victim may be gone.
hit() {
    local what signal=KILL pid
    case $((RANDOM % 8)) in
        0 | 1 | 2) what=worker pid=$(rank_pid $((1 + RANDOM % ($1 - 1)))) ;;
        3) what=worker signal=STOP pid=$(rank_pid $((1 + RANDOM % ($1 - 1)))) ;;
        4) what="rank 0" pid=$(rank_pid 0) ;;
        5) what="rank 0" signal=STOP pid=$(rank_pid 0) ;;
        6) what=mpirun pid=$(launcher_pid) ;;
        7) what=spawner pid=$(spawner_pid $((RANDOM % $1))) ;;
    esac
    [ "$what" != worker ] || [ "$signal" = STOP ] || [ $((RANDOM % 2)) = 0 ] ||
        signal=SEGV
    recorded >finished 2>/dev/null || : >finished
    echo "$what: $signal${pid:+ to $(echo "$pid" | wc -w)}, $(wc -l <finished)" \
        "recorded by then" >>"$hits"
    # shellcheck disable=SC2086
    [ -z "$pid" ] || kill "-$signal" $pid 2>/dev/null || true
}

# survive RANKS: run the bag, with misfortunes on the way.
survive() {
    local at i
    own_tmp
    touch began ended all_finished
    begin "$DISTRIBUTEX" run --ranks "$1" -j 4 --lost-after 1s --run-dir d \
        --crash-limit 0 list
    for _ in $(seq $((1 + RANDOM % 3))); do
        at=$((RANDOM % 900))
        sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
        hit "$1"
        # what is recorded by now does not begin any more
        recorded 2>/dev/null | sort -u >>all_finished || true
        sort -u all_finished >known
        cp began began.before
    done
    ended_any
    [ "$status" -eq 0 ] || fail "status $status: $(cat err)"
    tail -n +$(($(wc -l <began.before) + 1)) began >later
    both known later >again
    [ ! -s again ] || fail "finished tasks ran again: $(cat again)"
    recorded | sort -n | diff - <(seq 150) || fail "not all recorded once"
    for i in 1 $((RANDOM % 150 + 1)) 150; do
        "$DISTRIBUTEX" output d "$i" | grep -qx "o$i" || fail "output of $i"
    done
    gone 4
}

for round in $(seq "$rounds"); do
    seed=$((first_seed + round - 1))
    hits=$test_root/hits
    : >"$hits"
    export seed hits
    test_case "round $round: seed $seed" '
        echo "again: DTX_KILL_SEED=$seed DTX_KILL_ROUNDS=1" \
            "make check TESTS=tests/cli/run_kill_some.t"
        bag 150 "$seed"
        survive $((2 + seed % 2))
    '
    sed "s/^/# seed $seed: /" "$hits"
done

test_done
