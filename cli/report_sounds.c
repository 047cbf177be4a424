/* SPDX-License-Identifier: MIT */
/* Pieces to hear and to see: the same seeds under several conditions, side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/audio/audio.h"
#include "../src/eval/excerpt.h"
#include "../src/eval/spectrogram.h"
#include "report.h"

enum { WIDTH = 480 }; /* of a spectrogram, pixels */

/* Conditions [count] that stand beside each other, the first for comparison. */
typedef struct row_plan {
    int *conditions;
    int count;
} row_plan;

/* ---- Which conditions ---- */

static void add_condition(row_plan *row, int condition)
{
    for (int i = 0; i < row->count; i++)
        if (row->conditions[i] == condition) return;
    row->conditions[row->count++] = condition;
}

/* The B of every A:B beside that A; without --compare all beside the first condition. `rows`
 * [compare + 1], each with room for all conditions; returns how many there are. */
static int plan_rows(const report_job *job, const report_experiment *x, row_plan *rows)
{
    const text_list *compare = &job->options.compare;
    int count = 0;
    for (int i = 0; i < compare->count; i++) {
        int from, to, at = 0;
        if (!report_pair(x, compare->items[i], &from, &to)) continue; /* of another experiment */
        while (at < count && rows[at].conditions[0] != from) at++;
        if (at == count) add_condition(&rows[count++], from);
        add_condition(&rows[at], to);
    }
    for (int c = 0; compare->count == 0 && c < x->e.plan.count; c++) add_condition(&rows[0], c);
    return compare->count == 0 ? 1 : count;
}

/* ---- One piece ---- */

static size_t row_of(const report_experiment *x, int c, int piece)
{
    return (size_t)(c * x->e.plan.pieces + piece);
}

/* Length, and success, dose and presence of the piece's own knobs. */
static void write_note(const report_experiment *x, size_t row, double seconds, char *text,
                       size_t size)
{
    static const char *const begins[] = {"success_", "dose_", "presence_"};
    static const char *const names[] = {"success", "dose", "presence"};
    size_t used = (size_t)snprintf(text, size, "%.1f s", seconds);
    for (size_t c = 0; c < x->rows.columns; c++) {
        const char *knob = x->rows.header[c] + strlen("success_");
        if (strncmp(x->rows.header[c], "success_", 8) != 0 || strncmp(knob, "half_", 5) == 0)
            continue;
        for (int m = 0; m < 3 && used < size; m++) {
            char column[160], value[32];
            snprintf(column, sizeof column, "%s%.100s", begins[m], knob);
            const double v = eval_cell(&x->rows, row, sm_table_column(&x->rows, column));
            if (isnan(v)) continue;
            report_number(v, value, sizeof value);
            used +=
                (size_t)snprintf(text + used, size - used, ", %s of %s %s", names[m], knob, value);
        }
    }
}

/* The clip in one channel, samples to free(); NULL when memory is short. */
static float *mono_of(const sm_excerpt *clip)
{
    const size_t size = clip->frames * (size_t)clip->channels * sizeof(float);
    sm_audio mono = {malloc(size + 1), clip->frames, clip->channels, clip->rate};
    if (mono.samples == NULL) return NULL;
    memcpy(mono.samples, clip->samples, size);
    sm_audio_to_mono(&mono);
    return mono.samples;
}

/* A rate that MP3 has: these two hold what the rest may be. */
static int mp3_rate(const char *path)
{
    size_t frames;
    int channels, rate;
    const bool high =
        sm_audio_probe(path, &frames, &channels, &rate, NULL) == SMITIN_OK && rate >= 44100;
    return high ? 44100 : 32000;
}

static smitin_status make_card(report_job *job, const report_experiment *x, int c, int piece,
                               const sm_excerpt *clip, smitin_error *error)
{
    const char *condition = x->e.plan.conditions[c].name;
    char title[200], about[300], name[160], note[512];
    unsigned char *png = NULL;
    size_t png_size = 0;
    snprintf(title, sizeof title, "%s, seed %.0f", condition, x->e.plan.seed + piece);
    snprintf(about, sizeof about, "Mel spectrogram of %s, piece %d, %.1f s", condition, piece,
             clip->seconds);
    snprintf(name, sizeof name, "e%d-sound-%s-%04d", x->number, condition, piece);
    write_note(x, row_of(x, c, piece), clip->seconds, note, sizeof note);
    float *mono = mono_of(clip);
    if (mono == NULL) return sm_fail_memory(error, "a sample", clip->frames * sizeof *mono);
    /* The same scale of time for pieces that stand side by side. */
    const double seconds = fmin(REPORT_SECONDS, ceil(2.0 * clip->seconds) / 2.0);
    smitin_status status =
        sm_spectrogram_png(&png, &png_size, mono, clip->frames, clip->rate, seconds, WIDTH, error);
    const sm_card card = {.title = title,
                          .note = note,
                          .name = name,
                          .png = png,
                          .png_size = png_size,
                          .about = about,
                          .samples = clip->samples,
                          .frames = clip->frames,
                          .channels = clip->channels,
                          .rate = clip->rate};
    if (status == SMITIN_OK) status = sm_document_card(job->document, &card, error);
    free(png);
    free(mono);
    return status;
}

/* A piece that cannot be read was told with the pieces; here it is only not there. */
static int add_card(report_job *job, const report_experiment *x, int c, int piece)
{
    char path[EXPERIMENT_PATH];
    smitin_error error = {0};
    sm_excerpt clip;
    const double skipped =
        eval_cell(&x->rows, row_of(x, c, piece), sm_table_column(&x->rows, "skipped"));
    experiment_path(&x->e, piece * x->e.plan.count + c, ".wav", path);
    const sm_excerpt_options how = {.skip = isnan(skipped) ? 0.0 : skipped,
                                    .seconds = REPORT_SECONDS,
                                    .lufs = (double)NAN,
                                    .rate = mp3_rate(path)};
    if (sm_excerpt_make(&clip, path, &how, &error) != SMITIN_OK) {
        if (error.status == SMITIN_ERROR_MEMORY) return report_error(&error);
        report_note(job, "no sample: %s", error.message);
        return EXIT_DONE;
    }
    const smitin_status status = make_card(job, x, c, piece, &clip, &error);
    sm_excerpt_free(&clip);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* ---- All of them ---- */

static int add_rows(report_job *job, const report_experiment *x, const row_plan *rows, int count)
{
    const int samples =
        job->options.samples < x->e.plan.pieces ? job->options.samples : x->e.plan.pieces;
    int code = EXIT_DONE, left_out = 0;
    sm_document_heading(job->document, 3, "The same seeds side by side");
    sm_document_text(
        job->document,
        "The first %d of %d seeds, whatever came of them: up to %.0f s behind the "
        "prompt, as loud as they are. Spectrograms: 128 mel bands from 40 Hz to half the "
        "rate, from -80 dB (dark) to full scale (light), low pitches below.",
        samples, x->e.plan.pieces, REPORT_SECONDS);
    for (int i = 0; i < samples && code == EXIT_DONE; i++)
        for (int r = 0; r < count && code == EXIT_DONE; r++) {
            const char *text = sm_experiment_text(&x->e.plan, i);
            const char *clip = sm_experiment_clip(&x->e.plan, i);
            sm_document_text(job->document, "Piece %d, seed %.0f%s%s%s%s", i, x->e.plan.seed + i,
                             clip != NULL ? ", after " : "", clip != NULL ? clip : "",
                             text != NULL ? ": " : "", text != NULL ? text : "");
            sm_document_cards(job->document);
            for (int c = 0; c < rows[r].count && code == EXIT_DONE; c++) {
                if (sm_document_held(job->document) < REPORT_HELD_MAX)
                    code = add_card(job, x, rows[r].conditions[c], i);
                else
                    left_out++;
            }
            sm_document_cards_end(job->document);
        }
    if (left_out > 0)
        report_note(job, "%d samples of %s: the page already holds %d MiB; ask for fewer --samples",
                    left_out, x->folder, (int)(REPORT_HELD_MAX >> 20));
    return code;
}

int report_sounds_write(report_job *job, const report_experiment *x)
{
    const size_t conditions = (size_t)x->e.plan.count,
                 most = (size_t)job->options.compare.count + 1;
    if (job->options.samples == 0) return EXIT_DONE;
    row_plan *rows = calloc(most, sizeof *rows);
    int *places = calloc(most * conditions, sizeof *places);
    int code = rows != NULL && places != NULL ? EXIT_DONE : eval_no_memory();
    for (size_t r = 0; r < most && code == EXIT_DONE; r++)
        rows[r].conditions = places + r * conditions;
    const int count = code == EXIT_DONE ? plan_rows(job, x, rows) : 0;
    if (count > 0) code = add_rows(job, x, rows, count);
    free(rows);
    free(places);
    return code;
}
