# make run    real memcacheds and Drover in front of them, on 127.0.0.1:11311
# make test   everything that is tested; TESTS='--filter Name' for less
# make lint   formatting, as CI checks it
.PHONY: run build test lint format deps sanitize

run:
	@scripts/deps run
	@echo "run: building (some minutes the first time)"
	@swift build -c release --product drover
	@exec "$$(swift build -c release --show-bin-path)/drover" dev

build:
	@scripts/deps build
	@swift build -c release --product drover

deps:
	@scripts/deps test

# Tests that judge what a slow node is have the machine to themselves.
TIMED = ChaosTests|StaleWindowTests
test: deps
ifdef TESTS
	@swift test $(TESTS)
else
	@echo "test: building and running all tests"
	@swift test --skip '$(TIMED)'
	@echo "test: faults at random, alone"
	@swift test --skip-build --filter '$(TIMED)'
endif

lint:
	@swift format lint --strict --recursive Package.swift Sources Tests

format:
	@swift format --in-place --recursive Package.swift Sources Tests

# What reads hostile bytes, and nothing else, under the sanitizers; each in a build folder of its own. Leaks are not looked
# for: the test runner has some of its own. Stacks of allocations are kept short: unwinding them is a quarter of the time.
# Optimizing would take longer than it saves.
sanitize: export DROVER_SANITIZE = 1
sanitize: export DROVER_ROUNDS = 200
sanitize: deps
	@echo "sanitize: addresses"
	@ASAN_OPTIONS=detect_leaks=0:malloc_context_size=5 swift test --sanitize=address --scratch-path .build-asan -Xswiftc -Onone
	@echo "sanitize: threads"
	@swift test --sanitize=thread --scratch-path .build-tsan -Xswiftc -Onone
