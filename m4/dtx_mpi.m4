# SPDX-License-Identifier: MIT
# dtx_mpi.m4 - DTX_MPI: the flags of the MPI library, and its launcher
#
# Asks the wrapper $MPICC (Open MPI's or MPICH's way) or pkg-config, and
# believes the answer only if MPI_Init links.  Sets MPI_CFLAGS, MPI_LIBS,
# MPIRUN and dtx_mpi_from.

AC_DEFUN([DTX_MPI_PATHS],
  [$PATH:/usr/lib64/openmpi/bin:/usr/lib64/mpich/bin])

# DTX_MPI_TRY(WHERE): take MPI_CFLAGS and MPI_LIBS if they link.
AC_DEFUN([DTX_MPI_TRY], [
  DTX_STRIP([MPI_CFLAGS])
  DTX_TRY_LINK([$MPI_CFLAGS], [$MPI_LIBS], [@%:@include <mpi.h>],
    [return MPI_Init(0, 0)], [dtx_mpi_from=$1])
])

AC_DEFUN([DTX_MPI], [
  AC_ARG_VAR([MPICC], [MPI compiler wrapper (asked for its flags only)])
  AC_ARG_VAR([MPIRUN], [MPI launcher for the tests])
  AC_ARG_WITH([mpi], [AS_HELP_STRING([--with-mpi=DIR],
    [MPI is in DIR (its mpicc in DIR/bin)])], [], [with_mpi=])
  dtx_mpi_from=
  AS_CASE([$with_mpi], [''|yes|no], [],
    [test -n "$MPICC" || MPICC=$with_mpi/bin/mpicc])
  AC_PATH_PROGS([MPICC], [mpicc mpicc.openmpi mpicc.mpich], [],
    [DTX_MPI_PATHS])
  AC_MSG_CHECKING([for MPI])
  AS_IF([test -n "$MPICC"], [
    AS_IF([MPI_CFLAGS=`$MPICC --showme:compile 2>/dev/null`], [
      MPI_LIBS=`$MPICC --showme:link 2>/dev/null`
    ], [
      MPI_CFLAGS=
      for dtx_flag in `$MPICC -compile_info 2>/dev/null`; do
        AS_CASE([$dtx_flag], [-I*|-D*], [MPI_CFLAGS="$MPI_CFLAGS $dtx_flag"])
      done
      MPI_LIBS=
      for dtx_flag in `$MPICC -link_info 2>/dev/null`; do
        AS_CASE([$dtx_flag], [-L*|-l*|-Wl*],
          [MPI_LIBS="$MPI_LIBS $dtx_flag"])
      done
    ])
    DTX_MPI_TRY([$MPICC])
  ])
  for dtx_pc in ompi-c ompi mpich; do
    AS_IF([test -z "$dtx_mpi_from" && test -n "$PKG_CONFIG" &&
           $PKG_CONFIG --exists $dtx_pc], [
      MPI_CFLAGS=`$PKG_CONFIG --cflags $dtx_pc`
      MPI_LIBS=`$PKG_CONFIG --libs $dtx_pc`
      DTX_MPI_TRY([pkg-config $dtx_pc])
    ])
  done
  AS_IF([test -z "$dtx_mpi_from"], [
    MPI_CFLAGS= MPI_LIBS=
    DTX_MPI_TRY([the compiler])
  ])
  AS_IF([test -n "$dtx_mpi_from"], [
    AC_MSG_RESULT([$dtx_mpi_from])
    AS_IF([test -z "$MPIRUN"],
      [AC_PATH_PROGS([MPIRUN], [mpirun mpiexec], [],
        [`AS_DIRNAME(["$MPICC"])`:DTX_MPI_PATHS])])
  ], [
    AC_MSG_RESULT([no])
    DTX_MISSING([MPI (no mpicc whose flags link MPI_Init; set MPICC or --with-mpi=DIR)],
      [libopenmpi-dev openmpi-bin], [openmpi-devel], [openmpi])
  ])
  AC_MSG_CHECKING([whether MPI tells of dead ranks (ULFM)])
  dtx_ulfm=no
  DTX_TRY_LINK([$MPI_CFLAGS], [$MPI_LIBS], [@%:@include <mpi.h>
@%:@include <mpi-ext.h>
@%:@if !defined(OMPI_HAVE_MPI_EXT_FTMPI) || !OMPI_HAVE_MPI_EXT_FTMPI
@%:@error "without ULFM"
@%:@endif], [return MPIX_Comm_failure_ack(MPI_COMM_WORLD)], [dtx_ulfm=yes])
  AC_MSG_RESULT([$dtx_ulfm])
  AM_CONDITIONAL([HAVE_ULFM], [test $dtx_ulfm = yes])
  AC_SUBST([MPI_CFLAGS])
  AC_SUBST([MPI_LIBS])
])
