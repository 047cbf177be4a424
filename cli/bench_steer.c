/* SPDX-License-Identifier: MIT */
/* What "smitin bench" measures of probing and steering: clips whose heads are read and
 * what that costs, and what four knobs add to a step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/format/knob_file.h"
#include "bench.h"

enum {
    CLIPS = 8,
    PAIR = 2,
    LEAST_ROUNDS = 3,
    MOST_ROUNDS = 15,
    KNOBS = 4,
    KNOBS_AT = 250,
    SCHEDULE = 5 /* steps from push to push */
};

static const double CAPTURE_SECONDS = 10.0;

/* ---- Probing ---- */

/* One round: the same clips heard with their heads kept and without, and encoded alone, so that
 * what keeping costs is a share of the passes. z NULL: nothing is kept. */
static smitin_status run_capture(bench *b, const float *clips, size_t count, float *z,
                                 int32_t *codes, size_t codes_count, bool first_kept, double *cost)
{
    double seconds[2] = {0.0, 0.0}; /* kept, not kept */
    double start = sm_clock();
    for (int i = 0; i < PAIR; i++)
        SM_TRY(smitin_engine_encode(b->engine, clips + (size_t)i * count, count, codes, codes_count,
                                    &b->error));
    const double encoding = sm_clock() - start;
    for (int turn = 0; turn < 2; turn++) {
        const bool kept = (turn == 0) == first_kept;
        start = sm_clock();
        SM_TRY(smitin_engine_heads(b->engine, clips, PAIR, count, kept ? z : NULL, &b->error));
        seconds[kept ? 0 : 1] = sm_clock() - start;
    }
    *cost = (seconds[0] - seconds[1]) / fmax(seconds[1] - encoding, 1e-9);
    return SMITIN_OK;
}

/* The median of rounds that take turns in who is first, for some seconds. */
static smitin_status capture(bench *b, const float *clips, size_t count, int frames, float *z)
{
    double costs[MOST_ROUNDS];
    int rounds = 0;
    const size_t codes_count = (size_t)b->result->info.codebooks * (size_t)frames;
    int32_t *codes = malloc(codes_count * sizeof *codes);
    if (codes == NULL) {
        bench_fail_memory();
        return b->error.status = SMITIN_ERROR_MEMORY;
    }
    smitin_status status = SMITIN_OK;
    const double end = sm_clock() + CAPTURE_SECONDS;
    while (status == SMITIN_OK && rounds < MOST_ROUNDS &&
           (rounds < LEAST_ROUNDS || sm_clock() < end)) {
        status =
            run_capture(b, clips, count, z, codes, codes_count, rounds % 2 == 0, &costs[rounds]);
        rounds++;
    }
    free(codes);
    if (status == SMITIN_OK) b->result->capture = bench_quantile(costs, rounds, 0.5);
    return status;
}

smitin_status bench_probe(bench *b)
{
    const smitin_model_info *info = &b->result->info;
    int frames = (int)(3.0 * info->frame_rate);
    if (frames > info->max_frames) frames = info->max_frames;
    const size_t count = (size_t)frames * (size_t)info->hop * (size_t)info->channels;
    float *clips = calloc(CLIPS * count, sizeof *clips);
    float *z = calloc(CLIPS * (size_t)info->layers * (size_t)info->hidden_size, sizeof *z);
    smitin_status status = SMITIN_ERROR_MEMORY;
    if (clips == NULL || z == NULL) {
        bench_fail_memory();
        b->error.status = status;
    } else {
        for (size_t i = 0; i < CLIPS * count; i++)
            clips[i] = 0.3f * sinf(0.02f * (float)(i % 9973));
        /* The first clip loads the encoder. */
        status = smitin_engine_heads(b->engine, clips, 1, count, z, &b->error);
        const double start = sm_clock();
        if (status == SMITIN_OK)
            status = smitin_engine_heads(b->engine, clips, CLIPS, count, z, &b->error);
        b->result->probe = CLIPS / (sm_clock() - start);
        if (status == SMITIN_OK) status = capture(b, clips, count, frames, z);
    }
    free(clips);
    free(z);
    return status;
}

/* ---- Four knobs ---- */

static void fill_knob(sm_knob_data *data, const smitin_model_info *info)
{
    for (int h = 0; h < data->L * data->H; h++) {
        const int at = h * data->D;
        data->direction[at + h % data->D] = data->mean_shift[at] = 1.0f;
        data->weight_norm[h] = data->sigma[h] = data->sigma_mean[h] = 1.0f;
        data->accuracy_train[h] = data->accuracy_test[h] = 0.5f + 0.4f * (float)(h % 7) / 7.0f;
    }
    snprintf(data->meta.trait, sizeof data->meta.trait, "bench");
    snprintf(data->meta.site, sizeof data->meta.site, "self_attn.z");
    memcpy(data->meta.fingerprint, info->fingerprint, sizeof data->meta.fingerprint);
    data->meta.train_count = data->meta.test_count = 1;
    data->meta.default_alpha = 0.5;
    data->meta.max_alpha = 1.0;
}

/* The public header takes a knob from a file only: written, loaded, and gone again. */
static smitin_status pass_through_file(const sm_knob_data *data, smitin_knob **knob,
                                       smitin_error *error)
{
    bench_scratch scratch;
    SM_TRY(bench_scratch_begin(&scratch, "bench.knob.safetensors", error));
    smitin_status status = sm_knob_data_write(data, scratch.file, error);
    if (status == SMITIN_OK) status = smitin_knob_load(knob, scratch.file, error);
    bench_scratch_end(&scratch);
    return status;
}

/* A knob for this model whose every head pushes and may be listened to. */
static smitin_status make_knob(bench *b, smitin_knob **knob)
{
    const smitin_model_info *info = &b->result->info;
    sm_knob_data *data = NULL;
    smitin_status status =
        sm_knob_data_new(&data, info->layers, info->heads, info->head_size, &b->error);
    if (status != SMITIN_OK) return status;
    fill_knob(data, info);
    status = pass_through_file(data, knob, &b->error);
    sm_knob_data_free(data);
    return status;
}

/* One schedule: a step of each place in it, without knobs and with. They take turns, one first and
 * then the other, so that what else the machine does meets both alike. */
typedef struct round_times {
    double seconds[2][SCHEDULE];
} round_times;

static smitin_status run_round(bench *b, smitin_session *const sessions[2], round_times *times)
{
    bool done = false;
    smitin_status status = SMITIN_OK;
    for (int turn = 0; turn < 2 * SCHEDULE && status == SMITIN_OK; turn++) {
        const int which = (turn + turn / 2) % 2; /* 0 1 1 0 0 1 1 0 ... */
        const double start = sm_clock();
        status = smitin_session_step(sessions[which], &done, &b->error);
        times->seconds[which][turn / 2] = sm_clock() - start;
    }
    return status;
}

/* sessions[0] is without, [1] with knobs. *extra is what the second takes longer, a share of the
 * first: of both the sum over a schedule's places, each the median over all schedules, for knobs do
 * not do the same at every place. */
static smitin_status race(bench *b, smitin_session *const sessions[2], int schedules, double *extra)
{
    bool done = false;
    double sums[2] = {0.0, 0.0};
    round_times *rounds = calloc((size_t)schedules, sizeof *rounds);
    smitin_status status = SMITIN_OK;
    if (rounds == NULL) {
        bench_fail_memory();
        return b->error.status = SMITIN_ERROR_MEMORY;
    }
    for (int s = 0; s < 2 && status == SMITIN_OK; s++) /* the prompt, and memory */
        status = smitin_session_step(sessions[s], &done, &b->error);
    for (int i = 0; i < schedules && status == SMITIN_OK; i++)
        status = run_round(b, sessions, &rounds[i]);
    for (int s = 0; s < 2; s++) {
        for (int j = 0; j < SCHEDULE; j++) {
            for (int i = 0; i < schedules; i++) b->times[i] = rounds[i].seconds[s][j];
            sums[s] += bench_quantile(b->times, schedules, 0.5);
        }
    }
    free(rounds);
    if (status == SMITIN_OK) *extra = sums[1] / sums[0] - 1.0;
    return status;
}

smitin_status bench_knobs(bench *b)
{
    const int longest = b->result->info.max_frames;
    int schedules = 4 * b->o->steps / SCHEDULE | 1; /* odd: one is in the middle */
    if (schedules > (longest - 1) / SCHEDULE) schedules = ((longest - 1) / SCHEDULE - 1) | 1;
    const int made = schedules * SCHEDULE + 1, wanted = KNOBS_AT + made / 2;
    const int frames = wanted < made ? made : wanted < longest ? wanted : longest;
    if (schedules < 1) return SMITIN_OK;
    smitin_knob *knob = NULL;
    smitin_session *sessions[2] = {NULL, NULL};
    smitin_steering steering = smitin_steering_defaults();
    steering.every = SCHEDULE;
    steering.alpha = 0.001;   /* it costs the same whatever the strength, */
    steering.threshold = 1.0; /* but nothing where the monitor has heard enough */
    smitin_status status = make_knob(b, &knob);
    for (int s = 0; s < 2 && status == SMITIN_OK; s++)
        status = bench_begin(b, frames, frames - made, &sessions[s]);
    for (int k = 0; k < KNOBS && status == SMITIN_OK; k++)
        status = smitin_session_add_knob(sessions[1], knob, &steering, &b->error);
    if (status == SMITIN_OK) status = race(b, sessions, schedules, &b->result->knobs);
    smitin_session_free(sessions[0]);
    smitin_session_free(sessions[1]);
    smitin_knob_free(knob);
    return status;
}
