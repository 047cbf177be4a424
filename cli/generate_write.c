/* SPDX-License-Identifier: MIT */
/* What "smitin generate" leaves behind: the audio, its settings beside it, the monitor's trace and
 * its plot. */
#include "generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../src/base/gnuplot.h"
#include "../src/base/outfile.h"
#include "../src/base/path.h"
#include "interrupt.h"

enum { PATH_SIZE = 2048 };

static bool is_folder(const char *path)
{
    struct stat info;
    const size_t length = strlen(path);
    return (length > 0 && path[length - 1] == '/') ||
           (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

static int check_trace(const generate_options *o)
{
    if (o->trace == NULL) return EXIT_DONE;
    const size_t length = strlen(o->trace);
    if (length < 5 || strcmp(o->trace + length - 4, ".csv") != 0) {
        fprintf(stderr, "smitin: --trace %s: name a .csv file; the plot is written beside it\n",
                o->trace);
        return EXIT_USAGE;
    }
    if (o->steering.uses_count > 0) return EXIT_DONE;
    fprintf(stderr, "smitin: --trace shows what knobs do, and none is given; add --knob NAME:0 to "
                    "listen only\n");
    return EXIT_USAGE;
}

static int check_place(const generate_job *job)
{
    const char *output = job->options.output;
    if (generate_to_stdout(job) && !isnan(job->options.lufs) &&
        generate_level(job) == LEVEL_EXACT) {
        fprintf(stderr, "smitin: an exact loudness needs the whole piece before its first sample, "
                        "which a pipe cannot wait for; use --level running, or a file\n");
        return EXIT_USAGE;
    }
    const int pieces = job->options.session.pieces;
    if (generate_to_stdout(job)) {
        if (pieces == 1 && !job->options.json) return EXIT_DONE;
        fprintf(stderr, "smitin: standard output takes one piece and no JSON beside it; give a "
                        "folder with -o\n");
        return EXIT_USAGE;
    }
    if (is_folder(output) &&
        (sm_path_make_all(output, NULL) != SMITIN_OK || access(output, W_OK) != 0)) {
        fprintf(stderr,
                "smitin: the folder %s cannot be made or written to; choose another with -o\n",
                output);
        return EXIT_FAILED;
    }
    if (is_folder(output)) return EXIT_DONE;
    char folder[PATH_SIZE];
    const char *slash = strrchr(output, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - output + 1) : 1,
             slash != NULL ? output : ".");
    if (access(folder, W_OK) == 0) return EXIT_DONE;
    fprintf(
        stderr,
        "smitin: the folder %s is not there or not writable; make it, or choose another with -o\n",
        folder);
    return EXIT_FAILED;
}

/* The path of piece `index` with another suffix (NULL: its own). */
static void piece_path(const generate_job *job, int index, const char *suffix, char path[PATH_SIZE])
{
    const generate_options *o = &job->options;
    char stem[PATH_SIZE], of_format[16];
    const char *own = of_format;
    snprintf(of_format, sizeof of_format, ".%s", generate_formats[o->format < 0 ? 0 : o->format]);
    if (is_folder(o->output)) {
        const int clip = index / o->batch;
        const char *name = o->inputs.count > 0 ? sm_path_name(o->inputs.items[clip]) : "piece";
        const int length = (int)sm_path_stem(name);
        const bool slash = o->output[strlen(o->output) - 1] == '/';
        snprintf(stem, sizeof stem, "%.1024s%s%.*s", o->output, slash ? "" : "/",
                 length < 900 ? length : 900, name);
    } else {
        own = strrchr(o->output, '.');
        snprintf(stem, sizeof stem, "%.*s", (int)(own - o->output), o->output);
    }
    const bool several =
        o->session.pieces > 1 && !(is_folder(o->output) && o->batch == 1 && o->inputs.count > 0);
    if (several)
        snprintf(path, PATH_SIZE, "%.1980s-%03d%s", stem, index, suffix != NULL ? suffix : own);
    else
        snprintf(path, PATH_SIZE, "%.1980s%s", stem, suffix != NULL ? suffix : own);
}

static bool same_file(const char *a, const char *b)
{
    struct stat left, right;
    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* The file of --from must not be replaced by what is made from it. */
static int check_from(const generate_job *job)
{
    const generate_options *o = &job->options;
    char path[PATH_SIZE], beside[PATH_SIZE];
    for (int i = 0; o->from != NULL && !generate_to_stdout(job) && i < o->session.pieces; i++) {
        piece_path(job, i, NULL, path);
        piece_path(job, i, ".json", beside);
        if (!same_file(path, o->from) && !same_file(beside, o->from)) continue;
        fprintf(stderr,
                "smitin: %s would be overwritten by what is made from it; name another file with "
                "-o\n",
                o->from);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int usage_error(const char *what, const char *output)
{
    fprintf(stderr, "smitin: %s: %s\n", output, what);
    return EXIT_USAGE;
}

/* Format, bits, rate and size go together: better said now than when the music is made. */
static int check_format(const generate_job *job)
{
    const generate_options *o = &job->options;
    const bool pipe = generate_to_stdout(job), folder = !pipe && is_folder(o->output);
    char path[PATH_SIZE] = "-";
    smitin_error error = {0};
    if (!folder && o->format >= 0)
        return usage_error(pipe ? "standard output is always WAV; leave --format out"
                                : "its suffix names the format; --format is for folders",
                           o->output);
    if (!pipe && !folder && !sm_audio_suffix(o->output))
        return usage_error("the suffix names the format; use .wav, .flac, .ogg or .mp3", o->output);
    if (!pipe) piece_path(job, 0, NULL, path);
    if (!sm_audio_takes_bits(path) && o->bits > 0 && o->bits != o->from_bits)
        return usage_error("this format has no bits to choose; leave --bits out, or write .wav or "
                           ".flac",
                           path);
    const size_t frames = (size_t)fmax(1.0, round(o->session.seconds * job->info.frame_rate));
    /* A clip as long as the piece is refused with the session. */
    if (isnan(o->bars) && frames * (size_t)job->info.hop <= generate_skipped(job, 0))
        return EXIT_DONE;
    if (sm_audio_check(path, generate_samples(job, 0, frames), job->info.channels,
                       generate_rate(job), generate_bits(job), &error) != SMITIN_OK)
        return report_error(&error);
    return EXIT_DONE;
}

int generate_check_output(const generate_job *job)
{
    int code = check_trace(&job->options);
    if (code == EXIT_DONE) code = check_format(job);
    if (code == EXIT_DONE) code = check_place(job);
    return code == EXIT_DONE ? check_from(job) : code;
}

/* ---- Settings ---- */

/* Which part of which file a piece continues. */
static void add_clip(const generate_job *job, int clip, json_t *root)
{
    const generate_options *o = &job->options;
    const generate_clip *c = &job->clips[clip];
    json_t *region = json_object();
    json_object_set_new(root, "input", json_string(o->inputs.items[clip]));
    json_object_set_new(root, "input_seconds",
                        json_real((double)c->audio.frames / job->info.sample_rate));
    json_object_set_new(region, "start", json_real(c->start));
    json_object_set_new(region, "seconds", c->seconds > 0.0 ? json_real(c->seconds) : json_null());
    json_object_set_new(region, "samples", json_integer((json_int_t)c->audio.frames));
    json_object_set_new(root, "input_region", region);
    json_object_set_new(root, "input_sha256", json_string(c->hash));
    json_object_set_new(root, "keep_prompt", json_string(generate_yes_no[o->keep_prompt]));
}

/* What the piece was made with; `results` adds what came of it. */
static json_t *piece_json(const generate_job *job, int index, bool results)
{
    const generate_options *o = &job->options;
    json_t *root = json_object();
    json_object_set_new(root, "smitin", json_string(smitin_version()));
    json_object_set_new(root, "model", json_string(job->model_path));
    json_object_set_new(root, "fingerprint", json_string(job->info.fingerprint));
    if (o->model.format != 0)
        json_object_set_new(root, "weights", json_string(model_formats[o->model.format]));
    json_object_set_new(root, "cache", json_string(model_caches[job->info.cache]));
    json_object_set_new(root, "prompt", o->prompt != NULL ? json_string(o->prompt) : json_null());
    if (o->melody != NULL) {
        json_object_set_new(root, "melody", json_string(o->melody));
        json_object_set_new(root, "melody_sha256", json_string(job->melody.hash));
    }
    if (o->inputs.count > 0) add_clip(job, index / o->batch, root);
    json_object_set_new(root, "seconds", json_real(o->session.seconds));
    if (!isnan(o->bars)) {
        json_object_set_new(root, "bars", json_real(o->bars));
        json_object_set_new(root, "bpm", json_real(o->bpm));
        json_object_set_new(root, "beats_per_bar", json_integer(o->beats_per_bar));
    }
    if (o->long_method != SMITIN_LONG_WINDOW)
        json_object_set_new(root, "long", json_string(generate_longs[o->long_method]));
    if (o->session.window > 0.0) json_object_set_new(root, "window", json_real(o->session.window));
    if (o->session.stride > 0.0) json_object_set_new(root, "stride", json_real(o->session.stride));
    json_object_set_new(root, "seed",
                        json_integer((json_int_t)(o->session.seed + (uint64_t)index)));
    json_object_set_new(root, "temperature", json_real(o->session.temperature));
    json_object_set_new(root, "top_k", json_integer(o->session.top_k));
    json_object_set_new(root, "top_p", json_real(o->session.top_p));
    json_object_set_new(root, "guidance", json_real(o->session.guidance));
    if (o->model.cpu_level != NULL)
        json_object_set_new(root, "cpu_level", json_string(o->model.cpu_level));
    json_object_set_new(root, "rate", json_integer(generate_rate(job)));
    json_object_set_new(root, "bits", json_integer(generate_bits(job)));
    if (!isnan(o->lufs)) {
        json_object_set_new(root, "lufs_target", json_real(o->lufs));
        json_object_set_new(root, "level", json_string(generate_levels[generate_level(job)]));
    }
    const bool conditioned = (o->prompt != NULL && o->prompt[0] != '\0') || o->melody != NULL;
    const bool guided = conditioned && o->session.guidance != 1.0;
    const double guidance = guided ? o->session.guidance : (double)NAN;
    json_t *knobs = json_array();
    for (int i = 0; i < o->steering.uses_count; i++) {
        smitin_knob_report report;
        if (smitin_session_report(job->session, index, i, &report, NULL) == SMITIN_OK)
            json_array_append_new(knobs,
                                  steering_json(&o->steering, i, &report, guidance, results));
    }
    json_object_set_new(root, "knobs", knobs);
    return root;
}

char *generate_comment(const generate_job *job, int index)
{
    json_t *settings = piece_json(job, index, false);
    /* Every format's tags can hold ASCII. */
    char *comment = json_dumps(settings, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(settings);
    return comment;
}

/* Everything about a piece: what stands beside its file. */
static json_t *result_json(const generate_job *job, int index, const char *path,
                           const piece_sound *sound)
{
    json_t *root = piece_json(job, index, true);
    const size_t above = job->below != NULL ? strlen(job->below) + 1 : 0;
    json_object_set_new(root, "file", json_string(path + above));
    json_object_set_new(root, "samples", json_integer((json_int_t)sound->count));
    json_object_set_new(root, "limited_db", json_real(sound->limited_db));
    json_object_set_new(root, "gain_db", json_real(sound->gain_db));
    json_object_set_new(root, "lufs", isfinite(sound->lufs) ? json_real(sound->lufs) : json_null());
    return root;
}

static int write_json(const json_t *root, const char *path)
{
    smitin_error error = {0};
    char *text = json_dumps(root, JSON_INDENT(2));
    if (text == NULL) {
        fprintf(stderr,
                "smitin: the settings for %s could not be put into JSON; a path or prompt is not "
                "UTF-8\n",
                path);
        return EXIT_FAILED;
    }
    const smitin_status status = sm_file_write(path, text, strlen(text), &error);
    free(text);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* ---- Traces ---- */

/* One line of CSV for each generated column of one piece and knob. */
static smitin_status print_trace(const generate_job *job, int piece, int knob, FILE *out,
                                 smitin_error *error)
{
    const smitin_trace *lines = NULL;
    size_t count = 0;
    smitin_knob_report report;
    SM_TRY(smitin_session_trace(job->session, piece, knob, &lines, &count, error));
    SM_TRY(smitin_session_report(job->session, piece, knob, &report, error));
    for (size_t n = 0; n < count; n++)
        fprintf(out, "%d,%s,%d,%.3f,%d,%.5f,%.5f,%.5f,%.5f\n", piece,
                job->options.steering.uses[knob].name, lines[n].column,
                lines[n].column / job->info.frame_rate, lines[n].scheduled,
                (double)lines[n].presence, (double)lines[n].gain, (double)lines[n].dose,
                report.threshold);
    return SMITIN_OK;
}

static int write_trace_csv(const generate_job *job, const char *path)
{
    smitin_error error = {0};
    smitin_status status = SMITIN_OK;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        fprintf(stderr, "smitin: there is not enough memory for the trace\n");
        return EXIT_FAILED;
    }
    fprintf(out, "piece,knob,column,seconds,scheduled,presence,gain,dose,threshold\n");
    for (int piece = 0; piece < job->options.session.pieces && status == SMITIN_OK; piece++) {
        for (int i = 0; i < job->options.steering.uses_count && status == SMITIN_OK; i++)
            status = print_trace(job, piece, i, out, &error);
    }
    if (fclose(out) != 0 && status == SMITIN_OK) status = sm_fail_memory(&error, "the trace", size);
    if (status == SMITIN_OK) status = sm_file_write(path, text, size, &error);
    free(text);
    return status == SMITIN_OK ? EXIT_DONE : report_error(&error);
}

/* The first piece's C(t), gain and threshold against time, one panel a knob. */
static int plot_trace(const generate_job *job, const char *csv_path)
{
    const steering_options *knobs = &job->options.steering;
    smitin_error error = {0};
    char script[16384], png[PATH_SIZE], csv[2 * PATH_SIZE];
    const char *dot = strrchr(csv_path, '.');
    snprintf(png, sizeof png, "%.*s.png", (int)(dot - csv_path), csv_path);
    sm_gnuplot_quote(csv, sizeof csv, csv_path);
    size_t used = (size_t)snprintf(script, sizeof script,
                                   "set datafile separator ','\nset multiplot layout %d,1\n"
                                   "set yrange [-0.02:1.05]\nset xlabel 'seconds'\n"
                                   "set autoscale xfix\nset key outside\nset grid\n",
                                   knobs->uses_count);
    for (int i = 0; i < knobs->uses_count && used < sizeof script; i++) {
        char name[160];
        sm_gnuplot_quote(name, sizeof name, knobs->uses[i].name);
        used += (size_t)snprintf(
            script + used, sizeof script - used,
            "set title '%s: what the monitor hears, and how hard it pushes'\n"
            "mine(p, k) = int(p) == 0 && k eq '%s'\n"
            "plot '%s' using (mine($1, strcol(2)) ? $4 : 1/0):6 skip 1 with lines lw 2"
            " title 'presence C(t)',"
            " '' using (mine($1, strcol(2)) && int($5) ? $4 : 1/0):7 skip 1 with impulses"
            " title 'gain g(t)',"
            " '' using (mine($1, strcol(2)) ? $4 : 1/0):9 skip 1 with lines dt 2"
            " title 'threshold'\n",
            name, name, csv);
    }
    if (used >= sizeof script) {
        fprintf(stderr, "smitin: the plot of %s has too many knobs to draw\n", csv_path);
        return EXIT_FAILED;
    }
    if (sm_gnuplot_png(png, 1000, 60 + 300 * knobs->uses_count, script, &error) != SMITIN_OK)
        return report_error(&error);
    if (!job->options.quiet) fprintf(stderr, "trace: %s, %s\n", csv_path, png);
    return EXIT_DONE;
}

/* ---- Audio ---- */

static void print_piece(const generate_job *job, int index, const char *path,
                        const piece_sound *sound)
{
    const generate_options *o = &job->options;
    char loudness[32] = "too quiet or short to measure", limited[48] = "";
    if (isfinite(sound->lufs)) snprintf(loudness, sizeof loudness, "%.1f LUFS", sound->lufs);
    if (sound->limited_db < 0.0)
        snprintf(limited, sizeof limited, ", peaks limited by %.1f dB", -sound->limited_db);
    fprintf(stderr, "%s: %.2f s, %s%s, seed %llu\n", path,
            (double)sound->count / generate_rate(job), loudness, limited,
            (unsigned long long)(o->session.seed + (uint64_t)index));
    if (!isnan(o->lufs) && generate_level(job) == LEVEL_EXACT &&
        !(fabs(sound->lufs - o->lufs) <= 0.1))
        fprintf(stderr, "%s: %.1f LUFS is out of its reach%s\n", path, o->lufs,
                isfinite(sound->lufs) ? ": its peaks allow no more" : "");
}

/* Write one piece with its settings; what went to standard output is written already. The JSON is
 * appended to `all`. */
static int write_piece(generate_job *job, int index, json_t *all)
{
    const bool played = generate_to_stdout(job);
    piece_sound sound = job->played;
    char path[PATH_SIZE] = "-", beside[PATH_SIZE] = "";
    int code = EXIT_DONE;
    if (!played) {
        piece_path(job, index, NULL, path);
        piece_path(job, index, ".json", beside);
        code = generate_take_sound(job, index, path, &sound);
    }
    if (code != EXIT_DONE) return code;
    json_t *settings = result_json(job, index, path, &sound);
    if (!played) code = write_json(settings, beside);
    if (code == EXIT_DONE && !job->options.quiet)
        print_piece(job, index, played ? "standard output" : path, &sound);
    json_array_append_new(all, settings);
    return code;
}

static void print_summary(const generate_job *job)
{
    const generate_options *o = &job->options;
    const double made = o->session.seconds * o->session.pieces;
    fprintf(stderr, "%d piece%s in %.2f s (%.2f x real time)", o->session.pieces,
            o->session.pieces == 1 ? "" : "s", job->run_seconds, made / job->run_seconds);
    if (generate_to_stdout(job)) fprintf(stderr, ", first sound after %.2f s", job->first_sound);
    fputc('\n', stderr);
    for (int i = 0; i < o->steering.uses_count; i++) {
        double presence = 0.0, success = 0.0, dose = 0.0;
        smitin_knob_report report = {0};
        for (int piece = 0; piece < o->session.pieces; piece++) {
            if (smitin_session_report(job->session, piece, i, &report, NULL) != SMITIN_OK) return;
            presence += report.mean_presence / o->session.pieces;
            success += report.success / o->session.pieces;
            dose += report.dose / o->session.pieces;
            if (report.tripped)
                fprintf(stderr,
                        "smitin: knob %s switched itself off in piece %d: its monitor read a value "
                        "that is not a "
                        "number\n",
                        o->steering.uses[i].name, piece);
        }
        fprintf(stderr, "knob %s: alpha %.3g, success %.0f %%, presence %.2f, dose %.3g\n",
                o->steering.uses[i].name, report.alpha, 100.0 * success, presence, dose);
    }
}

int generate_write(generate_job *job)
{
    smitin_error error = {0};
    const char *trace = job->options.trace;
    json_t *all = json_array();
    /* Before the JSON, with which a piece of an experiment is there. */
    int code = trace != NULL ? write_trace_csv(job, trace) : EXIT_DONE;
    for (int i = 0; i < job->options.session.pieces && code == EXIT_DONE; i++) {
        if (interrupt_check(&error) != SMITIN_OK)
            code = report_error(&error); /* those that are whole stay */
        else
            code = write_piece(job, i, all);
    }
    if (code == EXIT_DONE && trace != NULL && !job->plain_trace) code = plot_trace(job, trace);
    if (code == EXIT_DONE && !job->options.quiet) print_summary(job);
    if (code == EXIT_DONE && job->options.json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        if (puts("") == EOF || fflush(stdout) != 0) {
            fprintf(stderr, "smitin: standard output could not be written\n");
            code = EXIT_FAILED;
        }
    }
    json_decref(all);
    return code;
}
