/* SPDX-License-Identifier: MIT */
/* "smitin knob info" and the choice between the knob commands. */
#include "common.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void print_info(const smitin_knob_info *info)
{
    printf("trait          %s\n", info->trait);
    printf("model          %s\n", info->model);
    printf("fingerprint    %s\n", info->fingerprint);
    printf("heads          %d layers x %d heads of %d\n", info->layers, info->heads,
           info->head_size);
    printf("accuracy       best head %.1f %%, mean %.1f %% (test data)\n",
           100.0 * info->best_accuracy, 100.0 * info->mean_accuracy);
    printf("direction      %s\n",
           info->direction == SMITIN_DIRECTION_MEAN ? "mean (mass mean shift)" : "probe");
    printf("strength       50 %% is alpha %.4g, 100 %% is alpha %.4g\n", info->default_alpha,
           info->max_alpha);
    printf("data           %s\n", info->data);
    printf("licence        %s\n", info->licence);
}

static void print_json(const smitin_knob_info *info)
{
    json_t *o = json_object();
    json_object_set_new(o, "trait", json_string(info->trait));
    json_object_set_new(o, "model", json_string(info->model));
    json_object_set_new(o, "fingerprint", json_string(info->fingerprint));
    json_object_set_new(o, "layers", json_integer(info->layers));
    json_object_set_new(o, "heads", json_integer(info->heads));
    json_object_set_new(o, "head_size", json_integer(info->head_size));
    json_object_set_new(o, "best_accuracy", json_real(info->best_accuracy));
    json_object_set_new(o, "mean_accuracy", json_real(info->mean_accuracy));
    json_object_set_new(o, "direction",
                        json_string(info->direction == SMITIN_DIRECTION_MEAN ? "mean" : "probe"));
    json_object_set_new(o, "default_alpha", json_real(info->default_alpha));
    json_object_set_new(o, "max_alpha", json_real(info->max_alpha));
    json_object_set_new(o, "data", json_string(info->data));
    json_object_set_new(o, "licence", json_string(info->licence));
    json_dumpf(o, stdout, JSON_INDENT(2));
    puts("");
    json_decref(o);
}

static int show_knobs(const text_list *names, const char *model, const char *hf, bool json)
{
    char model_path[1024], path[1200];
    if (names->count == 0) {
        fprintf(stderr, "smitin: name a knob, or give the path of a .knob.safetensors file\n");
        return EXIT_USAGE;
    }
    const int code = find_model(model, hf, model_path, sizeof model_path);
    if (code != EXIT_DONE) return code;
    for (int i = 0; i < names->count; i++) {
        smitin_knob *knob = NULL;
        smitin_knob_info info;
        smitin_error error = {0};
        if (!find_knob(names->items[i], model_path, path, sizeof path)) return EXIT_REFUSED;
        if (smitin_knob_load(&knob, path, &error) != SMITIN_OK) return report_error(&error);
        smitin_knob_describe(knob, &info);
        smitin_knob_free(knob);
        if (json)
            print_json(&info);
        else
            print_info(&info);
        if (i + 1 < names->count && !json) puts("");
    }
    return EXIT_DONE;
}

static int command_knob_info(int argc, char **argv)
{
    const char *model = DEFAULT_MODEL, *hf = NULL;
    bool json = false, help = false;
    text_list names = {0};
    const option_spec specs[] = {
        {"-m", "--model", OPTION_TEXT, &model, 0, 0, NULL, "MODEL",
         "whose knobs are searched [mini]"},
        {"-hf", "--hf-repo", OPTION_TEXT, &hf, 0, 0, NULL, "ORG/REPO",
         "instead of -m: a model that was pulled, with @REVISION or without"},
        {NULL, "--json", OPTION_FLAG, &json, 0, 0, NULL, NULL, "print JSON"},
    };
    int code = options_parse(specs, sizeof specs / sizeof *specs, argc, argv, &names, &help);
    if (help) {
        printf("smitin knob info [OPTIONS] NAME...\n\nShow what knobs hold.\n\n");
        options_print(specs, sizeof specs / sizeof *specs);
    } else if (code == EXIT_DONE) {
        code = show_knobs(&names, model, hf, json);
    }
    text_list_free(&names);
    return code;
}

int command_knob(int argc, char **argv)
{
    static const char usage[] =
        "smitin knob train --help     make a knob from audio with and without a trait\n"
        "smitin knob test --help      try a knob on other music or weights in another format\n"
        "smitin knob info --help      show what a knob holds\n";
    if (argc >= 2 && strcmp(argv[1], "train") == 0) {
        argv[1] = "knob train";
        return command_knob_train(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "test") == 0) {
        argv[1] = "knob test";
        return command_knob_test(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "info") == 0) {
        argv[1] = "knob info";
        return command_knob_info(argc - 1, argv + 1);
    }
    const bool help = argc >= 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
    fputs(usage, help ? stdout : stderr);
    return help ? EXIT_DONE : EXIT_USAGE;
}
