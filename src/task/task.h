/* SPDX-License-Identifier: MIT */
/* task/task.h - the list of tasks of a job
 *
 * A task is 32 bytes beside its text: its attributes are shared, since most
 * lines of a file have the same.  Tasks are numbered from 0 inside the
 * program; people see the id, which is the ordinal from 1 (dtx_task_id).
 *
 * A list may be live (dtx_tasklist_live): then the commands stand in blocks,
 * and a block is given back when all its tasks have been forgotten.  Of a task
 * gone by its 32 bytes stay.
 *
 * Fill a list with task/taskfile.h, or by hand: dtx_tasklist_init, _attr,
 * _add; then read list->task[i], _text, _name, list->attr[task.attr].
 */
#ifndef DTX_TASK_TASK_H
#define DTX_TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"

struct dtx_error;

/* Limits; the parser enforces them with a message. */
#define DTX_MAX_TASKS 100000000u   /* in one job */
#define DTX_MAX_COMMAND (1u << 20) /* bytes of one command */
#define DTX_MAX_ARGS (1u << 20)    /* bytes of its arguments; of their names */
#define DTX_MAX_NAME 255u          /* bytes of one name= */
#define DTX_MAX_CWD 4096u          /* bytes of one cwd= */
#define DTX_MAX_CPUS 65535u
#define DTX_MAX_RETRIES 1000u
#define DTX_MAX_PRIO 1000000
#define DTX_MAX_GPUS 64u
#define DTX_NO_GPUS UINT32_MAX

#define DTX_NO_TASK UINT32_MAX
#define DTX_NO_TEXT UINT32_MAX

struct dtx_task_attr {
    uint32_t cpus;      /* slots it needs, at least 1 */
    int32_t prio;       /* larger first */
    uint32_t retries;   /* attempts in all, at least 1; 0 = the job's default */
    uint32_t cwd;       /* into 'pool', DTX_NO_TEXT = the job's */
    int64_t timeout_ns; /* 0 = the job's default, -1 = none */
    uint32_t env;       /* into 'pool', DTX_NO_TEXT = none; see below */
    uint32_t flags;     /* DTX_ATTR_* */
    uint32_t gpus;      /* 0 = the job's default, DTX_NO_GPUS = none */
    uint32_t zero;      /* always: equal attributes are equal bytes */
    int64_t mem_bytes;  /* 0 = the job's default, -1 = none */
};

/* The byte DTX_SLOT_BYTE in the command stands for the number of the slot, put
 * in when the task starts. */
#define DTX_ATTR_SLOT 1u
/* Only in a work item: the job's limit, which moves, holds for it. */
#define DTX_WORK_LIMITED 128u
/* The same: DTX_SLOT_BYTE in the path of its results is the slot. */
#define DTX_WORK_RESULTS_SLOT 64u
/* The same: it is bound by memory bandwidth. */
#define DTX_WORK_HEAVY 32u
#define DTX_SLOT_BYTE '\001'

/* Variables a task sees beside the common ones: entries NAME=VALUE, separated
 * by newlines. In a value %i stands for the task's index, %t for its id, %z for
 * the id less one, %s for the slot, %o for the slot less one, %r for the rank,
 * %% for a per cent sign. */
#define DTX_MAX_ENV 4096u       /* bytes of such a text */
#define DTX_MAX_ENV_ENTRIES 32u

struct dtx_task {
    uint64_t text;  /* command: offset into 'text'; in a live list number of the
                       block and offset there */
    uint32_t len;   /* bytes of the command, no NUL inside */
    uint32_t attr;  /* index into 'attr' */
    uint32_t line;  /* where it stood in its file, from 1; 0 = nowhere */
    uint32_t name;  /* into 'pool', DTX_NO_TEXT = none */
    uint32_t index; /* of a job array or repetition, 0 = none; part of what
                       tells the task from others at a resume */
    uint32_t args;  /* bytes of its arguments (task/args.h), 0 = none */
};

/* Commands of consecutive tasks of a live list. */
struct dtx_text_block {
    char *data; /* NULL: given back */
    uint32_t len, cap;
    uint32_t tasks; /* that have not been forgotten */
};

struct dtx_tasklist {
    struct dtx_task *task;
    size_t ntasks, cap_tasks;
    struct dtx_task_attr *attr; /* attr[0] is the default */
    size_t nattrs, cap_attrs;
    struct dtx_buf text;        /* commands, not separated by NULs; each may be
                                   followed by its arguments */
    struct dtx_buf columns;     /* a template's list: the arguments' names from
                                   its header, each ended by a NUL */
    bool trim;                  /* a template's list: blanks around an argument
                                   are not part of it */
    struct dtx_buf pool;        /* names and directories, each ends in NUL */
    struct dtx_keymap interned; /* hash of a pool text -> its offset */
    struct dtx_keymap attr_of;  /* hash of an attr -> its index */
    bool live;
    struct dtx_text_block *block; /* live: instead of 'text' */
    size_t nblocks, cap_blocks;
    uint64_t open_tasks; /* live: not forgotten */
    uint64_t open_bytes; /* live: of the commands of those, and
                            DTX_WAIT_BYTES for each dependency */
    uint32_t *waits;     /* live: dependencies that came with each task; for
                            those up to the last that has any */
    size_t nwaits, cap_waits;
};

int dtx_tasklist_init(struct dtx_tasklist *l);
void dtx_tasklist_fini(struct dtx_tasklist *l);
/* Tasks that say nothing of it get so many cpus (0: one): for a list to which
 * nothing has been added. 0 or DTX_ENOMEM. */
int dtx_tasklist_cpus(struct dtx_tasklist *l, uint32_t cpus);
/* Make a list without tasks a live one. */
void dtx_tasklist_live(struct dtx_tasklist *l);
/* So many dependencies came with this task of a live list, for what is open:
 * while it is open, each keeps DTX_WAIT_BYTES somewhere. 0 or DTX_ENOMEM. */
#define DTX_WAIT_BYTES 16u
int dtx_tasklist_waits(struct dtx_tasklist *l, size_t task, size_t n);
/* The command of this task of a live list is not asked for again; once a
 * task. */
void dtx_tasklist_forget(struct dtx_tasklist *l, uint32_t task);

/* The offset in 'pool' of this text, put there if it was not; DTX_NO_TEXT when
 * out of memory or the pool is full. */
uint32_t dtx_tasklist_intern(struct dtx_tasklist *l, const char *s, size_t len);
/* The index of these attributes, added when new. 0 or DTX_ENOMEM. */
int dtx_tasklist_attr(struct dtx_tasklist *l, const struct dtx_task_attr *a,
                      uint32_t *index);
/* Add a task whose command is copied. 0, DTX_ENOMEM or DTX_ELIMIT. */
int dtx_tasklist_add(struct dtx_tasklist *l, const char *command, size_t len,
                     uint32_t attr, uint32_t line, uint32_t name);

/* The arguments of the task that was added last: any texts, each ended by a
 * NUL. Not in a live list. 0, DTX_ENOMEM or DTX_ELIMIT. */
int dtx_tasklist_set_args(struct dtx_tasklist *l, const char *args,
                          size_t len);

/* Give back what was reserved for growth; the list may still grow. */
void dtx_tasklist_trim(struct dtx_tasklist *l);

/* The command's bytes (not NUL-terminated, t->len of them); borrowed. */
const char *dtx_tasklist_text(const struct dtx_tasklist *l,
                              const struct dtx_task *t);
/* t->args bytes of arguments (task/args.h); borrowed. */
const char *dtx_tasklist_args(const struct dtx_tasklist *l,
                              const struct dtx_task *t);
/* A pool text, or NULL for DTX_NO_TEXT; borrowed. */
const char *dtx_tasklist_pool(const struct dtx_tasklist *l, uint32_t off);
const struct dtx_task_attr *dtx_tasklist_attr_of(const struct dtx_tasklist *l,
                                                 uint32_t task);

/* Append a command that has DTX_ATTR_SLOT, with the slot's number in its
 * places; 0: with "{%}", as the user wrote it. */
void dtx_command_with_slot(struct dtx_buf *out, const char *command, size_t len,
                           uint32_t slot);

/* Append a task's command as it ran in that slot. */
void dtx_tasklist_command(struct dtx_buf *out, const struct dtx_tasklist *l,
                          uint32_t task, uint32_t slot);

/* What users call task number 'i'. */
static inline uint64_t dtx_task_id(uint32_t i)
{
    return (uint64_t)i + 1;
}

#endif
