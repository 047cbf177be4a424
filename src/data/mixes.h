/* SPDX-License-Identifier: MIT */
/* Mixes of some of a track's stems: clips of which several instruments each are there or not.
 * Internal to this room. */
#ifndef SMITIN_DATA_MIXES_H
#define SMITIN_DATA_MIXES_H

#include "collection_plan.h"
#include "layout.h"

enum { SM_MIX_KINDS = 16 };

/* Read the tracks below `root` into entries->notes, with the kinds of stems in `targets` (","
 * between them; each may join several with "+"), and plan 2 * pairs clips. A clip is a window of
 * one track in which every kind that sounds over all of it is left in with probability 1/2, at
 * least one; kinds that sound only in a part are left out, stems of no kind are always in. Windows
 * follow each other without overlap; every one is used once. */
smitin_status sm_mixes_plan(sm_collection_plan *plan, sm_entries *entries, const char *layout,
                            const char *root, const char *targets,
                            const sm_dataset_options *options, const sm_layout **found,
                            smitin_error *error);
/* Add one to samples [frames, channels]. */
smitin_status sm_mix_add(const sm_entries *entries, const sm_planned *planned, int channels,
                         int rate, float *samples, size_t frames, smitin_error *error);

#endif
