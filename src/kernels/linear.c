/* SPDX-License-Identifier: MIT */
/* Linear layers and norms over the pool. Owns the cut into tiles: few rows are split over outputs,
 * so that every weight is read once by one thread; many rows are split over rows too. */
#include "linear.h"

#define MANY        128 /* rows and outputs of one tile when rows are many ... */
#define MANY_SMALL  64  /* ... and where that would leave threads without work */
#define OUTPUTS_FEW 16  /* outputs of one tile when rows are few: one tile of packed weights */
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
    const sm_crew *crew;
    const sm_linear *linear;
    int tile_rows, tile, row_tiles; /* rows and outputs of a tile; tiles along the rows */
    int tiles;
} linear_job;

/* Outputs n0..n1-1 of `rows` rows from r0 on. */
static void multiply(const sm_crew *crew, const sm_linear *l, int r0, int rows, int n0, int n1)
{
    const sm_kernels *k = crew->kernels;
    const sm_matrix *w = l->w;
    const sm_packed packed = sm_matrix_packed(w);
    const float *x = l->x + (size_t)r0 * l->ldx;
    const size_t block = (size_t)r0 * sm_blocks(w->M);
    float *y = l->y + (size_t)r0 * l->ldy;
    switch (w->format) {
    case SM_FORMAT_F32:
        k->matmul(y, l->ldy, x, l->ldx, w->values, l->bias, rows, w->M, n0, n1);
        break;
    case SM_FORMAT_F16:
        k->matmul_f16(y, l->ldy, x, l->ldx, w->values, l->bias, rows, w->M, n0, n1);
        break;
    case SM_FORMAT_BF16:
        k->matmul_bf16(y, l->ldy, x, l->ldx, w->values, l->bias, rows, w->M, n0, n1);
        break;
    case SM_FORMAT_Q8:
        k->matmul_q8(y, l->ldy, crew->blocks + block, &packed, l->bias, rows, n0, n1);
        break;
    case SM_FORMAT_Q4:
        k->matmul_q4(y, l->ldy, crew->blocks + block, &packed, l->bias, rows, n0, n1);
        break;
    }
}

/* Rows r0..r1-1, outputs n0..n1-1. */
static void block(const linear_job *job, int r0, int r1, int n0, int n1)
{
    const sm_linear *l = job->linear;
    multiply(job->crew, l, r0, r1 - r0, n0, n1);
    if (l->after == SM_PLAIN) return;
    for (int r = r0; r < r1; r++) {
        float *y = l->y + (size_t)r * l->ldy;
        if (l->after == SM_GELU) {
            job->crew->kernels->gelu(y + n0, (size_t)(n1 - n0));
        } else {
            for (int n = n0; n < n1; n++) y[n] = y[n] > 0.0f ? y[n] : 0.0f;
        }
    }
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static void linear_task(void *context, int worker, int first, int last)
{
    const linear_job *job = context;
    const sm_linear *l = job->linear;
    const int N = l->w->N;
    (void)worker;
    if (job->row_tiles == 1) { /* neighbouring output tiles are one product */
        block(job, 0, l->rows, first * job->tile, least(last * job->tile, N));
        return;
    }
    for (int item = first; item < last; item++) {
        int n0 = item / job->row_tiles * job->tile, r0 = item % job->row_tiles * job->tile_rows;
        block(job, r0, least(r0 + job->tile_rows, l->rows), n0, least(n0 + job->tile, N));
    }
}

static void quantise_task(void *context, int worker, int first, int last)
{
    const linear_job *job = context;
    const sm_linear *l = job->linear;
    (void)worker;
    job->crew->kernels->quantise(job->crew->blocks + (size_t)first * sm_blocks(l->w->M),
                                 l->x + (size_t)first * l->ldx, l->ldx, last - first, l->w->M);
}

static void cut(linear_job *job, int tile_rows)
{
    const sm_linear *l = job->linear;
    job->tile_rows = tile_rows;
    job->row_tiles = (l->rows + tile_rows - 1) / tile_rows;
    job->tile = job->row_tiles > 1 ? tile_rows : OUTPUTS_FEW;
    job->tiles = (l->w->N + job->tile - 1) / job->tile * job->row_tiles;
}

void sm_linear_run(const sm_crew *crew, const sm_linear *linear)
{
    const sm_matrix *w = linear->w;
    const int threads = crew->pool != NULL ? sm_pool_threads(crew->pool) : 1;
    if (linear->rows <= 0) return;
    linear_job job = {.crew = crew, .linear = linear};
    if (sm_format_packed(w->format))
        sm_pool_run(crew->pool, quantise_task, &job, linear->rows, sm_grain(4.0 * w->M));
    cut(&job, MANY);
    if (job.row_tiles > 1 && job.tiles < 4 * threads) cut(&job, MANY_SMALL);
    sm_pool_run(
        crew->pool, linear_task, &job, job.tiles,
        sm_grain((double)least(job.tile, w->N) * w->M * least(linear->rows, job.tile_rows)));
}

void sm_matrix_times(const sm_kernels *kernels, const sm_matrix *w, const float *x, float *y)
{
    enum { CHUNK = 512 };
    float row[CHUNK];
    if (!sm_format_packed(w->format)) {
        const sm_crew crew = {kernels, NULL, NULL};
        const sm_linear linear = {
            .y = y, .ldy = (size_t)w->N, .x = x, .ldx = (size_t)w->M, .w = w, .rows = 1};
        sm_linear_run(&crew, &linear);
        return;
    }
    for (int n = 0; n < w->N; n++) {
        y[n] = 0.0f;
        for (int m = 0; m < w->M; m += CHUNK) {
            const int count = least(CHUNK, w->M - m);
            sm_matrix_read(row, w, n, m, count);
            y[n] += kernels->dot(row, x + m, count);
        }
    }
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
