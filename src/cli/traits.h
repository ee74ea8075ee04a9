/* SPDX-License-Identifier: MIT */
/* cli/traits.h - how traits of classes are told
 *
 * Their names in JSON, their titles, and how a number is written for people.
 * What was not measured is for the caller to tell.
 */
#ifndef DTX_CLI_TRAITS_H
#define DTX_CLI_TRAITS_H

#include "predict/usage.h"

struct dtx_buf;

struct dtx_cli_trait {
    enum dtx_usage_trait trait;
    const char *json, *title;
    int width;           /* of the title's column */
    int decimals;
    double times;        /* for people: of what is measured */
    const char *unit;    /* behind the number */
};

enum { DTX_CLI_TRAITS = 6 };

extern const struct dtx_cli_trait dtx_cli_traits[DTX_CLI_TRAITS];

/* The number for people, to the right in 'width' columns. */
void dtx_cli_trait_put(struct dtx_buf *b, const struct dtx_cli_trait *t,
                       double v, int width);

#endif
