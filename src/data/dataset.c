/* SPDX-License-Identifier: MIT */
/* Owns a dataset: the tracks found, the clips chosen, and making a clip's samples. */
#include "dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "deal.h"
#include "layout.h"

struct sm_dataset {
    sm_library library;
    sm_deal deal;
    int sample_rate, channels;
    size_t clip_frames;
    const sm_layout *layout; /* NULL: the user's own audio */
    char summary[256];
};

smitin_status sm_dataset_check(const sm_dataset_options *options, smitin_error *error)
{
    if (!(options->seconds >= 0.1 && options->seconds <= 60.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a clip is between 0.1 and 60 s long, not %g s", options->seconds);
    if (options->sample_rate < SM_AUDIO_RATE_MIN || options->sample_rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "cannot make clips at %d Hz",
                       options->sample_rate);
    if (options->channels < 1 || options->channels > 2)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "clips have 1 or 2 channels, not %d",
                       options->channels);
    if (options->pairs < 2 || options->pairs > 1000000)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a dataset has 2 to 1000000 pairs of clips, not %d", options->pairs);
    if (!(options->test_share > 0.0 && options->test_share < 1.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the share held out for testing lies between 0 and 1, not at %g",
                       options->test_share);
    if (options->recipe != SM_RECIPE_RANDOM && options->recipe != SM_RECIPE_PAIRED)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a dataset's recipe is random or paired");
    return SMITIN_OK;
}

static smitin_status dataset_new(sm_dataset **out, const sm_dataset_options *options,
                                 smitin_error *error)
{
    *out = NULL;
    SM_TRY(sm_dataset_check(options, error));
    sm_dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL) return sm_fail_memory(error, "a dataset", sizeof *dataset);
    smitin_status status = sm_library_init(&dataset->library, error);
    if (status != SMITIN_OK) {
        free(dataset);
        return status;
    }
    dataset->sample_rate = options->sample_rate;
    dataset->channels = options->channels;
    dataset->clip_frames = (size_t)lround(options->seconds * options->sample_rate);
    dataset->deal.length = (int)ceil(options->seconds * SM_BLOCKS_PER_SECOND - 1e-9);
    dataset->deal.test_share = options->test_share;
    dataset->deal.pairs = options->pairs;
    dataset->deal.seed = options->seed;
    *out = dataset;
    return SMITIN_OK;
}

/* Listen, choose and sum up; on failure the dataset is freed and *out NULL. */
static smitin_status finish(sm_dataset **out, smitin_status status, const char *recipe,
                            const sm_dataset_options *options, smitin_error *error)
{
    sm_dataset *dataset = *out;
    if (status == SMITIN_OK) status = sm_library_listen(&dataset->library, error);
    if (status == SMITIN_OK && dataset->library.count == 0)
        status =
            sm_fail(error, SMITIN_ERROR_ARGUMENT, "not one audio file can be used; the first: %s",
                    dataset->library.notes_count > 0 ? dataset->library.notes[0] : "none found");
    if (status == SMITIN_OK) status = sm_deal_clips(&dataset->deal, &dataset->library, error);
    if (status != SMITIN_OK) {
        sm_dataset_free(dataset);
        *out = NULL;
        return status;
    }
    size_t test = 0;
    for (size_t i = 0; i < dataset->deal.clips_count; i++) test += dataset->deal.clips[i].test;
    snprintf(dataset->summary, sizeof dataset->summary,
             "%zu tracks, %zu clips of %g s (%zu train, %zu test), recipe %s, seed %llu",
             dataset->library.count, dataset->deal.clips_count, options->seconds,
             dataset->deal.clips_count - test, test, recipe, (unsigned long long)options->seed);
    return SMITIN_OK;
}

/* Names of the stems there are, for the message that one is missing. */
static void list_stems(const sm_library *library, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < library->count; i++)
        for (int j = 0; j < library->tracks[i].count; j++) {
            const char *slash = strrchr(library->tracks[i].stems[j].path, '/');
            const char *name = slash == NULL ? library->tracks[i].stems[j].path : slash + 1;
            char word[64];
            snprintf(word, sizeof word, " %.*s,", (int)strcspn(name, "."), name);
            if (strstr(out, word) != NULL || length + strlen(word) + 1 > size) continue;
            length += (size_t)snprintf(out + length, size - length, "%s", word);
        }
    if (length > 0) out[length - 1] = '\0';
}

static smitin_status check_target(const sm_library *library, const char *root, const char *target,
                                  smitin_error *error)
{
    for (size_t i = 0; i < library->count; i++)
        for (int j = 0; j < library->tracks[i].count; j++)
            if (library->tracks[i].stems[j].target) return SMITIN_OK;
    char names[400];
    list_stems(library, names, sizeof names);
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "no track below '%s' has a stem called '%s'; there are:%s", root, target, names);
}

smitin_status sm_dataset_open_stems(sm_dataset **out, const char *root, const char *target,
                                    const sm_dataset_options *options, smitin_error *error)
{
    SM_TRY(dataset_new(out, options, error));
    sm_dataset *dataset = *out;
    bool paired = options->recipe == SM_RECIPE_PAIRED;
    dataset->deal.kind = paired ? SM_DEAL_PAIRED : SM_DEAL_RANDOM;
    smitin_status status = sm_library_add_stems(&dataset->library, root, target, error);
    if (status == SMITIN_OK) status = check_target(&dataset->library, root, target, error);
    return finish(out, status, paired ? "paired" : "random", options, error);
}

smitin_status sm_dataset_open_layout(sm_dataset **out, const char *layout, const char *root,
                                     const char *target, const sm_dataset_options *options,
                                     smitin_error *error)
{
    *out = NULL;
    const sm_layout *found;
    SM_TRY(sm_layout_find(layout, root, &found, error));
    if (found == NULL) return sm_dataset_open_stems(out, root, target, options, error);
    SM_TRY(dataset_new(out, options, error));
    sm_dataset *dataset = *out;
    const bool paired = options->recipe == SM_RECIPE_PAIRED;
    dataset->layout = found;
    dataset->deal.kind = paired ? SM_DEAL_PAIRED : SM_DEAL_RANDOM;
    smitin_status status = sm_layout_add(found, &dataset->library, root, target, error);
    if (status == SMITIN_OK && found->check == NULL)
        status = check_target(&dataset->library, root, target, error);
    return finish(out, status, paired ? "paired" : "random", options, error);
}

smitin_status sm_dataset_open_labels(sm_dataset **out, const char *table, const char *audio,
                                     const char *trait, const sm_dataset_options *options,
                                     smitin_error *error)
{
    SM_TRY(dataset_new(out, options, error));
    sm_dataset *dataset = *out;
    dataset->deal.kind = SM_DEAL_FOLDERS;
    const smitin_status status =
        sm_library_add_labels(&dataset->library, table, audio, trait, error);
    return finish(out, status, "labels", options, error);
}

const char *sm_dataset_licence(const sm_dataset *dataset)
{
    return dataset->layout != NULL ? dataset->layout->licence : NULL;
}

smitin_status sm_dataset_open_folders(sm_dataset **out, const char *with, const char *without,
                                      const sm_dataset_options *options, smitin_error *error)
{
    SM_TRY(dataset_new(out, options, error));
    sm_dataset *dataset = *out;
    dataset->deal.kind = SM_DEAL_FOLDERS;
    smitin_status status = sm_library_add_files(&dataset->library, with, true, error);
    if (status == SMITIN_OK)
        status = sm_library_add_files(&dataset->library, without, false, error);
    return finish(out, status, "folders", options, error);
}

void sm_dataset_free(sm_dataset *dataset)
{
    if (dataset == NULL) return;
    sm_library_free(&dataset->library);
    free(dataset);
}

size_t sm_dataset_count(const sm_dataset *dataset)
{
    return dataset->deal.clips_count;
}

size_t sm_dataset_clip_samples(const sm_dataset *dataset)
{
    return dataset->clip_frames * (size_t)dataset->channels;
}

bool sm_dataset_label(const sm_dataset *dataset, size_t clip)
{
    return dataset->deal.clips[clip].label;
}

bool sm_dataset_is_test(const sm_dataset *dataset, size_t clip)
{
    return dataset->deal.clips[clip].test;
}

const char *sm_dataset_track(const sm_dataset *dataset, size_t clip)
{
    return dataset->library.tracks[dataset->deal.clips[clip].background].name;
}

double sm_dataset_start(const sm_dataset *dataset, size_t clip)
{
    return (double)dataset->deal.clips[clip].background_start / SM_BLOCKS_PER_SECOND;
}

/* Add the stems of a track that are, or are not, the target. */
static smitin_status add_stems(const sm_dataset *dataset, long track, int start, bool target,
                               float *samples, smitin_error *error)
{
    const sm_track *from = &dataset->library.tracks[track];
    for (int j = 0; j < from->count; j++)
        if (from->stems[j].target == target)
            SM_TRY(sm_stem_add(&from->stems[j], start, dataset->channels, dataset->sample_rate,
                               samples, dataset->clip_frames, error));
    return SMITIN_OK;
}

smitin_status sm_dataset_clip(sm_dataset *dataset, size_t clip, float *samples, smitin_error *error)
{
    const sm_clip_plan *plan = &dataset->deal.clips[clip];
    memset(samples, 0, sm_dataset_clip_samples(dataset) * sizeof *samples);
    SM_TRY(add_stems(dataset, plan->background, plan->background_start, false, samples, error));
    if (plan->with_target)
        SM_TRY(add_stems(dataset, plan->background, plan->background_start, true, samples, error));
    if (plan->target >= 0)
        SM_TRY(add_stems(dataset, plan->target, plan->target_start, true, samples, error));
    return SMITIN_OK;
}

const char *sm_dataset_note(const sm_dataset *dataset, size_t n)
{
    return n < dataset->library.notes_count ? dataset->library.notes[n] : NULL;
}

const char *sm_dataset_summary(const sm_dataset *dataset)
{
    return dataset->summary;
}
