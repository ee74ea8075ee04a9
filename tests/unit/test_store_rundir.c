/* SPDX-License-Identifier: MIT */
/* The run directory: names and the link, and above all the lease: of all who
 * want it exactly one gets it, the dead are found out, and the deposed learn
 * of it. */
#include "store/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "store/lease.h"
#include "store_dir.h"

#define SHORT_NS (300 * DTX_MSEC_NS)

/* Make a directory of this name; its absolute path, good until the next. */
static const char *make(const char *name)
{
    static struct dtx_buf path = DTX_BUF_INIT;
    struct dtx_error err;
    enum dtx_rundir_found found;

    dtx_buf_clear(&path);
    ck_assert_int_eq(dtx_rundir_make(name, &path, &found, &err), 0);
    ck_assert_int_ne(found, DTX_RUNDIR_JOB);
    return path.data;
}

static void write_lease(const char *dir, const struct dtx_lease *l)
{
    struct dtx_buf b = DTX_BUF_INIT;
    char path[512];

    dtx_lease_format(l, &b);
    (void)snprintf(path, sizeof(path), "%s/lease", dir);
    ck_assert(dtx_scratch_write(path, b.data, b.len));
    dtx_buf_free(&b);
}

static int take_short(const char *dir, struct dtx_lease *mine,
                      struct dtx_error *err)
{
    struct dtx_lease_taking t = {dir, 1, SHORT_NS, NULL, NULL};

    return dtx_lease_take(&t, mine, err);
}

/* Is there a claim left over? */
static bool has_claim(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool has = false;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL)
        has = has || strncmp(e->d_name, "lease.", 6) == 0;
    (void)closedir(d);
    return has;
}

static void nap(int64_t ns)
{
    struct timespec ts = {(time_t)(ns / DTX_SEC_NS), (long)(ns % DTX_SEC_NS)};

    (void)nanosleep(&ts, NULL);
}

static bool ends_with(const struct dtx_buf *b, const char *end)
{
    size_t n = strlen(end);

    return b->len >= n && memcmp(b->data + b->len - n, end, n) == 0;
}

START_TEST(test_default_names)
{
    static const struct {
        const char *job, *end;
    } cases[] = {
        {"4711", "/names/distributex-4711"},
        {"4711", "/names/distributex-4711-2"},
        {"4711", "/names/distributex-4711-3"},
        {"12_3", "/names/distributex-12_3"},
        {"../x y", "/names/distributex-.._x_y"},
    };
    struct dtx_buf p = DTX_BUF_INIT;
    struct dtx_error err;
    struct stat st;
    size_t i;

    ck_assert_int_eq(mkdir("names", 0777), 0);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        dtx_buf_clear(&p);
        ck_assert_int_eq(
            dtx_rundir_make_default("names", cases[i].job, &p, &err), 0);
        ck_assert_msg(ends_with(&p, cases[i].end), "%s", p.data);
        ck_assert_int_eq(p.data[0], '/');
        ck_assert_int_eq(stat(p.data, &st), 0);
        ck_assert(S_ISDIR(st.st_mode));
    }
    dtx_buf_free(&p);
}
END_TEST

START_TEST(test_default_name_of_time)
{
    struct dtx_buf p = DTX_BUF_INIT;
    struct dtx_error err;
    char end[32];
    const char *name;

    ck_assert_int_eq(dtx_rundir_make_default(NULL, "", &p, &err), 0);
    (void)snprintf(end, sizeof(end), "Z-%ld", (long)getpid());
    ck_assert_msg(ends_with(&p, end), "%s", p.data);
    name = strrchr(p.data, '/') + 1;
    ck_assert_int_eq(strncmp(name, "distributex-20", 14), 0);
    ck_assert_int_eq(name[20], 'T');
    ck_assert_int_eq(dtx_scratch_size(name) >= 0, 1); /* in "." */
    dtx_buf_free(&p);
}
END_TEST

START_TEST(test_default_name_limits)
{
    struct dtx_buf p = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    char id[5000];

    memset(id, 'j', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    dtx_buf_str(&p, "+");
    ck_assert_int_eq(dtx_rundir_make_default(".", id, &p, &err), 0);
    ck_assert_int_eq(p.data[0], '+');
    dtx_buf_clear(&p);
    dtx_buf_str(&p, "+");
    ck_assert_int_lt(dtx_rundir_make_default(id, "1", &p, &err), 0);
    ck_assert_str_eq(p.data, "+");
    ck_assert_int_eq(dtx_rundir_make_default("nowhere", "1", &p, &err),
                     DTX_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "nowhere/distributex-1"));
    dtx_buf_free(&p);
}
END_TEST

START_TEST(test_make)
{
    struct dtx_buf p = DTX_BUF_INIT;
    struct dtx_error err;
    enum dtx_rundir_found found;

    ck_assert_int_eq(dtx_rundir_make(".//made//", &p, &found, &err), 0);
    ck_assert_int_eq(found, DTX_RUNDIR_MADE);
    ck_assert_msg(ends_with(&p, "/made"), "%s", p.data);
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_make("made", &p, &found, &err), 0);
    ck_assert_int_eq(found, DTX_RUNDIR_THERE);
    ck_assert(dtx_scratch_write("made/journal", "", 0));
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_make("made", &p, &found, &err), 0);
    ck_assert_int_eq(found, DTX_RUNDIR_JOB);
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_make("made/journal", &p, &found, &err),
                     DTX_EEXIST);
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_make("a/b/c", &p, &found, &err), DTX_ENOENT);
    ck_assert_int_eq(dtx_rundir_make("", &p, &found, &err), DTX_EINVAL);
    dtx_buf_free(&p);
}
END_TEST

START_TEST(test_find_and_link)
{
    struct dtx_buf p = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    char dir[512], target[256];
    ssize_t n;

    ck_assert_int_eq(mkdir("link", 0777), 0);
    ck_assert_int_eq(chdir("link"), 0);
    ck_assert_int_eq(dtx_rundir_find(NULL, &p, &err), DTX_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, DTX_LATEST_LINK));
    (void)snprintf(dir, sizeof(dir), "%s", make("run1"));
    ck_assert_int_eq(dtx_rundir_find("run1", &p, &err), DTX_ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "no job"));
    ck_assert(dtx_scratch_write("run1/journal", "", 0));
    ck_assert_int_eq(dtx_rundir_link_latest(dir, &err), 0);
    n = readlink(DTX_LATEST_LINK, target, sizeof(target));
    ck_assert_int_eq(n, 4); /* "run1": the whole may be moved */
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_find(NULL, &p, &err), 0);
    ck_assert_str_eq(p.data, dir);
    ck_assert_int_eq(mkdir("sub", 0777), 0);
    (void)snprintf(dir, sizeof(dir), "%s", make("sub/run2"));
    ck_assert(dtx_scratch_write("sub/run2/journal", "", 0));
    ck_assert_int_eq(dtx_rundir_link_latest(dir, &err), 0);
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_find(NULL, &p, &err), 0);
    ck_assert_str_eq(p.data, dir);
    ck_assert_int_eq(unlink("sub/run2/journal"), 0);
    ck_assert_int_eq(rmdir("sub/run2"), 0);
    dtx_buf_clear(&p);
    ck_assert_int_eq(dtx_rundir_find(NULL, &p, &err), DTX_ENOENT);
    ck_assert_int_eq(unlink(DTX_LATEST_LINK), 0);
    ck_assert(dtx_scratch_write(DTX_LATEST_LINK, "mine", 4));
    ck_assert_int_eq(dtx_rundir_link_latest("run1", &err), DTX_EEXIST);
    ck_assert_int_eq(dtx_scratch_size(DTX_LATEST_LINK), 4);
    dtx_buf_free(&p);
}
END_TEST

START_TEST(test_taken_twice)
{
    struct dtx_rundir *d = NULL, *e = NULL;
    struct dtx_error err = {0, ""};
    const char *dir = make("twice");
    uint32_t epoch = 0;
    char who[64];

    ck_assert_int_eq(dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_uint_eq(epoch, 1);
    ck_assert_int_ge(dtx_scratch_size("twice/out"), 0);
    ck_assert_int_eq(dtx_rundir_take(dir, 1, NULL, NULL, &e, &epoch, &err),
                     DTX_EBUSY);
    (void)snprintf(who, sizeof(who), "process %ld", (long)getpid());
    ck_assert_msg(strstr(err.text, who) != NULL, "%s", err.text);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    dtx_rundir_release(d);
    dtx_rundir_release(NULL);
    ck_assert_int_eq(dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_uint_eq(epoch, 2);
    dtx_rundir_release(d);
    ck_assert_int_eq(dtx_rundir_take(dir, 40, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_uint_eq(epoch, 40);
    dtx_rundir_release(d);
    ck_assert(!has_claim(dir));
}
END_TEST

/* An owner that was killed on this host is known at once to be dead. */
START_TEST(test_dead_owner)
{
    const char *dir = make("dead");
    struct dtx_rundir *d = NULL;
    struct dtx_error err;
    uint32_t epoch = 0;
    int status, ready[2];
    char c;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err) != 0 ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    ck_assert_int_eq(dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err),
                     DTX_EBUSY);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    for (int k = 0; k < 1000; k++) { /* not reaped: a zombie is dead too */
        if (dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err) == 0)
            break;
        nap(DTX_MSEC_NS);
    }
    ck_assert_uint_eq(epoch, 2);
    dtx_rundir_release(d);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

/* Our own pid, but a process that began at another time. */
START_TEST(test_reused_pid)
{
    const char *dir = make("reused");
    struct dtx_lease l, mine;
    struct dtx_error err;

    dtx_lease_self(&l);
    l.epoch = 7;
    ck_assert_int_eq(dtx_lease_judge(&l), DTX_LEASE_ALIVE);
    l.start--;
    write_lease(dir, &l);
    ck_assert_int_eq(dtx_lease_judge(&l), DTX_LEASE_GONE);
    ck_assert_int_eq(take_short(dir, &mine, &err), 0);
    ck_assert_uint_eq(mine.epoch, 8);
}
END_TEST

START_TEST(test_judge)
{
    struct dtx_lease l, own;

    dtx_lease_self(&own);
    ck_assert_uint_ne(own.pidns, 0);
    ck_assert_uint_ne(own.start, 0);
    ck_assert_int_eq(own.pid, getpid());
    l = own;
    (void)snprintf(l.host, sizeof(l.host), "elsewhere");
    ck_assert_int_eq(dtx_lease_judge(&l), DTX_LEASE_UNKNOWN);
    l = own;
    l.boot[0] = l.boot[0] == '0' ? '1' : '0';
    ck_assert_int_eq(dtx_lease_judge(&l), DTX_LEASE_UNKNOWN);
    l = own;
    l.pidns++;
    ck_assert_int_eq(dtx_lease_judge(&l), DTX_LEASE_UNKNOWN);
    l.released = true;
    ck_assert_int_eq(dtx_lease_judge(&l), DTX_LEASE_GONE);
}
END_TEST

struct told {
    int times;
    char text[512];
};

static bool note(void *ctx, const char *text)
{
    struct told *t = ctx;

    if (text) {
        t->times++;
        (void)snprintf(t->text, sizeof(t->text), "%s", text);
    }
    return true;
}

/* Enough of it at the third time. */
static bool lose_patience(void *ctx, const char *text)
{
    struct told *t = ctx;

    (void)text;
    return ++t->times < 3;
}

static void forge(struct dtx_lease *l)
{
    dtx_lease_self(l);
    l->epoch = 3;
    l->pid = 4242;
    (void)snprintf(l->host, sizeof(l->host), "node17");
}

START_TEST(test_silent_owner_elsewhere)
{
    const char *dir = make("silent");
    struct told told = {0, ""};
    struct dtx_lease_taking t = {dir, 1, SHORT_NS, note, &told};
    struct dtx_lease l, mine;
    struct dtx_error err;

    forge(&l);
    write_lease(dir, &l);
    ck_assert_int_eq(dtx_lease_take(&t, &mine, &err), 0);
    ck_assert_uint_eq(mine.epoch, 4);
    ck_assert_int_eq(told.times, 1);
    ck_assert_ptr_nonnull(strstr(told.text, "process 4242 on host node17"));
    ck_assert(!has_claim(dir));
}
END_TEST

START_TEST(test_watching_can_be_ended)
{
    const char *dir = make("impatient");
    struct told told = {0, ""};
    struct dtx_lease_taking t = {dir, 1, INT64_C(3600) * DTX_SEC_NS,
                                 lose_patience, &told};
    struct dtx_lease l, mine;
    struct dtx_error err = {0, ""};

    forge(&l);
    write_lease(dir, &l);
    ck_assert_int_eq(dtx_lease_take(&t, &mine, &err), DTX_ESTATE);
    ck_assert_ptr_nonnull(strstr(err.text, "interrupted"));
    ck_assert(!has_claim(dir));
}
END_TEST

START_TEST(test_beating_owner_elsewhere)
{
    const char *dir = make("beating");
    struct dtx_lease l, mine;
    struct dtx_error err = {0, ""};
    pid_t pid;
    int status;

    forge(&l);
    write_lease(dir, &l);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        nap(SHORT_NS / 3);
        _exit(dtx_lease_beat(dir, &l, NULL) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(take_short(dir, &mine, &err), DTX_EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "process 4242 on host node17"));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_owner_elsewhere_lets_go)
{
    const char *dir = make("letsgo");
    struct dtx_lease l, mine;
    struct dtx_error err;
    pid_t pid;
    int status;

    forge(&l);
    write_lease(dir, &l);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        nap(SHORT_NS / 3);
        l.released = true;
        _exit(dtx_lease_beat(dir, &l, NULL) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(take_short(dir, &mine, &err), 0);
    ck_assert_uint_eq(mine.epoch, 4);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* Text that is no lease is watched like an owner elsewhere. */
START_TEST(test_damaged_lease)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"", 0},
        {"rubbish\n", 0},
        {"distributex-lease 1\nepoch 5\nsta", 0},
        {"distributex-lease 1\nepoch 99999999999\n", 0},
        {"distributex-lease 2\nwho knows\n", DTX_EFOREIGN},
    };
    struct dtx_lease mine;
    struct dtx_error err;
    const char *dir = make("damaged");
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/lease", dir);
    ck_assert(dtx_scratch_write(path, cases[_i].text, strlen(cases[_i].text)));
    ck_assert_int_eq(take_short(dir, &mine, &err), cases[_i].rc);
}
END_TEST

START_TEST(test_lease_text)
{
    struct dtx_buf a = DTX_BUF_INIT, b = DTX_BUF_INIT;
    struct dtx_lease l, got;
    size_t n;

    forge(&l);
    l.beat = 17;
    dtx_lease_format(&l, &a);
    ck_assert_int_eq(dtx_lease_parse(a.data, a.len, &got), 0);
    ck_assert_mem_eq(&l, &got, sizeof(l));
    for (n = 0; n < a.len; n++)
        ck_assert_int_ne(dtx_lease_parse(a.data, n, &got), 0);
    l.beat = UINT64_MAX;
    l.released = true;
    dtx_lease_format(&l, &b);
    ck_assert_uint_eq(a.len, b.len);
    ck_assert_int_eq(dtx_lease_parse(b.data, b.len, &got), 0);
    ck_assert(got.released && got.beat == UINT64_MAX);
    dtx_buf_free(&a);
    dtx_buf_free(&b);
}
END_TEST

/* The old owner learns of the new one, and does not harm its lease. */
START_TEST(test_deposed)
{
    const char *dir = make("deposed");
    struct dtx_rundir *d = NULL;
    struct dtx_error err = {0, ""};
    struct dtx_lease l, now;
    uint32_t epoch = 0;

    ck_assert_int_eq(dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    forge(&l);
    write_lease(dir, &l);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), DTX_ESTALE);
    ck_assert_ptr_nonnull(strstr(err.text, "node17"));
    dtx_rundir_release(d);
    ck_assert_int_eq(dtx_lease_read(dir, &now, &err), 0);
    ck_assert_mem_eq(&now, &l, sizeof(l));
    l.epoch = 1; /* the same epoch, another process */
    write_lease(dir, &l);
    forge(&now);
    now.epoch = 1;
    now.pid++;
    ck_assert_int_eq(dtx_lease_beat(dir, &now, &err), DTX_ESTALE);
}
END_TEST

/* Words of dead ranks: those of this session, each once, gone at the end. */
START_TEST(test_losses)
{
    const char *dir = make("losses");
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_rundir *d = NULL;
    struct dtx_error err;
    uint32_t epoch = 0, rank = 99;

    ck_assert_int_eq(dtx_rundir_take(dir, 3, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_int_eq(dtx_rundir_hear_losses(d, &err), 0);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert(!dtx_rundir_next_loss(d, &rank));
    dtx_rundir_loss_path(&b, dir, 3, 17);
    ck_assert(dtx_scratch_write(b.data, "x", 1));
    ck_assert(dtx_scratch_write("losses/lost/e2-r5", "x", 1));
    ck_assert(dtx_scratch_write("losses/lost/e3-r6.tmp", "x", 1));
    ck_assert(dtx_scratch_write("losses/lost/what", "x", 1));
    ck_assert(!dtx_rundir_next_loss(d, &rank)); /* not looked yet */
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert(dtx_rundir_next_loss(d, &rank));
    ck_assert_uint_eq(rank, 17);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert(!dtx_rundir_next_loss(d, &rank));
    dtx_rundir_release(d);
    ck_assert_int_lt(dtx_scratch_size("losses/lost"), 0);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(test_owner)
{
    const char *dir = make("owner");
    struct dtx_rundir *d = NULL;
    struct dtx_rundir_owner o;
    struct dtx_error err;
    uint32_t epoch = 0;

    ck_assert_int_eq(dtx_rundir_owner(dir, &o), DTX_ENOENT);
    ck_assert_int_eq(dtx_rundir_take(dir, 7, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_int_eq(dtx_rundir_owner(dir, &o), 0);
    ck_assert(o.here && o.epoch == 7 && o.pid == getpid());
    epoch = (uint32_t)o.beat;
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert_int_eq(dtx_rundir_owner(dir, &o), 0);
    ck_assert_uint_gt(o.beat, epoch);
    dtx_rundir_release(d);
    ck_assert_int_eq(dtx_rundir_owner(dir, &o), 0);
    ck_assert(!o.here && o.epoch == 7);
}
END_TEST

START_TEST(test_lease_comes_back)
{
    const char *dir = make("back");
    struct dtx_rundir *d = NULL;
    struct dtx_error err;
    struct dtx_lease l;
    uint32_t epoch = 0;

    ck_assert_int_eq(dtx_rundir_take(dir, 5, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert_int_eq(unlink("back/lease"), 0);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert_int_eq(dtx_lease_read(dir, &l, &err), 0);
    ck_assert_uint_eq(l.epoch, 5);
    ck_assert(dtx_scratch_write("back/lease", "", 0));
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    forge(&l); /* epoch 3: an old copy */
    write_lease(dir, &l);
    ck_assert_int_eq(dtx_rundir_beat(d, &err), 0);
    ck_assert_int_eq(dtx_lease_read(dir, &l, &err), 0);
    ck_assert_uint_eq(l.epoch, 5);
    ck_assert_int_eq(unlink("back/lease"), 0);
    ck_assert_int_eq(rmdir("back/out"), 0);
    ck_assert_int_eq(rmdir("back"), 0);
    ck_assert_int_lt(dtx_rundir_beat(d, &err), 0);
    dtx_rundir_release(d);
}
END_TEST

/* Claims that crashed takers left behind are passed over and removed. */
START_TEST(test_left_claims)
{
    const char *dir = make("claims");
    struct dtx_lease l, mine;
    struct dtx_error err;
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_lease_self(&l);
    l.start--; /* dead, on this host */
    l.epoch = 1;
    dtx_lease_format(&l, &b);
    ck_assert(dtx_scratch_write("claims/lease.e1", b.data, b.len));
    dtx_buf_clear(&b);
    forge(&l); /* elsewhere: watched */
    l.epoch = 2;
    dtx_lease_format(&l, &b);
    ck_assert(dtx_scratch_write("claims/lease.e2", b.data, b.len));
    ck_assert(dtx_scratch_write("claims/lease.e3", "", 0)); /* no text yet */
    ck_assert_int_eq(take_short(dir, &mine, &err), 0);
    ck_assert_uint_eq(mine.epoch, 4);
    ck_assert(!has_claim(dir));
    dtx_buf_free(&b);
}
END_TEST

/* Somebody alive sits on a claim for ever: not waited for without end. */
START_TEST(test_stuck_claim)
{
    const char *dir = make("stuck");
    struct dtx_lease_taking t = {dir, 1, 20 * DTX_MSEC_NS, NULL, NULL};
    struct dtx_lease l, mine;
    struct dtx_error err;
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_lease_self(&l);
    l.epoch = 1;
    dtx_lease_format(&l, &b);
    ck_assert(dtx_scratch_write("stuck/lease.e1", b.data, b.len));
    ck_assert_int_eq(dtx_lease_take(&t, &mine, &err), DTX_EBUSY);
    dtx_buf_free(&b);
}
END_TEST

#define ROUNDS 200
#define RACERS 3

/* A racer: take the lease of each round's directory at a signal. */
static void race(int go, int done)
{
    struct dtx_lease mine;
    char dir[32], c;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        int rc;

        (void)snprintf(dir, sizeof(dir), "race/%d", i);
        if (read(go, &c, 1) != 1)
            _exit(1);
        rc = take_short(dir, &mine, NULL);
        c = rc == 0 ? 'w' : rc == DTX_EBUSY ? 'b' : '?';
        if (write(done, &c, 1) != 1)
            _exit(1);
    }
    /* an owner that has ended could be succeeded: stay until all are through */
    _exit(read(go, &c, 1) == 1 ? 0 : 1);
}

/* The directory of round i: nothing, released, or of a dead owner, with or
 * without the claim of one who died on the way. */
static void prepare_round(int i)
{
    char dir[64], claim[128];
    struct dtx_lease l;
    struct dtx_buf b = DTX_BUF_INIT;

    (void)snprintf(dir, sizeof(dir), "race/%d", i);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    dtx_lease_self(&l);
    l.start--;
    l.epoch = 5;
    l.released = i % 4 == 1;
    if (i % 4 != 0)
        write_lease(dir, &l);
    if (i % 4 == 3) {
        l.epoch = 6;
        dtx_lease_format(&l, &b);
        (void)snprintf(claim, sizeof(claim), "%s/lease.e6", dir);
        ck_assert(dtx_scratch_write(claim, b.data, b.len));
        dtx_buf_free(&b);
    }
}

START_TEST(test_race)
{
    int go[RACERS][2], done[2], i, k, status;
    pid_t pid[RACERS];

    ck_assert_int_eq(mkdir("race", 0777), 0);
    ck_assert_int_eq(pipe(done), 0);
    for (k = 0; k < RACERS; k++) {
        ck_assert_int_eq(pipe(go[k]), 0);
        pid[k] = fork();
        ck_assert_int_ge(pid[k], 0);
        if (pid[k] == 0)
            race(go[k][0], done[1]);
    }
    for (i = 0; i < ROUNDS; i++) {
        int won = 0, busy = 0;
        char dir[64], c;

        prepare_round(i);
        for (k = 0; k < RACERS; k++)
            ck_assert_int_eq(write(go[k][1], "g", 1), 1);
        for (k = 0; k < RACERS; k++) {
            ck_assert_int_eq(read(done[0], &c, 1), 1);
            won += c == 'w';
            busy += c == 'b';
        }
        ck_assert_msg(won == 1 && busy == RACERS - 1,
                      "round %d: %d won, %d were told busy", i, won, busy);
        (void)snprintf(dir, sizeof(dir), "race/%d", i);
        ck_assert(i % 20 != 0 || !has_claim(dir));
    }
    for (k = 0; k < RACERS; k++)
        ck_assert_int_eq(write(go[k][1], "g", 1), 1);
    for (k = 0; k < RACERS; k++) {
        ck_assert_int_eq(waitpid(pid[k], &status, 0), pid[k]);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

static bool stop_is_there(const char *dir)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/stop", dir);
    return access(path, F_OK) == 0;
}

START_TEST(test_stop)
{
    const char *dir = make("stop");
    struct dtx_rundir *d = NULL;
    struct dtx_error err;
    bool running = true;
    uint32_t epoch;

    ck_assert_int_eq(dtx_rundir_request_stop(dir, &running, &err), 0);
    ck_assert(!running);
    ck_assert(!stop_is_there(dir));
    ck_assert_int_eq(dtx_rundir_take(dir, 1, NULL, NULL, &d, &epoch, &err), 0);
    ck_assert(!stop_is_there(dir));
    ck_assert_int_eq(dtx_rundir_request_stop(dir, &running, &err), 0);
    ck_assert(running);
    ck_assert(stop_is_there(dir));
    ck_assert_int_eq(dtx_rundir_request_stop(dir, &running, &err), 0);
    dtx_rundir_clear_stop(dir);
    dtx_rundir_clear_stop(dir);
    ck_assert(!stop_is_there(dir));
    dtx_rundir_release(d);
    ck_assert_int_eq(dtx_rundir_request_stop(dir, &running, &err), 0);
    ck_assert(!running);
    ck_assert(!stop_is_there(dir));
}
END_TEST

static void add_lease_tests(Suite *s)
{
    TCase *t = tcase_create("lease");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_taken_twice);
    tcase_add_test(t, test_dead_owner);
    tcase_add_test(t, test_reused_pid);
    tcase_add_test(t, test_judge);
    tcase_add_test(t, test_silent_owner_elsewhere);
    tcase_add_test(t, test_watching_can_be_ended);
    tcase_add_test(t, test_beating_owner_elsewhere);
    tcase_add_test(t, test_owner_elsewhere_lets_go);
    tcase_add_loop_test(t, test_damaged_lease, 0, 5);
    tcase_add_test(t, test_lease_text);
    tcase_add_test(t, test_deposed);
    tcase_add_test(t, test_lease_comes_back);
    tcase_add_test(t, test_losses);
    tcase_add_test(t, test_owner);
    tcase_add_test(t, test_left_claims);
    tcase_add_test(t, test_stuck_claim);
    tcase_add_test(t, test_race);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("store/rundir");
    TCase *t = tcase_create("names");

    dtx_scratch_enter();
    tcase_add_test(t, test_default_names);
    tcase_add_test(t, test_default_name_of_time);
    tcase_add_test(t, test_default_name_limits);
    tcase_add_test(t, test_make);
    tcase_add_test(t, test_find_and_link);
    tcase_add_test(t, test_stop);
    suite_add_tcase(s, t);
    add_lease_tests(s);
    return dtx_check_main(s);
}
