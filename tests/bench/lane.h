/* SPDX-License-Identifier: MIT */
/* tests/bench/lane.h - what the parts of the kernel lane's benchmark share */
#ifndef DTX_TESTS_BENCH_LANE_H
#define DTX_TESTS_BENCH_LANE_H

#include <stdbool.h>

#define MOST_ROUNDS 99

enum column {
    SERIAL, /* seconds; the others are over half of that */
    COLD,
    WARM,
    DYNAMIC,
    GUIDED,
    COUNTER,
    FARM,
    OMP_TASKS,
    HALVES,
    COLUMNS
};

extern int rank, size, rounds;
extern double seen[COLUMNS][MOST_ROUNDS]; /* of a row; 0: not */

double now(void);
/* Of the rounds; sorts them. */
double median(double *v);
void wait_for_rank_0(void);
void die(const char *what);
bool is_wanted(const char *row);
void print_row(const char *row);

/* lane_tasks.c: its kernels (0 or negative), and its rows. */
int register_more(void);
void bench_trees(void);
void bench_tasks(void);

#endif
