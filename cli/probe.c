/* SPDX-License-Identifier: MIT */
/* "smitin probe extract", "fit" and "run": their options and help. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What --stems holds, as for knobs, then what --data holds. */
const char *const probe_datasets[] = {"auto",       "stems",    "musdb18hq",     "moisesdb",
                                      "slakh",      "folders",  "magnatagatune", "gtzan",
                                      "giantsteps", "emomusic", "musiccaps",     NULL};
const char *const probe_scored[] = {"clip", "track", NULL};
const char *const probe_features[] = {"heads", "layers", NULL};
const char *const probe_measures[] = {"accuracy", "f1", "auc", "ap", "key", "r2", "pearson", NULL};

enum { SPECS = 48 };

static size_t data_specs(probe_options *o, option_spec *specs, size_t count)
{
    const option_spec table[] = {
        {NULL, "--data", OPTION_TEXT, &o->data, 0, 0, NULL, "DIR",
         "a data set as it was unpacked; --dataset says which"},
        {NULL, "--dataset", OPTION_CHOICE, &o->dataset, 0, 0, probe_datasets, "NAME",
         "of --data: folders (one a class), magnatagatune, gtzan, giantsteps, emomusic, musiccaps; "
         "of --stems: stems, musdb18hq, moisesdb, slakh [auto: look]"},
        {NULL, "--labels", OPTION_TEXT, &o->labels, 0, 0, NULL, "FILE",
         "a CSV table: path, labels, and if it likes split, artist, start, end; of musiccaps, "
         "where "
         "its CSV lies"},
        {NULL, "--audio", OPTION_TEXT, &o->audio, 0, 0, NULL, "DIR",
         "where the table's paths begin"},
        {NULL, "--task", OPTION_CHOICE, &o->task, 0, 0, sm_task_names, "NAME",
         "of the table: binary, multilabel, multiclass, regression"},
        {NULL, "--columns", OPTION_TEXT, &o->columns, 0, 0, NULL, "A,B",
         "of the table: those with labels or numbers [label or labels]"},
        {NULL, "--trait", OPTION_TEXT, &o->trait, 0, 0, NULL, "NAME",
         "of a binary task: the label; of two folders: its name [trait]"},
        {NULL, "--top", OPTION_INT, &o->top, 0, SM_STORE_CLASSES_MAX, NULL, "N",
         "keep the N most frequent labels, 0 all [50 of magnatagatune and musiccaps]"},
        {NULL, "--labelled-only", OPTION_FLAG, &o->labelled_only, 0, 0, NULL, NULL,
         "leave out files without any of the labels"},
        {NULL, "--seconds", OPTION_DOUBLE, &o->pairs.seconds, 0.1, 30, NULL, "S",
         "length of a clip [3]"},
        {NULL, "--per-file", OPTION_INT, &o->per_file, 0, 100000, NULL, "N",
         "clips of a file, evenly spread; 0: as many as fit one after the other [0]"},
    };
    count += options_add(specs + count, SPECS - count, table, sizeof table / sizeof *table);
    return count + pairs_specs(&o->pairs, specs + count, SPECS - count);
}

static size_t extract_specs(probe_options *o, option_spec *specs, size_t count)
{
    const option_spec table[] = {
        {NULL, "--pool", OPTION_TEXT, &o->pool, 0, 0, NULL, "HOW",
         "last: the last step; mean:N: the mean of the last N (50 a second) [last]"},
        {NULL, "--shard", OPTION_INT, &o->shard, 1, 100000, NULL, "N",
         "clips of one .npy file, and what an interruption loses at most [64]"},
    };
    return count + options_add(specs + count, SPECS - count, table, sizeof table / sizeof *table);
}

static size_t fit_specs(probe_options *o, option_spec *specs, size_t count)
{
    const option_spec table[] = {
        {NULL, "--C", OPTION_DOUBLE, &o->C, 1e-6, 1e6, NULL, "C",
         "inverse regularisation; ridge has 1 / C [1]"},
        {NULL, "--standardise", OPTION_FLAG, &o->standardise, 0, 0, NULL, NULL,
         "bring every input to mean 0 and deviation 1 of the clips to train"},
        {NULL, "--features", OPTION_CHOICE, &o->features, 0, 0, probe_features, "NAME",
         "heads: a probe each; layers: one for all heads of a layer [heads]"},
        {NULL, "--score-by", OPTION_CHOICE, &o->scored, 0, 0, probe_scored, "NAME",
         "clip, or track: the mean of the predictions of its clips [clip]"},
        {NULL, "--rank-by", OPTION_CHOICE, &o->rank, 0, 0, probe_measures, "NAME",
         "measure of the pictures and of the choice of heads: accuracy, f1, auc, ap, key, r2, "
         "pearson [accuracy; auc of several labels; r2]"},
        {NULL, "--descending-fifths", OPTION_FLAG, &o->descending, 0, 0, NULL, NULL,
         "the key score counts the fifth below, too"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL,
         "print the report's JSON instead of a table"},
    };
    return count + options_add(specs + count, SPECS - count, table, sizeof table / sizeof *table);
}

static size_t common_specs(probe_options *o, option_spec *specs, size_t count, const char *output)
{
    const option_spec table[] = {
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "DIR", output},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    return count + options_add(specs + count, SPECS - count, table, sizeof table / sizeof *table);
}

static int say(const char *text)
{
    fprintf(stderr, "smitin: %s; see \"smitin probe --help\"\n", text);
    return EXIT_USAGE;
}

static int check_pool(probe_options *o)
{
    char *end = NULL;
    o->columns_pooled = 1;
    if (strcmp(o->pool, "last") == 0) return EXIT_DONE;
    if (strncmp(o->pool, "mean:", 5) == 0 && o->pool[5] >= '1' && o->pool[5] <= '9') {
        const long n = strtol(o->pool + 5, &end, 10);
        o->columns_pooled = n <= 100000 ? (int)n : 0;
        if (*end == '\0' && n <= 100000) return EXIT_DONE;
    }
    return say("--pool is last, or mean:N with the number of the last steps");
}

/* One kind of data, and all that belongs to it. */
static int check_data(probe_options *o)
{
    const pairs_options *p = &o->pairs;
    const char *set = probe_datasets[o->dataset];
    const bool stems = p->stems != NULL, folders = p->with != NULL || p->without != NULL;
    const bool data = o->data != NULL, table = o->audio != NULL;
    if (stems + folders + data + table != 1)
        return say("give one of --data DIR --dataset NAME, --labels FILE --audio DIR --task NAME, "
                   "--stems DIR --target NAME, and --with DIR --without DIR");
    if (stems && (p->target == NULL || o->dataset >= PAIRS_LAYOUTS))
        return say("--stems needs the stem with --target, and a --dataset of stems");
    if (folders && (p->with == NULL || p->without == NULL))
        return say("two folders are needed, --with and --without the trait");
    if (data && o->dataset < PAIRS_LAYOUTS)
        return say("say what --data is, with --dataset folders, magnatagatune, gtzan, giantsteps, "
                   "emomusic or musiccaps");
    if (table && (o->labels == NULL || o->task < 0 || o->dataset != 0))
        return say("a table needs --labels FILE, --audio DIR and --task NAME, and no --dataset");
    if (table && o->task == SM_TASK_BINARY && o->trait == NULL)
        return say("a binary task needs the label with --trait");
    if (!table && (o->task >= 0 || o->columns != NULL))
        return say("--task and --columns belong to a table");
    if (!table && o->labels != NULL && strcmp(set, "musiccaps") != 0)
        return say("--labels belongs to --audio DIR, or to --dataset musiccaps");
    if ((stems || folders) && (o->top >= 0 || o->per_file > 0 || o->labelled_only))
        return say("--top, --per-file and --labelled-only belong to labels");
    o->pairs.layout = stems ? o->dataset : 0;
    return check_pool(o);
}

static probe_options defaults(void)
{
    return (probe_options){.model = model_options_defaults(),
                           .pairs = pairs_defaults(),
                           .task = -1,
                           .top = -1,
                           .pool = "last",
                           .columns_pooled = 1,
                           .shard = 64,
                           .C = 1.0,
                           .rank = -1};
}

static int command_extract(int argc, char **argv, bool fit)
{
    probe_options o = defaults();
    option_spec specs[SPECS];
    bool help = false;
    size_t count = model_option_specs(&o.model, specs, SPECS);
    count = data_specs(&o, specs, count);
    count = extract_specs(&o, specs, count);
    if (fit) count = fit_specs(&o, specs, count);
    count = common_specs(&o, specs, count,
                         fit ? "of the activations; the report goes into its folder report"
                             : "of the activations");
    int code = options_parse(specs, count, argc, argv, NULL, &help);
    if (help) {
        printf(
            "smitin %s --data DIR --dataset NAME -o DIR [OPTIONS]\n"
            "smitin %s --labels FILE --audio DIR --task NAME -o DIR [OPTIONS]\n"
            "smitin %s --stems DIR --target NAME[,NAME...] -o DIR [OPTIONS]\n"
            "smitin %s --with DIR --without DIR -o DIR [OPTIONS]\n\n%s\n\n",
            argv[0], argv[0], argv[0], argv[0],
            fit ? "Listen to labelled clips with every attention head of a model, fit a probe on "
                  "each, and report.\nWith one --target clips have it or not; of several each is "
                  "in "
                  "a mix or not."
                : "Listen to labelled clips with every attention head of a model, and store what "
                  "the heads say\nas .npy files with a manifest. Goes on where it was "
                  "interrupted. With one --target\nclips have it or not; of several each is in a "
                  "mix "
                  "or not.");
        options_print(specs, count);
        return EXIT_DONE;
    }
    if (code == EXIT_DONE && o.output == NULL) code = say("say with -o where the activations go");
    if (code == EXIT_DONE) code = check_data(&o);
    if (code == EXIT_DONE) code = probe_extract(&o, o.output);
    if (code != EXIT_DONE || !fit) return code;
    char report[4096];
    snprintf(report, sizeof report, "%.4000s/report", o.output);
    return probe_fit(&o, o.output, report);
}

static int command_fit(int argc, char **argv)
{
    probe_options o = defaults();
    option_spec specs[SPECS];
    text_list folders = {0};
    bool help = false;
    const option_spec threads = {"-t",
                                 "--threads",
                                 OPTION_INT,
                                 &o.model.threads,
                                 0,
                                 1024,
                                 NULL,
                                 "N",
                                 "threads; 0 is every core [0]"};
    size_t count = options_add(specs, SPECS, &threads, 1);
    count = fit_specs(&o, specs, count);
    count = common_specs(&o, specs, count, "of the report [DIR/report]");
    int code = options_parse(specs, count, argc, argv, &folders, &help);
    if (help) {
        printf("smitin probe fit [OPTIONS] DIR\n\nFit a probe on every attention head to the "
               "activations in a folder, and report how well each knows\nthe labels. Needs no "
               "model.\n\n");
        options_print(specs, count);
    } else if (code == EXIT_DONE && folders.count != 1) {
        code = say("name one folder of activations");
    } else if (code == EXIT_DONE) {
        char report[4096];
        snprintf(report, sizeof report, "%.4000s/report", folders.items[0]);
        code = probe_fit(&o, folders.items[0], o.output != NULL ? o.output : report);
    }
    text_list_free(&folders);
    return code;
}

int command_probe(int argc, char **argv)
{
    static const char usage[] =
        "smitin probe extract --help  store what the heads of a model say of labelled clips\n"
        "smitin probe fit --help      fit a probe on every head, and report\n"
        "smitin probe run --help      both\n";
    static char extract[] = "probe extract", fit[] = "probe fit", run[] = "probe run";
    const char *step = argc >= 2 ? argv[1] : "";
    if (strcmp(step, "extract") == 0 || strcmp(step, "run") == 0) {
        argv[1] = step[0] == 'r' ? run : extract;
        return command_extract(argc - 1, argv + 1, argv[1] == run);
    }
    if (strcmp(step, "fit") == 0) {
        argv[1] = fit;
        return command_fit(argc - 1, argv + 1);
    }
    const bool help = strcmp(step, "-h") == 0 || strcmp(step, "--help") == 0;
    fputs(usage, help ? stdout : stderr);
    return help ? EXIT_DONE : EXIT_USAGE;
}
