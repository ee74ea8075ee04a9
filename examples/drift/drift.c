/* SPDX-License-Identifier: MIT */
/* drift - time steps of a loop whose costly part wanders
 *
 *     mpirun -n 4 drift [STEPS [CELLS]]
 *
 * A front moves through a field of cells; a cell near it costs a hundred times
 * as much as one far away. The loop remembers what its parts cost, and so each
 * step begins with equal shares and the front's cells first. Prints, for some
 * steps, how well the slots were used: the first step knows nothing, unless
 *
 *     DTX_LEARNED=drift.learned mpirun -n 4 drift [STEPS [CELLS]]
 *
 * has it begin with what the first step of the last run has cost. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <distributex.h>

struct step {
    double front; /* between 0 and 1 */
    uint64_t cells;
};

/* Relax one cell: near the front it takes many rounds. */
static int cell(struct dtx_call *call, uint64_t i)
{
    const struct step *s = dtx_call_args(call, NULL);
    double *energy = dtx_call_value(call, 0);
    double far = fabs((double)i / (double)s->cells - s->front);
    int rounds = 20 + (int)(2000 * exp(-far * far * 400));
    double x = 1 + far;

    while (rounds-- > 0)
        x = 0.5 * (x + 2 / x);
    *energy += x;
    return 0;
}

static int fail(const char *what)
{
    fprintf(stderr, "drift: %s: %s\n", what, dtx_error_text());
    return 2;
}

int main(int argc, char **argv)
{
    long steps = argc > 1 ? strtol(argv[1], NULL, 10) : 50;
    long cells = argc > 2 ? strtol(argv[2], NULL, 10) : 20000;
    double energy = 0, want;
    struct dtx_learned_stats had = {0};
    struct dtx_work *w;

    if (steps < 1 || cells < 1) {
        fprintf(stderr, "usage: drift [STEPS [CELLS]]\n");
        return 2;
    }
    want = sqrt(2) * (double)cells;
    if (dtx_init(NULL) < 0)
        return fail("cannot start");
    (void)dtx_learned_stats(&had);
    if (dtx_rank() == 0 && had.loops)
        printf("the last run has told of %d loops\n", (int)had.loops);
    if (dtx_rank() == 0 && had.code) /* no reason not to go on */
        printf("what the last run has told: %s\n", dtx_error_text());
    if (dtx_kernel_each("cell", cell) < 0)
        return fail("kernel");
    w = dtx_work_create("cell");
    if (!w || dtx_work_reduce(w, DTX_F64, DTX_SUM, &energy, 1) < 0)
        return fail("work");
    for (long t = 0; t < steps; t++) {
        struct step s = {(double)t / (double)steps, (uint64_t)cells};
        struct dtx_stats st;

        if (dtx_work_for(w, 0, s.cells, &s, sizeof(s)) < 0)
            return fail("step");
        (void)dtx_work_stats(w, &st);
        if (dtx_rank() == 0 && (t < 3 || t == steps - 1))
            printf("step %ld: %.3f ms, rank 0's slots used to %.1f %%\n", t,
                   st.seconds * 1e3,
                   100 * st.busy / st.seconds / dtx_slots());
    }
    if (dtx_rank() == 0)
        printf("energy %.6f, off by %.1e\n", energy, fabs(energy - want) / want);
    if (dtx_finalize() < 0)
        return fail("end");
    return fabs(energy - want) < 1e-9 * want ? 0 : 1;
}
