/* keccak-256 of one message and of many: padding, scheduling of messages onto lanes, choice of kernels. */
#include <string.h>

#include "cpu.h"
#include "hash.h"
#include "keccak_impl.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "infera_ext is written for little-endian processors; build with INFERA_EXT=0"
#endif

/* FIPS 202 section 3.2.5 */
const uint64_t keccak_round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

const keccak_kernels *keccak_one(void) {
#if INFERA_HAVE_AVX2
  if (infera_cpu_features() & INFERA_CPU_AVX2) return &keccak_bmi;
#endif
  return &keccak_portable;
}

const keccak_kernels *keccak_wide(void) {
#if INFERA_HAVE_AVX512
  if (infera_cpu_features() & INFERA_CPU_AVX512) return &keccak_avx512;
#endif
#if INFERA_HAVE_AVX2
  if (infera_cpu_features() & INFERA_CPU_AVX2) return &keccak_avx2;
#endif
  return keccak_one();
}

/* A message on its way through a lane: the tag byte, if any, counts as its first byte. */
typedef struct {
  const uint8_t *data;
  size_t size;    /* bytes of data */
  size_t at;      /* bytes absorbed, the tag included */
  size_t total;   /* size, plus one with a tag */
  int tag;
  uint8_t *out;   /* NULL: the lane is idle */
} message;

static void begin(message *m, const uint8_t *data, size_t size, int tag, uint8_t *out) {
  *m = (message){.data = data, .size = size, .at = 0, .total = size + (tag >= 0), .tag = tag, .out = out};
}

/* The next block of a message: in place where it lies whole in the data, else put together in `room`. */
static const uint8_t *next_block(message *m, uint8_t room[KECCAK_RATE], int *last) {
  const size_t skip = (size_t)(m->tag >= 0), at = m->at, left = m->total - at;
  m->at += KECCAK_RATE;
  *last = left < KECCAK_RATE;
  if (!*last) {
    if (at >= skip) return m->data + (at - skip);
    room[0] = (uint8_t)m->tag;
    memcpy(room + 1, m->data, KECCAK_RATE - 1);
    return room;
  }
  memset(room, 0, KECCAK_RATE);
  if (at < skip) {
    room[0] = (uint8_t)m->tag;
    if (left > 1) memcpy(room + 1, m->data, left - 1);
  } else if (left) {
    memcpy(room, m->data + (at - skip), left);
  }
  room[left] ^= 0x01; /* keccak's padding, not SHA-3's 0x06 */
  room[KECCAK_RATE - 1] ^= 0x80;
  return room;
}

static void finish_alone(message *m, uint64_t *state, unsigned fresh) {
  const keccak_kernels *one = keccak_one();
  uint8_t room[KECCAK_RATE];
  for (int last = 0; !last; fresh = 0) {
    const uint8_t *block = next_block(m, room, &last);
    one->absorb(state, &block, fresh);
  }
  memcpy(m->out, state, 32);
}

static void hash_alone(const uint8_t *data, size_t size, int tag, uint8_t *out) {
  message m;
  uint64_t state[25];
  begin(&m, data, size, tag, out);
  finish_alone(&m, state, 1);
}

void infera_keccak256(const uint8_t *data, size_t size, uint8_t *out) { hash_alone(data, size, -1, out); }

/* Messages come by number, so that equal sizes need no table of offsets. */
typedef struct {
  const uint8_t *data;
  const uint64_t *offsets; /* NULL: equal sizes */
  size_t size, count;
  int tag;
  uint8_t *out;
} batch;

static void pick(const batch *b, size_t i, message *m) {
  const uint64_t from = b->offsets ? b->offsets[i] : (uint64_t)i * b->size;
  const size_t size = b->offsets ? (size_t)(b->offsets[i + 1] - from) : b->size;
  begin(m, b->data + from, size, b->tag, b->out + 32 * i);
}

/* Every lane holds a message; one that is done makes room for the next, so unequal lengths waste nothing.
 * When a single one is left, it goes on alone with the scalar kernel. */
static void hash_batch(const batch *b) {
  const keccak_kernels *wide = keccak_wide();
  const unsigned lanes = wide->lanes;
  if (lanes == 1) {
    for (size_t i = 0; i < b->count; i++) {
      message m;
      pick(b, i, &m);
      hash_alone(m.data, m.size, m.tag, m.out);
    }
    return;
  }
  _Alignas(64) uint64_t state[25 * KECCAK_MAX_LANES] = {0};
  _Alignas(64) uint8_t room[KECCAK_MAX_LANES][192] = {{0}}; /* 136 rounded up to whole cache lines */
  const uint8_t *blocks[KECCAK_MAX_LANES];
  message lane[KECCAK_MAX_LANES] = {{0}};
  size_t next = 0;
  unsigned active = 0, fresh = (1u << lanes) - 1; /* how many lanes work; which start a message */
  for (; active < lanes && next < b->count; active++) pick(b, next++, &lane[active]);
  while (active > 1) {
    unsigned done = 0;
    for (unsigned j = 0; j < lanes; j++) {
      int last = 0;
      blocks[j] = lane[j].out ? next_block(&lane[j], room[j], &last) : room[j]; /* idle: whatever is there */
      done |= (unsigned)last << j;
    }
    wide->absorb(state, blocks, fresh);
    fresh = 0;
    for (unsigned j = 0; done >> j; j++) {
      if (!((done >> j) & 1)) continue;
      for (unsigned i = 0; i < 4; i++) memcpy(lane[j].out + 8 * i, &state[i * lanes + j], 8);
      if (next < b->count) {
        pick(b, next++, &lane[j]);
        fresh |= 1u << j;
      } else {
        lane[j].out = NULL;
        active--;
      }
    }
  }
  for (unsigned j = 0; j < lanes; j++) {
    if (!lane[j].out) continue;
    uint64_t alone[25];
    for (unsigned i = 0; i < 25; i++) alone[i] = state[i * lanes + j];
    finish_alone(&lane[j], alone, (fresh >> j) & 1);
  }
}

void infera_keccak256_equal(const uint8_t *data, size_t size, size_t count, int tag, uint8_t *out) {
  hash_batch(&(batch){.data = data, .offsets = NULL, .size = size, .count = count, .tag = tag, .out = out});
}

void infera_keccak256_offsets(const uint8_t *data, const uint64_t *offsets, size_t count, int tag, uint8_t *out) {
  hash_batch(&(batch){.data = data, .offsets = offsets, .size = 0, .count = count, .tag = tag, .out = out});
}
