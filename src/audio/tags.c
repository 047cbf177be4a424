/* SPDX-License-Identifier: MIT */
/* Owns the tags of audio files: which there are, writing and reading them. */
#include "tags.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key;
    int id;
} tag_ids[] = {
    {"title", SF_STR_TITLE},         {"artist", SF_STR_ARTIST},     {"album", SF_STR_ALBUM},
    {"comment", SF_STR_COMMENT},     {"software", SF_STR_SOFTWARE}, {"date", SF_STR_DATE},
    {"copyright", SF_STR_COPYRIGHT}, {"license", SF_STR_LICENSE},   {"genre", SF_STR_GENRE},
};

smitin_status sm_tags_check(const sm_audio_tag *tags, size_t count, smitin_error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < sizeof tag_ids / sizeof *tag_ids && strcmp(tag_ids[k].key, tags[i].key) != 0)
            k++;
        if (k == sizeof tag_ids / sizeof *tag_ids)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT, "'%s' is not a tag audio files have",
                           tags[i].key);
    }
    return SMITIN_OK;
}

/* WAV and FLAC have no field for some tags; those are left out, as every program does. */
void sm_tags_set(SNDFILE *file, const sm_audio_tag *tags, size_t count)
{
    char value[SM_AUDIO_TAG_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        size_t n = strnlen(tags[i].value, SM_AUDIO_TAG_MAX + 1);
        if (n > SM_AUDIO_TAG_MAX) {
            n = SM_AUDIO_TAG_MAX;
            while (n > 0 && ((unsigned char)tags[i].value[n] & 0xc0) == 0x80)
                n--; /* inside a character */
        }
        memcpy(value, tags[i].value, n);
        value[n] = '\0';
        for (size_t k = 0; k < sizeof tag_ids / sizeof *tag_ids; k++)
            if (strcmp(tag_ids[k].key, tags[i].key) == 0)
                (void)sf_set_string(file, tag_ids[k].id, value);
    }
}

smitin_status sm_audio_read_tag(char **value, const char *path, const char *key,
                                smitin_error *error)
{
    const sm_audio_tag wanted = {key, ""};
    size_t frames = 0;
    int channels = 0, rate = 0;
    *value = NULL;
    SM_TRY(sm_tags_check(&wanted, 1, error));
    SM_TRY(sm_audio_probe(path, &frames, &channels, &rate, error));
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (file == NULL)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot read '%s' twice: %s", path,
                       sf_strerror(NULL));
    for (size_t k = 0; k < sizeof tag_ids / sizeof *tag_ids; k++) {
        if (strcmp(tag_ids[k].key, key) != 0) continue;
        const char *text = sf_get_string(file, tag_ids[k].id);
        if (text == NULL || text[0] == '\0') continue; /* ID3 has fields of fixed length */
        *value = strdup(text);
        if (*value == NULL) {
            sf_close(file);
            return sm_fail_memory(error, "a tag", strlen(text) + 1);
        }
    }
    sf_close(file);
    return SMITIN_OK;
}
