/* The log: one line a message on standard error. Under systemd (JOURNAL_STREAM names our standard error) each line
 * begins with its priority as <N>, see sd-daemon(3), and elsewhere with the time. A reader that does not read costs
 * lines, never a stall. */
#ifndef TRIPD_LOG_H
#define TRIPD_LOG_H

/* The priorities of syslog(3). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };

/* Finds out whether standard error is the journal. Before this call lines have neither priority nor time. */
void log_open(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Logs each line of `text` as a message of its own. */
void log_lines(enum log_level level, const char *text);

#endif
