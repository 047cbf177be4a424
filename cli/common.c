/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/hub/hub.h"
#include "interrupt.h"

int report_error(const smitin_error *error)
{
    if (error->status == SMITIN_ERROR_STOPPED && interrupted() != 0) {
        fprintf(stderr, "smitin: interrupted; nothing half-written is left\n");
        return EXIT_SIGNAL + interrupted();
    }
    fprintf(stderr, "smitin: %s\n", error->message);
    switch (error->status) {
    case SMITIN_OK:
        return EXIT_DONE;
    case SMITIN_ERROR_ARGUMENT:
        return EXIT_USAGE;
    case SMITIN_ERROR_MODEL:
    case SMITIN_ERROR_KNOB:
        return EXIT_REFUSED;
    case SMITIN_ERROR_MEMORY:
    case SMITIN_ERROR_IO:
    case SMITIN_ERROR_FORMAT:
    case SMITIN_ERROR_STATE:
    case SMITIN_ERROR_STOPPED:
        break;
    }
    return EXIT_FAILED;
}

static bool is_there(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* The snapshot of a model of the hub, in its cache. */
static int find_snapshot(const char *text, char *path, size_t size)
{
    smitin_error error = {0};
    sm_hub_config config;
    sm_hub_name name;
    smitin_status status = sm_hub_name_parse(&name, text, &error);
    if (status == SMITIN_OK) status = sm_hub_config_read(&config, &error);
    if (status == SMITIN_OK) status = sm_hub_find(&config, &name, path, size, &error);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

bool find_installed(const char *name, char *path, size_t size)
{
    const char *own = getenv("SMITIN_MODELS");
    const char *const bases[] = {"", "models/", own, SMITIN_DATADIR "/models"};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (bases[i] == NULL) continue;
        const bool slash = bases[i][0] != '\0' && bases[i][strlen(bases[i]) - 1] != '/';
        const int length = snprintf(path, size, "%s%s%s", bases[i], slash ? "/" : "", name);
        if (length > 0 && (size_t)length < size && is_there(path)) return true;
    }
    return false;
}

int find_model(const char *name, const char *hf, char *path, size_t size)
{
    if (hf != NULL && strcmp(name, DEFAULT_MODEL) != 0) {
        fprintf(stderr, "smitin: --model and --hf-repo name two models; give one of them\n");
        return EXIT_USAGE;
    }
    if (hf != NULL) return find_snapshot(hf, path, size);
    if (find_installed(name, path, size)) return EXIT_DONE;
    fprintf(stderr,
            "smitin: there is no model \"%s\", neither here nor under models/, $SMITIN_MODELS or "
            "%s/models; give the directory that holds config.json with -m, or a pulled model "
            "with -hf\n",
            name, SMITIN_DATADIR);
    return EXIT_REFUSED;
}

void model_title(const char *path, char *title, size_t size)
{
    const char *slash = strrchr(path, '/');
    const char *folder = strstr(path, "/models--");
    snprintf(title, size, "%s", slash != NULL ? slash + 1 : path);
    const size_t length = strlen(title);
    if (length > 5 && strcmp(title + length - 5, ".gguf") == 0) title[length - 5] = '\0';
    if (folder == NULL || strstr(folder, "/snapshots/") == NULL) return;
    folder += strlen("/models--");
    const char *end = strstr(folder, "/snapshots/"), *cut = strstr(folder, "--");
    if (cut == NULL || cut > end)
        snprintf(title, size, "%.*s", (int)(end - folder), folder);
    else
        snprintf(title, size, "%.*s/%.*s", (int)(cut - folder), folder, (int)(end - cut - 2),
                 cut + 2);
}

/* The user's folder for knobs, or an empty string. */
static void user_knobs(char *path, size_t size)
{
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    path[0] = '\0';
    if (data != NULL && data[0] == '/')
        snprintf(path, size, "%s/smitin/knobs", data);
    else if (home != NULL && home[0] == '/')
        snprintf(path, size, "%s/.local/share/smitin/knobs", home);
}

/* The folder "knobs" in a model's directory, or beside its file. */
static void own_knobs(char *path, size_t size, const char *model_path)
{
    struct stat info;
    const char *slash = strrchr(model_path, '/');
    if (stat(model_path, &info) != 0 || S_ISDIR(info.st_mode))
        snprintf(path, size, "%s/knobs", model_path);
    else
        snprintf(path, size, "%.*sknobs", slash != NULL ? (int)(slash + 1 - model_path) : 0,
                 model_path);
}

bool find_knob(const char *name, const char *model_path, char *path, size_t size)
{
    char user[1024], own[1100];
    if (strchr(name, '/') != NULL || strstr(name, ".safetensors") != NULL) {
        snprintf(path, size, "%s", name);
        if (is_there(path)) return true;
        fprintf(stderr, "smitin: there is no knob file %s\n", name);
        return false;
    }
    user_knobs(user, sizeof user);
    own_knobs(own, sizeof own, model_path);
    const char *const folders[] = {".", getenv("SMITIN_KNOBS"), user[0] != '\0' ? user : NULL, own};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (folders[i] == NULL) continue;
        const int length = snprintf(path, size, "%s/%s.knob.safetensors", folders[i], name);
        if (length > 0 && (size_t)length < size && is_there(path)) return true;
    }
    fprintf(stderr,
            "smitin: there is no knob \"%s\" here, in $SMITIN_KNOBS, %s or %s; train one with "
            "\"smitin knob train\", or "
            "give the path of a .knob.safetensors file\n",
            name, user, own);
    return false;
}

void progress_bar(const char *what, double done, double total)
{
    enum { WIDTH = 32 };
    if (!isatty(STDERR_FILENO) || total <= 0.0) return;
    char bar[WIDTH + 1];
    const int filled = (int)(WIDTH * (done < total ? done / total : 1.0));
    memset(bar, ' ', WIDTH);
    memset(bar, '=', (size_t)filled);
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%-12s [%s] %3.0f %%", what, bar,
            100.0 * (done < total ? done / total : 1.0));
    if (done >= total) fputc('\n', stderr);
    fflush(stderr);
}

const char *const model_formats[] = {"file", "f32", "f16", "bf16", "q8", "q4", NULL};
const char *const model_caches[] = {"auto", "f16", "f32", "q8", NULL};

const char *const model_shapes[] = {"musicgen-small", "musicgen-medium", "musicgen-large", NULL};

model_options model_options_defaults(void)
{
    return (model_options){.model = DEFAULT_MODEL};
}

size_t model_option_specs(model_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {"-m", "--model", OPTION_TEXT, &o->model, 0, 0, NULL, "MODEL",
         "directory, GGUF file or name of a model [mini]"},
        {"-hf", "--hf-repo", OPTION_TEXT, &o->hf, 0, 0, NULL, "ORG/REPO",
         "instead of -m: a model that was pulled, with @REVISION or without"},
        {"-q", "--quantize", OPTION_CHOICE, &o->format, 0, 0, model_formats, "FORMAT",
         "weights in memory: file (as they are), f32, f16, bf16, q8, q4 [file]"},
        {NULL, "--cache", OPTION_CHOICE, &o->cache, 0, 0, model_caches, "FORMAT",
         "keys and values: f16, f32, q8; auto is q8 with weights of q8 or q4, else f16 [auto]"},
        {"-t", "--threads", OPTION_INT, &o->threads, 0, 1024, NULL, "N",
         "threads; 0 is every core [0]"},
        {NULL, "--cpu-level", OPTION_TEXT, &o->cpu_level, 0, 0, NULL, "NAME",
         "ref, avx2, avx_vnni, avx512, avx512_vnni; ARM: neon, neon_dot [the best]"},
    };
    return options_add(specs, capacity, table, sizeof table / sizeof *table);
}

static smitin_engine_options engine_options(const model_options *o)
{
    static const smitin_format formats[] = {SMITIN_FORMAT_FILE, SMITIN_FORMAT_F32,
                                            SMITIN_FORMAT_F16,  SMITIN_FORMAT_BF16,
                                            SMITIN_FORMAT_Q8,   SMITIN_FORMAT_Q4};
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = o->threads;
    options.cpu_level = o->cpu_level;
    options.format = formats[o->format];
    options.cache = (smitin_cache)o->cache;
    return options;
}

int open_engine(smitin_engine **engine, const model_options *o, char *path, size_t path_size)
{
    smitin_error error = {0};
    const int code = find_model(o->model, o->hf, path, path_size);
    if (code != EXIT_DONE) return code;
    const smitin_engine_options options = engine_options(o);
    if (smitin_engine_open(engine, path, &options, &error) != SMITIN_OK)
        return report_error(&error);
    return EXIT_DONE;
}

int open_random(smitin_engine **engine, const model_options *o, const char *shape)
{
    smitin_error error = {0};
    const smitin_engine_options options = engine_options(o);
    if (smitin_engine_random(engine, shape, &options, &error) != SMITIN_OK)
        return report_error(&error);
    return EXIT_DONE;
}
