/* SPDX-License-Identifier: MIT */
/* The delay grid: where each code of each codebook stands in the sequence the decoder sees. Owns no
 * memory. */
#include "delay.h"

#include <stddef.h>

static int32_t *cell(const sm_delay *grid, int column, int k)
{
    return grid->cells + (size_t)column * (size_t)grid->codebooks + (size_t)k;
}

/* The column of codebook k's frame 0. */
static int first_column(const sm_delay *grid, int k)
{
    return 1 + k / grid->channels;
}

int sm_delay_columns(int frames, int codebooks, int channels)
{
    return frames + codebooks / channels;
}

void sm_delay_init(sm_delay *grid, int frames, int codebooks, int channels, int32_t special,
                   int32_t *cells)
{
    grid->codebooks = codebooks;
    grid->channels = channels;
    grid->frames = frames;
    grid->columns = sm_delay_columns(frames, codebooks, channels);
    grid->special = special;
    grid->prompt = 0;
    grid->cells = cells;
    for (int column = 0; column < grid->columns; column++) {
        for (int k = 0; k < codebooks; k++) {
            int frame = column - first_column(grid, k);
            *cell(grid, column, k) = frame >= 0 && frame < frames ? -1 : special;
        }
    }
}

void sm_delay_prompt(sm_delay *grid, const int32_t *codes, int frames, int stride)
{
    for (int k = 0; k < grid->codebooks; k++) {
        const int32_t *row = codes + (size_t)k * (size_t)stride;
        for (int t = 0; t < frames; t++) *cell(grid, t + first_column(grid, k), k) = row[t];
    }
    grid->prompt = frames;
}

int sm_delay_first(const sm_delay *grid)
{
    return grid->prompt + 1;
}

int sm_delay_frame(const sm_delay *grid, int column, int k)
{
    return column - first_column(grid, k);
}

int32_t sm_delay_ahead(const sm_delay *grid, int shift, int column, int k)
{
    if (sm_delay_frame(grid, column, k) < 0) return grid->special;
    return *cell(grid, column + shift, k);
}

void sm_delay_advance(sm_delay *grid, int shift, int keep, int frames)
{
    const int columns = sm_delay_columns(frames, grid->codebooks, grid->channels);
    for (int column = 0; column < columns; column++) { /* from columns that come later */
        for (int k = 0; k < grid->codebooks; k++) {
            const int frame = sm_delay_frame(grid, column, k);
            int32_t value = -1;
            if (frame < keep)
                value = sm_delay_ahead(grid, shift, column, k);
            else if (frame >= frames)
                value = grid->special;
            *cell(grid, column, k) = value;
        }
    }
    grid->frames = frames;
    grid->columns = columns;
    grid->prompt = keep;
}

int sm_delay_unknown(const sm_delay *grid, int column, int k)
{
    return *cell(grid, column, k) < 0;
}

void sm_delay_write(sm_delay *grid, int column, const int32_t *tokens)
{
    for (int k = 0; k < grid->codebooks; k++) {
        if (sm_delay_unknown(grid, column, k)) *cell(grid, column, k) = tokens[k];
    }
}

int sm_delay_complete(const sm_delay *grid, int columns)
{
    /* Frame t is complete once its last codebook, in column t + K / C, is filled. */
    int frames = columns - first_column(grid, grid->codebooks - 1);
    if (frames < 0) return 0;
    return frames < grid->frames ? frames : grid->frames;
}

void sm_delay_revert_from(const sm_delay *grid, int first, int frames, int32_t *codes, int stride)
{
    for (int k = 0; k < grid->codebooks; k++) {
        int32_t *row = codes + (size_t)k * (size_t)stride;
        const int column = first + first_column(grid, k);
        for (int t = 0; t < frames; t++) row[t] = *cell(grid, column + t, k);
    }
}

void sm_delay_revert(const sm_delay *grid, int frames, int32_t *codes, int stride)
{
    sm_delay_revert_from(grid, 0, frames, codes, stride);
}
