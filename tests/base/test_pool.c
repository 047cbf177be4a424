/* SPDX-License-Identifier: MIT */
/* The pool: every item once, any number of threads, callers that collide, bad arguments. */
#include "../common.h"
#include "../../src/base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { MOST = 5000 };

typedef struct tally {
    atomic_int runs[MOST]; /* how often each item was done */
    atomic_int smallest;   /* chunk but for the last one */
    int count, threads;
    atomic_int bad;
} tally;

static void count_items(void *context, int worker, int first, int last)
{
    tally *t = context;
    if (worker < 0 || worker >= t->threads || first < 0 || first >= last || last > t->count)
        atomic_fetch_add(&t->bad, 1);
    for (int i = first; i < last; i++) atomic_fetch_add(&t->runs[i], 1);
    if (last != t->count && last - first < atomic_load(&t->smallest))
        atomic_store(&t->smallest, last - first);
}

static void check_run(sm_pool *pool, tally *t, int count, int grain)
{
    memset(t, 0, sizeof *t);
    t->count = count;
    t->threads = pool == NULL ? 1 : sm_pool_threads(pool);
    atomic_store(&t->smallest, MOST);
    sm_pool_run(pool, count_items, t, count, grain);
    assert_int_equal(atomic_load(&t->bad), 0);
    for (int i = 0; i < MOST; i++) assert_int_equal(atomic_load(&t->runs[i]), i < count);
    assert_true(atomic_load(&t->smallest) >= grain);
}

static void every_item_once(void **state)
{
    (void)state;
    static tally t;
    const int counts[] = {0, 1, 2, 7, 100, 4999};
    for (int threads = 0; threads <= 7; threads++) {
        sm_pool *pool = NULL;
        assert_int_equal(sm_pool_new(&pool, threads, NULL), SMITIN_OK);
        if (threads > 0) assert_int_equal(sm_pool_threads(pool), threads);
        assert_true(sm_pool_threads(pool) >= 1);
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            for (int grain = -1; grain <= 64; grain = grain * 2 + 3)
                check_run(pool, &t, counts[c], grain);
        }
        sm_pool_free(pool);
    }
    check_run(NULL, &t, 100, 1);
    sm_pool_free(NULL);
}

/* Thousands of jobs in a row, with pauses now and then so that the workers fall asleep in between.
 */
static void many_jobs(void **state)
{
    (void)state;
    static tally t;
    sm_pool *pool = NULL;
    assert_int_equal(sm_pool_new(&pool, 3, NULL), SMITIN_OK);
    for (int job = 0; job < 3000; job++) {
        check_run(pool, &t, job % 40, 1);
        if (job % 500 == 0) nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    sm_pool_free(pool);
}

static void *another_caller(void *argument)
{
    tally *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    for (int job = 0; job < 300; job++) check_run(argument, t, 200, 1);
    free(t);
    return argument;
}

static void callers_may_collide(void **state)
{
    (void)state;
    sm_pool *pool = NULL;
    assert_int_equal(sm_pool_new(&pool, 3, NULL), SMITIN_OK);
    pthread_t callers[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, another_caller, pool), 0);
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(callers[i], &result), 0);
        assert_ptr_equal(result, pool);
    }
    sm_pool_free(pool);
}

typedef struct nest {
    sm_pool *pool;
    tally inner;
    atomic_int outer;
} nest;

static void run_inside(void *context, int worker, int first, int last)
{
    (void)worker;
    nest *n = context;
    atomic_fetch_add(&n->outer, last - first);
    sm_pool_run(n->pool, count_items, &n->inner, 10, 1);
}

/* A task that runs the pool finds it busy and does the work itself. */
static void nesting_does_not_lock_up(void **state)
{
    (void)state;
    static nest n;
    assert_int_equal(sm_pool_new(&n.pool, 2, NULL), SMITIN_OK);
    n.inner.count = 10;
    n.inner.threads = 1;
    sm_pool_run(n.pool, run_inside, &n, 8, 1);
    assert_int_equal(atomic_load(&n.outer), 8);
    assert_int_equal(atomic_load(&n.inner.bad), 0);
    for (int i = 0; i < 10; i++) assert_int_equal(atomic_load(&n.inner.runs[i]), 8);
    sm_pool_free(n.pool);
}

static void bad_counts_are_refused(void **state)
{
    (void)state;
    sm_pool *pool = NULL;
    smitin_error error;
    ASSERT_FAILS(sm_pool_new(&pool, -1, &error), SMITIN_ERROR_ARGUMENT, "-1 threads");
    assert_null(pool);
    ASSERT_FAILS(sm_pool_new(&pool, 100000, &error), SMITIN_ERROR_ARGUMENT, "0 (all cores) to 256");
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_once),        cmocka_unit_test(many_jobs),
        cmocka_unit_test(callers_may_collide),    cmocka_unit_test(nesting_does_not_lock_up),
        cmocka_unit_test(bad_counts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
