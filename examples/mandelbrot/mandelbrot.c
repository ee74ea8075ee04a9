/* SPDX-License-Identifier: MIT */
/* mandelbrot - draw the Mandelbrot set, row by row, on all slots of all ranks
 *
 *     mpirun -n 4 mandelbrot [SIZE [FILE]]
 *
 * Writes a picture of SIZE x SIZE pixels (PGM, "mandelbrot.pgm"). Rows through
 * the set cost a hundred times as much as those at the edge: what a loop divided
 * evenly would wait for. */
#include <stdio.h>
#include <stdlib.h>

#include <distributex.h>

#define DEEP 2000

struct view {
    double left, top, step;
    int size;
};

static unsigned char shade(double cr, double ci)
{
    double r = 0, i = 0;
    int n;

    for (n = 0; n < DEEP && r * r + i * i < 4; n++) {
        double t = r * r - i * i + cr;

        i = 2 * r * i + ci;
        r = t;
    }
    n = n == DEEP ? 0 : 255 - n % 32 * 7;
    return (unsigned char)n;
}

/* One iteration is one row; its result is the row's pixels. */
static int row(struct dtx_call *call, uint64_t y)
{
    const struct view *v = dtx_call_args(call, NULL);
    unsigned char *pixel = dtx_call_result(call, y);
    double ci = v->top - (double)y * v->step;

    for (int x = 0; x < v->size; x++)
        pixel[x] = shade(v->left + x * v->step, ci);
    return 0;
}

static int write_image(const char *path, const unsigned char *pixels, int size)
{
    FILE *f = fopen(path, "wb");
    size_t n = (size_t)size * (size_t)size;
    int ok = f && fprintf(f, "P5\n%d %d\n255\n", size, size) > 0 &&
             fwrite(pixels, 1, n, f) == n;

    if (f && fclose(f) != 0)
        ok = 0;
    if (!ok)
        perror(path);
    return ok;
}

static int fail(const char *what)
{
    fprintf(stderr, "mandelbrot: %s: %s\n", what, dtx_error_text());
    return 2;
}

int main(int argc, char **argv)
{
    int size = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1024;
    const char *path = argc > 2 ? argv[2] : "mandelbrot.pgm";
    struct view v = {-2.25, 1.5, 3.0 / (size > 0 ? size : 1), size};
    unsigned char *pixels = NULL;
    struct dtx_work *w;
    struct dtx_stats st;
    int ok = 1;

    if (size < 1 || size > 32768) {
        fprintf(stderr, "usage: mandelbrot [SIZE [FILE]], SIZE 1 to 32768\n");
        return 2;
    }
    if (dtx_init(NULL) < 0)
        return fail("cannot start");
    if (dtx_rank() == 0)
        pixels = malloc((size_t)size * (size_t)size);
    if (dtx_kernel_each("row", row) < 0)
        return fail("kernel");
    w = dtx_work_create("row");
    if (!w || dtx_work_gather(w, pixels, (size_t)size) < 0)
        return fail("work");
    if (dtx_work_for(w, 0, (uint64_t)size, &v, sizeof(v)) < 0)
        return fail("loop");
    (void)dtx_work_stats(w, &st);
    if (dtx_rank() == 0) {
        ok = write_image(path, pixels, size);
        printf("%s: %d x %d, %.3f s on %d slots of %d ranks\n", path, size,
               size, st.seconds, dtx_slots_all(), dtx_ranks());
    }
    if (dtx_finalize() < 0)
        return fail("end");
    free(pixels);
    return ok ? 0 : 1;
}
