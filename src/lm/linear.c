/* SPDX-License-Identifier: MIT */
/* Matrix products and norms over the pool. Owns the cut into tiles: few rows are split over
 * outputs, so that every weight is read once by one thread; many rows are split over rows too. */
#include "linear.h"

#define ROW_TILE     64 /* rows of one tile when there are many */
#define OUTPUTS_FEW  16 /* outputs of one tile when there are few rows ... */
#define OUTPUTS_MANY 64 /* ... and when there are many */
#define WORTH_A_CHUNK                                                                              \
    65536 /* multiply-adds, some ten microseconds: less is not worth waking a thread for */

/* LayerNorm's epsilon: the framework's default, not in any config. */
static const float LN_EPS = 1e-5f;

int sm_grain(double cost)
{
    double items = WORTH_A_CHUNK / (cost < 1.0 ? 1.0 : cost);
    return items < 1.0 ? 1 : (int)items;
}

typedef struct linear_job {
    const sm_kernels *kernels;
    const sm_linear *linear;
    int tile, row_tiles; /* outputs of a tile; tiles along the rows */
} linear_job;

/* rows r0..r1-1, outputs n0..n1-1 */
static void block(const linear_job *job, int r0, int r1, int n0, int n1)
{
    const sm_linear *l = job->linear;
    float *y = l->y + (size_t)r0 * l->ldy;
    job->kernels->matmul(y, l->ldy, l->x + (size_t)r0 * l->ldx, l->ldx, l->w, l->bias, r1 - r0,
                         l->M, n0, n1);
    if (!l->gelu) return;
    for (int r = r0; r < r1; r++, y += l->ldy) job->kernels->gelu(y + n0, (size_t)(n1 - n0));
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static void linear_task(void *context, int worker, int first, int last)
{
    const linear_job *job = context;
    const sm_linear *l = job->linear;
    (void)worker;
    if (job->row_tiles == 1) { /* neighbouring output tiles are one product */
        block(job, 0, l->rows, first * job->tile, least(last * job->tile, l->N));
        return;
    }
    for (int item = first; item < last; item++) {
        int n0 = item / job->row_tiles * job->tile, r0 = item % job->row_tiles * ROW_TILE;
        block(job, r0, least(r0 + ROW_TILE, l->rows), n0, least(n0 + job->tile, l->N));
    }
}

void sm_linear_run(const sm_crew *crew, const sm_linear *linear)
{
    if (linear->rows <= 0) return;
    linear_job job = {.kernels = crew->kernels, .linear = linear};
    job.row_tiles = (linear->rows + ROW_TILE - 1) / ROW_TILE;
    job.tile = job.row_tiles > 1 ? OUTPUTS_MANY : OUTPUTS_FEW;
    int tiles = (linear->N + job.tile - 1) / job.tile * job.row_tiles;
    int rows = least(linear->rows, ROW_TILE);
    sm_pool_run(crew->pool, linear_task, &job, tiles,
                sm_grain((double)job.tile * linear->M * rows));
}

typedef struct norm_job {
    const sm_kernels *kernels;
    float *y;
    size_t ldy;
    const float *x;
    size_t ldx;
    const float *weight, *bias;
    int n;
} norm_job;

static void norm_task(void *context, int worker, int first, int last)
{
    const norm_job *job = context;
    (void)worker;
    for (int r = first; r < last; r++) {
        job->kernels->layer_norm(job->y + (size_t)r * job->ldy, job->x + (size_t)r * job->ldx,
                                 job->weight, job->bias, job->n, LN_EPS);
    }
}

void sm_norm_run(const sm_crew *crew, float *y, size_t ldy, const float *x, size_t ldx,
                 const float *weight, const float *bias, int rows, int n)
{
    norm_job job = {crew->kernels, y, ldy, x, ldx, weight, bias, n};
    sm_pool_run(crew->pool, norm_task, &job, rows, sm_grain(4.0 * n));
}
