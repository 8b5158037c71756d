#include <libmemcached/memcached.h>
#include <libhashkit/hashkit.h>
