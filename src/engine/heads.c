/* SPDX-License-Identifier: MIT */
/* Reading the model: head outputs of clips, teacher-forced, for probing. A user of the tap. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

/* Rows of one pass, and columns of all its rows together: enough to share each weight among many
 * columns, few enough to stay in memory. */
enum { HEADS_ROWS = 8, HEADS_COLUMNS = 1600 };

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

typedef struct pass {
    sm_lm_state *state;
    int32_t *codes;  /* [K, P] */
    int32_t *cells;  /* [S, K] */
    int32_t *tokens; /* [rows, P + 1, K] */
    int rows, frames;
} pass;

static void pass_free(pass *p)
{
    sm_lm_state_free(p->state);
    free(p->codes);
    free(p->cells);
    free(p->tokens);
}

static smitin_status pass_new(pass *p, const smitin_engine *engine, int rows, int frames,
                              smitin_error *error)
{
    const size_t K = (size_t)engine->config.lm.codebooks;
    const bool melody = engine->config.lm.chroma_length > 0;
    memset(p, 0, sizeof *p);
    p->rows = rows;
    p->frames = frames;
    p->codes = malloc(K * (size_t)frames * sizeof(int32_t));
    const int columns = sm_delay_columns(frames, (int)K, engine->config.lm.channels);
    p->cells = malloc(K * (size_t)columns * sizeof(int32_t));
    p->tokens = malloc((size_t)rows * K * ((size_t)frames + 1) * sizeof(int32_t));
    if (p->codes == NULL || p->cells == NULL || p->tokens == NULL)
        return sm_fail_memory(error, "the codes of the clips",
                              (size_t)rows * K * (size_t)frames * sizeof(int32_t));
    const sm_lm_state_options options = {.rows = rows,
                                         .max_columns = frames + 1,
                                         .max_batch = frames + 1,
                                         .max_text = melody,
                                         .cache = engine->cache};
    SM_TRY(sm_lm_state_new(&p->state, engine->lm, &options, error));
    /* Neither a melody nor a text; kept when the state is reset. */
    for (int row = 0; row < rows && melody; row++)
        sm_lm_prefix(p->state, engine->kernels, engine->pool, row, NULL, NULL, 1);
    return SMITIN_OK;
}

/* Columns 0..P of clip `row`: the state in which a continuation of the clip would start. */
static smitin_status pass_load(pass *p, const smitin_engine *engine, int row, const float *samples,
                               size_t count, smitin_error *error)
{
    const size_t K = (size_t)engine->config.lm.codebooks;
    sm_delay grid;
    SM_TRY(sm_engine_encode_frames(engine, samples, count, p->codes, error));
    sm_delay_init(&grid, p->frames, (int)K, engine->config.lm.channels, engine->config.lm.vocab,
                  p->cells);
    sm_delay_prompt(&grid, p->codes, p->frames, p->frames);
    const size_t used = K * ((size_t)p->frames + 1);
    memcpy(p->tokens + (size_t)row * used, p->cells, used * sizeof(int32_t));
    return SMITIN_OK;
}

smitin_status smitin_engine_heads(const smitin_engine *engine, const float *clips, size_t N,
                                  size_t count, float *z, smitin_error *error)
{
    return smitin_engine_mean_heads(engine, clips, N, count, 1, z, error);
}

static smitin_status check_heads(const smitin_engine *engine, size_t frames, int columns,
                                 smitin_error *error)
{
    if (frames > (size_t)engine->config.max_frames)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "clips of %zu frames are longer than the model's %d; cut them", frames,
                       engine->config.max_frames);
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
    size_t most = HEADS_COLUMNS / (frames + 1);
    most = most < 1 ? 1 : most > HEADS_ROWS ? HEADS_ROWS : most;

    smitin_status status = SMITIN_OK;
    pass p = {0};
    for (size_t first = 0; first < N && status == SMITIN_OK; first += most) {
        const int rows = (int)(N - first < most ? N - first : most);
        if (rows != p.rows) {
            pass_free(&p);
            SM_TRY_OR(pass_new(&p, engine, rows, (int)frames, error), status, done);
        }
        for (int row = 0; row < rows; row++)
            SM_TRY_OR(
                pass_load(&p, engine, row, clips + (first + (size_t)row) * count, count, error),
                status, done);
        if (z != NULL) c.z = z + first * (size_t)lm->layers * c.layer_size;
        sm_lm_state_reset(p.state);
        sm_lm_forward(p.state, engine->kernels, engine->pool, p.tokens, (int)frames + 1, &tap,
                      z != NULL ? 1 : 0, NULL, NULL);
    }
done:
    pass_free(&p);
    return status;
}
