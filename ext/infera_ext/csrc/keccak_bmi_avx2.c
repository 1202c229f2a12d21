/* keccak on one message with andn and rorx: the scalar code, compiled for processors that have AVX2 and BMI. */
#define SCALAR keccak_bmi
#include "keccak_scalar.h"
