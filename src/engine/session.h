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

typedef struct sm_piece {
    sm_delay grid;
    float *text;     /* T5 output [text_tokens, text hidden]; owned by the session's arena */
    int text_tokens; /* 0 = none */
    int32_t *melody; /* [chroma_length] classes, owned likewise; NULL = none */
    int cond_row;    /* of the forward pass */
    int uncond_row;  /* -1 when not guided */
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
    int frames, columns; /* T and S of every piece */
    int prompt;          /* P, equal for all pieces */
    int column;          /* of the next forward pass */
    sm_piece *pieces;
    sm_row *rows; /* [2 * pieces] at most */
    int rows_count;
    sm_lm_state *state;
    sm_knob_slot *knobs;
    int knobs_count;
    sm_tap *taps;    /* [knobs_count] */
    int32_t *tokens; /* [rows, prompt or 1, K] */
    int32_t *made;   /* [K] */
    float *logits;   /* [rows, K, V] */
    float *scratch;  /* [V] for the sampler */
    int32_t *order;  /* [V] for the sampler */
    int32_t *codes;  /* [K, frames] of the piece last asked for */
    float *samples;  /* [frames * hop, C] of the piece last asked for */
    float *planar;   /* one channel of what is decoded: of a whole piece, or of a read */
    int32_t *fresh;  /* [K, SM_READ_FRAMES] codes on their way into a stream */
    float *codec_scratch;
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
/* Condition every row of `state` on what its piece follows. */
void sm_session_condition(const smitin_session *session, sm_lm_state *state);

/* Forward `columns` columns of every piece from session->column on, with the knobs around it. */
void sm_session_pass(smitin_session *session, int columns, float *logits);

#endif
