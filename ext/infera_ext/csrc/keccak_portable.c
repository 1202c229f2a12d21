/* keccak for any processor. */
#define SCALAR keccak_portable
#include "keccak_scalar.h"
