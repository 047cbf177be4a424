/* SPDX-License-Identifier: MIT */
/* The command line of "smitin generate": its table, its defaults, and what --from puts in front. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../src/audio/master.h"
#include "generate.h"

static const char *const bits_names[] = {"16", "24", "32", "32f", NULL};
const char *const generate_formats[] = {"wav", "flac", "ogg", "mp3", NULL};

const char *const generate_yes_no[] = {"yes", "no", NULL};

const char *const generate_longs[] = {"window", "rolling", NULL};

static const char usage[] =
    "smitin generate [OPTIONS]\n\n"
    "Make music. Without -p and -i it plays freely; -p follows a text; -i continues a clip "
    "(several -i continue\n"
    "several clips side by side). The settings are written beside every file as .json.\n\n"
    "  smitin generate -d 10 -o free.wav\n"
    "  smitin generate -p \"slow jazz swing with piano and bass\" --knob drums:60% -o jazz.wav\n"
    "  smitin generate -hf facebook/musicgen-melody --melody tune.wav -p \"baroque\" -o b.wav\n"
    "  smitin generate -i clip.wav --input-seconds 3 --knob drums:60% --trace trace.csv -o "
    "more.wav\n"
    "  smitin generate --from jazz.wav --knob drums:90% -o jazzier.wav\n"
    "  smitin generate -p \"house loop at 120 bpm\" --bars 8 --bpm 120 -o loop.wav\n\n";

static size_t generate_specs(generate_options *o, option_spec *specs, size_t capacity)
{
    const option_spec table[] = {
        {"-p", "--prompt", OPTION_TEXT, &o->prompt, 0, 0, NULL, "TEXT", "what to play"},
        {"-i", "--input", OPTION_LIST, &o->inputs, 0, 0, NULL, "FILE",
         "continue this clip; may be repeated"},
        {NULL, "--input-seconds", OPTION_DOUBLE, &o->input_seconds, 0.02, 3600, NULL, "S",
         "use only the last S seconds of each clip"},
        {NULL, "--melody", OPTION_TEXT, &o->melody, 0, 0, NULL, "FILE",
         "follow this tune (models with melody in their name); its first 30 s count"},
        {"-o", "--output", OPTION_TEXT, &o->output, 0, 0, NULL, "FILE",
         "WAV, FLAC, Ogg or MP3 by suffix; a folder; - plays WAV to standard output [out.wav]"},
        {NULL, "--format", OPTION_CHOICE, &o->format, 0, 0, generate_formats, "NAME",
         "of files in a folder: wav, flac, ogg or mp3 [wav]"},
        {"-d", "--seconds", OPTION_DOUBLE, &o->seconds, 0.02, 86400, NULL, "S",
         "length of a piece, its clip included; hours if you like [10]"},
        {NULL, "--bars", OPTION_DOUBLE, &o->bars, 0.125, 10000, NULL, "N",
         "instead of -d: write exactly N bars, to the sample; needs --bpm"},
        {NULL, "--bpm", OPTION_DOUBLE, &o->bpm, 10, 1000, NULL, "B", "beats a minute of --bars"},
        {NULL, "--beats-per-bar", OPTION_INT, &o->beats_per_bar, 1, 64, NULL, "N", "of --bars [4]"},
        {NULL, "--long", OPTION_CHOICE, &o->long_method, 0, 0, generate_longs, "HOW",
         "pieces longer than a window: window (as the reference) or rolling [window]"},
        {NULL, "--window", OPTION_DOUBLE, &o->session.window, 0, 86400, NULL, "S",
         "what the model hears at most of a piece [30, or what it has positions for]"},
        {NULL, "--stride", OPTION_DOUBLE, &o->session.stride, 0, 86400, NULL, "S",
         "from one window to the next [0.6 of the window]"},
        {NULL, "--from", OPTION_TEXT, &o->from, 0, 0, NULL, "FILE",
         "make the piece of this file (or its .json) again; other options change it"},
        {"-s", "--seed", OPTION_DOUBLE, &o->seed, -1, 9007199254740992.0, NULL, "N",
         "same seed, same music; -1 takes one from the clock [-1]"},
        {"-b", "--batch", OPTION_INT, &o->batch, 1, 1024, NULL, "N",
         "variations (of each clip), consecutive seeds [1]"},
        {NULL, "--temp", OPTION_DOUBLE, &o->session.temperature, 0, 100, NULL, "T",
         "temperature; 0 is greedy [1]"},
        {NULL, "--top-k", OPTION_INT, &o->session.top_k, 0, 1e6, NULL, "K",
         "draw from the K likeliest codes [250]"},
        {NULL, "--top-p", OPTION_DOUBLE, &o->session.top_p, 0, 1, NULL, "P",
         "draw from the likeliest P instead [off]"},
        {NULL, "--cfg", OPTION_DOUBLE, &o->session.guidance, -1000, 1000, NULL, "G",
         "guidance scale of text; 1 is none [3]"},
        {NULL, "--trace", OPTION_TEXT, &o->trace, 0, 0, NULL, "FILE.csv",
         "write the monitor's readings, and a plot beside them"},
        {NULL, "--bits", OPTION_CHOICE, &o->bits, 0, 0, bits_names, "N",
         "of WAV and FLAC: 16, 24 or, WAV only, 32 (float) [16]"},
        {NULL, "--rate", OPTION_INT, &o->rate, SM_AUDIO_RATE_MIN, 192000, NULL, "HZ",
         "sample rate of the output, such as 44100 or 48000 [the model's]"},
        {NULL, "--lufs", OPTION_DOUBLE, &o->lufs, SM_MASTER_LUFS_MIN, SM_MASTER_LUFS_MAX, NULL, "L",
         "loudness to reach, such as -14 [as the model plays]"},
        {NULL, "--level", OPTION_CHOICE, &o->level, 0, 0, generate_levels, "HOW",
         "exact: one measured gain; running: follows what was heard [exact; a pipe: running]"},
        {NULL, "--keep-prompt", OPTION_CHOICE, &o->keep_prompt, 0, 0, generate_yes_no, "yes|no",
         "write the clip in front of what was made [yes]"},
        {NULL, "--json", OPTION_FLAG, &o->json, 0, 0, NULL, NULL,
         "print the results as JSON on standard output"},
        {NULL, "--quiet", OPTION_FLAG, &o->quiet, 0, 0, NULL, NULL, "say nothing but errors"},
    };
    size_t count = model_option_specs(&o->model, specs, capacity);
    count += options_add(specs + count, capacity - count, table, sizeof table / sizeof *table);
    return count + steering_option_specs(&o->steering, specs + count, capacity - count);
}

static void fill_defaults(generate_options *o)
{
    memset(o, 0, sizeof *o);
    o->session = smitin_session_defaults();
    o->steering = steering_options_defaults();
    o->model = model_options_defaults();
    o->output = "out.wav";
    o->seed = -1.0;
    o->batch = 1;
    o->seconds = o->bars = o->bpm = (double)NAN;
    o->format = -1;
    o->lufs = (double)NAN;
    o->level = -1;
}

enum { SPECS_MAX = 80 };

/* ---- --from ---- */

static void free_lists(generate_options *o)
{
    text_list_free(&o->inputs);
    text_list_free(&o->steering.specs);
}

/* The settings of the file come first, as if they had been typed; then the user's. A list, and the
 * length, is the user's or the file's, not a mixture. */
static int parse_over(generate_job *job, const option_spec *specs, size_t count, int argc,
                      char **argv)
{
    generate_options *o = &job->options;
    bool help = false;
    int code = options_parse(specs, count, job->recipe.count, job->recipe.words, NULL, &help);
    if (code != EXIT_DONE) return code;
    const text_list inputs = o->inputs, knobs = o->steering.specs;
    const double seconds = o->seconds, bars = o->bars, bpm = o->bpm;
    const char *model = o->model.model;
    const int beats = o->beats_per_bar;
    o->from_bits = o->bits;
    memset(&o->inputs, 0, sizeof o->inputs);
    memset(&o->steering.specs, 0, sizeof o->steering.specs);
    o->seconds = o->bars = (double)NAN;
    code = options_parse(specs, count, argc, argv, NULL, &help);
    text_list spare_inputs = inputs, spare_knobs = knobs;
    if (o->inputs.count == 0) {
        o->inputs = inputs;
        memset(&spare_inputs, 0, sizeof spare_inputs);
        if (o->input_seconds > 0.0) job->recipe.clip.known = false;
    } else {
        job->recipe.clip.known = false;
    }
    if (o->steering.specs.count == 0) {
        o->steering.specs = knobs;
        memset(&spare_knobs, 0, sizeof spare_knobs);
    }
    text_list_free(&spare_inputs);
    text_list_free(&spare_knobs);
    if (isnan(o->seconds) && isnan(o->bars)) {
        o->seconds = seconds;
        o->bars = bars;
    } else if (isnan(o->bars) && o->bpm == bpm) {
        o->bpm = (double)NAN; /* it was of the file's bars */
    }
    if (isnan(o->bars) && o->beats_per_bar == beats) o->beats_per_bar = 0; /* likewise */
    if (o->model.hf != NULL && o->model.model == model) o->model.model = DEFAULT_MODEL;
    return code;
}

static int check_length(const generate_options *o)
{
    if (!isnan(o->bars) && !isnan(o->seconds)) {
        fprintf(stderr, "smitin: --seconds and --bars both give a length; give one of them\n");
        return EXIT_USAGE;
    }
    if (isnan(o->bars) != isnan(o->bpm)) {
        fprintf(stderr, "smitin: --bars and --bpm give a length together; give both of them\n");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* Options that change another one, which is not there. */
static int check_belonging(const generate_options *o)
{
    const struct {
        bool alone;
        const char *option, *other;
    } pairs[] = {{o->inputs.count == 0 && o->keep_prompt != 0, "--keep-prompt no", "--input"},
                 {o->inputs.count == 0 && o->input_seconds > 0.0, "--input-seconds", "--input"},
                 {isnan(o->bars) && o->beats_per_bar > 0, "--beats-per-bar", "--bars"},
                 {isnan(o->lufs) && o->level >= 0, "--level", "--lufs"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!pairs[i].alone) continue;
        fprintf(stderr, "smitin: %s does nothing without %s; give both or leave it out\n",
                pairs[i].option, pairs[i].other);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int generate_parse(generate_job *job, int argc, char **argv, bool *help)
{
    option_spec specs[SPECS_MAX];
    generate_options *o = &job->options;
    fill_defaults(o);
    const size_t count = generate_specs(o, specs, SPECS_MAX);
    int code = options_parse(specs, count, argc, argv, NULL, help);
    if (*help) {
        printf("%s", usage);
        options_print(specs, count);
        return EXIT_DONE;
    }
    if (code == EXIT_DONE && o->from != NULL) {
        code = recipe_read(&job->recipe, o->from);
        free_lists(o);
        fill_defaults(o);
        if (code == EXIT_DONE) code = parse_over(job, specs, count, argc, argv);
    }
    if (code == EXIT_DONE) code = check_length(o);
    if (code == EXIT_DONE) code = check_belonging(o);
    if (o->beats_per_bar == 0) o->beats_per_bar = 4;
    return code;
}
