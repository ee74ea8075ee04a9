/* SPDX-License-Identifier: MIT */
/* distributex.h - balance for irregular loops and task trees over MPI
 *
 *     static int row(struct dtx_call *call, uint64_t y) { ...; return 0; }
 *
 *     dtx_init(NULL);                          // after or instead of MPI_Init
 *     dtx_kernel_each("row", row);             // the same on every rank
 *     dtx_for("row", 0, height, &scene, sizeof(scene));
 *     dtx_finalize();
 *
 * Every rank makes the same calls, as with MPI's collectives.  The iterations
 * run on the slots (threads, bound to cores) of all ranks; a rank that runs out
 * of them is given some of another's.
 *
 * Errors: functions that return int give 0 (DTX_OK) or a negative code;
 * dtx_strerror has its text, dtx_error_text more.  The library never prints and
 * never ends the program.  Calls that every rank makes (dtx_init, dtx_for,
 * dtx_work_for, _tree, _run) fail on all when they fail on one: wrong options
 * or arguments on one rank alone are the error of every rank, which tells whose
 * they are, and the next call can be made (after dtx_init: see there).
 *
 * Threads: all functions but those on a struct dtx_call are called by the one
 * thread that called dtx_init, which must be the one that may call MPI.  Those
 * on a struct dtx_call are called by the kernel that was given it, while it
 * runs.  Kernels run on several threads at once, of which the calling thread
 * may be one (never two as the same slot), and must not call MPI; neither they
 * nor callbacks can make a call that runs something, or end the session: it
 * returns DTX_ESTATE.
 *
 * Losses: a rank that dies does not end the others where the launcher leaves
 * them alive (mpirun --enable-recovery).  It is noticed at once; when a node is
 * cut off, after lost-after=.  In loops and submitted tasks what it
 * had is run again, done or not, on the others, and the result is that of each
 * iteration counted once; the session goes on without it.  Kernels may
 * therefore run again for an index, a task's outcome and a delivered result
 * still come once.  A tree, tasks that spawn others, and the loss of rank 0 end
 * with DTX_ELOST on every rank, and the session with it.
 *
 * A rank that cannot go on (it has no memory) ends the call with its code on
 * every rank; the text of the error names it, and the session can only be
 * finalised (DTX_ESTATE from all other calls that run something).
 *
 * Memory: what is passed by pointer stays the caller's and must stay there
 * until the call returns, unless a function says otherwise.
 */
#ifndef DISTRIBUTEX_H
#define DISTRIBUTEX_H

#include <stddef.h>
#include <stdint.h>

#include <distributex_error.h>

#define DISTRIBUTEX_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#define DTX_FEATURES 8 /* numbers that may be given of a task or loop */

struct dtx_call; /* a kernel's view of the call it works for */
struct dtx_work; /* a loop or tree that is run, perhaps many times */

/* --- the session ---------------------------------------------------------- */

/* Begin: collective over MPI_COMM_WORLD, of which the library works on a
 * duplicate.  Calls MPI_Init_thread, unless the program has initialised MPI, at
 * whichever thread level; at MPI_THREAD_SINGLE no threads are made, and the
 * calling thread both computes and communicates.
 *
 * 'options' is NULL or words "name=value" separated by blanks; each can also be
 * set in the environment (DTX_SLOTS for slots), which goes before:
 *   slots=N       threads of each node that compute, divided among its ranks;
 *                 default: its cores that the ranks may use
 *   schedule=NAME of loops; see dtx_work_schedule
 *   bind=yes|no   bind slots to cores; default: yes, unless the node's ranks
 *                 have more slots than cores
 *   nap=TIME      where ranks are on several nodes, how long one sleeps before
 *                 it looks for messages; default 200us
 *   bell=yes|no   wake ranks of the same node directly; default yes
 *   weight=X      of this rank's slots, for the schedules wf, awf-b, awf-c
 *   predict=yes|no  foresee what submitted tasks take, from those before them;
 *                 default yes
 *   lost-after=TIME  without an answer of another node for so long, its ranks
 *                 count as lost; default 5s, 0: never
 *   counters=auto|perf|off  count what slots do; default auto. perf: leave PAPI
 *                 to kernels that use it themselves
 *   assist=yes|no  the calling thread runs short tasks itself while slots
 *                 sleep; see dtx_work_run; default yes
 *   learned=FILE  keep what kernels took from run to run; see below
 * DTX_EINVAL: an option is unknown or wrong. DTX_EMISMATCH: ranks of one node
 * have different slots=. DTX_ESTATE: begun already, or MPI is finalised.
 * DTX_EMPI, DTX_ENOMEM, DTX_ESYS. What fails on one rank fails on all; an MPI
 * that dtx_init has initialised is finalised then. */
DTX_PUBLIC int dtx_init(const char *options);
/* What dtx_init_comm of distributex_mpi.h calls: 'comm' points to an MPI_Comm
 * of that size. */
DTX_PUBLIC int dtx_init_handle(const void *comm, size_t size,
                               const char *options);
/* End: collective. Finalises MPI if dtx_init initialised it. Objects that are
 * left are destroyed. DTX_ELOST: a rank was lost in this session, and MPI was
 * not finalised, since that would wait for the dead: end the process without
 * any further call of MPI. */
DTX_PUBLIC int dtx_finalize(void);

/* -1 outside a session. */
DTX_PUBLIC int dtx_rank(void);
DTX_PUBLIC int dtx_ranks(void);
DTX_PUBLIC int dtx_slots(void);     /* of this rank */
DTX_PUBLIC int dtx_slots_all(void); /* of all ranks */
/* What the last failure was; "" when there was none. Valid until the next
 * call. */
DTX_PUBLIC const char *dtx_error_text(void);

/* --- kernels -------------------------------------------------------------- */

/* A kernel returns 0, or any other number to say that it failed: the rest goes
 * on, and the call that runs it returns DTX_EKERNEL in the end. */
typedef int (*dtx_each_f)(struct dtx_call *call, uint64_t index);
/* A run of iterations: begin .. end-1. */
typedef int (*dtx_range_f)(struct dtx_call *call, uint64_t begin, uint64_t end);

/* A node of a tree is some bytes. 'visit' works on it and returns how many
 * children it has, negative for failure; 'child' makes the i-th of them, from
 * 0, in the bytes at 'child'. Nodes are visited depth first, and a part of what
 * is not visited goes to whoever has nothing to do. */
typedef int64_t (*dtx_visit_f)(struct dtx_call *call, const void *node);
typedef void (*dtx_child_f)(struct dtx_call *call, const void *node, uint64_t i,
                            void *child);

/* A task: some bytes in, and what dtx_call_output says out. */
typedef int (*dtx_task_f)(struct dtx_call *call, const void *in, size_t bytes);

/* Register under a name, on every rank the same ones in the same order; 'name'
 * is copied. DTX_EEXIST: the name is taken. DTX_EINVAL: empty, or longer than
 * 255 bytes, or with control characters. DTX_ESTATE: no session. */
DTX_PUBLIC int dtx_kernel_each(const char *name, dtx_each_f kernel);
DTX_PUBLIC int dtx_kernel_range(const char *name, dtx_range_f kernel);
/* 'node_bytes' is at most 4096. */
DTX_PUBLIC int dtx_kernel_tree(const char *name, size_t node_bytes,
                               dtx_visit_f visit, dtx_child_f child);
DTX_PUBLIC int dtx_kernel_task(const char *name, dtx_task_f kernel);

/* What a kernel may ask. */
DTX_PUBLIC int dtx_call_rank(const struct dtx_call *call);
/* Of this rank, from 0. */
DTX_PUBLIC int dtx_call_slot(const struct dtx_call *call);
/* The argument bytes of the call, and how many. */
DTX_PUBLIC const void *dtx_call_args(const struct dtx_call *call, size_t *size);
/* This slot's own copy of the k-th reduced value, from 0 in the order of
 * dtx_work_reduce: add to it without locks. NULL when there is none. */
DTX_PUBLIC void *dtx_call_value(const struct dtx_call *call, unsigned k);
/* Where the result of iteration 'index' belongs (one of those the kernel was
 * called for). NULL when no results were asked for. */
DTX_PUBLIC void *dtx_call_result(const struct dtx_call *call, uint64_t index);
/* Ask that nothing more is begun, on any rank, as soon as the slots there hear
 * of it (very short tasks go on meanwhile): the call returns DTX_ECANCEL. */
DTX_PUBLIC void dtx_call_cancel(struct dtx_call *call);

/* A task's: append bytes (copied) to what the task gives back, up to 1 MiB in
 * all. */
DTX_PUBLIC int dtx_call_output(struct dtx_call *call, const void *out,
                               size_t bytes);
/* A task's: another task, here or wherever there is time for it; 'in' (up to
 * 1 MiB) is copied. Nothing waits for it but the end of the run. */
DTX_PUBLIC int dtx_call_spawn(struct dtx_call *call, const char *kernel,
                              const void *in, size_t bytes);

/* --- loops and trees ------------------------------------------------------ */

/* Run the kernel for begin .. end-1, each exactly once, somewhere. Collective.
 * 'args' (the same bytes on all ranks; NULL when 0) are shown to the kernel.
 * DTX_EKERNEL: some iterations failed, the others were run. DTX_EMISMATCH: the
 * ranks do not make the same call. DTX_ENOENT: no such kernel. DTX_ELOST: rank
 * 0 is lost. */
DTX_PUBLIC int dtx_for(const char *kernel, uint64_t begin, uint64_t end,
                       const void *args, size_t args_bytes);

/* The same in parts: what is to happen with results, and a memory of what parts
 * of the range cost, so that the next time all ranks begin with equal shares
 * and the longest iterations first.
 *
 *     struct dtx_work *w = dtx_work_create("forces");
 *     dtx_work_reduce(w, DTX_F64, DTX_SUM, &energy, 1);
 *     for (step = 0; step < 1000; step++)
 *         dtx_work_for(w, 0, n, &step, sizeof(step));
 *     dtx_work_destroy(w);
 *
 * NULL on failure (dtx_error_text says why). */
DTX_PUBLIC struct dtx_work *dtx_work_create(const char *kernel);
DTX_PUBLIC void dtx_work_destroy(struct dtx_work *w); /* NULL is allowed */

enum dtx_type { DTX_I64, DTX_U64, DTX_F64 };
enum dtx_op { DTX_SUM, DTX_MIN, DTX_MAX };

/* Reduce 'count' numbers over all iterations into 'value', which is written on
 * every rank when the call returns (and not read). Kernels reach their part
 * through dtx_call_value. Up to 8 times. The order in which numbers are summed
 * is not fixed. */
DTX_PUBLIC int dtx_work_reduce(struct dtx_work *w, enum dtx_type type,
                               enum dtx_op op, void *value, size_t count);
/* The same with an operator of one's own: into = into (op) from, over 'bytes'
 * bytes, associative and commutative. 'identity' (copied) is what each slot
 * begins with. 'combine' is called by the thread of dtx_init alone. */
typedef void (*dtx_combine_f)(void *into, const void *from, size_t bytes);
DTX_PUBLIC int dtx_work_reduce_by(struct dtx_work *w, dtx_combine_f combine,
                                  const void *identity, void *value,
                                  size_t bytes);

/* A result of 'bytes' bytes for each iteration, which kernels write where
 * dtx_call_result says, comes to rank 0: into results[i - begin] ('results' may
 * be NULL on other ranks). At most 65536 bytes each. */
DTX_PUBLIC int dtx_work_gather(struct dtx_work *w, void *results, size_t bytes);
/* ... or to a function, called by rank 0's thread of dtx_init while the loop
 * runs: 'count' results beginning with that of iteration 'first'. With
 * 'ordered' in the order of the iterations; what is early waits in memory. */
typedef void (*dtx_deliver_f)(void *ctx, uint64_t first, uint64_t count,
                              const void *results);
DTX_PUBLIC int dtx_work_deliver(struct dtx_work *w, dtx_deliver_f deliver,
                                void *ctx, size_t bytes, int ordered);

/* Keep what is done in a file, so that a program that was killed need not do it
 * again: its next run makes the same calls, and finds there the results of
 * iterations (work with dtx_work_gather or dtx_work_deliver, whose chunks are
 * recorded as they come to rank 0, some 5 ms of work each) and what
 * tasks gave back.  Loops must be the same in the same order; tasks may come in
 * any, and are known by kernel and input.  What failed, and tasks that spawned
 * others, is run again.  Called on every rank before the first run, after
 * dtx_work_create; only rank 0 opens 'path', which is made if it is not there.
 * Not for trees and not with reductions; struct dtx_stats counts what was run
 * now.  A killed program loses what was not recorded, a machine that loses
 * power also what was recorded since the last call ended.
 * DTX_EINVAL; of the file, on rank 0: DTX_ENOENT, DTX_EIO, DTX_EFOREIGN (not
 * such a file), DTX_EBUSY (another process has it open): call it again with
 * another file, or runs of 'w' fail with that code on all ranks. Runs return
 * DTX_EMISMATCH when the file is of other loops, or of tasks where loops are
 * run or the other way round, or DTX_ENOSPC, DTX_EIO when it cannot be
 * written. */
DTX_PUBLIC int dtx_work_journal(struct dtx_work *w, const char *path);

/* How loops are cut, by the field's names: "balance" (the default: ranges are
 * dealt out at the start, halves move to whoever runs dry), "static", "ss",
 * "fsc", "gss", "tss", "fac", "wf", "awf-b", "awf-c", "af"; behind the name may
 * stand ":h=TIME:sigma=TIME" (for fsc) and ":least=N" (smallest chunk). NULL:
 * the session's. The environment's DTX_SCHEDULE goes before the session's, and
 * this before both. */
DTX_PUBLIC int dtx_work_schedule(struct dtx_work *w, const char *schedule);

/* What is known of the next loops of 'w' before they run, the same on all
 * ranks. Up to DTX_FEATURES numbers (copied) that tell loops of a kernel apart,
 * such as the order of a method: what is remembered is then that of the loop
 * with the same numbers and range, or of the one most like it. 0: none.
 * DTX_EINVAL: one is not finite. DTX_ELIMIT. */
DTX_PUBLIC int dtx_work_features(struct dtx_work *w, const double *x, size_t n);
/* A guess of the costs: what iterations begin .. end-1 take together, in any
 * unit, from 0 on. Called by the thread of dtx_init, up to 1024 times when a
 * loop begins of which no sweep is remembered: that is then dealt out by it.
 * NULL: none. */
typedef double (*dtx_cost_f)(void *ctx, uint64_t begin, uint64_t end);
DTX_PUBLIC int dtx_work_cost(struct dtx_work *w, dtx_cost_f cost, void *ctx);

/* As dtx_for. When the range is that of an earlier time, its costs are known;
 * those of another range are scaled to it, and believed less. */
DTX_PUBLIC int dtx_work_for(struct dtx_work *w, uint64_t begin, uint64_t end,
                            const void *args, size_t args_bytes);
/* Visit the tree below 'root' (node_bytes bytes, the same on all ranks). A node
 * whose visit failed has no children; the call returns DTX_EKERNEL then.
 * DTX_ELOST: a rank was lost, and with it a part of the tree. */
DTX_PUBLIC int dtx_work_tree(struct dtx_work *w, const void *root,
                             const void *args, size_t args_bytes);

/* --- from run to run ------------------------------------------------------ */

/* With the option learned=FILE (or DTX_LEARNED) rank 0 reads there what kernels
 * took in earlier runs, and all begin with that: the first sweep of a loop,
 * also one of dtx_for, with the profile of the first one of the last run, and
 * the first tasks with what those like them took.  What is new is written when
 * the session ends, and after some call each minute: to a new file, which takes
 * the name once it is on the disk.  It has up to 64 loops and 64 times 256
 * outcomes of tasks, the latest, some 10 KB for a loop and less for a kernel of
 * tasks; 'distributex history import FILE' takes it into a history.
 *
 * That its folder is not there is an error of dtx_init, on every rank. A file
 * that is damaged is read as far as it makes sense, one that is not of this
 * kind not at all, nor is it written: neither is a failure of dtx_init,
 * 'code' and dtx_error_text tell. That nothing can be written is what
 * dtx_finalize returns on rank 0, after the session has ended. */
struct dtx_learned_stats {
    uint64_t loops;    /* that the file had */
    uint64_t outcomes; /* of tasks; counted on rank 0 */
    uint64_t left_out; /* damaged or senseless parts */
    int code;          /* 0, or rank 0: what is wrong about the file, as
                          DTX_EFOREIGN, DTX_ECORRUPT, DTX_EIO, DTX_ENOSPC */
};
DTX_PUBLIC int dtx_learned_stats(struct dtx_learned_stats *out);

/* --- tasks ---------------------------------------------------------------- */

/* What may be said of a task; zeroes say nothing.  What tasks take is learned
 * in this session, kernel by kernel, from the bytes of their input, 'features'
 * and 'cost', and with it those that wait are ordered, the dearest first, and
 * shared between ranks in equal seconds (not tasks of some 20 us or less, whose
 * order does not matter).  'cost' is believed until outcomes tell otherwise:
 * then what is learned is by how much it is wrong, so any unit will do, for all
 * tasks of a kernel the same.  With predict=no 'cost' is all that is known. */
struct dtx_task_how {
    int priority;          /* higher ones first */
    double cost;           /* what it will take, a guess; 0: none */
    const uint64_t *after; /* numbers of tasks that must have succeeded */
    size_t nafter;
    const double *features; /* numbers that say how much work it is: copied */
    size_t nfeatures;       /* at most DTX_FEATURES */
};

/* Rank 0: a task for the next dtx_work_run of 'w', or for the present one (from
 * within dtx_ended_f). 'in' (up to 1 MiB) is copied; 'how' may be NULL.
 * 'kernel' NULL: that of 'w'. Returns the task's number, from 1 on, or a
 * negative code: DTX_ENOENT (no such kernel of tasks, or 'after' names no task
 * of this run), DTX_EINVAL (a number in 'how' is not finite, or a cost below
 * 0), DTX_ELIMIT, DTX_ECANCEL (this run is ending early). */
DTX_PUBLIC int64_t dtx_work_submit(struct dtx_work *w, const char *kernel,
                                   const void *in, size_t bytes,
                                   const struct dtx_task_how *how);
/* Rank 0: 'ended' is called by the thread of dtx_init for each task that has
 * ended, with what it gave back. 'code' is what its kernel returned, or
 * DTX_ECANCEL: it was not run, since one of 'after' failed. When the run ends
 * early (dtx_call_cancel; a failure), those that have not ended are told last,
 * each with the code that dtx_work_run then returns: they were not run, or
 * nobody knows; nothing can be submitted meanwhile. For tasks that it
 * spawned it is called with the same 'task', if they gave something back or
 * failed. 'out' is valid during the call. It may call dtx_work_submit. */
typedef void (*dtx_ended_f)(void *ctx, uint64_t task, int code, const void *out,
                            size_t bytes);
DTX_PUBLIC int dtx_work_on_end(struct dtx_work *w, dtx_ended_f ended,
                               void *ctx);
/* Run what rank 0 has submitted, and what that spawns, until all has ended.
 * Collective. DTX_EKERNEL: some failed. DTX_ECANCEL: one of them has called
 * dtx_call_cancel. DTX_ELOST: a rank was lost after tasks
 * had spawned others, or rank 0.
 *
 * While a slot sleeps, and only few tasks wait, the calling thread runs some of
 * them itself, as that slot, without waking it or sending anything: tasks of
 * kernels whose calls were shorter than some 20 us lately, which is about what
 * waking takes.  Other messages and outcomes then wait for as long, at most for
 * one task; after one that was unexpectedly long it runs no more of the kernel
 * until short ones have made up for it.  With assist=no slots alone run tasks:
 * for kernels that must not run on the calling thread, or are short nearly
 * always and then block for long. */
DTX_PUBLIC int dtx_work_run(struct dtx_work *w);
/* Master-driven programs: rank 0 submits and runs, again and again; the other
 * ranks call dtx_serve, which returns when rank 0 calls dtx_dismiss.  Between
 * those only dtx_work_run is called on rank 0, of work without reductions; one
 * with wrong arguments is an error there, and the others go on serving; one
 * whose journal cannot be used ends dtx_serve with that code. */
DTX_PUBLIC int dtx_serve(void);
DTX_PUBLIC int dtx_dismiss(void);

/* How the last run of 'w' went, on this rank but for the first three. */
struct dtx_stats {
    uint64_t done;     /* iterations, nodes or tasks, on all ranks */
    uint64_t failed;   /* of them */
    uint64_t first;    /* the first iteration or task that failed */
    uint64_t here;     /* of them, on this rank */
    uint64_t received; /* times that work came from another rank, */
    uint64_t straight; /* ... and of them, those in which it came from that rank
                          itself, not through rank 0 */
    double seconds;    /* from the call to its return */
    double busy;       /* seconds of all slots together inside kernels */
};
DTX_PUBLIC int dtx_work_stats(const struct dtx_work *w, struct dtx_stats *out);

/* What the slots of this rank did in the last run of 'w', together, by the
 * processor's counters and the kernel's.  They are read when slots have
 * come to rest, never where kernels are called.  A number whose bit is not in
 * 'measured' was not measured, and means nothing.  What slots do to take work
 * is in it; in a session without threads also the library's communication.
 * What the calling thread ran as a slot (assist=) is in 'busy' of the stats
 * and not in this: with assist=no they speak of the same. */
enum dtx_has {
    DTX_HAS_INSTRUCTIONS = 1,
    DTX_HAS_CYCLES = 2,
    DTX_HAS_MISSES = 4,
    DTX_HAS_CLOCK = 16
};
struct dtx_counter_stats {
    const char *provider;  /* "papi-hardware", "perf-hardware", "rusage" (clocks
                              alone), "none" (counters=off) */
    unsigned measured;     /* sum of enum dtx_has */
    uint64_t instructions; /* in user mode */
    uint64_t cycles;       /* in user mode */
    uint64_t misses;       /* of the last level of cache, in user mode */
    uint64_t clock_ns;     /* on a processor */
};
DTX_PUBLIC int dtx_work_counters(const struct dtx_work *w,
                                 struct dtx_counter_stats *out);

#ifdef __cplusplus
}
#endif

#endif
