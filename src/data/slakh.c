/* SPDX-License-Identifier: MIT */
/* Owns Slakh2100's tracks: metadata.yaml says what each stem is, stems/ID.flac how it sounds. */
#include "slakh.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../base/filemap.h"
#include "layout.h"

enum { FILE_MAX = 1 << 20, DRUMS = 128 };

typedef struct reader {
    sm_slakh *out;
    const char *name;
    int line;
    bool in_stems;
    smitin_error *error;
} reader;

static smitin_status refuse(const reader *r, const char *what)
{
    return sm_fail(r->error, SMITIN_ERROR_FORMAT, "'%s', line %d: %s", r->name, r->line, what);
}

/* `key: value` without quotes round the value, cut from one line [length]. */
typedef struct pair {
    char key[64], value[64];
} pair;

static bool copy_part(char *out, size_t size, const char *from, size_t length)
{
    if (length >= size || memchr(from, '\0', length) != NULL) return false;
    memcpy(out, from, length);
    out[length] = '\0';
    return true;
}

/* False when the line is no such pair, or longer than a needed one. */
static bool split_pair(pair *out, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || !copy_part(out->key, sizeof out->key, line, (size_t)(colon - line)))
        return false;
    const char *value = colon + 1, *end = line + length;
    while (value < end && *value == ' ') value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
    if (end - value >= 2 && (*value == '\'' || *value == '"') && end[-1] == *value) {
        value++;
        end--;
    }
    return copy_part(out->value, sizeof out->value, value, (size_t)(end - value));
}

/* YAML's words for yes and no; empty and null are no. */
static bool parse_truth(const char *text, bool *out)
{
    *out = strcasecmp(text, "true") == 0;
    return *out || strcasecmp(text, "false") == 0 || strcasecmp(text, "null") == 0 ||
           strcmp(text, "~") == 0 || text[0] == '\0';
}

static smitin_status add_stem(reader *r, const pair *p)
{
    if (p->value[0] != '\0') return refuse(r, "a stem's id stands alone on its line");
    for (const char *c = p->key; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c)) return refuse(r, "a stem's id has letters and digits");
    if (p->key[0] == '\0' || strlen(p->key) >= sizeof r->out->stems[0].id)
        return refuse(r, "a stem's id has 1 to 15 letters and digits");
    if (r->out->count == SM_SLAKH_STEMS_MAX) return refuse(r, "there are too many stems");
    for (int i = 0; i < r->out->count; i++)
        if (strcmp(r->out->stems[i].id, p->key) == 0)
            return refuse(r, "this stem's id is there twice");
    sm_slakh_stem *stem = &r->out->stems[r->out->count++];
    *stem = (sm_slakh_stem){.program = -1};
    memcpy(stem->id, p->key, strlen(p->key) + 1);
    return SMITIN_OK;
}

static smitin_status set_key(reader *r, const pair *p)
{
    if (r->out->count == 0) return refuse(r, "a stem's key comes before its id");
    sm_slakh_stem *stem = &r->out->stems[r->out->count - 1];
    if (strcmp(p->key, "program_num") == 0) {
        char *end = NULL;
        const long program = strtol(p->value, &end, 10);
        if (p->value[0] == '\0' || strcmp(p->value, "null") == 0) return SMITIN_OK;
        if (!isdigit((unsigned char)p->value[0]) || *end != '\0' || program > DRUMS)
            return refuse(r, "program_num is a whole number from 0 to 128");
        stem->program = (int)program;
        stem->drums = stem->drums || program == DRUMS;
        return SMITIN_OK;
    }
    bool value = false;
    const bool drum = strcmp(p->key, "is_drum") == 0;
    if (!drum && strcmp(p->key, "audio_rendered") != 0) return SMITIN_OK;
    if (!parse_truth(p->value, &value)) return refuse(r, "this key is true or false");
    if (drum)
        stem->drums = stem->drums || value;
    else
        stem->rendered = value;
    return SMITIN_OK;
}

static smitin_status set_top(reader *r, const pair *p, bool sound)
{
    r->in_stems = sound && strcmp(p->key, "stems") == 0;
    if (r->in_stems && p->value[0] != '\0' && strcmp(p->value, "{}") != 0)
        return refuse(r, "the stems are not in block form");
    if (sound && strcmp(p->key, "audio_dir") == 0) {
        if (!sm_plain_name(p->value)) return refuse(r, "audio_dir is not a plain folder name");
        memcpy(r->out->audio_dir, p->value, sizeof r->out->audio_dir);
    }
    return SMITIN_OK;
}

/* One line without its end. */
static smitin_status read_line(reader *r, const char *line, size_t length)
{
    size_t indent = 0;
    pair p = {.key = ""};
    while (indent < length && line[indent] == ' ') indent++;
    if (indent == length || line[indent] == '#') return SMITIN_OK;
    if (line[indent] == '\t') return refuse(r, "a line is indented with a tab");
    const bool sound = split_pair(&p, line + indent, length - indent);
    if (indent == 0) return set_top(r, &p, sound);
    if (!r->in_stems || indent > 4) return SMITIN_OK; /* long values of keys not needed go on */
    if (indent != 2 && indent != 4) return refuse(r, "lines are indented by 0, 2 or 4 spaces");
    if (indent == 2) return sound ? add_stem(r, &p) : refuse(r, "a stem's id ends in a colon");
    return sound ? set_key(r, &p) : SMITIN_OK; /* a long value is not one that is needed */
}

smitin_status sm_slakh_parse(sm_slakh *out, const char *text, size_t size, const char *name,
                             smitin_error *error)
{
    memset(out, 0, sizeof *out);
    memcpy(out->audio_dir, "stems", 6);
    reader r = {.out = out, .name = name, .error = error};
    const char *end = size > 0 ? text + size : text;
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        size_t length = (size_t)(stop - text);
        if (length > 0 && text[length - 1] == '\r') length--;
        r.line++;
        SM_TRY(read_line(&r, text, length));
        text = newline != NULL ? newline + 1 : end;
    }
    if (out->count == 0) return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' lists no stems", name);
    return SMITIN_OK;
}

/* ---- Instruments: zero-based General MIDI programs ---- */

static const struct instrument {
    const char *name;
    int first, last;
} instruments[] = {
    {"drums", DRUMS, DRUMS}, {"bass", 32, 39},       {"guitar", 24, 31},
    {"piano", 0, 7},         {"organ", 16, 23},      {"chromatic_percussion", 8, 15},
    {"strings", 40, 55},     {"brass", 56, 63},      {"reed", 64, 71},
    {"pipe", 72, 79},        {"synth_lead", 80, 87}, {"synth_pad", 88, 95},
};
enum { INSTRUMENTS = sizeof instruments / sizeof *instruments };

static smitin_status check_slakh(const char *target, smitin_error *error)
{
    char names[300];
    size_t length = 0;
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        if (sm_target_has(target, instruments[i].name)) return SMITIN_OK;
        length += (size_t)snprintf(names + length, sizeof names - length, " %s%s",
                                   instruments[i].name, i + 1 < INSTRUMENTS ? "," : "");
    }
    return sm_fail(error, SMITIN_ERROR_ARGUMENT, "Slakh2100 has no '%s'; there are:%s", target,
                   names);
}

static bool is_target(const sm_slakh_stem *stem, const char *target)
{
    const int program = stem->drums ? DRUMS : stem->program;
    for (size_t i = 0; i < INSTRUMENTS; i++)
        if (program >= instruments[i].first && program <= instruments[i].last &&
            sm_target_has(target, instruments[i].name))
            return true;
    return false;
}

static smitin_status add_all(sm_library *library, const sm_slakh *from, const char *folder,
                             const char *name, sm_side side, const char *target,
                             smitin_error *error)
{
    sm_track *track = NULL;
    SM_TRY(sm_library_track(library, name, name, from->count, &track, error));
    track->side = side;
    for (int i = 0; i < from->count; i++) {
        const sm_slakh_stem *stem = &from->stems[i];
        char file[128];
        if (!stem->rendered) continue; /* by design without audio */
        snprintf(file, sizeof file, "%s/%s.flac", from->audio_dir, stem->id);
        if (!sm_path_exists(folder, file))
            snprintf(file, sizeof file, "%s/%s.wav", from->audio_dir, stem->id);
        if (!sm_path_exists(folder, file))
            sm_library_note(library, "skipped: '%s/%s/%s' is missing, as .flac and as .wav", folder,
                            from->audio_dir, stem->id);
        else
            SM_TRY(sm_library_stem(library, track, folder, file, is_target(stem, target), error));
    }
    if (track->count == 0) {
        library->count--;
        sm_library_note(library, "skipped: '%s' has no usable stem", folder);
    }
    return SMITIN_OK;
}

static smitin_status read_slakh(sm_library *library, const char *folder, const char *name,
                                sm_side side, const char *target, smitin_error *error)
{
    char *path = sm_path_join(folder, "metadata.yaml");
    if (path == NULL) return sm_fail_memory(error, folder, 0);
    sm_filemap map = {0};
    sm_slakh found;
    smitin_error problem = {0};
    smitin_status status = sm_filemap_open(&map, path, &problem);
    if (status == SMITIN_OK && map.size > FILE_MAX)
        status = sm_fail(&problem, SMITIN_ERROR_FORMAT, "'%s' is larger than 1 MB", path);
    if (status == SMITIN_OK)
        status = sm_slakh_parse(&found, (const char *)map.data, map.size, path, &problem);
    sm_filemap_close(&map);
    free(path);
    if (status == SMITIN_OK) return add_all(library, &found, folder, name, side, target, error);
    sm_library_note(library, "skipped: %s", problem.message);
    return SMITIN_OK;
}

const sm_layout sm_layout_slakh = {
    .name = "slakh",
    .title = "Slakh2100",
    .licence = "CC BY 4.0 (Slakh2100)",
    .marker = "metadata.yaml",
    .splits = {{"train", SM_SIDE_TRAIN},
               {"validation", SM_SIDE_TRAIN},
               {"test", SM_SIDE_TEST},
               {"omitted", SM_SIDE_ANY}},
    .complete = {1710, 2100, 20},
    .check = check_slakh,
    .read = read_slakh,
};
