/* SPDX-License-Identifier: MIT */
/* Owns the encoders built in: the codec of a model, and the recogniser. */
#include "eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where models lie; and where a checkout has it. */
#define RECOGNISER_FILE "recogniser/recogniser.safetensors"
#define RECOGNISER_HERE "training/floors/recogniser.safetensors"

const char *const eval_embed_names[] = {"none", "codec", "recogniser", NULL};

/* Of longer audio the codec hears one part after the other, so that its memory stays small. */
enum { PART_SECONDS = 30 };

encoder_options encoder_options_defaults(int embed)
{
    return (encoder_options){.model = model_options_defaults(), .embed = embed};
}

size_t encoder_option_specs(encoder_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--embed", OPTION_CHOICE, &o->embed, 0, 0, eval_embed_names, "NAME",
         "encoder: recogniser (windows of 2 s, one a second), codec (frames), none"},
        {NULL, "--recogniser", OPTION_TEXT, &o->recogniser, 0, 0, NULL, "FILE",
         "its weights [the installed ones, or training/floors/recogniser.safetensors]"},
        {"-m", "--model", OPTION_TEXT, &o->model.model, 0, 0, NULL, "MODEL",
         "whose codec --embed codec takes [mini]"},
        {"-hf", "--hf-repo", OPTION_TEXT, &o->model.hf, 0, 0, NULL, "ORG/REPO",
         "instead of -m: a model that was pulled, with @REVISION or without"},
        {"-t", "--threads", OPTION_INT, &o->model.threads, 0, 1024, NULL, "N",
         "threads; 0 is every core [0]"},
    };
    return options_add(specs, capacity, table, sizeof table / sizeof *table);
}

static int open_recogniser(encoders *e, const char *file)
{
    char path[1024];
    smitin_error error = {0};
    if (file == NULL && !find_installed(RECOGNISER_FILE, path, sizeof path) &&
        !find_installed(RECOGNISER_HERE, path, sizeof path)) {
        fprintf(stderr,
                "smitin: there is no %s under models/, $SMITIN_MODELS or the installed data, and "
                "no %s here; give the recogniser's weights with --recogniser FILE "
                "(training/floors/recogniser.py makes them)\n",
                RECOGNISER_FILE, RECOGNISER_HERE);
        return EXIT_REFUSED;
    }
    if (sm_recogniser_open(&e->recogniser, file != NULL ? file : path, &error) != SMITIN_OK)
        return report_error(&error);
    return EXIT_DONE;
}

static smitin_status encode(void *context, const float *samples, size_t count, float **rows,
                            size_t *n, smitin_error *error)
{
    const smitin_engine *engine = context;
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    const size_t part =
        (size_t)PART_SECONDS * (size_t)info.sample_rate / (size_t)info.hop * (size_t)info.hop;
    const size_t frames = (count + (size_t)info.hop - 1) / (size_t)info.hop;
    const size_t width = (size_t)info.latent_size;
    *n = 0;
    *rows = malloc((frames + 1) * width * sizeof **rows);
    if (*rows == NULL) {
        snprintf(error->message, sizeof error->message, "there is not enough memory for it");
        return error->status = SMITIN_ERROR_MEMORY;
    }
    for (size_t at = 0; at < count; at += part) {
        const size_t length = count - at < part ? count - at : part;
        const smitin_status status = smitin_engine_latents(
            engine, samples + at, length, *rows + *n * width, (frames - *n) * width, error);
        if (status != SMITIN_OK) {
            free(*rows);
            *rows = NULL;
            return status;
        }
        *n += (length + (size_t)info.hop - 1) / (size_t)info.hop;
    }
    return SMITIN_OK;
}

static int open_codec(encoders *e, const model_options *o)
{
    char path[1024];
    smitin_model_info info;
    const int code = open_engine(&e->engine, o, path, sizeof path);
    if (code != EXIT_DONE) return code;
    smitin_engine_info(e->engine, &info);
    char title[128];
    model_title(path, title, sizeof title);
    for (char *at = title; *at != '\0'; at++)
        if (*at == '/') *at = '-';
    snprintf(e->name, sizeof e->name, "encodec-%s", title);
    e->encoder = (sm_encoder){.name = e->name,
                              .rate = info.sample_rate,
                              .d = info.latent_size,
                              .run = encode,
                              .context = e->engine};
    return EXIT_DONE;
}

int encoders_open(encoders *e, const encoder_options *o, bool hear)
{
    int code = EXIT_DONE;
    memset(e, 0, sizeof *e);
    if (hear || o->embed == EMBED_RECOGNISER) code = open_recogniser(e, o->recogniser);
    if (code == EXIT_DONE && o->embed == EMBED_RECOGNISER)
        e->encoder = sm_recogniser_encoder(e->recogniser);
    if (code == EXIT_DONE && o->embed == EMBED_CODEC) code = open_codec(e, &o->model);
    return code;
}

void encoders_close(encoders *e)
{
    sm_recogniser_free(e->recogniser);
    smitin_engine_free(e->engine);
    memset(e, 0, sizeof *e);
}
