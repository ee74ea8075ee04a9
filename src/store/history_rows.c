/* SPDX-License-Identifier: MIT */
/* The columns of a history file's tables, by name. A column is added at will;
 * one whose meaning changes makes a new version. */
#include "store/history_rows.h"

#include "wire/experience.h"

#define COLUMN(type, field, kind, count)                                       \
    {#field, offsetof(struct type, field), DTX_H5_##kind, count}
#define TABLE(variable, text, type)                                            \
    const struct dtx_h5_table variable = {text, type##_column,                 \
                                          sizeof(type##_column) /              \
                                              sizeof(type##_column[0]),        \
                                          sizeof(struct type)}

static const struct dtx_h5_column dtx_exp_outcome_column[] = {
    COLUMN(dtx_exp_outcome, class_key, U64, 1),
    COLUMN(dtx_exp_outcome, program_key, U64, 1),
    COLUMN(dtx_exp_outcome, command, U64, 1),
    COLUMN(dtx_exp_outcome, start_ns, I64, 1),
    COLUMN(dtx_exp_outcome, seconds, F32, 1),
    COLUMN(dtx_exp_outcome, cpu_seconds, F32, 1),
    COLUMN(dtx_exp_outcome, rss_kib, U32, 1),
    COLUMN(dtx_exp_outcome, host, U32, 1),
    COLUMN(dtx_exp_outcome, status, U8, 1),
    COLUMN(dtx_exp_outcome, counted, U8, 1),
    COLUMN(dtx_exp_outcome, instructions, F32, 1),
    COLUMN(dtx_exp_outcome, cycles, F32, 1),
    COLUMN(dtx_exp_outcome, misses, F32, 1),
    COLUMN(dtx_exp_outcome, iowait_seconds, F32, 1),
};
TABLE(dtx_history_outcomes, "outcomes", dtx_exp_outcome);

static const struct dtx_h5_column dtx_exp_host_column[] = {
    COLUMN(dtx_exp_host, name, TEXT, DTX_EXP_HOST_NAME),
};
TABLE(dtx_history_hosts, "hosts", dtx_exp_host);

static const struct dtx_h5_column dtx_exp_class_column[] = {
    COLUMN(dtx_exp_class, key, U64, 1),
    COLUMN(dtx_exp_class, program_key, U64, 1),
    COLUMN(dtx_exp_class, grain, U8, 1),
    COLUMN(dtx_exp_class, name, TEXT, DTX_EXP_NAME),
    COLUMN(dtx_exp_class, n, U64, 1),
    COLUMN(dtx_exp_class, window_at, U64, 1),
    COLUMN(dtx_exp_class, window_len, U32, 1),
    COLUMN(dtx_exp_class, mean, F32, 1),
    COLUMN(dtx_exp_class, drift, F32, 1),
    COLUMN(dtx_exp_class, host, U32, DTX_EXP_HOSTS),
    COLUMN(dtx_exp_class, host_drift, F32, DTX_EXP_HOSTS),
    COLUMN(dtx_exp_class, host_count, F32, DTX_EXP_HOSTS),
    COLUMN(dtx_exp_class, moment, F64, DTX_EXP_MOMENTS),
    COLUMN(dtx_exp_class, spread, F64, 1),
    COLUMN(dtx_exp_class, dims, U32, 1),
    COLUMN(dtx_exp_class, low, F32, DTX_EXP_NUMBERS + 1),
    COLUMN(dtx_exp_class, high, F32, DTX_EXP_NUMBERS + 1),
    COLUMN(dtx_exp_class, sketch_scale, I32, 1),
    COLUMN(dtx_exp_class, sketch_base, I32, 1),
    COLUMN(dtx_exp_class, sketch_n, U64, 1),
    COLUMN(dtx_exp_class, sketch_count, U32, DTX_EXP_BUCKETS),
    COLUMN(dtx_exp_class, loss, F32, DTX_EXP_EXPERTS),
    COLUMN(dtx_exp_class, loss_count, F32, DTX_EXP_EXPERTS),
    COLUMN(dtx_exp_class, scale, F32, 1),
    COLUMN(dtx_exp_class, error, F32, DTX_EXP_ERRORS),
    COLUMN(dtx_exp_class, nerrors, U32, 1),
    COLUMN(dtx_exp_class, alpha, F32, 1),
    COLUMN(dtx_exp_class, mark, U32, 1),
    COLUMN(dtx_exp_class, former, U32, 1),
    COLUMN(dtx_exp_class, fresh, U32, 1),
    COLUMN(dtx_exp_class, shift, F32, 1),
    COLUMN(dtx_exp_class, shifts, F32, 1),
};
TABLE(dtx_history_classes, "classes", dtx_exp_class);

static const struct dtx_h5_column dtx_exp_sample_column[] = {
    COLUMN(dtx_exp_sample, y, F32, 1),
    COLUMN(dtx_exp_sample, when, U32, 1),
    COLUMN(dtx_exp_sample, x, F32, DTX_EXP_NUMBERS),
    COLUMN(dtx_exp_sample, word, U32, DTX_EXP_WORDS),
    COLUMN(dtx_exp_sample, host, U32, 1),
    COLUMN(dtx_exp_sample, mark, U32, 1),
    COLUMN(dtx_exp_sample, exact, U32, 1),
};
TABLE(dtx_history_samples, "samples", dtx_exp_sample);

static const struct dtx_h5_column dtx_exp_command_column[] = {
    COLUMN(dtx_exp_command, key, U64, 1),
    COLUMN(dtx_exp_command, when, U32, 1),
    COLUMN(dtx_exp_command, n, U32, 1),
    COLUMN(dtx_exp_command, y, F32, 1),
    COLUMN(dtx_exp_command, off, F32, 1),
    COLUMN(dtx_exp_command, least, F32, 1),
    COLUMN(dtx_exp_command, mark, U32, 1),
};
TABLE(dtx_history_commands, "commands", dtx_exp_command);

static const struct dtx_h5_column dtx_exp_source_column[] = {
    COLUMN(dtx_exp_source, id, TEXT, DTX_HISTORY_ID),
};
TABLE(dtx_history_sources, "sources", dtx_exp_source);

static const struct dtx_h5_column dtx_exp_loop_column[] = {
    COLUMN(dtx_exp_loop, kernel, TEXT, DTX_EXP_KERNEL),
    COLUMN(dtx_exp_loop, begin, U64, 1),
    COLUMN(dtx_exp_loop, end, U64, 1),
    COLUMN(dtx_exp_loop, grains, U32, 1),
    COLUMN(dtx_exp_loop, nx, U32, 1),
    COLUMN(dtx_exp_loop, x, F64, DTX_EXP_FEATURES),
    COLUMN(dtx_exp_loop, parts, U32, 1),
    COLUMN(dtx_exp_loop, ns, U64, DTX_EXP_PARTS),
};
TABLE(dtx_history_loops, "loops", dtx_exp_loop);
