/* SPDX-License-Identifier: MIT */
/* Clips with and without a trait, cut from the user's audio. Clips are made on demand,
 * deterministically by seed, at the asked rate, mono or stereo; splits are by track, never by clip.
 */
#ifndef SMITIN_DATA_DATASET_H
#define SMITIN_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>
#include "../base/error.h"

typedef enum sm_recipe {
    /* Negatives: mixtures without the target; positives: such a mixture plus a target stem from
     * anywhere; silence trimmed from both pools (default). */
    SM_RECIPE_RANDOM = 0,
    /* A full mixture against the same mixture minus the target, where the target sounds. */
    SM_RECIPE_PAIRED,
} sm_recipe;

typedef struct sm_dataset_options {
    sm_recipe recipe;
    double seconds;  /* of a clip, 3 */
    int sample_rate; /* Hz */
    int channels;    /* 1, or 2: a mono file is then in both */
    int pairs; /* positives = negatives = pairs over both splits, 500; fewer where the audio holds
                * fewer different ones, which a note says */
    double test_share; /* share of tracks held out, 0.2 */
    uint64_t seed;
} sm_dataset_options;

/* That they can be met. */
smitin_status sm_dataset_check(const sm_dataset_options *options, smitin_error *error);

typedef struct sm_dataset sm_dataset;

/* What counts as sound: 100-ms blocks above -60 dBFS; silences of up to 0.4 s between two of them
 * are part of the music. A clip's trait fills at least 90 % of its blocks, over the whole clip and
 * over its last second (where probes read), and so does what else sounds in it. Levels are left as
 * they are; sums may exceed 1.
 *
 * With five or more tracks of a kind whole tracks are held out. With fewer, each is split in time,
 * the end held out behind a gap of one clip; a note says so. */

/* A folder of tracks, each a folder of stems (drums.wav, bass.wav, ...; any format the audio room
 * reads), at any depth. The target is the stem's file name without suffix, compared without case.
 * "mixture" and "mix" files are not stems. Rates, channels and lengths may differ. Broken files are
 * skipped and reported through the notes below. SMITIN_ERROR_ARGUMENT, saying what is missing, when
 * no usable clips are left in either split. */
smitin_status sm_dataset_open_stems(sm_dataset **dataset, const char *root, const char *target,
                                    const sm_dataset_options *options, smitin_error *error);
/* A data set as it lies on disk: `layout` is "musdb18hq", "moisesdb" or "slakh"; "auto" looks which
 * one it is and falls back to sm_dataset_open_stems. The target is an instrument, or several joined
 * by "+". Its own split is used where there is one, for MoisesDB one by artist; a note says which.
 * What is missing, broken or left out on purpose is noted file by file. */
smitin_status sm_dataset_open_layout(sm_dataset **dataset, const char *layout, const char *root,
                                     const char *target, const sm_dataset_options *options,
                                     smitin_error *error);
/* A CSV table: columns path (below `audio`), labels (separated by ";" or "|"), and if it likes
 * split (train, valid, test) and artist. Files with the label `trait` against those without. */
smitin_status sm_dataset_open_labels(sm_dataset **dataset, const char *table, const char *audio,
                                     const char *trait, const sm_dataset_options *options,
                                     smitin_error *error);
/* Licence of the data set; NULL when it is the user's own audio. */
const char *sm_dataset_licence(const sm_dataset *dataset);
/* Two folders of audio files, with and without the trait; searched recursively; each file is a
 * track. */
smitin_status sm_dataset_open_folders(sm_dataset **dataset, const char *with, const char *without,
                                      const sm_dataset_options *options, smitin_error *error);
void sm_dataset_free(sm_dataset *dataset); /* NULL is allowed */

size_t sm_dataset_count(const sm_dataset *dataset);        /* clips N */
size_t sm_dataset_clip_samples(const sm_dataset *dataset); /* of a clip, all channels together */
bool sm_dataset_label(const sm_dataset *dataset, size_t clip);
bool sm_dataset_is_test(const sm_dataset *dataset, size_t clip);
/* Name of the track the clip's background comes from. */
const char *sm_dataset_track(const sm_dataset *dataset, size_t clip);
/* Seconds into that track. */
double sm_dataset_start(const sm_dataset *dataset, size_t clip);
/* Fill samples [clip_samples], interleaved. */
smitin_status sm_dataset_clip(sm_dataset *dataset, size_t clip, float *samples,
                              smitin_error *error);

/* What was skipped and why, one line each; n counts from 0; NULL past the end. */
const char *sm_dataset_note(const sm_dataset *dataset, size_t n);
/* One line: "12 tracks, 400 clips of 3 s (320 train, 80 test), recipe random, seed 1". */
const char *sm_dataset_summary(const sm_dataset *dataset);

#endif
