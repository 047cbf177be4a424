/* SPDX-License-Identifier: MIT */
/* Owns EmoMusic: arousal and valence of 744 songs. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "entries.h"
#include "layout.h"

/* The annotations may lie in annotations/ or at the top. */
static smitin_status open_table(sm_table *table, const char *root, const char *name,
                                smitin_error *error)
{
    char path[2200];
    snprintf(path, sizeof path, "%.2000s/annotations/%s", root, name);
    if (!sm_path_exists(root, path + strlen(root) + 1))
        snprintf(path, sizeof path, "%.2000s/%s", root, name);
    return sm_table_read(table, path, false, error);
}

/* The published way to divide the songs to develop with: the artist's letters and blanks, in lower
 * case, blanks joined; SHA-1 modulo 10; 8 and 9 are valid. */
static smitin_status split_of_artist(const char *artist, int *split, smitin_error *error)
{
    char name[512];
    size_t n = 0;
    unsigned share;
    for (; *artist != '\0' && n + 1 < sizeof name; artist++) {
        const unsigned char c = (unsigned char)*artist;
        if (c < 128 && isalpha(c)) name[n++] = (char)tolower(c);
        if (isspace(c) && (n == 0 || name[n - 1] != ' ')) name[n++] = ' ';
    }
    name[n] = '\0';
    SM_TRY(sm_sha1_modulo(name, 10, &share, error));
    *split = share < 8 ? SM_SPLIT_TRAIN : SM_SPLIT_VALID;
    return SMITIN_OK;
}

/* song_id -> row of songs_info.csv */
static json_t *index_songs(const sm_table *songs, long id)
{
    json_t *rows = json_object();
    for (size_t i = 0; i < songs->rows && rows != NULL; i++)
        json_object_set_new(rows, songs->cells[i * songs->columns + (size_t)id],
                            json_integer((json_int_t)i));
    return rows;
}

static smitin_status add_song(sm_entries *entries, const char *root, const char *id, char **song,
                              const long info[2], const double values[2], smitin_error *error)
{
    const char *artist = song != NULL && info[0] >= 0 ? song[info[0]] : "";
    const char *set = song != NULL && info[1] >= 0 ? song[info[1]] : "";
    char file[512];
    int split = SM_SPLIT_ANY;
    if (strcmp(set, "evaluation") == 0) split = SM_SPLIT_TEST;
    if (strcmp(set, "development") == 0) SM_TRY(split_of_artist(artist, &split, error));
    if (!sm_find_audio(root, "clips_45seconds", id, file, sizeof file) &&
        !sm_find_audio(root, "", id, file, sizeof file))
        snprintf(file, sizeof file, "clips_45seconds/%.100s.mp3", id); /* named as missing */
    sm_entry *entry = NULL;
    SM_TRY(sm_entries_add(entries, root, file, id, artist[0] != '\0' ? artist : id, split, &entry,
                          error));
    SM_TRY(sm_entries_values(entries, entry, 2, error));
    memcpy(entry->values, values, 2 * sizeof *values);
    return SMITIN_OK;
}

static smitin_status add_songs(sm_entries *entries, const char *root, const sm_table *means,
                               const sm_table *songs, smitin_error *error)
{
    const long id = sm_table_column(means, "song_id"),
               arousal = sm_table_column(means, "mean_arousal"),
               valence = sm_table_column(means, "mean_valence"),
               song_id = sm_table_column(songs, "song_id");
    const long info[2] = {sm_table_column(songs, "Artist"),
                          sm_table_column(songs, "Mediaeval 2013 set")};
    if (id < 0 || arousal < 0 || valence < 0 || song_id < 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "the annotations in '%s' lack a column: static_annotations.csv has song_id, "
                       "mean_arousal and mean_valence, songs_info.csv has song_id",
                       root);
    json_t *rows = index_songs(songs, song_id);
    smitin_status status = rows != NULL ? SMITIN_OK : sm_fail_memory(error, root, 0);
    for (size_t i = 0; i < means->rows && status == SMITIN_OK; i++) {
        char **cells = means->cells + i * means->columns;
        double values[2];
        const json_t *row = json_object_get(rows, cells[id]);
        if (!sm_plain_name(cells[id]) || !sm_parse_number(cells[arousal], &values[0]) ||
            !sm_parse_number(cells[valence], &values[1])) {
            sm_library_note(&entries->notes,
                            "skipped: static_annotations.csv, line %zu: no means of arousal and "
                            "valence",
                            means->lines[i]);
            continue;
        }
        char **song =
            row != NULL ? songs->cells + (size_t)json_integer_value(row) * songs->columns : NULL;
        status = add_song(entries, root, cells[id], song, info, values, error);
    }
    json_decref(rows);
    return status;
}

static smitin_status read_emomusic(sm_entries *entries, const sm_collection_options *options,
                                   smitin_error *error)
{
    sm_table means = {0}, songs = {0};
    int number;
    SM_TRY(sm_entries_name(entries, "arousal", &number, error));
    SM_TRY(sm_entries_name(entries, "valence", &number, error));
    entries->ordered = true;
    smitin_status status = open_table(&means, options->root, "static_annotations.csv", error);
    if (status == SMITIN_OK) status = open_table(&songs, options->root, "songs_info.csv", error);
    if (status == SMITIN_OK && means.rows != 744)
        sm_library_note(&entries->notes, "EmoMusic: %zu annotated songs, the complete set has 744",
                        means.rows);
    if (status == SMITIN_OK) status = add_songs(entries, options->root, &means, &songs, error);
    sm_table_free(&means);
    sm_table_free(&songs);
    return status;
}

const sm_annotations sm_annotations_emomusic = {
    .name = "emomusic", .title = "EmoMusic", .task = SM_TASK_REGRESSION, .read = read_emomusic};
