/* SPDX-License-Identifier: MIT */
/* "smitin models pull" and "smitin models list". */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/base/clock.h"
#include "../src/hub/hub.h"
#include "common.h"

/* ---- Sizes ---- */

/* "1.2 GB" */
static const char *size_text(uint64_t bytes, char text[16])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000.0;
        unit++;
    }
    snprintf(text, 16, unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

/* ---- Pull ---- */

typedef struct pull_screen {
    bool bar;           /* draw on the terminal */
    bool quiet;         /* say nothing but errors */
    bool drawn;         /* the cursor stands behind a bar */
    double start, last; /* of sm_clock; start 0: not drawn yet */
    uint64_t first;     /* bytes there when the bar was drawn first */
} pull_screen;

static void end_bar(pull_screen *screen)
{
    if (screen->drawn) fputc('\n', stderr);
    screen->drawn = false;
}

static void show_pull(void *user, const char *file, uint64_t done, uint64_t total)
{
    enum { WIDTH = 24 };
    pull_screen *screen = user;
    char a[16], b[16], c[16], bar[WIDTH + 1];
    if (!screen->bar || total == 0) return;
    const double now = sm_clock();
    const bool begins = screen->start <= 0.0;
    if (begins) {
        screen->start = now;
        screen->first = done;
    }
    /* Ten times a second is all a person sees. */
    if (!begins && done < total && now - screen->last < 0.1) return;
    screen->last = now;
    const double spent = now - screen->start;
    const double come = done > screen->first ? (double)(done - screen->first) : 0.0;
    const double share = (double)done / (double)total;
    memset(bar, ' ', WIDTH);
    memset(bar, '=', (size_t)(WIDTH * share));
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%-28.28s [%s] %3.0f %%  %s of %s  %s/s\033[K", file, bar, 100.0 * share,
            size_text(done, a), size_text(total, b),
            size_text(spent > 0.2 ? (uint64_t)(come / spent) : 0, c));
    fflush(stderr);
    screen->drawn = true;
}

static void show_note(void *user, const char *text)
{
    pull_screen *screen = user;
    end_bar(screen);
    if (!screen->quiet) fprintf(stderr, "smitin: %s\n", text);
}

static void print_pull_json(const sm_hub_name *name, const sm_hub_result *result)
{
    json_t *o = json_object();
    json_object_set_new(o, "model", json_string(name->repo));
    json_object_set_new(o, "revision", json_string(name->revision));
    json_object_set_new(o, "commit", json_string(result->commit));
    json_object_set_new(o, "path", json_string(result->path));
    json_object_set_new(o, "licence",
                        result->licence[0] != '\0' ? json_string(result->licence) : json_null());
    json_object_set_new(o, "files", json_integer(result->files));
    json_object_set_new(o, "bytes", json_integer((json_int_t)result->bytes));
    json_object_set_new(o, "fetched", json_integer((json_int_t)result->fetched));
    json_object_set_new(o, "offline", json_boolean(result->offline));
    json_dumpf(o, stdout, JSON_INDENT(2));
    puts("");
    json_decref(o);
}

static void tell_pulled(const sm_hub_config *config, const sm_hub_name *name,
                        const sm_hub_result *result)
{
    char all[16], fetched[16];
    if (result->offline) {
        fprintf(stderr,
                "smitin: %s is complete in the cache; HF_HUB_OFFLINE is set, so the hub "
                "was not asked for a newer one\n",
                name->repo);
        return;
    }
    if (result->licence[0] != '\0')
        fprintf(stderr, "smitin: licence of the weights: %s (%s/%s)\n", result->licence,
                config->endpoint, name->repo);
    else
        fprintf(stderr, "smitin: the hub states no licence for these weights; see %s/%s\n",
                config->endpoint, name->repo);
    fprintf(stderr, "smitin: %s@%.12s: %d files, %s, %s fetched\n", name->repo, result->commit,
            result->files, size_text(result->bytes, all), size_text(result->fetched, fetched));
}

static int pull(const char *text, sm_hub_config *config, bool json, bool quiet)
{
    smitin_error error = {0};
    sm_hub_name name;
    sm_hub_result result;
    pull_screen screen = {.quiet = quiet};
    if (sm_hub_name_parse(&name, text, &error) != SMITIN_OK) return report_error(&error);
    screen.bar = !quiet && !config->quiet_progress && isatty(STDERR_FILENO);
    const sm_hub_events events = {show_pull, show_note, &screen};
    const smitin_status status = sm_hub_pull(config, &name, &events, &result, &error);
    end_bar(&screen);
    if (status != SMITIN_OK) return report_error(&error);
    if (!quiet) tell_pulled(config, &name, &result);
    if (json)
        print_pull_json(&name, &result);
    else
        puts(result.path);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int command_models_pull(int argc, char **argv)
{
    sm_hub_config config;
    smitin_error error = {0};
    text_list names = {0};
    bool json = false, quiet = false, help = false;
    int retries = 5;
    double delay = 1.0;
    const option_spec specs[] = {
        {NULL, "--retries", OPTION_INT, &retries, 0, 1000, NULL, "N",
         "tries after a failure that brought nothing new [5]"},
        {NULL, "--retry-delay", OPTION_DOUBLE, &delay, 0, 60, NULL, "S",
         "wait before the first of them, doubled each time [1]"},
        {NULL, "--json", OPTION_FLAG, &json, 0, 0, NULL, NULL, "print the result as JSON"},
        {NULL, "--quiet", OPTION_FLAG, &quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    int code = options_parse(specs, sizeof specs / sizeof *specs, argc, argv, &names, &help);
    if (help) {
        printf("smitin models pull [OPTIONS] ORG/REPO[@REVISION]\n\n"
               "Fetch a model from the Hugging Face hub into its cache, only the files that are "
               "needed; print where it lies.\nAn interrupted pull goes on where it ended.\n\n"
               "  smitin models pull facebook/musicgen-small\n"
               "  smitin generate -hf facebook/musicgen-small -p \"slow jazz\"\n\n");
        options_print(specs, sizeof specs / sizeof *specs);
    } else if (code == EXIT_DONE && names.count != 1) {
        fprintf(stderr, "smitin: name one model to pull; see \"smitin models pull --help\"\n");
        code = EXIT_USAGE;
    } else if (code == EXIT_DONE && sm_hub_config_read(&config, &error) != SMITIN_OK) {
        code = report_error(&error);
    } else if (code == EXIT_DONE) {
        config.retries = retries;
        config.delay = delay;
        code = pull(names.items[0], &config, json, quiet);
    }
    text_list_free(&names);
    return code;
}

/* ---- List ---- */

static void print_list(const sm_hub_list *list)
{
    char size[16], revision[SM_HUB_NAME + 48];
    int name_width = 4, revision_width = 8;
    for (size_t i = 0; i < list->count; i++) {
        const sm_hub_entry *e = &list->entries[i];
        const int name = (int)strlen(e->name);
        const int length = e->revision[0] != '\0' ? (int)strlen(e->revision) + 13 : 12;
        if (name > name_width) name_width = name;
        if (e->commit[0] != '\0' && length > revision_width) revision_width = length;
    }
    printf("%-*s  %-*s  %8s  %-5s  %s\n", name_width, "NAME", revision_width, "REVISION", "SIZE",
           "TYPE", "WEIGHTS");
    for (size_t i = 0; i < list->count; i++) {
        const sm_hub_entry *e = &list->entries[i];
        if (e->commit[0] == '\0')
            snprintf(revision, sizeof revision, "local");
        else
            snprintf(revision, sizeof revision, "%s%s%.12s", e->revision,
                     e->revision[0] != '\0' ? "@" : "", e->commit);
        printf("%-*s  %-*s  %8s  %-5s  %s%s\n", name_width, e->name, revision_width, revision,
               size_text(e->bytes, size), e->dtype[0] != '\0' ? e->dtype : "-",
               sm_hub_container_name(e->container), e->complete ? "" : " (incomplete)");
    }
}

static void print_list_json(const sm_hub_list *list)
{
    json_t *all = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const sm_hub_entry *e = &list->entries[i];
        json_t *o = json_object();
        const bool local = e->commit[0] == '\0';
        json_object_set_new(o, "name", json_string(e->name));
        json_object_set_new(o, "revision",
                            e->revision[0] != '\0' ? json_string(e->revision) : json_null());
        json_object_set_new(o, "commit", local ? json_null() : json_string(e->commit));
        json_object_set_new(o, "path", json_string(e->path));
        json_object_set_new(o, "type", json_string(e->type));
        json_object_set_new(o, "dtype", e->dtype[0] != '\0' ? json_string(e->dtype) : json_null());
        json_object_set_new(o, "weights", json_string(sm_hub_container_name(e->container)));
        json_object_set_new(o, "complete", json_boolean(e->complete));
        json_object_set_new(o, "bytes", json_integer((json_int_t)e->bytes));
        json_array_append_new(all, o);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    puts("");
    json_decref(all);
}

static int list_models(bool json)
{
    sm_hub_config config;
    smitin_error error = {0};
    sm_hub_list list = {0};
    const char *const folders[] = {"models", getenv("SMITIN_MODELS"), SMITIN_DATADIR "/models"};
    smitin_status status = sm_hub_config_read(&config, &error);
    if (status == SMITIN_OK) status = sm_hub_list_cache(&list, &config, &error);
    for (size_t i = 0; status == SMITIN_OK && i < sizeof folders / sizeof *folders; i++) {
        if (folders[i] != NULL) status = sm_hub_list_folder(&list, folders[i], &error);
    }
    if (status == SMITIN_OK && json)
        print_list_json(&list);
    else if (status == SMITIN_OK && list.count > 0)
        print_list(&list);
    else if (status == SMITIN_OK)
        fprintf(stderr,
                "smitin: there are no models in %s, models/, $SMITIN_MODELS or %s/models; "
                "fetch one with \"smitin models pull facebook/musicgen-small\"\n",
                config.cache, SMITIN_DATADIR);
    sm_hub_list_free(&list);
    if (status != SMITIN_OK) return report_error(&error);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int command_models_list(int argc, char **argv)
{
    bool json = false, help = false;
    const option_spec specs[] = {
        {NULL, "--json", OPTION_FLAG, &json, 0, 0, NULL, NULL, "print JSON"},
    };
    const int code = options_parse(specs, sizeof specs / sizeof *specs, argc, argv, NULL, &help);
    if (help) {
        printf("smitin models list [OPTIONS]\n\nList the MusicGen models of the hub's cache and "
               "the local ones.\n\n");
        options_print(specs, sizeof specs / sizeof *specs);
        return EXIT_DONE;
    }
    return code == EXIT_DONE ? list_models(json) : code;
}

int command_models(int argc, char **argv)
{
    static const char usage[] =
        "smitin models pull --help    fetch a model from the Hugging Face hub\n"
        "smitin models list --help    list the models on this machine\n";
    if (argc >= 2 && strcmp(argv[1], "pull") == 0) {
        argv[1] = "models pull";
        return command_models_pull(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "list") == 0) {
        argv[1] = "models list";
        return command_models_list(argc - 1, argv + 1);
    }
    const bool help = argc >= 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
    fputs(usage, help ? stdout : stderr);
    return help ? EXIT_DONE : EXIT_USAGE;
}
