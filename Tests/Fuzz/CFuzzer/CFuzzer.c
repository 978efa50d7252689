// A module needs something to compile.
#include "CFuzzer.h"
