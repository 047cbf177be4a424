/* SPDX-License-Identifier: MIT */
/* The decoder's weights: names, shapes, binding, and the projection of head directions. */
#include "lm.h"

#include <math.h>
#include <stdio.h>

#include "model.h"

#define ROOT  "decoder.model.decoder."
#define LAYER ROOT "layers.%d."
#define SELF  LAYER "self_attn."
#define CROSS LAYER "encoder_attn."

static const float *vector(sm_binder *binder, const char *module, const char *name, int n)
{
    const int64_t shape[1] = {n};
    return sm_bind(binder, 1, shape, "%s.%s", module, name);
}

static void bind_norm(sm_norm *norm, sm_binder *binder, int d, const char *module)
{
    norm->weight = vector(binder, module, "weight", d);
    norm->bias = vector(binder, module, "bias", d);
}

static void bind_layer_norm(sm_norm *norm, sm_binder *binder, int d, int i, const char *name)
{
    char module[96];
    snprintf(module, sizeof module, LAYER "%s", i, name);
    bind_norm(norm, binder, d, module);
}

/* In the order of the fingerprint, as all that follows. */
static void bind_cross(sm_lm_layer *layer, sm_binder *binder, int i, int d)
{
    bind_layer_norm(&layer->cross_norm, binder, d, i, "encoder_attn_layer_norm");
    sm_bind_matrix(binder, &layer->cross_q, d, d, CROSS "q_proj.weight", i);
    sm_bind_matrix(binder, &layer->cross_kv, 2 * d, d, CROSS "k_proj.weight " CROSS "v_proj.weight",
                   i, i);
    sm_bind_matrix(binder, &layer->cross_out, d, d, CROSS "out_proj.weight", i);
}

static void bind_layer(sm_lm_layer *layer, sm_binder *binder, int i, const sm_lm_config *config)
{
    const int d = config->hidden, ffn = config->ffn;
    bind_layer_norm(&layer->self_norm, binder, d, i, "self_attn_layer_norm");
    sm_bind_matrix(binder, &layer->qkv, 3 * d, d,
                   SELF "q_proj.weight " SELF "k_proj.weight " SELF "v_proj.weight", i, i, i);
    sm_bind_matrix(binder, &layer->out, d, d, SELF "out_proj.weight", i);
    if (config->chroma_length == 0) bind_cross(layer, binder, i, d);
    bind_layer_norm(&layer->norm, binder, d, i, "final_layer_norm");
    sm_bind_matrix(binder, &layer->fc1, ffn, d, LAYER "fc1.weight", i);
    sm_bind_matrix(binder, &layer->fc2, d, ffn, LAYER "fc2.weight", i);
}

static void bind_heads(sm_lm *lm, sm_binder *binder)
{
    const int K = lm->config.codebooks;
    char names[SM_NAMES_SIZE];
    size_t used = 0;
    for (int k = 0; k < K; k++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "decoder.lm_heads.%d.weight ", k);
    sm_bind_matrix(binder, &lm->heads, K * lm->config.vocab, lm->config.hidden, "%s", names);
}

/* A melody is one class a frame, so its projection is a table of twelve rows: row c is column c of
 * the weight plus the bias. */
static void bind_chroma(sm_lm *lm, sm_binder *binder)
{
    const int64_t d = lm->config.hidden, shape[2] = {d, SM_CHROMA};
    const bool projected = d != SM_CHROMA || sm_binder_has(binder, "audio_enc_to_dec_proj.weight");
    const float *weight = NULL, *bias = NULL;
    if (projected) {
        weight = sm_bind(binder, 2, shape, "audio_enc_to_dec_proj.weight");
        bias = vector(binder, "audio_enc_to_dec_proj", "bias", (int)d);
    }
    for (int64_t c = 0; c < SM_CHROMA; c++) {
        for (int64_t i = 0; i < d; i++) {
            if (!projected)
                lm->chroma[c * d + i] = i == c ? 1.0f : 0.0f;
            else if (weight != NULL && bias != NULL)
                lm->chroma[c * d + i] = weight[i * SM_CHROMA + c] + bias[i];
        }
    }
}

static void bind_all(sm_lm *lm, sm_binder *binder)
{
    const sm_lm_config *config = &lm->config;
    const int d = config->hidden;
    for (int k = 0; k < config->codebooks; k++)
        sm_bind_table(binder, &lm->embed[k], config->vocab + 1, d, ROOT "embed_tokens.%d.weight",
                      k);
    for (int i = 0; i < config->layers; i++) bind_layer(&lm->layers[i], binder, i, config);
    bind_norm(&lm->norm, binder, d, ROOT "layer_norm");
    bind_heads(lm, binder);
    /* The reference makes this layer only where the widths differ. */
    if (lm->text_hidden != d || sm_binder_has(binder, "enc_to_dec_proj.weight")) {
        sm_bind_matrix(binder, &lm->project, d, lm->text_hidden, "enc_to_dec_proj.weight");
        lm->project_bias = vector(binder, "enc_to_dec_proj", "bias", d);
    }
    if (lm->chroma != NULL) bind_chroma(lm, binder);
    lm->packed = sm_format_packed(lm->heads.format);
}

/* f_i = exp(-i ln(10000) / (half - 1)), half = d / 2. */
static const double *frequencies(sm_arena *arena, int half)
{
    double *f = SM_TAKE(arena, half, double);
    if (f == NULL) return NULL;
    for (int i = 0; i < half; i++) f[i] = exp(-i * log(10000.0) / (half - 1));
    return f;
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
    if (config->chroma_length > 0) {
        lm->chroma = SM_TAKE(binder->arena, SM_CHROMA * (size_t)config->hidden, float);
        if (lm->chroma == NULL) return sm_fail_memory(error, "the decoder's tables", 0);
    }
    sm_fingerprint *fingerprint = NULL;
    if (binder->fingerprint == NULL) {
        fingerprint = sm_fingerprint_begin(config, binder, error);
        if (fingerprint == NULL) return SMITIN_ERROR_MEMORY;
    }
    bind_all(lm, binder);
    if (fingerprint != NULL)
        SM_TRY(sm_fingerprint_end(fingerprint, binder, lm->fingerprint, error));
    else
        snprintf(lm->fingerprint, sizeof lm->fingerprint, "%s", binder->fingerprint);
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
    sm_matrix_times(kernels, &lm->layers[layer].out, v, displacement);
}

const char *sm_lm_fingerprint(const sm_lm *lm)
{
    return lm->fingerprint;
}

size_t sm_lm_step_bytes(const sm_lm *lm)
{
    size_t bytes = sm_matrix_bytes(&lm->heads);
    for (int i = 0; i < lm->config.layers; i++) {
        const sm_lm_layer *w = &lm->layers[i];
        bytes += sm_matrix_bytes(&w->qkv) + sm_matrix_bytes(&w->out) +
                 sm_matrix_bytes(&w->cross_q) + sm_matrix_bytes(&w->cross_out) +
                 sm_matrix_bytes(&w->fc1) + sm_matrix_bytes(&w->fc2);
    }
    return bytes;
}
