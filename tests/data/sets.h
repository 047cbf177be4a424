/* SPDX-License-Identifier: MIT */
/* Labelled clips from small trees of the exact layouts. A file's pitch is its identity, so a clip
 * tells where it came from. */
#ifndef SMITIN_TESTS_DATA_SETS_H
#define SMITIN_TESTS_DATA_SETS_H

#include "../../src/data/collection.h"
#include "helpers.h"

static smitin_error error;

static inline void save_text(const char *name, const char *text)
{
    make_way(name);
    write_bytes(in_scratch(name), text, strlen(text));
}

static inline void save_tone(const char *name, double seconds, double hertz, int rate, int channels)
{
    make_way(name);
    const size_t frames = (size_t)lround(seconds * rate);
    float *samples = make_sine(frames, channels, rate, hertz, 0.5);
    ASSERT_OK(
        sm_audio_write(in_scratch(name), samples, frames, channels, rate, 16, NULL, 0, &error));
    free(samples);
}

static inline sm_collection_options options_of(const char *dataset, const char *folder)
{
    static char root[512];
    snprintf(root, sizeof root, "%s%s%s", scratch, folder[0] != '\0' ? "/" : "", folder);
    return (sm_collection_options){.dataset = dataset,
                                   .root = root,
                                   .top = -1,
                                   .seconds = 1.0,
                                   .sample_rate = RATE,
                                   .channels = 1,
                                   .test_share = 0.25,
                                   .seed = 1};
}

static inline sm_collection *open_set(const sm_collection_options *o)
{
    sm_collection *c = NULL;
    ASSERT_OK(sm_collection_open(&c, o, &error));
    return c;
}

static inline void assert_noted(const sm_collection *c, const char *part)
{
    for (size_t n = 0; sm_collection_note(c, n) != NULL; n++)
        if (strstr(sm_collection_note(c, n), part) != NULL) return;
    for (size_t n = 0; sm_collection_note(c, n) != NULL; n++)
        print_message("note: %s\n", sm_collection_note(c, n));
    fail_msg("no note says '%s'", part);
}

/* Path, split and values of every clip, as one text. */
static inline const char *list_clips(const sm_collection *c)
{
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    const int width = sm_task_width(sm_collection_task(c), sm_collection_classes(c));
    for (size_t i = 0; i < sm_collection_count(c); i++) {
        const sm_clip *clip = sm_collection_clip(c, i);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s@%g %s", clip->path,
                                 clip->start, sm_split_names[clip->split]);
        for (int k = 0; k < width; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, " %g", clip->values[k]);
        used += (size_t)snprintf(text + used, sizeof text - used, "\n");
    }
    return text;
}

static inline void assert_sounds(sm_collection *c, size_t clip, double hertz, double amplitude)
{
    float samples[RATE];
    assert_int_equal(sm_collection_clip_samples(c), RATE);
    ASSERT_OK(sm_collection_samples(c, clip, samples, &error));
    /* The level of the file: 16 bits and a resampler's pass band. */
    ASSERT_NEAR(level(samples, RATE, hertz), amplitude, 0.01);
}

#endif
