/* SPDX-License-Identifier: MIT */
/* The gnuplot runner: a drawing, a complaint, a missing program. */
#include "../common.h"
#include "../../src/base/gnuplot.h"

#include <unistd.h>

static char folder[] = "/tmp/smitin-gnuplot-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void need_gnuplot(void)
{
    smitin_error error;
    if (sm_gnuplot("", &error) == SMITIN_OK) return;
    assert_non_null(strstr(error.message, "install the package gnuplot"));
    print_message("skipped: gnuplot is not installed\n");
    skip();
}

static void draws(void **state)
{
    (void)state;
    need_gnuplot();
    char path[sizeof folder + 16], script[256];
    snprintf(path, sizeof path, "%s/plot.svg", folder);
    snprintf(script, sizeof script, "set terminal svg\nset output '%s'\nplot x\n", path);
    smitin_error error;
    assert_int_equal(sm_gnuplot(script, &error), SMITIN_OK);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_true(ftell(file) > 500);
    fclose(file);
    unlink(path);
}

static void complaints_are_passed_on(void **state)
{
    (void)state;
    need_gnuplot();
    smitin_error error;
    ASSERT_FAILS(sm_gnuplot("set xlabel 'x'\nx = no_such_thing + 1\n", &error), SMITIN_ERROR_IO,
                 "no_such_thing");
}

/* A long script after an early error: the child is gone before it has read everything. */
static void an_early_end_is_survived(void **state)
{
    (void)state;
    need_gnuplot();
    const size_t size = 1 << 20;
    char *script = malloc(size);
    assert_non_null(script);
    memset(script, '\n', size);
    memcpy(script, "no such command\n", 16);
    script[size - 1] = '\0';
    smitin_error error;
    ASSERT_FAILS(sm_gnuplot(script, &error), SMITIN_ERROR_IO, "gnuplot failed");
    free(script);
}

static void a_missing_program_is_named(void **state)
{
    (void)state;
    const char *path = getenv("PATH");
    char *before = strdup(path != NULL ? path : "");
    assert_non_null(before);
    assert_int_equal(setenv("PATH", folder, 1), 0);
    smitin_error error;
    ASSERT_FAILS(sm_gnuplot("plot x\n", &error), SMITIN_ERROR_IO, "install the package gnuplot");
    assert_int_equal(setenv("PATH", before, 1), 0);
    free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws),
        cmocka_unit_test(complaints_are_passed_on),
        cmocka_unit_test(an_early_end_is_survived),
        cmocka_unit_test(a_missing_program_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
