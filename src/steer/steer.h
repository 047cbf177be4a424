/* SPDX-License-Identifier: MIT */
/* Steering: one knob in force on a timeline. A plan (head weights, directions, monitor heads) is
 * made once from a knob and its settings; each piece has a controller of its own that reads the
 * model through the tap and decides how hard to push.
 *
 *     z[t][l][h] += alpha g[t] w[l][h] sigma[l][h] theta[l][h]        (SMITIN, eq. of the
 * intervention) w = ((acc - acc_min) / (acc_max - acc_min))^p                   (soft weights, test
 * accuracy) C(t) = median over the K best heads of sigmoid(<theta_raw, z> + b) tau = median(A) -
 * std(A), A = the monitor heads' training accuracies
 *
 * Time is the column of the forward pass: the pass over column t yields C(t) and predicts column t
 * + 1. */
#ifndef SMITIN_STEER_STEER_H
#define SMITIN_STEER_STEER_H

#include "../format/knob_file.h"
#include "../lm/lm.h"
#include "controller.h"
#include "plan.h"

/* What a row of the forward pass stands for. */
typedef struct sm_row {
    int piece;
    bool conditional; /* false: the unconditional half of guidance */
    bool guided;      /* the piece has both halves */
} sm_row;

typedef struct sm_steer sm_steer;

typedef struct sm_steer_timeline {
    const sm_row *rows; /* [rows_count], borrowed for the steer's life */
    int rows_count;
    int pieces;
    int first;   /* t0: the first column whose pass predicts something new */
    int columns; /* S of the grid: passes run over columns 0..S-2, those over columns that come
                  * twice counted twice */
    int frames;  /* generated */
    double frame_rate; /* a second */
} sm_steer_timeline;

/* Whether `knob` and `settings` fit the model, without taking memory: SMITIN_ERROR_KNOB or
 * SMITIN_ERROR_ARGUMENT as sm_steer_new would say. */
smitin_status sm_steer_check(const sm_knob_data *knob, const smitin_steering *settings,
                             const sm_lm *lm, const char *fingerprint, smitin_error *error);

/* SMITIN_ERROR_KNOB when the shapes differ or, unless forced, the fingerprints do;
 * SMITIN_ERROR_ARGUMENT for settings out of range. All memory is taken here. `before` is the knob
 * before this one in its session, NULL for the first; it is looked at while this one and those
 * after it are made. */
smitin_status sm_steer_new(sm_steer **steer, const sm_knob_data *knob,
                           const smitin_steering *settings, const sm_lm *lm,
                           const sm_kernels *kernels, const char *fingerprint,
                           const sm_steer_timeline *timeline, const sm_steer *before,
                           smitin_error *error);
void sm_steer_free(sm_steer *steer); /* NULL is allowed */

sm_tap sm_steer_tap(sm_steer *steer);

/* Around every forward pass, which covers columns column..column+columns-1: decide the gains before
 * it, and close the reading after it. */
void sm_steer_begin(sm_steer *steer, int column, int columns);
void sm_steer_end(sm_steer *steer);
/* The timeline has stepped back by `columns`: passes go on being counted, lines of the trace tell
 * the column as it is then. */
void sm_steer_step_back(sm_steer *steer, int columns);

/* From the next pass on: a new raw alpha. */
void sm_steer_turn(sm_steer *steer, double alpha);

/* Lines of the passes from t0 on. */
const smitin_trace *sm_steer_trace(const sm_steer *steer, int piece, size_t *count);
void sm_steer_report(const sm_steer *steer, int piece, smitin_knob_report *report);

#endif
