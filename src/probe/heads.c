/* SPDX-License-Identifier: MIT */
/* Owns fitting one probe per head and what a knob keeps of each: unit directions, spreads,
 * accuracies. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "../base/blas.h"
#include "probe.h"

/* Rows of one head gathered from z: train first, then test. */
typedef struct gathered {
    float *x;       /* [N, D] */
    double *theta;  /* [D] */
    double *centre; /* [2, D]: of the negatives and the positives of the train split */
} gathered;

typedef struct fit_job {
    sm_knob_data *knob;
    const sm_probe_set *set;
    double C;
    const size_t *order;  /* [N]: segments, train first */
    const uint8_t *label; /* [N] in that order */
    size_t train;
    gathered *workers;    /* [threads] */
    smitin_error *errors; /* [L H] */
    atomic_int *done;
} fit_job;

/* A unit vector out [D] along v [D]; the first axis when v is zero, for a knob's directions always
 * have length 1. */
static double normalise(float *out, const double *v, int D)
{
    double norm = 0.0;
    for (int j = 0; j < D; j++) norm += v[j] * v[j];
    norm = sqrt(norm);
    for (int j = 0; j < D; j++) out[j] = norm > 0.0 ? (float)(v[j] / norm) : (j == 0 ? 1.0f : 0.0f);
    return norm;
}

/* Population standard deviation of <direction, x_i> over all N rows. */
static double spread(const float *x, size_t N, int D, const float *direction)
{
    double mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < N; i++) { /* Welford's update: no cancellation for a large mean */
        double projection = 0.0;
        for (int j = 0; j < D; j++)
            projection += (double)direction[j] * (double)x[i * (size_t)D + (size_t)j];
        double off = projection - mean;
        mean += off / (double)(i + 1);
        squares += off * (projection - mean);
    }
    return sqrt(squares / (double)N);
}

static void mean_shift(const fit_job *job, gathered *g, float *out)
{
    int D = job->set->D;
    size_t count[2] = {0, 0};
    memset(g->centre, 0, 2 * (size_t)D * sizeof *g->centre);
    for (size_t i = 0; i < job->train; i++) {
        int side = job->label[i] != 0;
        count[side]++;
        for (int j = 0; j < D; j++)
            g->centre[side * D + j] += (double)g->x[i * (size_t)D + (size_t)j];
    }
    for (int j = 0; j < D; j++)
        g->theta[j] = g->centre[D + j] / (double)count[1] - g->centre[j] / (double)count[0];
    normalise(out, g->theta, D);
}

static void fit_head(const fit_job *job, gathered *g, int index)
{
    const sm_probe_set *set = job->set;
    sm_knob_data *knob = job->knob;
    size_t D = (size_t)set->D, heads = (size_t)set->L * (size_t)set->H, N = set->N,
           train = job->train;
    for (size_t i = 0; i < N; i++)
        memcpy(g->x + i * D, set->z + (job->order[i] * heads + (size_t)index) * D,
               D * sizeof(float));
    double bias = 0.0;
    smitin_error *error = &job->errors[index];
    for (size_t i = 0; i < N * D; i++) {
        if (isfinite(g->x[i])) continue;
        sm_fail(error, SMITIN_ERROR_ARGUMENT, "segment %zu has a head output that is not a number",
                job->order[i / D]);
        return;
    }
    if (sm_logistic_fit(g->x, D, job->label, train, set->D, job->C, g->theta, &bias, error) !=
        SMITIN_OK)
        return;
    knob->accuracy_train[index] =
        (float)sm_logistic_accuracy(g->x, D, job->label, train, set->D, g->theta, bias);
    knob->accuracy_test[index] = (float)sm_logistic_accuracy(
        g->x + train * D, D, job->label + train, N - train, set->D, g->theta, bias);
    float *direction = knob->direction + (size_t)index * D,
          *shift = knob->mean_shift + (size_t)index * D;
    knob->weight_norm[index] = (float)normalise(direction, g->theta, set->D);
    knob->bias[index] = (float)bias;
    knob->sigma[index] = (float)spread(g->x, N, set->D, direction);
    mean_shift(job, g, shift);
    knob->sigma_mean[index] = (float)spread(g->x, N, set->D, shift);
}

static void fit_heads(void *context, int worker, int first, int last)
{
    const fit_job *job = context;
    for (int index = first; index < last; index++) {
        fit_head(job, &job->workers[worker], index);
        if (job->done != NULL) atomic_fetch_add_explicit(job->done, 1, memory_order_relaxed);
    }
}

static smitin_status check_set(const sm_probe_set *set, const sm_knob_data *knob,
                               smitin_error *error)
{
    if (set->L != knob->L || set->H != knob->H || set->D != knob->D)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the knob's shape %dx%dx%d is not that of the head outputs %dx%dx%d",
                       knob->L, knob->H, knob->D, set->L, set->H, set->D);
    size_t count[2][2] = {{0, 0}, {0, 0}}; /* [test][label] */
    for (size_t i = 0; i < set->N; i++) count[set->test[i] != 0][set->label[i] != 0]++;
    for (int test = 0; test < 2; test++)
        if (count[test][0] == 0 || count[test][1] == 0)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "the %s split has %zu segments with the trait and %zu without; both are "
                           "needed, so give "
                           "more tracks",
                           test ? "test" : "train", count[test][1], count[test][0]);
    return SMITIN_OK;
}

/* Everything sm_probe_fit allocates: one block per kind, freed together. */
typedef struct fit_memory {
    size_t *order;
    uint8_t *label;
    gathered *workers;
    float *x;
    double *vectors;
    smitin_error *errors;
} fit_memory;

static void free_memory(fit_memory *memory)
{
    free(memory->order);
    free(memory->label);
    free(memory->workers);
    free(memory->x);
    free(memory->vectors);
    free(memory->errors);
}

static smitin_status take_memory(fit_memory *memory, const sm_probe_set *set, int threads,
                                 smitin_error *error)
{
    size_t N = set->N, D = (size_t)set->D, W = (size_t)threads;
    memset(memory, 0, sizeof *memory);
    memory->order = calloc(N, sizeof *memory->order);
    memory->label = calloc(N, sizeof *memory->label);
    memory->workers = calloc(W, sizeof *memory->workers);
    memory->x = calloc(W * N, D * sizeof *memory->x);
    memory->vectors = calloc(W * 3, D * sizeof *memory->vectors);
    memory->errors = calloc((size_t)set->L * (size_t)set->H, sizeof *memory->errors);
    if (memory->order == NULL || memory->label == NULL || memory->workers == NULL ||
        memory->x == NULL || memory->vectors == NULL || memory->errors == NULL) {
        free_memory(memory);
        return sm_fail_memory(error, "fitting probes", W * N * D * sizeof *memory->x);
    }
    for (size_t w = 0; w < W; w++) {
        memory->workers[w].x = memory->x + w * N * D;
        memory->workers[w].theta = memory->vectors + w * 3 * D;
        memory->workers[w].centre = memory->workers[w].theta + D;
    }
    return SMITIN_OK;
}

smitin_status sm_probe_fit(sm_knob_data *knob, const sm_probe_set *set, double C, sm_pool *pool,
                           atomic_int *done, smitin_error *error)
{
    SM_TRY(check_set(set, knob, error));
    fit_memory memory;
    SM_TRY(take_memory(&memory, set, pool == NULL ? 1 : sm_pool_threads(pool), error));
    size_t train = 0;
    for (int test = 0; test < 2; test++) {
        size_t at = test ? train : 0;
        for (size_t i = 0; i < set->N; i++) {
            if ((set->test[i] != 0) != (test != 0)) continue;
            memory.order[at] = i;
            memory.label[at++] = set->label[i];
        }
        if (!test) train = at;
    }
    fit_job job = {.knob = knob,
                   .set = set,
                   .C = C,
                   .order = memory.order,
                   .label = memory.label,
                   .train = train,
                   .workers = memory.workers,
                   .errors = memory.errors,
                   .done = done};
    int heads = set->L * set->H, threads = sm_blas_single();
    sm_pool_run(pool, fit_heads, &job, heads, 1);
    sm_blas_restore(threads);
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < heads && status == SMITIN_OK; i++)
        if (memory.errors[i].status != SMITIN_OK)
            status = sm_fail(error, memory.errors[i].status, "layer %d, head %d: %s", i / set->H,
                             i % set->H, memory.errors[i].message);
    bool dead = true;
    for (int i = 0; i < heads && dead; i++) dead = knob->sigma[i] == 0.0f;
    if (status == SMITIN_OK && dead)
        status = sm_fail(error, SMITIN_ERROR_MODEL,
                         "every head of the model says the same about all segments; its weights or "
                         "its codec are empty, so there is nothing to learn from");
    knob->meta.train_count = (int)train;
    knob->meta.test_count = (int)(set->N - train);
    free_memory(&memory);
    return status;
}
