/* SPDX-License-Identifier: MIT */
/* Owns the questions to the hub: what a revision holds, its licence, and each file's hash and
 * size. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 16 << 20, OFFERS_MAX = 4096 };

typedef struct answer {
    char *text;
    size_t size, capacity;
} answer;

static smitin_status take_answer(void *user, const sm_http_reply *reply, const void *data,
                                 size_t size, smitin_error *error)
{
    answer *all = user;
    (void)reply;
    if (size > ANSWER_MAX - all->size)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the server's description of the model is over 16 MiB; check HF_ENDPOINT");
    if (all->size + size > all->capacity) {
        const size_t capacity = 2 * (all->size + size);
        char *text = realloc(all->text, capacity);
        if (text == NULL) return sm_fail_memory(error, "the hub's answer", capacity);
        all->text = text;
        all->capacity = capacity;
    }
    memcpy(all->text + all->size, data, size);
    all->size += size;
    return SMITIN_OK;
}

/* ---- The revision ---- */

/* cardData.license, its license_name when it is "other", or the tag "license:...". */
static void read_licence(const json_t *root, char *licence, size_t size)
{
    size_t i = 0;
    json_t *tag = NULL;
    const json_t *card = json_object_get(root, "cardData");
    const json_t *value = json_object_get(card, "license");
    if (json_is_array(value)) value = json_array_get(value, 0);
    const char *text = json_string_value(value);
    const char *name = json_string_value(json_object_get(card, "license_name"));
    if (text != NULL && strcmp(text, "other") == 0 && name != NULL) text = name;
    if (text == NULL) json_array_foreach(json_object_get(root, "tags"), i, tag)
        {
            const char *word = json_string_value(tag);
            if (word != NULL && strncmp(word, "license:", 8) == 0) text = word + 8;
        }
    if (text == NULL) return;
    snprintf(licence, size, "%.*s", (int)size - 1, text);
    /* It is printed to a terminal. */
    for (char *c = licence; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) *c = ' ';
    }
}

static smitin_status read_revision(sm_hub_job *job, const answer *all, smitin_error *error)
{
    json_t *entry = NULL;
    size_t i = 0;
    json_t *root = json_loadb(all->text != NULL ? all->text : "", all->size, 0, NULL);
    const char *commit = json_string_value(json_object_get(root, "sha"));
    const json_t *siblings = json_object_get(root, "siblings");
    if (commit == NULL || !sm_hub_is_hex(commit, 40) || !json_is_array(siblings) ||
        json_array_size(siblings) > OFFERS_MAX) {
        json_decref(root);
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%s does not answer as a Hugging Face hub; check HF_ENDPOINT",
                       job->config->endpoint);
    }
    memcpy(job->commit, commit, sizeof job->commit);
    read_licence(root, job->result->licence, sizeof job->result->licence);
    const size_t count = json_array_size(siblings);
    job->offers = calloc(count + 1, sizeof *job->offers);
    if (job->offers == NULL) {
        json_decref(root);
        return sm_fail_memory(error, "the names of files", (count + 1) * sizeof *job->offers);
    }
    json_array_foreach(siblings, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "rfilename"));
        /* Folders and odd names hold nothing of ours. */
        if (name == NULL || !sm_hub_is_file_name(name)) continue;
        snprintf(job->offers[job->offers_count++], SM_HUB_FILE, "%s", name);
    }
    json_decref(root);
    return SMITIN_OK;
}

static smitin_status ask_once(sm_hub_job *job, bool *again, double *retry_after,
                              smitin_error *error)
{
    char url[SM_HUB_URL], revision[3 * SM_HUB_NAME + 4];
    sm_http_reply reply;
    answer all = {0};
    SM_TRY(sm_http_quote(job->name->revision, false, revision, sizeof revision, error));
    SM_TRY(sm_hub_path(url, sizeof url, error, "%s/api/models/%s/revision/%s",
                       job->config->endpoint, job->name->repo, revision));
    const sm_http_request request = {.url = url, .body = take_answer, .user = &all};
    smitin_status status = sm_http_send(job->http, &request, &reply, again, error);
    if (status == SMITIN_OK) {
        *retry_after = reply.retry_after;
        status = sm_http_check(&reply, job->config, job->name, "the description", again, error);
    }
    if (status == SMITIN_OK) status = read_revision(job, &all, error);
    free(all.text);
    return status;
}

smitin_status sm_hub_ask(sm_hub_job *job, smitin_error *error)
{
    sm_hub_patience patience = {0};
    smitin_error local = {0};
    for (;;) {
        bool again = false;
        double retry_after = -1.0;
        const smitin_status status = ask_once(job, &again, &retry_after, &local);
        if (status == SMITIN_OK) return status;
        if (!again || !sm_hub_try_again(job, &patience, retry_after, &local))
            return sm_fail(error, status, "%s", local.message);
    }
}

bool sm_hub_offers(const sm_hub_job *job, const char *name)
{
    for (int i = 0; i < job->offers_count; i++) {
        if (strcmp(job->offers[i], name) == 0) return true;
    }
    return false;
}

/* ---- Files ---- */

/* Hash and size from the headers of a HEAD; a hash is needed, or nothing could be checked. */
static smitin_status read_file_reply(const sm_hub_job *job, sm_hub_file *file,
                                     const sm_http_reply *reply, smitin_error *error)
{
    const bool linked = reply->linked_etag[0] != '\0';
    const char *hash = linked ? reply->linked_etag : reply->etag;
    const bool arrived = reply->status >= 200 && reply->status < 300;
    const int64_t size = reply->linked_size >= 0 ? reply->linked_size
                         : arrived               ? reply->length
                                                 : -1;
    if (reply->commit[0] != '\0' && strcmp(reply->commit, job->commit) != 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%s answers with another commit of %s than it was asked for; try again",
                       job->config->endpoint, job->name->repo);
    if (!sm_hub_is_hex(hash, 64) && !sm_hub_is_hex(hash, 40))
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%s gives no hash for %s, so it could not be checked; set HF_ENDPOINT to a "
                       "complete mirror of the hub",
                       job->config->endpoint, file->name);
    if (size < 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%s gives no size for %s; set HF_ENDPOINT to a complete mirror of the hub",
                       job->config->endpoint, file->name);
    snprintf(file->hash, sizeof file->hash, "%.64s", hash);
    file->size = (uint64_t)size;
    return SMITIN_OK;
}

static smitin_status head_once(const sm_hub_job *job, sm_hub_file *file, bool *again,
                               double *retry_after, smitin_error *error)
{
    char url[SM_HUB_URL];
    sm_http_reply reply;
    SM_TRY(sm_hub_path(url, sizeof url, error, "%s/%s/resolve/%s/%s", job->config->endpoint,
                       job->name->repo, job->commit, file->name));
    const sm_http_request request = {.url = url, .head = true};
    SM_TRY(sm_http_send(job->http, &request, &reply, again, error));
    *retry_after = reply.retry_after;
    SM_TRY(sm_http_check(&reply, job->config, job->name, file->name, again, error));
    return read_file_reply(job, file, &reply, error);
}

smitin_status sm_hub_add_file(sm_hub_job *job, const char *name, smitin_error *error)
{
    if (job->files_count == SM_HUB_MAX_FILES)
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "%s is in more than %d files, which no model of this kind is; check the name",
            job->name->repo, SM_HUB_MAX_FILES);
    sm_hub_patience patience = {0};
    smitin_error local = {0};
    sm_hub_file *file = &job->files[job->files_count];
    *file = (sm_hub_file){0};
    snprintf(file->name, sizeof file->name, "%s", name);
    for (;;) {
        bool again = false;
        double retry_after = -1.0;
        const smitin_status status = head_once(job, file, &again, &retry_after, &local);
        if (status == SMITIN_OK) break;
        if (!again || !sm_hub_try_again(job, &patience, retry_after, &local))
            return sm_fail(error, status, "%s", local.message);
    }
    if (file->size > UINT64_MAX / 2 - job->bytes)
        return sm_fail(error, SMITIN_ERROR_IO, "the sizes of %s make no sense; check HF_ENDPOINT",
                       job->name->repo);
    job->bytes += file->size;
    job->files_count++;
    return SMITIN_OK;
}
