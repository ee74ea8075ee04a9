/* SPDX-License-Identifier: MIT */
/* The list of tasks: three arrays that grow and two maps that keep equal
 * names, directories and attributes single; see task.h.  It never reads a
 * command's bytes and never checks a value: that is the parser's part. */
#include "task/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Attributes are hashed as bytes: they must not have padding. */
_Static_assert(sizeof(struct dtx_task_attr) == 48, "padding in attributes");
_Static_assert(sizeof(struct dtx_task) == 32, "a task is 32 bytes");

/* Append or leave the buffer as it was. */
static bool append(struct dtx_buf *b, const char *s, size_t len)
{
    if (!dtx_buf_reserve(b, len + 1)) {
        b->failed = false;
        return false;
    }
    dtx_buf_append(b, s, len);
    return true;
}

int dtx_tasklist_init(struct dtx_tasklist *l)
{
    static const struct dtx_task_attr plain = {
        .cpus = 1,
        .prio = 0,
        .retries = 0,
        .cwd = DTX_NO_TEXT,
        .timeout_ns = 0,
        .env = DTX_NO_TEXT,
        .flags = 0,
    };
    uint32_t index;
    int rc;

    memset(l, 0, sizeof(*l));
    rc = dtx_tasklist_attr(l, &plain, &index);
    if (rc)
        dtx_tasklist_fini(l);
    return rc;
}

int dtx_tasklist_cpus(struct dtx_tasklist *l, uint32_t cpus)
{
    struct dtx_task_attr plain = l->attr[0];
    uint32_t index;

    if (cpus == 0 || cpus == plain.cpus)
        return DTX_OK;
    plain.cpus = cpus;
    dtx_keymap_free(&l->attr_of); /* what it was found by */
    l->nattrs = 0;
    return dtx_tasklist_attr(l, &plain, &index);
}

void dtx_tasklist_fini(struct dtx_tasklist *l)
{
    size_t i;

    for (i = 0; i < l->nblocks; i++)
        free(l->block[i].data);
    free(l->block);
    free(l->waits);
    free(l->task);
    free(l->attr);
    dtx_buf_free(&l->text);
    dtx_buf_free(&l->columns);
    dtx_buf_free(&l->pool);
    dtx_keymap_free(&l->interned);
    dtx_keymap_free(&l->attr_of);
    memset(l, 0, sizeof(*l));
}

uint32_t dtx_tasklist_intern(struct dtx_tasklist *l, const char *s, size_t len)
{
    struct dtx_key key = dtx_hash128(s, len, 0);
    size_t off = l->pool.len;
    uint32_t found;

    if (dtx_keymap_get(&l->interned, key, &found))
        return found;
    if (off >= DTX_NO_TEXT - 1 || len >= DTX_NO_TEXT - 1 - off)
        return DTX_NO_TEXT;
    if (!append(&l->pool, s, len))
        return DTX_NO_TEXT;
    if (!dtx_keymap_put(&l->interned, key, (uint32_t)off, NULL, NULL)) {
        l->pool.len = off;
        l->pool.data[off] = '\0';
        return DTX_NO_TEXT;
    }
    l->pool.len++; /* keep the NUL that stands behind the text */
    l->pool.data[l->pool.len] = '\0';
    return (uint32_t)off;
}

int dtx_tasklist_attr(struct dtx_tasklist *l, const struct dtx_task_attr *a,
                      uint32_t *index)
{
    struct dtx_key key = dtx_hash128(a, sizeof(*a), 0);
    struct dtx_task_attr *p;

    if (dtx_keymap_get(&l->attr_of, key, index))
        return DTX_OK;
    if (l->nattrs >= DTX_NO_TEXT - 1)
        return DTX_ENOMEM;
    p = dtx_grow(l->attr, &l->cap_attrs, l->nattrs + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    l->attr = p;
    if (!dtx_keymap_put(&l->attr_of, key, (uint32_t)l->nattrs, NULL, NULL))
        return DTX_ENOMEM;
    *index = (uint32_t)l->nattrs;
    l->attr[l->nattrs++] = *a;
    return DTX_OK;
}

/* ---- the commands of a live list ---- */

/* A block holds this much, or one longer command. Smaller ones would be given
 * back sooner, and cost more for each. */
#define BLOCK_BYTES (256u << 10)
#define BLOCK_SHIFT 32

void dtx_tasklist_live(struct dtx_tasklist *l)
{
    assert(l->ntasks == 0);
    l->live = true;
}

static struct dtx_text_block *new_block(struct dtx_tasklist *l, size_t len)
{
    struct dtx_text_block *p =
        dtx_grow(l->block, &l->cap_blocks, l->nblocks + 1, sizeof(*p));

    if (!p)
        return NULL;
    l->block = p;
    p += l->nblocks;
    memset(p, 0, sizeof(*p));
    p->cap = len > BLOCK_BYTES ? (uint32_t)len : BLOCK_BYTES;
    p->data = malloc(p->cap);
    if (!p->data)
        return NULL;
    l->nblocks++;
    return p;
}

static void release_block(struct dtx_text_block *b)
{
    free(b->data);
    b->data = NULL;
}

static bool append_live(struct dtx_tasklist *l, const char *command,
                        size_t len, uint64_t *at)
{
    struct dtx_text_block *b = l->nblocks ? &l->block[l->nblocks - 1] : NULL;

    if (!b || !b->data || b->cap - b->len < len) {
        b = new_block(l, len);
        if (!b)
            return false;
        if (l->nblocks > 1 && b[-1].tasks == 0)
            release_block(&b[-1]); /* it could not go while it was the last */
    }
    memcpy(b->data + b->len, command, len);
    *at = (uint64_t)(l->nblocks - 1) << BLOCK_SHIFT | b->len;
    b->len += (uint32_t)len;
    b->tasks++;
    l->open_tasks++;
    l->open_bytes += len;
    return true;
}

int dtx_tasklist_waits(struct dtx_tasklist *l, size_t task, size_t n)
{
    uint32_t *p;

    if (!l->live || n == 0)
        return DTX_OK;
    p = dtx_grow(l->waits, &l->cap_waits, task + 1, sizeof(*p));
    if (!p || n > UINT32_MAX)
        return DTX_ENOMEM;
    l->waits = p;
    memset(p + l->nwaits, 0, (task + 1 - l->nwaits) * sizeof(*p));
    l->nwaits = task + 1;
    p[task] = (uint32_t)n;
    l->open_bytes += (uint64_t)n * DTX_WAIT_BYTES;
    return DTX_OK;
}

void dtx_tasklist_forget(struct dtx_tasklist *l, uint32_t task)
{
    const struct dtx_task *t = &l->task[task];
    struct dtx_text_block *b = &l->block[t->text >> BLOCK_SHIFT];

    assert(l->live && task < l->ntasks && b->tasks > 0);
    l->open_tasks--;
    l->open_bytes -= t->len;
    if (task < l->nwaits)
        l->open_bytes -= (uint64_t)l->waits[task] * DTX_WAIT_BYTES;
    if (--b->tasks == 0 && b != &l->block[l->nblocks - 1])
        release_block(b);
}

int dtx_tasklist_add(struct dtx_tasklist *l, const char *command, size_t len,
                     uint32_t attr, uint32_t line, uint32_t name)
{
    struct dtx_task *p;

    assert(attr < l->nattrs);
    if (l->ntasks >= DTX_MAX_TASKS || len > DTX_MAX_COMMAND)
        return DTX_ELIMIT;
    p = dtx_grow(l->task, &l->cap_tasks, l->ntasks + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    l->task = p;
    p += l->ntasks;
    p->text = l->text.len;
    if (!(l->live ? append_live(l, command, len, &p->text)
                  : append(&l->text, command, len)))
        return DTX_ENOMEM;
    p->len = (uint32_t)len;
    p->attr = attr;
    p->line = line;
    p->name = name;
    p->index = 0;
    p->args = 0;
    l->ntasks++;
    return DTX_OK;
}

int dtx_tasklist_set_args(struct dtx_tasklist *l, const char *args, size_t len)
{
    assert(!l->live && l->ntasks > 0 && l->task[l->ntasks - 1].args == 0);
    if (len > DTX_MAX_ARGS)
        return DTX_ELIMIT;
    if (!append(&l->text, args, len))
        return DTX_ENOMEM;
    l->task[l->ntasks - 1].args = (uint32_t)len;
    return DTX_OK;
}

/* Shrinking may fail, then the larger block simply stays. */
static void trim_buf(struct dtx_buf *b)
{
    char *p = b->data ? realloc(b->data, b->len + 1) : NULL;

    if (p) {
        b->data = p;
        b->cap = b->len + 1;
    }
}

void dtx_tasklist_trim(struct dtx_tasklist *l)
{
    struct dtx_task *p = NULL;

    if (l->ntasks > 0)
        p = realloc(l->task, l->ntasks * sizeof(*p));
    if (p) {
        l->task = p;
        l->cap_tasks = l->ntasks;
    }
    trim_buf(&l->text);
    trim_buf(&l->pool);
}

const char *dtx_tasklist_text(const struct dtx_tasklist *l,
                              const struct dtx_task *t)
{
    if (l->live)
        return l->block[t->text >> BLOCK_SHIFT].data + (uint32_t)t->text;
    return l->text.data + t->text;
}

const char *dtx_tasklist_args(const struct dtx_tasklist *l,
                              const struct dtx_task *t)
{
    return t->args ? l->text.data + t->text + t->len : NULL;
}

const char *dtx_tasklist_pool(const struct dtx_tasklist *l, uint32_t off)
{
    return off == DTX_NO_TEXT ? NULL : l->pool.data + off;
}

const struct dtx_task_attr *dtx_tasklist_attr_of(const struct dtx_tasklist *l,
                                                 uint32_t task)
{
    /* mostly all have the same, and then the task need not be looked up */
    return &l->attr[l->nattrs == 1 ? 0 : l->task[task].attr];
}

void dtx_command_with_slot(struct dtx_buf *out, const char *command, size_t len,
                           uint32_t slot)
{
    const char *end = command + len;

    while (command < end) {
        const char *mark =
            memchr(command, DTX_SLOT_BYTE, (size_t)(end - command));

        dtx_buf_append(out, command,
                       (size_t)((mark ? mark : end) - command));
        if (!mark)
            return;
        if (slot)
            dtx_buf_printf(out, "%lu", (unsigned long)slot);
        else
            dtx_buf_str(out, "{%}");
        command = mark + 1;
    }
}

void dtx_tasklist_command(struct dtx_buf *out, const struct dtx_tasklist *l,
                          uint32_t task, uint32_t slot)
{
    const struct dtx_task *t = &l->task[task];
    const char *text = dtx_tasklist_text(l, t);

    if (dtx_tasklist_attr_of(l, task)->flags & DTX_ATTR_SLOT)
        dtx_command_with_slot(out, text, t->len, slot);
    else
        dtx_buf_append(out, text, t->len);
}
