/* SPDX-License-Identifier: MIT */
/* The decoder's weights: names, shapes, binding, and the projection of head directions. */
#include "lm.h"

#include <math.h>

#include "model.h"

static const float *vector(sm_binder *binder, const char *module, int layer, const char *name,
                           int n)
{
    const int64_t shape[1] = {n};
    if (layer < 0) return sm_bind(binder, 1, shape, "%s.%s", module, name);
    return sm_bind(binder, 1, shape, "%s.%d.%s", module, layer, name);
}

static const float *matrix(sm_binder *binder, const char *module, int layer, const char *name,
                           int rows, int columns)
{
    const int64_t shape[2] = {rows, columns};
    if (layer < 0) return sm_bind(binder, 2, shape, "%s.%s", module, name);
    return sm_bind(binder, 2, shape, "%s.%d.%s", module, layer, name);
}

#define LAYERS "decoder.model.decoder.layers"

static void bind_layer(sm_lm_layer *layer, sm_binder *binder, int i, const sm_lm_config *config)
{
    const int d = config->hidden, ffn = config->ffn;
    layer->self.norm = vector(binder, LAYERS, i, "self_attn_layer_norm.weight", d);
    layer->self.norm_bias = vector(binder, LAYERS, i, "self_attn_layer_norm.bias", d);
    layer->self.q = matrix(binder, LAYERS, i, "self_attn.q_proj.weight", d, d);
    layer->self.k = matrix(binder, LAYERS, i, "self_attn.k_proj.weight", d, d);
    layer->self.v = matrix(binder, LAYERS, i, "self_attn.v_proj.weight", d, d);
    layer->self.out = matrix(binder, LAYERS, i, "self_attn.out_proj.weight", d, d);
    layer->cross.norm = vector(binder, LAYERS, i, "encoder_attn_layer_norm.weight", d);
    layer->cross.norm_bias = vector(binder, LAYERS, i, "encoder_attn_layer_norm.bias", d);
    layer->cross.q = matrix(binder, LAYERS, i, "encoder_attn.q_proj.weight", d, d);
    layer->cross.k = matrix(binder, LAYERS, i, "encoder_attn.k_proj.weight", d, d);
    layer->cross.v = matrix(binder, LAYERS, i, "encoder_attn.v_proj.weight", d, d);
    layer->cross.out = matrix(binder, LAYERS, i, "encoder_attn.out_proj.weight", d, d);
    layer->norm = vector(binder, LAYERS, i, "final_layer_norm.weight", d);
    layer->norm_bias = vector(binder, LAYERS, i, "final_layer_norm.bias", d);
    layer->fc1 = matrix(binder, LAYERS, i, "fc1.weight", ffn, d);
    layer->fc2 = matrix(binder, LAYERS, i, "fc2.weight", d, ffn);
}

/* f_i = exp(-i ln(10000) / (half - 1)), half = d / 2. */
static const double *frequencies(sm_arena *arena, int half)
{
    double *f = SM_TAKE(arena, half, double);
    if (f == NULL) return NULL;
    for (int i = 0; i < half; i++) f[i] = exp(-i * log(10000.0) / (half - 1));
    return f;
}

static void bind_tables(sm_lm *lm, sm_binder *binder)
{
    const sm_lm_config *config = &lm->config;
    const int d = config->hidden;
    for (int k = 0; k < config->codebooks; k++) {
        lm->embed[k] =
            matrix(binder, "decoder.model.decoder.embed_tokens", k, "weight", config->vocab + 1, d);
        lm->heads[k] = matrix(binder, "decoder.lm_heads", k, "weight", config->vocab, d);
    }
    lm->norm = vector(binder, "decoder.model.decoder.layer_norm", -1, "weight", d);
    lm->norm_bias = vector(binder, "decoder.model.decoder.layer_norm", -1, "bias", d);
    /* The reference makes this layer only where the widths differ. */
    if (lm->text_hidden != d || sm_binder_has(binder, "enc_to_dec_proj.weight")) {
        lm->project = matrix(binder, "enc_to_dec_proj", -1, "weight", d, lm->text_hidden);
        lm->project_bias = vector(binder, "enc_to_dec_proj", -1, "bias", d);
    }
}

smitin_status sm_lm_new(sm_lm **out, const sm_lm_config *config, int text_hidden, sm_binder *binder,
                        smitin_error *error)
{
    *out = NULL;
    if (config->heads <= 0 || config->hidden % config->heads != 0 || config->hidden % 2 != 0 ||
        config->hidden < 4 || config->codebooks > SM_MAX_CODEBOOKS || config->channels < 1 ||
        config->codebooks % config->channels != 0) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "the decoder's hidden_size %d must be even, at least 4 and a multiple of "
                       "num_attention_heads %d, with at most %d codebooks (here %d, of %d "
                       "channels); check the \"decoder\" "
                       "section of config.json",
                       config->hidden, config->heads, SM_MAX_CODEBOOKS, config->codebooks,
                       config->channels);
    }
    sm_lm *lm = SM_TAKE(binder->arena, 1, sm_lm);
    sm_lm_layer *layers = SM_TAKE(binder->arena, config->layers, sm_lm_layer);
    const double *f = frequencies(binder->arena, config->hidden / 2);
    if (lm == NULL || layers == NULL || f == NULL) {
        return sm_fail_memory(error, "the decoder's tables",
                              (size_t)config->layers * sizeof *layers);
    }
    lm->config = *config;
    lm->head_size = config->hidden / config->heads;
    lm->text_hidden = text_hidden;
    lm->frequencies = f;
    lm->layers = layers;
    bind_tables(lm, binder);
    for (int i = 0; i < config->layers; i++) bind_layer(&layers[i], binder, i, config);
    *out = lm;
    return SMITIN_OK;
}

const sm_lm_config *sm_lm_get_config(const sm_lm *lm)
{
    return &lm->config;
}

void sm_lm_project_heads(const sm_lm *lm, const sm_kernels *kernels, int layer, const float *v,
                         float *displacement)
{
    const int d = lm->config.hidden;
    kernels->matmul(displacement, (size_t)d, v, (size_t)d, lm->layers[layer].self.out, NULL, 1, d,
                    0, d);
}
