/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "../../src/format/config.h"

static smitin_error error;

/* As transformers 5 writes a small model; older releases write the same keys and many generic ones.
 */
static const char text_part[] =
    "\"text_encoder\": {\"classifier_dropout\": 0.0, \"d_ff\": 3072, \"d_kv\": 64, \"d_model\": "
    "768, "
    "\"dense_act_fn\": \"relu\", \"dropout_rate\": 0.1, \"eos_token_id\": 1, "
    "\"feed_forward_proj\": \"relu\", \"is_decoder\": false, \"is_gated_act\": false, "
    "\"layer_norm_epsilon\": 1e-06, \"model_type\": \"t5\", \"num_decoder_layers\": 12, "
    "\"num_heads\": 12, \"num_layers\": 12, \"pad_token_id\": 0, "
    "\"relative_attention_max_distance\": 128, \"relative_attention_num_buckets\": 32, "
    "\"top_k\": 50, \"n_positions\": 512, \"vocab_size\": 32128}";
static const char decoder_part[] =
    "\"decoder\": {\"activation_function\": \"gelu\", \"audio_channels\": 1, \"bos_token_id\": "
    "2048, "
    "\"cross_attention_hidden_size\": null, \"dropout\": 0.1, \"eos_token_id\": null, "
    "\"ffn_dim\": 4096, \"hidden_size\": 1024, \"max_position_embeddings\": 2048, "
    "\"model_type\": \"musicgen_decoder\", \"num_attention_heads\": 16, \"num_codebooks\": 4, "
    "\"num_hidden_layers\": 24, \"pad_token_id\": 2048, \"scale_embedding\": false, "
    "\"tie_word_embeddings\": false, \"vocab_size\": 2048}";
static const char codec_part[] =
    "\"audio_encoder\": {\"audio_channels\": 1, \"chunk_length_s\": null, \"codebook_dim\": 128, "
    "\"codebook_size\": 2048, \"compress\": 2, \"dilation_growth_rate\": 2, \"hidden_size\": 128, "
    "\"kernel_size\": 7, \"last_kernel_size\": 7, \"model_type\": \"encodec\", "
    "\"norm_type\": \"weight_norm\", \"normalize\": false, \"num_filters\": 64, "
    "\"num_lstm_layers\": 2, \"num_residual_layers\": 1, \"overlap\": null, "
    "\"pad_mode\": \"reflect\", \"residual_kernel_size\": 3, \"sampling_rate\": 32000, "
    "\"target_bandwidths\": [2.2], \"trim_right_ratio\": 1.0, "
    "\"upsampling_ratios\": [8, 5, 4, 4], \"use_causal_conv\": false, "
    "\"use_conv_shortcut\": false}";

/* The sample with the first `from` after `part` replaced by `to`; to be freed. */
static char *edited(const char *part, const char *from, const char *to)
{
    char *json = malloc(8192), *out = malloc(8192);
    snprintf(json, 8192, "{\"model_type\": \"musicgen\", %s, %s, %s}", text_part, decoder_part,
             codec_part);
    char *at = strstr(strstr(json, part), from);
    if (at == NULL) fail_msg("the sample has no %s in %s", from, part);
    snprintf(out, 8192, "%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
    free(json);
    return out;
}

static smitin_status parse(sm_model_config *config, const char *part, const char *from,
                           const char *to, const char *generation)
{
    char *json = edited(part, from, to);
    smitin_status status = sm_config_parse(config, json, strlen(json), generation,
                                           generation != NULL ? strlen(generation) : 0, &error);
    free(json);
    return status;
}

static void the_small_model_is_read(void **state)
{
    (void)state;
    sm_model_config c;
    ASSERT_OK(parse(&c, "", "", "", NULL));
    assert_true(c.text.hidden == 768 && c.text.head_size == 64 && c.text.ffn == 3072);
    assert_true(c.text.layers == 12 && c.text.heads == 12 && c.text.vocab == 32128);
    assert_true(c.text.buckets == 32 && c.text.max_distance == 128 && c.text.eps == 1e-6f);
    assert_true(c.lm.hidden == 1024 && c.lm.layers == 24 && c.lm.heads == 16 && c.lm.ffn == 4096);
    assert_true(c.lm.codebooks == 4 && c.lm.vocab == 2048 && c.lm.max_positions == 2048);
    assert_true(c.codec.sample_rate == 32000 && c.codec.channels == 1 && c.codec.filters == 64);
    assert_true(c.codec.hidden == 128 && c.codec.ratios_count == 4 && c.codec.hop == 640);
    assert_true(c.codec.ratios[0] == 8 && c.codec.ratios[1] == 5 && c.codec.ratios[3] == 4);
    assert_true(c.codec.codebooks == 4 && c.codec.codebook_size == 2048 && c.codec.kernel == 7);
    assert_true(c.codec.last_kernel == 7 && c.codec.residual_kernel == 3 && c.codec.compress == 2);
    assert_true(c.codec.residual_layers == 1 && c.codec.dilation_growth == 2);
    assert_true(c.codec.lstm_layers == 2 && !c.codec.causal && !c.codec.conv_shortcut &&
                c.codec.reflect);
    assert_true(c.guidance == 3 && c.max_frames == 2045);
}

static void generation_settings_are_read(void **state)
{
    (void)state;
    sm_model_config c;
    ASSERT_OK(parse(&c, "", "", "", "{\"guidance_scale\": 2.5, \"decoder_start_token_id\": 2048}"));
    assert_true(c.guidance == 2.5);
    /* 512 columns hold 509 frames of 4 codebooks. */
    ASSERT_OK(parse(&c, "decoder", "\"max_position_embeddings\": 2048",
                    "\"max_position_embeddings\": 512", NULL));
    assert_int_equal(c.max_frames, 509);
    ASSERT_FAILS(parse(&c, "", "", "", "{\"guidance_scale\": -1}"), SMITIN_ERROR_MODEL,
                 "guidance_scale");
    ASSERT_FAILS(parse(&c, "", "", "", "{\"decoder_start_token_id\": 5}"), SMITIN_ERROR_MODEL,
                 "start_token");
    ASSERT_FAILS(parse(&c, "", "", "", ""), SMITIN_ERROR_FORMAT, "generation_config.json");
    ASSERT_FAILS(parse(&c, "", "", "", "[]"), SMITIN_ERROR_FORMAT, "generation_config.json");
}

static void stereo_doubles_the_codebooks(void **state)
{
    (void)state;
    sm_model_config c;
    char *json = edited("decoder", "\"audio_channels\": 1", "\"audio_channels\": 2");
    memcpy(strstr(json, "codebooks\": 4"), "codebooks\": 8", 13);
    ASSERT_OK(sm_config_parse(&c, json, strlen(json), NULL, 0, &error));
    assert_true(c.lm.codebooks == 8 && c.lm.channels == 2);
    assert_true(c.codec.codebooks == 4 && c.codec.channels == 1);
    assert_int_equal(c.max_frames, 2045); /* neighbours share delays: no longer than mono */
    memcpy(strstr(json, "codebooks\": 8"), "codebooks\": 7", 13);
    ASSERT_FAILS(sm_config_parse(&c, json, strlen(json), NULL, 0, &error), SMITIN_ERROR_MODEL,
                 "odd");
    free(json);
}

static void melody_models_are_read(void **state)
{
    (void)state;
    static const char *const refused[][2] = {{"{\"n_fft\": 511}", "odd"},
                                             {"{\"n_fft\": 8}", "n_fft"},
                                             {"{\"hop_length\": 0}", "hop_length"},
                                             {"{\"num_chroma\": 24}", "num_chroma"},
                                             {"{\"chunk_length\": -1}", "chunk_length"},
                                             {"{\"sampling_rate\": 44100}", "sampling_rate"}};
    sm_model_config c;
    char *first = edited("", "\"musicgen\"", "\"musicgen_melody\""), json[8192];
    const char *at = strstr(first, "\"musicgen_decoder\"");
    snprintf(json, sizeof json, "%.*s\"musicgen_melody_decoder\"%s", (int)(at - first), first,
             at + strlen("\"musicgen_decoder\""));
    free(first);
    ASSERT_OK(sm_config_parse(&c, json, strlen(json), NULL, 0, &error));
    assert_int_equal(c.lm.chroma_length, 235);
    assert_true(c.chroma.rate == 32000 && c.chroma.window == 16384 && c.chroma.hop == 4096);
    assert_int_equal(c.chroma.longest, 960000);
    assert_int_equal(c.max_frames, 2045 - 236);
    const char *own = "{\"n_fft\": 512, \"hop_length\": 128, \"chunk_length\": 2}";
    ASSERT_OK(sm_config_parse_chroma(&c, own, strlen(own), &error));
    assert_true(c.chroma.window == 512 && c.chroma.hop == 128 && c.chroma.longest == 64000);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ASSERT_FAILS(sm_config_parse_chroma(&c, refused[i][0], strlen(refused[i][0]), &error),
                     SMITIN_ERROR_MODEL, refused[i][1]);
        assert_int_equal(c.chroma.window, 512); /* untouched */
    }
    ASSERT_FAILS(sm_config_parse_chroma(&c, "[]", 2, &error), SMITIN_ERROR_FORMAT,
                 "preprocessor_config.json");
    /* A melody that leaves no room for music. */
    char *bare = strstr(json, "\"max_position_embeddings\": 2048");
    memcpy(bare, "\"max_position_embeddings\":  200", 31);
    ASSERT_FAILS(sm_config_parse(&c, json, strlen(json), NULL, 0, &error), SMITIN_ERROR_MODEL,
                 "max_position_embeddings");
}

static void another_codebook_size_changes_the_count(void **state)
{
    (void)state;
    char json[8192], *first = edited("decoder", "\"vocab_size\": 2048", "\"vocab_size\": 1024");
    /* 2200 / (50 * 10) = 4 books still; 2.6 kbit/s gives 5. */
    char *at = strstr(first, "\"pad_token_id\": 2048");
    memcpy(at, "\"pad_token_id\": 1024", 20);
    at = strstr(first, "\"codebook_size\": 2048");
    memcpy(at, "\"codebook_size\": 1024", 21);
    snprintf(json, sizeof(json), "%s", first);
    free(first);
    sm_model_config c;
    ASSERT_OK(sm_config_parse(&c, json, strlen(json), NULL, 0, &error));
    assert_int_equal(c.codec.codebooks, 4);
    memcpy(strstr(json, "[2.2]"), "[2.6]", 5);
    ASSERT_FAILS(sm_config_parse(&c, json, strlen(json), NULL, 0, &error), SMITIN_ERROR_MODEL,
                 "gives 5 codebooks");
}

static void refusals_name_the_key(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        /* part, from, to, what the message says */
        {"model_type", "\"musicgen\"", "\"musicgen_melody\"", "decoder.model_type"},
        {"model_type", "\"musicgen\"", "\"llama\"", "model_type"},
        {"", "\"text_encoder\"", "\"other\"", "text_encoder"},
        {"text_enc", "\"feed_forward_proj\": \"relu\"", "\"feed_forward_proj\": \"gated-gelu\"",
         "text_encoder.feed_forward_proj"},
        {"text_enc", "\"is_gated_act\": false", "\"is_gated_act\": true",
         "text_encoder.is_gated_act"},
        {"text_enc", "\"model_type\": \"t5\"", "\"model_type\": \"bert\"",
         "text_encoder.model_type"},
        {"text_enc", "\"d_model\": 768", "\"d_model\": 0", "text_encoder.d_model"},
        {"text_enc", "\"d_model\": 768", "\"d_model\": 1e3", "text_encoder.d_model"},
        {"text_enc", "\"d_model\": 768", "\"d_model\": \"768\"", "text_encoder.d_model"},
        {"text_enc", "\"d_model\": 768, ", "", "text_encoder.d_model"},
        {"text_enc", "\"num_layers\": 12", "\"num_layers\": 9223372036854775807",
         "text_encoder.num_layers"},
        {"text_enc", "1e-06", "-1", "layer_norm_epsilon"},
        {"text_enc", "num_buckets\": 32", "num_buckets\": 30", "num_buckets"},
        /* Stereo needs the codebooks of both channels. */
        {"\"decoder\"", "\"audio_channels\": 1", "\"audio_channels\": 2", "num_codebooks"},
        {"\"decoder\"", "\"audio_channels\": 1", "\"audio_channels\": 3", "decoder.audio_channels"},
        {"\"decoder\"", "codebooks\": 4", "codebooks\": 8", "gives 4 codebooks"},
        {"\"decoder\"", "\"gelu\"", "\"relu\"", "decoder.activation_function"},
        {"\"decoder\"", "embedding\": false", "embedding\": true", "decoder.scale_embedding"},
        {"\"decoder\"", "hidden_size\": null", "hidden_size\": 8", "cross_attention_hidden_size"},
        {"\"decoder\"", "heads\": 16", "heads\": 15", "decoder.hidden_size"},
        {"\"decoder\"", "codebooks\": 4", "codebooks\": 9", "decoder.num_codebooks"},
        {"\"decoder\"", "codebooks\": 4", "codebooks\": 3", "gives 4 codebooks"},
        {"\"decoder\"", "pad_token_id\": 2048", "pad_token_id\": 0", "decoder.pad_token_id"},
        {"\"decoder\"", "musicgen_decoder", "opt", "decoder.model_type"},
        {"audio_enc", "\"audio_channels\": 1", "\"audio_channels\": 2",
         "audio_encoder.audio_channels"},
        {"audio_enc", "\"codebook_dim\": 128", "\"codebook_dim\": 64",
         "audio_encoder.codebook_dim"},
        {"audio_enc", "\"codebook_size\": 2048", "\"codebook_size\": 1900",
         "audio_encoder.codebook_size"},
        {"audio_enc", "weight_norm", "time_group_norm", "audio_encoder.norm_type"},
        {"audio_enc", "\"normalize\": false", "\"normalize\": true", "audio_encoder.normalize"},
        {"audio_enc", "length_s\": null", "length_s\": 1.0", "audio_encoder.chunk_length_s"},
        {"audio_enc", "reflect", "replicate", "audio_encoder.pad_mode"},
        {"audio_enc", "[2.2]", "[]", "audio_encoder.target_bandwidths"},
        {"audio_enc", "[2.2]", "[1e300]", "audio_encoder.target_bandwidths"},
        {"audio_enc", "[2.2]", "[0.1]", "audio_encoder.target_bandwidths"},
        {"audio_enc", "[8, 5, 4, 4]", "[]", "audio_encoder.upsampling_ratios"},
        {"audio_enc", "[8, 5, 4, 4]", "[64, 64, 64]", "audio_encoder.upsampling_ratios"},
        {"audio_enc", "[8, 5, 4, 4]", "[8, 5, 4, 0]", "audio_encoder.upsampling_ratios"},
        {"audio_enc", "[8, 5, 4, 4]", "[1,1,1,1,1,1,1,1,1]", "audio_encoder.upsampling_ratios"},
        {"audio_enc", "num_filters\": 64", "num_filters\": 64, \"num_filters\": 64", "JSON"},
        {"audio_enc", "filters\": 64", "filters\": 65", "num_filters"},
        {"audio_enc", "sampling_rate\": 32000", "sampling_rate\": 1e9",
         "audio_encoder.sampling_rate"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sm_model_config config, untouched;
        memset(&config, 7, sizeof(config));
        untouched = config;
        smitin_status status = parse(&config, cases[i][0], cases[i][1], cases[i][2], NULL);
        if (status != SMITIN_ERROR_MODEL && status != SMITIN_ERROR_FORMAT) {
            fail_msg("%s instead of %s gives status %d", cases[i][2], cases[i][1], (int)status);
        }
        if (strstr(error.message, cases[i][3]) == NULL) {
            fail_msg("'%s' does not say '%s'", error.message, cases[i][3]);
        }
        assert_memory_equal(&config, &untouched, sizeof(config));
    }
}

static void directories_are_read(void **state)
{
    (void)state;
    char path[256], folder[256];
    sm_model_config c;
    ASSERT_FAILS(sm_config_read(&c, scratch_path(folder, "none"), &error), SMITIN_ERROR_IO,
                 "none/config.json");
    char *json = edited("", "", "");
    scratch_path(folder, "");
    write_bytes(scratch_path(path, "config.json"), json, strlen(json));
    ASSERT_OK(sm_config_read(&c, folder, &error));
    ASSERT_NEAR(c.guidance, 3.0, 0); /* the default */
    write_bytes(scratch_path(path, "generation_config.json"), "{\"guidance_scale\": 9}", 21);
    ASSERT_OK(sm_config_read(&c, folder, &error));
    ASSERT_NEAR(c.guidance, 9.0, 0);
    write_bytes(scratch_path(path, "generation_config.json"), "", 0);
    ASSERT_FAILS(sm_config_read(&c, folder, &error), SMITIN_ERROR_FORMAT, "generation_config.json");
    free(json);
}

static void published_shapes_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int hidden, layers;
    } shapes[] = {
        {"musicgen-small", 1024, 24}, {"musicgen-medium", 1536, 48}, {"musicgen-large", 2048, 48}};
    sm_model_config config;
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(sm_config_shape(&config, shapes[i].name, &error));
        assert_int_equal(config.lm.hidden, shapes[i].hidden);
        assert_int_equal(config.lm.layers, shapes[i].layers);
        assert_int_equal(config.lm.hidden / config.lm.heads, 64);
        assert_int_equal(config.lm.ffn, 4 * shapes[i].hidden);
        assert_true(config.codec.hop == 640 && config.codec.codebooks == 4);
        assert_true(config.max_frames >= 1500);
    }
    ASSERT_FAILS(sm_config_shape(&config, "musicgen-tiny", &error), SMITIN_ERROR_ARGUMENT,
                 "musicgen-medium");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_small_model_is_read),
        cmocka_unit_test(generation_settings_are_read),
        cmocka_unit_test(stereo_doubles_the_codebooks),
        cmocka_unit_test(melody_models_are_read),
        cmocka_unit_test(another_codebook_size_changes_the_count),
        cmocka_unit_test(refusals_name_the_key),
        cmocka_unit_test(directories_are_read),
        cmocka_unit_test(published_shapes_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}
