/* SPDX-License-Identifier: MIT */
/* Owns a knob in force: reads the monitor heads through the tap, asks each piece's controller for
 * its gain, pushes the constant displacement W_O (w sigma theta) of each layer, and keeps the
 * trace. */
#include "steer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "orthogonal.h"
#include "schedule.h"

/* One piece's side of a knob. */
typedef struct steered_piece {
    sm_controller controller;
    int row;            /* the row the monitor reads: the conditional one */
    double presence;    /* C of the latest column read, NAN before */
    double gain;        /* g f of the pass in progress */
    float *probability; /* [K] of the pass in progress, by monitor head */
    smitin_trace *trace;
    size_t trace_count;
} steered_piece;

struct sm_steer {
    sm_arena *arena;
    const sm_steer *before;
    const sm_kernels *kernels;
    sm_steer_timeline timeline;
    sm_plan plan;
    sm_schedule schedule;
    smitin_statistic statistic;
    double alpha;        /* in force */
    float *displacement; /* [L, d]: one unit of alpha * g on the attention output */
    bool *layer_pushes;  /* [L]: some head of the layer has a weight */
    bool *row_pushed;    /* [R]: the row belongs to the branch that is steered */
    steered_piece *pieces;
    float *sorted; /* [K] scratch of the median */
    int column, columns;
    double factor;   /* f of the pass in progress */
    int back;        /* columns by which the timeline has stepped back */
    bool generating; /* the pass in progress is over a column from t0 on */
};

smitin_status sm_steer_check(const sm_knob_data *knob, const smitin_steering *settings,
                             const sm_lm *lm, const char *fingerprint, smitin_error *error)
{
    const sm_lm_config *config = sm_lm_get_config(lm);
    int D = config->hidden / config->heads;
    if (knob->L != config->layers || knob->H != config->heads || knob->D != D)
        return sm_fail(error, SMITIN_ERROR_KNOB,
                       "the knob '%s' was made for a model of %d layers with %d heads of %d (%s); "
                       "this model has %d "
                       "layers with %d heads of %d; train the knob on this model",
                       knob->meta.trait, knob->L, knob->H, knob->D, knob->meta.model,
                       config->layers, config->heads, D);
    if (!settings->force && strcmp(knob->meta.fingerprint, fingerprint) != 0)
        return sm_fail(error, SMITIN_ERROR_KNOB,
                       "the knob '%s' was made for other weights of the same shape (%s, "
                       "fingerprint %.12s, this model "
                       "%.12s); train it on this model, or force it",
                       knob->meta.trait, knob->meta.model, knob->meta.fingerprint, fingerprint);
    return sm_plan_check(knob, settings, error);
}

static void fill_displacements(sm_steer *steer, const sm_lm *lm)
{
    const sm_plan *plan = &steer->plan;
    size_t d = (size_t)plan->H * (size_t)plan->D;
    for (int l = 0; l < plan->L; l++) {
        for (int h = 0; h < plan->H; h++)
            steer->layer_pushes[l] |= plan->weight[l * plan->H + h] != 0.0f;
        if (steer->layer_pushes[l])
            sm_lm_project_heads(lm, steer->kernels, l, plan->vector + (size_t)l * d,
                                steer->displacement + (size_t)l * d);
    }
}

static void choose_rows(sm_steer *steer, smitin_branch branch)
{
    for (int r = 0; r < steer->timeline.rows_count; r++) {
        const sm_row *row = &steer->timeline.rows[r];
        bool single = branch == SMITIN_BRANCH_BOTH || !row->guided;
        steer->row_pushed[r] = single || row->conditional == (branch == SMITIN_BRANCH_COND);
        if (row->conditional || !row->guided) steer->pieces[row->piece].row = r;
    }
}

/* Leave the knobs before this one their directions. */
static smitin_status orthogonalise(sm_steer *steer, const char *trait, smitin_error *error)
{
    int count = 0;
    for (const sm_steer *s = steer->before; s != NULL; s = s->before) count++;
    const sm_plan **earlier = malloc(((size_t)count + 1) * sizeof *earlier);
    if (earlier == NULL) return sm_fail_memory(error, "orthogonal knobs", 0);
    int i = count;
    for (const sm_steer *s = steer->before; s != NULL; s = s->before) earlier[--i] = &s->plan;
    const smitin_status status = sm_plan_orthogonalise(&steer->plan, earlier, count, trait, error);
    free(earlier);
    return status;
}

/* Take every buffer. */
static smitin_status take_memory(sm_steer *steer, const smitin_steering *settings,
                                 smitin_error *error)
{
    const sm_steer_timeline *timeline = &steer->timeline;
    const sm_plan *plan = &steer->plan;
    size_t d = (size_t)plan->H * (size_t)plan->D, L = (size_t)plan->L, K = (size_t)plan->K;
    size_t lines = (size_t)(timeline->columns - 1 - timeline->first);
    steer->displacement = SM_TAKE(steer->arena, L * d, float);
    steer->layer_pushes = SM_TAKE(steer->arena, L, bool);
    steer->row_pushed = SM_TAKE(steer->arena, timeline->rows_count, bool);
    steer->pieces = SM_TAKE(steer->arena, timeline->pieces, steered_piece);
    steer->sorted = SM_TAKE(steer->arena, K, float);
    bool enough = steer->displacement != NULL && steer->layer_pushes != NULL &&
                  steer->row_pushed != NULL && steer->pieces != NULL && steer->sorted != NULL;
    for (int i = 0; i < timeline->pieces && enough; i++) {
        steered_piece *piece = &steer->pieces[i];
        piece->presence = (double)NAN;
        piece->probability = SM_TAKE(steer->arena, K, float);
        piece->trace = SM_TAKE(steer->arena, lines, smitin_trace);
        enough = piece->probability != NULL && piece->trace != NULL;
        sm_controller_init(&piece->controller, settings, plan->threshold, timeline->first,
                           timeline->columns - 2);
    }
    return enough ? SMITIN_OK : sm_fail_memory(error, "a knob in force", L * d * sizeof(float));
}

smitin_status sm_steer_new(sm_steer **out, const sm_knob_data *knob,
                           const smitin_steering *settings, const sm_lm *lm,
                           const sm_kernels *kernels, const char *fingerprint,
                           const sm_steer_timeline *timeline, const sm_steer *before,
                           smitin_error *error)
{
    *out = NULL;
    SM_TRY(sm_steer_check(knob, settings, lm, fingerprint, error));
    if (timeline->first < 0 || timeline->first > timeline->columns - 2)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "nothing is left to steer from column %d on of %d", timeline->first,
                       timeline->columns);
    sm_arena *arena = sm_arena_new();
    sm_steer *steer = arena == NULL ? NULL : SM_TAKE(arena, 1, sm_steer);
    if (steer == NULL) {
        sm_arena_free(arena);
        return sm_fail_memory(error, "a knob in force", sizeof *steer);
    }
    steer->arena = arena;
    steer->before = before;
    steer->kernels = kernels;
    steer->timeline = *timeline;
    steer->statistic = settings->statistic;
    smitin_status status =
        sm_schedule_init(&steer->schedule, settings, timeline->frame_rate, timeline->frames, error);
    if (status == SMITIN_OK) status = sm_plan_init(&steer->plan, knob, settings, arena, error);
    if (status == SMITIN_OK && settings->orthogonal)
        status = orthogonalise(steer, knob->meta.trait, error);
    if (status == SMITIN_OK) status = take_memory(steer, settings, error);
    if (status != SMITIN_OK) {
        sm_arena_free(arena);
        return status;
    }
    steer->alpha = steer->plan.alpha;
    fill_displacements(steer, lm);
    choose_rows(steer, settings->branch);
    *out = steer;
    return SMITIN_OK;
}

void sm_steer_free(sm_steer *steer)
{
    if (steer != NULL) sm_arena_free(steer->arena);
}

/* What the gain law looks at: with a negative alpha the aim is the trait's absence, so the probe is
 * negated. */
static double aimed(const sm_steer *steer, double presence)
{
    return steer->alpha < 0.0 ? 1.0 - presence : presence;
}

void sm_steer_begin(sm_steer *steer, int column, int columns)
{
    steer->column = column;
    steer->columns = columns;
    steer->generating = column >= steer->timeline.first;
    /* A pass is either all prompt or one generated column. */
    assert(steer->generating ? columns == 1 : column + columns <= steer->timeline.first);
    steer->factor = 0.0;
    if (steer->generating)
        steer->factor =
            sm_schedule_factor(&steer->schedule, column - steer->back - steer->timeline.first);
    for (int i = 0; i < steer->timeline.pieces; i++) {
        steered_piece *piece = &steer->pieces[i];
        piece->gain = 0.0;
        if (steer->factor > 0.0)
            piece->gain = steer->factor * sm_controller_gain(&piece->controller, column,
                                                             aimed(steer, piece->presence));
        if (steer->alpha == 0.0) piece->gain = 0.0;
    }
}

static bool wants_layer(void *user, const sm_tap_site *site)
{
    const sm_plan *plan = &((const sm_steer *)user)->plan;
    return plan->layer_first[site->layer] < plan->layer_first[site->layer + 1];
}

/* Probabilities of this layer's monitor heads at the last column; z [R, T, H, D]. */
static void read_layer(void *user, const sm_tap_site *site, float *z)
{
    sm_steer *steer = user;
    const sm_plan *plan = &steer->plan;
    size_t D = (size_t)plan->D, H = (size_t)plan->H, T = (size_t)site->columns;
    for (int i = 0; i < steer->timeline.pieces; i++) {
        steered_piece *piece = &steer->pieces[i];
        const float *heads = z + ((size_t)piece->row * T + T - 1) * H * D;
        for (int k = plan->layer_first[site->layer]; k < plan->layer_first[site->layer + 1]; k++) {
            const sm_monitor_head *head = &plan->monitor[k];
            double x =
                (double)steer->kernels->dot(head->theta, heads + (size_t)head->head * D, plan->D) +
                (double)head->bias;
            /* An infinite reading must not pass for certainty. */
            piece->probability[k] = isfinite(x) ? (float)(1.0 / (1.0 + exp(-x))) : NAN;
        }
    }
}

static const float *push_row(void *user, int layer, int row, int column, float *gain)
{
    const sm_steer *steer = user;
    (void)column;
    double g = steer->pieces[steer->timeline.rows[row].piece].gain;
    if (g == 0.0 || !steer->layer_pushes[layer] || !steer->row_pushed[row]) return NULL;
    *gain = (float)(steer->alpha * g);
    return steer->displacement + (size_t)layer * (size_t)steer->plan.H * (size_t)steer->plan.D;
}

sm_tap sm_steer_tap(sm_steer *steer)
{
    return (sm_tap){.user = steer, .wants = wants_layer, .visit = read_layer, .push = push_row};
}

/* C of the pass just done; NAN when any head's reading is not finite. */
static double close_reading(sm_steer *steer, const steered_piece *piece)
{
    double sum = 0.0;
    int K = steer->plan.K;
    for (int k = 0; k < K; k++) {
        if (!isfinite(piece->probability[k])) return (double)NAN;
        steer->sorted[k] = piece->probability[k];
        sum += (double)piece->probability[k];
    }
    return steer->statistic == SMITIN_STATISTIC_MEAN ? sum / K : sm_median(steer->sorted, K);
}

static void add_line(sm_steer *steer, steered_piece *piece)
{
    smitin_trace *line = &piece->trace[piece->trace_count++];
    line->column = steer->column - steer->back;
    line->scheduled =
        steer->factor > 0.0 && sm_controller_scheduled(&piece->controller, steer->column);
    line->presence = (float)piece->presence;
    line->gain = (float)piece->gain;
    line->dose = (float)(fabs(steer->alpha) * piece->gain * steer->plan.weight_sum);
}

void sm_steer_end(sm_steer *steer)
{
    for (int i = 0; i < steer->timeline.pieces; i++) {
        steered_piece *piece = &steer->pieces[i];
        piece->presence = close_reading(steer, piece);
        if (isnan(piece->presence)) sm_controller_trip(&piece->controller);
        if (!steer->generating) continue;
        sm_controller_note(&piece->controller, steer->column, aimed(steer, piece->presence));
        add_line(steer, piece);
    }
}

void sm_steer_step_back(sm_steer *steer, int columns)
{
    steer->back += columns;
}

void sm_steer_turn(sm_steer *steer, double alpha)
{
    bool fresh = steer->alpha == 0.0 || (alpha < 0.0) != (steer->alpha < 0.0);
    steer->alpha = alpha;
    for (int i = 0; i < steer->timeline.pieces && fresh; i++)
        sm_controller_restart(&steer->pieces[i].controller);
}

const smitin_trace *sm_steer_trace(const sm_steer *steer, int piece, size_t *count)
{
    *count = steer->pieces[piece].trace_count;
    return steer->pieces[piece].trace;
}

void sm_steer_report(const sm_steer *steer, int index, smitin_knob_report *report)
{
    const steered_piece *piece = &steer->pieces[index];
    memset(report, 0, sizeof *report);
    report->alpha = steer->alpha;
    report->threshold = steer->plan.threshold;
    report->weight_sum = steer->plan.weight_sum;
    report->tripped = piece->controller.tripped;
    double read = 0.0, lines = (double)piece->trace_count;
    for (size_t i = 0; i < piece->trace_count; i++) {
        const smitin_trace *line = &piece->trace[i];
        report->dose += (double)line->dose / lines;
        if (isnan(line->presence)) continue; /* neither present nor absent */
        double C = aimed(steer, (double)line->presence);
        report->success += (C >= steer->plan.threshold) / lines;
        report->success_half += (C >= 0.5) / lines;
        report->removal += (1.0 - (double)line->presence >= steer->plan.threshold) / lines;
        report->absence += ((double)line->presence < steer->plan.threshold) / lines;
        report->mean_presence += (double)line->presence;
        read += 1.0;
    }
    report->mean_presence = read > 0.0 ? report->mean_presence / read : 0.0;
}
