/* SPDX-License-Identifier: MIT */
/* The thread pool.
 *
 * A job is a range of items in chunks. Every thread has a part of its own, chunks that are
 * neighbours, and begins there: so it reads memory straight on, and the same piece of it in every
 * job of the same kind. Who is done with his own part goes on with the others'. A chunk is claimed
 * by one compare-and-swap on the part's `ticket`, which holds the job's generation and the next
 * unclaimed item. The caller claims too and waits only for chunks already claimed: a worker that
 * sleeps late, or whose core another program has taken, costs nothing.
 *
 * Why a late worker cannot touch the wrong job: it reads the ticket, then the job's fields, then
 * swaps the ticket. The caller closes all tickets before it changes any field, so a swap succeeds
 * only when the fields belong to it. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_THREADS = 256,
    CHUNKS_PER_THREAD = 4, /* small enough that the slowest chunk is a small part of the job */
    SPINS =
        2000, /* about 50 to 100 microseconds, longer than the serial parts of a decoding step */
};

/* Ticket: generation in the high half, next unclaimed item in the low half. */
#define CLOSED UINT32_C(0xFFFFFFFF)

typedef struct part {
    alignas(64) _Atomic uint64_t ticket;
} part;

typedef struct worker {
    struct sm_pool *pool;
    pthread_t thread;
    int index; /* 1..threads-1 */
} worker;

struct sm_pool {
    alignas(64) _Atomic uint32_t generation; /* of the job; changes when there is a new one */
    _Atomic(sm_pool_task) task; /* the job; changed only while the tickets are closed */
    _Atomic(void *) context;
    atomic_int count, chunk;
    part parts[MAX_THREADS];          /* of each thread */
    alignas(64) atomic_int unclaimed; /* at least as many chunks as nobody has claimed */
    alignas(64) atomic_int done;      /* items of the job finished */
    alignas(64) atomic_int sleepers;  /* workers about to wait or waiting on `work` */
    atomic_bool caller_sleeps, stop;
    atomic_flag busy; /* held by the one caller that has the workers */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    int threads;
    worker workers[MAX_THREADS - 1];
};

static void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The item where a thread's part begins: chunks are dealt out evenly, whole ones. */
static uint32_t part_begin(const sm_pool *pool, int index, int count, int chunk)
{
    const int64_t chunks = (count + (int64_t)chunk - 1) / chunk;
    const int64_t begin = chunks * index / pool->threads * chunk;
    return (uint32_t)(begin < count ? begin : count);
}

/* So many items of the job's `count` have been run. */
static void finish(sm_pool *pool, int items, int count)
{
    if (atomic_fetch_add(&pool->done, items) + items == count &&
        atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->finished);
        pthread_mutex_unlock(&pool->lock);
    }
}

/* Claim and run chunks of the part of thread `owner` until none is left, as the thread `index`. */
static void work_on_part(sm_pool *pool, int index, int owner)
{
    _Atomic uint64_t *const at = &pool->parts[owner].ticket;
    uint64_t ticket = atomic_load(at);
    for (;;) {
        const uint32_t first = (uint32_t)ticket;
        if (first == CLOSED) return;
        const sm_pool_task task = atomic_load_explicit(&pool->task, memory_order_acquire);
        void *context = atomic_load_explicit(&pool->context, memory_order_acquire);
        const int count = atomic_load_explicit(&pool->count, memory_order_acquire);
        const int chunk = atomic_load_explicit(&pool->chunk, memory_order_acquire);
        const uint32_t end = part_begin(pool, owner + 1, count, chunk);
        if (first >= end) return;
        const uint32_t last = end - first < (uint32_t)chunk ? end : first + (uint32_t)chunk;
        const uint64_t next = (ticket & ~UINT64_C(0xFFFFFFFF)) | last;
        if (!atomic_compare_exchange_strong(at, &ticket, next)) continue;

        atomic_fetch_sub(&pool->unclaimed, 1);
        task(context, index, (int)first, (int)last);
        finish(pool, (int)(last - first), count);
        ticket = atomic_load(at);
    }
}

/* The own part, then those of the next threads. */
static void work_on(sm_pool *pool, int index)
{
    for (int i = 0; atomic_load(&pool->unclaimed) > 0 && i < pool->threads; i++)
        work_on_part(pool, index, (index + i) % pool->threads);
}

/* Wait for a generation other than `seen`: spin a little, then sleep. Returns the new one. */
static uint32_t await_work(sm_pool *pool, uint32_t seen)
{
    for (int spin = 0; spin < SPINS; spin++) {
        const uint32_t now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen || atomic_load_explicit(&pool->stop, memory_order_relaxed)) return now;
        spin_pause();
    }
    pthread_mutex_lock(&pool->lock);
    /* First counted, then looked: the caller publishes first and looks at the count then, so one of
     * us sees. */
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->generation) == seen && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->work, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
    return atomic_load(&pool->generation);
}

static void *worker_main(void *argument)
{
    const worker *self = argument;
    sm_pool *pool = self->pool;
    uint32_t seen = 0;
    while (!atomic_load(&pool->stop)) {
        seen = await_work(pool, seen);
        work_on(pool, self->index);
    }
    return NULL;
}

/* Until every item is finished; by then no worker holds a chunk. */
static void await_items(sm_pool *pool, int count)
{
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load(&pool->done) == count) return;
        spin_pause();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->done) != count) pthread_cond_wait(&pool->finished, &pool->lock);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->lock);
}

static void close_tickets(sm_pool *pool, uint32_t generation)
{
    for (int i = 0; i < pool->threads; i++)
        atomic_store(&pool->parts[i].ticket, (uint64_t)generation << 32 | CLOSED);
}

void sm_pool_run(sm_pool *pool, sm_pool_task task, void *context, int count, int grain)
{
    if (count <= 0) return;
    if (grain < 1) grain = 1;
    if (pool == NULL || pool->threads == 1 || count <= grain ||
        atomic_flag_test_and_set(&pool->busy)) {
        task(context, 0, 0, count);
        return;
    }
    const int parts = pool->threads * CHUNKS_PER_THREAD;
    const int even = count / parts + (count % parts != 0), chunk = even > grain ? even : grain;
    const uint32_t generation = atomic_load(&pool->generation) + 1;

    atomic_store_explicit(&pool->task, task, memory_order_release);
    atomic_store_explicit(&pool->context, context, memory_order_release);
    atomic_store_explicit(&pool->count, count, memory_order_release);
    atomic_store_explicit(&pool->chunk, chunk, memory_order_release);
    atomic_store_explicit(&pool->unclaimed, count / chunk + (count % chunk != 0),
                          memory_order_release);
    atomic_store_explicit(&pool->done, 0, memory_order_release);
    for (int i = 0; i < pool->threads; i++)
        atomic_store(&pool->parts[i].ticket,
                     (uint64_t)generation << 32 | part_begin(pool, i, count, chunk));
    atomic_store(&pool->generation, generation);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
    }
    work_on(pool, 0);
    await_items(pool, count);
    close_tickets(pool, generation);
    atomic_flag_clear(&pool->busy);
}

static int usable_cores(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)(online < MAX_THREADS ? online : MAX_THREADS) : 1;
}

/* Start worker `index`, with all signals left to the program's own threads. */
static int start_worker(sm_pool *pool, int index)
{
    worker *w = &pool->workers[index - 1];
    w->pool = pool;
    w->index = index;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

smitin_status sm_pool_new(sm_pool **pool, int threads, smitin_error *error)
{
    *pool = NULL;
    if (threads < 0 || threads > MAX_THREADS)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%d threads were asked for; give 0 (all cores) to %d", threads, MAX_THREADS);
    if (threads == 0) threads = usable_cores();
    if (threads > MAX_THREADS) threads = MAX_THREADS;

    sm_pool *p = aligned_alloc(alignof(sm_pool), sizeof *p);
    if (p == NULL) return sm_fail_memory(error, "the thread pool", sizeof *p);
    memset(p, 0, sizeof *p);
    for (int i = 0; i < threads; i++) atomic_init(&p->parts[i].ticket, CLOSED);
    atomic_flag_clear(&p->busy);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    p->threads = 1; /* counts the workers started, for sm_pool_free on failure */
    while (p->threads < threads) {
        const int failure = start_worker(p, p->threads);
        if (failure != 0) {
            const int started = p->threads;
            sm_pool_free(p);
            return sm_fail(error, SMITIN_ERROR_MEMORY,
                           "cannot start thread %d of %d: %s; ask for fewer threads", started + 1,
                           threads, strerror(failure));
        }
        p->threads++;
    }
    *pool = p;
    return SMITIN_OK;
}

void sm_pool_free(sm_pool *pool)
{
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i - 1].thread, NULL);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int sm_pool_threads(const sm_pool *pool)
{
    return pool->threads;
}
