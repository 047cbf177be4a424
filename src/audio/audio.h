/* SPDX-License-Identifier: MIT */
/* Audio files in and out (libsndfile), resampling (soxr), loudness (libebur128). */
#ifndef SMITIN_AUDIO_AUDIO_H
#define SMITIN_AUDIO_AUDIO_H

#include <stdbool.h>
#include <stdint.h>
#include "../base/error.h"

#define SM_AUDIO_RATE_MIN     1000   /* Hz */
#define SM_AUDIO_RATE_MAX     768000 /* Hz */
#define SM_AUDIO_CHANNELS_MAX 64
#define SM_AUDIO_SECONDS_MAX  3600

typedef struct sm_audio {
    float *samples; /* [frames, channels] interleaved; owned */
    size_t frames;
    int channels;
    int sample_rate; /* Hz */
} sm_audio;

/* Read `seconds` from `start` seconds on (seconds < 0: to the end; past it: what is there). Formats
 * are those of libsndfile: WAV, FLAC, Ogg, MP3, AIFF, AU and more. Refuses, before or while
 * reading: more than one hour, more than 64 channels, rates outside
 * SM_AUDIO_RATE_MIN..SM_AUDIO_RATE_MAX, non-finite samples, and a region without a sample. On
 * failure `audio` is zeroed. */
smitin_status sm_audio_read(sm_audio *audio, const char *path, double start, double seconds,
                            smitin_error *error);
/* Mean of the channels, resampled to `rate`: what the codec wants. */
smitin_status sm_audio_read_mono(sm_audio *audio, const char *path, int rate, double start,
                                 double seconds, smitin_error *error);
/* As 1 or 2 channels, resampled likewise: 1 is the mean; for 2 a mono file is in both, and of more
 * channels the first two are taken, which are left and right. */
smitin_status sm_audio_read_as(sm_audio *audio, const char *path, int channels, int rate,
                               double start, double seconds, smitin_error *error);
/* The same as sm_audio_read from a file's bytes in memory; `name` stands in messages. */
smitin_status sm_audio_read_memory(sm_audio *audio, const void *data, size_t size, const char *name,
                                   double start, double seconds, smitin_error *error);
/* Only the header. */
smitin_status sm_audio_probe(const char *path, size_t *frames, int *channels, int *sample_rate,
                             smitin_error *error);
void sm_audio_free(sm_audio *audio); /* safe on a zeroed struct */

/* In place: mean over channels. */
void sm_audio_to_mono(sm_audio *audio);
/* In place; soxr's high quality. Output frames = round(frames * rate / sample_rate). */
smitin_status sm_audio_resample(sm_audio *audio, int rate, smitin_error *error);

/* The same quality for samples that come part by part, however they are cut. */
typedef struct sm_resampler sm_resampler;
smitin_status sm_resampler_new(sm_resampler **resampler, int channels, int from, int to,
                               smitin_error *error);
void sm_resampler_free(sm_resampler *resampler); /* NULL is allowed */
/* Take in [*frames, channels] (NULL: the end) as far as it fits; *frames becomes how many were
 * taken. Writes up to `room` frames to out and their number to *made; at the end call until it is
 * 0. */
smitin_status sm_resampler_run(sm_resampler *resampler, const float *in, size_t *frames, float *out,
                               size_t room, size_t *made, smitin_error *error);

/* Common readers drop longer tags of WAV files, and those behind them. */
#define SM_AUDIO_TAG_MAX 2000

typedef struct sm_audio_tag {
    const char *key;   /* "title", "artist", "album", "comment", "software", "date", "copyright",
                          "license", "genre" */
    const char *value; /* UTF-8; cut to SM_AUDIO_TAG_MAX bytes at a character */
} sm_audio_tag;

/* Write by suffix (.wav, .flac, .ogg, .mp3; 16 or 24 bits, or 32 = float for wav; Ogg Vorbis and
 * MP3 have no bits), under a temporary name, then rename: a failure leaves nothing behind. "-"
 * writes WAV to standard output, which may be a pipe. Samples beyond +-1 are refused, except for
 * float WAV: see limiter.h. The same input gives the same bytes (not for Ogg, whose stream number
 * is random).
 */
smitin_status sm_audio_write(const char *path, const float *samples, size_t frames, int channels,
                             int rate, int bits, const sm_audio_tag *tags, size_t tags_count,
                             smitin_error *error);
/* Whether `path` ends like one of these. */
bool sm_audio_suffix(const char *path);
/* Whether its format leaves a choice of bits. "-" is WAV. */
bool sm_audio_takes_bits(const char *path);
/* Whether such a file can be written, before there are samples: what sm_audio_write refuses. */
smitin_status sm_audio_check(const char *path, size_t frames, int channels, int rate, int bits,
                             smitin_error *error);

/* The same for samples that come part by part, of known length: the same bytes as sm_audio_write
 * gives for all of them. To standard output each part goes at once; a file appears when it is
 * closed. */
typedef struct sm_audio_stream sm_audio_stream;
smitin_status sm_audio_stream_open(sm_audio_stream **stream, const char *path, size_t frames,
                                   int channels, int rate, int bits, const sm_audio_tag *tags,
                                   size_t tags_count, smitin_error *error);
smitin_status sm_audio_stream_write(sm_audio_stream *stream, const float *samples, size_t frames,
                                    smitin_error *error);
/* Frees the stream; fails when fewer frames came than were announced. NULL is allowed. */
smitin_status sm_audio_stream_close(sm_audio_stream *stream, smitin_error *error);
/* Frees the stream and leaves no file; what went to standard output is out. NULL is allowed. */
void sm_audio_stream_discard(sm_audio_stream *stream);

/* The text of tag `key` in a file, to free(); NULL when it has none. MP3 keeps tags as ID3. */
smitin_status sm_audio_read_tag(char **value, const char *path, const char *key,
                                smitin_error *error);

/* Integrated loudness in LUFS (EBU R 128); -HUGE_VAL for silence or less than 0.4 s. */
smitin_status sm_audio_loudness(const float *samples, size_t frames, int channels, int rate,
                                double *lufs, smitin_error *error);
/* The same of samples that come part by part. */
typedef struct sm_meter sm_meter;
/* `endless`: memory and the time of a reading stay the same whatever was added; blocks are counted
 * in bins of 0.1 LU, so a reading is up to 0.05 LU off. */
smitin_status sm_meter_new(sm_meter **meter, int channels, int rate, bool endless,
                           smitin_error *error);
void sm_meter_free(sm_meter *meter); /* NULL is allowed */
smitin_status sm_meter_add(sm_meter *meter, const float *samples, size_t frames,
                           smitin_error *error);
/* Of all that was added. */
smitin_status sm_meter_lufs(const sm_meter *meter, double *lufs, smitin_error *error);
/* RMS in dBFS, -HUGE_VAL for silence. */
double sm_audio_rms_db(const float *samples, size_t count);

#endif
