/* SPDX-License-Identifier: MIT */
/* Owns HTTP: one request with its redirects, the headers that the hub's protocol needs, and what a
 * status or a transport error means to a person. Knows nothing of the cache. */
#include "internal.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../base/clock.h"

enum { MAX_HOPS = 10, DROPPED_BODY = 64 * 1024 };

struct sm_http {
    CURL *curl;
    const sm_hub_config *config;
    char curl_error[CURL_ERROR_SIZE];
    /* The request being served. */
    const sm_http_request *request;
    sm_http_reply *reply;
    smitin_status body_status; /* of the last body callback */
    smitin_error *error;
    size_t dropped;   /* bytes of a body nobody wants */
    curl_off_t heard; /* bytes of body so far, and when they grew last */
    double heard_at;  /* of sm_clock */
};

/* ---- Headers ---- */

/* The value of the header `name` in the line, without blanks around it, into `value` [size]. */
static bool header(const char *line, size_t length, const char *name, char *value, size_t size)
{
    const size_t name_length = strlen(name);
    if (length <= name_length || line[name_length] != ':') return false;
    if (strncasecmp(line, name, name_length) != 0) return false;
    const char *start = line + name_length + 1, *end = line + length;
    while (start < end && isspace((unsigned char)*start)) start++;
    while (end > start && isspace((unsigned char)end[-1])) end--;
    const size_t kept = (size_t)(end - start) < size ? (size_t)(end - start) : size - 1;
    memcpy(value, start, kept);
    value[kept] = '\0';
    return true;
}

/* A whole number of at most 18 digits at `text`, or -1. */
static int64_t whole(const char *text, const char **end)
{
    int64_t value = 0;
    int digits = 0;
    while (digits < 18 && isdigit((unsigned char)text[digits]))
        value = value * 10 + (text[digits++] - '0');
    if (end != NULL) *end = text + digits;
    return digits == 0 || isdigit((unsigned char)text[digits]) ? -1 : value;
}

/* W/"abc" and "abc" are abc. */
static void set_etag(char *etag, size_t size, const char *value)
{
    if (strncmp(value, "W/", 2) == 0) value += 2;
    if (*value == '"') value++;
    snprintf(etag, size, "%.*s", (int)strcspn(value, "\""), value);
}

/* "bytes 10-99/100" */
static void set_range(sm_http_reply *reply, const char *value)
{
    const char *end = NULL;
    if (strncmp(value, "bytes ", 6) != 0) return;
    const int64_t first = whole(value + 6, &end);
    if (first < 0 || *end != '-' || whole(end + 1, &end) < 0 || *end != '/') return;
    reply->first = first;
    reply->total = whole(end + 1, NULL);
}

/* What belongs to one hop; the hub's own X- headers stay from the first hop that has them. */
static void begin_hop(sm_http_reply *reply)
{
    reply->etag[0] = '\0';
    reply->length = reply->first = reply->total = -1;
    reply->retry_after = -1.0;
}

static size_t on_header(char *line, size_t one, size_t length, void *user)
{
    sm_http *http = user;
    sm_http_reply *reply = http->reply;
    char value[256];
    (void)one;
    if (length > 5 && strncmp(line, "HTTP/", 5) == 0) begin_hop(reply);
    if (header(line, length, "ETag", value, sizeof value))
        set_etag(reply->etag, sizeof reply->etag, value);
    else if (header(line, length, "Content-Length", value, sizeof value))
        reply->length = whole(value, NULL);
    else if (header(line, length, "Content-Range", value, sizeof value))
        set_range(reply, value);
    else if (header(line, length, "Retry-After", value, sizeof value))
        reply->retry_after = (double)whole(value, NULL);
    else if (header(line, length, "X-Linked-Etag", value, sizeof value)) {
        if (reply->linked_etag[0] == '\0')
            set_etag(reply->linked_etag, sizeof reply->linked_etag, value);
    } else if (header(line, length, "X-Linked-Size", value, sizeof value)) {
        if (reply->linked_size < 0) reply->linked_size = whole(value, NULL);
    } else if (header(line, length, "X-Repo-Commit", value, sizeof value)) {
        if (reply->commit[0] == '\0')
            snprintf(reply->commit, sizeof reply->commit, "%.*s", (int)sizeof reply->commit - 1,
                     value);
    } else if (header(line, length, "X-Error-Code", value, sizeof value)) {
        snprintf(reply->code, sizeof reply->code, "%.*s", (int)sizeof reply->code - 1, value);
    }
    return length;
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
    sm_http *http = user;
    (void)one;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &http->reply->status);
    if (http->reply->status != 200 && http->reply->status != 206) {
        http->dropped += size;
        return http->dropped <= DROPPED_BODY ? size : 0;
    }
    if (http->request->body == NULL) return size;
    http->body_status =
        http->request->body(http->request->user, http->reply, data, size, http->error);
    return http->body_status == SMITIN_OK ? size : 0;
}

/* End a transfer that says nothing for too long; libcurl's own limit looks at 5 s at least. */
static int on_moment(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                     curl_off_t up_now)
{
    sm_http *http = user;
    (void)total;
    (void)up_total;
    (void)up_now;
    const double at = sm_clock();
    if (now != http->heard) {
        http->heard = now;
        http->heard_at = at;
    }
    const double waited = at - http->heard_at;
    return waited > http->config->timeout ? 1 : 0;
}

/* ---- One hop ---- */

smitin_status sm_http_new(sm_http **out, const sm_hub_config *config, smitin_error *error)
{
    *out = NULL;
    sm_http *http = calloc(1, sizeof *http);
    if (http == NULL) return sm_fail_memory(error, "a connection", sizeof *http);
    http->config = config;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        http->curl = curl_easy_init();
        if (http->curl == NULL) curl_global_cleanup();
    }
    if (http->curl == NULL) {
        free(http);
        return sm_fail(error, SMITIN_ERROR_IO, "libcurl cannot be started; check its installation");
    }
    *out = http;
    return SMITIN_OK;
}

void sm_http_free(sm_http *http)
{
    if (http == NULL) return;
    curl_easy_cleanup(http->curl);
    curl_global_cleanup();
    free(http);
}

/* Scheme, host and port of both addresses are the same. */
static bool same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *first = curl_url(), *second = curl_url();
    bool same = first != NULL && second != NULL &&
                curl_url_set(first, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(second, CURLUPART_URL, b, 0) == CURLUE_OK;
    for (size_t i = 0; same && i < sizeof parts / sizeof *parts; i++) {
        char *x = NULL, *y = NULL;
        same = curl_url_get(first, parts[i], &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               curl_url_get(second, parts[i], &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               strcasecmp(x, y) == 0;
        curl_free(x);
        curl_free(y);
    }
    curl_url_cleanup(first);
    curl_url_cleanup(second);
    return same;
}

/* Add a line to the headers; on failure the list is freed and false returned. */
static bool add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*lines, line);
    if (longer == NULL) {
        curl_slist_free_all(*lines);
        *lines = NULL;
        return false;
    }
    *lines = longer;
    return true;
}

static CURLcode run_hop(sm_http *http, struct curl_slist *lines)
{
    char range[40];
    CURL *curl = http->curl;
    const sm_http_request *request = http->request;
    char agent[64];
    snprintf(agent, sizeof agent, "smitin/%s", smitin_version());
    snprintf(range, sizeof range, "%llu-", (unsigned long long)request->offset);
    curl_easy_reset(curl);
    http->curl_error[0] = '\0';
    CURLcode set = curl_easy_setopt(curl, CURLOPT_URL, http->reply->url);
    if (set == CURLE_OK) set = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (set == CURLE_OK) set = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
    if (set == CURLE_OK) set = curl_easy_setopt(curl, CURLOPT_USERAGENT, agent);
    if (set == CURLE_OK && http->config->ca_file[0] != '\0')
        set = curl_easy_setopt(curl, CURLOPT_CAINFO, http->config->ca_file);
    if (set == CURLE_OK && request->offset > 0) set = curl_easy_setopt(curl, CURLOPT_RANGE, range);
    if (set != CURLE_OK) return set;
    curl_easy_setopt(curl, CURLOPT_NOBODY, request->head ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->curl_error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)http->config->timeout);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_moment);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    begin_hop(http->reply);
    http->reply->status = 0;
    http->dropped = 0;
    http->heard = 0;
    http->heard_at = sm_clock();
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http->reply->status);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    return code;
}

/* A transport error in words, and whether waiting may help. */
static smitin_status fail_transport(const sm_http *http, CURLcode code, bool *again,
                                    smitin_error *error)
{
    const char *hint = "check the connection and try again";
    *again = true;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%.300s is silent for over %d s; try again, or allow more with "
                       "HF_HUB_DOWNLOAD_TIMEOUT",
                       http->reply->url, http->config->timeout);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        hint = "check the proxy named in http_proxy, https_proxy or all_proxy";
        *again = false;
        break;
    case CURLE_COULDNT_CONNECT:
        hint = "check the connection, HF_ENDPOINT and the proxy variables";
        break;
    case CURLE_SSL_CONNECT_ERROR:
        hint = "the server does not speak TLS there; check HF_ENDPOINT and the proxy variables";
        *again = false;
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        hint = "its certificate is not trusted; check the clock, or name the file of trusted "
               "certificates with SSL_CERT_FILE";
        *again = false;
        break;
    case CURLE_OPERATION_TIMEDOUT:
        hint = "try again, or allow more silence with HF_HUB_DOWNLOAD_TIMEOUT";
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        hint = "check HF_ENDPOINT";
        *again = false;
        break;
    case CURLE_OUT_OF_MEMORY:
        *again = false;
        return sm_fail_memory(error, "a request", 0);
    default:
        break;
    }
    return sm_fail(error, SMITIN_ERROR_IO, "cannot fetch %.300s: %.200s; %s", http->reply->url,
                   http->curl_error[0] != '\0' ? http->curl_error : curl_easy_strerror(code), hint);
}

/* ---- Redirects ---- */

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Move the reply to its next address. *stay: a HEAD that has arrived where it wanted. */
static smitin_status follow(sm_http *http, bool *stay, smitin_error *error)
{
    sm_http_reply *reply = http->reply;
    char *target = NULL;
    *stay = false;
    curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &target);
    if (target == NULL || strlen(target) >= sizeof reply->url)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%.300s redirects to no usable address; check HF_ENDPOINT", reply->url);
    if (http->request->head && !same_origin(reply->url, target)) {
        *stay = true;
        return SMITIN_OK;
    }
    if (strncasecmp(reply->url, "https:", 6) == 0 && strncasecmp(target, "https:", 6) != 0)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "%.300s redirects to an address without TLS, which is refused; check "
                       "HF_ENDPOINT",
                       reply->url);
    memcpy(reply->url, target, strlen(target) + 1);
    return SMITIN_OK;
}

static smitin_status send_hop(sm_http *http, bool *again, smitin_error *error)
{
    char line[sizeof http->config->token + 32];
    struct curl_slist *lines = NULL;
    bool built = add_line(&lines, "Accept-Encoding: identity");
    if (built && http->config->token[0] != '\0' &&
        same_origin(http->reply->url, http->config->endpoint)) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", http->config->token);
        built = add_line(&lines, line);
    }
    if (!built) return sm_fail_memory(error, "a request", sizeof line);
    const CURLcode code = run_hop(http, lines);
    curl_slist_free_all(lines);
    if (http->body_status != SMITIN_OK) return http->body_status;
    const long status = http->reply->status;
    const bool dropped = code == CURLE_WRITE_ERROR && status != 200 && status != 206;
    if (code != CURLE_OK && !dropped) return fail_transport(http, code, again, error);
    return SMITIN_OK;
}

smitin_status sm_http_send(sm_http *http, const sm_http_request *request, sm_http_reply *reply,
                           bool *again, smitin_error *error)
{
    *again = false;
    memset(reply, 0, sizeof *reply);
    reply->linked_size = -1;
    begin_hop(reply);
    http->request = request;
    http->reply = reply;
    http->error = error;
    http->body_status = SMITIN_OK;
    SM_TRY(sm_hub_path(reply->url, sizeof reply->url, error, "%s", request->url));
    for (int hop = 0; hop < MAX_HOPS; hop++) {
        bool stay = false;
        SM_TRY(send_hop(http, again, error));
        if (!is_redirect(reply->status)) return SMITIN_OK;
        SM_TRY(follow(http, &stay, error));
        if (stay) return SMITIN_OK;
    }
    return sm_fail(error, SMITIN_ERROR_IO, "%.300s redirects in circles; check HF_ENDPOINT",
                   request->url);
}

/* ---- Statuses ---- */

/* 401, 403 and 404: the hub says no. Its error code tells more than the status. */
static smitin_status fail_refused(const sm_http_reply *reply, const sm_hub_config *config,
                                  const sm_hub_name *name, const char *what, smitin_error *error)
{
    const bool token = config->token[0] != '\0';
    const char *repo = name->repo, *code = reply->code;
    if (strcmp(code, "GatedRepo") == 0)
        return sm_fail(error, SMITIN_ERROR_MODEL, "%s is gated; accept its terms at %s/%s, then %s",
                       repo, config->endpoint, repo,
                       token ? "check that the token is of that account"
                             : "give a token of that account in HF_TOKEN");
    if (strcmp(code, "RevisionNotFound") == 0)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s has no revision \"%s\"; see its branches and tags at %s/%s", repo,
                       name->revision, config->endpoint, repo);
    if (strcmp(code, "EntryNotFound") == 0)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s has no file %s at revision \"%s\"; pull another revision", repo, what,
                       name->revision);
    if (reply->status == 404 || strcmp(code, "RepoNotFound") == 0)
        return sm_fail(error, SMITIN_ERROR_MODEL, "there is no %s at %s%s; check the name%s", repo,
                       config->endpoint, token ? "" : ", or it is private",
                       token ? " and that the token may read it" : ", or give a token in HF_TOKEN");
    if (reply->status == 401 && token)
        return sm_fail(error, SMITIN_ERROR_MODEL,
                       "%s does not accept the token for %s (401); set HF_TOKEN anew",
                       config->endpoint, repo);
    return sm_fail(error, SMITIN_ERROR_MODEL, "%s refuses access to %s (%ld); %s", config->endpoint,
                   repo, reply->status,
                   token ? "check that the token may read it" : "give a token in HF_TOKEN");
}

smitin_status sm_http_check(const sm_http_reply *reply, const sm_hub_config *config,
                            const sm_hub_name *name, const char *what, bool *again,
                            smitin_error *error)
{
    const long status = reply->status;
    *again = false;
    if ((status >= 200 && status < 300) || is_redirect(status)) return SMITIN_OK;
    /* A storage server's 403 is a signed address that ran out: asking the hub again mends it. */
    const bool storage = !same_origin(reply->url, config->endpoint);
    if (!storage && (status == 401 || status == 403 || status == 404))
        return fail_refused(reply, config, name, what, error);
    if (status == 407)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the proxy wants a password (407); put it into the proxy variable");
    *again = status == 408 || status == 429 || status >= 500 || (storage && status == 403);
    if (status == 429)
        return sm_fail(error, SMITIN_ERROR_IO,
                       "the server wants fewer requests (429) for %s of %s; try again later%s",
                       what, name->repo,
                       config->token[0] != '\0' ? "" : ", or give a token in HF_TOKEN");
    return sm_fail(error, SMITIN_ERROR_IO, "the server answers %ld for %s of %s; %s", status, what,
                   name->repo, *again ? "try again later" : "check HF_ENDPOINT");
}

smitin_status sm_http_quote(const char *text, bool slashes, char *out, size_t size,
                            smitin_error *error)
{
    size_t used = 0;
    for (const char *c = text; *c != '\0'; c++) {
        const bool plain =
            isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL || (slashes && *c == '/');
        if (used + 4 > size)
            return sm_fail(error, SMITIN_ERROR_ARGUMENT,
                           "the name %.100s is too long; give a shorter one", text);
        if (plain)
            out[used++] = *c;
        else
            used += (size_t)snprintf(out + used, size - used, "%%%02X", (unsigned char)*c);
    }
    out[used] = '\0';
    return SMITIN_OK;
}
