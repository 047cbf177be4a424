/* SPDX-License-Identifier: MIT */
/* The fingerprint of a decoder: what ties a knob to the model it was made for. Tensors are hashed
 * as they are bound, in the order of binding, which lm.h lays down. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "../kernels/quant.h"
#include "model.h"

#define CHUNK 4096 /* weights hashed at a time */

struct sm_fingerprint {
    EVP_MD_CTX *context;
    bool ok;
};

static void add(sm_fingerprint *hash, const void *data, size_t bytes)
{
    if (hash->ok) hash->ok = EVP_DigestUpdate(hash->context, data, bytes);
}

static void add_u32(sm_fingerprint *hash, uint32_t value)
{
    const unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                                    (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    add(hash, bytes, sizeof bytes);
}

/* Rows, columns, then the values as little-endian f16. */
static void add_tensor(void *watcher, const sm_tensor *tensor)
{
    sm_fingerprint *hash = watcher;
    float values[CHUNK];
    unsigned char halves[2 * CHUNK];
    add_u32(hash, tensor->dims == 1 ? 1 : (uint32_t)tensor->shape[0]);
    add_u32(hash, (uint32_t)tensor->shape[tensor->dims - 1]);
    if (tensor->dtype == SM_F16) { /* as they are */
        add(hash, tensor->data, 2 * tensor->count);
        return;
    }
    for (size_t i = 0; i < tensor->count; i += CHUNK) {
        const size_t n = tensor->count - i < CHUNK ? tensor->count - i : CHUNK;
        /* In range, and of a type that was bound. */
        (void)sm_tensor_to_f32(tensor, i, n, values, NULL);
        for (size_t j = 0; j < n; j++) {
            const uint16_t half = sm_f16_from_f32(values[j]);
            halves[2 * j] = (unsigned char)half;
            halves[2 * j + 1] = (unsigned char)(half >> 8);
        }
        add(hash, halves, 2 * n);
    }
}

sm_fingerprint *sm_fingerprint_begin(const sm_lm_config *config, sm_binder *binder,
                                     smitin_error *error)
{
    sm_fingerprint *hash = calloc(1, sizeof *hash);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (hash == NULL || context == NULL) {
        free(hash);
        EVP_MD_CTX_free(context);
        sm_fail_memory(error, "the fingerprint", sizeof *hash);
        return NULL;
    }
    hash->context = context;
    hash->ok = EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    add(hash, "smitin-lm-1", 11);
    add_u32(hash, (uint32_t)config->layers);
    add_u32(hash, (uint32_t)config->heads);
    add_u32(hash, (uint32_t)config->codebooks);
    binder->watch = add_tensor;
    binder->watcher = hash;
    return hash;
}

smitin_status sm_fingerprint_end(sm_fingerprint *hash, sm_binder *binder, char hex[65],
                                 smitin_error *error)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    binder->watch = NULL;
    binder->watcher = NULL;
    const bool ok = hash->ok && EVP_DigestFinal_ex(hash->context, digest, NULL);
    EVP_MD_CTX_free(hash->context);
    free(hash);
    if (!ok) {
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
