/* SPDX-License-Identifier: MIT */
/* Owns the folder of an experiment: names, locks, and what killed processes left. */
#include "experiment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The describe options of the file, by the command's own table. */
static int read_describe(experiment *e)
{
    const sm_words *words = &e->plan.describe;
    option_spec specs[24];
    bool help = false;
    char command[] = "eval describe";
    char **argv = calloc(words->count + 1, sizeof *argv);
    if (argv == NULL) return eval_no_memory();
    argv[0] = command;
    for (size_t i = 0; i < words->count; i++) argv[i + 1] = (char *)words->items[i];
    const size_t count = describe_option_specs(&e->describe, specs, 24);
    const int code = options_parse(specs, count, (int)words->count + 1, argv, NULL, &help);
    free(argv);
    if (code != EXIT_DONE) fprintf(stderr, "smitin: that is in \"describe\" of %s\n", e->file);
    if (code == EXIT_DONE && e->plan.reference != NULL &&
        (e->describe.plain || e->describe.encoder.embed == EMBED_NONE)) {
        fprintf(stderr,
                "smitin: %s: a distance to \"reference\" needs an encoder; leave \"plain\" and "
                "\"embed\": \"none\" out of describe\n",
                e->file);
        return EXIT_USAGE;
    }
    return code;
}

int experiment_open(experiment *e, const char *file, const char *folder)
{
    smitin_error error = {0};
    memset(e, 0, sizeof *e);
    e->file = file;
    e->folder = folder;
    e->lock = -1;
    e->describe = describe_options_defaults();
    if (strlen(folder) > EXPERIMENT_PATH - 200) {
        fprintf(stderr, "smitin: the folder's name is too long: %.60s...; choose another\n",
                folder);
        return EXIT_USAGE;
    }
    if (sm_experiment_read(&e->plan, file, &error) != SMITIN_OK) return report_error(&error);
    return read_describe(e);
}

void experiment_close(experiment *e)
{
    if (e->lock >= 0) close(e->lock);
    sm_experiment_free(&e->plan);
}

void experiment_path(const experiment *e, int n, const char *suffix, char path[EXPERIMENT_PATH])
{
    snprintf(path, EXPERIMENT_PATH, "%.1848s/%s/piece-%04d%s", e->folder,
             experiment_condition(e, n)->name, experiment_piece(e, n), suffix);
}

bool experiment_traces(const experiment *e, int n)
{
    const sm_words *words = &experiment_condition(e, n)->words;
    bool knobs = false;
    for (size_t i = 0; i < words->count; i++)
        knobs = knobs || strcmp(words->items[i], "--knob") == 0;
    return e->plan.traces && knobs;
}

bool experiment_has(const experiment *e, int n, const char *suffix)
{
    char path[EXPERIMENT_PATH];
    experiment_path(e, n, suffix, path);
    return access(path, F_OK) == 0;
}

int experiment_lock(experiment *e, int byte, bool wait, bool *taken)
{
    char path[EXPERIMENT_PATH];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    snprintf(path, sizeof path, "%.1848s/.lock", e->folder);
    *taken = false;
    if (e->lock < 0) e->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int result = e->lock;
    while (result >= 0) {
        result = fcntl(e->lock, wait ? F_SETLKW : F_SETLK, &lock);
        if (result == 0 || errno != EINTR) break;
        result = 0;
    }
    *taken = result >= 0;
    if (*taken || (e->lock >= 0 && (errno == EACCES || errno == EAGAIN))) return EXIT_DONE;
    fprintf(stderr, "smitin: %s cannot be locked: %s; choose a folder where it can\n", path,
            strerror(errno));
    return EXIT_FAILED;
}

void experiment_unlock(experiment *e, int byte)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    fcntl(e->lock, F_SETLK, &lock);
}

void experiment_sweep(const char *folder, const char *stem)
{
    DIR *dir = opendir(folder);
    const size_t length = strlen(stem);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        const size_t size = strlen(name);
        if (size > length + 4 && strncmp(name, stem, length) == 0 &&
            strcmp(name + size - 4, ".tmp") == 0)
            unlinkat(dirfd(dir), name, 0);
    }
    if (dir != NULL) closedir(dir);
}
