/* SPDX-License-Identifier: MIT */
/* The codec's encoder comes into memory when the first clip is heard: most pieces are made of text
 * alone, and of the small model in q8 it is a twelfth. Owns its memory and the second look at the
 * checkpoint. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct sm_encoder {
    pthread_mutex_t lock;
    sm_arena *arena;  /* its weights; NULL: not yet */
    char *path;       /* of the checkpoint, absolute; NULL: random weights */
    uint64_t version; /* of its files when the model was loaded */
};

/* FNV-1a of what tells one version of the files from another. */
static uint64_t files_version(const sm_source *source)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sm_source_files(source); i++) {
        struct stat info;
        if (stat(sm_source_file(source, i), &info) != 0) memset(&info, 0, sizeof info);
        const uint64_t parts[] = {(uint64_t)info.st_dev, (uint64_t)info.st_ino,
                                  (uint64_t)info.st_size, (uint64_t)info.st_mtim.tv_sec,
                                  (uint64_t)info.st_mtim.tv_nsec};
        for (size_t j = 0; j < 8 * (sizeof parts / sizeof *parts); j++)
            hash = (hash ^ (parts[j / 8] >> (8 * (j % 8)) & 255)) * 1099511628211u;
    }
    return hash;
}

smitin_status sm_encoder_new(sm_encoder **out, const char *path, const sm_source *source,
                             smitin_error *error)
{
    sm_encoder *encoder = calloc(1, sizeof *encoder);
    *out = NULL;
    if (encoder == NULL) return sm_fail_memory(error, "the engine", sizeof *encoder);
    if (source != NULL) {
        encoder->path = realpath(path, NULL);
        encoder->version = files_version(source);
    }
    if (source != NULL && encoder->path == NULL) {
        free(encoder);
        return sm_fail(error, SMITIN_ERROR_IO, "no model at %s", path);
    }
    if (pthread_mutex_init(&encoder->lock, NULL) != 0) {
        free(encoder->path);
        free(encoder);
        return sm_fail_memory(error, "the engine", sizeof *encoder);
    }
    *out = encoder;
    return SMITIN_OK;
}

void sm_encoder_free(sm_encoder *encoder)
{
    if (encoder == NULL) return;
    pthread_mutex_destroy(&encoder->lock);
    sm_arena_free(encoder->arena);
    free(encoder->path);
    free(encoder);
}

/* With the source open, or NULL for random weights. */
static smitin_status bind_from(const struct smitin_engine *engine, const sm_source *source,
                               smitin_error *error)
{
    sm_encoder *encoder = engine->encoder;
    sm_binder binder;
    sm_arena *arena = sm_arena_new();
    if (arena == NULL) return sm_fail_memory(error, "the codec's encoder", 0);
    if (source != NULL)
        sm_binder_init_source(&binder, source, arena);
    else
        sm_binder_init_random(&binder, arena);
    binder.pool = engine->pool;
    binder.as_file = engine->format == SMITIN_FORMAT_FILE;
    binder.format = sm_engine_format(engine->format);
    sm_codec_bind_encoder(engine->codec, &binder);
    const smitin_status status = sm_binder_finish(&binder, "the codec's encoder", error);
    if (status == SMITIN_OK)
        encoder->arena = arena;
    else
        sm_arena_free(arena);
    sm_engine_tidy();
    return status;
}

static smitin_status bind(const struct smitin_engine *engine, smitin_error *error)
{
    const sm_encoder *encoder = engine->encoder;
    sm_checkpoint checkpoint;
    if (encoder->path == NULL) return bind_from(engine, NULL, error);
    SM_TRY(sm_checkpoint_open(&checkpoint, encoder->path, error));
    const smitin_status status =
        files_version(checkpoint.source) == encoder->version
            ? bind_from(engine, checkpoint.source, error)
            : sm_fail(error, SMITIN_ERROR_MODEL,
                      "the files of %s are not those it was loaded from, and its codec's encoder "
                      "is still there; load the model again",
                      engine->path);
    sm_checkpoint_close(&checkpoint);
    return sm_engine_refusal(status, SMITIN_ERROR_MODEL, error);
}

smitin_status sm_encoder_need(const struct smitin_engine *engine, smitin_error *error)
{
    sm_encoder *encoder = engine->encoder;
    pthread_mutex_lock(&encoder->lock);
    const smitin_status status = encoder->arena != NULL ? SMITIN_OK : bind(engine, error);
    pthread_mutex_unlock(&encoder->lock);
    return status;
}

size_t sm_encoder_bytes(sm_encoder *encoder)
{
    pthread_mutex_lock(&encoder->lock);
    const size_t bytes = encoder->arena != NULL ? sm_arena_bytes(encoder->arena) : 0;
    pthread_mutex_unlock(&encoder->lock);
    return bytes;
}
