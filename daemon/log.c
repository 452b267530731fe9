#include "log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal/printable.h"

#define LINE_MAX_BYTES 1024 /* below PIPE_BUF, so that lines of two processes do not mix */

/* What each line begins with. */
static enum { NAME_ALONE, TIME_AND_NAME, PRIORITY } prefix;
static unsigned lost;

void log_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uint64_t device, inode;
    struct stat at;
    /* A child inherits JOURNAL_STREAM even if its standard error is another file: the variable counts only for the file
     * that it names. */
    const bool journal = stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 && fstat(2, &at) == 0 &&
                         at.st_dev == device && at.st_ino == inode;
    prefix = journal ? PRIORITY : TIME_AND_NAME; /* the journal adds the time itself */
    tzset();
}

/* Is there room for a line? Waiting for it would stop the worker for as long as no one reads the log. */
static bool writable(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT);
}

/* Writes the time as tripctl does: 2025-11-24 03:04:05.678, and a blank. */
static size_t write_time(char *line, size_t size)
{
    struct timespec now;
    struct tm parts;
    char day[24];
    clock_gettime(CLOCK_REALTIME, &now);
    if (!localtime_r(&now.tv_sec, &parts) || strftime(day, sizeof(day), "%F %T", &parts) == 0)
        return 0;
    return (size_t)snprintf(line, size, "%s.%03u ", day, (unsigned)(now.tv_nsec / 1000000));
}

static size_t write_prefix(enum log_level level, char *line, size_t size)
{
    if (prefix == PRIORITY)
        return (size_t)snprintf(line, size, "<%d>", (int)level);
    const size_t time = prefix == TIME_AND_NAME ? write_time(line, size) : 0;
    return time + (size_t)snprintf(line + time, size - time, "tripd: ");
}

static bool write_line(enum log_level level, const char *text, size_t length)
{
    char line[LINE_MAX_BYTES];
    size_t size = write_prefix(level, line, sizeof(line));
    if (length > sizeof(line) - size - 1)
        length = sizeof(line) - size - 1;
    memcpy(line + size, text, length);
    printable_make(line + size, length); /* clients and config files must not forge lines, or move the cursor */
    size += length;
    line[size++] = '\n';
    return writable() && write(STDERR_FILENO, line, size) == (ssize_t)size;
}

static void log_bytes(enum log_level level, const char *text, size_t length)
{
    if (lost > 0) {
        char gap[64];
        const int size = snprintf(gap, sizeof(gap), "%u lines of the log were lost: nobody read them", lost);
        if (write_line(LOG_LEVEL_WARNING, gap, (size_t)size))
            lost = 0;
    }
    if (!write_line(level, text, length))
        lost++;
}

static void log_format(enum log_level level, const char *format, va_list arguments)
{
    char text[LINE_MAX_BYTES];
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length >= 0)
        log_bytes(level, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

#define LOG_FUNCTION(name, level)             \
    void name(const char *format, ...)        \
    {                                         \
        va_list arguments;                    \
        va_start(arguments, format);          \
        log_format(level, format, arguments); \
        va_end(arguments);                    \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)

void log_lines(enum log_level level, const char *text)
{
    while (*text) {
        const size_t length = strcspn(text, "\n");
        if (length > 0)
            log_bytes(level, text, length);
        text += length + (text[length] == '\n');
    }
}
