/* SPDX-License-Identifier: MIT */
/* base/units.h - numbers, durations and sizes as people write them
 *
 * All parsers take the whole string or nothing: 0, or DTX_EPARSE (not of the
 * form) or DTX_ELIMIT (out of range), with '*out' unchanged.
 */
#ifndef DTX_BASE_UNITS_H
#define DTX_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define DTX_SEC_NS INT64_C(1000000000)
#define DTX_MSEC_NS INT64_C(1000000)

/* A decimal whole number between lo and hi. */
int dtx_parse_int(const char *s, int64_t lo, int64_t hi, int64_t *out);
/* A duration: "90" and "1.5" are seconds, "250ms", "30s", "10m", "2h", "1d",
 * and sums "1h30m"; also Slurm's "MM:SS", "HH:MM:SS", "D-HH:MM:SS". In
 * nanoseconds; at most 100 years. */
int dtx_parse_duration(const char *s, int64_t *out_ns);
/* A size: "4096", "512K", "2G", "1.5T", powers of 1024, a final B allowed. */
int dtx_parse_size(const char *s, int64_t *out_bytes);

/* "850 us", "12.3 ms", "4.57 s", "3m20s", "2h05m", "3d04h"; returns 'buf'. */
const char *dtx_format_duration(char *buf, size_t size, int64_t ns);
/* "512 B", "1.5 KiB", "20 MiB"; returns 'buf'. */
const char *dtx_format_size(char *buf, size_t size, int64_t bytes);

/* What makes a noun plural: "%llu task%s". */
static inline const char *dtx_plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

#endif
