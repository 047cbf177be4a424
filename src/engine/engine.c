/* SPDX-License-Identifier: MIT */
/* The engine: a loaded model, immutable and shared. Owns loading; encoding and decoding are in
 * sound.c, timelines are sessions'. */
#include "engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#ifndef SMITIN_VERSION
#error "SMITIN_VERSION is set by the build"
#endif

const char *smitin_version(void)
{
    return SMITIN_VERSION;
}

smitin_engine_options smitin_engine_defaults(void)
{
    smitin_engine_options options;
    memset(&options, 0, sizeof options);
    return options;
}

static smitin_status choose_kernels(const char *wanted, const sm_kernels **kernels,
                                    smitin_error *error)
{
    const sm_cpu_level best = sm_cpu_detect();
    if (wanted == NULL) {
        *kernels = sm_kernels_get(best);
        return SMITIN_OK;
    }
    for (int level = SM_CPU_REF; level < SM_CPU_LEVELS; level++) {
        if (strcmp(wanted, sm_cpu_level_name((sm_cpu_level)level)) != 0) continue;
        if (!sm_cpu_built((sm_cpu_level)level))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "the CPU level %s is not for this kind of processor; the best here is "
                           "%s",
                           wanted, sm_cpu_level_name(best));
        if (!sm_cpu_has((sm_cpu_level)level))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "this CPU has no %s; its best level is %s",
                           wanted, sm_cpu_level_name(best));
        *kernels = sm_kernels_get((sm_cpu_level)level);
        return SMITIN_OK;
    }
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "unknown CPU level \"%s\"; use ref, avx2, avx_vnni, avx512 or avx512_vnni, on "
                   "ARM ref, neon or neon_dot",
                   wanted);
}

static smitin_status check_options(const smitin_engine_options *options, smitin_error *error)
{
    if (options->threads < 0 || options->threads > 1024)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%d threads make no sense; use 0 (all cores) to 1024", options->threads);
    if ((unsigned)options->format > SMITIN_FORMAT_Q4)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there is no weight format %d; use one of smitin_format",
                       (int)options->format);
    if ((unsigned)options->cache > SMITIN_CACHE_Q8)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there is no cache format %d; use one of smitin_cache", (int)options->cache);
    return SMITIN_OK;
}

static const sm_format formats[] = {
    [SMITIN_FORMAT_FILE] = SM_FORMAT_F32, [SMITIN_FORMAT_F32] = SM_FORMAT_F32,
    [SMITIN_FORMAT_F16] = SM_FORMAT_F16,  [SMITIN_FORMAT_BF16] = SM_FORMAT_BF16,
    [SMITIN_FORMAT_Q8] = SM_FORMAT_Q8,    [SMITIN_FORMAT_Q4] = SM_FORMAT_Q4};

static const sm_format caches[] = {[SMITIN_CACHE_F16] = SM_FORMAT_F16,
                                   [SMITIN_CACHE_F32] = SM_FORMAT_F32,
                                   [SMITIN_CACHE_Q8] = SM_FORMAT_Q8};

sm_format sm_engine_format(smitin_format format)
{
    return formats[format];
}

sm_format sm_engine_cache(const smitin_engine *engine)
{
    return caches[engine->cache];
}

smitin_status sm_engine_bind(sm_t5 **t5, sm_codec **codec, sm_lm **lm,
                             const sm_model_config *config, sm_binder *binder, smitin_error *error)
{
    SM_TRY(sm_t5_new(t5, &config->text, binder, error));
    SM_TRY(sm_codec_new_decoder(codec, &config->codec, binder, error));
    SM_TRY(sm_lm_new(lm, &config->lm, config->text.hidden, binder, error));
    return sm_binder_finish(binder, "the model", error);
}

smitin_status sm_engine_vocabulary(sm_tokenizer **tokenizer, const sm_checkpoint *checkpoint,
                                   const char *path, smitin_error *error)
{
    char name[600];
    *tokenizer = NULL;
    if (checkpoint->vocabulary == NULL) return SMITIN_OK;
    snprintf(name, sizeof name, checkpoint->single ? "%s" : "%s/spiece.model", path);
    SM_TRY(sm_tokenizer_parse(tokenizer, checkpoint->vocabulary, checkpoint->vocabulary_size, name,
                              error));
    sm_tokenizer_set_rows(*tokenizer, checkpoint->config.text.vocab);
    return SMITIN_OK;
}

void sm_engine_tidy(void)
{
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
}

/* Behind weights of 8 or 4 bits, 8 bits of keys and values cannot be told from 16. */
static smitin_cache choose_cache(smitin_cache wanted, smitin_format weights)
{
    if (wanted != SMITIN_CACHE_AUTO) return wanted;
    return sm_format_packed(formats[weights]) ? SMITIN_CACHE_Q8 : SMITIN_CACHE_F16;
}

/* Bind with `binder`, which knows where the weights come from. */
static smitin_status bind_model(smitin_engine *engine, sm_binder *binder,
                                const smitin_engine_options *options, smitin_error *error)
{
    engine->cache = choose_cache(options->cache, engine->format);
    binder->pool = engine->pool;
    binder->as_file = engine->format == SMITIN_FORMAT_FILE;
    binder->format = formats[engine->format];
    SM_TRY(
        sm_engine_bind(&engine->t5, &engine->codec, &engine->lm, &engine->config, binder, error));
    engine->parameters = binder->parameters;
    sm_engine_tidy();
    return SMITIN_OK;
}

/* What was rounded to 8 or 4 bits cannot be had in another format. */
static smitin_status choose_format(smitin_engine *engine, const sm_checkpoint *checkpoint,
                                   smitin_format wanted, smitin_error *error)
{
    engine->format = wanted;
    if (!checkpoint->single) return SMITIN_OK;
    for (int own = SMITIN_FORMAT_F32; wanted == SMITIN_FORMAT_FILE; own++) {
        if (formats[own] != checkpoint->format) continue;
        engine->format = (smitin_format)own;
        return SMITIN_OK;
    }
    if (!sm_format_packed(checkpoint->format) || formats[wanted] == checkpoint->format)
        return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "the weights in %s are rounded to %s already, and %s was asked for; ask for no "
                   "format, or take the original model",
                   engine->path, sm_format_name(checkpoint->format),
                   sm_format_name(formats[wanted]));
}

static smitin_status load_model(smitin_engine *engine, const smitin_engine_options *options,
                                smitin_error *error)
{
    sm_checkpoint checkpoint;
    sm_binder binder;
    smitin_status status = SMITIN_OK;
    SM_TRY(sm_checkpoint_open(&checkpoint, engine->path, error));
    engine->config = checkpoint.config;
    SM_TRY_OR(choose_format(engine, &checkpoint, options->format, error), status, done);
    sm_binder_init_source(&binder, checkpoint.source, engine->arena);
    if (checkpoint.single) binder.fingerprint = checkpoint.fingerprint;
    SM_TRY_OR(bind_model(engine, &binder, options, error), status, done);
    SM_TRY_OR(sm_encoder_new(&engine->encoder, engine->path, checkpoint.source, error), status,
              done);
    status = sm_engine_vocabulary(&engine->tokenizer, &checkpoint, engine->path, error);
done:
    sm_checkpoint_close(&checkpoint);
    return status;
}

smitin_status sm_engine_refusal(smitin_status status, smitin_status refused, smitin_error *error)
{
    if (status != SMITIN_ERROR_FORMAT) return status;
    if (error != NULL) error->status = refused;
    return refused;
}

/* All of an engine but its model. */
static smitin_status prepare(smitin_engine **out, const smitin_engine_options *options,
                             const char *path, smitin_error *error)
{
    SM_TRY(check_options(options, error));
    smitin_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return sm_fail_memory(error, "the engine", sizeof *engine);
    smitin_status status = SMITIN_OK;
    if (strlen(path) >= sizeof engine->path) {
        status = sm_fail(error, SMITIN_ERROR_ARGUMENT, "the model's path is longer than %zu bytes",
                         sizeof engine->path - 1);
        goto failed;
    }
    snprintf(engine->path, sizeof engine->path, "%s", path);
    engine->arena = sm_arena_new();
    if (engine->arena == NULL) {
        status = sm_fail_memory(error, "the weights", 0);
        goto failed;
    }
    SM_TRY_OR(choose_kernels(options->cpu_level, &engine->kernels, error), status, failed);
    SM_TRY_OR(sm_pool_new(&engine->pool, options->threads, error), status, failed);
    *out = engine;
    return SMITIN_OK;
failed:
    smitin_engine_free(engine);
    return status;
}

smitin_status smitin_engine_open(smitin_engine **out, const char *path,
                                 const smitin_engine_options *options, smitin_error *error)
{
    if (out == NULL || path == NULL || path[0] == '\0')
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "smitin_engine_open needs a place for the engine and a path");
    *out = NULL;
    const smitin_engine_options defaults = smitin_engine_defaults();
    smitin_engine *engine = NULL;
    if (options == NULL) options = &defaults;
    SM_TRY(prepare(&engine, options, path, error));
    const smitin_status status = load_model(engine, options, error);
    if (status == SMITIN_OK) {
        *out = engine;
        return SMITIN_OK;
    }
    smitin_engine_free(engine);
    return sm_engine_refusal(status, SMITIN_ERROR_MODEL, error);
}

smitin_status smitin_engine_random(smitin_engine **out, const char *shape,
                                   const smitin_engine_options *options, smitin_error *error)
{
    if (out == NULL || shape == NULL)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "smitin_engine_random needs a place for the engine and a shape");
    *out = NULL;
    const smitin_engine_options defaults = smitin_engine_defaults();
    smitin_engine *engine = NULL;
    if (options == NULL) options = &defaults;
    SM_TRY(prepare(&engine, options, shape, error));
    sm_binder binder;
    sm_binder_init_random(&binder, engine->arena);
    engine->format = options->format;
    smitin_status status = sm_config_shape(&engine->config, shape, error);
    if (status == SMITIN_OK) status = bind_model(engine, &binder, options, error);
    if (status == SMITIN_OK) status = sm_encoder_new(&engine->encoder, shape, NULL, error);
    if (status == SMITIN_OK) {
        *out = engine;
        return SMITIN_OK;
    }
    smitin_engine_free(engine);
    return status;
}

void smitin_engine_free(smitin_engine *engine)
{
    if (engine == NULL) return;
    sm_tokenizer_free(engine->tokenizer);
    sm_pool_free(engine->pool);
    sm_encoder_free(engine->encoder);
    sm_arena_free(engine->arena);
    free(engine);
}

void smitin_engine_info(const smitin_engine *engine, smitin_model_info *info)
{
    const sm_lm_config *lm = &engine->config.lm;
    const sm_codec_config *codec = &engine->config.codec;
    memset(info, 0, sizeof *info);
    info->layers = lm->layers;
    info->heads = lm->heads;
    info->head_size = lm->hidden / lm->heads;
    info->hidden_size = lm->hidden;
    info->ffn_size = lm->ffn;
    info->codebooks = lm->codebooks;
    info->codebook_size = lm->vocab;
    info->channels = lm->channels;
    info->sample_rate = codec->sample_rate;
    info->hop = codec->hop;
    info->frame_rate = (double)codec->sample_rate / codec->hop;
    info->latent_size = codec->hidden;
    info->max_frames = engine->config.max_frames;
    info->has_text = engine->tokenizer != NULL;
    info->has_melody = lm->chroma_length > 0;
    info->parameters = engine->parameters;
    info->memory_bytes = sm_arena_bytes(engine->arena) + sm_encoder_bytes(engine->encoder);
    info->format = engine->format;
    info->cache = engine->cache;
    info->step_bytes = sm_lm_step_bytes(engine->lm);
    snprintf(info->fingerprint, sizeof info->fingerprint, "%s", sm_lm_fingerprint(engine->lm));
}

int sm_engine_frames(const smitin_engine *engine, double seconds)
{
    const double frames = seconds * engine->config.codec.sample_rate / engine->config.codec.hop;
    return frames < 1.0 ? 1 : (int)lround(frames);
}
