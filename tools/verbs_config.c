/* config check, which needs no tripd; reload; and config show. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "print.h"
#include "protocol/report_config.h"
#include "request.h"

static int no_memory(const struct arguments *arguments)
{
    fprintf(stderr, "tripctl: %s: %s\n", arguments->operand, strerror(ENOMEM));
    return EXIT_REFUSED;
}

static int check_as_json(const struct arguments *arguments)
{
    json_t *result = report_check(arguments->operand);
    if (!result)
        return no_memory(arguments);
    const bool ok = json_is_true(json_object_get(result, "ok"));
    print_json(stdout, result);
    json_decref(result);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}

int verb_config_check(const struct arguments *arguments)
{
    struct config *config = NULL;
    char *problems = NULL;
    if (arguments->given & OPTION_JSON)
        return check_as_json(arguments);
    const int error = config_load(arguments->operand, &config, &problems);
    if (error < 0 && !problems)
        return no_memory(arguments);
    const char *notes = config ? config->notes : NULL;
    printf("%s%s", problems ? problems : "", notes ? notes : "");
    if (config)
        printf("%s: fine, %zu entr%s of breakers\n", arguments->operand, config->breaker_count,
               config->breaker_count == 1 ? "y" : "ies");
    config_free(config);
    free(problems);
    return error < 0 ? EXIT_REFUSED : EXIT_DONE;
}

int verb_config_reload(const struct arguments *arguments)
{
    json_t *result = NULL;
    const int status = request(arguments, "config_reload", NULL, &result);
    if (status == EXIT_DONE && arguments->given & OPTION_JSON)
        print_json(stdout, result);
    else if (status == EXIT_DONE)
        print_reloaded(stdout, result);
    json_decref(result);
    return status;
}

static void print_yaml(void *context, json_t *page)
{
    (void)context;
    const char *yaml = json_string_value(json_object_get(page, "yaml"));
    fputs(yaml ? yaml : "", stdout);
}

int verb_config_show(const struct arguments *arguments)
{
    json_t *params = json_object();
    if (arguments->given & OPTION_ORIGIN)
        json_object_set_new(params, "origin", json_integer(1));
    if (!(arguments->given & OPTION_JSON)) {
        json_object_set_new(params, "form", json_string("yaml"));
        return request_pages(arguments, "config_show", params, print_yaml, NULL);
    }
    json_t *whole = json_object();
    const int status = request_pages(arguments, "config_show", params, request_join, whole);
    if (status == EXIT_DONE)
        print_json(stdout, whole);
    json_decref(whole);
    return status;
}
