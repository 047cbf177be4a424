/* SPDX-License-Identifier: MIT */
/* "smitin probe extract": labelled clips -> head outputs -> a store. */
#include "probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipe.h"

enum { NOTES_SHOWN = 20 };

typedef struct extract_job {
    const probe_options *o;
    smitin_engine *engine;
    smitin_model_info info;
    char model_path[1024];
    sm_collection *collection;
    sm_store *store;
    float *samples; /* of one clip */
    float *z;       /* [shard, L, H * D] */
    size_t skipped;
} extract_job;

/* The first lines; all of them stand in the manifest. */
static void show_notes(const sm_collection *collection)
{
    size_t n = 0;
    for (; sm_collection_note(collection, n) != NULL; n++)
        if (n < NOTES_SHOWN) fprintf(stderr, "smitin: %s\n", sm_collection_note(collection, n));
    if (n > NOTES_SHOWN)
        fprintf(stderr, "smitin: and %zu more lines like these, in \"notes\" of manifest.json\n",
                n - NOTES_SHOWN);
}

/* What the model can hear, before anything is written. */
static int check_length(const extract_job *job)
{
    const smitin_model_info *info = &job->info;
    const double frames = ceil(job->o->pairs.seconds * info->frame_rate - 1e-9);
    if (frames > info->max_frames) {
        fprintf(stderr, "smitin: the model hears at most %g s at once; give a shorter --seconds\n",
                info->max_frames / info->frame_rate);
        return EXIT_USAGE;
    }
    if (job->o->columns_pooled > frames) {
        fprintf(stderr,
                "smitin: a clip of %g s has %g steps, so the last %d cannot be averaged; give a "
                "smaller --pool mean:N\n",
                job->o->pairs.seconds, frames, job->o->columns_pooled);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int open_data(extract_job *job)
{
    const probe_options *o = job->o;
    smitin_error error = {0};
    smitin_status status;
    if (o->pairs.target != NULL && strchr(o->pairs.target, ',') != NULL) {
        const sm_dataset_options options = pairs_dataset_options(&o->pairs, &job->info);
        status = sm_collection_open_mixes(&job->collection, pairs_layouts[o->pairs.layout],
                                          o->pairs.stems, o->pairs.target, &options, &error);
    } else if (o->data == NULL && o->audio == NULL) {
        sm_dataset *dataset = NULL;
        const char *trait = o->trait != NULL          ? o->trait
                            : o->pairs.target != NULL ? o->pairs.target
                                                      : "trait";
        status = pairs_open(&dataset, &o->pairs, &job->info, &error);
        if (status == SMITIN_OK)
            status = sm_collection_wrap(&job->collection, dataset, trait, &error);
    } else {
        const sm_collection_options options = {
            .dataset = o->audio != NULL ? "table" : probe_datasets[o->dataset],
            .root = o->audio != NULL ? o->audio : o->data,
            .table = o->labels,
            .task = o->task >= 0 ? (sm_task)o->task : SM_TASK_MULTILABEL,
            .columns = o->columns,
            .trait = o->trait,
            .top = o->top,
            .labelled_only = o->labelled_only,
            .seconds = o->pairs.seconds,
            .per_file = o->per_file,
            .sample_rate = job->info.sample_rate,
            .channels = job->info.channels,
            .test_share = o->pairs.test_share,
            .seed = (uint64_t)o->pairs.seed};
        status = sm_collection_open(&job->collection, &options, &error);
    }
    if (status != SMITIN_OK) return report_error(&error);
    show_notes(job->collection);
    if (!o->quiet) fprintf(stderr, "%s\n", sm_collection_summary(job->collection));
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

static int begin_store(extract_job *job, const char *folder)
{
    const probe_options *o = job->o;
    const smitin_model_info *info = &job->info;
    smitin_error error = {0};
    lists l;
    if (!take_lists(&l, job->collection)) {
        fprintf(stderr, "smitin: there is not enough memory for a list of clips\n");
        return EXIT_FAILED;
    }
    sm_store_meta meta = {.L = info->layers,
                          .H = info->heads,
                          .D = info->head_size,
                          .sample_rate = info->sample_rate,
                          .channels = info->channels,
                          .seconds = o->pairs.seconds,
                          .columns = o->columns_pooled,
                          .task = sm_collection_task(job->collection),
                          .classes = sm_collection_classes(job->collection),
                          .names = l.names,
                          .data = sm_collection_summary(job->collection),
                          .licence = sm_collection_licence(job->collection),
                          .notes = l.notes,
                          .notes_count = l.notes_count,
                          .shard_clips = (size_t)o->shard};
    model_title(job->model_path, meta.model, sizeof meta.model);
    snprintf(meta.fingerprint, sizeof meta.fingerprint, "%s", info->fingerprint);
    snprintf(meta.weights, sizeof meta.weights, "%s", model_formats[o->model.format]);
    snprintf(meta.cache, sizeof meta.cache, "%s", model_caches[o->model.cache]);
    const smitin_status status =
        sm_store_begin(&job->store, folder, &meta, l.clips, l.clips_count, &error);
    free_lists(&l);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

static void hash_samples(const extract_job *job, const float *samples, char hash[65])
{
    recipe_hash(samples, sm_collection_clip_samples(job->collection) * sizeof *samples, hash);
}

static int fill(void *user, size_t clip, float *samples, bool *skip)
{
    extract_job *job = user;
    smitin_error error = {0};
    char hash[65];
    if (sm_collection_samples(job->collection, clip, samples, &error) == SMITIN_OK) {
        hash_samples(job, samples, hash);
        if (hash[0] == '\0') {
            fprintf(stderr, "smitin: the hash function is not available; check OpenSSL\n");
            return EXIT_FAILED;
        }
        sm_store_heard(job->store, clip, hash);
        return EXIT_DONE;
    }
    if (error.status == SMITIN_ERROR_MEMORY) return report_error(&error);
    *skip = true;
    job->skipped++;
    fprintf(stderr, "smitin: skipped: %s\n", error.message);
    smitin_error problem = {0};
    return sm_store_skip(job->store, clip, error.message, &problem) == SMITIN_OK
               ? EXIT_DONE
               : report_error(&problem);
}

/* The first clip of every shard that an earlier run has made still sounds as it did. */
static int check_heard(extract_job *job)
{
    const size_t shard = (size_t)job->o->shard, count = sm_store_count(job->store);
    for (size_t s = 0; s < sm_store_shards(job->store); s++) {
        size_t i = s * shard;
        if (!sm_store_has(job->store, s)) continue;
        while (i < count && i < (s + 1) * shard && sm_store_clip_at(job->store, i)->hash[0] == '\0')
            i++;
        if (i == count || i == (s + 1) * shard) continue;
        const sm_store_clip *clip = sm_store_clip_at(job->store, i);
        smitin_error error = {0};
        char hash[65] = "";
        if (sm_collection_samples(job->collection, i, job->samples, &error) == SMITIN_OK)
            hash_samples(job, job->samples, hash);
        if (strcmp(hash, clip->hash) == 0) continue;
        fprintf(stderr,
                "smitin: '%s' at %g s is not what it was when its activations were stored in '%s'; "
                "choose another folder, or remove that one\n",
                clip->clip.path, clip->clip.start, job->o->output);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int extract_shards(extract_job *job)
{
    const size_t N = sm_store_count(job->store), shard = (size_t)job->o->shard;
    const size_t width = (size_t)job->info.layers * (size_t)job->info.hidden_size;
    const listener l = {.engine = job->engine,
                        .samples = sm_collection_clip_samples(job->collection),
                        .width = width,
                        .columns = job->o->columns_pooled,
                        .fill = fill,
                        .user = job,
                        .total = job->o->quiet ? 0 : N};
    int code = EXIT_DONE;
    for (size_t s = 0; s < sm_store_shards(job->store) && code == EXIT_DONE; s++) {
        const size_t first = s * shard, count = N - first < shard ? N - first : shard;
        smitin_error error = {0};
        size_t heard = 0;
        if (sm_store_has(job->store, s)) continue;
        code = listen_to(&l, first, count, job->z, &heard);
        if (code == EXIT_DONE && sm_store_write(job->store, s, job->z, &error) != SMITIN_OK)
            code = report_error(&error);
    }
    return code;
}

static int take_memory(extract_job *job)
{
    const size_t width = (size_t)job->info.layers * (size_t)job->info.hidden_size;
    job->z = calloc((size_t)job->o->shard, width * sizeof *job->z);
    job->samples = calloc(sm_collection_clip_samples(job->collection), sizeof *job->samples);
    if (job->z != NULL && job->samples != NULL) return EXIT_DONE;
    fprintf(stderr, "smitin: there is not enough memory for %d clips; give a smaller --shard\n",
            job->o->shard);
    return EXIT_FAILED;
}

int probe_extract(const probe_options *o, const char *folder)
{
    extract_job job = {.o = o};
    int code = open_engine(&job.engine, &o->model, job.model_path, sizeof job.model_path);
    if (code == EXIT_DONE) {
        smitin_engine_info(job.engine, &job.info);
        code = check_length(&job);
    }
    if (code == EXIT_DONE) code = open_data(&job);
    if (code == EXIT_DONE) code = take_memory(&job);
    if (code == EXIT_DONE) code = begin_store(&job, folder);
    if (code == EXIT_DONE) code = check_heard(&job);
    if (code == EXIT_DONE) code = extract_shards(&job);
    if (code == EXIT_DONE && job.skipped > 0)
        fprintf(stderr, "smitin: %zu of %zu clips were skipped\n", job.skipped,
                sm_store_count(job.store));
    sm_store_free(job.store);
    sm_collection_free(job.collection);
    smitin_engine_free(job.engine);
    free(job.z);
    free(job.samples);
    return code;
}
