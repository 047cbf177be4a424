/* SPDX-License-Identifier: MIT */
/* A model as it lies on the disk, whatever form it has: configuration, weights and vocabulary from
 * a directory, or all of them from one GGUF file.
 *
 * The GGUF form: general.architecture "musicgen"; tensors in gguf_names.h's names; a weight norm
 * folded into its weight; and the metadata below. Rows of linear layers that are not whole blocks
 * of 32 stand unquantised even in q8 and q4, so that loading makes the same numbers of them as from
 * the directory. */
#ifndef SMITIN_FORMAT_CHECKPOINT_H
#define SMITIN_FORMAT_CHECKPOINT_H

#include "../kernels/quant.h"
#include "card.h"
#include "config.h"
#include "source.h"

#define SM_KEY_ARCHITECTURE "general.architecture"       /* text: "musicgen" */
#define SM_KEY_NAME         "general.name"               /* text, may be missing */
#define SM_KEY_LICENCE      "general.license"            /* text, may be missing */
#define SM_KEY_VERSION      "smitin.version"             /* u32: SM_GGUF_FORM */
#define SM_KEY_FORMAT       "smitin.format"              /* text: sm_format_name of linear layers */
#define SM_KEY_FINGERPRINT  "smitin.fingerprint"         /* text: 64 hexadecimal digits */
#define SM_KEY_CONFIG       "smitin.config"              /* text: config.json */
#define SM_KEY_GENERATION   "smitin.generation_config"   /* text, may be missing */
#define SM_KEY_PREPROCESSOR "smitin.preprocessor_config" /* text, may be missing */
#define SM_KEY_VOCABULARY   "smitin.spiece_model"        /* bytes, may be missing */
#define SM_ARCHITECTURE     "musicgen"
#define SM_GGUF_FORM        1

typedef struct sm_checkpoint {
    sm_model_config config;
    sm_config_texts texts;
    sm_source *source;
    const unsigned char *vocabulary; /* spiece.model [vocabulary_size]; NULL: there is none */
    size_t vocabulary_size;
    char licence[SM_LICENCE_SIZE]; /* of the weights; "": not stated */
    /* Of a GGUF file only: */
    bool single;          /* it is one */
    sm_format format;     /* of its linear layers */
    char fingerprint[65]; /* of its decoder, before it was rounded */
    /* Inside. */
    sm_config_files files;
    sm_filemap vocabulary_map;
} sm_checkpoint;

/* Open the directory or file at `path`. Everything but the tensors' names and shapes, which follow
 * from the configuration and are checked by binding, is checked here. */
smitin_status sm_checkpoint_open(sm_checkpoint *checkpoint, const char *path, smitin_error *error);
void sm_checkpoint_close(sm_checkpoint *checkpoint); /* safe on a zeroed struct and twice */

#endif
