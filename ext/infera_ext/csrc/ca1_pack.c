/* Memory layouts: panels of a matrix, tiles of tokens, widening; and the choice of kernels. */
#include "ca1_kernels.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#ifndef INFERA_HAVE_AVX2
#define INFERA_HAVE_AVX2 0
#endif
#ifndef INFERA_HAVE_AVX512
#define INFERA_HAVE_AVX512 0
#endif

const ca1_kernel_set *ca1_pick(void) {
#if INFERA_HAVE_AVX2
  const uint32_t have = infera_cpu_features();
#if INFERA_HAVE_AVX512
  if ((have & INFERA_CPU_AVX512) && (have & INFERA_CPU_AVX2)) return &ca1_avx512_kernels;
#endif
  if (have & INFERA_CPU_AVX2) return &ca1_avx2_kernels;
#endif
  return &ca1_portable_kernels;
}

const char *ca1_kernels(void) { return ca1_pick()->name; }

uint64_t ca1_fp_enter(void) {
#if defined(__x86_64__)
  const uint32_t saved = _mm_getcsr();
  _mm_setcsr(0x1f80); /* to nearest, all exceptions masked, no FTZ, no DAZ */
  return saved;
#elif defined(__aarch64__)
  uint64_t saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return saved;
#else
  return 0;
#endif
}

void ca1_fp_leave(uint64_t saved) {
#if defined(__x86_64__)
  _mm_setcsr((uint32_t)saved);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(saved));
#else
  (void)saved;
#endif
}

void *ca1_alloc(size_t bytes) {
  /* The offset to the real start is kept in the 8 bytes before what the caller sees. */
  uint8_t *start = calloc(1, bytes + 64 + 8);
  if (!start) return NULL;
  uint8_t *aligned = (uint8_t *)(((uintptr_t)start + 8 + 63) & ~(uintptr_t)63);
  const uint64_t offset = (uint64_t)(aligned - start);
  memcpy(aligned - 8, &offset, 8);
  return aligned;
}

void ca1_release(void *memory) {
  if (!memory) return;
  uint64_t offset;
  memcpy(&offset, (uint8_t *)memory - 8, 8);
  free((uint8_t *)memory - offset);
}

static inline float bits_float(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}

static float half_to_float(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7fff;
  float f;
  if (rest >= 0x7c00) f = bits_float(0x7f800000u | (rest & 0x3ff) << 13);
  else if (rest >= 0x400) f = bits_float((rest << 13) + (112u << 23));
  else f = (float)rest * 0x1p-24f;
  uint32_t u;
  memcpy(&u, &f, 4);
  return bits_float(u | sign);
}

static inline float number(const void *data, uint32_t format, size_t i) {
  float f;
  if (format == CA1_F32) memcpy(&f, (const uint8_t *)data + 4 * i, 4);
  else {
    uint16_t h;
    memcpy(&h, (const uint8_t *)data + 2 * i, 2);
    f = format == CA1_BF16 ? bits_float((uint32_t)h << 16) : half_to_float(h);
  }
  return f;
}

static inline int is_finite(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return (u & 0x7f800000u) != 0x7f800000u;
}

int ca1_widen(const void *data, uint32_t format, size_t n, float *out) {
  if (format > CA1_F16) return CA1_BAD_SHAPE;
  for (size_t i = 0; i < n; i++) {
    out[i] = number(data, format, i);
    if (!is_finite(out[i])) return CA1_NOT_FINITE;
  }
  return CA1_OK;
}

int ca1_matrix_new(ca1_matrix *m, size_t rows, size_t k, uint32_t format) {
  m->rows = rows;
  m->k = k;
  m->format = format;
  m->panels = ca1_up(rows, CA1_PANEL) / CA1_PANEL;
  m->padded = ca1_up(k, format == CA1_F32 ? 8 : 16);
  m->step = m->padded * CA1_PANEL * (format == CA1_F32 ? 4 : 2);
  m->data = ca1_alloc(m->panels * m->step);
  return m->data ? CA1_OK : CA1_NO_MEMORY;
}

/* Index of w[r][k] of a panel in units of the format (f32: words; bf16: half words, low half first). */
static inline size_t place(uint32_t format, size_t r, size_t k) {
  if (format == CA1_F32) return k * CA1_PANEL + r;
  return ((k / 16 * 8 + k % 8) * CA1_PANEL + r) * 2 + (k % 16) / 8;
}

int ca1_matrix_fill(ca1_matrix *m, size_t first, size_t rows, const void *data, uint32_t format) {
  if (format > CA1_F16 || first + rows > m->panels * CA1_PANEL) return CA1_BAD_SHAPE;
  for (size_t i = 0; i < rows; i++) {
    const size_t row = first + i;
    uint8_t *panel = m->data + row / CA1_PANEL * m->step;
    for (size_t k = 0; k < m->k; k++) {
      const float f = number(data, format, i * m->k + k);
      const size_t at = place(m->format, row % CA1_PANEL, k);
      if (!is_finite(f)) return CA1_NOT_FINITE;
      if (m->format == CA1_F32) {
        memcpy(panel + at * 4, &f, 4);
      } else {
        uint32_t u;
        memcpy(&u, &f, 4);
        if (u & 0xffff) return CA1_BAD_SHAPE; /* packing must not round */
        const uint16_t h = (uint16_t)(u >> 16);
        /* Word order in memory is the machine's: halves are taken by shifting whole words. */
        uint32_t word;
        memcpy(&word, panel + at / 2 * 4, 4);
        word = at % 2 ? (word & 0xffffu) | (uint32_t)h << 16 : (word & 0xffff0000u) | h;
        memcpy(panel + at / 2 * 4, &word, 4);
      }
    }
  }
  return CA1_OK;
}

void ca1_matrix_row(const ca1_matrix *m, size_t row, float *out) {
  const uint8_t *panel = m->data + row / CA1_PANEL * m->step;
  for (size_t k = 0; k < m->k; k++) {
    const size_t at = place(m->format, row % CA1_PANEL, k);
    uint32_t word;
    memcpy(&word, panel + (m->format == CA1_F32 ? at * 4 : at / 2 * 4), 4);
    if (m->format != CA1_F32) word = at % 2 ? word & 0xffff0000u : word << 16;
    out[k] = bits_float(word);
  }
}

unsigned ca1_tile(size_t n) {
  return n <= 2 ? (unsigned)n : n <= 4 ? 4 : n <= 6 ? 6 : CA1_TILE;
}

void ca1_pack_tile(const float *x, size_t ldx, size_t n, size_t k, size_t padded, float *out) {
  const unsigned tile = ca1_tile(n);
  if (tile == 1) {
    memcpy(out, x, k * sizeof *x);
  } else {
    for (size_t t = 0; t < tile; t++)
      if (t < n)
        for (size_t i = 0; i < k; i++) out[i * tile + t] = x[t * ldx + i];
      else
        for (size_t i = 0; i < k; i++) out[i * tile + t] = 0.0f;
  }
  memset(out + k * tile, 0, (padded - k) * tile * sizeof *out);
}
