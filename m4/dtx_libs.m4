# SPDX-License-Identifier: MIT
# dtx_libs.m4 - hwloc, zlib, Check, and the summary

AC_DEFUN([DTX_HWLOC], [
  PKG_CHECK_MODULES([HWLOC], [hwloc >= 2.0], [dtx_hwloc=yes], [
    dtx_hwloc=no
    DTX_MISSING([hwloc 2.0 or newer (looked for with pkg-config; see PKG_CONFIG_PATH)],
      [libhwloc-dev], [hwloc-devel], [hwloc])
  ])
  DTX_STRIP([HWLOC_CFLAGS])
])

AC_DEFUN([DTX_ZLIB], [
  AC_MSG_CHECKING([for zlib])
  DTX_TRY_LINK([], [-lz], [@%:@include <zlib.h>],
    [return (int)crc32(0, 0, 0)], [
    AC_MSG_RESULT([yes])
    ZLIB_LIBS=-lz
  ], [
    AC_MSG_RESULT([no])
    DTX_MISSING([zlib], [zlib1g-dev], [zlib-devel], [zlib])
  ])
  AC_SUBST([ZLIB_LIBS])
])

# The test framework: "make check" wants it, the program does not.
AC_DEFUN([DTX_CHECK], [
  PKG_CHECK_MODULES([CHECK], [check >= 0.12], [dtx_check=yes],
    [dtx_check=no])
  DTX_STRIP([CHECK_CFLAGS])
  AM_CONDITIONAL([HAVE_CHECK], [test $dtx_check = yes])
])

AC_DEFUN([DTX_SUMMARY], [
  AS_IF([test $dtx_check = yes], [dtx_check_says=yes],
    [dtx_check_says="no: make check will not run (Debian: check, RHEL family: check-devel)"])
  AS_ECHO(["
DistributeX $PACKAGE_VERSION
  compiler   $CC $CFLAGS
  prefix     $prefix
  MPI        $dtx_mpi_from (ULFM: $dtx_ulfm)
  launcher   ${MPIRUN:-none: the MPI tests will be skipped}
  hwloc      `$PKG_CONFIG --modversion hwloc 2>/dev/null`
  HDF5       $dtx_hdf5_from
  PAPI       ${dtx_papi_from:-no (--without-papi)}
  Check      $dtx_check_says
  debug      $enable_debug
  -Werror    $enable_werror
  sanitizers $enable_sanitize
  fuzzers    $enable_fuzzers

Now: make && make check && make install"])
])
