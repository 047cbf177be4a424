/* SPDX-License-Identifier: MIT */
/* Owns the audiocraft form of a source: state_dict.bin with its fused projections taken apart,
 * compression_state_dict.bin or the codec it points to; the text encoder, which audiocraft never
 * stores, comes from beside the model (source_neighbour.c). */
#include <stdio.h>
#include <string.h>

#include "audiocraft.h"
#include "source_inside.h"

#define LM_FILE    "state_dict.bin"
#define CODEC_FILE "compression_state_dict.bin"
#define STATE      "best_state/"

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
    const char *repo = SM_CODEC_REPO;
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
    return sm_source_take_codec(source, folder, repo, error);
}

smitin_status sm_source_take_audiocraft(sm_source *source, const char *folder, smitin_error *error)
{
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
    return sm_source_take_text(source, folder, error);
}
