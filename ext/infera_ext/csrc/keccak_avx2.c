/* keccak on four messages at a time with AVX2. */
#include <immintrin.h>

#define LANES 4
typedef __m256i vec;

static inline __m256i rotate(__m256i a, const int n) {
  if (n == 8 || n == 56) { /* whole bytes: one shuffle */
    const __m256i left1 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14));
    const __m256i right1 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8));
    return _mm256_shuffle_epi8(a, n == 8 ? left1 : right1);
  }
  return _mm256_or_si256(_mm256_slli_epi64(a, n), _mm256_srli_epi64(a, 64 - n));
}

#define XOR(a, b) _mm256_xor_si256(a, b)
#define XOR3(a, b, c) XOR(XOR(a, b), c)
#define ROTL(a, n) rotate(a, n)
#define CHI(a, b, c) XOR(a, _mm256_andnot_si256(b, c))
#define BROADCAST(w) _mm256_set1_epi64x((long long)(w))
#define LOAD_STATE(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE_STATE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define CLEAR(a, lanes) clear(a, lanes)

static inline __m256i clear(__m256i a, unsigned lanes) {
  const __m256i bit = _mm256_setr_epi64x(1, 2, 4, 8);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi64x((long long)lanes), bit);
  return _mm256_andnot_si256(_mm256_cmpeq_epi64(set, bit), a);
}

#include "keccak_lanes.h"

/* 4 x 4 words: rows of four messages into columns */
static inline void transpose(__m256i r0, __m256i r1, __m256i r2, __m256i r3, __m256i *out) {
  const __m256i lo01 = _mm256_unpacklo_epi64(r0, r1), hi01 = _mm256_unpackhi_epi64(r0, r1);
  const __m256i lo23 = _mm256_unpacklo_epi64(r2, r3), hi23 = _mm256_unpackhi_epi64(r2, r3);
  out[0] = _mm256_permute2x128_si256(lo01, lo23, 0x20);
  out[1] = _mm256_permute2x128_si256(hi01, hi23, 0x20);
  out[2] = _mm256_permute2x128_si256(lo01, lo23, 0x31);
  out[3] = _mm256_permute2x128_si256(hi01, hi23, 0x31);
}

static inline long long word(const uint8_t *bytes) {
  long long value;
  __builtin_memcpy(&value, bytes, 8);
  return value;
}

static inline void load_blocks(const uint8_t *const *blocks, vec words[KECCAK_WORDS]) {
  const uint8_t *p0 = blocks[0], *p1 = blocks[1], *p2 = blocks[2], *p3 = blocks[3];
  for (int i = 0; i < 16; i += 4)
    transpose(LOAD_STATE(p0 + 8 * i), LOAD_STATE(p1 + 8 * i), LOAD_STATE(p2 + 8 * i), LOAD_STATE(p3 + 8 * i),
              words + i);
  words[16] = _mm256_setr_epi64x(word(p0 + 128), word(p1 + 128), word(p2 + 128), word(p3 + 128));
}

static void nodes(const uint8_t *pairs, uint8_t *out) {
  vec a[25];
  /* Words 1..7 start at byte 7, 15, ... of the pair; word 0 takes the tag and bytes 0..6. */
  const __m256i tag = _mm256_set1_epi64x(MERKLE_NODE_TAG);
  transpose(LOAD_STATE(pairs), LOAD_STATE(pairs + 64), LOAD_STATE(pairs + 128), LOAD_STATE(pairs + 192), a);
  a[0] = _mm256_or_si256(_mm256_slli_epi64(a[0], 8), tag);
  for (int i = 1; i < 8; i++) {
    const uint8_t *p = pairs + 8 * i - 1;
    a[i] = _mm256_setr_epi64x(word(p), word(p + 64), word(p + 128), word(p + 192));
  }
  a[8] = _mm256_setr_epi64x(pairs[63] | 0x100, pairs[127] | 0x100, pairs[191] | 0x100, pairs[255] | 0x100);
  for (int i = 9; i < 25; i++) a[i] = _mm256_setzero_si256();
  a[16] = BROADCAST(0x8000000000000000u);
  permute(a);
  __m256i rows[4];
  transpose(a[0], a[1], a[2], a[3], rows);
  for (int i = 0; i < 4; i++) STORE_STATE(out + 32 * i, rows[i]);
}

const keccak_kernels keccak_avx2 = {LANES, absorb, nodes};
