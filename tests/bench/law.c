/* SPDX-License-Identifier: MIT */
/* tests/bench/law.c - a task whose CPU time follows what its command says
 *
 *     law power N     2 ms and N ^ 1.5 microseconds
 *     law file NAME   2 ms and half a microsecond for each byte of the file
 *     law cost ...    prints those microseconds instead
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static double used_us(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cost_us(const char *law, const char *what)
{
    struct stat st;

    if (strcmp(law, "power") == 0)
        return 2000 + pow(strtod(what, NULL), 1.5);
    if (strcmp(law, "file") == 0 && stat(what, &st) == 0)
        return 2000 + 0.5 * (double)st.st_size;
    return -1;
}

int main(int argc, char **argv)
{
    int tell = argc == 4 && strcmp(argv[1], "cost") == 0;
    double us = argc == 3 + tell ? cost_us(argv[1 + tell], argv[2 + tell])
                                 : -1;
    volatile uint32_t sink = 1;
    int i;

    if (us < 0) {
        (void)fprintf(stderr, "usage: law [cost] power N | file NAME\n");
        return 2;
    }
    if (tell)
        return printf("%.0f\n", us) > 0 ? 0 : 1;
    while (used_us() < us) {
        for (i = 0; i < 2000; i++)
            sink = sink * 1664525u + 1013904223u;
    }
    return 0;
}
