"""meta-memcache, which speaks the meta commands only, through Drover: HOST PORT."""
import sys

from meta_memcache import CacheClient, Key, ServerAddress, connection_pool_factory_builder

client = CacheClient.cache_client_from_servers(
    servers=[ServerAddress(host=sys.argv[1], port=int(sys.argv[2]))],
    connection_pool_factory_fn=connection_pool_factory_builder(),
)
keys = [Key(f"key{n}") for n in range(100)]
for n, key in enumerate(keys):
    assert client.set(key, {"number": n}, ttl=100)
assert client.multi_get(keys) == {key: {"number": n} for n, key in enumerate(keys)}
assert client.get(Key("absent")) is None
binary = Key("ключ с пробелом \r\n")
assert client.set(binary, "value", ttl=100) and client.get(binary) == "value"
value, token = client.get_cas(Key("key1"))
assert client.set(Key("key1"), "swapped", ttl=100, cas_token=token)
assert not client.set(Key("key1"), "again", ttl=100, cas_token=token)
assert client.delta_initialize_and_get(Key("counter"), delta=1, initial_value=10, initial_ttl=100) == 10
assert client.delta_and_get(Key("counter"), delta=5) == 15
assert client.touch(Key("counter"), ttl=200)
assert client.invalidate(Key("key2"), cas_token=None)
assert client.delete(Key("key3")) and client.get(Key("key3")) is None
