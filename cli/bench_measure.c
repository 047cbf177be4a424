/* SPDX-License-Identifier: MIT */
/* The measurements of "smitin bench". Owns their sessions and clocks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/error.h"
#include "../src/eval/eval.h"
#include "bench.h"

enum {
    PREFILL_AT = 1, /* position of the prompt that is timed */
    CODEC_SECONDS = 5,
    ROUND = 4, /* steps between two reads of the machine */
};

const int bench_positions[BENCH_POSITIONS] = {10, 250, 1000, 1500};

/* Bytes that this process has in memory. */
double bench_resident(void)
{
    char line[256];
    double kilobytes = (double)NAN;
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) return kilobytes;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmRSS: %lf kB", &kilobytes) == 1) break;
    }
    fclose(file);
    return 1024.0 * kilobytes;
}

/* ---- Sessions ---- */

double bench_quantile(double *values, int count, double share)
{
    sm_sort(values, (size_t)count);
    const int at = (int)ceil(share * count) - 1;
    return values[at < 0 ? 0 : at];
}

static int32_t *random_codes(const bench *b, size_t frames)
{
    const size_t count = (size_t)b->result->info.codebooks * frames;
    int32_t *codes = malloc((count > 0 ? count : 1) * sizeof *codes);
    uint32_t state = 1;
    for (size_t i = 0; codes != NULL && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        codes[i] = (int32_t)(state >> 8) % b->result->info.codebook_size;
    }
    return codes;
}

smitin_status bench_set_text(bench *b, smitin_session *session)
{
    static const int32_t tokens[] = {12, 5, 33, 21, 7, 48, 9, 16, 27, 30, 4};
    if (b->result->info.has_text)
        return smitin_session_set_text(session, SMITIN_ALL_PIECES,
                                       "slow jazz with piano, bass and soft drums", &b->error);
    return smitin_session_set_tokens(session, SMITIN_ALL_PIECES, tokens,
                                     sizeof tokens / sizeof *tokens, &b->error);
}

smitin_status bench_begin(bench *b, int frames, int prompt, smitin_session **session)
{
    smitin_session_options options = smitin_session_defaults();
    options.seconds = frames / b->result->info.frame_rate;
    /* One window, or a step behind 30 s would be one of the next window. */
    if (options.seconds > 30.0) options.window = options.seconds;
    options.guidance = b->o->guidance;
    options.seed = 1;
    smitin_status status = smitin_session_new(session, b->engine, &options, &b->error);
    if (status == SMITIN_OK) status = bench_set_text(b, *session);
    if (status != SMITIN_OK || prompt == 0) return status;
    int32_t *codes = random_codes(b, (size_t)prompt);
    if (codes == NULL) {
        bench_fail_memory();
        return b->error.status = SMITIN_ERROR_MEMORY;
    }
    status =
        smitin_session_set_codes(*session, SMITIN_ALL_PIECES, codes, (size_t)prompt, &b->error);
    free(codes);
    return status;
}

/* What was measured of steps around a position. */
typedef struct rounds {
    double *times;            /* [count] seconds of the steps, in the order they were made */
    smitin_profile *profiles; /* [count]; NULL: not wanted */
    double *readings;         /* [rounds + 1] seconds a byte: before each round, and at the end */
    int count, rounds;
} rounds;

static void rounds_free(rounds *r)
{
    free(r->times);
    free(r->profiles);
    free(r->readings);
}

static smitin_status rounds_take(bench *b, rounds *r)
{
    const size_t count = (size_t)b->o->steps;
    memset(r, 0, sizeof *r);
    r->rounds = (b->o->steps + ROUND - 1) / ROUND;
    r->times = calloc(count, sizeof *r->times);
    if (b->o->profile) r->profiles = calloc(count, sizeof *r->profiles);
    r->readings = calloc((size_t)r->rounds + 1, sizeof *r->readings);
    if (r->times != NULL && r->readings != NULL && (r->profiles != NULL || !b->o->profile))
        return SMITIN_OK;
    rounds_free(r);
    bench_fail_memory();
    return b->error.status = SMITIN_ERROR_MEMORY;
}

/* Read, one step that finds caches as the read has left them, and the steps that count. */
static smitin_status run_round(bench *b, smitin_session *session, rounds *r, int round)
{
    bool done = false;
    r->readings[round] = bench_machine_read(b->machine);
    SM_TRY(smitin_session_step(session, &done, &b->error));
    for (int i = 0; i < ROUND && r->count < b->o->steps; i++) {
        if (r->profiles != NULL) smitin_session_profile(session, &r->profiles[r->count]);
        const double start = sm_clock();
        SM_TRY(smitin_session_step(session, &done, &b->error));
        r->times[r->count++] = sm_clock() - start;
    }
    smitin_session_profile(session, NULL);
    return SMITIN_OK;
}

/* Share of the machine's reading, round by round. */
static void reckon_shares(bench_place *place, const rounds *r)
{
    double shares[1000 / ROUND + 1], round[ROUND], readings[1000 / ROUND + 2];
    for (int i = 0; i < r->rounds; i++) {
        const int first = i * ROUND, n = r->count - first < ROUND ? r->count - first : ROUND;
        memcpy(round, r->times + first, (size_t)n * sizeof *round);
        const double step = bench_quantile(round, n, 0.5);
        shares[i] = place->bytes / step * 0.5 * (r->readings[i] + r->readings[i + 1]);
    }
    for (int i = 0; i <= r->rounds; i++) readings[i] = r->readings[i];
    place->reading = 1.0 / bench_quantile(readings, r->rounds + 1, 0.5);
    place->share = bench_quantile(shares, r->rounds, 0.5);
    place->share_low = bench_quantile(shares, r->rounds, 0.25);
    place->share_high = bench_quantile(shares, r->rounds, 0.75);
}

/* Of steps that take between the quartiles of all: parts still add up to a step. */
static void reckon_profile(smitin_profile *mean, const rounds *r, double low, double high)
{
    int taken = 0;
    for (int i = 0; i < r->count; i++) taken += r->times[i] >= low && r->times[i] <= high;
    for (int i = 0; i < r->count; i++) {
        if (r->times[i] < low || r->times[i] > high) continue;
        for (int part = 0; part < SMITIN_PARTS; part++) {
            mean->seconds[part] += r->profiles[i].seconds[part] / taken;
            mean->bytes[part] += r->profiles[i].bytes[part] / taken;
        }
    }
}

/* The steps of a session around `position`; *first: what its first call took, which takes memory
 * and feeds the prompt. */
static smitin_status time_rounds(bench *b, smitin_session *session, int index, double *first)
{
    bench_place *place = &b->result->places[index];
    rounds r;
    bool done = false;
    SM_TRY(rounds_take(b, &r));
    const double start = sm_clock();
    smitin_status status = smitin_session_step(session, &done, &b->error);
    *first = sm_clock() - start;
    for (int i = 0; i < r.rounds && status == SMITIN_OK; i++) status = run_round(b, session, &r, i);
    if (status == SMITIN_OK) {
        r.readings[r.rounds] = bench_machine_read(b->machine);
        place->bytes = bench_step_bytes(b, bench_positions[index]);
        reckon_shares(place, &r);
        memcpy(b->times, r.times, (size_t)r.count * sizeof *r.times);
        const double low = bench_quantile(b->times, r.count, 0.25);
        const double high = bench_quantile(b->times, r.count, 0.75);
        place->step = bench_quantile(b->times, r.count, 0.5);
        if (r.profiles != NULL) reckon_profile(&place->profile, &r, low, high);
    }
    rounds_free(&r);
    return status;
}

double bench_step_bytes(const bench *b, int position)
{
    const smitin_model_info *info = &b->result->info;
    const bool q8 = info->cache == SMITIN_CACHE_Q8;
    const double number = q8 ? 1.0 : info->cache == SMITIN_CACHE_F32 ? 4.0 : 2.0;
    const double scales = q8 ? 4.0 * info->heads : 0.0;
    const double cache = 2.0 * info->layers * (number * info->hidden_size + scales);
    return (double)info->step_bytes + cache * position * b->result->rows;
}

/* Operations of a prompt of `count` frames in all rows, of which one has a text: two for each
 * weight and column, and for each number of keys and values that a column attends to. */
static double prompt_operations(const bench_result *r, int count)
{
    const smitin_model_info *info = &r->info;
    const double d = info->hidden_size, n = count;
    const double own = 4.0 * d * d + 2.0 * d * info->ffn_size; /* of a layer */
    const double layers = info->layers * (r->rows * own + 2.0 * d * d);
    const double attended = info->layers * r->rows * 2.0 * d * 0.5 * n * (n + 1.0);
    return 2.0 * (n * layers + attended);
}

static smitin_status at_position(bench *b, int index)
{
    bench_result *r = b->result;
    bench_place *place = &r->places[index];
    const int position = bench_positions[index];
    const int steps = b->o->steps + (b->o->steps + ROUND - 1) / ROUND; /* all of them */
    const int prompt = position > steps / 2 ? position - steps / 2 : 0;
    place->step = place->bytes = place->reading = (double)NAN;
    place->share = place->share_low = place->share_high = (double)NAN;
    if (prompt + steps + 1 > r->info.max_frames) return SMITIN_OK;
    smitin_session *session = NULL;
    double first = 0.0;
    smitin_status status = bench_begin(b, prompt + steps + 1, prompt, &session);
    if (status == SMITIN_OK) status = time_rounds(b, session, index, &first);
    smitin_session_free(session);
    if (status != SMITIN_OK || index != PREFILL_AT) return status;
    r->prefill = prompt / fmax(first - place->step, 1e-9);
    r->prefill_flops = r->prefill / prompt * prompt_operations(r, prompt);
    r->p50 = place->step;
    r->p95 = bench_quantile(b->times, b->o->steps, 0.95);
    r->p99 = bench_quantile(b->times, b->o->steps, 0.99);
    return SMITIN_OK;
}

/* A step's time grows with its position as straight as its reading does: steps per second over 30 s
 * from lines between the positions. */
static double mean_from_positions(const bench_result *r)
{
    double total = bench_positions[0] * r->places[0].step;
    for (int i = 1; i < BENCH_POSITIONS; i++)
        total += 0.5 * (r->places[i - 1].step + r->places[i].step) *
                 (bench_positions[i] - bench_positions[i - 1]);
    return bench_positions[BENCH_POSITIONS - 1] / total;
}

static smitin_status first_sound(bench *b)
{
    const int frames = b->result->info.max_frames < 500 ? b->result->info.max_frames : 500;
    smitin_session *session = NULL;
    float samples[64];
    size_t count = 0;
    bool done = false;
    const double start = sm_clock();
    smitin_status status = bench_begin(b, frames, 0, &session);
    while (status == SMITIN_OK && count == 0 && !done) {
        status = smitin_session_step(session, &done, &b->error);
        if (status == SMITIN_OK)
            status = smitin_session_read(session, 0, samples, 64, &count, &b->error);
    }
    b->result->first_sound = sm_clock() - start;
    smitin_session_free(session);
    return status;
}

static smitin_status codec(bench *b)
{
    const smitin_model_info *info = &b->result->info;
    const size_t frames = (size_t)(CODEC_SECONDS * info->frame_rate);
    const size_t count = frames * (size_t)info->hop * (size_t)info->channels;
    int32_t *codes = random_codes(b, frames);
    float *samples = malloc(count * sizeof *samples);
    smitin_status status = SMITIN_ERROR_MEMORY;
    if (codes == NULL || samples == NULL) {
        bench_fail_memory();
        b->error.status = status;
    } else {
        double start = sm_clock();
        status = smitin_engine_decode(b->engine, codes, frames, samples, count, &b->error);
        b->result->decode = (double)frames / info->frame_rate / (sm_clock() - start);
        /* The first clip loads the encoder. */
        if (status == SMITIN_OK)
            status = smitin_engine_encode(b->engine, samples, (size_t)info->hop * info->channels,
                                          codes, (size_t)info->codebooks, &b->error);
        start = sm_clock();
        if (status == SMITIN_OK)
            status = smitin_engine_encode(b->engine, samples, count, codes,
                                          (size_t)info->codebooks * frames, &b->error);
        b->result->encode = (double)frames / info->frame_rate / (sm_clock() - start);
    }
    free(codes);
    free(samples);
    return status;
}

static smitin_status measure_all(bench *b)
{
    smitin_status status = first_sound(b); /* also a warm-up of what follows */
    for (int i = 0; i < BENCH_POSITIONS && status == SMITIN_OK; i++) status = at_position(b, i);
    b->result->mean = mean_from_positions(b->result);
    bench_machine_close(b->machine);
    b->machine = NULL;
    if (status == SMITIN_OK && b->o->full) status = bench_whole_piece(b);
    if (status == SMITIN_OK) status = codec(b);
    if (status == SMITIN_OK) status = bench_probe(b);
    if (status == SMITIN_OK) status = bench_knobs(b);
    return status;
}

int bench_measure(const bench_options *o, int format, bench_result *result)
{
    char path[1024];
    bench b = {.o = o, .result = result};
    model_options model = o->model;
    model.format = format;
    memset(result, 0, sizeof *result);
    result->format = model_formats[format];
    result->prefill = result->p50 = result->p95 = result->p99 = (double)NAN;
    result->prefill_flops = result->probe = result->knobs = result->capture = (double)NAN;
    const double start = sm_clock();
    int code = o->shape != NULL ? open_random(&b.engine, &model, o->shape)
                                : open_engine(&b.engine, &model, path, sizeof path);
    if (code != EXIT_DONE) return code;
    result->load = sm_clock() - start;
    if (!o->quiet) fprintf(stderr, "measuring %s ...\n", result->format);
    result->resident = bench_resident();
    result->rows = o->guidance != 1.0 ? 2 : 1;
    smitin_engine_info(b.engine, &result->info);
    result->format = model_formats[result->info.format]; /* of a GGUF file its own */
    b.times = calloc(BENCH_FRAMES + 64, sizeof *b.times);
    if (b.times == NULL) code = bench_fail_memory();
    if (code == EXIT_DONE) code = bench_machine_open(&b.machine, o->model.threads);
    if (code == EXIT_DONE && measure_all(&b) != SMITIN_OK)
        code = b.error.message[0] != '\0' ? report_error(&b.error) : EXIT_FAILED;
    bench_machine_close(b.machine);
    free(b.times);
    smitin_engine_free(b.engine);
    return code;
}
