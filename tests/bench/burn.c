/* SPDX-License-Identifier: MIT */
/* tests/bench/burn.c - a task of known length
 *
 *     burn MICROSECONDS
 *
 * Uses that much time of a processor, counted from the start of the process,
 * and ends.  What others use of the same processor does not count.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t used_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    volatile uint32_t sink = 1;
    char *end = NULL;
    int64_t until = argc == 2 ? strtoll(argv[1], &end, 10) * 1000 : -1;
    int i;

    if (until < 0 || !end || *end != '\0' || end == argv[1]) {
        (void)fprintf(stderr, "usage: burn MICROSECONDS\n");
        return 2;
    }
    while (used_ns() < until) {
        for (i = 0; i < 2000; i++)
            sink = sink * 1664525u + 1013904223u;
    }
    return 0;
}
