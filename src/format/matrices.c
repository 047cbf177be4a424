/* SPDX-License-Identifier: MIT */
/* Owns the binding of matrices: tensors looked up, stacked, and converted to the binder's format by
 * all threads, a few rows at a time, so that no copy in another format ever stands whole. */
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/linear.h"
#include "weights.h"

enum { MOST_PARTS = 16 };

/* One matrix on its way: `parts` tensors [part_rows, M] above each other. */
typedef struct stack {
    const char *name; /* of the first */
    char *names[MOST_PARTS];
    const sm_tensor *parts[MOST_PARTS];
    bool random; /* there are none: numbers of `seed` */
    uint64_t seed;
    int count, part_rows;
    bool in_blocks; /* the parts are in GGUF's blocks of the format */
    sm_format format;
    int N, M;
    void *values;
    uint16_t *scales;
    float *rows; /* [threads, SM_TILE, M] */
    atomic_bool failed;
} stack;

static sm_format own_format(const sm_tensor *tensor)
{
    return tensor->dtype == SM_F16    ? SM_FORMAT_F16
           : tensor->dtype == SM_BF16 ? SM_FORMAT_BF16
                                      : SM_FORMAT_F32;
}

/* The file's own format, f32 where the parts differ. */
static sm_format file_format(const stack *s)
{
    if (s->random) return SM_FORMAT_F32;
    const sm_format format = own_format(s->parts[0]);
    for (int i = 1; i < s->count; i++) {
        if (own_format(s->parts[i]) != format) return SM_FORMAT_F32;
    }
    return format;
}

/* Rows n0..n1-1 of the stack as f32: out [n1 - n0, M]. */
static void read_rows(const stack *s, float *out, int n0, int n1)
{
    const size_t M = (size_t)s->M;
    if (s->random) {
        sm_random_weights(out, s->seed, (size_t)n0 * M, (size_t)(n1 - n0) * M,
                          1.0 / sqrt((double)s->M));
        return;
    }
    for (int n = n0; n < n1; n++, out += M) /* in range, and of a type that was checked */
        (void)sm_tensor_to_f32(s->parts[n / s->part_rows], (size_t)(n % s->part_rows) * M, M, out,
                               NULL);
}

static int tile_end(const stack *s, int tile)
{
    return (tile + 1) * SM_TILE < s->N ? (tile + 1) * SM_TILE : s->N;
}

/* A tile of parts that are in blocks already: the numbers stay. */
static bool repack_tile(const stack *s, int tile)
{
    const size_t bytes = sm_row_bytes(s->format, s->M);
    bool good = true;
    for (int n = tile * SM_TILE; n < (tile + 1) * SM_TILE; n++) {
        const uint8_t *row = NULL; /* behind the last output */
        if (n < s->N)
            row = (const uint8_t *)s->parts[n / s->part_rows]->data +
                  (size_t)(n % s->part_rows) * bytes;
        good = sm_packed_put_row(s->values, s->scales, s->format, s->M, n, row) && good;
    }
    return good;
}

static smitin_status convert_tile(const stack *s, int tile, float *rows, smitin_error *error)
{
    const int n0 = tile * SM_TILE, n1 = tile_end(s, tile);
    read_rows(s, rows, n0, n1);
    return sm_matrix_store(s->values, s->scales, s->format, rows, s->M, n0, n1, error);
}

static void convert_task(void *context, int worker, int first, int last)
{
    stack *s = context;
    float *rows = s->rows + (size_t)worker * SM_TILE * (size_t)s->M;
    for (int tile = first; tile < last; tile++) {
        const bool good =
            s->in_blocks ? repack_tile(s, tile) : convert_tile(s, tile, rows, NULL) == SMITIN_OK;
        if (!good) atomic_store(&s->failed, true);
    }
}

/* After a failure: name the first weight that will not do. */
static void note_bad_weight(sm_binder *binder, const stack *s, float *rows)
{
    if (s->in_blocks) {
        sm_binder_miss(binder, "%s has a scale that is not finite", s->name);
        return;
    }
    for (int tile = 0; tile * SM_TILE < s->N; tile++) {
        if (convert_tile(s, tile, rows, NULL) == SMITIN_OK) continue;
        const size_t M = (size_t)s->M;
        const int n0 = tile * SM_TILE;
        int worst = n0; /* the row with the largest weight */
        float most = -1.0f;
        for (int n = n0; n < tile_end(s, tile); n++) {
            const float *row = rows + (size_t)(n - n0) * M;
            for (size_t m = 0; m < M; m++) {
                if (!isfinite(row[m])) {
                    sm_binder_miss(binder, "%s is not finite at element %zu",
                                   s->parts[n / s->part_rows]->name,
                                   (size_t)(n % s->part_rows) * M + m);
                    return;
                }
                if (fabsf(row[m]) <= most) continue;
                most = fabsf(row[m]);
                worst = n;
            }
        }
        sm_binder_miss(binder, "%s has a weight of size %g, too large for %s: load it in f32",
                       s->parts[worst / s->part_rows]->name, (double)most,
                       sm_format_name(s->format));
        return;
    }
}

/* Cut `names` into words, in place. */
static void cut_names(const sm_binder *binder, stack *s, char *names)
{
    char *rest = NULL;
    for (char *next = strtok_r(names, " ", &rest); next != NULL && s->count < MOST_PARTS;
         next = strtok_r(NULL, " ", &rest))
        s->names[s->count++] = next;
    s->name = names;
    s->part_rows = s->count > 0 ? s->N / s->count : 0;
    s->random = binder->random;
    s->seed = sm_random_seed(names);
}

/* Find the tensors of those names. `blocks`: the format that they may have in blocks. */
static bool find_parts(sm_binder *binder, stack *s, sm_format blocks)
{
    if (s->random) return true;
    const int64_t shape[2] = {s->part_rows, s->M};
    int found = 0, in_blocks = 0;
    for (int i = 0; i < s->count; i++) {
        s->parts[i] = sm_binder_blocks(binder, blocks, 2, shape, s->names[i]);
        found += s->parts[i] != NULL;
        in_blocks += s->parts[i] != NULL && sm_dtype_size(s->parts[i]->dtype) == 0;
    }
    s->in_blocks = in_blocks > 0;
    if (found < s->count || found == 0) return false;
    if (in_blocks == 0 || in_blocks == s->count) return true;
    sm_binder_miss(binder, "%s and its neighbours are in blocks in part only", s->name);
    return false;
}

static bool take_memory(sm_binder *binder, stack *s)
{
    sm_packed_size size;
    const size_t threads = binder->pool != NULL ? (size_t)sm_pool_threads(binder->pool) : 1;
    if (sm_matrix_size(&size, s->format, s->N, s->M, NULL) == SMITIN_OK) {
        s->values = sm_arena_take(binder->arena, size.codes, 1);
        s->scales = SM_TAKE(binder->arena, size.scales, uint16_t);
        s->rows = malloc(threads * SM_TILE * (size_t)s->M * sizeof *s->rows);
        if (s->values != NULL && s->scales != NULL && s->rows != NULL) return true;
    }
    binder->out_of_memory = true;
    sm_binder_miss(binder, "%s needs a matrix of %d by %d, for which memory is short", s->name,
                   s->N, s->M);
    return false;
}

/* A table is a small part of what a model takes and is read by the row: nothing below 8 bits. */
static sm_format table_format(const stack *s, bool as_file)
{
    const sm_format own = file_format(s);
    if (as_file || s->format == SM_FORMAT_F32) return s->format;
    if (sm_format_packed(s->format)) return SM_FORMAT_Q8;
    return own != SM_FORMAT_F32 ? own : SM_FORMAT_F16;
}

/* Tell the lister of every part. */
static void list_parts(const sm_binder *binder, const stack *s)
{
    for (int i = 0; i < s->count; i++) {
        const sm_bound bound = {.name = s->names[i],
                                .dims = 2,
                                .shape = {s->part_rows, s->M},
                                .format = s->format,
                                .tensor = s->parts[i]};
        binder->list(binder->lister, &bound);
    }
}

static bool convert(sm_binder *binder, stack *s)
{
    bool good = take_memory(binder, s);
    if (good) {
        const int tiles = (s->N + SM_TILE - 1) / SM_TILE;
        sm_pool_run(binder->pool, convert_task, s, tiles, sm_grain(4.0 * SM_TILE * s->M));
        if (atomic_load(&s->failed)) note_bad_weight(binder, s, s->rows);
        good = !atomic_load(&s->failed);
    }
    free(s->rows);
    return good;
}

static bool bind_stack(sm_binder *binder, sm_matrix *out, int N, int M, char *names, bool table)
{
    stack s = {.N = N, .M = M};
    memset(out, 0, sizeof *out);
    cut_names(binder, &s, names);
    sm_format blocks = binder->as_file ? SM_FORMAT_F32 : binder->format;
    if (table && sm_format_packed(blocks)) blocks = SM_FORMAT_Q8;
    if (!find_parts(binder, &s, blocks)) return false;
    s.format = binder->as_file ? file_format(&s) : binder->format;
    if (table) s.format = table_format(&s, binder->as_file);
    if (binder->list != NULL && !s.random) list_parts(binder, &s);
    if (binder->list == NULL && !convert(binder, &s)) return false;
    for (int i = 0; i < s.count && !s.random; i++) {
        if (binder->watch != NULL) binder->watch(binder->watcher, s.parts[i]);
    }
    binder->parameters += (uint64_t)N * (uint64_t)M;
    if (binder->list == NULL)
        *out = (sm_matrix){s.format, N, M, s.values, sm_format_packed(s.format) ? s.scales : NULL};
    return true;
}

bool sm_bind_matrix(sm_binder *binder, sm_matrix *out, int N, int M, const char *names_format, ...)
{
    char names[SM_NAMES_SIZE];
    va_list args;
    va_start(args, names_format);
    vsnprintf(names, sizeof names, names_format, args);
    va_end(args);
    return bind_stack(binder, out, N, M, names, false);
}

bool sm_bind_table(sm_binder *binder, sm_matrix *out, int N, int M, const char *name_format, ...)
{
    char names[SM_NAMES_SIZE];
    va_list args;
    va_start(args, name_format);
    vsnprintf(names, sizeof names, name_format, args);
    va_end(args);
    return bind_stack(binder, out, N, M, names, true);
}
