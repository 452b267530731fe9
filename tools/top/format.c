#include "format.h"

#include <stdio.h>
#include <time.h>

#include "print.h"
#include "protocol/figures.h"

const char *format_count(double count, char text[FORMAT_MAX])
{
    if (count < 9.95 && count != (double)(int)count)
        snprintf(text, FORMAT_MAX, "%.1f", count);
    else if (count < 9999.5)
        snprintf(text, FORMAT_MAX, "%.0f", count);
    else if (count < 999950)
        snprintf(text, FORMAT_MAX, "%.1fk", count / 1e3);
    else if (count < 999950e3)
        snprintf(text, FORMAT_MAX, "%.1fM", count / 1e6);
    else
        snprintf(text, FORMAT_MAX, "%.3gG", count / 1e9);
    return text;
}

const char *format_permille(int32_t permille, char text[FORMAT_MAX])
{
    if (permille < 0)
        return "-";
    snprintf(text, FORMAT_MAX, "%.0f%%", permille / 10.0);
    return text;
}

const char *format_share(uint64_t part, uint64_t whole, char text[FORMAT_MAX])
{
    return format_permille(whole ? (int32_t)((double)(part < whole ? part : whole) * 1000 / (double)whole) : -1, text);
}

const char *format_latency(double ms, char text[FORMAT_MAX])
{
    if (ms < 0)
        return "-";
    if (ms >= 1000)
        return print_span((uint64_t)ms, text);
    snprintf(text, FORMAT_MAX, ms < 0.1 ? "%.3fms" : ms < 10 ? "%.1fms" : "%.0fms", ms);
    return text;
}

const char *format_span(uint64_t ms, char text[FORMAT_MAX])
{
    return ms == FIGURES_NEVER ? "never" : print_span(ms, text);
}

const char *format_clock(uint64_t unix_ms, char text[FORMAT_MAX])
{
    const time_t seconds = (time_t)(unix_ms / 1000);
    struct tm broken;
    if (!localtime_r(&seconds, &broken) || strftime(text, FORMAT_MAX, "%H:%M:%S", &broken) == 0)
        return "-";
    return text;
}
