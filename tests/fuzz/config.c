/* SPDX-License-Identifier: MIT */
/* Fuzz target: config.json, behind a zero byte generation_config.json, and behind another one
 * preprocessor_config.json. What was accepted must be within the bounds that the other rooms rely
 * on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const sm_model_config *c)
{
    if (c->lm.heads < 1 || c->lm.hidden % c->lm.heads != 0 || c->lm.hidden > 16384) abort();
    if (c->lm.codebooks < 1 || c->lm.codebooks > SM_MAX_CODEBOOKS) abort();
    if (c->codec.codebooks * c->lm.channels != c->lm.codebooks ||
        c->codec.codebook_size != c->lm.vocab)
        abort();
    int hop = 1;
    if (c->codec.ratios_count < 1 || c->codec.ratios_count > SM_MAX_RATIOS) abort();
    for (int i = 0; i < c->codec.ratios_count; i++) hop *= c->codec.ratios[i];
    if (hop != c->codec.hop || hop < 1 || hop > 65536) abort();
    if (c->codec.compress < 1 || c->codec.filters % c->codec.compress != 0) abort();
    if (c->text.layers < 1 || c->text.buckets < 4 || !(c->text.eps > 0)) abort();
    if (c->max_frames < 1 || c->max_frames + c->codec.codebooks - 1 > c->lm.max_positions) abort();
    if (!(c->guidance >= 0 && c->guidance <= 100)) abort();
    if (c->lm.chroma_length == 0) return;
    if (c->lm.chroma_length < 0 || c->max_frames + c->lm.chroma_length > c->lm.max_positions)
        abort();
    if (c->chroma.rate != c->codec.sample_rate || c->chroma.longest < 1) abort();
    if (c->chroma.window < 16 || c->chroma.window % 2 != 0 || c->chroma.hop < 1) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t length = zero != NULL ? (size_t)(zero - data) : size;
    const char *generation = zero != NULL ? (const char *)zero + 1 : NULL;
    size_t rest = zero != NULL ? size - length - 1 : 0;
    const char *second = rest > 0 ? memchr(generation, 0, rest) : NULL;
    size_t second_length = second != NULL ? (size_t)(second - generation) : rest;
    smitin_error error = {0};
    sm_model_config config;
    smitin_status status =
        sm_config_parse(&config, (const char *)data, length, generation, second_length, &error);
    if (status == SMITIN_OK && second != NULL) {
        status = sm_config_parse_chroma(&config, second + 1, rest - second_length - 1, &error);
        check(&config); /* untouched when refused */
    }
    if (status == SMITIN_OK) {
        check(&config);
    } else if (error.message[0] == '\0') {
        abort();
    }
    return 0;
}
