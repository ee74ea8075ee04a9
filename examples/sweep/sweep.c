/* SPDX-License-Identifier: MIT */
/* sweep - a parameter sweep that mixes kernels and commands
 *
 *     mpirun -n 4 sweep [POINTS [COMMAND]]
 *
 * Rank 0 submits for each point a kernel that integrates a pendulum and a
 * command that is given its parameter; when all kernels have succeeded, one
 * more command. The other ranks serve. Results come back to rank 0 as bytes:
 * numbers of the kernel, the first line of what a command wrote. */
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <distributex.h>

#define MOST 100000

extern char **environ;

/* The period of a pendulum let go at this angle. */
static int pendulum(struct dtx_call *call, const void *in, size_t bytes)
{
    double angle, speed = 0, t = 0, dt = 1e-5;

    if (bytes != sizeof(angle))
        return 1;
    memcpy(&angle, in, sizeof(angle));
    while (angle > 0) {
        speed -= sin(angle) * dt;
        angle += speed * dt;
        t += dt;
    }
    t *= 4;
    return dtx_call_output(call, &t, sizeof(t));
}

/* Runs "/bin/sh -c LINE"; its first line is the result, its status the code. */
static int command(struct dtx_call *call, const void *in, size_t bytes)
{
    char line[1024], out[256] = "";
    char *argv[] = {"sh", "-c", line, NULL};
    posix_spawn_file_actions_t files;
    int pipes[2], status = 0, rc;
    size_t n = 0;
    pid_t pid;

    if (bytes >= sizeof(line) || pipe(pipes) != 0)
        return 126;
    memcpy(line, in, bytes);
    line[bytes] = '\0';
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawn_file_actions_adddup2(&files, pipes[1], 1);
    (void)posix_spawn_file_actions_addclose(&files, pipes[0]);
    (void)posix_spawn_file_actions_addclose(&files, pipes[1]);
    rc = posix_spawn(&pid, "/bin/sh", &files, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(pipes[1]);
    for (ssize_t got = 1; rc == 0 && got > 0 && n < sizeof(out) - 1;) {
        got = read(pipes[0], out + n, sizeof(out) - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    (void)close(pipes[0]);
    if (rc != 0)
        return 126;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    n = strcspn(out, "\n");
    if (dtx_call_output(call, out, n) < 0)
        return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- rank 0 --------------------------------------------------------------- */

struct point {
    uint64_t kernel, command; /* their tasks */
    double angle, period;
    char said[64];
};

struct sweep {
    struct point *point;
    long n;
    long failed;
};

static void ended(void *ctx, uint64_t task, int code, const void *out,
                  size_t bytes)
{
    struct sweep *s = ctx;
    struct point *p = task <= 2 * (uint64_t)s->n ? &s->point[(task - 1) / 2]
                                                 : NULL;

    s->failed += code != 0;
    if (!p)
        printf("%.*s\n", (int)bytes, (const char *)out);
    else if (task == p->kernel && bytes == sizeof(p->period))
        memcpy(&p->period, out, sizeof(p->period));
    else if (task == p->command && bytes < sizeof(p->said))
        memcpy(p->said, out, bytes);
}

static int fail(const char *what)
{
    fprintf(stderr, "sweep: %s: %s\n", what, dtx_error_text());
    return 2;
}

static int submit_point(struct dtx_work *w, struct point *p, long i, long n,
                        const char *line)
{
    char text[1024];
    /* near the top it takes long: a hint, so that those begin first */
    struct dtx_task_how how = {.cost = 1 / (1.001 - (double)i / (double)n)};
    int64_t id;

    p->angle = 3.14 * (double)(i + 1) / (double)(n + 1);
    id = dtx_work_submit(w, "pendulum", &p->angle, sizeof(p->angle), &how);
    p->kernel = (uint64_t)id;
    if (id < 0 || snprintf(text, sizeof(text), "x=%g; %s", p->angle, line) >=
                      (int)sizeof(text))
        return -1;
    id = dtx_work_submit(w, "command", text, strlen(text), NULL);
    p->command = (uint64_t)id;
    return id < 0 ? -1 : 0;
}

static int drive(long n, const char *line)
{
    struct dtx_work *w = dtx_work_create("pendulum");
    struct sweep s = {calloc((size_t)n, sizeof(*s.point)), n, 0};
    uint64_t *all = calloc((size_t)n, sizeof(*all));
    struct dtx_task_how how = {.after = all, .nafter = (size_t)n};
    int rc = 0;

    if (!w || !s.point || !all || dtx_work_on_end(w, ended, &s) < 0)
        return fail("work");
    for (long i = 0; i < n && rc == 0; i++) {
        rc = submit_point(w, &s.point[i], i, n, line);
        all[i] = s.point[i].kernel;
    }
    if (rc < 0 ||
        dtx_work_submit(w, "command", "echo all kernels done", 21, &how) < 0)
        return fail("submit");
    rc = dtx_work_run(w);
    if (rc < 0 && rc != DTX_EKERNEL)
        return fail("run");
    for (long i = 0; i < n && i < 5; i++)
        printf("angle %.4f: period %.4f, command says \"%s\"\n",
               s.point[i].angle, s.point[i].period, s.point[i].said);
    printf("%ld points, %ld failed\n", n, s.failed);
    free(s.point);
    free(all);
    dtx_work_destroy(w);
    return s.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 20;
    int status = 0;

    if (n < 1 || n > MOST) {
        fprintf(stderr, "usage: sweep [POINTS [COMMAND]]\n");
        return 2;
    }
    if (dtx_init(NULL) < 0)
        return fail("cannot start");
    if (dtx_kernel_task("pendulum", pendulum) < 0 ||
        dtx_kernel_task("command", command) < 0)
        return fail("kernels");
    if (dtx_rank() == 0) {
        status = drive(n, argc > 2 ? argv[2] : "echo x is $x");
        if (dtx_ranks() > 1 && dtx_dismiss() < 0)
            return fail("dismiss");
    } else if (dtx_serve() < 0) {
        return fail("serve");
    }
    if (dtx_finalize() < 0)
        return fail("end");
    return status;
}
