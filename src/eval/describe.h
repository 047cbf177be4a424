/* SPDX-License-Identifier: MIT */
/* What can be said of one piece, and of a piece beside the clip it goes on from: one struct each
 * for tables, experiments and reports. */
#ifndef SMITIN_EVAL_DESCRIBE_H
#define SMITIN_EVAL_DESCRIBE_H

#include "music.h"
#include "recogniser.h"

typedef struct sm_description {
    double seconds;
    double lufs;    /* -HUGE_VAL for silence or less than 0.4 s */
    double peak_db; /* largest sample in dBFS, of any channel; -HUGE_VAL for silence */
    sm_tempo tempo;
    sm_key key;
    /* By the recogniser, of windows of 2 s each second; windows 0: too short, or none was given. A
     * class is present in a window when its probability is above 0.5. */
    size_t windows;
    double presence[SM_RECOGNISER_CLASSES];    /* share of windows in which it is present */
    double probability[SM_RECOGNISER_CLASSES]; /* mean */
    /* Mean of the encoder's rows, [d]; NULL: too short, or no encoder. Owned. */
    float *embedding;
    int d;
} sm_description;

typedef struct sm_describe_options {
    sm_recogniser *recogniser; /* NULL: no presence */
    const sm_encoder *encoder; /* of the similarity; NULL: none */
    sm_key_profile profile;
    double skip; /* seconds at the beginning that are not looked at */
} sm_describe_options;

smitin_status sm_describe_file(sm_description *out, const char *path,
                               const sm_describe_options *options, smitin_error *error);
void sm_description_free(sm_description *description); /* safe on a zeroed struct */

/* A piece beside its prompt. */
typedef struct sm_agreement {
    double similarity; /* cosine of the two embeddings; NAN without */
    sm_tempo_relation tempo;
    double key;      /* sm_key_score of the piece's key against the prompt's; NAN for silence */
    double loudness; /* LU, of the piece less that of the prompt; NAN for silence */
} sm_agreement;
sm_agreement sm_description_agree(const sm_description *piece, const sm_description *prompt);

#endif
