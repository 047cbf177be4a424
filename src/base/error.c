/* SPDX-License-Identifier: MIT */
/* Status and messages. Owns no state. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *smitin_strerror(smitin_status status)
{
    switch (status) {
    case SMITIN_OK:
        return "Success";
    case SMITIN_ERROR_ARGUMENT:
        return "An argument is out of range";
    case SMITIN_ERROR_MEMORY:
        return "Memory is short";
    case SMITIN_ERROR_IO:
        return "A file could not be read or written";
    case SMITIN_ERROR_FORMAT:
        return "A file is damaged or of another kind";
    case SMITIN_ERROR_MODEL:
        return "The model was refused";
    case SMITIN_ERROR_KNOB:
        return "The knob was refused";
    case SMITIN_ERROR_STATE:
        return "The call does not fit the state of the session";
    case SMITIN_ERROR_STOPPED:
        return "The session was stopped";
    }
    return "Unknown status";
}

smitin_status sm_fail(smitin_error *error, smitin_status status, const char *format, ...)
{
    if (error == NULL) return status;
    /* Through a copy: arguments may point into the message being replaced, as when context is
     * added. */
    char text[sizeof error->message];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = '\0';
    va_end(args);
    /* The header promises no newline, and a file name may hold one. */
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r') *c = ' ';
    }
    memcpy(error->message, text, sizeof text);
    error->status = status;
    return status;
}

smitin_status sm_fail_memory(smitin_error *error, const char *what, size_t bytes)
{
    return sm_fail(
        error, SMITIN_ERROR_MEMORY,
        "memory is short: could not take %zu bytes for %s; close other programs, or ask for fewer "
        "pieces or seconds",
        bytes, what);
}
