/* SPDX-License-Identifier: MIT */
/* Running gnuplot. The script and the complaints go through unnamed temporary files rather than
 * pipes: no dead lock whatever gnuplot writes, and no SIGPIPE in the caller when it ends early. */
#include "gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static smitin_status missing(smitin_error *error)
{
    return sm_fail(error, SMITIN_ERROR_IO,
                   "the program gnuplot is not installed; install the package gnuplot (or "
                   "gnuplot-nox) to draw "
                   "plots");
}

/* Start gnuplot with its three standard streams set and wait; the exit status goes to *code. */
static smitin_status run_child(FILE *script, FILE *complaints, int *code, smitin_error *error)
{
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot start gnuplot: %s", strerror(failure));
    failure = posix_spawn_file_actions_adddup2(&actions, fileno(script), 0);
    if (failure == 0)
        failure = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (failure == 0) failure = posix_spawn_file_actions_adddup2(&actions, fileno(complaints), 2);

    pid_t child = 0;
    char name[] = "gnuplot";
    char *const arguments[] = {name, NULL};
    if (failure == 0) failure = posix_spawnp(&child, name, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOENT) return missing(error);
    if (failure != 0)
        return sm_fail(error, SMITIN_ERROR_IO, "cannot start gnuplot: %s", strerror(failure));

    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return sm_fail(error, SMITIN_ERROR_IO, "lost sight of gnuplot: %s", strerror(errno));
    }
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return SMITIN_OK;
}

/* The first line with something to say; gnuplot opens with blank lines, the command and a caret. */
static void first_complaint(FILE *complaints, char *line, size_t size)
{
    char next[512];
    line[0] = '\0';
    rewind(complaints);
    while (fgets(next, sizeof next, complaints) != NULL) {
        next[strcspn(next, "\r\n")] = '\0';
        if (strspn(next, " \t^") == strlen(next)) continue;
        if (line[0] == '\0' || strstr(next, "line ") != NULL) snprintf(line, size, "%s", next);
        if (strstr(next, "line ") != NULL)
            return; /* `line 3: undefined variable`: the complaint itself */
    }
}

smitin_status sm_gnuplot(const char *script, smitin_error *error)
{
    smitin_status status = SMITIN_OK;
    FILE *input = tmpfile();
    FILE *complaints = tmpfile();
    const size_t size = strlen(script);
    int code = 0;
    if (input == NULL || complaints == NULL || fwrite(script, 1, size, input) != size ||
        fflush(input) != 0) {
        status = sm_fail(
            error, SMITIN_ERROR_IO,
            "cannot write a temporary file for gnuplot: %s; make room in the temporary directory",
            strerror(errno));
        goto done;
    }
    rewind(input); /* the child reads from the shared position */
    SM_TRY_OR(run_child(input, complaints, &code, error), status, done);
    if (code == 127) { /* how a C library without early report says that the program is missing */
        status = missing(error);
    } else if (code != 0) {
        char line[512];
        first_complaint(complaints, line, sizeof line);
        status = sm_fail(error, SMITIN_ERROR_IO, "gnuplot failed with status %d: %s", code,
                         line[0] != '\0' ? line : "it gave no reason.");
    }
done:
    if (input != NULL) fclose(input);
    if (complaints != NULL) fclose(complaints);
    return status;
}

void sm_gnuplot_quote(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text != '\0' && n + 3 < size; text++) {
        if ((unsigned char)*text < 32) continue;
        if (*text == '\'') out[n++] = '\'';
        out[n++] = *text;
    }
    out[n] = '\0';
}

smitin_status sm_gnuplot_png(const char *path, int width, int height, const char *script,
                             smitin_error *error)
{
    const size_t length = strlen(path), quoted = 2 * length + 32;
    const size_t size = strlen(script) + quoted + 128;
    char *picture = malloc(length + sizeof ".tmp.png");
    char *name = malloc(quoted);
    char *whole = malloc(size);
    smitin_status status = SMITIN_OK;
    if (picture == NULL || name == NULL || whole == NULL) {
        status = sm_fail_memory(error, path, size);
    } else {
        sprintf(picture, "%s.tmp.png", path);
        sm_gnuplot_quote(name, quoted, picture);
        snprintf(
            whole, size,
            "set terminal pngcairo noenhanced size %d,%d font 'sans,11'\nset output '%s'\n%s\n",
            width, height, name, script);
        status = sm_gnuplot(whole, error);
        if (status == SMITIN_OK && rename(picture, path) != 0)
            status =
                sm_fail(error, SMITIN_ERROR_IO, "cannot write %s: %s; choose another output path",
                        path, strerror(errno));
        if (status != SMITIN_OK) remove(picture);
    }
    free(picture);
    free(name);
    free(whole);
    return status;
}
