/* CA-1 on AVX2 + FMA: two registers hold one column of a panel's 16 rows. */
#include "ca1_kernels.h"

#include <immintrin.h>

#define VF __m256
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

SHAPE(dots_1, 1, 8, 1)
SHAPE(dots_2, 2, 2, 2)
SHAPE(dots_4, 4, 1, 2)
SHAPE(dots_6, 6, 1, 2)
MIX(mix_1, 1, 8, 2)
MIX(mix_2, 2, 4, 2)
MIX(mix_4, 4, 2, 2)
MIX(mix_6, 6, 2, 2)

/* 12 tokens, bf16: widening a block once for both halves beats widening in a loop that is short of registers. */
static void dots_12_bf16(const void *panels, size_t step, size_t count, size_t k, const float *x, float *y,
                         size_t ldy) {
  float wide[CA1_BLOCK * CA1_PANEL];
  for (size_t p = 0; p < count; p++) {
    const uint32_t *words = (const uint32_t *)((const uint8_t *)panels + p * step);
    VF total[24], lanes[8 * 12];
    for (int i = 0; i < 24; i++) total[i] = V_ZERO();
    for (size_t first = 0; first < k; first += CA1_BLOCK) {
      const size_t columns = k - first < CA1_BLOCK ? k - first : CA1_BLOCK;
      for (size_t j = 0; j < columns; j += 16)
        for (size_t i = 0; i < 8 * CA1_PANEL; i += WIDTH) {
          const __m256i u = V_WORDS(words + (first + j) / 2 * CA1_PANEL + i);
          V_STORE(wide + j * CA1_PANEL + i, V_LOW(u));
          V_STORE(wide + (j + 8) * CA1_PANEL + i, V_HIGH(u));
        }
      const uint32_t *w[2] = {(const uint32_t *)wide, (const uint32_t *)wide + WIDTH};
      for (int half = 0; half < 2; half++) {
        block_f32(w, columns, x + first * 12 + 6 * half, 12, 6, 1, 2, lanes);
        for (int i = 0; i < 12; i++)
          total[12 * half + i] = V_ADD(total[12 * half + i], tree_v(lanes + i, 12));
      }
    }
    for (int t = 0; t < 12; t++) {
      V_STORE(y + t * ldy + p * CA1_PANEL, total[2 * t]);
      V_STORE(y + t * ldy + p * CA1_PANEL + WIDTH, total[2 * t + 1]);
    }
  }
}

static void matmul(const void *panels, size_t step, size_t count, uint32_t format, size_t k, const float *x,
                   unsigned tile, float *y, size_t ldy) {
  switch (tile) {
    case 1: dots_1(panels, step, count, format, k, x, 1, y, ldy); break;
    case 2: dots_2(panels, step, count, format, k, x, 2, y, ldy); break;
    case 4: dots_4(panels, step, count, format, k, x, 4, y, ldy); break;
    case 6: dots_6(panels, step, count, format, k, x, 6, y, ldy); break;
    default:
      if (format == CA1_BF16) {
        dots_12_bf16(panels, step, count, k, x, y, ldy);
        break;
      }
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
