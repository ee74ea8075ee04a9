/* SPDX-License-Identifier: MIT */
/* Variables of an environment; see variable.h.  It asks the function it is
 * given alone. */
#include "run/variable.h"

#include "base/error.h"
#include "base/units.h"

const char *dtx_variable(const struct dtx_variables *v, const char *name)
{
    const char *text = v->get(v->ctx, name);

    return text && text[0] ? text : NULL;
}

int64_t dtx_variable_number(const struct dtx_variables *v, const char *name,
                            int64_t most)
{
    const char *text = dtx_variable(v, name);
    int64_t n = 0;

    return text && dtx_parse_int(text, 0, most, &n) == DTX_OK ? n : 0;
}
