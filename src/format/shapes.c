/* SPDX-License-Identifier: MIT */
/* Owns the shapes of the published models, as far as speed and memory depend on them, and random
 * weights to fill them with: a way to measure without the gigabytes of a download. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "weights.h"

static const struct {
    const char *name;
    int hidden, layers, heads, ffn;
} shapes[] = {{"musicgen-small", 1024, 24, 16, 4096},
              {"musicgen-medium", 1536, 48, 24, 6144},
              {"musicgen-large", 2048, 48, 32, 8192}};

/* What they have in common, with the decoder's four numbers left open. */
static const char json[] =
    "{\"model_type\": \"musicgen\","
    " \"text_encoder\": {\"model_type\": \"t5\", \"d_model\": 768, \"d_kv\": 64, \"d_ff\": 3072,"
    " \"num_layers\": 12, \"num_heads\": 12, \"vocab_size\": 32128},"
    " \"audio_encoder\": {\"model_type\": \"encodec\", \"sampling_rate\": 32000,"
    " \"num_filters\": 64, \"hidden_size\": 128, \"codebook_size\": 2048,"
    " \"use_causal_conv\": false, \"use_conv_shortcut\": false,"
    " \"upsampling_ratios\": [8, 5, 4, 4], \"target_bandwidths\": [2.2]},"
    " \"decoder\": {\"model_type\": \"musicgen_decoder\", \"num_codebooks\": 4,"
    " \"vocab_size\": 2048, \"max_position_embeddings\": 2048, \"hidden_size\": %d,"
    " \"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"ffn_dim\": %d}}";

smitin_status sm_config_shape(sm_model_config *config, const char *name, smitin_error *error)
{
    char text[sizeof json + 64];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(name, shapes[i].name) != 0) continue;
        const int length = snprintf(text, sizeof text, json, shapes[i].hidden, shapes[i].layers,
                                    shapes[i].heads, shapes[i].ffn);
        return sm_config_parse(config, text, (size_t)length, NULL, 0, error);
    }
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "there is no shape \"%s\"; use musicgen-small, musicgen-medium or "
                   "musicgen-large",
                   name);
}

void sm_binder_init_random(sm_binder *binder, sm_arena *arena)
{
    memset(binder, 0, sizeof *binder);
    binder->random = true;
    binder->arena = arena;
}

/* FNV-1a */
uint64_t sm_random_seed(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *name != '\0'; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash;
}

/* splitmix64 of the place: uniform in -sqrt 3 size .. sqrt 3 size, which has the deviation `size`.
 */
void sm_random_weights(float *out, uint64_t seed, size_t first, size_t count, double size)
{
    const float scale = (float)(sqrt(3.0) * size) / 8388608.0f;
    for (size_t i = 0; i < count; i++) {
        uint64_t x = seed + (first + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
        out[i] = scale * ((float)(int32_t)(x >> 40) - 8388607.5f);
    }
}
