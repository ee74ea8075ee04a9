/* SPDX-License-Identifier: MIT */
/* The store of the simulator: what has been handed over while a group was
 * being written makes the next group.  When the job crashes, of what was not
 * answered a prefix is in the journal all the same. */
#include "sim/sim_state.h"

static void begin_group(struct dtx_sim *s)
{
    if (s->writing > 0 || s->answered == s->njournal)
        return;
    s->writing = s->njournal - s->answered;
    (void)dtx_sim_post(
        s,
        s->now_ns +
            dtx_sim_spread(s, s->c.store_delay_ns, s->c.store_spread_ns),
        DTX_SIM_STORED, DTX_SIM_MASTER, (uint32_t)s->writing);
}

void dtx_sim_store_record(struct dtx_sim *s, const struct dtx_action *a,
                          const void *data)
{
    struct dtx_sim_record *p;
    struct dtx_item_outcome item;
    struct dtx_rec rec;

    if (s->c.unchecked) {
        s->njournal++;
        begin_group(s);
        return;
    }
    p = dtx_grow(s->journal, &s->cap_journal, s->njournal + 1, sizeof(*p));
    if (!p) {
        s->nomem = true;
        return;
    }
    s->journal = p;
    p += s->njournal;
    if (dtx_rec_decode(data, a->len, &rec) || rec.kind != DTX_REC_OUTCOME ||
        rec.u.outcome.epoch != s->c.master.epoch ||
        dtx_item_outcome_next(&rec.items, &item) != 1 ||
        !dtx_cursor_done(&rec.items) ||
        dtx_outcome_from_item(&item, &p->outcome) ||
        a->u.record.number != s->njournal + 1 ||
        a->u.record.task != item.task) {
        dtx_sim_break(s, "a bad record is handed to the store");
        return;
    }
    p->final = rec.u.outcome.final != 0;
    s->njournal++;
    dtx_sim_check_record(s, p);
    begin_group(s);
}

uint64_t dtx_sim_store_done(struct dtx_sim *s, uint32_t group)
{
    uint32_t i;

    for (i = 0; i < group && !s->c.unchecked; i++)
        dtx_sim_check_durable(s, &s->journal[s->answered + i]);
    s->answered += group;
    s->writing = 0;
    begin_group(s);
    return s->answered;
}

void dtx_sim_store_crash(struct dtx_sim *s)
{
    uint64_t open = s->njournal - s->answered;

    if (open > 0)
        s->njournal = s->answered + (size_t)dtx_rng_below(&s->rng, open + 1);
}
