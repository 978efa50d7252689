// hiredis: commands to bytes and bytes to replies of Redis, and its sockets.
#include <hiredis/hiredis.h>
