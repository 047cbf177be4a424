/* SPDX-License-Identifier: MIT */
/* Listening tests: one HTML page that holds everything, and a configuration for webMUSHRA. */
#ifndef SMITIN_EVAL_LISTEN_H
#define SMITIN_EVAL_LISTEN_H

#include "excerpt.h"

/* A clip that was written to disk. */
typedef struct sm_listen_clip {
    const char *path;      /* its audio: .wav, .flac, .ogg or .mp3 */
    const char *file;      /* the piece it comes from, as answers name it */
    const char *condition; /* never shown to the listener */
    double seconds;
} sm_listen_clip;

typedef struct sm_listen_test {
    const char *title;
    const char *const *ask; /* [ask_count]: "do you hear X?" */
    int ask_count;
    double ignore; /* seconds at the beginning of every clip that listeners are told to ignore */
    const sm_listen_clip *clips;
    size_t count;
} sm_listen_test;

/* The page, all or nothing. Its name in the browser's storage and in the answers is a hash of
 * title, questions and audio: a changed test begins anew. `id` [17] receives it; NULL is allowed.
 */
smitin_status sm_listen_page(const char *path, const sm_listen_test *test, char *id,
                             smitin_error *error);
/* YAML for webMUSHRA: a page of text, the clips in random order as likert_single_stimulus with the
 * scale and one yes/no scale a question, the end. `folder` is where the clips' files will lie below
 * webMUSHRA's root; clips must be WAV, as webMUSHRA plays nothing else. */
smitin_status sm_listen_webmushra(const char *path, const sm_listen_test *test, const char *folder,
                                  smitin_error *error);

#endif
