// PCRE2 for UTF-8: the width must be chosen before its header is read, which a module map cannot do.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
