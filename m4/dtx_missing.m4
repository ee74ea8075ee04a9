# SPDX-License-Identifier: MIT
# dtx_missing.m4 - collect what is missing, and say it once

# DTX_MISSING(WHAT, DEBIAN, RHEL, SPACK): remember that WHAT was not found,
# and the names of its packages.
AC_DEFUN([DTX_MISSING], [
  dtx_missing="$dtx_missing
  - $1"
  dtx_debian="$dtx_debian $2"
  dtx_rhel="$dtx_rhel $3"
  dtx_spack="$dtx_spack $4"
])

# DTX_MISSING_CHECK: end here if anything was missing.
AC_DEFUN([DTX_MISSING_CHECK], [
  AS_IF([test -n "$dtx_missing"], [AC_MSG_ERROR([cannot build DistributeX here. Missing:
$dtx_missing

  Debian, Ubuntu:      apt-get install$dtx_debian
  RHEL, Rocky, Alma:   dnf install$dtx_rhel
                       (needs EPEL, and CRB or PowerTools enabled)
  Spack:               spack install$dtx_spack && spack load$dtx_spack
  Environment modules: module avail; then "module load" the like of
                       openmpi hwloc hdf5 papi

config.log has the failed attempts.])])
])

# DTX_STRIP(VAR): drop -I/usr/include, and have the compiler treat the other
# include folders as the system's: their headers do not pass our warnings.
AC_DEFUN([DTX_STRIP], [
  dtx_flags=
  for dtx_flag in $$1; do
    AS_CASE([$dtx_flag],
      [-I/usr/include], [],
      [-I*], [dtx_flags="$dtx_flags -isystem `AS_ECHO(["$dtx_flag"]) | sed 's/^-I//'`"],
      [dtx_flags="$dtx_flags $dtx_flag"])
  done
  $1=$dtx_flags
])

# DTX_TRY_LINK(CFLAGS, LIBS, PROLOGUE, BODY, YES, NO)
AC_DEFUN([DTX_TRY_LINK], [
  dtx_save_CFLAGS=$CFLAGS
  dtx_save_LIBS=$LIBS
  CFLAGS="$CFLAGS $1"
  LIBS="$2 $LIBS"
  dtx_linked=no
  AC_LINK_IFELSE([AC_LANG_PROGRAM([$3], [$4])], [dtx_linked=yes])
  CFLAGS=$dtx_save_CFLAGS
  LIBS=$dtx_save_LIBS
  AS_IF([test $dtx_linked = yes], [$5], [$6])
])
