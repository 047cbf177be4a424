/* SPDX-License-Identifier: MIT */
/* Extrapolated and kernel distances against cases whose answer is known, and sets read from disk.
 */
#include "../common.h"
#include <sys/stat.h>
#include <unistd.h>
#include "../../src/base/rng.h"
#include "../../src/eval/distance.h"
#include "../../src/eval/embeddings.h"
#include "../../src/format/npy.h"

static float *noise(size_t count, uint64_t seed, double shift)
{
    float *x = malloc(count * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(sm_normal(seed, (uint32_t)i, 0, SM_RNG_TEST) + shift);
    return x;
}

static void test_draws(void **state)
{
    (void)state;
    size_t rows[50], again[50], times[50] = {0};
    for (uint32_t stream = 0; stream < 400; stream++) {
        sm_draw_rows(rows, 50, 10, 3, stream);
        for (size_t i = 0; i < 10; i++) {
            assert_true(rows[i] < 50 && (i == 0 || rows[i] > rows[i - 1]));
            times[rows[i]]++;
        }
    }
    /* 400 draws of a fifth: 80 times each, deviation 8. */
    for (size_t i = 0; i < 50; i++) assert_true(times[i] > 45 && times[i] < 115);
    sm_draw_rows(again, 50, 10, 3, 399);
    assert_memory_equal(rows, again, 10 * sizeof *rows);
    sm_draw_rows(rows, 50, 50, 3, 0);
    for (size_t i = 0; i < 50; i++) assert_int_equal(rows[i], i);
}

/* Samples of one Gaussian: the distance of finite sets is well above zero and falls as 1 / N; the
 * extrapolated one has a mean near what the reference's own finite size leaves. */
static void test_infinity(void **state)
{
    (void)state;
    enum { d = 16, N = 1000, M = 8000, SETS = 8 };
    smitin_error error;
    float *b = noise(M * d, 2, 0.0);
    double finite = 0.0, extrapolated = 0.0;
    sm_infinity infinity, again;
    for (uint64_t i = 0; i < SETS; i++) {
        float *a = noise(N * d, 10 + i, 0.0);
        double distance = 0.0;
        ASSERT_OK(sm_frechet(a, N, b, M, d, &distance, &error));
        ASSERT_OK(sm_frechet_infinity(&infinity, a, N, b, M, d, 0, i, &error));
        assert_int_equal(infinity.smallest, 500);
        assert_true(infinity.slope > 0.0 && infinity.r2 > 0.5);
        finite += distance / SETS;
        extrapolated += infinity.value / SETS;
        free(a);
    }
    /* The bias is about (d + d (d + 1) / 4) / N: 0.084 for N, 0.01 for M. */
    assert_true(finite > 0.06);
    if (fabs(extrapolated) > 0.25 * finite) fail_msg("%g of %g", extrapolated, finite);
    float *a = noise(N * d, 1, 0.0);
    ASSERT_OK(sm_frechet_infinity(&infinity, a, N, b, M, d, 500, 5, &error));
    ASSERT_OK(sm_frechet_infinity(&again, a, N, b, M, d, 500, 5, &error));
    assert_true(again.value == infinity.value);
    ASSERT_OK(sm_frechet_infinity(&again, a, N, b, M, d, 500, 6, &error));
    assert_true(again.value != infinity.value);
    /* Far sets: their distance is that of the means, whatever the sample. */
    for (int i = 0; i < N * d; i++) a[i] += 10.0f;
    ASSERT_OK(sm_frechet_infinity(&again, a, N, b, M, d, 0, 5, &error));
    ASSERT_NEAR(again.value, 100.0 * d, 0.01 * 100.0 * d);
    ASSERT_FAILS(sm_frechet_infinity(&again, a, 40, b, M, d, 0, 5, &error), SMITIN_ERROR_ARGUMENT,
                 "25 sizes");
    ASSERT_FAILS(sm_frechet_infinity(&again, a, 40, b, M, d, 50, 5, &error), SMITIN_ERROR_ARGUMENT,
                 "25 sizes");
    free(a);
    free(b);
}

/* By hand. Distances of b: 2, so s = 2 and k = exp(-x^2 / 8). */
static void test_kad_by_hand(void **state)
{
    (void)state;
    smitin_error error;
    const float a[2] = {0, 1}, b[2] = {0, 2};
    sm_kad kad;
    ASSERT_OK(sm_kad_distance(&kad, a, 2, b, 2, 1, 100, 1, NULL, &error));
    assert_true(kad.bandwidth == 2.0);
    const double aa = exp(-1.0 / 8), bb = exp(-4.0 / 8),
                 ab = (1.0 + exp(-4.0 / 8) + 2.0 * exp(-1.0 / 8)) / 4.0;
    ASSERT_NEAR(kad.value, 100.0 * (aa + bb - 2.0 * ab), 1e-12);
    /* The median of 1, 1, 2, 2, 3, 4 between 0, 1, 2, 4 is the lower middle one; turned round the
     * width is another. */
    const float four[4] = {4, 0, 2, 1};
    ASSERT_OK(sm_kad_distance(&kad, a, 2, four, 4, 1, 100, 1, NULL, &error));
    assert_true(kad.bandwidth == 2.0);
    ASSERT_OK(sm_kad_distance(&kad, four, 4, a, 2, 1, 100, 1, NULL, &error));
    assert_true(kad.bandwidth == 1.0);
    const float same[3] = {1, 1, 1};
    ASSERT_FAILS(sm_kad_distance(&kad, a, 2, same, 3, 1, 100, 1, NULL, &error),
                 SMITIN_ERROR_ARGUMENT, "copies");
}

/* Unbiased: over many pairs of sets of one distribution the mean is zero. And larger for sets that
 * are apart, whoever works. */
static void test_kad_samples(void **state)
{
    (void)state;
    enum { d = 8, N = 60 };
    smitin_error error;
    double sum = 0.0, squares = 0.0;
    sm_kad kad, threaded;
    for (uint64_t i = 0; i < 100; i++) {
        float *a = noise(N * d, 100 + i, 0.0), *b = noise(N * d, 500 + i, 0.0);
        ASSERT_OK(sm_kad_distance(&kad, a, N, b, N, d, 1000, 1, NULL, &error));
        sum += kad.value;
        squares += kad.value * kad.value;
        free(a);
        free(b);
    }
    const double deviation = sqrt(squares / 100.0 - sum * sum / 1e4);
    ASSERT_NEAR(sum / 100.0, 0.0, 3.0 * deviation / 10.0); /* three standard errors */
    float *a = noise(N * d, 7, 1.0), *b = noise(N * d, 8, 0.0);
    sm_pool *pool = NULL;
    ASSERT_OK(sm_pool_new(&pool, 3, &error));
    ASSERT_OK(sm_kad_distance(&kad, a, N, b, N, d, 1000, 1, NULL, &error));
    ASSERT_OK(sm_kad_distance(&threaded, a, N, b, N, d, 1000, 1, pool, &error));
    assert_true(kad.value > 20.0 * deviation && kad.value == threaded.value);
    ASSERT_OK(sm_kad_distance(&threaded, a, N, b, N, d, 20, 1, pool, &error));
    assert_true(threaded.used_a == 20 && threaded.used_b == 20 && threaded.value > 0.0);
    sm_pool_free(pool);
    free(a);
    free(b);
}

/* ---- Sets on disk ---- */

static void path_of(char *path, size_t size, const char *root, const char *rest)
{
    snprintf(path, size, "%s/%s", root, rest);
}

static void make_folders(const char *root, const char *const *names, int count)
{
    char path[256];
    for (int i = 0; i < count; i++) {
        path_of(path, sizeof path, root, names[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
}

static void write_npy(const char *root, const char *name, sm_dtype dtype, int dims,
                      const int64_t *shape, const void *data)
{
    smitin_error error;
    char path[256];
    path_of(path, sizeof path, root, name);
    ASSERT_OK(sm_npy_write(path, dtype, dims, shape, data, &error));
}

static void test_layout(void **state)
{
    (void)state;
    char root[] = "/tmp/smitin-embeddings-XXXXXX", path[256], command[300];
    assert_non_null(mkdtemp(root));
    static const char *const folders[] = {"embeddings", "embeddings/clap"};
    const float one[4] = {3, 4, 1, 2}, other[2] = {0, 9};
    const double wide[2] = {5, 6};
    const int64_t two[2] = {2, 2}, single[1] = {2}, odd[2] = {1, 3};
    smitin_error error;
    sm_embeddings set = {0};
    assert_false(sm_embeddings_stored(root));
    ASSERT_FAILS(sm_embeddings_read(&set, root, NULL, &error), SMITIN_ERROR_IO, "--embed");
    make_folders(root, folders, 2);
    assert_true(sm_embeddings_stored(root));
    write_npy(root, "embeddings/clap/b.npy", SM_F32, 2, two, one);
    write_npy(root, "embeddings/clap/a.npy", SM_F64, 1, single, wide);
    ASSERT_OK(sm_embeddings_read(&set, root, NULL, &error));
    assert_true(set.N == 3 && set.d == 2 && set.files == 2);
    assert_true(set.rows[0] == 5.0f && set.rows[2] == 3.0f); /* by name */
    sm_embeddings_settle(&set);
    const float settled[6] = {1, 2, 3, 4, 5, 6};
    assert_memory_equal(set.rows, settled, sizeof settled);
    /* A second encoder: one has to be chosen. */
    static const char *const second[] = {"embeddings/vggish"};
    make_folders(root, second, 1);
    ASSERT_FAILS(sm_embeddings_read(&set, root, NULL, &error), SMITIN_ERROR_ARGUMENT,
                 "clap, vggish");
    ASSERT_OK(sm_embeddings_read(&set, root, "clap", &error));
    assert_int_equal(set.N, 6);
    ASSERT_FAILS(sm_embeddings_read(&set, root, "vggish", &error), SMITIN_ERROR_IO, "no .npy");
    /* Files beside each other, and one alone. */
    sm_embeddings_free(&set);
    write_npy(root, "x.npy", SM_F32, 1, single, other);
    ASSERT_OK(sm_embeddings_read(&set, root, NULL, &error));
    assert_int_equal(set.N, 1);
    path_of(path, sizeof path, root, "x.npy");
    ASSERT_OK(sm_embeddings_read(&set, path, NULL, &error));
    assert_int_equal(set.N, 2);
    write_npy(root, "y.npy", SM_F32, 2, odd, one);
    path_of(path, sizeof path, root, "y.npy");
    ASSERT_FAILS(sm_embeddings_read(&set, path, NULL, &error), SMITIN_ERROR_FORMAT,
                 "3 dimensions, those before it have 2");
    const float bad[2] = {1, NAN};
    write_npy(root, "y.npy", SM_F32, 1, single, bad);
    ASSERT_FAILS(sm_embeddings_read(&set, path, NULL, &error), SMITIN_ERROR_FORMAT, "not a number");
    sm_embeddings_free(&set);
    /* Written where fadtk looks. */
    path_of(path, sizeof path, root, "piece.one.wav");
    char where[300], expected[300];
    ASSERT_OK(sm_embeddings_write(path, "mine", one, 2, 2, where, sizeof where, &error));
    path_of(expected, sizeof expected, root, "embeddings/mine/piece.one.npy");
    assert_string_equal(where, expected);
    ASSERT_OK(sm_embeddings_read(&set, where, NULL, &error));
    assert_memory_equal(set.rows, one, sizeof one);
    sm_embeddings_free(&set);
    snprintf(command, sizeof command, "rm -r '%s'", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws),       cmocka_unit_test(test_infinity),
        cmocka_unit_test(test_kad_by_hand), cmocka_unit_test(test_kad_samples),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
