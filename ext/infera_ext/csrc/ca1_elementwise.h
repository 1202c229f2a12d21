/* Everything of CA-1 but the matrix kernels, in plain C that every instruction-set file compiles for itself: each
 * operation is a single IEEE operation, so vectorising it changes no bit.  The includer defines FMA(a, b, c). */
#include <math.h>
#include <string.h>

static inline float from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}

static inline uint32_t to_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}

/* ((a0+a4)+(a2+a6)) + ((a1+a5)+(a3+a7)) */
static inline float tree(const float *a) {
  return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

static inline float exp_one(float x) {
  x = x < -86.0f ? -86.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float magic = 0x1.8p23f;
  const float t = FMA(x, 0x1.715476p+0f, magic);
  const float n = t - magic;
  float r = FMA(n, -0x1.62e430p-1f, x);
  r = FMA(n, 0x1.05c610p-29f, r);
  float p = 0x1.6a2348p-10f;
  p = FMA(p, r, 0x1.123a6cp-7f);
  p = FMA(p, r, 0x1.5558f4p-5f);
  p = FMA(p, r, 0x1.555490p-3f);
  p = FMA(p, r, 0x1.fffffcp-2f);
  p = FMA(p, r, 1.0f);
  p = FMA(p, r, 1.0f);
  return from_bits(to_bits(p) + ((to_bits(t) - to_bits(magic)) << 23));
}

static void op_fma(const float *a, const float *b, const float *c, float *out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = FMA(a[i], b[i], c[i]);
}

static void op_exp(const float *restrict x, float *restrict out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = exp_one(x[i]);
}

/* out may be gate or up. */
static void op_silu(const float *gate, const float *up, float *out, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    float y[16];
    for (int l = 0; l < 16; l++) y[l] = (gate[i + l] / (1.0f + exp_one(-gate[i + l]))) * up[i + l];
    memcpy(out + i, y, sizeof y);
  }
  for (; i < n; i++) out[i] = (gate[i] / (1.0f + exp_one(-gate[i]))) * up[i];
}

static float op_sumsq(const float *x, size_t n) {
  float y = 0.0f;
  for (size_t at = 0; at < n; at += CA1_BLOCK) {
    const size_t end = n - at < CA1_BLOCK ? n : at + CA1_BLOCK;
    float a[8] = {0};
    size_t i = at;
    for (; i + 8 <= end; i += 8)
      for (int l = 0; l < 8; l++) a[l] = FMA(x[i + l], x[i + l], a[l]);
    for (; i < end; i++) a[(i - at) % 8] = FMA(x[i], x[i], a[(i - at) % 8]);
    y += tree(a);
  }
  return y;
}

/* out may be x. */
static void op_rmsnorm(const float *x, const float *weight, float eps, float *out, size_t n) {
  const float m = op_sumsq(x, n) / (float)n;
  const float r = 1.0f / sqrtf(m + eps);
  for (size_t i = 0; i < n; i++) out[i] = (x[i] * r) * weight[i];
}

/* out may be scores; it is filled with zeros up to a multiple of 16. */
static float op_softmax(const float *scores, float scale, float *out, size_t n) {
  float top[16];
  for (int l = 0; l < 16; l++) top[l] = -INFINITY;
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; l++) {
      const float s = scores[i + l] * scale;
      out[i + l] = s;
      top[l] = s > top[l] ? s : top[l];
    }
  for (; i < n; i++) {
    const float s = scores[i] * scale;
    out[i] = s;
    top[0] = s > top[0] ? s : top[0];
  }
  float m = top[0];
  for (int l = 1; l < 16; l++) m = top[l] > m ? top[l] : m;
  for (i = 0; i < n; i++) out[i] = exp_one(out[i] - m);
  const size_t full = (n + 15) / 16 * 16;
  for (i = n; i < full; i++) out[i] = 0.0f;
  float den = 0.0f;
  for (size_t at = 0; at < full; at += CA1_BLOCK) {
    const size_t end = full - at < CA1_BLOCK ? full : at + CA1_BLOCK;
    float a[8] = {0};
    for (i = at; i < end; i += 8)
      for (int l = 0; l < 8; l++) a[l] += out[i + l];
    den += tree(a);
  }
  return den;
}

static void op_rope(float *x, const float *cosines, const float *sines, size_t heads, size_t head_dim) {
  const size_t half = head_dim / 2;
  for (size_t h = 0; h < heads; h++) {
    float *lo = x + h * head_dim, *hi = lo + half;
    for (size_t i = 0; i < half; i++) {
      const float a = lo[i], b = hi[i];
      lo[i] = FMA(a, cosines[i], -(b * sines[i]));
      hi[i] = FMA(b, cosines[i], a * sines[i]);
    }
  }
}

#define CA1_ELEMENTWISE op_fma, op_exp, op_silu, op_sumsq, op_rmsnorm, op_softmax, op_rope
