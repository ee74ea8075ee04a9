/* SPDX-License-Identifier: MIT */
/* An account of what short calls save and long ones cost; see trust.h.  It
 * decides from times alone, never what is done about it. */
#include "lane/trust.h"

#define LONGEST_NS (INT64_C(1) << 60) /* far from overflow */

/* Add 'change', but not up beyond 'most', nor down below 'least'. */
static void book(struct dtx_trust *t, int64_t change, int64_t least,
                 int64_t most)
{
    int64_t now = atomic_load_explicit(&t->account_ns, memory_order_relaxed);
    int64_t next = now + change;

    if (change > 0 && next > most)
        next = now > most ? now : most;
    if (change < 0 && next < least)
        next = now < least ? now : least;
    if (next != now) /* as a rule nothing is written */
        atomic_store_explicit(&t->account_ns, next, memory_order_relaxed);
}

static int64_t clip(uint64_t n, int64_t most)
{
    return n < (uint64_t)most ? (int64_t)n : most;
}

void dtx_trust_saw(struct dtx_trust *t, uint64_t count, int64_t ns)
{
    const int64_t most = DTX_TRUST_MOST_NS;

    if (count == 0)
        return;
    if ((uint64_t)ns / count >= DTX_TRUST_SHORT_NS)
        book(t, -clip((uint64_t)ns, most), -most, most);
    else
        book(t, clip(count, most) * DTX_TRUST_SAVED_NS, -most, most);
}

bool dtx_trust_try(struct dtx_trust *t, int64_t ns)
{
    bool ok = ns < DTX_TRUST_SHORT_NS;

    book(t, ok ? DTX_TRUST_SAVED_NS : -clip((uint64_t)ns, LONGEST_NS),
         -LONGEST_NS, DTX_TRUST_MOST_NS);
    return ok;
}
