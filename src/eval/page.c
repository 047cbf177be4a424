/* SPDX-License-Identifier: MIT */
/* Owns what every page of ours needs: escapes, bytes as text, a template filled in. */
#include "page.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../base/outfile.h"

char *sm_page_base64(const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *data = bytes;
    char *text = malloc((size + 2) / 3 * 4 + 1), *at = text;
    if (text == NULL) return NULL;
    for (size_t i = 0; i < size; i += 3) {
        const unsigned int second = i + 1 < size ? data[i + 1] : 0u;
        const unsigned int third = i + 2 < size ? data[i + 2] : 0u;
        const unsigned int word = (unsigned int)data[i] << 16 | second << 8 | third;
        *at++ = digits[word >> 18];
        *at++ = digits[word >> 12 & 63];
        *at++ = i + 1 < size ? digits[word >> 6 & 63] : '=';
        *at++ = i + 2 < size ? digits[word & 63] : '=';
    }
    *at = '\0';
    return text;
}

const char *sm_page_media_type(const char *path)
{
    static const char *const types[][2] = {{".wav", "audio/wav"}, {".flac", "audio/flac"},
                                           {".ogg", "audio/ogg"}, {".mp3", "audio/mpeg"},
                                           {".png", "image/png"}, {".csv", "text/csv"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot, types[i][0]) == 0) return types[i][1];
    return "application/octet-stream";
}

/* Bytes of the UTF-8 character that begins at `at`; 0: there is none. Overlong forms, surrogates
 * and what lies beyond U+10FFFF are none. */
static size_t character(const unsigned char *at)
{
    const unsigned char a = at[0], b = a != 0 ? at[1] : 0;
    if (a < 0x80) return 1;
    const size_t size = a >= 0xC2 && a <= 0xDF   ? 2
                        : (a & 0xF0) == 0xE0     ? 3
                        : a >= 0xF0 && a <= 0xF4 ? 4
                                                 : 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) || (a == 0xF0 && b < 0x90) ||
        (a == 0xF4 && b > 0x8F))
        return 0;
    return size;
}

void sm_page_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        const size_t size = character(at);
        if (size == 0 || (*at < 32 && *at != '\n' && *at != '\t') || *at == 127)
            fputs("\xEF\xBF\xBD", out);
        else if (*at == '&')
            fputs("&amp;", out);
        else if (*at == '<')
            fputs("&lt;", out);
        else if (*at == '>')
            fputs("&gt;", out);
        else if (*at == '"')
            fputs("&quot;", out);
        else if (*at == '\'')
            fputs("&#39;", out);
        else
            fwrite(at, 1, size, out);
        at += size > 0 ? size : 1;
    }
}

/* "<" cannot end the element when it is written as an escape; it stands in strings only. */
void sm_page_json(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        const size_t plain = strcspn(at, "<");
        fwrite(at, 1, plain, out);
        at += plain;
        if (*at == '<') {
            fputs("\\u003c", out);
            at++;
        }
    }
}

bool sm_page_data(FILE *out, const char *type, const void *data, size_t size)
{
    char *text = sm_page_base64(data, size);
    if (text != NULL) fprintf(out, "data:%s;base64,%s", type, text);
    const bool done = text != NULL;
    free(text);
    return done;
}

smitin_status sm_page_write(const char *path, const char *form, const sm_page_part *parts,
                            size_t count, smitin_error *error)
{
    char *page = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&page, &size);
    smitin_status status = SMITIN_OK;
    for (size_t i = 0; out != NULL && i < count; i++) {
        const char *place = strstr(form, parts[i].mark);
        fwrite(form, 1, (size_t)(place - form), out);
        fputs(parts[i].html, out);
        form = place + strlen(parts[i].mark);
    }
    if (out != NULL) fputs(form, out);
    if (out == NULL || fclose(out) != 0) status = sm_fail_memory(error, path, size);
    if (status == SMITIN_OK) status = sm_file_write(path, page, size, error);
    free(page);
    return status;
}
