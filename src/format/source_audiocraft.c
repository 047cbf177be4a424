/* SPDX-License-Identifier: MIT */
/* Owns the audiocraft form of a source: state_dict.bin with its fused projections taken apart,
 * compression_state_dict.bin or the codec it points to, and the text encoder, which audiocraft
 * never stores. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/filemap.h"
#include "audiocraft.h"
#include "source_inside.h"

#define LM_FILE    "state_dict.bin"
#define CODEC_FILE "compression_state_dict.bin"
#define STATE      "best_state/"

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

/* Thirds of the rows of in_proj_weight [3 d, d]: q, k, v [d, d], in place. */
static smitin_status add_thirds(sm_source *source, const sm_tensor *fused,
                                char names[3][SM_NAME_SIZE], smitin_error *error)
{
    if (fused->dims != 2 || fused->shape[0] % 3 != 0) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s/" LM_FILE
                       ": %s should hold q, k and v in thirds of its rows, but has %d "
                       "dimensions or rows that are no multiple of 3; fetch it again",
                       source->path, fused->name, fused->dims);
    }
    sm_tensor third = *fused;
    third.shape[0] /= 3;
    third.count /= 3;
    for (int i = 0; i < 3; i++) {
        third.data =
            (const char *)fused->data + (size_t)i * third.count * sm_dtype_size(third.dtype);
        SM_TRY(sm_source_add(source, &third, names[i], error));
    }
    return SMITIN_OK;
}

static smitin_status take_lm(sm_source *source, const sm_tensor *view, smitin_error *error)
{
    char names[3][SM_NAME_SIZE];
    const int count = sm_audiocraft_lm(view->name + sizeof STATE - 1, names);
    if (count == 3) return add_thirds(source, view, names, error);
    return count == 1 ? sm_source_add(source, view, names[0], error) : SMITIN_OK;
}

static smitin_status take_codec(sm_source *source, const sm_tensor *view, smitin_error *error)
{
    char name[SM_NAME_SIZE];
    if (!sm_audiocraft_codec(view->name + sizeof STATE - 1, name)) return SMITIN_OK;
    return sm_source_add(source, view, name, error);
}

/* Give every tensor of best_state to `take`; how many there were in `count`. */
static smitin_status take_state(sm_source *source, size_t place, sm_source_taker take,
                                size_t *count, smitin_error *error)
{
    *count = 0;
    for (size_t i = 0; i < sm_container_count(&source->containers[place]); i++) {
        const sm_tensor *view = sm_container_at(&source->containers[place], i);
        if (!begins(view->name, STATE)) continue;
        SM_TRY(take(source, view, error));
        ++*count;
    }
    return SMITIN_OK;
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

/* "org/name" of plain characters, so that it can only name a folder. */
static bool sound_repo(const char *repo)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const size_t org = strspn(repo, plain);
    if (org == 0 || org > 96 || repo[org] != '/' || repo[0] == '.') return false;
    const char *name = repo + org + 1;
    const size_t length = strspn(name, plain);
    return length > 0 && length <= 96 && name[length] == '\0' && name[0] != '.';
}

static smitin_status take_codec_file(sm_source *source, const char *folder, smitin_error *error)
{
    const char *repo = "facebook/encodec_32khz";
    if (sm_source_has(folder, CODEC_FILE)) {
        size_t place = 0, count = 0;
        SM_TRY(sm_source_map(source, folder, CODEC_FILE, &place, error));
        SM_TRY(take_state(source, place, take_codec, &count, error));
        if (count > 0) return SMITIN_OK;
        repo = sm_torch_text(source->containers[place].torch, "pretrained");
        if (repo == NULL || !sound_repo(repo)) {
            return sm_fail(error, SMITIN_ERROR_MODEL,
                           "%s/" CODEC_FILE
                           " holds neither tensors in best_state nor the name of a "
                           "pretrained codec such as facebook/encodec_32khz; fetch it again",
                           folder);
        }
    }
    const neighbour codec = {"codec", {repo, NULL}, take_codec_folder};
    return take_neighbour(source, folder, &codec, error);
}

smitin_status sm_source_take_audiocraft(sm_source *source, const char *folder, smitin_error *error)
{
    static const neighbour text = {
        "text encoder", {"google-t5/t5-base", "t5-base"}, take_text_folder};
    size_t place = 0, count = 0;
    SM_TRY(sm_source_map(source, folder, LM_FILE, &place, error));
    SM_TRY(take_state(source, place, take_lm, &count, error));
    if (count == 0) {
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s/" LM_FILE " has no tensors in best_state; is it audiocraft's file of a "
                       "released MusicGen?",
                       folder);
    }
    SM_TRY(take_codec_file(source, folder, error));
    return take_neighbour(source, folder, &text, error);
}
