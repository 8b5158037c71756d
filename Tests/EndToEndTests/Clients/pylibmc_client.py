"""pylibmc, which is libmemcached, through Drover: HOST PORT."""
import sys

import pylibmc

client = pylibmc.Client([f"{sys.argv[1]}:{sys.argv[2]}"], behaviors={"tcp_nodelay": True, "cas": True})
pairs = {f"key{n}": f"value{n}" * 50 for n in range(200)}
assert client.set_multi(pairs) == []
assert client.get_multi(list(pairs) + ["absent"]) == pairs
assert client.get("absent") is None
assert not client.add("key1", "x")
assert client.replace("key1", "y")
value, number = client.gets("key1")
assert value == "y" and client.cas("key1", "z", number) and not client.cas("key1", "w", number)
assert client.set("counter", 5) and client.incr("counter", 3) == 8 and client.decr("counter") == 7
assert client.set("large", b"x" * 900_000) and client.get("large") == b"x" * 900_000
assert client.delete("key1") and client.get("key1") is None
assert client.delete_multi([key for key in pairs if key != "key1"])
assert client.get_stats()
assert client.flush_all()
