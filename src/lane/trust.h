/* SPDX-License-Identifier: MIT */
/* lane/trust.h - whether the calls of a kernel are short enough to be run by a
 *                thread that has other things to do
 *
 * To wake a thread takes some microseconds, and tens where its core has gone to
 * sleep; a call that takes less is sooner run by the thread that would do the
 * waking, as in runtimes whose waiting threads work (Wagner and Calder,
 * "Leapfrogging", PPoPP 1993).  But while it runs a call, that thread does
 * nothing else.  So a kernel has an account: each short call puts a wake-up's
 * time into it, a long one takes out what it took, whoever has run them.  It is
 * trusted with a call that the account could pay for; so what long calls cost
 * that thread never comes to more than what short ones have put in, and one
 * call.
 *
 * Any thread may tell what it saw, at once with others: what is lost between
 * them changes the account by a little, and nothing else.
 */
#ifndef DTX_LANE_TRUST_H
#define DTX_LANE_TRUST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define DTX_TRUST_SHORT_NS 20000   /* a call below this is short, ... */
#define DTX_TRUST_SAVED_NS 5000    /* ... and saves this */
#define DTX_TRUST_NEEDED_NS 40000  /* of trust */
#define DTX_TRUST_MOST_NS 20000000 /* in the account, or taken by slots */

/* All zero: nothing is known, and it is not trusted. */
struct dtx_trust {
    _Atomic int64_t account_ns;
};

/* With a call that is thought to take so long; 0: nobody knows. */
static inline bool dtx_trust_has(const struct dtx_trust *t, int64_t ns)
{
    return atomic_load_explicit(&t->account_ns, memory_order_relaxed) -
               DTX_TRUST_NEEDED_NS >=
           (ns < DTX_TRUST_SHORT_NS ? 0 : ns);
}

/* A slot has run 'count' calls in 'ns' together. */
void dtx_trust_saw(struct dtx_trust *t, uint64_t count, int64_t ns);
/* The trusting thread has run one in 'ns'. False: it was long. */
bool dtx_trust_try(struct dtx_trust *t, int64_t ns);

#endif
