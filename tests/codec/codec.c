/* SPDX-License-Identifier: MIT */
/* EnCodec against transformers' numbers: latents, codes and audio of whole, cut and very short
 * signals. */
#include "fixture.h"

/* Signals are near 1; LSTM and some twenty convolutions of f32 sums in another order leave a few
 * 1e-6. */
#define LATENTS_TOLERANCE 2e-5
/* The project's own bound for audio: far below the last bit of 16-bit samples (3e-5). */
#define AUDIO_TOLERANCE 1e-5

static void the_reference_numbers(void **context)
{
    (void)context;
    static const int lengths[] = {2613, 1013, 41, 7, 2, 1};
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (!sm_cpu_has((sm_cpu_level)level)) continue;
        fixture f;
        fixture_open(&f, 2);
        f.kernels = sm_kernels_get((sm_cpu_level)level);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            float *samples = golden_copy(&f, "samples", lengths[i]),
                  *latents = golden_copy(&f, "latents", lengths[i]);
            int32_t *codes = golden_copy(&f, "codes", lengths[i]);
            float *audio = golden_copy(&f, "audio", lengths[i]);
            result r = both_ways(&f, f.codec, samples, (size_t)lengths[i]);
            assert_int_equal(r.frames, (lengths[i] + f.config.codec.hop - 1) / f.config.codec.hop);
            ASSERT_NEAR(
                largest_difference(r.latents, latents, r.frames * (size_t)f.config.codec.hidden), 0,
                LATENTS_TOLERANCE);
            assert_memory_equal(r.codes, codes,
                                r.frames * (size_t)f.config.codec.codebooks * sizeof *codes);
            ASSERT_NEAR(largest_difference(r.audio, audio, r.frames * (size_t)f.config.codec.hop),
                        0, AUDIO_TOLERANCE);
            result_free(&r);
            free(samples), free(latents), free(codes), free(audio);
        }
        fixture_close(&f);
    }
}

/* pad_mode "constant": the codes of the reflecting run are decoded, so that both halves are
 * compared alone. */
static void zero_padding(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    fixture_open(&f, 2);
    sm_binder binder;
    sm_codec *codec = NULL;
    sm_codec_config config = f.config.codec;
    config.reflect = false;
    sm_binder_init(&binder, f.file, f.arena);
    ASSERT_OK(sm_codec_new(&codec, &config, &binder, &error));
    ASSERT_OK(sm_binder_finish(&binder, "the tiny model", &error));
    float *samples = golden_copy(&f, "samples", 1013),
          *latents = golden_copy(&f, "constant_latents", 1013);
    float *audio = golden_copy(&f, "constant_audio", 1013);
    int32_t *codes = golden_copy(&f, "codes", 1013);
    const size_t frames = sm_codec_frames(codec, 1013);
    const size_t n = frames * (size_t)config.hidden, hop = (size_t)config.hop;
    float *out = floats(n), *sound = floats(frames * hop),
          *scratch = floats(sm_codec_scratch(codec, frames));
    sm_codec_analyse(codec, f.kernels, f.pool, samples, 1013, out, scratch);
    sm_codec_decode(codec, f.kernels, f.pool, codes, frames, frames, sound, scratch);
    ASSERT_NEAR(largest_difference(out, latents, n), 0, LATENTS_TOLERANCE);
    ASSERT_NEAR(largest_difference(sound, audio, frames * hop), 0, AUDIO_TOLERANCE);
    free(samples), free(latents), free(audio), free(codes), free(out), free(sound), free(scratch);
    fixture_close(&f);
}

static void same_bits_on_any_number_of_threads(void **context)
{
    (void)context;
    fixture f;
    smitin_error error;
    fixture_open(&f, 1);
    float *samples = golden_copy(&f, "samples", 2613);
    result one = both_ways(&f, f.codec, samples, 2613);
    for (int threads = 2; threads <= 4; threads++) {
        sm_pool_free(f.pool);
        ASSERT_OK(sm_pool_new(&f.pool, threads, &error));
        result many = both_ways(&f, f.codec, samples, 2613);
        assert_memory_equal(one.latents, many.latents,
                            one.frames * (size_t)f.config.codec.hidden * sizeof(float));
        assert_memory_equal(one.audio, many.audio,
                            one.frames * (size_t)f.config.codec.hop * sizeof(float));
        result_free(&many);
    }
    result_free(&one);
    free(samples);
    fixture_close(&f);
}

static void nothing_in_nothing_out(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 1);
    float untouched = 7.0f;
    assert_int_equal(sm_codec_frames(f.codec, 0), 0);
    sm_codec_analyse(f.codec, f.kernels, f.pool, NULL, 0, &untouched, NULL);
    sm_codec_quantize(f.codec, f.kernels, f.pool, NULL, 0, NULL, NULL);
    sm_codec_decode(f.codec, f.kernels, f.pool, NULL, 0, 0, &untouched, NULL);
    assert_true(untouched == 7.0f);
    fixture_close(&f);
}

/* Codes may stand in a longer array: only the first frames count. */
static void decode_honours_the_stride(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 2);
    const size_t K = (size_t)f.config.codec.codebooks, frames = 9, stride = 66;
    int32_t *codes = golden_copy(&f, "codes", 2613), packed[9 * SM_MAX_CODEBOOKS];
    for (size_t k = 0; k < K; k++)
        memcpy(packed + k * frames, codes + k * stride, frames * sizeof *codes);
    const size_t n = frames * (size_t)f.config.codec.hop;
    float *a = floats(n), *b = floats(n), *scratch = floats(sm_codec_scratch(f.codec, frames));
    sm_codec_decode(f.codec, f.kernels, f.pool, codes, stride, frames, a, scratch);
    sm_codec_decode(f.codec, f.kernels, f.pool, packed, frames, frames, b, scratch);
    assert_memory_equal(a, b, n * sizeof *a);
    free(codes), free(a), free(b), free(scratch);
    fixture_close(&f);
}

/* Two equal codes, one of them nearest: the first. And a latent that is a code gives that code with
 * no residual. */
static void nearest_code_first_on_ties(void **context)
{
    (void)context;
    fixture f;
    fixture_open(&f, 2);
    const sm_tensor *book =
        sm_safetensors_find(f.file, "audio_encoder.quantizer.layers.0.codebook.embed");
    assert_non_null(book);
    smitin_error error;
    const size_t hidden = (size_t)f.config.codec.hidden,
                 size = (size_t)f.config.codec.codebook_size;
    float *latents = floats(book->count), *scratch = floats(sm_codec_scratch(f.codec, size));
    int32_t *codes = calloc(size * (size_t)f.config.codec.codebooks, sizeof *codes);
    assert_non_null(codes);
    ASSERT_OK(sm_tensor_to_f32(book, 0, book->count, latents, &error));
    sm_codec_quantize(f.codec, f.kernels, f.pool, latents, size, codes, scratch);
    for (size_t j = 0; j < size; j++) {
        size_t first = 0;
        while (memcmp(latents + first * hidden, latents + j * hidden, hidden * sizeof *latents) !=
               0)
            first++;
        assert_int_equal(codes[j], first);
    }
    free(latents), free(scratch), free(codes);
    fixture_close(&f);
}

/* Weights in f16 are off by 2^-11 / sqrt 3 of their size in the mean square; some 20 products lie
 * between codes and samples, and errors add up as independent ones do. Twice that; a twentieth of
 * it would mean that f32 was in use. Every smaller format has the f16 codec. */
static void half_weights_are_near(void **context)
{
    (void)context;
    const double bound = 2.0 * sqrt(20.0) * 0x1p-11 / sqrt(3.0);
    static const sm_format formats[] = {SM_FORMAT_F16, SM_FORMAT_BF16, SM_FORMAT_Q8, SM_FORMAT_Q4};
    fixture f;
    fixture_open(&f, 2);
    float *samples = golden_copy(&f, "samples", 2613);
    result exact = both_ways(&f, f.codec, samples, 2613), first = {0};
    const size_t count = exact.frames * (size_t)f.config.codec.hop;
    for (int i = 0; i < 4; i++) {
        fixture half;
        fixture_open_in(&half, 3, formats[i]);
        assert_true(sm_arena_bytes(half.arena) < sm_arena_bytes(f.arena) * 7 / 10);
        result r = both_ways(&half, half.codec, samples, 2613);
        float *scratch = floats(sm_codec_scratch(half.codec, r.frames));
        sm_codec_decode(half.codec, half.kernels, half.pool, exact.codes, r.frames, r.frames,
                        r.audio, scratch);
        double difference = 0.0, size = 0.0;
        for (size_t n = 0; n < count; n++) {
            const double off = (double)r.audio[n] - (double)exact.audio[n];
            difference += off * off;
            size += (double)exact.audio[n] * (double)exact.audio[n];
        }
        const double off = sqrt(difference / size);
        if (!(off <= bound && off >= bound / 20.0))
            fail_msg("audio is off by %g of its size, expected %g to %g", off, bound / 20.0, bound);
        if (i == 0) {
            first = r;
        } else {
            assert_memory_equal(r.audio, first.audio, count * sizeof *r.audio);
            result_free(&r);
        }
        free(scratch);
        fixture_close(&half);
    }
    result_free(&exact);
    result_free(&first);
    free(samples);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_numbers),
        cmocka_unit_test(zero_padding),
        cmocka_unit_test(same_bits_on_any_number_of_threads),
        cmocka_unit_test(nothing_in_nothing_out),
        cmocka_unit_test(decode_honours_the_stride),
        cmocka_unit_test(nearest_code_first_on_ties),
        cmocka_unit_test(half_weights_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
