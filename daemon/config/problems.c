#include "config/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(struct config_problems *problems, const char *line, size_t length)
{
    char *text = realloc(problems->text, problems->length + length + 2);
    if (!text) {
        problems->no_memory = true;
        return;
    }
    memcpy(text + problems->length, line, length);
    memcpy(text + problems->length + length, "\n", 2);
    problems->text = text;
    problems->length += length + 1;
}

void config_problem(struct config_problems *problems, size_t line, const char *format, ...)
{
    if (problems->count++ >= CONFIG_PROBLEMS_SHOWN)
        return;
    char place[32] = "";
    if (line)
        snprintf(place, sizeof(place), ":%zu", line);

    char *what = NULL, *whole = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&what, format, arguments) < 0)
        what = NULL;
    va_end(arguments);
    const int length = what ? asprintf(&whole, "%s%s: %s", problems->file, place, what) : -1;
    if (what && problems->told)
        problems->told(problems->context, problems->file, line, what);
    if (length >= 0) {
        append(problems, whole, (size_t)length);
        free(whole);
    } else {
        problems->no_memory = true;
    }
    free(what);
}

char *config_problems_take(struct config_problems *problems)
{
    if (problems->count > CONFIG_PROBLEMS_SHOWN) {
        char more[64];
        const int length = snprintf(more, sizeof(more), "and %u more", problems->count - CONFIG_PROBLEMS_SHOWN);
        append(problems, more, (size_t)length);
        if (problems->told)
            problems->told(problems->context, NULL, 0, more);
    }
    char *text = problems->text;
    problems->text = NULL;
    return text;
}

const char *config_quote(const char *text, size_t length, char quoted[CONFIG_QUOTE_MAX])
{
    const size_t room = CONFIG_QUOTE_MAX - sizeof("'...'");
    const size_t shown = length > room ? room : length;
    quoted[0] = '\'';
    for (size_t i = 0; i < shown; i++)
        quoted[1 + i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    strcpy(quoted + 1 + shown, length > room ? "...'" : "'");
    return quoted;
}
