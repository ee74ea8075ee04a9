#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/examples.t - the library's examples run and come to the right
# results, on any number of ranks and threads.
. "$srcdir/tests/cli/lib.sh"
: "${MPIRUN:=mpirun}"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
e=$builddir/examples
command -v "$MPIRUN" >/dev/null 2>&1 || {
    skip_case "the library's examples" "no launcher ($MPIRUN)"
    test_done
}

# on RANKS SLOTS_OF_EACH PROGRAM...
on() {
    local n=$1 slots=$2
    shift 2
    DTX_SLOTS=$((n * slots)) DTX_BIND=no "$MPIRUN" -n "$n" --oversubscribe \
        --bind-to none "$@"
}

case_seconds=200
test_case "UTS: T1, T3 and T5 have as many nodes as was published" '
    if [ -n "${TEST_LONG:-}" ]; then
        for ranks in 1 2 3 4 5; do
            for slots in 1 2 3 4; do
                for tree in T1 T3 T5; do
                    on $ranks $slots $e/uts/uts $tree || exit 1
                done
            done
        done
    else
        on 1 2 $e/uts/uts T1
        on 2 1 $e/uts/uts T3
        on 3 2 $e/uts/uts T5
    fi
'

test_case "N queens: known numbers" '
    for n in 1 4 6 8; do on 2 2 $e/nqueens/nqueens $n || exit 1; done
    on 3 1 $e/nqueens/nqueens 11
    on 1 4 $e/nqueens/nqueens 11
'

test_case "Mandelbrot: the same picture whoever draws it" '
    on 1 1 $e/mandelbrot/mandelbrot 96 one.pgm
    [ "$(head -c 13 one.pgm | tr "\n" " ")" = "P5 96 96 255 " ] ||
        fail "another head"
    [ "$(wc -c <one.pgm)" -eq $((96 * 96 + 13)) ] || fail "$(wc -c <one.pgm)"
    on 3 2 $e/mandelbrot/mandelbrot 96 many.pgm
    cmp one.pgm many.pgm
    DTX_SCHEDULE=tss on 2 2 $e/mandelbrot/mandelbrot 96 tss.pgm
    cmp one.pgm tss.pgm
'

test_case "drift: the sum stays right while the load wanders" '
    on 2 1 $e/drift/drift 10 3000
    on 1 3 $e/drift/drift 10 3000
    export DTX_LEARNED=learned
    on 2 1 $e/drift/drift 4 3000 | grep -q told && fail "of what?"
    on 2 1 $e/drift/drift 4 4000 | grep -q "told of 1 loops"
'

test_case "sweep: kernels and commands, in their order" '
    for shape in "1 2" "3 1"; do
        # shellcheck disable=SC2086
        on $shape $e/sweep/sweep 12 >out
        grep -qx "12 points, 0 failed" out
        grep -qx "all kernels done" out
        grep -q "angle 0.4831: period 6.37.*\"x is 0.483077\"" out ||
            fail "$(cat out)"
    done
    expect_status 1 on 2 1 $e/sweep/sweep 4 "exit 3" >out
    grep -qx "4 points, 4 failed" out
'

test_case "wrong use is told" '
    expect_status 2 on 1 1 $e/uts/uts T9 2>err
    grep -q usage err
    expect_status 2 env DTX_SCHEDULE=nonsense $e/nqueens/nqueens 6 2>err
    grep -q "DTX_SCHEDULE.*nonsense.*gss" err || fail "$(cat err)"
'

test_done
