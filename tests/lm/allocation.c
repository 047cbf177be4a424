/* SPDX-License-Identifier: MIT */
/* No memory is taken during a pass: the allocator is wrapped at link time and counts. */
#include <stdatomic.h>

#include "../../src/lm/sampler.h"
#include "fixture.h"

static atomic_int taken;

#define WRAP(name, parameters, ...)                                                                \
    void *__real_##name parameters;                                                                \
    void *__wrap_##name parameters;                                                                \
    void *__wrap_##name parameters                                                                 \
    {                                                                                              \
        atomic_fetch_add(&taken, 1);                                                               \
        return __real_##name(__VA_ARGS__);                                                         \
    }

WRAP(malloc, (size_t size), size)
WRAP(calloc, (size_t count, size_t size), count, size)
WRAP(realloc, (void *memory, size_t size), memory, size)
WRAP(aligned_alloc, (size_t alignment, size_t size), alignment, size)

int __real_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    atomic_fetch_add(&taken, 1);
    return __real_posix_memalign(memory, alignment, size);
}

static void none_in_a_pass(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 3);
    const int S = (int)golden(&f, "grid")->shape[0];
    int32_t *grid = golden_copy(&f, "grid"), *tokens = repeat_rows(grid, 2, S, f.K);
    float *logits = floats((size_t)(2 * S * f.K * f.V)), *scratch = floats((size_t)f.V);
    float *hidden = golden_copy(&f, "text");
    int32_t order[64];
    const int before_state = atomic_load(&taken);
    sm_lm_state *state = state_new(&f, 2, 2 * S, S, 1u);
    assert_true(atomic_load(&taken) > before_state); /* the count does count */

    const int before = atomic_load(&taken);
    sm_lm_condition(state, f.kernels, f.pool, 1, hidden, 2);
    sm_lm_forward(state, f.kernels, f.pool, tokens, S, NULL, 0, NULL, logits);
    for (int i = 0; i < S; i++) {
        sm_lm_forward(state, f.kernels, f.pool, tokens, 1, NULL, 0, logits, NULL);
        const sm_sampling sampling[2] = {{1.0, 10, 0.0}, {1.0, 0, 0.9}};
        assert_in_range(sm_sample(logits, f.V, &sampling[i % 2], 0.5, scratch, order), 0, f.V - 1);
    }
    assert_int_equal(atomic_load(&taken), before);

    sm_lm_state_free(state);
    free(grid), free(tokens), free(logits), free(scratch), free(hidden);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(none_in_a_pass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
