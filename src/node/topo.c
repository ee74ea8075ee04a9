/* SPDX-License-Identifier: MIT */
/* Reads the machine; see topo.h.  It binds nothing and decides nothing: what
 * follows from where things are is task/placement's.  hwloc is asked for the
 * tree and for PCI devices; a device counts when it can compute (NVIDIA's, and
 * AMD's that have no display or that ROCm names). */
#include "node/topo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "node/cores.h"
#include "node/cores_hwloc.h"
#include "node/memory.h"
#include "task/machine.h"

#define PCI_NVIDIA 0x10deu
#define PCI_AMD 0x1002u
#define PCI_DISPLAY 0x03u     /* base class */
#define PCI_VGA 0x0300u       /* class: with a screen */
#define PCI_ACCELERATOR 0x12u /* base class */

/* ---- cores ---- */

static uint32_t logical(hwloc_obj_t o)
{
    return o ? o->logical_index : DTX_MACHINE_NONE;
}

static hwloc_obj_t package_of(hwloc_topology_t t, hwloc_obj_t o)
{
    return hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PACKAGE, o);
}

/* The NUMA node nearest to an object; of several (fast and slow memory) the
 * one the kernel counts first. */
static hwloc_obj_t numa_of(hwloc_topology_t t, hwloc_obj_t o)
{
    int os = o->nodeset ? hwloc_bitmap_first(o->nodeset) : -1;

    return os < 0 ? NULL : hwloc_get_numanode_obj_by_os_index(t, (unsigned)os);
}

/* A cache has a number in its depth only; the depth tells levels apart where
 * cores differ in theirs. */
static uint32_t cache_number(hwloc_obj_t o)
{
    return o ? (uint32_t)o->depth << 24 | o->logical_index : DTX_MACHINE_NONE;
}

/* The outermost cache above a core that it shares. */
static hwloc_obj_t shared_cache(hwloc_obj_t core)
{
    hwloc_obj_t o, found = NULL;

    for (o = core->parent; o; o = o->parent)
        if (hwloc_obj_type_is_dcache(o->type))
            found = o;
    if (found && hwloc_bitmap_isequal(found->cpuset, core->cpuset))
        return NULL;
    return found;
}

static int add_core(void *ctx, hwloc_topology_t t, hwloc_obj_t core)
{
    struct dtx_locus at = {core->logical_index,
                           cache_number(shared_cache(core)),
                           logical(numa_of(t, core)),
                           logical(package_of(t, core))};

    return dtx_machine_add_core(ctx, &at) ? DTX_OK : DTX_ENOMEM;
}

/* ---- memory and caches ---- */

static bool add_numas(struct dtx_machine *m, hwloc_topology_t t)
{
    hwloc_obj_t o = NULL;

    while ((o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o))) {
        struct dtx_numa *n = dtx_machine_add_numa(m);

        if (!n)
            return false;
        n->os_index = o->os_index;
        n->mem_bytes = (int64_t)o->attr->numanode.local_memory;
        m->mem_bytes += n->mem_bytes;
    }
    return true;
}

static void add_caches(struct dtx_machine *m, hwloc_topology_t t)
{
    static const hwloc_obj_type_t kinds[] = {
        HWLOC_OBJ_L5CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE,
        HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L1CACHE};
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int n = hwloc_get_nbobjs_by_type(t, kinds[i]);
        hwloc_obj_t o = hwloc_get_obj_by_type(t, kinds[i], 0);

        if (n <= 0 || !o || m->ncaches == DTX_MACHINE_CACHES)
            continue;
        m->caches[m->ncaches++] =
            (struct dtx_caches){o->attr->cache.depth, (uint32_t)n,
                                (int64_t)o->attr->cache.size};
    }
}

/* ---- devices ---- */

static bool has_child_named(hwloc_obj_t o, const char *prefix)
{
    hwloc_obj_t c;

    for (c = o->io_first_child; c; c = c->next_sibling)
        if (c->name && strncmp(c->name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

static bool computes(hwloc_obj_t pci, enum dtx_gpu_kind *kind)
{
    const struct hwloc_pcidev_attr_s *a = &pci->attr->pcidev;
    unsigned base = a->class_id >> 8;

    if (base != PCI_DISPLAY && base != PCI_ACCELERATOR)
        return false;
    *kind = a->vendor_id == PCI_NVIDIA ? DTX_GPU_CUDA : DTX_GPU_ROCM;
    if (a->vendor_id == PCI_AMD)
        return a->class_id != PCI_VGA || has_child_named(pci, "rsmi");
    return a->vendor_id == PCI_NVIDIA;
}

/* An object that has processing units, or the whole machine. */
static hwloc_obj_t near_cpus(hwloc_topology_t t, hwloc_obj_t io)
{
    hwloc_obj_t o = hwloc_get_non_io_ancestor_obj(t, io);

    return o ? o : hwloc_get_root_obj(t);
}

/* Near a single NUMA node, or to none in particular. */
static void locate(struct dtx_gpu *g, hwloc_topology_t t, hwloc_obj_t pci)
{
    hwloc_obj_t o = near_cpus(t, pci);
    bool one = hwloc_bitmap_weight(o->nodeset) == 1;

    g->numa = one ? logical(numa_of(t, o)) : DTX_MACHINE_NONE;
    g->package = logical(o->type == HWLOC_OBJ_PACKAGE ? o : package_of(t, o));
}

static bool add_gpus(struct dtx_machine *m, hwloc_topology_t t)
{
    uint32_t number[2] = {0, 0}; /* in PCI order, of each kind */
    hwloc_obj_t o = NULL;

    while ((o = hwloc_get_next_pcidev(t, o)) && m->ngpus < DTX_MACHINE_GPUS) {
        enum dtx_gpu_kind kind;
        struct dtx_gpu *g;

        if (!computes(o, &kind))
            continue;
        g = dtx_machine_add_gpu(m);
        if (!g)
            return false;
        g->kind = kind;
        (void)snprintf(g->name, sizeof(g->name), "%lu",
                       (unsigned long)number[kind]++);
        locate(g, t, o);
    }
    return true;
}

/* Is the word that a device was named by in the list already? */
static bool is_named(const struct dtx_machine *m, const struct dtx_gpu *g)
{
    size_t i;

    for (i = 0; i < m->ngpus; i++)
        if (&m->gpu[i] != g && m->gpu[i].kind == g->kind &&
            strcmp(m->gpu[i].name, g->name) == 0)
            return true;
    return false;
}

/* A UUID, or a number; where devices are seen, of one of them. */
static bool names_gpu(const char *word, bool seen, bool found)
{
    if (strncmp(word, "GPU-", 4) == 0 || strncmp(word, "MIG-", 4) == 0)
        return true;
    return word[strspn(word, "0123456789")] == '\0' && (found || !seen);
}

static void note_odd(struct dtx_machine *m, const char *word)
{
    /* the second is Slurm's way to say that there are none */
    if (!m->gpus_odd[0] && strcmp(word, "-1") != 0 &&
        strcmp(word, "NoDevFiles") != 0)
        (void)snprintf(m->gpus_odd, sizeof(m->gpus_odd), "%s", word);
}

/* The next word of a list, without blanks around it. False: there is none. */
static bool next_word(const char **list, char *word, size_t size)
{
    const char *p = *list;
    size_t n, end;

    p += strspn(p, ", \t");
    n = strcspn(p, ",");
    *list = p + n;
    for (end = n; end > 0 && strchr(" \t", p[end - 1]); end--)
        ;
    if (end >= size)
        end = (size_t)snprintf(word, size, "(too long)");
    else
        memcpy(word, p, end);
    word[end] = '\0';
    return n > 0;
}

/* The devices of one kind that a variable leaves visible, by its words. A
 * number in it is the one we gave, when the list is in PCI order. As CUDA has
 * it, the first word that is no device ends the list; one that stands there
 * twice counts once. */
static bool restrict_gpus(struct dtx_machine *m, enum dtx_gpu_kind kind,
                          const char *words)
{
    struct dtx_gpu old[DTX_MACHINE_GPUS];
    char word[sizeof(old[0].name)];
    bool seen = false, found;
    size_t n = m->ngpus, i;

    memcpy(old, m->gpu, n * sizeof(old[0]));
    for (i = m->ngpus = 0; i < n; i++)
        if (old[i].kind != kind)
            m->gpu[m->ngpus++] = old[i];
        else
            seen = true;
    while (m->ngpus < DTX_MACHINE_GPUS &&
           next_word(&words, word, sizeof(word))) {
        struct dtx_gpu *g = dtx_machine_add_gpu(m);

        if (!g)
            return false;
        *g = (struct dtx_gpu){kind, DTX_MACHINE_NONE, DTX_MACHINE_NONE, ""};
        memcpy(g->name, word, strlen(word));
        for (i = 0, found = false; i < n; i++)
            if (old[i].kind == kind && strcmp(old[i].name, g->name) == 0) {
                *g = old[i];
                found = true;
            }
        if (names_gpu(g->name, seen, found) && !is_named(m, g))
            continue;
        note_odd(m, g->name);
        m->ngpus--;
        if (!names_gpu(g->name, seen, found))
            break;
    }
    return true;
}

static bool see_gpus(struct dtx_machine *m)
{
    const char *cuda = getenv("CUDA_VISIBLE_DEVICES");
    const char *rocm = getenv("ROCR_VISIBLE_DEVICES");

    m->gpus_given = cuda != NULL;
    return (!cuda || restrict_gpus(m, DTX_GPU_CUDA, cuda)) &&
           (!rocm || restrict_gpus(m, DTX_GPU_ROCM, rocm));
}

/* ---- the rest ---- */

/* Slurm names the switches and last the node itself:
 * SLURM_TOPOLOGY_ADDR=s0.s4.n17, with the pattern switch.switch.node. */
static void read_path(struct dtx_machine *m)
{
    const char *addr = getenv("SLURM_TOPOLOGY_ADDR");
    const char *pattern = getenv("SLURM_TOPOLOGY_ADDR_PATTERN");
    const char *end = addr ? strrchr(addr, '.') : NULL;

    if (!end || (pattern && strncmp(pattern, "switch", 6) != 0) ||
        (size_t)(end - addr) >= sizeof(m->path))
        return;
    memcpy(m->path, addr, (size_t)(end - addr));
    m->path[end - addr] = '\0';
}

static int describe(struct dtx_machine *m, hwloc_topology_t t)
{
    int packages = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PACKAGE);
    int units = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU);

    m->packages = packages > 0 ? (uint32_t)packages : 0;
    m->units = units > 0 ? (uint32_t)units : 0;
    add_caches(m, t);
    if (!add_numas(m, t) || !add_gpus(m, t))
        return DTX_ENOMEM;
    return DTX_OK;
}

/* hwloc could not: the mask tells of cores, and of nothing else. */
static int fall_back(struct dtx_cores *cores, struct dtx_machine *m,
                     struct dtx_error *err)
{
    int rc = dtx_cores_of_mask(cores, err);
    uint32_t i;

    for (i = 0; rc == DTX_OK && i < cores->ncores; i++) {
        struct dtx_locus at = {cores->pus[i], DTX_MACHINE_NONE,
                               DTX_MACHINE_NONE, DTX_MACHINE_NONE};

        if (!dtx_machine_add_core(m, &at))
            rc = DTX_ENOMEM;
    }
    m->units = cores->npus;
    return rc;
}

static int detect(struct dtx_cores *cores, struct dtx_machine *m,
                  struct dtx_error *err)
{
    hwloc_topology_t t;
    int rc = dtx_hwloc_load(&t, true, err);

    if (rc != DTX_OK)
        return rc;
    rc = dtx_hwloc_list(cores, t, add_core, m);
    if (rc == DTX_OK)
        rc = describe(m, t);
    hwloc_topology_destroy(t);
    return rc == DTX_OK && cores->ncores == 0 ? DTX_ESYS : rc;
}

int dtx_topo_detect(struct dtx_cores *cores, struct dtx_machine *m,
                    struct dtx_error *err)
{
    int rc;

    memset(cores, 0, sizeof(*cores));
    dtx_machine_init(m);
    rc = detect(cores, m, err);
    if (rc == DTX_ESYS) {
        dtx_cores_free(cores);
        dtx_machine_free(m);
        rc = fall_back(cores, m, err);
    }
    if (rc == DTX_OK && !see_gpus(m))
        rc = DTX_ENOMEM;
    if (rc != DTX_OK) {
        dtx_cores_free(cores);
        dtx_machine_free(m);
        return rc == DTX_ENOMEM ? dtx_error_set(err, rc, "out of memory") : rc;
    }
    m->real = cores->real;
    m->cores = cores->machine_cores;
    m->mem_limit = m->real ? dtx_memory_limit_at("") : 0;
    if (m->real)
        dtx_machine_set_total(m, dtx_memory_total_at(""));
    read_path(m);
    return DTX_OK;
}
