#include "must.h"

#include <stdio.h>
#include <stdlib.h>

void *must(void *memory)
{
    if (memory)
        return memory;
    fputs("triptop: no memory left\n", stderr);
    exit(EXIT_FAILURE);
}
