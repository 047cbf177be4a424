/* SPDX-License-Identifier: MIT */
/* Owns the names of tensors in GGUF files, and adding such a file to a source. */
#include "gguf_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audiocraft.h"
#include "source_inside.h"

/* Beginnings, the longer ones first in both columns. */
static const char *const beginnings[][2] = {
    {"text_encoder.encoder.block.", "t5.blk."},
    {"text_encoder.", "t5."},
    {"audio_encoder.", "codec."},
    {"decoder.model.decoder.layers.", "lm.blk."},
    {"decoder.lm_heads.", "lm.heads."},
    {"decoder.model.decoder.", "lm."},
};
enum { BEGINNINGS = sizeof beginnings / sizeof *beginnings };

static bool turn(char *out, size_t size, const char *name, int from)
{
    const char *start = "";
    for (int i = 0; i < BEGINNINGS; i++) {
        const char *own = beginnings[i][from];
        if (strncmp(name, own, strlen(own)) != 0) continue;
        start = beginnings[i][1 - from];
        name += strlen(own);
        break;
    }
    const int length = snprintf(out, size, "%s%s", start, name);
    return length >= 0 && (size_t)length < size;
}

bool sm_gguf_shorten(char *out, size_t size, const char *name)
{
    return turn(out, size, name, 0);
}

bool sm_gguf_lengthen(char *out, size_t size, const char *name)
{
    return turn(out, size, name, 1);
}

smitin_status sm_source_take_gguf(sm_source *source, const char *path, smitin_error *error)
{
    char name[SM_NAME_SIZE];
    sm_container made = {.path = strdup(path)};
    if (made.path == NULL) return sm_fail_memory(error, "a file name", strlen(path));
    const smitin_status status = sm_gguf_open(&made.gguf, path, error);
    if (status != SMITIN_OK) {
        free(made.path);
        return status;
    }
    SM_TRY(sm_source_hold(source, made, error));
    for (size_t i = 0; i < sm_gguf_count(made.gguf); i++) {
        const sm_tensor *tensor = sm_gguf_at(made.gguf, i);
        /* 64 bytes and a longer beginning fit. */
        (void)sm_gguf_lengthen(name, sizeof name, tensor->name);
        SM_TRY(sm_source_add(source, tensor, name, error));
    }
    return SMITIN_OK;
}
