/* SPDX-License-Identifier: MIT */
/* Owns finding the files of a configuration in a model's directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

/* DIR/name, to be freed. */
static char *join(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL) snprintf(path, size, "%s/%s", directory, name);
    return path;
}

/* DIR/name mapped; *text stays NULL where there is no such file and none is `needed`. */
static smitin_status map(sm_filemap *file, const char **text, size_t *size, const char *directory,
                         const char *name, bool needed, smitin_error *error)
{
    char *path = join(directory, name);
    if (path == NULL) return sm_fail_memory(error, "a file name", strlen(directory));
    smitin_status status = SMITIN_OK;
    if (needed || access(path, F_OK) == 0) {
        status = sm_filemap_open(file, path, error);
        if (status == SMITIN_OK) *text = file->data != NULL ? (const char *)file->data : "";
        *size = file->size;
    }
    free(path);
    return status;
}

smitin_status sm_config_open(sm_config_files *files, const char *directory, smitin_error *error)
{
    sm_config_texts *t = &files->texts;
    memset(files, 0, sizeof *files);
    smitin_status status =
        map(&files->maps[0], &t->model, &t->model_size, directory, "config.json", true, error);
    if (status == SMITIN_OK)
        status = map(&files->maps[1], &t->generation, &t->generation_size, directory,
                     "generation_config.json", false, error);
    if (status == SMITIN_OK)
        status = map(&files->maps[2], &t->chroma, &t->chroma_size, directory,
                     "preprocessor_config.json", false, error);
    if (status != SMITIN_OK) sm_config_close(files);
    return status;
}

void sm_config_close(sm_config_files *files)
{
    for (int i = 0; i < 3; i++) sm_filemap_close(&files->maps[i]);
    memset(&files->texts, 0, sizeof files->texts);
}

smitin_status sm_config_read(sm_model_config *config, const char *directory, smitin_error *error)
{
    sm_config_files files;
    SM_TRY(sm_config_open(&files, directory, error));
    const smitin_status status = sm_config_parse_texts(config, &files.texts, error);
    sm_config_close(&files);
    return status;
}
