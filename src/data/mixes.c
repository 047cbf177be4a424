/* SPDX-License-Identifier: MIT */
/* Owns mixes of some of a track's stems. */
#include "mixes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/rng.h"
#include "deal.h"

#define SHARE_ACTIVE 0.9 /* of a window's blocks, and of its last second */

/* A window that can be used. */
typedef struct window {
    uint64_t hash;
    size_t track;
    int start;      /* block */
    uint32_t fills; /* kinds that sound over all of it */
} window;

static smitin_status read_tracks(const sm_layout *layout, sm_library *library, const char *root,
                                 const char *target, smitin_error *error)
{
    return layout != NULL ? sm_layout_add(layout, library, root, target, error)
                          : sm_library_add_stems(library, root, target, error);
}

/* The stems of one kind, by their paths. */
static smitin_status name_kind(json_t *kinds, const sm_layout *layout, const char *root,
                               const char *target, int kind, smitin_error *error)
{
    sm_library library;
    SM_TRY(sm_library_init(&library, error));
    smitin_status status = read_tracks(layout, &library, root, target, error);
    bool any = false;
    for (size_t i = 0; i < library.count && status == SMITIN_OK; i++)
        for (int j = 0; j < library.tracks[i].count && status == SMITIN_OK; j++) {
            const sm_stem *stem = &library.tracks[i].stems[j];
            if (!stem->target) continue;
            any = true;
            if (json_object_get(kinds, stem->path) != NULL)
                status =
                    sm_fail(error, SMITIN_ERROR_ARGUMENT,
                            "'%s' belongs to two of the targets; name each stem once", stem->path);
            else if (json_object_set_new(kinds, stem->path, json_integer(kind)) != 0)
                status =
                    sm_fail(error, SMITIN_ERROR_FORMAT, "the name '%s' is not UTF-8", stem->path);
        }
    if (status == SMITIN_OK && !any)
        status = sm_fail(error, SMITIN_ERROR_ARGUMENT, "no track below '%s' has a stem called '%s'",
                         root, target);
    sm_library_free(&library);
    return status;
}

static smitin_status name_kinds(sm_entries *entries, json_t *kinds, const sm_layout *layout,
                                const char *root, const char *targets, smitin_error *error)
{
    for (const char *at = targets; *at != '\0';) {
        char target[256];
        const size_t length = strcspn(at, ",");
        int kind;
        snprintf(target, sizeof target, "%.*s", (int)(length < 255 ? length : 255), at);
        at += length + (at[length] == ',');
        if (target[0] == '\0') continue;
        SM_TRY(sm_entries_name(entries, target, &kind, error));
        if (kind >= SM_MIX_KINDS)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "more than %d targets", SM_MIX_KINDS);
        SM_TRY(name_kind(kinds, layout, root, target, kind, error));
    }
    if (entries->names_count < 2)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "several targets are needed, not '%s'",
                       targets);
    return SMITIN_OK;
}

/* ---- Windows ---- */

static bool sounds(const sm_track *track, int block, int kind)
{
    for (int j = 0; j < track->count; j++) {
        const sm_stem *stem = &track->stems[j];
        if (stem->kind == kind && block < stem->blocks && stem->active[block]) return true;
    }
    return false;
}

static bool fills(const sm_track *track, int start, int length, int kind)
{
    const int second = length < SM_BLOCKS_PER_SECOND ? length : SM_BLOCKS_PER_SECOND;
    int all = 0, end = 0;
    for (int i = 0; i < length; i++) {
        const int there = sounds(track, start + i, kind);
        all += there;
        if (i >= length - second) end += there;
    }
    return all >= SHARE_ACTIVE * length && end >= SHARE_ACTIVE * second;
}

static int by_hash(const void *a, const void *b)
{
    const window *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    if (x->track != y->track) return x->track < y->track ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static int by_place(const void *a, const void *b)
{
    const window *x = a, *y = b;
    if (x->track != y->track) return x->track < y->track ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

/* Tracks with one key go to one side: as the set says, else by hash until the share is held out. */
static smitin_status settle(sm_library *library, const sm_dataset_options *o, smitin_error *error)
{
    const size_t N = library->count;
    if (N > 0 && library->tracks[0].side != SM_SIDE_ANY) return SMITIN_OK;
    window *order = SM_TAKE(library->arena, N, window);
    if (order == NULL) return sm_fail_memory(error, "a split", N);
    for (size_t i = 0; i < N; i++)
        order[i] = (window){.hash = sm_hash_name(o->seed, library->tracks[i].key), .track = i};
    qsort(order, N, sizeof *order, by_hash);
    const size_t wanted = (size_t)fmax(1.0, round(o->test_share * (double)N));
    size_t test = 0;
    for (size_t i = 0; i < N; i++) {
        const bool same = i > 0 && order[i].hash == order[i - 1].hash;
        sm_track *track = &library->tracks[order[i].track];
        track->side = same ? library->tracks[order[i - 1].track].side
                           : (test < wanted ? SM_SIDE_TEST : SM_SIDE_TRAIN);
        test += track->side == SM_SIDE_TEST;
    }
    if (test == N)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%zu tracks cannot be divided into train and test; give more", N);
    return SMITIN_OK;
}

/* Windows of one side in a shuffled order. */
static smitin_status find_windows(const sm_library *library, const sm_dataset_options *o, int kinds,
                                  sm_side side, window **out, size_t *count, smitin_error *error)
{
    const int length = (int)ceil(o->seconds * SM_BLOCKS_PER_SECOND - 1e-9);
    size_t most = 0;
    for (size_t i = 0; i < library->count; i++)
        most += (size_t)(library->tracks[i].blocks / length);
    window *windows = SM_TAKE(library->arena, most, window);
    if (windows == NULL) return sm_fail_memory(error, "a list of clips", most * sizeof *windows);
    *count = 0;
    for (size_t i = 0; i < library->count; i++) {
        const sm_track *track = &library->tracks[i];
        const uint64_t seed = sm_hash_name(o->seed, track->name);
        for (int start = 0; track->side == side && start + length <= track->blocks;
             start += length) {
            window w = {.track = i, .start = start};
            for (int k = 0; k < kinds; k++)
                if (fills(track, start, length, k)) w.fills |= UINT32_C(1) << k;
            w.hash = (uint64_t)(sm_uniform(seed, (uint32_t)start, 0, SM_RNG_DATA) * 0x1p53);
            if (w.fills != 0) windows[(*count)++] = w;
        }
    }
    if (*count > 0) qsort(windows, *count, sizeof *windows, by_hash);
    *out = windows;
    return SMITIN_OK;
}

/* Each kind in or out, until at least one is in. */
static uint32_t throw_kinds(uint64_t seed, const window *w, int kinds)
{
    for (uint32_t again = 1; again <= 64; again++) {
        uint32_t in = 0;
        for (int k = 0; k < kinds; k++)
            if ((w->fills >> k & 1) != 0 &&
                sm_uniform(seed, (uint32_t)w->start, again * SM_MIX_KINDS + (uint32_t)k,
                           SM_RNG_DATA) < 0.5)
                in |= UINT32_C(1) << k;
        if (in != 0) return in;
    }
    return w->fills;
}

/* ---- Clips ---- */

static smitin_status add_clips(sm_collection_plan *plan, sm_entries *entries,
                               const sm_dataset_options *o, sm_side side, size_t wanted,
                               smitin_error *error)
{
    const sm_library *library = &entries->notes;
    window *windows = NULL;
    size_t count = 0;
    SM_TRY(find_windows(library, o, plan->classes, side, &windows, &count, error));
    const char *name = side == SM_SIDE_TEST ? "test" : "train";
    if (count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "no target sounds for %g s in the tracks of the %s split", o->seconds, name);
    if (count < wanted)
        sm_library_note(&entries->notes, "the audio holds only %zu clips for the %s split, not %zu",
                        count, name, wanted);
    else
        count = wanted;
    qsort(windows, count, sizeof *windows, by_place);
    for (size_t i = 0; i < count; i++) {
        const window *w = &windows[i];
        const sm_track *track = &library->tracks[w->track];
        const uint32_t in = throw_kinds(sm_hash_name(o->seed, track->name), w, plan->classes);
        double *values = SM_TAKE(library->arena, plan->classes, double);
        if (values == NULL) return sm_fail_memory(error, "a list of clips", count);
        for (int k = 0; k < plan->classes; k++) values[k] = (in >> k & 1) != 0;
        plan->clips[plan->count++] =
            (sm_planned){.clip = {track->name, track->name, (double)w->start / SM_BLOCKS_PER_SECOND,
                                  side == SM_SIDE_TEST ? SM_SPLIT_TEST : SM_SPLIT_TRAIN, values},
                         .track = w->track,
                         .start = w->start,
                         .kinds = in};
    }
    return SMITIN_OK;
}

smitin_status sm_mixes_plan(sm_collection_plan *plan, sm_entries *entries, const char *layout,
                            const char *root, const char *targets, const sm_dataset_options *o,
                            const sm_layout **found, smitin_error *error)
{
    sm_library *library = &entries->notes;
    json_t *kinds = json_object();
    if (kinds == NULL) return sm_fail_memory(error, "a list of stems", 0);
    smitin_status status = sm_layout_find(layout, root, found, error);
    if (status == SMITIN_OK) status = name_kinds(entries, kinds, *found, root, targets, error);
    if (status == SMITIN_OK) status = read_tracks(*found, library, root, entries->names[0], error);
    for (size_t i = 0; status == SMITIN_OK && i < library->count; i++)
        for (int j = 0; j < library->tracks[i].count; j++) {
            sm_stem *stem = &library->tracks[i].stems[j];
            const json_t *kind = json_object_get(kinds, stem->path);
            stem->kind = kind != NULL ? (int)json_integer_value(kind) : -1;
        }
    json_decref(kinds);
    SM_TRY(status);
    SM_TRY(sm_library_listen(library, error));
    plan->own_split = library->count > 0 && library->tracks[0].side != SM_SIDE_ANY;
    SM_TRY(settle(library, o, error));
    const size_t wanted = 2 * (size_t)o->pairs,
                 test = (size_t)fmax(1.0, round(o->test_share * (double)wanted));
    plan->names = entries->names;
    plan->classes = entries->names_count;
    plan->files = library->count;
    plan->clips = SM_TAKE(library->arena, wanted, sm_planned);
    if (plan->clips == NULL) return sm_fail_memory(error, "a list of clips", wanted);
    SM_TRY(add_clips(plan, entries, o, SM_SIDE_TRAIN, wanted - test, error));
    return add_clips(plan, entries, o, SM_SIDE_TEST, test, error);
}

smitin_status sm_mix_add(const sm_entries *entries, const sm_planned *planned, int channels,
                         int rate, float *samples, size_t frames, smitin_error *error)
{
    const sm_track *track = &entries->notes.tracks[planned->track];
    for (int j = 0; j < track->count; j++) {
        const sm_stem *stem = &track->stems[j];
        if (stem->kind >= 0 && (planned->kinds >> stem->kind & 1) == 0) continue;
        SM_TRY(sm_stem_add(stem, planned->start, channels, rate, samples, frames, error));
    }
    return SMITIN_OK;
}
