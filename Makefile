# Everything that builds, runs and checks aigw. `make` alone lists the targets.
# Downloads and the llama.cpp build are kept in $AIGW_CACHE, outside this folder.
# third_party/README.md has the switches: AIGW_CUDA, AIGW_AMX, LLAMA_CPP_SRC, ...

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Where `make run` listens. Authentication is bypassed only on a loopback address.
LISTEN ?= 127.0.0.1:5052

# The version is stamped here, so Go needs no git, which may refuse another user's clone.
go_build = CGO_ENABLED=1 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'
# For another kind of machine packages are made with ARCH=arm64 or ARCH=amd64, of a tree with a name of its own.
tree := bin/tree$(if $(ARCH),-$(ARCH))
ifneq ($(ARCH),)
export AIGW_ARCH := $(ARCH)
endif
tags = $(if $(filter 1,$(AIGW_CUDA)),-tags cuda)
# A CUDA toolkit outside /usr/local/cuda has to be named to the linker as well.
ifneq ($(CUDA_HOME),)
export CGO_LDFLAGS := $(CGO_LDFLAGS) -L$(CUDA_HOME)/lib64 -L$(CUDA_HOME)/lib64/stubs
endif

##@ Use

.PHONY: run
run: build ## build all, fetch a small model (or MODEL=FILE), serve it on LISTEN without authentication
	@. third_party/tools.sh
	model=$$(third_party/smollm2/fetch.sh)
	case '$(LISTEN)' in
	127.*:* | localhost:* | '[::1]:'*)
		export AIGW_AUTH__BYPASS_EXTERNAL=$${AIGW_AUTH__BYPASS_EXTERNAL:-true}
		say "warning: authentication is off (AIGW_AUTH__BYPASS_EXTERNAL=true), for this machine only; never do this on a network" ;;
	*) say "authentication stays on: $(LISTEN) is not a loopback address" ;;
	esac
	say ""
	say "When the gateway is ready, ask for a completion from another terminal:"
	say ""
	.ci/readme completion | sed 's/127\.0\.0\.1:5052/$(LISTEN)/' >&2
	say ""
	# What steers only the build is no setting of the gateway, which warns of names it does not know.
	unset AIGW_CACHE AIGW_ARCH AIGW_CUDA AIGW_CUDA_ARCH AIGW_AMX AIGW_CPU_VARIANTS AIGW_JOBS
	exec bin/aigw run --model "$$model" --listen '$(LISTEN)'

.PHONY: build
build: llama loader ## the program, as bin/aigw
	@$(go_build) $(tags) -o bin/aigw ./cmd/aigw

##@ Check

.PHONY: test
test: llama model ## vet, unit tests, race detector, all with the real model
	@export AIGW_TEST_MODEL=$$(third_party/smollm2/fetch.sh)
	.ci/stage "set-up scripts" .ci/setup-test
	.ci/stage "go vet" go vet ./...
	.ci/stage "tests with the race detector" go test -timeout 30m -race ./...
	.ci/stage "tests" go test -timeout 30m ./...

.PHONY: crashes
crashes: llama model ## crash inside llama_decode on demand, again and again, and lose nobody else (AIGW_TEST_CRASHES=100)
	@AIGW_TEST_MODEL=$$(third_party/smollm2/fetch.sh) go test -tags fault -timeout 90m -run '^TestCrashes' ./cmd/aigw

.PHONY: contract
contract: llama ## compare validation with FastAPI and pydantic, and run schemathesis against the API's document
	@.ci/contract

.PHONY: lint
lint: llama ## golangci-lint with the import rules of the architecture, shellcheck
	@.ci/lint

.PHONY: vulncheck
vulncheck: llama ## compare what is linked with the Go vulnerability database (GOVULNDB=file:///FOLDER)
	@.ci/vulncheck

.PHONY: smoke-dl
smoke-dl: llama-dl model ## the program with ggml's back ends as plug-ins: loads, chooses a CPU variant, completes
	@CGO_LDFLAGS="-Wl,-rpath,$$PWD/third_party/llama.cpp/out/dl/lib" $(go_build) -tags llama_dl -o bin/aigw-dl ./cmd/aigw
	.ci/smoke-dl bin/aigw-dl

.PHONY: readme
readme: build ## run the README's commands against a gateway started by `make run`
	@.ci/readme-test

.PHONY: bench
bench: build peers model ## compare with llama-bench and llama-server on this machine (BENCH="-n 2 -only engine")
	@go run ./bench -model "$$(third_party/smollm2/fetch.sh)" -bin bin $(BENCH)

.PHONY: soak-sched
soak-sched: ## the scheduler against a fake cache for a million random steps (CHECKS=10000 STEPS=100)
	@go test ./engine/sched -run AnySchedule -timeout 24h -rapid.checks=$${CHECKS:-10000} -rapid.steps=$${STEPS:-100}

.PHONY: bench-docs
bench-docs: llama ## documentation search: ranking, time, memory, size (DOCS_PAGES=FOLDER DOCS_QUESTIONS=FILE BENCH="-growth 1,3,10")
	@go run ./bench/docs -pages "$${DOCS_PAGES:?is needed: a folder of Markdown pages}" -questions "$${DOCS_QUESTIONS:?is needed: a file of questions, JSON lines}" $(BENCH)

##@ Packages

.PHONY: tree
tree: ready ## what a release holds, for any CPU of this kind, as bin/tree (ARCH=arm64: bin/tree-arm64; AIGW_CPU_VARIANTS="sse42 haswell")
	@VERSION='$(VERSION)' deploy/tree.sh $(tree)

.PHONY: dist
dist: tree ## the release as an archive with the same bytes every time, into bin/ (ARCH=arm64)
	@deploy/dist.sh $(tree) bin

# A toolkit of one's own is named by CUDA_HOME. The libraries of CUDA's run time come from where it runs.
.PHONY: cuda
cuda: ready ## the release with CUDA for AIGW_CUDA_ARCH=80, with a toolkit from PyPI, as bin/tree: most of an hour on two cores
	@CUDA_HOME=$$(third_party/cuda/toolkit.sh)
	export CUDA_HOME AIGW_CUDA=1 AIGW_CUDA_ARCH=$${AIGW_CUDA_ARCH:-80} CMAKE_TOOLCHAIN_FILE=$$PWD/third_party/cuda/ggml.cmake
	VERSION='$(VERSION)' deploy/tree.sh bin/tree

.PHONY: cuda-check
cuda-check: ready ## configure the CUDA back end with that toolkit and compile five of its units: minutes
	@third_party/cuda/check.sh

.PHONY: deb
deb: tree ## the release as a Debian package, into bin/ (ARCH=arm64)
	@deploy/deb.sh $(tree) bin

# As root; offline, name what your registry has: IMAGE_ARGS="--build-arg BASE=registry.example.com/debian:bookworm-slim".
.PHONY: image
image: tree ## the release as a container image under all tags that people look for (IMAGE=registry.example.com/model-gateway, ARCH=arm64)
	@deploy/image.sh $(tree) '$(or $(IMAGE),aigw)' $(IMAGE_ARGS)

.PHONY: dist-test
dist-test: ## bin/tree packed twice: the same bytes, and what comes out runs
	@.ci/dist-test

.PHONY: deb-test
deb-test: ## bin/tree as a Debian package, installed, run, upgraded and purged on a debootstrap base (as root)
	@.ci/deb-test

.PHONY: image-test
image-test: model ## bin/tree in container images on a debootstrap base, started and asked (as root)
	@.ci/image-test

.PHONY: offline-test
offline-test: model ## docs/offline.md from the key to a suggestion, on a bare Debian without a network (as root)
	@.ci/offline-test

.PHONY: baseline-test
baseline-test: model ## bin/tree on an emulated x86-64 CPU without AVX
	@.ci/baseline-test

.PHONY: arm64-test
arm64-test: model ## bin/tree-arm64 (make tree ARCH=arm64) on an emulated ARM CPU: chooses a variant, completes, packs
	@.ci/arm64-test

.PHONY: rpc-test
rpc-test: model ## bin/tree twice, in two network namespaces, with layers of one model on both
	@.ci/rpc-test

.PHONY: helm-test
helm-test: ## the Helm chart: golden files, strict types, lint, schema
	@.ci/helm-test

.PHONY: affinity-test
affinity-test: llama model ## three gateways behind nginx with the chart's directive reuse prompts as one does: two minutes
	@.ci/affinity-test

.PHONY: model-server-test
model-server-test: llama model ## models at llama.cpp's own server answer as the same files do in process
	@.ci/model-server-test

##@ Parts

# What every bundle begins with, and aigw therefore carries: static, without cgo.
.PHONY: loader
loader:
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o cmd/aigw/loader/aigw-loader ./cmd/aigw-loader

.PHONY: llama
llama: ready ## llama.cpp as static libraries tuned to this CPU
	@third_party/llama.cpp/build.sh static
	third_party/llama.cpp/jinja.sh static

.PHONY: llama-dl
llama-dl: ready ## llama.cpp as shared libraries with CPU variants chosen at run time
	@third_party/llama.cpp/build.sh dl
	third_party/llama.cpp/jinja.sh dl

.PHONY: peers
peers: ready ## llama-server, llama-bench and llama-tokenize of the same sources and flags, into bin/
	@third_party/llama.cpp/build.sh peers

.PHONY: released
released: ready ## the same three without patches, as they were released, into bin/released/
	@third_party/llama.cpp/build.sh released

.PHONY: model
model: ready ## the small real model of the tests (or MODEL=FILE)
	@third_party/smollm2/fetch.sh >/dev/null

.PHONY: notices
notices: llama ## licences of everything that is linked, into bin/NOTICES
	@third_party/notices.sh bin/NOTICES

.PHONY: ready
ready:
	@third_party/ready.sh

.PHONY: clean
clean: ## delete what was built in this folder (not the cache)
	rm -rf bin third_party/llama.cpp/out engine/llama/llama_build_*

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A recipe is one script: its variables live from line to line.
.ONESHELL:
