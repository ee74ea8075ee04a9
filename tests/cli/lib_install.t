#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/cli/lib_install.t - the library as an installed one is used: programs
# build with pkg-config alone, in C, C++ and Fortran; it shows what it should
# and nothing else, and does not drag HDF5 along.
. "$srcdir/tests/cli/lib.sh"
: "${MAKE:=make}" "${CC:=cc}"

prefix=$test_root/prefix
# Under a test's make nothing of its own flags is wanted.
unset MAKEFLAGS MFLAGS MAKELEVEL
"$MAKE" -C "$builddir" prefix="$prefix" install-libLTLIBRARIES \
    install-includeHEADERS install-pkgconfigDATA move-pc \
    >"$test_root/install.log" 2>&1
installed=$?
export prefix
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export LD_LIBRARY_PATH=$prefix/lib
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

test_case "it installs" "
    cat $test_root/install.log
    [ $installed -eq 0 ]
    [ -f $prefix/include/distributex.h ]
    [ -f $prefix/include/distributex_mpi.h ]
"

test_case "examples build with pkg-config alone" '
    for f in "$srcdir"/examples/*/*.c; do
        name=$(basename "$f" .c)
        # shellcheck disable=SC2046
        $CC $SANITIZE -O1 "$f" $(pkg-config --cflags --libs distributex) -lm \
            -o "$name" || fail "$name does not build"
    done
    ./nqueens 6 | grep -q "6 queens: 4 ways"
'

if command -v c++ >/dev/null 2>&1; then
    test_case "C++ can use the header" '
        cat >t.cc <<END
#include <distributex.h>
#include <cstdio>
static int each(dtx_call *, uint64_t i) { return i == 7 ? 1 : 0; }
int main()
{
    if (dtx_init("slots=2") < 0 || dtx_kernel_each("each", each) < 0)
        return 2;
    int rc = dtx_for("each", 0, 10, nullptr, 0);
    std::puts(dtx_error_text());
    return dtx_finalize() == DTX_OK && rc == DTX_EKERNEL ? 0 : 1;
}
END
        # shellcheck disable=SC2046
        c++ $SANITIZE -Wall -Wextra -Werror t.cc \
            $(pkg-config --cflags --libs distributex) -o t
        ./t
    '
else
    skip_case "C++ can use the header" "no c++ here"
fi

if command -v "${FC:-gfortran}" >/dev/null 2>&1; then
    test_case "a loop in Fortran" '
        # shellcheck disable=SC2046
        "${FC:-gfortran}" $SANITIZE "$srcdir"/examples/fortran/distributex.f90 \
            "$srcdir"/examples/fortran/collatz.f90 \
            $(pkg-config --libs distributex) -o collatz
        ./collatz | grep -q "has 524 steps"
    '
else
    skip_case "a loop in Fortran" "no Fortran compiler here"
fi

test_case "only dtx_ names can be seen, and HDF5 is not dragged in" '
    lib=$prefix/lib/libdistributex.so
    [ -f "$lib" ]
    if command -v nm >/dev/null; then
        nm -D --defined-only "$lib" | awk "{ print \$3 }" >names
        grep -qx dtx_for names
        ! grep -v -e ^dtx_ -e ^__asan -e ^__odr_asan names || fail "others"
        ! grep -q -e dtx_master -e dtx_buf names || fail "internal names"
    fi
    if command -v ldd >/dev/null; then
        ldd "$lib" >needs
        ! grep -i hdf5 needs
    fi
'

test_done
