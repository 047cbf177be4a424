/* SPDX-License-Identifier: MIT */
/* Owns the choice of clips: where they may start, which tracks are held out, and whose turn it is.
 * Everything follows from the names of the tracks, their activity and the seed. */
#include "deal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../base/rng.h"

#define SHARE_ACTIVE     0.9
#define WHOLE_TRACKS_MIN 5 /* fewer tracks of a kind are split in time */

#define UNUSED_NOTED 5 /* tracks without a clip that are named */

/* What a window is asked for. */
typedef enum wish { WITH, WITHOUT } wish;

/* Whether some stem of the kind sounds in `block`. */
static bool sounds(const sm_track *track, int block, bool target)
{
    for (int j = 0; j < track->count; j++) {
        const sm_stem *stem = &track->stems[j];
        if (stem->target == target && block < stem->blocks && stem->active[block]) return true;
    }
    return false;
}

/* Whether the kind fills the window from `start` on: over all of it and over its last second. */
static bool fills(const sm_track *track, int start, int length, bool target)
{
    int second = length < SM_BLOCKS_PER_SECOND ? length : SM_BLOCKS_PER_SECOND, all = 0, end = 0;
    for (int i = 0; i < length; i++) {
        int there = sounds(track, start + i, target);
        all += there;
        if (i >= length - second) end += there;
    }
    return all >= SHARE_ACTIVE * length && end >= SHARE_ACTIVE * second;
}

static bool usable(const sm_deal *deal, const sm_track *track, int start, wish want)
{
    switch (deal->kind) {
    case SM_DEAL_FOLDERS:
        return track->stems[0].target == (want == WITH) &&
               fills(track, start, deal->length, want == WITH);
    case SM_DEAL_PAIRED:
        return want == WITH && fills(track, start, deal->length, true) &&
               fills(track, start, deal->length, false);
    case SM_DEAL_RANDOM:
        break;
    }
    return fills(track, start, deal->length, want == WITH);
}

uint64_t sm_hash_name(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int i = 0; i < 8; i++) hash = (hash ^ (seed >> (8 * i) & 255)) * UINT64_C(1099511628211);
    for (; *name != '\0'; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

/* A track in the order in which it is dealt out, with the stretch of it that can be used. */
typedef struct candidate {
    uint64_t hash;
    size_t track;
    int first, last; /* blocks; last 0 = nothing usable */
    bool with;       /* has windows with the target */
} candidate;

static int by_hash(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->track > y->track) - (x->track < y->track);
}

static candidate look_at(const sm_deal *deal, const sm_library *library, size_t index)
{
    const sm_track *track = &library->tracks[index];
    candidate out = {.hash = sm_hash_name(deal->seed, track->key), .track = index, .first = -1};
    for (int start = 0; start + deal->length <= track->blocks; start++) {
        bool with = usable(deal, track, start, WITH);
        if (!with && !usable(deal, track, start, WITHOUT)) continue;
        out.with = out.with || with;
        if (out.first < 0) out.first = start;
        out.last = start + deal->length;
    }
    return out;
}

static void add_source(sm_deal *deal, const candidate *from, int first, int last, bool test)
{
    deal->sources[deal->sources_count++] =
        (sm_source){.track = from->track, .first = first, .last = last, .test = test};
}

/* The end of the stretch is held out behind a gap of one clip, or of a second where that is too
 * much. A stretch that is too short goes to one side as a whole, in turn. */
static void split_in_time(sm_deal *deal, const candidate *from, size_t turn)
{
    int total = from->last - from->first, W = deal->length;
    int test = (int)lround(deal->test_share * total), gap = W;
    if (test < W) test = W;
    if (total - test - gap < W) gap = SM_BLOCKS_PER_SECOND < W ? SM_BLOCKS_PER_SECOND : W;
    if (total - test - gap < W) {
        add_source(deal, from, from->first, from->last, turn % 2 == 1);
        return;
    }
    add_source(deal, from, from->first, from->last - test - gap, false);
    add_source(deal, from, from->last - test, from->last, true);
}

static size_t count_kind(const candidate *all, size_t count, bool with)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += all[i].last > 0 && all[i].with == with;
    return total;
}

/* The side of a track that may not choose: its data set has splits, or a track with its key has
 * been dealt out before. */
static sm_side side_of(const sm_deal *deal, const sm_library *library, size_t index)
{
    const sm_track *track = &library->tracks[index];
    if (track->side != SM_SIDE_ANY) return track->side;
    for (size_t i = deal->sources_count; i > 0; i--) {
        const sm_source *source = &deal->sources[i - 1];
        if (strcmp(library->tracks[source->track].key, track->key) == 0)
            return source->test ? SM_SIDE_TEST : SM_SIDE_TRAIN;
    }
    return SM_SIDE_ANY;
}

/* Divide the candidates of one kind, in hash order: by track, or in time when `few`. */
static void split_kind(sm_deal *deal, const sm_library *library, const candidate *all, size_t count,
                       bool with, bool few)
{
    size_t total = count_kind(all, count, with), turn = 0;
    size_t held = (size_t)lround(deal->test_share * (double)total);
    if (held < 1 && total >= WHOLE_TRACKS_MIN) held = 1;
    if (total > 0 && held > total - 1) held = total - 1;
    for (size_t i = 0; i < count; i++) {
        if (all[i].last == 0 || all[i].with != with) continue;
        sm_side side = few ? SM_SIDE_ANY : side_of(deal, library, all[i].track);
        if (side != SM_SIDE_ANY)
            add_source(deal, &all[i], all[i].first, all[i].last, side == SM_SIDE_TEST);
        else if (few)
            split_in_time(deal, &all[i], turn);
        else
            add_source(deal, &all[i], all[i].first, all[i].last, turn < held);
        turn++;
    }
}

/* Divide all candidates. Tracks that only lend backgrounds need no minimum of their own: where
 * there are enough tracks with the target, these have backgrounds, too. */
static void split_all(sm_deal *deal, sm_library *library, const candidate *all, size_t count)
{
    size_t with = count_kind(all, count, true), without = count_kind(all, count, false);
    bool few_with = with < WHOLE_TRACKS_MIN;
    bool few_without = without < WHOLE_TRACKS_MIN && (few_with || deal->kind == SM_DEAL_FOLDERS);
    bool divided = library->count > 0 && library->tracks[0].side != SM_SIDE_ANY; /* all or none */
    if (divided) few_with = few_without = false;
    if ((few_with && with > 0) || (few_without && without > 0))
        sm_library_note(library,
                        "few tracks (%zu with the trait, %zu without): split in time instead of by "
                        "track, so test accuracy says little about other tracks; %d of a kind are "
                        "enough to hold out whole ones",
                        with, without, WHOLE_TRACKS_MIN);
    split_kind(deal, library, all, count, true, few_with);
    split_kind(deal, library, all, count, false, few_without);
}

/* Fill in where clips of one kind may start, shuffled by the seed. */
static smitin_status fill_windows(const sm_deal *deal, sm_library *library, size_t index, wish want,
                                  smitin_error *error)
{
    sm_source *source = &deal->sources[index];
    sm_windows *windows = want == WITH ? &source->with : &source->without;
    const sm_track *track = &library->tracks[source->track];
    windows->starts = SM_TAKE(library->arena, source->last - source->first, int);
    if (windows->starts == NULL) return sm_fail_memory(error, track->name, (size_t)source->last);
    for (int start = source->first; start + deal->length <= source->last; start++)
        if (usable(deal, track, start, want)) windows->starts[windows->count++] = start;
    uint64_t seed = sm_hash_name(deal->seed, track->key);
    for (size_t i = windows->count; i > 1; i--) {
        size_t j = (size_t)(sm_uniform(seed, (uint32_t)i, want == WITH, SM_RNG_DATA) * (double)i);
        int swap = windows->starts[i - 1];
        windows->starts[i - 1] = windows->starts[j];
        windows->starts[j] = swap;
    }
    return SMITIN_OK;
}

static sm_windows *windows_of(sm_source *source, wish want)
{
    return want == WITH ? &source->with : &source->without;
}

static size_t count_windows(const sm_deal *deal, bool test, wish want)
{
    size_t count = 0;
    for (size_t i = 0; i < deal->sources_count; i++)
        if (deal->sources[i].test == test) count += windows_of(&deal->sources[i], want)->count;
    return count;
}

/* The next window: sources take turns from *turn on; when all are used up they start again. */
static const sm_source *take_window(sm_deal *deal, bool test, wish want, size_t *turn, int *start)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < deal->sources_count; i++) {
            sm_source *source = &deal->sources[(*turn + i) % deal->sources_count];
            sm_windows *windows = windows_of(source, want);
            if (source->test != test || windows->next >= windows->count) continue;
            *turn = (*turn + i + 1) % deal->sources_count;
            *start = windows->starts[windows->next++];
            return source;
        }
        for (size_t i = 0; i < deal->sources_count; i++)
            if (deal->sources[i].test == test) windows_of(&deal->sources[i], want)->next = 0;
    }
    return NULL; /* no window at all: sm_deal_clips has made sure that there is one */
}

/* Pairs that one split can fill with different clips. */
static size_t pairs_possible(const sm_deal *deal, bool test)
{
    size_t with = count_windows(deal, test, WITH), without = count_windows(deal, test, WITHOUT);
    if (deal->kind == SM_DEAL_PAIRED) return with;
    if (deal->kind == SM_DEAL_FOLDERS) return with < without ? with : without;
    /* Two backgrounds a pair; with a target on top the same one makes another clip. */
    return with == 0 ? 0 : without < 2 ? without : without / 2;
}

static void deal_pair(sm_deal *deal, bool test, size_t turns[2])
{
    int start = 0, other = 0;
    sm_clip_plan yes = {.label = true, .test = test, .target = -1},
                 no = {.test = test, .target = -1};
    if (deal->kind == SM_DEAL_PAIRED) {
        const sm_source *source = take_window(deal, test, WITH, &turns[WITH], &start);
        yes.background = no.background = (long)source->track;
        yes.background_start = no.background_start = start;
        yes.with_target = true;
    } else if (deal->kind == SM_DEAL_FOLDERS) {
        yes.background = (long)take_window(deal, test, WITH, &turns[WITH], &start)->track;
        no.background = (long)take_window(deal, test, WITHOUT, &turns[WITHOUT], &other)->track;
        yes.background_start = start;
        no.background_start = other;
        yes.with_target = true;
    } else {
        yes.background = (long)take_window(deal, test, WITHOUT, &turns[WITHOUT], &start)->track;
        yes.background_start = start;
        yes.target = (long)take_window(deal, test, WITH, &turns[WITH], &other)->track;
        yes.target_start = other;
        no.background = (long)take_window(deal, test, WITHOUT, &turns[WITHOUT], &start)->track;
        no.background_start = start;
    }
    deal->clips[deal->clips_count++] = yes;
    deal->clips[deal->clips_count++] = no;
}

/* Why a split has no clips, in words that say what to bring. */
static smitin_status fail_empty(const sm_deal *deal, const sm_library *library, bool test,
                                smitin_error *error)
{
    wish want = count_windows(deal, test, WITH) == 0 ? WITH : WITHOUT;
    size_t tracks = 0;
    for (size_t i = 0; i < library->count; i++) {
        const sm_track *track = &library->tracks[i];
        bool found = false;
        for (int start = 0; start + deal->length <= track->blocks && !found; start++)
            found = usable(deal, track, start, want);
        tracks += found;
    }
    size_t missing = tracks < WHOLE_TRACKS_MIN ? WHOLE_TRACKS_MIN - tracks : 1;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "the %s split has no clip %s the trait: of %zu tracks, %zu have %.1f s of the "
                   "sound needed; give %zu more such %s, or longer ones",
                   test ? "test" : "train", want == WITH ? "with" : "without", library->count,
                   tracks, (double)deal->length / SM_BLOCKS_PER_SECOND, missing,
                   missing == 1 ? "track" : "tracks");
}

static smitin_status make_sources(sm_deal *deal, sm_library *library, smitin_error *error)
{
    size_t count = library->count, unused = 0;
    candidate *all = calloc(count > 0 ? count : 1, sizeof *all);
    deal->sources = SM_TAKE(library->arena, 2 * count, sm_source);
    if (all == NULL || deal->sources == NULL) {
        free(all);
        return sm_fail_memory(error, "a list of tracks", count * sizeof *all);
    }
    for (size_t i = 0; i < count; i++) {
        all[i] = look_at(deal, library, i);
        if (all[i].last > 0) continue;
        if (++unused <= UNUSED_NOTED)
            sm_library_note(library, "not used: '%s' has no %.1f s of the sound needed",
                            library->tracks[i].name, (double)deal->length / SM_BLOCKS_PER_SECOND);
    }
    if (unused > UNUSED_NOTED)
        sm_library_note(library, "not used either: %zu more tracks", unused - UNUSED_NOTED);
    qsort(all, count, sizeof *all, by_hash);
    split_all(deal, library, all, count);
    free(all);
    smitin_status status = SMITIN_OK;
    for (size_t i = 0; i < deal->sources_count && status == SMITIN_OK; i++) {
        status = fill_windows(deal, library, i, WITH, error);
        if (status == SMITIN_OK) status = fill_windows(deal, library, i, WITHOUT, error);
    }
    return status;
}

smitin_status sm_deal_clips(sm_deal *deal, sm_library *library, smitin_error *error)
{
    SM_TRY(make_sources(deal, library, error));
    size_t wanted[2], asked = (size_t)deal->pairs;
    wanted[1] = (size_t)lround(deal->test_share * deal->pairs);
    if (wanted[1] < 1) wanted[1] = 1;
    if (wanted[1] > asked - 1) wanted[1] = asked - 1;
    wanted[0] = asked - wanted[1];
    for (int test = 0; test < 2; test++) {
        size_t possible = pairs_possible(deal, test != 0);
        if (possible == 0) return fail_empty(deal, library, test != 0, error);
        if (possible < wanted[test])
            sm_library_note(
                library,
                "the audio holds only %zu different pairs of clips for the %s split, not %zu",
                possible, test ? "test" : "train", wanted[test]);
        if (possible < wanted[test]) wanted[test] = possible;
    }
    deal->pairs = (int)(wanted[0] + wanted[1]);
    deal->clips = SM_TAKE(library->arena, 2 * deal->pairs, sm_clip_plan);
    if (deal->clips == NULL) return sm_fail_memory(error, "a list of clips", (size_t)deal->pairs);
    for (int test = 0; test < 2; test++) {
        size_t turns[2] = {0, 0};
        for (size_t i = 0; i < wanted[test]; i++) deal_pair(deal, test != 0, turns);
    }
    return SMITIN_OK;
}
