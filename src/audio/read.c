/* SPDX-License-Identifier: MIT */
/* Owns reading audio files through libsndfile: whole files, regions, headers; from a path or from
 * memory. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sndfile.h>
#include "audio.h"

/* Most samples held at once (4 GiB of floats): a small file of compressed silence must not take the
 * machine. */
#define SAMPLES_MAX  ((size_t)1 << 30)
#define BLOCK_FRAMES 4096

typedef struct reader {
    SNDFILE *file;
    SF_INFO info;
    const char *name;
} reader;

typedef struct memory_file {
    const unsigned char *data;
    sf_count_t size, position;
} memory_file;

static sf_count_t memory_length(void *user)
{
    return ((memory_file *)user)->size;
}

static sf_count_t memory_seek(sf_count_t offset, int whence, void *user)
{
    memory_file *memory = user;
    sf_count_t base = 0;
    if (whence == SEEK_CUR) base = memory->position;
    if (whence == SEEK_END) base = memory->size;
    /* `offset` comes from the file: keep within it without ever adding beyond the range of the
     * type. */
    if (offset < -base)
        memory->position = 0;
    else if (offset > memory->size - base)
        memory->position = memory->size;
    else
        memory->position = base + offset;
    return memory->position;
}

static sf_count_t memory_read(void *out, sf_count_t count, void *user)
{
    memory_file *memory = user;
    sf_count_t left = memory->size - memory->position;
    if (count > left) count = left;
    if (count <= 0) return 0;
    memcpy(out, memory->data + memory->position, (size_t)count);
    memory->position += count;
    return count;
}

static sf_count_t memory_write(const void *data, sf_count_t count, void *user)
{
    (void)data, (void)count, (void)user;
    return 0;
}

static sf_count_t memory_tell(void *user)
{
    return ((memory_file *)user)->position;
}

static smitin_status check_info(const reader *in, smitin_error *error)
{
    const SF_INFO *info = &in->info;
    if (info->channels < 1 || info->channels > SM_AUDIO_CHANNELS_MAX)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' has %d channels; 1 to %d can be read",
                       in->name, info->channels, SM_AUDIO_CHANNELS_MAX);
    if (info->samplerate < SM_AUDIO_RATE_MIN || info->samplerate > SM_AUDIO_RATE_MAX)
        return sm_fail(
            error, SMITIN_ERROR_FORMAT,
            "'%s' has a sample rate of %d Hz; %d to %d can be read; its header may be damaged",
            in->name, info->samplerate, SM_AUDIO_RATE_MIN, SM_AUDIO_RATE_MAX);
    if (info->frames < 1)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "'%s' holds no samples; give a file with sound in it", in->name);
    return SMITIN_OK;
}

static smitin_status finish_open(reader *in, smitin_error *error)
{
    if (in->file == NULL)
        return sm_fail(
            error, SMITIN_ERROR_FORMAT,
            "'%s' is not an audio file this program can read (%s); convert it to WAV or FLAC",
            in->name, sf_strerror(NULL));
    smitin_status status = check_info(in, error);
    if (status != SMITIN_OK) {
        sf_close(in->file);
        in->file = NULL;
    }
    return status;
}

static smitin_status open_path(reader *in, const char *path, smitin_error *error)
{
    memset(in, 0, sizeof *in);
    in->name = path;
    /* libsndfile says only "System error."; the reason is worth more. */
    FILE *file = fopen(path, "rb");
    int code = errno;
    if (file != NULL) {
        char byte;
        errno = 0;
        bool empty = fread(&byte, 1, 1, file) == 0;
        code = errno;
        fclose(file);
        if (empty && code == 0)
            return sm_fail(error, SMITIN_ERROR_FORMAT,
                           "'%s' is empty; give a file with sound in it", path);
        if (!empty) code = 0;
    }
    if (code != 0 || file == NULL)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot read '%s': %s; check the path", path,
                       strerror(code));
    in->file = sf_open(path, SFM_READ, &in->info);
    return finish_open(in, error);
}

static smitin_status open_memory(reader *in, memory_file *memory, const char *name,
                                 smitin_error *error)
{
    SF_VIRTUAL_IO io = {memory_length, memory_seek, memory_read, memory_write, memory_tell};
    memset(in, 0, sizeof *in);
    in->name = name;
    in->file = sf_open_virtual(&io, SFM_READ, &in->info, memory);
    return finish_open(in, error);
}

/* The region in frames: first, and at most how many (headers of streams may claim any length). */
static smitin_status choose_region(const reader *in, double start, double seconds,
                                   sf_count_t *first, sf_count_t *count, smitin_error *error)
{
    double rate = in->info.samplerate, total = (double)in->info.frames;
    if (!isfinite(start) || start < 0.0 || isnan(seconds) || seconds == 0.0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot read %g s of '%s' from %g s on: the start must be 0 or more and the "
                       "length above 0",
                       seconds, in->name, start);
    double from = round(start * rate);
    if (from >= total)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' is %.3f s long; there is nothing to read from %g s on", in->name,
                       total / rate, start);
    double want = total - from;
    if (seconds > 0.0 && round(seconds * rate) < want) want = fmax(1.0, round(seconds * rate));
    if (want > rate * SM_AUDIO_SECONDS_MAX || want * in->info.channels > (double)SAMPLES_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' has %.0f s of audio in %d channels to read, more than the %d s this "
                       "program takes at "
                       "once; cut it or give a shorter length",
                       in->name, want / rate, in->info.channels, SM_AUDIO_SECONDS_MAX);
    *first = (sf_count_t)from;
    *count = (sf_count_t)want;
    return SMITIN_OK;
}

/* Make room for one more block in samples [*capacity]. */
static smitin_status grow(float **samples, size_t *capacity, size_t needed, const char *name,
                          smitin_error *error)
{
    if (needed <= *capacity) return SMITIN_OK;
    size_t wanted = *capacity + *capacity / 2;
    if (wanted < needed) wanted = needed;
    float *larger = realloc(*samples, wanted * sizeof **samples);
    if (larger == NULL) return sm_fail_memory(error, name, wanted * sizeof **samples);
    *samples = larger;
    *capacity = wanted;
    return SMITIN_OK;
}

/* Frames of in->info.channels as frames of `kept`: to one channel their mean; from one channel the
 * same in all; else the first ones, which are left and right. */
static void take_channels(const reader *in, float *block, size_t frames, size_t kept, float *out)
{
    const size_t channels = (size_t)in->info.channels;
    if (kept == 1) {
        sm_audio part = {block, frames, (int)channels, in->info.samplerate};
        sm_audio_to_mono(&part);
        memcpy(out, block, frames * sizeof *out);
        return;
    }
    for (size_t i = 0; i < frames; i++) {
        for (size_t c = 0; c < kept; c++)
            out[i * kept + c] = block[i * channels + (c < channels ? c : 0)];
    }
}

/* Read up to `count` frames into audio, with `wanted` channels (0: its own). Memory grows with what
 * is really there. */
static smitin_status read_frames(reader *in, sf_count_t count, int wanted, sm_audio *audio,
                                 smitin_error *error)
{
    int channels = in->info.channels;
    size_t kept = wanted > 0 ? (size_t)wanted : (size_t)channels, capacity = 0;
    float *block = malloc(sizeof(float) * BLOCK_FRAMES * (size_t)channels);
    if (block == NULL)
        return sm_fail_memory(error, in->name, sizeof(float) * BLOCK_FRAMES * (size_t)channels);
    smitin_status status = SMITIN_OK;
    while (count > 0 && status == SMITIN_OK) {
        sf_count_t got =
            sf_readf_float(in->file, block, count < BLOCK_FRAMES ? count : BLOCK_FRAMES);
        if (got <= 0) break;
        status =
            grow(&audio->samples, &capacity, (audio->frames + (size_t)got) * kept, in->name, error);
        for (size_t i = 0; i < (size_t)got * (size_t)channels && status == SMITIN_OK; i++)
            if (!isfinite(block[i]))
                status = sm_fail(
                    error, SMITIN_ERROR_FORMAT,
                    "'%s' has a sample that is not a number at %.4f s; export the file again",
                    in->name, (double)(audio->frames + i / (size_t)channels) / in->info.samplerate);
        if (status != SMITIN_OK) break;
        take_channels(in, block, (size_t)got, kept, audio->samples + audio->frames * kept);
        audio->frames += (size_t)got;
        count -= got;
    }
    free(block);
    if (status == SMITIN_OK && audio->frames == 0)
        status = sm_fail(error, SMITIN_ERROR_FORMAT,
                         "'%s' ends before its first sample; the file is damaged", in->name);
    audio->channels = (int)kept;
    audio->sample_rate = in->info.samplerate;
    if (status != SMITIN_OK) sm_audio_free(audio);
    return status;
}

/* Closes `in`. */
static smitin_status read_region(reader *in, double start, double seconds, int wanted,
                                 sm_audio *audio, smitin_error *error)
{
    sf_count_t first = 0, count = 0;
    smitin_status status = choose_region(in, start, seconds, &first, &count, error);
    if (status == SMITIN_OK && first > 0 && sf_seek(in->file, first, SEEK_SET) != first)
        status = sm_fail(error, SMITIN_ERROR_FORMAT,
                         "cannot go to %g s in '%s' (%s); convert it to WAV or FLAC", start,
                         in->name, sf_strerror(in->file));
    if (status == SMITIN_OK) status = read_frames(in, count, wanted, audio, error);
    sf_close(in->file);
    return status;
}

smitin_status sm_audio_read(sm_audio *audio, const char *path, double start, double seconds,
                            smitin_error *error)
{
    memset(audio, 0, sizeof *audio);
    reader in;
    SM_TRY(open_path(&in, path, error));
    return read_region(&in, start, seconds, 0, audio, error);
}

smitin_status sm_audio_read_memory(sm_audio *audio, const void *data, size_t size, const char *name,
                                   double start, double seconds, smitin_error *error)
{
    memset(audio, 0, sizeof *audio);
    memory_file memory = {data, (sf_count_t)size, 0};
    reader in;
    SM_TRY(open_memory(&in, &memory, name, error));
    return read_region(&in, start, seconds, 0, audio, error);
}

smitin_status sm_audio_read_mono(sm_audio *audio, const char *path, int rate, double start,
                                 double seconds, smitin_error *error)
{
    return sm_audio_read_as(audio, path, 1, rate, start, seconds, error);
}

smitin_status sm_audio_read_as(sm_audio *audio, const char *path, int channels, int rate,
                               double start, double seconds, smitin_error *error)
{
    memset(audio, 0, sizeof *audio);
    if (channels < 1 || channels > 2)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "audio can be read as 1 or 2 channels, not %d",
                       channels);
    reader in;
    SM_TRY(open_path(&in, path, error));
    SM_TRY(read_region(&in, start, seconds, channels, audio, error));
    smitin_status status = sm_audio_resample(audio, rate, error);
    if (status != SMITIN_OK) sm_audio_free(audio);
    return status;
}

smitin_status sm_audio_probe(const char *path, size_t *frames, int *channels, int *sample_rate,
                             smitin_error *error)
{
    reader in;
    SM_TRY(open_path(&in, path, error));
    *frames = (size_t)in.info.frames;
    *channels = in.info.channels;
    *sample_rate = in.info.samplerate;
    sf_close(in.file);
    return SMITIN_OK;
}

void sm_audio_free(sm_audio *audio)
{
    free(audio->samples);
    memset(audio, 0, sizeof *audio);
}
