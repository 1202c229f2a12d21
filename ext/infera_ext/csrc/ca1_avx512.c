/* CA-1 on AVX-512: a register holds one column of a panel's 16 rows. */
#include "ca1_kernels.h"

#include <immintrin.h>

#define VF __m512
#define WIDTH 16
#define V_ZERO() _mm512_setzero_ps()
#define V_LOAD(p) _mm512_loadu_ps(p)
#define V_STORE(p, v) _mm512_storeu_ps(p, v)
#define V_WORDS(p) _mm512_loadu_si512(p)
#define V_LOW(u) _mm512_castsi512_ps(_mm512_slli_epi32(u, 16))
#define V_HIGH(u) _mm512_castsi512_ps(_mm512_and_si512(u, _mm512_set1_epi32((int)0xffff0000)))
#define V_BROADCAST(p) _mm512_set1_ps(*(p))
#define V_ADD(a, b) _mm512_add_ps(a, b)
#define V_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)

#include "ca1_simd.h"

SHAPE(dots_1, 1, 8, 1)
SHAPE(dots_2, 2, 8, 1)
SHAPE(dots_4, 4, 4, 1)
SHAPE(dots_6, 6, 4, 1)
SHAPE(dots_12, 12, 2, 1)
SHAPE(dots_12_pair, 12, 1, 2)
MIX(mix_1, 1, 4, 1)
MIX(mix_2, 2, 4, 1)
MIX(mix_4, 4, 4, 1)
MIX(mix_6, 6, 2, 1)
MIX(mix_12, 12, 2, 1)

static void matmul(const void *panels, size_t step, size_t count, uint32_t format, size_t k, const float *x,
                   unsigned tile, float *y, size_t ldy) {
  switch (tile) {
    case 1: dots_1(panels, step, count, format, k, x, 1, y, ldy); break;
    case 2: dots_2(panels, step, count, format, k, x, 2, y, ldy); break;
    case 4: dots_4(panels, step, count, format, k, x, 4, y, ldy); break;
    case 6: dots_6(panels, step, count, format, k, x, 6, y, ldy); break;
    default: {
      const size_t even = count / 2 * 2;
      dots_12_pair(panels, step, even, format, k, x, 12, y, ldy);
      if (even < count)
        dots_12((const uint8_t *)panels + even * step, step, 1, format, k, x, 12, y + even * CA1_PANEL, ldy);
    }
  }
}

static void mix(const float *e, const float *v, size_t n, size_t width, size_t ldv, unsigned tile, float *out,
                size_t ldo) {
  switch (tile) {
    case 1: mix_1(e, v, n, width, ldv, 1, out, ldo); break;
    case 2: mix_2(e, v, n, width, ldv, 2, out, ldo); break;
    case 4: mix_4(e, v, n, width, ldv, 4, out, ldo); break;
    case 6: mix_6(e, v, n, width, ldv, 6, out, ldo); break;
    default: mix_12(e, v, n, width, ldv, 12, out, ldo);
  }
}

const ca1_kernel_set ca1_avx512_kernels = {"avx512", matmul, mix, CA1_ELEMENTWISE};
