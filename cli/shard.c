/* SPDX-License-Identifier: MIT */
#include "shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "options.h"

enum { SHARDS_MAX = 100000 };

/* A whole number 0..2^31 - 1 up to `end`; false for anything else. */
static bool read_whole(const char *text, char end, long *value, const char **rest)
{
    char *stop = NULL;
    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    *value = strtol(text, &stop, 10);
    *rest = stop + (end != '\0');
    return errno == 0 && *stop == end && *value <= 0x7fffffff;
}

/* The number in the variable; `fallback` (< 0: there must be one) when it is not set. */
static int read_variable(const char *name, long fallback, long *value)
{
    const char *text = getenv(name), *rest = NULL;
    if (text == NULL && fallback >= 0) {
        *value = fallback;
        return EXIT_DONE;
    }
    if (text != NULL && read_whole(text, '\0', value, &rest)) return EXIT_DONE;
    fprintf(stderr, "smitin: $%s is %s%s%s, no number of a process; give --shard I/N\n", name,
            text != NULL ? "\"" : "", text != NULL ? text : "not set", text != NULL ? "\"" : "");
    return EXIT_USAGE;
}

static int settle(shard *out, long index, long count, bool only, const char *whose)
{
    if (count < 1 || count > SHARDS_MAX || index < 0 || index >= count) {
        fprintf(stderr,
                "smitin: %s means share %ld of %ld; there must be 1 to %d, and the share one of "
                "them; give --shard I/N\n",
                whose, index + 1, count, SHARDS_MAX);
        return EXIT_USAGE;
    }
    *out = (shard){.index = (int)index, .count = (int)count, .only = only};
    return EXIT_DONE;
}

/* Tasks of an array are numbered MIN, MIN + STEP, ... */
static int of_slurm(shard *out)
{
    long id = 0, least = 0, step = 1, count = 0;
    int code = read_variable("SLURM_ARRAY_TASK_ID", -1, &id);
    if (code == EXIT_DONE) code = read_variable("SLURM_ARRAY_TASK_COUNT", -1, &count);
    if (code == EXIT_DONE) code = read_variable("SLURM_ARRAY_TASK_MIN", 0, &least);
    if (code == EXIT_DONE) code = read_variable("SLURM_ARRAY_TASK_STEP", 1, &step);
    if (code != EXIT_DONE) return code;
    if (step < 1 || (id - least) % step != 0) step = 1;
    return settle(out, (id - least) / step, count, true, "the Slurm array");
}

static int of_rank(shard *out, const char *rank, const char *size)
{
    long index = 0, count = 0;
    int code = read_variable(rank, -1, &index);
    if (code == EXIT_DONE) code = read_variable(size, -1, &count);
    return code == EXIT_DONE ? settle(out, index, count, false, rank) : code;
}

int shard_find(shard *out, const char *text)
{
    const char *rest = NULL;
    long index = 0, count = 0;
    if (text != NULL) {
        if (read_whole(text, '/', &index, &rest) && read_whole(rest, '\0', &count, &rest) &&
            index >= 1 && index <= count)
            return settle(out, index - 1, count, true, "--shard");
        fprintf(stderr, "smitin: --shard must be I/N with I from 1 to N, such as 1/4, not \"%s\"\n",
                text);
        return EXIT_USAGE;
    }
    if (getenv("SLURM_ARRAY_TASK_ID") != NULL) return of_slurm(out);
    if (getenv("OMPI_COMM_WORLD_RANK") != NULL)
        return of_rank(out, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
    if (getenv("PMI_RANK") != NULL) return of_rank(out, "PMI_RANK", "PMI_SIZE");
    /* A task of srun, which needs no MPI; a batch script has the rank, but no step. */
    if (getenv("SLURM_STEP_NUM_TASKS") != NULL)
        return of_rank(out, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
    return settle(out, 0, 1, false, "one process");
}
