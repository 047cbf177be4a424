/* SPDX-License-Identifier: MIT */
/* What the files of this room share: paths of the cache, the plan of a pull, requests, hashes. */
#ifndef SMITIN_HUB_INTERNAL_H
#define SMITIN_HUB_INTERNAL_H

#include <jansson.h>
#include <stddef.h>

#include "hub.h"

enum { SM_HUB_FILE = 128, SM_HUB_HASH = 65, SM_HUB_MAX_FILES = 128, SM_HUB_URL = 4096 };

/* ---- Cache (cache.c) ---- */

/* snprintf into `path`; SMITIN_ERROR_IO when it is too long. */
smitin_status sm_hub_path(char *path, size_t size, smitin_error *error, const char *format, ...)
    SM_PRINTF(4, 5);
/* CACHE/models--ORG--REPO, and CACHE/.locks/models--ORG--REPO when `locks`. */
smitin_status sm_hub_storage(const sm_hub_config *config, const char *repo, bool locks, char *path,
                             size_t size, smitin_error *error);
/* The folder `path` and all above it. */
smitin_status sm_hub_make_folders(const char *path, smitin_error *error);
/* The commit of a revision that is cached. False when it is unknown. */
bool sm_hub_cached_commit(const char *storage, const char *revision, char commit[41]);
/* `text` is `length` lowercase hexadecimal digits and nothing else. */
bool sm_hub_is_hex(const char *text, size_t length);
/* A plain file name: letters, digits, '.', '_' and '-', no dot in front. */
bool sm_hub_is_file_name(const char *name);

/* Whether `folder` holds all files of its weights. The first container in the order of preference
 * that has begun decides, as it does for the loader; *found is that one, and `missing` names what
 * it lacks. */
bool sm_hub_weights(const char *folder, sm_hub_container *found, char missing[SM_HUB_FILE]);
/* The files of an index's weight_map, each once, into `names`; -1 when the index is not sound or
 * names more than `capacity` files. */
int sm_hub_index_files(const char *index_path, char (*names)[SM_HUB_FILE], int capacity);
/* A JSON object of at most 16 MiB, or NULL. */
json_t *sm_hub_read_json(const char *path);

/* ---- Hashes (digest.c) ---- */

/* The file's SHA-256 (when `git` is false) or git blob SHA-1 in lowercase hexadecimal. */
smitin_status sm_hub_digest(int fd, uint64_t size, bool git, char hash[SM_HUB_HASH],
                            smitin_error *error);

/* ---- Requests (http.c) ---- */

typedef struct sm_http sm_http;

smitin_status sm_http_new(sm_http **http, const sm_hub_config *config, smitin_error *error);
void sm_http_free(sm_http *http); /* NULL is allowed */

typedef struct sm_http_reply {
    long status;
    char etag[SM_HUB_NAME];        /* without quotes; of the last hop */
    char linked_etag[SM_HUB_NAME]; /* X-Linked-Etag; "" = absent */
    char commit[SM_HUB_NAME];      /* X-Repo-Commit */
    char code[64];                 /* X-Error-Code */
    int64_t linked_size;           /* X-Linked-Size; -1 = absent */
    int64_t length;                /* Content-Length; -1 = absent */
    int64_t first, total;          /* of Content-Range; -1 = absent */
    double retry_after;            /* seconds; -1 = absent */
    char url[SM_HUB_URL];          /* that answered */
} sm_http_reply;

typedef struct sm_http_request {
    const char *url;
    bool head;       /* a HEAD; it stops at a redirect to another origin and returns that reply */
    uint64_t offset; /* first byte wanted */
    /* Called with the body of a 200 or 206 reply, in pieces; other bodies are dropped. */
    smitin_status (*body)(void *user, const sm_http_reply *reply, const void *data, size_t size,
                          smitin_error *error);
    void *user;
} sm_http_request;

/* One request with its redirects. The token goes to the endpoint's own origin and nowhere else.
 * Any HTTP status is SMITIN_OK; `again` tells whether a failure may pass by itself. */
smitin_status sm_http_send(sm_http *http, const sm_http_request *request, sm_http_reply *reply,
                           bool *again, smitin_error *error);
/* SMITIN_OK for a 2xx reply, else the status in words for `what` of model `name`. */
smitin_status sm_http_check(const sm_http_reply *reply, const sm_hub_config *config,
                            const sm_hub_name *name, const char *what, bool *again,
                            smitin_error *error);
/* `text` with everything but letters, digits, "-", "." and "_" (and "/" when `slashes`) as %XX. */
smitin_status sm_http_quote(const char *text, bool slashes, char *out, size_t size,
                            smitin_error *error);

/* ---- Pulling (plan.c, fetch.c, pull.c) ---- */

typedef struct sm_hub_file {
    char name[SM_HUB_FILE];
    char hash[SM_HUB_HASH]; /* SHA-256 (64 digits) or git blob SHA-1 (40) */
    uint64_t size;
    bool linked; /* already in the snapshot */
} sm_hub_file;

typedef struct sm_hub_job {
    const sm_hub_config *config;
    const sm_hub_name *name;
    const sm_hub_events *events;
    sm_hub_result *result;
    sm_http *http;
    char storage[SM_HUB_PATH], locks[SM_HUB_PATH];
    char commit[41];
    char (*offers)[SM_HUB_FILE]; /* [offers_count] names of the repository's top-level files */
    int offers_count;
    sm_hub_file *files; /* [SM_HUB_MAX_FILES] */
    int files_count;
    uint64_t bytes;      /* of the files planned so far */
    uint64_t bytes_done; /* of finished files */
} sm_hub_job;

/* Failures in a row of one step, and the wait between them. */
typedef struct sm_hub_patience {
    int failures;
} sm_hub_patience;

/* Whether to try again after `error`: notes it and waits, or returns false. */
bool sm_hub_try_again(const sm_hub_job *job, sm_hub_patience *patience, double retry_after,
                      const smitin_error *error);
void sm_hub_note(const sm_hub_job *job, const char *format, ...) SM_PRINTF(2, 3);

/* Ask the hub for the revision: commit, licence and the names of its files. */
smitin_status sm_hub_ask(sm_hub_job *job, smitin_error *error);
/* Whether the repository has a top-level file of that name. */
bool sm_hub_offers(const sm_hub_job *job, const char *name);
/* Hash and size of a file, appended to the job's files. */
smitin_status sm_hub_add_file(sm_hub_job *job, const char *name, smitin_error *error);

/* The path of a file's blob. */
smitin_status sm_hub_blob_path(const sm_hub_job *job, const sm_hub_file *file, char *path,
                               size_t size, smitin_error *error);
/* Fetch a file's blob, unless it is there. */
smitin_status sm_hub_fetch(sm_hub_job *job, const sm_hub_file *file, smitin_error *error);

#endif
