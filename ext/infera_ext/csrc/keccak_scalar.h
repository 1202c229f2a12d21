/* keccak-f[1600] on one state in 64-bit words: a template, compiled once for the baseline and once with BMI.
 * Include it in a .c file after defining SCALAR(name).  Source: FIPS 202 section 3.2; the round constants
 * are in keccak.c.  Little-endian hosts only (load_word). */
#include <string.h>

#include "keccak_impl.h"

#define ROL(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

/* One row of chi: five lanes after rho and pi in b0..b4. */
#define CHI_ROW(E, i)                                                                              \
  E[i] = b0 ^ (~b1 & b2), E[i + 1] = b1 ^ (~b2 & b3), E[i + 2] = b2 ^ (~b3 & b4), E[i + 3] = b3 ^ (~b4 & b0), \
  E[i + 4] = b4 ^ (~b0 & b1)

/* Theta to iota from A to E; index x + 5 y.  Fully unrolled, so both become registers and stack slots. */
#define ROUND(A, E, constant)                                                                      \
  do {                                                                                             \
    const uint64_t c0 = A[0] ^ A[5] ^ A[10] ^ A[15] ^ A[20], c1 = A[1] ^ A[6] ^ A[11] ^ A[16] ^ A[21],          \
                   c2 = A[2] ^ A[7] ^ A[12] ^ A[17] ^ A[22], c3 = A[3] ^ A[8] ^ A[13] ^ A[18] ^ A[23],          \
                   c4 = A[4] ^ A[9] ^ A[14] ^ A[19] ^ A[24];                                       \
    const uint64_t d0 = c4 ^ ROL(c1, 1), d1 = c0 ^ ROL(c2, 1), d2 = c1 ^ ROL(c3, 1), d3 = c2 ^ ROL(c4, 1),       \
                   d4 = c3 ^ ROL(c0, 1);                                                           \
    uint64_t b0, b1, b2, b3, b4;                                                                   \
    b0 = A[0] ^ d0, b1 = ROL(A[6] ^ d1, 44), b2 = ROL(A[12] ^ d2, 43), b3 = ROL(A[18] ^ d3, 21),   \
    b4 = ROL(A[24] ^ d4, 14);                                                                      \
    CHI_ROW(E, 0);                                                                                 \
    E[0] ^= (constant);                                                                            \
    b0 = ROL(A[3] ^ d3, 28), b1 = ROL(A[9] ^ d4, 20), b2 = ROL(A[10] ^ d0, 3), b3 = ROL(A[16] ^ d1, 45),         \
    b4 = ROL(A[22] ^ d2, 61);                                                                      \
    CHI_ROW(E, 5);                                                                                 \
    b0 = ROL(A[1] ^ d1, 1), b1 = ROL(A[7] ^ d2, 6), b2 = ROL(A[13] ^ d3, 25), b3 = ROL(A[19] ^ d4, 8),           \
    b4 = ROL(A[20] ^ d0, 18);                                                                      \
    CHI_ROW(E, 10);                                                                                \
    b0 = ROL(A[4] ^ d4, 27), b1 = ROL(A[5] ^ d0, 36), b2 = ROL(A[11] ^ d1, 10), b3 = ROL(A[17] ^ d2, 15),        \
    b4 = ROL(A[23] ^ d3, 56);                                                                      \
    CHI_ROW(E, 15);                                                                                \
    b0 = ROL(A[2] ^ d2, 62), b1 = ROL(A[8] ^ d3, 55), b2 = ROL(A[14] ^ d4, 39), b3 = ROL(A[15] ^ d0, 41),        \
    b4 = ROL(A[21] ^ d1, 2);                                                                       \
    CHI_ROW(E, 20);                                                                                \
  } while (0)

static inline uint64_t load_word(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return word;
}

static void permute(uint64_t *state) {
  uint64_t a[25], e[25];
  memcpy(a, state, sizeof a);
  for (int round = 0; round < 24; round += 2) {
    ROUND(a, e, keccak_round_constants[round]);
    ROUND(e, a, keccak_round_constants[round + 1]);
  }
  memcpy(state, a, sizeof a);
}

static void absorb(uint64_t *state, const uint8_t *const *blocks, unsigned fresh) {
  if (fresh) memset(state, 0, 25 * sizeof *state);
  for (int i = 0; i < KECCAK_WORDS; i++) state[i] ^= load_word(blocks[0] + 8 * i);
  permute(state);
}

static void nodes(const uint8_t *pair, uint8_t *out) {
  uint64_t state[25] = {0};
  /* 0x01, 64 bytes, then the padding: 0x01 in byte 65, 0x80 in byte 135 */
  state[0] = MERKLE_NODE_TAG | load_word(pair) << 8;
  for (int i = 1; i < 8; i++) state[i] = load_word(pair + 8 * i - 1);
  state[8] = pair[63] | 0x0100;
  state[16] = 0x8000000000000000u;
  permute(state);
  memcpy(out, state, 32);
}

const keccak_kernels SCALAR = {1, absorb, nodes};
