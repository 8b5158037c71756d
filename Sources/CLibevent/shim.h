// libevent 2.1: loops and events, evhttp, evdns.
#pragma once
// Before libevent's own configuration turns on GNU names, so that fd_set is what Swift's Glibc says it is.
#include <sys/select.h>
#include <sys/types.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/dns.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>
