/* SPDX-License-Identifier: MIT */
/* Owns the run of an extraction; what lies on the disk is the store's. */
#include "extract.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"
#include "recipe.h"

int extract_check(const smitin_model_info *info, double seconds, const char *seconds_option,
                  int columns)
{
    const double frames = ceil(seconds * info->frame_rate - 1e-9);
    if (frames > info->max_frames) {
        fprintf(stderr, "smitin: the model hears at most %g s at once; give a shorter %s\n",
                info->max_frames / info->frame_rate, seconds_option);
        return EXIT_USAGE;
    }
    if (columns > frames) {
        fprintf(stderr,
                "smitin: a clip of %g s has %g steps, so the last %d cannot be averaged; give a "
                "smaller --pool mean:N\n",
                seconds, frames, columns);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* The lists that a store copies. */
typedef struct lists {
    const sm_clip **clips;
    const char **names, **notes;
    size_t clips_count, notes_count;
} lists;

static void free_lists(lists *l)
{
    free(l->clips);
    free(l->names);
    free(l->notes);
}

static bool take_lists(lists *l, const sm_collection *c)
{
    const size_t classes = (size_t)sm_collection_classes(c);
    memset(l, 0, sizeof *l);
    l->clips_count = sm_collection_count(c);
    while (sm_collection_note(c, l->notes_count) != NULL) l->notes_count++;
    l->clips = calloc(l->clips_count, sizeof *l->clips);
    l->names = calloc(classes, sizeof *l->names);
    l->notes = calloc(l->notes_count + 1, sizeof *l->notes);
    if (l->clips == NULL || l->names == NULL || l->notes == NULL) {
        free_lists(l);
        return false;
    }
    for (size_t i = 0; i < l->clips_count; i++) l->clips[i] = sm_collection_clip(c, i);
    for (size_t k = 0; k < classes; k++) l->names[k] = sm_collection_class(c, (int)k);
    for (size_t n = 0; n < l->notes_count; n++) l->notes[n] = sm_collection_note(c, n);
    return true;
}

static int begin_store(extraction *e)
{
    const smitin_model_info *info = &e->info;
    smitin_error error = {0};
    lists l;
    if (!take_lists(&l, e->collection)) {
        fprintf(stderr, "smitin: there is not enough memory for a list of clips\n");
        return EXIT_FAILED;
    }
    sm_store_meta meta = {.L = info->layers,
                          .H = info->heads,
                          .D = info->head_size,
                          .sample_rate = info->sample_rate,
                          .channels = info->channels,
                          .seconds = e->seconds,
                          .columns = e->columns,
                          .task = sm_collection_task(e->collection),
                          .classes = sm_collection_classes(e->collection),
                          .names = l.names,
                          .data = sm_collection_summary(e->collection),
                          .licence = sm_collection_licence(e->collection),
                          .notes = l.notes,
                          .notes_count = l.notes_count,
                          .shard_clips = e->shard};
    model_title(e->model_path, meta.model, sizeof meta.model);
    snprintf(meta.fingerprint, sizeof meta.fingerprint, "%s", info->fingerprint);
    snprintf(meta.weights, sizeof meta.weights, "%s", model_formats[e->model->format]);
    snprintf(meta.cache, sizeof meta.cache, "%s", model_caches[info->cache]);
    const smitin_status status =
        sm_store_begin(&e->store, e->folder, &meta, l.clips, l.clips_count, &error);
    free_lists(&l);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

static void hash_samples(const extraction *e, const float *samples, char hash[65])
{
    recipe_hash(samples, sm_collection_clip_samples(e->collection) * sizeof *samples, hash);
}

static int fill(void *user, size_t clip, float *samples, bool *skip)
{
    extraction *e = user;
    smitin_error error = {0};
    char hash[65];
    if (sm_collection_samples(e->collection, clip, samples, &error) == SMITIN_OK) {
        hash_samples(e, samples, hash);
        if (hash[0] == '\0') {
            fprintf(stderr, "smitin: the hash function is not available; check OpenSSL\n");
            return EXIT_FAILED;
        }
        sm_store_heard(e->store, clip, hash);
        return EXIT_DONE;
    }
    if (e->strict || error.status == SMITIN_ERROR_MEMORY) return report_error(&error);
    *skip = true;
    e->skipped++;
    fprintf(stderr, "smitin: skipped: %s\n", error.message);
    smitin_error problem = {0};
    return sm_store_skip(e->store, clip, error.message, &problem) == SMITIN_OK
               ? EXIT_DONE
               : report_error(&problem);
}

/* The first clip of every shard that an earlier run has made still sounds as it did. */
static int check_heard(extraction *e)
{
    const size_t shard = e->shard, count = sm_store_count(e->store);
    for (size_t s = 0; s < sm_store_shards(e->store); s++) {
        size_t i = s * shard;
        if (!sm_store_has(e->store, s)) continue;
        while (i < count && i < (s + 1) * shard && sm_store_clip_at(e->store, i)->hash[0] == '\0')
            i++;
        if (i == count || i == (s + 1) * shard) continue;
        const sm_store_clip *clip = sm_store_clip_at(e->store, i);
        smitin_error error = {0};
        char hash[65] = "";
        if (sm_collection_samples(e->collection, i, e->samples, &error) == SMITIN_OK)
            hash_samples(e, e->samples, hash);
        if (strcmp(hash, clip->hash) == 0) continue;
        fprintf(stderr,
                "smitin: '%s' at %g s is not what it was when its activations were stored in '%s'; "
                "choose another folder, or remove that one\n",
                clip->clip.path, clip->clip.start, e->folder);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int extract_shards(extraction *e)
{
    const size_t N = sm_store_count(e->store), shard = e->shard;
    const size_t width = (size_t)e->info.layers * (size_t)e->info.hidden_size;
    const listener l = {.engine = e->engine,
                        .samples = sm_collection_clip_samples(e->collection),
                        .width = width,
                        .columns = e->columns,
                        .fill = fill,
                        .user = e,
                        .total = e->quiet ? 0 : N};
    int code = EXIT_DONE;
    for (size_t s = 0; s < sm_store_shards(e->store) && code == EXIT_DONE; s++) {
        const size_t first = s * shard, count = N - first < shard ? N - first : shard;
        smitin_error error = {0};
        size_t heard = 0;
        if (sm_store_has(e->store, s)) continue;
        code = listen_to(&l, first, count, e->z, &heard);
        if (code == EXIT_DONE && sm_store_write(e->store, s, e->z, &error) != SMITIN_OK)
            code = report_error(&error);
    }
    return code;
}

static int take_memory(extraction *e)
{
    const size_t width = (size_t)e->info.layers * (size_t)e->info.hidden_size;
    e->z = calloc(e->shard, width * sizeof *e->z);
    e->samples = calloc(sm_collection_clip_samples(e->collection), sizeof *e->samples);
    if (e->z != NULL && e->samples != NULL) return EXIT_DONE;
    fprintf(stderr, "smitin: there is not enough memory for %zu clips; close other programs\n",
            e->shard);
    return EXIT_FAILED;
}

int extract_run(extraction *e)
{
    smitin_engine_info(e->engine, &e->info);
    int code = extract_check(&e->info, e->seconds, e->seconds_option, e->columns);
    if (code == EXIT_DONE) code = take_memory(e);
    if (code == EXIT_DONE) code = begin_store(e);
    if (code == EXIT_DONE) code = check_heard(e);
    if (code != EXIT_DONE) return code;
    e->fits = true;
    const size_t N = sm_store_count(e->store);
    for (size_t s = 0; s < sm_store_shards(e->store); s++)
        if (sm_store_has(e->store, s))
            e->resumed += N - s * e->shard < e->shard ? N - s * e->shard : e->shard;
    if (e->resumed > 0 && !e->quiet)
        fprintf(stderr, "%s: %zu of %zu clips were heard before\n", e->folder, e->resumed, N);
    return extract_shards(e);
}

void extract_close(extraction *e)
{
    sm_store_free(e->store);
    free(e->z);
    free(e->samples);
    e->store = NULL;
    e->z = e->samples = NULL;
}
