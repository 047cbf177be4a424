/* SPDX-License-Identifier: MIT */
/* The restricted pickle reader: what it builds, and that it refuses everything else by name. */
#include "format/pickle.h"

#include "archive.h"

#define HEAD "\x80\x02"
/* A pickle written as a string literal, its own NULs included. */
#define PICKLE(text) text, sizeof(text) - 1

static smitin_error error;

static sm_pickle *parse(const char *data, size_t size)
{
    sm_pickle *pickle = NULL;
    ASSERT_OK(sm_pickle_parse(&pickle, data, size, "p", &error));
    return pickle;
}

static void refused(const char *data, size_t size, const char *why)
{
    sm_pickle *pickle = NULL;
    /* In a block of its own size, so that the sanitizers see a read behind its end. */
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    ASSERT_FAILS(sm_pickle_parse(&pickle, copy, size, "bad.bin", &error), SMITIN_ERROR_FORMAT, why);
    assert_non_null(strstr(error.message, "bad.bin"));
    assert_null(pickle);
    free(copy);
}

static void plain_values(void **state)
{
    (void)state;
    /* {"a": [1, -2, 300], "b": (None, True, 2**40)} */
    sm_pickle *pickle = parse(PICKLE(HEAD "}q\0(X\1\0\0\0a]q\1(K\1J\xfe\xff\xff\xffM\x2c\1e"
                                          "X\1\0\0\0bN\x88\x8a\6\0\0\0\0\0\1\x87u."));
    const sm_pickle_value *root = sm_pickle_root(pickle);
    assert_int_equal(root->kind, SM_PICKLE_DICT);
    assert_int_equal(root->length, 2);
    sm_pickle_walk walk = sm_pickle_begin(root);
    assert_true(sm_pickle_next(pickle, &walk));
    assert_true(sm_pickle_is(walk.key, "a") && !sm_pickle_is(walk.key, "ab"));
    assert_int_equal(walk.value->kind, SM_PICKLE_LIST);
    const int64_t numbers[] = {1, -2, 300};
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(sm_pickle_item(pickle, walk.value, i)->u.number, numbers[i]);
    }
    assert_null(sm_pickle_item(pickle, walk.value, 3));
    assert_true(sm_pickle_next(pickle, &walk));
    assert_int_equal(walk.value->kind, SM_PICKLE_TUPLE);
    assert_int_equal(sm_pickle_item(pickle, walk.value, 0)->kind, SM_PICKLE_NONE);
    assert_int_equal(sm_pickle_item(pickle, walk.value, 1)->kind, SM_PICKLE_BOOL);
    assert_int_equal(sm_pickle_item(pickle, walk.value, 2)->u.number, (int64_t)1 << 40);
    assert_false(sm_pickle_next(pickle, &walk));
    sm_pickle_free(pickle);
    sm_pickle_free(NULL);
}

static void ordered_dict_and_memo(void **state)
{
    (void)state;
    /* OrderedDict(x = t, y = the same t) with an attribute, as state dicts have it */
    sm_pickle *pickle = parse(PICKLE(HEAD "ccollections\nOrderedDict\nq\0)Rq\1(X\1\0\0\0x)q\2"
                                          "X\1\0\0\0yh\2u}X\1\0\0\0m}sb."));
    const sm_pickle_value *root = sm_pickle_root(pickle);
    assert_int_equal(root->kind, SM_PICKLE_DICT);
    sm_pickle_walk first = sm_pickle_begin(root), second;
    assert_true(sm_pickle_next(pickle, &first));
    second = first;
    assert_true(sm_pickle_next(pickle, &second));
    assert_ptr_equal(first.value, second.value);
    sm_pickle_free(pickle);
}

static void imports_refused_by_name(void **state)
{
    (void)state;
    refused(PICKLE(HEAD "cos\nsystem\nX\2\0\0\0id\x85R."), "imports os.system");
    refused(PICKLE(HEAD "cposix\nsystem\n."), "imports posix.system");
    refused(PICKLE(HEAD "cbuiltins\neval\nX\1\0\0\0"
                        "1\x85R."),
            "imports builtins.eval");
    refused(PICKLE(HEAD "c__builtin__\nexec\n."), "imports __builtin__.exec");
    refused(PICKLE(HEAD "ctorch._utils\n_rebuild_tensor\n."), "torch._utils._rebuild_tensor ");
    refused(PICKLE(HEAD "ctorch._utils\n_rebuild_parameter\n."), "_rebuild_parameter");
    refused(PICKLE(HEAD "ccollections\nOrderedDict.x\n."), "collections.OrderedDict.x");
    refused(PICKLE(HEAD "ctorch\n\x1b[31m\n."), "imports torch.?[31m");
    refused(PICKLE(HEAD "cos\nsystem"), "ends inside an import");
}

static void operations_refused_by_name(void **state)
{
    (void)state;
    refused(PICKLE(HEAD "(ios\nsystem\n."), "INST (0x69)");
    refused(PICKLE(HEAD "(o."), "OBJ");
    refused(PICKLE(HEAD "\x81."), "NEWOBJ");
    refused(PICKLE(HEAD "\x93."), "STACK_GLOBAL");
    refused(PICKLE(HEAD "\x82\1."), "EXT1");
    refused(PICKLE(HEAD "Pid\n."), "PERSID");
    refused(PICKLE(HEAD "G\0\0\0\0\0\0\0\0."), "BINFLOAT");
    refused(PICKLE(HEAD "V\\u0041\n."), "UNICODE");
    refused(PICKLE(HEAD "\xff."), "unknown (0xff)");
    /* No operation but these is run, whatever stands before it. */
    static const char allowed[] = ".()]}taseucRQbN\x88\x89KMJ\x8aXqrhj\x85\x86\x87";
    for (int code = 0; code < 256; code++) {
        char data[] = {'\x80', 2, (char)code, '.'};
        if (memchr(allowed, code, sizeof allowed - 1) != NULL) continue;
        refused(data, sizeof data, "which is not allowed");
    }
}

static void calls_refused(void **state)
{
    (void)state;
    refused(PICKLE(HEAD "N)R."), "calls what is not an import");
    refused(PICKLE(HEAD "ctorch\nFloatStorage\n)R."), "calls a storage type");
    refused(PICKLE(HEAD "ccollections\nOrderedDict\nK\1\x85R."), "OrderedDict of an argument");
    refused(PICKLE(HEAD "ctorch._utils\n_rebuild_tensor_v2\n)R."), "other than 6");
    refused(PICKLE(HEAD "]}b."), "BUILD");
    refused(PICKLE(HEAD "}]b."), "BUILD");
    refused(PICKLE(HEAD "K\1Q."), "not a storage");
    refused(PICKLE(HEAD "(X\6\0\0\0moduleNNNNtQ."), "not a storage");
}

static void damage_refused(void **state)
{
    (void)state;
    refused(PICKLE(""), "cut short");
    refused(PICKLE("\x80\4N."), "protocol 2");
    refused(PICKLE(HEAD "."), "other than one value");
    refused(PICKLE(HEAD "NN."), "other than one value");
    refused(PICKLE(HEAD "(N."), "other than one value");
    refused(PICKLE(HEAD "N.N"), "behind its end");
    refused(PICKLE(HEAD "t."), "no mark");
    refused(PICKLE(HEAD "\x85."), "empty stack");
    refused(PICKLE(HEAD "N(\x85."), "empty stack");
    refused(PICKLE(HEAD "N(a."), "empty stack");
    refused(PICKLE(HEAD "NNNs."), "not a dict");
    refused(PICKLE(HEAD "NNa."), "not a list");
    refused(PICKLE(HEAD "}(Nu."), "without a value");
    refused(PICKLE(HEAD "(Nu."), "empty stack");
    refused(PICKLE(HEAD "X\xff\xff\xff\xffhi."), "cut short");
    refused(PICKLE(HEAD "\x8a\x09\0\0\0\0\0\0\0\0\1."), "64 bits");
    refused(PICKLE(HEAD "Nr\xff\xff\xff\xff."), "gap in its memo");
    refused(PICKLE(HEAD "Nq\1."), "gap in its memo");
    refused(PICKLE(HEAD "q\0."), "empty stack");
    refused(PICKLE(HEAD "h\0."), "does not hold");
    refused(PICKLE(HEAD "j\xff\xff\xff\xff."), "does not hold");
}

/* A pickle that holds itself, and one nested a million deep: no recursion, no harm. */
static void depth(void **state)
{
    (void)state;
    sm_pickle_free(parse(PICKLE(HEAD "]q\0h\0a.")));
    const size_t size = 1 << 20;
    char *deep = malloc(size);
    assert_non_null(deep);
    memcpy(deep, HEAD "]", 3);
    for (size_t i = 3; i < size - 1; i++) deep[i] = '\x85';
    deep[size - 1] = '.';
    sm_pickle_free(parse(deep, size));
    memset(deep + 2, '(', size - 2);
    refused(deep, size, "cut short");
    free(deep);
    char *large = calloc(1, ((size_t)1 << 22) + 1);
    assert_non_null(large);
    refused(large, ((size_t)1 << 22) + 1, "4 MiB");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values),
        cmocka_unit_test(ordered_dict_and_memo),
        cmocka_unit_test(imports_refused_by_name),
        cmocka_unit_test(operations_refused_by_name),
        cmocka_unit_test(calls_refused),
        cmocka_unit_test(damage_refused),
        cmocka_unit_test(depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
