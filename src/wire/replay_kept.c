/* SPDX-License-Identifier: MIT */
/* What is known of tasks by their resume keys, from list to list; see
 * replay.h. */
#include "wire/replay_kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "task/args.h"

void dtx_kept_free(struct dtx_kept *kept)
{
    dtx_keymap_free(&kept->index);
    free(kept->row);
}

/* The key of a command in its effective directory. */
static struct dtx_key base_key(const struct dtx_tasklist *l, uint32_t i,
                               const char *cwd)
{
    const struct dtx_task *t = &l->task[i];
    const char *own = dtx_tasklist_pool(l, dtx_tasklist_attr_of(l, i)->cwd);
    struct dtx_key part[3];

    part[0] = dtx_hash128(dtx_tasklist_text(l, t), t->len, 1);
    part[1] = own && own[0] == '/' ? (struct dtx_key){0, 0}
                                   : dtx_hash128(cwd, strlen(cwd), 2);
    part[2] = own ? dtx_hash128(own, strlen(own), 2) : (struct dtx_key){0, 0};
    return dtx_hash128(part, sizeof(part), 3 + (uint64_t)t->index * 8);
}

/* The key of task i: its base key and which occurrence of it this is. */
static int full_key(const struct dtx_tasklist *l, uint32_t i, const char *cwd,
                    struct dtx_keymap *seen, struct dtx_key *out)
{
    struct dtx_key k = base_key(l, i, cwd);
    uint64_t part[3] = {k.hi, k.lo, 0};
    uint32_t n;

    if (!dtx_keymap_put(seen, k, 0, &n, NULL))
        return DTX_ENOMEM;
    dtx_keymap_set(seen, k, n + 1);
    part[2] = n;
    *out = dtx_hash128(part, sizeof(part), 4);
    return DTX_OK;
}

static int keep_one(struct dtx_kept *kept, struct dtx_key k,
                    const struct dtx_known *known)
{
    struct dtx_known *row =
        dtx_grow(kept->row, &kept->cap, kept->n + 1, sizeof(*row));
    uint32_t i;
    bool made;

    if (!row)
        return DTX_ENOMEM;
    kept->row = row;
    if (!dtx_keymap_put(&kept->index, k, (uint32_t)kept->n, &i, &made))
        return DTX_ENOMEM;
    row[i] = *known;
    if (made)
        kept->n++;
    return DTX_OK;
}

/* Keep what is known of a list's tasks; it takes the place of older news of
 * the same keys. */
static int keep(struct dtx_kept *kept, const struct dtx_tasklist *l,
                const char *cwd, const struct dtx_known *known)
{
    struct dtx_keymap seen = {NULL, NULL, 0, 0};
    struct dtx_key k;
    uint32_t i;
    int rc = DTX_OK;

    for (i = 0; i < l->ntasks && rc == DTX_OK; i++) {
        rc = full_key(l, i, cwd, &seen, &k);
        if (rc == DTX_OK && known[i].at != 0)
            rc = keep_one(kept, k, &known[i]);
    }
    dtx_keymap_free(&seen);
    return rc;
}

static int recall(const struct dtx_kept *kept, const struct dtx_tasklist *to,
                  const char *cwd, struct dtx_known *out, uint64_t *found)
{
    struct dtx_keymap seen = {NULL, NULL, 0, 0};
    uint64_t n = 0;
    uint32_t i, j;
    int rc = DTX_OK;

    memset(out, 0, to->ntasks * sizeof(*out));
    for (i = 0; i < to->ntasks && rc == DTX_OK; i++) {
        struct dtx_key k;

        rc = full_key(to, i, cwd, &seen, &k);
        if (rc == DTX_OK && dtx_keymap_get(&kept->index, k, &j)) {
            out[i] = kept->row[j];
            n++;
        }
    }
    dtx_keymap_free(&seen);
    if (found)
        *found = n;
    return rc;
}

/* The same for one task, of a list that grows. */
int dtx_kept_recall(const struct dtx_kept *kept, struct dtx_keymap *seen,
                    const struct dtx_tasklist *l, uint32_t i, const char *cwd,
                    struct dtx_known *out)
{
    struct dtx_key k;
    uint32_t j;
    int rc;

    memset(out, 0, sizeof(*out));
    if (kept->n == 0)
        return DTX_OK;
    rc = full_key(l, i, cwd, seen, &k);
    if (rc == DTX_OK && dtx_keymap_get(&kept->index, k, &j))
        *out = kept->row[j];
    return rc;
}

int dtx_replay_carrier(struct dtx_replay *r, struct dtx_carrier *c)
{
    int rc = r->has_list ? keep(&r->kept, &r->list, r->cwd, r->known) : DTX_OK;

    memset(c, 0, sizeof(*c));
    c->kept = r->kept;
    memset(&r->kept, 0, sizeof(r->kept));
    return rc;
}

void dtx_carrier_fini(struct dtx_carrier *c)
{
    dtx_kept_free(&c->kept);
    dtx_keymap_free(&c->seen);
    memset(c, 0, sizeof(*c));
}

int dtx_carrier_task(struct dtx_carrier *c, const struct dtx_tasklist *l,
                     uint32_t i, const char *cwd, struct dtx_known *out)
{
    return dtx_kept_recall(&c->kept, &c->seen, l, i, cwd, out);
}

int dtx_replay_recall(struct dtx_replay *r, const struct dtx_tasklist *to,
                      const char *to_cwd, struct dtx_known *out,
                      uint64_t *found)
{
    int rc = r->has_list ? keep(&r->kept, &r->list, r->cwd, r->known) : DTX_OK;

    return rc ? rc : recall(&r->kept, to, to_cwd, out, found);
}
