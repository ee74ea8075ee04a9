/* SPDX-License-Identifier: MIT */
/* Rows of a history; see experience.h. */
#include "wire/experience.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

void dtx_experience_free(struct dtx_experience *e)
{
    free(e->outcome);
    free(e->host);
    free(e->class);
    free(e->sample);
    free(e->command);
    free(e->loop);
    memset(e, 0, sizeof(*e));
}

uint32_t dtx_experience_host(struct dtx_experience *e, const char *name,
                             size_t len)
{
    struct dtx_exp_host *p;
    size_t i;

    if (len >= DTX_EXP_HOST_NAME)
        len = DTX_EXP_HOST_NAME - 1;
    for (i = e->nhosts; i-- > 0;) {
        if (strncmp(e->host[i].name, name, len) == 0 &&
            e->host[i].name[len] == '\0')
            return (uint32_t)i;
    }
    p = dtx_grow(e->host, &e->cap_hosts, e->nhosts + 1, sizeof(*p));
    if (!p || e->nhosts >= UINT32_MAX - 1)
        return UINT32_MAX;
    e->host = p;
    memset(&p[e->nhosts], 0, sizeof(*p));
    memcpy(p[e->nhosts].name, name, len);
    return (uint32_t)e->nhosts++;
}

int dtx_experience_outcome(struct dtx_experience *e,
                           const struct dtx_exp_outcome *o)
{
    struct dtx_exp_outcome *p = dtx_grow(e->outcome, &e->cap_outcomes,
                                         e->noutcomes + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    e->outcome = p;
    p[e->noutcomes++] = *o;
    return DTX_OK;
}

static int same_loop(const struct dtx_exp_loop *a, const struct dtx_exp_loop *b)
{
    return strncmp(a->kernel, b->kernel, sizeof(a->kernel)) == 0 &&
           a->begin == b->begin && a->end == b->end && a->nx == b->nx &&
           memcmp(a->x, b->x, sizeof(a->x)) == 0;
}

int dtx_experience_loop(struct dtx_experience *e, const struct dtx_exp_loop *l)
{
    struct dtx_exp_loop *p;
    size_t i;

    for (i = 0; i < e->nloops && !same_loop(&e->loop[i], l); i++)
        ;
    p = dtx_grow(e->loop, &e->cap_loops, i + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    e->loop = p;
    p[i] = *l;
    p[i].kernel[DTX_EXP_KERNEL - 1] = '\0';
    e->nloops += i == e->nloops;
    return DTX_OK;
}
