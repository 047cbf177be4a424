/* SPDX-License-Identifier: MIT */
/* Text to what a decoder is conditioned on: the tokenizer, then T5. */
#include <stdlib.h>

#include "engine.h"

smitin_status sm_engine_tokenize(const smitin_engine *engine, const char *text, int capacity,
                                 int32_t **ids, int *count, smitin_error *error)
{
    *ids = NULL;
    if (engine->tokenizer == NULL)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s has no spiece.model, so it takes no text prompt", engine->path);
    *ids = malloc(((size_t)capacity + 1) * sizeof(int32_t));
    if (*ids == NULL)
        return sm_fail_memory(error, "the text prompt", (size_t)capacity * sizeof(int32_t));
    const smitin_status status =
        sm_tokenizer_encode(engine->tokenizer, text, *ids, capacity, count, error);
    if (status == SMITIN_OK) return status;
    free(*ids);
    *ids = NULL;
    return status;
}

smitin_status sm_engine_read_text(const smitin_engine *engine, const int32_t *ids, int tokens,
                                  float *hidden, smitin_error *error)
{
    float *scratch = malloc((sm_t5_scratch(&engine->config.text, tokens) + 1) * sizeof(float));
    if (scratch == NULL) return sm_fail_memory(error, "the text encoder", 0);
    const smitin_status status = sm_t5_encode(engine->t5, engine->kernels, engine->pool, ids,
                                              tokens, hidden, scratch, error);
    free(scratch);
    return status;
}
