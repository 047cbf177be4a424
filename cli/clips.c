/* SPDX-License-Identifier: MIT */
/* Owns finding clips with and without a trait, and listening to them. */
#include "clips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

clip_options clip_options_defaults(void)
{
    return (clip_options){.pairs = pairs_defaults()};
}

size_t clip_option_specs(clip_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--dataset", OPTION_CHOICE, &o->pairs.layout, 0, 0, pairs_layouts, "NAME",
         "what --stems holds: stems, musdb18hq, moisesdb, slakh [auto: look]"},
        {NULL, "--labels", OPTION_TEXT, &o->labels, 0, 0, NULL, "FILE",
         "a CSV table with the columns path, split, labels"},
        {NULL, "--audio", OPTION_TEXT, &o->audio, 0, 0, NULL, "DIR", "where its paths begin"},
        {NULL, "--trait", OPTION_TEXT, &o->trait, 0, 0, NULL, "NAME", "the label to learn"},
        {NULL, "--clip-seconds", OPTION_DOUBLE, &o->pairs.seconds, 0.1, 30, NULL, "S",
         "length of a clip [3]"},
    };
    const size_t count = options_add(specs, capacity, table, sizeof table / sizeof *table);
    return count + pairs_specs(&o->pairs, specs + count, capacity - count);
}

int clip_options_check(const clip_options *o)
{
    const pairs_options *p = &o->pairs;
    const bool folders = p->with != NULL && p->without != NULL;
    const bool stems = p->stems != NULL && p->target != NULL;
    const bool table = o->labels != NULL && o->audio != NULL && o->trait != NULL;
    const bool other = (!folders && (p->with != NULL || p->without != NULL)) ||
                       (!stems && (p->stems != NULL || p->target != NULL)) ||
                       (!table && (o->labels != NULL || o->audio != NULL || o->trait != NULL));
    if (folders + stems + table != 1 || other) {
        fprintf(stderr,
                "smitin: give one of --stems DIR --target NAME, --with DIR --without DIR, and "
                "--labels FILE --audio DIR --trait NAME\n");
        return EXIT_USAGE;
    }
    if (!stems && p->layout != 0) {
        fprintf(stderr, "smitin: --dataset says what --stems holds; give it with --stems DIR\n");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int clips_open(sm_dataset **dataset, const clip_options *o, const smitin_model_info *info,
               bool quiet)
{
    smitin_error error = {0};
    const sm_dataset_options options = pairs_dataset_options(&o->pairs, info);
    const smitin_status status =
        o->labels != NULL
            ? sm_dataset_open_labels(dataset, o->labels, o->audio, o->trait, &options, &error)
            : pairs_open(dataset, &o->pairs, info, &error);
    if (status != SMITIN_OK) return report_error(&error);
    for (size_t n = 0; sm_dataset_note(*dataset, n) != NULL; n++)
        fprintf(stderr, "smitin: %s\n", sm_dataset_note(*dataset, n));
    if (!quiet) fprintf(stderr, "%s\n", sm_dataset_summary(*dataset));
    return EXIT_DONE;
}

/* ---- Listening ---- */

typedef struct reading {
    sm_dataset *dataset;
    uint8_t *label, *test; /* [N]; the first `count` are known */
    size_t count;
} reading;

static int fill_clip(void *user, size_t clip, float *samples, bool *skip)
{
    reading *r = user;
    smitin_error error = {0};
    *skip = !sm_dataset_is_test(r->dataset, clip);
    if (*skip) return EXIT_DONE;
    if (sm_dataset_clip(r->dataset, clip, samples, &error) != SMITIN_OK)
        return report_error(&error);
    r->label[r->count] = sm_dataset_label(r->dataset, clip) ? 1 : 0;
    r->test[r->count++] = 1;
    return EXIT_DONE;
}

int clips_read_test(sm_probe_set *set, const smitin_engine *engine, sm_dataset *dataset, bool quiet)
{
    smitin_model_info info;
    smitin_engine_info(engine, &info);
    const size_t all = sm_dataset_count(dataset);
    size_t wanted = 0;
    for (size_t i = 0; i < all; i++) wanted += sm_dataset_is_test(dataset, i);
    reading r = {.dataset = dataset};
    const listener l = {.engine = engine,
                        .samples = sm_dataset_clip_samples(dataset),
                        .width = (size_t)info.layers * (size_t)info.hidden_size,
                        .columns = 1,
                        .fill = fill_clip,
                        .user = &r,
                        .total = quiet ? 0 : all};
    float *z = calloc(wanted * l.width + 1, sizeof *z);
    r.label = calloc(wanted + 1, 1);
    r.test = calloc(wanted + 1, 1);
    *set = (sm_probe_set){.z = z,
                          .label = r.label,
                          .test = r.test,
                          .L = info.layers,
                          .H = info.heads,
                          .D = info.head_size};
    if (z != NULL && r.label != NULL && r.test != NULL) return listen_to(&l, 0, all, z, &set->N);
    fprintf(stderr, "smitin: there is not enough memory for the head outputs; try fewer --pairs\n");
    return EXIT_FAILED;
}

void clips_free(sm_probe_set *set)
{
    free((void *)(uintptr_t)set->z);
    free((void *)(uintptr_t)set->label);
    free((void *)(uintptr_t)set->test);
    memset(set, 0, sizeof *set);
}
