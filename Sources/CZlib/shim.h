// zlib: gzip in and out.
#include <zlib.h>
