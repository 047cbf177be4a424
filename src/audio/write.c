/* SPDX-License-Identifier: MIT */
/* Owns writing audio: formats, tags, what is refused. libsndfile encodes into a sink. For a file
 * that is a temporary file, so every failure of the disk is seen and leaves nothing behind. For
 * standard output it is the same encoding with its head cut off again and again; its header, which
 * libsndfile would correct at the end, is correct at once. */
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sndfile.h>
#include "../base/outfile.h"
#include "audio.h"
#include "tags.h"

#define BLOCK_FRAMES 4096
#define STDOUT_PATH  "-"
/* A RIFF file states its size in 32 bits; leave room for the header and the tags. */
#define WAV_BYTES_MAX 4.29e9

/* Where encoded bytes go: a file, or memory that is sent on. */
typedef struct sink {
    sm_outfile *file; /* NULL: standard output */
    unsigned char *data;
    size_t size, capacity, position;
    size_t gone; /* bytes before data[0], which were sent already */
    bool failed; /* short of memory */
} sink;

static sf_count_t sink_length(void *user)
{
    const sink *out = user;
    return (sf_count_t)(out->file != NULL ? sm_outfile_size(out->file) : out->gone + out->size);
}

static sf_count_t sink_seek(sf_count_t offset, int whence, void *user)
{
    sink *out = user;
    sf_count_t base = whence == SEEK_CUR   ? (sf_count_t)out->position
                      : whence == SEEK_END ? sink_length(user)
                                           : 0;
    if (base + offset < 0) return -1;
    out->position = (size_t)(base + offset);
    return base + offset;
}

static sf_count_t sink_read(void *data, sf_count_t count, void *user)
{
    sink *out = user;
    size_t n = 0;
    if (out->file != NULL) {
        n = sm_outfile_get(out->file, out->position, data, (size_t)count);
    } else if (out->position >= out->gone) {
        const size_t at = out->position - out->gone, left = at < out->size ? out->size - at : 0;
        n = (size_t)count < left ? (size_t)count : left;
        if (n > 0) memcpy(data, out->data + at, n);
    }
    out->position += n;
    return (sf_count_t)n;
}

static sf_count_t write_memory(sink *out, const void *data, size_t count)
{
    if (out->position < out->gone) { /* the header once more: it is out, and was correct */
        out->position += count;
        return (sf_count_t)count;
    }
    size_t at = out->position - out->gone, end = at + count;
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
    memcpy(out->data + at, data, count);
    out->position += count;
    if (end > out->size) out->size = end;
    return (sf_count_t)count;
}

static sf_count_t sink_write(const void *data, sf_count_t count, void *user)
{
    sink *out = user;
    if (out->file == NULL) return write_memory(out, data, (size_t)count);
    const size_t n = sm_outfile_put(out->file, out->position, data, (size_t)count);
    out->position += n;
    return (sf_count_t)n;
}

static sf_count_t sink_tell(void *user)
{
    return (sf_count_t)((sink *)user)->position;
}

/* ---- What is refused
 * -------------------------------------------------------------------------------------- */

static const struct {
    const char *suffix;
    int format;
    bool bits; /* 16 or 24 may be chosen */
} formats[] = {
    {".wav", SF_FORMAT_WAV, true},
    {".flac", SF_FORMAT_FLAC, true},
    {".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, false},
    {".mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, false},
};

/* The place of a path's format in the table, or -1. */
static int find_format(const char *path)
{
    const char *name = strrchr(path, '/');
    const char *suffix = strrchr(name == NULL ? path : name, '.');
    if (strcmp(path, STDOUT_PATH) == 0) suffix = ".wav";
    for (size_t i = 0; suffix != NULL && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(suffix, formats[i].suffix) == 0) return (int)i;
    return -1;
}

bool sm_audio_suffix(const char *path)
{
    return find_format(path) >= 0;
}

bool sm_audio_takes_bits(const char *path)
{
    const int i = find_format(path);
    return i >= 0 && formats[i].bits;
}

static smitin_status choose_format(const char *path, int bits, int *format, smitin_error *error)
{
    const int i = find_format(path);
    if (i < 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot tell the audio format of '%s'; let its name end in .wav, .flac, "
                       ".ogg or .mp3",
                       path);
    *format = formats[i].format;
    if (!formats[i].bits) return SMITIN_OK;
    const bool wav = *format == SF_FORMAT_WAV;
    if (bits != 16 && bits != 24 && !(wav && bits == 32))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot write '%s' with %d bits; choose 16 or 24%s", path, bits,
                       wav ? ", or 32 for floats" : "");
    *format |= bits == 16 ? SF_FORMAT_PCM_16 : bits == 24 ? SF_FORMAT_PCM_24 : SF_FORMAT_FLOAT;
    return SMITIN_OK;
}

static bool is_exact(int format)
{
    return (format & SF_FORMAT_SUBMASK) == SF_FORMAT_FLOAT;
}

/* LAME has no others, and libsndfile would lose memory over the refusal. */
static bool mp3_rate(int rate)
{
    static const int rates[] = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rate == rates[i]) return true;
    return false;
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
    if ((format & SF_FORMAT_TYPEMASK) == SF_FORMAT_MPEG && (channels > 2 || !mp3_rate(rate)))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "MP3 takes one or two channels at 8000, 11025, 12000, 16000, 22050, 24000, "
                       "32000, 44100 or 48000 Hz, not %d at %d Hz; choose another rate or format "
                       "for '%s'",
                       channels, rate, path);
    if ((format & SF_FORMAT_TYPEMASK) == SF_FORMAT_WAV &&
        (double)frames * channels * (is_exact(format) ? 4 : 3) > WAV_BYTES_MAX)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "'%s' would be larger than 4 GiB, which WAV cannot hold; write .flac or a "
                       "shorter piece",
                       path);
    return SMITIN_OK;
}

smitin_status sm_audio_check(const char *path, size_t frames, int channels, int rate, int bits,
                             smitin_error *error)
{
    int format = 0;
    SM_TRY(choose_format(path, bits, &format, error));
    return check_shape(path, frames, channels, rate, format, error);
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

static smitin_status open_encoder(SNDFILE **file, sink *out, const char *path, int channels,
                                  int rate, int format, const sm_audio_tag *tags, size_t tags_count,
                                  smitin_error *error)
{
    SF_VIRTUAL_IO io = {sink_length, sink_seek, sink_read, sink_write, sink_tell};
    SF_INFO info = {0};
    info.channels = channels;
    info.samplerate = rate;
    info.format = format;
    *file = sf_open_virtual(&io, SFM_WRITE, &info, out);
    if (*file == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot write '%s' with %d channels at %d Hz: %s; another rate or format "
                       "may do",
                       path, channels, rate, sf_strerror(NULL));
    /* The PEAK chunk holds the time of day: without it the same music gives the same bytes. */
    sf_command(*file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
    sf_command(*file, SFC_SET_CLIPPING, NULL,
               SF_TRUE);  /* +1.0 is one step beyond the largest integer */
    double quality = 0.6; /* of Vorbis */
    if ((format & SF_FORMAT_TYPEMASK) == SF_FORMAT_MPEG) quality = 0.8; /* V2 of LAME */
    int mode = SF_BITRATE_MODE_VARIABLE;
    sf_command(*file, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
    sf_command(*file, SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof quality);
    sm_tags_set(*file, tags, tags_count);
    return SMITIN_OK;
}

/* ---- Streams
 * -------------------------------------------------------------------------------------------- */

struct sm_audio_stream {
    SNDFILE *file;
    sink out;
    const char *name; /* in messages: the path, which `path` holds, or standard output */
    char *path;
    int format, channels, rate;
    size_t frames, written;
    float *block; /* [BLOCK_FRAMES, channels] of a file: encoders of lossy formats look at blocks,
                   * so these are always of one size */
    size_t held;  /* frames in it */
};

/* Leaves nothing of a file. */
static void drop(sm_audio_stream *s)
{
    if (s->file != NULL) sf_close(s->file);
    sm_outfile_discard(s->out.file);
    free(s->out.data);
    free(s->block);
    free(s->path);
    free(s);
}

smitin_status sm_audio_stream_open(sm_audio_stream **stream, const char *path, size_t frames,
                                   int channels, int rate, int bits, const sm_audio_tag *tags,
                                   size_t tags_count, smitin_error *error)
{
    int format = 0;
    *stream = NULL;
    SM_TRY(choose_format(path, bits, &format, error));
    SM_TRY(sm_tags_check(tags, tags_count, error));
    const bool played = strcmp(path, STDOUT_PATH) == 0;
    SM_TRY(check_shape(played ? "standard output" : path, frames, channels, rate, format, error));
    sm_audio_stream *s = calloc(1, sizeof *s);
    if (s == NULL) return sm_fail_memory(error, "the audio stream", sizeof *s);
    s->path = strdup(path);
    s->name = played ? "standard output" : s->path;
    s->format = format;
    s->channels = channels;
    s->rate = rate;
    s->frames = frames;
    const size_t block = BLOCK_FRAMES * (size_t)channels * sizeof *s->block;
    s->block = malloc(block);
    smitin_status status = s->path == NULL || s->block == NULL
                               ? sm_fail_memory(error, "the audio stream", block)
                               : SMITIN_OK;
    if (status == SMITIN_OK && !played) status = sm_outfile_open(&s->out.file, path, error);
    if (status == SMITIN_OK)
        status = open_encoder(&s->file, &s->out, s->name, channels, rate, format, tags, tags_count,
                              error);
    if (status == SMITIN_OK)
        *stream = s;
    else
        drop(s);
    return status;
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

/* Whether all that was encoded could be kept; to standard output it goes at once. */
static smitin_status settle(sm_audio_stream *s, bool written, smitin_error *error)
{
    sink *out = &s->out;
    if (out->file != NULL) SM_TRY(sm_outfile_check(out->file, error));
    if (out->failed) return sm_fail_memory(error, s->name, out->capacity);
    if (!written)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot encode the audio for '%s'", s->name);
    if (out->file != NULL) return SMITIN_OK;
    if (out->gone == 0 && !correct_header(s))
        return sm_fail(error, SMITIN_ERROR_IO, "cannot encode the header for '%s'", s->name);
    SM_TRY(sm_file_write(STDOUT_PATH, out->data, out->size, error));
    out->gone += out->size;
    out->size = 0;
    return SMITIN_OK;
}

static bool encode(sm_audio_stream *s, const float *samples, size_t frames)
{
    return sf_writef_float(s->file, samples, (sf_count_t)frames) == (sf_count_t)frames;
}

/* Encode what fills blocks, or all of it when it is to be heard at once. */
static bool encode_blocks(sm_audio_stream *s, const float *samples, size_t frames)
{
    if (s->out.file == NULL) return encode(s, samples, frames);
    const size_t channels = (size_t)s->channels;
    bool encoded = true;
    while (frames > 0 && encoded) {
        const size_t room = BLOCK_FRAMES - s->held, n = frames < room ? frames : room;
        memcpy(s->block + s->held * channels, samples, n * channels * sizeof *samples);
        samples += n * channels;
        frames -= n;
        s->held += n;
        if (s->held < BLOCK_FRAMES) break;
        encoded = encode(s, s->block, BLOCK_FRAMES);
        s->held = 0;
    }
    return encoded;
}

smitin_status sm_audio_stream_write(sm_audio_stream *s, const float *samples, size_t frames,
                                    smitin_error *error)
{
    if (frames == 0) return SMITIN_OK;
    if (frames > s->frames - s->written)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a stream of %zu frames was announced; %zu more do not fit", s->frames,
                       s->written + frames - s->frames);
    SM_TRY(check_samples(s->name, samples, s->written, frames, s->channels, s->format, error));
    const bool written = encode_blocks(s, samples, frames);
    s->written += frames;
    return settle(s, written, error);
}

smitin_status sm_audio_stream_close(sm_audio_stream *s, smitin_error *error)
{
    if (s == NULL) return SMITIN_OK;
    bool closed = s->held == 0 || encode(s, s->block, s->held);
    closed = sf_close(s->file) == 0 && closed;
    s->file = NULL;
    smitin_status status = SMITIN_OK;
    if (s->written < s->frames)
        status =
            sm_fail(error, SMITIN_ERROR_ARGUMENT,
                    "a stream of %zu frames was announced, but only %zu came; it was cut short",
                    s->frames, s->written);
    if (status == SMITIN_OK) status = settle(s, closed, error); /* an odd chunk's padding */
    if (status == SMITIN_OK && s->out.file != NULL) {
        status = sm_outfile_commit(s->out.file, error);
        s->out.file = NULL;
    }
    drop(s);
    return status;
}

void sm_audio_stream_discard(sm_audio_stream *s)
{
    if (s != NULL) drop(s);
}

smitin_status sm_audio_write(const char *path, const float *samples, size_t frames, int channels,
                             int rate, int bits, const sm_audio_tag *tags, size_t tags_count,
                             smitin_error *error)
{
    sm_audio_stream *stream = NULL;
    SM_TRY(
        sm_audio_stream_open(&stream, path, frames, channels, rate, bits, tags, tags_count, error));
    const smitin_status status = sm_audio_stream_write(stream, samples, frames, error);
    if (status == SMITIN_OK) return sm_audio_stream_close(stream, error);
    sm_audio_stream_discard(stream);
    return status;
}
