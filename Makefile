# kube-changejob. `make help` lists what can be made.

VERSION ?= 0.2.0
IMG ?= ghcr.io/nusnewob/kube-changejob:v$(VERSION)

# The program that builds images: docker, podman, buildah …
CONTAINER_TOOL ?= docker
# How long each fuzz target runs.
FUZZTIME ?= 30s
# The share of pkg/ and controllers/ that the tests must cover, in percent.
COVERAGE ?= 85
# The namespace in which `make run` keeps the operator's own objects: the key of the hashes, the lease.
NAMESPACE ?= default

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

BIN := $(CURDIR)/bin
CONTROLLER_GEN := bin/controller-gen
KUSTOMIZE := bin/kustomize
GOLANGCI_LINT := bin/golangci-lint
GOVULNCHECK := bin/govulncheck
# The local control plane brings a kubectl; until it is built, yours serves.
KUBECTL ?= $(or $(wildcard $(BIN)/k8s/kubectl),kubectl)
CRD := config/crd/bases/triggers.changejob.dev_changetriggeredjobs.yaml

# The demo takes a cluster from the command line alone, and needs no control plane then.
OTHER_CLUSTER := $(filter command line,$(origin KUBECONFIG))

# The operator, and the local control plane, which is a module of its own.
MODULES := . hack/localcluster

BUILD := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=v$(VERSION)"

.PHONY: all
all: build

##@ General

.PHONY: help
help: ## List what can be made.
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make TARGET [NAME=VALUE …]" } \
		/^##@/ { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) } \
		/^[a-zA-Z0-9_.-]+:.*## / { printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Development

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate the deep copies of the API types.
	$(CONTROLLER_GEN) object paths=./apis/...

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRD, its reference, the manager's cluster role and the webhook configuration.
	$(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./apis/... output:crd:dir=config/crd/bases
	go run ./hack/crd $(CRD)
	go run ./hack/apidocs $(CRD) > docs/api-reference.md
	$(CONTROLLER_GEN) rbac:roleName=manager-role paths='./controllers/...;./pkg/...' output:rbac:dir=config/rbac
	$(CONTROLLER_GEN) webhook paths=./pkg/admission/... output:webhook:dir=config/webhook

.PHONY: fmt
fmt: ## Format the source.
	gofmt -l -w $(GOFILES)

.PHONY: vet
vet: ## Run go vet in each module.
	for module in $(MODULES); do go -C $$module vet ./...; done

.PHONY: lint
lint: vet $(GOLANGCI_LINT) $(GOVULNCHECK) ## Check format, vet, golangci-lint and known vulnerabilities.
	@unformatted=$$(gofmt -l $(GOFILES)); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	for module in $(MODULES); do (cd $$module && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml); done
	@echo $(GOVULNCHECK) ./...; \
	if ! report=$$($(GOVULNCHECK) ./... 2>&1); then \
		echo "$$report"; \
		if ! grep -q 'govulncheck: fetching vulnerabilities:' <<<"$$report"; then exit 1; fi; \
		echo "SKIPPED: known vulnerabilities were NOT checked: their database is out of reach."; \
	fi

.PHONY: demo
demo: $(if $(OTHER_CLUSTER),,control-plane) build ## Show a ConfigMap change turn into a Job; KUBECONFIG=… on the command line uses that cluster.
	@go build -o bin/demo ./hack/demo
	@bin/demo $(if $(OTHER_CLUSTER),--kubeconfig='$(KUBECONFIG)')

.PHONY: run
run: ## Run the operator from source against KUBECONFIG, webhooks off, its own objects in NAMESPACE.
	ENABLE_WEBHOOKS=false POD_NAMESPACE=$(NAMESPACE) go run . --health-probe-bind-address=:8081

##@ Test

.PHONY: test
test: control-plane build ## Run every test against a real API server, and check the coverage.
	KUBEBUILDER_ASSETS=$(ASSETS) go test -count=1 -timeout=20m -coverpkg=./pkg/...,./controllers/... -coverprofile=cover.out ./...
	@go tool cover -func=cover.out | awk '/^total:/ { sub("%", "", $$3); \
		printf "coverage of pkg/ and controllers/: %s %% (at least $(COVERAGE) %%)\n", $$3; exit $$3 < $(COVERAGE) }'
	go -C hack/localcluster test -count=1 -timeout=10m ./...

# Streaming lists were alpha in v1.29, and end only when something else changes: with them a watch syncs late.
.PHONY: test-1.29
test-1.29: control-plane-1.29 ## Run the suites that talk to an API server on one of v1.29.
	KUBEBUILDER_ASSETS=$(BIN)/k8s-1.29 go test -count=1 -timeout=20m -skip '/^with_WatchList$$' \
		./apis/... ./controllers/... ./pkg/... ./test/docs/... ./test/manifests/...

.PHONY: mutants
mutants: control-plane ## Remove the guards of the rules one by one, and check that a test notices each.
	go run ./test/mutants

.PHONY: bench-latency
bench-latency: control-plane ## Measure the time from change to Job, beside a bare loop's.
	go test ./test/bench -run '^$$' -bench Latency -benchtime 2000x -timeout 30m

.PHONY: bench-memory
bench-memory: control-plane ## Measure the operator's peak memory beside 20,000 objects that nobody references.
	go test ./test/bench -run '^$$' -bench Memory -benchtime 1x -timeout 30m

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME.
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' apis controllers pkg hack | xargs -r dirname | sort -u); do \
		for target in $$(grep -ho --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' -r $$dir | cut -d' ' -f2); do \
			echo "$$dir $$target"; go test ./$$dir -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); \
		done; \
	done

##@ Build

.PHONY: build
build: ## Build the operator to bin/manager.
	$(BUILD) -o bin/manager .

.PHONY: build-linux
build-linux: ## Build the operator for images: bin/manager-linux-amd64 and bin/manager-linux-arm64.
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch $(BUILD) -o bin/manager-linux-$$arch .; done

.PHONY: docker-build
docker-build: build-linux ## Build the image IMG with CONTAINER_TOOL.
	$(CONTAINER_TOOL) build --build-arg TARGETARCH=$$(go env GOARCH) -t $(IMG) .

.PHONY: docker-push
docker-push: ## Push the image IMG with CONTAINER_TOOL.
	$(CONTAINER_TOOL) push $(IMG)

.PHONY: build-installer
build-installer: manifests $(KUSTOMIZE) ## Write all that an installation applies, with image IMG, to dist/install.yaml.
	mkdir -p dist
	$(RENDER) > dist/install.yaml

##@ Deployment

.PHONY: install
install: manifests ## Install the CRD into the cluster of KUBECONFIG.
	$(KUBECTL) apply -f $(CRD)

.PHONY: uninstall
uninstall: ## Remove the CRD, and every ChangeTriggeredJob with it.
	$(KUBECTL) delete --ignore-not-found -f $(CRD)

.PHONY: deploy
deploy: manifests $(KUSTOMIZE) ## Deploy the operator with image IMG to the cluster of KUBECONFIG.
	$(RENDER) | $(KUBECTL) apply -f -

.PHONY: undeploy
undeploy: $(KUSTOMIZE) ## Remove the operator, the CRD, and every ChangeTriggeredJob with it.
	$(RENDER) | $(KUBECTL) delete --ignore-not-found -f -

##@ Cleaning up

.PHONY: clean
clean: ## Delete what was built, and say what that frees.
	@for path in $(BUILT); do if [ -e $$path ]; then du -sh $$path; fi; done
	@rm -rf $(BUILT)
	@echo "Go's build cache is shared with your other projects and stays; 'go clean -cache' frees it."

BUILT := bin dist cover.out
GOFILES = $$(git ls-files --cached --others --exclude-standard '*.go')
# The image is named in config/manager; here it becomes IMG without a change to the tree.
RENDER := $(KUSTOMIZE) build config/default | sed 's|^\( *image: \)ghcr.io/nusnewob/kube-changejob:.*|\1$(IMG)|'
# A control plane that the user brings is respected.
ASSETS = $(or $(KUBEBUILDER_ASSETS),$(BIN)/k8s)

# Each tool is a module of its own, hack/tools/NAME, with its version pinned and its sums checked. It is
# built again only when that changed.
TOOLS := controller-gen kustomize golangci-lint govulncheck
$(TOOLS:%=bin/%): bin/%: hack/tools/%/go.mod hack/tools/%/go.sum
	@echo "building $* $$(go -C hack/tools/$* list -f '{{.Module.Version}}' tool)$(NOTE_$*)"
	@CGO_ENABLED=0 go -C hack/tools/$* build -trimpath -o $(BIN)/$* tool
	@touch $@
NOTE_golangci-lint = $(empty) (takes some minutes the first time)

# The local control plane: control-plane, demo clusters and what belongs to them.
-include hack/localcluster/localcluster.mk
