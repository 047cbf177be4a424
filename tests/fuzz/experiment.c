/* SPDX-License-Identifier: MIT */
/* Fuzz target: experiment files. What was accepted has names fit for folders and words in pairs or
 * alone, gives every piece its prompt, and is the same when it is written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/eval/experiment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const sm_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (words->items[i] == NULL) abort();
    if (words->count > 0 && strncmp(words->items[0], "--", 2) != 0) abort();
}

static void check_condition(const sm_experiment *e, const sm_condition *c)
{
    if (strlen(c->name) > 64 || strchr(c->name, '/') != NULL || c->name[0] == '.') abort();
    check_words(&c->words);
    const int pieces = e->pieces < 8 ? e->pieces : 8;
    for (int piece = 0; piece < pieces; piece++) {
        char *prompt = NULL;
        smitin_error error = {0};
        if (sm_experiment_prompt(e, c, piece, &prompt, &error) != SMITIN_OK) abort();
        if (prompt != NULL && c->prompt == NULL &&
            strcmp(prompt, sm_experiment_text(e, piece)) != 0)
            abort();
        free(prompt);
        if ((sm_experiment_clip(e, piece) == NULL) != (e->clips.count == 0)) abort();
    }
}

static void same_words(const sm_words *a, const sm_words *b)
{
    if (a->count != b->count) abort();
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0) abort();
}

static void check_again(const sm_experiment *e)
{
    smitin_error error = {0};
    sm_experiment again;
    char *text = NULL, *twice = NULL;
    if (sm_experiment_write(e, &text, &error) != SMITIN_OK) abort();
    if (sm_experiment_parse(&again, text, strlen(text), "again", &error) != SMITIN_OK) abort();
    if (again.count != e->count || again.seed != e->seed) abort();
    for (int c = 0; c < e->count; c++)
        same_words(&again.conditions[c].words, &e->conditions[c].words);
    same_words(&again.clips, &e->clips);
    if (sm_experiment_write(&again, &twice, &error) != SMITIN_OK || strcmp(text, twice) != 0)
        abort();
    sm_experiment_free(&again);
    free(text);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const files[] = {"x/1.wav", "x/2.wav", "x/3.wav"};
    smitin_error error = {0};
    sm_experiment e;
    if (sm_experiment_parse(&e, (const char *)data, size, "fuzz", &error) != SMITIN_OK) {
        if (e.arena != NULL || e.root != NULL || error.message[0] == '\0') abort();
        return 0;
    }
    if (e.count < 1 || e.count > SM_EXPERIMENT_CONDITIONS_MAX) abort();
    if (e.clips.count > 0 && sm_experiment_set_clips(&e, files, 3, &error) != SMITIN_OK) abort();
    if (sm_experiment_settle(&e, "fuzz", &error) == SMITIN_OK) {
        if (e.pieces < 1 || e.pieces > SM_EXPERIMENT_PIECES_MAX) abort();
        for (int c = 0; c < e.count; c++) check_condition(&e, &e.conditions[c]);
        check_words(&e.describe);
    }
    check_again(&e);
    sm_experiment_free(&e);
    return 0;
}
