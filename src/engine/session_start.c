/* SPDX-License-Identifier: MIT */
/* Setting a session up: options, prompts, knobs, and all the memory of its run. */
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PIECES = 1024,
    MAX_KNOBS = 64,
    MAX_TEXT = 4096,
    MAX_SECONDS = 86400,
    END_MARK = 1, /* of every T5 */
};

smitin_session_options smitin_session_defaults(void)
{
    smitin_session_options options;
    memset(&options, 0, sizeof options);
    options.seconds = 10.0;
    options.pieces = 1;
    options.temperature = 1.0;
    options.top_k = 250;
    options.guidance = 3.0;
    options.max_text = 256;
    options.max_knobs = 8;
    return options;
}

static smitin_status check_options(const smitin_session_options *o, smitin_error *error)
{
    if (!(o->seconds > 0.0) || o->seconds > MAX_SECONDS)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a length of %g s is outside the range of 0..%d s", o->seconds, MAX_SECONDS);
    if (o->pieces < 1 || o->pieces > MAX_PIECES)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "%d pieces at once is outside 1..%d",
                       o->pieces, MAX_PIECES);
    if (!(o->temperature >= 0.0) || o->temperature > 100.0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "a temperature of %g is outside 0..100",
                       o->temperature);
    if (o->top_k < 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "top-k %d is negative; 0 keeps every code",
                       o->top_k);
    if (!(o->top_p >= 0.0) || o->top_p > 1.0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "top-p %g is outside 0..1", o->top_p);
    if (!isfinite(o->guidance) || fabs(o->guidance) > 1000.0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a guidance scale of %g makes no sense; 1 is none, 3 usual", o->guidance);
    if (o->max_text < 0 || o->max_text > MAX_TEXT)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "max_text %d is outside 0..%d", o->max_text,
                       MAX_TEXT);
    if (o->max_knobs < 0 || o->max_knobs > MAX_KNOBS)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "max_knobs %d is outside 0..%d", o->max_knobs,
                       MAX_KNOBS);
    return SMITIN_OK;
}

/* Samples of one channel that a read decodes at once, at most. */
static size_t read_length(const smitin_session *s)
{
    const size_t frames = SM_READ_FRAMES + sm_codec_stream_delay(s->engine->codec);
    return frames * (size_t)s->engine->config.codec.hop;
}

static bool take_reader(smitin_session *s, sm_reader *reader)
{
    const int C = s->engine->config.lm.channels;
    for (int c = 0; c < C; c++) {
        reader->streams[c] = sm_codec_stream_new(s->engine->codec, s->arena);
        if (reader->streams[c] == NULL) return false;
    }
    reader->pending = SM_TAKE(s->arena, read_length(s) * (size_t)C, float);
    return reader->pending != NULL;
}

static bool take_fixed_memory(smitin_session *s)
{
    const size_t pieces = (size_t)s->options.pieces;
    const size_t K = (size_t)s->engine->config.lm.codebooks;
    const size_t V = (size_t)s->engine->config.lm.vocab;
    const size_t frames = (size_t)s->frames;
    s->pieces = SM_TAKE(s->arena, pieces, sm_piece);
    s->rows = SM_TAKE(s->arena, 2 * pieces, sm_row);
    s->knobs = SM_TAKE(s->arena, s->options.max_knobs, sm_knob_slot);
    s->taps = SM_TAKE(s->arena, s->options.max_knobs, sm_tap);
    s->made = SM_TAKE(s->arena, K, int32_t);
    s->scratch = SM_TAKE(s->arena, V, float);
    s->order = SM_TAKE(s->arena, V, int32_t);
    s->planar = SM_TAKE(s->arena, s->engine->config.lm.channels > 1 ? read_length(s) : 0, float);
    s->codec_scratch = SM_TAKE(s->arena, sm_codec_stream_scratch(s->engine->codec), float);
    if (s->pieces == NULL || s->rows == NULL || s->knobs == NULL || s->taps == NULL ||
        s->made == NULL || s->scratch == NULL || s->order == NULL || s->planar == NULL ||
        s->codec_scratch == NULL)
        return false;
    const int C = s->engine->config.lm.channels;
    const size_t columns = (size_t)sm_delay_columns(s->window.size, (int)K, C);
    for (size_t i = 0; i < pieces; i++) {
        sm_piece *piece = &s->pieces[i];
        piece->grid.cells = SM_TAKE(s->arena, K * columns, int32_t);
        piece->codes = SM_TAKE(s->arena, K * frames, int32_t);
        if (piece->grid.cells == NULL || piece->codes == NULL || !take_reader(s, &piece->reader))
            return false;
    }
    return true;
}

smitin_status smitin_session_new(smitin_session **out, const smitin_engine *engine,
                                 const smitin_session_options *options, smitin_error *error)
{
    if (out == NULL || engine == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "smitin_session_new needs a place for the session and an engine");
    *out = NULL;
    const smitin_session_options defaults = smitin_session_defaults();
    if (options == NULL) options = &defaults;
    SM_TRY(check_options(options, error));

    smitin_session *session = calloc(1, sizeof *session);
    if (session == NULL) return sm_fail_memory(error, "the session", sizeof *session);
    session->engine = engine;
    session->options = *options;
    session->frames = sm_engine_frames(engine, options->seconds);
    const smitin_status status = sm_window_init(session, error);
    if (status != SMITIN_OK) {
        free(session);
        return status;
    }
    session->arena = sm_arena_new();
    if (session->arena == NULL || !take_fixed_memory(session)) {
        smitin_session_free(session);
        return sm_fail_memory(error, "the session", 0);
    }
    *out = session;
    return SMITIN_OK;
}

void smitin_session_free(smitin_session *session)
{
    if (session == NULL) return;
    for (int i = 0; i < session->knobs_count; i++) sm_steer_free(session->knobs[i].steer);
    sm_lm_state_free(session->state);
    sm_lm_state_free(session->ahead);
    sm_arena_free(session->arena);
    free(session);
}

/* ---- Prompts ---- */

smitin_status sm_session_check_setup(const smitin_session *session, int piece, smitin_error *error)
{
    if (session->phase != SM_PHASE_SETUP)
        return sm_fail(error, SMITIN_ERROR_STATE,
                       "the session has started; prompts and knobs are set before");
    if (piece != SMITIN_ALL_PIECES && (piece < 0 || piece >= session->options.pieces))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there is no piece %d; the session makes %d",
                       piece, session->options.pieces);
    return SMITIN_OK;
}

static bool selected(int piece, int index)
{
    return piece == SMITIN_ALL_PIECES || piece == index;
}

/* T5 output of ids[tokens] in the session's arena. */
static smitin_status encode_ids(smitin_session *session, const int32_t *ids, int tokens,
                                float **hidden, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    *hidden = SM_TAKE(session->arena, (size_t)tokens * (size_t)engine->config.text.hidden, float);
    if (*hidden == NULL) return sm_fail_memory(error, "the text encoder", 0);
    return sm_engine_read_text(engine, ids, tokens, *hidden, error);
}

static void place_text(smitin_session *session, int piece, float *hidden, int tokens)
{
    for (int i = 0; i < session->options.pieces; i++) {
        if (!selected(piece, i)) continue;
        session->pieces[i].text = hidden;
        session->pieces[i].text_tokens = tokens;
    }
}

smitin_status smitin_session_set_text(smitin_session *session, int piece, const char *text,
                                      smitin_error *error)
{
    SM_TRY(sm_session_check_setup(session, piece, error));
    float *hidden = NULL;
    int tokens = 0;
    if (text != NULL && text[0] != '\0') {
        int32_t *ids = NULL;
        SM_TRY(sm_engine_tokenize(session->engine, text, session->options.max_text, &ids, &tokens,
                                  error));
        const smitin_status status = encode_ids(session, ids, tokens, &hidden, error);
        free(ids);
        SM_TRY(status);
    }
    place_text(session, piece, hidden, tokens);
    return SMITIN_OK;
}

smitin_status smitin_session_set_tokens(smitin_session *session, int piece, const int32_t *ids,
                                        size_t count, smitin_error *error)
{
    SM_TRY(sm_session_check_setup(session, piece, error));
    if (ids == NULL && count > 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "no tokens were given");
    if (count > 0 && count >= (size_t)session->options.max_text)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%zu tokens and the end mark are more than the session's %d; raise max_text",
                       count, session->options.max_text);
    float *hidden = NULL;
    if (count > 0) {
        int32_t *ended = malloc((count + 1) * sizeof(int32_t));
        if (ended == NULL) return sm_fail_memory(error, "the text prompt", count * sizeof *ended);
        memcpy(ended, ids, count * sizeof *ended);
        ended[count] = END_MARK;
        const smitin_status status = encode_ids(session, ended, (int)count + 1, &hidden, error);
        free(ended);
        SM_TRY(status);
    }
    place_text(session, piece, hidden, count > 0 ? (int)count + 1 : 0);
    return SMITIN_OK;
}

static smitin_status check_prompt_length(const smitin_session *session, size_t frames,
                                         smitin_error *error)
{
    if (frames == 0) return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the audio prompt is empty");
    if (frames >= (size_t)session->frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the audio prompt has %zu frames, the whole piece only %d: nothing would be "
                       "left to make; ask for "
                       "a longer piece or give a shorter prompt",
                       frames, session->frames);
    return SMITIN_OK;
}

static void place_codes(smitin_session *session, int piece, const int32_t *codes, int frames)
{
    const size_t K = (size_t)session->engine->config.lm.codebooks;
    for (int i = 0; i < session->options.pieces; i++) {
        if (!selected(piece, i)) continue;
        sm_piece *to = &session->pieces[i];
        to->prompt = frames;
        for (size_t k = 0; k < K; k++)
            memcpy(to->codes + k * (size_t)session->frames, codes + k * (size_t)frames,
                   (size_t)frames * sizeof *codes);
    }
}

smitin_status smitin_session_set_codes(smitin_session *session, int piece, const int32_t *codes,
                                       size_t frames, smitin_error *error)
{
    SM_TRY(sm_session_check_setup(session, piece, error));
    if (codes == NULL) return sm_fail(error, SMITIN_ERROR_ARGUMENT, "no codes were given");
    SM_TRY(check_prompt_length(session, frames, error));
    const sm_lm_config *lm = &session->engine->config.lm;
    for (size_t i = 0; i < frames * (size_t)lm->codebooks; i++) {
        if (codes[i] < 0 || codes[i] >= lm->vocab)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "code %d at position %zu is outside 0..%d",
                           codes[i], i, lm->vocab - 1);
    }
    place_codes(session, piece, codes, (int)frames);
    return SMITIN_OK;
}

smitin_status smitin_session_set_audio(smitin_session *session, int piece, const float *samples,
                                       size_t count, smitin_error *error)
{
    SM_TRY(sm_session_check_setup(session, piece, error));
    const size_t frames = count == 0 ? 0 : sm_engine_count_frames(session->engine, count);
    SM_TRY(check_prompt_length(session, frames, error));
    const size_t size = frames * (size_t)session->engine->config.lm.codebooks;
    int32_t *codes = malloc(size * sizeof *codes);
    if (codes == NULL) return sm_fail_memory(error, "the prompt's codes", size * sizeof *codes);
    const smitin_status status =
        sm_engine_encode_frames(session->engine, samples, count, codes, error);
    if (status == SMITIN_OK) place_codes(session, piece, codes, (int)frames);
    free(codes);
    return status;
}

/* ---- Knobs ---- */

smitin_status smitin_session_add_knob(smitin_session *session, const smitin_knob *knob,
                                      const smitin_steering *steering, smitin_error *error)
{
    SM_TRY(sm_session_check_setup(session, SMITIN_ALL_PIECES, error));
    if (knob == NULL) return sm_fail(error, SMITIN_ERROR_ARGUMENT, "no knob was given");
    if (session->knobs_count == session->options.max_knobs)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the session was made for %d knobs; raise max_knobs",
                       session->options.max_knobs);
    const smitin_steering defaults = smitin_steering_defaults();
    if (steering == NULL) steering = &defaults;
    SM_TRY(sm_steer_check(knob->data, steering, session->engine->lm,
                          sm_lm_fingerprint(session->engine->lm), error));
    sm_knob_slot *slot = &session->knobs[session->knobs_count++];
    slot->knob = knob;
    slot->settings = *steering;
    atomic_init(&slot->asked, (double)NAN);
    return SMITIN_OK;
}

/* ---- Start ---- */

static smitin_status agree_on_prompt(smitin_session *session, smitin_error *error)
{
    session->prompt = session->pieces[0].prompt;
    for (int i = 1; i < session->options.pieces; i++) {
        if (session->pieces[i].prompt != session->prompt)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "piece 0 has a prompt of %d frames and piece %d one of %d; pieces of "
                           "one session need prompts "
                           "of one length",
                           session->prompt, i, session->pieces[i].prompt);
    }
    return SMITIN_OK;
}

/* All conditional rows first, then the unconditional halves of the guided pieces. A piece without
 * text and melody needs no second row: both halves would be equal, and guidance exactly nothing. */
static int lay_out_rows(smitin_session *session)
{
    const int pieces = session->options.pieces;
    const bool guided = session->options.guidance != 1.0;
    int longest = 0;
    session->rows_count = pieces;
    for (int i = 0; i < pieces; i++) {
        sm_piece *piece = &session->pieces[i];
        const bool both = guided && sm_piece_conditioned(piece);
        piece->cond_row = i;
        piece->uncond_row = both ? session->rows_count++ : -1;
        session->rows[i] = (sm_row){.piece = i, .conditional = true, .guided = both};
        if (both)
            session->rows[piece->uncond_row] =
                (sm_row){.piece = i, .conditional = false, .guided = true};
        if (piece->text_tokens > longest) longest = piece->text_tokens;
    }
    return longest;
}

static smitin_status start_knobs(smitin_session *session, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    const sm_codec_config *codec = &engine->config.codec;
    const sm_steer_timeline timeline = {.rows = session->rows,
                                        .rows_count = session->rows_count,
                                        .pieces = session->options.pieces,
                                        .first = session->prompt,
                                        .columns = session->prompt + sm_window_steps(session) + 1,
                                        .frames = session->frames - session->prompt,
                                        .frame_rate = (double)codec->sample_rate / codec->hop};
    for (int i = 0; i < session->knobs_count; i++) {
        sm_knob_slot *slot = &session->knobs[i];
        SM_TRY(sm_steer_new(&slot->steer, slot->knob->data, &slot->settings, engine->lm,
                            engine->kernels, sm_lm_fingerprint(engine->lm), &timeline,
                            i > 0 ? session->knobs[i - 1].steer : NULL, error));
        session->taps[i] = sm_steer_tap(slot->steer);
    }
    return SMITIN_OK;
}

/* A state for the window from frame `base` on, conditioned. */
static smitin_status new_state(smitin_session *session, sm_lm_state **state, int base, int batch,
                               int longest_text, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    const sm_lm_config *lm = &engine->config.lm;
    const bool melody = lm->chroma_length > 0;
    const int columns = sm_delay_columns(session->window.size, lm->codebooks, lm->channels) - 1;
    const sm_lm_state_options options = {.rows = session->rows_count,
                                         .max_columns = columns,
                                         .max_batch = batch < columns ? batch : columns,
                                         .max_text = longest_text > 0 || !melody ? longest_text : 1,
                                         .cache = sm_engine_cache(engine)};
    SM_TRY(sm_lm_state_new(state, engine->lm, &options, error));
    sm_session_condition(session, *state, base);
    return SMITIN_OK;
}

smitin_status sm_session_start(smitin_session *session, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    const size_t K = (size_t)engine->config.lm.codebooks;
    SM_TRY(agree_on_prompt(session, error));
    const int longest_text = lay_out_rows(session);
    sm_window_begin(session);
    const int heard = session->window.begun; /* frames of the prompt that the model hears */
    const bool windows = !sm_window_last(session);
    int batch = heard > 1 ? heard : 1;
    if (windows && batch < SM_FEED_COLUMNS) batch = SM_FEED_COLUMNS;

    session->tokens =
        SM_TAKE(session->arena, (size_t)session->rows_count * (size_t)batch * K, int32_t);
    session->logits = SM_TAKE(
        session->arena, (size_t)session->rows_count * K * (size_t)engine->config.lm.vocab, float);
    if (session->tokens == NULL || session->logits == NULL)
        return sm_fail_memory(error, "the session's run", 0);
    const int base = session->window.base, next = base + session->window.stride;
    SM_TRY(new_state(session, &session->state, base, batch, longest_text, error));
    if (windows)
        SM_TRY(new_state(session, &session->ahead, next, SM_FEED_COLUMNS, longest_text, error));
    SM_TRY(start_knobs(session, error));
    /* The last prompt column is the first step: its pass predicts something new. */
    if (heard > 0) sm_session_pass(session, heard, NULL);
    return SMITIN_OK;
}
