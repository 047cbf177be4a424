/* SPDX-License-Identifier: MIT */
/* Labelled clips from tables and from mixes of stems, and the small parsers below them. */
#include "../../src/data/entries.h"
#include "sets.h"

/* ---- Tables ---- */

static void test_table_of_tags(void **state)
{
    (void)state;
    save_text("tags.csv", "\xEF\xBB\xBFpath,split,labels,artist\r\n"
                          "a.wav,train,jazz; piano,X\r\n\"b, c.wav\",test,piano|rock,Y\r\n"
                          "d/e.flac,valid,,Z\r\nd/e.flac,valid,jazz,Z\r\n../up.wav,train,jazz,X\r\n"
                          "gone.wav,train,rock;rock,X\r\nshort.wav,train,jazz,X\r\n"
                          "bad.wav,train,rare,X\r\na2.wav,soon,jazz,X\r\nonly,two\r\n");
    save_tone("audio/a.wav", 2.5, 400.0, RATE, 1);
    save_tone("audio/b, c.wav", 1.0, 600.0, 44100, 2);
    save_tone("audio/d/e.flac", 1.0, 800.0, 16000, 1);
    save_tone("audio/short.wav", 0.99, 800.0, RATE, 1);
    save_text("audio/bad.wav", "this is no audio");
    sm_collection_options o = options_of("table", "audio");
    char table[512];
    snprintf(table, sizeof table, "%s", in_scratch("tags.csv"));
    o.table = table;
    o.task = SM_TASK_MULTILABEL;
    sm_collection *c = open_set(&o);
    /* By frequency (jazz 4, rock 2, piano 2: over what is annotated), then by name. */
    assert_int_equal(sm_collection_classes(c), 4);
    assert_string_equal(sm_collection_class(c, 0), "jazz");
    assert_string_equal(sm_collection_class(c, 1), "piano");
    assert_string_equal(sm_collection_class(c, 2), "rock");
    assert_string_equal(sm_collection_class(c, 3), "rare");
    assert_string_equal(list_clips(c), "a.wav@0 train 1 1 0 0\na.wav@1 train 1 1 0 0\n"
                                       "b, c.wav@0 test 0 1 1 0\nd/e.flac@0 valid 0 0 0 0\n");
    assert_sounds(c, 1, 400.0, 0.5);
    assert_sounds(c, 2, 600.0, 0.375); /* its second channel is half as loud */
    assert_noted(c, "'../up.wav' is no path");
    assert_noted(c, "gone.wav' is missing");
    assert_noted(c, "short.wav' has no 1 s from 0 s on: it is 0.99 s long");
    assert_noted(c, "bad.wav' is not an audio file");
    assert_noted(c, "not 'soon'");
    assert_noted(c, "'d/e.flac' is annotated twice");
    assert_noted(c, "1 rows");
    assert_non_null(strstr(sm_collection_summary(c), "3 files, 4 clips"));
    sm_collection_free(c);

    o.top = 2;
    o.labelled_only = true;
    o.per_file = 1;
    c = open_set(&o);
    assert_string_equal(list_clips(c), "a.wav@1 train 1 1\nb, c.wav@0 test 0 1\n");
    assert_noted(c, "2 files have none of the labels"); /* those with a rare one, too */
    sm_collection_free(c);

    o.task = SM_TASK_BINARY;
    o.trait = "Rock";
    c = open_set(&o);
    assert_string_equal(list_clips(c), "a.wav@1 train 0\nb, c.wav@0 test 1\nd/e.flac@0 valid 0\n");
    sm_collection_free(c);
}

static void test_table_of_numbers_and_spans(void **state)
{
    (void)state;
    save_text("table.tsv",
              "path\tstart\tend\ttempo\tgenre\tsplit\n"
              "a.wav\t1.5\t\t120.5 \tb\ttrain\na.wav\t0\t1\t-3e1\ta\ttrain\n"
              "b.wav\t0\t9\t7\ta\ttest\nb.wav\t3\t2\t7\ta\ttest\nb.wav\t1\t\tfast\ta\ttest\n"
              "b.wav\t0.5\t\t1\t\ttest\n");
    save_tone("a.wav", 4.0, 400.0, RATE, 1);
    save_tone("b.wav", 2.0, 500.0, RATE, 1);
    sm_collection_options o = options_of("table", "");
    char table[512];
    snprintf(table, sizeof table, "%s", in_scratch("table.tsv"));
    o.table = table;
    o.task = SM_TASK_REGRESSION;
    sm_collection *c = NULL;
    ASSERT_FAILS(sm_collection_open(&c, &o, &error), SMITIN_ERROR_ARGUMENT, "--columns");
    o.columns = "tempo,mood";
    ASSERT_FAILS(sm_collection_open(&c, &o, &error), SMITIN_ERROR_ARGUMENT, "'mood'");
    assert_null(c);
    o.columns = "tempo";
    c = open_set(&o);
    assert_string_equal(list_clips(c), "a.wav@0 train -30\na.wav@1.5 train 120.5\n"
                                       "a.wav@2.5 train 120.5\nb.wav@0 test 7\nb.wav@1 test 7\n"
                                       "b.wav@0.5 test 1\n");
    assert_noted(c, "line 5: start and end");
    assert_noted(c, "'fast' is no number");
    sm_collection_free(c);
    o.task = SM_TASK_MULTICLASS;
    o.columns = "genre";
    c = open_set(&o);
    assert_string_equal(sm_collection_class(c, 1), "b");
    assert_string_equal(list_clips(c), "a.wav@0 train 0\na.wav@1.5 train 1\na.wav@2.5 train 1\n"
                                       "b.wav@0 test 0\nb.wav@1 test 0\nb.wav@1 test 0\n");
    assert_noted(c, "there is no class");
    sm_collection_free(c);
}

/* The paper's two lengths on files of 29.1 s, as MagnaTagATune's are, and what is shorter. */
static void test_3_and_29_seconds(void **state)
{
    (void)state;
    save_text("t.csv", "path,labels,split\na.wav,x,train\nb.flac,,train\nshort.wav,x,train\n"
                       "c.wav,x,test\n");
    save_tone("a.wav", 29.1, 400.0, 16000, 1);
    save_tone("b.flac", 29.1, 500.0, 22050, 2);
    save_tone("c.wav", 60.0, 600.0, RATE, 1);
    save_tone("short.wav", 20.0, 400.0, 16000, 1);
    char table[512];
    snprintf(table, sizeof table, "%s", in_scratch("t.csv"));
    sm_collection_options o = options_of("table", "");
    o.table = table;
    o.task = SM_TASK_MULTILABEL;
    o.top = 0;
    o.seconds = 29.0;
    sm_collection *c = open_set(&o);
    assert_string_equal(list_clips(c), "a.wav@0 train 1\nb.flac@0 train 0\nc.wav@0 test 1\n"
                                       "c.wav@29 test 1\n");
    assert_noted(c, "short.wav'");
    assert_int_equal(sm_collection_clip_samples(c), 29 * RATE);
    float *samples = malloc(29 * RATE * sizeof *samples);
    assert_non_null(samples);
    ASSERT_OK(sm_collection_samples(c, 1, samples, &error));
    ASSERT_NEAR(level(samples + 28 * RATE, RATE, 500.0), 0.375, 0.01); /* right at half: mixed */
    free(samples);
    sm_collection_free(c);
    o.seconds = 3.0;
    c = open_set(&o);
    assert_int_equal(sm_collection_count(c), 9 + 9 + 6 + 20);
    assert_true(sm_collection_clip(c, 8)->start == 24.0);
    sm_collection_free(c);
    o.per_file = 2; /* evenly spread: the middles of two halves */
    c = open_set(&o);
    assert_int_equal(sm_collection_count(c), 8);
    sm_collection_free(c);
}

/* Without a split files are held out by the seed, class by class, artists whole. */
static void test_held_out(void **state)
{
    (void)state;
    char text[2048] = "path,label,artist\n", row[64];
    for (int i = 0; i < 24; i++) {
        snprintf(row, sizeof row, "f%02d.wav", i);
        save_tone(row, 1.0, 400.0, RATE, 1);
        snprintf(row, sizeof row, "f%02d.wav,%s,artist %d\n", i, i < 16 ? "x" : "y", i / 2);
        strcat(text, row);
    }
    save_text("t.csv", text);
    char table[512];
    snprintf(table, sizeof table, "%s", in_scratch("t.csv"));
    sm_collection_options o = options_of("table", "");
    o.table = table;
    o.task = SM_TASK_MULTICLASS;
    char first[4096];
    for (int seed = 1; seed <= 3; seed++) {
        o.seed = (uint64_t)seed;
        sm_collection *c = open_set(&o);
        int test[2] = {0, 0};
        for (size_t i = 0; i < 24; i += 2) {
            assert_int_equal(sm_collection_clip(c, i)->split, sm_collection_clip(c, i + 1)->split);
            if (sm_collection_clip(c, i)->split == SM_SPLIT_TEST) test[i >= 16] += 2;
        }
        assert_int_equal(test[0], 4); /* a quarter of 16 and of 8 */
        assert_int_equal(test[1], 2);
        if (seed == 1) snprintf(first, sizeof first, "%s", list_clips(c));
        if (seed == 3) assert_string_not_equal(first, list_clips(c));
        sm_collection_free(c);
    }
}

/* A file whose header promises more than there is fails when its clip is read, not before. */
static void test_cut_off(void **state)
{
    (void)state;
    save_tone("x/a.wav", 4.0, 400.0, RATE, 1);
    save_tone("y/b.wav", 1.0, 400.0, RATE, 1);
    save_tone("x/c.wav", 1.0, 400.0, RATE, 1);
    save_tone("y/d.flac", 4.0, 400.0, RATE, 1);
    struct stat whole;
    assert_int_equal(stat(in_scratch("y/d.flac"), &whole), 0);
    assert_int_equal(truncate(in_scratch("y/d.flac"), whole.st_size * 5 / 8), 0);
    sm_collection_options o = options_of("folders", "");
    o.test_share = 0.5;
    sm_collection *c = open_set(&o);
    size_t broken = 0;
    float samples[RATE];
    for (size_t i = 0; i < sm_collection_count(c); i++) {
        const bool fine = sm_collection_samples(c, i, samples, &error) == SMITIN_OK;
        broken += !fine;
        if (!fine) assert_non_null(strstr(error.message, "d.flac"));
    }
    assert_int_equal(sm_collection_count(c), 10);
    assert_true(broken > 0 && broken < 4);
    sm_collection_free(c);
    ASSERT_FAILS(
        sm_collection_open(
            &c, &(sm_collection_options){.dataset = "opera", .seconds = 1.0, .root = "."}, &error),
        SMITIN_ERROR_ARGUMENT, "'opera'");
}

/* ---- Mixes of stems ---- */

/* Five tracks of MUSDB18-HQ: drums 500 Hz, bass 700 Hz and other 900 Hz throughout, vocals 1100 Hz
 * in the first half; two are held out by the set. */
static void save_musdb(void)
{
    static const char *const stems[] = {"drums", "bass", "other", "vocals", "mixture"};
    static const double hertz[] = {500.0, 700.0, 900.0, 1100.0, 1300.0};
    for (int t = 0; t < 5; t++)
        for (int s = 0; s < 5; s++) {
            char name[128];
            snprintf(name, sizeof name, "musdb/%s/A%d - T/%s.wav", t < 3 ? "train" : "test", t,
                     stems[s]);
            make_way(name);
            float *samples = make_sine(RATE * 20, 1, RATE, hertz[s], 0.2);
            if (s == 3) memset(samples + RATE * 10, 0, sizeof *samples * RATE * 10);
            ASSERT_OK(
                sm_audio_write(in_scratch(name), samples, RATE * 20, 1, RATE, 16, NULL, 0, &error));
            free(samples);
        }
}

static void test_mixes(void **state)
{
    (void)state;
    save_musdb();
    char root[512];
    snprintf(root, sizeof root, "%s", in_scratch("musdb"));
    sm_dataset_options o = {.seconds = 1.0,
                            .sample_rate = RATE,
                            .channels = 1,
                            .pairs = 25,
                            .test_share = 0.4,
                            .seed = 1};
    sm_collection *c = NULL;
    ASSERT_OK(sm_collection_open_mixes(&c, "auto", root, "drums,bass,vocals", &o, &error));
    assert_int_equal(sm_collection_count(c), 50);
    assert_int_equal(sm_collection_classes(c), 3);
    assert_string_equal(sm_collection_class(c, 2), "vocals");
    assert_noted(c, "3 tracks to learn from and 2 held out");
    float samples[RATE];
    size_t with[3] = {0, 0, 0}, test = 0;
    for (size_t i = 0; i < 50; i++) {
        const sm_clip *clip = sm_collection_clip(c, i);
        static const double hertz[] = {500.0, 700.0, 1100.0};
        ASSERT_OK(sm_collection_samples(c, i, samples, &error));
        for (int k = 0; k < 3; k++) {
            ASSERT_NEAR(level(samples, RATE, hertz[k]), 0.2 * clip->values[k], 0.005);
            with[k] += clip->values[k] != 0.0;
        }
        ASSERT_NEAR(level(samples, RATE, 900.0), 0.2, 0.005); /* no target: always there */
        ASSERT_NEAR(level(samples, RATE, 1300.0), 0.0, 0.005);
        assert_true(clip->values[0] + clip->values[1] + clip->values[2] > 0.0);
        assert_true(clip->start < 10.0 || clip->values[2] == 0.0);
        assert_int_equal(clip->split == SM_SPLIT_TEST, strncmp(clip->track, "test/", 5) == 0);
        test += clip->split == SM_SPLIT_TEST;
    }
    assert_int_equal(test, 20);
    /* Halves: 50 throws of at least one of two or three kinds; 5 deviations are 18. */
    for (int k = 0; k < 2; k++) assert_in_range(with[k], 12, 44);
    sm_collection_free(c);

    o.pairs = 1000;
    ASSERT_FAILS(sm_collection_open_mixes(&c, "auto", root, "drums,bass+drums", &o, &error),
                 SMITIN_ERROR_ARGUMENT, "two of the targets");
    ASSERT_FAILS(sm_collection_open_mixes(&c, "auto", root, "drums,flute", &o, &error),
                 SMITIN_ERROR_ARGUMENT, "flute");
    ASSERT_FAILS(sm_collection_open_mixes(&c, "auto", root, "drums,", &o, &error),
                 SMITIN_ERROR_ARGUMENT, "several targets");
    /* Joined by "+" two stems are one target; and each window is used once. */
    ASSERT_OK(sm_collection_open_mixes(&c, "musdb18hq", root, "drums,bass+vocals", &o, &error));
    assert_int_equal(sm_collection_count(c), 100);
    assert_noted(c, "only 60 clips for the train split");
    sm_collection_free(c);
}

/* ---- Small parsers ---- */

static void test_parsers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int key;
    } keys[] = {{"C minor", 1},
                {"C major", 0},
                {"d# minor\t2\t", 7},
                {"Eb minor", 7},
                {"Cb major", 22},
                {"b# major", 0},
                {"F# major\n", 12},
                {"A:min", 19},
                {"G maj", 14},
                {"H major", -1},
                {"-", -1},
                {"", -1},
                {"C", -1},
                {"C minors", -1},
                {"A minor / C major", -1},
                {"A minor/C major", -1},
                {"X major", -1},
                {"Cmajor", -1}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (sm_key_parse(keys[i].text) != keys[i].key)
            fail_msg("'%s' is %d", keys[i].text, sm_key_parse(keys[i].text));
    for (int i = 0; i < SM_KEYS; i++) assert_int_equal(sm_key_parse(sm_key_names[i]), i);

    char out[64];
    const char *at = "['a', \"b'c\" ,'d\\'e\\\\']";
    assert_int_equal(sm_list_next(&at, out), 1);
    assert_string_equal(out, "a");
    assert_int_equal(sm_list_next(&at, out), 1);
    assert_string_equal(out, "b'c");
    assert_int_equal(sm_list_next(&at, out), 1);
    assert_string_equal(out, "d'e\\");
    assert_int_equal(sm_list_next(&at, out), 0);
    static const char *const broken[] = {"", "a", "['a'", "['a' 'b']", "[a]", "['a\\", "['a',"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        int more;
        at = broken[i];
        while ((more = sm_list_next(&at, out)) == 1) {
        }
        assert_int_equal(more, -1);
    }
    /* From Python's hashlib. */
    unsigned share;
    ASSERT_OK(sm_sha1_modulo("alpha", 116, &share, &error));
    assert_int_equal(share, 3);
    ASSERT_OK(sm_sha1_modulo("", 1000, &share, &error));
    assert_int_equal(share, 305);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_table_of_tags, empty_scratch),
        cmocka_unit_test_teardown(test_table_of_numbers_and_spans, empty_scratch),
        cmocka_unit_test_teardown(test_3_and_29_seconds, empty_scratch),
        cmocka_unit_test_teardown(test_held_out, empty_scratch),
        cmocka_unit_test_teardown(test_cut_off, empty_scratch),
        cmocka_unit_test_teardown(test_mixes, empty_scratch),
        cmocka_unit_test(test_parsers),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
