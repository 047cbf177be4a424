/* SPDX-License-Identifier: MIT */
/* An experiment as one readable file: what is played, under which conditions, how often. JSON:
 *
 *     {
 *       "about": "for people",
 *       "clips": "prompts/",              a file, a folder, or a list of them, to go on from
 *       "texts": ["slow jazz", "techno"], prompts in words
 *       "pieces": 8,                      of each condition [each clip with each text once]
 *       "seed": 1,                        of the first piece; each next one has the next [1]
 *       "settings": {"model": "mini", "seconds": 10, "input-seconds": 3},
 *       "conditions": [
 *         {"name": "free", "knob": "drums:0"},
 *         {"name": "smitin", "knob": ["drums:60%", "bass:40%"], "every": 5},
 *         {"name": "asked", "prompt": "{text}, add drums"}
 *       ],
 *       "traces": true,                   what the knobs heard and did, step by step [false]
 *       "describe": {"key-profile": "krumhansl"},
 *       "reference": "real/"              audio that the pieces' distance is measured to
 *     }
 *
 * Settings and conditions hold options of "smitin generate" by their long names; where both have
 * one the condition's counts. "describe" holds options of "smitin eval describe". This room reads
 * the shape; which options there are is the command line's to know, so they come out as words. */
#ifndef SMITIN_EVAL_EXPERIMENT_H
#define SMITIN_EVAL_EXPERIMENT_H

#include <stdbool.h>
#include "../base/arena.h"
#include "../base/error.h"

#define SM_EXPERIMENT_PIECES_MAX     100000 /* of a condition */
#define SM_EXPERIMENT_CONDITIONS_MAX 256
#define SM_EXPERIMENT_BYTES_MAX      ((size_t)16 << 20)
#define SM_EXPERIMENT_TEXT           "{text}" /* in a condition's prompt: the piece's own text */

/* Texts [count]. */
typedef struct sm_words {
    const char **items;
    size_t count;
} sm_words;

typedef struct sm_condition {
    const char *name;   /* of a folder: letters, digits, "-", "_" and ".", not first */
    const char *prompt; /* instead of the piece's own text; NULL: none */
    sm_words words;     /* "--knob", "drums:60%", ...: settings and its own, without the prompt */
} sm_condition;

typedef struct sm_experiment {
    sm_arena *arena; /* owns all below but `root` */
    void *root;      /* the JSON, owned */
    sm_words clips, texts;
    int pieces;  /* of each condition; 0: not given */
    double seed; /* whole, 0..2^53 */
    sm_condition *conditions;
    int count; /* of them, at least 1 */
    bool traces;
    sm_words describe;     /* words for "smitin eval describe" */
    const char *reference; /* NULL: none */
} sm_experiment;

/* SMITIN_ERROR_FORMAT says which line or key of `name` is wrong, and what it should be. On failure
 * the experiment is zeroed. */
smitin_status sm_experiment_parse(sm_experiment *experiment, const char *text, size_t size,
                                  const char *name, smitin_error *error);
smitin_status sm_experiment_read(sm_experiment *experiment, const char *path, smitin_error *error);
void sm_experiment_free(sm_experiment *experiment); /* safe on a zeroed struct */

/* Put the files that were found where `clips` names them, count >= 1; texts are copied. */
smitin_status sm_experiment_set_clips(sm_experiment *experiment, const char *const *files,
                                      size_t count, smitin_error *error);
/* Settle how many pieces there are when the file does not say. */
smitin_status sm_experiment_settle(sm_experiment *experiment, const char *name,
                                   smitin_error *error);

/* The clip and the text of a piece; NULL: none. Clips come in turn, and when all had theirs the
 * next text begins. */
const char *sm_experiment_clip(const sm_experiment *experiment, int piece);
const char *sm_experiment_text(const sm_experiment *experiment, int piece);
/* The prompt of a piece of a condition, to free(), in *prompt; NULL: none. */
smitin_status sm_experiment_prompt(const sm_experiment *experiment, const sm_condition *condition,
                                   int piece, char **prompt, smitin_error *error);

/* The file again, to free(): with the clips as they were set, always in the same form, and read
 * back as the same experiment. */
smitin_status sm_experiment_write(const sm_experiment *experiment, char **text,
                                  smitin_error *error);

#endif
