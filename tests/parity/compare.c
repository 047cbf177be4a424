/* SPDX-License-Identifier: MIT */
/* Our numbers against reference.safetensors of a folder, part by part: compare FOLDER [THREADS
 * [STEPS]]. Prints the largest differences; exit status 1 when one is beyond its bound. See
 * README.md here.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/audio/audio.h"
#include "../../src/codec/encodec.h"
#include "../../src/lm/delay.h"
#include "../../src/lm/lm.h"
#include "../../src/lm/sampler.h"
#include "../../src/melody/chroma.h"
#include "../../src/text/t5.h"

typedef struct run {
    sm_model_config config;
    sm_safetensors *file, *reference;
    sm_arena *arena;
    sm_t5 *t5;
    sm_codec *codec;
    sm_lm *lm;
    sm_pool *pool;
    const sm_kernels *kernels;
    int failures;
} run;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const sm_tensor *need(const run *r, const char *name)
{
    const sm_tensor *tensor = sm_safetensors_find(r->reference, name);
    if (tensor == NULL) {
        fprintf(stderr, "reference.safetensors has no '%s'; run reference.py again\n", name);
        exit(2);
    }
    return tensor;
}

static float *floats(size_t n)
{
    float *memory = malloc((n > 0 ? n : 1) * sizeof *memory);
    if (memory == NULL) {
        fprintf(stderr, "memory is short for %zu floats\n", n);
        exit(2);
    }
    return memory;
}

/* Print the largest difference of `what` and note a failure beyond `bound`. */
static void report(run *r, const char *what, const float *ours, const void *theirs, size_t n,
                   double bound)
{
    double largest = 0.0, peak = 0.0;
    for (size_t i = 0; i < n; i++) {
        float expected;
        memcpy(&expected, (const char *)theirs + i * sizeof expected, sizeof expected);
        const double difference = fabs((double)ours[i] - (double)expected);
        if (!(difference <= largest)) largest = difference;
        if (fabs((double)expected) > peak) peak = fabs((double)expected);
    }
    const int bad = !(largest <= bound);
    r->failures += bad;
    printf("%-28s largest difference %.3g of values up to %.3g (bound %g)%s\n", what, largest, peak,
           bound, bad ? "  BEYOND" : "");
}

static void report_codes(run *r, const char *what, const int32_t *ours, const void *theirs,
                         size_t n)
{
    size_t wrong = 0, first = n;
    for (size_t i = 0; i < n; i++) {
        int32_t expected;
        memcpy(&expected, (const char *)theirs + i * sizeof expected, sizeof expected);
        if (ours[i] == expected) continue;
        if (wrong++ == 0) first = i;
    }
    r->failures += wrong > 0;
    printf("%-28s %zu of %zu equal", what, n - wrong, n);
    if (wrong > 0) printf(", first difference at %zu  BEYOND", first);
    printf("\n");
}

static float *compare_text(run *r, int *tokens)
{
    smitin_error error;
    const sm_tensor *ids = need(r, "ids"), *text = need(r, "text");
    *tokens = (int)ids->count;
    int32_t copy[64];
    if (ids->count > 64) exit(2);
    memcpy(copy, ids->data, ids->count * sizeof *copy);
    float *out = floats(text->count), *scratch = floats(sm_t5_scratch(&r->config.text, *tokens));
    if (sm_t5_encode(r->t5, r->kernels, r->pool, copy, *tokens, out, scratch, &error) !=
        SMITIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    report(r, "T5 states", out, text->data, text->count, 1e-4);
    free(scratch);
    return out;
}

/* Classes of the tune `name`, heard by us; in frames that hold two notes equally the resampler may
 * decide, so `spare` of them may differ. */
static int32_t *hear_tune(run *r, const char *what, const char *name, const char *expected,
                          int rate, size_t spare)
{
    smitin_error error;
    const sm_tensor *tune = need(r, name), *chroma = need(r, expected);
    sm_audio audio = {floats(tune->count), tune->count, 1, rate};
    memcpy(audio.samples, tune->data, tune->count * sizeof *audio.samples);
    smitin_status status = sm_audio_resample(&audio, r->config.chroma.rate, &error);
    const size_t frames = sm_chroma_frames(&r->config.chroma, audio.frames);
    int32_t *classes = malloc(frames * sizeof *classes);
    if (classes == NULL || frames != chroma->count) exit(2);
    if (status == SMITIN_OK)
        status = sm_chroma_extract(&r->config.chroma, audio.samples, audio.frames, classes, &error);
    if (status != SMITIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    size_t wrong = 0;
    for (size_t i = 0; i < frames; i++)
        wrong += memcmp(classes + i, (const char *)chroma->data + i * sizeof *classes,
                        sizeof *classes) != 0;
    if (wrong > 0 && wrong <= spare)
        printf("%-28s %zu of %zu equal\n", what, frames - wrong, frames);
    else
        report_codes(r, what, classes, chroma->data, frames);
    sm_audio_free(&audio);
    return classes;
}

/* Classes of the tune at the model's rate; NULL for a text model. */
static int32_t *compare_chroma(run *r)
{
    if (r->config.lm.chroma_length == 0) return NULL;
    const int rate = r->config.chroma.rate;
    free(hear_tune(r, "chroma from 44.1 kHz", "tune_44100", "chroma_44100", 44100, 2));
    return hear_tune(r, "chroma", "tune", "chroma", rate, 0);
}

static void compare_codec(run *r)
{
    if (sm_safetensors_find(r->reference, "samples") == NULL) return;
    const sm_tensor *samples = need(r, "samples"), *latents = need(r, "latents"),
                    *codes = need(r, "codes");
    const sm_tensor *audio = need(r, "audio");
    const size_t count = samples->count, frames = sm_codec_frames(r->codec, count);
    float *in = floats(count), *z = floats(latents->count), *out = floats(audio->count);
    float *scratch = floats(sm_codec_scratch(r->codec, frames));
    int32_t *made = malloc(codes->count * sizeof *made);
    if (made == NULL) exit(2);
    memcpy(in, samples->data, count * sizeof *in);
    const double t0 = now();
    sm_codec_analyse(r->codec, r->kernels, r->pool, in, count, z, scratch);
    sm_codec_quantize(r->codec, r->kernels, r->pool, z, frames, made, scratch);
    const double t1 = now();
    report(r, "codec latents", z, latents->data, latents->count, 1e-4);
    report_codes(r, "codec codes", made, codes->data, codes->count);
    memcpy(made, codes->data, codes->count * sizeof *made);
    const double t2 = now();
    sm_codec_decode(r->codec, r->kernels, r->pool, made, frames, frames, out, scratch);
    const double t3 = now();
    report(r, "codec audio", out, audio->data, audio->count, 1e-4);
    const double seconds = (double)count / r->config.codec.sample_rate;
    printf("%-28s encoding %.2f s, decoding %.2f s for %.0f s of audio\n", "codec speed", t1 - t0,
           t3 - t2, seconds);
    free(in), free(z), free(out), free(scratch), free(made);
}

/* Each channel from its codebooks, which are interleaved. */
static void compare_sound(run *r)
{
    if (sm_safetensors_find(r->reference, "heard") == NULL) return;
    const sm_tensor *made = need(r, "made"), *heard = need(r, "heard");
    const size_t C = (size_t)r->config.lm.channels, frames = (size_t)made->shape[1];
    float *out = floats(heard->count), *scratch = floats(sm_codec_scratch(r->codec, frames));
    int32_t *codes = malloc(made->count * sizeof *codes);
    if (codes == NULL) exit(2);
    memcpy(codes, made->data, made->count * sizeof *codes);
    for (size_t c = 0; c < C; c++)
        sm_codec_decode(r->codec, r->kernels, r->pool, codes + c * frames, C * frames, frames,
                        out + c * heard->count / C, scratch);
    report(r, "sound of the codes", out, heard->data, heard->count, 1e-4);
    free(out), free(scratch), free(codes);
}

/* A way to generate: with guidance, with the text alone, with nothing. */
typedef struct way {
    const char *name, *suffix; /* of the tensors in the reference */
    int rows;
    bool text; /* row 0 has the text, and a melody model the tune */
} way;

static const way ways[] = {
    {"guided", "", 2, true}, {"unguided", "_unguided", 1, true}, {"no text", "_free", 1, false}};

static sm_lm_state *new_state(run *r, const way *w, const float *text, int tokens,
                              const int32_t *classes, int columns)
{
    smitin_error error;
    sm_lm_state *state = NULL;
    const sm_lm_state_options options = {
        .rows = w->rows, .max_columns = columns, .max_batch = 1, .max_text = tokens};
    if (sm_lm_state_new(&state, r->lm, &options, &error) != SMITIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    for (int i = 0; i < w->rows; i++) {
        const bool given = w->text && i == 0;
        if (r->config.lm.chroma_length == 0)
            sm_lm_condition(state, r->kernels, r->pool, i, text, given ? tokens : 0);
        else /* without a text, as many rows of zeros as the other row has tokens, or one */
            sm_lm_prefix(state, r->kernels, r->pool, i, given ? classes : NULL, given ? text : NULL,
                         w->text ? tokens : 1);
    }
    return state;
}

/* Generate on our own into the grid, the greediest codes; all [steps, rows, K, V] are the logits.
 */
static void generate(run *r, const way *w, sm_lm_state *state, sm_delay *grid, int steps,
                     float *all)
{
    const int K = r->config.lm.codebooks, V = r->config.lm.vocab;
    const size_t row = (size_t)(K * V);
    const sm_sampling greedy = {.temperature = 0.0};
    int32_t *order = malloc((size_t)V * sizeof *order), feed[2 * SM_MAX_CODEBOOKS],
            next[SM_MAX_CODEBOOKS];
    float *out = floats(2 * row), *scratch = floats((size_t)V);
    if (order == NULL) exit(2);
    for (int s = 0; s < steps; s++) {
        for (int i = 0; i < w->rows * K; i++) feed[i] = grid->cells[s * K + i % K];
        sm_lm_forward(state, r->kernels, r->pool, feed, 1, NULL, 0, out, NULL);
        const size_t n = (size_t)w->rows * row;
        memcpy(all + (size_t)s * n, out, n * sizeof *out);
        if (w->rows == 2) sm_guide(out, out + row, 3.0f, (int)row);
        for (int k = 0; k < K; k++)
            next[k] = sm_sample(out + k * V, V, &greedy, 0.0, scratch, order);
        sm_delay_write(grid, s + 1, next);
    }
    free(order), free(out), free(scratch);
}

/* The logits of every row are compared with the reference's as long as the codes agree, which is to
 * the end unless a near-tie falls the other way. */
static void compare_decoder(run *r, const way *w, const float *text, int tokens,
                            const int32_t *classes, int steps)
{
    char name[64];
    snprintf(name, sizeof name, "logits%s", w->suffix);
    const sm_tensor *logits = need(r, name);
    snprintf(name, sizeof name, "made%s", w->suffix);
    const sm_tensor *codes = need(r, name);
    const int K = r->config.lm.codebooks, V = r->config.lm.vocab, T = (int)codes->shape[1];
    const int C = r->config.lm.channels, S = sm_delay_columns(T, K, C);
    if (steps <= 0 || steps > S - 1) steps = S - 1;
    const size_t row = (size_t)w->rows * (size_t)(K * V);
    sm_lm_state *state = new_state(r, w, text, tokens, classes, S);
    int32_t *cells = malloc((size_t)(S * K) * sizeof *cells),
            *made = malloc(codes->count * sizeof *made);
    float *all = floats((size_t)(S - 1) * row);
    if (cells == NULL || made == NULL) exit(2);
    sm_delay grid;
    sm_delay_init(&grid, T, K, C, V, cells);
    const double started = now();
    generate(r, w, state, &grid, steps, all);
    const double seconds = now() - started;
    const int frames = sm_delay_complete(&grid, steps + 1);
    sm_delay_revert(&grid, frames, made, T);
    snprintf(name, sizeof name, "logits, %s", w->name);
    report(r, name, all, logits->data, (size_t)steps * row, 1e-3);
    snprintf(name, sizeof name, "codes, %s", w->name);
    for (int k = 0; k < K; k++) {
        const size_t at = (size_t)(k * T);
        report_codes(r, name, made + at, (const char *)codes->data + at * sizeof *made,
                     (size_t)frames);
    }
    printf("%-28s %.1f steps/s (%d rows)\n", "decoder speed", steps / seconds, w->rows);
    sm_lm_state_free(state);
    free(cells), free(made), free(all);
}

static smitin_status open_all(run *r, const char *folder, int threads, smitin_error *error)
{
    char path[1024];
    sm_binder binder;
    SM_TRY(sm_config_read(&r->config, folder, error));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    SM_TRY(sm_safetensors_open(&r->file, path, error));
    snprintf(path, sizeof path, "%s/reference.safetensors", folder);
    SM_TRY(sm_safetensors_open(&r->reference, path, error));
    r->arena = sm_arena_new();
    if (r->arena == NULL) return sm_fail_memory(error, "the model", 0);
    sm_binder_init(&binder, r->file, r->arena);
    SM_TRY(sm_t5_new(&r->t5, &r->config.text, &binder, error));
    SM_TRY(sm_codec_new(&r->codec, &r->config.codec, &binder, error));
    SM_TRY(sm_lm_new(&r->lm, &r->config.lm, r->config.text.hidden, &binder, error));
    SM_TRY(sm_binder_finish(&binder, folder, error));
    r->kernels = sm_kernels_get(sm_cpu_detect());
    return sm_pool_new(&r->pool, threads, error);
}

int main(int argc, char **argv)
{
    smitin_error error;
    run r = {.failures = 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) {
        fprintf(stderr, "usage: compare FOLDER [THREADS [STEPS]]\n");
        return 2;
    }
    if (open_all(&r, argv[1], argc > 2 ? atoi(argv[2]) : 0, &error) != SMITIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%-28s %s, %d threads\n", "kernels", r.kernels->name, sm_pool_threads(r.pool));
    int tokens = 0;
    float *text = compare_text(&r, &tokens);
    compare_codec(&r);
    int32_t *classes = compare_chroma(&r);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        compare_decoder(&r, &ways[i], text, tokens, classes, argc > 3 ? atoi(argv[3]) : 0);
    compare_sound(&r);
    free(text);
    free(classes);
    sm_pool_free(r.pool);
    sm_arena_free(r.arena);
    sm_safetensors_close(r.reference);
    sm_safetensors_close(r.file);
    return r.failures > 0;
}
