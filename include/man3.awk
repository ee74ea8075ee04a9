# SPDX-License-Identifier: MIT
# include/man3.awk - the manual of the library, out of its header
#
#     awk -f man3.awk -v version=1.0 distributex.h > distributex.3
#
# What the header says is the manual: each comment becomes a paragraph, each
# declaration stands as it is, "/* --- name --- */" begins a section.

function escape(s) {
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    sub(/^[.']/, "\\\\\\&&", s)
    return s
}

# Lines that are indented are examples or lists: kept as they stand.
function flush_text(   i, line, kept) {
    if (n == 0)
        return
    print ".PP"
    for (i = 1; i <= n; i++) {
        line = text[i]
        if (line == "") {
            if (kept) { print ".fi"; kept = 0 }
            print ".PP"
        } else if (line ~ /^  /) {
            if (!kept) { print ".nf"; kept = 1 }
            print escape(line)
        } else {
            if (kept) { print ".fi"; kept = 0 }
            print escape(line)
        }
    }
    if (kept)
        print ".fi"
    n = 0
}

BEGIN {
    print ".TH DISTRIBUTEX 3 \"\" \"DistributeX " version "\""
    print ".SH NAME"
    print "distributex, dtx_init, dtx_for \\- balance for irregular loops and task trees over MPI"
    print ".SH SYNOPSIS"
    print ".nf"
    print "#include <distributex.h>"
    print "cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs distributex)"
    print ".fi"
    print ".SH DESCRIPTION"
}

/^\/\* --- / {
    flush_text()
    sub(/^\/\* --- /, "")
    sub(/ -+ \*\/$/, "")
    print ".SH " toupper($0)
    next
}
/SPDX-License/ || /^#/ || /^extern "C"/ || /^}$/ || /^$/ && !inside { next }
/^\/\*/ {
    flush_text()
    sub(/^\/\* ?/, "")
    inside = 1
}
inside {
    done = /\*\/$/
    sub(/ ?\*\/$/, "")
    sub(/^ \* ?/, "")
    sub(/^ \*$/, "")
    if ($0 !~ /^distributex\.h - /)
        text[++n] = $0
    if (done)
        inside = 0
    next
}
{
    flush_text()
    sub(/^DTX_PUBLIC /, "")
    if (!declared)
        print ".PP\n.nf"
    print ".B " escape($0)
    declared = 1
    if (/;$/ && !/^    / || /^};$/ || /;.*\*\/$/ && !/^    / || / .*\);$/) {
        print ".fi"
        declared = 0
    }
}
END {
    flush_text()
    print ".SH EXAMPLES"
    print "In the examples folder of the source; each with its own README."
    print ".SH SEE ALSO"
    print ".BR distributex (1),"
    print "doc/library.md: a tutorial from a serial loop to a balanced one."
}
