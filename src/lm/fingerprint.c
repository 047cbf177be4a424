/* SPDX-License-Identifier: MIT */
/* The fingerprint of a decoder: what ties a knob to the model it was made for. */
#include <openssl/evp.h>

#include "../format/safetensors.h"
#include "../kernels/quant.h"
#include "model.h"

#define CHUNK 4096 /* weights hashed at a time */

typedef struct hasher {
    EVP_MD_CTX *context;
    int ok;
} hasher;

static void add(hasher *hash, const void *data, size_t bytes)
{
    if (hash->ok) hash->ok = EVP_DigestUpdate(hash->context, data, bytes);
}

static void add_u32(hasher *hash, uint32_t value)
{
    const unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                                    (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    add(hash, bytes, sizeof bytes);
}

/* One tensor: rows, columns, then its values as little-endian f16. */
static void add_tensor(hasher *hash, const float *w, int rows, int columns)
{
    unsigned char halves[2 * CHUNK];
    add_u32(hash, (uint32_t)rows);
    add_u32(hash, (uint32_t)columns);
    const size_t count = (size_t)rows * (size_t)columns;
    for (size_t i = 0; i < count; i += CHUNK) {
        size_t n = count - i < CHUNK ? count - i : CHUNK;
        for (size_t j = 0; j < n; j++) {
            uint16_t half = sm_f16_from_f32(w[i + j]);
            halves[2 * j] = (unsigned char)half;
            halves[2 * j + 1] = (unsigned char)(half >> 8);
        }
        add(hash, halves, 2 * n);
    }
}

static void add_attention(hasher *hash, const sm_attention_weights *attention, int d)
{
    add_tensor(hash, attention->norm, 1, d);
    add_tensor(hash, attention->norm_bias, 1, d);
    add_tensor(hash, attention->q, d, d);
    add_tensor(hash, attention->k, d, d);
    add_tensor(hash, attention->v, d, d);
    add_tensor(hash, attention->out, d, d);
}

static void add_model(hasher *hash, const sm_lm *lm)
{
    const sm_lm_config *config = &lm->config;
    const int d = config->hidden;
    add(hash, "smitin-lm-1", 11);
    add_u32(hash, (uint32_t)config->layers);
    add_u32(hash, (uint32_t)config->heads);
    add_u32(hash, (uint32_t)config->codebooks);
    for (int k = 0; k < config->codebooks; k++)
        add_tensor(hash, lm->embed[k], config->vocab + 1, d);
    for (int i = 0; i < config->layers; i++) {
        const sm_lm_layer *layer = &lm->layers[i];
        add_attention(hash, &layer->self, d);
        add_attention(hash, &layer->cross, d);
        add_tensor(hash, layer->norm, 1, d);
        add_tensor(hash, layer->norm_bias, 1, d);
        add_tensor(hash, layer->fc1, config->ffn, d);
        add_tensor(hash, layer->fc2, d, config->ffn);
    }
    add_tensor(hash, lm->norm, 1, d);
    add_tensor(hash, lm->norm_bias, 1, d);
    for (int k = 0; k < config->codebooks; k++) add_tensor(hash, lm->heads[k], config->vocab, d);
    if (lm->project != NULL) {
        add_tensor(hash, lm->project, d, lm->text_hidden);
        add_tensor(hash, lm->project_bias, 1, d);
    }
}

smitin_status sm_lm_fingerprint(const sm_lm *lm, char hex[65], smitin_error *error)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    hasher hash = {.context = EVP_MD_CTX_new()};
    if (hash.context == NULL) return sm_fail_memory(error, "the fingerprint", 0);
    hash.ok = EVP_DigestInit_ex(hash.context, EVP_sha256(), NULL);
    add_model(&hash, lm);
    if (hash.ok) hash.ok = EVP_DigestFinal_ex(hash.context, digest, NULL);
    EVP_MD_CTX_free(hash.context);
    if (!hash.ok) {
        return sm_fail(
            error, SMITIN_ERROR_STATE,
            "SHA-256 failed inside libcrypto while hashing the decoder's weights; check that this "
            "libcrypto offers SHA-256");
    }
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
    return SMITIN_OK;
}
