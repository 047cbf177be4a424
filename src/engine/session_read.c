/* SPDX-License-Identifier: MIT */
/* Reading a session: codes, audio, monitor traces. */
#include "session.h"

#include <string.h>

static smitin_status check_piece(const smitin_session *session, int piece, smitin_error *error)
{
    if (piece < 0 || piece >= session->options.pieces)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there is no piece %d; the session makes %d",
                       piece, session->options.pieces);
    if (session->phase == SM_PHASE_SETUP)
        return sm_fail(error, SMITIN_ERROR_STATE,
                       "the session has not made anything yet; step or run it first");
    return SMITIN_OK;
}

smitin_status smitin_session_codes(const smitin_session *session, int piece, const int32_t **codes,
                                   size_t *frames, size_t *stride, smitin_error *error)
{
    SM_TRY(check_piece(session, piece, error));
    *codes = session->pieces[piece].codes;
    *frames = (size_t)sm_window_complete(session);
    *stride = (size_t)session->frames;
    return SMITIN_OK;
}

/* Room for the samples of a whole piece and for the decoder: streams never need it. */
static smitin_status take_whole(smitin_session *session, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    const size_t frames = (size_t)session->frames, C = (size_t)engine->config.lm.channels;
    const size_t count = frames * (size_t)engine->config.codec.hop;
    sm_arena *arena = session->arena;
    if (session->whole_scratch != NULL) return SMITIN_OK;
    session->samples = SM_TAKE(arena, count * C, float);
    session->whole_planar = SM_TAKE(arena, C > 1 ? count : 0, float);
    if (session->samples != NULL && session->whole_planar != NULL)
        session->whole_scratch = SM_TAKE(arena, sm_codec_scratch(engine->codec, frames), float);
    if (session->whole_scratch != NULL) return SMITIN_OK;
    return sm_fail_memory(error, "the samples of a whole piece", count * C * sizeof(float));
}

smitin_status smitin_session_audio(smitin_session *session, int piece, const float **samples,
                                   size_t *count, smitin_error *error)
{
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    SM_TRY(smitin_session_codes(session, piece, &codes, &frames, &stride, error));
    if (frames == 0) return sm_fail(error, SMITIN_ERROR_STATE, "no frame is complete yet");
    SM_TRY(take_whole(session, error));
    const smitin_engine *engine = session->engine;
    sm_engine_decode_frames(engine, codes, stride, frames, session->samples, session->whole_planar,
                            session->whole_scratch);
    *samples = session->samples;
    *count = frames * (size_t)engine->config.codec.hop * (size_t)engine->config.lm.channels;
    return SMITIN_OK;
}

size_t smitin_session_read_delay(const smitin_session *session)
{
    return sm_codec_stream_delay(session->engine->codec);
}

/* Decode up to SM_READ_FRAMES frames more into the empty `pending`; false when nothing is left to
 * decode now. */
static bool decode_more(smitin_session *session, int piece)
{
    const smitin_engine *engine = session->engine;
    sm_reader *reader = &session->pieces[piece].reader;
    const int complete = sm_window_complete(session), left = complete - reader->pushed;
    const int n = left < SM_READ_FRAMES ? left : SM_READ_FRAMES;
    const bool over = complete == session->frames || session->phase >= SM_PHASE_DONE;
    if (reader->ended || (n == 0 && !over)) return false;
    reader->ended = over && n == left;
    const int C = engine->config.lm.channels;
    const size_t stride = (size_t)session->frames;
    size_t length = 0; /* of one channel, the same for all */
    for (int c = 0; c < C; c++) {
        const int32_t *fresh =
            session->pieces[piece].codes + (size_t)c * stride + (size_t)reader->pushed;
        length = sm_codec_stream_push(
            reader->streams[c], engine->kernels, engine->pool, fresh, (size_t)C * stride, (size_t)n,
            reader->ended, C > 1 ? session->planar : reader->pending, session->codec_scratch);
        if (C > 1) sm_engine_interleave(engine, reader->pending, session->planar, length, c);
    }
    reader->count = length * (size_t)C;
    reader->given = 0;
    reader->pushed += n;
    return true;
}

smitin_status smitin_session_read(smitin_session *session, int piece, float *samples,
                                  size_t capacity, size_t *count, smitin_error *error)
{
    if (count == NULL || (samples == NULL && capacity > 0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "smitin_session_read needs a place for samples and for their count");
    *count = 0;
    SM_TRY(check_piece(session, piece, error));
    capacity -= capacity % (size_t)session->engine->config.lm.channels; /* whole frames only */
    sm_reader *reader = &session->pieces[piece].reader;
    while (*count < capacity) {
        if (reader->given == reader->count && !decode_more(session, piece)) break;
        const size_t left = reader->count - reader->given, room = capacity - *count;
        const size_t n = left < room ? left : room;
        if (n > 0) memcpy(samples + *count, reader->pending + reader->given, n * sizeof *samples);
        reader->given += n;
        *count += n;
    }
    return SMITIN_OK;
}

static smitin_status check_knob(const smitin_session *session, int piece, int knob,
                                smitin_error *error)
{
    SM_TRY(check_piece(session, piece, error));
    if (knob < 0 || knob >= session->knobs_count)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there is no knob %d; the session has %d",
                       knob, session->knobs_count);
    if (session->knobs[knob].steer == NULL)
        return sm_fail(error, SMITIN_ERROR_STATE,
                       "the session did not start, so the knob has no trace");
    return SMITIN_OK;
}

smitin_status smitin_session_trace(const smitin_session *session, int piece, int knob,
                                   const smitin_trace **lines, size_t *count, smitin_error *error)
{
    SM_TRY(check_knob(session, piece, knob, error));
    *lines = sm_steer_trace(session->knobs[knob].steer, piece, count);
    return SMITIN_OK;
}

smitin_status smitin_session_report(const smitin_session *session, int piece, int knob,
                                    smitin_knob_report *report, smitin_error *error)
{
    SM_TRY(check_knob(session, piece, knob, error));
    sm_steer_report(session->knobs[knob].steer, piece, report);
    return SMITIN_OK;
}
