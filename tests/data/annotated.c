/* SPDX-License-Identifier: MIT */
/* Published sets of labelled clips, each in the exact layout it has on disk. */
#include "../../src/data/prompts.h"
#include "sets.h"

static void test_magnatagatune(void **state)
{
    (void)state;
    save_text(
        "mtt/annotations_final.csv",
        "\"clip_id\"\t\"no voice\"\t\"singer\"\t\"harp\"\t\"mp3_path\"\n"
        "\"2\"\t\"0\"\t\"1\"\t\"0\"\t\"f/one.mp3\"\n\"6\"\t\"1\"\t\"1\"\t\"0\"\t\"0/two.mp3\"\n"
        "\"10\"\t\"0\"\t\"0\"\t\"0\"\t\"c/three.mp3\"\n"
        "\"35644\"\t\"0\"\t\"1\"\t\"1\"\t\"b/corrupt.mp3\"\n"
        "\"12\"\t\"1\"\t\"1\"\t\"0\"\t\"b/gone.mp3\"\n\"14\"\t\"0\"\t\"0\"\t\"1\"\t\"\"\n"
        "\"16\"\t\"0\"\t\"1\"\t\"0\"\t\"9/wave.mp3\"\n");
    save_tone("mtt/f/one.mp3", 1.2, 440.0, 16000, 1);
    save_tone("mtt/mp3/0/two.mp3", 1.2, 660.0, 16000, 1); /* some unpack into mp3/ */
    save_tone("mtt/c/three.mp3", 1.2, 880.0, 16000, 1);
    save_tone("mtt/b/corrupt.mp3", 1.2, 880.0, 16000, 1);
    save_tone("mtt/9/wave.wav", 1.2, 990.0, 16000, 1); /* and some convert */
    sm_collection_options o = options_of("magnatagatune", "mtt");
    sm_collection *c = open_set(&o);
    assert_int_equal(sm_collection_task(c), SM_TASK_MULTILABEL);
    assert_string_equal(sm_collection_class(c, 0), "singer"); /* 5, no voice 2, harp 2 */
    assert_string_equal(sm_collection_class(c, 1), "harp");
    assert_string_equal(list_clips(c), "9/wave.wav@0 train 1 0 0\nc/three.mp3@0 valid 0 0 0\n"
                                       "f/one.mp3@0 test 1 0 0\nmp3/0/two.mp3@0 train 1 0 1\n");
    assert_sounds(c, 0, 990.0, 0.5);
    assert_noted(c, "complete set has 25863");
    assert_noted(c, "b/gone.mp3' is missing");
    assert_noted(c, "clip 35644");
    assert_noted(c, "line 7: no path");
    sm_collection_free(c);
}

static void save_genres(const char *suffix)
{
    static const char *const genres[] = {"blues", "jazz"};
    char name[128];
    for (int g = 0; g < 2; g++)
        for (int i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "gtzan/Data/genres_original/%s/%s.%05d.%s", genres[g],
                     genres[g], i, suffix);
            save_tone(name, 1.0, 400.0 + 100.0 * g, 22050, 1);
        }
}

/* AU, big-endian, as the older archive has it. */
static void save_au(const char *name)
{
    unsigned char file[24 + 2 * 22050] = {'.', 's', 'n', 'd', 0, 0, 0,    24,   0, 0, 0xAC, 0x44,
                                          0,   0,   0,   3,   0, 0, 0x56, 0x22, 0, 0, 0,    1};
    for (int i = 0; i < 22050; i++) {
        const int x = (int)(16384.0 * sin(2.0 * TEST_PI * 700.0 * i / 22050));
        file[24 + 2 * i] = (unsigned char)(x >> 8 & 255);
        file[25 + 2 * i] = (unsigned char)(x & 255);
    }
    make_way(name);
    write_bytes(in_scratch(name), file, sizeof file);
}

static void test_gtzan(void **state)
{
    (void)state;
    save_genres("wav");
    save_au("gtzan/Data/genres_original/jazz/jazz.00009.au");
    save_text("gtzan/Data/genres_original/jazz/jazz.00003.wav", "unreadable");
    sm_collection_options o = options_of("gtzan", "gtzan");
    sm_collection *c = open_set(&o);
    assert_int_equal(sm_collection_classes(c), 2);
    assert_int_equal(sm_collection_count(c), 8);
    assert_noted(c, "do not compare the scores");
    assert_noted(c, "jazz.00003.wav'");
    sm_collection_free(c);

    save_text("gtzan/train_filtered.txt", "blues/blues.00000.wav\njazz/jazz.00009.wav\n");
    save_text("gtzan/valid_filtered.txt", "blues/blues.00002.wav\r\n\n");
    save_text("gtzan/test_filtered.txt",
              "jazz/jazz.00001.wav\nblues/blues.00077.wav\nblues/blues.00002.wav\n");
    c = open_set(&o);
    assert_string_equal(list_clips(c), "Data/genres_original/blues/blues.00000.wav@0 train 0\n"
                                       "Data/genres_original/blues/blues.00002.wav@0 valid 0\n"
                                       "Data/genres_original/jazz/jazz.00001.wav@0 test 1\n"
                                       "Data/genres_original/jazz/jazz.00009.au@0 train 1\n");
    assert_noted(c, "'blues.00077' of the test list is missing");
    assert_noted(c, "'blues.00002' is listed twice; the valid split has it");
    assert_sounds(c, 3, 700.0, 0.5);
    sm_collection_free(c);
    o = options_of("gtzan", "");
    ASSERT_FAILS(sm_collection_open(&c, &o, &error), SMITIN_ERROR_ARGUMENT, "not GTZAN");
}

static void save_giantsteps(void)
{
    static const struct {
        const char *id, *key;
    } tests[] = {{"1004923", "C minor"}, {"10089", "Db major"}, {"10090", "F major / D minor"}};
    char name[256], artist[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "gs/giantsteps-key-dataset/audio/%s.LOFI.mp3", tests[i].id);
        save_tone(name, 2.4, 400.0, 44100, 2);
        snprintf(name, sizeof name, "gs/giantsteps-key-dataset/annotations/key/%s.LOFI.key",
                 tests[i].id);
        save_text(name, tests[i].key);
    }
    save_text("gs/giantsteps-mtg-key-dataset/annotations/annotations.txt",
              "ID\tMANUAL KEY\tC\tNOTES\n100066\td# minor\t2\t\n100067\tF# major\t2\t\n"
              "100068\tA minor\t1\t\n100069\t-\t2\t\n100070\tc minor/g minor\t2\t\n"
              "100071\tG major\t2\t\n100072\tBb minor\t2\t\n");
    save_text("gs/giantsteps-mtg-key-dataset/annotations/beatport_metadata.txt",
              "ID\tARTIST\tSONG TITLE\tMIX\n100066\tAlpha\t\"Quoted\" title\tM\n"
              "100067\tBeta, RHO\tT\tM\n100071\tCarla\t\"\tM\n100072\tBeta\tT\tM\n");
    for (int i = 66; i < 73; i++) {
        snprintf(name, sizeof name, "gs/giantsteps-mtg-key-dataset/audio/1000%d.LOFI.mp3", i);
        snprintf(artist, sizeof artist, "%d", i);
        if (i != 71) save_tone(name, 1.3, 600.0, 44100, 2);
    }
}

static void test_giantsteps(void **state)
{
    (void)state;
    save_giantsteps();
    sm_collection_options o = options_of("giantsteps", "gs");
    sm_collection *c = open_set(&o);
    assert_int_equal(sm_collection_classes(c), SM_KEYS);
    /* SHA-1 modulo 116 of alpha is 3, of beta 97, of rho 100 or more: rho is in valid, and so is
     * beta, who worked with rho. Keys: C minor 1, Db major 2, d# minor is Eb minor 7, F# major is
     * Gb major 12, Bb minor 21. */
    assert_string_equal(list_clips(c),
                        "giantsteps-key-dataset/audio/1004923.LOFI.mp3@0 test 1\n"
                        "giantsteps-key-dataset/audio/1004923.LOFI.mp3@1 test 1\n"
                        "giantsteps-key-dataset/audio/10089.LOFI.mp3@0 test 2\n"
                        "giantsteps-key-dataset/audio/10089.LOFI.mp3@1 test 2\n"
                        "giantsteps-mtg-key-dataset/audio/100066.LOFI.mp3@0 train 7\n"
                        "giantsteps-mtg-key-dataset/audio/100067.LOFI.mp3@0 valid 12\n"
                        "giantsteps-mtg-key-dataset/audio/100072.LOFI.mp3@0 valid 21\n");
    assert_noted(c, "'10090' has no single key but 'F major / D minor'");
    assert_noted(c, "'100069' has no single key but '-'");
    assert_noted(c, "'100070' has no single key");
    assert_noted(c, "keys of 1 tracks");
    assert_noted(c, "100071.LOFI.mp3' is missing");
    assert_string_equal(sm_collection_clip(c, 0)->track, "giantsteps-key-dataset/1004923");
    sm_collection_free(c);
    /* One set alone has no test split of its own. */
    o = options_of("giantsteps", "gs/giantsteps-key-dataset");
    c = open_set(&o);
    assert_noted(c, "held out by the seed");
    sm_collection_free(c);
    o = options_of("giantsteps", "gs/giantsteps-key-dataset/audio");
    ASSERT_FAILS(sm_collection_open(&c, &o, &error), SMITIN_ERROR_ARGUMENT, "not GiantSteps");
}

static void test_emomusic(void **state)
{
    (void)state;
    save_text("emo/annotations/static_annotations.csv",
              "song_id, mean_arousal, std_arousal, mean_valence, std_valence\n"
              "2,3.1000\t,1.5,\t3.0,1.9\n3,5.5,1,6.25,1\n4,7,1,2,1\n5,x,1,2,1\n6,1,1,1,1\n");
    save_text(
        "emo/annotations/songs_info.csv",
        "song_id,file_name,Artist,Song title,start of the segment (min.sec),end of the segment "
        "(min.sec),Genre,Mediaeval 2013 set\n"
        "2,2.mp3,The New Mystikal Troubadours,Stay \t,1.5,2.35,Blues,development\t\n"
        "3,3.mp3,Nobody,\"A, B\",0.48,1.33,Blues,evaluation\n"
        "4,4.mp3,Aphex  Twin 2,T,0.48,1.33,Electronic,development\n"
        "6,6.mp3,X,T,0.48,1.33,Electronic,development\n");
    for (int i = 2; i <= 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "emo/clips_45seconds/%d.mp3", i);
        save_tone(name, 2.2, 300.0 + 100.0 * i, 44100, 1 + i % 2);
    }
    sm_collection_options o = options_of("emomusic", "emo");
    o.per_file = 1;
    sm_collection *c = open_set(&o);
    assert_int_equal(sm_collection_task(c), SM_TASK_REGRESSION);
    assert_string_equal(sm_collection_class(c, 0), "arousal");
    assert_string_equal(sm_collection_class(c, 1), "valence");
    assert_string_equal(list_clips(c), "clips_45seconds/2.mp3@1 valid 3.1 3\n"
                                       "clips_45seconds/3.mp3@1 test 5.5 6.25\n"
                                       "clips_45seconds/4.mp3@1 train 7 2\n");
    assert_noted(c, "line 5: no means");
    assert_noted(c, "clips_45seconds/6.mp3' is missing");
    assert_noted(c, "complete set has 744");
    sm_collection_free(c);
}

static const char musiccaps[] =
    "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,"
    "is_audioset_eval,rewritten\n"
    "-0Gj8-vB1q4,30,40,\"/m/0140xf,/m/02cjck,/m/04rlf\",\"['low quality', 'sustained strings "
    "melody', 'sad']\",\"The low quality recording\nfeatures a ballad\",4,False,True,x\n"
    "-0SdAVK79lg,30,40,\"/m/04rlf\",\"[\"\"don't stop\"\", 'punchy \"\"4 on the floor\"\" kick', "
    "'sad']\",\"A \"\"quoted\"\" word\",0,True,False,y\n"
    "bad_aspect1,30,40,x,\"['open\",c,0,False,False,z\n"
    "bad_numbers,soon,40,x,\"['sad']\",c,0,False,False,z\n"
    "empty_list0,0,10,x,[],c,0,False,False,z\n";

static void test_musiccaps(void **state)
{
    (void)state;
    save_text("mc/musiccaps-public.csv", musiccaps);
    sm_prompts prompts;
    ASSERT_OK(sm_prompts_read(&prompts, in_scratch("mc/musiccaps-public.csv"), &error));
    assert_int_equal(prompts.count, 3);
    assert_int_equal(prompts.notes_count, 2);
    assert_non_null(strstr(prompts.notes[0], "line 5: aspect_list"));
    assert_string_equal(prompts.items[0].id, "-0Gj8-vB1q4");
    assert_string_equal(prompts.items[0].tag_text, "low quality, sustained strings melody, sad");
    assert_string_equal(prompts.items[0].caption, "The low quality recording\nfeatures a ballad");
    assert_true(prompts.items[0].evaluation && !prompts.items[1].evaluation);
    assert_string_equal(prompts.items[1].tags[0], "don't stop");
    assert_string_equal(prompts.items[1].tags[1], "punchy \"4 on the floor\" kick");
    assert_int_equal(prompts.items[1].end, 40);
    assert_string_equal(prompts.items[2].tag_text, "");
    sm_prompts_free(&prompts);

    save_tone("mc/[-0Gj8-vB1q4]-[30-40].wav", 1.0, 440.0, 44100, 2);
    save_tone("mc/-0SdAVK79lg_30_40.mp3", 1.2, 440.0, 44100, 2);
    sm_collection_options o = options_of("musiccaps", "mc");
    o.top = 1;
    sm_collection *c = open_set(&o);
    assert_string_equal(sm_collection_class(c, 0), "sad");
    assert_string_equal(list_clips(c), "-0SdAVK79lg_30_40.mp3@0 train 1\n"
                                       "[-0Gj8-vB1q4]-[30-40].wav@0 test 1\n");
    assert_noted(c, "audio of 2 of its 3 clips");
    sm_collection_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_magnatagatune, empty_scratch),
        cmocka_unit_test_teardown(test_gtzan, empty_scratch),
        cmocka_unit_test_teardown(test_giantsteps, empty_scratch),
        cmocka_unit_test_teardown(test_emomusic, empty_scratch),
        cmocka_unit_test_teardown(test_musiccaps, empty_scratch),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
