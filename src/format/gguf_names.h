/* SPDX-License-Identifier: MIT */
/* Names of a MusicGen's tensors in GGUF, which has room for 63 bytes: the parts are called "t5",
 * "codec" and "lm" there, and what follows is that of the transformers layout. */
#ifndef SMITIN_FORMAT_GGUF_NAMES_H
#define SMITIN_FORMAT_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The name in GGUF of a tensor of the transformers layout, and the other way; each undoes the
 * other. False when the name does not fit into `out` [size]. */
bool sm_gguf_shorten(char *out, size_t size, const char *name);
bool sm_gguf_lengthen(char *out, size_t size, const char *name);

#endif
