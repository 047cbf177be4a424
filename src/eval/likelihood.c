/* SPDX-License-Identifier: MIT */
#include "likelihood.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Numbers from 0 on, counted by the first bits of their float: the exponent and six bits of the
 * mantissa, so that no range has to be known before. */
enum { BIN_SHIFT = 17, BINS = 1 << (31 - BIN_SHIFT) };

typedef struct spread {
    uint64_t bins[BINS], count;
    double sum, max;
} spread;

typedef struct tally {
    uint64_t tokens, referred, same;
    double entropy, reference;
    spread divergence, difference;
} tally;

struct sm_likelihood {
    int K, V;
    tally *books; /* [K], and one for their sum */
};

static void spread_add(spread *s, double value)
{
    const float x = (float)value;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    s->bins[bits >> BIN_SHIFT]++;
    s->count++;
    s->sum += value;
    s->max = fmax(s->max, value);
}

static double bin_middle(uint32_t bin)
{
    const uint32_t bits[2] = {bin << BIN_SHIFT, (bin + 1) << BIN_SHIFT};
    float edge[2];
    memcpy(edge, bits, sizeof edge);
    return bin == 0 ? 0.0 : 0.5 * ((double)edge[0] + (double)edge[1]);
}

/* The smallest value that `share` of all do not exceed. */
static double spread_quantile(const spread *s, double share)
{
    const double wanted = ceil(share * (double)s->count);
    uint64_t below = 0;
    for (uint32_t bin = 0; bin < BINS; bin++) {
        below += s->bins[bin];
        if (below > 0 && (double)below >= wanted) return fmin(bin_middle(bin), s->max);
    }
    return (double)NAN;
}

static void spread_join(spread *to, const spread *from)
{
    for (int bin = 0; bin < BINS; bin++) to->bins[bin] += from->bins[bin];
    to->count += from->count;
    to->sum += from->sum;
    to->max = fmax(to->max, from->max);
}

static void tally_join(tally *to, const tally *from)
{
    to->tokens += from->tokens;
    to->referred += from->referred;
    to->same += from->same;
    to->entropy += from->entropy;
    to->reference += from->reference;
    spread_join(&to->divergence, &from->divergence);
    spread_join(&to->difference, &from->difference);
}

smitin_status sm_likelihood_new(sm_likelihood **out, int K, int V, smitin_error *error)
{
    *out = NULL;
    sm_likelihood *likelihood = calloc(1, sizeof *likelihood);
    tally *books = calloc((size_t)K + 1, sizeof *books);
    if (likelihood == NULL || books == NULL) {
        free(likelihood);
        free(books);
        return sm_fail_memory(error, "a tally of logits", (size_t)K * sizeof *books);
    }
    *likelihood = (sm_likelihood){.K = K, .V = V, .books = books};
    *out = likelihood;
    return SMITIN_OK;
}

void sm_likelihood_free(sm_likelihood *likelihood)
{
    if (likelihood == NULL) return;
    free(likelihood->books);
    free(likelihood);
}

void sm_likelihood_clear(sm_likelihood *likelihood)
{
    memset(likelihood->books, 0, (size_t)likelihood->K * sizeof *likelihood->books);
}

void sm_likelihood_join(sm_likelihood *likelihood, const sm_likelihood *other)
{
    for (int k = 0; k < likelihood->K; k++) tally_join(&likelihood->books[k], &other->books[k]);
}

/* Logits [V] of one token, as a distribution. */
typedef struct view {
    const float *logits;
    int best;      /* the first of the likeliest */
    double mean;   /* of the logits */
    double summit; /* log of the sum of exp(logit) */
} view;

static bool look(view *v, const float *logits, int V)
{
    double sum = 0.0, total = 0.0;
    *v = (view){.logits = logits};
    for (int i = 0; i < V; i++) {
        if (!isfinite(logits[i])) return false;
        if (logits[i] > logits[v->best]) v->best = i;
        sum += (double)logits[i];
    }
    const double most = (double)logits[v->best];
    for (int i = 0; i < V; i++) total += exp((double)logits[i] - most);
    v->mean = sum / V;
    v->summit = most + log(total);
    return true;
}

static void compare(tally *t, const view *q, const view *p, int V)
{
    double divergence = 0.0;
    for (int i = 0; i < V; i++) {
        const double l = (double)q->logits[i], r = (double)p->logits[i];
        divergence += exp(r - p->summit) * ((r - p->summit) - (l - q->summit));
        spread_add(&t->difference, fabs((l - q->mean) - (r - p->mean)));
    }
    spread_add(&t->divergence, fmax(divergence, 0.0)); /* below 0 by rounding alone */
    t->same += q->best == p->best;
    t->referred++;
}

smitin_status sm_likelihood_add(sm_likelihood *likelihood, int k, const float *logits, int32_t code,
                                const float *reference, smitin_error *error)
{
    const int V = likelihood->V;
    tally *t = &likelihood->books[k];
    view own, other;
    if (!look(&own, logits, V) || (reference != NULL && !look(&other, reference, V)))
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "a logit of codebook %d is not a finite number; the model's weights are "
                       "damaged, or too large for this format",
                       k);
    t->tokens++;
    t->entropy += own.summit - (double)logits[code];
    if (reference == NULL) return SMITIN_OK;
    t->reference += other.summit - (double)reference[code];
    compare(t, &own, &other, V);
    return SMITIN_OK;
}

static void find(const tally *t, sm_likelihood_result *r)
{
    const double none = (double)NAN, tokens = (double)t->tokens;
    const bool referred = t->referred > 0;
    *r = (sm_likelihood_result){
        .tokens = t->tokens,
        .entropy = t->tokens > 0 ? t->entropy / tokens : none,
        .reference = referred ? t->reference / tokens : none,
        .same = referred ? (double)t->same / tokens : none,
        .divergence_mean = referred ? t->divergence.sum / tokens : none,
        .divergence_p99 = spread_quantile(&t->divergence, 0.99),
        .difference_mean = referred ? t->difference.sum / (double)t->difference.count : none,
        .difference_p95 = spread_quantile(&t->difference, 0.95),
        .difference_max = referred ? t->difference.max : none,
    };
}

void sm_likelihood_find(sm_likelihood *likelihood, int k, sm_likelihood_result *result)
{
    if (k >= 0) {
        find(&likelihood->books[k], result);
        return;
    }
    tally *all = &likelihood->books[likelihood->K];
    memset(all, 0, sizeof *all);
    for (int i = 0; i < likelihood->K; i++) tally_join(all, &likelihood->books[i]);
    find(all, result);
}
