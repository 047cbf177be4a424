/* SPDX-License-Identifier: MIT */
/* Owns hearing where a stem sounds, and reading a part of it. Only a minute of audio is held at a
 * time; clips are read from the files themselves, which costs a seek, so that no cache of decoded
 * stems is needed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "library.h"

#define PART_SECONDS 60.0
#define SILENCE_DB   (-60.0)
#define GAP_BLOCKS   4 /* longest silence that counts as part of the music: between two slow hits */
#define MARGIN_SECONDS                                                                             \
    0.05 /* read around a clip that is resampled: the filter must not hear a cut */

/* Mark the blocks of one part, mono, whose first sample lies at the start of block `first`. */
static void mark_blocks(const sm_audio *part, int first, sm_stem *stem)
{
    for (int i = 0;; i++) {
        /* Borders in whole samples, without adding up the rounding. */
        size_t from = (size_t)((double)i * part->sample_rate / SM_BLOCKS_PER_SECOND);
        size_t to = (size_t)((double)(i + 1) * part->sample_rate / SM_BLOCKS_PER_SECOND);
        if (to > part->frames) to = part->frames;
        if (from >= to || first + i >= stem->blocks) return;
        stem->active[first + i] = sm_audio_rms_db(part->samples + from, to - from) > SILENCE_DB;
    }
}

static void close_gaps(sm_stem *stem)
{
    int last = -1;
    for (int i = 0; i < stem->blocks; i++) {
        if (!stem->active[i]) continue;
        if (last >= 0 && i - last - 1 <= GAP_BLOCKS)
            memset(stem->active + last, 1, (size_t)(i - last));
        last = i;
    }
}

static smitin_status listen(sm_library *library, sm_stem *stem, smitin_error *error)
{
    size_t frames = 0;
    int channels = 0;
    SM_TRY(sm_audio_probe(stem->path, &frames, &channels, &stem->rate, error));
    stem->seconds = (double)frames / stem->rate;
    if (stem->seconds > 24.0 * 3600.0)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' claims to be longer than a day",
                       stem->path);
    stem->blocks = (int)ceil(stem->seconds * SM_BLOCKS_PER_SECOND);
    stem->active = SM_TAKE(library->arena, stem->blocks, uint8_t);
    if (stem->active == NULL) return sm_fail_memory(error, stem->path, (size_t)stem->blocks);
    for (double start = 0.0; start < stem->seconds; start += PART_SECONDS) {
        sm_audio part;
        SM_TRY(sm_audio_read_mono(&part, stem->path, stem->rate, start, PART_SECONDS, error));
        mark_blocks(&part, (int)lround(start * SM_BLOCKS_PER_SECOND), stem);
        sm_audio_free(&part);
    }
    close_gaps(stem);
    return SMITIN_OK;
}

smitin_status sm_library_listen(sm_library *library, smitin_error *error)
{
    size_t kept_tracks = 0;
    for (size_t i = 0; i < library->count; i++) {
        sm_track track = library->tracks[i];
        int kept = 0;
        for (int j = 0; j < track.count; j++) {
            smitin_error problem;
            smitin_status status = listen(library, &track.stems[j], &problem);
            if (status == SMITIN_ERROR_MEMORY) return sm_fail(error, status, "%s", problem.message);
            if (status != SMITIN_OK) {
                sm_library_note(library, "skipped: %s", problem.message);
                continue;
            }
            track.stems[kept] = track.stems[j];
            if (track.stems[kept].blocks > track.blocks) track.blocks = track.stems[kept].blocks;
            kept++;
        }
        track.count = kept;
        if (kept > 0) library->tracks[kept_tracks++] = track;
    }
    library->count = kept_tracks;
    return SMITIN_OK;
}

smitin_status sm_sound_add(const char *path, int file_rate, double file_seconds, double start,
                           int channels, int rate, float *samples, size_t frames, size_t *made,
                           smitin_error *error)
{
    const double seconds = (double)frames / rate;
    *made = 0;
    /* Shorter than half a sample: nothing is left. */
    if (start >= file_seconds - 0.5 / file_rate) return SMITIN_OK;
    double before = file_rate == rate ? 0.0 : fmin(start, MARGIN_SECONDS);
    double after = file_rate == rate ? 0.0 : MARGIN_SECONDS;
    sm_audio part;
    SM_TRY(sm_audio_read_as(&part, path, channels, rate, start - before, before + seconds + after,
                            error));
    size_t skip = (size_t)lround(before * rate), C = (size_t)channels;
    size_t left = part.frames > skip ? part.frames - skip : 0;
    *made = frames < left ? frames : left;
    for (size_t i = 0; i < *made * C; i++) samples[i] += part.samples[skip * C + i];
    sm_audio_free(&part);
    return SMITIN_OK;
}

smitin_status sm_stem_add(const sm_stem *stem, int block, int channels, int rate, float *samples,
                          size_t frames, smitin_error *error)
{
    size_t made;
    return sm_sound_add(stem->path, stem->rate, stem->seconds, (double)block / SM_BLOCKS_PER_SECOND,
                        channels, rate, samples, frames, &made, error);
}
