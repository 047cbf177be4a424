/* SPDX-License-Identifier: MIT */
/* Every constructor of the room with every one of its allocations failing. */
#include "failing.h"

#include <sys/stat.h>

#include "../../src/format/checkpoint.h"
#include "../../src/format/knob_file.h"
#include "../../src/format/npy.h"
#include "../../src/format/weights.h"

typedef struct work {
    char path[256];
    sm_safetensors *file;
    sm_source *source;
    const char *folder;
    size_t tensors; /* in the folder */
    const char *config;
    size_t config_size;
    sm_knob_data *knob, *sample;
    sm_npy array;
    sm_checkpoint checkpoint;
    sm_arena *arena;
} work;

static const float values[4] = {1, 2, 3, 4};

static smitin_status write_tensors(void *context, smitin_error *error)
{
    work *w = context;
    const sm_tensor_out tensors[] = {{"a", SM_F32, 2, {2, 2}, values},
                                     {"b", SM_F32, 1, {3}, values}};
    const sm_meta_out meta[] = {{"key", "value"}};
    return sm_safetensors_write(w->path, tensors, 2, meta, 1, error);
}

static smitin_status open_tensors(void *context, smitin_error *error)
{
    work *w = context;
    smitin_status status = sm_safetensors_open(&w->file, w->path, error);
    if (status != SMITIN_OK) assert_null(w->file);
    return status;
}

static void close_tensors(void *context)
{
    sm_safetensors_close(((work *)context)->file);
}

static smitin_status bind_tensors(void *context, smitin_error *error)
{
    work *w = context;
    const int64_t shape[] = {2, 2};
    sm_arena *arena = sm_arena_new();
    if (arena == NULL) return sm_fail_memory(error, "an arena", 1);
    sm_binder binder;
    sm_binder_init(&binder, w->file, arena);
    sm_matrix matrix;
    binder.format = SM_FORMAT_Q8;
    sm_bind(&binder, 2, shape, "a");
    sm_bind_matrix(&binder, &matrix, 2, 2, "a");
    smitin_status status = sm_binder_finish(&binder, "the part", error);
    sm_arena_free(arena);
    return status;
}

static smitin_status open_source(void *context, smitin_error *error)
{
    work *w = context;
    smitin_status status = sm_source_open(&w->source, w->folder, error);
    if (status != SMITIN_OK) {
        assert_null(w->source);
    } else {
        assert_int_equal(sm_source_count(w->source), w->tensors);
    }
    return status;
}

static void close_source(void *context)
{
    sm_source_close(((work *)context)->source);
}

static smitin_status write_knob(void *context, smitin_error *error)
{
    work *w = context;
    return sm_knob_data_write(w->sample, w->path, error);
}

static smitin_status read_knob(void *context, smitin_error *error)
{
    work *w = context;
    smitin_status status = sm_knob_data_read(&w->knob, w->path, error);
    if (status != SMITIN_OK) assert_null(w->knob);
    return status;
}

static void free_knob(void *context)
{
    sm_knob_data_free(((work *)context)->knob);
}

static smitin_status write_array(void *context, smitin_error *error)
{
    const int64_t shape[] = {4};
    return sm_npy_write(((work *)context)->path, SM_F32, 1, shape, values, error);
}

static smitin_status read_array(void *context, smitin_error *error)
{
    work *w = context;
    smitin_status status = sm_npy_read(&w->array, w->path, error);
    if (status != SMITIN_OK) assert_null(w->array.data);
    return status;
}

static void free_array(void *context)
{
    sm_npy_free(&((work *)context)->array);
}

/* A GGUF file of one tensor, in the form of a model. */
static smitin_status write_single(void *context, smitin_error *error)
{
    work *w = context;
    static const char fingerprint[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const sm_gguf_meta_out meta[] = {
        {.key = SM_KEY_ARCHITECTURE, .kind = SM_GGUF_TEXT, .data = "musicgen", .size = 8},
        {.key = SM_KEY_VERSION, .kind = SM_GGUF_U32, .number = SM_GGUF_FORM},
        {.key = SM_KEY_FORMAT, .kind = SM_GGUF_TEXT, .data = "q8", .size = 2},
        {.key = SM_KEY_FINGERPRINT, .kind = SM_GGUF_TEXT, .data = fingerprint, .size = 64},
        {.key = SM_KEY_CONFIG, .kind = SM_GGUF_TEXT, .data = w->config, .size = w->config_size}};
    const sm_tensor_out tensor = {"lm.t", SM_F32, 1, {8}, NULL};
    size_t place, end;
    sm_outfile *out;
    SM_TRY(sm_outfile_open(&out, w->path, error));
    const smitin_status status = sm_gguf_write_head(out, &tensor, 1, meta, 5, &place, &end, error);
    if (status != SMITIN_OK) {
        sm_outfile_discard(out);
        return status;
    }
    sm_outfile_put(out, end - 1, "", 1);
    return sm_outfile_commit(out, error);
}

static smitin_status open_checkpoint(void *context, smitin_error *error)
{
    work *w = context;
    return sm_checkpoint_open(&w->checkpoint, w->folder, error);
}

static void close_checkpoint(void *context)
{
    sm_checkpoint_close(&((work *)context)->checkpoint);
}

static void nothing(void *context)
{
    (void)context;
}

static void tensors(void **state)
{
    (void)state;
    work w = {0};
    int before = scratch_count();
    scratch_path(w.path, "a.st");
    fail_each(write_tensors, nothing, &w, 10);
    assert_int_equal(scratch_count(), before + 1); /* the last, successful one */
    fail_each(open_tensors, close_tensors, &w, 10);
    smitin_error error;
    ASSERT_OK(sm_safetensors_open(&w.file, w.path, &error));
    fail_each(bind_tensors, nothing, &w, 3);
    sm_safetensors_close(w.file);
}

static void fail_source(const char *folder, int least)
{
    smitin_error error;
    work w = {.folder = folder};
    ASSERT_OK(sm_source_open(&w.source, folder, &error));
    w.tensors = sm_source_count(w.source);
    sm_source_close(w.source);
    fail_each(open_source, close_source, &w, least);
}

static void sources(void **state)
{
    (void)state;
    fail_source(GOLDEN "/tiny", 8);
    fail_source(GOLDEN "/containers/few", 12);
    fail_source(GOLDEN "/containers/shards", 20);
}

/* audiocraft's files with their neighbours: renamed tensors, a file each for the parts. */
static void neighbours(void **state)
{
    (void)state;
    char paths[6][256];
    scratch_path(paths[0], "ac");
    scratch_path(paths[1], "ac/t5-base");
    assert_int_equal(mkdir(paths[0], 0700) | mkdir(paths[1], 0700), 0);
    static const char *const links[][2] = {
        {"ac/state_dict.bin", GOLDEN "/containers/audiocraft/state_dict.bin"},
        {"ac/compression_state_dict.bin",
         GOLDEN "/containers/audiocraft/compression_state_dict.bin"},
        {"ac/t5-base/model.safetensors", GOLDEN "/tiny/model.safetensors"}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(symlink(links[i][1], scratch_path(paths[2 + i], links[i][0])), 0);
    }
    fail_source(paths[0], 30);
    for (int i = 4; i >= 0; i--) assert_int_equal(remove(paths[i]), 0);
}

static void knobs(void **state)
{
    (void)state;
    work w = {0};
    smitin_error error;
    scratch_path(w.path, "k.st");
    ASSERT_OK(sm_knob_data_new(&w.sample, 1, 1, 1, &error));
    w.sample->direction[0] = w.sample->mean_shift[0] = 1;
    sm_knob_meta *meta = &w.sample->meta;
    snprintf(meta->trait, sizeof(meta->trait), "drums");
    snprintf(meta->site, sizeof(meta->site), "self_attn.z");
    memset(meta->fingerprint, '0', 64);
    fail_each(write_knob, nothing, &w, 20);
    fail_each(read_knob, free_knob, &w, 20);
    sm_knob_data_free(w.sample);
}

static void checkpoints(void **state)
{
    (void)state;
    smitin_error error;
    work w = {.folder = GOLDEN "/tiny"};
    sm_config_files files;
    ASSERT_OK(sm_config_open(&files, GOLDEN "/tiny", &error));
    w.config = files.texts.model;
    w.config_size = files.texts.model_size;
    scratch_path(w.path, "a.gguf");
    const int before = scratch_count();
    fail_each(write_single, nothing, &w, 3);
    assert_int_equal(scratch_count(), before + 1);
    fail_each(open_checkpoint, close_checkpoint, &w, 20);
    w.folder = w.path;
    fail_each(open_checkpoint, close_checkpoint, &w, 20);
    sm_config_close(&files);
}

static void arrays(void **state)
{
    (void)state;
    work w = {0};
    scratch_path(w.path, "a.npy");
    fail_each(write_array, nothing, &w, 1);
    fail_each(read_array, free_array, &w, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors), cmocka_unit_test(sources), cmocka_unit_test(neighbours),
        cmocka_unit_test(knobs),   cmocka_unit_test(arrays),  cmocka_unit_test(checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove);
}
