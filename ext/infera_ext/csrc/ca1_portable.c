/* CA-1 in portable C: the path every machine has, and the one to read first. */
#include "ca1_kernels.h"

#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || defined(__powerpc64__) || \
    defined(__riscv_flen)
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#else
/* Without the instruction, libm's fmaf may be slow and has been wrong near denormals.  A binary32 product is exact in
 * binary64; the sum is rounded to odd there, after which rounding to binary32 is a single correct rounding. */
#include <string.h>

static inline float exact_fmaf(float a, float b, float c) {
  const double p = (double)a * b, z = c;
  double s = p + z;
  const double v = s - p, e = (p - (s - v)) + (z - v); /* s + e = p + z exactly */
  uint64_t u, m;
  memcpy(&u, &s, 8);
  memcpy(&m, &e, 8);
  /* An inexact even s becomes its odd neighbour on e's side.  e is NaN or 0 where s is not finite or exact. */
  const uint64_t inexact = (e < 0.0) | (e > 0.0);
  const uint64_t away = ((u ^ m) >> 63) ? UINT64_MAX : 1; /* -1 if e pulls towards zero */
  u += (inexact & ~u & 1) * away;
  memcpy(&s, &u, 8);
  return (float)s;
}
#define FMA(a, b, c) exact_fmaf(a, b, c)
#endif

#include "ca1_elementwise.h"

static inline float widen_low(uint32_t word) { return from_bits(word << 16); }
static inline float widen_high(uint32_t word) { return from_bits(word & 0xffff0000u); }

static void add_partial(float a[CA1_LANES][CA1_PANEL], float *y) {
  for (int r = 0; r < CA1_PANEL; r++)
    y[r] += ((a[0][r] + a[4][r]) + (a[2][r] + a[6][r])) + ((a[1][r] + a[5][r]) + (a[3][r] + a[7][r]));
}

static void dot_panel(const void *panel, uint32_t format, size_t k, const float *x, unsigned tile, float *y) {
  for (int r = 0; r < CA1_PANEL; r++) y[r] = 0.0f;
  for (size_t at = 0; at < k; at += CA1_BLOCK) {
    const size_t end = k - at < CA1_BLOCK ? k : at + CA1_BLOCK;
    float a[CA1_LANES][CA1_PANEL] = {{0}};
    if (format == CA1_F32) {
      const float *w = (const float *)panel + at * CA1_PANEL;
      for (size_t i = at; i < end; i++, w += CA1_PANEL) {
        float *lane = a[i % 8];
        const float v = x[i * tile];
        for (int r = 0; r < CA1_PANEL; r++) lane[r] = FMA(w[r], v, lane[r]);
      }
    } else {
      const uint32_t *w = (const uint32_t *)panel + at / 2 * CA1_PANEL;
      for (size_t i = at; i < end; i += 16)
        for (int l = 0; l < 8; l++, w += CA1_PANEL) {
          float *lane = a[l];
          const float low = x[(i + l) * tile], high = x[(i + l + 8) * tile];
          for (int r = 0; r < CA1_PANEL; r++) lane[r] = FMA(widen_low(w[r]), low, lane[r]);
          for (int r = 0; r < CA1_PANEL; r++) lane[r] = FMA(widen_high(w[r]), high, lane[r]);
        }
    }
    add_partial(a, y);
  }
}

static void matmul(const void *panels, size_t step, size_t count, uint32_t format, size_t k, const float *x,
                   unsigned tile, float *y, size_t ldy) {
  for (size_t p = 0; p < count; p++)
    for (unsigned t = 0; t < tile; t++)
      dot_panel((const uint8_t *)panels + p * step, format, k, x + t, tile, y + t * ldy + p * CA1_PANEL);
}

static void mix(const float *e, const float *v, size_t n, size_t width, size_t ldv, unsigned tile, float *out,
                size_t ldo) {
  for (unsigned t = 0; t < tile; t++)
    for (size_t d = 0; d < width; d++) {
      float total = 0.0f;
      for (size_t at = 0; at < n; at += CA1_BLOCK) {
        const size_t end = n - at < CA1_BLOCK ? n : at + CA1_BLOCK;
        float a = 0.0f;
        for (size_t j = at; j < end; j++) a = FMA(e[j * tile + t], v[j * ldv + d], a);
        total += a;
      }
      out[t * ldo + d] = total;
    }
}

const ca1_kernel_set ca1_portable_kernels = {"portable", matmul, mix, CA1_ELEMENTWISE};
