/* SPDX-License-Identifier: MIT */
/* Makes any bytes printable; see show.h.  It never fails and never looks at
 * the locale: what it yields is plain ASCII. */
#include "task/show.h"

const char *dtx_show_text(struct dtx_show *b, const char *s, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t i, shown = len > DTX_SHOW_MAX ? DTX_SHOW_MAX : len;
    char *p = b->text;

    for (i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c < 0x7f) {
            *p++ = (char)c;
        } else {
            *p++ = '\\';
            *p++ = 'x';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    for (i = 0; i < 3 && shown < len; i++)
        *p++ = '.';
    *p = '\0';
    return b->text;
}
