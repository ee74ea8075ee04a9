/* SPDX-License-Identifier: MIT */
/* run/variable.h - numbers and words of a launcher's environment
 *
 * What launchers say stands in variables, which come through a function: a
 * test has its own, and nobody else is asked.
 */
#ifndef DTX_RUN_VARIABLE_H
#define DTX_RUN_VARIABLE_H

#include <stdint.h>

/* The value of an environment variable, or NULL. */
typedef const char *(*dtx_variable_get_f)(void *ctx, const char *name);

struct dtx_variables {
    dtx_variable_get_f get;
    void *ctx;
};

/* The value; NULL when it is not set or empty. */
const char *dtx_variable(const struct dtx_variables *v, const char *name);
/* The number in it, from 0 to 'most'; 0 when there is none such. */
int64_t dtx_variable_number(const struct dtx_variables *v, const char *name,
                            int64_t most);

#endif
