/* SPDX-License-Identifier: MIT */
/* Owns the configuration, names, and the reading side of the cache: where things lie and whether a
 * snapshot is complete. */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- Configuration ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_true(const char *value)
{
    static const char *const words[] = {"1", "on", "yes", "true"};
    for (size_t i = 0; value != NULL && i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(value, words[i]) == 0) return true;
    }
    return false;
}

smitin_status sm_hub_path(char *path, size_t size, smitin_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(path, size, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= size)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the path %.200s... is too long; set HF_HOME to a shorter one", path);
    return SMITIN_OK;
}

/* A path from the environment, "~/" in front of it resolved. */
static smitin_status home_path(char *path, size_t size, const char *value, smitin_error *error)
{
    const char *home = variable("HOME");
    if (value[0] == '~' && (value[1] == '/' || value[1] == '\0') && home != NULL)
        return sm_hub_path(path, size, error, "%s%s", home, value + 1);
    return sm_hub_path(path, size, error, "%s", value);
}

/* The folder of everything of the hub's: HF_HOME. */
static smitin_status hub_home(char *path, size_t size, smitin_error *error)
{
    char base[SM_HUB_PATH];
    if (variable("HF_HOME") != NULL) return home_path(path, size, variable("HF_HOME"), error);
    if (variable("XDG_CACHE_HOME") != NULL) {
        SM_TRY(home_path(base, sizeof base, variable("XDG_CACHE_HOME"), error));
        return sm_hub_path(path, size, error, "%s/huggingface", base);
    }
    if (variable("HOME") == NULL)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "there is no place for the cache of models; set HOME or HF_HOME");
    return sm_hub_path(path, size, error, "%s/.cache/huggingface", variable("HOME"));
}

/* The first line of a token file, without blanks around it. */
static void read_token(const char *path, char *token, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    if (fgets(token, (int)size, file) == NULL) token[0] = '\0';
    fclose(file);
}

static smitin_status find_token(sm_hub_config *config, const char *home, smitin_error *error)
{
    char path[SM_HUB_PATH];
    const char *value = variable("HF_TOKEN");
    if (value == NULL) value = variable("HUGGING_FACE_HUB_TOKEN");
    if (is_true(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return SMITIN_OK;
    if (value != NULL) {
        SM_TRY(sm_hub_path(config->token, sizeof config->token, error, "%s", value));
    } else {
        if (variable("HF_TOKEN_PATH") != NULL)
            SM_TRY(home_path(path, sizeof path, variable("HF_TOKEN_PATH"), error));
        else
            SM_TRY(sm_hub_path(path, sizeof path, error, "%s/token", home));
        read_token(path, config->token, sizeof config->token);
    }
    char *start = config->token;
    while (isspace((unsigned char)*start)) start++;
    memmove(config->token, start, strlen(start) + 1);
    for (size_t n = strlen(config->token); n > 0 && isspace((unsigned char)config->token[n - 1]);)
        config->token[--n] = '\0';
    for (const char *c = config->token; *c != '\0'; c++) {
        /* It becomes a line of a request. */
        if (!isgraph((unsigned char)*c))
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "the token of the hub holds a blank or an unprintable character; set "
                           "HF_TOKEN anew");
    }
    return SMITIN_OK;
}

smitin_status sm_hub_config_read(sm_hub_config *config, smitin_error *error)
{
    char home[SM_HUB_PATH];
    *config = (sm_hub_config){.timeout = 10, .retries = 5, .delay = 1.0};
    SM_TRY(hub_home(home, sizeof home, error));
    const char *cache = variable("HF_HUB_CACHE");
    if (cache == NULL) cache = variable("HUGGINGFACE_HUB_CACHE");
    if (cache != NULL)
        SM_TRY(home_path(config->cache, sizeof config->cache, cache, error));
    else
        SM_TRY(sm_hub_path(config->cache, sizeof config->cache, error, "%s/hub", home));
    const char *endpoint = variable("HF_ENDPOINT");
    if (endpoint == NULL) endpoint = "https://huggingface.co";
    if ((strncmp(endpoint, "https://", 8) != 0 && strncmp(endpoint, "http://", 7) != 0) ||
        strlen(endpoint) >= sizeof config->endpoint)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "HF_ENDPOINT is \"%.200s\"; give an address that begins with https://",
                       endpoint);
    SM_TRY(sm_hub_path(config->endpoint, sizeof config->endpoint, error, "%s", endpoint));
    for (size_t n = strlen(config->endpoint); n > 0 && config->endpoint[n - 1] == '/';)
        config->endpoint[--n] = '\0';
    SM_TRY(find_token(config, home, error));

    const char *offline = variable("HF_HUB_OFFLINE");
    if (offline == NULL) offline = variable("TRANSFORMERS_OFFLINE");
    config->offline = is_true(offline);
    config->quiet_progress = is_true(variable("HF_HUB_DISABLE_PROGRESS_BARS"));
    const char *timeout = variable("HF_HUB_DOWNLOAD_TIMEOUT");
    if (timeout != NULL) {
        char *end = NULL;
        const long seconds = strtol(timeout, &end, 10);
        if (*end != '\0' || seconds < 1 || seconds > 86400)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "HF_HUB_DOWNLOAD_TIMEOUT is \"%.40s\"; give whole seconds, 1..86400",
                           timeout);
        config->timeout = (int)seconds;
    }
    static const char *const ca_names[] = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"};
    for (size_t i = 0; i < sizeof ca_names / sizeof *ca_names; i++) {
        if (variable(ca_names[i]) == NULL) continue;
        return home_path(config->ca_file, sizeof config->ca_file, variable(ca_names[i]), error);
    }
    return SMITIN_OK;
}

/* ---- Names ---- */

bool sm_hub_is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

bool sm_hub_is_file_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '.' || strlen(name) >= SM_HUB_FILE) return false;
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL) return false;
    }
    return true;
}

/* One part of "org/repo": the hub's rules, which also keep it from leaving the cache. */
static bool is_part(const char *text, size_t length)
{
    if (length == 0 || length > 96 || strchr(".-", text[0]) != NULL) return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL) return false;
        if (i > 0 && text[i] == text[i - 1] && strchr(".-", text[i]) != NULL) return false;
    }
    return true;
}

static bool is_revision(const char *text)
{
    if (text[0] == '\0' || strchr("/.-", text[0]) != NULL) return false;
    if (strstr(text, "..") != NULL || strstr(text, "//") != NULL) return false;
    if (text[strlen(text) - 1] == '/') return false;
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("._-/+", *c) == NULL) return false;
    }
    return true;
}

smitin_status sm_hub_name_parse(sm_hub_name *name, const char *text, smitin_error *error)
{
    memset(name, 0, sizeof *name);
    const char *at = strchr(text, '@');
    const size_t length = at != NULL ? (size_t)(at - text) : strlen(text);
    const char *slash = memchr(text, '/', length);
    const size_t head = slash != NULL ? (size_t)(slash - text) : length;
    if (!is_part(text, head) || (slash != NULL && !is_part(slash + 1, length - head - 1)))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "\"%.200s\" does not name a model; give org/repo or org/repo@revision, such "
                       "as facebook/musicgen-small",
                       text);
    if (at != NULL && (!is_revision(at + 1) || strlen(at + 1) >= sizeof name->revision))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "\"%.200s\" is not a revision; give a branch, a tag or a commit after the @",
                       at + 1);
    memcpy(name->repo, text, length);
    snprintf(name->revision, sizeof name->revision, "%s", at != NULL ? at + 1 : "main");
    return SMITIN_OK;
}

/* ---- The cache ---- */

smitin_status sm_hub_storage(const sm_hub_config *config, const char *repo, bool locks, char *path,
                             size_t size, smitin_error *error)
{
    const char *slash = strchr(repo, '/');
    const int head = slash != NULL ? (int)(slash - repo) : (int)strlen(repo);
    return sm_hub_path(path, size, error, "%s%s/models--%.*s%s%s", config->cache,
                       locks ? "/.locks" : "", head, repo, slash != NULL ? "--" : "",
                       slash != NULL ? slash + 1 : "");
}

smitin_status sm_hub_make_folders(const char *path, smitin_error *error)
{
    char copy[SM_HUB_PATH];
    SM_TRY(sm_hub_path(copy, sizeof copy, error, "%s", path));
    for (char *c = copy + 1;; c++) {
        if (*c != '/' && *c != '\0') continue;
        const char kept = *c;
        *c = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST && errno != EISDIR)
            return sm_fail(error, SMITIN_ERROR_IO,
                           "cannot make the folder %s: %s; set HF_HOME to a folder you may write",
                           copy, strerror(errno));
        *c = kept;
        if (kept == '\0') return SMITIN_OK;
    }
}

bool sm_hub_cached_commit(const char *storage, const char *revision, char commit[41])
{
    char path[SM_HUB_PATH], text[64] = "";
    if (sm_hub_is_hex(revision, 40)) {
        memcpy(commit, revision, 41);
        return true;
    }
    if (sm_hub_path(path, sizeof path, NULL, "%s/refs/%s", storage, revision) != SMITIN_OK)
        return false;
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    const bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    text[strcspn(text, " \r\n")] = '\0';
    if (!read || !sm_hub_is_hex(text, 40)) return false;
    memcpy(commit, text, 41);
    return true;
}

json_t *sm_hub_read_json(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > (16 << 20)) return NULL;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) return root;
    json_decref(root);
    return NULL;
}

int sm_hub_index_files(const char *index_path, char (*names)[SM_HUB_FILE], int capacity)
{
    const char *tensor = NULL;
    json_t *value = NULL, *root = sm_hub_read_json(index_path);
    json_t *map = json_object_get(root, "weight_map");
    int count = json_is_object(map) && json_object_size(map) > 0 ? 0 : -1;
    if (count == 0) json_object_foreach(map, tensor, value)
        {
            const char *name = json_string_value(value);
            int i = 0;
            while (name != NULL && i < count && strcmp(names[i], name) != 0) i++;
            if (name != NULL && i < count) continue;
            if (name == NULL || !sm_hub_is_file_name(name) || count == capacity) {
                count = -1;
                break;
            }
            snprintf(names[count++], SM_HUB_FILE, "%s", name);
        }
    json_decref(root);
    return count;
}

static bool has_file(const char *folder, const char *name)
{
    char path[SM_HUB_PATH];
    struct stat info;
    return sm_hub_path(path, sizeof path, NULL, "%s/%s", folder, name) == SMITIN_OK &&
           stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static const struct {
    const char *file, *name;
    bool index;
} containers[SM_HUB_CONTAINERS] = {
    {"", "none", false},
    {"model.safetensors", "safetensors", false},
    {"model.safetensors.index.json", "safetensors, sharded", true},
    {"pytorch_model.bin", "pytorch", false},
    {"pytorch_model.bin.index.json", "pytorch, sharded", true},
    {"state_dict.bin", "audiocraft", false},
};

const char *sm_hub_container_name(sm_hub_container container)
{
    return containers[container].name;
}

bool sm_hub_weights(const char *folder, sm_hub_container *found, char missing[SM_HUB_FILE])
{
    char names[SM_HUB_MAX_FILES][SM_HUB_FILE];
    char path[SM_HUB_PATH];
    int c = SM_HUB_SAFETENSORS;
    while (c < SM_HUB_CONTAINERS && !has_file(folder, containers[c].file)) c++;
    *found = c < SM_HUB_CONTAINERS ? (sm_hub_container)c : SM_HUB_NONE;
    const char *form = containers[c < SM_HUB_CONTAINERS ? c : SM_HUB_SAFETENSORS].file;
    snprintf(missing, SM_HUB_FILE, "%s", form);
    if (c == SM_HUB_CONTAINERS || !containers[c].index) return c < SM_HUB_CONTAINERS;

    /* An index that does not parse stands as the missing file itself. */
    if (sm_hub_path(path, sizeof path, NULL, "%s/%s", folder, form) != SMITIN_OK) return false;
    const int count = sm_hub_index_files(path, names, SM_HUB_MAX_FILES);
    for (int i = 0; i < count; i++) {
        if (has_file(folder, names[i])) continue;
        snprintf(missing, SM_HUB_FILE, "%.127s", names[i]);
        return false;
    }
    return count > 0;
}

smitin_status sm_hub_find(const sm_hub_config *config, const sm_hub_name *name, char *path,
                          size_t size, smitin_error *error)
{
    char storage[SM_HUB_PATH], commit[41], missing[SM_HUB_FILE];
    sm_hub_container container = SM_HUB_NONE;
    struct stat info;
    const bool main = strcmp(name->revision, "main") == 0;
    const char *at = main ? "" : "@", *revision = main ? "" : name->revision;
    SM_TRY(sm_hub_storage(config, name->repo, false, storage, sizeof storage, error));
    bool there = sm_hub_cached_commit(storage, name->revision, commit);
    if (there) {
        SM_TRY(sm_hub_path(path, size, error, "%s/snapshots/%s", storage, commit));
        there = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    }
    if (!there)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s%s%s is not in the cache %s; fetch it with \"smitin models pull %s%s%s\"",
                       name->repo, at, revision, config->cache, name->repo, at, revision);
    bool complete = sm_hub_weights(path, &container, missing);
    if (container != SM_HUB_AUDIOCRAFT && !has_file(path, "config.json")) {
        snprintf(missing, sizeof missing, "config.json");
        complete = false;
    }
    if (!complete)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s%s%s in the cache lacks %s; fetch it with \"smitin models pull %s%s%s\"",
                       name->repo, at, revision, missing, name->repo, at, revision);
    return SMITIN_OK;
}
