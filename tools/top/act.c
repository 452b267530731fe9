#include "act.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "print_parts.h"
#include "request.h"

#define ANSWER_MS 5000 /* as long as tripctl waits */

const struct act *act_of(enum action action)
{
    static const struct act acts[] = {
        [ACTION_TRIP] = {"trip", "trip", "tripped", ACT_FOR},
        [ACTION_FORCE_OPEN] = {"force_open", "force open", "forced open", ACT_TTL},
        [ACTION_DISABLE] = {"disable", "disable", "disabled", ACT_TTL},
        [ACTION_AUTO] = {"auto", "set to auto", "set to auto", ACT_NO_SPAN},
        [ACTION_RESET] = {"reset", "reset", "reset", ACT_NO_SPAN},
    };
    return &acts[action];
}

bool act_allowed(const struct arguments *arguments, bool *ret_answered, char why[128])
{
    json_t *answer = NULL;
    const int error = request_quietly(arguments, "status", NULL, &answer);
    const json_t *const roles = json_object_get(answer, "roles"), *role;
    bool allowed = false;
    size_t i;
    json_array_foreach(roles, i, role) allowed |=
        json_is_string(role) && strcmp(json_string_value(role), "control") == 0;
    *ret_answered = error == 0 || error == -EREMOTEIO;
    if (error == -EACCES)
        snprintf(why, 128, "you may not connect to tripd's control socket: its file mode decides who may");
    else if (!*ret_answered)
        snprintf(why, 128, "tripd does not answer, and nobody else changes breakers");
    else
        snprintf(why, 128, "%s", allowed ? "" : "you do not have the role control: access.control in tripd's config");
    json_decref(answer);
    return allowed;
}

/* Asks for one breaker. Returns how many breakers it hit; a refusal is written. */
static uint64_t do_one(struct rpc_client *client, const struct act *act, const char *name, const char *reason,
                       uint64_t span_ms, FILE *refusals)
{
    json_t *result = NULL, *error = NULL;
    json_t *const params = json_pack("{s:s}", "name", name);
    if (*reason)
        json_object_set_new(params, "reason", json_string(reason));
    if (span_ms && act->span != ACT_NO_SPAN)
        json_object_set_new(params, act->span == ACT_FOR ? "for_ms" : "ttl_ms", json_integer((json_int_t)span_ms));
    const int status = rpc_client_call(client, act->method, params, ANSWER_MS, &result, &error);
    const uint64_t hit = tree_number(result, "count");
    if (status < 0)
        fprintf(refusals, "; %s: %s", name, status == -EREMOTEIO ? tree_text(error, "message") : strerror(-status));
    else if (hit == 0)
        fprintf(refusals, "; %s: its mode keeps the state as it is, `a` ends that", name);
    json_decref(params);
    json_decref(result);
    json_decref(error);
    return hit;
}

/* Does it to all, and writes the names of those that were hit. */
static uint64_t do_all(struct rpc_client *client, const struct act *act, char *const *names, const char *reason,
                       uint64_t span_ms, FILE *hits, FILE *refusals)
{
    uint64_t count = 0;
    for (; *names; names++) {
        const uint64_t hit = do_one(client, act, *names, reason, span_ms, refusals);
        if (hit)
            fprintf(hits, "%s%s", count ? ", " : "", *names);
        count += hit;
    }
    return count;
}

char *act_do(const struct arguments *arguments, const struct act *act, char *const *names, const char *reason,
             uint64_t span_ms)
{
    char *hits_text = NULL, *refusals_text = NULL, *said = NULL;
    size_t hits_size, refusals_size;
    struct rpc_client *client = NULL;
    const int error = request_open(arguments, &client);
    if (error < 0) {
        if (asprintf(&said, "nothing was done: tripd does not answer: %s", strerror(-error)) < 0)
            said = NULL;
        return must(said);
    }
    FILE *const hits = must(open_memstream(&hits_text, &hits_size));
    FILE *const refusals = must(open_memstream(&refusals_text, &refusals_size));
    const uint64_t count = do_all(client, act, names, reason, span_ms, hits, refusals);
    fclose(hits);
    fclose(refusals);
    must(hits_text);
    must(refusals_text);
    rpc_client_close(client);
    if (asprintf(&said, "%llu breaker%s %s%s%s%s", (unsigned long long)count, print_plural(count), act->done,
                 count ? ": " : "", hits_text, refusals_text) < 0)
        said = NULL;
    free(hits_text);
    free(refusals_text);
    return must(said);
}
