/* SPDX-License-Identifier: MIT */
/* Greedy pieces of a whole session, for forced.py to check: greedy FOLDER SECONDS GUIDANCE
 * CODES.npy [THREADS]. Writes codes [2, K, T]: of a piece without a text and of one with it, side
 * by side. */
#include <smitin/smitin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/base/error.h"
#include "../../src/format/npy.h"

enum { PIECES = 2 };

/* Those of reference.py, whose end mark the session appends. */
static const int32_t text[] = {11, 503, 42, 7, 250, 101, 33, 499, 64};

static bool show(void *user, const smitin_progress *progress)
{
    (void)user;
    if (progress->frame % 100 == 0) printf("frame %d of %d\n", progress->frame, progress->frames);
    return true;
}

static smitin_status write_codes(const smitin_session *session, int codebooks, const char *path,
                                 smitin_error *error)
{
    const int32_t *codes = NULL;
    size_t frames = 0, stride = 0;
    SM_TRY(smitin_session_codes(session, 0, &codes, &frames, &stride, error));
    const size_t K = (size_t)codebooks, one = K * frames;
    int32_t *all = malloc(PIECES * one * sizeof *all);
    if (all == NULL) return sm_fail_memory(error, "the codes", PIECES * one * sizeof *all);
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < PIECES && status == SMITIN_OK; i++) {
        status = smitin_session_codes(session, i, &codes, &frames, &stride, error);
        for (size_t k = 0; k < K && status == SMITIN_OK; k++)
            memcpy(all + (size_t)i * one + k * frames, codes + k * stride, frames * sizeof *codes);
    }
    const int64_t shape[] = {PIECES, codebooks, (int64_t)frames};
    if (status == SMITIN_OK) status = sm_npy_write(path, SM_I32, 3, shape, all, error);
    free(all);
    return status;
}

static smitin_status run(char **argv, int threads, smitin_engine **engine, smitin_session **session,
                         smitin_error *error)
{
    smitin_engine_options how = smitin_engine_defaults();
    how.threads = threads;
    how.format = SMITIN_FORMAT_F32;
    how.cache = SMITIN_CACHE_F32;
    SM_TRY(smitin_engine_open(engine, argv[1], &how, error));
    smitin_model_info info;
    smitin_engine_info(*engine, &info);
    smitin_session_options options = smitin_session_defaults();
    options.seconds = atof(argv[2]);
    options.guidance = atof(argv[3]);
    options.pieces = PIECES;
    options.temperature = 0.0;
    SM_TRY(smitin_session_new(session, *engine, &options, error));
    SM_TRY(smitin_session_set_tokens(*session, 1, text, sizeof text / sizeof *text, error));
    SM_TRY(smitin_session_run(*session, show, NULL, error));
    return write_codes(*session, info.codebooks, argv[4], error);
}

int main(int argc, char **argv)
{
    smitin_error error;
    smitin_engine *engine = NULL;
    smitin_session *session = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 5) {
        fprintf(stderr, "usage: greedy FOLDER SECONDS GUIDANCE CODES.npy [THREADS]\n");
        return 2;
    }
    const smitin_status status = run(argv, argc > 5 ? atoi(argv[5]) : 0, &engine, &session, &error);
    if (status != SMITIN_OK) fprintf(stderr, "%s\n", error.message);
    smitin_session_free(session);
    smitin_engine_free(engine);
    return status != SMITIN_OK;
}
