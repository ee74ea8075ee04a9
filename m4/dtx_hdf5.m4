# SPDX-License-Identifier: MIT
# dtx_hdf5.m4 - DTX_HDF5: the flags of HDF5, serial or parallel
#
# Tries --with-hdf5=DIR alone if given, else pkg-config, h5cc, h5pcc and the
# compiler's own folders.  A parallel HDF5's header wants <mpi.h>: the flags of
# MPI are added when it does not compile without (so DTX_MPI comes first).
# Sets HDF5_CFLAGS, HDF5_LIBS, dtx_hdf5_from.

# DTX_HDF5_TRY(WHERE)
AC_DEFUN([DTX_HDF5_TRY], [
  AS_IF([test -z "$dtx_hdf5_from"], [
    DTX_STRIP([HDF5_CFLAGS])
    DTX_TRY_LINK([$HDF5_CFLAGS], [$HDF5_LIBS], [@%:@include <hdf5.h>],
      [return H5open()], [dtx_hdf5_from="$1"], [
      DTX_TRY_LINK([$HDF5_CFLAGS $MPI_CFLAGS], [$HDF5_LIBS $MPI_LIBS],
        [@%:@include <hdf5.h>], [return H5open()], [
        HDF5_CFLAGS="$HDF5_CFLAGS $MPI_CFLAGS"
        HDF5_LIBS="$HDF5_LIBS $MPI_LIBS"
        dtx_hdf5_from="$1 (parallel)"
      ])
    ])
  ])
])

# DTX_HDF5_WRAPPER(PROGRAM): what "h5cc -show" would do
AC_DEFUN([DTX_HDF5_WRAPPER], [
  AS_IF([test -z "$dtx_hdf5_from" && dtx_show=`$1 -show 2>/dev/null`], [
    HDF5_CFLAGS= HDF5_LIBS=
    for dtx_flag in $dtx_show; do
      AS_CASE([$dtx_flag],
        [-I*], [HDF5_CFLAGS="$HDF5_CFLAGS $dtx_flag"],
        [-L*|-l*|-Wl,*|*.a|*.so], [HDF5_LIBS="$HDF5_LIBS $dtx_flag"])
    done
    DTX_HDF5_TRY([$1])
  ])
])

AC_DEFUN([DTX_HDF5], [
  AC_ARG_WITH([hdf5], [AS_HELP_STRING([--with-hdf5=DIR],
    [HDF5 is in DIR (with include/ and lib/)])], [], [with_hdf5=])
  dtx_hdf5_from=
  AC_MSG_CHECKING([for HDF5])
  AS_CASE([$with_hdf5], [''|yes|no], [
    for dtx_pc in hdf5 hdf5-serial hdf5-openmpi; do
      AS_IF([test -z "$dtx_hdf5_from" && test -n "$PKG_CONFIG" &&
             $PKG_CONFIG --exists $dtx_pc], [
        HDF5_CFLAGS=`$PKG_CONFIG --cflags $dtx_pc`
        HDF5_LIBS=`$PKG_CONFIG --libs $dtx_pc`
        DTX_HDF5_TRY([pkg-config $dtx_pc])
      ])
    done
    DTX_HDF5_WRAPPER([h5cc])
    DTX_HDF5_WRAPPER([h5pcc])
    AS_IF([test -z "$dtx_hdf5_from"], [
      HDF5_CFLAGS= HDF5_LIBS=-lhdf5
      DTX_HDF5_TRY([the folders of the compiler])
    ])
  ], [
    for dtx_lib in lib lib64; do
      test -d "$with_hdf5/$dtx_lib" || continue
      HDF5_CFLAGS=-I$with_hdf5/include
      HDF5_LIBS="-L$with_hdf5/$dtx_lib -Wl,-rpath,$with_hdf5/$dtx_lib -lhdf5"
      DTX_HDF5_TRY([$with_hdf5])
      test -z "$dtx_hdf5_from" || break
    done
  ])
  AS_IF([test -n "$dtx_hdf5_from"], [AC_MSG_RESULT([$dtx_hdf5_from])], [
    AC_MSG_RESULT([no])
    DTX_MISSING([HDF5 (see --with-hdf5=DIR)], [libhdf5-dev], [hdf5-devel],
      [hdf5])
  ])
  AC_SUBST([HDF5_CFLAGS])
  AC_SUBST([HDF5_LIBS])
])
