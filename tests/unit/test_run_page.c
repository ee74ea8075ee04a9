/* SPDX-License-Identifier: MIT */
/* tests/unit/test_run_page.c - one text, on the terminal and as roff */
#include <string.h>

#include "base/buf.h"
#include "run/page.h"
#include "check_main.h"

static void write_all(struct dtx_page *p)
{
    dtx_page_chapter(p, "A-B");
    dtx_page_para(p, ".first of a paragraph that is long enough to be broken "
                     "somewhere near the end of its first line, as they are.");
    dtx_page_item(p, "--one N", "what one means, told at such length that it "
                                "needs a second line");
    dtx_page_item(p, "--a-very-long-term VALUE", "C:\\x");
    dtx_page_group(p, "Group");
    dtx_page_item(p, "t", "'quoted'");
    dtx_page_code(p, "line 1\n\n.line 2\n");
}

static const char plain[] =
    ".first of a paragraph that is long enough to be broken somewhere near the "
    "end\n"
    "of its first line, as they are.\n"
    "\n"
    "  --one N                 what one means, told at such length that it "
    "needs a\n"
    "                          second line\n"
    "  --a-very-long-term VALUE\n"
    "                          C:\\x\n"
    "\n"
    "Group:\n"
    "  t                       'quoted'\n"
    "\n"
    "    line 1\n"
    "\n"
    "    .line 2\n";

static const char roff[] =
    ".SH A\\-B\n"
    "\\&.first of a paragraph that is long enough to be broken somewhere near "
    "the end of its first line, as they are.\n"
    ".TP\n"
    "\\fB\\-\\-one N\\fR\n"
    "what one means, told at such length that it needs a second line\n"
    ".TP\n"
    "\\fB\\-\\-a\\-very\\-long\\-term VALUE\\fR\n"
    "C:\\ex\n"
    ".SS Group\n"
    ".TP\n"
    "\\fBt\\fR\n"
    "\\&'quoted'\n"
    ".PP\n"
    ".RS 4\n"
    ".nf\n"
    "line 1\n"
    "\n"
    "\\&.line 2\n"
    ".fi\n"
    ".RE\n";

START_TEST(both_ways)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, _i == 1, DTX_PAGE_NOTHING};

    write_all(&p);
    ck_assert_str_eq(b.data, _i == 1 ? roff : plain);
    dtx_buf_free(&b);
}
END_TEST

/* A word longer than a line has a line of its own. */
START_TEST(long_words_stay_whole)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, false, DTX_PAGE_NOTHING};
    char word[200];

    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    dtx_page_item(&p, "t", word);
    ck_assert_ptr_nonnull(strstr(b.data, word));
    dtx_buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/page");
    TCase *t = tcase_create("page");

    tcase_add_loop_test(t, both_ways, 0, 2);
    tcase_add_test(t, long_words_stay_whole);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
