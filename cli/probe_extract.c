/* SPDX-License-Identifier: MIT */
/* "smitin probe extract": labelled clips -> head outputs -> a store. */
#include "probe.h"

#include <stdio.h>
#include <string.h>

#include "extract.h"

enum { NOTES_SHOWN = 20 };

typedef struct extract_job {
    const probe_options *o;
    smitin_engine *engine;
    smitin_model_info info;
    char model_path[1024];
    sm_collection *collection;
} extract_job;

/* The first lines; all of them stand in the manifest. */
static void show_notes(const sm_collection *collection)
{
    size_t n = 0;
    for (; sm_collection_note(collection, n) != NULL; n++)
        if (n < NOTES_SHOWN) fprintf(stderr, "smitin: %s\n", sm_collection_note(collection, n));
    if (n > NOTES_SHOWN)
        fprintf(stderr, "smitin: and %zu more lines like these, in \"notes\" of manifest.json\n",
                n - NOTES_SHOWN);
}

static int open_data(extract_job *job)
{
    const probe_options *o = job->o;
    smitin_error error = {0};
    smitin_status status;
    if (o->pairs.target != NULL && strchr(o->pairs.target, ',') != NULL) {
        const sm_dataset_options options = pairs_dataset_options(&o->pairs, &job->info);
        status = sm_collection_open_mixes(&job->collection, pairs_layouts[o->pairs.layout],
                                          o->pairs.stems, o->pairs.target, &options, &error);
    } else if (o->data == NULL && o->audio == NULL) {
        sm_dataset *dataset = NULL;
        const char *trait = o->trait != NULL          ? o->trait
                            : o->pairs.target != NULL ? o->pairs.target
                                                      : "trait";
        status = pairs_open(&dataset, &o->pairs, &job->info, &error);
        if (status == SMITIN_OK)
            status = sm_collection_wrap(&job->collection, dataset, trait, &error);
    } else {
        const sm_collection_options options = {
            .dataset = o->audio != NULL ? "table" : probe_datasets[o->dataset],
            .root = o->audio != NULL ? o->audio : o->data,
            .table = o->labels,
            .task = o->task >= 0 ? (sm_task)o->task : SM_TASK_MULTILABEL,
            .columns = o->columns,
            .trait = o->trait,
            .top = o->top,
            .labelled_only = o->labelled_only,
            .seconds = o->pairs.seconds,
            .per_file = o->per_file,
            .sample_rate = job->info.sample_rate,
            .channels = job->info.channels,
            .test_share = o->pairs.test_share,
            .seed = (uint64_t)o->pairs.seed};
        status = sm_collection_open(&job->collection, &options, &error);
    }
    if (status != SMITIN_OK) return report_error(&error);
    show_notes(job->collection);
    if (!o->quiet) fprintf(stderr, "%s\n", sm_collection_summary(job->collection));
    return EXIT_DONE;
}

int probe_extract(const probe_options *o, const char *folder)
{
    extract_job job = {.o = o};
    int code = open_engine(&job.engine, &o->model, job.model_path, sizeof job.model_path);
    if (code == EXIT_DONE) {
        smitin_engine_info(job.engine, &job.info);
        code = extract_check(&job.info, o->pairs.seconds, "--seconds", o->columns_pooled);
    }
    if (code == EXIT_DONE) code = open_data(&job);
    extraction e = {.engine = job.engine,
                    .model = &o->model,
                    .model_path = job.model_path,
                    .collection = job.collection,
                    .folder = folder,
                    .seconds = o->pairs.seconds,
                    .seconds_option = "--seconds",
                    .columns = o->columns_pooled,
                    .shard = (size_t)o->shard,
                    .quiet = o->quiet};
    if (code == EXIT_DONE) code = extract_run(&e);
    if (code == EXIT_DONE && e.skipped > 0)
        fprintf(stderr, "smitin: %zu of %zu clips were skipped\n", e.skipped,
                sm_store_count(e.store));
    extract_close(&e);
    sm_collection_free(job.collection);
    smitin_engine_free(job.engine);
    return code;
}
