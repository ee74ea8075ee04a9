/* SPDX-License-Identifier: MIT */
/* Nearest words by edit distance; see near.h.  It never corrects anything:
 * the caller only says what it found. */
#include "base/near.h"

#include <stdbool.h>
#include <string.h>

#define MAX_WORD 32u

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions and exchanges that lead from 'a' to 'b', each at most
 * MAX_WORD long. */
static size_t count_edits(const char *a, size_t na, const char *b, size_t nb)
{
    size_t row[MAX_WORD + 1], i, j;

    for (j = 0; j <= nb; j++)
        row[j] = j;
    for (i = 1; i <= na; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (j = 1; j <= nb; j++) {
            size_t exchanged = corner + (lower(a[i - 1]) != lower(b[j - 1]));

            corner = row[j];
            row[j] = least(exchanged, 1 + least(row[j], row[j - 1]));
        }
    }
    return row[nb];
}

/* Are the first 'len' letters of both the same? */
static bool begins(const char *known, const char *word, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (lower(known[i]) != lower(word[i]))
            return false;
    }
    return true;
}

void dtx_near_init(struct dtx_near *s, const char *word, size_t len)
{
    s->word = word;
    s->len = len;
    s->best = NULL;
    s->distance = 1 + len / 3; /* as far away is no slip */
}

void dtx_near_offer(struct dtx_near *s, const char *known)
{
    size_t n = strlen(known), distance;

    if (s->len == 0 || s->len > MAX_WORD || n > MAX_WORD)
        return;
    if (n > s->len && begins(known, s->word, s->len))
        distance = 0;
    else
        distance = count_edits(s->word, s->len, known, n);
    if (distance < s->distance) {
        s->best = known;
        s->distance = distance;
    }
}
