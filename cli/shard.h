/* SPDX-License-Identifier: MIT */
/* Which share of an experiment's pieces a process makes. */
#ifndef SMITIN_CLI_SHARD_H
#define SMITIN_CLI_SHARD_H

#include <stdbool.h>

typedef struct shard {
    int index, count; /* 0 <= index < count */
    bool only;        /* nothing but its share; else what others leave, when that is made */
} shard;

/* From --shard I/N (I from 1; NULL: not given); else from a Slurm array job; else from the rank
 * that Open MPI, PMI or srun gave; else everything. Returns an exit code, having said what is
 * wrong. */
int shard_find(shard *out, const char *text);

#endif
