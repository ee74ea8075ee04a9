/* SPDX-License-Identifier: MIT */
/* A list of files; see sizes.h. */
#include "predict/sizes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"

struct file {
    int64_t bytes;
    uint64_t writer; /* 0 = none */
};

struct dtx_sizes {
    struct dtx_keymap index; /* name -> file */
    struct file *file;
    size_t nfiles, cap;
    struct dtx_keymap done;  /* Seqs */
};

static struct dtx_key key_of(const char *name, size_t len)
{
    if (len > 2 && name[0] == '.' && name[1] == '/') {
        name += 2;
        len -= 2;
    }
    return dtx_hash128(name, len, 4);
}

static struct dtx_key key_of_seq(uint64_t seq)
{
    return dtx_hash128(&seq, sizeof(seq), 5);
}

/* A whole field that is a decimal number. */
static bool read_field(const char *p, size_t len, uint64_t *out)
{
    char text[24], *end;

    if (len == 0 || len >= sizeof(text) || p[0] < '0' || p[0] > '9')
        return false;
    memcpy(text, p, len);
    text[len] = '\0';
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 && *out <= INT64_MAX;
}

static int add(struct dtx_sizes *s, const char *line, size_t len,
               const char **wrong)
{
    const char *end = line + len, *t1 = memchr(line, '\t', len), *t2 = NULL;
    uint64_t bytes = 0, writer = 0;
    struct file *f;
    uint32_t at;

    if (t1)
        t2 = memchr(t1 + 1, '\t', (size_t)(end - t1) - 1);
    *wrong = NULL;
    if (!t2 || t1 == line)
        *wrong = "there are not three columns (name, bytes, Seq of the writer "
                 "or 0), separated by tabs";
    else if (!read_field(t1 + 1, (size_t)(t2 - t1) - 1, &bytes))
        *wrong = "the second column, bytes, is not a whole number";
    else if (!read_field(t2 + 1, (size_t)(end - t2) - 1, &writer))
        *wrong = "the third column, Seq of the writer, is not a whole number";
    if (*wrong)
        return DTX_EPARSE;
    f = dtx_grow(s->file, &s->cap, s->nfiles + 1, sizeof(*f));
    if (!f || s->nfiles >= UINT32_MAX - 1)
        return DTX_ENOMEM;
    s->file = f;
    if (!dtx_keymap_put(&s->index, key_of(line, (size_t)(t1 - line)),
                        (uint32_t)s->nfiles, &at, NULL))
        return DTX_ENOMEM;
    s->nfiles += at == s->nfiles;
    f[at] = (struct file){(int64_t)bytes, writer};
    return DTX_OK;
}

struct dtx_sizes *dtx_sizes_read(const char *name, const char *text,
                                 size_t len, struct dtx_error *err)
{
    struct dtx_sizes *s = calloc(1, sizeof(*s));
    const char *p = text, *end = text + len, *wrong = NULL;
    unsigned long long line = 0;
    int rc = s ? DTX_OK : DTX_ENOMEM;

    while (rc == DTX_OK && p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);

        line++;
        if (n > 0)
            rc = add(s, p, n, &wrong);
        p = nl ? nl + 1 : end;
    }
    if (rc == DTX_OK)
        return s;
    if (rc == DTX_EPARSE)
        (void)dtx_error_set(err, rc, "%s:%llu: %s", name, line, wrong);
    else
        (void)dtx_error_set(err, rc, "%s: out of memory", name);
    dtx_sizes_destroy(s);
    return NULL;
}

void dtx_sizes_destroy(struct dtx_sizes *s)
{
    if (!s)
        return;
    dtx_keymap_free(&s->index);
    dtx_keymap_free(&s->done);
    free(s->file);
    free(s);
}

int dtx_sizes_done(struct dtx_sizes *s, uint64_t seq)
{
    return dtx_keymap_put(&s->done, key_of_seq(seq), 0, NULL, NULL)
               ? DTX_OK
               : DTX_ENOMEM;
}

int64_t dtx_sizes_of(void *ctx, const char *name, size_t len)
{
    struct dtx_sizes *s = ctx;
    uint32_t at, ignored;

    if (!dtx_keymap_get(&s->index, key_of(name, len), &at))
        return -1;
    if (s->file[at].writer &&
        !dtx_keymap_get(&s->done, key_of_seq(s->file[at].writer), &ignored))
        return -1;
    return s->file[at].bytes;
}
