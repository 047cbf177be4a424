/* SPDX-License-Identifier: MIT */
/* The inside of a session, shared by the files that set it up, run it and read it. */
#ifndef SMITIN_ENGINE_SESSION_H
#define SMITIN_ENGINE_SESSION_H

#include <stdatomic.h>

#include "../lm/sampler.h"
#include "../steer/steer.h"
#include "engine.h"

#define SM_READ_FRAMES 8 /* decoded at once by smitin_session_read */

/* The audio of a piece that smitin_session_read has decoded: a stream, and what of its last output
 * is still to be handed out. */
typedef struct sm_reader {
    sm_codec_stream *streams[SM_MAX_CHANNELS];
    int pushed; /* frames */
    bool ended;
    float *pending; /* [(SM_READ_FRAMES + delay) * hop, C] */
    size_t given, count;
} sm_reader;

/* Where a piece stands that does not fit the model's positions: in windows of W frames, each S
 * after the last, of which the first Q = W - S are known (session_window.c). A piece that fits is
 * one window. */
typedef struct sm_window {
    int size, stride; /* W, S */
    int base;         /* frame of the piece that is frame 0 of the window's grid */
    int begun;        /* column of the window's first step */
    int known;        /* frames of the window that were complete before it */
    int fed;          /* columns of the next window that `ahead` has heard */
} sm_window;

typedef struct sm_piece {
    sm_delay grid;   /* of the window */
    int32_t *codes;  /* [K, frames] of the whole piece */
    int prompt;      /* frames given */
    float *text;     /* T5 output [text_tokens, text hidden]; owned by the session's arena */
    int text_tokens; /* 0 = none */
    int32_t *melody; /* [chroma_length] classes, owned likewise; NULL = none */
    int32_t *tune;   /* [tune_count] classes of all of it, for later windows; NULL = one window */
    size_t tune_count;
    int cond_row;   /* of the forward pass */
    int uncond_row; /* -1 when not guided */
    sm_reader reader;
} sm_piece;

/* A knob in force. Any thread may leave a new alpha in `asked`; only the session's thread takes it.
 */
typedef struct sm_knob_slot {
    const smitin_knob *knob;
    smitin_steering settings;
    sm_steer *steer;
    _Atomic double asked; /* NAN: nothing */
} sm_knob_slot;

typedef enum sm_phase {
    SM_PHASE_SETUP = 0,
    SM_PHASE_RUNNING,
    SM_PHASE_DONE,
    SM_PHASE_FAILED
} sm_phase;

struct smitin_session {
    const smitin_engine *engine;
    smitin_session_options options;
    sm_arena *arena;
    sm_phase phase;
    int frames; /* T of every piece */
    int prompt; /* P, equal for all pieces */
    sm_window window;
    int column; /* of the next forward pass, in the window's grid */
    int passed; /* columns of all windows so far, as knobs count them */
    sm_piece *pieces;
    sm_row *rows; /* [2 * pieces] at most */
    int rows_count;
    sm_lm_state *state;
    sm_lm_state *ahead; /* hears the next window's context; NULL: there is none */
    sm_knob_slot *knobs;
    int knobs_count;
    int32_t *classes;     /* [chroma_length] of a later window; NULL = one window or no melody */
    sm_tap *taps;         /* [knobs_count] */
    int32_t *tokens;      /* [rows, prompt or 1, K] */
    int32_t *made;        /* [K] */
    float *logits;        /* [rows, K, V] */
    float *scratch;       /* [V] for the sampler */
    int32_t *order;       /* [V] for the sampler */
    float *samples;       /* [frames * hop, C] of the piece last asked for; NULL before the first */
    float *whole_planar;  /* [frames * hop] of a whole decode, likewise; C = 1: unused */
    float *whole_scratch; /* of a whole decode, likewise */
    float *planar;        /* one channel of a read; C = 1: unused */
    float *codec_scratch; /* of a read */
    sm_profiler profiler; /* of the steps; sums NULL: nobody asks */
    atomic_bool stop;
};

/* Take the memory that depends on the prompts, build the rows, condition them and feed the prompts:
 * everything before the first new column. Owned by session_start.c. */
smitin_status sm_session_start(smitin_session *session, smitin_error *error);

/* The session has not begun, and `piece` is one of its pieces or all. */
smitin_status sm_session_check_setup(const smitin_session *session, int piece, smitin_error *error);

/* Conditions (session_melody.c). */
/* Whether there is anything for guidance to lead to. */
bool sm_piece_conditioned(const sm_piece *piece);
/* Condition every row of `state` on what its piece follows from frame `base` on. Takes no memory.
 */
void sm_session_condition(const smitin_session *session, sm_lm_state *state, int base);

/* ---- Windows (session_window.c) ---- */

/* Columns of the next window's context that are fed at once: enough to share the weights' way from
 * memory, few enough not to be felt. */
#define SM_FEED_COLUMNS 8

/* W and S from the options. */
smitin_status sm_window_init(smitin_session *session, smitin_error *error);
/* The first window, once the prompt is known: grids, prompts, the first column. */
void sm_window_begin(smitin_session *session);
/* Whether the piece ends in this window. */
bool sm_window_last(const smitin_session *session);
/* Steps of the whole run, of a session that has begun. */
int sm_window_steps(const smitin_session *session);
/* After a step: feed some of the next window's context, and move on to that window when this one
 * is over. True when the piece is over. */
bool sm_window_step(smitin_session *session);
/* Frames of every piece whose codes are all there. A step that failed has left its column open. */
int sm_window_complete(const smitin_session *session);

/* Forward `columns` columns of every piece from session->column on, with the knobs around it. */
void sm_session_pass(smitin_session *session, int columns, float *logits);

#endif
