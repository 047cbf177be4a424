/* SPDX-License-Identifier: MIT */
/* "smitin eval distance" and "smitin eval embed". */
#include "eval.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/eval/distance.h"

typedef struct distance_options {
    encoder_options encoder;
    const char *cache, *output;
    double skip, seed;
    int infinity_from, kad_rows;
    bool json;
} distance_options;

typedef struct distance_job {
    distance_options options;
    encoders encoders;
    sm_embeddings a, b; /* judged, reference */
    small_sets small;
    double frechet;
    sm_infinity infinity;
    smitin_error no_infinity; /* message: why there is none */
    sm_kad kad;
    smitin_error no_kad;
} distance_job;

int eval_encode(sm_embeddings *set, const encoders *e, const char *path, double skip)
{
    smitin_error error = {0};
    float *rows = NULL;
    size_t n = 0;
    smitin_status status = sm_encode_file(&e->encoder, path, skip, &rows, &n, &error);
    if (status == SMITIN_OK)
        status = sm_embeddings_add(set, rows, n, e->encoder.d, path, &error);
    else if (status != SMITIN_ERROR_MEMORY)
        fprintf(stderr, "smitin: skipped: %s\n", error.message);
    free(rows);
    return status == SMITIN_ERROR_MEMORY ? report_error(&error) : EXIT_DONE;
}

int eval_encode_files(sm_embeddings *set, const encoders *e, const text_list *paths, double skip)
{
    sm_library library;
    int code = eval_files(&library, paths);
    for (size_t i = 0; i < library.count && code == EXIT_DONE; i++) {
        code = eval_encode(set, e, eval_file(&library, i), skip);
        progress_bar("encoding", (double)(i + 1), (double)library.count);
    }
    if (code == EXIT_DONE && set->N == 0) {
        fprintf(stderr, "smitin: no file in %s could be encoded\n", paths->items[0]);
        code = EXIT_FAILED;
    }
    sm_library_free(&library);
    return code;
}

void eval_settle(sm_embeddings *set, const char *name, small_sets *small)
{
    sm_embeddings_settle(set);
    if (set->N > (size_t)set->d) return;
    if (small->count++ > 0) return;
    small->name = name;
    small->N = set->N;
    small->d = set->d;
}

void eval_tell_small(const small_sets *small)
{
    char others[48] = "";
    if (small->count == 0) return;
    if (small->count > 1)
        snprintf(others, sizeof others, " (and %d more set%s as few)", small->count - 1,
                 small->count > 2 ? "s" : "");
    fprintf(stderr,
            "smitin: '%s' has %zu embeddings of %d dimensions%s, too few for a covariance of full "
            "rank; Frechet distances are too large by an unknown amount\n",
            small->name, small->N, small->d, others);
}

static int read_set(distance_job *job, sm_embeddings *set, const char *path)
{
    const distance_options *o = &job->options;
    smitin_error error = {0};
    if (o->encoder.embed != EMBED_NONE) {
        text_list one = {.items = &path, .count = 1};
        const int code = eval_encode_files(set, &job->encoders, &one, o->skip);
        if (code != EXIT_DONE) return code;
    } else if (sm_embeddings_read(set, path, o->cache, &error) != SMITIN_OK) {
        return report_error(&error);
    }
    eval_settle(set, path, &job->small);
    return EXIT_DONE;
}

static int measure(distance_job *job)
{
    const distance_options *o = &job->options;
    const sm_embeddings *a = &job->a, *b = &job->b;
    smitin_error error = {0};
    sm_pool *pool = NULL;
    if (a->d != b->d) {
        fprintf(stderr,
                "smitin: the sets have %d and %d dimensions; take the same encoder for both\n",
                a->d, b->d);
        return EXIT_USAGE;
    }
    if (sm_frechet(a->rows, a->N, b->rows, b->N, a->d, &job->frechet, &error) != SMITIN_OK ||
        sm_pool_new(&pool, o->encoder.model.threads, &error) != SMITIN_OK)
        return report_error(&error);
    /* These two need more than the distance itself; what they lack is told beside it. */
    smitin_status status =
        sm_frechet_infinity(&job->infinity, a->rows, a->N, b->rows, b->N, a->d,
                            (size_t)o->infinity_from, (uint64_t)o->seed, &job->no_infinity);
    if (status == SMITIN_OK || status == SMITIN_ERROR_ARGUMENT)
        status = sm_kad_distance(&job->kad, a->rows, a->N, b->rows, b->N, a->d, (size_t)o->kad_rows,
                                 (uint64_t)o->seed, pool, &job->no_kad);
    else
        error = job->no_infinity;
    sm_pool_free(pool);
    if (status == SMITIN_OK || status == SMITIN_ERROR_ARGUMENT) return EXIT_DONE;
    return report_error(error.status != SMITIN_OK ? &error : &job->no_kad);
}

static bool has_infinity(const distance_job *job)
{
    return job->no_infinity.status == SMITIN_OK;
}

static bool has_kad(const distance_job *job)
{
    return job->no_kad.status == SMITIN_OK;
}

static const char *embedding_name(const distance_job *job)
{
    if (job->encoders.encoder.name != NULL) return job->encoders.encoder.name;
    return job->options.cache != NULL ? job->options.cache : "from .npy files";
}

static void print_text(const distance_job *job, const char *const *paths)
{
    const distance_options *o = &job->options;
    const sm_embeddings *sets[2] = {&job->a, &job->b};
    printf("embedding      %s, %d dimensions\n", embedding_name(job), job->a.d);
    for (int i = 0; i < 2; i++) {
        printf("%s   %s: %zu embeddings of %zu files", i == 0 ? "judged      " : "reference   ",
               paths[i], sets[i]->N, sets[i]->files);
        if (o->skip > 0.0) printf(", the first %g s left out", o->skip);
        puts("");
    }
    printf("frechet        %.6g\n", job->frechet);
    if (has_infinity(job))
        printf("FAD-infinity   %.6g (slope %.4g, r2 %.3f, %d sizes from %zu to %zu, seed %.0f)\n",
               job->infinity.value, job->infinity.slope, job->infinity.r2, SM_INFINITY_SIZES,
               job->infinity.smallest, job->a.N, o->seed);
    else
        printf("FAD-infinity   none: %s\n", job->no_infinity.message);
    if (has_kad(job))
        printf("KAD            %.6g (bandwidth %.5g, %zu and %zu embeddings, seed %.0f)\n",
               job->kad.value, job->kad.bandwidth, job->kad.used_a, job->kad.used_b, o->seed);
    else
        printf("KAD            none: %s\n", job->no_kad.message);
}

static json_t *set_json(const char *path, const sm_embeddings *set)
{
    json_t *o = json_object();
    json_object_set_new(o, "path", json_string(path));
    json_object_set_new(o, "embeddings", json_integer((json_int_t)set->N));
    json_object_set_new(o, "files", json_integer((json_int_t)set->files));
    return o;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void print_json(const distance_job *job, const char *const *paths)
{
    const distance_options *o = &job->options;
    json_t *root = json_object(), *infinity = json_null(), *kad = json_null();
    json_object_set_new(root, "embedding", json_string(embedding_name(job)));
    json_object_set_new(root, "dimensions", json_integer(job->a.d));
    json_object_set_new(root, "judged", set_json(paths[0], &job->a));
    json_object_set_new(root, "reference", set_json(paths[1], &job->b));
    json_object_set_new(root, "skip", json_real(o->skip));
    json_object_set_new(root, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(root, "frechet", number(job->frechet));
    if (has_infinity(job)) {
        infinity = json_object();
        json_object_set_new(infinity, "value", number(job->infinity.value));
        json_object_set_new(infinity, "slope", number(job->infinity.slope));
        json_object_set_new(infinity, "r2", number(job->infinity.r2));
        json_object_set_new(infinity, "smallest", json_integer((json_int_t)job->infinity.smallest));
    }
    if (has_kad(job)) {
        kad = json_object();
        json_object_set_new(kad, "value", number(job->kad.value));
        json_object_set_new(kad, "bandwidth", number(job->kad.bandwidth));
        json_object_set_new(kad, "judged_rows", json_integer((json_int_t)job->kad.used_a));
        json_object_set_new(kad, "reference_rows", json_integer((json_int_t)job->kad.used_b));
    }
    json_object_set_new(root, "fad_infinity", infinity);
    json_object_set_new(root, "kad", kad);
    json_dumpf(root, stdout, JSON_INDENT(2));
    puts("");
    json_decref(root);
}

static int run_distance(distance_job *job, const text_list *paths)
{
    const distance_options *o = &job->options;
    if (paths->count != 2) {
        fprintf(stderr, "smitin: give two sets: what is judged, and the reference\n");
        return EXIT_USAGE;
    }
    if (o->encoder.embed == EMBED_NONE && o->skip > 0.0) {
        fprintf(stderr, "smitin: --skip cuts audio; embeddings that were stored are taken whole\n");
        return EXIT_USAGE;
    }
    if (o->encoder.embed != EMBED_NONE && o->cache != NULL) {
        fprintf(stderr, "smitin: --embed makes embeddings, --cache reads stored ones; give one\n");
        return EXIT_USAGE;
    }
    int code = encoders_open(&job->encoders, &o->encoder, false);
    if (code == EXIT_DONE) code = read_set(job, &job->a, paths->items[0]);
    if (code == EXIT_DONE) code = read_set(job, &job->b, paths->items[1]);
    if (code != EXIT_DONE) return code;
    eval_tell_small(&job->small);
    code = measure(job);
    if (code != EXIT_DONE) return code;
    if (o->json)
        print_json(job, paths->items);
    else
        print_text(job, paths->items);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

int command_eval_distance(int argc, char **argv)
{
    distance_job job;
    memset(&job, 0, sizeof job);
    distance_options *o = &job.options;
    *o = (distance_options){
        .encoder = encoder_options_defaults(EMBED_NONE), .seed = 1.0, .kad_rows = 5000};
    text_list paths = {0};
    bool help = false;
    option_spec specs[24] = {
        {NULL, "--cache", OPTION_TEXT, &o->cache, 0, 0, NULL, "NAME",
         "stored embeddings of this encoder: FOLDER/embeddings/NAME/*.npy"},
        {NULL, "--skip", OPTION_DOUBLE, &o->skip, 0, 3600, NULL, "S",
         "with --embed: leave out the first S seconds, a prompt [0]"},
        {"-s", "--seed", OPTION_DOUBLE, &o->seed, 0, 9007199254740992.0, NULL, "N",
         "of the draws [1]"},
        {NULL, "--infinity-from", OPTION_INT, &o->infinity_from, 0, 1e9, NULL, "N",
         "smallest size of FAD-infinity [500, or half of a set below 1000]"},
        {NULL, "--kad-rows", OPTION_INT, &o->kad_rows, 2, 40000, NULL, "N",
         "most embeddings of a set in KAD; of more, N are drawn [5000]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL, "print JSON"},
    };
    const size_t count = 6 + encoder_option_specs(&o->encoder, specs + 6, 18);
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval distance [OPTIONS] JUDGED REFERENCE\n\n"
               "Frechet distance between two sets of embeddings, what it would be for endless many "
               "(FAD-infinity), and the\nkernel distance KAD. A set is an .npy file [N, d], a "
               "folder of them, a folder of audio with fadtk's cache, or\nwith --embed a folder of "
               "audio.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE) {
        code = run_distance(&job, &paths);
    }
    encoders_close(&job.encoders);
    sm_embeddings_free(&job.a);
    sm_embeddings_free(&job.b);
    text_list_free(&paths);
    return code;
}

/* ---- embed ---- */

static int run_embed(const encoder_options *o, const text_list *paths, double skip)
{
    encoders e;
    sm_library library = {0};
    size_t skipped = 0;
    int code = encoders_open(&e, o, false);
    if (code == EXIT_DONE) code = eval_files(&library, paths);
    for (size_t i = 0; i < library.count && code == EXIT_DONE; i++) {
        smitin_error error = {0};
        char where[2048];
        float *rows = NULL;
        size_t n = 0;
        smitin_status status =
            sm_encode_file(&e.encoder, eval_file(&library, i), skip, &rows, &n, &error);
        if (status == SMITIN_OK) {
            if (sm_embeddings_write(eval_file(&library, i), e.encoder.name, rows, n, e.encoder.d,
                                    where, sizeof where, &error) == SMITIN_OK)
                printf("%s\n", where);
            else
                code = report_error(&error);
        } else if (status == SMITIN_ERROR_MEMORY) {
            code = report_error(&error);
        } else {
            fprintf(stderr, "smitin: skipped: %s\n", error.message);
            skipped++;
        }
        free(rows);
        progress_bar("encoding", (double)(i + 1), (double)library.count);
    }
    if (code == EXIT_DONE && skipped == library.count) code = EXIT_FAILED;
    sm_library_free(&library);
    encoders_close(&e);
    return code;
}

int command_eval_embed(int argc, char **argv)
{
    encoder_options o = encoder_options_defaults(EMBED_RECOGNISER);
    double skip = 0.0;
    text_list paths = {0};
    bool help = false;
    option_spec specs[16] = {
        {NULL, "--skip", OPTION_DOUBLE, &skip, 0, 3600, NULL, "S",
         "leave out the first S seconds, a prompt [0]"},
    };
    const size_t count = 1 + encoder_option_specs(&o, specs + 1, 15);
    int code = options_parse(specs, count, argc, argv, &paths, &help);
    if (help) {
        printf("smitin eval embed [OPTIONS] FILE-OR-FOLDER...\n\n"
               "Write the embeddings of audio files where fadtk keeps its own: "
               "FOLDER/embeddings/ENCODER/NAME.npy, [N, d] f32.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE && o.embed == EMBED_NONE) {
        fprintf(stderr, "smitin: choose an encoder: --embed recogniser or --embed codec\n");
        code = EXIT_USAGE;
    } else if (code == EXIT_DONE) {
        code = run_embed(&o, &paths, skip);
    }
    text_list_free(&paths);
    return code;
}
