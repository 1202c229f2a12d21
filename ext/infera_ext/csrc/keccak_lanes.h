/* keccak-f[1600] on several states at once, one a lane of a vector: a template for keccak_avx2.c and
 * keccak_avx512.c, which define before including it:
 *
 *   LANES, vec                 lanes of a vector; its type
 *   XOR(a, b)                  a ^ b
 *   XOR3(a, b, c)              a ^ b ^ c
 *   ROTL(a, n)                 every word to the left by the constant n
 *   CHI(a, b, c)               a ^ (~b & c)
 *   BROADCAST(w)               the word w in every lane
 *   LOAD_STATE(p), STORE_STATE(p, v)
 *   CLEAR(a, lanes)            a with the lanes in the bit set cleared
 *
 * Source: FIPS 202 section 3.2.  Rows of the state are indexed x + 5 y. */
#include "keccak_impl.h"

/* Theta of the column x: C[x - 1] ^ rotl(C[x + 1], 1) onto its five lanes. */
#define THETA_COLUMN(A, x, before, after)                                                          \
  do {                                                                                             \
    const vec turned = ROTL(after, 1);                                                             \
    A[x] = XOR3(A[x], before, turned), A[x + 5] = XOR3(A[x + 5], before, turned);                  \
    A[x + 10] = XOR3(A[x + 10], before, turned), A[x + 15] = XOR3(A[x + 15], before, turned);      \
    A[x + 20] = XOR3(A[x + 20], before, turned);                                                   \
  } while (0)

#define COLUMN(A, x) XOR3(XOR3(A[x], A[x + 5], A[x + 10]), A[x + 15], A[x + 20])

/* Rho, pi and chi of one row: five lanes of A, turned, mixed into E[i..i + 4]. */
#define ROW(E, i, l0, l1, l2, l3, l4)                                                              \
  do {                                                                                             \
    const vec b0 = l0, b1 = l1, b2 = l2, b3 = l3, b4 = l4;                                         \
    E[i] = CHI(b0, b1, b2), E[i + 1] = CHI(b1, b2, b3), E[i + 2] = CHI(b2, b3, b4);                \
    E[i + 3] = CHI(b3, b4, b0), E[i + 4] = CHI(b4, b0, b1);                                        \
  } while (0)

#define ROUND(A, E, constant)                                                                      \
  do {                                                                                             \
    const vec c0 = COLUMN(A, 0), c1 = COLUMN(A, 1), c2 = COLUMN(A, 2), c3 = COLUMN(A, 3), c4 = COLUMN(A, 4);    \
    THETA_COLUMN(A, 0, c4, c1);                                                                    \
    THETA_COLUMN(A, 1, c0, c2);                                                                    \
    THETA_COLUMN(A, 2, c1, c3);                                                                    \
    THETA_COLUMN(A, 3, c2, c4);                                                                    \
    THETA_COLUMN(A, 4, c3, c0);                                                                    \
    ROW(E, 0, A[0], ROTL(A[6], 44), ROTL(A[12], 43), ROTL(A[18], 21), ROTL(A[24], 14));            \
    E[0] = XOR(E[0], constant);                                                                    \
    ROW(E, 5, ROTL(A[3], 28), ROTL(A[9], 20), ROTL(A[10], 3), ROTL(A[16], 45), ROTL(A[22], 61));   \
    ROW(E, 10, ROTL(A[1], 1), ROTL(A[7], 6), ROTL(A[13], 25), ROTL(A[19], 8), ROTL(A[20], 18));    \
    ROW(E, 15, ROTL(A[4], 27), ROTL(A[5], 36), ROTL(A[11], 10), ROTL(A[17], 15), ROTL(A[23], 56)); \
    ROW(E, 20, ROTL(A[2], 62), ROTL(A[8], 55), ROTL(A[14], 39), ROTL(A[15], 41), ROTL(A[21], 2));  \
  } while (0)

static inline void permute(vec a[25]) {
  vec e[25];
  for (int round = 0; round < 24; round += 2) {
    ROUND(a, e, BROADCAST(keccak_round_constants[round]));
    ROUND(e, a, BROADCAST(keccak_round_constants[round + 1]));
  }
}

/* words[i] = the i-th word of each lane's block */
static inline void load_blocks(const uint8_t *const *blocks, vec words[KECCAK_WORDS]);

static void absorb(uint64_t *state, const uint8_t *const *blocks, unsigned fresh) {
  vec a[25], words[KECCAK_WORDS];
  load_blocks(blocks, words);
  for (int i = 0; i < 25; i++) a[i] = CLEAR(LOAD_STATE(state + LANES * i), fresh);
  for (int i = 0; i < KECCAK_WORDS; i++) a[i] = XOR(a[i], words[i]);
  permute(a);
  for (int i = 0; i < 25; i++) STORE_STATE(state + LANES * i, a[i]);
}
