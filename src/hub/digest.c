/* SPDX-License-Identifier: MIT */
/* Owns the hashes that name blobs: SHA-256 of large files, git's SHA-1 of small ones. */
#include "internal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 20 };

/* Feed `size` bytes of the file to the digest. */
static smitin_status feed(EVP_MD_CTX *context, int fd, uint64_t size, smitin_error *error)
{
    unsigned char *buffer = malloc(CHUNK);
    if (buffer == NULL) return sm_fail_memory(error, "reading a file back", CHUNK);
    smitin_status status = SMITIN_OK;
    uint64_t done = 0;
    while (done < size && status == SMITIN_OK) {
        const size_t wanted = size - done < CHUNK ? (size_t)(size - done) : CHUNK;
        const ssize_t n = pread(fd, buffer, wanted, (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            status = sm_fail(error, SMITIN_ERROR_IO,
                             "cannot read a fetched file back: %s; check the disk",
                             n < 0 ? strerror(errno) : "it is shorter than it was");
        else if (EVP_DigestUpdate(context, buffer, (size_t)n) != 1)
            status = sm_fail(error, SMITIN_ERROR_IO,
                             "the hash function failed; check the installation of OpenSSL");
        if (n > 0) done += (uint64_t)n;
    }
    free(buffer);
    return status;
}

smitin_status sm_hub_digest(int fd, uint64_t size, bool git, char hash[SM_HUB_HASH],
                            smitin_error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char head[48];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) return sm_fail_memory(error, "a hash", sizeof digest);
    /* A git blob is hashed with its kind and size in front, the 0 byte included. */
    const int head_length =
        git ? snprintf(head, sizeof head, "blob %llu", (unsigned long long)size) + 1 : 0;
    smitin_status status = SMITIN_OK;
    if (EVP_DigestInit_ex(context, git ? EVP_sha1() : EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, head, (size_t)head_length) != 1)
        status = sm_fail(error, SMITIN_ERROR_IO,
                         "the hash function is not available; check the installation of OpenSSL");
    if (status == SMITIN_OK) status = feed(context, fd, size, error);
    if (status == SMITIN_OK && EVP_DigestFinal_ex(context, digest, &length) != 1)
        status = sm_fail(error, SMITIN_ERROR_IO,
                         "the hash function failed; check the installation of OpenSSL");
    EVP_MD_CTX_free(context);
    SM_TRY(status);
    for (unsigned i = 0; i < length && 2 * i + 2 < SM_HUB_HASH; i++)
        snprintf(hash + 2 * (size_t)i, 3, "%02x", digest[i]);
    return SMITIN_OK;
}
