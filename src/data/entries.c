/* SPDX-License-Identifier: MIT */
/* Owns what readers of annotations share: entries, names of labels, finding audio, small parsers.
 */
#include "entries.h"

#include <ctype.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "layout.h"

smitin_status sm_entries_add(sm_entries *entries, const char *root, const char *path,
                             const char *track, const char *group, int split, sm_entry **out,
                             smitin_error *error)
{
    sm_arena *arena = entries->notes.arena;
    if (entries->count == entries->capacity) {
        const size_t wanted = entries->capacity == 0 ? 256 : 2 * entries->capacity;
        sm_entry *larger = realloc(entries->items, wanted * sizeof *larger);
        if (larger == NULL)
            return sm_fail_memory(error, "a list of files", wanted * sizeof *larger);
        entries->items = larger;
        entries->capacity = wanted;
    }
    if (path != NULL && !sm_path_exists(root, path)) {
        sm_library_note(&entries->notes, "skipped: '%s/%s' is missing", root, path);
        path = NULL;
    }
    sm_entry entry = {.track = sm_arena_text(arena, track),
                      .group = sm_arena_text(arena, group),
                      .place = entries->count,
                      .split = split,
                      .end = -1.0};
    if (path != NULL) entry.path = sm_arena_text(arena, path);
    if (entry.track == NULL || entry.group == NULL || (path != NULL && entry.path == NULL))
        return sm_fail_memory(error, track, 0);
    entries->items[entries->count] = entry;
    *out = &entries->items[entries->count++];
    return SMITIN_OK;
}

smitin_status sm_entries_name(sm_entries *entries, const char *name, int *number,
                              smitin_error *error)
{
    const json_t *known = json_object_get(entries->numbers, name);
    *number = known != NULL ? (int)json_integer_value(known) : entries->names_count;
    if (known != NULL) return SMITIN_OK;
    if (entries->names_count == entries->names_capacity) {
        const int wanted = entries->names_capacity == 0 ? 64 : 2 * entries->names_capacity;
        const char **larger = realloc(entries->names, (size_t)wanted * sizeof *larger);
        if (larger == NULL) return sm_fail_memory(error, "a list of labels", (size_t)wanted);
        entries->names = larger;
        entries->names_capacity = wanted;
    }
    const char *copy = sm_arena_text(entries->notes.arena, name);
    if (copy == NULL) return sm_fail_memory(error, name, 0);
    /* A name that is no UTF-8 could not be written into a manifest. */
    if (json_object_set_new(entries->numbers, name, json_integer(*number)) != 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "the label '%.100s' is not UTF-8; convert the table", name);
    entries->names[entries->names_count++] = copy;
    return SMITIN_OK;
}

smitin_status sm_entries_label(sm_entries *entries, sm_entry *entry, const char *name,
                               smitin_error *error)
{
    int number;
    SM_TRY(sm_entries_name(entries, name, &number, error));
    for (int i = 0; i < entry->labels_count; i++)
        if (entry->labels[i] == number) return SMITIN_OK;
    /* Lists are short: room grows by eight. */
    if (entry->labels_count % 8 == 0) {
        int *larger = SM_TAKE(entries->notes.arena, entry->labels_count + 8, int);
        if (larger == NULL) return sm_fail_memory(error, name, 0);
        if (entry->labels_count > 0)
            memcpy(larger, entry->labels, (size_t)entry->labels_count * sizeof *larger);
        entry->labels = larger;
    }
    entry->labels[entry->labels_count++] = number;
    return SMITIN_OK;
}

smitin_status sm_entries_values(sm_entries *entries, sm_entry *entry, int count,
                                smitin_error *error)
{
    entry->values = SM_TAKE(entries->notes.arena, count, double);
    return entry->values != NULL ? SMITIN_OK
                                 : sm_fail_memory(error, entry->track, (size_t)count * 8);
}

bool sm_find_audio(const char *root, const char *folder, const char *stem, char *out, size_t size)
{
    static const char *const suffixes[] = {".mp3", ".wav", ".flac", ".ogg", ".au", ".aiff"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        const int n = snprintf(out, size, "%s%s%s%s", folder, folder[0] != '\0' ? "/" : "", stem,
                               suffixes[i]);
        if (n > 0 && (size_t)n < size && sm_path_exists(root, out)) return true;
    }
    return false;
}

smitin_status sm_sha1_modulo(const char *text, unsigned m, unsigned *out, smitin_error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    *out = 0;
    if (EVP_Digest(text, strlen(text), digest, &length, EVP_sha1(), NULL) != 1)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the hash function is not available; check the installation of OpenSSL");
    for (unsigned i = 0; i < length; i++) *out = (*out * 256 + digest[i]) % m;
    return SMITIN_OK;
}

bool sm_parse_number(const char *text, double *value)
{
    char *end = NULL;
    *value = strtod(text, &end);
    if (end == text || !isfinite(*value)) return false;
    return end[strspn(end, " \t")] == '\0';
}

int sm_key_parse(const char *text)
{
    static const int tonics[7] = {9, 11, 0, 2, 4, 5, 7}; /* a to g */
    const int letter = tolower((unsigned char)text[0]);
    if (letter < 'a' || letter > 'g') return -1;
    int tonic = tonics[letter - 'a'];
    text++;
    if (*text == '#' || *text == 'b') tonic += *text++ == '#' ? 1 : 11;
    if (*text != ' ' && *text != ':') return -1;
    text += strspn(text, " :");
    size_t length = 0;
    while (isalpha((unsigned char)text[length])) length++;
    const bool major = (length == 5 && strncmp(text, "major", 5) == 0) ||
                       (length == 3 && strncmp(text, "maj", 3) == 0);
    const bool minor = (length == 5 && strncmp(text, "minor", 5) == 0) ||
                       (length == 3 && strncmp(text, "min", 3) == 0);
    text += length;
    /* A confidence may follow behind a tab, but not a second key. */
    if ((!major && !minor) || strchr(text, '/') != NULL || strchr("\t \r\n", *text) == NULL)
        return -1;
    return 2 * (tonic % 12) + minor;
}

int sm_list_next(const char **at, char *out)
{
    const char *s = *at + strspn(*at, " ");
    if (*s != '[' && *s != ',' && *s != ']') return -1;
    if (*s == ']') return 0;
    s++;
    s += strspn(s, " ");
    if (*s == ']') {
        *at = s;
        return 0;
    }
    const char quote = *s;
    if (quote != '\'' && quote != '"') return -1;
    for (s++; *s != quote; s++) {
        if (*s == '\\' && s[1] != '\0') s++;
        if (*s == '\0') return -1;
        *out++ = *s;
    }
    *out = '\0';
    *at = s + 1;
    return 1;
}
