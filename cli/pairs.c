/* SPDX-License-Identifier: MIT */
#include "pairs.h"

#include <stdio.h>
#include <stdlib.h>

const char *const pairs_recipes[] = {"random", "paired", NULL};
const char *const pairs_layouts[] = {"auto", "stems", "musdb18hq", "moisesdb", "slakh", NULL};

enum { CLIPS_A_PASS = 16 };

pairs_options pairs_defaults(void)
{
    return (pairs_options){.pairs = 500, .seconds = 3.0, .test_share = 0.2, .seed = 1.0};
}

size_t pairs_specs(pairs_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {NULL, "--stems", OPTION_TEXT, &o->stems, 0, 0, NULL, "DIR",
         "a folder of tracks, each a folder of stems, or a data set as it was unpacked"},
        {NULL, "--target", OPTION_TEXT, &o->target, 0, 0, NULL, "NAME",
         "the stem to learn: drums for drums.wav; in data sets several joined by +"},
        {NULL, "--with", OPTION_TEXT, &o->with, 0, 0, NULL, "DIR", "audio with the trait"},
        {NULL, "--without", OPTION_TEXT, &o->without, 0, 0, NULL, "DIR", "audio without it"},
        {NULL, "--recipe", OPTION_CHOICE, &o->recipe, 0, 0, pairs_recipes, "NAME",
         "random: any mixture plus a target stem from anywhere; paired: a mixture against itself "
         "less the stem [random]"},
        {NULL, "--pairs", OPTION_INT, &o->pairs, 4, 1e6, NULL, "N",
         "clips with the trait, and as many without [500]"},
        {NULL, "--test-share", OPTION_DOUBLE, &o->test_share, 0.05, 0.9, NULL, "X",
         "of the tracks, held out [0.2]"},
        {"-s", "--seed", OPTION_DOUBLE, &o->seed, 0, 9007199254740992.0, NULL, "N",
         "of the choice of clips [1]"},
    };
    return options_add(specs, capacity, table, sizeof table / sizeof *table);
}

sm_dataset_options pairs_dataset_options(const pairs_options *o, const smitin_model_info *info)
{
    return (sm_dataset_options){.recipe = (sm_recipe)o->recipe,
                                .seconds = o->seconds,
                                .sample_rate = info->sample_rate,
                                .channels = info->channels,
                                .pairs = o->pairs,
                                .test_share = o->test_share,
                                .seed = (uint64_t)o->seed};
}

smitin_status pairs_open(sm_dataset **dataset, const pairs_options *o,
                         const smitin_model_info *info, smitin_error *error)
{
    const sm_dataset_options options = pairs_dataset_options(o, info);
    if (o->stems == NULL)
        return sm_dataset_open_folders(dataset, o->with, o->without, &options, error);
    if (o->layout == PAIRS_LAYOUT_STEMS)
        return sm_dataset_open_stems(dataset, o->stems, o->target, &options, error);
    return sm_dataset_open_layout(dataset, pairs_layouts[o->layout], o->stems, o->target, &options,
                                  error);
}

int listen_to(const listener *l, size_t first, size_t count, float *z, size_t *heard)
{
    smitin_error error = {0};
    float *clips = calloc(CLIPS_A_PASS * l->samples, sizeof *clips);
    int code = EXIT_DONE;
    *heard = 0;
    if (clips == NULL) {
        fprintf(stderr, "smitin: there is not enough memory for %d clips\n", CLIPS_A_PASS);
        return EXIT_FAILED;
    }
    for (size_t at = first; at < first + count && code == EXIT_DONE;) {
        size_t n = 0;
        for (; at < first + count && n < CLIPS_A_PASS && code == EXIT_DONE; at++) {
            bool skip = false;
            code = l->fill(l->user, at, clips + n * l->samples, &skip);
            if (code == EXIT_DONE && !skip) n++;
        }
        if (code == EXIT_DONE && n > 0 &&
            smitin_engine_mean_heads(l->engine, clips, n, l->samples, l->columns,
                                     z + *heard * l->width, &error) != SMITIN_OK)
            code = report_error(&error);
        *heard += n;
        if (code == EXIT_DONE && l->total > 0)
            progress_bar("listening", (double)at, (double)l->total);
    }
    free(clips);
    return code;
}
