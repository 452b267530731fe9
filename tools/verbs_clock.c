#include <stdio.h>

#include "print.h"
#include "request.h"

static int clock_request(const struct arguments *arguments, json_t *params)
{
    json_t *result = NULL;
    const int status = request(arguments, arguments->verb->method, params, &result);
    if (status == EXIT_DONE && arguments->given & OPTION_JSON)
        print_json(stdout, result);
    else if (status == EXIT_DONE)
        print_clock(stdout, result);
    json_decref(result);
    return status;
}

int verb_clock_show(const struct arguments *arguments)
{
    return clock_request(arguments, NULL);
}

int verb_clock_advance(const struct arguments *arguments)
{
    return clock_request(arguments, json_pack("{s:I}", "by_ms", (json_int_t)arguments->duration_ms));
}
