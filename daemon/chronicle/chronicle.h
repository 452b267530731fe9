/* Reads the errors and the events that the segment keeps, and makes fingerprints and incidents of them.
 *
 *   ring of errors ──┐
 *                    ├─ in the order of their times ──> core/fingerprints.h ──> core/incidents.h ──> segment
 *   ring of events ──┘
 *
 * It reads behind tripd's other work, from cursors that are committed together with what it made of the records before
 * them. So a worker that is killed reads on where the last one had come to, and makes no incident twice. Nothing in
 * tripd depends on it. */
#ifndef TRIPD_CHRONICLE_H
#define TRIPD_CHRONICLE_H

#include "config/config.h"
#include "segment/segment.h"

struct chronicle;

struct chronicle_options {
    struct segment *segment;
    const struct config *config; /* borrowed until chronicle_reconfigure or chronicle_free */
    /* An incident began or ended, which stands in the ring of events by now; NULL: nobody asks. */
    void (*changed)(void *context, const struct incident *incident);
    void *context;
};

/* Goes on where the segment says that the last worker had come to. -ENOMEM. */
int chronicle_new(const struct chronicle_options *options, struct chronicle **ret_chronicle);
struct chronicle *chronicle_free(struct chronicle *chronicle);
void chronicle_reconfigure(struct chronicle *chronicle, const struct config *config);

/* Is so much unread that the next records may overwrite it? Then do not wait for the next heartbeat. */
bool chronicle_behind(const struct chronicle *chronicle);
/* Reads what is new, CHRONICLE_LOOK records and events at most: whoever fills the rings does not hold up tripd. True:
 * there is more to read. now_ns: on the instance's clock. */
#define CHRONICLE_LOOK 256
bool chronicle_look(struct chronicle *chronicle, uint64_t now_ns);

#endif
