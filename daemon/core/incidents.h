/* Finds the incidents: which breakers begin to fail within a short time, what led, and when it was over. One incident
 * is what an operator would tell as one story.
 *
 *   errors, steps of breakers, acts ──> incidents_error, incidents_event ──> struct incident, begun, grown, ended
 *
 * For example: "payments/db" fails; a second later "payments/api", which depends on it, and "reports". db opens, api
 * opens; an operator forces reports open. That is one incident of three breakers, led by payments/db. Five quiet
 * minutes after the last of it, it ends.
 *
 * All that this remembers is in struct incidents, which its owner commits as a whole, together with how far it has
 * read: who is killed begins again from there, and comes to the same incidents. Pure; times come with what is told. */
#ifndef TRIP_CORE_INCIDENTS_H
#define TRIP_CORE_INCIDENTS_H

#include <stdbool.h>

#include "core/burst.h"
#include "internal/layout.h"

struct incidents_settings {
    uint64_t cascade_window, quiet; /* ns */
};

/* Errors that one record stands for. */
struct incidents_error {
    uint64_t at_ns;
    uint32_t slot, pid;
    uint64_t times;
    uint64_t fingerprint;            /* its id; 0: unclassified */
    const char *trace, *correlation; /* ids; "": none */
    uint8_t type;
};

/* The engine asks its owner for these, and tells it of changes. */
struct incidents_host {
    void *context;
    struct incidents_settings settings;
    const char *(*name)(void *context, uint32_t slot);               /* "": nobody has the slot */
    const char *(*fingerprint)(void *context, uint64_t id);          /* its text; NULL, or gives "": not known */
    bool (*depends)(void *context, uint32_t slot, uint32_t on);      /* declared by depends_on */
    void (*changed)(void *context, const struct incident *incident); /* it began, or ended: for watchers; may be NULL */
    uint64_t deploy_ms, deploy_unix_ms;                              /* the last deploy mark; 0: none */
    const char *deploy;                                              /* its name, "" or NULL */
    uint64_t (*unix_ms)(void *context, uint64_t at_ms);              /* wall time of an instant */
};

/* Errors and events may be told in any order within a few seconds; in order of time is best. Times that are wrong make
 * wrong stories, and nothing worse. */
void incidents_error(struct incidents *incidents, const struct incidents_host *host,
                     const struct incidents_error *error);
void incidents_event(struct incidents *incidents, const struct incidents_host *host, const struct transition *event);
/* Ends the incidents that have been quiet for long enough, and forgets what is too old to matter. */
void incidents_tick(struct incidents *incidents, const struct incidents_host *host, uint64_t now_ns);

#endif
