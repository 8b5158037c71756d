"""python-memcached through Drover: HOST PORT."""
import sys

import memcache

client = memcache.Client([f"{sys.argv[1]}:{sys.argv[2]}"], socket_timeout=5, cache_cas=True)
pairs = {f"key{n}": {"number": n, "text": "t" * n} for n in range(100)}
assert client.set_multi(pairs) == []
assert client.get_multi(list(pairs)) == pairs
assert client.get("absent") is None
assert client.gets("key1") == pairs["key1"]
assert client.cas("key1", "swapped")
assert client.set("counter", "5") and client.incr("counter", 3) == 8
assert not client.add("counter", "6") and client.replace("counter", "7")
assert client.append("counter", "8") and client.get("counter") == "78"
assert client.touch("counter", 100)
assert client.delete("counter")
assert client.delete_multi(list(pairs))
assert client.get_stats()[0][1]["curr_items"] == "0"
client.flush_all()
client.disconnect_all()
