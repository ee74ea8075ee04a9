/* SPDX-License-Identifier: MIT */
/* Arguments as --tag shows them; see args.h. */
#include "task/args.h"

#include "base/buf.h"
#include "task/task.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

size_t dtx_args_trim(const char **s, size_t len)
{
    while (len > 0 && is_space(**s)) {
        ++*s;
        len--;
    }
    while (len > 0 && is_space((*s)[len - 1]))
        len--;
    return len;
}

static void put_joined(struct dtx_buf *out, const char *args, size_t left,
                       bool trim)
{
    const char *arg;
    size_t len;
    bool first = true;

    while (dtx_args_next(&args, &left, &arg, &len)) {
        if (!first)
            dtx_buf_char(out, ' ');
        first = false;
        if (trim)
            len = dtx_args_trim(&arg, len);
        dtx_buf_append(out, arg, len);
    }
}

void dtx_args_tag(struct dtx_buf *out, const struct dtx_tasklist *l,
                  uint32_t task)
{
    const struct dtx_task *t = &l->task[task];
    const char *name = dtx_tasklist_pool(l, t->name);

    if (name)
        dtx_buf_str(out, name);
    else if (t->args > 0)
        put_joined(out, dtx_tasklist_args(l, t), t->args, l->trim);
    else
        dtx_tasklist_command(out, l, task, 0);
}
