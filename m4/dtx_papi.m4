# SPDX-License-Identifier: MIT
# dtx_papi.m4 - DTX_PAPI: hardware counters, or knowingly without
#
# Sets PAPI_CFLAGS, PAPI_LIBS, dtx_papi_from and the condition HAVE_PAPI, which
# chooses between src/node/papi_count.c and src/node/papi_none.c.

# DTX_PAPI_TRY(WHERE)
AC_DEFUN([DTX_PAPI_TRY], [
  AS_IF([test -z "$dtx_papi_from"], [
    DTX_STRIP([PAPI_CFLAGS])
    DTX_TRY_LINK([$PAPI_CFLAGS], [$PAPI_LIBS], [@%:@include <papi.h>],
      [return PAPI_library_init(PAPI_VER_CURRENT) != PAPI_VER_CURRENT],
      [dtx_papi_from="$1"])
  ])
])

AC_DEFUN([DTX_PAPI], [
  AC_ARG_WITH([papi], [AS_HELP_STRING([--with-papi=DIR],
    [PAPI is in DIR (with include/ and lib/); --without-papi builds without])],
    [], [with_papi=yes])
  dtx_papi_from=
  AC_MSG_CHECKING([for PAPI])
  AS_CASE([$with_papi], [no], [], [''|yes], [
    AS_IF([test -n "$PKG_CONFIG" && $PKG_CONFIG --exists papi], [
      PAPI_CFLAGS=`$PKG_CONFIG --cflags papi`
      PAPI_LIBS=`$PKG_CONFIG --libs papi`
      DTX_PAPI_TRY([pkg-config papi])
    ])
    AS_IF([test -z "$dtx_papi_from"], [
      PAPI_CFLAGS= PAPI_LIBS=-lpapi
      DTX_PAPI_TRY([the folders of the compiler])
    ])
  ], [
    for dtx_lib in lib lib64; do
      test -d "$with_papi/$dtx_lib" || continue
      PAPI_CFLAGS=-I$with_papi/include
      PAPI_LIBS="-L$with_papi/$dtx_lib -Wl,-rpath,$with_papi/$dtx_lib -lpapi"
      DTX_PAPI_TRY([$with_papi])
      test -z "$dtx_papi_from" || break
    done
  ])
  AS_IF([test -n "$dtx_papi_from"], [AC_MSG_RESULT([$dtx_papi_from])],
    [test "x$with_papi" = xno], [
    AC_MSG_RESULT([not wanted])
    PAPI_CFLAGS= PAPI_LIBS=
  ], [
    AC_MSG_RESULT([no])
    DTX_MISSING([PAPI (see --with-papi=DIR, or leave it out: --without-papi)],
      [libpapi-dev], [papi-devel], [papi])
  ])
  AC_SUBST([PAPI_CFLAGS])
  AC_SUBST([PAPI_LIBS])
  AM_CONDITIONAL([HAVE_PAPI], [test -n "$dtx_papi_from"])
])
