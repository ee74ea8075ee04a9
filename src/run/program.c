/* SPDX-License-Identifier: MIT */
/* Marks of programs, each asked for once; see program.h.  What cannot be found
 * has none, nor has what is no plain file, nor what comes when there is no more
 * room. */
#include "run/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/units.h"
#include "predict/features.h"

#define ROOM 2048u        /* places in the table ... */
#define PROGRAMS 1024u    /* ... and programs in it */
#define DIRECTORIES 64u   /* of PATH that are looked into */

struct dtx_program {
    struct dtx_key key; /* both 0: free */
    uint32_t mark;
};

static struct dtx_key key_of(const char *cwd, const char *name, size_t len)
{
    struct dtx_key k = dtx_hash128(name, len, 9), d;

    d = dtx_hash128(cwd, strlen(cwd), 10);
    k.hi ^= d.hi;
    k.lo = (k.lo ^ d.lo) | 1;
    return k;
}

/* The mark of DIR/NAME; false when there is no such program. */
static bool look_at(const char *dir, size_t dir_len, const char *name,
                    size_t len, bool must_run, uint32_t *mark)
{
    char path[4096];
    struct stat st;
    int n;

    if (name[0] == '/')
        dir_len = 0;
    n = snprintf(path, sizeof(path), "%.*s%s%.*s", (int)dir_len, dir,
                 dir_len ? "/" : "", (int)len, name);
    if (n < 0 || (size_t)n >= sizeof(path) || stat(path, &st) != 0 ||
        !S_ISREG(st.st_mode) || (must_run && access(path, X_OK) != 0))
        return false;
    *mark = dtx_features_mark(st.st_mtim.tv_sec * DTX_SEC_NS +
                              st.st_mtim.tv_nsec, st.st_size);
    return true;
}

static uint32_t find(const char *cwd, const char *name, size_t len)
{
    const char *dir = getenv("PATH"), *end;
    uint32_t mark = 0, k;

    if (memchr(name, '/', len) || !dir) {
        (void)look_at(cwd, strlen(cwd), name, len, false, &mark);
        return mark;
    }
    for (k = 0; k < DIRECTORIES; k++, dir = end + 1) {
        end = strchrnul(dir, ':');
        if (end > dir && dir[0] == '/' &&
            look_at(dir, (size_t)(end - dir), name, len, true, &mark))
            return mark;
        if (*end == '\0')
            break;
    }
    (void)look_at(cwd, strlen(cwd), name, len, false, &mark);
    return mark;
}

uint32_t dtx_program_mark(struct dtx_programs *p, const char *cwd,
                          const char *name, size_t len, bool look,
                          bool *asked)
{
    struct dtx_key k = key_of(cwd, name, len);
    size_t at = k.hi % ROOM;

    if (len == 0)
        return 0;
    if (!p->program)
        p->program = calloc(ROOM, sizeof(*p->program));
    if (!p->program)
        return 0;
    while (p->program[at].key.lo != 0) {
        if (p->program[at].key.hi == k.hi && p->program[at].key.lo == k.lo)
            return p->program[at].mark;
        at = (at + 1) % ROOM;
    }
    if (!look || p->used == PROGRAMS)
        return 0;
    if (asked)
        *asked = true;
    p->used++;
    p->program[at] = (struct dtx_program){k, find(cwd, name, len)};
    return p->program[at].mark;
}

void dtx_programs_free(struct dtx_programs *p)
{
    free(p->program);
    memset(p, 0, sizeof(*p));
}
