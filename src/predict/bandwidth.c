/* SPDX-License-Identifier: MIT */
/* Bytes over time; see bandwidth.h.  The parts are a window that moves with the
 * latest end; what falls before it is dropped, which only makes the answer
 * smaller. */
#include "predict/bandwidth.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

#define PARTS ((int64_t)DTX_BANDWIDTH_PARTS)
#define NARROWEST (250 * DTX_MSEC_NS)
#define LATEST (INT64_MAX / 4) /* some seventy years after 1970 */

/* Two parts become one. */
static void widen(struct dtx_bandwidth *b)
{
    double old[DTX_BANDWIDTH_PARTS];
    int64_t first = b->first / 2, i;

    memcpy(old, b->bytes, sizeof(old));
    memset(b->bytes, 0, sizeof(b->bytes));
    for (i = 0; i < PARTS; i++)
        b->bytes[(b->first + i) / 2 - first] += old[i];
    b->first = first;
    b->width_ns *= 2;
}

/* The window is to reach up to this part. */
static void move_to(struct dtx_bandwidth *b, int64_t last)
{
    int64_t by = last - (b->first + PARTS - 1);

    if (by <= 0)
        return;
    if (by < PARTS)
        memmove(b->bytes, b->bytes + by,
                (size_t)(PARTS - by) * sizeof(b->bytes[0]));
    else
        by = PARTS;
    memset(b->bytes + (PARTS - by), 0, (size_t)by * sizeof(b->bytes[0]));
    b->first = last - PARTS + 1;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void dtx_bandwidth_add(struct dtx_bandwidth *b, int64_t start_ns,
                       int64_t wall_ns, double bytes)
{
    int64_t end_ns, k;

    if (start_ns < 0 || start_ns > LATEST || wall_ns <= 0 ||
        wall_ns > LATEST || !(bytes > 0) || isinf(bytes))
        return;
    if (b->width_ns == 0)
        b->width_ns = NARROWEST;
    while (wall_ns > 2 * b->width_ns)
        widen(b);
    end_ns = start_ns + wall_ns;
    move_to(b, (end_ns - 1) / b->width_ns);
    for (k = larger(start_ns / b->width_ns, b->first);
         k * b->width_ns < end_ns; k++) {
        int64_t from = larger(k * b->width_ns, start_ns);
        int64_t upto = (k + 1) * b->width_ns;
        double *part = &b->bytes[k - b->first];

        upto = upto < end_ns ? upto : end_ns;
        *part += bytes * (double)(upto - from) / (double)wall_ns;
        b->best = fmax(b->best, *part * 1e9 / (double)b->width_ns);
    }
}
