/* SPDX-License-Identifier: MIT */
/* Owns reading the texts of MusicCaps. */
#include "prompts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "entries.h"

enum { ID, START, END, ASPECTS, CAPTION, EVALUATION, COLUMNS };

/* A tag at most every three bytes: two quotes and a comma. */
static bool read_tags(sm_prompts *prompts, sm_prompt *p, const char *list)
{
    const size_t length = strlen(list);
    const char *at = list;
    char *text = SM_TAKE(prompts->arena, length + 1, char);
    char *joined = SM_TAKE(prompts->arena, 2 * length + 1, char), *out = joined;
    p->tags = SM_TAKE(prompts->arena, length / 3 + 1, const char *);
    if (text == NULL || joined == NULL || p->tags == NULL) return false;
    int more;
    while ((more = sm_list_next(&at, text)) == 1) {
        if ((size_t)p->tags_count > length / 3) return false;
        p->tags[p->tags_count++] = text;
        const size_t n = strlen(text);
        out += sprintf(out, "%s%s", p->tags_count > 1 ? ", " : "", text);
        text += n + 1;
    }
    p->tag_text = joined;
    return more == 0;
}

static void note(sm_prompts *prompts, const char *path, size_t line, const char *what)
{
    char text[512];
    snprintf(text, sizeof text, "skipped: '%.300s', line %zu: %s", path, line, what);
    const char *copy = sm_arena_text(prompts->arena, text);
    if (copy != NULL) prompts->notes[prompts->notes_count++] = copy;
}

static smitin_status read_rows(sm_prompts *prompts, const sm_table *table, const char *path,
                               smitin_error *error)
{
    static const char *const names[COLUMNS] = {"ytid",        "start_s", "end_s",
                                               "aspect_list", "caption", "is_audioset_eval"};
    long column[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        column[i] = sm_table_column(table, names[i]);
        if (column[i] < 0)
            return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s' has no column '%s'", path, names[i]);
    }
    prompts->items = SM_TAKE(prompts->arena, table->rows, sm_prompt);
    prompts->notes = SM_TAKE(prompts->arena, table->rows, const char *);
    if (prompts->items == NULL || prompts->notes == NULL)
        return sm_fail_memory(error, path, table->rows);
    for (size_t row = 0; row < table->rows; row++) {
        char **cells = table->cells + row * table->columns;
        double start, end;
        sm_prompt p = {.id = sm_arena_text(prompts->arena, cells[column[ID]]),
                       .caption = sm_arena_text(prompts->arena, cells[column[CAPTION]]),
                       .evaluation = strcmp(cells[column[EVALUATION]], "True") == 0};
        if (p.id == NULL || p.caption == NULL) return sm_fail_memory(error, path, 0);
        const char *id = cells[column[ID]];
        const bool numbers = sm_parse_number(cells[column[START]], &start) &&
                             sm_parse_number(cells[column[END]], &end) && start >= 0.0 &&
                             start < 1e6 && end > start && end < 1e6;
        if (id[0] == '\0' || strlen(id) > 64 || strchr(id, '/') != NULL) {
            note(prompts, path, table->lines[row], "no id of a clip");
        } else if (!numbers) {
            note(prompts, path, table->lines[row], "start_s and end_s are no span");
        } else if (!read_tags(prompts, &p, cells[column[ASPECTS]])) {
            note(prompts, path, table->lines[row], "aspect_list is no list of texts");
        } else {
            p.start = (int)start;
            p.end = (int)end;
            prompts->items[prompts->count++] = p;
        }
    }
    return SMITIN_OK;
}

smitin_status sm_prompts_read(sm_prompts *prompts, const char *path, smitin_error *error)
{
    sm_table table;
    memset(prompts, 0, sizeof *prompts);
    SM_TRY(sm_table_read(&table, path, false, error));
    prompts->arena = sm_arena_new();
    smitin_status status = prompts->arena != NULL ? read_rows(prompts, &table, path, error)
                                                  : sm_fail_memory(error, path, 0);
    sm_table_free(&table);
    if (status != SMITIN_OK) sm_prompts_free(prompts);
    return status;
}

void sm_prompts_free(sm_prompts *prompts)
{
    sm_arena_free(prompts->arena);
    memset(prompts, 0, sizeof *prompts);
}
