/* Memory that a screen cannot be without. */
#ifndef TRIP_TOP_MUST_H
#define TRIP_TOP_MUST_H

/* Returns `memory`; if it is NULL, the program ends with a word of why. */
void *must(void *memory);

#endif
