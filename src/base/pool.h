/* SPDX-License-Identifier: MIT */
/* A small thread pool. The caller is worker 0; the others wait with a bounded spin, then sleep.
 *
 * Results never depend on the number of workers: work is cut into chunks by the caller, and each
 * chunk computes its outputs in the same order whoever runs it. */
#ifndef SMITIN_BASE_POOL_H
#define SMITIN_BASE_POOL_H

#include "error.h"

typedef struct sm_pool sm_pool;

/* `first` inclusive to `last` exclusive items of the range given to sm_pool_run. */
typedef void (*sm_pool_task)(void *context, int worker, int first, int last);

/* `threads` >= 1, the caller included; 0 = the number of usable cores. */
smitin_status sm_pool_new(sm_pool **pool, int threads, smitin_error *error);
void sm_pool_free(sm_pool *pool); /* NULL is allowed */
int sm_pool_threads(const sm_pool *pool);

/* Run `task` over items 0..count-1 in chunks of at least `grain` items; returns when all are done.
 * Any thread may call; while another caller holds the workers, the work runs on the caller alone,
 * as it does with pool NULL, one thread, or count <= grain. Does not allocate. */
void sm_pool_run(sm_pool *pool, sm_pool_task task, void *context, int count, int grain);

#endif
