/* SPDX-License-Identifier: MIT */
/* Owns the two forms of a model on the disk. */
#include "checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

/* ---- A directory ---- */

/* DIR/name mapped, when it is there; *data is then not NULL. */
static smitin_status map_beside(sm_filemap *map, const unsigned char **data, const char *folder,
                                const char *name, smitin_error *error)
{
    char path[PATH_SIZE];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || length >= PATH_SIZE)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the model's path is longer than %d bytes; move it to a shorter one",
                       PATH_SIZE - 16);
    if (access(path, F_OK) != 0) return SMITIN_OK;
    SM_TRY(sm_filemap_open(map, path, error));
    *data = map->data != NULL ? map->data : (const unsigned char *)"";
    return SMITIN_OK;
}

static void read_card(sm_checkpoint *c, const char *folder)
{
    sm_filemap card = {0};
    const unsigned char *text = NULL;
    (void)map_beside(&card, &text, folder, "README.md", NULL);
    if (text != NULL) sm_card_licence(c->licence, (const char *)text, card.size);
    sm_filemap_close(&card);
}

static smitin_status open_folder(sm_checkpoint *c, const char *path, smitin_error *error)
{
    SM_TRY(sm_config_open(&c->files, path, error));
    c->texts = c->files.texts;
    SM_TRY(sm_config_parse_texts(&c->config, &c->texts, error));
    SM_TRY(sm_source_open(&c->source, path, error));
    SM_TRY(map_beside(&c->vocabulary_map, &c->vocabulary, path, "spiece.model", error));
    c->vocabulary_size = c->vocabulary_map.size;
    read_card(c, path);
    return SMITIN_OK;
}

/* ---- A GGUF file ---- */

static smitin_status refuse(const char *path, const char *key, const char *why, smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_MODEL,
                   "'%.300s': the metadata '%s' %s; convert the original model again", path, key,
                   why);
}

/* A text of the metadata; NULL where it is missing and not `needed`. */
static smitin_status want_text(const sm_gguf *file, const char *key, bool needed, const char **text,
                               size_t *size, smitin_error *error)
{
    const sm_gguf_value *value = sm_gguf_meta(file, key);
    *text = NULL;
    *size = 0;
    if (value == NULL)
        return needed ? refuse(sm_gguf_path(file), key, "is missing", error) : SMITIN_OK;
    if (value->kind != SM_GGUF_TEXT) return refuse(sm_gguf_path(file), key, "is not text", error);
    *text = (const char *)value->data;
    *size = value->size;
    return SMITIN_OK;
}

/* The same as a string of less than `room` printable bytes; "" where it is missing. */
static smitin_status want_line(const sm_gguf *file, const char *key, bool needed, char *out,
                               size_t room, smitin_error *error)
{
    const char *text;
    size_t size;
    SM_TRY(want_text(file, key, needed, &text, &size, error));
    out[0] = '\0';
    if (size >= room) return refuse(sm_gguf_path(file), key, "is too long", error);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return refuse(sm_gguf_path(file), key, "is not a line of text", error);
    }
    if (size > 0) memcpy(out, text, size);
    out[size] = '\0';
    return SMITIN_OK;
}

static smitin_status check_form(sm_checkpoint *c, const sm_gguf *file, smitin_error *error)
{
    char architecture[64], format[16];
    uint32_t version = 0;
    SM_TRY(want_line(file, SM_KEY_ARCHITECTURE, true, architecture, sizeof architecture, error));
    if (strcmp(architecture, SM_ARCHITECTURE) != 0) {
        return sm_fail(
            error, SMITIN_ERROR_MODEL,
            "'%.300s' holds a model of the architecture '%s', and this version runs '%s' "
            "only; convert one with \"smitin convert\"",
            sm_gguf_path(file), architecture, SM_ARCHITECTURE);
    }
    const sm_gguf_value *value = sm_gguf_meta(file, SM_KEY_VERSION);
    if (value == NULL || value->kind != SM_GGUF_U32)
        return refuse(sm_gguf_path(file), SM_KEY_VERSION, "is missing or not a number", error);
    memcpy(&version, value->data, sizeof version);
    if (version != SM_GGUF_FORM)
        return refuse(sm_gguf_path(file), SM_KEY_VERSION, "is of another version of smitin", error);
    SM_TRY(want_line(file, SM_KEY_FORMAT, true, format, sizeof format, error));
    if (!sm_format_find(&c->format, format))
        return refuse(sm_gguf_path(file), SM_KEY_FORMAT, "names no format that is known", error);
    SM_TRY(want_line(file, SM_KEY_FINGERPRINT, true, c->fingerprint, sizeof c->fingerprint, error));
    if (strlen(c->fingerprint) != 64 || strspn(c->fingerprint, "0123456789abcdef") != 64)
        return refuse(sm_gguf_path(file), SM_KEY_FINGERPRINT, "is not 64 hexadecimal digits",
                      error);
    return SMITIN_OK;
}

static smitin_status take_vocabulary(sm_checkpoint *c, const sm_gguf *file, smitin_error *error)
{
    const sm_gguf_value *value = sm_gguf_meta(file, SM_KEY_VOCABULARY);
    if (value == NULL) return SMITIN_OK;
    if (value->kind != SM_GGUF_ARRAY || value->items != SM_GGUF_U8 || value->size == 0)
        return refuse(sm_gguf_path(file), SM_KEY_VOCABULARY, "is not an array of bytes", error);
    c->vocabulary = value->data;
    c->vocabulary_size = value->size;
    return SMITIN_OK;
}

static smitin_status open_single(sm_checkpoint *c, const char *path, smitin_error *error)
{
    smitin_error inner = {0};
    SM_TRY(sm_source_open(&c->source, path, error));
    const sm_gguf *file = sm_source_gguf(c->source);
    sm_config_texts *t = &c->texts;
    c->single = true;
    SM_TRY(check_form(c, file, error));
    SM_TRY(want_text(file, SM_KEY_CONFIG, true, &t->model, &t->model_size, error));
    SM_TRY(want_text(file, SM_KEY_GENERATION, false, &t->generation, &t->generation_size, error));
    SM_TRY(want_text(file, SM_KEY_PREPROCESSOR, false, &t->chroma, &t->chroma_size, error));
    SM_TRY(want_line(file, SM_KEY_LICENCE, false, c->licence, sizeof c->licence, error));
    const smitin_status status = sm_config_parse_texts(&c->config, t, &inner);
    if (status != SMITIN_OK) return sm_fail(error, status, "'%.200s': %.700s", path, inner.message);
    return take_vocabulary(c, file, error);
}

/* ---- Either ---- */

smitin_status sm_checkpoint_open(sm_checkpoint *checkpoint, const char *path, smitin_error *error)
{
    struct stat info;
    memset(checkpoint, 0, sizeof *checkpoint);
    if (stat(path, &info) != 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "no model at %s; give a directory with config.json and the model's weights, "
                       "or a GGUF file of \"smitin convert\"",
                       path);
    const smitin_status status = S_ISDIR(info.st_mode) ? open_folder(checkpoint, path, error)
                                                       : open_single(checkpoint, path, error);
    if (status != SMITIN_OK) sm_checkpoint_close(checkpoint);
    return status;
}

void sm_checkpoint_close(sm_checkpoint *checkpoint)
{
    sm_source_close(checkpoint->source);
    checkpoint->source = NULL;
    sm_config_close(&checkpoint->files);
    sm_filemap_close(&checkpoint->vocabulary_map);
    checkpoint->vocabulary = NULL;
}
