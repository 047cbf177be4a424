/* SPDX-License-Identifier: MIT */
/* Owns writing audio. A file is encoded in memory by libsndfile and then written in one go, which
 * makes every failure of the disk visible. A stream is the same encoding with its head cut off
 * again and again; its header, which libsndfile would correct at the end, is correct at once. */
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sndfile.h>
#include "../base/outfile.h"
#include "audio.h"

#define BLOCK_FRAMES 4096
#define STREAM_NAME  "standard output"
/* A RIFF file states its size in 32 bits; leave room for the header and the tags. */
#define WAV_BYTES_MAX 4.29e9

typedef struct memory_out {
    unsigned char *data;
    size_t size, capacity, position;
    size_t gone; /* bytes of the file before data[0], which were sent already */
    bool failed; /* short of memory */
} memory_out;

static sf_count_t out_length(void *user)
{
    const memory_out *out = user;
    return (sf_count_t)(out->gone + out->size);
}

static sf_count_t out_seek(sf_count_t offset, int whence, void *user)
{
    memory_out *out = user;
    sf_count_t base = whence == SEEK_CUR   ? (sf_count_t)out->position
                      : whence == SEEK_END ? out_length(user)
                                           : 0;
    if (base + offset < 0) return -1;
    out->position = (size_t)(base + offset);
    return base + offset;
}

static sf_count_t out_read(void *data, sf_count_t count, void *user)
{
    memory_out *out = user;
    if (out->position < out->gone) return 0;
    size_t at = out->position - out->gone, left = at < out->size ? out->size - at : 0;
    size_t n = (size_t)count < left ? (size_t)count : left;
    if (n > 0) memcpy(data, out->data + at, n);
    out->position += n;
    return (sf_count_t)n;
}

static sf_count_t out_write(const void *data, sf_count_t count, void *user)
{
    memory_out *out = user;
    if (out->position < out->gone) { /* the header once more: it is out, and was correct */
        out->position += (size_t)count;
        return count;
    }
    size_t at = out->position - out->gone, end = at + (size_t)count;
    if (end > out->capacity) {
        size_t wanted = end + end / 2 + 4096;
        unsigned char *larger = realloc(out->data, wanted);
        if (larger == NULL) {
            out->failed = true;
            return 0;
        }
        out->data = larger;
        out->capacity = wanted;
    }
    if (at > out->size) memset(out->data + out->size, 0, at - out->size);
    memcpy(out->data + at, data, (size_t)count);
    out->position += (size_t)count;
    if (end > out->size) out->size = end;
    return count;
}

static sf_count_t out_tell(void *user)
{
    return (sf_count_t)((memory_out *)user)->position;
}

static smitin_status choose_format(const char *path, int bits, int *format, smitin_error *error)
{
    const char *name = strrchr(path, '/');
    const char *suffix = strrchr(name == NULL ? path : name, '.');
    if (strcmp(path, "-") == 0) suffix = ".wav";
    bool wav = suffix != NULL && strcasecmp(suffix, ".wav") == 0;
    bool flac = suffix != NULL && strcasecmp(suffix, ".flac") == 0;
    bool ogg = suffix != NULL && strcasecmp(suffix, ".ogg") == 0;
    if (!wav && !flac && !ogg)
        return sm_fail(
            error, SMITIN_ERROR_ARGUMENT,
            "cannot tell the audio format of '%s'; let its name end in .wav, .flac or .ogg", path);
    if (ogg) {
        *format = SF_FORMAT_OGG | SF_FORMAT_VORBIS;
        return SMITIN_OK;
    }
    if (bits != 16 && bits != 24 && !(wav && bits == 32))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot write '%s' with %d bits; choose 16 or 24%s", path, bits,
                       wav ? ", or 32 for floats" : "");
    *format = flac ? SF_FORMAT_FLAC : SF_FORMAT_WAV;
    *format |= bits == 16 ? SF_FORMAT_PCM_16 : bits == 24 ? SF_FORMAT_PCM_24 : SF_FORMAT_FLOAT;
    return SMITIN_OK;
}

static bool is_exact(int format)
{
    return (format & SF_FORMAT_SUBMASK) == SF_FORMAT_FLOAT;
}

static smitin_status check_shape(const char *path, size_t frames, int channels, int rate,
                                 int format, smitin_error *error)
{
    if (frames == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there are no samples to write to '%s'", path);
    if (channels < 1 || channels > SM_AUDIO_CHANNELS_MAX || rate < SM_AUDIO_RATE_MIN ||
        rate > SM_AUDIO_RATE_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "cannot write '%s' with %d channels at %d Hz",
                       path, channels, rate);
    if ((format & SF_FORMAT_TYPEMASK) == SF_FORMAT_WAV &&
        (double)frames * channels * (is_exact(format) ? 4 : 3) > WAV_BYTES_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' would be larger than 4 GiB, which WAV cannot hold; write .flac or a "
                       "shorter piece",
                       path);
    return SMITIN_OK;
}

/* `first`: the frame of the file that samples[0] belongs to. */
static smitin_status check_samples(const char *path, const float *samples, size_t first,
                                   size_t frames, int channels, int format, smitin_error *error)
{
    const bool exact = is_exact(format);
    for (size_t i = 0; i < frames * (size_t)channels; i++) {
        if (!isfinite(samples[i]))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "sample %zu for '%s' is not a number",
                           first + i / (size_t)channels, path);
        if (!exact && fabsf(samples[i]) > 1.0f)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "sample %zu for '%s' is %g, beyond full scale; scale the samples or "
                           "write a 32-bit WAV",
                           first + i / (size_t)channels, path, (double)samples[i]);
    }
    return SMITIN_OK;
}

static const struct {
    const char *key;
    int id;
} tag_ids[] = {
    {"title", SF_STR_TITLE},         {"artist", SF_STR_ARTIST},     {"album", SF_STR_ALBUM},
    {"comment", SF_STR_COMMENT},     {"software", SF_STR_SOFTWARE}, {"date", SF_STR_DATE},
    {"copyright", SF_STR_COPYRIGHT}, {"license", SF_STR_LICENSE},   {"genre", SF_STR_GENRE},
};

static smitin_status check_tags(const sm_audio_tag *tags, size_t count, smitin_error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < sizeof tag_ids / sizeof *tag_ids && strcmp(tag_ids[k].key, tags[i].key) != 0)
            k++;
        if (k == sizeof tag_ids / sizeof *tag_ids)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "'%s' is not a tag audio files have",
                           tags[i].key);
    }
    return SMITIN_OK;
}

/* WAV and FLAC have no field for some tags; those are left out, as every program does. */
static void set_tags(SNDFILE *file, const sm_audio_tag *tags, size_t count)
{
    char value[SM_AUDIO_TAG_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        size_t n = strnlen(tags[i].value, SM_AUDIO_TAG_MAX + 1);
        if (n > SM_AUDIO_TAG_MAX) {
            n = SM_AUDIO_TAG_MAX;
            while (n > 0 && ((unsigned char)tags[i].value[n] & 0xc0) == 0x80)
                n--; /* inside a character */
        }
        memcpy(value, tags[i].value, n);
        value[n] = '\0';
        for (size_t k = 0; k < sizeof tag_ids / sizeof *tag_ids; k++)
            if (strcmp(tag_ids[k].key, tags[i].key) == 0)
                (void)sf_set_string(file, tag_ids[k].id, value);
    }
}

static smitin_status open_encoder(SNDFILE **file, memory_out *out, const char *path, int channels,
                                  int rate, int format, const sm_audio_tag *tags, size_t tags_count,
                                  smitin_error *error)
{
    SF_VIRTUAL_IO io = {out_length, out_seek, out_read, out_write, out_tell};
    SF_INFO info = {0};
    info.channels = channels;
    info.samplerate = rate;
    info.format = format;
    *file = sf_open_virtual(&io, SFM_WRITE, &info, out);
    if (*file == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot write '%s' with %d channels at %d Hz: %s", path, channels, rate,
                       sf_strerror(NULL));
    /* The PEAK chunk holds the time of day: without it the same music gives the same bytes. */
    sf_command(*file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
    sf_command(*file, SFC_SET_CLIPPING, NULL,
               SF_TRUE); /* +1.0 is one step beyond the largest integer */
    double quality = 0.6;
    sf_command(*file, SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof quality);
    set_tags(*file, tags, tags_count);
    return SMITIN_OK;
}

static smitin_status encoded(const memory_out *out, const char *path, bool written,
                             smitin_error *error)
{
    if (out->failed) return sm_fail_memory(error, path, out->capacity);
    if (!written) return sm_fail(error, SMITIN_ERROR_IO, "cannot encode the audio for '%s'", path);
    return SMITIN_OK;
}

static bool write_frames(SNDFILE *file, const float *samples, size_t frames, int channels)
{
    bool written = true;
    for (size_t done = 0; done < frames && written; done += BLOCK_FRAMES) {
        sf_count_t n = (sf_count_t)(frames - done < BLOCK_FRAMES ? frames - done : BLOCK_FRAMES);
        written = sf_writef_float(file, samples + done * (size_t)channels, n) == n;
    }
    return written;
}

smitin_status sm_audio_write(const char *path, const float *samples, size_t frames, int channels,
                             int rate, int bits, const sm_audio_tag *tags, size_t tags_count,
                             smitin_error *error)
{
    int format = 0;
    SNDFILE *file = NULL;
    memory_out out = {0};
    SM_TRY(choose_format(path, bits, &format, error));
    SM_TRY(check_tags(tags, tags_count, error));
    SM_TRY(check_shape(path, frames, channels, rate, format, error));
    SM_TRY(check_samples(path, samples, 0, frames, channels, format, error));
    SM_TRY(open_encoder(&file, &out, path, channels, rate, format, tags, tags_count, error));
    bool written = write_frames(file, samples, frames, channels);
    written = sf_close(file) == 0 && written;
    smitin_status status = encoded(&out, path, written, error);
    if (status == SMITIN_OK) status = sm_file_write(path, out.data, out.size, error);
    free(out.data);
    return status;
}

/* ---- Streams
 * -------------------------------------------------------------------------------------------- */

struct sm_audio_stream {
    SNDFILE *file;
    memory_out out;
    int format, channels, rate;
    size_t frames, written;
};

smitin_status sm_audio_stream_open(sm_audio_stream **stream, size_t frames, int channels, int rate,
                                   int bits, const sm_audio_tag *tags, size_t tags_count,
                                   smitin_error *error)
{
    int format = 0;
    *stream = NULL;
    SM_TRY(choose_format("-", bits, &format, error));
    SM_TRY(check_tags(tags, tags_count, error));
    SM_TRY(check_shape(STREAM_NAME, frames, channels, rate, format, error));
    sm_audio_stream *s = calloc(1, sizeof *s);
    if (s == NULL) return sm_fail_memory(error, "the audio stream", sizeof *s);
    s->format = format;
    s->channels = channels;
    s->rate = rate;
    s->frames = frames;
    smitin_status status = open_encoder(&s->file, &s->out, STREAM_NAME, channels, rate, format,
                                        tags, tags_count, error);
    if (status != SMITIN_OK) {
        free(s->out.data);
        free(s);
        return status;
    }
    *stream = s;
    return SMITIN_OK;
}

static void put_size(unsigned char *at, size_t size)
{
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(size >> (8 * i));
}

static size_t get_size(const unsigned char *at)
{
    return (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

/* Put the sizes of the whole piece into the header at the start of what is encoded: of RIFF, which
 * counts the padding of an odd chunk, of "data", and the frames of "fact". */
static bool correct_header(sm_audio_stream *s)
{
    unsigned char *data = s->out.data;
    const int subtype = s->format & SF_FORMAT_SUBMASK;
    const size_t width = subtype == SF_FORMAT_FLOAT ? 4 : subtype == SF_FORMAT_PCM_24 ? 3 : 2;
    const size_t bytes = s->frames * (size_t)s->channels * width;
    size_t at = 12;
    while (at + 8 <= s->out.size && memcmp(data + at, "data", 4) != 0) {
        if (memcmp(data + at, "fact", 4) == 0 && at + 12 <= s->out.size)
            put_size(data + at + 8, s->frames);
        const size_t size = get_size(data + at + 4);
        at += 8 + size + size % 2;
    }
    if (at + 8 > s->out.size) return false;
    put_size(data + at + 4, bytes);
    put_size(data + 4, at + bytes + bytes % 2);
    return true;
}

static smitin_status send_encoded(sm_audio_stream *s, bool written, smitin_error *error)
{
    SM_TRY(encoded(&s->out, STREAM_NAME, written, error));
    if (s->out.gone == 0 && !correct_header(s))
        return sm_fail(error, SMITIN_ERROR_IO, "cannot encode the header for '%s'", STREAM_NAME);
    SM_TRY(sm_file_write("-", s->out.data, s->out.size, error));
    s->out.gone += s->out.size;
    s->out.size = 0;
    return SMITIN_OK;
}

smitin_status sm_audio_stream_write(sm_audio_stream *s, const float *samples, size_t frames,
                                    smitin_error *error)
{
    if (frames == 0) return SMITIN_OK;
    if (frames > s->frames - s->written)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a stream of %zu frames was announced; %zu more do not fit", s->frames,
                       s->written + frames - s->frames);
    SM_TRY(check_samples(STREAM_NAME, samples, s->written, frames, s->channels, s->format, error));
    const bool written = write_frames(s->file, samples, frames, s->channels);
    s->written += frames;
    return send_encoded(s, written, error);
}

smitin_status sm_audio_stream_close(sm_audio_stream *s, smitin_error *error)
{
    if (s == NULL) return SMITIN_OK;
    const bool closed = sf_close(s->file) == 0;
    smitin_status status = SMITIN_OK;
    if (s->written < s->frames)
        status =
            sm_fail(error, SMITIN_ERROR_ARGUMENT,
                    "a stream of %zu frames was announced, but only %zu came; it was cut short",
                    s->frames, s->written);
    if (status == SMITIN_OK) status = send_encoded(s, closed, error); /* an odd chunk's padding */
    free(s->out.data);
    free(s);
    return status;
}
