/* SPDX-License-Identifier: MIT */
/* tests/unit/test_store_history.c - a directory of HDF5 files
 *
 * What is written comes back; files that are cut, scribbled on, foreign or
 * newer are skipped by name and the rest is read; a compacted file counts for
 * those it was made of.
 */
#include "check_main.h"
#include "store_dir.h"
#include "base/error.h"
#include "base/rng.h"
#include "store/history.h"
#include "store/runfile.h"
#include "wire/experience.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *fresh(const char *name)
{
    ck_assert_int_eq(dtx_history_make(name, NULL), 0);
    return name;
}

struct seen {
    size_t files, outcomes, hosts, warnings;
    float seconds;
    char last[2048];
};

static int count(void *ctx, const struct dtx_history_file *f,
                 const struct dtx_experience *e, struct dtx_error *err)
{
    struct seen *s = ctx;
    size_t i;

    (void)err;
    ck_assert_uint_eq(f->outcomes, e->noutcomes);
    s->files++;
    s->outcomes += e->noutcomes;
    s->hosts += e->nhosts;
    for (i = 0; i < e->noutcomes; i++)
        s->seconds += e->outcome[i].seconds;
    return 0;
}

static void warn(void *ctx, const char *text)
{
    struct seen *s = ctx;

    s->warnings++;
    (void)snprintf(s->last, sizeof(s->last), "%s", text);
}

static struct seen read_all(const char *dir)
{
    struct dtx_error err = {0, ""};
    struct seen s;

    memset(&s, 0, sizeof(s));
    ck_assert_msg(dtx_history_read(dir,
                                   DTX_HISTORY_MODELS | DTX_HISTORY_OUTCOMES,
                                   count, &s, warn, &s, &err) == 0,
                  "%s", err.text);
    return s;
}

static void write_one(const char *dir, uint64_t id, size_t n)
{
    struct dtx_error err = {0, ""};
    struct dtx_history_file f;
    struct dtx_experience e;
    size_t i;

    memset(&f, 0, sizeof(f));
    memset(&e, 0, sizeof(e));
    dtx_history_id(0, id, f.id);
    (void)snprintf(f.what, sizeof(f.what), "job %d", (int)id);
    f.made_ns = (int64_t)id;
    for (i = 0; i < n; i++) {
        struct dtx_exp_outcome o = {.class_key = i, .seconds = 1.5f,
                                    .host = dtx_experience_host(&e, "h", 1)};

        ck_assert_int_eq(dtx_experience_outcome(&e, &o), 0);
    }
    ck_assert_msg(dtx_history_write(dir, &f, &e, &err) == 0, "%s", err.text);
    dtx_experience_free(&e);
}

static char *path_in(const char *dir, uint64_t id)
{
    char name[DTX_HISTORY_ID], *path;

    dtx_history_id(0, id, name);
    ck_assert_int_gt(asprintf(&path, "%s/%s.h5", dir, name), 0);
    return path;
}

START_TEST(what_is_written_comes_back)
{
    const char *dir = fresh("h1");
    struct seen s = read_all(dir);

    ck_assert_uint_eq(s.files, 0);
    write_one(dir, 1, 10000);
    write_one(dir, 2, 0);
    s = read_all(dir);
    ck_assert_uint_eq(s.files, 2);
    ck_assert_uint_eq(s.outcomes, 10000);
    ck_assert_uint_eq(s.hosts, 1);
    ck_assert_double_eq_tol((double)s.seconds, 15000, 0.1);
    ck_assert_uint_eq(s.warnings, 0);
    write_one(dir, 1, 5); /* the same job again: replaced */
    ck_assert_uint_eq(read_all(dir).outcomes, 5);
}
END_TEST

/* Cut at many places, and scribbled on: never a crash, and named. */
START_TEST(damage_is_skipped_by_name)
{
    const char *dir = fresh("h2");
    char *path = path_in(dir, 1);
    struct dtx_rng r;
    struct stat st;
    int i;

    dtx_rng_seed(&r, 4);
    write_one(dir, 2, 7);
    for (i = 0; i < 40; i++) {
        struct seen s;
        char byte = (char)dtx_rng_below(&r, 256);
        int fd;

        write_one(dir, 1, 3000);
        ck_assert_int_eq(stat(path, &st), 0);
        fd = open(path, O_RDWR);
        ck_assert_int_ge(fd, 0);
        if (i % 2)
            ck_assert_int_eq(ftruncate(fd, (off_t)dtx_rng_below(
                &r, (uint64_t)st.st_size)), 0);
        else
            ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)dtx_rng_below(
                &r, (uint64_t)st.st_size)), 1);
        (void)close(fd);
        s = read_all(dir);
        ck_assert_uint_ge(s.outcomes, 7);
        if (i % 2) {
            ck_assert_uint_eq(s.outcomes, 7);
            ck_assert_uint_eq(s.warnings, 1);
            ck_assert_ptr_nonnull(strstr(s.last, path));
        }
    }
    free(path);
}
END_TEST

START_TEST(foreign_files_are_named)
{
    const char *dir = fresh("h3");
    char *path = path_in(dir, 1);
    FILE *f = fopen(path, "w");
    struct seen s;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs("not HDF5 at all", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    write_one(dir, 2, 7);
    s = read_all(dir);
    ck_assert_uint_eq(s.outcomes, 7);
    ck_assert_uint_eq(s.warnings, 1);
    ck_assert_ptr_nonnull(strstr(s.last, "is not an HDF5 file"));
    free(path);
}
END_TEST

/* Also when it was ended between writing the new and removing the old. */
START_TEST(a_compacted_file_stands_for_others)
{
    const char *dir = fresh("h4");
    char id[2][DTX_HISTORY_ID];
    struct dtx_error err = {0, ""};
    struct dtx_history_file f;
    struct dtx_experience e;
    struct dtx_exp_outcome o = {.seconds = 1};

    write_one(dir, 1, 3);
    write_one(dir, 2, 4);
    dtx_history_id(0, 1, id[0]);
    dtx_history_id(0, 2, id[1]);
    memset(&f, 0, sizeof(f));
    memset(&e, 0, sizeof(e));
    dtx_history_id(9, 9, f.id);
    ck_assert_uint_eq(dtx_experience_host(&e, "h", 1), 0);
    ck_assert_int_eq(dtx_experience_outcome(&e, &o), 0);
    ck_assert_int_eq(dtx_history_compact(dir, &f, &e,
                                         (const char(*)[DTX_HISTORY_ID])id, 2,
                                         &err), 0);
    ck_assert_uint_eq(read_all(dir).outcomes, 1);
    ck_assert(!dtx_history_has(dir, id[0]));
    write_one(dir, 2, 4);
    ck_assert_uint_eq(read_all(dir).outcomes, 1);
    dtx_experience_free(&e);
}
END_TEST

START_TEST(no_place_is_an_error)
{
    struct dtx_error err = {0, ""};
    struct dtx_history_file f;
    struct dtx_experience e;

    memset(&f, 0, sizeof(f));
    memset(&e, 0, sizeof(e));
    dtx_history_id(0, 1, f.id);
    ck_assert_int_lt(dtx_history_write("/nowhere/at/all", &f, &e, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
}
END_TEST

/* What was not counted stays absent in run.h5. */
START_TEST(counters_in_a_run_file)
{
    struct dtx_runfile r, got;
    struct dtx_outcome o;
    uint64_t v = 0;

    memset(&r, 0, sizeof(r));
    memset(&got, 0, sizeof(got));
    memset(&o, 0, sizeof(o));
    o.status = DTX_STATUS_OK;
    o.counters.provider = DTX_COUNTER_PERF_HARDWARE;
    dtx_counters_set(&o.counters, DTX_COUNTED_INSTRUCTIONS, UINT64_MAX);
    dtx_counters_set(&o.counters, DTX_COUNTED_MISSES, 0);
    ck_assert_int_eq(dtx_runfile_add(&r, 1, "a", 1, "h", &o), 0);
    memset(&o.counters, 0, sizeof(o.counters));
    o.counters.provider = DTX_COUNTER_RUSAGE;
    ck_assert_int_eq(dtx_runfile_add(&r, 2, "b", 1, "h", &o), 0);
    ck_assert_int_eq(dtx_runfile_write("run.h5", &r, NULL), 0);
    ck_assert_int_eq(dtx_runfile_read("run.h5", &got, NULL), 0);
    ck_assert_uint_eq(got.n, 2);
    ck_assert_mem_eq(&got.attempt[0].outcome.counters,
                     &r.attempt[0].outcome.counters, sizeof(o.counters));
    ck_assert(!dtx_counters_get(&got.attempt[0].outcome.counters,
                                DTX_COUNTED_CYCLES, &v));
    ck_assert_int_eq(got.attempt[1].outcome.counters.provider,
                     DTX_COUNTER_RUSAGE);
    ck_assert_uint_eq(got.attempt[1].outcome.counters.counted, 0);
    dtx_runfile_free(&r);
    dtx_runfile_free(&got);
    (void)unlink("run.h5");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store/history");
    TCase *t = tcase_create("history");

    tcase_set_timeout(t, 60);
    dtx_scratch_enter();
    tcase_add_test(t, what_is_written_comes_back);
    tcase_add_test(t, damage_is_skipped_by_name);
    tcase_add_test(t, foreign_files_are_named);
    tcase_add_test(t, a_compacted_file_stands_for_others);
    tcase_add_test(t, no_place_is_an_error);
    tcase_add_test(t, counters_in_a_run_file);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
