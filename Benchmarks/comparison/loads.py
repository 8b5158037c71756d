"""The rows of the table: options of `drover bench`, and how much of each a run under valgrind can bear."""


class Load:
    def __init__(self, key, title, options, keys=10_000, slow_requests=4000, slow_keys=1000):
        self.key, self.title, self.options, self.keys = key, title, options, keys
        self.slow_requests, self.slow_keys = slow_requests, slow_keys


LOADS = [
    Load("get", "get 100 B, depth 1", "-c 50 --size 100"),
    Load("pipeline", "get 100 B, pipeline 16", "-c 50 -p 16 --size 100", slow_requests=8000),
    Load("set", "set 100 B", "-c 50 --mix 0:1 --size 100"),
    Load("mix", "get/set 10:1, 1 KB", "-c 50 --mix 10:1 --size 1k"),
    Load("multiget", "multi-get of 50 keys", "-c 50 --multiget 50 --size 100", slow_requests=500),
    Load("large", "get 64 KB", "-c 50 --size 64k", keys=500, slow_requests=500, slow_keys=50),
    Load("one", "one connection, get 100 B", "-c 1 --size 100", slow_requests=2000),
]
