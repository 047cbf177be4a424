/* SPDX-License-Identifier: MIT */
/* What a session's pieces follow: a melody, and the conditions of every row. */
#include "session.h"

#include <math.h>
#include <stdlib.h>

#include "../melody/chroma.h"

/* The mean of all channels, to free(). */
static float *mix_down(const smitin_engine *engine, const float *samples, size_t length,
                       smitin_error *error)
{
    const size_t C = (size_t)engine->config.lm.channels;
    float *mono = malloc(length * sizeof *mono);
    if (mono == NULL) {
        sm_fail_memory(error, "a melody", length * sizeof *mono);
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        double sum = 0.0;
        for (size_t c = 0; c < C; c++) sum += (double)samples[i * C + c];
        mono[i] = (float)(sum / (double)C);
    }
    return mono;
}

/* Classes [chroma_length] in the session's arena: those of the tune, from its beginning again when
 * it is over. */
static smitin_status hear(smitin_session *session, const float *mono, size_t length,
                          int32_t **melody, smitin_error *error)
{
    const sm_model_config *config = &session->engine->config;
    const size_t frames = sm_chroma_frames(&config->chroma, length);
    const size_t wanted = (size_t)config->lm.chroma_length;
    int32_t *classes = malloc(frames * sizeof *classes);
    *melody = SM_TAKE(session->arena, wanted, int32_t);
    if (classes == NULL || *melody == NULL) {
        free(classes);
        return sm_fail_memory(error, "a melody", frames * sizeof *classes);
    }
    const smitin_status status = sm_chroma_extract(&config->chroma, mono, length, classes, error);
    for (size_t i = 0; i < wanted && status == SMITIN_OK; i++) (*melody)[i] = classes[i % frames];
    free(classes);
    return status;
}

/* Later windows hear the tune from where they begin, all of it, as the first hears its first 30 s.
 */
static smitin_status hear_on(smitin_session *session, const float *mono, size_t length,
                             int32_t **tune, size_t *count, smitin_error *error)
{
    sm_chroma_config config = session->engine->config.chroma;
    config.longest = length;
    *tune = NULL;
    *count = sm_chroma_frames(&config, length);
    if (session->frames <= session->window.size) return SMITIN_OK;
    *tune = SM_TAKE(session->arena, *count, int32_t);
    if (session->classes == NULL)
        session->classes =
            SM_TAKE(session->arena, session->engine->config.lm.chroma_length, int32_t);
    if (*tune == NULL || session->classes == NULL)
        return sm_fail_memory(error, "a melody", *count * sizeof **tune);
    return sm_chroma_extract(&config, mono, length, *tune, error);
}

/* The classes of a piece from frame `base` on: the tune goes on, and begins again when it is over.
 * Its frames are some 8 a second; the nearest one is taken. */
static const int32_t *classes_at(const smitin_session *session, const sm_piece *piece, int base)
{
    const sm_model_config *config = &session->engine->config;
    if (base == 0 || piece->melody == NULL) return piece->melody;
    const double samples = (double)base * config->codec.hop;
    const size_t from = (size_t)llround(samples / config->chroma.hop);
    for (int i = 0; i < config->lm.chroma_length; i++)
        session->classes[i] = piece->tune[(from + (size_t)i) % piece->tune_count];
    return session->classes;
}

smitin_status smitin_session_set_melody(smitin_session *session, int piece, const float *samples,
                                        size_t count, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    SM_TRY(sm_session_check_setup(session, piece, error));
    if (engine->config.lm.chroma_length == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%s follows no melody; use a melody model such as facebook/musicgen-melody",
                       engine->path);
    SM_TRY(sm_engine_check_samples(engine, samples, count, error));
    const size_t length = count / (size_t)engine->config.lm.channels;
    float *mono = mix_down(engine, samples, length, error);
    if (mono == NULL) return SMITIN_ERROR_MEMORY;
    int32_t *melody = NULL;
    int32_t *tune = NULL;
    size_t tune_count = 0;
    smitin_status status = hear(session, mono, length, &melody, error);
    if (status == SMITIN_OK) status = hear_on(session, mono, length, &tune, &tune_count, error);
    free(mono);
    SM_TRY(status);
    for (int i = 0; i < session->options.pieces; i++) {
        if (piece != SMITIN_ALL_PIECES && piece != i) continue;
        session->pieces[i].melody = melody;
        session->pieces[i].tune = tune;
        session->pieces[i].tune_count = tune_count;
    }
    return SMITIN_OK;
}

bool sm_piece_conditioned(const sm_piece *piece)
{
    return piece->text_tokens > 0 || piece->melody != NULL;
}

/* Conditional rows, and in text models nothing for the others: that is their null condition. A
 * melody model's is a prefix too: class 0, and zeros in place of the text, as many as it has tokens
 * in the other row. */
void sm_session_condition(const smitin_session *session, sm_lm_state *state, int base)
{
    const smitin_engine *engine = session->engine;
    const bool melody = engine->config.lm.chroma_length > 0;
    for (int i = 0; i < session->options.pieces; i++) {
        const sm_piece *piece = &session->pieces[i];
        const int tokens = piece->text_tokens;
        if (!melody) {
            sm_lm_condition(state, engine->kernels, engine->pool, piece->cond_row, piece->text,
                            tokens);
            continue;
        }
        const int rows = tokens > 0 ? tokens : 1;
        sm_lm_prefix(state, engine->kernels, engine->pool, piece->cond_row,
                     classes_at(session, piece, base), tokens > 0 ? piece->text : NULL, rows);
        if (piece->uncond_row >= 0)
            sm_lm_prefix(state, engine->kernels, engine->pool, piece->uncond_row, NULL, NULL, rows);
    }
}
