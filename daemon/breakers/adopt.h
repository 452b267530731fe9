#ifndef TRIPD_BREAKERS_ADOPT_H
#define TRIPD_BREAKERS_ADOPT_H

#include "breakers/table.h"

int breakers_adopt(struct breakers *breakers);

#endif
