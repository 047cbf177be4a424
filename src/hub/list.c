/* SPDX-License-Identifier: MIT */
/* Owns the inventory: the MusicGen snapshots of the cache and local model directories. */
#include "../format/safetensors.h"
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Folders ---- */

typedef struct names {
    char (*items)[SM_HUB_NAME];
    size_t count;
} names;

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The entries of a folder, sorted, hidden and overlong ones left out; none when it is missing. */
static smitin_status read_folder(names *out, const char *folder, smitin_error *error)
{
    *out = (names){0};
    DIR *dir = opendir(folder);
    if (dir == NULL && (errno == ENOENT || errno == ENOTDIR)) return SMITIN_OK;
    if (dir == NULL)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot read the folder %s: %s; check its rights",
                       folder, strerror(errno));
    smitin_status status = SMITIN_OK;
    for (struct dirent *entry; status == SMITIN_OK && (entry = readdir(dir)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || length >= SM_HUB_NAME) continue;
        void *grown = realloc(out->items, (out->count + 1) * sizeof *out->items);
        if (grown == NULL) {
            status = sm_fail_memory(error, "names of files", sizeof *out->items);
            break;
        }
        out->items = grown;
        memcpy(out->items[out->count++], entry->d_name, length + 1);
    }
    closedir(dir);
    if (status == SMITIN_OK && out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, by_name);
    return status;
}

/* ---- One directory ---- */

/* The type of most weights, from the header of a safetensors file. */
static void read_dtype(sm_hub_entry *entry)
{
    char path[SM_HUB_PATH + SM_HUB_FILE + 8], files[SM_HUB_MAX_FILES][SM_HUB_FILE];
    uint64_t counts[SM_DTYPES] = {0};
    sm_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", entry->path);
    if (entry->container == SM_HUB_SAFETENSORS_SHARDED) {
        snprintf(path, sizeof path, "%s/model.safetensors.index.json", entry->path);
        if (sm_hub_index_files(path, files, SM_HUB_MAX_FILES) < 1) return;
        snprintf(path, sizeof path, "%s/%s", entry->path, files[0]);
    } else if (entry->container != SM_HUB_SAFETENSORS) {
        return;
    }
    if (sm_safetensors_open(&file, path, NULL) != SMITIN_OK) {
        entry->complete = false;
        return;
    }
    for (size_t i = 0; i < sm_safetensors_count(file); i++) {
        const sm_tensor *tensor = sm_safetensors_at(file, i);
        counts[tensor->dtype] += tensor->count;
    }
    sm_safetensors_close(file);
    sm_dtype most = SM_F32;
    for (int d = 0; d < SM_DTYPES; d++) {
        if (counts[d] > counts[most]) most = (sm_dtype)d;
    }
    snprintf(entry->dtype, sizeof entry->dtype, "%s", sm_dtype_name(most));
}

/* Fill type, container, dtype and size from entry->path. False when it is no MusicGen. */
static bool describe(sm_hub_entry *entry, smitin_error *error, smitin_status *status)
{
    char path[SM_HUB_PATH + SM_HUB_NAME + 8], missing[SM_HUB_FILE];
    struct stat info;
    names files;
    snprintf(path, sizeof path, "%s/config.json", entry->path);
    json_t *root = sm_hub_read_json(path);
    const char *type = json_string_value(json_object_get(root, "model_type"));
    entry->complete = sm_hub_weights(entry->path, &entry->container, missing);
    const bool audiocraft = entry->container == SM_HUB_AUDIOCRAFT && root == NULL;
    const bool ours = audiocraft || (type != NULL && strncmp(type, "musicgen", 8) == 0);
    if (ours) snprintf(entry->type, sizeof entry->type, "%.31s", audiocraft ? "musicgen" : type);
    json_decref(root);
    if (!ours) return false;
    *status = read_folder(&files, entry->path, error);
    for (size_t i = 0; *status == SMITIN_OK && i < files.count; i++) {
        snprintf(path, sizeof path, "%s/%s", entry->path, files.items[i]);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) entry->bytes += (uint64_t)info.st_size;
    }
    free(files.items);
    read_dtype(entry);
    return *status == SMITIN_OK;
}

static smitin_status add_entry(sm_hub_list *list, const sm_hub_entry *entry, smitin_error *error)
{
    sm_hub_entry *grown = realloc(list->entries, (list->count + 1) * sizeof *grown);
    if (grown == NULL) return sm_fail_memory(error, "the list of models", sizeof *grown);
    list->entries = grown;
    list->entries[list->count++] = *entry;
    return SMITIN_OK;
}

/* ---- The cache ---- */

/* "models--org--repo" as "org/repo". False for other folders. */
static bool repo_of(const char *folder, char *repo, size_t size)
{
    if (strncmp(folder, "models--", 8) != 0 || folder[8] == '\0') return false;
    const char *rest = folder + 8, *cut = strstr(rest, "--");
    if (cut == NULL)
        snprintf(repo, size, "%s", rest);
    else
        snprintf(repo, size, "%.*s/%s", (int)(cut - rest), rest, cut + 2);
    return true;
}

/* The refs directly under refs/ that name the commit, with commas. */
static smitin_status refs_of(const char *storage, const char *commit, char *out, size_t size,
                             smitin_error *error)
{
    char folder[SM_HUB_PATH], cached[41];
    names refs;
    SM_TRY(sm_hub_path(folder, sizeof folder, error, "%s/refs", storage));
    const smitin_status status = read_folder(&refs, folder, error);
    size_t used = 0;
    for (size_t i = 0; status == SMITIN_OK && i < refs.count; i++) {
        const char *ref = refs.items[i];
        if (sm_hub_is_hex(ref, 40) || !sm_hub_cached_commit(storage, ref, cached)) continue;
        if (strcmp(cached, commit) != 0 || used + strlen(ref) + 2 > size) continue;
        used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "", ref);
    }
    free(refs.items);
    return status;
}

static smitin_status list_repo(sm_hub_list *list, const sm_hub_config *config, const char *folder,
                               smitin_error *error)
{
    char storage[SM_HUB_PATH], snapshots[SM_HUB_PATH], repo[SM_HUB_NAME];
    names commits;
    if (!repo_of(folder, repo, sizeof repo)) return SMITIN_OK;
    SM_TRY(sm_hub_path(storage, sizeof storage, error, "%s/%s", config->cache, folder));
    SM_TRY(sm_hub_path(snapshots, sizeof snapshots, error, "%s/snapshots", storage));
    smitin_status status = read_folder(&commits, snapshots, error);
    for (size_t i = 0; status == SMITIN_OK && i < commits.count; i++) {
        sm_hub_entry entry = {0};
        if (!sm_hub_is_hex(commits.items[i], 40)) continue;
        memcpy(entry.name, repo, sizeof entry.name);
        memcpy(entry.commit, commits.items[i], sizeof entry.commit);
        status =
            sm_hub_path(entry.path, sizeof entry.path, error, "%s/%s", snapshots, commits.items[i]);
        if (status != SMITIN_OK || !describe(&entry, error, &status)) continue;
        status = refs_of(storage, entry.commit, entry.revision, sizeof entry.revision, error);
        if (status == SMITIN_OK) status = add_entry(list, &entry, error);
    }
    free(commits.items);
    return status;
}

smitin_status sm_hub_list_cache(sm_hub_list *list, const sm_hub_config *config, smitin_error *error)
{
    names folders;
    smitin_status status = read_folder(&folders, config->cache, error);
    for (size_t i = 0; status == SMITIN_OK && i < folders.count; i++)
        status = list_repo(list, config, folders.items[i], error);
    free(folders.items);
    return status;
}

smitin_status sm_hub_list_folder(sm_hub_list *list, const char *folder, smitin_error *error)
{
    names folders;
    smitin_status status = read_folder(&folders, folder, error);
    for (size_t i = 0; status == SMITIN_OK && i < folders.count; i++) {
        sm_hub_entry entry = {0};
        const char *slash = folder[0] != '\0' && folder[strlen(folder) - 1] == '/' ? "" : "/";
        memcpy(entry.name, folders.items[i], sizeof entry.name);
        status = sm_hub_path(entry.path, sizeof entry.path, error, "%s%s%s", folder, slash,
                             folders.items[i]);
        if (status != SMITIN_OK || !describe(&entry, error, &status)) continue;
        status = add_entry(list, &entry, error);
    }
    free(folders.items);
    return status;
}

void sm_hub_list_free(sm_hub_list *list)
{
    free(list->entries);
    *list = (sm_hub_list){0};
}
