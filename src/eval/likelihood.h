/* SPDX-License-Identifier: MIT */
/* How likely a model finds music, and how far two models agree on it: tallies of logits over codes
 * that are known. Of each codebook, and of all together. */
#ifndef SMITIN_EVAL_LIKELIHOOD_H
#define SMITIN_EVAL_LIKELIHOOD_H

#include <stddef.h>
#include <stdint.h>
#include "../base/error.h"

typedef struct sm_likelihood sm_likelihood;

/* K codebooks of V codes; free with sm_likelihood_free. */
smitin_status sm_likelihood_new(sm_likelihood **likelihood, int K, int V, smitin_error *error);
void sm_likelihood_free(sm_likelihood *likelihood); /* NULL is allowed */
void sm_likelihood_clear(sm_likelihood *likelihood);

/* Count one token: logits [V] of codebook k, of which `code` is the right one, 0..V-1; and a
 * reference's logits [V] of the same token, or NULL. All tokens of a tally have a reference, or
 * none. SMITIN_ERROR_MODEL, and nothing is counted, when a logit is not finite. */
smitin_status sm_likelihood_add(sm_likelihood *likelihood, int k, const float *logits, int32_t code,
                                const float *reference, smitin_error *error);
/* Add what another tally of the same K and V has counted. */
void sm_likelihood_join(sm_likelihood *likelihood, const sm_likelihood *other);

/* With q the softmax of the logits, p that of the reference's, c the right code:
 *
 *     cross-entropy  -log q_c             in nats a token
 *     divergence     sum_i p_i log(p_i / q_i)  Kullback and Leibler's, in nats a token
 *     difference     |l_i - r_i|          of single logits, each less its token's mean (the softmax
 *                                         does not hear the mean)
 *
 * Quantiles are those of bins that are 1/64 to 1/128 of their value wide, told by their middle. */
typedef struct sm_likelihood_result {
    uint64_t tokens;
    double entropy;
    /* NAN without a reference. */
    double reference; /* its cross-entropy */
    double same;      /* share of tokens whose likeliest code is the same */
    double divergence_mean, divergence_p99;
    double difference_mean, difference_p95, difference_max;
} sm_likelihood_result;

/* Of codebook k, or of all with k = -1. Everything is NAN when nothing was counted. */
void sm_likelihood_find(sm_likelihood *likelihood, int k, sm_likelihood_result *result);

#endif
