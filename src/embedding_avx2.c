/* Cosines and sines for AVX2. The compiler gets its flags for this file only. */
#include "embedding_operations.h"

#ifdef __AVX2__
enum { LANES = 4 };
#define NAME embedding_avx2
#include "embedding_loops.h"
#endif
