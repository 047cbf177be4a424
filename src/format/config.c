/* SPDX-License-Identifier: MIT */
/* Owns reading a MusicGen directory's configuration. Every number is bounded here, so that no other
 * room needs to wonder whether a size is sane, and settings this version cannot run are refused by
 * name. */
#include "config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One object of the file. The first problem stays in `status` and `error`; later reads do nothing.
 */
typedef struct section {
    const json_t *object;
    const char *name; /* with its dot: "decoder." */
    smitin_status status;
    smitin_error *error;
} section;

static const json_t *get(const section *s, const char *key)
{
    const json_t *value = json_object_get(s->object, key);
    return json_is_null(value) ? NULL : value;
}

static void refuse(section *s, const char *key, const char *why)
{
    if (s->status != SMITIN_OK) return;
    s->status = sm_fail(s->error, SMITIN_ERROR_MODEL, "config.json: '%s%s' %s", s->name, key, why);
}

/* A whole number in first..last. `fallback` < 0: the key must be there. */
static int get_int(section *s, const char *key, int first, int last, int fallback)
{
    if (s->status != SMITIN_OK) return first;
    const json_t *value = get(s, key);
    if (value == NULL && fallback >= 0) return fallback;
    if (value == NULL) {
        refuse(s, key, "is missing; use a model directory as transformers saves it");
        return first;
    }
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= first && number <= last) return (int)number;
    s->status = sm_fail(
        s->error, SMITIN_ERROR_MODEL,
        "config.json: '%s%s' must be a whole number from %d to %d; this model cannot be run",
        s->name, key, first, last);
    return first;
}

static double get_number(section *s, const char *key, double first, double last, double fallback)
{
    const json_t *value = get(s, key);
    if (value == NULL || s->status != SMITIN_OK) return fallback;
    double number = json_number_value(value);
    if (json_is_number(value) && number >= first && number <= last) return number;
    s->status =
        sm_fail(s->error, SMITIN_ERROR_MODEL,
                "config.json: '%s%s' must be a number from %g to %g; this model cannot be run",
                s->name, key, first, last);
    return fallback;
}

/* `fallback` is what transformers takes when the key is absent. */
static bool get_bool(section *s, const char *key, bool fallback)
{
    const json_t *value = get(s, key);
    if (value == NULL) return fallback;
    if (!json_is_boolean(value)) refuse(s, key, "must be true or false");
    return json_is_true(value);
}

/* A string setting of which this version knows one value. */
static void want_string(section *s, const char *key, const char *expected, bool required)
{
    const json_t *value = get(s, key);
    if (s->status != SMITIN_OK || (value == NULL && !required)) return;
    const char *text = json_string_value(value);
    if (text != NULL && strcmp(text, expected) == 0) return;
    s->status = sm_fail(s->error, SMITIN_ERROR_MODEL,
                        "config.json: '%s%s' is '%.60s'; this version runs '%s' only", s->name, key,
                        text != NULL ? text : "missing or not text", expected);
}

static void want_false(section *s, const char *key)
{
    if (get_bool(s, key, false)) refuse(s, key, "is true, which this version does not support");
}

static void want_absent(section *s, const char *key)
{
    if (get(s, key) != NULL) refuse(s, key, "is set, which this version does not support");
}

static smitin_status enter(section *s, const json_t *root, const char *key, const char *name,
                           smitin_error *error)
{
    *s = (section){json_object_get(root, key), name, SMITIN_OK, error};
    if (json_is_object(s->object)) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "config.json has no '%s' object; is this the directory of a MusicGen model?",
                   key);
}

static smitin_status parse_text(sm_text_config *text, const json_t *root, smitin_error *error)
{
    section s;
    SM_TRY(enter(&s, root, "text_encoder", "text_encoder.", error));
    want_string(&s, "model_type", "t5", true);
    want_string(&s, "feed_forward_proj", "relu", false);
    want_string(&s, "dense_act_fn", "relu", false);
    want_false(&s, "is_gated_act");
    text->hidden = get_int(&s, "d_model", 1, 16384, -1);
    text->head_size = get_int(&s, "d_kv", 1, 1024, -1);
    text->ffn = get_int(&s, "d_ff", 1, 65536, -1);
    text->layers = get_int(&s, "num_layers", 1, 256, -1);
    text->heads = get_int(&s, "num_heads", 1, 256, -1);
    text->vocab = get_int(&s, "vocab_size", 3, 1 << 20, -1);
    text->buckets = get_int(&s, "relative_attention_num_buckets", 4, 1024, 32);
    text->max_distance = get_int(&s, "relative_attention_max_distance", 2, 1 << 20, 128);
    text->eps = (float)get_number(&s, "layer_norm_epsilon", 1e-12, 1e-2, 1e-6);
    if (text->buckets % 4 != 0 || text->max_distance <= text->buckets / 4) {
        refuse(&s, "relative_attention_num_buckets",
               "must be a multiple of 4 and less than 4 times relative_attention_max_distance");
    }
    if (get_int(&s, "eos_token_id", 0, 1 << 20, 1) != 1) {
        refuse(&s, "eos_token_id", "is not 1, as T5 vocabularies have it");
    }
    return s.status;
}

static smitin_status parse_lm(sm_lm_config *lm, const json_t *root, bool melody,
                              smitin_error *error)
{
    section s;
    SM_TRY(enter(&s, root, "decoder", "decoder.", error));
    want_string(&s, "model_type", melody ? "musicgen_melody_decoder" : "musicgen_decoder", true);
    lm->channels = get_int(&s, "audio_channels", 1, SM_MAX_CHANNELS, 1);
    want_string(&s, "activation_function", "gelu", false);
    want_false(&s, "scale_embedding");
    want_false(&s, "tie_word_embeddings");
    want_absent(&s, "cross_attention_hidden_size");
    lm->hidden = get_int(&s, "hidden_size", 4, 16384, -1);
    lm->layers = get_int(&s, "num_hidden_layers", 1, 256, -1);
    lm->heads = get_int(&s, "num_attention_heads", 1, 256, -1);
    lm->ffn = get_int(&s, "ffn_dim", 1, 65536, -1);
    lm->codebooks = get_int(&s, "num_codebooks", 1, SM_MAX_CODEBOOKS, -1);
    lm->vocab = get_int(&s, "vocab_size", 2, 65536, -1);
    lm->max_positions = get_int(&s, "max_position_embeddings", 16, 1 << 20, -1);
    if (s.status == SMITIN_OK && lm->codebooks % lm->channels != 0) {
        refuse(&s, "num_codebooks", "is odd, but audio_channels is 2");
    }
    if (s.status == SMITIN_OK && lm->hidden % lm->heads != 0) {
        refuse(&s, "hidden_size", "is not a multiple of num_attention_heads");
    }
    /* Half of a position row is cosines, half is sines. */
    if (lm->hidden % 2 != 0) refuse(&s, "hidden_size", "is odd");
    if (get_int(&s, "pad_token_id", 0, 1 << 20, lm->vocab) != lm->vocab) {
        refuse(&s, "pad_token_id", "is not vocab_size, the special token of MusicGen");
    }
    return s.status;
}

/* upsampling_ratios and what follows from them. */
static void parse_ratios(section *s, sm_codec_config *codec)
{
    const json_t *ratios = get(s, "upsampling_ratios");
    size_t count = json_array_size(ratios);
    if (count < 1 || count > SM_MAX_RATIOS) {
        refuse(s, "upsampling_ratios", "must be a list of 1 to 8 numbers");
        return;
    }
    codec->ratios_count = (int)count;
    codec->hop = 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(ratios, i);
        json_int_t ratio = json_integer_value(item);
        if (!json_is_integer(item) || ratio < 1 || ratio > 64 || codec->hop * ratio > 65536) {
            refuse(s, "upsampling_ratios",
                   "must hold numbers from 1 to 64 with a product up to 65536");
            return;
        }
        codec->ratios[i] = (int)ratio;
        codec->hop *= (int)ratio;
    }
    if ((int64_t)codec->filters << codec->ratios_count > 16384) {
        refuse(s, "num_filters", "doubles beyond 16384 channels with these upsampling_ratios");
    }
}

static int ceil_log2(int n)
{
    int bits = 0;
    while ((1 << bits) < n) bits++;
    return bits;
}

/* num_quantizers = floor(1000 b / (frame_rate * ceil(log2 codebook_size))) with b the last
 * bandwidth, frame_rate = ceil(sample_rate / hop), as transformers counts them. */
static void parse_bandwidths(section *s, sm_codec_config *codec)
{
    const json_t *list = get(s, "target_bandwidths");
    size_t count = json_array_size(list);
    const json_t *last = json_array_get(list, count - 1);
    double bandwidth = json_number_value(last);
    if (s->status != SMITIN_OK) return;
    if (count < 1 || !json_is_number(last) || !(bandwidth > 0 && bandwidth <= 1e4)) {
        refuse(s, "target_bandwidths", "must be a list of numbers above 0 and up to 10000 kbit/s");
        return;
    }
    int frame_rate = (codec->sample_rate + codec->hop - 1) / codec->hop;
    double per_book = (double)frame_rate * ceil_log2(codec->codebook_size);
    /* Through the remainder, as Python's // does it: a quotient just below a whole number stays
     * below. */
    double rate = 1000 * bandwidth;
    double books = floor((rate - fmod(rate, per_book)) / per_book + 0.5);
    if (books < 1 || books > SM_MAX_CODEBOOKS) {
        refuse(s, "target_bandwidths", "does not give 1 to 8 codebooks at this frame rate");
        return;
    }
    codec->codebooks = (int)books;
}

static void parse_padding(section *s, sm_codec_config *codec)
{
    const json_t *value = get(s, "pad_mode");
    const char *mode = json_string_value(value);
    if (value == NULL) mode = "reflect";
    codec->reflect = mode != NULL && strcmp(mode, "reflect") == 0;
    if (codec->reflect || (mode != NULL && strcmp(mode, "constant") == 0)) return;
    refuse(s, "pad_mode", "must be 'reflect' or 'constant'");
}

static smitin_status parse_codec(sm_codec_config *codec, const json_t *root, smitin_error *error)
{
    section s;
    SM_TRY(enter(&s, root, "audio_encoder", "audio_encoder.", error));
    want_string(&s, "model_type", "encodec", true);
    want_string(&s, "norm_type", "weight_norm", false);
    want_false(&s, "normalize");
    want_absent(&s, "chunk_length_s");
    codec->channels = get_int(&s, "audio_channels", 1, 2, 1);
    if (codec->channels != 1) refuse(&s, "audio_channels", "is 2: a mono codec is needed");
    codec->sample_rate = get_int(&s, "sampling_rate", 1000, 192000, -1);
    codec->filters = get_int(&s, "num_filters", 1, 1024, -1);
    codec->hidden = get_int(&s, "hidden_size", 1, 8192, -1);
    if (get_int(&s, "codebook_dim", 1, 8192, codec->hidden) != codec->hidden) {
        refuse(&s, "codebook_dim", "differs from hidden_size");
    }
    codec->codebook_size = get_int(&s, "codebook_size", 2, 65536, -1);
    codec->kernel = get_int(&s, "kernel_size", 1, 63, 7);
    codec->last_kernel = get_int(&s, "last_kernel_size", 1, 63, 7);
    codec->residual_kernel = get_int(&s, "residual_kernel_size", 1, 63, 3);
    codec->residual_layers = get_int(&s, "num_residual_layers", 1, 8, 1);
    codec->dilation_growth = get_int(&s, "dilation_growth_rate", 1, 8, 2);
    codec->compress = get_int(&s, "compress", 1, 64, 2);
    codec->lstm_layers = get_int(&s, "num_lstm_layers", 0, 8, 2);
    codec->causal = get_bool(&s, "use_causal_conv", true);
    codec->conv_shortcut = get_bool(&s, "use_conv_shortcut", true);
    if (codec->causal && get_number(&s, "trim_right_ratio", 0, 1, 1) != 1) {
        refuse(&s, "trim_right_ratio", "is not 1, which this version does not support");
    }
    if (codec->filters % codec->compress != 0) {
        refuse(&s, "num_filters", "is not a multiple of compress");
    }
    parse_padding(&s, codec);
    parse_ratios(&s, codec);
    parse_bandwidths(&s, codec);
    return s.status;
}

/* What the three parts must agree on. */
static smitin_status check_parts(const sm_model_config *config, smitin_error *error)
{
    if (config->codec.codebooks * config->lm.channels != config->lm.codebooks) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "config.json: 'audio_encoder.target_bandwidths' gives %d codebooks a "
                       "channel, but 'decoder.num_codebooks' is %d with %d of 'audio_channels'; "
                       "the parts are of different models",
                       config->codec.codebooks, config->lm.codebooks, config->lm.channels);
    }
    if (config->codec.codebook_size != config->lm.vocab) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "config.json: 'audio_encoder.codebook_size' is %d, but 'decoder.vocab_size' is %d; "
            "the parts are of different models",
            config->codec.codebook_size, config->lm.vocab);
    }
    return SMITIN_OK;
}

static smitin_status load(json_t **root, const char *json, size_t size, const char *name,
                          smitin_error *error)
{
    json_error_t problem;
    *root = size > 0 ? json_loadb(json, size, JSON_REJECT_DUPLICATES, &problem) : NULL;
    if (json_is_object(*root)) return SMITIN_OK;
    if (*root == NULL && size > 0 && json_error_code(&problem) == json_error_out_of_memory) {
        return sm_fail_memory(error, name, size);
    }
    json_decref(*root);
    *root = NULL;
    return sm_fail(error, SMITIN_ERROR_FORMAT,
                   "%s is not a JSON object; fetch the model's files again", name);
}

static smitin_status parse_generation(sm_model_config *config, const char *json, size_t size,
                                      smitin_error *error)
{
    json_t *root = NULL;
    if (json != NULL) SM_TRY(load(&root, json, size, "generation_config.json", error));
    section s = {root, "(generation_config.json) ", SMITIN_OK, error};
    config->guidance = get_number(&s, "guidance_scale", 0, 100, 3);
    int start = get_int(&s, "decoder_start_token_id", 0, 1 << 20, config->lm.vocab);
    if (start != config->lm.vocab) {
        refuse(&s, "decoder_start_token_id",
               "is not decoder.vocab_size, the special token of MusicGen");
    }
    json_decref(root);
    /* max_length is only where the reference stops by default; the positions end later. The last
     * codebook of the last frame is predicted from column frames + K / C - 2. */
    config->max_frames = config->lm.max_positions - config->codec.codebooks + 1;
    /* A melody and the shortest text stand before the columns; the formula of the positions goes on
     * where a longer text pushes the last ones beyond the table. */
    if (config->lm.chroma_length > 0) config->max_frames -= config->lm.chroma_length + 1;
    return s.status;
}

static smitin_status parse_model(sm_model_config *config, const json_t *root, smitin_error *error)
{
    const char *type = json_string_value(json_object_get(root, "model_type"));
    const bool melody = type != NULL && strcmp(type, "musicgen_melody") == 0;
    section top = {root, "", SMITIN_OK, error};
    if (!melody) want_string(&top, "model_type", "musicgen", true);
    SM_TRY(top.status);
    SM_TRY(parse_text(&config->text, root, error));
    SM_TRY(parse_lm(&config->lm, root, melody, error));
    SM_TRY(parse_codec(&config->codec, root, error));
    if (melody) {
        get_int(&top, "num_chroma", SM_CHROMA, SM_CHROMA, SM_CHROMA);
        config->lm.chroma_length = get_int(&top, "chroma_length", 1, 8192, 235);
        SM_TRY(top.status);
        config->chroma = (sm_chroma_config){.rate = config->codec.sample_rate,
                                            .window = 16384,
                                            .hop = 4096,
                                            .longest = 30 * (size_t)config->codec.sample_rate};
    }
    SM_TRY(check_parts(config, error));
    if (config->lm.max_positions > config->lm.chroma_length + config->codec.codebooks)
        return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "config.json: 'decoder.max_position_embeddings' is %d, which leaves no room for "
                   "music after a melody of %d; this model cannot be run",
                   config->lm.max_positions, config->lm.chroma_length);
}

smitin_status sm_config_parse(sm_model_config *config, const char *json, size_t size,
                              const char *generation_json, size_t generation_size,
                              smitin_error *error)
{
    sm_model_config made;
    memset(&made, 0, sizeof(made));
    json_t *root;
    SM_TRY(load(&root, json, size, "config.json", error));
    smitin_status status = parse_model(&made, root, error);
    json_decref(root);
    SM_TRY(status);
    SM_TRY(parse_generation(&made, generation_json, generation_size, error));
    *config = made;
    return SMITIN_OK;
}

smitin_status sm_config_parse_chroma(sm_model_config *config, const char *json, size_t size,
                                     smitin_error *error)
{
    json_t *root = NULL;
    const int rate = config->codec.sample_rate;
    SM_TRY(load(&root, json, size, "preprocessor_config.json", error));
    section s = {root, "(preprocessor_config.json) ", SMITIN_OK, error};
    sm_chroma_config chroma = {.rate = rate};
    chroma.window = get_int(&s, "n_fft", 16, 1 << 20, 16384);
    chroma.hop = get_int(&s, "hop_length", 1, 1 << 20, 4096);
    chroma.longest = (size_t)get_int(&s, "chunk_length", 1, 3600, 30) * (size_t)rate;
    get_int(&s, "num_chroma", SM_CHROMA, SM_CHROMA, SM_CHROMA);
    if (get_int(&s, "sampling_rate", 1, 1 << 20, rate) != rate) {
        refuse(&s, "sampling_rate", "differs from that of the codec");
    }
    if (chroma.window % 2 != 0) refuse(&s, "n_fft", "is odd");
    if (s.status == SMITIN_OK) config->chroma = chroma;
    json_decref(root);
    return s.status;
}

smitin_status sm_config_parse_texts(sm_model_config *config, const sm_config_texts *texts,
                                    smitin_error *error)
{
    SM_TRY(sm_config_parse(config, texts->model, texts->model_size, texts->generation,
                           texts->generation_size, error));
    if (config->lm.chroma_length == 0 || texts->chroma == NULL) return SMITIN_OK;
    return sm_config_parse_chroma(config, texts->chroma, texts->chroma_size, error);
}
