/* SPDX-License-Identifier: MIT */
/* A MusicGen directory's configuration: config.json and generation_config.json, checked and
 * bounded. */
#ifndef SMITIN_FORMAT_CONFIG_H
#define SMITIN_FORMAT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include "../base/error.h"
#include "../base/filemap.h"

#define SM_MAX_CODEBOOKS 8
#define SM_MAX_RATIOS    8
#define SM_MAX_CHANNELS  2

typedef struct sm_text_config {
    int hidden;    /* d_model */
    int head_size; /* d_kv */
    int ffn;       /* d_ff */
    int layers, heads, vocab;
    int buckets; /* relative_attention_num_buckets */
    int max_distance;
    float eps; /* layer_norm_epsilon */
} sm_text_config;

typedef struct sm_lm_config {
    int hidden, layers, heads, ffn;
    int codebooks; /* K, of all channels together */
    int channels;  /* audio channels: 1, or 2 = stereo, whose codebooks are interleaved */
    int vocab;     /* V; the special (start = pad) token is V */
    int max_positions;
    /* A melody model has no cross-attention: so many chroma frames, then the text, stand in front
     * of the columns. 0: a text model. */
    int chroma_length;
} sm_lm_config;

#define SM_CHROMA 12 /* pitch classes */

/* How a melody is heard. */
typedef struct sm_chroma_config {
    int rate;        /* Hz */
    int window, hop; /* samples of a spectrum, even; from one to the next */
    size_t longest;  /* samples that are heard of a tune */
} sm_chroma_config;

typedef struct sm_codec_config {
    int sample_rate;
    int channels;                            /* audio channels of the codec: 1, in stereo too */
    int filters;                             /* num_filters */
    int hidden;                              /* size of the latent frame = codebook_dim */
    int ratios[SM_MAX_RATIOS], ratios_count; /* upsampling_ratios, in the decoder's order */
    int hop;                                 /* product of the ratios */
    int codebooks, codebook_size;            /* of one channel */
    int kernel, last_kernel, residual_kernel, residual_layers, dilation_growth;
    int compress, lstm_layers;
    bool causal, conv_shortcut, reflect; /* reflect false = zero padding */
} sm_codec_config;

typedef struct sm_model_config {
    sm_text_config text;
    sm_lm_config lm;
    sm_codec_config codec;
    sm_chroma_config chroma; /* of a melody model */
    double guidance;         /* of generation_config.json; 3 when absent */
    int max_frames;          /* longest piece that the decoder has positions for */
} sm_model_config;

/* The texts that a configuration is read from; NULL: there is none. */
typedef struct sm_config_texts {
    const char *model;      /* config.json */
    const char *generation; /* generation_config.json */
    const char *chroma;     /* preprocessor_config.json */
    size_t model_size, generation_size, chroma_size;
} sm_config_texts;

/* The files of a directory that hold them. */
typedef struct sm_config_files {
    sm_config_texts texts;
    sm_filemap maps[3];
} sm_config_files;

/* Map DIR/config.json, which must be there, and the others, which may be missing. */
smitin_status sm_config_open(sm_config_files *files, const char *directory, smitin_error *error);
void sm_config_close(sm_config_files *files); /* safe on a zeroed struct and twice */

/* The configuration that the texts describe; only a melody model's preprocessor_config.json is
 * looked at. Unknown keys are ignored; a missing or silly value of a used key is
 * SMITIN_ERROR_MODEL with the key's name. */
smitin_status sm_config_parse_texts(sm_model_config *config, const sm_config_texts *texts,
                                    smitin_error *error);
/* Both at once. */
smitin_status sm_config_read(sm_model_config *config, const char *directory, smitin_error *error);
/* From the text of config.json and, when not NULL, of generation_config.json. */
smitin_status sm_config_parse(sm_model_config *config, const char *json, size_t size,
                              const char *generation_json, size_t generation_size,
                              smitin_error *error);
/* Take the chroma settings from the text of preprocessor_config.json. */
smitin_status sm_config_parse_chroma(sm_model_config *config, const char *json, size_t size,
                                     smitin_error *error);
/* The configuration of a published model: "musicgen-small", "musicgen-medium", "musicgen-large". */
smitin_status sm_config_shape(sm_model_config *config, const char *name, smitin_error *error);

#endif
