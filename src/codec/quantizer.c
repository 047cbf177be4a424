/* SPDX-License-Identifier: MIT */
/* The residual quantizer: latent frames to codes and back. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "model.h"

#define FRAMES 16 /* of one item */

typedef struct quantize_job {
    const sm_codec *codec;
    const sm_kernels *kernels;
    const float *latents;
    size_t frames;
    int32_t *codes;
    float *scratch; /* [frames, hidden + size] */
} quantize_job;

static double distance(const float *r, const float *e, int n)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++) {
        double difference = (double)r[i] - (double)e[i];
        sum += difference * difference;
    }
    return sum;
}

/* The first of the nearest codes. |r - e|^2 = |r|^2 - 2 (r.e - |e|^2 / 2): the scores r.e - |e|^2 /
 * 2 in f32 leave a few candidates within their own rounding error; the exact distance decides
 * between them, so that the choice depends neither on the CPU level nor on luck. */
static int nearest(const sm_codebook *book, const float *r, const float *scores, int size,
                   int hidden)
{
    float best = -INFINITY;
    double norm = 0.0;
    for (int j = 0; j < size; j++) best = scores[j] > best ? scores[j] : best;
    for (int i = 0; i < hidden; i++) norm += (double)r[i] * (double)r[i];

    /* A sum of n products in any order is off by at most n eps sum |a b| <= n eps |r| |e|. */
    const double largest = (double)book->largest;
    const double bound = (hidden + 2) * 0x1p-23 * (sqrt(norm) * largest + largest * largest);
    int found = 0;
    double least = INFINITY;
    for (int j = 0; j < size; j++) {
        if (!((double)scores[j] >= (double)best - 2.0 * bound)) continue;
        double d = distance(r, book->embed + (size_t)j * (size_t)hidden, hidden);
        if (d < least) {
            least = d;
            found = j;
        }
    }
    return found;
}

/* Frames first..last-1 (in units of FRAMES) through all codebooks. */
static void quantize_task(void *context, int worker, int first, int last)
{
    const quantize_job *job = context;
    const sm_codec_config *config = &job->codec->config;
    const size_t hidden = (size_t)config->hidden, size = (size_t)config->codebook_size;
    (void)worker;
    for (size_t t0 = (size_t)first * FRAMES; t0 < (size_t)last * FRAMES && t0 < job->frames;
         t0 += FRAMES) {
        const size_t n = job->frames - t0 < FRAMES ? job->frames - t0 : FRAMES;
        float *residual = job->scratch + t0 * (hidden + size), *scores = residual + n * hidden;
        memcpy(residual, job->latents + t0 * hidden, n * hidden * sizeof *residual);
        for (int q = 0; q < config->codebooks; q++) {
            const sm_codebook *book = &job->codec->books[q];
            job->kernels->matmul(scores, size, residual, hidden, book->embed, book->half_norm,
                                 (int)n, config->hidden, 0, config->codebook_size);
            for (size_t i = 0; i < n; i++) {
                float *r = residual + i * hidden;
                int code =
                    nearest(book, r, scores + i * size, config->codebook_size, config->hidden);
                const float *e = book->embed + (size_t)code * hidden;
                for (size_t c = 0; c < hidden; c++) r[c] -= e[c];
                job->codes[(size_t)q * job->frames + t0 + i] = code;
            }
        }
    }
}

void sm_codec_quantize(const sm_codec *codec, const sm_kernels *kernels, sm_pool *pool,
                       const float *latents, size_t frames, int32_t *codes, float *scratch)
{
    quantize_job job = {codec, kernels, latents, frames, codes, scratch};
    sm_pool_run(pool, quantize_task, &job, (int)((frames + FRAMES - 1) / FRAMES), 1);
}

void sm_dequantize(const sm_codec *codec, const int32_t *codes, size_t stride, sm_range range,
                   float *latents)
{
    const size_t hidden = (size_t)codec->config.hidden;
    for (ptrdiff_t t = range.lo; t < range.hi; t++, latents += hidden) {
        memset(latents, 0, hidden * sizeof *latents);
        for (int q = 0; q < codec->config.codebooks; q++) {
            const int32_t code = codes[(size_t)q * stride + (size_t)t];
            assert(code >= 0 && code < codec->config.codebook_size);
            const float *e = codec->books[q].embed + (size_t)code * hidden;
            for (size_t i = 0; i < hidden; i++) latents[i] += e[i];
        }
    }
}
