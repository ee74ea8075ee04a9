/* SPDX-License-Identifier: MIT */
/* What is said on stderr: to a pipe that nobody reads, to one that is read
 * late, to nobody. */
#include "run/voice.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"

static int kept;  /* what 2 was */
static int ends[2]; /* of the pipe that takes its place */

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    kept = dup(STDERR_FILENO);
    ck_assert_int_ge(kept, 0);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    ck_assert_int_eq(close(ends[1]), 0);
}

static void teardown(void)
{
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    (void)close(kept);
    (void)close(ends[0]);
}

/* Fill the pipe, so that there is no room. */
static size_t fill(void)
{
    static char bytes[4096];
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    size_t all = 0;
    ssize_t n;

    memset(bytes, '.', sizeof(bytes));
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK), 0);
    while ((n = write(STDERR_FILENO, bytes, sizeof(bytes))) > 0)
        all += (size_t)n;
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, flags), 0);
    return all;
}

static void read_exactly(char *to, size_t len)
{
    while (len > 0) {
        ssize_t n = read(ends[0], to, len);

        ck_assert_int_gt(n, 0);
        to += n;
        len -= (size_t)n;
    }
}

static void read_away(size_t len)
{
    char bytes[4096];

    for (; len > 0; len -= len < sizeof(bytes) ? len : sizeof(bytes))
        read_exactly(bytes, len < sizeof(bytes) ? len : sizeof(bytes));
}

START_TEST(messages_as_they_come)
{
    static const char want[] =
        "distributex: warning: two\ndistributex: three\n";
    char got[sizeof(want)] = "";

    dtx_voice_begin(DTX_LOG_INFO);
    dtx_log(DTX_LOG_DEBUG, "one");
    dtx_log(DTX_LOG_WARN, "two");
    dtx_log(DTX_LOG_INFO, "three");
    ck_assert(dtx_voice_flush(0));
    read_exactly(got, sizeof(want) - 1);
    ck_assert_str_eq(got, want);
}
END_TEST

/* Nobody waits for a reader; who reads late gets all that had room, in order,
 * and is told of the rest. */
START_TEST(a_reader_that_stands_still)
{
    size_t before = fill(), i, room = DTX_VOICE_BYTES / 1024;
    static char line[1025], got[1025];

    for (i = 0; i < room + 3; i++) {
        (void)snprintf(line, sizeof(line), "%-1023zu\n", i);
        dtx_voice_say(line, 1024);
    }
    ck_assert(!dtx_voice_flush(0));
    ck_assert(!dtx_voice_flush(20));
    read_away(before);
    for (i = 0; i < room; i++) {
        (void)dtx_voice_flush(0);
        read_exactly(got, 1024);
        ck_assert_uint_eq(strtoul(got, NULL, 10), i);
    }
    ck_assert(dtx_voice_flush(0));
    got[read(ends[0], got, 1024)] = '\0';
    ck_assert_ptr_nonnull(strstr(got, "3 messages found no room"));
}
END_TEST

START_TEST(a_reader_that_left)
{
    (void)fill();
    dtx_voice_say("x\n", 2);
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert(dtx_voice_flush(0));
    ends[0] = open("/dev/null", O_RDONLY);
}
END_TEST

/* It is written now or never, and not before what waits. */
START_TEST(a_line_of_progress)
{
    char got[4] = "";
    size_t before;

    ck_assert(dtx_voice_try("1\n", 2));
    read_exactly(got, 2);
    ck_assert_str_eq(got, "1\n");
    before = fill();
    ck_assert(dtx_voice_try("2\n", 2));
    dtx_voice_say("3\n", 2);
    ck_assert(dtx_voice_try("4\n", 2));
    read_away(before);
    ck_assert(dtx_voice_flush(0));
    read_exactly(got, 2);
    ck_assert_str_eq(got, "3\n");
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert(!dtx_voice_try("5\n", 2));
    ends[0] = open("/dev/null", O_RDONLY);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/voice");
    TCase *t = tcase_create("voice");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, messages_as_they_come);
    tcase_add_test(t, a_reader_that_stands_still);
    tcase_add_test(t, a_reader_that_left);
    tcase_add_test(t, a_line_of_progress);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
