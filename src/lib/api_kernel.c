/* SPDX-License-Identifier: MIT */
/* Kernels: they are registered by name, and what they may call while they
 * run. */
#include "lib/api.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_NAME 255u

struct dtx_kernel *dtx_api_kernel(const struct dtx_session *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->nkernels; i++) {
        if (strcmp(s->kernel[i]->name, name) == 0)
            return s->kernel[i];
    }
    return NULL;
}

static int check_name(const char *name)
{
    size_t i, len = name ? strlen(name) : 0;

    if (len == 0 || len > LONGEST_NAME)
        return dtx_api_fail(DTX_EINVAL, "a kernel's name has 1 to %u bytes",
                            LONGEST_NAME);
    for (i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 32 || name[i] == 127)
            return dtx_api_fail(DTX_EINVAL,
                                "a kernel's name holds a control character");
    }
    if (dtx_api_kernel(dtx_api_session, name))
        return dtx_api_fail(DTX_EEXIST,
                            "a kernel called '%s' is registered already", name);
    return DTX_OK;
}

/* What must be alike on all ranks, for people. */
static void put_name(struct dtx_buf *b, const struct dtx_kernel *k)
{
    static const char *const kind[] = {[DTX_KERNEL_EACH] = "of iterations",
                                       [DTX_KERNEL_RANGE] = "of ranges",
                                       [DTX_KERNEL_TREE] = "of a tree",
                                       [DTX_KERNEL_TASK] = "of tasks"};

    dtx_buf_printf(b, "'%s' %s", k->name, kind[k->kind]);
    if (k->node_bytes)
        dtx_buf_printf(b, " of %zu bytes", k->node_bytes);
    dtx_buf_char(b, '\n');
}

static int add_kernel(const char *name, const struct dtx_kernel *model)
{
    struct dtx_session *s = dtx_api_session;
    struct dtx_kernel *k, **grown;
    int rc;

    if (!s)
        return dtx_api_outside("dtx_kernel");
    rc = check_name(name);
    if (rc < 0)
        return rc;
    k = malloc(sizeof(*k));
    grown =
        dtx_grow(s->kernel, &s->kernels_cap, s->nkernels + 1, sizeof(*grown));
    if (grown)
        s->kernel = grown;
    if (k)
        *k = *model;
    if (k)
        k->name = strdup(name);
    if (!k || !grown || !k->name) {
        if (k)
            free(k->name);
        free(k);
        return dtx_api_fail(DTX_ENOMEM, "out of memory");
    }
    s->kernel[s->nkernels++] = k;
    put_name(&s->names, k);
    return s->names.failed ? dtx_api_fail(DTX_ENOMEM, "out of memory") : DTX_OK;
}

int dtx_kernel_each(const char *name, dtx_each_f kernel)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_EACH, .each = kernel};

    if (!kernel)
        return dtx_api_fail(DTX_EINVAL, "the kernel is NULL");
    return add_kernel(name, &k);
}

int dtx_kernel_range(const char *name, dtx_range_f kernel)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_RANGE, .range = kernel};

    if (!kernel)
        return dtx_api_fail(DTX_EINVAL, "the kernel is NULL");
    return add_kernel(name, &k);
}

int dtx_kernel_tree(const char *name, size_t node_bytes, dtx_visit_f visit,
                    dtx_child_f child)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_TREE,
                           .visit = visit,
                           .child = child,
                           .node_bytes = node_bytes};

    if (!visit || !child)
        return dtx_api_fail(DTX_EINVAL, "the kernel is NULL");
    if (node_bytes == 0 || node_bytes > DTX_MAX_NODE)
        return dtx_api_fail(DTX_ELIMIT, "a node has 1 to %u bytes",
                            DTX_MAX_NODE);
    return add_kernel(name, &k);
}

int dtx_kernel_task(const char *name, dtx_task_f kernel)
{
    struct dtx_kernel k = {.kind = DTX_KERNEL_TASK, .task = kernel};

    if (!kernel)
        return dtx_api_fail(DTX_EINVAL, "the kernel is NULL");
    return add_kernel(name, &k);
}

/* The number of a kernel of tasks, or negative. Any thread. */
int64_t dtx_api_task_kernel(const struct dtx_session *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->nkernels; i++) {
        if (s->kernel[i]->kind == DTX_KERNEL_TASK &&
            strcmp(s->kernel[i]->name, name) == 0)
            return (int64_t)i;
    }
    return DTX_ENOENT;
}

int dtx_call_output(struct dtx_call *call, const void *out, size_t bytes)
{
    if (call->region->style != &dtx_style_task)
        return DTX_ESTATE;
    if (bytes && !out)
        return DTX_EINVAL;
    return dtx_task_output(call, out, bytes);
}

int dtx_call_spawn(struct dtx_call *call, const char *kernel, const void *in,
                   size_t bytes)
{
    int64_t k;

    if (call->region->style != &dtx_style_task)
        return DTX_ESTATE;
    if (!kernel || (bytes && !in))
        return DTX_EINVAL;
    k = dtx_api_task_kernel(call->session, kernel);
    if (k < 0)
        return (int)k;
    return bytes > DTX_MAX_TASK ? DTX_ELIMIT
                                : dtx_task_spawn(call, (uint32_t)k, in, bytes);
}

int dtx_call_rank(const struct dtx_call *call)
{
    return (int)call->session->net.rank;
}

int dtx_call_slot(const struct dtx_call *call)
{
    return (int)call->slot;
}

const void *dtx_call_args(const struct dtx_call *call, size_t *size)
{
    if (size)
        *size = call->region->args_bytes;
    return call->region->args;
}

void *dtx_call_value(const struct dtx_call *call, unsigned k)
{
    const struct dtx_work *w = call->region->work;

    return k < w->nred ? call->values + w->red[k].offset : NULL;
}

void *dtx_call_result(const struct dtx_call *call, uint64_t index)
{
    if (!call->results || index < call->results_at ||
        index >= call->results_end)
        return NULL;
    return call->results +
           (index - call->results_at) * call->region->work->result_bytes;
}

void dtx_call_cancel(struct dtx_call *call)
{
    if (!atomic_exchange(&call->region->cancel, true))
        dtx_net_ring(&call->session->net);
}
