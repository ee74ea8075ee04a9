/* SPDX-License-Identifier: MIT */
/* store/hdf5_version.h - which HDF5 this program runs with */
#ifndef DTX_STORE_HDF5_VERSION_H
#define DTX_STORE_HDF5_VERSION_H

#include <stddef.h>

/* "HDF5 1.10.8", cut to fit, or "HDF5 (version unknown)"; returns 'buf'. */
const char *dtx_hdf5_library(char *buf, size_t size);

#endif
