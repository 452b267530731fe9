/* A fuzz target. Its input is hostile, and its assertions hold whatever the input is. libFuzzer calls it with inputs of
 * its own making, replay.c with those kept in seeds/. A target keeps nothing from one input to the next, so that each
 * input alone shows what it found. */
#ifndef TRIP_TESTS_FUZZ_H
#define TRIP_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
