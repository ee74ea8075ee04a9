#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/bench/predict.sh [--quick] [DIR] - how well costs are predicted
#
# What "make bench-predict" runs: laws, speed and size of the predictor; two
# bags of 300 real tasks, run cold and then with what that taught; and, where
# DIR (or BENCH_WORKFLOWS) holds logs NAME.joblog with NAME.files.tsv, what
# "history score" says of each, beginning with nothing and, of each family (up
# to the first '-') but its smallest, with that one imported first.  It asserts
# nothing.

set -u
export LC_ALL=C
program=${DISTRIBUTEX:?which program?}
bin=${BENCH_BIN:-${builddir:-$PWD}/tests/bench}
quick=no dir=${BENCH_WORKFLOWS:-}
for word in "$@"; do
    case $word in
        --quick) quick=yes ;;
        *) dir=$word ;;
    esac
done
for name in $(env | sed -n 's/^\(DTX_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
export DTX_CONFIG=/dev/null
many=1000000 tasks=300
[ $quick = no ] || many=50000 tasks=60
tmp=$(mktemp -d "${TMPDIR:-/tmp}/dtx-bench.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

row() { printf '%-58s %s\n' "$1" "$2"; }

echo "== predictor"
row "outcomes a second, predicted and learned (target 200000)" \
    "$("$bin/predict" speed $many)"
"$bin/predict" history hist $many | while IFS=$'\t' read -r bytes seconds; do
    row "history of $many outcomes: bytes each (target 64)" "$bytes"
    row "... and seconds of a warm start (target 1)" "$seconds"
done

echo "== laws: 100 samples with 5 % noise; median error, % (target 5)"
"$bin/predict" laws | while IFS=$'\t' read -r name inside beyond; do
    row "$name: unseen sizes; up to twice the largest" "$inside; $beyond"
done

# value KEY: the first number behind "KEY": in JSON on stdin
value() { grep -o "\"$1\": [0-9.]*" | head -n 1 | grep -o '[0-9.]*$'; }

# lpt SLOTS: the makespan of the longest first with these true times
lpt() {
    sort -rn | awk -v slots="$1" '{ b = 1
        for (i = 2; i <= slots; i++) if (at[i] + 0 < at[b] + 0) b = i
        at[b] += $1; if (at[b] > end) end = at[b] } END { print end }'
}

# bag NAME LIST: cold, then warm
bag() {
    local kind cold warm best error naive log
    for kind in cold warm; do
        "$program" run -q --no-show -j2 --history "h-$1" --run-dir "$1-$kind" \
            --joblog "$1-$kind.log" "$2" >/dev/null 2>"$1-$kind.err" || return
    done
    cold=$(span "$1-cold.log") warm=$(span "$1-warm.log")
    best=$(tail -n +2 "$1-warm.log" | cut -f4 | lpt 2)
    "$program" history import --history "i-$1" --sizes sizes.tsv \
        "$1-cold.log" >/dev/null
    error=$("$program" history score --json --history "i-$1" \
        --sizes sizes.tsv "$1-warm.log" | value wape)
    naive=$(awk -F'\t' 'FNR == 1 { next } NR == FNR { t[$1] = $4; next }
        { d = $4 - t[$1]; e += d < 0 ? -d : d; s += $4 }
        END { printf "%.3f", e / s }' "$1-cold.log" "$1-warm.log")
    row "$1: makespan to LPT with the true times, cold" \
        "$(awk "BEGIN { printf \"%.3f\", $cold / $best }")"
    row "... and warm (target 1.01)" \
        "$(awk "BEGIN { printf \"%.3f\", $warm / $best }")"
    row "... error of the second run; of repeating the first's times" \
        "$error; $naive"
}

# span LOG: from the first start to the last end
span() {
    tail -n +2 "$1" | awk -F'\t' 'NR == 1 || $3 < a { a = $3 }
        $3 + $4 > b { b = $3 + $4 } END { printf "%.3f", b - a }'
}

echo "== two bags of $tasks tasks on 2 slots, the longest last in the file"
awk -v n=$tasks -v bin="$bin/law" 'BEGIN { srand(1)
    for (i = 1; i <= n; i++) print int(200 + 1500 * rand())
    print 16000; print 18000 }' | sort -n | sed "s|^|$bin/law power |" >power.txt
mkdir files
awk -v n=$tasks 'BEGIN { srand(2)
    for (i = 1; i <= n; i++) print int(10000 + 150000 * rand())
    print 3000000; print 3500000 }' | sort -n | awk -v bin="$bin/law" '{
    system("head -c " $1 " /dev/zero >files/d" NR ".bin")
    print bin " file files/d" NR ".bin" }' >file.txt
stat -c '%n	%s	0' files/* >sizes.tsv
bag power power.txt
bag file file.txt

[ -n "$dir" ] || { echo "== no logs: give a folder of NAME.joblog"; exit 0; }
echo "== logs: WAPE to the better baseline's; MdAPE; coverage"
# score NAME [SMALLER]
score() {
    local out w p c from=''
    if [ -n "${2:-}" ]; then
        rm -rf first
        "$program" history import --history first --sizes "$dir/$2.files.tsv" \
            "$dir/$2.joblog" >/dev/null || return
        from='--history first'
    fi
    # shellcheck disable=SC2086
    out=$("$program" history score --json $from \
        --sizes "$dir/$1.files.tsv" "$dir/$1.joblog") || return
    w=$(value wape <<<"$out")
    p=$(grep -o '"program_median": {"wape": [0-9.]*' <<<"$out" | head -n 1 |
        grep -o '[0-9.]*$')
    c=$(grep -o '"class_median": {"wape": [0-9.]*' <<<"$out" | head -n 1 |
        grep -o '[0-9.]*$')
    awk -v w="$w" -v p="$p" -v c="$c" -v m="$(value mdape <<<"$out")" \
        -v k="$(value coverage <<<"$out")" -v name="$1${2:+ (knows $2)}" \
        'BEGIN { b = p < c ? p : c; printf "%-90s %.3f  %.3f  %.3f\n", name,
            w / b, m, k }' | tee -a "scores${2:+-warm}"
}
for f in "$dir"/*.joblog; do
    name=${f##*/} name=${name%.joblog} family=${name%%-*}
    smallest=$(for g in "$dir/$family"-*.joblog; do
        echo "$(wc -l <"$g") $g"; done | sort -k1,1n -k2,2 | head -n 1)
    smallest=${smallest##*/} smallest=${smallest%.joblog}
    score "$name"
    [ "$name" = "$smallest" ] || score "$name" "$smallest"
done
for s in scores scores-warm; do
    [ -f $s ] && awk -v s=$s '{ l += log($(NF - 2))
        if ($(NF - 2) > m) m = $(NF - 2) } END {
        printf "%s: geometric mean %.3f (target 0.88), worst %.3f (1.03)\n",
        s == "scores" ? "beginning with nothing" : "knowing the smaller run",
        exp(l / NR), m }' $s
done
exit 0
