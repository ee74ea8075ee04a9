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

#define DTX_PROTOCOL 4u
#define DTX_RECORDS 4u

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
    F(u8, flags)       /* DTX_ATTR_* */                                        \
    F(i64, timeout_ns) /* 0 = none */                                          \
    F(str, cwd)        /* empty = the job's */                                 \
    F(str, env)        /* see struct dtx_task_attr */                          \
    F(str, name)       /* empty = none */                                      \
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
    F(str, cwd)                                                                \
    F(str, env)

#define DTX_ITEM_FIELDS_TASK(F)                                                \
    F(u32, attr)                                                               \
    F(u32, line)                                                               \
    F(u32, index)                                                              \
    F(str, name)                                                               \
    F(str, command)

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
    X(PING, ping, 10, NONE)       /* worker: I live, do you?; master: yes */

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
#define DTX_MSG_FIELDS_PING(F)

/* ---- records: the journal ---- */

#define DTX_REC_MAP(X)                                                         \
    X(SESSION, session, 1, NONE)   /* a run of the job begins */               \
    X(LIST, list, 2, NONE)         /* a task list begins; older ones end */    \
    X(ATTRS, attrs, 3, ATTR)       /* its attributes, in order */              \
    X(TASKS, tasks, 4, TASK)       /* its tasks, in order */                   \
    X(EDGES, edges, 5, EDGE)       /* its dependencies */                      \
    X(LISTED, listed, 6, NONE)     /* the list is complete */                  \
    X(OUTCOME, outcome, 7, OUTCOME) /* one attempt has ended */                \
    X(END, end, 8, NONE)           /* the session has ended in good order */

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
#define DTX_REC_FIELDS_END(F)                                                  \
    F(i64, end_ns)                                                             \
    F(u32, status) /* exit status */                                           \
    F(u64, succeeded)                                                          \
    F(u64, failed)                                                             \
    F(u64, left)

#endif
