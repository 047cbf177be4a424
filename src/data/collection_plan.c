/* SPDX-License-Identifier: MIT */
/* Owns the way from annotated files to clips: names, headers, splits, windows. */
#include "collection_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "deal.h"

#define TOUCH_SECONDS 1e-6 /* a window may end this much behind its file: rounding */

enum { NAMES_MAX = 4096 };

/* ---- Names ---- */

typedef struct ranked {
    const char *name;
    size_t count; /* files with it; 0 when order is by name only */
    int number;
} ranked;

static int by_count(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Which names are kept, and in which order. Multi-label ones by frequency over all annotated files,
 * with audio or without; classes by name. Fills of_number [names_count]: the place of each, or -1.
 */
static smitin_status choose_names(sm_collection_plan *plan, sm_entries *entries, int top,
                                  int *of_number, smitin_error *error)
{
    const int all = entries->names_count;
    const bool tags = entries->task == SM_TASK_MULTILABEL;
    ranked *order = SM_TAKE(entries->notes.arena, all, ranked);
    plan->names = SM_TAKE(entries->notes.arena, all, const char *);
    if (order == NULL || plan->names == NULL)
        return sm_fail_memory(error, "a list of labels", (size_t)all);
    for (int i = 0; i < all; i++) order[i] = (ranked){entries->names[i], 0, i};
    for (size_t i = 0; i < entries->count && tags; i++)
        for (int j = 0; j < entries->items[i].labels_count; j++)
            order[entries->items[i].labels[j]].count++;
    if (!entries->ordered && all > 0) qsort(order, (size_t)all, sizeof *order, by_count);
    plan->classes = tags && top > 0 && top < all ? top : all;
    while (tags && plan->classes > 0 && order[plan->classes - 1].count == 0) plan->classes--;
    for (int i = 0; i < all; i++) {
        of_number[order[i].number] = i < plan->classes ? i : -1;
        plan->names[i] = order[i].name;
    }
    if (plan->classes > NAMES_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%d different labels are too many; keep the most frequent with --top",
                       plan->classes);
    if (plan->classes < (entries->task == SM_TASK_MULTICLASS ? 2 : 1))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there %s of %s in the annotations",
                       plan->classes == 1 ? "is only one class" : "are no labels",
                       plan->classes == 1 ? plan->names[0] : "any kind");
    return SMITIN_OK;
}

/* Labels become values. */
static smitin_status set_values(const sm_collection_plan *plan, sm_entries *entries,
                                const int *of_number, smitin_error *error)
{
    const int width = sm_task_width(entries->task, plan->classes);
    if (entries->task == SM_TASK_REGRESSION) return SMITIN_OK;
    for (size_t i = 0; i < entries->count; i++) {
        sm_entry *entry = &entries->items[i];
        SM_TRY(sm_entries_values(entries, entry, width, error));
        int kept = 0;
        for (int j = 0; j < entry->labels_count; j++) {
            const int place = of_number[entry->labels[j]];
            if (place < 0) continue;
            kept++;
            if (entries->task == SM_TASK_MULTICLASS)
                entry->values[0] = place;
            else
                entry->values[place] = 1.0;
        }
        entry->labels_count = kept;
    }
    return SMITIN_OK;
}

/* ---- Files ---- */

static int by_span(const sm_entry *x, const sm_entry *y)
{
    const int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->start > y->start) - (x->start < y->start);
}

static int by_path(const void *a, const void *b)
{
    const sm_entry *x = a, *y = b;
    const int order = by_span(x, y);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int windows_of(const sm_entry *entry, double seconds)
{
    const double end = entry->end < 0.0 ? entry->seconds : fmin(entry->end, entry->seconds);
    const double fit = floor((end - entry->start + TOUCH_SECONDS) / seconds);
    return fit < 1.0 ? 0 : fit > 1e6 ? 1000000 : (int)fit;
}

/* Whether a file can be used, as far as its header tells; else it is noted. */
static bool look_at(sm_entries *entries, const sm_collection_options *o, sm_entry *entry)
{
    smitin_error problem;
    size_t frames = 0;
    int channels;
    json_t *text = json_string(entry->path); /* NULL: no UTF-8, which no manifest can hold */
    json_decref(text);
    if (text == NULL) {
        sm_library_note(&entries->notes, "skipped: the name '%s' is not UTF-8; rename the file",
                        entry->path);
        return false;
    }
    char *path = sm_path_join(o->root, entry->path);
    if (path == NULL) return false;
    const bool fine = sm_audio_probe(path, &frames, &channels, &entry->rate, &problem) == SMITIN_OK;
    entry->seconds = fine ? (double)frames / entry->rate : 0.0;
    if (!fine)
        sm_library_note(&entries->notes, "skipped: %s", problem.message);
    else if (windows_of(entry, o->seconds) == 0)
        sm_library_note(&entries->notes,
                        "skipped: '%s' has no %g s from %g s on: it is %.2f s long", path,
                        o->seconds, entry->start, entry->seconds);
    free(path);
    return fine && windows_of(entry, o->seconds) > 0;
}

/* Drop what has no audio, is there twice, or cannot be used; sort by path. */
static void keep_usable(sm_entries *entries, const sm_collection_options *o)
{
    size_t count = 0, kept = 0, bare = 0;
    for (size_t i = 0; i < entries->count; i++)
        if (entries->items[i].path != NULL) entries->items[count++] = entries->items[i];
    if (count > 0) qsort(entries->items, count, sizeof *entries->items, by_path);
    for (size_t i = 0; i < count; i++) {
        sm_entry *entry = &entries->items[i];
        if (i > 0 && by_span(entry - 1, entry) == 0) {
            sm_library_note(&entries->notes, "skipped: '%s' is annotated twice", entry->path);
            continue;
        }
        if (o->labelled_only && entries->task == SM_TASK_MULTILABEL && entry->labels_count == 0) {
            bare++;
            continue;
        }
        if (look_at(entries, o, entry)) entries->items[kept++] = *entry;
    }
    if (bare > 0)
        sm_library_note(&entries->notes, "left out: %zu files have none of the labels", bare);
    entries->count = kept;
}

/* ---- Splits ---- */

/* A group in the order in which it is dealt out. */
typedef struct dealt {
    uint64_t hash;
    size_t entry;
} dealt;

static int by_hash(const void *a, const void *b)
{
    const dealt *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* The class by which files are held out; one for all where there are no classes, or where they are
 * too small for that (`whole`). */
static size_t class_of(const sm_entries *entries, const sm_entry *entry, bool whole)
{
    const bool classes = entries->task == SM_TASK_MULTICLASS || entries->task == SM_TASK_BINARY;
    return classes && !whole ? (size_t)entry->values[0] : 0;
}

/* How many files of every class are to be held out; false when none is. */
static bool count_wanted(const sm_entries *entries, double share, bool whole, size_t *wanted,
                         size_t kinds)
{
    size_t total = 0;
    memset(wanted, 0, kinds * sizeof *wanted);
    for (size_t i = 0; i < entries->count; i++)
        wanted[class_of(entries, &entries->items[i], whole)]++;
    for (size_t k = 0; k < kinds; k++) {
        const size_t all = wanted[k];
        wanted[k] = (size_t)lround(share * (double)all);
        if (wanted[k] == 0 && all > 1) wanted[k] = 1;
        total += wanted[k];
    }
    return total > 0;
}

/* Hold out a share of the files of every class, whole groups, in the order of their hashes. */
static smitin_status deal_groups(const sm_collection_plan *plan, sm_entries *entries,
                                 const sm_collection_options *o, smitin_error *error)
{
    const size_t N = entries->count, kinds = (size_t)plan->classes + 1;
    dealt *order = SM_TAKE(entries->notes.arena, N, dealt);
    size_t *wanted = SM_TAKE(entries->notes.arena, kinds, size_t);
    if (order == NULL || wanted == NULL) return sm_fail_memory(error, "a split", N);
    for (size_t i = 0; i < N; i++)
        order[i] = (dealt){sm_hash_name(o->seed, entries->items[i].group), i};
    const bool whole = !count_wanted(entries, o->test_share, false, wanted, kinds);
    if (whole) count_wanted(entries, o->test_share, true, wanted, kinds);
    qsort(order, N, sizeof *order, by_hash);
    for (size_t first = 0, last; first < N; first = last) {
        const size_t kind = class_of(entries, &entries->items[order[first].entry], whole);
        const sm_split split = wanted[kind] > 0 ? SM_SPLIT_TEST : SM_SPLIT_TRAIN;
        for (last = first; last < N && order[last].hash == order[first].hash; last++) {
            sm_entry *entry = &entries->items[order[last].entry];
            entry->split = (int)split;
            size_t *left = &wanted[class_of(entries, entry, whole)];
            if (split == SM_SPLIT_TEST && *left > 0) --*left;
        }
    }
    return SMITIN_OK;
}

/* The set's own split, where every file has one and both train and test are there. */
static smitin_status settle_splits(sm_collection_plan *plan, sm_entries *entries,
                                   const sm_collection_options *o, smitin_error *error)
{
    size_t in[SM_SPLITS] = {0}, unknown = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const int split = entries->items[i].split;
        if (split == SM_SPLIT_ANY)
            unknown++;
        else
            in[split]++;
    }
    plan->own_split = unknown == 0 && in[SM_SPLIT_TRAIN] > 0 && in[SM_SPLIT_TEST] > 0;
    if (plan->own_split) return SMITIN_OK;
    if (unknown < entries->count)
        sm_library_note(&entries->notes,
                        "the set's split is not used: %zu files are in train, %zu in valid, %zu in "
                        "test, %zu in none; files are held out by the seed",
                        in[SM_SPLIT_TRAIN], in[SM_SPLIT_VALID], in[SM_SPLIT_TEST], unknown);
    SM_TRY(deal_groups(plan, entries, o, error));
    size_t test = 0;
    for (size_t i = 0; i < entries->count; i++) test += entries->items[i].split == SM_SPLIT_TEST;
    if (test == 0 || test == entries->count)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%zu usable files of so few artists or tracks cannot be divided into train "
                       "and test; give more",
                       entries->count);
    return SMITIN_OK;
}

/* ---- Windows ---- */

static smitin_status cut_windows(sm_collection_plan *plan, sm_entries *entries,
                                 const sm_collection_options *o, smitin_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const int fit = windows_of(&entries->items[i], o->seconds);
        total += (size_t)(o->per_file > 0 && o->per_file < fit ? o->per_file : fit);
    }
    plan->clips = SM_TAKE(entries->notes.arena, total, sm_planned);
    if (plan->clips == NULL)
        return sm_fail_memory(error, "a list of clips", total * sizeof *plan->clips);
    for (size_t i = 0; i < entries->count; i++) {
        const sm_entry *entry = &entries->items[i];
        const int fit = windows_of(entry, o->seconds);
        const int taken = o->per_file > 0 && o->per_file < fit ? o->per_file : fit;
        for (int w = 0; w < taken; w++) { /* the middle ones of as many equal parts */
            const int window = (int)((2 * (int64_t)w + 1) * fit / (2 * taken));
            const double start = round((entry->start + window * o->seconds) * 1e6) / 1e6;
            plan->clips[plan->count++] = (sm_planned){
                .clip = {entry->path, entry->track, start, (sm_split)entry->split, entry->values},
                .entry = entry};
        }
    }
    plan->files = entries->count;
    return SMITIN_OK;
}

smitin_status sm_collection_make_plan(sm_collection_plan *plan, sm_entries *entries,
                                      const sm_collection_options *o, int top, smitin_error *error)
{
    int *of_number = SM_TAKE(entries->notes.arena, entries->names_count, int);
    if (of_number == NULL) return sm_fail_memory(error, "a list of labels", 0);
    if (entries->count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there is no annotated file in '%s'%s%s; check the path", o->root,
                       entries->notes.notes_count > 0 ? "; the first note: " : "",
                       entries->notes.notes_count > 0 ? entries->notes.notes[0] : "");
    SM_TRY(choose_names(plan, entries, top, of_number, error));
    SM_TRY(set_values(plan, entries, of_number, error));
    keep_usable(entries, o);
    if (entries->count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "not one audio file below '%s' can be used; the first: %s", o->root,
                       entries->notes.notes_count > 0 ? entries->notes.notes[0] : "none found");
    SM_TRY(settle_splits(plan, entries, o, error));
    return cut_windows(plan, entries, o, error);
}
