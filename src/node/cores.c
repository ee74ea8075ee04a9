/* SPDX-License-Identifier: MIT */
/* Lists the cores this process may use; see cores.h.  It asks hwloc for the
 * tree, drops what costs time and matters to nobody (devices, first-level
 * caches), and never binds anything.  Where hwloc cannot read the machine the
 * affinity mask alone is used, one core per processing unit. */
#include "node/cores.h"

#include <errno.h>
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "node/cores_hwloc.h"

struct lists {
    size_t cap_cores, cap_pus;
};

/* Begin a new core. */
static bool add_core(struct dtx_cores *c, struct lists *l)
{
    struct dtx_core *p =
        dtx_grow(c->core, &l->cap_cores, c->ncores + 1, sizeof(*p));

    if (!p)
        return false;
    c->core = p;
    p[c->ncores].first_pu = c->npus;
    p[c->ncores].npus = 0;
    c->ncores++;
    return true;
}

/* Add a unit to the last core. */
static bool add_pu(struct dtx_cores *c, struct lists *l, uint32_t pu)
{
    uint32_t *p = dtx_grow(c->pus, &l->cap_pus, c->npus + 1, sizeof(*p));

    if (!p)
        return false;
    c->pus = p;
    p[c->npus++] = pu;
    c->core[c->ncores - 1].npus++;
    return true;
}

static int list_core(struct dtx_cores *c, struct lists *l, hwloc_obj_t core,
                     hwloc_const_bitmap_t usable)
{
    int pu;

    if (!hwloc_bitmap_intersects(core->cpuset, usable))
        return DTX_OK;
    if (!add_core(c, l))
        return DTX_ENOMEM;
    for (pu = hwloc_bitmap_first(core->cpuset); pu >= 0;
         pu = hwloc_bitmap_next(core->cpuset, pu)) {
        if (!hwloc_bitmap_isset(usable, (unsigned)pu))
            continue;
        if (!add_pu(c, l, (uint32_t)pu))
            return DTX_ENOMEM;
    }
    return DTX_OK;
}

/* What this process may use: its cgroup's set and its own mask. */
static hwloc_bitmap_t usable_set(hwloc_topology_t t, bool real)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();

    if (!set)
        return NULL;
    if (!real || hwloc_get_cpubind(t, set, HWLOC_CPUBIND_THREAD) != 0 ||
        hwloc_bitmap_iszero(set))
        (void)hwloc_bitmap_copy(set, hwloc_topology_get_topology_cpuset(t));
    (void)hwloc_bitmap_and(set, set, hwloc_topology_get_allowed_cpuset(t));
    return set;
}

int dtx_hwloc_list(struct dtx_cores *c, hwloc_topology_t t, dtx_core_f *each,
                   void *ctx)
{
    struct lists l = {0, 0};
    hwloc_obj_type_t kind = HWLOC_OBJ_CORE;
    hwloc_obj_t o = NULL;
    hwloc_bitmap_t usable;
    int rc = DTX_OK;

    c->real = hwloc_topology_is_thissystem(t) != 0;
    usable = usable_set(t, c->real);
    if (!usable)
        return DTX_ENOMEM;
    if (hwloc_get_nbobjs_by_type(t, kind) <= 0)
        kind = HWLOC_OBJ_PU; /* some virtual machines show no cores */
    while (rc == DTX_OK && (o = hwloc_get_next_obj_by_type(t, kind, o))) {
        uint32_t before = c->ncores;

        c->machine_cores++;
        rc = list_core(c, &l, o, usable);
        if (rc == DTX_OK && each && c->ncores > before)
            rc = each(ctx, t, o);
    }
    hwloc_bitmap_free(usable);
    return rc;
}

/* Depths that order the cores are kept; the rest only costs time. */
static bool keep_cores(hwloc_topology_t t)
{
    return hwloc_topology_set_io_types_filter(
               t, HWLOC_TYPE_FILTER_KEEP_NONE) == 0 &&
           hwloc_topology_set_type_filter(t, HWLOC_OBJ_L1CACHE,
                                          HWLOC_TYPE_FILTER_KEEP_NONE) == 0;
}

/* Devices as the kernel lists them: the vendors' libraries are not started,
 * nor the one for PCI, which keeps memory. */
static bool keep_devices(hwloc_topology_t t)
{
    static const char *const slow[] = {"cuda", "opencl", "nvml", "rsmi",
                                       "levelzero", "gl", "pci"};
    size_t i;

    for (i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
        (void)hwloc_topology_set_components(
            t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, slow[i]);
    return hwloc_topology_set_io_types_filter(
               t, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) == 0;
}

static bool set_filters(hwloc_topology_t t, bool all)
{
    return hwloc_topology_set_type_filter(t, HWLOC_OBJ_MISC,
                                          HWLOC_TYPE_FILTER_KEEP_NONE) == 0 &&
           hwloc_topology_set_icache_types_filter(
               t, HWLOC_TYPE_FILTER_KEEP_NONE) == 0 &&
           (all ? keep_devices(t) : keep_cores(t)) &&
           hwloc_topology_set_flags(
               t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) == 0;
}

/* ---- a picture instead of the machine ---- */

#define REMEDY "unset it to use the real machine"

/* hwloc looks at them in this order, and at an empty one not at all. */
const char *dtx_cores_picture(void)
{
    static const char *const names[] = {"HWLOC_SYNTHETIC", "HWLOC_XMLFILE"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (value && value[0])
            return names[i];
    }
    return NULL;
}

static int bad_picture(const char *name, const char *value,
                       struct dtx_error *err)
{
    FILE *f;

    if (strcmp(name, "HWLOC_SYNTHETIC") == 0)
        return dtx_error_set(
            err, DTX_EINVAL,
            "HWLOC_SYNTHETIC=%.200s: hwloc %s understands no such machine: "
            "write e.g. HWLOC_SYNTHETIC=\"package:2 core:4 pu:1\", or "
            REMEDY, value, HWLOC_VERSION);
    f = strcmp(value, "-") == 0 ? NULL : fopen(value, "re");
    if (!f && strcmp(value, "-") != 0)
        return dtx_error_set(err, DTX_EINVAL,
                             "HWLOC_XMLFILE=%.200s: %s: name a file that "
                             "'lstopo FILE.xml' wrote, or " REMEDY,
                             value, strerror(errno));
    if (f)
        (void)fclose(f);
    return dtx_error_set(err, DTX_EINVAL,
                         "HWLOC_XMLFILE=%.200s: hwloc %s reads no machine from "
                         "it: name a file that 'lstopo FILE.xml' wrote, or "
                         REMEDY, value, HWLOC_VERSION);
}

/* Left to itself hwloc would pass over a picture that it cannot read, and show
 * the real machine. */
static bool draw(hwloc_topology_t t, const char *name, const char *value)
{
    if (!name)
        return true;
    if (strcmp(name, "HWLOC_SYNTHETIC") == 0)
        return hwloc_topology_set_synthetic(t, value) == 0;
    return hwloc_topology_set_xml(t, value) == 0;
}

int dtx_hwloc_load(hwloc_topology_t *out, bool all, struct dtx_error *err)
{
    const char *name = dtx_cores_picture();
    const char *value = name ? getenv(name) : NULL;
    hwloc_topology_t t;

    if (hwloc_topology_init(&t) != 0)
        return DTX_ESYS;
    if (set_filters(t, all) && draw(t, name, value) &&
        hwloc_topology_load(t) == 0) {
        *out = t;
        return DTX_OK;
    }
    hwloc_topology_destroy(t);
    return name ? bad_picture(name, value, err) : DTX_ESYS;
}

/* The affinity mask as it is. */
static int detect_mask(struct dtx_cores *c)
{
    struct lists l = {0, 0};
    size_t n = 16384, size = CPU_ALLOC_SIZE(n), i;
    cpu_set_t *set = CPU_ALLOC(n);
    int rc = DTX_OK;

    if (!set)
        return DTX_ENOMEM;
    CPU_ZERO_S(size, set);
    if (sched_getaffinity(0, size, set) != 0)
        rc = DTX_ESYS;
    for (i = 0; rc == DTX_OK && i < n; i++) {
        if (!CPU_ISSET_S(i, size, set))
            continue;
        if (!add_core(c, &l) || !add_pu(c, &l, (uint32_t)i))
            rc = DTX_ENOMEM;
    }
    CPU_FREE(set);
    c->machine_cores = c->ncores;
    c->real = true;
    return rc;
}

int dtx_cores_detect(struct dtx_cores *out, struct dtx_error *err)
{
    hwloc_topology_t t;
    int rc = dtx_hwloc_load(&t, false, err);

    memset(out, 0, sizeof(*out));
    if (rc == DTX_EINVAL)
        return rc;
    if (rc == DTX_OK) {
        rc = dtx_hwloc_list(out, t, NULL, NULL);
        hwloc_topology_destroy(t);
    }
    if (rc == DTX_OK && out->ncores > 0)
        return DTX_OK;
    dtx_cores_free(out);
    return dtx_cores_of_mask(out, err);
}

int dtx_cores_of_mask(struct dtx_cores *out, struct dtx_error *err)
{
    int rc = detect_mask(out);

    if (rc == DTX_OK && out->ncores > 0)
        return DTX_OK;
    dtx_cores_free(out);
    return dtx_error_set(err, rc == DTX_OK ? DTX_ESYS : rc,
                         "cores: cannot find out which cores may be used");
}

void dtx_cores_free(struct dtx_cores *c)
{
    free(c->core);
    free(c->pus);
    memset(c, 0, sizeof(*c));
}

const char *dtx_cores_library(char *buf, size_t size)
{
    (void)snprintf(buf, size, "hwloc %s", HWLOC_VERSION);
    return buf;
}
