/* The verb `metrics`: what was counted, of breakers, groups, all of them together, and tripd itself. */
#include "metrics.h"
#include "print.h"
#include "reading.h"

static json_t *metrics_of(const struct arguments *arguments, const struct snapshot *snapshot)
{
    return metrics_read(snapshot, arguments->operand);
}

int verb_metrics(const struct arguments *arguments)
{
    int status;
    json_t *const metrics = reading_result(arguments, metrics_of, json_object(), &status);
    return status == EXIT_DONE ? reading_show_named(arguments, metrics, print_metrics) : status;
}
