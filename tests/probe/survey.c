/* SPDX-License-Identifier: MIT */
/* Stores and surveys of made-up head outputs: what is written comes back, and every head's measures
 * are those of its own regression. */
#include "../audio/helpers.h"
#include "../../src/base/rng.h"
#include "../../src/format/npy.h"
#include "../../src/probe/measures.h"
#include "../../src/probe/probe.h"
#include "../../src/probe/solvers.h"
#include "../../src/probe/survey.h"

enum { L = 2, H = 3, D = 4, N = 60, WIDTH = L * H * D, SHARD = 16, K = 3 };

static smitin_error error;
static float z[N][WIDTH];
static double values[N][K];
static sm_clip clips[N];
static const sm_clip *list[N];
static char tracks[N][16];
static const char *const names[] = {"plain", "never", "a \"quoted\", one"};

/* Clip i: half to train, then valid and test; two clips a track. Label 0 is in what head (1, 2)
 * says, label 1 in no clip to train, label 2 weakly in head (0, 0). */
static void make_data(sm_task task)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < WIDTH; j++)
            z[i][j] = (float)sin(1.3 * i * (j + 1) + j) + 0.3f * (float)j;
        const bool first = (i * 7) % 5 < 2, third = i % 3 == 0;
        z[i][(1 * H + 2) * D] += first ? 2.5f : 0.0f;
        z[i][0] += third ? 1.0f : 0.0f;
        values[i][0] = task == SM_TASK_MULTICLASS ? first + third : first;
        values[i][1] = i >= N / 2 && i % 4 == 0;
        values[i][2] = third;
        if (task == SM_TASK_REGRESSION) values[i][0] = (double)z[i][(1 * H + 2) * D] * 3.0 + 1.0;
        if (task == SM_TASK_REGRESSION) values[i][1] = sin(i);
        snprintf(tracks[i], sizeof tracks[i], "t%d", i / 2);
        clips[i] = (sm_clip){tracks[i], tracks[i], 0.1 * (i % 2),
                             i < N / 2       ? SM_SPLIT_TRAIN
                             : i < 3 * N / 4 ? SM_SPLIT_VALID
                                             : SM_SPLIT_TEST,
                             values[i]};
        list[i] = &clips[i];
    }
}

static sm_store_meta meta_of(sm_task task)
{
    static const char *const notes[] = {"skipped: something"};
    return (sm_store_meta){.model = "made up",
                           .fingerprint = "f",
                           .weights = "f32",
                           .cache = "f16",
                           .L = L,
                           .H = H,
                           .D = D,
                           .sample_rate = 8000,
                           .channels = 1,
                           .seconds = 0.1,
                           .columns = 1,
                           .task = task,
                           .classes = task == SM_TASK_BINARY ? 1 : K,
                           .names = names,
                           .data = "made up: 60 clips",
                           .notes = notes,
                           .notes_count = 1,
                           .shard_clips = SHARD};
}

static const char *const hash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* Write shards first..last - 1; clip 5 cannot be heard. */
static void write_shards(sm_store *store, size_t first, size_t last)
{
    for (size_t s = first; s < last; s++) {
        float rows[SHARD][WIDTH];
        size_t n = 0;
        for (size_t i = s * SHARD; i < N && i < (s + 1) * SHARD; i++) {
            if (i == 5) {
                ASSERT_OK(sm_store_skip(store, i, "it is broken", &error));
                continue;
            }
            sm_store_heard(store, i, hash);
            memcpy(rows[n++], z[i], sizeof z[i]);
        }
        ASSERT_OK(sm_store_write(store, s, &rows[0][0], &error));
    }
}

static void make_store(const char *folder, sm_task task)
{
    sm_store *store = NULL;
    const sm_store_meta meta = meta_of(task);
    make_data(task);
    ASSERT_OK(sm_store_begin(&store, in_scratch(folder), &meta, list, N, &error));
    assert_int_equal(sm_store_shards(store), 4);
    write_shards(store, 0, 4);
    sm_store_free(store);
}

static void test_store(void **state)
{
    (void)state;
    make_data(SM_TASK_MULTILABEL);
    sm_store *store = NULL, *other = NULL;
    const sm_store_meta meta = meta_of(SM_TASK_MULTILABEL);
    char folder[512];
    snprintf(folder, sizeof folder, "%s", in_scratch("store"));
    ASSERT_OK(sm_store_begin(&store, folder, &meta, list, N, &error));
    ASSERT_FAILS(sm_store_begin(&other, folder, &meta, list, N, &error), SMITIN_ERROR_STATE,
                 "another process");
    assert_null(other);
    write_shards(store, 0, 2);
    sm_store_free(store);
    ASSERT_FAILS(sm_store_open(&store, folder, &error), SMITIN_ERROR_STATE, "2 of 4 shards");
    ASSERT_OK(sm_store_begin(&store, folder, &meta, list, N, &error));
    assert_true(sm_store_has(store, 1) && !sm_store_has(store, 2));
    assert_string_equal(sm_store_clip_at(store, 0)->hash, hash);
    assert_string_equal(sm_store_clip_at(store, 5)->skipped, "it is broken");
    write_shards(store, 2, 4);
    sm_store_free(store);

    ASSERT_OK(sm_store_open(&store, folder, &error));
    assert_int_equal(sm_store_rows(store), N - 1);
    const sm_store_meta *about = sm_store_about(store);
    assert_string_equal(about->names[2], names[2]);
    assert_string_equal(about->notes[0], "skipped: something");
    assert_int_equal(about->H, H);
    float x[3][H * D];
    const size_t rows[3] = {4, 5, 58}; /* clips 4, 6 and 59 */
    const int of[3] = {4, 6, 59};
    sm_store_layer(store, 1, rows, 3, &x[0][0]);
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(x[i], z[of[i]] + H * D, sizeof x[i]);
        const sm_clip *clip = &sm_store_row(store, rows[i])->clip;
        assert_string_equal(clip->path, clips[of[i]].path);
        assert_int_equal(clip->split, clips[of[i]].split);
        assert_true(clip->start == clips[of[i]].start);
        assert_memory_equal(clip->values, values[of[i]], sizeof values[0]);
    }
    sm_store_free(store);

    sm_store_meta changed = meta;
    changed.names = (const char *const[]){"plain", "ever", names[2]};
    ASSERT_FAILS(sm_store_begin(&store, folder, &changed, list, N, &error), SMITIN_ERROR_STATE,
                 "other labels");
    values[40][0] = 1.0 - values[40][0];
    ASSERT_FAILS(sm_store_begin(&store, folder, &meta, list, N, &error), SMITIN_ERROR_STATE,
                 "other clips, from 't20'");
    make_data(SM_TASK_MULTILABEL);
    clips[0].path = clips[0].track = "\xff";
    ASSERT_FAILS(sm_store_begin(&store, in_scratch("foreign"), &meta, list, N, &error),
                 SMITIN_ERROR_FORMAT, "UTF-8");
}

/* What is read back is what was written, for every task and any number. */
static void test_numbers_come_back(void **state)
{
    (void)state;
    make_store("numbers", SM_TASK_REGRESSION);
    sm_store *store = NULL;
    ASSERT_OK(sm_store_open(&store, in_scratch("numbers"), &error));
    for (size_t i = 0; i < N - 1; i++)
        assert_memory_equal(sm_store_row(store, i)->clip.values, values[i + (i >= 5)],
                            sizeof values[0]);
    sm_store_free(store);
}

static sm_survey *run(const char *folder, sm_survey_options options, int threads)
{
    sm_store *store = NULL;
    sm_survey *survey = NULL;
    sm_pool *pool = NULL;
    ASSERT_OK(sm_pool_new(&pool, threads, &error));
    ASSERT_OK(sm_store_open(&store, in_scratch(folder), &error));
    ASSERT_OK(sm_survey_run(&survey, store, &options, pool, NULL, NULL, &error));
    sm_store_free(store);
    sm_pool_free(pool);
    return survey;
}

/* Head (1, 2) and label 0 by hand: a regression over the clips to train, and what it says of those
 * to test, by clips or by tracks. */
static void check_by_hand(const sm_survey *s, bool by_track)
{
    float x[N / 2][D];
    uint8_t y[N / 2];
    double theta[D], bias, score[N / 4], auc, ap;
    uint8_t truth[N / 4] = {0};
    sm_scored ranked[N / 4];
    size_t n = 0, scored = 0;
    const float *own = &z[0][(1 * H + 2) * D];
    for (int i = 0; i < N / 2; i++) {
        if (i == 5) continue;
        memcpy(x[n], own + i * WIDTH, sizeof x[n]);
        y[n++] = values[i][0] != 0.0;
    }
    ASSERT_OK(sm_logistic_fit(&x[0][0], D, y, n, D, 1.0, theta, &bias, &error));
    for (int i = 3 * N / 4; i < N; i++) {
        double sum = bias;
        for (int d = 0; d < D; d++) sum += theta[d] * (double)own[i * WIDTH + d];
        const double p = 1.0 / (1.0 + exp(-sum));
        const bool more = by_track && i % 2 == 1 && i > 3 * N / 4;
        if (more)
            score[scored - 1] = 0.5 * (score[scored - 1] + p);
        else {
            score[scored] = p;
            truth[scored++] = values[i][0] != 0.0;
        }
    }
    for (size_t i = 0; i < scored; i++) ranked[i] = (sm_scored){score[i], truth[i]};
    sm_ranking(ranked, scored, &auc, &ap);
    const int probe = 1 * H + 2;
    assert_int_equal(s->scored[SM_SPLIT_TEST], scored);
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, probe, 0, 0),
                sm_accuracy(score, truth, scored, 0.5), 1e-12);
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, probe, 0, 1), sm_f1(score, truth, scored, 0.5),
                1e-12);
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, probe, 0, 2), auc, 1e-12);
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, probe, 0, 3), ap, 1e-12);
}

static void test_labels(void **state)
{
    (void)state;
    make_store("labels", SM_TASK_MULTILABEL);
    sm_survey *s = run("labels", (sm_survey_options){.C = 1.0}, 1);
    assert_int_equal(s->columns, K + 1);
    assert_int_equal(s->rows[SM_SPLIT_TRAIN], N / 2 - 1);
    check_by_hand(s, false);
    for (int i = 0; i < L * H; i++) {
        /* A label that no clip to train has is left out; the mean is that of the others. */
        assert_true(isnan(sm_survey_value(s, SM_SPLIT_TEST, i, 1, 0)));
        for (int m = 0; m < 4; m++)
            ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, i, K, m),
                        0.5 * (sm_survey_value(s, SM_SPLIT_TEST, i, 0, m) +
                               sm_survey_value(s, SM_SPLIT_TEST, i, 2, m)),
                        1e-12);
    }
    assert_int_equal(sm_survey_best(s, SM_SPLIT_TEST, 0, 2), 1 * H + 2);
    assert_int_equal(sm_survey_best(s, SM_SPLIT_TEST, 1, 2), -1);
    /* Any number of threads: the same bits. */
    sm_survey *threads = run("labels", (sm_survey_options){.C = 1.0}, 3);
    assert_memory_equal(s->values, threads->values, sizeof(double) * 3 * L * H * (K + 1) * 4);
    sm_survey_free(threads);
    sm_survey *tracks_scored = run("labels", (sm_survey_options){.C = 1.0, .by_track = true}, 2);
    check_by_hand(tracks_scored, true);
    sm_survey_free(tracks_scored);
    sm_survey_free(s);
}

/* Inputs that are scaled and shifted are the same once standardised. */
static void test_standardised(void **state)
{
    (void)state;
    make_store("one", SM_TASK_BINARY);
    sm_survey *s = run("one", (sm_survey_options){.C = 1.0, .standardise = true}, 1);
    sm_survey *raw = run("one", (sm_survey_options){.C = 1.0}, 1);
    assert_int_equal(s->columns, 1);
    assert_int_not_equal(memcmp(s->values, raw->values, sizeof(double) * 3 * L * H * 4), 0);
    sm_store *store = NULL;
    const sm_store_meta meta = meta_of(SM_TASK_BINARY);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < WIDTH; j++) z[i][j] = 8.0f * z[i][j] + 4.0f;
    ASSERT_OK(sm_store_begin(&store, in_scratch("two"), &meta, list, N, &error));
    write_shards(store, 0, 4);
    sm_store_free(store);
    sm_survey *scaled = run("two", (sm_survey_options){.C = 1.0, .standardise = true}, 1);
    for (int i = 0; i < 3 * L * H * 4; i++) /* ranks and counts: rounding does not reach them */
        ASSERT_NEAR(s->values[i], scaled->values[i], 1e-12);
    sm_survey_free(scaled);
    sm_survey_free(raw);
    sm_survey_free(s);
}

static void test_classes_and_numbers(void **state)
{
    (void)state;
    make_store("classes", SM_TASK_MULTICLASS);
    sm_survey *s = run("classes", (sm_survey_options){.C = 1.0, .layers = true}, 2);
    assert_int_equal(s->U, 1);
    float x[N / 2][H * D];
    int y[N / 2], said[N / 4], was[N / 4];
    double theta[K * H * D], bias[K], p[K];
    size_t n = 0, counts[3 * K];
    for (int i = 0; i < N / 2; i++) {
        if (i == 5) continue;
        memcpy(x[n], z[i] + H * D, sizeof x[n]);
        y[n++] = (int)values[i][0];
    }
    ASSERT_OK(sm_softmax_fit(&x[0][0], H * D, y, n, H * D, K, 1.0, theta, bias, &error));
    for (int i = 3 * N / 4; i < N; i++) {
        sm_softmax_predict(z[i] + H * D, H * D, K, theta, bias, p);
        int *best = &said[i - 3 * N / 4];
        *best = 0;
        for (int k = 1; k < K; k++)
            if (p[k] > p[*best]) *best = k;
        was[i - 3 * N / 4] = (int)values[i][0];
    }
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, 1, 0, 0), sm_class_accuracy(said, was, N / 4),
                1e-12);
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, 1, 0, 1),
                sm_macro_f1(said, was, N / 4, K, counts), 1e-12);
    sm_survey_free(s);

    make_store("numbers2", SM_TASK_REGRESSION);
    s = run("numbers2", (sm_survey_options){.C = 1e6}, 1);
    /* Target 0 is one of the inputs of head (1, 2). */
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, 1 * H + 2, 0, 0), 1.0, 1e-6);
    ASSERT_NEAR(sm_survey_value(s, SM_SPLIT_TEST, 1 * H + 2, 0, 1), 1.0, 1e-6);
    assert_true(sm_survey_value(s, SM_SPLIT_TEST, 0, 0, 0) < 0.9);
    assert_int_equal(s->measures, 2);
    sm_survey_free(s);
}

static void test_refusals(void **state)
{
    (void)state;
    make_data(SM_TASK_BINARY);
    sm_store *store = NULL;
    sm_survey *survey = NULL;
    const sm_store_meta meta = meta_of(SM_TASK_BINARY);
    const sm_survey_options options = {.C = 1.0};
    for (int i = 0; i < N; i++) values[i][0] = 1.0;
    ASSERT_OK(sm_store_begin(&store, in_scratch("all"), &meta, list, N, &error));
    write_shards(store, 0, 4);
    sm_store_free(store);
    ASSERT_OK(sm_store_open(&store, in_scratch("all"), &error));
    ASSERT_FAILS(sm_survey_run(&survey, store, &options, NULL, NULL, NULL, &error),
                 SMITIN_ERROR_ARGUMENT, "no label");
    assert_null(survey);
    sm_store_free(store);
    make_data(SM_TASK_BINARY);
    for (int i = 0; i < N; i++) clips[i].split = SM_SPLIT_TEST;
    ASSERT_OK(sm_store_begin(&store, in_scratch("test"), &meta, list, N, &error));
    write_shards(store, 0, 4);
    sm_store_free(store);
    ASSERT_OK(sm_store_open(&store, in_scratch("test"), &error));
    ASSERT_FAILS(sm_survey_run(&survey, store, &options, NULL, NULL, NULL, &error),
                 SMITIN_ERROR_ARGUMENT, "0 clips to train");
    sm_store_free(store);
    ASSERT_FAILS(sm_store_parse(&store, "[1", 2, "m", &error), SMITIN_ERROR_FORMAT, "'m', line 1");
}

static int clear(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_numbers_come_back),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_standardised),
        cmocka_unit_test(test_classes_and_numbers),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_scratch, clear);
}
