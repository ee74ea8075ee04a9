/* SPDX-License-Identifier: MIT */
/* Machines as values; see machine.h.  Nothing here asks the machine: who
 * fills the struct decides what is true. */
#include "task/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"

void dtx_machine_init(struct dtx_machine *m)
{
    memset(m, 0, sizeof(*m));
}

void dtx_machine_free(struct dtx_machine *m)
{
    free(m->nest);
    free(m->numa);
    free(m->gpu);
    dtx_machine_init(m);
}

static bool continues(const struct dtx_nest *n, const struct dtx_locus *at)
{
    return n->at.core + n->ncores == at->core && n->at.cache == at->cache &&
           n->at.numa == at->numa && n->at.package == at->package;
}

bool dtx_machine_add_core(struct dtx_machine *m, const struct dtx_locus *at)
{
    struct dtx_nest *n;

    if (m->nnests == 0 || !continues(&m->nest[m->nnests - 1], at)) {
        n = dtx_grow(m->nest, &m->cap_nests, m->nnests + 1, sizeof(*n));
        if (!n)
            return false;
        m->nest = n;
        n[m->nnests++] = (struct dtx_nest){*at, 0};
    }
    m->nest[m->nnests - 1].ncores++;
    m->usable++;
    return true;
}

struct dtx_numa *dtx_machine_add_numa(struct dtx_machine *m)
{
    struct dtx_numa *n =
        dtx_grow(m->numa, &m->cap_numas, m->nnumas + 1, sizeof(*n));

    if (!n)
        return NULL;
    m->numa = n;
    memset(&n[m->nnumas], 0, sizeof(*n));
    return &n[m->nnumas++];
}

struct dtx_gpu *dtx_machine_add_gpu(struct dtx_machine *m)
{
    struct dtx_gpu *g;

    if (m->ngpus >= DTX_MACHINE_GPUS)
        return NULL;
    g = dtx_grow(m->gpu, &m->cap_gpus, m->ngpus + 1, sizeof(*g));
    if (!g)
        return NULL;
    m->gpu = g;
    memset(&g[m->ngpus], 0, sizeof(*g));
    return &g[m->ngpus++];
}

struct dtx_locus dtx_machine_core(const struct dtx_machine *m, uint32_t i)
{
    struct dtx_locus at = {DTX_MACHINE_NONE, DTX_MACHINE_NONE,
                           DTX_MACHINE_NONE, DTX_MACHINE_NONE};
    size_t k;

    for (k = 0; k < m->nnests; k++) {
        if (i < m->nest[k].ncores) {
            at = m->nest[k].at;
            at.core += i;
            break;
        }
        i -= m->nest[k].ncores;
    }
    return at;
}

int64_t dtx_machine_memory(const struct dtx_machine *m)
{
    if (m->mem_limit > 0 && (m->mem_bytes <= 0 || m->mem_limit < m->mem_bytes))
        return m->mem_limit;
    return m->mem_bytes;
}

void dtx_machine_set_total(struct dtx_machine *m, int64_t bytes)
{
    int64_t apart = bytes > m->mem_bytes ? bytes - m->mem_bytes
                                         : m->mem_bytes - bytes;

    if (bytes > 0 && apart > bytes / 4)
        m->mem_bytes = bytes;
}

static bool same(uint32_t a, uint32_t b)
{
    return a == b && a != DTX_MACHINE_NONE;
}

enum dtx_distance dtx_locus_distance(const struct dtx_locus *a,
                                     const struct dtx_locus *b)
{
    if (same(a->core, b->core))
        return DTX_NEAR_CORE;
    if (same(a->cache, b->cache))
        return DTX_NEAR_CACHE;
    if (same(a->numa, b->numa))
        return DTX_NEAR_NUMA;
    return same(a->package, b->package) ? DTX_NEAR_PACKAGE : DTX_NEAR_NODE;
}

static uint32_t levels_of(const char *path)
{
    uint32_t n = path[0] != '\0';

    for (; *path; path++)
        n += *path == '.';
    return n;
}

/* How many switches from the root on are the same. */
static uint32_t common_levels(const char *a, const char *b)
{
    uint32_t n = 0;
    size_t i;

    for (i = 0; a[i] == b[i] && a[i]; i++)
        n += a[i] == '.';
    return n + ((a[i] == '\0' || a[i] == '.') && (b[i] == '\0' || b[i] == '.'));
}

uint32_t dtx_path_distance(const char *a, const char *b)
{
    uint32_t la = levels_of(a), lb = levels_of(b);

    if (la == 0 || lb == 0)
        return DTX_NEAR_SWITCH;
    return DTX_NEAR_SWITCH + (la > lb ? la : lb) - common_levels(a, b);
}

const char *dtx_distance_name(uint32_t distance)
{
    static const char *const name[] = {
        "same core", "same cache", "same NUMA node", "same package",
        "same node", "same switch"};

    return distance <= DTX_NEAR_SWITCH ? name[distance] : "other switch";
}

/* ---- text ---- */

static void tell_count(struct dtx_buf *out, uint32_t n, const char *one,
                       const char *many)
{
    dtx_buf_printf(out, "%lu %s", (unsigned long)n, n == 1 ? one : many);
}

static void tell_size(struct dtx_buf *out, int64_t bytes)
{
    char text[32];

    dtx_buf_str(out, dtx_format_size(text, sizeof(text), bytes));
}

static void tell_memory(const struct dtx_machine *m, struct dtx_buf *out)
{
    int64_t sum = 0;
    size_t i;

    dtx_buf_str(out, "memory    ");
    if (m->mem_bytes > 0)
        tell_size(out, m->mem_bytes);
    else
        dtx_buf_str(out, "unknown");
    for (i = 0; i < m->nnumas; i++)
        sum += m->numa[i].mem_bytes;
    if (m->mem_bytes > 0 && sum > 0 && sum != m->mem_bytes) {
        dtx_buf_str(out, " by MemTotal (the sum of its NUMA nodes, ");
        tell_size(out, sum);
        dtx_buf_str(out, ", is not believed)");
    }
    if (dtx_machine_memory(m) != m->mem_bytes) {
        dtx_buf_str(out, ", ");
        tell_size(out, dtx_machine_memory(m));
        dtx_buf_str(out, " may be used (limit of the cgroup)");
    }
    dtx_buf_char(out, '\n');
}

static void tell_caches(const struct dtx_machine *m, struct dtx_buf *out)
{
    size_t i;

    for (i = 0; i < m->ncaches; i++) {
        dtx_buf_printf(out, "%sL%lu %lu x ", i ? ", " : "caches    ",
                       (unsigned long)m->caches[i].level,
                       (unsigned long)m->caches[i].count);
        tell_size(out, m->caches[i].bytes);
    }
    if (m->ncaches)
        dtx_buf_char(out, '\n');
}

static void tell_nest(const struct dtx_nest *n, struct dtx_buf *out)
{
    dtx_buf_printf(out, "cores %lu", (unsigned long)n->at.core);
    if (n->ncores > 1)
        dtx_buf_printf(out, "-%lu",
                       (unsigned long)(n->at.core + n->ncores - 1));
}

static void tell_numa(const struct dtx_machine *m, uint32_t numa,
                      struct dtx_buf *out)
{
    size_t i;
    bool any = false;

    if (m->numa[numa].mem_bytes > 0)
        tell_size(out, m->numa[numa].mem_bytes);
    else
        dtx_buf_str(out, "no memory");
    for (i = 0; i < m->nnests; i++) {
        if (m->nest[i].at.numa != numa)
            continue;
        if (!any && m->nest[i].at.package != DTX_MACHINE_NONE)
            dtx_buf_printf(out, ", package %lu",
                           (unsigned long)m->nest[i].at.package);
        dtx_buf_str(out, any ? " | " : ", ");
        tell_nest(&m->nest[i], out);
        any = true;
    }
    dtx_buf_str(out, any ? "\n" : ", no core that may be used\n");
}

static void tell_gpu(const struct dtx_gpu *g, struct dtx_buf *out)
{
    dtx_buf_printf(out, "gpu       %s %s",
                   g->kind == DTX_GPU_CUDA ? "cuda" : "rocm", g->name);
    if (g->numa != DTX_MACHINE_NONE)
        dtx_buf_printf(out, ", numa %lu", (unsigned long)g->numa);
    else if (g->package != DTX_MACHINE_NONE)
        dtx_buf_printf(out, ", package %lu", (unsigned long)g->package);
    dtx_buf_char(out, '\n');
}

void dtx_machine_tell(const struct dtx_machine *m, struct dtx_buf *out)
{
    size_t i;

    dtx_buf_str(out, "machine   ");
    if (m->packages > 0) {
        tell_count(out, m->packages, "package", "packages");
        dtx_buf_str(out, ", ");
    }
    tell_count(out, (uint32_t)m->nnumas, "NUMA node, ", "NUMA nodes, ");
    tell_count(out, m->cores, "core, ", "cores, ");
    tell_count(out, m->units, "processing unit", "processing units");
    if (m->usable != m->cores)
        dtx_buf_printf(out, "; %lu of the cores may be used",
                       (unsigned long)m->usable);
    dtx_buf_char(out, '\n');
    tell_memory(m, out);
    tell_caches(m, out);
    for (i = 0; i < m->nnumas; i++) {
        dtx_buf_printf(out, "numa %-4lu ", (unsigned long)i);
        tell_numa(m, (uint32_t)i, out);
    }
    for (i = 0; i < m->ngpus; i++)
        tell_gpu(&m->gpu[i], out);
    if (m->path[0])
        dtx_buf_printf(out, "switches  %s\n", m->path);
}
