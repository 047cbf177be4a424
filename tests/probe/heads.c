/* SPDX-License-Identifier: MIT */
/* All heads of a made-up model: one knows the trait, the others do not. */
#include <sys/stat.h>
#include <unistd.h>
#include "../common.h"
#include "../../src/base/rng.h"
#include "../../src/probe/probe.h"

enum { L = 2, H = 3, D = 4, N = 120, HEADS = L * H };

typedef struct data {
    float z[N * HEADS * D];
    uint8_t label[N], test[N];
    sm_probe_set set;
} data;

/* Noise everywhere; head 4 carries the trait along its axis 2 with 3 standard deviations, and an
 * offset of 5. */
static data *make(void)
{
    data *d = calloc(1, sizeof *d);
    assert_non_null(d);
    for (int i = 0; i < N; i++) {
        d->label[i] = i % 2 == 0;
        d->test[i] = i % 6 < 2;
        for (int j = 0; j < HEADS * D; j++)
            d->z[i * HEADS * D + j] = (float)sm_normal(11, (uint32_t)i, (uint32_t)j, SM_RNG_TEST);
        if (d->label[i]) d->z[(i * HEADS + 4) * D + 2] += 3.0f;
        d->z[(i * HEADS + 4) * D + 1] += 5.0f;
    }
    d->set = (sm_probe_set){d->z, d->label, d->test, N, L, H, D};
    return d;
}

static sm_knob_data *fit(const data *d, sm_pool *pool)
{
    smitin_error error;
    sm_knob_data *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&knob, L, H, D, &error));
    atomic_int done = 0;
    ASSERT_OK(sm_probe_fit(knob, &d->set, 1.0, pool, &done, &error));
    assert_int_equal(atomic_load(&done), HEADS);
    return knob;
}

static void test_finds_the_head(void **state)
{
    (void)state;
    data *d = make();
    sm_knob_data *knob = fit(d, NULL);
    assert_int_equal(knob->meta.train_count, 80);
    assert_int_equal(knob->meta.test_count, 40);
    /* Bayes accuracy at 3 standard deviations is 93 %; 40 test segments leave 4 % of standard
     * error. */
    assert_true(knob->accuracy_test[4] > 0.8f && knob->accuracy_train[4] > 0.85f);
    for (int i = 0; i < HEADS; i++)
        if (i != 4) assert_true(knob->accuracy_test[i] < knob->accuracy_test[4]);
    assert_true(knob->direction[4 * D + 2] > 0.9f); /* positive = more of the trait */
    assert_true(knob->mean_shift[4 * D + 2] > 0.9f);
    free(d);
    sm_knob_data_free(knob);
}

/* What is kept of a head agrees with its definition, worked out here directly. */
static void test_definitions(void **state)
{
    (void)state;
    data *d = make();
    smitin_error error;
    sm_knob_data *knob = fit(d, NULL);
    for (int head = 0; head < HEADS; head++) {
        double norm = 0.0, shift_norm = 0.0, centre[2][D] = {{0}}, theta[D], bias;
        float x[80 * D];
        uint8_t y[80];
        size_t count = 0;
        double sides[2] = {0, 0};
        for (int i = 0; i < N; i++) {
            if (d->test[i]) continue;
            const float *z = d->z + (i * HEADS + head) * D;
            for (int j = 0; j < D; j++) {
                x[count * D + (size_t)j] = z[j];
                centre[d->label[i]][j] += (double)z[j];
            }
            sides[d->label[i]] += 1.0;
            y[count++] = d->label[i];
        }
        ASSERT_OK(sm_logistic_fit(x, D, y, 80, D, 1.0, theta, &bias, &error));
        for (int j = 0; j < D; j++) {
            norm += theta[j] * theta[j];
            double shift = centre[1][j] / sides[1] - centre[0][j] / sides[0];
            shift_norm += shift * shift;
        }
        /* Rounding to float. */
        ASSERT_NEAR(knob->weight_norm[head], sqrt(norm), 1e-6 * sqrt(norm));
        ASSERT_NEAR(knob->bias[head], bias, 1e-6 * fmax(1.0, fabs(bias)));
        double squares[2] = {0, 0}, sums[2] = {0, 0};
        for (int j = 0; j < D; j++) {
            ASSERT_NEAR(knob->direction[head * D + j], theta[j] / sqrt(norm), 1e-6);
            double shift = centre[1][j] / sides[1] - centre[0][j] / sides[0];
            ASSERT_NEAR(knob->mean_shift[head * D + j], shift / sqrt(shift_norm), 1e-6);
        }
        for (int i = 0; i < N; i++) { /* train and test together */
            double along[2] = {0, 0};
            for (int j = 0; j < D; j++) {
                double z = (double)d->z[(i * HEADS + head) * D + j];
                along[0] += z * (double)knob->direction[head * D + j];
                along[1] += z * (double)knob->mean_shift[head * D + j];
            }
            for (int k = 0; k < 2; k++) {
                sums[k] += along[k] / N;
                squares[k] += along[k] * along[k] / N;
            }
        }
        ASSERT_NEAR(knob->sigma[head], sqrt(squares[0] - sums[0] * sums[0]), 1e-5);
        ASSERT_NEAR(knob->sigma_mean[head], sqrt(squares[1] - sums[1] * sums[1]), 1e-5);
    }
    free(d);
    sm_knob_data_free(knob);
}

/* Trying a knob on its own test split gives its accuracies again; a shifted bias loses one side,
 * and what is not a number is on neither. */
static void test_trying_again(void **state)
{
    (void)state;
    data *d = make();
    smitin_error error;
    sm_knob_data *knob = fit(d, NULL);
    float z[N * HEADS * D], accuracy[HEADS];
    uint8_t label[N];
    sm_probe_set set = {
        .z = z, .label = label, .test = d->test, .L = knob->L, .H = knob->H, .D = D};
    size_t positives = 0;
    for (int i = 0; i < N; i++) {
        if (!d->test[i]) continue;
        memcpy(z + set.N * HEADS * D, d->z + i * HEADS * D, HEADS * D * sizeof *z);
        positives += d->label[i];
        label[set.N++] = d->label[i];
    }
    ASSERT_OK(sm_probe_test(accuracy, knob, &set, &error));
    for (int h = 0; h < HEADS; h++) assert_true(accuracy[h] == knob->accuracy_test[h]);
    knob->bias[0] = 1e6f;
    z[(HEADS - 1) * D] = NAN;
    ASSERT_OK(sm_probe_test(accuracy, knob, &set, &error));
    ASSERT_NEAR(accuracy[0], (double)positives / (double)set.N, 1e-6);
    assert_true(accuracy[HEADS - 1] <= knob->accuracy_test[HEADS - 1]);
    set.D++;
    ASSERT_FAILS(sm_probe_test(accuracy, knob, &set, &error), SMITIN_ERROR_KNOB, "shape");
    set.D--, set.N = 0;
    ASSERT_FAILS(sm_probe_test(accuracy, knob, &set, &error), SMITIN_ERROR_ARGUMENT, "no clip");
    free(d);
    sm_knob_data_free(knob);
}

static void test_same_for_any_pool(void **state)
{
    (void)state;
    smitin_error error;
    data *d = make();
    sm_knob_data *alone = fit(d, NULL);
    for (int threads = 1; threads <= 4; threads++) {
        sm_pool *pool = NULL;
        ASSERT_OK(sm_pool_new(&pool, threads, &error));
        sm_knob_data *many = fit(d, pool);
        assert_memory_equal(alone->direction, many->direction, HEADS * D * sizeof(float));
        assert_memory_equal(alone->mean_shift, many->mean_shift, HEADS * D * sizeof(float));
        assert_memory_equal(alone->bias, many->bias, HEADS * sizeof(float));
        assert_memory_equal(alone->sigma, many->sigma, HEADS * sizeof(float));
        assert_memory_equal(alone->accuracy_test, many->accuracy_test, HEADS * sizeof(float));
        sm_knob_data_free(many);
        sm_pool_free(pool);
    }
    sm_knob_data_free(alone);
    free(d);
}

static void test_refusals(void **state)
{
    (void)state;
    smitin_error error;
    data *d = make();
    sm_knob_data *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&knob, L, H, D, &error));
    d->z[(7 * HEADS + 5) * D] = INFINITY;
    ASSERT_FAILS(sm_probe_fit(knob, &d->set, 1.0, NULL, NULL, &error), SMITIN_ERROR_ARGUMENT,
                 "layer 1, head 2: segment 7");
    for (int i = 0; i < N; i++)
        if (d->test[i]) d->label[i] = 1;
    ASSERT_FAILS(sm_probe_fit(knob, &d->set, 1.0, NULL, NULL, &error), SMITIN_ERROR_ARGUMENT,
                 "test split");
    d->set.D = 3;
    ASSERT_FAILS(sm_probe_fit(knob, &d->set, 1.0, NULL, NULL, &error), SMITIN_ERROR_ARGUMENT,
                 "shape");
    sm_knob_data_free(knob);
    free(d);
}

/* A head whose output never changes still gives a knob that can be written: unit direction, no
 * spread. */
static void test_dead_head(void **state)
{
    (void)state;
    data *d = make();
    for (int i = 0; i < N; i++) memset(d->z + (i * HEADS + 1) * D, 0, D * sizeof(float));
    sm_knob_data *knob = fit(d, NULL);
    assert_true(knob->direction[D] == 1.0f && knob->mean_shift[D] == 1.0f);
    assert_true(knob->weight_norm[1] == 0.0f && knob->sigma[1] == 0.0f &&
                knob->sigma_mean[1] == 0.0f);
    ASSERT_NEAR(knob->accuracy_test[1], 0.5, 1e-7); /* balanced classes, one answer for all */
    sm_knob_data_free(knob);
    free(d);
}

/* A model without weights must not pass for a probe of 50 %. */
static void test_dead_model(void **state)
{
    (void)state;
    smitin_error error;
    data *d = make();
    for (int i = 0; i < N * HEADS * D; i++) d->z[i] = 0.25f;
    sm_knob_data *knob = NULL;
    ASSERT_OK(sm_knob_data_new(&knob, L, H, D, &error));
    ASSERT_FAILS(sm_probe_fit(knob, &d->set, 1.0, NULL, NULL, &error), SMITIN_ERROR_MODEL,
                 "the same about all segments");
    sm_knob_data_free(knob);
    free(d);
}

static void test_reports(void **state)
{
    (void)state;
    smitin_error error;
    char folder[] = "/tmp/smitin-test-XXXXXX", csv[128], png[128];
    assert_non_null(mkdtemp(folder));
    snprintf(csv, sizeof csv, "%s/a \"b'.csv", folder);
    snprintf(png, sizeof png, "%s/a \"b'.png", folder);
    data *d = make();
    sm_knob_data *knob = fit(d, NULL);
    /* A knob from a stranger must not run anything. */
    char marker[48];
    snprintf(marker, sizeof marker, "%s/ran", folder);
    snprintf(knob->meta.trait, sizeof knob->meta.trait, "a'b\" `touch %s`", marker);
    ASSERT_OK(sm_probe_write_csv(knob, csv, &error));
    FILE *file = fopen(csv, "r");
    assert_non_null(file);
    char line[256];
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "layer,head,accuracy_train,accuracy_test,sigma,weight_norm\n");
    int lines = 0;
    for (int layer, head; fgets(line, sizeof line, file) != NULL; lines++) {
        double train, test, sigma, norm;
        assert_int_equal(
            sscanf(line, "%d,%d,%lf,%lf,%lf,%lf", &layer, &head, &train, &test, &sigma, &norm), 6);
        assert_int_equal(layer * H + head, lines);
        ASSERT_NEAR(test, knob->accuracy_test[lines], 1e-6);  /* six decimals */
        ASSERT_NEAR(sigma, knob->sigma[lines], 1e-8 * sigma); /* nine figures */
    }
    assert_int_equal(lines, HEADS);
    fclose(file);
    ASSERT_OK(sm_probe_write_heatmap(knob, png, &error));
    file = fopen(png, "rb");
    assert_non_null(file);
    unsigned char magic[8];
    assert_int_equal(fread(magic, 1, 8, file), 8);
    assert_memory_equal(magic, "\x89PNG\r\n\x1a\n", 8);
    fclose(file);
    assert_int_not_equal(access(marker, F_OK), 0);
    unlink(csv);
    unlink(png);
    ASSERT_FAILS(sm_probe_write_csv(knob, "/nowhere/a.csv", &error), SMITIN_ERROR_IO,
                 "/nowhere/a.csv");
    assert_int_not_equal(sm_probe_write_heatmap(knob, "/nowhere/a.png", &error), SMITIN_OK);
    assert_int_equal(rmdir(folder), 0); /* nothing half-written is left */
    sm_knob_data_free(knob);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_head), cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_trying_again),   cmocka_unit_test(test_same_for_any_pool),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_dead_head),
        cmocka_unit_test(test_reports),        cmocka_unit_test(test_dead_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
