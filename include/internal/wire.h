/* How a client attaches: fixed packets over the control socket (SOCK_SEQPACKET), the same socket that speaks
 * MessagePack-RPC to tools. The first packet tells which: WIRE_MAGIC begins with 't', no RPC message does.
 *
 *   client                                             tripd
 *     HELLO {digest, instance's lane or 0}      ->
 *                                               <-       WELCOME {shape of a lane} + segment (read-only), commons
 *     OPENINGS {breakers and their words}       ->       opens breakers that opened in an older commons without tripd
 *                                               <-       TAKEN, for each such packet
 *     ATTACH {lane_id} + lane's memfd [, pidfd] ->       checks seals, size, header; hands lane and pidfd to the keeper
 *                                               <-       ATTACHED {lane number}
 *     RESOLVE {name}                            ->       makes the breaker if need be
 *                                               <-       RESOLVED {breaker, incarnation}
 *     WATCH                                     ->
 *                                               <-       WATCHED + a socket, readable when a breaker that the lane
 *                                                        has resolved may have moved
 *     CANCEL {breaker, incarnation}             ->
 *                                               <-       CANCELS {breaker, incarnation} + a timer, readable while the
 *                                                        breaker cuts calls in flight short
 *   or, instead of any answer                   <-       REFUSED {-errno, why}: for people
 *
 * Every packet is one struct of a fixed size; any other size closes the connection. A client that re-attaches
 * brings the same lane (same lane_id). A hang-up alone detaches; death is the pidfd, or a free flock on the lane
 * (the client holds LOCK_EX through a second description of the memfd that only its mapping keeps open, or, without a
 * /proc, through the one it sends: tripd opens the memfd for itself and closes that).
 */
#ifndef TRIP_INTERNAL_WIRE_H
#define TRIP_INTERNAL_WIRE_H

#include "internal/layout.h"

#define WIRE_MAGIC      UINT32_C(0x70697274) /* "trip" */
#define WIRE_VERSION    1u
#define WIRE_PACKET_MAX 512

enum wire_kind {
    WIRE_HELLO = 1,
    WIRE_WELCOME,
    WIRE_ATTACH,
    WIRE_ATTACHED,
    WIRE_RESOLVE,
    WIRE_RESOLVED,
    WIRE_REFUSED,
    WIRE_OPENINGS,
    WIRE_TAKEN,   /* only a head */
    WIRE_WATCH,   /* only a head */
    WIRE_WATCHED, /* only a head; descriptors: [0] the socket */
    WIRE_CANCEL,
    WIRE_CANCELS,
};

struct wire_head {
    uint32_t magic;
    uint16_t version;
    uint16_t kind; /* enum wire_kind */
};

struct wire_hello {
    struct wire_head head;
    uint64_t digest;
    uint64_t lane_id; /* of the lane this client already has; 0: none */
    char library[16]; /* its version, for the text of a refusal */
};

/* Descriptors: [0] the segment, opened read-only; [1] the commons. */
struct wire_welcome {
    struct wire_head head;
    uint64_t segment_id;
    uint64_t segment_size;
    uint64_t commons_id;
    uint64_t commons_size;
    uint64_t commons_number;
    uint32_t slots;       /* breakers' slots that have memory in this commons */
    uint32_t wants_pidfd; /* this kernel has no SO_PEERPIDFD: send a pidfd with ATTACH */
    uint32_t reserved0;
    /* The client compares these with its own clock, and corrects it if a time namespace shifts it. */
    uint64_t monotonic_ns;   /* tripd's CLOCK_MONOTONIC when it sent this */
    uint64_t time_namespace; /* the inode of tripd's time namespace; 0: unknown */
};

#define WIRE_OPENINGS_MAX 30

/* Breakers that a client finds open in its older commons, with their words there; as many packets as needed. */
struct wire_openings {
    struct wire_head head;
    uint64_t commons_number; /* of the commons that holds these words */
    uint32_t count;
    uint32_t reserved0;
    struct wire_opening {
        uint32_t breaker; /* its slot */
        uint32_t reserved0;
        uint64_t word;
    } openings[WIRE_OPENINGS_MAX];
};

/* Descriptors: [0] the lane, sealed F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL; [1] a pidfd, if wanted. */
struct wire_attach {
    struct wire_head head;
    uint64_t lane_id;
};

struct wire_attached {
    struct wire_head head;
    uint32_t lane; /* 1 to max_lanes */
    uint32_t reserved0;
};

struct wire_resolve {
    struct wire_head head;
    uint64_t serial; /* the answer returns it */
    char name[TRIP_NAME_MAX + 1];
};

struct wire_resolved {
    struct wire_head head;
    uint64_t serial;
    uint32_t breaker;
    uint32_t incarnation;
    int32_t error; /* 0, -ENOSPC: the table is full, calls are admitted; -EINVAL: not a name */
    uint32_t reserved0;
};

struct wire_cancel {
    struct wire_head head;
    uint32_t breaker;
    uint32_t incarnation;
};

/* Descriptors, where error is 0: [0] the timer. */
struct wire_cancels {
    struct wire_head head;
    uint32_t breaker;
    uint32_t incarnation;
    int32_t error; /* 0; -ESTALE: another breaker has the slot; -EDQUOT: the user has no more; -EMFILE, -ENOMEM */
    uint32_t reserved0;
};

struct wire_refused {
    struct wire_head head;
    int32_t error;
    uint32_t reserved0;
    uint64_t digest; /* tripd's */
    char why[256];
};

#endif
