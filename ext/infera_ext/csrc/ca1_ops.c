/* Single operations on the kernels in use, and the rotary table. */
#include "ca1_kernels.h"

#include <string.h>

/* sin and cos of a reduced argument |r| <= pi/4 in binary64, plain operations only, in this order. */
static double sine(double r) {
  const double z = r * r;
  double p = 1.58969099521155010221e-10;
  p = p * z + -2.50507602534068634195e-08;
  p = p * z + 2.75573137070700676789e-06;
  p = p * z + -1.98412698298579493134e-04;
  p = p * z + 8.33333333332248946124e-03;
  p = p * z + -1.66666666666666324348e-01;
  return r + (z * r) * p;
}

static double cosine(double r) {
  const double z = r * r;
  double p = -1.13596475577881948265e-11;
  p = p * z + 2.08757232129817482790e-09;
  p = p * z + -2.75573143513906633035e-07;
  p = p * z + 2.48015872894767294178e-05;
  p = p * z + -1.38888888888741095749e-03;
  p = p * z + 4.16666666666666019037e-02;
  return 1.0 - (0.5 * z - (z * z) * p);
}

void ca1_rope_table(const double *inv_freq, uint32_t half, uint32_t first, uint32_t count, float *cosines, float *sines) {
  const uint64_t saved = ca1_fp_enter();
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t k = 0; k < half; k++) {
      const double x = (double)(first + i) * inv_freq[k];
      const int64_t n = (int64_t)(x * 0x1.45f306dc9c883p-1 + 0.5); /* nearest multiple of pi/2; x >= 0 */
      const double m = (double)n;
      /* pi/2 in three parts of 33 bits: the first two products are exact for n < 2^20. */
      const double r = ((x - m * 0x1.921fb544p+0) - m * 0x1.0b4611a6p-34) - m * 0x1.3198a2e037073p-69;
      const double s = sine(r), c = cosine(r);
      const double cos_x = n % 4 == 0 ? c : n % 4 == 1 ? -s : n % 4 == 2 ? -c : s;
      const double sin_x = n % 4 == 0 ? s : n % 4 == 1 ? c : n % 4 == 2 ? -s : -c;
      cosines[(size_t)i * half + k] = (float)cos_x;
      sines[(size_t)i * half + k] = (float)sin_x;
    }
  ca1_fp_leave(saved);
}

#define WITH_KERNELS(expression)                                                                                 \
  const uint64_t saved = ca1_fp_enter();                                                                         \
  const ca1_kernel_set *kernels = ca1_pick();                                                                    \
  expression;                                                                                                    \
  ca1_fp_leave(saved)

void ca1_op_fma(const float *a, const float *b, const float *c, float *out, uint32_t n) {
  WITH_KERNELS(kernels->fma(a, b, c, out, n));
}

void ca1_op_exp(const float *x, float *out, uint32_t n) { WITH_KERNELS(kernels->exp(x, out, n)); }

void ca1_op_silu(const float *gate, const float *up, float *out, uint32_t n) {
  WITH_KERNELS(kernels->silu(gate, up, out, n));
}

float ca1_op_sumsq(const float *x, uint32_t n) {
  WITH_KERNELS(const float y = kernels->sumsq(x, n));
  return y;
}

void ca1_op_rmsnorm(const float *x, const float *weight, float eps, float *out, uint32_t n) {
  WITH_KERNELS(kernels->rmsnorm(x, weight, eps, out, n));
}

float ca1_op_softmax(const float *scores, float scale, float *out, uint32_t n) {
  WITH_KERNELS(const float y = kernels->softmax(scores, scale, out, n));
  return y;
}

void ca1_op_rope(float *x, const float *cosines, const float *sines, uint32_t heads, uint32_t head_dim) {
  WITH_KERNELS(kernels->rope(x, cosines, sines, heads, head_dim));
}

int ca1_op_matmul(const void *w, uint32_t format, uint32_t rows, uint32_t k, const float *x, uint32_t tokens, float *y) {
  ca1_matrix m;
  if (format > CA1_BF16 || !rows || !k) return CA1_BAD_SHAPE;
  int status = ca1_matrix_new(&m, rows, k, format);
  const size_t ldy = m.panels * CA1_PANEL;
  float *packed = ca1_alloc(CA1_TILE * m.padded * sizeof *packed), *out = ca1_alloc(CA1_TILE * ldy * sizeof *out);
  if (!packed || !out) status = CA1_NO_MEMORY;
  if (status == CA1_OK) status = ca1_matrix_fill(&m, 0, rows, w, format);
  for (uint32_t t = 0; status == CA1_OK && t < tokens; t += CA1_TILE) {
    const uint32_t n = tokens - t < CA1_TILE ? tokens - t : CA1_TILE;
    ca1_pack_tile(x + (size_t)t * k, k, n, k, m.padded, packed);
    WITH_KERNELS(
        kernels->matmul(m.data, m.step, m.panels, format, m.padded, packed, ca1_tile(n), out, ldy));
    for (uint32_t i = 0; i < n; i++) memcpy(y + (size_t)(t + i) * rows, out + i * ldy, rows * sizeof *y);
  }
  ca1_release(packed);
  ca1_release(out);
  ca1_release(m.data);
  return status;
}
