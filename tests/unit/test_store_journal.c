/* SPDX-License-Identifier: MIT */
/* The journal: what was appended comes back, whatever was cut off or flipped
 * behind it, and files that are not ours stay as they are. */
#include "store/journal.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "check_main.h"
#include "store_dir.h"

/* Record number i of a test: its length and bytes follow from i. */
static size_t fill(unsigned i, unsigned char *p)
{
    size_t len = 1 + i * 37 % 300, k;

    for (k = 0; k < len; k++)
        p[k] = (unsigned char)(i + k * 7);
    return len;
}

struct seen {
    unsigned count, stop_at;
    uint64_t last_at;
};

static int see(void *ctx, const void *payload, size_t len, uint64_t at,
               struct dtx_error *err)
{
    struct seen *s = ctx;
    unsigned char want[512];
    size_t n = fill(s->count, want);

    (void)err;
    ck_assert_uint_eq(len, n);
    ck_assert_mem_eq(payload, want, n);
    ck_assert_uint_gt(at, s->last_at);
    s->last_at = at;
    s->count++;
    return s->count == s->stop_at ? DTX_EAGAIN : 0;
}

static void frame_some(struct dtx_buf *b, unsigned from, unsigned to)
{
    unsigned char p[512];

    for (; from < to; from++)
        dtx_journal_frame(b, p, fill(from, p));
    ck_assert(!b->failed);
}

/* A journal of 'n' records at 'path', as bytes in 'all' too. */
static void make(const char *path, unsigned n, struct dtx_buf *all)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_journal *j = NULL;
    struct dtx_error err;
    uint64_t at = 0;
    FILE *f;

    ck_assert_int_eq(dtx_journal_create(path, &j, &err), 0);
    frame_some(&b, 0, n);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, &at, &err), 0);
    ck_assert_uint_eq(at, 16);
    ck_assert_uint_eq(dtx_journal_size(j), 16 + b.len);
    ck_assert_int_eq(dtx_journal_sync(j, &err), 0);
    dtx_journal_close(j);
    if (all) {
        ck_assert(dtx_buf_reserve(all, b.len + 16));
        f = fopen(path, "rb");
        ck_assert_ptr_nonnull(f);
        all->len = fread(all->data, 1, b.len + 16, f);
        ck_assert_uint_eq(all->len, b.len + 16);
        (void)fclose(f);
    }
    dtx_buf_free(&b);
}

/* How many records are read at 'path', all right and in order. */
static unsigned count(const char *path, uint64_t *torn)
{
    struct seen s = {0, 0, 0};
    struct dtx_error err;

    ck_assert_int_eq(dtx_journal_read(path, see, &s, torn, &err), 0);
    return s.count;
}

START_TEST(test_round_trip)
{
    struct dtx_journal *j = NULL;
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err;
    uint64_t torn = 9, cut = 9, at = 0, before;

    make("trip", 3000, NULL); /* more than one read's worth */
    ck_assert_uint_eq(count("trip", &torn), 3000);
    ck_assert_uint_eq(torn, 0);
    ck_assert_int_eq(dtx_journal_create("trip", &j, &err), DTX_EEXIST);
    ck_assert_int_eq(dtx_journal_open("trip", &j, &cut, &err), 0);
    ck_assert_uint_eq(cut, 0);
    before = dtx_journal_size(j);
    frame_some(&b, 3000, 3010);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, &at, &err), 0);
    ck_assert_uint_eq(at, before);
    ck_assert_int_eq(dtx_journal_append(j, "", 0, &at, &err), 0);
    ck_assert_uint_eq(at, before + b.len);
    dtx_journal_close(j);
    dtx_journal_close(NULL);
    ck_assert_uint_eq(count("trip", &torn), 3010);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(test_callback_ends)
{
    struct seen s = {0, 5, 0};
    struct dtx_error err;

    make("ends", 10, NULL);
    ck_assert_int_eq(dtx_journal_read("ends", see, &s, NULL, &err), DTX_EAGAIN);
    ck_assert_uint_eq(s.count, 5);
}
END_TEST

START_TEST(test_torn_at_every_byte)
{
    struct dtx_buf all = DTX_BUF_INIT, b = DTX_BUF_INIT;
    struct dtx_error err;
    unsigned char p[512];
    size_t last = fill(9, p) + 8, n;

    make("whole", 10, &all);
    for (n = 1; n <= last; n++) {
        struct dtx_journal *j = NULL;
        struct seen s = {0, 0, 0};
        uint64_t torn = 0, cut = 0, left = n == last ? 0 : last - n;

        ck_assert_int_eq(
            dtx_journal_read_bytes(all.data, all.len - n, see, &s, &torn, &err),
            0);
        ck_assert_uint_eq(s.count, 9);
        ck_assert_uint_eq(torn, left);
        ck_assert(dtx_scratch_write("torn", all.data, all.len - n));
        ck_assert_uint_eq(count("torn", &torn), 9);
        ck_assert_uint_eq(torn, left);
        ck_assert_int_eq(dtx_journal_open("torn", &j, &cut, &err), 0);
        ck_assert_uint_eq(cut, left);
        ck_assert_int_eq(dtx_scratch_size("torn"), (long long)(all.len - last));
        dtx_buf_clear(&b);
        frame_some(&b, 9, 11);
        ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, NULL, &err), 0);
        dtx_journal_close(j);
        ck_assert_uint_eq(count("torn", &torn), 11);
        ck_assert_uint_eq(torn, 0);
    }
    dtx_buf_free(&all);
    dtx_buf_free(&b);
}
END_TEST

/* Where each of 'n' records of a journal begins; one more: the end. */
static void find_places(uint64_t *place, unsigned n)
{
    unsigned char p[512];

    place[0] = 16;
    for (unsigned i = 0; i < n; i++)
        place[i + 1] = place[i] + fill(i, p) + 8;
}

/* Records that may lack some: each is what it was, at its place. */
struct sparse {
    uint64_t place[64];
    unsigned n, count, gaps;
    uint64_t next, skipped; /* where the next frame or gap must be */
    bool got[64];
};

static int see_sparse(void *ctx, const void *payload, size_t len, uint64_t at,
                      struct dtx_error *err)
{
    struct sparse *s = ctx;
    unsigned char want[512];
    unsigned i = 0;

    (void)err;
    ck_assert_uint_eq(at, s->next);
    s->next += len + (payload ? 8 : 0);
    if (!payload) {
        ck_assert_uint_gt(len, 0);
        s->gaps++;
        s->skipped += len;
        return 0;
    }
    while (i < s->n && s->place[i] != at)
        i++;
    ck_assert_uint_lt(i, s->n);
    ck_assert_uint_eq(len, fill(i, want));
    ck_assert_mem_eq(payload, want, len);
    s->got[i] = true;
    s->count++;
    return 0;
}

static void begin_sparse(struct sparse *s, unsigned n)
{
    memset(s, 0, sizeof(*s));
    s->n = n;
    s->next = 16;
    find_places(s->place, n);
}

/* No flipped bit is ever given out as a record; all other records are. */
START_TEST(test_flipped_bits)
{
    struct dtx_buf all = DTX_BUF_INIT;
    struct dtx_error err;
    unsigned record = 0;
    size_t bit, step = 3000 / (size_t)dtx_rounds(1000);

    make("flip", 12, &all);
    for (bit = 16 * 8; bit < all.len * 8; bit += step) {
        struct sparse s;
        uint64_t torn = 0, length;

        begin_sparse(&s, 12);
        while (bit / 8 >= s.place[record + 1])
            record++;
        length = s.place[record + 1] - s.place[record];
        all.data[bit / 8] = (char)(all.data[bit / 8] ^ (1 << bit % 8));
        ck_assert_int_eq(dtx_journal_read_bytes(all.data, all.len, see_sparse,
                                                &s, &torn, &err),
                         0);
        ck_assert_uint_eq(s.count, 11);
        ck_assert(!s.got[record]);
        ck_assert_uint_eq(torn, record == 11 ? length : 0);
        ck_assert_uint_eq(s.gaps, record == 11 ? 0 : 1);
        ck_assert_uint_eq(s.skipped, record == 11 ? 0 : length);
        all.data[bit / 8] = (char)(all.data[bit / 8] ^ (1 << bit % 8));
    }
    dtx_buf_free(&all);
}
END_TEST

/* Damage in the middle and a torn end: what is whole stays in the file, and
 * appending goes on behind it. */
START_TEST(test_damage_is_not_a_tail)
{
    struct dtx_buf all = DTX_BUF_INIT, b = DTX_BUF_INIT;
    struct dtx_journal *j = NULL;
    struct dtx_error err;
    struct sparse s;
    uint64_t torn = 0, cut = 0;

    make("middle", 20, &all);
    begin_sparse(&s, 21);
    memset(all.data + s.place[3], 0xff, 5);          /* a length */
    memset(all.data + s.place[7] + 9, 0, 3);         /* a payload */
    memset(all.data + s.place[8], 0x10, 2);          /* too long a length */
    memset(all.data + s.place[12] + 2, 1, 1);        /* reaches over the end */
    ck_assert(dtx_scratch_write("middle", all.data, all.len - 5));
    ck_assert_int_eq(dtx_journal_open("middle", &j, &cut, &err), 0);
    ck_assert_uint_eq(cut, s.place[20] - s.place[19] - 5);
    ck_assert_uint_eq(dtx_journal_size(j), s.place[19]);
    ck_assert_int_eq(dtx_scratch_size("middle"), (long long)s.place[19]);
    frame_some(&b, 19, 21);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, NULL, &err), 0);
    dtx_journal_close(j);
    ck_assert_int_eq(
        dtx_journal_read("middle", see_sparse, &s, &torn, &err), 0);
    ck_assert_uint_eq(torn, 0);
    ck_assert_uint_eq(s.gaps, 3);
    ck_assert_uint_eq(s.count, 17);
    ck_assert(!s.got[3] && !s.got[7] && !s.got[8] && !s.got[12]);
    dtx_buf_free(&all);
    dtx_buf_free(&b);
}
END_TEST

static int count_gap(void *ctx, const void *payload, size_t len, uint64_t at,
                     struct dtx_error *err)
{
    size_t *n = ctx; /* records, their bytes, damaged bytes */

    (void)at;
    (void)err;
    if (payload) {
        n[0]++;
        n[1] += len;
    } else {
        n[2] += len;
    }
    return 0;
}

/* Every byte of the damage pretends to begin a frame, most of them long ones:
 * looking for the next true one stays cheap, and large ones are found too. */
START_TEST(test_search_is_linear)
{
    const size_t bad = 2u << 20, large = 3u << 20;
    unsigned char *p = malloc(large);
    struct dtx_buf b = DTX_BUF_INIT;
    size_t n[3] = {0, 0, 0};
    struct dtx_error err;
    uint64_t torn = 1;

    ck_assert_ptr_nonnull(p);
    make("deep", 2, &b);
    for (size_t i = 0; i < bad; i++) /* lengths of 2 MiB, 8 KiB, 32 and huge */
        dtx_buf_char(&b, i % 3 == 2 ? 0x20 : 0);
    for (size_t i = 0; i < large; i++)
        p[i] = (unsigned char)(i * i >> 3);
    dtx_journal_frame(&b, p, large);
    dtx_journal_frame(&b, p, 700);
    ck_assert(!b.failed);
    ck_assert_int_eq(
        dtx_journal_read_bytes(b.data, b.len, count_gap, n, &torn, &err), 0);
    ck_assert_uint_eq(n[0], 4);
    ck_assert_uint_gt(n[1], large + 700);
    ck_assert_uint_eq(n[2], bad);
    ck_assert_uint_eq(torn, 0);
    free(p);
    dtx_buf_free(&b);
}
END_TEST

/* A file whose end was never written reads as zeros after a power loss. */
START_TEST(test_zero_tail)
{
    struct dtx_buf all = DTX_BUF_INIT;
    struct dtx_journal *j = NULL;
    struct dtx_error err;
    uint64_t torn = 0, cut = 0;

    make("zeros", 4, &all);
    ck_assert_int_eq(truncate("zeros", (off_t)all.len + 4096), 0);
    ck_assert_uint_eq(count("zeros", &torn), 4);
    ck_assert_uint_eq(torn, 4096);
    ck_assert_int_eq(dtx_journal_open("zeros", &j, &cut, &err), 0);
    ck_assert_uint_eq(cut, 4096);
    dtx_journal_close(j);
    dtx_buf_free(&all);
}
END_TEST

#define H "DTXJRNL\0\1\0\0\0"
static const struct {
    const char *what, *data;
    size_t len;
    bool fix; /* put the right checksum behind the first 12 bytes */
    int rc;   /* of reading and of opening */
} files[] = {
    {"empty", "", 0, false, 0},
    {"half a header", H, 7, false, 0},
    {"most of a header", H, 12, false, 0},
    {"header only", H "....", 16, true, 0},
    {"text", "echo 1\necho 2\necho 3\n", 21, false, DTX_EFOREIGN},
    {"short text", "ls\n", 3, false, DTX_EFOREIGN},
    {"zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, false, DTX_EFOREIGN},
    {"newer", "DTXJRNL\0\2\0\0\0....abc", 19, true, DTX_EFOREIGN},
    {"far newer", "DTXJRNL\0\0\0\0\1....", 16, true, DTX_EFOREIGN},
    {"version 0", "DTXJRNL\0\0\0\0\0....", 16, true, DTX_EFOREIGN},
    {"bad sum", H "xxxx", 16, false, DTX_EFOREIGN},
    {"half a newer header", "DTXJRNL\0\2\0", 10, false, DTX_EFOREIGN},
    {"hdf5", "\x89HDF\r\n\x1a\n\0\0\0\0\0\10\10\0", 16, false, DTX_EFOREIGN},
};

START_TEST(test_headers)
{
    unsigned char data[64];
    struct seen s = {0, 0, 0};
    struct dtx_error err = {0, ""};
    struct dtx_journal *j = NULL;
    char after[64];
    uint64_t torn = 99, cut = 99;
    size_t len = files[_i].len;
    FILE *f;

    memcpy(data, files[_i].data, len);
    if (files[_i].fix) {
        uint32_t crc = dtx_crc32(0, data, 12);

        for (int k = 0; k < 4; k++)
            data[12 + k] = (unsigned char)(crc >> (8 * k));
    }
    ck_assert(dtx_scratch_write("head", data, len));
    ck_assert_int_eq(dtx_journal_read_bytes(data, len, see, &s, &torn, &err),
                     files[_i].rc);
    ck_assert_int_eq(dtx_journal_read("head", see, &s, &torn, &err),
                     files[_i].rc);
    ck_assert_int_eq(dtx_journal_open("head", &j, &cut, &err), files[_i].rc);
    ck_assert_uint_eq(s.count, 0);
    if (files[_i].rc == 0) {
        ck_assert_uint_eq(torn, len < 16 ? len : 0);
        ck_assert_uint_eq(cut, len < 16 ? len : 0);
        ck_assert_uint_eq(dtx_journal_size(j), 16);
        ck_assert_int_eq(dtx_scratch_size("head"), 16);
        dtx_journal_close(j);
        ck_assert_uint_eq(count("head", &torn), 0);
    } else {
        ck_assert_ptr_nonnull(strstr(err.text, "head"));
        f = fopen("head", "rb");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fread(after, 1, sizeof(after), f), len);
        ck_assert_mem_eq(after, data, len);
        (void)fclose(f);
    }
}
END_TEST

START_TEST(test_not_files)
{
    struct dtx_journal *j = NULL;
    struct dtx_error err;

    ck_assert_int_eq(dtx_journal_read("nothing", see, NULL, NULL, &err),
                     DTX_ENOENT);
    ck_assert_int_eq(dtx_journal_open("nothing", &j, NULL, &err), DTX_ENOENT);
    ck_assert_int_eq(mkdir("adir", 0777), 0);
    ck_assert_int_lt(dtx_journal_read("adir", see, NULL, NULL, &err), 0);
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    ck_assert_int_eq(dtx_journal_read("pipe", see, NULL, NULL, &err),
                     DTX_EFOREIGN);
    ck_assert_int_eq(dtx_journal_create("adir", &j, &err), DTX_EEXIST);
    ck_assert_int_eq(dtx_journal_create("no/such", &j, &err), DTX_ENOENT);
}
END_TEST

START_TEST(test_large_record)
{
    const size_t max = DTX_JOURNAL_MAX_RECORD;
    char *p = calloc(1, max + 1);
    struct dtx_buf b = DTX_BUF_INIT, got = DTX_BUF_INIT;
    struct dtx_journal *j = NULL;
    struct dtx_error err;
    uint64_t at = 0, torn = 1;

    ck_assert_ptr_nonnull(p);
    dtx_journal_frame(&b, p, max + 1);
    ck_assert(b.failed);
    dtx_buf_clear(&b);
    dtx_journal_frame(&b, p, 0);
    ck_assert(b.failed);
    dtx_buf_clear(&b);
    memset(p, 'x', max);
    dtx_journal_frame(&b, p, max);
    ck_assert(!b.failed);
    ck_assert_int_eq(dtx_journal_create("large", &j, &err), 0);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, NULL, &err), 0);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, &at, &err), 0);
    dtx_journal_close(j);
    ck_assert_int_eq(dtx_journal_read("large", NULL, NULL, &torn, &err), 0);
    ck_assert_uint_eq(torn, 0);
    ck_assert_int_eq(dtx_journal_read_at("large", at, &got, &err), 0);
    ck_assert_uint_eq(got.len, max);
    ck_assert_mem_eq(got.data, p, max);
    free(p);
    dtx_buf_free(&b);
    dtx_buf_free(&got);
}
END_TEST

static int keep_place(void *ctx, const void *payload, size_t len, uint64_t at,
                      struct dtx_error *err)
{
    uint64_t *place = ctx;

    (void)payload;
    (void)len;
    (void)err;
    place[++place[0]] = at; /* place[0] counts */
    return 0;
}

START_TEST(test_read_at)
{
    uint64_t place[32] = {0}, wrong;
    struct dtx_buf got = DTX_BUF_INIT;
    struct dtx_error err;
    unsigned char want[512];
    unsigned i;

    make("at", 20, NULL);
    ck_assert_int_eq(dtx_journal_read("at", keep_place, place, NULL, &err), 0);
    ck_assert_uint_eq(place[0], 20);
    for (i = 0; i < 20; i++) {
        size_t n = fill(i, want);

        dtx_buf_clear(&got);
        dtx_buf_str(&got, "+");
        ck_assert_int_eq(dtx_journal_read_at("at", place[i + 1], &got, &err),
                         0);
        ck_assert_uint_eq(got.len, n + 1);
        ck_assert_mem_eq(got.data + 1, want, n);
    }
    for (wrong = 0; wrong < 200; wrong++) {
        int rc;

        dtx_buf_clear(&got);
        rc = dtx_journal_read_at("at", wrong, &got, &err);
        for (i = 1; i <= 20 && place[i] != wrong; i++)
            continue;
        ck_assert_int_eq(rc, i <= 20 ? 0 : DTX_ECORRUPT);
        ck_assert(rc == 0 || got.len == 0);
    }
    ck_assert_int_eq(dtx_journal_read_at("at", 1u << 30, &got, &err),
                     DTX_ECORRUPT);
    ck_assert_int_eq(dtx_journal_read_at("at", UINT64_MAX, &got, &err),
                     DTX_ECORRUPT);
    ck_assert_int_eq(dtx_journal_read_at("nothing", 16, &got, &err),
                     DTX_ENOENT);
    dtx_buf_free(&got);
}
END_TEST

/* Append until a limit of the file's size is hit in the middle of a write. */
START_TEST(test_no_space)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_journal *j = NULL;
    struct dtx_error err = {0, ""};
    struct rlimit lim;
    uint64_t torn = 1, size;

    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(dtx_journal_create("full", &j, &err), 0);
    frame_some(&b, 0, 10);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, NULL, &err), 0);
    size = dtx_journal_size(j);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &lim), 0);
    lim.rlim_cur = size + 100;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
    dtx_buf_clear(&b);
    frame_some(&b, 10, 20);
    ck_assert_int_lt(dtx_journal_append(j, b.data, b.len, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "full"));
    ck_assert_int_eq(dtx_scratch_size("full"), (long long)size);
    lim.rlim_cur = lim.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
    ck_assert_int_lt(dtx_journal_append(j, b.data, b.len, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "failed before"));
    ck_assert_int_lt(dtx_journal_sync(j, &err), 0);
    ck_assert_uint_eq(dtx_journal_size(j), size);
    dtx_journal_close(j);
    ck_assert_uint_eq(count("full", &torn), 10);
    ck_assert_uint_eq(torn, 0);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(test_one_writer)
{
    struct dtx_journal *j = NULL;
    struct dtx_error err = {0, ""};
    int status;
    pid_t pid;

    make("locked", 3, NULL);
    ck_assert_int_eq(dtx_journal_open("locked", &j, NULL, &err), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct dtx_journal *k = NULL;
        int rc = dtx_journal_open("locked", &k, NULL, &err);

        _exit(rc == DTX_EBUSY && strstr(err.text, "another job") ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(count("locked", NULL), 3); /* readers need no lock */
    dtx_journal_close(j);
    ck_assert_int_eq(dtx_journal_open("locked", &j, NULL, &err), 0);
    dtx_journal_close(j);
}
END_TEST

/* Where locks do not work, bytes of somebody else are noticed. */
START_TEST(test_other_writer_noticed)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_journal *j = NULL;
    struct dtx_error err = {0, ""};
    uint64_t torn = 1;
    FILE *f;

    make("two", 3, NULL);
    frame_some(&b, 3, 4);
    ck_assert_int_eq(dtx_journal_open("two", &j, NULL, &err), 0);
    f = fopen("two", "ab");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(b.data, 1, b.len, f), b.len);
    ck_assert_int_eq(fclose(f), 0);
    dtx_buf_clear(&b);
    frame_some(&b, 4, 5);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, NULL, &err),
                     DTX_ESTALE);
    ck_assert_int_eq(dtx_journal_append(j, b.data, b.len, NULL, &err),
                     DTX_ESTALE);
    dtx_journal_close(j);
    ck_assert_uint_eq(count("two", &torn), 5); /* both stayed whole */
    ck_assert_uint_eq(torn, 0);
    dtx_buf_free(&b);
}
END_TEST

/* Whatever is done to the bytes, what is read was there, and no more is lost
 * than was touched. */
START_TEST(test_random_damage)
{
    struct dtx_buf all = DTX_BUF_INIT, b = DTX_BUF_INIT;
    struct dtx_error err;
    struct dtx_rng r;
    int round;

    make("random", 15, &all);
    dtx_rng_seed(&r, 7);
    for (round = dtx_rounds(20000); round > 0; round--) {
        struct sparse s;
        size_t at, n = dtx_rng_below(&r, 4), whole = 0;
        uint64_t torn = 0;

        begin_sparse(&s, 15);
        dtx_buf_clear(&b);
        dtx_buf_append(&b, all.data, 16 + dtx_rng_below(&r, all.len - 15));
        while (whole < 15 && s.place[whole + 1] <= b.len)
            whole++;
        whole = whole > n ? whole - n : 0;
        while (n-- > 0 && b.len > 16) {
            at = 16 + dtx_rng_below(&r, b.len - 16);
            b.data[at] = (char)dtx_rng_u64(&r);
        }
        ck_assert_int_eq(dtx_journal_read_bytes(b.data, b.len, see_sparse, &s,
                                                &torn, &err),
                         0);
        ck_assert_uint_ge(s.count, whole);
        ck_assert_uint_eq(s.next + torn, b.len);
    }
    dtx_buf_free(&all);
    dtx_buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store/journal");
    TCase *t = tcase_create("journal");

    dtx_scratch_enter();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_callback_ends);
    tcase_add_test(t, test_torn_at_every_byte);
    tcase_add_test(t, test_flipped_bits);
    tcase_add_test(t, test_damage_is_not_a_tail);
    tcase_add_test(t, test_search_is_linear);
    tcase_add_test(t, test_zero_tail);
    tcase_add_loop_test(t, test_headers, 0, DTX_COUNT(files));
    tcase_add_test(t, test_not_files);
    tcase_add_test(t, test_large_record);
    tcase_add_test(t, test_read_at);
    tcase_add_test(t, test_no_space);
    tcase_add_test(t, test_one_writer);
    tcase_add_test(t, test_other_writer_noticed);
    tcase_add_test(t, test_random_damage);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}
