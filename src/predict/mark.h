/* SPDX-License-Identifier: MIT */
/* predict/mark.h - a program that is not the one it was
 *
 * Outcomes carry a mark of the program's file (features.h).  When it changes,
 * what a class has learned is worth less: its sums count as a few outcomes, the
 * experts are judged anew, and the interval is wider until the new program has
 * been seen to take as long or not.  What the same command took is moved by how
 * much others took longer than before.  A mark that comes back changes nothing,
 * nor do marks that change all the time, as where nodes have copies of their
 * own.  Private to predict/.
 */
#ifndef DTX_PREDICT_MARK_H
#define DTX_PREDICT_MARK_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_model;

#define DTX_MARK_SETTLED 64u /* outcomes after which a change is over */

/* Of a class. Zero-initialise. */
struct dtx_marks {
    uint32_t mark, former; /* 0: none */
    uint32_t fresh;        /* outcomes since the program changed */
    float shift;           /* by how much a command takes longer than before,
                              as a logarithm */
    float shifts;          /* outcomes it comes from */
};

/* An outcome of the program with this mark is to be learned. */
void dtx_mark_note(struct dtx_model *m, uint32_t mark);
/* What another has learned is to be added: likewise. */
void dtx_mark_merge(struct dtx_model *into, const struct dtx_model *from);
/* How many times as wide as its errors say the interval must be. */
double dtx_mark_width(const struct dtx_marks *k, uint32_t mark);
/* A command took exp(off) times as long as with the former program. */
void dtx_mark_shift(struct dtx_marks *k, double off);

#endif
