/* keccak on eight messages at a time with AVX-512: rotate (vprolq) and three-input logic (vpternlogq). */
#include <immintrin.h>

#define LANES 8
typedef __m512i vec;

#define XOR(a, b) _mm512_xor_si512(a, b)
#define XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define ROTL(a, n) _mm512_rol_epi64(a, n)
#define CHI(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xd2)
#define BROADCAST(w) _mm512_set1_epi64((long long)(w))
#define LOAD_STATE(p) _mm512_loadu_si512(p)
#define STORE_STATE(p, v) _mm512_storeu_si512(p, v)
#define CLEAR(a, lanes) _mm512_maskz_mov_epi64((__mmask8)~(lanes), a)

#include "keccak_lanes.h"

/* 8 x 8 words, in place: rows of eight messages into columns */
static inline void transpose(__m512i r[8]) {
  __m512i p[8], q[8];
  for (int i = 0; i < 8; i += 2) { /* pairs of words */
    p[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
    p[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) { /* 128-bit pieces of two pairs: 0 and 2, then 1 and 3 */
    q[i] = _mm512_shuffle_i64x2(p[i], p[i + 2], 0x88);
    q[i + 1] = _mm512_shuffle_i64x2(p[i + 1], p[i + 3], 0x88);
    q[i + 2] = _mm512_shuffle_i64x2(p[i], p[i + 2], 0xdd);
    q[i + 3] = _mm512_shuffle_i64x2(p[i + 1], p[i + 3], 0xdd);
  }
  for (int i = 0; i < 2; i++) {
    r[i] = _mm512_shuffle_i64x2(q[i], q[i + 4], 0x88);
    r[i + 4] = _mm512_shuffle_i64x2(q[i], q[i + 4], 0xdd);
    r[i + 2] = _mm512_shuffle_i64x2(q[i + 2], q[i + 6], 0x88);
    r[i + 6] = _mm512_shuffle_i64x2(q[i + 2], q[i + 6], 0xdd);
  }
}

static inline long long word(const uint8_t *bytes) {
  long long value;
  __builtin_memcpy(&value, bytes, 8);
  return value;
}

static inline void load_blocks(const uint8_t *const *blocks, vec words[KECCAK_WORDS]) {
  for (int i = 0; i < 16; i += 8) {
    for (int j = 0; j < 8; j++) words[i + j] = LOAD_STATE(blocks[j] + 8 * i);
    transpose(words + i);
  }
  words[16] = _mm512_setr_epi64(word(blocks[0] + 128), word(blocks[1] + 128), word(blocks[2] + 128),
                                word(blocks[3] + 128), word(blocks[4] + 128), word(blocks[5] + 128),
                                word(blocks[6] + 128), word(blocks[7] + 128));
}

static void nodes(const uint8_t *pairs, uint8_t *out) {
  vec a[25];
  /* Bytes 0..63 of the message are the tag and bytes 0..62 of the pair: load one byte earlier, all but
   * that byte (masked out, it is not even touched). */
  const __m512i tag = _mm512_zextsi128_si512(_mm_cvtsi32_si128(MERKLE_NODE_TAG));
  for (int i = 0; i < 8; i++) a[i] = _mm512_mask_loadu_epi8(tag, ~(__mmask64)1, pairs + 64 * i - 1);
  transpose(a);
  a[8] = _mm512_setr_epi64(pairs[63], pairs[127], pairs[191], pairs[255], pairs[319], pairs[383], pairs[447],
                           pairs[511]);
  a[8] = _mm512_or_si512(a[8], _mm512_set1_epi64(0x100)); /* padding */
  for (int i = 9; i < 25; i++) a[i] = _mm512_setzero_si512();
  a[16] = BROADCAST(0x8000000000000000u);
  permute(a);
  /* The first four rows of the state, as two 4 x 4 transpositions side by side */
  const __m512i p0 = _mm512_unpacklo_epi64(a[0], a[1]), p1 = _mm512_unpackhi_epi64(a[0], a[1]);
  const __m512i p2 = _mm512_unpacklo_epi64(a[2], a[3]), p3 = _mm512_unpackhi_epi64(a[2], a[3]);
  const __m512i even_low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high = _mm512_set1_epi64(4);
  const __m512i even_high = _mm512_add_epi64(even_low, high);
  /* message 2 k from p0, p2; message 2 k + 1 from p1, p3; k-th 128-bit piece */
  const __m512i m02 = _mm512_permutex2var_epi64(p0, even_low, p2), m13 = _mm512_permutex2var_epi64(p1, even_low, p3);
  const __m512i m46 = _mm512_permutex2var_epi64(p0, even_high, p2),
                m57 = _mm512_permutex2var_epi64(p1, even_high, p3);
  STORE_STATE(out, _mm512_shuffle_i64x2(m02, m13, 0x44));
  STORE_STATE(out + 64, _mm512_shuffle_i64x2(m02, m13, 0xee));
  STORE_STATE(out + 128, _mm512_shuffle_i64x2(m46, m57, 0x44));
  STORE_STATE(out + 192, _mm512_shuffle_i64x2(m46, m57, 0xee));
}

const keccak_kernels keccak_avx512 = {LANES, absorb, nodes};
