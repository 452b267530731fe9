/* Names of what trip.h and the segment number, by number: as JSON, the log and the snapshot have them. */
#ifndef TRIP_INTERNAL_ENUM_NAMES_H
#define TRIP_INTERNAL_ENUM_NAMES_H

#include "internal/error_names.h"
#include "internal/layout.h"

#define ENUM_NAME(suffix, name) name,
static const char *const state_names[] = {TRIP_STATES(ENUM_NAME)};
static const char *const mode_names[] = {TRIP_MODES(ENUM_NAME)};
static const char *const reason_names[] = {TRIP_REASONS(ENUM_NAME)};
static const char *const verdict_names[] = {TRIP_VERDICTS(ENUM_NAME)};
static const char *const owner_names[] = {MODE_OWNERS(ENUM_NAME)};
static const char *const actor_names[] = {ACTORS(ENUM_NAME)};
static const char *const error_names[] = {ERROR_NAMES};
static const char *const incident_step_names[] = {INCIDENT_STEPS(ENUM_NAME)};

/* "invalid" for a number that has no name, as memory that is damaged may hold. */
#define NAME_OF(names, number) ((number) < sizeof(names) / sizeof((names)[0]) ? (names)[number] : "invalid")

#endif
