/* One conversation with tripd; under the client's lock. */
#ifndef TRIP_ATTACH_H
#define TRIP_ATTACH_H

#include "descriptor.h"
#include "internal/paths.h"
#include "view.h"

#define ATTACH_PAUSE_NS UINT64_C(100000000) /* between two attempts to attach */
#define TALK_PAUSE_NS   UINT64_C(8000000)   /* between two looks for tripd's answer */

enum attach_state {
    ATTACH_IDLE,     /* no socket */
    ATTACH_HELLO,    /* waiting for WELCOME */
    ATTACH_OPENINGS, /* waiting for TAKEN: what opened in the commons before is open in the next one */
    ATTACH_LANE,     /* waiting for ATTACHED */
    ATTACH_DONE      /* may ask for breakers */
};

#define REFUSAL_MAX 256 /* bytes of tripd's reason */

/* The latest reason why attaching failed, for people. */
struct trouble {
    enum trouble_kind {
        TROUBLE_NONE,
        TROUBLE_CONNECT, /* see `connects` */
        TROUBLE_REFUSED, /* see `refusal` */
        TROUBLE_TALK,    /* the conversation ended */
        TROUBLE_LANE     /* there is no lane to offer */
    } kind;
    int error; /* -errno */
};

struct attach {
    struct descriptor socket;
    enum attach_state state;
    bool wants_pidfd;
    bool sent_lane;               /* on this connection */
    bool answered_lane;           /* taken, or refused */
    bool taken_lane;              /* tripd has said on this connection that it has the lane */
    bool lane_id_taken;           /* by another process of this user: the next one is sent */
    unsigned lanes_replaced;      /* for that reason */
    uint64_t lane_next_ns;        /* after a refusal: when to offer the lane again */
    int refused;                  /* tripd's last refusal, -errno */
    uint64_t next_ns;             /* no new connection before */
    struct commons_view *commons; /* to be used once tripd has taken the openings */
    int unanswered;               /* packets of openings that tripd has not answered */
    bool late;                    /* these packets are of the commons before the one in use */
    uint64_t hello_ns;            /* when HELLO was sent */
    uint64_t resolve_serial;
    struct trip_breaker *asked; /* breakers for which tripd has not answered RESOLVE */
    uid_t daemon_uid;
    struct trouble trouble;
    size_t connected;           /* which of the client's sockets it is, or was last */
    int connects[PATHS_PLACES]; /* -errno of the latest attempt at each */
    char refusal[REFUSAL_MAX];
};

/* One step, without blocking. */
void attach_step(struct trip_client *client);
void attach_close(struct trip_client *client);
/* Asks tripd for the breaker's slot. False: the packet could not be sent now. */
bool attach_resolve(struct trip_client *client, struct trip_breaker *breaker);
/* Under the lock, which it gives up meanwhile: waits until tripd has said something, a few milliseconds at most. False:
 * the lock could not be had again until then. */
bool attach_wait(struct trip_client *client, uint64_t until_ns);

#endif
