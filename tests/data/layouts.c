/* SPDX-License-Identifier: MIT */
/* Data sets in small trees of their exact layout. Each stem is a tone of its own, so that a clip
 * tells what is in it: 1000 Hz is the target, 100 Hz belongs in the background, 3000 Hz must never
 * be heard. */
#include <sys/stat.h>
#include "helpers.h"
#include "../../src/data/dataset.h"
#include "../../src/data/layout.h"
#include "../../src/data/slakh.h"
#include "../../src/data/table.h"

enum { SECONDS = 6 };

/* Folders that may be there already. */
static void make_folders(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/", name);
    make_way(path);
    struct stat info;
    assert_int_equal(stat(in_scratch(name), &info), 0);
}

static void save_as(const char *name, double hertz, int seconds, int channels, int rate)
{
    smitin_error error;
    const size_t frames = (size_t)seconds * (size_t)rate;
    float *samples = make_sine(frames, channels, rate, hertz, 0.2);
    ASSERT_OK(
        sm_audio_write(in_scratch(name), samples, frames, channels, rate, 16, NULL, 0, &error));
    free(samples);
}

static void save_tone(const char *name, double hertz)
{
    save_as(name, hertz, SECONDS, 1, RATE);
}

static void save_text(const char *name, const char *text)
{
    write_bytes(in_scratch(name), text, strlen(text));
}

static sm_dataset *open_set(const char *layout, const char *target, sm_recipe recipe)
{
    smitin_error error;
    const sm_dataset_options options = {.recipe = recipe,
                                        .seconds = 1.0,
                                        .sample_rate = RATE,
                                        .channels = 1,
                                        .pairs = 20,
                                        .test_share = 0.25,
                                        .seed = 3};
    sm_dataset *dataset = NULL;
    ASSERT_OK(sm_dataset_open_layout(&dataset, layout, scratch, target, &options, &error));
    return dataset;
}

static bool has_note(const sm_dataset *dataset, const char *part)
{
    for (size_t n = 0; sm_dataset_note(dataset, n) != NULL; n++)
        if (strstr(sm_dataset_note(dataset, n), part) != NULL) return true;
    return false;
}

/* Every clip has the target as its label says, a background, and nothing that was left out; held
 * out are those whose track's name holds `test`. */
static void check_clips(sm_dataset *dataset, const char *test)
{
    smitin_error error;
    const size_t n = sm_dataset_clip_samples(dataset);
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    assert_int_equal(sm_dataset_count(dataset), 40);
    for (size_t i = 0; i < 40; i++) {
        ASSERT_OK(sm_dataset_clip(dataset, i, x, &error));
        /* Tones of 0.2 in 16 bits. A window may hold a tenth of silence at its end, and tones of
         * the right channel alone are half as loud in mono. */
        if (sm_dataset_label(dataset, i))
            assert_true(level(x, n, 1000.0) > 0.09);
        else
            assert_true(level(x, n, 1000.0) < 2e-3);
        assert_true(level(x, n, 100.0) > 0.09);
        assert_true(level(x, n, 3000.0) < 2e-3);
        if (test != NULL)
            assert_int_equal(sm_dataset_is_test(dataset, i),
                             strstr(sm_dataset_track(dataset, i), test) != NULL);
    }
    free(x);
}

static void make_musdb_track(const char *split, const char *title)
{
    static const char *const stems[] = {"mixture", "drums", "bass", "other", "vocals"};
    for (int i = 0; i < 5; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s/%s", split, title);
        make_folders(name);
        snprintf(name, sizeof name, "%s/%s/%s.wav", split, title, stems[i]);
        save_tone(name, i == 0 ? 3000.0 : i == 1 ? 1000.0 : 100.0);
    }
}

static void test_musdb(void **state)
{
    (void)state;
    make_musdb_track("train", "A Band - It's, (A) Song & More");
    make_musdb_track("train", "B Band - Song");
    make_musdb_track("test", "C Band - Song");
    make_folders("__MACOSX");
    save_text("train/._A Band", "x");
    remove(in_scratch("train/B Band - Song/other.wav"));
    save_text("train/B Band - Song/vocals.wav", "RIFF broken");
    save_text("train/D Band - Song.stem.mp4", "x");
    for (int i = 0; i < 2; i++) {
        sm_dataset *dataset = open_set(i == 0 ? "auto" : "musdb18hq", "drums",
                                       i == 0 ? SM_RECIPE_RANDOM : SM_RECIPE_PAIRED);
        assert_true(has_note(dataset, "MUSDB18-HQ: 2 tracks to learn from and 1 held out"));
        assert_true(has_note(dataset, "found 3 tracks, the complete set has 150"));
        assert_true(has_note(dataset, "B Band - Song/other.wav' is missing"));
        assert_true(has_note(dataset, "B Band - Song/vocals.wav"));
        assert_true(has_note(dataset, "1 files end in .stem.mp4"));
        assert_non_null(strstr(sm_dataset_licence(dataset), "academic"));
        check_clips(dataset, "test/");
        sm_dataset_free(dataset);
    }
}

/* Only one of the splits: held out by the seed, songs of one artist together. */
static void test_half_of_musdb(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        char title[64];
        snprintf(title, sizeof title, "Band %d - Song %d", i / 2, i);
        make_musdb_track("train", title);
    }
    sm_dataset *dataset = open_set("auto", "Drums", SM_RECIPE_RANDOM);
    assert_true(has_note(dataset, "held out by the seed"));
    check_clips(dataset, NULL);
    size_t held = 0;
    for (size_t i = 0; i < 40; i++) {
        held += sm_dataset_is_test(dataset, i);
        for (size_t j = 0; j < i; j++)
            if (strncmp(sm_dataset_track(dataset, i), sm_dataset_track(dataset, j),
                        strlen("train/Band 0")) == 0)
                assert_int_equal(sm_dataset_is_test(dataset, i), sm_dataset_is_test(dataset, j));
    }
    assert_int_equal(held, 10);
    sm_dataset_free(dataset);
}

/* Six artists, four of which are on the training side by the hash of their names. */
static void make_moisesdb(void)
{
    for (int i = 0; i < 12; i++) {
        char name[128], json[1600];
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/drums", i);
        make_folders(name);
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/bass", i);
        make_folders(name);
        snprintf(json, sizeof json,
                 "{\"song\": \"S\", \"artist\": \"Artist %c\", \"genre\": \"rock\", \"stems\": ["
                 "{\"id\": \"1\", \"stemName\": \"drums\", \"tracks\": ["
                 "{\"id\": \"kick\", \"trackType\": \"kick drum\", \"extension\": \"wav\"}]},"
                 "{\"id\": \"2\", \"stemName\": \"drums\", \"tracks\": ["
                 "{\"id\": \"room\", \"extension\": \"wav\", \"has_bleed\": true},"
                 "{\"id\": \"lost\", \"extension\": \"wav\", \"has_bleed\": false},"
                 "{\"id\": \"../bass/b\", \"extension\": \"wav\"}]},"
                 "{\"id\": \"3\", \"stemName\": \"bass\", \"tracks\": ["
                 "{\"id\": \"click\", \"trackType\": \"click track\", \"extension\": \"wav\"},"
                 "{\"id\": \"b\", \"trackType\": \"bass guitar\", \"extension\": \"flac\"}]}]}",
                 'A' + i / 2);
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/data.json", i);
        save_text(name, json);
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/drums/kick.wav", i);
        save_as(name, 1000.0, 5, 2, 16000); /* stereo, shorter, of another rate than the bass */
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/drums/room.wav", i);
        save_tone(name, 3000.0);
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/bass/click.wav", i);
        save_tone(name, 3000.0);
        snprintf(name, sizeof name, "moisesdb_v0.1/uuid-%02d/bass/b.flac", i);
        save_tone(name, 100.0);
    }
    make_folders("moisesdb_v0.1/broken");
    save_text("moisesdb_v0.1/broken/data.json", "{\"stems\": [");
    make_folders("moisesdb_v0.1/empty");
}

static void test_moisesdb(void **state)
{
    (void)state;
    make_moisesdb();
    sm_dataset *dataset = open_set("auto", "drums+percussion", SM_RECIPE_RANDOM);
    assert_true(has_note(dataset, "uuid-03/drums/room.wav' other instruments"));
    assert_true(has_note(dataset, "uuid-03/bass/click.wav' is a click track"));
    assert_true(has_note(dataset, "uuid-03/drums/lost.wav' is missing"));
    assert_true(has_note(dataset, "uuid-03/data.json' names a recording"));
    assert_true(has_note(dataset, "broken/data.json', line 1"));
    assert_true(has_note(dataset, "the complete set has 240"));
    assert_string_equal(sm_dataset_licence(dataset), "CC BY-NC-SA 4.0 (MoisesDB)");
    check_clips(dataset, NULL);
    for (size_t i = 0; i < 40; i++) {
        const int artist = atoi(strstr(sm_dataset_track(dataset, i), "uuid-") + 5) / 2;
        /* FNV-1a of "artist a" and "artist f" is 1 and 2 modulo 10, of the others neither. */
        assert_int_equal(sm_dataset_is_test(dataset, i), artist == 0 || artist == 5);
    }
    sm_dataset_free(dataset);
}

static const char *const metadata =
    "UUID: 1a81\r\naudio_dir: stems\nlmd_midi_dir: lmd/O/1a81.mid\nstems:\n"
    "  S00:\n    audio_rendered: true\n    inst_class: Guitar\n    is_drum: false\n"
    "    midi_program_name: \"Distortion: Guitar\"\n    program_num: 30\n"
    "  S02:\n    audio_rendered: true\n    integrated_loudness: -.inf\n    is_drum: 'true'\n"
    "    plugin_name: None\n    program_num: 5\n"
    "  S03:\n    audio_rendered: false\n    is_drum: false\n    program_num: 0\n"
    "  S09:\n    audio_rendered: true\n    is_drum: false\n    program_num: 33\n"
    "target_peak: -1.0\n";

static void make_slakh_track(const char *folder, const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s/stems", folder);
    make_folders(name);
    snprintf(name, sizeof name, "%s/metadata.yaml", folder);
    save_text(name, metadata);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/stems/S0%d%s", folder, i == 0 ? 0 : i + 1, suffix);
        save_tone(name, i == 0 ? 100.0 : i == 1 ? 1000.0 : 3000.0); /* S03: not rendered */
    }
    snprintf(name, sizeof name, "%s/mix%s", folder, suffix);
    save_tone(name, 3000.0);
}

static void test_slakh(void **state)
{
    (void)state;
    make_slakh_track("train/Track00001", ".flac");
    make_slakh_track("validation/Track00003", ".wav");
    make_slakh_track("test/Track00005", ".flac");
    make_slakh_track("omitted/Track00007", ".flac");
    make_folders("train/Track00009");
    save_text("train/Track00009/metadata.yaml", "stems:\n  S00:\n    program_num: many\n");
    sm_dataset *dataset = open_set("auto", "drums", SM_RECIPE_PAIRED);
    assert_true(has_note(dataset, "Slakh2100: 2 tracks to learn from and 1 held out"));
    assert_true(has_note(dataset, "left out 1 tracks"));
    assert_true(has_note(dataset, "Track00005/stems/S09' is missing"));
    assert_true(has_note(dataset, "Track00009/metadata.yaml', line 3: program_num"));
    check_clips(dataset, "test/");
    sm_dataset_free(dataset);
    smitin_error error;
    const sm_dataset_options options = {
        .seconds = 1.0, .sample_rate = RATE, .channels = 1, .pairs = 20, .test_share = 0.25};
    ASSERT_FAILS(sm_dataset_open_layout(&dataset, "slakh", scratch, "vocals", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "no 'vocals'; there are: drums, bass");
    ASSERT_FAILS(sm_dataset_open_layout(&dataset, "mp3s", scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "no layout 'mp3s'");
    ASSERT_FAILS(sm_dataset_open_layout(&dataset, "moisesdb", scratch, "drums", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "no usable track of MoisesDB");
}

static void test_metadata(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "stems: {S00: {}}\n",
        "stems:\n\tS00:\n",
        "stems:\n   S00:\n",
        "stems:\n    is_drum: true\n",
        "stems:\n  ../S00:\n",
        "stems:\n  S00:\n  S00:\n",
        "stems:\n  S00:\n    is_drum: perhaps\n",
        "stems:\n  S00:\n    program_num: 129\n",
        "audio_dir: ../x\nstems:\n  S00:\n",
    };
    smitin_error error;
    sm_slakh found;
    ASSERT_OK(sm_slakh_parse(&found, metadata, strlen(metadata), "m", &error));
    assert_int_equal(found.count, 4);
    assert_string_equal(found.stems[1].id, "S02");
    assert_true(found.stems[1].drums && found.stems[1].rendered);
    assert_false(found.stems[2].rendered);
    assert_int_equal(found.stems[3].program, 33);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        ASSERT_FAILS(sm_slakh_parse(&found, broken[i], strlen(broken[i]), "m", &error),
                     SMITIN_ERROR_FORMAT, "'m'");
}

static sm_dataset_options table_options(void)
{
    const sm_dataset_options options = {
        .seconds = 1.0, .sample_rate = RATE, .channels = 1, .pairs = 20, .test_share = 0.25};
    return options;
}

/* Ten files in turn with and without the trait; the last four are the test split. */
static void make_labels(bool split)
{
    char text[2000], name[64];
    size_t n = (size_t)snprintf(text, sizeof text, "\xEF\xBB\xBFlabels,path,note%s\r\n",
                                split ? ",split" : "");
    make_folders("audio/a");
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "audio/a/it's, %d.wav", i);
        save_tone(name, i % 2 == 0 ? 1000.0 : 100.0);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s,\"a/it's, %d.wav\",\"x\ny\"%s\r\n",
                              i % 2 == 0 ? "loud; Slow guitar" : "guitar", i,
                              !split  ? ""
                              : i < 6 ? ",train"
                                      : ",test");
    }
    const char *tail = split ? ",train" : "";
    snprintf(text + n, sizeof text - n,
             "x,a/gone.wav,%s\nx,../a.wav,%s\nshort\nx,\"a/it's, 1.wav\",%s\nx,a/bad.wav,%s\n",
             tail, tail, tail, tail);
    save_text("audio/a/bad.wav", "RIFF broken");
    save_text("labels.csv", text);
}

static void test_labels(void **state)
{
    (void)state;
    smitin_error error;
    char table[256], audio[256];
    snprintf(table, sizeof table, "%s", in_scratch("labels.csv"));
    snprintf(audio, sizeof audio, "%s", in_scratch("audio"));
    for (int split = 0; split < 2; split++) {
        make_labels(split != 0);
        sm_dataset *dataset = NULL;
        const sm_dataset_options options = table_options();
        ASSERT_OK(sm_dataset_open_labels(&dataset, table, audio, "slow guitar", &options, &error));
        assert_true(has_note(dataset, "a/gone.wav' is missing"));
        assert_true(has_note(dataset, "'../a.wav' is no path below"));
        assert_true(has_note(dataset, "1 rows of"));
        assert_true(has_note(dataset, "1.wav' is in the table twice"));
        assert_true(has_note(dataset, "bad.wav"));
        assert_int_equal(has_note(dataset, "as the set says"), split);
        float x[RATE];
        for (size_t i = 0; i < sm_dataset_count(dataset); i++) {
            const int file = atoi(strrchr(sm_dataset_track(dataset, i), ' '));
            ASSERT_OK(sm_dataset_clip(dataset, i, x, &error));
            assert_int_equal(sm_dataset_label(dataset, i), file % 2 == 0);
            assert_int_equal(level(x, RATE, 1000.0) > 0.17, file % 2 == 0); /* tones of 0.2 */
            if (split) assert_int_equal(sm_dataset_is_test(dataset, i), file >= 6);
        }
        assert_int_equal(sm_dataset_count(dataset), 40);
        sm_dataset_free(dataset);
    }
    sm_dataset *dataset = NULL;
    const sm_dataset_options options = table_options();
    ASSERT_FAILS(sm_dataset_open_labels(&dataset, table, audio, "slow", &options, &error),
                 SMITIN_ERROR_ARGUMENT, "has the label 'slow'");
    save_text("labels.csv", "path,tags\n");
    ASSERT_FAILS(sm_dataset_open_labels(&dataset, table, audio, "slow", &options, &error),
                 SMITIN_ERROR_FORMAT, "no column 'labels'");
}

static void test_tables(void **state)
{
    (void)state;
    smitin_error error;
    sm_table table;
    const char *text = "a\tb\n\"x\"\"y\n\"\t1,2\r\n\n\"\"\t\"z\"";
    ASSERT_OK(sm_table_parse(&table, text, strlen(text), "t", &error));
    assert_int_equal(table.rows, 2);
    assert_string_equal(table.cells[0], "x\"y\n");
    assert_string_equal(table.cells[1], "1,2");
    assert_string_equal(table.cells[2], "");
    assert_string_equal(table.cells[3], "z");
    assert_int_equal(table.lines[1], 5); /* a field and an empty line before it */
    assert_int_equal(sm_table_column(&table, "B"), 1);
    assert_int_equal(sm_table_column(&table, "c"), -1);
    sm_table_free(&table);
    enum { LONG = 1000000 };
    char *line = malloc(LONG + 10);
    assert_non_null(line);
    memset(line, 'x', LONG + 10);
    memcpy(line, "a,b\n", 4);
    line[LONG] = ',';
    ASSERT_OK(sm_table_parse(&table, line, LONG + 10, "t", &error));
    assert_int_equal(strlen(table.cells[0]), LONG - 4);
    sm_table_free(&table);
    memset(line + 4, ',', LONG);
    ASSERT_FAILS(sm_table_parse(&table, line, LONG, "t", &error), SMITIN_ERROR_FORMAT, "columns");
    free(line);
    ASSERT_FAILS(sm_table_parse(&table, "", 0, "t", &error), SMITIN_ERROR_FORMAT, "empty");
    ASSERT_FAILS(sm_table_parse(&table, "a\n\"x", 4, "t", &error), SMITIN_ERROR_FORMAT, "line 2");
    ASSERT_FAILS(sm_table_parse(&table, "\"a\"b", 4, "t", &error), SMITIN_ERROR_FORMAT, "follows");
    ASSERT_FAILS(sm_table_parse(&table, "a\0b", 3, "t", &error), SMITIN_ERROR_FORMAT, "zero bytes");
}

int main(void)
{
#define IN_EMPTY_FOLDER(test) cmocka_unit_test_teardown(test, empty_scratch)
    const struct CMUnitTest tests[] = {
        IN_EMPTY_FOLDER(test_musdb),     IN_EMPTY_FOLDER(test_half_of_musdb),
        IN_EMPTY_FOLDER(test_moisesdb),  IN_EMPTY_FOLDER(test_slakh),
        cmocka_unit_test(test_metadata), IN_EMPTY_FOLDER(test_labels),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
