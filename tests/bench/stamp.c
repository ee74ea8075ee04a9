/* SPDX-License-Identifier: MIT */
/* tests/bench/stamp.c - a task that says when it began and ended
 *
 *     stamp [MICROSECONDS]
 *
 * Sleeps that long and prints "SLOT BEGIN END": DTX_SLOT (0 when not set) and
 * two readings of the monotonic clock in nanoseconds, taken as its first and
 * as nearly its last act.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    int64_t begin = now_ns();
    long us = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    const char *slot = getenv("DTX_SLOT");
    char line[128];
    int len;

    if (us > 0)
        (void)nanosleep(&pause, NULL);
    len = snprintf(line, sizeof(line), "%.16s %lld %lld\n", slot ? slot : "0",
                   (long long)begin, (long long)now_ns());
    return write(STDOUT_FILENO, line, (size_t)len) == len ? 0 : 1;
}
