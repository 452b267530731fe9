/* The verbs that change breakers: one request for each, and more requests for the names of further breakers that it
 * hit. */
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "request.h"
#include "users.h"

static json_t *change_params(const struct arguments *arguments)
{
    json_t *params = json_pack("{s:s, s:s*}", "name", arguments->operand, "reason", arguments->reason);
    if (arguments->given & OPTION_FOR)
        json_object_set_new(params, "for_ms", json_integer((json_int_t)arguments->for_ms));
    if (arguments->given & OPTION_TTL)
        json_object_set_new(params, "ttl_ms", json_integer((json_int_t)arguments->ttl_ms));
    return params;
}

/* Changes breakers. later: what a pattern means for breakers to come. */
static int change(const struct arguments *arguments, const char *done, const char *later)
{
    const bool pattern = strpbrk(arguments->operand, "*?") != NULL;
    json_t *result = json_object();
    const int status =
        request_pages(arguments, arguments->verb->method, change_params(arguments), request_join, result);
    const bool acted = json_object_size(result) > 0; /* also when a page of names is missing */
    users_add(result);
    if (acted && arguments->given & OPTION_JSON)
        print_json(stdout, result);
    else if (acted)
        print_hits(stdout, result, done, pattern ? later : "");
    json_decref(result);
    return status;
}

#define LATER "; those to come that match will be too"

int verb_trip(const struct arguments *arguments)
{
    return change(arguments, "tripped", "");
}

int verb_reset(const struct arguments *arguments)
{
    return change(arguments, "reset", "");
}

int verb_force_open(const struct arguments *arguments)
{
    return change(arguments, "forced open", LATER);
}

int verb_disable(const struct arguments *arguments)
{
    return change(arguments, "disabled", LATER);
}

int verb_shadow(const struct arguments *arguments)
{
    return change(arguments, "in shadow", LATER);
}

int verb_auto(const struct arguments *arguments)
{
    return change(arguments, "in mode auto", LATER);
}
