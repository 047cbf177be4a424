/* SPDX-License-Identifier: MIT */
/* Models from a Hugging Face hub, in the cache that its own tools use, so that what one of them
 * fetched the other finds. Only sm_hub_pull opens connections; finding and listing read the disk.
 *
 * The cache, for the model ORG/REPO:
 *   models--ORG--REPO/blobs/HASH              contents, named by SHA-256 or by git's blob SHA-1
 *   models--ORG--REPO/snapshots/COMMIT/FILE   links to blobs
 *   models--ORG--REPO/refs/REVISION           the commit that a branch or tag had when pulled
 *   .locks/models--ORG--REPO/HASH.lock        held (flock) while a blob is being fetched
 * A blob in the making is blobs/HASH.incomplete. It gets its name when its hash is right, and the
 * snapshot and the ref are written when all its blobs are there. */
#ifndef SMITIN_HUB_HUB_H
#define SMITIN_HUB_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/error.h"

enum { SM_HUB_PATH = 1024, SM_HUB_NAME = 200, SM_HUB_TYPE = 32 };

typedef struct sm_hub_config {
    char endpoint[512];        /* HF_ENDPOINT, no slash at its end; https://huggingface.co */
    char cache[SM_HUB_PATH];   /* HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub */
    char token[512];           /* HF_TOKEN or the token file; "" = none */
    char ca_file[SM_HUB_PATH]; /* certificates to trust; "" = the system's */
    bool offline;              /* HF_HUB_OFFLINE */
    bool quiet_progress;       /* HF_HUB_DISABLE_PROGRESS_BARS */
    int timeout;               /* seconds of silence: HF_HUB_DOWNLOAD_TIMEOUT, 10 */
    int retries;               /* attempts after a failure that brought nothing new, 5 */
    double delay;              /* seconds before the first of them, doubled each time, 1 */
} sm_hub_config;

/* The configuration that the environment asks for. */
smitin_status sm_hub_config_read(sm_hub_config *config, smitin_error *error);

typedef struct sm_hub_name {
    char repo[SM_HUB_NAME];     /* "org/repo", or "repo" for the few without an owner */
    char revision[SM_HUB_NAME]; /* branch, tag or commit; "main" */
} sm_hub_name;

/* Parse "org/repo" or "org/repo@revision". SMITIN_ERROR_ARGUMENT says what is wrong with it. */
smitin_status sm_hub_name_parse(sm_hub_name *name, const char *text, smitin_error *error);

/* The directory of a complete snapshot in the cache, into `path` [size]. SMITIN_ERROR_MODEL when
 * it is absent or lacks a file; the message says how to pull it. Opens no connection. */
smitin_status sm_hub_find(const sm_hub_config *config, const sm_hub_name *name, char *path,
                          size_t size, smitin_error *error);

/* What a pull tells while it runs. Either function may be NULL. */
typedef struct sm_hub_events {
    /* Bytes there and wanted, of all files; `file` is the one being fetched. */
    void (*progress)(void *user, const char *file, uint64_t done, uint64_t total);
    /* Something a person should know: waiting for another pull, trying again, the licence. */
    void (*note)(void *user, const char *text);
    void *user;
} sm_hub_events;

typedef struct sm_hub_result {
    char path[SM_HUB_PATH]; /* of the snapshot */
    char commit[41];
    char licence[128]; /* of the weights as the hub states it; "" = not stated or not asked */
    int files;
    uint64_t bytes;   /* of all files */
    uint64_t fetched; /* bytes that came over the network */
    bool offline;     /* nothing was asked of the hub; the cached snapshot is complete */
} sm_hub_result;

/* Bring the files that smitin needs of a model into the cache: its configuration, vocabulary and
 * one container of weights. Files already there are kept, begun ones are continued, every new one
 * is checked by hash. SMITIN_ERROR_MODEL: the hub refuses or has no such model, or it is not one
 * that smitin plays; SMITIN_ERROR_IO: network or disk, worth trying again. After an error whatever
 * was fetched stays and is continued from. */
smitin_status sm_hub_pull(const sm_hub_config *config, const sm_hub_name *name,
                          const sm_hub_events *events, sm_hub_result *result, smitin_error *error);

/* What holds the weights of a model directory. */
typedef enum sm_hub_container {
    SM_HUB_NONE = 0,
    SM_HUB_SAFETENSORS,         /* model.safetensors */
    SM_HUB_SAFETENSORS_SHARDED, /* model.safetensors.index.json and its files */
    SM_HUB_PYTORCH,             /* pytorch_model.bin */
    SM_HUB_PYTORCH_SHARDED,     /* pytorch_model.bin.index.json and its files */
    SM_HUB_AUDIOCRAFT,          /* state_dict.bin */
    SM_HUB_CONTAINERS
} sm_hub_container;

/* "safetensors", ... */
const char *sm_hub_container_name(sm_hub_container container);

typedef struct sm_hub_entry {
    char name[SM_HUB_NAME];     /* org/repo, or a local model's folder */
    char revision[SM_HUB_NAME]; /* refs to this commit, with commas; "" = none */
    char commit[41];            /* "" for a local model */
    char path[SM_HUB_PATH];
    char type[SM_HUB_TYPE]; /* model_type of config.json */
    char dtype[8];          /* of most weights, "F32"; "" = the container does not tell */
    sm_hub_container container;
    bool complete;
    uint64_t bytes; /* of all files there */
} sm_hub_entry;

typedef struct sm_hub_list {
    sm_hub_entry *entries; /* owned; by name, then commit */
    size_t count;
} sm_hub_list;

/* Add every MusicGen snapshot of the cache. A cache that does not exist is an empty one. */
smitin_status sm_hub_list_cache(sm_hub_list *list, const sm_hub_config *config,
                                smitin_error *error);
/* Add every MusicGen directory directly under `folder`; nothing when there is no such folder. */
smitin_status sm_hub_list_folder(sm_hub_list *list, const char *folder, smitin_error *error);
void sm_hub_list_free(sm_hub_list *list); /* safe on a zeroed struct */

#endif
