/* A request to the tripd of the instance that the command line means; what went wrong is said on standard error. */
#ifndef TRIP_TOOLS_REQUEST_H
#define TRIP_TOOLS_REQUEST_H

#include <jansson.h>

#include "rpc_client.h"
#include "verbs.h"

/* params: taken; NULL: none. EXIT_DONE with *ret_result, or the exit status. */
int request(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_result);

/* Page after page, each given to `each`, from `after` of params on. params: taken. */
typedef void request_page_fn(void *context, json_t *page);
int request_pages(const struct arguments *arguments, const char *method, json_t *params, request_page_fn *each,
                  void *context);
/* `each` that makes the whole of the pages: a list is the lists of all of them, all else is the first one's. whole: a
 * json_t, an object. */
request_page_fn request_join;

/* A request in parts, for a connection that stays. */
int request_connect(const struct arguments *arguments, struct rpc_client **ret_client);
int request_over(const struct arguments *arguments, struct rpc_client *client, const char *method, json_t *params,
                 json_t **ret_result);
/* Says what this error of rpc_client.h means, and gives the exit status. */
int request_failed(const struct arguments *arguments, int error);

/* Nothing is said. params: taken; NULL: none. 0 with the result; -EREMOTEIO with the refusal; -ENOENT, -ECONNREFUSED:
 * nobody listens; -ETIMEDOUT: no answer within a second; other errors of rpc_client.h. */
int request_quietly(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_answer);

#endif
