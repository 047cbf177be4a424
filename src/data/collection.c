/* SPDX-License-Identifier: MIT */
/* Owns a collection: its clips and their samples. */
#include "collection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "collection_plan.h"
#include "mixes.h"

/* Codecs and headers disagree about the last moments of a file. */
#define SHORT_SECONDS 0.02

static const sm_annotations *const sets[] = {
    &sm_annotations_table,    &sm_annotations_folders,    &sm_annotations_magnatagatune,
    &sm_annotations_gtzan,    &sm_annotations_giantsteps, &sm_annotations_emomusic,
    &sm_annotations_musiccaps};
enum { SETS = sizeof sets / sizeof *sets };
const char *const sm_collection_sets[] = {"table",      "folders",  "magnatagatune", "gtzan",
                                          "giantsteps", "emomusic", "musiccaps",     NULL};

struct sm_collection {
    sm_entries entries;
    sm_collection_plan plan;
    sm_dataset *dataset;       /* NULL: clips are cut from files */
    const sm_annotations *set; /* NULL: pairs or mixes */
    const sm_layout *layout;   /* of mixes; NULL: the user's own stems */
    const char *root, *title;
    double seconds;
    int sample_rate, channels;
    size_t clip_frames;
    char summary[400];
};

static smitin_status check_options(const sm_collection_options *o, const sm_annotations *set,
                                   smitin_error *error)
{
    if (set == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there is no data set '%s'", o->dataset);
    if (!(o->seconds >= 0.1 && o->seconds <= 60.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a clip is between 0.1 and 60 s long, not %g s", o->seconds);
    if (o->channels < 1 || o->channels > 2 || o->sample_rate < SM_AUDIO_RATE_MIN ||
        o->sample_rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "cannot make clips of %d channels at %d Hz",
                       o->channels, o->sample_rate);
    if (!(o->test_share > 0.0 && o->test_share < 1.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the share held out for testing lies between 0 and 1, not at %g",
                       o->test_share);
    if (set == &sm_annotations_table && o->table == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "give the table of labels");
    if (set == &sm_annotations_table && o->task == SM_TASK_BINARY &&
        (o->trait == NULL || o->trait[0] == '\0'))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a binary task needs the name of its trait");
    return SMITIN_OK;
}

static smitin_status collection_new(sm_collection **out, smitin_error *error)
{
    sm_collection *collection = calloc(1, sizeof *collection);
    *out = NULL;
    if (collection == NULL) return sm_fail_memory(error, "a collection", sizeof *collection);
    collection->entries.numbers = json_object();
    if (collection->entries.numbers == NULL ||
        sm_library_init(&collection->entries.notes, error) != SMITIN_OK) {
        sm_collection_free(collection);
        return sm_fail_memory(error, "a collection", 0);
    }
    *out = collection;
    return SMITIN_OK;
}

static void set_clips(sm_collection *c, double seconds, int sample_rate, int channels)
{
    c->seconds = seconds;
    c->sample_rate = sample_rate;
    c->channels = channels;
    c->clip_frames = (size_t)lround(seconds * sample_rate);
}

static void sum_up(sm_collection *c)
{
    const sm_collection_plan *plan = &c->plan;
    size_t in[SM_SPLITS] = {0};
    for (size_t i = 0; i < plan->count; i++) in[plan->clips[i].clip.split]++;
    snprintf(
        c->summary, sizeof c->summary,
        "%s: %zu files, %zu clips of %g s (%zu train, %zu valid, %zu test), %d %s, split by %s",
        c->title, plan->files, plan->count, c->seconds, in[SM_SPLIT_TRAIN], in[SM_SPLIT_VALID],
        in[SM_SPLIT_TEST], plan->classes,
        c->entries.task == SM_TASK_REGRESSION   ? "targets"
        : c->entries.task == SM_TASK_MULTICLASS ? "classes"
                                                : "labels",
        plan->own_split ? "the data set" : "track");
}

smitin_status sm_collection_open(sm_collection **out, const sm_collection_options *o,
                                 smitin_error *error)
{
    const sm_annotations *set = NULL;
    *out = NULL;
    for (size_t i = 0; i < SETS; i++)
        if (strcmp(sets[i]->name, o->dataset) == 0) set = sets[i];
    SM_TRY(check_options(o, set, error));
    SM_TRY(collection_new(out, error));
    sm_collection *c = *out;
    c->set = set;
    c->title = set->title;
    c->root = sm_arena_text(c->entries.notes.arena, o->root);
    c->entries.task = set == &sm_annotations_table ? o->task : set->task;
    set_clips(c, o->seconds, o->sample_rate, o->channels);
    smitin_status status =
        c->root != NULL ? SMITIN_OK : sm_fail_memory(error, "a collection", strlen(o->root));
    if (status == SMITIN_OK) status = set->read(&c->entries, o, error);
    if (status == SMITIN_OK)
        status = sm_collection_make_plan(&c->plan, &c->entries, o, o->top >= 0 ? o->top : set->top,
                                         error);
    if (status != SMITIN_OK) {
        sm_collection_free(c);
        *out = NULL;
        return status;
    }
    sum_up(c);
    return SMITIN_OK;
}

static smitin_status wrap(sm_collection *c, sm_dataset *dataset, const char *trait,
                          smitin_error *error)
{
    sm_arena *arena = c->entries.notes.arena;
    const size_t count = sm_dataset_count(dataset);
    int number;
    SM_TRY(sm_entries_name(&c->entries, trait, &number, error));
    c->plan.names = c->entries.names;
    c->plan.classes = 1;
    c->plan.clips = SM_TAKE(arena, count, sm_planned);
    double *values = SM_TAKE(arena, count, double);
    if (c->plan.clips == NULL || values == NULL)
        return sm_fail_memory(error, "a list of clips", count * sizeof *c->plan.clips);
    for (size_t i = 0; i < count; i++) {
        values[i] = sm_dataset_label(dataset, i) ? 1.0 : 0.0;
        c->plan.clips[i].clip =
            (sm_clip){.path = sm_dataset_track(dataset, i),
                      .track = sm_dataset_track(dataset, i),
                      .start = sm_dataset_start(dataset, i),
                      .split = sm_dataset_is_test(dataset, i) ? SM_SPLIT_TEST : SM_SPLIT_TRAIN,
                      .values = &values[i]};
    }
    c->plan.count = count;
    snprintf(c->summary, sizeof c->summary, "%.390s", sm_dataset_summary(dataset));
    return SMITIN_OK;
}

smitin_status sm_collection_wrap(sm_collection **out, sm_dataset *dataset, const char *trait,
                                 smitin_error *error)
{
    const smitin_status made = collection_new(out, error);
    if (made != SMITIN_OK) {
        sm_dataset_free(dataset);
        return made;
    }
    sm_collection *c = *out;
    c->dataset = dataset;
    c->title = "pairs";
    c->entries.task = SM_TASK_BINARY;
    const smitin_status status = wrap(c, dataset, trait, error);
    if (status != SMITIN_OK) {
        sm_collection_free(c);
        *out = NULL;
    }
    return status;
}

smitin_status sm_collection_open_mixes(sm_collection **out, const char *layout, const char *root,
                                       const char *targets, const sm_dataset_options *o,
                                       smitin_error *error)
{
    SM_TRY(sm_dataset_check(o, error));
    SM_TRY(collection_new(out, error));
    sm_collection *c = *out;
    c->entries.task = SM_TASK_MULTILABEL;
    set_clips(c, o->seconds, o->sample_rate, o->channels);
    const smitin_status status =
        sm_mixes_plan(&c->plan, &c->entries, layout, root, targets, o, &c->layout, error);
    if (status != SMITIN_OK) {
        sm_collection_free(c);
        *out = NULL;
        return status;
    }
    c->title = c->layout != NULL ? c->layout->title : "stems";
    sum_up(c);
    return SMITIN_OK;
}

void sm_collection_free(sm_collection *c)
{
    if (c == NULL) return;
    sm_dataset_free(c->dataset);
    json_decref(c->entries.numbers);
    free(c->entries.items);
    free(c->entries.names);
    sm_library_free(&c->entries.notes);
    free(c);
}

sm_task sm_collection_task(const sm_collection *c)
{
    return c->entries.task;
}

int sm_collection_classes(const sm_collection *c)
{
    return c->plan.classes;
}

const char *sm_collection_class(const sm_collection *c, int index)
{
    return c->plan.names[index];
}

size_t sm_collection_count(const sm_collection *c)
{
    return c->plan.count;
}

const sm_clip *sm_collection_clip(const sm_collection *c, size_t clip)
{
    return &c->plan.clips[clip].clip;
}

size_t sm_collection_clip_samples(const sm_collection *c)
{
    return c->dataset != NULL ? sm_dataset_clip_samples(c->dataset)
                              : c->clip_frames * (size_t)c->channels;
}

smitin_status sm_collection_samples(sm_collection *c, size_t clip, float *samples,
                                    smitin_error *error)
{
    if (c->dataset != NULL) return sm_dataset_clip(c->dataset, clip, samples, error);
    const sm_planned *planned = &c->plan.clips[clip];
    const sm_entry *entry = planned->entry;
    size_t made = 0;
    if (entry == NULL) {
        memset(samples, 0, sm_collection_clip_samples(c) * sizeof *samples);
        return sm_mix_add(&c->entries, planned, c->channels, c->sample_rate, samples,
                          c->clip_frames, error);
    }
    char *path = sm_path_join(c->root, entry->path);
    if (path == NULL) return sm_fail_memory(error, entry->path, 0);
    memset(samples, 0, sm_collection_clip_samples(c) * sizeof *samples);
    smitin_status status =
        sm_sound_add(path, entry->rate, entry->seconds, planned->clip.start, c->channels,
                     c->sample_rate, samples, c->clip_frames, &made, error);
    if (status == SMITIN_OK &&
        (double)(c->clip_frames - made) > fmax(1.0, SHORT_SECONDS * c->sample_rate))
        status =
            sm_fail(error, SMITIN_ERROR_FORMAT,
                    "'%s' ends at %.2f s, although its header says %.2f s; the file is damaged",
                    path, planned->clip.start + (double)made / c->sample_rate, entry->seconds);
    free(path);
    return status;
}

const char *sm_collection_note(const sm_collection *c, size_t n)
{
    if (c->dataset != NULL) return sm_dataset_note(c->dataset, n);
    return n < c->entries.notes.notes_count ? c->entries.notes.notes[n] : NULL;
}

const char *sm_collection_title(const sm_collection *c)
{
    return c->title;
}

const char *sm_collection_licence(const sm_collection *c)
{
    if (c->dataset != NULL) return sm_dataset_licence(c->dataset);
    if (c->layout != NULL) return c->layout->licence;
    return c->set != NULL ? c->set->licence : NULL;
}

const char *sm_collection_summary(const sm_collection *c)
{
    return c->summary;
}
