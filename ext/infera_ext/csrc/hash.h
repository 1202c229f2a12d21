#ifndef INFERA_HASH_H
#define INFERA_HASH_H
#include <stddef.h>
#include <stdint.h>

#include "cdef/hash.h"

#endif
