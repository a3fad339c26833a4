# The project's words. Each works alone on a clean clone of a Debian 12 machine; what is missing is installed first.
.PHONY: help demo test build package fuzz bench chaos chaos-simulated soak format clean
help:
	@echo "make demo      gateways on ports 8000 to 8020 (TLS: 8443) in front of live services and a Redis, with lines to try"
	@echo "make test      tidy, unit and black-box tests (SANITIZE=1: the unit tests under ASan and UBSan)"
	@echo "make build     the optimised program: build/cardea"
	@echo "make package   a .deb with a systemd unit"
	@echo "make fuzz      every fuzz target for FUZZ_SECONDS (60) each"
	@echo "make bench     the micro-benchmarks"
	@echo "make chaos     ten minutes of killed, stopped and moving targets, reloads and upgrades under load; prints what it cost"
	@echo "make soak      an hour of everything at once; are memory and descriptors flat, do the counters agree?"
	@echo "make chaos-simulated   100,000 seeded scenarios of the same in simulated time; each failure names its seed"
	@echo "make format    clang-format over src/"
	@echo "make clean     removes every build directory"
demo:    ; @scripts/demo
test:    ; @scripts/test
build:   ; @scripts/build cardea
package: ; @scripts/package
fuzz:    ; @scripts/fuzz
bench:   ; @scripts/bench
chaos:   ; @scripts/chaos
soak:    ; @scripts/soak
chaos-simulated: ; @scripts/chaos-simulated
format:  ; @scripts/install-dependencies develop && find src \( -name '*.h' -o -name '*.cpp' \) -print0 | xargs -0 clang-format-19 -i
clean:   ; @rm -rf build build-asan build-fuzz build-bench
