/* SPDX-License-Identifier: MIT */
/* tests/unit/test_wire_doc.c - doc/protocol.md tells what wire/tables.h says
 *
 * Every item, message and record has its row, with its number, its fields in
 * order and the items it carries; there is no row for what is not in the
 * tables; and the versions are the right ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "store/journal.h"
#include "wire/wire.h"

#define MAX_BYTES 65536

/* A kind as a row begins: "| 1 | `HELLO` | `u32 protocol`, ... | - |". */
struct kind {
    int number; /* 0: a row without one */
    const char *name, *fields, *item;
};

#define FIELD(type, name) ", `" #type " " #name "`"

static const struct kind items[] = {
#define ITEM(NAME, name) {0, #NAME, "" DTX_ITEM_FIELDS_##NAME(FIELD), NULL},
    DTX_ITEM_MAP(ITEM)
#undef ITEM
};

static const struct kind messages[] = {
#define MESSAGE(NAME, name, number, item)                                      \
    {number, #NAME, "" DTX_MSG_FIELDS_##NAME(FIELD), #item},
    DTX_MSG_MAP(MESSAGE)
#undef MESSAGE
};

static const struct kind records[] = {
#define RECORD(NAME, name, number, item)                                       \
    {number, #NAME, "" DTX_REC_FIELDS_##NAME(FIELD), #item},
    DTX_REC_MAP(RECORD)
#undef RECORD
};

static char doc[MAX_BYTES];

static void read_doc(void)
{
    const char *top = getenv("srcdir");
    char path[4096];
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/doc/protocol.md", top ? top : ".");
    f = fopen(path, "re");
    ck_assert_msg(f != NULL, "cannot read %s", path);
    n = fread(doc, 1, sizeof(doc) - 1, f);
    ck_assert_msg(n > 0 && n < sizeof(doc) - 1, "%s is empty or too long",
                  path);
    doc[n] = '\0';
    ck_assert_int_eq(fclose(f), 0);
}

/* Does a line of the document begin like this? */
static int has_row(const char *row)
{
    size_t len = strlen(row);
    const char *line = doc;

    while (line && *line) {
        if (strncmp(line, row, len) == 0)
            return 1;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return 0;
}

static void write_row(const struct kind *k, char *row, size_t size)
{
    const char *fields = k->fields[0] ? k->fields + 2 : "-";
    char number[16] = "", carried[32] = "";

    if (k->number) {
        (void)snprintf(number, sizeof(number), " %d |", k->number);
        (void)snprintf(carried, sizeof(carried),
                       strcmp(k->item, "NONE") == 0 ? " - |" : " `%s` |",
                       k->item);
    }
    (void)snprintf(row, size, "|%s `%s` | %s |%s ", number, k->name, fields,
                   carried);
}

static void check_kind(const struct kind *k)
{
    char row[2048];

    write_row(k, row, sizeof(row));
    ck_assert_msg(has_row(row), "doc/protocol.md needs a row that begins\n%s",
                  row);
}

START_TEST(test_item_has_its_row)
{
    check_kind(&items[_i]);
}
END_TEST

START_TEST(test_message_has_its_row)
{
    const struct kind *k = &messages[_i];

    check_kind(k);
    ck_assert_str_eq(dtx_msg_name((enum dtx_msg_kind)k->number), k->name);
}
END_TEST

START_TEST(test_record_has_its_row)
{
    check_kind(&records[_i]);
}
END_TEST

/* Rows "| 1 | `NAME`": those of the tables, and no others. */
START_TEST(test_no_row_too_many)
{
    int rows = 0;
    const char *line = doc;

    while (line && *line) {
        size_t digits = line[0] == '|' ? strspn(line + 1, " 0123456789") : 0;

        rows += digits > 1 && strncmp(line + 1 + digits, "| `", 3) == 0;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    ck_assert_int_eq(rows, DTX_COUNT(messages) + DTX_COUNT(records));
}
END_TEST

START_TEST(test_versions)
{
    char line[80];

    (void)snprintf(line, sizeof(line), "Protocol version (messages): %u\n",
                   DTX_PROTOCOL);
    ck_assert_msg(has_row(line), "%s", line);
    (void)snprintf(line, sizeof(line), "Records version (journal): %u\n",
                   DTX_RECORDS);
    ck_assert_msg(has_row(line), "%s", line);
    (void)snprintf(line, sizeof(line), "Journal file version: %u\n",
                   DTX_JOURNAL_VERSION);
    ck_assert_msg(has_row(line), "%s", line);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("wire/doc");
    TCase *t = tcase_create("protocol.md");

    tcase_add_checked_fixture(t, read_doc, NULL);
    tcase_add_loop_test(t, test_item_has_its_row, 0, DTX_COUNT(items));
    tcase_add_loop_test(t, test_message_has_its_row, 0, DTX_COUNT(messages));
    tcase_add_loop_test(t, test_record_has_its_row, 0, DTX_COUNT(records));
    tcase_add_test(t, test_no_row_too_many);
    tcase_add_test(t, test_versions);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}
