# chunksign: `make` lists what there is. `make run` needs Go and nothing else;
# `make test` installs what it needs (Debian or Ubuntu, as root or with sudo).

SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN     := bin/chunksign
ADDR    ?= 127.0.0.1:8080
FUZZTIME ?= 10m

# Tools that only checking needs, by version, so that go.mod stays the server's.
STATICCHECK     := honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOVULNCHECK     := golang.org/x/vuln/cmd/govulncheck@v1.1.4
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

# The TinyGo build goes through every browser test in Chromium and those of the
# uploads in Firefox; the build by Go's compiler through Chromium's.
.PHONY: test-browser
test-browser: setup ## the browser tests: both compilers, Chromium and Firefox
	cd web && npm run --silent typecheck
	go run ./scripts/build -compiler go
	go build -trimpath -o $(BIN) ./server
	cd web && node --test test/*.test.js
	go run ./scripts/build -compiler tinygo
	go build -trimpath -o $(BIN) ./server
	cd web && node --test test/*.test.js
	cd web && CHUNKSIGN_BROWSER=firefox node --test test/*.test.js

.PHONY: fuzz
fuzz: ## sigv4 against the AWS SDK's signer, for FUZZTIME (10m)
	go test ./wasm/sigv4 -run '^$$' -fuzz FuzzAgainstSDK -fuzztime $(FUZZTIME)

.PHONY: bench
bench: build ## sizes, signatures a second, an upload against plain XHR PUTs
	go test ./wasm/sigv4 ./wasm/upload -run '^$$' -bench .
	cd web && node bench/upload.js

.PHONY: lint
lint: ## gofmt, vet, staticcheck, govulncheck, tsc
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt -w these files"; exit 1; }
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./wasm/...
	go run $(STATICCHECK) ./...
	cd web && npm ci --silent && npm run --silent typecheck
	go run $(GOVULNCHECK) ./...

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin web/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
