/* SPDX-License-Identifier: MIT */
/* Owns the manifest of a store: its text, written a clip a line, and read back with every bound
 * checked. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store_inside.h"

#define FORMAT "smitin activations 1"

/* ---- Writing ---- */

typedef struct writer {
    char *data; /* NULL once memory was short */
    size_t length, capacity;
    bool foreign; /* a text was not UTF-8 */
} writer;

static void put(writer *w, const char *text, size_t length)
{
    if (w->data == NULL) return;
    if (w->length + length + 1 > w->capacity) {
        const size_t wanted = 2 * (w->capacity + length + 1);
        char *larger = realloc(w->data, wanted);
        if (larger == NULL) {
            free(w->data);
            w->data = NULL;
            return;
        }
        w->data = larger;
        w->capacity = wanted;
    }
    memcpy(w->data + w->length, text, length);
    w->length += length;
    w->data[w->length] = '\0';
}

static void putf(writer *w, const char *format, ...) SM_PRINTF(2, 3);

static void putf(writer *w, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n > 0) put(w, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* A text in quotes. */
static void put_text(writer *w, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (quoted == NULL) w->foreign = true;
    if (quoted != NULL) put(w, quoted, strlen(quoted));
    free(quoted);
    json_decref(value);
}

static void put_field(writer *w, const char *key, const char *text)
{
    putf(w, " \"%s\": ", key);
    put_text(w, text);
    putf(w, ",\n");
}

/* As short as it can be read back exactly. */
static void put_number(writer *w, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) snprintf(text, sizeof text, "%.17g", value);
    putf(w, "%s", text);
}

static void put_texts(writer *w, const char *key, const char *const *texts, size_t count)
{
    putf(w, " \"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        putf(w, i > 0 ? ", " : "");
        put_text(w, texts[i]);
    }
    putf(w, "],\n");
}

/* The labels of a clip: the places of those it has, the place of its class, or its numbers. */
static void put_labels(writer *w, const sm_store_meta *meta, const double *values)
{
    const bool places = meta->task == SM_TASK_MULTILABEL || meta->task == SM_TASK_BINARY;
    const int width = sm_task_width(meta->task, meta->classes);
    bool first = true;
    putf(w, ",\"labels\":[");
    for (int k = 0; k < width; k++) {
        if (places && values[k] == 0.0) continue;
        if (!first) putf(w, ",");
        put_number(w, places ? k : values[k]);
        first = false;
    }
    putf(w, "]");
}

static void put_clip(writer *w, const sm_store *store, const sm_store_clip *c)
{
    putf(w, "  {\"path\":");
    put_text(w, c->clip.path);
    putf(w, ",\"track\":");
    put_text(w, c->clip.track);
    putf(w, ",\"start\":");
    put_number(w, c->clip.start);
    putf(w, ",\"split\":\"%s\"", sm_split_names[c->clip.split]);
    put_labels(w, &store->meta, c->clip.values);
    if (store->shards[c->shard].done && c->skipped != NULL) {
        putf(w, ",\"skipped\":");
        put_text(w, c->skipped);
    } else if (store->shards[c->shard].done) {
        putf(w, ",\"shard\":%zu,\"row\":%zu,\"sha256\":\"%s\"", c->shard, c->row, c->hash);
    }
    putf(w, "}");
}

static void put_head(writer *w, const sm_store *store)
{
    const sm_store_meta *m = &store->meta;
    size_t done = 0;
    for (size_t i = 0; i < store->shards_count; i++) done += store->shards[i].done;
    putf(w, "{\n");
    put_field(w, "format", FORMAT);
    putf(w, " \"complete\": %s,\n", done == store->shards_count ? "true" : "false");
    put_field(w, "model", m->model);
    put_field(w, "fingerprint", m->fingerprint);
    putf(w, " \"layers\": %d,\n \"heads\": %d,\n \"head_size\": %d,\n", m->L, m->H, m->D);
    put_field(w, "weights", m->weights);
    put_field(w, "cache", m->cache);
    if (m->columns == 1)
        putf(w, " \"pooling\": \"last\",\n");
    else
        putf(w, " \"pooling\": \"mean:%d\",\n", m->columns);
    putf(w, " \"sample_rate\": %d,\n \"channels\": %d,\n \"seconds\": ", m->sample_rate,
         m->channels);
    put_number(w, m->seconds);
    putf(w, ",\n");
    put_field(w, "data", m->data);
    if (m->licence != NULL) put_field(w, "licence", m->licence);
    put_texts(w, "notes", m->notes, m->notes_count);
    put_field(w, "task", sm_task_names[m->task]);
    put_texts(w, "classes", m->names, (size_t)m->classes);
    putf(w, " \"clips_per_shard\": %zu,\n \"shards\": [", m->shard_clips);
    bool first = true;
    for (size_t i = 0; i < store->shards_count; i++) {
        if (!store->shards[i].done) continue;
        putf(w, "%s\n  {\"file\":\"activations-%05zu.npy\",\"rows\":%zu}", first ? "" : ",", i,
             store->shards[i].rows);
        first = false;
    }
    putf(w, "\n ],\n \"clips\": [\n");
}

smitin_status sm_store_print(const sm_store *store, char **text, size_t *size, smitin_error *error)
{
    writer w = {calloc(1, 1 << 16), 0, 1 << 16, false};
    put_head(&w, store);
    for (size_t i = 0; i < store->count; i++) {
        put_clip(&w, store, &store->clips[i]);
        putf(&w, "%s\n", i + 1 < store->count ? "," : "");
    }
    putf(&w, " ]\n}\n");
    *text = NULL;
    if (w.data == NULL) return sm_fail_memory(error, "a manifest", w.capacity);
    if (w.foreign) {
        free(w.data);
        return sm_fail(error, SMITIN_ERROR_FORMAT,
                       "a name of a file or a label is not UTF-8; rename it");
    }
    *text = w.data;
    *size = w.length;
    return SMITIN_OK;
}

/* ---- Reading ---- */

typedef struct reader {
    sm_store *store;
    json_t *root;
    const char *name;
    smitin_error *error;
} reader;

static smitin_status bad(const reader *r, const char *what)
{
    return sm_fail(r->error, SMITIN_ERROR_FORMAT,
                   "'%s' is no manifest of activations: %s; extract them again", r->name, what);
}

static bool read_int(const json_t *o, const char *key, long low, long high, int *out)
{
    const json_t *value = json_object_get(o, key);
    if (!json_is_integer(value)) return false;
    const json_int_t n = json_integer_value(value);
    *out = n >= low && n <= high ? (int)n : 0;
    return n >= low && n <= high;
}

static bool read_short(const json_t *o, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(o, key));
    if (text == NULL || strlen(text) >= size) return false;
    snprintf(out, size, "%s", text);
    return true;
}

static int find_name(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count && text != NULL; i++)
        if (strcmp(names[i], text) == 0) return i;
    return -1;
}

/* A list of texts into the arena. */
static smitin_status read_texts(reader *r, const char *key, size_t most, const char *const **out,
                                size_t *count)
{
    const json_t *list = json_object_get(r->root, key);
    *count = json_array_size(list);
    if (!json_is_array(list) || *count > most) return bad(r, key);
    const char **texts = SM_TAKE(r->store->arena, *count, const char *);
    if (texts == NULL) return sm_fail_memory(r->error, r->name, *count);
    for (size_t i = 0; i < *count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL) return bad(r, key);
        texts[i] = sm_store_text(r->store, text);
        if (texts[i] == NULL) return sm_fail_memory(r->error, r->name, *count);
    }
    *out = texts;
    return SMITIN_OK;
}

static smitin_status read_head(reader *r)
{
    sm_store_meta *m = &r->store->meta;
    size_t classes = 0;
    char pooling[32] = "";
    const char *task = json_string_value(json_object_get(r->root, "task"));
    if (!read_short(r->root, "model", m->model, sizeof m->model) ||
        !read_short(r->root, "fingerprint", m->fingerprint, sizeof m->fingerprint) ||
        !read_short(r->root, "weights", m->weights, sizeof m->weights) ||
        !read_short(r->root, "cache", m->cache, sizeof m->cache) ||
        !read_short(r->root, "pooling", pooling, sizeof pooling) ||
        !read_int(r->root, "layers", 1, 1000, &m->L) ||
        !read_int(r->root, "heads", 1, 1000, &m->H) ||
        !read_int(r->root, "head_size", 1, 4096, &m->D) ||
        !read_int(r->root, "sample_rate", 1, 1000000, &m->sample_rate) ||
        !read_int(r->root, "channels", 1, 2, &m->channels))
        return bad(r, "the model is not described");
    m->seconds = json_number_value(json_object_get(r->root, "seconds"));
    m->columns = strcmp(pooling, "last") == 0 ? 1 : 0;
    if (m->columns == 0 && strncmp(pooling, "mean:", 5) == 0)
        m->columns = (int)strtol(pooling + 5, NULL, 10);
    if (!(m->seconds > 0.0 && m->seconds < 1e6) || m->columns < 1)
        return bad(r, "how the clips were heard is not described");
    const int found = find_name(sm_task_names, SM_TASKS, task);
    if (found < 0) return bad(r, "there is no such task");
    m->task = (sm_task)found;
    SM_TRY(read_texts(r, "classes", SM_STORE_CLASSES_MAX, &m->names, &classes));
    SM_TRY(read_texts(r, "notes", SM_STORE_CLIPS_MAX, &m->notes, &m->notes_count));
    m->classes = (int)classes;
    if (classes < (m->task == SM_TASK_MULTICLASS ? 2u : 1u) ||
        (m->task == SM_TASK_BINARY && classes != 1))
        return bad(r, "its classes do not fit its task");
    const char *data = json_string_value(json_object_get(r->root, "data"));
    m->data = sm_store_text(r->store, data != NULL ? data : "");
    m->licence = sm_store_text(r->store, json_string_value(json_object_get(r->root, "licence")));
    return m->data != NULL ? SMITIN_OK : sm_fail_memory(r->error, r->name, 0);
}

static smitin_status read_labels(reader *r, const json_t *list, const double **out)
{
    const sm_store_meta *m = &r->store->meta;
    const bool places = m->task == SM_TASK_MULTILABEL || m->task == SM_TASK_BINARY;
    const size_t width = (size_t)sm_task_width(m->task, m->classes), count = json_array_size(list);
    double *values = SM_TAKE(r->store->arena, width, double);
    if (values == NULL) return sm_fail_memory(r->error, r->name, width);
    if (!json_is_array(list) || (places ? count > width : count != width))
        return bad(r, "a clip's labels do not fit the task");
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, i);
        const double number = json_number_value(value);
        const bool place = json_is_integer(value) && number >= 0.0 && number < m->classes;
        if (!json_is_number(value) || (m->task != SM_TASK_REGRESSION && !place) ||
            !isfinite(number))
            return bad(r, "a clip's labels do not fit the task");
        if (places)
            values[(size_t)number] = 1.0;
        else
            values[i] = number;
    }
    *out = values;
    return SMITIN_OK;
}

static smitin_status read_clip(reader *r, const json_t *o, size_t index)
{
    sm_store_clip *c = &r->store->clips[index];
    const char *path = json_string_value(json_object_get(o, "path")),
               *track = json_string_value(json_object_get(o, "track")),
               *why = json_string_value(json_object_get(o, "skipped")),
               *hash = json_string_value(json_object_get(o, "sha256"));
    const int split =
        find_name(sm_split_names, SM_SPLITS, json_string_value(json_object_get(o, "split")));
    if (path == NULL || track == NULL || split < 0) return bad(r, "a clip has no path or split");
    c->clip.path = sm_store_text(r->store, path);
    c->clip.track = sm_store_text(r->store, track);
    c->skipped = sm_store_text(r->store, why);
    if (c->clip.path == NULL || c->clip.track == NULL || (why != NULL && c->skipped == NULL))
        return sm_fail_memory(r->error, r->name, 0);
    c->clip.split = (sm_split)split;
    c->clip.start = json_number_value(json_object_get(o, "start"));
    SM_TRY(read_labels(r, json_object_get(o, "labels"), &c->clip.values));
    sm_shard *shard = &r->store->shards[c->shard];
    if (shard->done != (why != NULL || hash != NULL))
        return bad(r, "a clip's shard is not what it says");
    if (hash == NULL) return SMITIN_OK;
    int row;
    if (strlen(hash) != 64 || !read_int(o, "row", 0, SM_STORE_CLIPS_MAX, &row) || why != NULL ||
        json_integer_value(json_object_get(o, "shard")) != (json_int_t)c->shard ||
        (size_t)row != shard->rows)
        return bad(r, "a clip's row is not what it says");
    snprintf(c->hash, sizeof c->hash, "%s", hash);
    c->row = shard->rows++;
    return SMITIN_OK;
}

static smitin_status read_body(reader *r, const json_t *clips)
{
    const json_t *shards = json_object_get(r->root, "shards");
    sm_store *store = r->store;
    for (size_t i = 0; i < json_array_size(shards); i++) {
        const char *file = json_string_value(json_object_get(json_array_get(shards, i), "file"));
        size_t number;
        char tail[8] = "";
        if (file == NULL || strlen(file) > 40 ||
            sscanf(file, "activations-%zu.%3s", &number, tail) != 2 || strcmp(tail, "npy") != 0 ||
            number >= store->shards_count || store->shards[number].done)
            return bad(r, "its shards do not fit its clips");
        store->shards[number].done = true;
    }
    for (size_t i = 0; i < store->count; i++) SM_TRY(read_clip(r, json_array_get(clips, i), i));
    for (size_t i = 0; i < json_array_size(shards); i++) {
        const json_t *o = json_array_get(shards, i);
        size_t number = 0;
        sscanf(json_string_value(json_object_get(o, "file")), "activations-%zu.", &number);
        if (json_integer_value(json_object_get(o, "rows")) !=
            (json_int_t)store->shards[number].rows)
            return bad(r, "a shard has another number of rows than its clips");
    }
    return SMITIN_OK;
}

smitin_status sm_store_parse(sm_store **out, const char *text, size_t size, const char *name,
                             smitin_error *error)
{
    json_error_t problem;
    reader r = {.name = name, .error = error};
    *out = NULL;
    r.root = json_loadb(text, size, 0, &problem);
    if (r.root == NULL)
        return sm_fail(error, SMITIN_ERROR_FORMAT, "'%s', line %d: %s", name, problem.line,
                       problem.text);
    const char *format = json_string_value(json_object_get(r.root, "format"));
    const json_t *clips = json_object_get(r.root, "clips");
    const size_t count = json_array_size(clips);
    int shard_clips = 0;
    smitin_status status = SMITIN_OK;
    if (format == NULL || strcmp(format, FORMAT) != 0 || count == 0 || count > SM_STORE_CLIPS_MAX ||
        !read_int(r.root, "clips_per_shard", 1, 1000000, &shard_clips))
        status = bad(&r, "its format is not '" FORMAT "'");
    if (status == SMITIN_OK) status = sm_store_new(&r.store, count, (size_t)shard_clips, error);
    if (status == SMITIN_OK) status = read_head(&r);
    if (status == SMITIN_OK) status = read_body(&r, clips);
    json_decref(r.root);
    if (status != SMITIN_OK)
        sm_store_free(r.store);
    else
        *out = r.store;
    return status;
}
