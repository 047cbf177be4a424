/* SPDX-License-Identifier: MIT */
/* Owns sets of tagged clips: MagnaTagATune and MusicCaps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "entries.h"
#include "layout.h"
#include "prompts.h"

/* ---- MagnaTagATune: annotations_final.csv, and MP3 files in folders 0 to f ---- */

/* Clips whose MP3 is known to be corrupt. */
static bool is_corrupt(const char *clip)
{
    static const char *const clips[] = {"35644", "55753", "57881"};
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++)
        if (strcmp(clips[i], clip) == 0) return true;
    return false;
}

/* The usual split, by the first character of the path: 0 to b, c, d to f. */
static int split_of_folder(const char *path)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, path[0]);
    if (at == NULL || path[0] == '\0' || path[1] != '/') return SM_SPLIT_ANY;
    return at - digits < 12 ? SM_SPLIT_TRAIN : at - digits == 12 ? SM_SPLIT_VALID : SM_SPLIT_TEST;
}

/* The path as it is, below mp3/, or with another suffix, where clips were converted. */
static const char *find_clip(const char *root, const char *path, char *out, size_t size)
{
    char stem[600];
    const char *dot = strrchr(path, '.');
    if (sm_path_exists(root, path)) return path;
    snprintf(out, size, "mp3/%.900s", path);
    if (sm_path_exists(root, out)) return out;
    snprintf(stem, sizeof stem, "%.*s", (int)(dot != NULL ? dot - path : 0), path);
    return sm_find_audio(root, "", stem, out, size) || sm_find_audio(root, "mp3", stem, out, size)
               ? out
               : path;
}

static smitin_status add_tags(sm_entries *entries, const sm_table *table, const char *root,
                              smitin_error *error)
{
    const long clip = sm_table_column(table, "clip_id"), path = sm_table_column(table, "mp3_path");
    char found[1000];
    int number;
    if (clip < 0 || path < 0)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s/annotations_final.csv' has no column '%s'",
                       root, clip < 0 ? "clip_id" : "mp3_path");
    for (size_t i = 0; i < table->columns; i++)
        if ((long)i != clip && (long)i != path)
            SM_TRY(sm_entries_name(entries, table->header[i], &number, error));
    for (size_t row = 0; row < table->rows; row++) {
        char **cells = table->cells + row * table->columns;
        const char *name = cells[path], *file = NULL;
        const bool usable = sm_path_stays_below(name);
        if (usable && !is_corrupt(cells[clip])) file = find_clip(root, name, found, sizeof found);
        if (usable && file == NULL)
            sm_library_note(&entries->notes, "skipped: '%s' (clip %s) is known to be corrupt", name,
                            cells[clip]);
        else if (!usable)
            sm_library_note(&entries->notes, "skipped: annotations_final.csv, line %zu: no path",
                            table->lines[row]);
        sm_entry *entry = NULL;
        SM_TRY(
            sm_entries_add(entries, root, file, name, name, split_of_folder(name), &entry, error));
        for (size_t i = 0; i < table->columns; i++)
            if ((long)i != clip && (long)i != path && strcmp(cells[i], "1") == 0)
                SM_TRY(sm_entries_label(entries, entry, table->header[i], error));
    }
    return SMITIN_OK;
}

static smitin_status read_magnatagatune(sm_entries *entries, const sm_collection_options *options,
                                        smitin_error *error)
{
    char *path = sm_path_join(options->root, "annotations_final.csv");
    sm_table table;
    if (path == NULL) return sm_fail_memory(error, options->root, 0);
    smitin_status status = sm_table_read(&table, path, false, error);
    free(path);
    if (status != SMITIN_OK) return status;
    if (table.rows != 25863)
        sm_library_note(&entries->notes,
                        "MagnaTagATune: %zu annotated clips, the complete set has 25863",
                        table.rows);
    status = add_tags(entries, &table, options->root, error);
    sm_table_free(&table);
    return status;
}

const sm_annotations sm_annotations_magnatagatune = {.name = "magnatagatune",
                                                     .title = "MagnaTagATune",
                                                     .task = SM_TASK_MULTILABEL,
                                                     .top = 50,
                                                     .read = read_magnatagatune};

/* ---- MusicCaps: musiccaps-public.csv, and whatever audio the user has ---- */

/* The names under which people keep the clips. */
static bool find_caption_audio(const char *root, const sm_prompt *p, char *out, size_t size)
{
    static const char *const forms[] = {"%s", "[%s]-[%d-%d]", "%s_%d_%d", "%s-%d-%d"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char stem[128];
        switch (i) {
        case 0:
            snprintf(stem, sizeof stem, "%s", p->id);
            break;
        case 1:
            snprintf(stem, sizeof stem, "[%s]-[%d-%d]", p->id, p->start, p->end);
            break;
        case 2:
            snprintf(stem, sizeof stem, "%s_%d_%d", p->id, p->start, p->end);
            break;
        default:
            snprintf(stem, sizeof stem, "%s-%d-%d", p->id, p->start, p->end);
            break;
        }
        if (sm_find_audio(root, "", stem, out, size)) return true;
    }
    return false;
}

static smitin_status add_captioned(sm_entries *entries, const sm_prompts *prompts, const char *root,
                                   smitin_error *error)
{
    char file[256];
    size_t found = 0;
    for (size_t i = 0; i < prompts->count; i++) {
        const sm_prompt *p = &prompts->items[i];
        const bool there = find_caption_audio(root, p, file, sizeof file);
        sm_entry *entry = NULL;
        found += there;
        SM_TRY(sm_entries_add(entries, root, there ? file : NULL, p->id, p->id,
                              p->evaluation ? SM_SPLIT_TEST : SM_SPLIT_TRAIN, &entry, error));
        for (int t = 0; t < p->tags_count; t++)
            SM_TRY(sm_entries_label(entries, entry, p->tags[t], error));
    }
    /* Much of it is gone, differently for everyone: one line says how much. */
    sm_library_note(&entries->notes, "MusicCaps: audio of %zu of its %zu clips is there", found,
                    prompts->count);
    return SMITIN_OK;
}

static smitin_status read_musiccaps(sm_entries *entries, const sm_collection_options *options,
                                    smitin_error *error)
{
    sm_prompts prompts;
    char *path = sm_path_join(options->root, "musiccaps-public.csv");
    if (path == NULL) return sm_fail_memory(error, options->root, 0);
    smitin_status status =
        sm_prompts_read(&prompts, options->table != NULL ? options->table : path, error);
    free(path);
    if (status != SMITIN_OK) return status;
    for (size_t i = 0; i < prompts.notes_count; i++)
        sm_library_note(&entries->notes, "%s", prompts.notes[i]);
    status = add_captioned(entries, &prompts, options->root, error);
    sm_prompts_free(&prompts);
    return status;
}

const sm_annotations sm_annotations_musiccaps = {.name = "musiccaps",
                                                 .title = "MusicCaps",
                                                 .licence = "CC BY-SA 4.0 (MusicCaps, its texts)",
                                                 .task = SM_TASK_MULTILABEL,
                                                 .top = 50,
                                                 .read = read_musiccaps};
