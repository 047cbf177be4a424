/* SPDX-License-Identifier: MIT */
/* Owns what a knob and its settings come to: head weights, the constant vectors, the monitor heads,
 * tau and alpha. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../base/rng.h"
#include "schedule.h"

typedef struct ranked_head {
    float accuracy;
    int index; /* layer * H + head */
} ranked_head;

/* Best first; of equals the lower layer, then the lower head. */
static int compare_heads(const void *a, const void *b)
{
    const ranked_head *x = a, *y = b;
    if (x->accuracy != y->accuracy) return x->accuracy > y->accuracy ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int compare_indices(const void *a, const void *b)
{
    const ranked_head *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static int compare_floats(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double sm_median(float *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_floats);
    if (n % 2 == 1) return (double)values[n / 2];
    return 0.5 * ((double)values[n / 2 - 1] + (double)values[n / 2]);
}

/* The default number of heads: a share of all, at least one, at most `most`. */
static int default_heads(int asked, int total, int share, int most)
{
    if (asked > 0) return asked;
    int heads = total / share;
    return heads < 1 ? 1 : heads > most ? most : heads;
}

static smitin_status check_strength(const sm_knob_data *knob, const smitin_steering *settings,
                                    smitin_error *error)
{
    if (isinf(settings->alpha))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the raw strength alpha of a knob must be a finite number");
    if (!isnan(settings->alpha)) return SMITIN_OK;
    if (!(fabs(settings->strength) <= 1.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a knob's strength is between -1 and 1, not %g; give a raw alpha to go "
                       "beyond its useful range",
                       settings->strength);
    bool calibrated = knob->meta.default_alpha > 0.0 &&
                      knob->meta.max_alpha >= knob->meta.default_alpha &&
                      isfinite(knob->meta.max_alpha);
    const smitin_direction own =
        knob->meta.along_mean ? SMITIN_DIRECTION_MEAN : SMITIN_DIRECTION_PROBE;
    if (settings->strength != 0.0 && settings->direction != SMITIN_DIRECTION_OWN &&
        settings->direction != own)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the strengths of the knob '%s' were measured along its %s direction; with "
                       "another one give a raw alpha, such as %s:5",
                       knob->meta.trait, knob->meta.along_mean ? "mean" : "probe",
                       knob->meta.trait);
    if (settings->strength != 0.0 && !calibrated)
        return sm_fail(
            error, SMITIN_ERROR_KNOB,
            "the knob '%s' has no calibrated range of strength; give a raw alpha instead",
            knob->meta.trait);
    return SMITIN_OK;
}

static smitin_status check_heads(const sm_knob_data *knob, const smitin_steering *settings,
                                 smitin_error *error)
{
    int total = knob->L * knob->H;
    if (settings->top_heads < 0 || settings->top_heads > total)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot steer the top %d heads of a model that has %d", settings->top_heads,
                       total);
    if (settings->monitor_heads < 0 || settings->monitor_heads > total)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot monitor %d heads of a model that has %d", settings->monitor_heads,
                       total);
    return SMITIN_OK;
}

static bool is_gain(float value)
{
    return value >= 0.0f && isfinite(value);
}

static smitin_status check_pid(const smitin_steering *settings, smitin_error *error)
{
    const float P = settings->pid_p, I = settings->pid_i, D = settings->pid_d;
    if (settings->method != SMITIN_METHOD_PID) return SMITIN_OK;
    if (!is_gain(P) || !is_gain(I) || !is_gain(D))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the gains P, I and D of a controller are numbers from 0 on, not %g, %g, %g",
                       (double)P, (double)I, (double)D);
    if (P == 0.0f && I == 0.0f && D == 0.0f)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a controller whose gains P, I and D are all 0 never pushes");
    return SMITIN_OK;
}

smitin_status sm_plan_check(const sm_knob_data *knob, const smitin_steering *settings,
                            smitin_error *error)
{
    SM_TRY(check_strength(knob, settings, error));
    SM_TRY(check_heads(knob, settings, error));
    SM_TRY(sm_schedule_check(settings, error));
    SM_TRY(check_pid(settings, error));
    if ((unsigned)settings->method > SMITIN_METHOD_PID ||
        (unsigned)settings->direction > SMITIN_DIRECTION_RAW ||
        (unsigned)settings->branch > SMITIN_BRANCH_UNCOND ||
        (unsigned)settings->decay > SMITIN_DECAY_EXPONENTIAL ||
        (unsigned)settings->schedule > SMITIN_SCHEDULE_WINDOW ||
        (unsigned)settings->statistic > SMITIN_STATISTIC_MEAN ||
        (unsigned)settings->weights > SMITIN_WEIGHTS_TOP)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a steering option (method, direction, weights, branch, decay, schedule or "
                       "statistic) is none of its choices");
    if (settings->every < 1)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a knob can push at every column or at every n-th, not at every %d-th",
                       settings->every);
    if (!(settings->power >= 0.0 && settings->power <= 100.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the power of the head weights is between 0 and 100, not %g",
                       settings->power);
    if (!isnan(settings->threshold) && !(settings->threshold >= 0.0 && settings->threshold <= 1.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the monitor's threshold is a probability, 0 to 1, not %g",
                       settings->threshold);
    if (!(settings->decay_rate >= 0.0 && settings->decay_rate <= 1.0))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the decay rate is between 0 and 1, not %g",
                       settings->decay_rate);
    return SMITIN_OK;
}

double sm_plan_alpha(const sm_knob_data *knob, const smitin_steering *settings)
{
    if (!isnan(settings->alpha)) return settings->alpha;
    if (settings->strength == 0.0) return 0.0;
    double strength = fabs(settings->strength), middle = knob->meta.default_alpha,
           end = knob->meta.max_alpha;
    double alpha = strength <= 0.5 ? 2.0 * strength * middle
                                   : middle + (2.0 * strength - 1.0) * (end - middle);
    return settings->strength < 0.0 ? -alpha : alpha;
}

/* The law of the head weights, the method's own resolved. */
static smitin_weights weight_law(const smitin_steering *settings)
{
    if (settings->weights != SMITIN_WEIGHTS_OWN) return settings->weights;
    const bool original =
        settings->method == SMITIN_METHOD_ITI || settings->method == SMITIN_METHOD_DECAY;
    return original ? SMITIN_WEIGHTS_TOP : SMITIN_WEIGHTS_SOFT;
}

/* w [L,H]: 1 for the top heads, or the soft weights of the test accuracies. */
static void fill_weights(sm_plan *plan, const sm_knob_data *knob, const smitin_steering *settings,
                         const ranked_head *ranked)
{
    int total = plan->L * plan->H;
    if (weight_law(settings) == SMITIN_WEIGHTS_TOP) {
        int K = default_heads(settings->top_heads, total, 3, 48);
        for (int i = 0; i < K; i++) plan->weight[ranked[i].index] = 1.0f;
        return;
    }
    double best = (double)ranked[0].accuracy, worst = (double)ranked[total - 1].accuracy;
    for (int i = 0; i < total; i++) {
        /* All heads alike: no head is better than another. */
        double share =
            best > worst ? ((double)knob->accuracy_test[i] - worst) / (best - worst) : 1.0;
        plan->weight[i] = (float)pow(share, settings->power);
    }
}

/* A seeded unit vector [D] of head `index`, every direction equally likely. */
static void random_direction(float *out, int D, uint64_t seed, int index)
{
    double norm = 0.0;
    for (int i = 0; i < D; i++) {
        double value = sm_normal(seed, (uint32_t)index, (uint32_t)i, SM_RNG_DIRECTION);
        norm += value * value;
        out[i] = (float)value;
    }
    norm = sqrt(norm);
    for (int i = 0; i < D; i++)
        out[i] = norm > 0.0 ? (float)((double)out[i] / norm) : (i == 0 ? 1.0f : 0.0f);
}

static void fill_directions(sm_plan *plan, const sm_knob_data *knob,
                            const smitin_steering *settings)
{
    size_t D = (size_t)plan->D, heads = (size_t)plan->L * (size_t)plan->H;
    bool mean = settings->direction == SMITIN_DIRECTION_MEAN ||
                (knob->meta.along_mean && settings->direction != SMITIN_DIRECTION_PROBE &&
                 settings->direction != SMITIN_DIRECTION_RAW);
    const float *sigma = mean ? knob->sigma_mean : knob->sigma;
    const float *direction = mean ? knob->mean_shift : knob->direction;
    memcpy(plan->sigma, sigma, heads * sizeof *sigma);
    memcpy(plan->direction, direction, heads * D * sizeof *direction);
    for (size_t i = 0; i < heads && settings->direction == SMITIN_DIRECTION_RANDOM; i++)
        random_direction(plan->direction + i * D, plan->D, settings->direction_seed, (int)i);
    if (settings->direction != SMITIN_DIRECTION_RAW) return;
    for (size_t i = 0; i < heads; i++) { /* theta_raw, and the spread along it */
        plan->sigma[i] *= knob->weight_norm[i];
        for (size_t j = 0; j < D; j++) plan->direction[i * D + j] *= knob->weight_norm[i];
    }
}

void sm_plan_fill(sm_plan *plan)
{
    size_t D = (size_t)plan->D, heads = (size_t)plan->L * (size_t)plan->H;
    plan->weight_sum = 0.0;
    for (size_t i = 0; i < heads; i++) {
        float scale = plan->weight[i] * plan->sigma[i];
        for (size_t j = 0; j < D; j++) plan->vector[i * D + j] = scale * plan->direction[i * D + j];
        plan->weight_sum += (double)plan->weight[i];
    }
}

/* The K best heads, in the order in which a forward pass meets them. */
static smitin_status fill_monitor(sm_plan *plan, const sm_knob_data *knob, ranked_head *ranked,
                                  sm_arena *arena, smitin_error *error)
{
    size_t D = (size_t)plan->D, K = (size_t)plan->K;
    plan->monitor = SM_TAKE(arena, K, sm_monitor_head);
    plan->layer_first = SM_TAKE(arena, plan->L + 1, int);
    float *theta = SM_TAKE(arena, K * D, float);
    if (plan->monitor == NULL || plan->layer_first == NULL || theta == NULL)
        return sm_fail_memory(error, "a knob's monitor", K * D * sizeof(float));
    qsort(ranked, K, sizeof *ranked, compare_indices);
    for (size_t k = 0; k < K; k++) {
        int index = ranked[k].index;
        sm_monitor_head *head = &plan->monitor[k];
        head->layer = index / plan->H;
        head->head = index % plan->H;
        head->bias = knob->bias[index];
        for (size_t j = 0; j < D; j++)
            theta[k * D + j] = knob->weight_norm[index] * knob->direction[(size_t)index * D + j];
        head->theta = theta + k * D;
        plan->layer_first[head->layer + 1]++;
    }
    for (int l = 0; l < plan->L; l++) plan->layer_first[l + 1] += plan->layer_first[l];
    return SMITIN_OK;
}

/* tau = median(A) - std(A) over the monitor heads' training accuracies. scratch [K]. */
static double default_threshold(const sm_plan *plan, const sm_knob_data *knob, float *scratch)
{
    double mean = 0.0, variance = 0.0;
    for (int k = 0; k < plan->K; k++) {
        scratch[k] = knob->accuracy_train[plan->monitor[k].layer * plan->H + plan->monitor[k].head];
        mean += (double)scratch[k] / plan->K;
    }
    for (int k = 0; k < plan->K; k++) {
        double off = (double)scratch[k] - mean;
        variance += off * off / plan->K;
    }
    return sm_median(scratch, plan->K) - sqrt(variance);
}

smitin_status sm_plan_init(sm_plan *plan, const sm_knob_data *knob, const smitin_steering *settings,
                           sm_arena *arena, smitin_error *error)
{
    SM_TRY(sm_plan_check(knob, settings, error));
    *plan = (sm_plan){.L = knob->L, .H = knob->H, .D = knob->D};
    size_t total = (size_t)plan->L * (size_t)plan->H;
    plan->weight = SM_TAKE(arena, total, float);
    plan->sigma = SM_TAKE(arena, total, float);
    plan->direction = SM_TAKE(arena, total * (size_t)plan->D, float);
    plan->vector = SM_TAKE(arena, total * (size_t)plan->D, float);
    ranked_head *ranked = SM_TAKE(arena, total, ranked_head);
    float *scratch = SM_TAKE(arena, total, float);
    if (plan->weight == NULL || plan->sigma == NULL || plan->direction == NULL ||
        plan->vector == NULL || ranked == NULL || scratch == NULL)
        return sm_fail_memory(error, "a knob's plan", total * (size_t)plan->D * sizeof(float));
    for (size_t i = 0; i < total; i++) ranked[i] = (ranked_head){knob->accuracy_test[i], (int)i};
    qsort(ranked, total, sizeof *ranked, compare_heads);
    fill_weights(plan, knob, settings, ranked);
    fill_directions(plan, knob, settings);
    sm_plan_fill(plan);
    plan->K = default_heads(settings->monitor_heads, (int)total, 6, 16);
    SM_TRY(fill_monitor(plan, knob, ranked, arena, error));
    plan->threshold =
        isnan(settings->threshold) ? default_threshold(plan, knob, scratch) : settings->threshold;
    plan->alpha = sm_plan_alpha(knob, settings);
    return SMITIN_OK;
}
