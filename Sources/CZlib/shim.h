// zlib: checksums and gzip.
#include <zlib.h>
