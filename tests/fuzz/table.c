/* SPDX-License-Identifier: MIT */
/* Fuzz target: the bytes of a CSV table. Cells of what was accepted are texts that lie in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/data/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smitin_error error = {0};
    sm_table table;
    if (sm_table_parse(&table, (const char *)data, size, "fuzz", &error) != SMITIN_OK) {
        if (table.text != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    if (table.columns < 1 || table.columns > SM_TABLE_COLUMNS_MAX) abort();
    size_t total = 0; /* fields take at least their own length and a separator in the file */
    for (size_t i = 0; i < table.columns; i++) total += strlen(table.header[i]) + 1;
    for (size_t i = 0; i < table.rows * table.columns; i++) total += strlen(table.cells[i]) + 1;
    if (total > size + 1) abort();
    for (size_t i = 1; i < table.rows; i++)
        if (table.lines[i] <= table.lines[i - 1]) abort();
    sm_table_free(&table);
    return 0;
}
