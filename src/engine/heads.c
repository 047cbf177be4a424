/* SPDX-License-Identifier: MIT */
/* Reading the model: head outputs of clips, teacher-forced, for probing. A user of the tap. */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

typedef struct capture {
    float *z;          /* [rows, L, H, D] */
    size_t layer_size; /* H * D */
    int layers;
    int columns; /* averaged, the last ones */
} capture;

static bool capture_wants(void *user, const sm_tap_site *site)
{
    (void)user;
    (void)site;
    return true;
}

static void capture_visit(void *user, const sm_tap_site *site, float *z)
{
    const capture *c = user;
    const size_t size = c->layer_size, last = (size_t)site->columns - 1;
    for (int row = 0; row < site->rows; row++) {
        const float *columns = z + (size_t)row * (size_t)site->columns * size;
        float *to = c->z + ((size_t)row * (size_t)c->layers + (size_t)site->layer) * size;
        memcpy(to, columns + last * size, size * sizeof(float));
        for (int n = 1; n < c->columns; n++)
            for (size_t i = 0; i < size; i++) to[i] += columns[(last - (size_t)n) * size + i];
        for (size_t i = 0; i < size && c->columns > 1; i++) to[i] /= (float)c->columns;
    }
}

smitin_status smitin_engine_heads(const smitin_engine *engine, const float *clips, size_t N,
                                  size_t count, float *z, smitin_error *error)
{
    return smitin_engine_mean_heads(engine, clips, N, count, 1, z, error);
}

static smitin_status check_heads(const smitin_engine *engine, size_t frames, int columns,
                                 smitin_error *error)
{
    SM_TRY(sm_pass_check(engine, frames, error));
    if (columns < 1 || (size_t)columns > frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "cannot average over the last %d steps of clips of %zu frames", columns,
                       frames);
    return SMITIN_OK;
}

smitin_status smitin_engine_mean_heads(const smitin_engine *engine, const float *clips, size_t N,
                                       size_t count, int columns, float *z, smitin_error *error)
{
    if (clips == NULL || N == 0 || count == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "reading heads needs at least one clip of one sample");
    const sm_lm_config *lm = &engine->config.lm;
    const size_t frames = sm_engine_count_frames(engine, count);
    SM_TRY(check_heads(engine, frames, columns, error));
    capture c = {
        .z = z, .layer_size = (size_t)lm->hidden, .layers = lm->layers, .columns = columns};
    const sm_tap tap = {.user = &c, .wants = capture_wants, .visit = capture_visit};
    /* Columns 0..P: the state in which a continuation of a clip would start. */
    const int columns_fed = (int)frames + 1;
    const size_t size = (size_t)lm->codebooks * frames;
    int32_t *codes = malloc(size * sizeof *codes);
    if (codes == NULL) return sm_fail_memory(error, "the codes of a clip", size * sizeof *codes);

    smitin_status status = SMITIN_OK;
    sm_pass p = {0};
    for (size_t first = 0; first < N && status == SMITIN_OK; first += (size_t)p.rows) {
        SM_TRY_OR(
            sm_pass_fit(&p, engine, N - first, (int)frames, columns_fed, &(sm_pass_text){0}, error),
            status, done);
        for (int row = 0; row < p.rows; row++) {
            const float *clip = clips + (first + (size_t)row) * count;
            SM_TRY_OR(sm_engine_encode_frames(engine, clip, count, codes, error), status, done);
            sm_pass_load(&p, row, codes);
        }
        if (z != NULL) c.z = z + first * (size_t)lm->layers * c.layer_size;
        sm_pass_run(&p, z != NULL ? &tap : NULL, NULL);
    }
done:
    sm_pass_free(&p);
    free(codes);
    return status;
}
