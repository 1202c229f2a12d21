/* CA-1 on AVX2 + FMA: two registers hold one column of a panel's 16 rows. */
#include "ca1_kernels.h"

#include <immintrin.h>

#define VF __m256
#define VU __m256i
#define WIDTH 8
#define V_ZERO() _mm256_setzero_ps()
#define V_LOAD(p) _mm256_loadu_ps(p)
#define V_STORE(p, v) _mm256_storeu_ps(p, v)
#define V_WORDS(p) _mm256_loadu_si256((const __m256i *)(p))
#define V_LOW(u) _mm256_castsi256_ps(_mm256_slli_epi32(u, 16))
#define V_HIGH(u) _mm256_castsi256_ps(_mm256_and_si256(u, _mm256_set1_epi32((int)0xffff0000)))
#define V_BROADCAST(p) _mm256_broadcast_ss(p)
#define V_ADD(a, b) _mm256_add_ps(a, b)
#define V_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)

#include "ca1_simd.h"

SHAPE(dots_1, 1, 4, 2)
SHAPE(dots_2, 2, 2, 2)
SHAPE(dots_4, 4, 1, 2)
SHAPE(dots_6, 6, 1, 2)
MIX(mix_1, 1, 8, 2)
MIX(mix_2, 2, 4, 2)
MIX(mix_4, 4, 2, 2)
MIX(mix_6, 6, 2, 2)

static void matmul(const void *panels, size_t step, size_t count, uint32_t format, size_t k, const float *x,
                   unsigned tile, float *y, size_t ldy) {
  switch (tile) {
    case 1: dots_1(panels, step, count, format, k, x, 1, y, ldy); break;
    case 2: dots_2(panels, step, count, format, k, x, 2, y, ldy); break;
    case 4: dots_4(panels, step, count, format, k, x, 4, y, ldy); break;
    case 6: dots_6(panels, step, count, format, k, x, 6, y, ldy); break;
    default:
      dots_6(panels, step, count, format, k, x, 12, y, ldy);
      dots_6(panels, step, count, format, k, x + 6, 12, y + 6 * ldy, ldy);
  }
}

static void mix(const float *e, const float *v, size_t n, size_t width, size_t ldv, unsigned tile, float *out,
                size_t ldo) {
  switch (tile) {
    case 1: mix_1(e, v, n, width, ldv, 1, out, ldo); break;
    case 2: mix_2(e, v, n, width, ldv, 2, out, ldo); break;
    case 4: mix_4(e, v, n, width, ldv, 4, out, ldo); break;
    case 6: mix_6(e, v, n, width, ldv, 6, out, ldo); break;
    default:
      mix_6(e, v, n, width, ldv, 12, out, ldo);
      mix_6(e + 6, v, n, width, ldv, 12, out + 6 * ldo, ldo);
  }
}

const ca1_kernel_set ca1_avx2_kernels = {"avx2", matmul, mix, CA1_ELEMENTWISE};
