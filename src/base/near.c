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

/* Insertions, deletions, exchanges and swaps of neighbours that lead from 'a'
 * to 'b', each at most MAX_WORD long. */
static size_t count_edits(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][MAX_WORD + 1], *before = rows[0], *last = rows[1],
           *row = rows[2], *spare, i, j;

    for (j = 0; j <= nb; j++)
        last[j] = j;
    for (i = 1; i <= na; i++) {
        row[0] = i;
        for (j = 1; j <= nb; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);

            row[j] = least(last[j - 1] + !same,
                           1 + least(last[j], row[j - 1]));
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[nb];
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
