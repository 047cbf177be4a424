/* SPDX-License-Identifier: MIT */
/* Writing a model as one GGUF file. The parts' own binding says which tensors there are and what
 * each is to become; then they are read, converted and written a few rows at a time. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../format/gguf_names.h"
#include "engine.h"

enum { CHUNK_BYTES = 4 << 20, MOST_META = 12 };

typedef struct converter {
    sm_checkpoint checkpoint;
    sm_arena *arena; /* names, and what binding leaves */
    sm_pool *pool;
    sm_format format;
    char fingerprint[65];
    sm_bound *bound;        /* [count] */
    sm_tensor_out *tensors; /* [count]: the same as they stand in the file */
    size_t *places;         /* [count]: where */
    size_t count, capacity;
    bool out_of_memory;
    sm_outfile *file;
    uint64_t done, total; /* bytes of tensors */
    const smitin_convert_options *options;
} converter;

smitin_convert_options smitin_convert_defaults(void)
{
    smitin_convert_options options;
    memset(&options, 0, sizeof options);
    return options;
}

/* ---- The plan ---- */

static bool reserve(converter *c)
{
    if (c->count < c->capacity) return true;
    const size_t wanted = c->capacity == 0 ? 256 : 2 * c->capacity;
    sm_bound *bound = realloc(c->bound, wanted * sizeof *bound);
    if (bound != NULL) c->bound = bound;
    sm_tensor_out *tensors = realloc(c->tensors, wanted * sizeof *tensors);
    if (tensors != NULL) c->tensors = tensors;
    size_t *places = realloc(c->places, wanted * sizeof *places);
    if (places != NULL) c->places = places;
    if (bound == NULL || tensors == NULL || places == NULL) return false;
    c->capacity = wanted;
    return true;
}

/* The format that keeps a tensor's numbers as they are. */
static sm_format own_format(const sm_tensor *tensor)
{
    return tensor->dtype == SM_F16    ? SM_FORMAT_F16
           : tensor->dtype == SM_BF16 ? SM_FORMAT_BF16
                                      : SM_FORMAT_F32;
}

static void plan(void *lister, const sm_bound *bound)
{
    static const sm_dtype types[SM_FORMATS] = {[SM_FORMAT_F32] = SM_F32,
                                               [SM_FORMAT_F16] = SM_F16,
                                               [SM_FORMAT_BF16] = SM_BF16,
                                               [SM_FORMAT_Q8] = SM_Q8_0,
                                               [SM_FORMAT_Q4] = SM_IQ4_NL};
    converter *c = lister;
    char name[256];
    char *copy = NULL;
    if (sm_gguf_shorten(name, sizeof name, bound->name))
        copy = SM_TAKE(c->arena, strlen(name) + 1, char);
    if (copy == NULL || !reserve(c)) {
        c->out_of_memory = true;
        return;
    }
    strcpy(copy, name);
    sm_bound *b = &c->bound[c->count];
    sm_tensor_out *t = &c->tensors[c->count++];
    *b = *bound;
    b->name = copy;
    /* GGUF has whole blocks only; what is not is rounded while loading, from the same numbers. */
    if (sm_format_packed(b->format) && sm_bound_columns(b) % SM_BLOCK != 0)
        b->format = own_format(b->tensor);
    *t = (sm_tensor_out){.name = copy, .dtype = types[b->format], .dims = b->dims};
    memcpy(t->shape, b->shape, sizeof t->shape);
    c->total += sm_gguf_bytes(t);
}

/* What the model's parts would bind, and the decoder's fingerprint. */
static smitin_status make_plan(converter *c, smitin_error *error)
{
    sm_t5 *t5;
    sm_codec *codec;
    sm_lm *lm;
    sm_binder binder;
    sm_binder_init_source(&binder, c->checkpoint.source, c->arena);
    binder.format = c->format;
    binder.list = plan;
    binder.lister = c;
    if (c->checkpoint.single) binder.fingerprint = c->checkpoint.fingerprint;
    SM_TRY(sm_engine_bind(&t5, &codec, &lm, &c->checkpoint.config, &binder, error));
    if (c->out_of_memory)
        return sm_fail_memory(error, "the list of tensors", c->capacity * sizeof *c->bound);
    memcpy(c->fingerprint, sm_lm_fingerprint(lm), sizeof c->fingerprint);
    return SMITIN_OK;
}

/* ---- Tensors ---- */

/* Rows first.. of one tensor on their way to the file. */
typedef struct chunk {
    const sm_bound *bound;
    int first, rows;    /* of the tensor */
    size_t columns;     /* M */
    size_t row_bytes;   /* in the file */
    unsigned char *out; /* [rows, row_bytes] */
    float *values;      /* [threads, SM_TILE, M] */
    uint8_t *codes;     /* [threads] tiles of sm_packed_size.codes; NULL: not packed */
    uint16_t *scales;
    sm_packed_size tile;
    atomic_bool failed;
} chunk;

/* Rows of one tile. */
static smitin_status convert_tile(const chunk *k, int tile, int worker, smitin_error *error)
{
    const sm_bound *b = k->bound;
    const int M = (int)k->columns, n0 = tile * SM_TILE;
    const int n1 = n0 + SM_TILE < k->rows ? n0 + SM_TILE : k->rows;
    float *values = k->values + (size_t)worker * SM_TILE * k->columns;
    SM_TRY(sm_bound_read(b, values, k->first + n0, k->first + n1, error));
    if (!sm_format_packed(b->format))
        return sm_matrix_store(k->out, NULL, b->format, values, M, n0, n1, error);
    uint8_t *codes = k->codes + (size_t)worker * k->tile.codes;
    uint16_t *scales = k->scales + (size_t)worker * k->tile.scales;
    SM_TRY(sm_pack(codes, scales, b->format, values, n1 - n0, M, 0, n1 - n0, error));
    const sm_packed packed = {b->format, n1 - n0, M, codes, scales};
    for (int n = n0; n < n1; n++)
        sm_packed_get_row(k->out + (size_t)n * k->row_bytes, &packed, n - n0);
    return SMITIN_OK;
}

static void convert_task(void *context, int worker, int first, int last)
{
    chunk *k = context;
    for (int tile = first; tile < last; tile++) {
        if (convert_tile(k, tile, worker, NULL) != SMITIN_OK) atomic_store(&k->failed, true);
    }
}

static smitin_status name_failure(const chunk *k, int tiles, smitin_error *error)
{
    smitin_error inner = {0};
    smitin_status status = SMITIN_OK;
    for (int tile = 0; tile < tiles && status == SMITIN_OK; tile++)
        status = convert_tile(k, tile, 0, &inner);
    return sm_fail(error, status, "%s: %.800s", k->bound->tensor->name, inner.message);
}

static smitin_status tell_progress(const converter *c, smitin_error *error)
{
    const smitin_convert_options *o = c->options;
    if (o->progress == NULL || o->progress(o->user, c->done, c->total)) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_STOPPED, "the conversion was stopped; nothing was written");
}

/* All rows, a chunk at a time, to the file from `place` on. */
static smitin_status write_rows(converter *c, chunk *k, int at_once, size_t place,
                                smitin_error *error)
{
    const int all = sm_bound_rows(k->bound);
    for (k->first = 0; k->first < all; k->first += k->rows) {
        k->rows = all - k->first < at_once ? all - k->first : at_once;
        const int tiles = (k->rows + SM_TILE - 1) / SM_TILE;
        sm_pool_run(c->pool, convert_task, k, tiles, 1);
        if (atomic_load(&k->failed)) return name_failure(k, tiles, error);
        const size_t bytes = (size_t)k->rows * k->row_bytes;
        (void)sm_outfile_put(c->file, place + (size_t)k->first * k->row_bytes, k->out, bytes);
        SM_TRY(sm_outfile_check(c->file, error));
        c->done += bytes;
        SM_TRY(tell_progress(c, error));
    }
    return SMITIN_OK;
}

static smitin_status write_tensor(converter *c, size_t index, smitin_error *error)
{
    const size_t threads = (size_t)sm_pool_threads(c->pool);
    chunk k = {.bound = &c->bound[index]};
    const int all = sm_bound_rows(k.bound);
    k.columns = sm_bound_columns(k.bound);
    k.row_bytes = sm_gguf_bytes(&c->tensors[index]) / (size_t)all;
    const bool packed = sm_format_packed(k.bound->format);
    if (packed) SM_TRY(sm_packed_size_of(&k.tile, k.bound->format, SM_TILE, (int)k.columns, error));
    /* As many tiles as keep the threads busy, or as a few megabytes hold. */
    const size_t tile_bytes = SM_TILE * k.row_bytes, fit = CHUNK_BYTES / tile_bytes;
    const size_t tiles = fit > 2 * threads ? fit : 2 * threads;
    const int at_once = tiles * SM_TILE < (size_t)all ? (int)(tiles * SM_TILE) : all;
    k.out = malloc((size_t)at_once * k.row_bytes);
    k.values = malloc(threads * SM_TILE * k.columns * sizeof *k.values);
    k.codes = packed ? malloc(threads * k.tile.codes) : NULL;
    k.scales = packed ? malloc(threads * k.tile.scales * sizeof *k.scales) : NULL;
    smitin_status status;
    if (k.out == NULL || k.values == NULL || (packed && (k.codes == NULL || k.scales == NULL)))
        status = sm_fail_memory(error, "a few rows of a tensor", (size_t)at_once * k.row_bytes);
    else
        status = write_rows(c, &k, at_once, c->places[index], error);
    free(k.out), free(k.values), free(k.codes), free(k.scales);
    return status;
}

/* ---- The head ---- */

typedef struct meta_list {
    sm_gguf_meta_out items[MOST_META];
    size_t count;
} meta_list;

static void add_bytes(meta_list *m, const char *key, sm_gguf_kind kind, const void *data,
                      size_t size)
{
    m->items[m->count++] = (sm_gguf_meta_out){.key = key, .kind = kind, .data = data, .size = size};
}

static void add_text(meta_list *m, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') add_bytes(m, key, SM_GGUF_TEXT, text, strlen(text));
}

static void add_number(meta_list *m, const char *key, uint32_t number)
{
    m->items[m->count++] = (sm_gguf_meta_out){.key = key, .kind = SM_GGUF_U32, .number = number};
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static smitin_status write_head(converter *c, const char *path, size_t *end, smitin_error *error)
{
    /* What GGUF calls a file whose tensors are mostly of this type. */
    static const uint32_t file_types[SM_FORMATS] = {[SM_FORMAT_F32] = 0,
                                                    [SM_FORMAT_F16] = 1,
                                                    [SM_FORMAT_BF16] = 32,
                                                    [SM_FORMAT_Q8] = 7,
                                                    [SM_FORMAT_Q4] = 25};
    const smitin_convert_options *o = c->options;
    const sm_config_texts *t = &c->checkpoint.texts;
    meta_list m = {0};
    add_text(&m, SM_KEY_ARCHITECTURE, SM_ARCHITECTURE);
    add_text(&m, SM_KEY_NAME, o->name != NULL ? o->name : last_part(path));
    add_text(&m, SM_KEY_LICENCE, o->licence != NULL ? o->licence : c->checkpoint.licence);
    add_number(&m, "general.file_type", file_types[c->format]);
    add_number(&m, "general.quantization_version", 2);
    add_number(&m, SM_KEY_VERSION, SM_GGUF_FORM);
    add_text(&m, SM_KEY_FORMAT, sm_format_name(c->format));
    add_text(&m, SM_KEY_FINGERPRINT, c->fingerprint);
    add_bytes(&m, SM_KEY_CONFIG, SM_GGUF_TEXT, t->model, t->model_size);
    if (t->generation != NULL)
        add_bytes(&m, SM_KEY_GENERATION, SM_GGUF_TEXT, t->generation, t->generation_size);
    if (t->chroma != NULL)
        add_bytes(&m, SM_KEY_PREPROCESSOR, SM_GGUF_TEXT, t->chroma, t->chroma_size);
    if (c->checkpoint.vocabulary != NULL)
        add_bytes(&m, SM_KEY_VOCABULARY, SM_GGUF_U8, c->checkpoint.vocabulary,
                  c->checkpoint.vocabulary_size);
    return sm_gguf_write_head(c->file, c->tensors, c->count, m.items, m.count, c->places, end,
                              error);
}

static smitin_status write_all(converter *c, const char *path, smitin_error *error)
{
    size_t end;
    SM_TRY(write_head(c, path, &end, error));
    for (size_t i = 0; i < c->count; i++) SM_TRY(write_tensor(c, i, error));
    /* The filling behind the last tensor. */
    if (end > sm_outfile_size(c->file)) (void)sm_outfile_put(c->file, end - 1, "", 1);
    return sm_outfile_check(c->file, error);
}

/* ---- The call ---- */

static smitin_status check_line(const char *what, const char *text, smitin_error *error)
{
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x20 && *p != 0x7f && p - text < SM_LICENCE_SIZE - 1) continue;
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the %s must be one line of at most %d bytes; shorten it", what,
                       SM_LICENCE_SIZE - 1);
    }
    return SMITIN_OK;
}

static smitin_status convert(converter *c, const char *path, const char *output,
                             smitin_error *error)
{
    sm_tokenizer *tokenizer;
    SM_TRY(sm_checkpoint_open(&c->checkpoint, path, error));
    if (c->checkpoint.single && sm_format_packed(c->checkpoint.format))
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "the weights in %s are rounded to %s already; convert the original model",
                       path, sm_format_name(c->checkpoint.format));
    /* Nothing is written that could not be loaded. */
    SM_TRY(sm_engine_vocabulary(&tokenizer, &c->checkpoint, path, error));
    sm_tokenizer_free(tokenizer);
    c->arena = sm_arena_new();
    if (c->arena == NULL) return sm_fail_memory(error, "the list of tensors", 0);
    SM_TRY(sm_pool_new(&c->pool, c->options->threads, error));
    SM_TRY(make_plan(c, error));
    SM_TRY(sm_outfile_open(&c->file, output, error));
    SM_TRY(write_all(c, path, error));
    sm_outfile *file = c->file;
    c->file = NULL;
    return sm_outfile_commit(file, error);
}

smitin_status smitin_convert(const char *path, const char *output, smitin_format format,
                             const smitin_convert_options *options, smitin_error *error)
{
    if (path == NULL || path[0] == '\0' || output == NULL || output[0] == '\0')
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "smitin_convert needs the path of a model and of the file to write");
    if (format < SMITIN_FORMAT_F32 || format > SMITIN_FORMAT_Q4)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "a file is written in f32, f16, bf16, q8 or q4, not in format %d",
                       (int)format);
    const smitin_convert_options defaults = smitin_convert_defaults();
    converter c = {.format = sm_engine_format(format),
                   .options = options != NULL ? options : &defaults};
    if (c.options->threads < 0 || c.options->threads > 1024)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "%d threads make no sense; use 0 (all cores) to 1024", c.options->threads);
    SM_TRY(check_line("name", c.options->name, error));
    SM_TRY(check_line("licence", c.options->licence, error));
    const smitin_status status = convert(&c, path, output, error);
    sm_outfile_discard(c.file);
    sm_checkpoint_close(&c.checkpoint);
    sm_pool_free(c.pool);
    sm_arena_free(c.arena);
    free(c.bound), free(c.tensors), free(c.places);
    return sm_engine_refusal(status, SMITIN_ERROR_MODEL, error);
}
