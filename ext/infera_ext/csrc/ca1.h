#ifndef INFERA_CA1_H
#define INFERA_CA1_H
#include <stddef.h>
#include <stdint.h>

#include "cdef/ca1.h"

#endif
