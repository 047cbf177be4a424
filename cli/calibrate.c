/* SPDX-License-Identifier: MIT */
/* The useful range of a knob depends on the number of heads and on their spread, so it is measured:
 * clips without the trait are continued at doubling strengths, and the presence that the monitor
 * reads is followed until it saturates. */
#include "calibrate.h"

#include <math.h>
#include <string.h>

#include "../src/base/error.h"
#include "common.h"

typedef struct trial {
    const smitin_engine *engine;
    const smitin_knob *knob;
    const float *clips;
    int pieces;
    size_t count;
    double seconds;
} trial;

static smitin_status prepare(const trial *t, smitin_session *session, double alpha,
                             smitin_error *error)
{
    smitin_steering steering = smitin_steering_defaults();
    steering.alpha = alpha;
    for (int i = 0; i < t->pieces; i++)
        SM_TRY(
            smitin_session_set_audio(session, i, t->clips + (size_t)i * t->count, t->count, error));
    return smitin_session_add_knob(session, t->knob, &steering, error);
}

/* Mean presence and dose of one alpha; every alpha uses the same seeds. */
static smitin_status measure(const trial *t, double alpha, double *presence, double *dose,
                             smitin_error *error)
{
    smitin_model_info info;
    smitin_engine_info(t->engine, &info);
    smitin_session_options options = smitin_session_defaults();
    options.seconds = (double)t->count / info.channels / info.sample_rate + t->seconds;
    options.pieces = t->pieces;
    options.seed = 1;
    smitin_session *session = NULL;
    SM_TRY(smitin_session_new(&session, t->engine, &options, error));
    smitin_status status = prepare(t, session, alpha, error);
    if (status == SMITIN_OK) status = smitin_session_run(session, NULL, NULL, error);
    *presence = *dose = 0.0;
    for (int i = 0; i < t->pieces && status == SMITIN_OK; i++) {
        smitin_knob_report report;
        status = smitin_session_report(session, i, 0, &report, error);
        *presence += report.mean_presence / t->pieces;
        *dose += report.dose / t->pieces;
    }
    smitin_session_free(session);
    return status;
}

/* The alpha at which the presence first reaches `level`, by linear interpolation between the grid's
 * points. */
static double reach(const calibration *c, double level)
{
    for (int i = 1; i < CALIBRATE_POINTS; i++) {
        if (c->presence[i] < level) continue;
        const double low = fmin(c->presence[i - 1], level);
        const double share = (level - low) / fmax(c->presence[i] - low, 1e-9);
        return c->alpha[i - 1] + share * (c->alpha[i] - c->alpha[i - 1]);
    }
    return c->alpha[CALIBRATE_POINTS - 1];
}

smitin_status calibrate_knob(calibration *result, const smitin_engine *engine, const char *path,
                             const float *clips, int pieces, size_t count, double seconds,
                             bool quiet, smitin_error *error)
{
    smitin_knob *knob = NULL;
    memset(result, 0, sizeof *result);
    SM_TRY(smitin_knob_load(&knob, path, error));
    const trial t = {engine, knob, clips, pieces, count, seconds};
    smitin_status status = SMITIN_OK;
    double highest = 0.0;
    for (int i = 0; i < CALIBRATE_POINTS && status == SMITIN_OK; i++) {
        result->alpha[i] = i == 0 ? 0.0 : ldexp(1.0, i - 1);
        status = measure(&t, result->alpha[i], &result->presence[i], &result->dose[i], error);
        if (i == 0 || result->presence[i] > highest) highest = result->presence[i];
        if (!quiet) progress_bar("calibrating", i + 1, CALIBRATE_POINTS);
    }
    smitin_knob_free(knob);
    const double rise = highest - result->presence[0];
    result->rise = rise;
    result->default_alpha = reach(result, result->presence[0] + 0.5 * rise);
    result->max_alpha = reach(result, result->presence[0] + 0.9 * rise);
    return status;
}
