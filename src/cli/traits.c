/* SPDX-License-Identifier: MIT */
/* Traits of classes as they are told; see traits.h. */
#include "cli/traits.h"

#include <string.h>

#include "base/buf.h"

const struct dtx_cli_trait dtx_cli_traits[DTX_CLI_TRAITS] = {
    {DTX_USAGE_CPU, "cores", "cores", 6, 2, 1, ""},
    {DTX_USAGE_PEAK, "peak_bytes", "peak MiB", 9, 1, 1.0 / (1 << 20), ""},
    {DTX_USAGE_IO, "io_wait", "I/O", 6, 1, 100, "%"},
    {DTX_USAGE_IPC, "instructions_per_cycle", "IPC", 5, 2, 1, ""},
    {DTX_USAGE_MISSES, "misses_per_instruction", "misses", 6, 2, 1000, ""},
    {DTX_USAGE_BYTES, "memory_bytes_per_second", "GB/s", 5, 2, 1e-9, ""},
};

void dtx_cli_trait_put(struct dtx_buf *b, const struct dtx_cli_trait *t,
                       double v, int width)
{
    dtx_buf_printf(b, "%*.*f%s", width - (int)strlen(t->unit), t->decimals,
                   v * t->times, t->unit);
}
