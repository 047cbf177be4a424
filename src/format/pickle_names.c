/* SPDX-License-Identifier: MIT */
/* Owns the lists of names of pickle.c. */
#include "pickle_names.h"

#include <string.h>

/* Nothing else may be imported. In the order of pickle_names.h; storages with their types. */
static const struct {
    const char *name;
    sm_dtype dtype;
} imports[] = {
    [SM_IMPORT_DICT] = {"collections\nOrderedDict", SM_DTYPES},
    [SM_IMPORT_TENSOR] = {"torch._utils\n_rebuild_tensor_v2", SM_DTYPES},
    {"torch\nFloatStorage", SM_F32},
    {"torch\nHalfStorage", SM_F16},
    {"torch\nBFloat16Storage", SM_BF16},
    {"torch\nDoubleStorage", SM_F64},
    {"torch\nLongStorage", SM_I64},
    {"torch\nIntStorage", SM_I32},
    {"torch\nByteStorage", SM_U8},
    {"torch\nBoolStorage", SM_U8},
};

enum { IMPORTS = sizeof imports / sizeof imports[0] };

int sm_pickle_import(const char *name, size_t length)
{
    for (int i = 0; i < IMPORTS; i++) {
        if (strlen(imports[i].name) == length && memcmp(imports[i].name, name, length) == 0)
            return i;
    }
    return -1;
}

bool sm_pickle_storage_type(int import, sm_dtype *dtype)
{
    if (import < SM_IMPORT_STORAGES || import >= IMPORTS) return false;
    *dtype = imports[import].dtype;
    return true;
}

/* The operations that are never allowed. Those that are have no need of a name. */
static const struct {
    unsigned char code;
    const char *name;
} operations[] = {
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {'F', "FLOAT"},
    {'G', "BINFLOAT"},
    {'I', "INT"},
    {'L', "LONG"},
    {'P', "PERSID"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'U', "SHORT_BINSTRING"},
    {'V', "UNICODE"},
    {'d', "DICT"},
    {'g', "GET"},
    {'i', "INST"},
    {'l', "LIST"},
    {'o', "OBJ"},
    {'p', "PUT"},
    {0x80, "PROTO"},
    {0x81, "NEWOBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x8b, "LONG4"},
    {0x8c, "SHORT_BINUNICODE"},
    {0x8d, "BINUNICODE8"},
    {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x93, "STACK_GLOBAL"},
    {0x94, "MEMOIZE"},
    {0x95, "FRAME"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

const char *sm_pickle_operation(unsigned char code)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (operations[i].code == code) return operations[i].name;
    }
    return "unknown";
}
