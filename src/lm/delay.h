/* SPDX-License-Identifier: MIT */
/* The delay grid. With C audio channels the codebooks of one level are neighbours (left 0, right 0,
 * left 1, right 1, ...) and share a delay: codebook k holds frame t in column t + 1 + k / C; column
 * 0 and every other cell hold the special token. A piece of T frames has T + K / C columns; the
 * logits at column s predict column s + 1. */
#ifndef SMITIN_LM_DELAY_H
#define SMITIN_LM_DELAY_H

#include <stdint.h>

typedef struct sm_delay {
    int codebooks;   /* K */
    int channels;    /* C: 1, or 2 = stereo; divides K */
    int frames;      /* T */
    int columns;     /* S = T + K / C */
    int32_t special; /* V */
    int prompt;      /* P frames given; cells of later frames are to be made */
    int32_t *cells;  /* [S, K], column-major in time: the K tokens of a column are neighbours; -1 =
                        unknown */
} sm_delay;

/* Number of columns for T frames and K codebooks of C channels together. */
int sm_delay_columns(int frames, int codebooks, int channels);

/* Lay out an empty grid over caller-owned `cells` [S, K]. */
void sm_delay_init(sm_delay *grid, int frames, int codebooks, int channels, int32_t special,
                   int32_t *cells);
/* Place prompt codes [K, frames] (row stride `stride`), frames <= T. */
void sm_delay_prompt(sm_delay *grid, const int32_t *codes, int frames, int stride);
/* The first column to be made: P + 1. */
int sm_delay_first(const sm_delay *grid);
/* The frame whose code of codebook k stands in `column`; outside 0..T-1 it is the special token. */
int sm_delay_frame(const sm_delay *grid, int column, int k);
/* The grid that begins `shift` frames later, as a grid of its own: the cell of a column, of which
 * at most the frames before T - shift are looked at. */
int32_t sm_delay_ahead(const sm_delay *grid, int shift, int column, int k);
/* Become that grid, of `frames` frames: those before `keep` keep what was made of them, which may
 * be less in later codebooks; the others are to be made. shift > 0, keep <= T - shift, frames <= T.
 */
void sm_delay_advance(sm_delay *grid, int shift, int keep, int frames);
/* Write made tokens [K] into `column` where the grid is unknown. */
void sm_delay_write(sm_delay *grid, int column, const int32_t *tokens);
/* Whether cell (column, k) is to be made. */
int sm_delay_unknown(const sm_delay *grid, int column, int k);
/* Frames complete once `columns` columns are filled. */
int sm_delay_complete(const sm_delay *grid, int columns);
/* Undo the delay for the first `frames` frames: codes [K, stride]. */
void sm_delay_revert(const sm_delay *grid, int frames, int32_t *codes, int stride);
/* The same for frames first..first+frames-1. */
void sm_delay_revert_from(const sm_delay *grid, int first, int frames, int32_t *codes, int stride);

#endif
