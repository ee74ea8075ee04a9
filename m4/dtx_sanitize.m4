# SPDX-License-Identifier: MIT
# dtx_sanitize.m4 - --enable-debug, --enable-werror, the warnings,
#                   --enable-sanitize, --enable-fuzzers
#
# All end in DTX_CFLAGS and DTX_LDFLAGS; CFLAGS stays the user's.

# DTX_DEBUG: choose CFLAGS, unless the user did (before AC_PROG_CC).
AC_DEFUN([DTX_DEBUG], [
  AC_ARG_ENABLE([debug], [AS_HELP_STRING([--enable-debug],
    [compile with -O0 -g3 instead of -O2 -g])], [], [enable_debug=no])
  AS_IF([test "x$enable_debug" = xno], [: ${CFLAGS="-O2 -g"}],
    [: ${CFLAGS="-O0 -g3"}])
])

# DTX_COMPILER_FLAG(FLAG, ADD): add it to DTX_CFLAGS if the compiler knows it.
# ADD, if given, is added in its place.  (clang only warns about flags it does
# not know, hence -Werror; gcc knows any -Wno-..., so ask about -W...)
AC_DEFUN([DTX_COMPILER_FLAG], [
  dtx_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_MSG_CHECKING([whether $CC takes $1])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes])
     DTX_CFLAGS="$DTX_CFLAGS m4_default([$2], [$1])"], [AC_MSG_RESULT([no])])
  CFLAGS=$dtx_save_CFLAGS
])

AC_DEFUN([DTX_WARNINGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
    [warnings are errors])], [], [enable_werror=no])
  DTX_CFLAGS="-std=c11 -pthread"
  m4_foreach_w([dtx_warning], [-Wall -Wextra -Wpedantic -Wconversion -Wshadow
    -Wstrict-prototypes -Wmissing-prototypes -fvisibility=hidden],
    [DTX_COMPILER_FLAG(dtx_warning)])
  # Check's macros use this extension.
  DTX_COMPILER_FLAG([-Wgnu-zero-variadic-macro-arguments],
    [-Wno-gnu-zero-variadic-macro-arguments])
  AS_IF([test "x$enable_werror" != xno], [DTX_CFLAGS="$DTX_CFLAGS -Werror"])
  DTX_LDFLAGS=
  AC_SUBST([DTX_CFLAGS])
  AC_SUBST([DTX_LDFLAGS])
])

AC_DEFUN([DTX_SANITIZE], [
  AC_ARG_ENABLE([sanitize], [AS_HELP_STRING([--enable-sanitize=LIST],
    [compile with these sanitizers (address,undefined if no LIST;
     thread goes alone)])], [], [enable_sanitize=no])
  AS_CASE([$enable_sanitize], [no], [], [
    AS_IF([test "x$enable_sanitize" = xyes],
      [enable_sanitize=address,undefined])
    dtx_san="-fsanitize=$enable_sanitize -fno-sanitize-recover=all"
    AC_MSG_CHECKING([whether $CC links with -fsanitize=$enable_sanitize])
    DTX_TRY_LINK([$dtx_san], [], [], [], [AC_MSG_RESULT([yes])], [
      AC_MSG_RESULT([no])
      AC_MSG_ERROR([$CC cannot link with -fsanitize=$enable_sanitize;
RHEL family: dnf install libasan libubsan libtsan; clang on Debian: libclang-rt-dev])])
    DTX_CFLAGS="$DTX_CFLAGS $dtx_san -fno-omit-frame-pointer"
    DTX_LDFLAGS="$DTX_LDFLAGS $dtx_san"
  ])
])

AC_DEFUN([DTX_FUZZERS], [
  AC_ARG_ENABLE([fuzzers], [AS_HELP_STRING([--enable-fuzzers],
    [build the fuzz targets for libFuzzer (needs clang; make fuzz)])], [],
    [enable_fuzzers=no])
  AS_IF([test "x$enable_fuzzers" != xno], [
    AC_MSG_CHECKING([whether $CC takes -fsanitize=fuzzer])
    DTX_TRY_LINK([-fsanitize=fuzzer-no-link], [], [], [],
      [AC_MSG_RESULT([yes])], [
      AC_MSG_RESULT([no])
      AC_MSG_ERROR([--enable-fuzzers needs clang with its runtime libraries
(configure with CC=clang; Debian: apt-get install clang libclang-rt-14-dev)])])
    DTX_CFLAGS="$DTX_CFLAGS -fsanitize=fuzzer-no-link"
    DTX_LDFLAGS="$DTX_LDFLAGS -fsanitize=fuzzer-no-link"
  ])
  AM_CONDITIONAL([FUZZERS], [test "x$enable_fuzzers" != xno])
])
