/* SPDX-License-Identifier: MIT */
/* Owns writing listening tests. The page is listen.html with its data put in. */
#include "listen.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/filemap.h"
#include "../base/outfile.h"
#include "../base/path.h"
#include "listen_html.h"
#include "page.h"

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

static smitin_status clip_json(json_t *array, const sm_listen_clip *clip, size_t index,
                               uint64_t *hash, smitin_error *error)
{
    sm_filemap map = {0};
    char id[24];
    SM_TRY(sm_filemap_open(&map, clip->path, error));
    char *audio = sm_page_base64(map.data, map.size);
    *hash = mix(*hash, map.data, map.size);
    sm_filemap_close(&map);
    if (audio == NULL) return sm_fail_memory(error, "a listening test", map.size);
    snprintf(id, sizeof id, "c%zu", index);
    json_t *o = json_object();
    json_object_set_new(o, "id", json_string(id));
    json_object_set_new(o, "file", json_string(clip->file));
    json_object_set_new(o, "condition", json_string(clip->condition));
    json_object_set_new(o, "seconds", json_real(clip->seconds));
    json_object_set_new(o, "type", json_string(sm_page_media_type(clip->path)));
    json_object_set_new(o, "audio", json_string(audio));
    free(audio);
    const bool whole = json_object_size(o) == 6; /* a name that is no UTF-8 is refused */
    json_array_append_new(array, o);
    if (whole) return SMITIN_OK;
    return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                   "the name of '%s' is no UTF-8; rename the file or its folder", clip->file);
}

/* The data as text that may stand inside a script element. */
static smitin_status data_text(char **text, const sm_listen_test *test, char id[17],
                               smitin_error *error)
{
    uint64_t hash = mix(0xCBF29CE484222325u, test->title, strlen(test->title));
    json_t *root = json_object(), *ask = json_array(), *clips = json_array();
    smitin_status status = SMITIN_OK;
    for (int i = 0; i < test->ask_count; i++) {
        json_array_append_new(ask, json_string(test->ask[i]));
        hash = mix(hash, test->ask[i], strlen(test->ask[i]) + 1);
    }
    for (size_t i = 0; i < test->count && status == SMITIN_OK; i++)
        status = clip_json(clips, &test->clips[i], i + 1, &hash, error);
    snprintf(id, 17, "%016" PRIx64, hash);
    json_object_set_new(root, "id", json_string(id));
    json_object_set_new(root, "title", json_string(test->title));
    json_object_set_new(root, "ignore", json_real(test->ignore));
    json_object_set_new(root, "ask", ask);
    json_object_set_new(root, "clips", clips);
    *text = NULL;
    if (status == SMITIN_OK &&
        (json_object_size(root) != 5 || (int)json_array_size(ask) != test->ask_count))
        status = sm_fail(error, SMITIN_ERROR_ARGUMENT, "the title or a question is no UTF-8");
    if (status == SMITIN_OK) {
        *text = json_dumps(root, JSON_COMPACT);
        if (*text == NULL) status = sm_fail_memory(error, "a listening test", 0);
    }
    json_decref(root);
    return status;
}

smitin_status sm_listen_page(const char *path, const sm_listen_test *test, char *id,
                             smitin_error *error)
{
    char *data = NULL, *escaped = NULL, hash[17];
    size_t size = 0;
    SM_TRY(data_text(&data, test, hash, error));
    if (id != NULL) memcpy(id, hash, sizeof hash);
    FILE *out = open_memstream(&escaped, &size);
    if (out != NULL) sm_page_json(out, data);
    smitin_status status = SMITIN_OK;
    if (out == NULL || fclose(out) != 0) status = sm_fail_memory(error, "a listening test", size);
    const sm_page_part part = {"@DATA@", escaped};
    if (status == SMITIN_OK) status = sm_page_write(path, listen_html, &part, 1, error);
    free(escaped);
    free(data);
    return status;
}

/* ---- webMUSHRA ---- */

/* A YAML string: JSON's are a part of YAML. */
static void put_string(FILE *out, const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    fputs(quoted != NULL ? quoted : "\"?\"", out);
    free(quoted);
    json_decref(value);
}

static void put_response(FILE *out, const char *value, const char *label)
{
    fprintf(out, "            - value: \"%s\"\n              label: \"%s\"\n", value, label);
    fprintf(out,
            "              img: configs/resources/images/star_off.png\n"
            "              imgSelected: configs/resources/images/star_on.png\n"
            "              imgHigherResponseSelected: configs/resources/images/star_off.png\n");
}

static void put_clip(FILE *out, const sm_listen_test *test, size_t index, const char *folder)
{
    static const char *const scale[] = {"1 Bad", "2 Poor", "3 Fair", "4 Good", "5 Excellent"};
    const sm_listen_clip *clip = &test->clips[index];
    char path[2048], text[1024];
    size_t used = (size_t)snprintf(text, sizeof text, "How good is the quality?");
    for (int i = 0; i < test->ask_count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, " Then: do you hear %s?",
                                 test->ask[i]);
    if (test->ignore > 0.0 && used < sizeof text)
        snprintf(text + used, sizeof text - used, " Ignore the first %g s.", test->ignore);
    snprintf(path, sizeof path, "%s/%s", folder, sm_path_name(clip->path));
    fprintf(out,
            "      - type: likert_single_stimulus\n        id: c%zu\n        name: Listen\n"
            "        content: ",
            index + 1);
    put_string(out, text);
    fprintf(out,
            "\n        mustRate: true\n        mustPlayback: ended\n        stimuli:\n          ");
    put_string(out, clip->file);
    fprintf(out, ": ");
    put_string(out, path);
    fprintf(out, "\n        response:\n          -\n");
    for (int i = 0; i < 5; i++) {
        char value[2] = {(char)('1' + i), '\0'};
        put_response(out, value, scale[i]);
    }
    for (int i = 0; i < test->ask_count; i++) {
        fprintf(out, "          -\n");
        put_response(out, "0", "No");
        put_response(out, "1", "Yes");
    }
}

smitin_status sm_listen_webmushra(const char *path, const sm_listen_test *test, const char *folder,
                                  smitin_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return sm_fail_memory(error, "a listening test", 0);
    fprintf(out, "testname: ");
    put_string(out, test->title);
    fprintf(out, "\ntestId: smitin_listen\nbufferSize: 2048\nstopOnErrors: true\n"
                 "showButtonPreviousPage: true\nremoteService: service/write.php\n\npages:\n"
                 "  - type: generic\n    id: welcome\n    name: ");
    put_string(out, test->title);
    fprintf(out,
            "\n    content: \"You will hear %zu clips of music. Use headphones, and do not change "
            "the volume during the test.\"\n  -\n      - random\n",
            test->count);
    for (size_t i = 0; i < test->count; i++) put_clip(out, test, i, folder);
    fprintf(out,
            "  - type: finish\n    name: Thank you\n    content: The answers are sent with the "
            "button below.\n    showResults: false\n    writeResults: true\n");
    if (fclose(out) != 0) {
        free(text);
        return sm_fail_memory(error, "a listening test", size);
    }
    const smitin_status status = sm_file_write(path, text, size, error);
    free(text);
    return status;
}
