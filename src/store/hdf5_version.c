/* SPDX-License-Identifier: MIT */
/* store/hdf5_version.c - the version of HDF5
 *
 * Asks the library that is loaded, which may be newer than the header this was
 * compiled with; it opens no file.
 */
#include "store/hdf5_version.h"

#include <hdf5.h>
#include <stdio.h>

const char *dtx_hdf5_library(char *buf, size_t size)
{
    unsigned major, minor, patch;
    if (H5get_libversion(&major, &minor, &patch) < 0)
        (void)snprintf(buf, size, "HDF5 (version unknown)");
    else
        (void)snprintf(buf, size, "HDF5 %u.%u.%u", major, minor, patch);
    return buf;
}
