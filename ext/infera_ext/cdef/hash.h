/* keccak-256 (Ethereum padding) and the Merkle trees of docs/protocol.md section 3.
 * Hashes are 32 bytes, packed one after the other; `count` counts messages, leaves or hashes.
 * The caller has checked lengths; offsets hold count + 1 ascending entries. */
#define INFERA_HASH_BYTES 32

void infera_keccak256(const uint8_t *data, size_t size, uint8_t *out);

/* count messages of `size` bytes each, packed; out: count hashes.  tag < 0: none; else a byte put before each. */
void infera_keccak256_equal(const uint8_t *data, size_t size, size_t count, int tag, uint8_t *out);

/* message i is data[offsets[i] .. offsets[i + 1]). */
void infera_keccak256_offsets(const uint8_t *data, const uint64_t *offsets, size_t count, int tag, uint8_t *out);

/* Hashes in all levels of a tree of `count` leaves: level 0 first, the root last. */
uint64_t infera_merkle_nodes(uint64_t count);

/* nodes: room for infera_merkle_nodes(count) hashes, the first `count` filled with leaf hashes. */
void infera_merkle_build(uint8_t *nodes, size_t count);

/* Folds count >= 1 leaf hashes in place; the root is hashes[0..32). */
void infera_merkle_fold(uint8_t *hashes, size_t count);

/* Siblings bottom-up of leaf `index` into out (room for one a level); returns how many. */
size_t infera_merkle_proof(const uint8_t *nodes, uint64_t count, uint64_t index, uint8_t *out);

/* 1 if the proof leads from the leaf hash to the root. */
int infera_merkle_verify(const uint8_t *root, const uint8_t *leaf, uint64_t index, uint64_t count,
                         const uint8_t *proof, size_t proof_count);

/* indices: ascending, distinct, below count; work: room for n entries.  Writes the siblings to out unless
 * it is NULL; returns how many there are. */
size_t infera_merkle_multiproof(const uint8_t *nodes, uint64_t count, const uint64_t *indices, size_t n,
                                uint64_t *work, uint8_t *out);

/* 1 if the n leaf hashes at indices lead to the root with exactly these siblings; 0 also where indices are not
 * ascending, distinct and below count.  work: room for n entries; hashes: room for 3 n hashes. */
int infera_merkle_verify_multi(const uint8_t *root, const uint8_t *leaves, const uint64_t *indices, size_t n,
                               uint64_t count, const uint8_t *proof, size_t proof_count, uint64_t *work,
                               uint8_t *hashes);
