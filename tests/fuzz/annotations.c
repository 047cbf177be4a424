/* SPDX-License-Identifier: MIT */
/* Fuzz target: the small texts inside annotations: keys, numbers, and lists of tags, whose items
 * together are no longer than the list. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/data/entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *out = malloc(size + 1);
    if (text == NULL || out == NULL) abort();
    if (size > 0) memcpy(text, data, size);
    text[size] = '\0';
    const int key = sm_key_parse(text);
    if (key < -1 || key >= SM_KEYS) abort();
    double value;
    if (sm_parse_number(text, &value) && !(value - value == 0.0)) abort();
    const char *at = text;
    char *item = out;
    int more;
    while ((more = sm_list_next(&at, item)) == 1) {
        item += strlen(item) + 1;
        if (item > out + size || at > text + size) abort();
    }
    if (more != 0 && more != -1) abort();
    free(text);
    free(out);
    return 0;
}
