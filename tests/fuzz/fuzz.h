/* A fuzz target: what it is given is hostile, what it asserts must hold whatever that is. libFuzzer calls it with
 * inputs of its own making, replay.c with those that are kept in seeds/. A target keeps nothing from one input to the
 * next, so that each one alone shows what it found. */
#ifndef TRIP_TESTS_FUZZ_H
#define TRIP_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
