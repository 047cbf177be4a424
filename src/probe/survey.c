/* SPDX-License-Identifier: MIT */
/* Owns fitting and measuring every head of a store, a layer at a time. */
#include "survey.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../base/blas.h"
#include "measures.h"
#include "probe.h"
#include "solvers.h"

/* What all layers share. Rows are in the order train, valid, test; groups, which are scored, too.
 */
typedef struct job {
    sm_survey *s;
    const sm_store *store;
    const sm_store_meta *about;
    size_t N, begin[SM_SPLITS + 1];
    size_t *rows; /* [N] of the store */
    size_t groups, group_begin[SM_SPLITS + 1];
    size_t *group;      /* [N] */
    double *group_size; /* [groups] */
    size_t *first;      /* [groups]: a row of it, whose labels it has */
    double *targets;    /* [N, width] */
    uint8_t *label;     /* [labels, N] of traits */
    int *class;         /* [N] */
    bool *learnable;    /* [labels] */
    int width, outputs; /* numbers a row has; numbers a probe predicts */
    int inputs;         /* of a probe */
    float *x;           /* [N, H * D] of one layer */
    int layer;
    struct worker *workers;
    smitin_error *errors; /* [items of a layer] */
} job;

typedef struct worker {
    double *theta;     /* [outputs, inputs] */
    double *bias;      /* [outputs] */
    double *p;         /* [outputs] */
    double *pooled;    /* [groups, outputs] */
    double *score;     /* [groups] */
    double *truth;     /* [groups] */
    uint8_t *is;       /* [groups] */
    int *said, *was;   /* [groups] */
    sm_scored *ranked; /* [groups] */
    size_t *counts;    /* [3, classes] */
} worker;

double sm_survey_value(const sm_survey *s, sm_split split, int probe, int column, int measure)
{
    const size_t at = ((size_t)split * (size_t)(s->L * s->U) + (size_t)probe) * (size_t)s->columns;
    return s->values[(at + (size_t)column) * (size_t)s->measures + (size_t)measure];
}

static double *value_at(sm_survey *s, int split, int probe, int column)
{
    const size_t at = ((size_t)split * (size_t)(s->L * s->U) + (size_t)probe) * (size_t)s->columns;
    return s->values + (at + (size_t)column) * (size_t)s->measures;
}

int sm_survey_main(const sm_survey *s)
{
    return s->columns - 1;
}

int sm_survey_best(const sm_survey *s, sm_split split, int column, int measure)
{
    int best = -1;
    double most = 0.0;
    for (int i = 0; i < s->L * s->U; i++) {
        const double value = sm_survey_value(s, split, i, column, measure);
        if (isnan(value) || (best >= 0 && value <= most)) continue;
        best = i;
        most = value;
    }
    return best;
}

/* ---- One probe ---- */

/* Predictions of all rows, added up by groups and divided by their sizes. */
static void pool_predictions(const job *j, worker *w, const float *x, size_t stride, int outputs)
{
    const int n = j->inputs;
    memset(w->pooled, 0, j->groups * (size_t)outputs * sizeof *w->pooled);
    for (size_t i = 0; i < j->N; i++) {
        const float *row = x + i * stride;
        double *out = w->pooled + j->group[i] * (size_t)outputs;
        if (j->s->task == SM_TASK_MULTICLASS) {
            sm_softmax_predict(row, n, outputs, w->theta, w->bias, w->p);
        } else {
            for (int k = 0; k < outputs; k++) {
                double sum = w->bias[k];
                for (int d = 0; d < n; d++) sum += w->theta[(size_t)(k * n + d)] * (double)row[d];
                w->p[k] = j->s->task == SM_TASK_REGRESSION ? sum : 1.0 / (1.0 + exp(-sum));
            }
        }
        for (int k = 0; k < outputs; k++) out[k] += w->p[k];
    }
    for (size_t g = 0; g < j->groups; g++)
        for (int k = 0; k < outputs; k++)
            w->pooled[g * (size_t)outputs + (size_t)k] /= j->group_size[g];
}

static void measure_trait(const job *j, worker *w, int probe, int label)
{
    for (int split = 0; split < SM_SPLITS; split++) {
        const size_t from = j->group_begin[split], count = j->group_begin[split + 1] - from;
        double *out = value_at(j->s, split, probe, label);
        for (size_t g = 0; g < count; g++) {
            w->is[g] = j->label[(size_t)label * j->N + j->first[from + g]];
            w->ranked[g] = (sm_scored){w->pooled[from + g], w->is[g]};
        }
        out[0] = sm_accuracy(w->pooled + from, w->is, count, 0.5);
        out[1] = count > 0 ? sm_f1(w->pooled + from, w->is, count, 0.5) : (double)NAN;
        sm_ranking(w->ranked, count, &out[2], &out[3]);
        /* What the split does not have cannot be found in it. */
        if (isnan(out[3])) out[1] = (double)NAN;
    }
}

static void measure_classes(const job *j, worker *w, int probe)
{
    const int K = j->outputs;
    for (int split = 0; split < SM_SPLITS; split++) {
        const size_t from = j->group_begin[split], count = j->group_begin[split + 1] - from;
        double *out = value_at(j->s, split, probe, 0);
        for (size_t g = 0; g < count; g++) {
            const double *p = w->pooled + (from + g) * (size_t)K;
            w->said[g] = 0;
            for (int k = 1; k < K; k++)
                if (p[k] > p[w->said[g]]) w->said[g] = k;
            w->was[g] = j->class[j->first[from + g]];
        }
        out[0] = sm_class_accuracy(w->said, w->was, count);
        out[1] = sm_macro_f1(w->said, w->was, count, K, w->counts);
        if (j->s->measures > 2)
            out[2] = sm_key_score(w->said, w->was, count, j->s->options.descending);
    }
}

static void measure_numbers(const job *j, worker *w, int probe)
{
    for (int split = 0; split < SM_SPLITS; split++) {
        const size_t from = j->group_begin[split], count = j->group_begin[split + 1] - from;
        for (int t = 0; t < j->outputs; t++) {
            double *out = value_at(j->s, split, probe, t);
            for (size_t g = 0; g < count; g++) {
                w->score[g] = w->pooled[(from + g) * (size_t)j->outputs + (size_t)t];
                w->truth[g] = j->targets[j->first[from + g] * (size_t)j->width + (size_t)t];
            }
            out[0] = sm_r2(w->score, w->truth, count);
            out[1] = sm_pearson(w->score, w->truth, count);
        }
    }
}

/* Probe `unit` of the layer, and of the traits the one called `label`. */
static void fit_one(const job *j, worker *w, int unit, int label, smitin_error *error)
{
    const size_t stride = (size_t)(j->about->H * j->about->D), train = j->begin[1];
    const float *x = j->x + (size_t)unit * (size_t)j->inputs;
    const double C = j->s->options.C;
    const int probe = j->layer * j->s->U + unit;
    smitin_status status = SMITIN_OK;
    switch (j->s->task) {
    case SM_TASK_BINARY:
    case SM_TASK_MULTILABEL:
        if (!j->learnable[label]) {
            for (int split = 0; split < SM_SPLITS; split++)
                for (int m = 0; m < j->s->measures; m++)
                    value_at(j->s, split, probe, label)[m] = (double)NAN;
            return;
        }
        status = sm_logistic_fit(x, stride, j->label + (size_t)label * j->N, train, j->inputs, C,
                                 w->theta, w->bias, error);
        break;
    case SM_TASK_MULTICLASS:
        status = sm_softmax_fit(x, stride, j->class, train, j->inputs, j->outputs, C, w->theta,
                                w->bias, error);
        break;
    case SM_TASK_REGRESSION:
        status = sm_ridge_fit(x, stride, j->targets, train, j->inputs, j->outputs, 1.0 / C,
                              w->theta, w->bias, error);
        break;
    }
    if (status != SMITIN_OK) return;
    pool_predictions(j, w, x, stride, j->outputs);
    if (j->label != NULL)
        measure_trait(j, w, probe, label);
    else if (j->class != NULL)
        measure_classes(j, w, probe);
    else
        measure_numbers(j, w, probe);
}

/* Items of a layer: probes, each label of a probe being one of its own. */
static int items_of(const job *j)
{
    return j->s->U * (j->label != NULL ? j->s->labels : 1);
}

static void fit_items(void *context, int worker_index, int first, int last)
{
    const job *j = context;
    const int labels = j->label != NULL ? j->s->labels : 1;
    for (int i = first; i < last; i++)
        fit_one(j, &j->workers[worker_index], i / labels, i % labels, &j->errors[i]);
}

/* ---- A layer ---- */

static void standardise(const job *j)
{
    const size_t width = (size_t)(j->about->H * j->about->D), train = j->begin[1];
    for (size_t d = 0; d < width; d++) {
        double mean = 0.0, squares = 0.0;
        for (size_t i = 0; i < train; i++) {
            const double off = (double)j->x[i * width + d] - mean;
            mean += off / (double)(i + 1);
            squares += off * ((double)j->x[i * width + d] - mean);
        }
        const double deviation = sqrt(squares / (double)train);
        for (size_t i = 0; i < j->N; i++)
            j->x[i * width + d] =
                (float)(((double)j->x[i * width + d] - mean) / (deviation > 0.0 ? deviation : 1.0));
    }
}

/* The mean over the labels that have a value. */
static void add_means(sm_survey *s, int probe)
{
    if (s->columns == s->labels) return;
    for (int split = 0; split < SM_SPLITS; split++)
        for (int m = 0; m < s->measures; m++) {
            double sum = 0.0;
            int count = 0;
            for (int k = 0; k < s->labels; k++) {
                const double value = value_at(s, split, probe, k)[m];
                if (!isnan(value)) sum += value;
                count += !isnan(value);
            }
            value_at(s, split, probe, s->labels)[m] = count > 0 ? sum / count : (double)NAN;
        }
}

static smitin_status fit_layer(job *j, sm_pool *pool, smitin_error *error)
{
    const int items = items_of(j), labels = items / j->s->U;
    sm_store_layer(j->store, j->layer, j->rows, j->N, j->x);
    if (j->s->options.standardise) standardise(j);
    memset(j->errors, 0, (size_t)items * sizeof *j->errors);
    sm_pool_run(pool, fit_items, j, items, 1);
    for (int i = 0; i < items; i++)
        if (j->errors[i].status != SMITIN_OK)
            return sm_fail(error, j->errors[i].status, "layer %d, head %d: %s", j->layer,
                           i / labels, j->errors[i].message);
    for (int u = 0; u < j->s->U; u++) add_means(j->s, j->layer * j->s->U + u);
    return SMITIN_OK;
}

/* ---- What all layers share ---- */

static bool is_key_task(const sm_store_meta *about)
{
    if (about->task != SM_TASK_MULTICLASS || about->classes != SM_KEYS) return false;
    for (int k = 0; k < SM_KEYS; k++)
        if (strcmp(about->names[k], sm_key_names[k]) != 0) return false;
    return true;
}

int sm_survey_measures_of(const sm_store_meta *about, const char *names[SM_MEASURES_MAX])
{
    static const char *const all[SM_TASKS][SM_MEASURES_MAX] = {{"accuracy", "f1", "auc", "ap"},
                                                               {"accuracy", "f1", "auc", "ap"},
                                                               {"accuracy", "f1", "key"},
                                                               {"r2", "pearson"}};
    memcpy(names, all[about->task], sizeof all[about->task]);
    switch (about->task) {
    case SM_TASK_REGRESSION:
        return 2;
    case SM_TASK_MULTICLASS:
        return is_key_task(about) ? 3 : 2;
    case SM_TASK_BINARY:
    case SM_TASK_MULTILABEL:
        break;
    }
    return 4;
}

static smitin_status survey_new(sm_survey **out, const sm_store_meta *about,
                                const sm_survey_options *options, smitin_error *error)
{
    sm_survey *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL) return sm_fail_memory(error, "a survey", sizeof *s);
    s->options = *options;
    s->task = about->task;
    s->L = about->L;
    s->U = options->layers ? 1 : about->H;
    s->labels = about->task == SM_TASK_MULTICLASS ? 1 : about->classes;
    s->columns = s->labels + (s->labels > 1);
    s->measures = sm_survey_measures_of(about, s->measure_names);
    const size_t count =
        (size_t)SM_SPLITS * (size_t)(s->L * s->U) * (size_t)s->columns * (size_t)s->measures;
    s->values = calloc(count, sizeof *s->values);
    s->positives = calloc((size_t)SM_SPLITS * (size_t)about->classes, sizeof *s->positives);
    if (s->values == NULL || s->positives == NULL) {
        sm_survey_free(s);
        return sm_fail_memory(error, "a survey", count * sizeof *s->values);
    }
    *out = s;
    return SMITIN_OK;
}

void sm_survey_free(sm_survey *s)
{
    if (s == NULL) return;
    free(s->values);
    free(s->positives);
    free(s);
}

static void job_free(job *j, int threads)
{
    free(j->rows), free(j->group), free(j->group_size), free(j->first);
    free(j->targets), free(j->label), free(j->class), free(j->learnable);
    free(j->x), free(j->errors);
    for (int t = 0; t < threads && j->workers != NULL; t++) {
        worker *w = &j->workers[t];
        free(w->theta), free(w->pooled), free(w->is), free(w->said), free(w->ranked);
        free(w->counts);
    }
    free(j->workers);
}

/* Rows by split, and what each is labelled with. */
static smitin_status take_rows(job *j, smitin_error *error)
{
    const size_t width = (size_t)j->width, classes = (size_t)j->about->classes;
    const bool traits = j->s->task == SM_TASK_BINARY || j->s->task == SM_TASK_MULTILABEL;
    j->rows = calloc(j->N, sizeof *j->rows);
    j->targets = calloc(j->N * width, sizeof *j->targets);
    j->learnable = calloc(classes, sizeof *j->learnable);
    if (traits) j->label = calloc(classes * j->N, 1);
    if (j->s->task == SM_TASK_MULTICLASS) j->class = calloc(j->N, sizeof *j->class);
    if (j->rows == NULL || j->targets == NULL || j->learnable == NULL ||
        (traits && j->label == NULL) || (j->s->task == SM_TASK_MULTICLASS && j->class == NULL))
        return sm_fail_memory(error, "labels", j->N * width * sizeof *j->targets);
    size_t at = 0;
    for (int split = 0; split < SM_SPLITS; split++) {
        size_t *positives = j->s->positives + (size_t)split * classes;
        j->begin[split] = at;
        for (size_t i = 0; i < j->N; i++) {
            const sm_clip *clip = &sm_store_row(j->store, i)->clip;
            if ((int)clip->split != split) continue;
            j->rows[at] = i;
            memcpy(j->targets + at * width, clip->values, width * sizeof *clip->values);
            for (size_t k = 0; k < classes && traits; k++) {
                j->label[k * j->N + at] = clip->values[k] != 0.0;
                positives[k] += clip->values[k] != 0.0;
            }
            if (j->class != NULL) {
                j->class[at] = (int)clip->values[0];
                positives[j->class[at]]++;
            }
            at++;
        }
        j->s->rows[split] = at - j->begin[split];
    }
    j->begin[SM_SPLITS] = at;
    return SMITIN_OK;
}

typedef struct named {
    const char *track;
    size_t row;
} named;

static int by_track(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int order = strcmp(x->track, y->track);
    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* Rows of one track and split are a group; or every row is. */
static smitin_status take_groups(job *j, smitin_error *error)
{
    j->group = calloc(j->N, sizeof *j->group);
    j->group_size = calloc(j->N, sizeof *j->group_size);
    j->first = calloc(j->N, sizeof *j->first);
    named *order = calloc(j->N, sizeof *order);
    if (j->group == NULL || j->group_size == NULL || j->first == NULL || order == NULL) {
        free(order);
        return sm_fail_memory(error, "tracks", j->N * sizeof *order);
    }
    for (size_t i = 0; i < j->N; i++)
        order[i] = (named){sm_store_row(j->store, j->rows[i])->clip.track, i};
    for (int split = 0; split < SM_SPLITS; split++) {
        const size_t from = j->begin[split], count = j->begin[split + 1] - from;
        j->group_begin[split] = j->groups;
        if (j->s->options.by_track && count > 0)
            qsort(order + from, count, sizeof *order, by_track);
        for (size_t i = from; i < from + count; i++) {
            const bool same = j->s->options.by_track && i > from &&
                              strcmp(order[i].track, order[i - 1].track) == 0;
            if (!same) j->first[j->groups++] = order[i].row;
            j->group[order[i].row] = j->groups - 1;
            j->group_size[j->groups - 1] += 1.0;
        }
        j->s->scored[split] = j->groups - j->group_begin[split];
    }
    j->group_begin[SM_SPLITS] = j->groups;
    free(order);
    return SMITIN_OK;
}

static smitin_status check_rows(job *j, smitin_error *error)
{
    const sm_survey *s = j->s;
    const size_t train = s->rows[SM_SPLIT_TRAIN], classes = (size_t)j->about->classes;
    if (train == 0 || s->rows[SM_SPLIT_TEST] == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "there are %zu clips to train and %zu to test; both are needed", train,
                       s->rows[SM_SPLIT_TEST]);
    size_t seen = 0, learnable = 0;
    for (size_t k = 0; k < classes; k++) {
        seen += s->positives[k] > 0;
        j->learnable[k] = s->positives[k] > 0 && s->positives[k] < train;
        learnable += j->learnable[k];
    }
    if (j->label != NULL && learnable == 0)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                       "no label is in some of the %zu clips to train and missing in others",
                       train);
    if (j->class != NULL && seen < 2)
        return sm_fail(error, SMITIN_ERROR_ARGUMENT, "the %zu clips to train are all of one class",
                       train);
    return SMITIN_OK;
}

static smitin_status take_memory(job *j, int threads, smitin_error *error)
{
    const size_t n = (size_t)j->inputs, o = (size_t)j->outputs, G = j->groups;
    const size_t layer = (size_t)(j->about->H * j->about->D);
    j->x = calloc(j->N * layer, sizeof *j->x);
    j->errors = calloc((size_t)items_of(j), sizeof *j->errors);
    j->workers = calloc((size_t)threads, sizeof *j->workers);
    bool fine = j->x != NULL && j->errors != NULL && j->workers != NULL;
    for (int t = 0; t < threads && fine; t++) {
        worker *w = &j->workers[t];
        w->theta = calloc(o * n + 2 * o, sizeof *w->theta);
        w->pooled = calloc(G * o + 2 * G, sizeof *w->pooled);
        w->is = calloc(G, 1);
        w->said = calloc(2 * G, sizeof *w->said);
        w->ranked = calloc(G, sizeof *w->ranked);
        w->counts = calloc(3 * o, sizeof *w->counts);
        fine = w->theta != NULL && w->pooled != NULL && w->is != NULL && w->said != NULL &&
               w->ranked != NULL && w->counts != NULL;
        if (!fine) break;
        w->bias = w->theta + o * n;
        w->p = w->bias + o;
        w->score = w->pooled + G * o;
        w->truth = w->score + G;
        w->was = w->said + G;
    }
    return fine ? SMITIN_OK
                : sm_fail_memory(error, "a layer of head outputs", j->N * layer * sizeof *j->x);
}

smitin_status sm_survey_run(sm_survey **out, const sm_store *store,
                            const sm_survey_options *options, sm_pool *pool,
                            void (*progress)(void *user, int done, int total), void *user,
                            smitin_error *error)
{
    const sm_store_meta *about = sm_store_about(store);
    const int threads = pool != NULL ? sm_pool_threads(pool) : 1;
    sm_survey *s = NULL;
    *out = NULL;
    SM_TRY(survey_new(&s, about, options, error));
    job j = {.s = s, .store = store, .about = about, .N = sm_store_rows(store)};
    j.width = sm_task_width(about->task, about->classes);
    j.outputs =
        about->task == SM_TASK_BINARY || about->task == SM_TASK_MULTILABEL ? 1 : about->classes;
    j.inputs = options->layers ? about->H * about->D : about->D;
    smitin_status status = take_rows(&j, error);
    if (status == SMITIN_OK) status = check_rows(&j, error);
    if (status == SMITIN_OK) status = take_groups(&j, error);
    if (status == SMITIN_OK) status = take_memory(&j, threads, error);
    const int blas = sm_blas_single();
    for (j.layer = 0; j.layer < about->L && status == SMITIN_OK; j.layer++) {
        if (progress != NULL) progress(user, j.layer, about->L);
        status = fit_layer(&j, pool, error);
    }
    sm_blas_restore(blas);
    if (progress != NULL && status == SMITIN_OK) progress(user, about->L, about->L);
    job_free(&j, threads);
    if (status != SMITIN_OK)
        sm_survey_free(s);
    else
        *out = s;
    return status;
}
