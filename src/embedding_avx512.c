/* Cosines and sines for AVX-512. The compiler gets its flags for this file only. */
#include "embedding_operations.h"

#ifdef __AVX512F__
enum { LANES = 8 };
#define NAME embedding_avx512
#include "embedding_loops.h"
#endif
