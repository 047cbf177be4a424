/* SPDX-License-Identifier: MIT */
/* The arena: small requests share a block, large ones get their own. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGNMENT = 64,       /* bytes: one cache line, one AVX-512 register */
    BLOCK_SIZE = 1 << 16, /* bytes of a shared block */
};

typedef struct block {
    alignas(ALIGNMENT) struct block *next;
    size_t used, size; /* bytes, this head included */
} block;

struct sm_arena {
    block *blocks; /* the first one is the shared block being filled */
    size_t bytes;
};

sm_arena *sm_arena_new(void)
{
    return calloc(1, sizeof(sm_arena));
}

void sm_arena_free(sm_arena *arena)
{
    if (arena == NULL) return;
    for (block *b = arena->blocks; b != NULL;) {
        block *next = b->next;
        free(b);
        b = next;
    }
    free(arena);
}

/* A zeroed block with room for `payload` bytes (a multiple of ALIGNMENT); NULL when memory is
 * short. */
static block *new_block(size_t payload)
{
    if (payload > SIZE_MAX - sizeof(block)) return NULL;
    const size_t size = payload + sizeof(block);
    block *b = aligned_alloc(ALIGNMENT, size);
    if (b == NULL) return NULL;
    memset(b, 0, size);
    b->used = sizeof(block);
    b->size = size;
    return b;
}

void *sm_arena_take(sm_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) return NULL;
    const size_t bytes = count * size;
    const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    block *first = arena->blocks;
    if (first == NULL || first->size - first->used < rounded) {
        const int own = rounded > BLOCK_SIZE / 4;
        block *b = new_block(own ? rounded : (size_t)BLOCK_SIZE);
        if (b == NULL) return NULL;
        if (own && first != NULL) { /* keep filling the shared block */
            b->next = first->next;
            first->next = b;
        } else {
            b->next = first;
            arena->blocks = b;
        }
        first = b;
    }
    void *taken = (unsigned char *)first + first->used;
    first->used += rounded;
    arena->bytes += bytes;
    return taken;
}

size_t sm_arena_bytes(const sm_arena *arena)
{
    return arena->bytes;
}
