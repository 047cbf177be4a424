/* SPDX-License-Identifier: MIT */
/* Experiment files: which words become of settings and conditions, and which prompt a piece gets.
 */
#include "../common.h"
#include "../../src/eval/experiment.h"

static void parse(sm_experiment *e, const char *text)
{
    smitin_error error = {0};
    if (sm_experiment_parse(e, text, strlen(text), "test", &error) != SMITIN_OK)
        fail_msg("%s", error.message);
}

/* The words, joined by blanks. */
static void assert_words(const sm_words *words, const char *expected)
{
    char joined[512] = "";
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0) strcat(joined, " ");
        strcat(joined, words->items[i]);
    }
    assert_string_equal(joined, expected);
}

static void test_words(void **state)
{
    (void)state;
    sm_experiment e;
    parse(&e,
          "{\"settings\": {\"model\": \"m\", \"top-p\": 0.1, \"lag\": true, \"knob\": \"a:5\"},"
          " \"conditions\": [{\"name\": \"x\"}, {\"name\": \"y\", \"lag\": false, \"seconds\": 10,"
          " \"knob\": [\"a:5\", \"b:60%\"], \"every\": -2, \"prompt\": \"p\"}],"
          " \"describe\": {\"skip\": 2.5, \"plain\": true}}");
    assert_int_equal(e.count, 2);
    assert_words(&e.conditions[0].words, "--model m --top-p 0.1 --lag --knob a:5");
    /* The condition's own counts, a list says the option again, and false not at all. */
    assert_words(&e.conditions[1].words,
                 "--model m --top-p 0.1 --knob a:5 --knob b:60% --seconds 10 --every -2");
    assert_null(e.conditions[0].prompt);
    assert_string_equal(e.conditions[1].prompt, "p");
    assert_words(&e.describe, "--skip 2.5 --plain");
    assert_int_equal(e.pieces, 0);
    assert_true(e.seed > 0.9 && e.seed < 1.1);
    sm_experiment_free(&e);
    sm_experiment_free(&e);
}

static void assert_prompt(const sm_experiment *e, int condition, int piece, const char *expected)
{
    char *prompt = NULL;
    assert_int_equal(sm_experiment_prompt(e, &e->conditions[condition], piece, &prompt, NULL),
                     SMITIN_OK);
    if (expected == NULL)
        assert_null(prompt);
    else
        assert_string_equal(prompt, expected);
    free(prompt);
}

static void test_prompts(void **state)
{
    (void)state;
    static const char *const files[] = {"d/1.wav", "d/2.wav", "d/3.wav"};
    sm_experiment e;
    char *text = NULL;
    parse(&e, "{\"clips\": \"d\", \"texts\": [\"slow\", \"a {text}\"], \"conditions\":"
              " [{\"name\": \"x\"}, {\"name\": \"y\", \"prompt\": \"{text}+{text}.\"},"
              "  {\"name\": \"z\", \"prompt\": \"\"}]}");
    assert_int_equal(sm_experiment_set_clips(&e, files, 3, NULL), SMITIN_OK);
    assert_int_equal(sm_experiment_settle(&e, "test", NULL), SMITIN_OK);
    assert_int_equal(e.pieces, 6); /* every clip with every text */
    assert_string_equal(sm_experiment_clip(&e, 2), "d/3.wav");
    assert_string_equal(sm_experiment_clip(&e, 3), "d/1.wav");
    assert_string_equal(sm_experiment_text(&e, 2), "slow");
    assert_string_equal(sm_experiment_text(&e, 3), "a {text}");
    assert_string_equal(sm_experiment_text(&e, 6), "slow");
    assert_prompt(&e, 0, 3, "a {text}");
    assert_prompt(&e, 1, 0, "slow+slow.");
    assert_prompt(&e, 1, 3, "a {text}+a {text}.");
    assert_prompt(&e, 2, 0, NULL);
    assert_int_equal(sm_experiment_write(&e, &text, NULL), SMITIN_OK);
    sm_experiment_free(&e);
    parse(&e, text);
    assert_int_equal(e.clips.count, 3);
    assert_string_equal(e.clips.items[2], "d/3.wav");
    free(text);
    sm_experiment_free(&e);
}

/* No prompts at all, and more of them than there may be pieces. */
static void test_counts(void **state)
{
    (void)state;
    sm_experiment e;
    smitin_error error = {0};
    parse(&e, "{\"conditions\": [{\"name\": \"x\"}]}");
    assert_int_equal(sm_experiment_settle(&e, "test", NULL), SMITIN_OK);
    assert_int_equal(e.pieces, 1);
    assert_null(sm_experiment_clip(&e, 0));
    assert_prompt(&e, 0, 0, NULL);
    sm_experiment_free(&e);

    enum { CLIPS = 60000 };
    static const char *files[CLIPS];
    for (int i = 0; i < CLIPS; i++) files[i] = "a.wav";
    parse(&e, "{\"clips\": \"d\", \"texts\": [\"1\", \"2\"], \"conditions\": [{\"name\": \"x\"}]}");
    assert_int_equal(sm_experiment_set_clips(&e, files, CLIPS, NULL), SMITIN_OK);
    assert_int_equal(sm_experiment_settle(&e, "test", &error), SMITIN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "\"pieces\""));
    files[7] = "\xff.wav";
    assert_int_equal(sm_experiment_set_clips(&e, files, CLIPS, &error), SMITIN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "UTF-8"));
    assert_int_equal(e.clips.count, CLIPS);
    sm_experiment_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
