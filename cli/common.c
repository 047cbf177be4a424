/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/hub/hub.h"

int report_error(const smitin_error *error)
{
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

int find_model(const char *name, const char *hf, char *path, size_t size)
{
    if (hf != NULL && strcmp(name, DEFAULT_MODEL) != 0) {
        fprintf(stderr, "smitin: --model and --hf-repo name two models; give one of them\n");
        return EXIT_USAGE;
    }
    if (hf != NULL) return find_snapshot(hf, path, size);
    const char *own = getenv("SMITIN_MODELS");
    const char *const bases[] = {"", "models/", own, SMITIN_DATADIR "/models"};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (bases[i] == NULL) continue;
        const bool slash = bases[i][0] != '\0' && bases[i][strlen(bases[i]) - 1] != '/';
        const int length = snprintf(path, size, "%s%s%s", bases[i], slash ? "/" : "", name);
        if (length > 0 && (size_t)length < size && is_there(path)) return EXIT_DONE;
    }
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
    snprintf(own, sizeof own, "%s/knobs", model_path);
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

int open_engine(smitin_engine **engine, const char *model, const char *hf, const char *cpu_level,
                int threads, char *path, size_t path_size)
{
    smitin_error error = {0};
    const int code = find_model(model, hf, path, path_size);
    if (code != EXIT_DONE) return code;
    smitin_engine_options options = smitin_engine_defaults();
    options.threads = threads;
    options.cpu_level = cpu_level;
    if (smitin_engine_open(engine, path, &options, &error) != SMITIN_OK)
        return report_error(&error);
    return EXIT_DONE;
}
