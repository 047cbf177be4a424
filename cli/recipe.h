/* SPDX-License-Identifier: MIT */
/* The settings that a piece was made with, read back from its tags or from the JSON beside it: as
 * words of a command line, so that what may be given there and what may be read are one thing. */
#ifndef SMITIN_CLI_RECIPE_H
#define SMITIN_CLI_RECIPE_H

#include <jansson.h>

#include "options.h"

enum { RECIPE_WORDS = 128 };

/* The part of the clip's file that was used. */
typedef struct recipe_clip {
    bool known;
    double start, seconds; /* read from there on; seconds < 0: to the end */
    size_t samples;        /* used, at the model's rate */
} recipe_clip;

typedef struct recipe {
    json_t *root;
    char *words[RECIPE_WORDS]; /* words[0] is the command's name; owned */
    int count;
    recipe_clip clip;
} recipe;

/* Read an audio file's tags or a .json. Returns an exit code, having said what is wrong. */
int recipe_read(recipe *recipe, const char *path);
void recipe_free(recipe *recipe); /* safe on a zeroed struct */
/* The text of `key`, or "". */
const char *recipe_text(const recipe *recipe, const char *key);
/* What the recipe says about its knob number `index`; NULL when it has none. */
const json_t *recipe_knob(const recipe *recipe, int index);

/* SHA-256 in hexadecimal; "" when it cannot be had. */
void recipe_hash(const void *data, size_t size, char hex[65]);
void recipe_hash_file(const char *path, char hex[65]);

#endif
