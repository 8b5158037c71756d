// libevent 2.1: loops and events, evhttp, evdns.
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/dns.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>
