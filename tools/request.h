/* Sends requests to the tripd of the instance that the command line means. Errors are reported on standard error. */
#ifndef TRIP_TOOLS_REQUEST_H
#define TRIP_TOOLS_REQUEST_H

#include <jansson.h>

#include "rpc_client.h"
#include "verbs.h"

/* Sends a request, and takes params; NULL: none. EXIT_DONE with *ret_result, or the exit status. */
int request(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_result);

/* Asks page after page, from `after` of params on, and passes each to `each`. Takes params. */
typedef void request_page_fn(void *context, json_t *page);
int request_pages(const struct arguments *arguments, const char *method, json_t *params, request_page_fn *each,
                  void *context);
/* An `each` that joins the pages: their lists are joined, and all else is the first page's. whole: a json_t, an object.
 */
request_page_fn request_join;

/* Connects, and reports nothing. 0, or -errno of rpc_client_open. */
int request_open(const struct arguments *arguments, struct rpc_client **ret_client);
/* A request in parts, for a connection that stays open. */
int request_connect(const struct arguments *arguments, struct rpc_client **ret_client);
int request_over(const struct arguments *arguments, struct rpc_client *client, const char *method, json_t *params,
                 json_t **ret_result);
/* Reports an error of rpc_client.h, and returns the exit status. */
int request_failed(const struct arguments *arguments, int error);

/* Sends a request and reports nothing. Takes params; NULL: none. 0 with the result; -EREMOTEIO with the refusal;
 * -ENOENT, -ECONNREFUSED: nobody listens; -ETIMEDOUT: no answer within a second; other errors of rpc_client.h. */
int request_quietly(const struct arguments *arguments, const char *method, json_t *params, json_t **ret_answer);

#endif
