/* SPDX-License-Identifier: MIT */
/* wire/tables.h - every message and record, field by field
 *
 * These tables are the protocol: structs, names, encoders, decoders, the fuzz
 * target and the table in doc/protocol.md's test all come from them.  A new
 * field or a changed meaning needs a new DTX_PROTOCOL (messages) or
 * DTX_RECORDS (journal) number.
 *
 * F(type, name): a field; types are those of wire/codec.h.
 * X(NAME, name, number): a kind.
 */
#ifndef DTX_WIRE_TABLES_H
#define DTX_WIRE_TABLES_H

#define DTX_PROTOCOL 7u
#define DTX_RECORDS 6u

/* ---- items: the elements of lists inside messages and records ---- */

#define DTX_ITEM_MAP(X)                                                        \
    X(WORK, work)       /* a task to run */                                    \
    X(OUTCOME, outcome) /* what happened to an attempt */                      \
    X(TASKREF, taskref) /* an attempt, named */                                \
    X(ATTR, attr)       /* attributes shared by tasks */                       \
    X(TASK, task)       /* a task of the list */                               \
    X(EDGE, edge)       /* a dependency */

#define DTX_ITEM_FIELDS_WORK(F)                                                \
    F(u32, task)                                                               \
    F(u32, attempt)                                                            \
    F(u32, cpus)                                                               \
    F(u32, index)      /* see struct dtx_task */                               \
    F(u8, flags)       /* DTX_ATTR_*, DTX_WORK_* */                            \
    F(u64, gpus)       /* bit i: the i-th that the rank sees */                \
    F(u32, traffic)    /* parts of a NUMA node's bandwidth (sched/traffic.h),  \
                          at least 1 in a job that looks after it; else 0 */   \
    F(i64, timeout_ns) /* 0 = none */                                          \
    F(str, cwd)        /* empty = the job's */                                 \
    F(str, env)        /* see struct dtx_task_attr */                          \
    F(str, name)       /* empty = none */                                      \
    F(str, results)    /* see task/layout.h; empty = none */                   \
    F(str, command)

#define DTX_ITEM_FIELDS_OUTCOME(F)                                             \
    F(u32, task)                                                               \
    F(u32, attempt)                                                            \
    F(u32, rank)                                                               \
    F(u32, slot)                                                               \
    F(u8, status)                                                              \
    F(u8, source)                                                              \
    F(i32, exit_code)                                                          \
    F(i32, signal)                                                             \
    F(i64, start_ns)                                                           \
    F(i64, wall_ns)                                                            \
    F(i64, utime_ns)                                                           \
    F(i64, stime_ns)                                                           \
    F(i64, maxrss_kib)                                                         \
    F(i64, minflt)                                                             \
    F(i64, majflt)                                                             \
    F(i64, nvcsw)                                                              \
    F(i64, nivcsw)                                                             \
    F(i64, inblock)                                                            \
    F(i64, oublock)                                                            \
    F(counters, counters)                                                      \
    F(u64, out_off)                                                            \
    F(u64, out_len)                                                            \
    F(u64, err_len)                                                            \
    F(u32, out_crc)

#define DTX_ITEM_FIELDS_TASKREF(F)                                             \
    F(u32, task)                                                               \
    F(u32, attempt)

#define DTX_ITEM_FIELDS_ATTR(F)                                                \
    F(u32, cpus)                                                               \
    F(i32, prio)                                                               \
    F(u32, retries)                                                            \
    F(i64, timeout_ns)                                                         \
    F(u8, flags)                                                               \
    F(u32, gpus)                                                               \
    F(i64, mem_bytes)                                                          \
    F(str, cwd)                                                                \
    F(str, env)

#define DTX_ITEM_FIELDS_TASK(F)                                                \
    F(u32, attr)                                                               \
    F(u32, line)                                                               \
    F(u32, index)                                                              \
    F(str, name)                                                               \
    F(str, command)                                                            \
    F(str, args) /* see task/args.h */

#define DTX_ITEM_FIELDS_EDGE(F)                                                \
    F(u32, before)                                                             \
    F(u32, after)

/* ---- messages: rank to rank ---- */

/* X(NAME, name, number, item of its list or NONE) */
#define DTX_MSG_MAP(X)                                                         \
    X(HELLO, hello, 1, NONE)      /* worker: I am here */                      \
    X(GRANT, grant, 2, WORK)      /* master: run these */                      \
    X(DONE, done, 3, OUTCOME)     /* worker: these ended */                    \
    X(YIELD, yield, 4, NONE)      /* master: give back what has not started */ \
    X(YIELDED, yielded, 5, TASKREF) /* worker: here they are */                \
    X(STOP, stop, 6, NONE)        /* master: drain, or kill */                 \
    X(STOPREQ, stopreq, 7, NONE)  /* worker: somebody asked me to stop */      \
    X(BYE, bye, 8, NONE)          /* both: nothing more will come from me */   \
    X(LIMIT, limit, 9, NONE)      /* master: how long limited tasks may run */ \
    X(DEADLINE, deadline, 10, NONE) /* master: when all is to be over */       \
    X(PING, ping, 11, NONE)       /* worker: I live, do you?; master: yes */   \
    /* the kernel lane; its epoch is the number of the region */               \
    X(ENTER, enter, 20, NONE)     /* rank: I have come to this call */         \
    X(KWANT, kwant, 21, NONE)     /* rank: I have little work, or none */      \
    X(KLOAD, kload, 22, NONE)     /* rank: so much is left */                  \
    X(KYIELD, kyield, 23, NONE)   /* master: give back a share */              \
    X(KYIELDED, kyielded, 24, NONE) /* rank: here it is */                     \
    X(KGRANT, kgrant, 25, NONE)   /* master: this is yours */                  \
    X(KCANCEL, kcancel, 26, NONE) /* rank: a kernel asks to stop */            \
    X(KOVER, kover, 27, NONE)     /* master: the region is over */             \
    X(KPART, kpart, 28, NONE)     /* rank: my part of the result */            \
    X(KVALUE, kvalue, 29, NONE)   /* master: the result */                     \
    X(KRESULT, kresult, 30, NONE) /* rank: results of single iterations */     \
    X(KENDED, kended, 31, NONE)   /* rank: tasks that ended */                 \
    X(KFAIL, kfail, 32, NONE)     /* both: a rank cannot go on */              \
    X(KPASS, kpass, 33, NONE)     /* rank to rank: what is in a KGRANT */

#define DTX_MSG_FIELDS_HELLO(F)                                                \
    F(u32, protocol)                                                           \
    F(u32, slots)                                                              \
    F(str, host)
#define DTX_MSG_FIELDS_GRANT(F)
#define DTX_MSG_FIELDS_DONE(F)                                                 \
    F(u64, received) /* tasks granted to the sender that have arrived */       \
    F(u32, waiting)  /* of those, not started */
#define DTX_MSG_FIELDS_YIELD(F)                                                \
    F(u32, count) /* at most this many; all when UINT32_MAX */
#define DTX_MSG_FIELDS_YIELDED(F)                                              \
    F(u64, received)                                                           \
    F(u32, waiting)                                                            \
    F(u8, more) /* 1: a further YIELDED follows as part of the same answer */
#define DTX_MSG_FIELDS_STOP(F)                                                 \
    F(u8, mode) /* enum dtx_stop */
#define DTX_MSG_FIELDS_STOPREQ(F)                                              \
    F(u8, mode)
#define DTX_MSG_FIELDS_BYE(F)
#define DTX_MSG_FIELDS_LIMIT(F)                                                \
    F(i64, timeout_ns)
#define DTX_MSG_FIELDS_PING(F)                                                 \
    F(i64, sent_ns) /* by the worker's clock; the master says it again */

#define DTX_MSG_FIELDS_DEADLINE(F)                                             \
    F(i64, left_ns) /* so long from when this was sent */

#define DTX_MSG_FIELDS_ENTER(F)                                                \
    F(u32, protocol)                                                           \
    F(u64, digest)  /* of all that must be alike on all ranks */               \
    F(i32, code)    /* 0, or why the rank cannot make the call ... */          \
    F(str, call)    /* the same for people; ... in words */                    \
    F(str, kernels) /* names that are registered, each with a newline */
#define DTX_MSG_FIELDS_KWANT(F)                                                \
    F(u64, received) /* grants that have arrived */                            \
    F(u32, count)    /* chunks wanted, where a schedule cuts them */           \
    F(u8, idle)      /* 1: nothing runs here, either */                        \
    F(u64, done)     /* iterations ended since the last KWANT ... */           \
    F(i64, busy_ns)  /* ... and the slots' time for them */
#define DTX_MSG_FIELDS_KLOAD(F)                                                \
    F(u64, received)                                                           \
    F(i64, left_ns) /* until the rank runs dry; -1: nobody knows */
#define DTX_MSG_FIELDS_KYIELD(F)                                               \
    F(u32, slots) /* of the rank that it is for ... */                         \
    F(u32, thief) /* ... which is this one */                                  \
    F(u64, ask)   /* number of this request */
#define DTX_MSG_FIELDS_KYIELDED(F)                                             \
    F(i64, left_ns)                                                            \
    F(u64, straight) /* bytes that went to the thief, in a KPASS */            \
    F(str, work)     /* empty, and none went: nothing can be parted with */
#define DTX_MSG_FIELDS_KGRANT(F)                                               \
    F(u64, ask)  /* 0, or the number of the KPASS that has the rest */         \
    F(str, work)
#define DTX_MSG_FIELDS_KPASS(F)                                                \
    F(u64, ask) /* of the KYIELD that it answers */                            \
    F(str, work)
#define DTX_MSG_FIELDS_KCANCEL(F)                                              \
    F(i32, code) /* what the call is to return */                              \
    F(str, text)
#define DTX_MSG_FIELDS_KFAIL(F)                                                \
    F(i32, code) /* what the calls of all are to return */                     \
    F(str, text)
#define DTX_MSG_FIELDS_KOVER(F)                                                \
    F(i32, code) /* 0, or why it ends early */                                 \
    F(str, text)
#define DTX_MSG_FIELDS_KPART(F)                                                \
    F(u32, round)   /* KOVERs heard in this region; all below are of what was  \
                       done since the last KPART */                            \
    F(u64, done)    /* iterations, nodes or tasks */                           \
    F(u64, failed)  /* of them */                                              \
    F(u64, first)   /* the first that failed */                                \
    F(i32, code)    /* what its kernel returned */                             \
    F(u64, results) /* in KRESULTs of this rank, in the whole region */        \
    F(str, value)   /* reduced */                                              \
    F(str, profile) /* what parts of the range cost */
#define DTX_MSG_FIELDS_KVALUE(F)                                               \
    F(u64, done)                                                               \
    F(u64, failed)                                                             \
    F(u64, first)                                                              \
    F(i32, code)                                                               \
    F(u8, last)   /* 1: those who serve may go */                              \
    F(str, value)                                                              \
    F(str, profile)                                                            \
    F(str, lost)  /* u32 each: ranks that are dead */
#define DTX_MSG_FIELDS_KENDED(F)                                               \
    F(str, ended)
#define DTX_MSG_FIELDS_KRESULT(F)                                              \
    F(u64, first)                                                              \
    F(u64, count)                                                              \
    F(u8, failed) /* 1: of some of them the kernel has failed */               \
    F(str, bytes)

/* ---- records: the journal ---- */

#define DTX_REC_MAP(X)                                                         \
    X(SESSION, session, 1, NONE)   /* a run of the job begins */               \
    X(LIST, list, 2, NONE)         /* a task list begins; older ones end */    \
    X(ATTRS, attrs, 3, ATTR)       /* its attributes, in order */              \
    X(TASKS, tasks, 4, TASK)       /* its tasks, in order */                   \
    X(EDGES, edges, 5, EDGE)       /* its dependencies */                      \
    X(LISTED, listed, 6, NONE)     /* the list is complete */                  \
    X(OUTCOME, outcome, 7, OUTCOME) /* one attempt has ended */                \
    X(END, end, 8, NONE)           /* the session has ended in good order */   \
    X(KCALL, kcall, 9, NONE)       /* library: a loop begins */                \
    X(KSPAN, kspan, 10, NONE)      /* library: some of its iterations */       \
    X(KTASK, ktask, 11, NONE)      /* library: a task has succeeded */         \
    X(KLOOP, kloop, 12, NONE)      /* library: what a loop's parts cost */     \
    X(KTOOK, ktook, 13, NONE)      /* library: what a call took */

#define DTX_REC_FIELDS_SESSION(F)                                              \
    F(u32, records) /* DTX_RECORDS of the writer */                            \
    F(u32, epoch)                                                              \
    F(i64, start_ns)                                                           \
    F(u32, ranks)                                                              \
    F(u32, pid)                                                                \
    F(str, host)                                                               \
    F(str, policy)                                                             \
    F(str, version)                                                            \
    F(str, command_line)
#define DTX_REC_FIELDS_LIST(F)                                                 \
    F(u32, tasks)                                                              \
    F(u32, gates)                                                              \
    F(u32, barriers) /* the last of the gates: open when all ended */          \
    F(u8, live)    /* 1: it grows while the job runs; 'tasks' is 0 */          \
    F(u8, trim)    /* 1: blanks around an argument are not part of it */       \
    F(str, columns) /* names of arguments, each ended by a NUL */              \
    F(str, source) /* the task file's name */                                  \
    F(str, cwd)    /* absolute; where tasks without their own run */
#define DTX_REC_FIELDS_ATTRS(F)
#define DTX_REC_FIELDS_TASKS(F)                                                \
    F(u32, first) /* number of the first, from 0 */
#define DTX_REC_FIELDS_EDGES(F)
#define DTX_REC_FIELDS_LISTED(F)                                               \
    F(u32, tasks)                                                              \
    F(u64, edges)
#define DTX_REC_FIELDS_OUTCOME(F)                                              \
    F(u32, epoch) /* of the session: names the output file */                  \
    F(u8, final)  /* no further attempt will be made in this session */
#define DTX_REC_FIELDS_KCALL(F)                                                \
    F(u64, call) /* loops of the work before this one */                       \
    F(str, text) /* says which it is */
#define DTX_REC_FIELDS_KSPAN(F)                                                \
    F(u64, call)                                                               \
    F(u64, first) /* from the loop's begin */                                  \
    F(u64, count)                                                              \
    F(str, results)
#define DTX_REC_FIELDS_KTASK(F)                                                \
    F(u64, key) /* hash of kernel and input */                                 \
    F(str, output)
#define DTX_REC_FIELDS_KLOOP(F)                                                \
    F(str, kernel)                                                             \
    F(u64, begin)                                                              \
    F(u64, end)                                                                \
    F(u32, total) /* grains */                                                 \
    F(str, x)     /* features, the bits of a double each, as u64 */            \
    F(str, ns)    /* u64 each: of up to 1024 equal parts */
#define DTX_REC_FIELDS_KTOOK(F)                                                \
    F(str, kernel)                                                             \
    F(u64, bytes)                                                              \
    F(u64, hint) /* the bits of a double; 0: none */                           \
    F(str, x)                                                                  \
    F(u64, ns)
#define DTX_REC_FIELDS_END(F)                                                  \
    F(i64, end_ns)                                                             \
    F(u32, status) /* exit status */                                           \
    F(u64, succeeded)                                                          \
    F(u64, failed)                                                             \
    F(u64, left)

#endif
