#include "format.h"

#include <stdio.h>
#include <time.h>

#include "print.h"
#include "protocol/figures.h"

static const char *in_unit(double count, char unit, char text[FORMAT_MAX])
{
    snprintf(text, FORMAT_MAX, count < 99.95 ? "%.1f%c" : "%.0f%c", count, unit);
    return text;
}

const char *format_count(double count, char text[FORMAT_MAX])
{
    if (count >= 999.5e6)
        return in_unit(count / 1e9, 'G', text);
    if (count >= 999.5e3)
        return in_unit(count / 1e6, 'M', text);
    if (count >= 9999.5)
        return in_unit(count / 1e3, 'k', text);
    snprintf(text, FORMAT_MAX, count < 9.95 && count != (double)(int)count ? "%.1f" : "%.0f", count);
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
    if (ms < 0.001)
        snprintf(text, FORMAT_MAX, "%.0fns", ms * 1e6);
    else
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
