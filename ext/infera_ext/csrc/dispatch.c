/* Which instruction sets may be used: cpuid and xgetbv once, cached; a mask narrows it for tests.
 * After the model of BLAKE3's dispatch: a word of feature bits with an "unknown yet" value. */
#include "cpu.h"

#include <stdatomic.h>

#ifndef INFERA_HAVE_AVX2
#define INFERA_HAVE_AVX2 0
#endif
#ifndef INFERA_HAVE_AVX512
#define INFERA_HAVE_AVX512 0
#endif

#define UNKNOWN 0x80000000u

static _Atomic uint32_t detected_cache = UNKNOWN;
static _Atomic uint32_t limit_mask = ~UNKNOWN;

#if INFERA_HAVE_AVX2
#include <cpuid.h>

static uint64_t xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

#define BIT(word, n) (((word) >> (n)) & 1u)

static uint32_t ask_processor(void) {
  uint32_t a, b, c, d, b7, c7, d7;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  /* OSXSAVE first: without it xgetbv itself is an invalid instruction. */
  if (!BIT(c, 27) || !BIT(c, 28)) return 0;
  const int fma = BIT(c, 12), f16c = BIT(c, 29);
  const uint64_t saved = xcr0();
  if ((saved & 0x06) != 0x06) return 0; /* the OS saves XMM and YMM */
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return 0;
  const int bmi1 = BIT(b7, 3), avx2 = BIT(b7, 5), bmi2 = BIT(b7, 8);
  if (!(fma && f16c && bmi1 && avx2 && bmi2)) return 0;
  uint32_t bits = INFERA_CPU_AVX2;
  if (!INFERA_HAVE_AVX512 || (saved & 0xe6) != 0xe6) return bits; /* opmask, ZMM halves */
  /* F, DQ, CD, BW, VL */
  if (!(BIT(b7, 16) && BIT(b7, 17) && BIT(b7, 28) && BIT(b7, 30) && BIT(b7, 31))) return bits;
  bits |= INFERA_CPU_AVX512;
  if (BIT(c7, 11)) bits |= INFERA_CPU_AVX512VNNI;
  return bits;
}
#else
static uint32_t ask_processor(void) { return 0; }
#endif

uint32_t infera_cpu_detected(void) {
  uint32_t bits = atomic_load_explicit(&detected_cache, memory_order_relaxed);
  if (bits == UNKNOWN) { /* two threads may both ask; they get the same answer */
    bits = ask_processor();
    atomic_store_explicit(&detected_cache, bits, memory_order_relaxed);
  }
  return bits;
}

uint32_t infera_cpu_features(void) {
  return infera_cpu_detected() & atomic_load_explicit(&limit_mask, memory_order_relaxed);
}

uint32_t infera_cpu_limit(uint32_t mask) {
  atomic_store_explicit(&limit_mask, mask & ~UNKNOWN, memory_order_relaxed);
  return infera_cpu_features();
}

int infera_openmp(void) {
#ifdef _OPENMP
  return 1;
#else
  return 0;
#endif
}
