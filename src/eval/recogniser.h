/* SPDX-License-Identifier: MIT */
/* The recogniser: a small convolutional network that hears which instruments sound in two seconds
 * of audio. It never saw the language model, so it judges steering independently of the probes, and
 * its pooled features are the embedding of our own distances. training/floors/recogniser.py trains
 * it.
 *
 * From 2 s of mono samples at 32 kHz, with zeros before and after:
 *   log-mel [64, 100]: Hann windows of 2048 samples each 640, magnitudes, 64 bands from 30 Hz
 *     (spectrum.h)
 *   blocks i = 0, 1, ...: convs.i.weight [C_out, C_in, 3, 3] with zeros around, no bias; batch norm
 *     norms.i.{weight,bias,running_mean,running_var} (eps 1e-5); ReLU; maximum over 2 x 2, in the
 *     last block over 2 bands x 1 frame
 *   mean and then maximum over time, each [C, bands]
 *   features = ReLU(mix.weight x + mix.bias); probabilities = sigmoid(out.weight features +
 *     out.bias)
 *
 * The sizes come from the file's tensors. Its metadata may say `classes`, names with commas between
 * them; without it four classes are drums, bass, guitar, piano. */
#ifndef SMITIN_EVAL_RECOGNISER_H
#define SMITIN_EVAL_RECOGNISER_H

#include "embeddings.h"

#define SM_RECOGNISER_RATE    32000
#define SM_RECOGNISER_WINDOW  64000 /* samples: 2 s */
#define SM_RECOGNISER_CLASSES 32    /* at most */

typedef struct sm_recogniser sm_recogniser;

/* SMITIN_ERROR_MODEL with all that is wrong with the file. */
smitin_status sm_recogniser_open(sm_recogniser **recogniser, const char *path, smitin_error *error);
/* The same from memory, which may go afterwards; `name` is used in messages. */
smitin_status sm_recogniser_parse(sm_recogniser **recogniser, const void *data, size_t size,
                                  const char *name, smitin_error *error);
void sm_recogniser_free(sm_recogniser *recogniser); /* NULL is allowed */

int sm_recogniser_features(const sm_recogniser *recogniser);
int sm_recogniser_classes(const sm_recogniser *recogniser);
const char *sm_recogniser_class(const sm_recogniser *recogniser, int index);

/* One window: features [features] and probability [classes], each may be NULL. Not from two threads
 * at once: working arrays are the recogniser's. */
void sm_recogniser_hear(sm_recogniser *recogniser, const float samples[SM_RECOGNISER_WINDOW],
                        float *features, float *probability);

/* How many windows, one each `hop` samples, lie whole in `count` samples. */
size_t sm_recogniser_windows(size_t count, size_t hop);

/* It as an encoder of windows, one each second; valid as long as it is. */
sm_encoder sm_recogniser_encoder(sm_recogniser *recogniser);

#endif
