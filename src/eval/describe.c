/* SPDX-License-Identifier: MIT */
/* Owns the description of one file: reads it once and asks every measure. */
#include "describe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../audio/audio.h"
#include "../probe/measures.h"
#include "eval.h"

void sm_description_free(sm_description *description)
{
    free(description->embedding);
    memset(description, 0, sizeof *description);
}

static double peak_db(const sm_audio *audio)
{
    float peak = 0.0f;
    for (size_t i = 0; i < audio->frames * (size_t)audio->channels; i++)
        peak = fmaxf(peak, fabsf(audio->samples[i]));
    return peak > 0.0f ? 20.0 * log10((double)peak) : -HUGE_VAL;
}

static void hear_windows(sm_description *out, sm_recogniser *recogniser, const float *samples,
                         size_t count)
{
    const int classes = sm_recogniser_classes(recogniser);
    out->windows = sm_recogniser_windows(count, SM_RECOGNISER_RATE);
    for (size_t w = 0; w < out->windows; w++) {
        float probability[SM_RECOGNISER_CLASSES];
        sm_recogniser_hear(recogniser, samples + w * SM_RECOGNISER_RATE, NULL, probability);
        for (int c = 0; c < classes; c++) {
            out->presence[c] += (probability[c] > 0.5f ? 1.0 : 0.0) / (double)out->windows;
            out->probability[c] += (double)probability[c] / (double)out->windows;
        }
    }
}

/* The mean row of the encoder; none for a clip it calls too short. */
static smitin_status embed(sm_description *out, const sm_encoder *encoder, const sm_audio *mono,
                           smitin_error *error)
{
    sm_audio copy = {0};
    const float *samples = mono->samples;
    size_t count = mono->frames, n = 0;
    if (encoder->rate != mono->sample_rate) {
        copy = *mono;
        copy.samples = malloc(count * sizeof *copy.samples);
        if (copy.samples == NULL) return sm_fail_memory(error, "an embedding", count);
        memcpy(copy.samples, samples, count * sizeof *samples);
        const smitin_status status = sm_audio_resample(&copy, encoder->rate, error);
        if (status != SMITIN_OK) {
            sm_audio_free(&copy);
            return status;
        }
        samples = copy.samples;
        count = copy.frames;
    }
    float *rows = NULL;
    smitin_status status = encoder->run(encoder->context, samples, count, &rows, &n, error);
    const size_t d = (size_t)encoder->d;
    if (status == SMITIN_OK && n > 0) {
        out->embedding = calloc(d, sizeof *out->embedding);
        out->d = encoder->d;
        if (out->embedding == NULL) status = sm_fail_memory(error, "an embedding", d);
        for (size_t j = 0; out->embedding != NULL && j < d; j++) {
            double sum = 0.0;
            for (size_t i = 0; i < n; i++) sum += (double)rows[i * d + j];
            out->embedding[j] = (float)(sum / (double)n);
        }
    }
    free(rows);
    sm_audio_free(&copy);
    return status == SMITIN_ERROR_ARGUMENT ? SMITIN_OK : status; /* too short */
}

smitin_status sm_describe_file(sm_description *out, const char *path,
                               const sm_describe_options *options, smitin_error *error)
{
    memset(out, 0, sizeof *out);
    sm_audio audio;
    SM_TRY(sm_audio_read(&audio, path, options->skip, -1.0, error));
    out->seconds = (double)audio.frames / audio.sample_rate;
    out->peak_db = peak_db(&audio);
    smitin_status status = sm_audio_loudness(audio.samples, audio.frames, audio.channels,
                                             audio.sample_rate, &out->lufs, error);
    sm_audio_to_mono(&audio);
    if (status == SMITIN_OK) status = sm_audio_resample(&audio, SM_MUSIC_RATE, error);
    if (status == SMITIN_OK)
        status = sm_tempo_find(&out->tempo, audio.samples, audio.frames, error);
    if (status == SMITIN_OK)
        status = sm_key_find(&out->key, audio.samples, audio.frames, options->profile, error);
    if (status == SMITIN_OK && options->recogniser != NULL)
        hear_windows(out, options->recogniser, audio.samples, audio.frames);
    if (status == SMITIN_OK && options->encoder != NULL)
        status = embed(out, options->encoder, &audio, error);
    sm_audio_free(&audio);
    if (status != SMITIN_OK) sm_description_free(out);
    return status;
}

sm_agreement sm_description_agree(const sm_description *piece, const sm_description *prompt)
{
    sm_agreement a = {(double)NAN, sm_tempo_relate(piece->tempo.bpm, prompt->tempo.bpm),
                      (double)NAN, (double)NAN};
    const int found = piece->key.key, truth = prompt->key.key;
    if (found >= 0 && truth >= 0) a.key = sm_key_score(&found, &truth, 1, false);
    if (piece->embedding != NULL && prompt->embedding != NULL && piece->d == prompt->d)
        a.similarity = sm_cosine(piece->embedding, prompt->embedding, piece->d);
    if (isfinite(piece->lufs) && isfinite(prompt->lufs)) a.loudness = piece->lufs - prompt->lufs;
    return a;
}
