/* SPDX-License-Identifier: MIT */
/* What "smitin bench" says: tables for people, JSON for programs. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "bench.h"

/* ---- Words ---- */

static const char *title(const bench_options *o)
{
    if (o->shape != NULL) return o->shape;
    return o->model.hf != NULL ? o->model.hf : o->model.model;
}

/* "88 81-93": of the machine's reading, the median and the quartiles, in 12 columns. */
static void print_share(const bench_place *at)
{
    char text[40] = "-";
    if (isfinite(at->share))
        snprintf(text, sizeof text, "%.0f %.0f-%.0f", 100.0 * at->share, 100.0 * at->share_low,
                 100.0 * at->share_high);
    printf("%12s", text);
}

/* A number in `width` columns, or a dash where there is none. */
static void cell(int width, int digits, double value)
{
    if (isfinite(value))
        printf("%*.*f", width, digits, value);
    else
        printf("%*s", width, "-");
}

void bench_print_head(const bench_run *run)
{
    const smitin_model_info *info = &run->results[0].info;
    printf("%s: %d layers of %d, %.0f M weights; %d row%s, %d thread%s, which read %.1f GB/s\n\n",
           title(&run->o), info->layers, info->hidden_size, 1e-6 * (double)info->parameters,
           run->results[0].rows, run->results[0].rows == 1 ? "" : "s", run->threads,
           run->threads == 1 ? "" : "s", 1e-9 * run->read_rate);
    printf("%-6s%5s%9s%9s%7s |%29s%8s |%21s |%26s |%7s%10s |%14s\n", "", "cache", "weights",
           "resident", "load", "steps a second at frame ", "mean", "a step, ms ",
           "GB/s read at frame 250 ", "first", "prompt", "codec, x real");
    printf("%-6s%5s%9s%9s%7s |%8d%7d%7d%7d%8s |%7s%7s%7s |%8s%6s%12s |%7s%10s |%7s%7s\n", "", "",
           "MB", "MB", "s", bench_positions[0], bench_positions[1], bench_positions[2],
           bench_positions[3], "30 s", "P50", "P95", "P99", "step", "of", "%", "sound", "frames/s",
           "decode", "encode");
}

void bench_print_row(const bench_result *r)
{
    const bench_place *at = &r->places[1];
    printf("%-6s%5s", r->format, model_caches[r->info.cache]);
    cell(9, 0, 1e-6 * (double)r->info.memory_bytes);
    cell(9, 0, 1e-6 * r->resident);
    cell(7, 1, r->load);
    printf(" |");
    for (int i = 0; i < BENCH_POSITIONS; i++) cell(i == 0 ? 8 : 7, 1, 1.0 / r->places[i].step);
    cell(8, 1, r->mean);
    printf(" |");
    cell(7, 1, 1e3 * r->p50);
    cell(7, 1, 1e3 * r->p95);
    cell(7, 1, 1e3 * r->p99);
    printf(" |");
    cell(8, 1, 1e-9 * at->bytes / at->step);
    cell(6, 1, 1e-9 * at->reading);
    print_share(at);
    printf(" |");
    cell(7, 2, r->first_sound);
    cell(10, 0, r->prefill);
    printf(" |");
    cell(7, 1, r->decode);
    cell(7, 1, r->encode);
    printf("\n");
}

/* What arithmetic, probing and knobs come to. */
static void print_costs(const bench_run *run)
{
    printf("\nPrompt: arithmetic, and its share of what f32 registers can do");
    if (isfinite(run->peak)) printf(", %.0f GFLOP/s", 1e-9 * run->peak);
    printf(". Probing: clips of 3 s, and what keeping all\nheads adds to their passes. Knobs: what "
           "four of them add to a step at frame 250.\n\n");
    printf("%-6s |%8s%7s |%8s%8s |%6s\n", "", "prompt", "share", "probing", "keeping", "knobs");
    printf("%-6s |%8s%7s |%8s%8s |%6s\n", "", "GFLOP/s", "%", "clips/s", "%", "%");
    for (int i = 0; i < run->count; i++) {
        const bench_result *r = &run->results[i];
        printf("%-6s |", r->format);
        cell(8, 0, 1e-9 * r->prefill_flops);
        cell(7, 0, 100.0 * r->prefill_flops / run->peak);
        printf(" |");
        cell(8, 1, r->probe);
        cell(8, 1, 100.0 * r->capture);
        printf(" |");
        cell(6, 1, 100.0 * r->knobs);
        printf("\n");
    }
}

/* Seconds from text to a file. */
static void print_pipeline(const bench_run *run)
{
    printf(
        "\nText to WAV, %.3g s of music: seconds that each part takes; x: times real time. Bound: "
        "x "
        "if steps\ntook only as long as their bytes at the machine's reading. Resident: with the "
        "last step made.\n\n",
        run->results[0].pipeline.seconds);
    printf("%-6s |%7s%8s%10s%8s%7s%8s |%6s%7s |%9s\n", "", "text", "steps", "sampling", "codec",
           "file", "whole", "x", "bound", "resident");
    printf("%-6s |%7s%8s%10s%8s%7s%8s |%6s%7s |%9s\n", "", "s", "s", "of these", "s", "s", "s", "",
           "x", "MB");
    for (int i = 0; i < run->count; i++) {
        const bench_pipeline *p = &run->results[i].pipeline;
        printf("%-6s |", run->results[i].format);
        cell(7, 2, p->text);
        cell(8, 2, p->steps);
        cell(10, 2, p->sampling);
        cell(8, 2, p->codec);
        cell(7, 2, p->file);
        cell(8, 2, p->whole);
        printf(" |");
        cell(6, 2, p->seconds / p->whole);
        cell(7, 2, p->seconds / p->bound);
        printf(" |");
        cell(9, 0, 1e-6 * p->resident_bytes);
        printf("\n");
    }
}

/* Where the time of a step goes, of one format. */
static void print_profile(const bench_result *r)
{
    printf("\n%s, a step: ms, MB read, GB/s, and %% of the machine's reading\n\n%-15s", r->format,
           "");
    for (int i = 0; i < BENCH_POSITIONS; i++) printf(" |%18s %-6d", "frame", bench_positions[i]);
    printf("\n%-15s", "");
    for (int i = 0; i < BENCH_POSITIONS; i++) printf(" |%7s%7s%6s%5s", "ms", "MB", "GB/s", "%");
    printf("\n");
    for (int part = 0; part <= SMITIN_PARTS; part++) { /* the last line is their sum */
        double seconds[BENCH_POSITIONS], bytes[BENCH_POSITIONS], any = 0.0;
        for (int i = 0; i < BENCH_POSITIONS; i++) {
            seconds[i] = bytes[i] = 0.0;
            for (int k = 0; k < SMITIN_PARTS; k++) {
                if (part != SMITIN_PARTS && part != k) continue;
                seconds[i] += r->places[i].profile.seconds[k];
                bytes[i] += r->places[i].profile.bytes[k];
            }
            any += seconds[i];
        }
        if (any == 0.0) continue;
        printf("%-15s", part < SMITIN_PARTS ? smitin_part_name((smitin_part)part) : "a step");
        for (int i = 0; i < BENCH_POSITIONS; i++) {
            const bool measured = seconds[i] > 0.0, reads = measured && bytes[i] > 0.0;
            const double rate = reads ? bytes[i] / seconds[i] : (double)NAN;
            printf(" |");
            cell(7, 3, measured ? 1e3 * seconds[i] : (double)NAN);
            cell(7, 1, reads ? 1e-6 * bytes[i] : (double)NAN);
            cell(6, 1, 1e-9 * rate);
            cell(5, 0, 100.0 * rate / r->places[i].reading);
        }
        printf("\n");
    }
}

void bench_print_rest(const bench_run *run)
{
    print_costs(run);
    if (run->o.full) print_pipeline(run);
    for (int i = 0; i < run->count && run->o.profile; i++) print_profile(&run->results[i]);
}

/* ---- JSON ---- */

static void put(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, isfinite(value) ? json_real(value) : json_null());
}

static json_t *profile_json(const smitin_profile *profile)
{
    json_t *parts = json_array();
    for (int k = 0; k < SMITIN_PARTS; k++) {
        json_t *part = json_object();
        json_object_set_new(part, "part", json_string(smitin_part_name((smitin_part)k)));
        put(part, "seconds", profile->seconds[k]);
        put(part, "bytes", profile->bytes[k]);
        json_array_append_new(parts, part);
    }
    return parts;
}

static json_t *place_json(const bench_run *run, const bench_place *place, int frame)
{
    json_t *at = json_object();
    json_object_set_new(at, "frame", json_integer(frame));
    put(at, "steps_per_second", 1.0 / place->step);
    put(at, "bytes_per_step", place->bytes);
    put(at, "bytes_per_second", place->bytes / place->step);
    put(at, "read_bytes_per_second", place->reading);
    put(at, "share_of_reading", place->share);
    put(at, "share_lower_quartile", place->share_low);
    put(at, "share_upper_quartile", place->share_high);
    if (run->o.profile && isfinite(place->step))
        json_object_set_new(at, "profile", profile_json(&place->profile));
    return at;
}

static json_t *pipeline_json(const bench_pipeline *p)
{
    json_t *one = json_object();
    put(one, "seconds", p->seconds);
    put(one, "text_seconds", p->text);
    put(one, "steps_seconds", p->steps);
    put(one, "sampling_seconds", p->sampling);
    put(one, "codec_seconds", p->codec);
    put(one, "file_seconds", p->file);
    put(one, "whole_seconds", p->whole);
    put(one, "times_real_time", p->seconds / p->whole);
    put(one, "bound_times_real_time", p->seconds / p->bound);
    put(one, "resident_bytes", p->resident_bytes);
    return one;
}

static json_t *result_json(const bench_run *run, const bench_result *r)
{
    json_t *one = json_object(), *positions = json_array();
    json_object_set_new(one, "weights", json_string(r->format));
    json_object_set_new(one, "cache", json_string(model_caches[r->info.cache]));
    put(one, "memory_bytes", (double)r->info.memory_bytes);
    put(one, "resident_bytes", r->resident);
    put(one, "load_seconds", r->load);
    for (int i = 0; i < BENCH_POSITIONS; i++)
        json_array_append_new(positions, place_json(run, &r->places[i], bench_positions[i]));
    json_object_set_new(one, "positions", positions);
    put(one, "mean_steps_per_second", r->mean);
    put(one, "step_p50_seconds", r->p50);
    put(one, "step_p95_seconds", r->p95);
    put(one, "step_p99_seconds", r->p99);
    put(one, "first_sound_seconds", r->first_sound);
    put(one, "prompt_frames_per_second", r->prefill);
    put(one, "prompt_operations_per_second", r->prefill_flops);
    put(one, "prompt_share_of_peak", r->prefill_flops / run->peak);
    put(one, "probe_clips_per_second", r->probe);
    put(one, "keeping_heads_share_of_pass", r->capture);
    put(one, "four_knobs_share_of_step", r->knobs);
    put(one, "decode_times_real_time", r->decode);
    put(one, "encode_times_real_time", r->encode);
    if (run->o.full) json_object_set_new(one, "text_to_wav", pipeline_json(&r->pipeline));
    return one;
}

int bench_print_json(const bench_run *run)
{
    const smitin_model_info *info = &run->results[0].info;
    json_t *root = json_object(), *formats = json_array();
    json_object_set_new(root, "smitin", json_string(smitin_version()));
    json_object_set_new(root, "model", json_string(title(&run->o)));
    json_object_set_new(root, "random_weights", json_boolean(run->o.shape != NULL));
    json_object_set_new(root, "parameters", json_integer((json_int_t)info->parameters));
    json_object_set_new(root, "frame_rate", json_real(info->frame_rate));
    json_object_set_new(root, "threads", json_integer(run->threads));
    json_object_set_new(root, "rows", json_integer(run->results[0].rows));
    json_object_set_new(root, "whole_run", json_boolean(run->o.full));
    put(root, "read_bytes_per_second", run->read_rate);
    put(root, "peak_operations_per_second", run->peak);
    for (int i = 0; i < run->count; i++)
        json_array_append_new(formats, result_json(run, &run->results[i]));
    json_object_set_new(root, "formats", formats);
    const int bad = json_dumpf(root, stdout, JSON_INDENT(2));
    json_decref(root);
    if (bad == 0 && printf("\n") > 0 && fflush(stdout) == 0) return EXIT_DONE;
    fprintf(stderr, "smitin: the figures could not be written to standard output\n");
    return EXIT_FAILED;
}
