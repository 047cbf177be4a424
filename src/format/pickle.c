/* SPDX-License-Identifier: MIT */
/* Owns the restricted pickle machine: a stack, a memo, a table of values. Every operation adds at
 * most one value and one cell per item, so memory follows the size of the pickle, never a number in
 * it. */
#include "pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle_names.h"

#define NOTHING UINT32_MAX

/* The largest public checkpoint's pickle has some 200 kB. */
#define SIZE_LIMIT ((size_t)1 << 22)

/* One item of a container. */
typedef struct cell {
    uint32_t key, value; /* places in the table of values; key NOTHING outside dicts */
    uint32_t next;       /* place in the table of cells */
} cell;

/* A growing array of uint32_t, values or cells. */
typedef struct table {
    void *data;
    uint32_t count, capacity;
} table;

struct sm_pickle {
    table values, cells;
    uint32_t root;
};

typedef struct machine {
    sm_pickle *out;
    table stack; /* uint32_t: places of values */
    table marks; /* uint32_t: heights of the stack */
    table memo;  /* uint32_t: places of values */
    const unsigned char *data;
    size_t size, at; /* bytes; `at` is behind the operation in hand */
    size_t started;  /* where the operation in hand begins */
    const char *path;
    smitin_error *error;
} machine;

static smitin_status refuse(const machine *m, const char *why)
{
    return sm_fail(m->error, SMITIN_ERROR_FORMAT,
                   "'%s' is refused: its pickle %s (byte %zu); use the model's safetensors files",
                   m->path, why, m->started);
}

/* Room for one more item of `size` bytes; NULL when memory is short. */
static void *grow(table *t, size_t size)
{
    if (t->count == t->capacity) {
        const uint32_t capacity = t->capacity == 0 ? 64 : t->capacity * 2;
        /* Counts stay below a few times SIZE_LIMIT, so neither product can wrap. */
        void *data = realloc(t->data, (size_t)capacity * size);
        if (data == NULL) return NULL;
        t->data = data;
        t->capacity = capacity;
    }
    return (char *)t->data + (size_t)t->count++ * size;
}

static smitin_status append(const machine *m, table *t, uint32_t number)
{
    uint32_t *place = grow(t, sizeof number);
    if (place == NULL) return sm_fail_memory(m->error, "a pickle", (size_t)t->count * 4);
    *place = number;
    return SMITIN_OK;
}

static uint32_t number_at(const table *t, uint32_t index)
{
    return ((const uint32_t *)t->data)[index];
}

static sm_pickle_value *value_at(const sm_pickle *p, uint32_t index)
{
    return (sm_pickle_value *)p->values.data + index;
}

static smitin_status push(machine *m, sm_pickle_value value)
{
    sm_pickle_value *place = grow(&m->out->values, sizeof value);
    if (place == NULL)
        return sm_fail_memory(m->error, "a pickle", (size_t)m->out->values.count * sizeof value);
    *place = value;
    return append(m, &m->stack, m->out->values.count - 1);
}

static smitin_status push_number(machine *m, sm_pickle_kind kind, int64_t number)
{
    return push(m, (sm_pickle_value){.kind = kind, .u.number = number});
}

static smitin_status push_container(machine *m, sm_pickle_kind kind)
{
    return push(m, (sm_pickle_value){.kind = kind, .u.cells = {NOTHING, NOTHING}});
}

/* Items above the last mark belong to it and cannot be taken by operations without a mark. */
static uint32_t floor_of(const machine *m)
{
    return m->marks.count > 0 ? number_at(&m->marks, m->marks.count - 1) : 0;
}

static smitin_status need(const machine *m, uint32_t items)
{
    if (m->stack.count - floor_of(m) >= items) return SMITIN_OK;
    return refuse(m, "takes from an empty stack");
}

static smitin_status pop_mark(machine *m, uint32_t *height)
{
    if (m->marks.count == 0) return refuse(m, "has no mark where one is needed");
    *height = number_at(&m->marks, --m->marks.count);
    return SMITIN_OK;
}

static uint32_t top(const machine *m, uint32_t depth)
{
    return number_at(&m->stack, m->stack.count - 1 - depth);
}

/* `bytes` little-endian bytes of the operation's argument. */
static smitin_status take(machine *m, size_t bytes, const unsigned char **from)
{
    if (m->size - m->at < bytes) return refuse(m, "ends inside an operation (cut short?)");
    *from = m->data + m->at;
    m->at += bytes;
    return SMITIN_OK;
}

static smitin_status take_number(machine *m, size_t bytes, uint64_t *number)
{
    const unsigned char *from = NULL;
    SM_TRY(take(m, bytes, &from));
    *number = 0;
    for (size_t i = bytes; i > 0; i--) *number = *number << 8 | from[i - 1];
    return SMITIN_OK;
}

/* Hang one item behind the last one of the container at `place`. */
static smitin_status add_item(const machine *m, uint32_t place, uint32_t key, uint32_t value)
{
    table *cells = &m->out->cells;
    cell *made = grow(cells, sizeof *made);
    if (made == NULL) return sm_fail_memory(m->error, "a pickle", (size_t)cells->count * 12);
    *made = (cell){key, value, NOTHING};
    sm_pickle_value *container = value_at(m->out, place);
    const uint32_t index = cells->count - 1;
    if (container->length == 0) {
        container->u.cells.first = index;
    } else {
        ((cell *)cells->data)[container->u.cells.last].next = index;
    }
    container->u.cells.last = index;
    container->length++;
    return SMITIN_OK;
}

/* Replace the stack from `height` up by a tuple of it. */
static smitin_status make_tuple(machine *m, uint32_t height)
{
    const uint32_t end = m->stack.count;
    SM_TRY(push_container(m, SM_PICKLE_TUPLE));
    const uint32_t made = top(m, 0);
    for (uint32_t i = height; i < end; i++) {
        SM_TRY(add_item(m, made, NOTHING, number_at(&m->stack, i)));
    }
    m->stack.count = height;
    return append(m, &m->stack, made);
}

/* Move the stack from `height` up into the list or dict below it. */
static smitin_status extend(machine *m, uint32_t height, sm_pickle_kind kind)
{
    const uint32_t step = kind == SM_PICKLE_DICT ? 2 : 1;
    if (height <= floor_of(m)) return refuse(m, "takes from an empty stack");
    const uint32_t place = number_at(&m->stack, height - 1);
    if (value_at(m->out, place)->kind != kind) {
        return refuse(m, kind == SM_PICKLE_DICT ? "sets items of what is not a dict"
                                                : "appends to what is not a list");
    }
    if ((m->stack.count - height) % step != 0) return refuse(m, "has a key without a value");
    for (uint32_t i = height; i < m->stack.count; i += step) {
        const uint32_t key = step == 2 ? number_at(&m->stack, i) : NOTHING;
        SM_TRY(add_item(m, place, key, number_at(&m->stack, i + step - 1)));
    }
    m->stack.count = height;
    return SMITIN_OK;
}

static smitin_status put(machine *m, uint64_t index)
{
    SM_TRY(need(m, 1));
    /* Picklers number the memo in order; a gap would let a number claim memory. */
    if (index > m->memo.count) return refuse(m, "leaves a gap in its memo");
    if (index == m->memo.count) return append(m, &m->memo, top(m, 0));
    ((uint32_t *)m->memo.data)[index] = top(m, 0);
    return SMITIN_OK;
}

static smitin_status get(machine *m, uint64_t index)
{
    if (index >= m->memo.count) return refuse(m, "asks for what its memo does not hold");
    return append(m, &m->stack, number_at(&m->memo, (uint32_t)index));
}

/* "module\nname\n" of an import that is known, or a refusal that names it. */
static smitin_status import(machine *m)
{
    const unsigned char *text = m->data + m->at;
    const unsigned char *middle = memchr(text, '\n', m->size - m->at);
    const unsigned char *end =
        middle == NULL ? NULL : memchr(middle + 1, '\n', m->size - (size_t)(middle + 1 - m->data));
    if (end == NULL) return refuse(m, "ends inside an import (cut short?)");
    m->at = (size_t)(end + 1 - m->data);
    const int found = sm_pickle_import((const char *)text, (size_t)(end - text));
    if (found >= 0) return push_number(m, SM_PICKLE_IMPORT, found);

    char name[121];
    size_t length = 0;
    for (const unsigned char *p = text; p < end && length + 1 < sizeof name; p++) {
        name[length++] = (char)(*p == '\n' ? '.' : *p > 0x20 && *p < 0x7f ? *p : '?');
    }
    name[length] = '\0';
    return sm_fail(m->error, SMITIN_ERROR_FORMAT,
                   "'%s' is refused: its pickle imports %s (byte %zu), and only tensors and plain "
                   "containers are read; use the model's safetensors files",
                   m->path, name, m->started);
}

static smitin_status reduce(machine *m)
{
    SM_TRY(need(m, 2));
    const sm_pickle_value called = *value_at(m->out, top(m, 1));
    const sm_pickle_value args = *value_at(m->out, top(m, 0));
    if (called.kind != SM_PICKLE_IMPORT || args.kind != SM_PICKLE_TUPLE)
        return refuse(m, "calls what is not an import");
    m->stack.count -= 2;
    if (called.u.number == SM_IMPORT_DICT) {
        if (args.length != 0) return refuse(m, "makes an OrderedDict of an argument");
        return push_container(m, SM_PICKLE_DICT);
    }
    if (called.u.number != SM_IMPORT_TENSOR) return refuse(m, "calls a storage type");
    if (args.length != 6) return refuse(m, "makes a tensor of other than 6 arguments");
    return push(m, (sm_pickle_value){SM_PICKLE_TENSOR, args.length, .u.cells = args.u.cells});
}

/* A persistent id is how PyTorch writes a storage. */
static smitin_status make_storage(machine *m)
{
    SM_TRY(need(m, 1));
    const sm_pickle_value id = *value_at(m->out, top(m, 0));
    if (id.kind != SM_PICKLE_TUPLE || id.length != 5 ||
        !sm_pickle_is(sm_pickle_item(m->out, &id, 0), "storage"))
        return refuse(m, "has a persistent id that is not a storage");
    m->stack.count--;
    return push(m, (sm_pickle_value){SM_PICKLE_STORAGE, id.length, .u.cells = id.u.cells});
}

/* Attributes are set on state dicts only (their "_metadata"), where they mean nothing to us. */
static smitin_status build(machine *m)
{
    SM_TRY(need(m, 2));
    if (value_at(m->out, top(m, 1))->kind != SM_PICKLE_DICT ||
        value_at(m->out, top(m, 0))->kind != SM_PICKLE_DICT)
        return refuse(m, "sets attributes (BUILD) of what is not a dict");
    m->stack.count--;
    return SMITIN_OK;
}

static smitin_status push_text(machine *m)
{
    uint64_t length = 0;
    const unsigned char *text = NULL;
    SM_TRY(take_number(m, 4, &length));
    SM_TRY(take(m, (size_t)length, &text));
    return push(m,
                (sm_pickle_value){SM_PICKLE_TEXT, (uint32_t)length, .u.text = (const char *)text});
}

/* LONG1: a two's complement number of up to 8 bytes. */
static smitin_status push_long(machine *m)
{
    uint64_t bytes = 0, number = 0;
    SM_TRY(take_number(m, 1, &bytes));
    if (bytes > 8) return refuse(m, "holds a number beyond 64 bits");
    SM_TRY(take_number(m, (size_t)bytes, &number));
    if (bytes > 0 && bytes < 8 && (number >> (8 * bytes - 1) & 1))
        number |= UINT64_MAX << 8 * bytes;
    return push_number(m, SM_PICKLE_INT, (int64_t)number);
}

static smitin_status refuse_operation(const machine *m, unsigned char code)
{
    char why[80];
    snprintf(why, sizeof why, "uses the operation %s (0x%02x), which is not allowed",
             sm_pickle_operation(code), code);
    return refuse(m, why);
}

/* Operations that put a number or a text on the stack, or move through the memo. */
static smitin_status run_scalar(machine *m, unsigned char code)
{
    uint64_t number = 0;
    switch (code) {
    case 'N':
        return push_number(m, SM_PICKLE_NONE, 0);
    case 0x88:
    case 0x89:
        return push_number(m, SM_PICKLE_BOOL, code == 0x88);
    case 'K':
        SM_TRY(take_number(m, 1, &number));
        return push_number(m, SM_PICKLE_INT, (int64_t)number);
    case 'M':
        SM_TRY(take_number(m, 2, &number));
        return push_number(m, SM_PICKLE_INT, (int64_t)number);
    case 'J':
        SM_TRY(take_number(m, 4, &number));
        return push_number(m, SM_PICKLE_INT, (int32_t)number);
    case 0x8a:
        return push_long(m);
    case 'X':
        return push_text(m);
    case 'q':
        SM_TRY(take_number(m, 1, &number));
        return put(m, number);
    case 'r':
        SM_TRY(take_number(m, 4, &number));
        return put(m, number);
    case 'h':
        SM_TRY(take_number(m, 1, &number));
        return get(m, number);
    case 'j':
        SM_TRY(take_number(m, 4, &number));
        return get(m, number);
    default:
        return refuse_operation(m, code);
    }
}

static smitin_status run_operation(machine *m, unsigned char code)
{
    uint32_t height = 0;
    switch (code) {
    case '(':
        return append(m, &m->marks, m->stack.count);
    case ')':
        return push_container(m, SM_PICKLE_TUPLE);
    case ']':
        return push_container(m, SM_PICKLE_LIST);
    case '}':
        return push_container(m, SM_PICKLE_DICT);
    case 't':
        SM_TRY(pop_mark(m, &height));
        return make_tuple(m, height);
    case 0x85:
    case 0x86:
    case 0x87:
        SM_TRY(need(m, code - 0x84u));
        return make_tuple(m, m->stack.count - (code - 0x84u));
    case 'a':
        SM_TRY(need(m, 2));
        return extend(m, m->stack.count - 1, SM_PICKLE_LIST);
    case 's':
        SM_TRY(need(m, 3));
        return extend(m, m->stack.count - 2, SM_PICKLE_DICT);
    case 'e':
        SM_TRY(pop_mark(m, &height));
        return extend(m, height, SM_PICKLE_LIST);
    case 'u':
        SM_TRY(pop_mark(m, &height));
        return extend(m, height, SM_PICKLE_DICT);
    case 'c':
        return import(m);
    case 'R':
        return reduce(m);
    case 'Q':
        return make_storage(m);
    case 'b':
        return build(m);
    default:
        return run_scalar(m, code);
    }
}

static smitin_status run(machine *m)
{
    const unsigned char *start = NULL;
    SM_TRY(take(m, 2, &start));
    if (start[0] != 0x80 || start[1] != 2)
        return refuse(m, "is not of protocol 2, as PyTorch's is");
    for (;;) {
        m->started = m->at;
        const unsigned char *code = NULL;
        SM_TRY(take(m, 1, &code));
        if (*code == '.') break;
        SM_TRY(run_operation(m, *code));
    }
    if (m->stack.count != 1 || m->marks.count != 0)
        return refuse(m, "ends with other than one value");
    if (m->at != m->size) return refuse(m, "goes on behind its end");
    m->out->root = top(m, 0);
    return SMITIN_OK;
}

smitin_status sm_pickle_parse(sm_pickle **pickle, const void *data, size_t size, const char *path,
                              smitin_error *error)
{
    *pickle = NULL;
    machine m = {.data = data, .size = size, .path = path, .error = error};
    if (size > SIZE_LIMIT) return refuse(&m, "is larger than 4 MiB, beyond any state dict's");
    m.out = calloc(1, sizeof *m.out);
    if (m.out == NULL) return sm_fail_memory(error, "a pickle", sizeof *m.out);
    const smitin_status status = run(&m);
    free(m.stack.data);
    free(m.marks.data);
    free(m.memo.data);
    if (status != SMITIN_OK) {
        sm_pickle_free(m.out);
        return status;
    }
    *pickle = m.out;
    return SMITIN_OK;
}

void sm_pickle_free(sm_pickle *pickle)
{
    if (pickle == NULL) return;
    free(pickle->values.data);
    free(pickle->cells.data);
    free(pickle);
}

const sm_pickle_value *sm_pickle_root(const sm_pickle *pickle)
{
    return value_at(pickle, pickle->root);
}

sm_pickle_walk sm_pickle_begin(const sm_pickle_value *of)
{
    return (sm_pickle_walk){of->length, of->u.cells.first, NULL, NULL};
}

bool sm_pickle_next(const sm_pickle *pickle, sm_pickle_walk *walk)
{
    if (walk->left == 0) return false;
    const cell *c = (const cell *)pickle->cells.data + walk->cell;
    walk->key = c->key == NOTHING ? NULL : value_at(pickle, c->key);
    walk->value = value_at(pickle, c->value);
    walk->cell = c->next;
    walk->left--;
    return true;
}

const sm_pickle_value *sm_pickle_item(const sm_pickle *pickle, const sm_pickle_value *of,
                                      uint32_t index)
{
    sm_pickle_walk walk = sm_pickle_begin(of);
    while (sm_pickle_next(pickle, &walk)) {
        if (index-- == 0) return walk.value;
    }
    return NULL;
}

bool sm_pickle_is(const sm_pickle_value *value, const char *text)
{
    const size_t length = strlen(text);
    return value != NULL && value->kind == SM_PICKLE_TEXT && value->length == length &&
           memcmp(value->u.text, text, length) == 0;
}

bool sm_pickle_dtype(const sm_pickle_value *import_value, sm_dtype *dtype)
{
    return import_value->kind == SM_PICKLE_IMPORT &&
           sm_pickle_storage_type((int)import_value->u.number, dtype);
}
