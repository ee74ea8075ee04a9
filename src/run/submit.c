/* SPDX-License-Identifier: MIT */
/* Writes and sends the batch script; see submit.h.  It checks that values stay
 * on their lines; whether the cluster has such a partition is sbatch's word. */
#include "run/submit.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "run/command.h"

#define SEND_NS (60 * DTX_SEC_NS)
#define MINUTE_NS (60 * DTX_SEC_NS)

int dtx_submit_time(const char *text, int64_t *out_ns)
{
    int64_t n, minutes;

    if (*text && strspn(text, "0123456789") == strlen(text)) {
        if (dtx_parse_int(text, 1, 52560000, &minutes) != DTX_OK)
            return DTX_ELIMIT;
        n = minutes * MINUTE_NS;
    } else if (dtx_parse_duration(text, &n) != DTX_OK) {
        return DTX_EPARSE;
    }
    if (n < MINUTE_NS)
        return DTX_ELIMIT;
    *out_ns = n;
    return DTX_OK;
}

static void put(struct dtx_buf *b, const char *option, const char *value)
{
    if (value)
        dtx_buf_printf(b, "#SBATCH --%s=%s\n", option, value);
}

static void put_number(struct dtx_buf *b, const char *option, uint32_t value)
{
    if (value > 0)
        dtx_buf_printf(b, "#SBATCH --%s=%u\n", option, (unsigned)value);
}

/* Slurm rounds up to whole minutes. */
static void put_time(struct dtx_buf *b, int64_t ns)
{
    int64_t s = (ns + DTX_SEC_NS - 1) / DTX_SEC_NS;

    if (ns > 0)
        dtx_buf_printf(b, "#SBATCH --time=%lld-%02d:%02d:%02d\n",
                       (long long)(s / 86400), (int)(s / 3600 % 24),
                       (int)(s / 60 % 60), (int)(s % 60));
}

static int check_lines(const struct dtx_submit *s, struct dtx_error *err)
{
    const char *value[5] = {s->mem, s->partition, s->account, s->qos, s->name};
    size_t i;

    for (i = 0; i < sizeof(value) / sizeof(value[0]) + s->nextras; i++) {
        const char *v = i < 5 ? value[i] : s->extra[i - 5];

        if (v && (!*v || strpbrk(v, "\r\n")))
            return dtx_error_set(err, DTX_EINVAL,
                                 "an option for sbatch is %s",
                                 *v ? "more than one line" : "empty");
    }
    return DTX_OK;
}

static void put_command(const struct dtx_submit *s, struct dtx_buf *b)
{
    size_t i;

    dtx_buf_str(b, "exec ");
    dtx_buf_shell_quoted(b, s->program, strlen(s->program));
    dtx_buf_str(b, s->once ? " run" : " run --requeue");
    for (i = 0; i < s->nwords; i++) {
        dtx_buf_char(b, ' ');
        dtx_buf_shell_quoted(b, s->words[i], strlen(s->words[i]));
    }
    dtx_buf_char(b, '\n');
}

int dtx_submit_script(const struct dtx_submit *s, struct dtx_buf *out,
                      struct dtx_error *err)
{
    int rc = check_lines(s, err);
    size_t i;

    if (rc)
        return rc;
    dtx_buf_printf(out, "#!/bin/bash\n# Written by \"distributex %s\".\n",
                   s->maker ? s->maker : "submit");
    put(out, "job-name", s->name ? s->name : "distributex");
    put(out, "output", "distributex-%j.log");
    put_number(out, "nodes", s->nodes ? s->nodes : 1);
    dtx_buf_str(out, "#SBATCH --ntasks-per-node=1\n");
    if (s->cpus)
        put_number(out, "cpus-per-task", s->cpus);
    else
        dtx_buf_str(out, "#SBATCH --exclusive\n");
    put(out, "mem", s->mem);
    put_number(out, "gpus-per-node", s->gpus);
    put_time(out, s->time_ns);
    put(out, "partition", s->partition);
    put(out, "account", s->account);
    put(out, "qos", s->qos);
    dtx_buf_str(out, "# A node that is lost does not end the job.\n"
                     "#SBATCH --no-kill\n");
    if (s->once)
        dtx_buf_str(out, "#SBATCH --no-requeue\n");
    else
        dtx_buf_str(out, "# Started again, it goes on in the same log.\n"
                         "#SBATCH --requeue\n#SBATCH --open-mode=append\n");
    for (i = 0; i < s->nextras; i++)
        dtx_buf_printf(out, "#SBATCH %s\n", s->extra[i]);
    dtx_buf_char(out, '\n');
    put_command(s, out);
    return out->failed ? dtx_error_set(err, DTX_ENOMEM, "out of memory")
                       : DTX_OK;
}

int dtx_submit_number(const char *text, char *out, size_t size)
{
    const char *line = text, *next;
    size_t n;

    for (; *line; line = next) {
        next = line + strcspn(line, "\n");
        n = strspn(line, "0123456789");
        if (n > 0 && n < size && (line + n == next || line[n] == ';')) {
            (void)snprintf(out, size, "%.*s", (int)n, line);
            return DTX_OK;
        }
        next += *next == '\n';
    }
    return DTX_EPARSE;
}

/* The lines of a message as one. */
static void flatten(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    for (; *text; text++) {
        if (*text == '\n')
            *text = ' ';
    }
}

int dtx_submit_send(const char *script, size_t len, char *id, size_t size,
                    struct dtx_error *err)
{
    char *const argv[] = {(char *)(uintptr_t)"sbatch",
                          (char *)(uintptr_t)"--parsable", NULL};
    const struct dtx_command c = {argv, script, len, true, SEND_NS};
    struct dtx_buf out = DTX_BUF_INIT;
    int status = 0, rc = dtx_command_run(&c, &out, &status, err);

    if (rc == DTX_OK && out.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == DTX_OK &&
        (status != 0 || dtx_submit_number(out.data, id, size))) {
        flatten(out.data);
        rc = dtx_error_set(err, DTX_ESYS, "sbatch (status %d): %.400s",
                           status, out.data);
    }
    dtx_buf_free(&out);
    return rc;
}
