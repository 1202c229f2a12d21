/* What the processor offers to this library.  A bit stands for a whole set, as its kernels are compiled. */
#define INFERA_CPU_AVX2 1        /* AVX2, FMA, F16C, BMI1, BMI2; saved by the OS */
#define INFERA_CPU_AVX512 2      /* the above and AVX-512 F, BW, DQ, VL, CD; saved by the OS */
#define INFERA_CPU_AVX512VNNI 4  /* the above and AVX-512 VNNI */

uint32_t infera_cpu_detected(void);           /* every bit this build and this processor have */
uint32_t infera_cpu_features(void);           /* the bits in use: detected and not limited away */
uint32_t infera_cpu_limit(uint32_t mask);     /* use no bit outside mask from now on; returns the bits in use */
int infera_openmp(void);                      /* 1 if compiled with OpenMP */
