/* SPDX-License-Identifier: MIT */
/* task/array.h - the indices of a job array, as Slurm writes them */
#ifndef DTX_TASK_ARRAY_H
#define DTX_TASK_ARRAY_H

#include <stddef.h>
#include <stdint.h>

struct dtx_error;

#define DTX_MAX_ARRAY_INDEX 4000000000u

struct dtx_array {
    uint32_t *index; /* ascending, each once */
    size_t n, cap;
    uint32_t step; /* of its first range, 1 when there is none */
};

/* "1-1000:2", "1,3,7-9", "0-5". 0, or a code with a message that names
 * 'spec'. dtx_array_free after success. */
int dtx_array_parse(const char *spec, struct dtx_array *out,
                    struct dtx_error *err);
void dtx_array_free(struct dtx_array *a);

#endif
