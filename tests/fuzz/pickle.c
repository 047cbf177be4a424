/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a PyTorch file, and, behind a first byte 'P', of its pickle alone. What
 * was accepted must lie inside them or be a copy of what lies there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/format/pickle.h"
#include "../../src/format/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const sm_torch *file, const sm_tensor *tensor, size_t size)
{
    static volatile uint8_t sink;
    const size_t bytes = tensor->count * sm_dtype_size(tensor->dtype);
    if (bytes > size || tensor->dims < 0 || tensor->dims > SM_MAX_DIMS) abort();
    if (sm_torch_find(file, tensor->name) != tensor) abort();
    /* The sanitizers see whether every byte may be read. */
    for (size_t i = 0; i < bytes; i++) sink = ((const uint8_t *)tensor->data)[i];
    (void)sink;
}

static void run_archive(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_torch *file;
    if (sm_torch_parse(&file, data, size, "fuzz", &error) != SMITIN_OK) {
        if (file != NULL || error.message[0] == '\0') abort();
        return;
    }
    for (size_t i = 0; i < sm_torch_count(file); i++) {
        check_tensor(file, sm_torch_at(file, i), size);
    }
    sm_torch_text(file, "pretrained");
    sm_torch_close(file);
}

static void run_pickle(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_pickle *pickle;
    if (sm_pickle_parse(&pickle, data, size, "fuzz", &error) != SMITIN_OK) {
        if (pickle != NULL || error.message[0] == '\0') abort();
        return;
    }
    const sm_pickle_value *root = sm_pickle_root(pickle);
    if (root->kind == SM_PICKLE_DICT) {
        uint32_t count = 0;
        sm_pickle_walk walk = sm_pickle_begin(root);
        while (sm_pickle_next(pickle, &walk)) count += walk.key != NULL && walk.value != NULL;
        if (count != root->length) abort();
    }
    sm_pickle_free(pickle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'P' && (size == 1 || data[1] != 'K')) {
        run_pickle(data + 1, size - 1);
    } else {
        run_archive(data, size);
    }
    return 0;
}
