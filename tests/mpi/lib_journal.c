/* SPDX-License-Identifier: MIT */
/* tests/mpi/lib_journal.c - work that is kept in a file
 *
 * lib_journal KIND FILE [DIE]: a loop or tasks with a journal. Each call of a
 * kernel adds a byte to FILE.calls; the process dies by KILL after so many
 * outcomes at rank 0. Says "N ran" if all results are right. Started by
 * tests/cli/lib_journal.t. */
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <distributex.h>

#define N 600u

static int calls = -1;
static long die;
static unsigned char seen[N];
static long right, wrong;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, dtx_error_text());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static uint64_t worth(uint64_t i)
{
    return i * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static void called(void)
{
    if (write(calls, "x", 1) != 1)
        abort();
    (void)usleep(1000);
}

static int each(struct dtx_call *c, uint64_t i)
{
    uint64_t value = worth(i - 5); /* the loop's first */

    called();
    memcpy(dtx_call_result(c, i), &value, sizeof(value));
    return 0;
}

static int task(struct dtx_call *c, const void *in, size_t bytes)
{
    uint64_t i, value;

    if (bytes != sizeof(i))
        return 1;
    called();
    memcpy(&i, in, sizeof(i));
    value = worth(i);
    return dtx_call_output(c, &value, sizeof(value));
}

static void count(uint64_t i, const void *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    wrong += i >= N || seen[i]++ || value != worth(i);
    if (++right == die)
        (void)kill(getpid(), SIGKILL);
}

static void deliver(void *ctx, uint64_t first, uint64_t n, const void *p)
{
    uint64_t i;

    (void)ctx;
    for (i = 0; i < n; i++)
        count(first + i - 5, (const char *)p + i * sizeof(uint64_t));
}

static void ended(void *ctx, uint64_t id, int code, const void *out, size_t n)
{
    (void)ctx;
    if (code != 0 || n != sizeof(uint64_t))
        wrong++;
    else
        count(id - 1, out);
}

static void submit(struct dtx_work *w)
{
    uint64_t i, after;

    for (i = 0; dtx_rank() == 0 && i < N; i++) {
        struct dtx_task_how how = {0};

        after = i / 2;
        how.after = &after;
        how.nafter = after > 0;
        if (dtx_work_submit(w, NULL, &i, sizeof(i), &how) < 0)
            fail("submit");
    }
}

int main(int argc, char **argv)
{
    int loop = argc > 1 && strcmp(argv[1], "tasks") != 0, rc;
    uint64_t end = argc > 1 && strcmp(argv[1], "other") == 0 ? N + 4 : N + 5;
    struct dtx_work *w;
    struct dtx_stats st;
    char path[4096];

    if (argc < 3)
        return 2;
    die = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    (void)snprintf(path, sizeof(path), "%s.calls", argv[2]);
    calls = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (calls < 0 || dtx_init("bind=no") < 0 || dtx_kernel_each("each", each) ||
        dtx_kernel_task("task", task))
        fail("begin");
    w = dtx_work_create(loop ? "each" : "task");
    if (!w || dtx_work_journal(w, argv[2]) < 0)
        fail("journal");
    if (loop ? dtx_work_deliver(w, deliver, NULL, sizeof(uint64_t), 1) < 0
             : dtx_work_on_end(w, ended, NULL) < 0)
        fail("work");
    if (!loop)
        submit(w);
    rc = loop ? dtx_work_for(w, 5, end, NULL, 0) : dtx_work_run(w);
    if (rc < 0 && end == N + 4 && rc == DTX_EMISMATCH) {
        if (dtx_rank() == 0)
            printf("refused: %s\n", dtx_error_text());
        return dtx_finalize() != 0;
    }
    if (rc < 0 || dtx_work_stats(w, &st) < 0)
        fail("run");
    if (dtx_rank() == 0 && (wrong || right != (long)N))
        fail("results are wrong");
    if (dtx_rank() == 0)
        printf("%llu ran\n", (unsigned long long)st.done);
    return dtx_finalize() != 0;
}
