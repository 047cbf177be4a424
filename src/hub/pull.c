/* SPDX-License-Identifier: MIT */
/* Owns a whole pull: which files, in which order, and the snapshot that appears when all are there.
 */
#include "../base/outfile.h"
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What is needed ---- */

static const char *const small_files[] = {"config.json", "generation_config.json",
                                          "preprocessor_config.json", "spiece.model"};

/* Whether the file, or for a fresh blob the blob, is there; its path for reading. */
static smitin_status content_path(const sm_hub_job *job, const sm_hub_file *file, char *path,
                                  size_t size, smitin_error *error)
{
    if (file->linked)
        return sm_hub_path(path, size, error, "%s/snapshots/%s/%s", job->storage, job->commit,
                           file->name);
    return sm_hub_blob_path(job, file, path, size, error);
}

/* A file of the snapshot with the right size was put there complete, by us or by another client. */
static smitin_status look_in_snapshot(const sm_hub_job *job, sm_hub_file *file, smitin_error *error)
{
    char path[SM_HUB_PATH];
    struct stat info;
    SM_TRY(sm_hub_path(path, sizeof path, error, "%s/snapshots/%s/%s", job->storage, job->commit,
                       file->name));
    file->linked =
        stat(path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == file->size;
    return SMITIN_OK;
}

static smitin_status plan_file(sm_hub_job *job, const char *name, smitin_error *error)
{
    SM_TRY(sm_hub_add_file(job, name, error));
    return look_in_snapshot(job, &job->files[job->files_count - 1], error);
}

/* Fetch the files planned since `first`. */
static smitin_status fetch_from(sm_hub_job *job, int first, smitin_error *error)
{
    for (int i = first; i < job->files_count; i++) SM_TRY(sm_hub_fetch(job, &job->files[i], error));
    return SMITIN_OK;
}

/* What smitin has a use for, the parts of a model that audiocraft keeps apart included. */
static smitin_status check_kind(const sm_hub_job *job, smitin_error *error)
{
    static const char *const kinds[] = {"musicgen", "musicgen_melody", "encodec", "t5"};
    char path[SM_HUB_PATH];
    SM_TRY(content_path(job, &job->files[0], path, sizeof path, error));
    json_t *root = sm_hub_read_json(path);
    const char *kind = json_string_value(json_object_get(root, "model_type"));
    bool known = false;
    for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof *kinds; i++)
        known = known || strcmp(kind, kinds[i]) == 0;
    smitin_status status = SMITIN_OK;
    if (!known)
        status = sm_fail(error, SMITIN_ERROR_MODEL,
                         "%s is a model of type \"%.60s\", which smitin does not play; pull a "
                         "MusicGen, such as facebook/musicgen-small",
                         job->name->repo, kind != NULL ? kind : "unknown");
    json_decref(root);
    return status;
}

/* The container's files after the small ones; the files an index names once it is here. */
static smitin_status plan_weights(sm_hub_job *job, smitin_error *error)
{
    static const struct {
        const char *file;
        bool index;
    } order[] = {{"model.safetensors", false},
                 {"model.safetensors.index.json", true},
                 {"pytorch_model.bin", false},
                 {"pytorch_model.bin.index.json", true},
                 {"state_dict.bin", false}};
    char path[SM_HUB_PATH];
    size_t c = 0;
    while (c < sizeof order / sizeof *order && !sm_hub_offers(job, order[c].file)) c++;
    if (c == sizeof order / sizeof *order)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s has no weights that smitin reads (model.safetensors, pytorch_model.bin "
                       "or state_dict.bin); pull another model",
                       job->name->repo);
    SM_TRY(plan_file(job, order[c].file, error));
    if (strcmp(order[c].file, "state_dict.bin") == 0) {
        if (!sm_hub_offers(job, "compression_state_dict.bin")) return SMITIN_OK;
        return plan_file(job, "compression_state_dict.bin", error);
    }
    if (!order[c].index) return SMITIN_OK;

    SM_TRY(fetch_from(job, job->files_count - 1, error));
    SM_TRY(content_path(job, &job->files[job->files_count - 1], path, sizeof path, error));
    char(*names)[SM_HUB_FILE] = calloc(SM_HUB_MAX_FILES, sizeof *names);
    if (names == NULL)
        return sm_fail_memory(error, "names of files", SM_HUB_MAX_FILES * sizeof *names);
    const int count = sm_hub_index_files(path, names, SM_HUB_MAX_FILES);
    smitin_status status = SMITIN_OK;
    if (count < 0)
        status = sm_fail(error, SMITIN_ERROR_MODEL,
                         "%s of %s is not a sound index of weights; pull another revision",
                         order[c].file, job->name->repo);
    for (int i = 0; i < count && status == SMITIN_OK; i++) {
        if (sm_hub_offers(job, names[i]))
            status = plan_file(job, names[i], error);
        else
            status = sm_fail(error, SMITIN_ERROR_MODEL,
                             "%s lacks %s, which its index names; pull another revision",
                             job->name->repo, names[i]);
    }
    free(names);
    return status;
}

static smitin_status fetch_all(sm_hub_job *job, smitin_error *error)
{
    const bool has_config = sm_hub_offers(job, "config.json");
    if (!has_config && !sm_hub_offers(job, "state_dict.bin"))
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s has no config.json, so it is no model that smitin plays; check the name",
                       job->name->repo);
    for (size_t i = 0; i < sizeof small_files / sizeof *small_files; i++) {
        if (!sm_hub_offers(job, small_files[i])) continue;
        SM_TRY(plan_file(job, small_files[i], error));
    }
    SM_TRY(fetch_from(job, 0, error));
    if (has_config) SM_TRY(check_kind(job, error));
    const int first = job->files_count;
    SM_TRY(plan_weights(job, error));
    /* An index is fetched by now; going over it again would count it twice. */
    const int fetched =
        job->files_count - first > 1 && strstr(job->files[first].name, ".index.json") != NULL
            ? first + 1
            : first;
    return fetch_from(job, fetched, error);
}

/* ---- The snapshot ---- */

static smitin_status link_file(const sm_hub_file *file, const char *folder, smitin_error *error)
{
    char path[SM_HUB_PATH], temporary[SM_HUB_PATH], target[SM_HUB_HASH + 16];
    if (file->linked) return SMITIN_OK;
    SM_TRY(sm_hub_path(path, sizeof path, error, "%s/%s", folder, file->name));
    SM_TRY(sm_hub_path(temporary, sizeof temporary, error, "%s/.%s.%ld.tmp", folder, file->name,
                       (long)getpid()));
    snprintf(target, sizeof target, "../../blobs/%s", file->hash);
    unlink(temporary);
    if (symlink(target, temporary) != 0 || rename(temporary, path) != 0) {
        const int code = errno;
        unlink(temporary);
        return sm_fail(error, SMITIN_ERROR_IO,
                       "cannot link %s: %s; set HF_HOME to a folder that you may write on a file "
                       "system with symbolic links",
                       path, strerror(code));
    }
    return SMITIN_OK;
}

/* config.json comes last: a snapshot without it is not taken for a model. */
static smitin_status link_all(sm_hub_job *job, smitin_error *error)
{
    char folder[SM_HUB_PATH], ref[SM_HUB_PATH];
    SM_TRY(sm_hub_path(folder, sizeof folder, error, "%s/snapshots/%s", job->storage, job->commit));
    SM_TRY(sm_hub_make_folders(folder, error));
    for (int i = job->files_count - 1; i >= 0; i--)
        SM_TRY(link_file(&job->files[i], folder, error));
    SM_TRY(sm_hub_path(job->result->path, sizeof job->result->path, error, "%s", folder));
    if (strcmp(job->name->revision, job->commit) == 0) return SMITIN_OK;

    char cached[41];
    if (sm_hub_cached_commit(job->storage, job->name->revision, cached) &&
        strcmp(cached, job->commit) == 0)
        return SMITIN_OK;
    SM_TRY(sm_hub_path(ref, sizeof ref, error, "%s/refs/%s", job->storage, job->name->revision));
    char *slash = strrchr(ref, '/');
    *slash = '\0';
    SM_TRY(sm_hub_make_folders(ref, error));
    *slash = '/';
    return sm_file_write(ref, job->commit, 40, error);
}

/* The mark by which backup programs know a cache. */
static smitin_status mark_cache(const sm_hub_config *config, smitin_error *error)
{
    static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                               "# This folder can be filled again from the network.\n"
                               "# See https://bford.info/cachedir/\n";
    char path[SM_HUB_PATH];
    SM_TRY(sm_hub_path(path, sizeof path, error, "%s/CACHEDIR.TAG", config->cache));
    return access(path, F_OK) == 0 ? SMITIN_OK : sm_file_write(path, text, sizeof text - 1, error);
}

/* ---- The pull ---- */

static smitin_status pull_offline(const sm_hub_config *config, const sm_hub_name *name,
                                  sm_hub_result *result, smitin_error *error)
{
    char storage[SM_HUB_PATH];
    result->offline = true;
    if (sm_hub_find(config, name, result->path, sizeof result->path, error) != SMITIN_OK)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "HF_HUB_OFFLINE is set and %s@%s is not complete in the cache %s; unset it "
                       "to pull",
                       name->repo, name->revision, config->cache);
    SM_TRY(sm_hub_storage(config, name->repo, false, storage, sizeof storage, error));
    if (!sm_hub_cached_commit(storage, name->revision, result->commit)) result->commit[0] = '\0';
    return SMITIN_OK;
}

static smitin_status run_pull(sm_hub_job *job, smitin_error *error)
{
    char blobs[SM_HUB_PATH];
    sm_hub_result *result = job->result;
    SM_TRY(sm_hub_storage(job->config, job->name->repo, false, job->storage, sizeof job->storage,
                          error));
    SM_TRY(
        sm_hub_storage(job->config, job->name->repo, true, job->locks, sizeof job->locks, error));
    SM_TRY(sm_hub_ask(job, error));
    memcpy(result->commit, job->commit, sizeof result->commit);
    SM_TRY(sm_hub_path(blobs, sizeof blobs, error, "%s/blobs", job->storage));
    SM_TRY(sm_hub_make_folders(blobs, error));
    SM_TRY(sm_hub_make_folders(job->locks, error));
    SM_TRY(mark_cache(job->config, error));
    SM_TRY(fetch_all(job, error));
    result->files = job->files_count;
    result->bytes = job->bytes;
    return link_all(job, error);
}

smitin_status sm_hub_pull(const sm_hub_config *config, const sm_hub_name *name,
                          const sm_hub_events *events, sm_hub_result *result, smitin_error *error)
{
    memset(result, 0, sizeof *result);
    if (config->offline) return pull_offline(config, name, result, error);
    sm_hub_job job = {.config = config, .name = name, .events = events, .result = result};
    job.files = calloc(SM_HUB_MAX_FILES, sizeof *job.files);
    if (job.files == NULL)
        return sm_fail_memory(error, "a list of files", SM_HUB_MAX_FILES * sizeof *job.files);
    smitin_status status = sm_http_new(&job.http, config, error);
    if (status == SMITIN_OK) status = run_pull(&job, error);
    sm_http_free(job.http);
    free(job.offers);
    free(job.files);
    return status;
}
