/* SPDX-License-Identifier: MIT */
/* Head outputs on disk: a folder of shards, activations-00000.npy and on, each float32 [rows, L, H
 * * D], and manifest.json, which says what every row is. numpy reads both as they are:
 *
 *     m = json.load(open("manifest.json"))
 *     z = numpy.concatenate([numpy.load(s["file"]) for s in m["shards"]])
 *     rows = [c for c in m["clips"] if "sha256" in c]      # rows[i] belongs to z[i]
 *
 * A shard holds a fixed stretch of the planned clips, less those that could not be heard. It is
 * written whole and then entered into the manifest, so an interrupted extraction goes on with the
 * shard it was at, and ends with the same bytes. */
#ifndef SMITIN_PROBE_STORE_H
#define SMITIN_PROBE_STORE_H

#include <stdbool.h>
#include "../base/error.h"
#include "task.h"

typedef struct sm_store_meta {
    char model[128], fingerprint[65]; /* of the decoder, equal for every format of its weights */
    char weights[16], cache[16];      /* in which formats it ran */
    int L, H, D;
    int sample_rate, channels; /* of what was heard */
    double seconds;            /* of a clip */
    int columns;               /* last steps averaged; 1: the last one */
    sm_task task;
    int classes;
    const char *const *names;   /* [classes] */
    const char *data, *licence; /* of the data in one line; licence may be NULL */
    const char *const *notes;   /* [notes_count]: what was left out before */
    size_t notes_count;
    size_t shard_clips; /* planned clips of a shard */
} sm_store_meta;

typedef struct sm_store_clip {
    sm_clip clip;
    char hash[65];       /* SHA-256 of the samples heard (f32, little-endian); "" until then */
    const char *skipped; /* why it could not be heard; NULL */
    size_t shard, row;
} sm_store_clip;

typedef struct sm_store sm_store;

enum { SM_STORE_CLASSES_MAX = 4096, SM_STORE_CLIPS_MAX = 10000000 };

/* Begin an extraction into `folder`, which is made when it is not there, or go on with one. What is
 * there must be of the same model, settings and clips; else SMITIN_ERROR_STATE says what differs.
 * Copies everything. */
smitin_status sm_store_begin(sm_store **store, const char *folder, const sm_store_meta *meta,
                             const sm_clip *const *clips, size_t count, smitin_error *error);
/* Read what an extraction has made. SMITIN_ERROR_STATE when it is not complete. */
smitin_status sm_store_open(sm_store **store, const char *folder, smitin_error *error);
/* The text of a manifest, without the shards. */
smitin_status sm_store_parse(sm_store **store, const char *text, size_t size, const char *name,
                             smitin_error *error);
void sm_store_free(sm_store *store); /* NULL is allowed */

const sm_store_meta *sm_store_about(const sm_store *store);
size_t sm_store_count(const sm_store *store); /* of planned clips */
/* By place in the plan. */
const sm_store_clip *sm_store_clip_at(const sm_store *store, size_t clip);
size_t sm_store_shards(const sm_store *store);
bool sm_store_has(const sm_store *store, size_t shard);

/* What came of a clip of the shard that is being made: heard, or why not. */
void sm_store_heard(sm_store *store, size_t clip, const char hash[65]);
smitin_status sm_store_skip(sm_store *store, size_t clip, const char *why, smitin_error *error);
/* Write a shard, z [rows, L, H * D] of its clips that were heard, and the manifest. */
smitin_status sm_store_write(sm_store *store, size_t shard, const float *z, smitin_error *error);

/* Remove what an extraction that was begun has stored, and its folder if nothing else lies in it;
 * frees the store. NULL is allowed. */
void sm_store_discard(sm_store *store);

/* Of an opened store: clips that were heard, in the plan's order, and one layer of some of them: x
 * [count, H * D]. */
size_t sm_store_rows(const sm_store *store);
const sm_store_clip *sm_store_row(const sm_store *store, size_t row);
/* Equal audio side by side. */
void sm_store_sort_by_hash(const sm_store_clip **clips, size_t count);
void sm_store_layer(const sm_store *store, int layer, const size_t *rows, size_t count, float *x);

#endif
