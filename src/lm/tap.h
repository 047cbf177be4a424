/* SPDX-License-Identifier: MIT */
/* The tap: the one seam through which head outputs are read or changed. The language model knows
 * nothing of knobs. At each layer it offers the self-attention head outputs z, before the output
 * projection, to every tap that asked for that layer. Nobody asked: no cost, same bits. */
#ifndef SMITIN_LM_TAP_H
#define SMITIN_LM_TAP_H

#include <stdbool.h>
#include <stddef.h>

/* Where a forward pass stands. */
typedef struct sm_tap_site {
    int layer;
    int column;  /* of the first of the columns in this pass */
    int columns; /* T: columns in this pass */
    int rows;    /* R */
} sm_tap_site;

typedef struct sm_tap {
    void *user;
    /* Whether this tap wants `visit` for `site`. NULL: never. */
    bool (*wants)(void *user, const sm_tap_site *site);
    /* z [R, T, H, D]: read it, or add to it. Called from the thread that runs the pass. */
    void (*visit)(void *user, const sm_tap_site *site, float *z);
    /* The fast path for a constant direction: a displacement [d] of the attention output of row
     * `row` and column `column` after the projection, W_O applied already; *gain scales it. NULL
     * (or returning NULL): none. Equal to adding to z up to rounding. */
    const float *(*push)(void *user, int layer, int row, int column, float *gain);
} sm_tap;

#endif
