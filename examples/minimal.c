/* SPDX-License-Identifier: MIT */
/* Make five seconds of music with a knob turned, using nothing but the public header; raw 32-bit
 * floats go to standard output. Usage: minimal MODEL_DIR KNOB_FILE > music.f32 */
#include <smitin/smitin.h>
#include <stdio.h>

static int fail(const smitin_error *error)
{
    fprintf(stderr, "minimal: %s\n", error->message);
    return 1;
}

int main(int argc, char **argv)
{
    smitin_error error = {0};
    smitin_engine *engine = NULL;
    smitin_session *session = NULL;
    smitin_knob *knob = NULL;
    const float *samples = NULL;
    size_t count = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: minimal MODEL_DIR KNOB_FILE > music.f32\n");
        return 2;
    }

    if (smitin_engine_open(&engine, argv[1], NULL, &error) != SMITIN_OK) return fail(&error);
    if (smitin_knob_load(&knob, argv[2], &error) != SMITIN_OK) return fail(&error);

    smitin_session_options options = smitin_session_defaults();
    options.seconds = 5.0;
    options.seed = 1;
    if (smitin_session_new(&session, engine, &options, &error) != SMITIN_OK) return fail(&error);

    smitin_steering steering = smitin_steering_defaults();
    steering.strength = 0.6; /* 60 % of the knob's calibrated range */
    if (smitin_session_add_knob(session, knob, &steering, &error) != SMITIN_OK) return fail(&error);

    if (smitin_session_run(session, NULL, NULL, &error) != SMITIN_OK) return fail(&error);
    if (smitin_session_audio(session, 0, &samples, &count, &error) != SMITIN_OK)
        return fail(&error);
    const size_t written = fwrite(samples, sizeof *samples, count, stdout);

    smitin_knob_report report;
    if (smitin_session_report(session, 0, 0, &report, &error) != SMITIN_OK) return fail(&error);
    fprintf(stderr, "%zu samples; the trait was heard in %.0f %% of the steps\n", written,
            100.0 * report.success);

    smitin_session_free(session);
    smitin_knob_free(knob);
    smitin_engine_free(engine);
    return written == count ? 0 : 1;
}
