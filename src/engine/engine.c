/* SPDX-License-Identifier: MIT */
/* The engine: a loaded model, immutable and shared. Owns loading; encoding and decoding are in
 * sound.c, timelines are sessions'. */
#include "engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
        if (!sm_cpu_has((sm_cpu_level)level))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "this CPU has no %s; its best level is %s",
                           wanted, sm_cpu_level_name(best));
        *kernels = sm_kernels_get((sm_cpu_level)level);
        return SMITIN_OK;
    }
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "unknown CPU level \"%s\"; use ref, avx2, avx_vnni, avx512 or avx512_vnni",
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

static void choose_formats(const smitin_engine_options *options, sm_binder *binder,
                           sm_format *cache)
{
    static const sm_format formats[] = {
        [SMITIN_FORMAT_FILE] = SM_FORMAT_F32, [SMITIN_FORMAT_F32] = SM_FORMAT_F32,
        [SMITIN_FORMAT_F16] = SM_FORMAT_F16,  [SMITIN_FORMAT_BF16] = SM_FORMAT_BF16,
        [SMITIN_FORMAT_Q8] = SM_FORMAT_Q8,    [SMITIN_FORMAT_Q4] = SM_FORMAT_Q4};
    static const sm_format caches[] = {[SMITIN_CACHE_F16] = SM_FORMAT_F16,
                                       [SMITIN_CACHE_F32] = SM_FORMAT_F32,
                                       [SMITIN_CACHE_Q8] = SM_FORMAT_Q8};
    binder->as_file = options->format == SMITIN_FORMAT_FILE;
    binder->format = formats[options->format];
    *cache = caches[options->cache];
}

/* From `source`, or random weights when that is NULL. */
static smitin_status bind_model(smitin_engine *engine, const sm_source *source,
                                const smitin_engine_options *options, smitin_error *error)
{
    const sm_model_config *config = &engine->config;
    sm_binder binder;
    if (source != NULL)
        sm_binder_init_source(&binder, source, engine->arena);
    else
        sm_binder_init_random(&binder, engine->arena);
    binder.pool = engine->pool;
    choose_formats(options, &binder, &engine->cache);
    SM_TRY(sm_t5_new(&engine->t5, &config->text, &binder, error));
    SM_TRY(sm_codec_new(&engine->codec, &config->codec, &binder, error));
    SM_TRY(sm_lm_new(&engine->lm, &config->lm, config->text.hidden, &binder, error));
    SM_TRY(sm_binder_finish(&binder, "the model", error));
    engine->parameters = binder.parameters;
#if defined(__GLIBC__)
    /* Binding frees tens of megabytes, which the C library would keep for a while. */
    (void)malloc_trim(0);
#endif
    return SMITIN_OK;
}

static smitin_status load_model(smitin_engine *engine, const smitin_engine_options *options,
                                smitin_error *error)
{
    char file_path[sizeof engine->path + 32];
    struct stat info;
    if (stat(engine->path, &info) != 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "no model at %s; give a directory with config.json and the model's weights",
                       engine->path);
    if (!S_ISDIR(info.st_mode))
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%s is not a directory; a model is a directory with config.json and "
                       "weights such as model.safetensors",
                       engine->path);
    SM_TRY(sm_config_read(&engine->config, engine->path, error));

    sm_source *source = NULL;
    SM_TRY(sm_source_open(&source, engine->path, error));
    const smitin_status status = bind_model(engine, source, options, error);
    sm_source_close(source);
    SM_TRY(status);

    snprintf(file_path, sizeof file_path, "%s/spiece.model", engine->path);
    if (stat(file_path, &info) != 0) return SMITIN_OK;
    SM_TRY(sm_tokenizer_open(&engine->tokenizer, file_path, error));
    sm_tokenizer_set_rows(engine->tokenizer, engine->config.text.vocab);
    return SMITIN_OK;
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
    smitin_status status = sm_config_shape(&engine->config, shape, error);
    if (status == SMITIN_OK) status = bind_model(engine, NULL, options, error);
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
    info->memory_bytes = sm_arena_bytes(engine->arena);
    info->step_bytes = sm_lm_step_bytes(engine->lm);
    snprintf(info->fingerprint, sizeof info->fingerprint, "%s", sm_lm_fingerprint(engine->lm));
}

int sm_engine_frames(const smitin_engine *engine, double seconds)
{
    const double frames = seconds * engine->config.codec.sample_rate / engine->config.codec.hop;
    return frames < 1.0 ? 1 : (int)lround(frames);
}
