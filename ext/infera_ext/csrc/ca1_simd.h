/* The matrix kernels for x86 vectors.  The includer defines the vector (VF, WIDTH, V_*) and then names the shapes
 * it wants with SHAPE; loops over shapes have constant bounds and unroll into registers.
 *
 * A shape is (T tokens, L lanes at once, N vectors of rows): T*L*N accumulators.  Narrow tiles run several lanes at a
 * time to keep the multipliers busy, wide tiles run lane after lane; a lane's own order never changes. */
#include <immintrin.h>

#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#include "ca1_elementwise.h"

#define UNROLL _Pragma("GCC unroll 32")
#define INLINE static inline __attribute__((always_inline))

/* Vectors of rows in a panel, and where vector v of a group of panels starts, in words. */
#define PER_PANEL (CA1_PANEL / WIDTH)

INLINE VF tree_v(const VF *a, size_t by) {
  return V_ADD(V_ADD(V_ADD(a[0], a[4 * by]), V_ADD(a[2 * by], a[6 * by])),
               V_ADD(V_ADD(a[by], a[5 * by]), V_ADD(a[3 * by], a[7 * by])));
}

/* One block: the partials of N*WIDTH rows and T tokens are added to y.  w: N pointers to the block's first column. */
INLINE void block_f32(const uint32_t *const *w, size_t columns, const float *x, int stride, int T, int L, int N,
                      VF *lanes) {
  for (int l0 = 0; l0 < 8; l0 += L) {
    VF acc[24];
    UNROLL for (int i = 0; i < T * L * N; i++) acc[i] = V_ZERO();
    for (size_t j = l0; j < columns; j += 8) {
      UNROLL for (int l = 0; l < L; l++) {
        VF v[4];
        UNROLL for (int n = 0; n < N; n++) v[n] = V_LOAD((const float *)(w[n] + (j + l) * CA1_PANEL));
        UNROLL for (int t = 0; t < T; t++) {
          const VF b = V_BROADCAST(x + (j + l) * stride + t);
          UNROLL for (int n = 0; n < N; n++)
            acc[(l * T + t) * N + n] = V_FMA(v[n], b, acc[(l * T + t) * N + n]);
        }
      }
    }
    UNROLL for (int i = 0; i < T * L * N; i++) lanes[l0 * T * N + i] = acc[i];
  }
}

INLINE void block_bf16(const uint32_t *const *w, size_t columns, const float *x, int stride, int T, int L, int N,
                       VF *lanes) {
  for (int l0 = 0; l0 < 8; l0 += L) {
    VF acc[24];
    UNROLL for (int i = 0; i < T * L * N; i++) acc[i] = V_ZERO();
    for (size_t j = 0; j < columns; j += 16) {
      UNROLL for (int l = 0; l < L; l++) {
        VF v[4];
        const float *at = x + (j + l0 + l) * stride;
        const size_t word = (j / 2 + l0 + l) * CA1_PANEL;
        UNROLL for (int n = 0; n < N; n++) v[n] = V_LOW(V_WORDS(w[n] + word));
        UNROLL for (int t = 0; t < T; t++) {
          const VF b = V_BROADCAST(at + t);
          UNROLL for (int n = 0; n < N; n++)
            acc[(l * T + t) * N + n] = V_FMA(v[n], b, acc[(l * T + t) * N + n]);
        }
        UNROLL for (int n = 0; n < N; n++) v[n] = V_HIGH(V_WORDS(w[n] + word));
        UNROLL for (int t = 0; t < T; t++) {
          const VF b = V_BROADCAST(at + 8 * stride + t);
          UNROLL for (int n = 0; n < N; n++)
            acc[(l * T + t) * N + n] = V_FMA(v[n], b, acc[(l * T + t) * N + n]);
        }
      }
    }
    UNROLL for (int i = 0; i < T * L * N; i++) lanes[l0 * T * N + i] = acc[i];
  }
}

/* All blocks: y[t*ldy + rows] for N vectors of rows that start at w[n]. */
INLINE void dots(const uint32_t *const *w, uint32_t format, size_t k, const float *x, int stride, int T, int L, int N,
                 float *const *y, size_t ldy) {
  VF total[24], lanes[8 * 24];
  const uint32_t *at[4];
  UNROLL for (int i = 0; i < T * N; i++) total[i] = V_ZERO();
  for (size_t first = 0; first < k; first += CA1_BLOCK) {
    const size_t columns = k - first < CA1_BLOCK ? k - first : CA1_BLOCK;
    const size_t words = format == CA1_F32 ? first * CA1_PANEL : first / 2 * CA1_PANEL;
    UNROLL for (int n = 0; n < N; n++) at[n] = w[n] + words;
    if (format == CA1_F32)
      block_f32(at, columns, x + first * stride, stride, T, L, N, lanes);
    else
      block_bf16(at, columns, x + first * stride, stride, T, L, N, lanes);
    UNROLL for (int i = 0; i < T * N; i++) total[i] = V_ADD(total[i], tree_v(lanes + i, T * N));
  }
  UNROLL for (int t = 0; t < T; t++) {
    UNROLL for (int n = 0; n < N; n++) V_STORE(y[n] + t * ldy, total[t * N + n]);
  }
}

/* `dots` over all rows of `count` panels, N vectors at a time. */
#define SHAPE(name, T, L, N)                                                                                     \
  static void name(const void *panels, size_t step, size_t count, uint32_t format, size_t k, const float *x,     \
                   int stride, float *y, size_t ldy) {                                                           \
    const size_t vectors = count * PER_PANEL;                                                                    \
    for (size_t v = 0; v + (N) <= vectors; v += (N)) {                                                           \
      const uint32_t *w[N];                                                                                      \
      float *out[N];                                                                                             \
      UNROLL for (int n = 0; n < (N); n++) {                                                                     \
        const size_t panel = (v + n) / PER_PANEL, part = (v + n) % PER_PANEL * WIDTH;                            \
        w[n] = (const uint32_t *)((const uint8_t *)panels + panel * step) + part;                                \
        out[n] = y + (v + n) * WIDTH;                                                                            \
      }                                                                                                          \
      if (format == CA1_F32)                                                                                     \
        dots(w, CA1_F32, k, x, stride, T, L, N, out, ldy);                                                       \
      else                                                                                                       \
        dots(w, CA1_BF16, k, x, stride, T, L, N, out, ldy);                                                      \
    }                                                                                                            \
  }

/* T tokens, N vectors of the head's width: the sum over blocks of 256 positions of one chain each. */
INLINE void mix_one(const float *e, const float *v, size_t n, size_t ldv, int stride, int T, int N, float *out,
                    size_t ldo) {
  VF total[24];
  UNROLL for (int i = 0; i < T * N; i++) total[i] = V_ZERO();
  for (size_t first = 0; first < n; first += CA1_BLOCK) {
    const size_t end = n - first < CA1_BLOCK ? n : first + CA1_BLOCK;
    VF acc[24];
    UNROLL for (int i = 0; i < T * N; i++) acc[i] = V_ZERO();
    for (size_t j = first; j < end; j++) {
      VF row[8];
      UNROLL for (int i = 0; i < N; i++) row[i] = V_LOAD(v + j * ldv + i * WIDTH);
      UNROLL for (int t = 0; t < T; t++) {
        const VF b = V_BROADCAST(e + j * stride + t);
        UNROLL for (int i = 0; i < N; i++) acc[t * N + i] = V_FMA(b, row[i], acc[t * N + i]);
      }
    }
    UNROLL for (int i = 0; i < T * N; i++) total[i] = V_ADD(total[i], acc[i]);
  }
  UNROLL for (int t = 0; t < T; t++) {
    UNROLL for (int i = 0; i < N; i++) V_STORE(out + t * ldo + i * WIDTH, total[t * N + i]);
  }
}

/* width is a multiple of 16; `wide` vectors at a time while they last, then `narrow` (one panel's or less). */
#define MIX(name, T, WIDE, NARROW)                                                                               \
  static void name(const float *e, const float *v, size_t n, size_t width, size_t ldv, int stride, float *out,   \
                   size_t ldo) {                                                                                 \
    size_t d = 0;                                                                                                \
    for (; d + (WIDE) * WIDTH <= width; d += (WIDE) * WIDTH)                                                     \
      mix_one(e, v + d, n, ldv, stride, T, WIDE, out + d, ldo);                                                  \
    for (; d < width; d += (NARROW) * WIDTH) mix_one(e, v + d, n, ldv, stride, T, NARROW, out + d, ldo);         \
  }
