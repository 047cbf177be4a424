/* SPDX-License-Identifier: MIT */
/* Owns how a knob's accuracies are shown: a table as CSV and a heat map of layers x heads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "probe.h"
#include "text.h"

smitin_status sm_probe_write_csv(const sm_knob_data *knob, const char *path, smitin_error *error)
{
    sm_text csv = sm_text_new();
    sm_text_add(&csv, "layer,head,accuracy_train,accuracy_test,sigma,weight_norm\n");
    for (int i = 0; i < knob->L * knob->H; i++)
        sm_text_add(&csv, "%d,%d,%.6f,%.6f,%.9g,%.9g\n", i / knob->H, i % knob->H,
                    (double)knob->accuracy_train[i], (double)knob->accuracy_test[i],
                    (double)knob->sigma[i], (double)knob->weight_norm[i]);
    return sm_text_write(&csv, path, error);
}

smitin_status sm_probe_write_heatmap(const sm_knob_data *knob, const char *path,
                                     smitin_error *error)
{
    const int total = knob->L * knob->H;
    double best = 0.0, mean = 0.0, *percent = calloc((size_t)total, sizeof *percent);
    if (percent == NULL) return sm_fail_memory(error, path, (size_t)total * sizeof *percent);
    for (int i = 0; i < total; i++) {
        percent[i] = 100.0 * (double)knob->accuracy_test[i];
        best = fmax(best, percent[i]);
        mean += percent[i] / total;
    }
    char title[200];
    snprintf(title, sizeof title, "%s: test accuracy of the heads (best %.1f %%, mean %.1f %%)",
             knob->meta.trait, best, mean);
    /* From chance upwards; what is below chance by luck shares its colour. */
    const sm_heatmap map = {.values = percent,
                            .L = knob->L,
                            .H = knob->H,
                            .title = title,
                            .label = "accuracy on test data, %",
                            .low = 50.0,
                            .high = 100.0};
    const smitin_status status = sm_heatmap_write(&map, path, error);
    free(percent);
    return status;
}
