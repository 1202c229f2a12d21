/* Inside the library: the keccak kernels and how one is chosen. */
#ifndef INFERA_KECCAK_IMPL_H
#define INFERA_KECCAK_IMPL_H
#include <stddef.h>
#include <stdint.h>

#define KECCAK_RATE 136      /* bytes of a block at capacity 512 */
#define KECCAK_WORDS 17      /* the same in 64-bit words */
#define KECCAK_MAX_LANES 8
#define MERKLE_NODE_TAG 0x01 /* docs/protocol.md section 3 */
#define MERKLE_LEAF_TAG 0x00

/* Kernels of one instruction set for `lanes` messages at a time.  A state is 25 rows of `lanes` words. */
typedef struct {
  unsigned lanes;
  /* Clears the lanes in the bit set `fresh`, absorbs one whole block a lane, permutes. */
  void (*absorb)(uint64_t *state, const uint8_t *const *blocks, unsigned fresh);
  /* out[i] = keccak256(0x01 || pairs[64 i .. 64 i + 64)) for i < lanes.  All is read before any is written. */
  void (*nodes)(const uint8_t *pairs, uint8_t *out);
} keccak_kernels;

extern const keccak_kernels keccak_portable;
extern const keccak_kernels keccak_bmi; /* the scalar code with andn and rorx */
extern const keccak_kernels keccak_avx2;
extern const keccak_kernels keccak_avx512;

/* The best kernels for one message and for many, by the features in use. */
const keccak_kernels *keccak_one(void);
const keccak_kernels *keccak_wide(void);

extern const uint64_t keccak_round_constants[24];

#endif
