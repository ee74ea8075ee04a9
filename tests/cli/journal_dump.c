/* SPDX-License-Identifier: MIT */
/* journal_dump JOURNAL - a journal's records as lines of text
 *
 * For the tests of resuming: what is recorded is read by the library's own
 * reader, without a program that might change anything.  Ends with 1 when the
 * file cannot be read.
 *
 *     session EPOCH RANKS
 *     list TASKS
 *     task ID final|again STATUS ATTEMPT RANK EPOCH
 *     end STATUS
 *     damaged AT BYTES
 *     torn BYTES
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "store/journal.h"
#include "task/outcome.h"
#include "task/task.h"
#include "wire/wire.h"

static void print_outcome(struct dtx_rec *rec)
{
    struct dtx_item_outcome item;
    struct dtx_outcome o;

    while (dtx_item_outcome_next(&rec->items, &item) == 1) {
        if (dtx_outcome_from_item(&item, &o) != DTX_OK) {
            puts("bad outcome");
            continue;
        }
        printf("task %" PRIu64 " %s %s %" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
               dtx_task_id(o.task), rec->u.outcome.final ? "final" : "again",
               dtx_status_name((enum dtx_status)o.status), o.attempt, o.rank,
               rec->u.outcome.epoch);
    }
}

static int print_record(void *ctx, const void *payload, size_t len, uint64_t at,
                        struct dtx_error *err)
{
    struct dtx_rec rec;

    (void)ctx;
    if (!payload) {
        printf("damaged %" PRIu64 " %zu\n", at, len);
        return DTX_OK;
    }
    if (dtx_rec_decode(payload, len, &rec) != DTX_OK)
        return dtx_error_set(err, DTX_ECORRUPT, "a record that is not ours");
    if (rec.kind == DTX_REC_SESSION)
        printf("session %" PRIu32 " %" PRIu32 "\n", rec.u.session.epoch,
               rec.u.session.ranks);
    else if (rec.kind == DTX_REC_LISTED)
        printf("list %" PRIu32 "\n", rec.u.listed.tasks);
    else if (rec.kind == DTX_REC_OUTCOME)
        print_outcome(&rec);
    else if (rec.kind == DTX_REC_END)
        printf("end %" PRIu32 "\n", rec.u.end.status);
    return DTX_OK;
}

int main(int argc, char **argv)
{
    struct dtx_error err = {0, ""};
    uint64_t torn = 0;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: journal_dump JOURNAL\n");
        return 2;
    }
    if (dtx_journal_read(argv[1], print_record, NULL, &torn, &err) != DTX_OK) {
        (void)fprintf(stderr, "journal_dump: %s\n", err.text);
        return 1;
    }
    if (torn > 0)
        printf("torn %" PRIu64 "\n", torn);
    return fflush(stdout) == 0 ? 0 : 1;
}
