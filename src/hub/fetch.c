/* SPDX-License-Identifier: MIT */
/* Owns one blob's way into the cache: the lock, the part file that is continued, the hash, the
 * final name. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* ---- Patience ---- */

static void sleep_seconds(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

void sm_hub_note(const sm_hub_job *job, const char *format, ...)
{
    char text[1200];
    va_list args;
    if (job->events == NULL || job->events->note == NULL) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    job->events->note(job->events->user, text);
}

bool sm_hub_try_again(const sm_hub_job *job, sm_hub_patience *patience, double retry_after,
                      const smitin_error *error)
{
    enum { LONGEST = 60 };
    if (++patience->failures > job->config->retries) return false;
    double wait = job->config->delay;
    for (int i = 1; i < patience->failures && wait < LONGEST; i++) wait *= 2.0;
    if (retry_after > wait) wait = retry_after;
    if (wait > LONGEST) wait = LONGEST;
    /* What to do next, after the semicolon, is being done here. */
    sm_hub_note(job, "%.*s; trying again in %.2g s", (int)strcspn(error->message, ";"),
                error->message, wait);
    sleep_seconds(wait);
    return true;
}

/* ---- The lock ---- */

static smitin_status take_lock(const sm_hub_job *job, const sm_hub_file *file, int *lock,
                               smitin_error *error)
{
    char path[SM_HUB_PATH];
    bool told = false;
    SM_TRY(sm_hub_path(path, sizeof path, error, "%s/%s.lock", job->locks, file->hash));
    for (;;) {
        struct stat held, named;
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
        if (fd < 0)
            return sm_fail(error, SMITIN_ERROR_IO,
                           "cannot open the lock %s: %s; set HF_HOME to a "
                           "folder you may write",
                           path, strerror(errno));
        /* Users who share a cache wait for one another; only the owner can open it to them. */
        (void)fchmod(fd, 0664);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            /* Another client may have removed the file between our open and our lock. */
            if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
                held.st_dev == named.st_dev) {
                *lock = fd;
                return SMITIN_OK;
            }
            close(fd);
            continue;
        }
        const int code = errno;
        close(fd);
        if (code != EWOULDBLOCK && code != EINTR)
            return sm_fail(error, SMITIN_ERROR_IO,
                           "cannot lock %s: %s; set HF_HOME to a folder on a local disk", path,
                           strerror(code));
        if (!told) sm_hub_note(job, "another pull is fetching %s; waiting for it", file->name);
        told = true;
        sleep_seconds(0.1);
    }
}

/* ---- The part file ---- */

typedef struct part {
    sm_hub_job *job;
    const sm_hub_file *file;
    int fd;
    uint64_t offset;  /* bytes in the part file */
    uint64_t highest; /* the most that were ever there: progress is what goes beyond */
    bool started;     /* the body of this request has begun */
    bool again;       /* a failure in the body that another request may mend */
} part;

static void tell_progress(const part *p)
{
    const sm_hub_job *job = p->job;
    if (job->events != NULL && job->events->progress != NULL)
        job->events->progress(job->events->user, p->file->name, job->bytes_done + p->offset,
                              job->bytes);
}

static smitin_status fail_disk(const part *p, int code, smitin_error *error)
{
    const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
    return sm_fail(error, SMITIN_ERROR_IO, "cannot write %s into %s: %s; %s", p->file->name,
                   p->job->storage, strerror(code),
                   full ? "free some space and pull again, it goes on from there"
                        : "check the disk, or set HF_HOME to another folder");
}

static smitin_status restart(part *p, smitin_error *error)
{
    if (ftruncate(p->fd, 0) != 0) return fail_disk(p, errno, error);
    p->offset = 0;
    return SMITIN_OK;
}

/* The first bytes of a reply: it must go on where the part ends, or begin anew. */
static smitin_status begin_body(part *p, const sm_http_reply *reply, smitin_error *error)
{
    const int64_t offset = (int64_t)p->offset, size = (int64_t)p->file->size;
    p->started = true;
    if (reply->status == 206 && (reply->first != offset || reply->total != size)) {
        p->again = true;
        SM_TRY(restart(p, error));
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the server sends another range of %s than it was asked for; try again",
                       p->file->name);
    }
    if (reply->status == 200 && reply->length >= 0 && reply->length != size) {
        p->again = true;
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the server sends %lld bytes of %s where it promised %lld; try again",
                       (long long)reply->length, p->file->name, (long long)size);
    }
    return reply->status == 200 && offset > 0 ? restart(p, error) : SMITIN_OK;
}

static smitin_status take_body(void *user, const sm_http_reply *reply, const void *data,
                               size_t size, smitin_error *error)
{
    part *p = user;
    if (!p->started) SM_TRY(begin_body(p, reply, error));
    if (size > p->file->size - p->offset) {
        p->again = true;
        SM_TRY(restart(p, error));
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the server sends more than the %llu bytes of %s; try again",
                       (unsigned long long)p->file->size, p->file->name);
    }
    const unsigned char *bytes = data;
    for (size_t done = 0; done < size;) {
        const ssize_t n = pwrite(p->fd, bytes + done, size - done, (off_t)p->offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail_disk(p, n < 0 ? errno : ENOSPC, error);
        done += (size_t)n;
        p->offset += (uint64_t)n;
        p->job->result->fetched += (uint64_t)n;
    }
    tell_progress(p);
    return SMITIN_OK;
}

static smitin_status open_part(part *p, const char *path, smitin_error *error)
{
    struct stat info;
    struct statvfs disk;
    p->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (p->fd < 0 || fstat(p->fd, &info) != 0) return fail_disk(p, errno, error);
    p->offset = (uint64_t)info.st_size;
    if (p->offset > p->file->size) SM_TRY(restart(p, error));
    p->highest = p->offset;
    const uint64_t wanted = p->file->size - p->offset;
    if (fstatvfs(p->fd, &disk) == 0 && disk.f_frsize > 0 &&
        wanted / disk.f_frsize > (uint64_t)disk.f_bavail)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the disk of %s has %.1f GB free and %s needs %.1f GB; free some space, or "
                       "set HF_HOME to a folder on another disk",
                       p->job->storage, 1e-9 * (double)disk.f_bavail * (double)disk.f_frsize,
                       p->file->name, 1e-9 * (double)wanted);
    return SMITIN_OK;
}

static smitin_status get_once(part *p, double *retry_after, smitin_error *error)
{
    char url[SM_HUB_URL];
    sm_http_reply reply;
    bool again = false;
    const sm_hub_job *job = p->job;
    SM_TRY(sm_hub_path(url, sizeof url, error, "%s/%s/resolve/%s/%s", job->config->endpoint,
                       job->name->repo, job->commit, p->file->name));
    p->started = p->again = false;
    const sm_http_request request = {.url = url, .offset = p->offset, .body = take_body, .user = p};
    const smitin_status status = sm_http_send(job->http, &request, &reply, &again, error);
    *retry_after = reply.retry_after;
    p->again = p->again || again;
    SM_TRY(status);
    if (reply.status == 416) {
        p->again = true;
        SM_TRY(restart(p, error));
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the server does not go on with %s where it ended; try again",
                       p->file->name);
    }
    SM_TRY(sm_http_check(&reply, job->config, job->name, p->file->name, &p->again, error));
    if (p->offset == p->file->size) return SMITIN_OK;
    p->again = true;
    return sm_fail(error, SMITIN_ERROR_IO,
                   "%s ends after %llu of %llu bytes; pull again, it goes on from there",
                   p->file->name, (unsigned long long)p->offset, (unsigned long long)p->file->size);
}

/* Requests until the part has its full length. */
static smitin_status fill_part(part *p, smitin_error *error)
{
    sm_hub_patience patience = {0};
    smitin_error local = {0};
    while (p->offset < p->file->size) {
        double retry_after = -1.0;
        const smitin_status status = get_once(p, &retry_after, &local);
        if (status == SMITIN_OK) break;
        if (p->offset > p->highest) {
            p->highest = p->offset;
            patience.failures = 0;
        }
        if (!p->again || !sm_hub_try_again(p->job, &patience, retry_after, &local))
            return sm_fail(error, status, "%s", local.message);
    }
    return SMITIN_OK;
}

/* Fill and check; bytes with another hash are fetched once more from the start. */
static smitin_status fill_and_check(part *p, smitin_error *error)
{
    char hash[SM_HUB_HASH];
    const bool git = strlen(p->file->hash) == 40;
    for (int attempt = 0; attempt < 2; attempt++) {
        SM_TRY(fill_part(p, error));
        SM_TRY(sm_hub_digest(p->fd, p->file->size, git, hash, error));
        if (strcmp(hash, p->file->hash) == 0) return SMITIN_OK;
        SM_TRY(restart(p, error));
        p->highest = 0;
        if (attempt == 0)
            sm_hub_note(p->job,
                        "the bytes of %s do not have the hash the hub names; fetching "
                        "them once more",
                        p->file->name);
    }
    return sm_fail(error, SMITIN_ERROR_IO,
                   "the bytes of %s do not have the hash %s that the hub names, twice; try "
                   "another network or HF_ENDPOINT",
                   p->file->name, p->file->hash);
}

/* ---- The blob ---- */

smitin_status sm_hub_blob_path(const sm_hub_job *job, const sm_hub_file *file, char *path,
                               size_t size, smitin_error *error)
{
    return sm_hub_path(path, size, error, "%s/blobs/%s", job->storage, file->hash);
}

static bool has_blob(const char *path, const sm_hub_file *file)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == file->size;
}

static smitin_status fetch_locked(sm_hub_job *job, const sm_hub_file *file, const char *path,
                                  smitin_error *error)
{
    char name[SM_HUB_PATH];
    part p = {.job = job, .file = file, .fd = -1};
    if (has_blob(path, file)) return SMITIN_OK;
    SM_TRY(sm_hub_path(name, sizeof name, error, "%s.incomplete", path));
    smitin_status status = open_part(&p, name, error);
    if (status == SMITIN_OK) status = fill_and_check(&p, error);
    if (status == SMITIN_OK && fsync(p.fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = fail_disk(&p, errno, error);
    if (p.fd >= 0 && close(p.fd) != 0 && status == SMITIN_OK) status = fail_disk(&p, errno, error);
    if (status == SMITIN_OK && rename(name, path) != 0) status = fail_disk(&p, errno, error);
    return status;
}

smitin_status sm_hub_fetch(sm_hub_job *job, const sm_hub_file *file, smitin_error *error)
{
    char path[SM_HUB_PATH];
    int lock = -1;
    SM_TRY(sm_hub_blob_path(job, file, path, sizeof path, error));
    if (!file->linked && !has_blob(path, file)) {
        SM_TRY(take_lock(job, file, &lock, error));
        const smitin_status status = fetch_locked(job, file, path, error);
        close(lock);
        SM_TRY(status);
    }
    job->bytes_done += file->size;
    return SMITIN_OK;
}
