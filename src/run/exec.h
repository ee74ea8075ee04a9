/* SPDX-License-Identifier: MIT */
/* run/exec.h - carries out a worker's RUN, RECALL and KILL
 *
 * Joins the spawner (which runs commands) and a store thread that does nothing
 * but pack their outputs, so that no record waits behind a large one: an
 * attempt has ended when its output is in place.
 */
#ifndef DTX_RUN_EXEC_H
#define DTX_RUN_EXEC_H

#include <stdbool.h>
#include <stdint.h>

#include "task/outcome.h"
#include "wire/wire.h"

struct dtx_exec;
struct dtx_lines;
struct dtx_machine;
struct dtx_spawner;
struct dtx_writer;

/* Both are borrowed; nobody else polls the packer. NULL when out of memory. */
struct dtx_exec *dtx_exec_create(struct dtx_spawner *s,
                                 struct dtx_writer *packer);
void dtx_exec_destroy(struct dtx_exec *x); /* NULL is allowed */

/* --results: from now on attempts without output go to the packer as well,
 * which writes the files their work item names. */
void dtx_exec_pack_all(struct dtx_exec *x);
/* Tell these (borrowed) of each result that has output (dtx_lines_end). */
/* The machine whose devices work items speak of; borrowed for its life. */
void dtx_exec_devices(struct dtx_exec *x, const struct dtx_machine *m);
void dtx_exec_tell(struct dtx_exec *x, struct dtx_lines *lines);
/* 0 or DTX_ENOMEM. The item is copied. */
int dtx_exec_run(struct dtx_exec *x, const struct dtx_item_work *item);
/* True when it was taken back: it will not start. */
bool dtx_exec_recall(struct dtx_exec *x, uint32_t task, uint32_t attempt);
void dtx_exec_kill(struct dtx_exec *x, uint32_t task, uint32_t attempt);
/* Take what the spawner and the packer have to say. True when anything
 * moved. */
bool dtx_exec_pump(struct dtx_exec *x);
/* The next ended attempt: true and '*out' filled. */
bool dtx_exec_next(struct dtx_exec *x, struct dtx_outcome *out);
/* Non-zero once there was no place for an output (DTX_ENOSPC, ...), while its
 * task ran or in out/: its attempt was reported as KILLED, since what it wrote
 * is lost. From then on no command is started: whatever waits and whatever
 * comes ends at once as KILLED. */
int dtx_exec_error(const struct dtx_exec *x);
/* The same as a sentence that names the place; "" while there is none. */
const char *dtx_exec_error_text(const struct dtx_exec *x);

#endif
