/* SPDX-License-Identifier: MIT */
/* predict/curve.h - seconds = constant + factor * argument ^ power
 *
 * The law most programs follow in one of their arguments: a start-up that
 * costs the same each time, and work that grows with a power.  Of each number
 * a command has, and of a grid of powers, the two coefficients are fitted to
 * relative errors (weights 1/t^2), and the law with the smallest error is kept
 * when its power has been refined between its neighbours.  It answers beyond
 * the range it has seen.
 */
#ifndef DTX_PREDICT_CURVE_H
#define DTX_PREDICT_CURVE_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_sample;

/* Zero-initialise. */
struct dtx_curve {
    bool known;
    uint32_t feature;
    double power, constant, factor;
    double error; /* root of the mean squared relative error */
};

/* 'mark', unless 0: only of this program, where that is enough. */
void dtx_curve_train(struct dtx_curve *c, const struct dtx_sample *s,
                     uint32_t n, uint32_t mark);
/* The logarithm of the seconds. */
double dtx_curve_value(const struct dtx_curve *c, const struct dtx_sample *s);

#endif
