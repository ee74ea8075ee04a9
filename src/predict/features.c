/* SPDX-License-Identifier: MIT */
/* Commands into features; see features.h.  One pass over the words; it
 * allocates nothing and reads no file (sizes are asked of the caller). */
#include "predict/features.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define FIRST_FREE 2      /* of x: those before have a fixed meaning */
#define SIZE_SLOTS 5      /* of files one by one */
#define RUNS 2            /* numbers inside a word that count: the last ones */
#define MAX_SUFFIX 8

struct scan {
    struct dtx_features *f;
    dtx_size_of_f size_of;
    void *ctx;
    uint64_t key;             /* of the template so far */
    size_t used;              /* of f->text */
    char shape[16];           /* of the last argument */
    bool repeated;            /* ... and a + stands behind it */
    uint32_t nx, nsizes, nwords, nlookups, nargs;
    double total;
    float inside[DTX_FEATURE_NUMBERS]; /* numbers inside words: placed last */
    uint32_t ninside;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static float log_of(double v)
{
    return (float)(v < 0 ? -log1p(-v) : log1p(v));
}

static uint64_t mix(uint64_t key, const char *s, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        key = (key ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    return key ^ key >> 29;
}

static uint32_t hash_word(const char *s, size_t len)
{
    uint64_t k = mix(UINT64_C(0xcbf29ce484222325), s, len);
    uint32_t h = (uint32_t)(k ^ k >> 32);

    return h ? h : 1;
}

uint32_t dtx_features_host(const char *host)
{
    return host && *host ? hash_word(host, strlen(host)) : 0;
}

uint32_t dtx_features_mark(int64_t mtime_ns, int64_t bytes)
{
    int64_t v[2] = {mtime_ns, bytes};
    struct dtx_key k = dtx_hash128(v, sizeof(v), 6);

    return (uint32_t)k.lo ? (uint32_t)k.lo : 1;
}

/* ---- the template ---- */

static void put(struct scan *s, const char *text, size_t len)
{
    size_t room = sizeof(s->f->text) - 1 - s->used;
    size_t n = len < room ? len : room;

    s->key = mix(s->key, text, len);
    memcpy(s->f->text + s->used, text, n);
    dtx_plain(s->f->text + s->used, n);
    s->used += n;
    s->f->text[s->used] = '\0';
}

/* An argument's shape; of equal ones in a row the first, with a +. */
static void put_shape(struct scan *s, const char *shape)
{
    if (strcmp(shape, s->shape) == 0 && shape[0] != '#') {
        if (!s->repeated)
            put(s, "+", 1);
        s->repeated = true;
        return;
    }
    put(s, " ", 1);
    put(s, shape, strlen(shape));
    (void)memccpy(s->shape, shape, '\0', sizeof(s->shape));
    s->repeated = false;
}

static void put_literal(struct scan *s, const char *text, size_t len)
{
    put(s, " ", 1);
    put(s, text, len);
    s->shape[0] = '\0';
    s->repeated = false;
}

/* ---- an argument ---- */

/* A whole word that is a decimal number. */
static bool read_number(const char *p, size_t len, double *out)
{
    double v = 0, scale = 1;
    size_t i = 0, digits = 0;
    bool minus = false, point = false;

    if (i < len && (p[i] == '-' || p[i] == '+'))
        minus = p[i++] == '-';
    for (; i < len && (is_digit(p[i]) || (p[i] == '.' && !point)); i++) {
        if (p[i] == '.') {
            point = true;
            continue;
        }
        digits++;
        v = v * 10 + (p[i] - '0');
        scale *= point ? 10 : 1;
    }
    if (digits > 0 && digits < 300 && i + 1 < len &&
        (p[i] == 'e' || p[i] == 'E')) {
        bool down = p[i + 1] == '-';
        int e = 0;

        for (i += down || p[i + 1] == '+' ? 2 : 1; i < len && is_digit(p[i]) &&
             e < 400; i++)
            e = e * 10 + (p[i] - '0');
        v *= pow(10, down ? -e : e);
    }
    if (i < len || digits == 0 || digits >= 300)
        return false;
    *out = (minus ? -v : v) / scale;
    return isfinite(*out);
}

/* The last numbers inside a word; places are kept for those it lacks. */
static void numbers_inside(struct scan *s, const char *p, size_t len)
{
    float run[RUNS] = {0};
    size_t i, k;

    for (i = 0; i < len; i++) {
        double v = 0;

        if (!is_digit(p[i]))
            continue;
        for (; i < len && is_digit(p[i]); i++)
            v = v < 1e15 ? v * 10 + (p[i] - '0') : v;
        for (k = RUNS - 1; k > 0; k--)
            run[k] = run[k - 1];
        run[0] = log_of(v);
    }
    for (k = 0; k < RUNS && s->ninside < DTX_FEATURE_NUMBERS; k++)
        s->inside[s->ninside++] = run[k];
}

/* A file's size counts in the total; one whose shape says that it is a file
 * has a place of its own, whether the size is known or not. */
static void look_up(struct scan *s, const char *p, size_t len, bool place)
{
    int64_t bytes = -1;
    float x = 0;

    if (s->size_of && s->nlookups < DTX_FEATURE_LOOKUPS) {
        s->nlookups++;
        bytes = s->size_of(s->ctx, p, len);
    }
    if (bytes >= 0) {
        s->total += (double)bytes;
        x = log_of((double)bytes);
    }
    if (place && s->nsizes < SIZE_SLOTS && s->nx < DTX_FEATURE_NUMBERS) {
        s->f->x[s->nx++] = x;
        s->nsizes++;
    }
}

/* "*", with the suffix where there is one of letters. */
static void shape_of_file(const char *p, size_t len, char out[16])
{
    size_t i = len, n;

    out[0] = '*';
    out[1] = '\0';
    while (i > 0 && p[i - 1] != '.' && p[i - 1] != '/')
        i--;
    n = len - i;
    if (i < 2 || p[i - 1] != '.' || n == 0 || n > MAX_SUFFIX ||
        !is_alpha(p[i]))
        return;
    out[1] = '.';
    memcpy(out + 2, p + i, n);
    out[2 + n] = '\0';
}

static void argument(struct scan *s, const char *p, size_t len)
{
    char shape[16] = "@";
    double v;

    s->nargs++;
    if (read_number(p, len, &v)) {
        if (s->nx < DTX_FEATURE_NUMBERS)
            s->f->x[s->nx++] = log_of(v);
        put_shape(s, "#");
        return;
    }
    if (memchr(p, '.', len) || memchr(p, '/', len))
        shape_of_file(p, len, shape);
    look_up(s, p, len, shape[0] == '*');
    if (s->nwords < DTX_FEATURE_WORDS)
        s->f->word[s->nwords++] = hash_word(p, len);
    numbers_inside(s, p, len);
    put_shape(s, shape);
}

/* A word that begins with '-': the flag is the template's, what follows its
 * '=' is an argument. */
static bool flag(struct scan *s, const char *p, size_t len)
{
    const char *eq;

    if (len < 2 || p[0] != '-' || is_digit(p[1]) || p[1] == '.')
        return false;
    eq = memchr(p, '=', len);
    put_literal(s, p, eq ? (size_t)(eq - p) + 1 : len);
    if (eq)
        argument(s, eq + 1, len - (size_t)(eq - p) - 1);
    return true;
}

static bool is_operator(const char *p, size_t len)
{
    size_t i = len > 1 && is_digit(p[0]) ? 1 : 0;

    for (; i < len; i++) {
        if (!strchr("<>|&;(){}!", p[i]) || p[i] == '\0')
            return false;
    }
    return true;
}

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word of a command, its outer quotes taken off. */
static bool next_word(const char **at, const char *end, const char **word,
                      size_t *len)
{
    const char *p = *at;
    char quote = 0;

    while (p < end && is_blank(*p))
        p++;
    if (p == end)
        return false;
    *word = p;
    for (; p < end && (quote || !is_blank(*p)); p++) {
        if (quote && *p == quote)
            quote = 0;
        else if (!quote && (*p == '\'' || *p == '"'))
            quote = *p;
    }
    *len = (size_t)(p - *word);
    *at = p;
    if (*len >= 2 && (**word == '\'' || **word == '"') &&
        (*word)[*len - 1] == **word) {
        ++*word;
        *len -= 2;
    }
    return true;
}

static bool is_assignment(const char *p, size_t len)
{
    size_t i = 0;

    while (i < len && (is_alpha(p[i]) || (i > 0 && is_digit(p[i]))))
        i++;
    return i > 0 && i < len && p[i] == '=';
}

/* Programs that say nothing of the work themselves. */
static bool is_carrier(const char *p, size_t len)
{
    static const char *const name[] = {
        "bash", "csh", "env", "exec", "java", "julia", "ksh", "nice", "node",
        "octave", "perl", "php", "python", "python2", "python3", "Rscript",
        "ruby", "sh", "srun", "taskset", "tcsh", "time", "zsh"};
    size_t i;

    for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        if (strlen(name[i]) == len && memcmp(name[i], p, len) == 0)
            return true;
    }
    return false;
}

static void put_program(struct scan *s, const char *command, const char **at,
                        const char *end)
{
    const char *p, *base;
    size_t len, n;
    bool first = true;

    while (next_word(at, end, &p, &len)) {
        if (is_assignment(p, len))
            continue;
        base = memrchr(p, '/', len);
        base = base && base + 1 < p + len ? base + 1 : p;
        n = len - (size_t)(base - p);
        if (!first)
            put(s, " ", 1);
        put(s, base, n);
        first = false;
        if (base[0] != '-' && p + len - command < UINT16_MAX) {
            s->f->name_at = (uint16_t)(p - command);
            s->f->name_len = (uint16_t)len;
        }
        if (base[0] != '-' && !is_carrier(base, n))
            break;
    }
    s->f->program_len = (uint16_t)s->used;
    s->f->program_key = s->key | 1;
}

void dtx_features_of(const char *command, size_t len, const char *host,
                     dtx_size_of_f size_of, void *ctx,
                     struct dtx_features *out)
{
    const char *at = command, *end = command + len, *p;
    struct scan s;
    uint32_t i;
    size_t n;

    memset(&s, 0, sizeof(s));
    memset(out, 0, sizeof(*out));
    s.f = out;
    s.size_of = size_of;
    s.ctx = ctx;
    s.key = UINT64_C(0xcbf29ce484222325);
    s.nx = FIRST_FREE;
    put_program(&s, command, &at, end);
    while (next_word(&at, end, &p, &n)) {
        if (n == 0 || flag(&s, p, n))
            continue;
        if (is_operator(p, n))
            put_literal(&s, p, n);
        else
            argument(&s, p, n);
    }
    for (i = 0; i < s.ninside && s.nx < DTX_FEATURE_NUMBERS; i++)
        out->x[s.nx++] = s.inside[i];
    out->x[0] = log_of(s.total);
    out->x[1] = log_of(s.nargs);
    out->host = dtx_features_host(host);
    out->class_key = s.key | 1;
    out->exact = dtx_hash128(command, len, 3);
}

/* ---- calls of kernels ---- */

static uint64_t mix_number(uint64_t key, double v)
{
    char bytes[sizeof(v)];

    memcpy(bytes, &v, sizeof(v));
    return mix(key, bytes, sizeof(bytes));
}

void dtx_features_of_call(const struct dtx_kernel_call *c,
                          struct dtx_features *out)
{
    size_t len = strlen(c->kernel);
    bool hinted = c->hint > 0;
    uint64_t key = mix(UINT64_C(0xcbf29ce484222325),
                       hinted ? "hinted" : "kernel", 6);
    uint32_t i;

    memset(out, 0, sizeof(*out));
    key = mix(key, c->kernel, len);
    out->class_key = out->program_key = key | 1;
    len = (size_t)snprintf(out->text, sizeof(out->text), "kernel %s%s",
                           c->kernel, hinted ? " (with hints)" : "");
    out->program_len = (uint16_t)(len < sizeof(out->text)
                                      ? len : sizeof(out->text) - 1);
    out->x[0] = log_of((double)c->bytes);
    out->x[1] = hinted ? (float)log(c->hint) : 0;
    key = mix_number(mix_number(key, (double)c->bytes), c->hint);
    for (i = 0; i < c->nx && i < DTX_CALL_FEATURES; i++) {
        out->x[FIRST_FREE + i] = log_of(c->x[i]);
        key = mix_number(key, c->x[i]);
    }
    out->exact = dtx_hash128(&key, sizeof(key), 4);
}
