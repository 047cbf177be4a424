/* SPDX-License-Identifier: MIT */
#include "golden.h"

static smitin_error error;

/* ---- Plain kernels with double sums: the encoder is judged alone, whatever the fast ones do ----
 */

static void plain_matmul(float *y, size_t ldy, const float *x, size_t ldx, const float *w,
                         const float *bias, int R, int M, int n0, int n1)
{
    for (int r = 0; r < R; r++) {
        for (int n = n0; n < n1; n++) {
            double sum = bias != NULL ? (double)bias[n] : 0;
            for (int m = 0; m < M; m++) {
                sum += (double)x[(size_t)r * ldx + (size_t)m] *
                       (double)w[(size_t)n * (size_t)M + (size_t)m];
            }
            y[(size_t)r * ldy + (size_t)n] = (float)sum;
        }
    }
}

static void plain_axpy(float *y, float a, const float *x, int n)
{
    for (int i = 0; i < n; i++) y[i] += a * x[i];
}

static void plain_rms_norm(float *y, const float *x, const float *weight, int n, float eps)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    double scale = 1 / sqrt(sum / n + (double)eps);
    for (int i = 0; i < n; i++) y[i] = (float)((double)x[i] * scale * (double)weight[i]);
}

static void plain_attend(float *z, const float *q, const float *k, const float *v, size_t stride,
                         const float *bias, float scale, int T, int D, float *scratch)
{
    double most = -INFINITY, total = 0;
    for (int t = 0; t < T; t++) {
        double score = 0;
        for (int d = 0; d < D; d++)
            score += (double)q[d] * (double)k[(size_t)t * stride + (size_t)d];
        score = score * (double)scale + (double)bias[t];
        scratch[t] = (float)score;
        if (score > most) most = score;
    }
    for (int t = 0; t < T; t++) total += exp((double)scratch[t] - most);
    for (int d = 0; d < D; d++) {
        double sum = 0;
        for (int t = 0; t < T; t++) {
            sum += exp((double)scratch[t] - most) * (double)v[(size_t)t * stride + (size_t)d];
        }
        z[d] = (float)(sum / total);
    }
}

static const sm_kernels plain = {.name = "plain",
                                 .matmul = plain_matmul,
                                 .axpy = plain_axpy,
                                 .rms_norm = plain_rms_norm,
                                 .attend = plain_attend};

/* ---- The encoder of the golden files ---- */

static const sm_text_config config = {.hidden = 24,
                                      .head_size = 8,
                                      .ffn = 40,
                                      .layers = 2,
                                      .heads = 3,
                                      .vocab = 130,
                                      .buckets = 16,
                                      .max_distance = 20,
                                      .eps = 1e-6f};

typedef struct loaded {
    sm_safetensors *file;
    sm_arena *arena;
    sm_binder binder;
    sm_t5 *t5;
} loaded;

static loaded load(void)
{
    loaded l = {open_golden("t5_model.safetensors"), sm_arena_new(), {0}, NULL};
    sm_binder_init(&l.binder, l.file, l.arena);
    ASSERT_OK(sm_t5_new(&l.t5, &config, &l.binder, &error));
    ASSERT_OK(sm_binder_finish(&l.binder, "the text encoder", &error));
    return l;
}

static void unload(loaded *l)
{
    sm_arena_free(l->arena);
    sm_safetensors_close(l->file);
}

/* Largest difference to the golden states of text `n`; `out` receives them. */
static double compare(const loaded *l, const sm_kernels *kernels, sm_pool *pool,
                      const sm_safetensors *golden, int n)
{
    char name[32];
    snprintf(name, sizeof(name), "ids.%d", n);
    const sm_tensor *id_tensor = golden_tensor(golden, name);
    snprintf(name, sizeof(name), "states.%d", n);
    const sm_tensor *states = golden_tensor(golden, name);
    int tokens = (int)id_tensor->count;
    int32_t ids[64];
    assert_true(tokens <= 64 && states->count == (size_t)tokens * (size_t)config.hidden);
    for (int i = 0; i < tokens; i++) ids[i] = golden_int(id_tensor, (size_t)i);
    /* Exactly as much as was asked for, so that sanitizers see one float too many. */
    float *scratch = malloc(sm_t5_scratch(&config, tokens) * sizeof(float));
    float *out = malloc(states->count * sizeof(float)),
          *expected = malloc(states->count * sizeof(float));
    ASSERT_OK(sm_t5_encode(l->t5, kernels, pool, ids, tokens, out, scratch, &error));
    ASSERT_OK(sm_tensor_to_f32(states, 0, states->count, expected, &error));
    double most = 0;
    for (size_t i = 0; i < states->count; i++) {
        double difference = fabs((double)out[i] - (double)expected[i]);
        if (!(difference <= most)) most = difference; /* NaN stays */
    }
    free(scratch);
    free(out);
    free(expected);
    return most;
}

/* States have a size near 1 (an RMS norm, weights 0.5 to 1.5); both sides round each sum to f32,
 * about 1e-7 relative per sublayer, and scores of unscaled attention amplify that. A wrong
 * bucket or scale gives 0.2 and more. */
static const double tolerance = 1e-5;

static void states_equal_the_reference(void **state)
{
    (void)state;
    loaded l = load();
    sm_safetensors *golden = open_golden("t5_states.safetensors");
    sm_pool *pool;
    ASSERT_OK(sm_pool_new(&pool, 3, &error));
    for (int n = 0; n < 3; n++) {
        ASSERT_NEAR(compare(&l, &plain, NULL, golden, n), 0, tolerance);
        ASSERT_NEAR(compare(&l, &plain, pool, golden, n), 0, tolerance);
        for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
            if (!sm_cpu_has((sm_cpu_level)level)) continue;
            ASSERT_NEAR(compare(&l, sm_kernels_get((sm_cpu_level)level), pool, golden, n), 0,
                        tolerance);
        }
    }
    sm_pool_free(pool);
    sm_safetensors_close(golden);
    unload(&l);
}

static void buckets_equal_the_reference(void **state)
{
    (void)state;
    static const int cases[][2] = {{32, 128}, {16, 20}, {64, 300}};
    sm_safetensors *golden = open_golden("t5_states.safetensors");
    for (int c = 0; c < 3; c++) {
        char name[32];
        snprintf(name, sizeof(name), "buckets.%d.%d", cases[c][0], cases[c][1]);
        const sm_tensor *table = golden_tensor(golden, name);
        assert_int_equal(table->count, 801);
        for (int distance = -400; distance <= 400; distance++) {
            int expected = ((const unsigned char *)table->data)[distance + 400];
            int found = sm_t5_bucket(distance, cases[c][0], cases[c][1]);
            if (found != expected)
                fail_msg("%s at %d is %d, expected %d", name, distance, found, expected);
        }
    }
    sm_safetensors_close(golden);
}

static void unknown_ids_are_refused(void **state)
{
    (void)state;
    loaded l = load();
    float out[24], *scratch = malloc(sm_t5_scratch(&config, 1) * sizeof(float));
    const int32_t bad[] = {130, -1, INT32_MAX};
    for (int i = 0; i < 3; i++) {
        ASSERT_FAILS(sm_t5_encode(l.t5, &plain, NULL, &bad[i], 1, out, scratch, &error),
                     SMITIN_ERROR_ARGUMENT, "knows 0 to 129");
    }
    ASSERT_FAILS(sm_t5_encode(l.t5, &plain, NULL, bad, 0, out, scratch, &error),
                 SMITIN_ERROR_ARGUMENT, "end mark");
    free(scratch);
    unload(&l);
}

static void a_wrong_configuration_is_reported(void **state)
{
    (void)state;
    loaded l = {open_golden("t5_model.safetensors"), sm_arena_new(), {0}, NULL};
    sm_text_config wrong = config;
    wrong.layers = 3;
    wrong.vocab = 131;
    sm_binder_init(&l.binder, l.file, l.arena);
    ASSERT_OK(sm_t5_new(&l.t5, &wrong, &l.binder, &error));
    ASSERT_FAILS(sm_binder_finish(&l.binder, "the text encoder", &error), SMITIN_ERROR_MODEL,
                 "9 problems");
    assert_non_null(
        strstr(error.message, "text_encoder.shared.weight has shape [130,24], expected [131,24]"));
    assert_non_null(strstr(
        error.message, "text_encoder.encoder.block.2.layer.0.SelfAttention.q.weight is missing"));
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_equal_the_reference),
        cmocka_unit_test(buckets_equal_the_reference),
        cmocka_unit_test(unknown_ids_are_refused),
        cmocka_unit_test(a_wrong_configuration_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
