/* SPDX-License-Identifier: MIT */
/* A session's run: one column after the other. Owns the decoding loop; setting up is in
 * session_start.c, reading results in session_read.c. */
#include "session.h"

#include <math.h>
#include <string.h>

#include "../base/rng.h"

void sm_session_pass(smitin_session *session, int columns, float *logits)
{
    const size_t K = (size_t)session->engine->config.lm.codebooks;
    const size_t used = (size_t)columns * K;
    for (int row = 0; row < session->rows_count; row++) {
        const sm_delay *grid = &session->pieces[session->rows[row].piece].grid;
        memcpy(session->tokens + (size_t)row * used, grid->cells + (size_t)session->column * K,
               used * sizeof(int32_t));
    }
    sm_profiler *profiler = &session->profiler;
    sm_lm_state_profile(session->state, profiler->sums != NULL ? profiler : NULL);
    sm_profile_lap(profiler, SMITIN_PART_REST, 0);
    for (int i = 0; i < session->knobs_count; i++)
        sm_steer_begin(session->knobs[i].steer, session->passed, columns);
    if (session->knobs_count > 0) sm_profile_lap(profiler, SMITIN_PART_KNOBS, 0);
    sm_lm_forward(session->state, session->engine->kernels, session->engine->pool, session->tokens,
                  columns, session->taps, session->knobs_count, logits, NULL);
    for (int i = 0; i < session->knobs_count; i++) sm_steer_end(session->knobs[i].steer);
    if (session->knobs_count > 0) sm_profile_lap(profiler, SMITIN_PART_KNOBS, 0);
    session->column += columns;
    session->passed += columns;
}

/* Requests left by other threads. */
static void take_requests(smitin_session *session)
{
    for (int i = 0; i < session->knobs_count; i++) {
        const double asked = atomic_exchange(&session->knobs[i].asked, (double)NAN);
        if (!isnan(asked)) sm_steer_turn(session->knobs[i].steer, asked);
    }
}

/* Fill the unknown cells of `column` of the window, of one piece, from the logits of its rows. */
static smitin_status sample_column(smitin_session *session, int index, int column,
                                   smitin_error *error)
{
    sm_piece *piece = &session->pieces[index];
    const int K = session->engine->config.lm.codebooks;
    const int V = session->engine->config.lm.vocab;
    const sm_sampling sampling = {session->options.temperature, session->options.top_k,
                                  session->options.top_p};
    float *cond = session->logits + (size_t)piece->cond_row * (size_t)(K * V);
    const int base = session->window.base;
    for (int k = 0; k < K; k++) {
        session->made[k] = 0;
        if (!sm_delay_unknown(&piece->grid, column, k)) continue;
        float *logits = cond + (size_t)k * (size_t)V;
        if (piece->uncond_row >= 0) {
            const float *uncond =
                session->logits + ((size_t)piece->uncond_row * (size_t)K + (size_t)k) * (size_t)V;
            sm_guide(logits, uncond, (float)session->options.guidance, V);
        }
        const double uniform = sm_uniform(session->options.seed + (uint64_t)index,
                                          (uint32_t)(base + column), (uint32_t)k, SM_RNG_SAMPLE);
        session->made[k] =
            sm_sample(logits, V, &sampling, uniform, session->scratch, session->order);
        if (session->made[k] < 0)
            return sm_fail(error, SMITIN_ERROR_MODEL,
                           "the model's output at column %d is not a number; turn the knobs down; "
                           "if none is on, the "
                           "model's weights are damaged",
                           base + column);
        const int frame = base + sm_delay_frame(&piece->grid, column, k);
        piece->codes[(size_t)k * (size_t)session->frames + (size_t)frame] = session->made[k];
    }
    sm_delay_write(&piece->grid, column, session->made);
    return SMITIN_OK;
}

smitin_status smitin_session_step(smitin_session *session, bool *done, smitin_error *error)
{
    if (done != NULL) *done = false;
    if (session->phase == SM_PHASE_DONE || session->phase == SM_PHASE_FAILED)
        return sm_fail(error, SMITIN_ERROR_STATE, "this session has ended; make a new one");
    if (atomic_load(&session->stop)) {
        session->phase = SM_PHASE_DONE;
        return sm_fail(error, SMITIN_ERROR_STOPPED, "the session was stopped");
    }
    sm_profile_begin(&session->profiler);
    if (session->phase == SM_PHASE_SETUP) {
        const smitin_status status = sm_session_start(session, error);
        session->phase = status == SMITIN_OK ? SM_PHASE_RUNNING : SM_PHASE_FAILED;
        SM_TRY(status);
    }
    take_requests(session);
    sm_session_pass(session, 1, session->logits);
    for (int i = 0; i < session->options.pieces; i++) {
        const smitin_status status = sample_column(session, i, session->column, error);
        if (status != SMITIN_OK) session->phase = SM_PHASE_FAILED;
        SM_TRY(status);
    }
    sm_profile_lap(&session->profiler, SMITIN_PART_SAMPLING, 0);
    if (sm_window_step(session)) session->phase = SM_PHASE_DONE;
    sm_profile_lap(&session->profiler, SMITIN_PART_REST, 0);
    if (done != NULL) *done = session->phase == SM_PHASE_DONE;
    return SMITIN_OK;
}

smitin_status smitin_session_run(smitin_session *session, smitin_progress_callback callback,
                                 void *user, smitin_error *error)
{
    bool done = false;
    while (!done) {
        SM_TRY(smitin_session_step(session, &done, error));
        if (callback == NULL) continue;
        const smitin_progress progress = {sm_window_complete(session), session->frames};
        if (!callback(user, &progress) && !done) smitin_session_stop(session);
    }
    return SMITIN_OK;
}

void smitin_session_profile(smitin_session *session, smitin_profile *profile)
{
    session->profiler.sums = profile;
}

bool smitin_session_turn(smitin_session *session, int knob, double alpha)
{
    if (knob < 0 || knob >= session->knobs_count || !isfinite(alpha)) return false;
    atomic_store(&session->knobs[knob].asked, alpha);
    return true;
}

void smitin_session_stop(smitin_session *session)
{
    atomic_store(&session->stop, true);
}
