/* SPDX-License-Identifier: MIT */
/* Variables that look like options and are none: DTX_RETRYS.  It only finds
 * them; what a variable means is options.c's business. */
#include "run/options.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "run/options_row.h"

#define PREFIX "DTX_"
#define SHORTEST 3 /* fewer letters look like anything */

/* What tasks find in their environment and what the parts of a job tell each
 * other there. */
static const char *const own[] = {
    "ATTEMPT", "BEGAN",   "CONFIG",    "MARKER",   "RANK", "REMAINING_SECONDS",
    "RUN_DIR", "SLOT",    "TASK_ID",   "TASK_NAME", "TERMINAL",
};

static bool is_own(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strlen(own[i]) == len && memcmp(own[i], name, len) == 0)
            return true;
    }
    return false;
}

bool dtx_options_slip(const char *variable, char *meant, size_t size)
{
    const char *name = variable + sizeof(PREFIX) - 1;
    const struct dtx_option *table;
    struct dtx_near near;
    char known[64], best[64] = "";
    size_t i, n, len;

    if (strncmp(variable, PREFIX, sizeof(PREFIX) - 1) != 0)
        return false;
    len = strcspn(name, "=");
    if (len < SHORTEST || is_own(name, len))
        return false;
    dtx_near_init(&near, name, len);
    table = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        const char *word;

        if (!table[i].name || table[i].kind == DTX_OPTION_HELP)
            continue;
        word = dtx_option_variable(&table[i], known, sizeof(known)) +
               sizeof(PREFIX) - 1;
        if (strlen(word) == len && memcmp(word, name, len) == 0)
            return false;
        near.best = NULL;
        dtx_near_offer(&near, word);
        if (near.best)
            (void)snprintf(best, sizeof(best), "%s", known);
    }
    (void)snprintf(meant, size, "%s", best);
    return best[0] != '\0';
}
