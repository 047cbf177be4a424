/* SPDX-License-Identifier: MIT */
/* Owns the folder of a store: beginning and going on, its shards, reading them by layers. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../base/outfile.h"
#include "../format/npy.h"
#include "store_inside.h"

smitin_status sm_store_new(sm_store **out, size_t count, size_t shard_clips, smitin_error *error)
{
    sm_store *store = calloc(1, sizeof *store);
    *out = NULL;
    if (store == NULL) return sm_fail_memory(error, "a store", sizeof *store);
    store->lock = -1;
    store->arena = sm_arena_new();
    store->count = count;
    store->meta.shard_clips = shard_clips;
    store->shards_count = (count + shard_clips - 1) / shard_clips;
    if (store->arena != NULL) {
        store->clips = SM_TAKE(store->arena, count, sm_store_clip);
        store->shards = SM_TAKE(store->arena, store->shards_count, sm_shard);
        store->rows = SM_TAKE(store->arena, count, size_t);
    }
    if (store->clips == NULL || store->shards == NULL || store->rows == NULL) {
        sm_store_free(store);
        return sm_fail_memory(error, "a list of clips", count * sizeof(sm_store_clip));
    }
    for (size_t i = 0; i < count; i++) store->clips[i].shard = i / shard_clips;
    *out = store;
    return SMITIN_OK;
}

char *sm_store_text(sm_store *store, const char *text)
{
    if (text == NULL) return NULL;
    const size_t size = strlen(text) + 1;
    char *copy = SM_TAKE(store->arena, size, char);
    if (copy != NULL) memcpy(copy, text, size);
    return copy;
}

void sm_store_free(sm_store *store)
{
    if (store == NULL) return;
    for (size_t i = 0; store->shards != NULL && i < store->shards_count; i++)
        sm_filemap_close(&store->shards[i].map);
    if (store->lock >= 0) close(store->lock);
    sm_arena_free(store->arena);
    free(store->folder);
    free(store);
}

const sm_store_meta *sm_store_about(const sm_store *store)
{
    return &store->meta;
}

size_t sm_store_count(const sm_store *store)
{
    return store->count;
}

const sm_store_clip *sm_store_clip_at(const sm_store *store, size_t clip)
{
    return &store->clips[clip];
}

size_t sm_store_shards(const sm_store *store)
{
    return store->shards_count;
}

bool sm_store_has(const sm_store *store, size_t shard)
{
    return store->shards[shard].done;
}

/* ---- Paths ---- */

static smitin_status path_of(const sm_store *store, const char *name, char *out, size_t size,
                             smitin_error *error)
{
    const int n = snprintf(out, size, "%s/%s", store->folder, name);
    if (n > 0 && (size_t)n < size) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_IO, "the path '%s' is too long", store->folder);
}

static void shard_name(size_t shard, char out[40])
{
    snprintf(out, 40, "activations-%05zu.npy", shard);
}

/* ---- Beginning and going on ---- */

static smitin_status copy_plan(sm_store *store, const sm_store_meta *meta,
                               const sm_clip *const *clips, smitin_error *error)
{
    const size_t width = (size_t)sm_task_width(meta->task, meta->classes);
    const char **names = SM_TAKE(store->arena, meta->classes, const char *);
    const char **notes = SM_TAKE(store->arena, meta->notes_count, const char *);
    double *values = SM_TAKE(store->arena, store->count * width, double);
    bool fine = names != NULL && notes != NULL && values != NULL;
    store->meta = *meta;
    for (int k = 0; k < meta->classes && fine; k++)
        fine = (names[k] = sm_store_text(store, meta->names[k])) != NULL;
    for (size_t i = 0; i < meta->notes_count && fine; i++)
        fine = (notes[i] = sm_store_text(store, meta->notes[i])) != NULL;
    store->meta.names = names;
    store->meta.notes = notes;
    store->meta.data = sm_store_text(store, meta->data);
    store->meta.licence = sm_store_text(store, meta->licence);
    for (size_t i = 0; i < store->count && fine; i++) {
        sm_clip *clip = &store->clips[i].clip;
        *clip = *clips[i];
        clip->path = sm_store_text(store, clips[i]->path);
        clip->track = sm_store_text(store, clips[i]->track);
        memcpy(values + i * width, clips[i]->values, width * sizeof *values);
        clip->values = values + i * width;
        fine = clip->path != NULL && clip->track != NULL;
    }
    return fine && store->meta.data != NULL
               ? SMITIN_OK
               : sm_fail_memory(error, "a list of clips", store->count * sizeof(sm_clip));
}

/* What the folder holds already is what is wanted. */
static smitin_status compare(const sm_store *old, const sm_store *new, smitin_error *error)
{
    const sm_store_meta *a = &old->meta, *b = &new->meta;
    const char *differs = NULL;
    char place[300];
    if (strcmp(a->fingerprint, b->fingerprint) != 0) {
        snprintf(place, sizeof place, "another model ('%s', not '%s')", a->model, b->model);
        differs = place;
    } else if (strcmp(a->weights, b->weights) != 0 || strcmp(a->cache, b->cache) != 0) {
        snprintf(place, sizeof place, "weights as %s and a cache as %s, not %s and %s", a->weights,
                 a->cache, b->weights, b->cache);
        differs = place;
    } else if (a->columns != b->columns) {
        snprintf(place, sizeof place, "a pooling of %d steps, not %d", a->columns, b->columns);
        differs = place;
    } else if (a->seconds != b->seconds || a->sample_rate != b->sample_rate ||
               a->channels != b->channels) {
        snprintf(place, sizeof place, "clips of %g s, not %g s", a->seconds, b->seconds);
        differs = place;
    } else if (a->task != b->task || a->classes != b->classes) {
        snprintf(place, sizeof place, "a %s task of %d, not a %s one of %d", sm_task_names[a->task],
                 a->classes, sm_task_names[b->task], b->classes);
        differs = place;
    } else if (old->count != new->count || a->shard_clips != b->shard_clips) {
        snprintf(place, sizeof place, "%zu clips in shards of %zu, not %zu in shards of %zu",
                 old->count, a->shard_clips, new->count, b->shard_clips);
        differs = place;
    }
    for (int k = 0; k < b->classes && differs == NULL; k++)
        if (strcmp(a->names[k], b->names[k]) != 0) differs = "other labels";
    const size_t width = (size_t)sm_task_width(b->task, b->classes);
    for (size_t i = 0; i < new->count &&differs == NULL; i++) {
        const sm_clip *x = &old->clips[i].clip, *y = &new->clips[i].clip;
        if (strcmp(x->path, y->path) == 0 && strcmp(x->track, y->track) == 0 &&
            x->start == y->start && x->split == y->split &&
            memcmp(x->values, y->values, width * sizeof *x->values) == 0)
            continue;
        snprintf(place, sizeof place, "other clips, from '%.200s' on", x->path);
        differs = place;
    }
    if (differs == NULL) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_STATE,
                   "'%s' holds activations of %s; choose another folder, or remove that one",
                   new->folder, differs);
}

/* Map a shard and check its shape. */
static smitin_status open_shard(sm_store *store, size_t shard, smitin_error *error)
{
    char name[40], path[4200];
    sm_npy array;
    const sm_store_meta *m = &store->meta;
    sm_shard *s = &store->shards[shard];
    shard_name(shard, name);
    SM_TRY(path_of(store, name, path, sizeof path, error));
    SM_TRY(sm_filemap_open(&s->map, path, error));
    SM_TRY(sm_npy_locate(&array, s->map.data, s->map.size, path, &s->offset, error));
    if (array.dtype != SM_F32 || array.dims != 3 || array.shape[0] != (int64_t)s->rows ||
        array.shape[1] != m->L || array.shape[2] != (int64_t)m->H * m->D)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' does not hold what the manifest says; remove the folder and extract "
                       "again",
                       path);
    return SMITIN_OK;
}

/* Take over what the finished shards of an earlier run hold. */
static smitin_status take_over(sm_store *store, const sm_store *old, smitin_error *error)
{
    for (size_t i = 0; i < store->shards_count; i++) {
        if (!old->shards[i].done) continue;
        store->shards[i].done = true;
        store->shards[i].rows = old->shards[i].rows;
        SM_TRY(open_shard(store, i, error));
        sm_filemap_close(&store->shards[i].map);
    }
    for (size_t i = 0; i < store->count; i++) {
        const sm_store_clip *from = &old->clips[i];
        sm_store_clip *to = &store->clips[i];
        memcpy(to->hash, from->hash, sizeof to->hash);
        to->row = from->row;
        to->skipped = sm_store_text(store, from->skipped);
        if (from->skipped != NULL && to->skipped == NULL)
            return sm_fail_memory(error, "a store", 0);
    }
    return SMITIN_OK;
}

static smitin_status read_manifest(sm_store **store, const char *path, smitin_error *error)
{
    sm_filemap map;
    SM_TRY(sm_filemap_open(&map, path, error));
    const smitin_status status =
        sm_store_parse(store, (const char *)map.data, map.size, path, error);
    sm_filemap_close(&map);
    return status;
}

static smitin_status write_manifest(const sm_store *store, smitin_error *error)
{
    char path[4200], *text = NULL;
    size_t size = 0;
    SM_TRY(path_of(store, "manifest.json", path, sizeof path, error));
    SM_TRY(sm_store_print(store, &text, &size, error));
    const smitin_status status = sm_file_write(path, text, size, error);
    free(text);
    return status;
}

/* Make the folder, and keep others from extracting into it for as long as the store is open. */
static smitin_status take_folder(sm_store *store, smitin_error *error)
{
    if (mkdir(store->folder, 0777) != 0 && errno != EEXIST)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot make the folder '%s': %s", store->folder,
                       strerror(errno));
    store->lock = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->lock < 0)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot use the folder '%s': %s", store->folder,
                       strerror(errno));
    if (flock(store->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return sm_fail(error, SMITIN_ERROR_STATE,
                       "another process is extracting into '%s'; wait for it, or choose another "
                       "folder",
                       store->folder);
    return SMITIN_OK;
}

/* Whether it is one of sm_file_write's temporary names, which end in ".PID-N.tmp". */
static bool is_temporary(const char *name)
{
    const size_t length = strlen(name), tail = strlen(".tmp");
    if (length <= tail || strcmp(name + length - tail, ".tmp") != 0) return false;
    size_t at = length - tail;
    while (at > 0 && strchr("0123456789-", name[at - 1]) != NULL) at--;
    return at > 0 && name[at - 1] == '.' && memchr(name + at, '-', length - tail - at) != NULL;
}

/* What a killed run left under temporary names: nobody else writes here while the folder is held.
 */
static void sweep(const sm_store *store)
{
    DIR *folder = opendir(store->folder);
    if (folder == NULL) return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (is_temporary(entry->d_name)) unlinkat(store->lock, entry->d_name, 0);
    closedir(folder);
}

static smitin_status begin(sm_store *store, smitin_error *error)
{
    char path[4200];
    struct stat info;
    SM_TRY(path_of(store, "manifest.json", path, sizeof path, error));
    SM_TRY(take_folder(store, error));
    if (stat(path, &info) != 0) return write_manifest(store, error);
    sm_store *old = NULL;
    SM_TRY(read_manifest(&old, path, error));
    smitin_status status = compare(old, store, error);
    if (status == SMITIN_OK) status = take_over(store, old, error);
    if (status == SMITIN_OK) sweep(store);
    sm_store_free(old);
    return status;
}

smitin_status sm_store_begin(sm_store **out, const char *folder, const sm_store_meta *meta,
                             const sm_clip *const *clips, size_t count, smitin_error *error)
{
    sm_store *store = NULL;
    *out = NULL;
    if (count == 0 || count > SM_STORE_CLIPS_MAX || meta->shard_clips == 0 ||
        meta->classes > SM_STORE_CLASSES_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%zu clips of %d labels are nothing that can be stored", count,
                       meta->classes);
    SM_TRY(sm_store_new(&store, count, meta->shard_clips, error));
    store->folder = strdup(folder);
    smitin_status status = store->folder != NULL ? copy_plan(store, meta, clips, error)
                                                 : sm_fail_memory(error, folder, 0);
    if (status == SMITIN_OK) status = begin(store, error);
    if (status != SMITIN_OK)
        sm_store_free(store);
    else
        *out = store;
    return status;
}

/* ---- Writing ---- */

void sm_store_heard(sm_store *store, size_t clip, const char hash[65])
{
    memcpy(store->clips[clip].hash, hash, 65);
}

smitin_status sm_store_skip(sm_store *store, size_t clip, const char *why, smitin_error *error)
{
    store->clips[clip].skipped = sm_store_text(store, why);
    return store->clips[clip].skipped != NULL ? SMITIN_OK : sm_fail_memory(error, "a store", 0);
}

smitin_status sm_store_write(sm_store *store, size_t shard, const float *z, smitin_error *error)
{
    char name[40], path[4200];
    const sm_store_meta *m = &store->meta;
    sm_shard *s = &store->shards[shard];
    s->rows = 0;
    for (size_t i = shard * m->shard_clips; i < store->count && store->clips[i].shard == shard; i++)
        if (store->clips[i].skipped == NULL) store->clips[i].row = s->rows++;
    const int64_t shape[3] = {(int64_t)s->rows, m->L, (int64_t)m->H * m->D};
    shard_name(shard, name);
    SM_TRY(path_of(store, name, path, sizeof path, error));
    SM_TRY(sm_npy_write(path, SM_F32, 3, shape, z, error));
    s->done = true;
    return write_manifest(store, error);
}

void sm_store_discard(sm_store *store)
{
    char name[40];
    if (store == NULL) return;
    if (store->folder != NULL && store->lock >= 0) {
        sweep(store);
        for (size_t i = 0; i < store->shards_count; i++) {
            shard_name(i, name);
            unlinkat(store->lock, name, 0);
        }
        unlinkat(store->lock, "manifest.json", 0);
        rmdir(store->folder);
    }
    sm_store_free(store);
}

/* ---- Reading ---- */

smitin_status sm_store_open(sm_store **out, const char *folder, smitin_error *error)
{
    char path[4200];
    sm_store *store = NULL;
    *out = NULL;
    if (snprintf(path, sizeof path, "%s/manifest.json", folder) >= (int)sizeof path)
        return sm_fail(error, SMITIN_ERROR_IO, "the path '%s' is too long", folder);
    SM_TRY(read_manifest(&store, path, error));
    store->folder = strdup(folder);
    smitin_status status =
        store->folder != NULL ? SMITIN_OK : sm_fail_memory(error, folder, strlen(folder));
    size_t done = 0;
    for (size_t i = 0; i < store->shards_count; i++) done += store->shards[i].done;
    if (status == SMITIN_OK && done < store->shards_count)
        status = sm_fail(error, SMITIN_ERROR_STATE,
                         "the activations in '%s' are not complete: %zu of %zu shards are there; "
                         "extract again, which goes on where it ended",
                         folder, done, store->shards_count);
    for (size_t i = 0; i < store->shards_count && status == SMITIN_OK; i++)
        status = open_shard(store, i, error);
    for (size_t i = 0; i < store->count; i++)
        if (store->clips[i].hash[0] != '\0') store->rows[store->rows_count++] = i;
    if (status != SMITIN_OK)
        sm_store_free(store);
    else
        *out = store;
    return status;
}

size_t sm_store_rows(const sm_store *store)
{
    return store->rows_count;
}

const sm_store_clip *sm_store_row(const sm_store *store, size_t row)
{
    return &store->clips[store->rows[row]];
}

static int by_hash(const void *a, const void *b)
{
    const sm_store_clip *x = *(const sm_store_clip *const *)a;
    const sm_store_clip *y = *(const sm_store_clip *const *)b;
    const int order = strcmp(x->hash, y->hash);
    return order != 0 ? order : (x > y) - (x < y);
}

void sm_store_sort_by_hash(const sm_store_clip **clips, size_t count)
{
    if (count > 0) qsort(clips, count, sizeof *clips, by_hash);
}

void sm_store_layer(const sm_store *store, int layer, const size_t *rows, size_t count, float *x)
{
    const size_t width = (size_t)store->meta.H * (size_t)store->meta.D;
    for (size_t i = 0; i < count; i++) {
        const sm_store_clip *c = sm_store_row(store, rows[i]);
        const sm_shard *shard = &store->shards[c->shard];
        const size_t at = (c->row * (size_t)store->meta.L + (size_t)layer) * width;
        memcpy(x + i * width, shard->map.data + shard->offset + at * sizeof(float),
               width * sizeof(float));
    }
}
