/* SPDX-License-Identifier: MIT */
/* The terminal behind stderr; see terminal.h.  It believes the variable only
 * under a supervisor, which always sets it. */
#include "run/terminal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/units.h"
#include "run/marker.h"

#define USUAL 80 /* where the terminal does not tell */

static int own_columns(void)
{
    struct winsize w;

    if (isatty(STDERR_FILENO) != 1)
        return 0;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
        return USUAL;
    return w.ws_col;
}

int dtx_terminal_columns(void)
{
    const char *told = getenv(DTX_TERMINAL_ENV);
    int64_t n = 0;

    if (told && getenv(DTX_MARKER_ENV) &&
        dtx_parse_int(told, 0, UINT16_MAX, &n) == 0)
        return (int)n;
    return own_columns();
}

int dtx_terminal_tell(void)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", own_columns());
    return setenv(DTX_TERMINAL_ENV, text, 1);
}
