/* SPDX-License-Identifier: MIT */
/* Reading a session: codes, audio, monitor traces. */
#include "session.h"

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
    const sm_delay *grid = &session->pieces[piece].grid;
    const int complete = sm_delay_complete(grid, session->column + 1);
    sm_delay_revert(grid, complete, session->codes, session->frames);
    *codes = session->codes;
    *frames = (size_t)complete;
    *stride = (size_t)session->frames;
    return SMITIN_OK;
}

smitin_status smitin_session_audio(smitin_session *session, int piece, const float **samples,
                                   size_t *count, smitin_error *error)
{
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    SM_TRY(smitin_session_codes(session, piece, &codes, &frames, &stride, error));
    if (frames == 0) return sm_fail(error, SMITIN_ERROR_STATE, "no frame is complete yet");
    const smitin_engine *engine = session->engine;
    sm_codec_decode(engine->codec, engine->kernels, engine->pool, codes, stride, frames,
                    session->samples, session->codec_scratch);
    *samples = session->samples;
    *count = frames * (size_t)engine->config.codec.hop;
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
