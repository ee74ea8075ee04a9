/* SPDX-License-Identifier: MIT */
/* run/page.h - help for people, as plain text or as a man page
 *
 * What is written once comes out both ways: for the terminal, wrapped before
 * column 80, or as roff (man macros).  Failure to grow stays in the buffer
 * (base/buf.h).
 */
#ifndef DTX_RUN_PAGE_H
#define DTX_RUN_PAGE_H

#include <stdbool.h>

struct dtx_buf;

/* What stands last on a page. */
enum dtx_page_last {
    DTX_PAGE_NOTHING,
    DTX_PAGE_HEADING,
    DTX_PAGE_FLOW, /* a paragraph or code */
    DTX_PAGE_ITEM
};

struct dtx_page {
    struct dtx_buf *out; /* appended to */
    bool roff;
    enum dtx_page_last last; /* private; begins as DTX_PAGE_NOTHING */
};

/* A chapter ("OPTIONS"); in plain text nothing: the caller shows one only. */
void dtx_page_chapter(struct dtx_page *p, const char *title);
/* A group inside a chapter. */
void dtx_page_group(struct dtx_page *p, const char *title);
void dtx_page_para(struct dtx_page *p, const char *text);
/* A term, and what it means in a column of its own. */
void dtx_page_item(struct dtx_page *p, const char *term, const char *text);
/* Lines shown as they are, each ended by a newline. */
void dtx_page_code(struct dtx_page *p, const char *lines);

#endif
