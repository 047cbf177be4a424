/* SPDX-License-Identifier: MIT */
/* Pieces longer than the model's positions: windows of W frames that overlap by a context of
 * Q = W - S frames. While one window plays, a second state hears the context of the next as soon as
 * it is made, at positions from 0 on; then the two change places. So a step costs the same all the
 * time, and an hour takes the memory of two windows.
 *
 *     window j     0 ........ S ....... W        frames of its grid
 *     window j+1             0 ....... Q ........ W
 *
 * With SMITIN_LONG_WINDOW a window ends as a piece does: its grid closes with the delayed codebooks
 * of the last frame, K / C columns after it, and the next window's prompt is Q whole frames. With
 * SMITIN_LONG_ROLLING the next window takes over at the column in which frame W - 1 of the first
 * codebook stands; frames whose later codebooks are not made yet are finished there. */
#include "session.h"

#include <assert.h>
#include <math.h>

/* audiocraft's: trained on 30 s, it goes on in steps of 18 s. */
#define WINDOW_SECONDS 30.0
#define STRIDE_SHARE   0.6

enum { SHORTEST = 2 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Q: frames that two windows share. */
static int context(const sm_window *window)
{
    return window->size - window->stride;
}

static bool rolling(const smitin_session *session)
{
    return session->options.long_method == SMITIN_LONG_ROLLING;
}

smitin_status sm_window_init(smitin_session *session, smitin_error *error)
{
    const smitin_engine *engine = session->engine;
    const smitin_session_options *o = &session->options;
    const double rate = (double)engine->config.codec.sample_rate / engine->config.codec.hop;
    const double longest = engine->config.max_frames / rate;
    if (o->long_method != SMITIN_LONG_WINDOW && o->long_method != SMITIN_LONG_ROLLING)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "there is no long_method %d",
                       (int)o->long_method);
    double window = o->window;
    if (!(window > 0.0)) window = fmin(WINDOW_SECONDS, longest);
    if (!(o->window >= 0.0) || window * rate < SHORTEST - 0.5 || window > longest + 1e-9)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a window of %g s is outside %g..%g s, the model's range", o->window,
                       SHORTEST / rate, longest);
    session->window.size = (int)lround(window * rate);
    if (!(o->stride >= 0.0) || o->stride > window)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a stride of %g s does not lie within the window of %g s", o->stride,
                       window);
    const double share = o->stride > 0.0 ? o->stride * rate : STRIDE_SHARE * session->window.size;
    session->window.stride = (int)fmax(1.0, round(share));
    if (session->window.stride >= session->window.size)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a stride of %g s leaves nothing of a window of %g s to go on from; make it "
                       "shorter",
                       o->stride, window);
    if (session->frames <= session->window.size) session->window.size = session->frames;
    return SMITIN_OK;
}

bool sm_window_last(const smitin_session *session)
{
    return session->frames - session->window.base <= session->window.size;
}

/* The first column of window `base` that is made, and the frames of its grid. */
static void window_at(const smitin_session *session, int base, int *first, int *frames)
{
    *first = base == session->window.base ? session->window.begun : context(&session->window);
    *frames = least(session->window.size, session->frames - base);
}

void sm_window_begin(smitin_session *session)
{
    sm_window *w = &session->window;
    const sm_lm_config *lm = &session->engine->config.lm;
    w->base = session->prompt < w->size ? 0 : session->prompt - context(w);
    w->begun = w->known = session->prompt - w->base;
    session->column = 0;
    session->passed = w->base; /* what the model does not hear is behind it all the same */
    const int frames = least(w->size, session->frames - w->base);
    for (int i = 0; i < session->options.pieces; i++) {
        sm_piece *piece = &session->pieces[i];
        sm_delay_init(&piece->grid, frames, lm->codebooks, lm->channels, lm->vocab,
                      piece->grid.cells);
        sm_delay_prompt(&piece->grid, piece->codes + w->base, w->begun, session->frames);
    }
}

int sm_window_steps(const smitin_session *session)
{
    const sm_window *w = &session->window;
    const sm_lm_config *lm = &session->engine->config.lm;
    int steps = 0, first = 0, frames = 0;
    for (int base = w->base;; base += w->stride) {
        window_at(session, base, &first, &frames);
        const bool last = session->frames - base <= w->size;
        /* The last column is not fed. */
        const int end = last || !rolling(session)
                            ? sm_delay_columns(frames, lm->codebooks, lm->channels) - 1
                            : frames;
        steps += end - first;
        if (last) return steps;
    }
}

int sm_window_complete(const smitin_session *session)
{
    const sm_window *w = &session->window;
    const int filled = session->column + (session->phase == SM_PHASE_FAILED ? 0 : 1);
    const int complete = sm_delay_complete(&session->pieces[0].grid, filled);
    return w->base + (complete > w->known ? complete : w->known);
}

/* The next `columns` columns of the next window's context go to its state, without the knobs: it
 * hears what was played. */
static void feed(smitin_session *session, int columns)
{
    const int K = session->engine->config.lm.codebooks;
    sm_window *w = &session->window;
    int32_t *token = session->tokens;
    for (int row = 0; row < session->rows_count; row++) {
        const sm_delay *grid = &session->pieces[session->rows[row].piece].grid;
        for (int column = w->fed; column < w->fed + columns; column++)
            for (int k = 0; k < K; k++) *token++ = sm_delay_ahead(grid, w->stride, column, k);
    }
    sm_lm_forward(session->ahead, session->engine->kernels, session->engine->pool, session->tokens,
                  columns, NULL, 0, NULL, NULL);
    w->fed += columns;
}

/* Feed evenly, so that all Q columns of the context are in when frame W - 1 is. */
static void feed_some(smitin_session *session)
{
    sm_window *w = &session->window;
    const int Q = context(w), steps = w->size - w->begun;
    const int done = least(session->column - w->begun, steps);
    const int due = (int)(((int64_t)Q * done + steps - 1) / steps);
    const int made = session->column - w->stride + 1; /* columns of the context that are known */
    const int wanted = least(due, made);
    while (wanted - w->fed >= SM_FEED_COLUMNS || (done == steps && w->fed < Q))
        feed(session, least(SM_FEED_COLUMNS, Q - w->fed));
}

/* Go on in the next window, whose context has been heard. */
static void move_on(smitin_session *session)
{
    sm_window *w = &session->window;
    const int Q = context(w), back = session->column - w->size;
    assert(w->fed == Q && sm_lm_state_column(session->ahead) == Q);
    w->base += w->stride;
    w->begun = Q;
    w->known = rolling(session) ? 0 : Q;
    w->fed = 0;
    const int frames = least(w->size, session->frames - w->base);
    for (int i = 0; i < session->options.pieces; i++)
        sm_delay_advance(&session->pieces[i].grid, w->stride, Q, frames);
    for (int i = 0; i < session->knobs_count; i++)
        sm_steer_step_back(session->knobs[i].steer, back);
    sm_lm_state *heard = session->state;
    session->state = session->ahead;
    session->ahead = heard;
    sm_lm_state_reset(heard);
    /* A text is kept; a melody goes on. */
    if (session->engine->config.lm.chroma_length > 0 && !sm_window_last(session))
        sm_session_condition(session, heard, w->base + w->stride);
    session->column = Q;
}

bool sm_window_step(smitin_session *session)
{
    const bool last = sm_window_last(session);
    const bool closed = session->column == session->pieces[0].grid.columns - 1;
    if (last) return closed;
    feed_some(session);
    if (closed || (rolling(session) && session->column == session->window.size)) move_on(session);
    return false;
}
