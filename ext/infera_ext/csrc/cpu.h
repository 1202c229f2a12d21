#ifndef INFERA_CPU_H
#define INFERA_CPU_H
#include <stddef.h>
#include <stdint.h>

#include "cdef/cpu.h"

#endif
