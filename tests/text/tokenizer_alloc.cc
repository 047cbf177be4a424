/* SPDX-License-Identifier: MIT */
/* The tokenizer with each of its own allocations failing: the exception is caught at the C
 * interface, whatever the depth it comes from. Link with --wrap=_Znwm, the mangled operator new. */
extern "C" {
#include "../../src/text/t5.h"
}

#include <cstdio>
#include <cstring>
#include <new>

static int fail_at;
static bool failed;

extern "C" void *__real__Znwm(std::size_t size);
extern "C" void *__wrap__Znwm(std::size_t size);

extern "C" void *__wrap__Znwm(std::size_t size)
{
    if (fail_at > 0 && --fail_at == 0) {
        failed = true;
        throw std::bad_alloc();
    }
    return __real__Znwm(size);
}

static smitin_status open_it(sm_tokenizer **tokenizer, smitin_error *error)
{
    return sm_tokenizer_open(tokenizer, SM_GOLDEN "/t5_spiece.model", error);
}

static smitin_status encode_it(sm_tokenizer **tokenizer, smitin_error *error)
{
    int32_t ids[64];
    int count;
    return sm_tokenizer_encode(*tokenizer, "slow jazz<extra_id_1>trio</s>with drums", ids, 64,
                               &count, error);
}

/* The number of allocations that `call` survived losing, or -1. */
static int fail_each(smitin_status (*call)(sm_tokenizer **, smitin_error *),
                     sm_tokenizer **tokenizer)
{
    for (int n = 1; n < 10000; n++) {
        smitin_error error = {};
        failed = false;
        fail_at = n;
        smitin_status status = call(tokenizer, &error);
        fail_at = 0;
        if (!failed) return status == SMITIN_OK ? n - 1 : -1;
        if (status != SMITIN_ERROR_MEMORY || error.status != status || error.message[0] == 0) {
            std::fprintf(stderr, "allocation %d: status %d, '%s'\n", n, status, error.message);
            return -1;
        }
    }
    return -1;
}

int main()
{
    sm_tokenizer *tokenizer = nullptr;
    int opened = fail_each(open_it, &tokenizer);
    int encoded = opened > 0 ? fail_each(encode_it, &tokenizer) : -1;
    sm_tokenizer_free(tokenizer);
    std::printf("%d allocations of opening and %d of encoding failed well\n", opened, encoded);
    return opened > 0 && encoded > 0 ? 0 : 1;
}
