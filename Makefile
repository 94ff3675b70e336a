# chunksign: `make` lists what there is. `make run` needs Go and nothing else;
# `make test` installs what it needs (Debian or Ubuntu, as root or with sudo).

SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN     := bin/chunksign
ADDR    ?= 127.0.0.1:8080
FUZZTIME ?= 10m
SEEDS   ?= 10000
FROM    ?= 0

# Tools that only checking needs, by version, so that go.mod stays the server's.
STATICCHECK     := honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOVULNCHECK     := golang.org/x/vuln/cmd/govulncheck@v1.1.4
TOXIPROXY       := github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0
WASMBROWSERTEST := github.com/agnivade/wasmbrowsertest@v0.11.0

export CHUNKSIGN_BIN := $(CURDIR)/$(BIN)

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## build and serve on loopback: server, demo page, embedded S3 and STS, files in ./data
	@go run ./scripts/build >&2
	@go run ./server serve -listen $(ADDR) -data data

.PHONY: build
build: ## web/dist and bin/chunksign
	go run ./scripts/build
	go build -trimpath -o $(BIN) ./server

.PHONY: package
package: build ## the npm package, with its types: web/chunksign-VERSION.tgz
	cd web && npm ci --silent && npm pack

.PHONY: test
test: setup test-go test-journal test-browser ## every test, after installing what they need

.PHONY: setup
setup: ## install browsers, TinyGo and npm packages
	scripts/setup

.PHONY: test-go
test-go: ## the Go tests
	go vet ./...
	go test ./...

.PHONY: test-journal
test-journal: setup ## the journal's tests over IndexedDB, in Chromium
	scripts/journal-in-browser $(WASMBROWSERTEST)

# The TinyGo build goes through every browser test, in Chromium and in Firefox
# (which brings no scripts of a test's own past a page's policy, as EvaporateJS's
# test does, and has nothing to do with the npm package); the build by Go's compiler through those that its modules could fail.
# A file that takes ten minutes hangs; it is named and ended.
NODETEST := node --test --test-timeout=600000 --test-concurrency=2
# The faults, and going on after a reload, are met a second time where the server signs.
SIGNED := test/faults.test.js test/pending.test.js
MODULES := test/signer.test.js test/upload.test.js test/pending.test.js test/died.test.js
.PHONY: test-browser
test-browser: setup bin/toxiproxy ## the browser tests: both compilers, Chromium and Firefox
	cd web && npm run --silent typecheck
	go run ./scripts/build -compiler go
	go build -trimpath -o $(BIN) ./server
	cd web && $(NODETEST) $(MODULES)
	go run ./scripts/build -compiler tinygo
	go build -trimpath -o $(BIN) ./server
	cd web && $(NODETEST) test/*.test.js
	cd web && CHUNKSIGN_DESTINATION=demo-presigned $(NODETEST) $(SIGNED)
	cd web && CHUNKSIGN_BROWSER=firefox $(NODETEST) $(filter-out test/evaporate.test.js test/package.test.js,$(patsubst web/%,%,$(wildcard web/test/*.test.js)))

bin/toxiproxy: Makefile
	scripts/toxiproxy $(TOXIPROXY)

.PHONY: sim
sim: ## the engine in a simulated bad world: SEEDS (10000) of them, from seed FROM (0)
	go run ./wasm/upload/sim/cmd -seeds $(SEEDS) -from $(FROM)

.PHONY: soak
soak: build bin/toxiproxy ## the long ones: a million seeds, 60 kills over 2 GiB, EvaporateJS beside its shim over 300 MB
	go run ./wasm/upload/sim/cmd -seeds 1000000
	CHUNKSIGN_KILLS=60 CHUNKSIGN_KILLS_SIZE=2GiB go test ./server -run TestUploadIsKilledAndGoesOn -count=1 -v -timeout 120m
	cd web && CHUNKSIGN_KILLS=60 CHUNKSIGN_KILL_MIB=2048 node --test test/kills.test.js
	cd web && CHUNKSIGN_EVAPORATE_MB=300 node --test test/evaporate.test.js

# The scope attacks and what else is not the embedded store's alone, on real engines;
# a page's upload too, which loses a node in the middle, and EvaporateJS beside its shim.
# CHUNKSIGN_UPDATE=1 writes docs/engines.md.
ENGINES := minio ceph
ON_ENGINES := TestAttacks|TestEngine|TestUploadWhileANodeIsKilled|TestPresigned
.PHONY: test-engines
test-engines: setup-engines build $(ENGINES:%=test-engine-%) ## MinIO on four nodes, and Ceph, each with a real STS, set up by scripts/engine

# The libraries that this replaces, as people run them: their checkouts are given, and nothing of them is kept here.
.PHONY: test-originals
test-originals: ## S3DIRECT=path EVAPORATE=path: django-s3direct's example project and EvaporateJS, of checkouts
	@scripts/originals check
	@$(MAKE) --no-print-directory setup build
	scripts/originals

.PHONY: setup-engines
setup-engines:
	scripts/setup engines

test-engine-%:
	go run ./scripts/engine $* bash -c 'go test ./wasm/upload/sim -run TestTheNamedEngineConforms -count=1 && \
		go test ./server -run "$(ON_ENGINES)" -count=1 -timeout 40m && \
		cd web && $(NODETEST) test/engines/*.test.js'

# An input that finds something new is not made smaller, which would take a minute of each.
FUZZ := -run '^$$' -fuzzminimizetime 1x -fuzztime $(FUZZTIME)
.PHONY: fuzz
fuzz: ## sigv4 against the AWS SDK's signer, the configuration, every HTTP handler, the embedded store: each for FUZZTIME (10m)
	go test ./wasm/sigv4 $(FUZZ) -fuzz FuzzAgainstSDK
	go test ./server/config $(FUZZ) -fuzz FuzzParse
	go test ./server $(FUZZ) -fuzz FuzzHandlers
	go test ./server/compat $(FUZZ) -fuzz FuzzCanonical
	go test ./server/devstore $(FUZZ) -fuzz FuzzFront

.PHONY: bench
bench: build ## sizes, signatures and grants a second, an upload against plain XHR PUTs
	go test ./wasm/sigv4 ./wasm/upload ./server -run '^$$' -bench .
	cd web && node bench/upload.js

.PHONY: lint
lint: ## gofmt, vet, staticcheck, govulncheck, tsc
	@test -z "$$(gofmt -l $$(git ls-files '*.go') | tee /dev/stderr)" || { echo "gofmt -w these files"; exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet $$(go list ./wasm/... | grep -v /sim) # whose tests run the embedded store
	go run $(STATICCHECK) ./...
	cd web && npm ci --silent && npm run --silent typecheck
	go run $(GOVULNCHECK) ./...

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin web/node_modules web/types web/*.tgz
	find web/dist -mindepth 1 ! -name .gitkeep -delete
