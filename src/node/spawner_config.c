/* SPDX-License-Identifier: MIT */
/* Packs and unpacks a configuration; see spawner_config.h.  It checks nothing
 * about the values: the rank has done so. */
#include "node/spawner_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "task/machine.h"

/* The bytes: this; nnumas rows, whose pointers mean nothing; nslots numbers of
 * units and the units; nslots places (both only where there are any); the units
 * of the NUMA nodes; then the strings. */
struct packed {
    struct dtx_spawner_config c; /* its pointers mean nothing */
    size_t nenv;
};

static size_t count_strings(char *const *v)
{
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

static void append_string(struct dtx_buf *b, const char *s)
{
    dtx_buf_append(b, s, strlen(s) + 1);
}

static void append_slots(struct dtx_buf *b, const struct dtx_spawner_config *c)
{
    uint32_t i;

    if (!c->slots)
        return;
    for (i = 0; i < c->nslots; i++)
        dtx_buf_append(b, &c->slots[i].npus, sizeof(c->slots[i].npus));
    for (i = 0; i < c->nslots; i++)
        dtx_buf_append(b, c->slots[i].pus,
                       c->slots[i].npus * sizeof(*c->slots[i].pus));
}

void dtx_config_encode(struct dtx_buf *b, const struct dtx_spawner_config *c,
                       const char *tmp_dir)
{
    struct packed p;
    size_t i;

    memset(&p, 0, sizeof(p));
    p.c = *c;
    p.c.nnumas = c->numas ? c->nnumas : 0;
    p.nenv = count_strings(c->env);
    dtx_buf_append(b, &p, sizeof(p));
    for (i = 0; i < p.c.nnumas; i++)
        dtx_buf_append(b, &c->numas[i], sizeof(c->numas[i]));
    append_slots(b, c);
    if (c->places)
        dtx_buf_append(b, c->places, c->nslots * sizeof(*c->places));
    for (i = 0; i < p.c.nnumas; i++)
        dtx_buf_append(b, c->numas[i].cpus.pus,
                       c->numas[i].cpus.npus * sizeof(*c->numas[i].cpus.pus));
    append_string(b, c->shell);
    append_string(b, c->cwd);
    append_string(b, c->run_dir);
    append_string(b, tmp_dir);
    append_string(b, c->memory_root ? c->memory_root : "");
    for (i = 0; i < p.nenv; i++)
        append_string(b, c->env[i]);
}

static const char *take_string(const char **at)
{
    const char *s = *at;

    *at += strlen(s) + 1;
    return s;
}

/* Where the parts of the one allocation begin. */
struct unpacked {
    struct dtx_spawner_config c;
    char **env;
    struct dtx_slot_cpus *slots;
    char *bytes;
};

static struct unpacked *make_room(const struct packed *p, size_t len)
{
    size_t env = (p->nenv + 1) * sizeof(char *);
    size_t slots = p->c.nslots * sizeof(struct dtx_slot_cpus);
    struct unpacked *u = malloc(sizeof(*u) + env + slots + len);

    if (!u)
        return NULL;
    u->env = (char **)(void *)(u + 1);
    u->slots = (struct dtx_slot_cpus *)(void *)(u->env + p->nenv + 1);
    u->bytes = (char *)(void *)(u->slots + p->c.nslots);
    return u;
}

/* Point the slots' rows at the units behind them; returns what follows. */
static const char *take_slots(struct unpacked *u, const struct packed *p,
                              const char *at)
{
    const uint32_t *npus = (const uint32_t *)(const void *)at;
    const uint32_t *pu = npus + p->c.nslots;
    uint32_t i;

    if (!p->c.slots)
        return at;
    for (i = 0; i < p->c.nslots; i++) {
        u->slots[i].npus = npus[i];
        u->slots[i].pus = pu;
        pu += npus[i];
    }
    u->c.slots = u->slots;
    return (const char *)pu;
}

/* The same for places, which need no pointing. */
static const char *take_places(struct unpacked *u, const struct packed *p,
                               const char *at)
{
    if (!p->c.places)
        return at;
    u->c.places = (const struct dtx_locus *)(const void *)at;
    return at + p->c.nslots * sizeof(*u->c.places);
}

/* The same for the units of NUMA nodes, whose rows stand at the beginning. */
static const char *take_numas(struct unpacked *u, const char *at)
{
    struct dtx_slot_numa *row = (struct dtx_slot_numa *)(void *)u->bytes;
    uint32_t i;

    for (i = 0; i < u->c.nnumas; i++) {
        row[i].cpus.pus = (const uint32_t *)(const void *)at;
        at += row[i].cpus.npus * sizeof(*row[i].cpus.pus);
    }
    u->c.numas = u->c.nnumas > 0 ? row : NULL;
    return at;
}

struct dtx_spawner_config *dtx_config_decode(const void *data, size_t len)
{
    struct packed p;
    struct unpacked *u;
    const char *at;
    size_t i;

    memcpy(&p, data, sizeof(p));
    u = make_room(&p, len);
    if (!u)
        return NULL;
    memcpy(u->bytes, (const char *)data + sizeof(p), len - sizeof(p));
    u->c = p.c;
    at = u->bytes + p.c.nnumas * sizeof(*p.c.numas);
    at = take_places(u, &p, take_slots(u, &p, at));
    at = take_numas(u, at);
    u->c.shell = take_string(&at);
    u->c.cwd = take_string(&at);
    u->c.run_dir = take_string(&at);
    u->c.tmp_dir = take_string(&at);
    u->c.memory_root = take_string(&at);
    for (i = 0; i < p.nenv; i++) {
        u->env[i] = (char *)(uintptr_t)at;
        at += strlen(at) + 1;
    }
    u->env[p.nenv] = NULL;
    u->c.env = u->env;
    return &u->c; /* the first member: free() takes either */
}
