/* Merkle trees of docs/protocol.md section 3: keccak-256, RFC 6962 shape, an odd last node moves up unchanged. */
#include <string.h>

#include "hash.h"
#include "keccak_impl.h"

uint64_t infera_merkle_nodes(uint64_t count) {
  uint64_t total = 0;
  if (count == 0) return 0;
  for (; count > 1; count = (count + 1) / 2) total += count;
  return total + 1;
}

/* to[i] = H(0x01 || from[2 i] || from[2 i + 1]).  `to` may equal `from`: a kernel reads all before it writes, and
 * output i lies below the input of every later node. */
static void hash_pairs(const keccak_kernels *wide, const uint8_t *from, size_t pairs, uint8_t *to) {
  const size_t lanes = wide->lanes;
  size_t i = 0;
  for (; i + lanes <= pairs; i += lanes) wide->nodes(from + 64 * i, to + 32 * i);
  if (pairs - i > 1) { /* even half empty, the wide kernel wins */
    uint8_t in[64 * KECCAK_MAX_LANES], out[32 * KECCAK_MAX_LANES];
    const size_t rest = pairs - i;
    memcpy(in, from + 64 * i, 64 * rest);
    memset(in + 64 * rest, 0, 64 * (lanes - rest));
    wide->nodes(in, out);
    memcpy(to + 32 * i, out, 32 * rest);
  } else if (pairs - i == 1) {
    keccak_one()->nodes(from + 64 * i, to + 32 * i);
  }
}

/* One level: (count + 1) / 2 nodes from count; an odd last one moves up unchanged. */
static void fold_level(const keccak_kernels *wide, const uint8_t *from, size_t count, uint8_t *to) {
  const size_t pairs = count / 2;
  hash_pairs(wide, from, pairs, to);
  if (count & 1) memmove(to + 32 * pairs, from + 32 * (count - 1), 32);
}

void infera_merkle_build(uint8_t *nodes, size_t count) {
  const keccak_kernels *wide = keccak_wide();
  for (; count > 1; count = (count + 1) / 2) {
    fold_level(wide, nodes, count, nodes + 32 * count);
    nodes += 32 * count;
  }
}

void infera_merkle_fold(uint8_t *hashes, size_t count) {
  const keccak_kernels *wide = keccak_wide();
  for (; count > 1; count = (count + 1) / 2) fold_level(wide, hashes, count, hashes);
}

size_t infera_merkle_proof(const uint8_t *nodes, uint64_t count, uint64_t index, uint8_t *out) {
  size_t n = 0;
  for (; count > 1; index /= 2) {
    const uint64_t sibling = index ^ 1;
    if (sibling < count) memcpy(out + 32 * n++, nodes + 32 * sibling, 32);
    nodes += 32 * count;
    count = (count + 1) / 2;
  }
  return n;
}

/* Puts a node and its sibling in order: the even index is the left one. */
static void put_pair(uint8_t *pair, const uint8_t *node, uint64_t index, const uint8_t *sibling) {
  const size_t own = index & 1 ? 32 : 0;
  memcpy(pair + own, node, 32);
  memcpy(pair + (32 - own), sibling, 32);
}

int infera_merkle_verify(const uint8_t *root, const uint8_t *leaf, uint64_t index, uint64_t count,
                         const uint8_t *proof, size_t proof_count) {
  const keccak_kernels *one = keccak_one();
  uint8_t node[32], pair[64];
  size_t used = 0;
  if (index >= count) return 0;
  memcpy(node, leaf, 32);
  for (; count > 1; index /= 2, count = count / 2 + (count & 1)) {
    if ((index ^ 1) >= count) continue; /* moves up unchanged */
    if (used == proof_count) return 0;
    put_pair(pair, node, index, proof + 32 * used++);
    one->nodes(pair, node);
  }
  return used == proof_count && memcmp(node, root, 32) == 0;
}

size_t infera_merkle_multiproof(const uint8_t *nodes, uint64_t count, const uint64_t *indices, size_t n,
                                uint64_t *work, uint8_t *out) {
  size_t siblings = 0;
  if (n) memcpy(work, indices, n * sizeof *work);
  for (; count > 1; count = (count + 1) / 2) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
      const uint64_t sibling = work[i] ^ 1;
      if (i + 1 < n && work[i + 1] == sibling) {
        i++; /* both children are known */
      } else if (sibling < count) {
        if (out) memcpy(out + 32 * siblings, nodes + 32 * sibling, 32);
        siblings++;
      }
      work[kept++] = sibling / 2;
    }
    n = kept;
    nodes += 32 * count;
  }
  return siblings;
}

int infera_merkle_verify_multi(const uint8_t *root, const uint8_t *leaves, const uint64_t *indices, size_t n,
                               uint64_t count, const uint8_t *proof, size_t proof_count, uint64_t *work,
                               uint8_t *hashes) {
  const keccak_kernels *wide = keccak_wide();
  uint8_t *pairs = hashes + 32 * n;
  size_t used = 0;
  if (n == 0) return 0;
  for (size_t i = 0; i < n; i++)
    if (indices[i] >= count || (i && indices[i] <= indices[i - 1])) return 0;
  memcpy(work, indices, n * sizeof *work);
  memcpy(hashes, leaves, 32 * n);
  for (; count > 1; count = count / 2 + (count & 1)) {
    size_t joined = 0, kept = 0;
    const uint8_t *promoted = NULL;
    for (size_t i = 0; i < n; i++) {
      const uint64_t index = work[i], sibling = index ^ 1;
      const uint8_t *node = hashes + 32 * i;
      if (i + 1 < n && work[i + 1] == sibling) {
        put_pair(pairs + 64 * joined++, node, index, hashes + 32 * ++i);
      } else if (sibling < count) {
        if (used == proof_count) return 0;
        put_pair(pairs + 64 * joined++, node, index, proof + 32 * used++);
      } else {
        promoted = node; /* the last of its level, so the last of all */
      }
      work[kept++] = index / 2;
    }
    if (promoted) memmove(hashes + 32 * joined, promoted, 32);
    hash_pairs(wide, pairs, joined, hashes);
    n = kept;
  }
  return used == proof_count && memcmp(hashes, root, 32) == 0;
}
