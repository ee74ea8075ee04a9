/* SPDX-License-Identifier: MIT */
/* Lays out help texts; see page.h.  It decides where lines break and what roff
 * needs escaped; it never knows what the text is about. */
#include "run/page.h"

#include <string.h>

#include "base/buf.h"

#define WIDTH 79
#define COLUMN 26

/* 's' so that roff shows it as it is; hyphens stay minus signs, so that
 * options can be copied from the page. */
static void put_roff(struct dtx_buf *b, const char *s, size_t len)
{
    bool start = true;
    size_t i;

    for (i = 0; i < len; i++) {
        if (start && (s[i] == '.' || s[i] == '\''))
            dtx_buf_str(b, "\\&");
        if (s[i] == '\\')
            dtx_buf_str(b, "\\e");
        else if (s[i] == '-')
            dtx_buf_str(b, "\\-");
        else
            dtx_buf_char(b, s[i]);
        start = s[i] == '\n';
    }
}

/* 'text' in lines that start at 'indent'; the first one is already filled up
 * to 'column'. */
static void put_wrapped(struct dtx_buf *b, const char *text, size_t indent,
                        size_t column)
{
    while (*text) {
        size_t len = strcspn(text, " ");
        bool first = column <= indent;

        if (!first && column + 1 + len > WIDTH) {
            dtx_buf_char(b, '\n');
            column = 0;
            first = true;
        }
        for (; column < indent; column++)
            dtx_buf_char(b, ' ');
        if (!first) {
            dtx_buf_char(b, ' ');
            column++;
        }
        dtx_buf_append(b, text, len);
        column += len;
        text += len + (text[len] == ' ');
    }
    dtx_buf_char(b, '\n');
}

void dtx_page_chapter(struct dtx_page *p, const char *title)
{
    if (!p->roff)
        return;
    dtx_buf_str(p->out, ".SH ");
    put_roff(p->out, title, strlen(title));
    dtx_buf_char(p->out, '\n');
    p->last = DTX_PAGE_HEADING;
}

void dtx_page_group(struct dtx_page *p, const char *title)
{
    dtx_buf_str(p->out, p->roff ? ".SS " : "\n");
    if (p->roff)
        put_roff(p->out, title, strlen(title));
    else
        dtx_buf_str(p->out, title);
    dtx_buf_str(p->out, p->roff ? "\n" : ":\n");
    p->last = DTX_PAGE_HEADING;
}

/* In roff a heading has its own break behind it. */
static void put_break(struct dtx_page *p)
{
    if (p->last != DTX_PAGE_HEADING)
        dtx_buf_str(p->out, ".PP\n");
}

void dtx_page_para(struct dtx_page *p, const char *text)
{
    if (p->roff) {
        put_break(p);
        put_roff(p->out, text, strlen(text));
        dtx_buf_char(p->out, '\n');
    } else {
        if (p->out->len > 0)
            dtx_buf_char(p->out, '\n');
        put_wrapped(p->out, text, 0, 0);
    }
    p->last = DTX_PAGE_FLOW;
}

void dtx_page_item(struct dtx_page *p, const char *term, const char *text)
{
    size_t column = 2 + strlen(term);

    if (p->roff) {
        dtx_buf_str(p->out, ".TP\n\\fB");
        put_roff(p->out, term, strlen(term));
        dtx_buf_str(p->out, "\\fR\n");
        put_roff(p->out, text, strlen(text));
        dtx_buf_char(p->out, '\n');
        p->last = DTX_PAGE_ITEM;
        return;
    }
    if (p->last == DTX_PAGE_FLOW)
        dtx_buf_char(p->out, '\n');
    p->last = DTX_PAGE_ITEM;
    dtx_buf_printf(p->out, "  %s", term);
    if (column + 2 > COLUMN) {
        dtx_buf_char(p->out, '\n');
        column = 0;
    }
    put_wrapped(p->out, text, COLUMN, column);
}

void dtx_page_code(struct dtx_page *p, const char *lines)
{
    if (p->roff) {
        put_break(p);
        dtx_buf_str(p->out, ".RS 4\n.nf\n");
    } else if (p->out->len > 0) {
        dtx_buf_char(p->out, '\n');
    }
    while (*lines) {
        size_t len = strcspn(lines, "\n");

        if (p->roff)
            put_roff(p->out, lines, len);
        else if (len > 0)
            dtx_buf_printf(p->out, "    %.*s", (int)len, lines);
        dtx_buf_char(p->out, '\n');
        lines += len + (lines[len] == '\n');
    }
    if (p->roff)
        dtx_buf_str(p->out, ".fi\n.RE\n");
    p->last = DTX_PAGE_FLOW;
}
