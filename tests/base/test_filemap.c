/* SPDX-License-Identifier: MIT */
/* File maps: contents, and every kind of path that must be refused. */
#include "../common.h"
#include "../../src/base/filemap.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/smitin-filemap-XXXXXX";
static char path[sizeof folder + 16];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void contents_are_seen(void **state)
{
    (void)state;
    write_file("abc\0def", 7);
    sm_filemap map;
    smitin_error error;
    assert_int_equal(sm_filemap_open(&map, path, &error), SMITIN_OK);
    assert_int_equal(map.size, 7);
    assert_memory_equal(map.data, "abc\0def", 7);
    sm_filemap_close(&map);
    assert_null(map.data);
    sm_filemap_close(&map);
}

static void an_empty_file_is_no_data(void **state)
{
    (void)state;
    write_file("", 0);
    sm_filemap map = {(const unsigned char *)"x", 1};
    assert_int_equal(sm_filemap_open(&map, path, NULL), SMITIN_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    sm_filemap_close(&map);
}

static void others_are_refused(void **state)
{
    (void)state;
    sm_filemap map;
    smitin_error error;
    unlink(path);
    ASSERT_FAILS(sm_filemap_open(&map, path, &error), SMITIN_ERROR_IO, path);
    assert_null(map.data);
    ASSERT_FAILS(sm_filemap_open(&map, folder, &error), SMITIN_ERROR_IO, "is a directory");
    ASSERT_FAILS(sm_filemap_open(&map, "", &error), SMITIN_ERROR_IO, "cannot open");
    ASSERT_FAILS(sm_filemap_open(&map, "/dev/null", &error), SMITIN_ERROR_IO, "not a regular file");
    assert_int_equal(mkfifo(path, 0600), 0); /* must neither hang nor pass */
    ASSERT_FAILS(sm_filemap_open(&map, path, &error), SMITIN_ERROR_IO, "not a regular file");
    unlink(path);
    sm_filemap_close(&map);
}

static void a_forbidden_file_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        print_message("skipped: root may read every file\n");
        skip();
    }
    write_file("abc", 3);
    assert_int_equal(chmod(path, 0), 0);
    sm_filemap map;
    smitin_error error;
    ASSERT_FAILS(sm_filemap_open(&map, path, &error), SMITIN_ERROR_IO, "cannot open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_seen),
        cmocka_unit_test(an_empty_file_is_no_data),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(a_forbidden_file_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
