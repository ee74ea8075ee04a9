/* SPDX-License-Identifier: MIT */
/* store/file.h - what every file of this folder needs from the system
 *
 * Whole reads and writes in spite of short ones and EINTR.  Failures leave
 * errno set.  Internal to store/.
 */
#ifndef DTX_STORE_FILE_H
#define DTX_STORE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Read at 'off' until 'len' bytes or the end: how many, or -1. */
ssize_t dtx_file_read(int fd, void *buf, size_t len, uint64_t off);
/* Write all 'len' bytes at 'off': 0 or -1. */
int dtx_file_write(int fd, const void *buf, size_t len, uint64_t off);
/* Make the entry 'path' of its directory survive a power loss. 0, also where
 * directories cannot be synced, or -1. */
int dtx_file_sync_dir(const char *path);
/* "dir/name"; NULL on no memory, the caller frees. */
char *dtx_file_join(const char *dir, const char *name);
/* CLOCK_MONOTONIC. */
int64_t dtx_file_now(void);
/* Sleep, also through signals. */
void dtx_file_nap(int64_t ns);

/* Little-endian numbers in bytes. */
static inline void dtx_file_put32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
}

static inline uint32_t dtx_file_get32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

#endif
