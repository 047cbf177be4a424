/* SPDX-License-Identifier: MIT */
/* The arena: requests share blocks that grow with it; requests too large for that get their own
 * block. */
#if defined(__linux__)
#define _GNU_SOURCE /* madvise */
#endif
#include "arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

enum {
    ALIGNMENT = 64,           /* bytes: one cache line, one AVX-512 register */
    SMALLEST_BLOCK = 1 << 16, /* bytes of the first shared block */
    LARGEST_BLOCK = 1 << 28,  /* bytes at which shared blocks stop growing */
    HUGE_PAGE = 1 << 21,      /* bytes of a large page, where the system has them */
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

/* A block with room for `payload` bytes (a multiple of ALIGNMENT); NULL when memory is short. Large
 * blocks ask for large pages: weights are read from end to end at every step, and small pages cost
 * a tenth of that speed. */
static block *new_block(size_t payload)
{
    if (payload > SIZE_MAX - sizeof(block) - HUGE_PAGE) return NULL;
    size_t size = payload + sizeof(block);
    const size_t alignment = size >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    size = (size + alignment - 1) / alignment * alignment;
    block *b = aligned_alloc(alignment, size);
    if (b == NULL) return NULL;
#if defined(MADV_HUGEPAGE)
    if (alignment == HUGE_PAGE)
        (void)madvise(b, size, MADV_HUGEPAGE); /* advice: refusal changes nothing */
#endif
    b->next = NULL;
    b->used = sizeof(block);
    b->size = size;
    return b;
}

/* Payload of the next shared block: as much as the arena holds, so that there are few blocks. What
 * is never handed out is never touched, but the large page in which a block ends is resident as a
 * whole: few blocks leave few such ends. */
static size_t shared_payload(const sm_arena *arena)
{
    size_t payload = arena->bytes / ALIGNMENT * ALIGNMENT;
    if (payload < SMALLEST_BLOCK) payload = SMALLEST_BLOCK;
    return payload < LARGEST_BLOCK ? payload : LARGEST_BLOCK;
}

void *sm_arena_take(sm_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) return NULL;
    const size_t bytes = count * size;
    const size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    block *from = arena->blocks;
    if (from == NULL || from->size - from->used < rounded) {
        const size_t shared = shared_payload(arena);
        const bool own = rounded > shared / 4;
        from = new_block(own ? rounded : shared);
        if (from == NULL) return NULL;
        if (own && arena->blocks != NULL) { /* keep filling the shared block */
            from->next = arena->blocks->next;
            arena->blocks->next = from;
        } else {
            from->next = arena->blocks;
            arena->blocks = from;
        }
    }
    void *taken = (unsigned char *)from + from->used;
    if (bytes > 0)
        memset(taken, 0, rounded); /* also brings the pages in, now rather than during a step */
    from->used += rounded;
    arena->bytes += bytes;
    return taken;
}

size_t sm_arena_bytes(const sm_arena *arena)
{
    return arena->bytes;
}
