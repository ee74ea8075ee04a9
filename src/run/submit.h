/* SPDX-License-Identifier: MIT */
/* run/submit.h - the batch script that "distributex submit" sends to Slurm
 *
 * Whole nodes (or a share of each), one rank on each with a slot for each core;
 * the run itself is the script's last command, takes its place and so hears
 * what Slurm has to say.
 */
#ifndef DTX_RUN_SUBMIT_H
#define DTX_RUN_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;

#define DTX_SUBMIT_EXTRAS 32

struct dtx_submit {
    uint32_t nodes;      /* 0 = 1 */
    uint32_t cpus;       /* on each node; 0 = whole nodes */
    uint32_t gpus;       /* on each node */
    int64_t time_ns;     /* 0: the partition's default */
    const char *mem;     /* on each node, as sbatch reads it, or NULL */
    const char *partition, *account, *qos, *name; /* or NULL */
    const char *extra[DTX_SUBMIT_EXTRAS]; /* options of sbatch as they are */
    size_t nextras;
    bool once;           /* not queued again when the time is over */
    const char *maker;   /* the command that wrote it; NULL: submit */
    const char *program; /* absolute */
    char *const *words;  /* behind "distributex run" */
    size_t nwords;
};

/* A limit as sbatch has it: a plain number is minutes, the rest as
 * dtx_parse_duration. At least a minute. */
int dtx_submit_time(const char *text, int64_t *out_ns);
/* Append the script. DTX_EINVAL when a value holds a line break. */
int dtx_submit_script(const struct dtx_submit *s, struct dtx_buf *out,
                      struct dtx_error *err);
/* What "sbatch --parsable" printed ("17" or "17;cluster", warnings before it):
 * the job's number. 0 or DTX_EPARSE. */
int dtx_submit_number(const char *text, char *out, size_t size);
/* Send it: 0 and the job's number, or an error with what sbatch said. */
int dtx_submit_send(const char *script, size_t len, char *id, size_t size,
                    struct dtx_error *err);

#endif
