/* SPDX-License-Identifier: MIT */
/* Strength over time, at numbers that are exact. */
#include "helpers.h"
#include "../../src/steer/schedule.h"

static sm_schedule made(smitin_schedule shape, float from, float to, int frames)
{
    smitin_error error;
    sm_schedule schedule;
    smitin_steering settings = test_settings();
    settings.schedule = shape;
    settings.schedule_from = from;
    settings.schedule_to = to;
    ASSERT_OK(sm_schedule_check(&settings, &error));
    ASSERT_OK(sm_schedule_init(&schedule, &settings, 50.0, frames, &error));
    return schedule;
}

static void expect(const sm_schedule *schedule, const int *frames, const double *factors, int count)
{
    for (int i = 0; i < count; i++) {
        double factor = sm_schedule_factor(schedule, frames[i]);
        if (factor != factors[i])
            fail_msg("frame %d: %.17g, expected %.17g", frames[i], factor, factors[i]);
    }
}

static void test_constant(void **state)
{
    (void)state;
    sm_schedule schedule = made(SMITIN_SCHEDULE_CONSTANT, 0.0f, 0.0f, 100);
    const int frames[] = {0, 1, 99, 1000};
    const double ones[] = {1, 1, 1, 1};
    expect(&schedule, frames, ones, 4);
    /* Its times are not looked at. */
    schedule = made(SMITIN_SCHEDULE_CONSTANT, 9.0f, 3.0f, 100);
    expect(&schedule, frames, ones, 4);
}

static void test_ramps(void **state)
{
    (void)state;
    /* From 0.3 s (frame 15, though 0.3f is a little more) to 0.62 s (frame 31). */
    const int frames[] = {0, 14, 15, 16, 19, 23, 27, 31, 32, 500};
    const double up[] = {0, 0, 0, 0.0625, 0.25, 0.5, 0.75, 1, 1, 1};
    double down[10];
    for (int i = 0; i < 10; i++) down[i] = 1.0 - up[i];
    sm_schedule schedule = made(SMITIN_SCHEDULE_UP, 0.3f, 0.62f, 100);
    expect(&schedule, frames, up, 10);
    schedule = made(SMITIN_SCHEDULE_DOWN, 0.3f, 0.62f, 100);
    expect(&schedule, frames, down, 10);
}

static void test_whole_piece(void **state)
{
    (void)state;
    const int frames[] = {0, 16, 32, 64, 67}; /* the last one is of the delayed codebooks */
    const double up[] = {0, 0.25, 0.5, 1, 1}, down[] = {1, 0.75, 0.5, 0, 0};
    sm_schedule schedule = made(SMITIN_SCHEDULE_UP, 0.0f, 0.0f, 64);
    expect(&schedule, frames, up, 5);
    schedule = made(SMITIN_SCHEDULE_DOWN, 0.0f, 0.0f, 64);
    expect(&schedule, frames, down, 5);
    /* An end behind the piece's: the ramp does not get there. */
    const double half[] = {0, 0.125, 0.25, 0.5, 67.0 / 128.0};
    schedule = made(SMITIN_SCHEDULE_UP, 0.0f, 2.56f, 64);
    expect(&schedule, frames, half, 5);
}

static void test_window(void **state)
{
    (void)state;
    const int frames[] = {0, 99, 100, 101, 199, 200, 201, 400};
    const double inside[] = {0, 0, 1, 1, 1, 0, 0, 0}, behind[] = {0, 0, 1, 1, 1, 1, 1, 1},
                 before[] = {1, 1, 1, 1, 1, 0, 0, 0};
    sm_schedule schedule = made(SMITIN_SCHEDULE_WINDOW, 2.0f, 4.0f, 398);
    expect(&schedule, frames, inside, 8);
    schedule = made(SMITIN_SCHEDULE_WINDOW, 2.0f, 0.0f, 398);
    expect(&schedule, frames, behind, 8);
    schedule = made(SMITIN_SCHEDULE_WINDOW, 0.0f, 4.0f, 398);
    expect(&schedule, frames, before, 8);
    /* Shorter than a frame: one frame. */
    schedule = made(SMITIN_SCHEDULE_WINDOW, 2.0f, 2.001f, 398);
    const double one[] = {0, 0, 1, 0, 0, 0, 0, 0};
    expect(&schedule, frames, one, 8);
}

static void test_refusals(void **state)
{
    (void)state;
    const struct {
        smitin_schedule shape;
        float from, to;
        const char *part;
    } cases[] = {
        {SMITIN_SCHEDULE_UP, -1.0f, 0.0f, "begin at -1 s"},
        {SMITIN_SCHEDULE_UP, NAN, 0.0f, "begin at nan s"},
        {SMITIN_SCHEDULE_DOWN, 3.0f, 2.0f, "begins at 3 s cannot end at 2 s"},
        {SMITIN_SCHEDULE_WINDOW, 3.0f, 3.0f, "cannot end at 3 s"},
        {SMITIN_SCHEDULE_WINDOW, 0.0f, INFINITY, "cannot end at inf s"},
        {SMITIN_SCHEDULE_WINDOW, 0.0f, 0.0f, "a beginning or an end"},
    };
    smitin_error error;
    smitin_steering settings = test_settings();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        settings.schedule = cases[i].shape;
        settings.schedule_from = cases[i].from;
        settings.schedule_to = cases[i].to;
        ASSERT_FAILS(sm_schedule_check(&settings, &error), SMITIN_ERROR_ARGUMENT, cases[i].part);
    }
    sm_schedule schedule;
    settings.schedule = SMITIN_SCHEDULE_WINDOW;
    settings.schedule_from = 2.0f;
    settings.schedule_to = 3.0f;
    ASSERT_FAILS(sm_schedule_init(&schedule, &settings, 50.0, 100, &error), SMITIN_ERROR_ARGUMENT,
                 "begins at 2 s, but only 2 s are made");
    ASSERT_OK(sm_schedule_init(&schedule, &settings, 50.0, 101, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),    cmocka_unit_test(test_ramps),
        cmocka_unit_test(test_whole_piece), cmocka_unit_test(test_window),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
