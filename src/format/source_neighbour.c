/* SPDX-License-Identifier: MIT */
/* Owns what a model takes from folders beside it: the codec and the text encoder that audiocraft's
 * files lack, and the codec of uploads whose own one is broken. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/filemap.h"
#include "audiocraft.h"
#include "source_inside.h"

#define CODEC "audio_encoder."

/* A model that lies beside this one. */
typedef struct neighbour {
    const char *what;     /* "text encoder" */
    const char *repos[2]; /* "org/name", the second one may be NULL */
    sm_source_taker take;
} neighbour;

static bool begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Tensors of a folder of its own, whose names lack the prefix of their part. */
static smitin_status add_prefixed(sm_source *source, const sm_tensor *view, const char *prefix,
                                  const char *const *known, smitin_error *error)
{
    char name[SM_NAME_SIZE];
    if (begins(view->name, prefix)) return sm_source_add(source, view, NULL, error);
    for (; *known != NULL; known++) {
        if (!begins(view->name, *known)) continue;
        const int length = snprintf(name, sizeof name, "%s%s", prefix, view->name);
        if (length < 0 || (size_t)length >= sizeof name) return SMITIN_OK;
        return sm_source_add(source, view, name, error);
    }
    return SMITIN_OK;
}

static smitin_status take_codec_folder(sm_source *source, const sm_tensor *view,
                                       smitin_error *error)
{
    static const char *const known[] = {"encoder.", "decoder.", "quantizer.", NULL};
    return add_prefixed(source, view, "audio_encoder.", known, error);
}

static smitin_status take_text_folder(sm_source *source, const sm_tensor *view, smitin_error *error)
{
    static const char *const known[] = {"shared.", "encoder.", NULL};
    return add_prefixed(source, view, "text_encoder.", known, error);
}

static const char *repo_name(const char *repo)
{
    const char *slash = strchr(repo, '/');
    return slash != NULL ? slash + 1 : repo;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The snapshot of `repo` in the Hugging Face cache that `folder` is a snapshot of:
 * CACHE/models--ORG--NAME/{refs/main, snapshots/COMMIT}. */
static bool find_snapshot(char path[SM_PATH_SIZE], const char *folder, const char *repo)
{
    const char *name = repo_name(repo);
    const int org = (int)(name - repo);
    char base[SM_PATH_SIZE], below[80] = "snapshots/";
    const int length = snprintf(base, sizeof base, "%s/../../../models--%.*s%s%s", folder,
                                org > 0 ? org - 1 : 0, repo, org > 0 ? "--" : "", name);
    sm_filemap map;
    if (length < 0 || length >= SM_PATH_SIZE ||
        sm_source_join(path, base, "refs/main", NULL) != SMITIN_OK ||
        sm_filemap_open(&map, path, NULL) != SMITIN_OK)
        return false;
    const size_t start = strlen(below);
    size_t digits = 0;
    while (digits < map.size && digits < 64 && map.data[digits] != 0 &&
           strchr("0123456789abcdef", map.data[digits]) != NULL) {
        below[start + digits] = (char)map.data[digits];
        digits++;
    }
    sm_filemap_close(&map);
    return digits > 0 && sm_source_join(path, base, below, NULL) == SMITIN_OK && is_folder(path);
}

static bool find_neighbour(char path[SM_PATH_SIZE], const char *folder, const char *repo)
{
    static const char *const ways[] = {"", "../"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const int length =
            snprintf(path, SM_PATH_SIZE, "%s/%s%s", folder, ways[i], repo_name(repo));
        if (length >= 0 && length < SM_PATH_SIZE && is_folder(path)) return true;
    }
    return find_snapshot(path, folder, repo);
}

static smitin_status take_neighbour(sm_source *source, const char *folder, const neighbour *wanted,
                                    smitin_error *error)
{
    char path[SM_PATH_SIZE];
    bool found = find_neighbour(path, folder, wanted->repos[0]) ||
                 (wanted->repos[1] != NULL && find_neighbour(path, folder, wanted->repos[1]));
    const char *name = repo_name(wanted->repos[0]);
    if (!found) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%.400s holds audiocraft's files without the %s, which is that of %s; fetch "
                       "%s and put its folder there or beside it as '%s'",
                       folder, wanted->what, wanted->repos[0], wanted->repos[0], name);
    }
    SM_TRY(sm_source_take_folder(source, path, wanted->take, &found, error));
    if (found) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "%.600s has no model.safetensors nor pytorch_model.bin, and the %s is wanted "
                   "from it; fetch it again",
                   path, wanted->what);
}

smitin_status sm_source_take_codec(sm_source *source, const char *folder, const char *repo,
                                   smitin_error *error)
{
    const neighbour codec = {"codec", {repo, NULL}, take_codec_folder};
    return take_neighbour(source, folder, &codec, error);
}

smitin_status sm_source_take_text(sm_source *source, const char *folder, smitin_error *error)
{
    static const neighbour text = {
        "text encoder", {"google-t5/t5-base", "t5-base"}, take_text_folder};
    return take_neighbour(source, folder, &text, error);
}

static bool holds(const sm_source *source, const char *name)
{
    for (size_t i = 0; i < source->count; i++) {
        if (strcmp(source->tensors[i].name, name) == 0) return true;
    }
    return false;
}

/* Early uploads of melody models hold one tensor of each LSTM: the others shared its memory, and
 * were left out when it was saved. */
static bool lacks_lstm(const sm_source *source)
{
    static const char first[] = ".lstm.weight_ih_l0", second[] = ".lstm.weight_hh_l0";
    char name[SM_NAME_SIZE];
    for (size_t i = 0; i < source->count; i++) {
        const char *given = source->tensors[i].name, *at = strstr(given, first);
        if (at == NULL || !begins(given, CODEC) || at[sizeof first - 1] != '\0') continue;
        const int length = snprintf(name, sizeof name, "%.*s%s", (int)(at - given), given, second);
        if (length > 0 && length < SM_NAME_SIZE && !holds(source, name)) return true;
    }
    return false;
}

smitin_status sm_source_mend_codec(sm_source *source, const char *folder, smitin_error *error)
{
    char path[SM_PATH_SIZE];
    if (!lacks_lstm(source) || !find_neighbour(path, folder, SM_CODEC_REPO)) return SMITIN_OK;
    size_t kept = 0;
    for (size_t i = 0; i < source->count; i++) {
        if (!begins(source->tensors[i].name, CODEC)) source->tensors[kept++] = source->tensors[i];
    }
    source->count = kept;
    return sm_source_take_codec(source, folder, SM_CODEC_REPO, error);
}
