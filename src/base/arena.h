/* SPDX-License-Identifier: MIT */
/* An arena: one growing list of aligned blocks that live and die together.
 * Models and sessions take all their memory from one at creation; nothing is taken during a step.
 */
#ifndef SMITIN_BASE_ARENA_H
#define SMITIN_BASE_ARENA_H

#include <stddef.h>

typedef struct sm_arena sm_arena;

/* NULL when memory is short. */
sm_arena *sm_arena_new(void);
/* Free every block. NULL is allowed. */
void sm_arena_free(sm_arena *arena);

/* `count * size` bytes, zeroed, aligned to 64 bytes. NULL on overflow or short memory; count 0
 * gives a valid pointer to nothing. Freed with the arena only. */
void *sm_arena_take(sm_arena *arena, size_t count, size_t size);

#define SM_TAKE(arena, count, type) ((type *)sm_arena_take((arena), (size_t)(count), sizeof(type)))

/* Bytes handed out so far. */
size_t sm_arena_bytes(const sm_arena *arena);

#endif
