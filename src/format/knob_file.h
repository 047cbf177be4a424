/* SPDX-License-Identifier: MIT */
/* The knob file, NAME.knob.safetensors: what probing a model for one trait has found. Format
 * version 1.
 *
 * Tensors, f32, L layers, H heads, D head size:
 *   direction  [L,H,D]  unit probe weights theta; positive = more of the trait
 *   mean_shift [L,H,D]  unit vector from the negatives' centroid to the positives'
 *   weight_norm [L,H]   |theta_raw|: the probe is sigmoid(weight_norm <direction, z> + bias)
 *   bias [L,H]          b
 *   sigma [L,H]         population standard deviation of <direction, z> over train and test
 *   sigma_mean [L,H]    the same along mean_shift
 *   accuracy_train, accuracy_test [L,H]  0..1
 * Metadata (strings): see struct sm_knob_meta; "checksum" is the SHA-256 of the tensors in the
 * order above. */
#ifndef SMITIN_FORMAT_KNOB_FILE_H
#define SMITIN_FORMAT_KNOB_FILE_H

#include <stdbool.h>
#include "../base/error.h"

typedef struct sm_knob_meta {
    char trait[64];
    char model[128];
    char fingerprint[65];
    char data[256];
    char licence[64];
    char site[32];               /* "self_attn.z": where it was read and where it is added */
    int train_count, test_count; /* segments */
    bool along_mean; /* the alphas were measured along mean_shift; else along direction */
    double default_alpha, max_alpha;
} sm_knob_meta;

typedef struct sm_knob_data {
    int L, H, D;
    float *direction, *mean_shift;         /* [L,H,D] */
    float *weight_norm, *bias;             /* [L,H] */
    float *sigma, *sigma_mean;             /* [L,H] */
    float *accuracy_train, *accuracy_test; /* [L,H] */
    sm_knob_meta meta;
} sm_knob_data;

/* Allocate the arrays for one shape, zeroed. */
smitin_status sm_knob_data_new(sm_knob_data **knob, int L, int H, int D, smitin_error *error);
void sm_knob_data_free(sm_knob_data *knob); /* NULL is allowed */

/* Read and check: version, shapes, checksum, finite values, unit directions, accuracies in 0..1. */
smitin_status sm_knob_data_read(sm_knob_data **knob, const char *path, smitin_error *error);
smitin_status sm_knob_data_parse(sm_knob_data **knob, const void *data, size_t size,
                                 const char *name, smitin_error *error);
smitin_status sm_knob_data_write(const sm_knob_data *knob, const char *path, smitin_error *error);

#endif
