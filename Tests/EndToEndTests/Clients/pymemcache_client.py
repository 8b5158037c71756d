"""pymemcache through Drover: HOST PORT."""
import sys

from pymemcache.client.base import Client

client = Client((sys.argv[1], int(sys.argv[2])), timeout=5, connect_timeout=5)
pairs = {f"key{n}": f"value{n}".encode() for n in range(100)}
assert client.set_many(pairs, noreply=False) == []
assert client.get_many(list(pairs)) == pairs
assert client.get("absent") is None
assert client.add("key1", b"x", noreply=False) is False
assert client.replace("key1", b"12", noreply=False) is True
assert client.append("key1", b"3", noreply=False) is True
assert client.incr("key1", 7) == 130
assert client.decr("key1", 30) == 100
value, number = client.gets("key2")
assert client.cas("key2", b"swapped", number, noreply=False) is True
assert client.cas("key2", b"again", number, noreply=False) is False
assert client.touch("key2", 100, noreply=False) is True
assert client.gat("key2", 100) == b"swapped"
client.set("quiet", b"1", noreply=True)
assert client.get("quiet") == b"1"
assert client.delete("quiet", noreply=False) is True
assert int(client.stats()[b"curr_items"]) == 100
assert client.version()
assert client.flush_all(noreply=False) is True
assert client.get_many(list(pairs)) == {}
client.quit()
