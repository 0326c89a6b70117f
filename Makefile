# kube-changejob. `make help` lists what can be made.

VERSION ?= 0.2.0
IMG ?= ghcr.io/nusnewob/kube-changejob:v$(VERSION)
BUNDLE_IMG ?= ghcr.io/nusnewob/kube-changejob-bundle:v$(VERSION)
SCORECARD_IMG ?= ghcr.io/nusnewob/kube-changejob-scorecard:v$(VERSION)
CATALOG_IMG ?= ghcr.io/nusnewob/kube-changejob-catalog:v$(VERSION)

# The program that builds images: docker, podman or buildah, with arguments if need be.
CONTAINER_TOOL ?= docker
# The channels that the bundle is in, and the one that a user gets who names none: candidate until 1.0.
CHANNELS ?= candidate,stable
DEFAULT_CHANNEL ?= candidate
# The version before this one in the catalog, and the commit that it is built from.
OLDER_VERSION ?= 0.2.0-alpha.1
OLDER_COMMIT ?= 7b800e6
OLDER_BUNDLE_IMG ?= ghcr.io/nusnewob/kube-changejob-bundle:v$(OLDER_VERSION)
# Where the Helm chart is pushed to, below which its name stands; more flags for that, such as --plain-http.
CHART_REGISTRY ?= oci://ghcr.io/nusnewob/charts
HELM_PUSH_FLAGS ?=
# The image of opm that the catalog's image is built upon.
OPM_IMAGE ?= quay.io/operator-framework/opm:v1.73.0
# The suites that `make test-1.29` runs.
SUITES ?= ./apis/... ./cmd/... ./controllers/... ./pkg/... ./scorecard/... ./test/docs/... ./test/manifests/...
# How long each fuzz target runs, and how many of its processes at a time.
FUZZTIME ?= 10s
FUZZERS ?= 1
# How long the soak of `make faults` lasts, in minutes.
SOAK ?= 5
# More flags of its test program, such as -test.v or -test.run=Soak.
FAULTS_FLAGS ?=
# Which benchmarks `make bench` runs, as a regular expression, and more flags of go test, such as -short.
BENCH ?= .
BENCHFLAGS ?=
# More flags of the check that `make docs` ends with: --committed, --pictures=FOLDER.
DOCS_FLAGS ?=
# The path below which the site of docs/ stands on its host.
DOCS_BASE ?= /
export DOCS_BASE
# The share of pkg/, controllers/ and cmd/ that the tests must cover, in percent.
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
OPERATOR_SDK := bin/operator-sdk
OPM := bin/opm
GOTESTSUM := bin/gotestsum
KUBEBUILDER := bin/kubebuilder
HELM := bin/helm
CYCLONEDX := bin/cyclonedx-gomod
# The local control plane brings a kubectl; until it is built, yours serves.
KUBECTL ?= $(or $(wildcard $(BIN)/k8s/kubectl),kubectl)
CRD := config/crd/bases/triggers.changejob.dev_changetriggeredjobs.yaml

# The demo takes a cluster from the command line alone, and needs no control plane then.
OTHER_CLUSTER := $(filter command line,$(origin KUBECONFIG))

# The operator, and the local control plane, which is a module of its own.
MODULES := . hack/localcluster

BUILD := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=v$(VERSION)"

# What makes docs/ a site, and the npm packages that it is made with; they are the same for everybody, and none is run at its installation.
DOCS_SITE := docs/.vitepress
DOCS_MODULES := $(DOCS_SITE)/node_modules/.package-lock.json

.PHONY: all
all: build

##@ General

.PHONY: help
help: ## List what can be made.
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make TARGET [NAME=VALUE …]" } \
		/^##@/ { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) } \
		/^[a-zA-Z0-9_.-]+:.*## / { printf "  \033[36m%-20s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Development

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate the deep copies of the API types.
	$(CONTROLLER_GEN) object paths=./apis/...

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRD, its reference, that of the metrics, the manager's cluster role and the webhook configuration.
	$(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./apis/... output:crd:dir=config/crd/bases
	go run ./hack/crd $(CRD)
	go run ./hack/apidocs $(CRD) > docs/api-reference.md
	go run ./hack/metricsdocs > docs/metrics.md
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
demo: $(if $(OTHER_CLUSTER),,control-plane) manager ## Show a ConfigMap change turn into a Job; KUBECONFIG=… on the command line uses that cluster.
	@go build -o bin/demo ./hack/demo
	@bin/demo $(if $(OTHER_CLUSTER),--kubeconfig='$(KUBECONFIG)')

.PHONY: run
run: ## Run the operator from source against KUBECONFIG, webhooks off, its own objects in NAMESPACE.
	ENABLE_WEBHOOKS=false POD_NAMESPACE=$(NAMESPACE) go run . --health-probe-bind-address=:8081

##@ Test

.PHONY: test
test: control-plane build promtool $(GOTESTSUM) $(HELM) $(KUSTOMIZE) $(KUBEBUILDER) ## Run every test against a real API server, check the coverage, and that what docs/comparison.md claims is proven.
	KUBEBUILDER_ASSETS=$(ASSETS) $(GOTESTSUM) --format standard-quiet --jsonfile $(TEST_EVENTS) -- -count=1 -timeout=20m $(BESIDE) -coverpkg=./pkg/...,./controllers/...,./cmd/... -coverprofile=cover.out $(LONG_SUITES) ./...
	@go tool cover -func=cover.out | awk '/^total:/ { sub("%", "", $$3); \
		printf "coverage of pkg/, controllers/ and cmd/: %s %% (at least $(COVERAGE) %%)\n", $$3; exit $$3 < $(COVERAGE) }'
	go run ./test/comparison -results $(TEST_EVENTS)
	go -C hack/localcluster test -count=1 -timeout=10m ./...

TEST_EVENTS := bin/test-events.json
# Much of their time the suites wait: for a cooldown, a lease, that nothing happens. So more run beside each other than there are processors. Those that
# take longest begin first, so that none of them is left alone at the end.
BESIDE := -p 3 -parallel 8
LONG_SUITES := ./test/scale ./test/docs ./test/manifests ./test/faults ./scorecard

.PHONY: promtool
promtool: ## Have a promtool for the tests of the alerts: yours, or that of Debian's package prometheus, of which nothing else is installed.
	@if [ -x bin/promtool ] || command -v promtool > /dev/null; then exit 0; fi; \
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; cd "$$folder"; \
	if { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } && dpkg-deb -x prometheus_*.deb .; then \
		mkdir -p $(BIN) && mv usr/bin/promtool $(BIN)/promtool; \
	else \
		echo "SKIPPED: the alerts will NOT be tested: there is no promtool, and Debian's package of it is out of reach."; \
	fi

# Streaming lists were alpha in v1.29, and end only when something else changes: with them a watch syncs late.
.PHONY: test-1.29
test-1.29: control-plane-1.29 $(HELM) ## Run the suites that talk to an API server on one of v1.29.
	KUBEBUILDER_ASSETS=$(BIN)/k8s-1.29 go test -count=1 -timeout=20m $(BESIDE) -skip '/^with_WatchList$$' $(SUITES)

.PHONY: mutants
mutants: control-plane $(KUSTOMIZE) $(KUBEBUILDER) ## Remove the guards of the rules one by one, and check that a test notices each.
	go run ./test/mutants

.PHONY: faults
faults: control-plane ## Break what the operator stands on, in every way a cluster can break, for SOAK minutes also at random, and report what held.
	go test -c -o bin/faults.test ./test/faults
	cd test/faults && FAULTS=all SOAK=$(SOAK) KUBEBUILDER_ASSETS=$(ASSETS) $(BIN)/faults.test -test.timeout=$$(( $(SOAK) + 60 ))m $(FAULTS_FLAGS)

.PHONY: bench
bench: control-plane ## Measure what BENCH names beside a bare loop and what else one could write, and report it in docs/performance.md.
	BENCH_RESULTS=$(BENCH_RESULTS) go test ./test/bench -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 12h $(BENCHFLAGS)
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-report
bench-report: ## Write the tables and plots of docs/performance.md and docs/scaling.md from the figures that were measured.
	for page in performance scaling; do go run ./test/bench/report -figures $(BENCH_RESULTS) -page docs/$$page.md -into $(BENCH_REPORT); done

# What -short measures shows that the benchmarks work, and nothing else: it stays out of the documentation.
BENCH_SHORT := $(filter -short -short=true -test.short,$(BENCHFLAGS))
BENCH_RESULTS ?= $(if $(BENCH_SHORT),$(BIN)/bench/figures.json,$(CURDIR)/docs/performance/figures.json)
BENCH_REPORT ?= $(if $(filter $(CURDIR)/docs/performance/figures.json,$(BENCH_RESULTS)),docs,$(dir $(BENCH_RESULTS)))

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME.
	@for package in $$(go list -f '{{range .TestGoFiles}}{{$$.Dir}}/{{.}}{{"\n"}}{{end}}' ./... | xargs grep -l '^func Fuzz' | xargs dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "== $${package#$(CURDIR)/} $$target, $(FUZZTIME)"; \
			go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel $(FUZZERS); \
		done; \
	done

##@ Documentation

.PHONY: docs
docs: $(DOCS_MODULES) ## Build docs/ as a static site in dist/site, follow its links, and look at every page in Chromium, where there is one.
	npm --prefix $(DOCS_SITE) run --silent test
	npm --prefix $(DOCS_SITE) run --silent build
	npm --prefix $(DOCS_SITE) run --silent check -- $(DOCS_FLAGS)

.PHONY: docs-serve
docs-serve: $(DOCS_MODULES) ## Serve docs/ as a site on this machine, and show each edit at once.
	npm --prefix $(DOCS_SITE) run --silent serve

.PHONY: chromium
chromium: ## Have a Chromium that looks at the site of docs/: yours, or Debian's, which root may install.
	@if [ -n "$${CHROMIUM:-}" ] || command -v chromium chromium-browser google-chrome-stable google-chrome > /dev/null; then exit 0; fi; \
	install() { apt-get install -y --no-install-recommends chromium fonts-liberation > /dev/null; }; \
	if [ "$$(id -u)" != 0 ] || ! { install || { apt-get update && install; }; }; then \
		echo "SKIPPED: nobody will LOOK at the site of docs/: there is no Chromium, and Debian's is out of reach (it takes root to install it)."; \
	fi

##@ Build

.PHONY: build
build: manager plugin ## Build the operator to bin/manager, and the plugin of kubectl to bin/kubectl-changejob.

.PHONY: manager
manager:
	$(BUILD) -o bin/manager .

.PHONY: plugin
plugin: ## Build the plugin of kubectl to bin/kubectl-changejob, which belongs into a folder of PATH.
	$(BUILD) -o bin/kubectl-changejob ./cmd/kubectl-changejob

.PHONY: build-linux
build-linux: ## Build the operator for images: bin/manager-linux-amd64 and bin/manager-linux-arm64.
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch $(BUILD) -o bin/manager-linux-$$arch .; done

.PHONY: docker-build
docker-build: build-linux ## Build the image IMG, for amd64 and arm64, with CONTAINER_TOOL.
	go run ./hack/image build -tool '$(CONTAINER_TOOL)' -binary bin/manager-linux $(IMG)

.PHONY: docker-push
docker-push: ## Push the image IMG with CONTAINER_TOOL.
	go run ./hack/image push -tool '$(CONTAINER_TOOL)' $(IMG)

.PHONY: build-installer
build-installer: manifests $(KUSTOMIZE) ## Write all that an installation applies, with image IMG, to dist/install.yaml.
	mkdir -p dist
	$(RENDER) > dist/install.yaml

.PHONY: sbom
sbom: $(CYCLONEDX) ## Write which modules the operator is made of, with their licences, to dist/sbom-linux-*.cdx.json (CycloneDX).
	mkdir -p dist
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch CGO_ENABLED=0 $(CYCLONEDX) app -json -licenses -std -noserial -notimestamp \
		-output dist/sbom-linux-$$arch.cdx.json .; done

##@ Helm chart

.PHONY: helm-chart
helm-chart: manifests $(KUSTOMIZE) $(KUBEBUILDER) ## Generate the Helm chart config/helm/chart from config/ and config/helm/parts.
	go run ./hack/chart -kustomize $(KUSTOMIZE) -kubebuilder $(KUBEBUILDER) -version $(VERSION)

.PHONY: helm-lint
helm-lint: $(HELM) ## Check the Helm chart as strictly as Helm does.
	$(HELM) lint --strict $(CHART)

.PHONY: helm-package
helm-package: $(HELM) ## Package the Helm chart to dist/kube-changejob-VERSION.tgz.
	mkdir -p dist
	$(HELM) package $(CHART) --destination dist

.PHONY: helm-push
helm-push: helm-package ## Push the Helm chart to CHART_REGISTRY.
	$(HELM) push dist/kube-changejob-$(VERSION).tgz $(CHART_REGISTRY) $(HELM_PUSH_FLAGS)

CHART := config/helm/chart

##@ Bundle for the Operator Lifecycle Manager

.PHONY: bundle
bundle: manifests $(KUSTOMIZE) $(OPERATOR_SDK) ## Generate bundle/ and bundle.Dockerfile from config/manifests, with image IMG.
	$(OPERATOR_SDK) generate kustomize manifests --quiet --interactive=false --apis-dir apis
	rm -rf $(GENERATED) && mkdir -p $(GENERATED) && cp PROJECT $(GENERATED)
	$(KUSTOMIZE) build config/manifests | $(SET_IMAGE) | (cd $(GENERATED) && $(CURDIR)/$(OPERATOR_SDK) generate bundle --quiet \
		--version $(VERSION) --channels $(CHANNELS) --default-channel $(DEFAULT_CHANNEL))
	go run ./hack/bundle -generated $(GENERATED) -icon config/manifests/icon.svg

.PHONY: bundle-validate
bundle-validate: $(OPERATOR_SDK) ## Check bundle/ as OperatorHub does.
	$(OPERATOR_SDK) bundle validate ./bundle --select-optional suite=operatorframework

.PHONY: bundle-build
bundle-build: ## Build the image BUNDLE_IMG of bundle/ with CONTAINER_TOOL.
	go run ./hack/image build -tool '$(CONTAINER_TOOL)' -file bundle.Dockerfile $(BUNDLE_IMG)

.PHONY: bundle-push
bundle-push: ## Push the image BUNDLE_IMG with CONTAINER_TOOL.
	go run ./hack/image push -tool '$(CONTAINER_TOOL)' $(BUNDLE_IMG)

.PHONY: scorecard-build
scorecard-build: ## Build the image SCORECARD_IMG of our scorecard tests with CONTAINER_TOOL.
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch $(BUILD) -o bin/scorecard-linux-$$arch ./scorecard; done
	go run ./hack/image build -tool '$(CONTAINER_TOOL)' -file config/scorecard/scorecard.Dockerfile -binary bin/scorecard-linux $(SCORECARD_IMG)

.PHONY: scorecard-push
scorecard-push: ## Push the image SCORECARD_IMG with CONTAINER_TOOL.
	go run ./hack/image push -tool '$(CONTAINER_TOOL)' $(SCORECARD_IMG)

.PHONY: older
older: $(CONTROLLER_GEN) $(KUSTOMIZE) $(OPERATOR_SDK) ## Generate the bundle of OLDER_VERSION from the sources of OLDER_COMMIT, in bin/older.
	rm -rf $(OLDER) && mkdir -p $(OLDER)/bin
	git archive $(OLDER_COMMIT) | tar -x -C $(OLDER)
	cp $^ $(OLDER)/bin
	env -u MAKEFLAGS $(MAKE) -C $(OLDER) bundle VERSION=$(OLDER_VERSION) CHANNELS=candidate

.PHONY: catalog
catalog: older $(OPM) ## Make a file-based catalog of both versions in bin/catalog.
	rm -rf bin/catalog
	$(CATALOG) -opm $(OPM) -into bin/catalog bundle=$(BUNDLE_IMG) $(OLDER)/bundle=$(OLDER_BUNDLE_IMG)
	$(OPM) validate bin/catalog

.PHONY: catalog-build
catalog-build: ## Build the image CATALOG_IMG of bin/catalog upon OPM_IMAGE, with CONTAINER_TOOL.
	go run ./hack/image build -tool '$(CONTAINER_TOOL)' -file config/catalog/catalog.Dockerfile -arg OPM_IMAGE=$(OPM_IMAGE) $(CATALOG_IMG)

.PHONY: catalog-push
catalog-push: ## Push the image CATALOG_IMG with CONTAINER_TOOL.
	go run ./hack/image push -tool '$(CONTAINER_TOOL)' $(CATALOG_IMG)

.PHONY: community-operators
community-operators: ## Write what is submitted to community-operators to dist/community-operators.
	$(CATALOG) -ci config/catalog/community/ci.yaml -community dist/community-operators/operators/kube-changejob bundle=$(BUNDLE_IMG)

CATALOG := go run ./hack/catalog -package config/catalog/package.yaml -icon config/manifests/icon.svg
GENERATED := bin/bundle
OLDER := bin/older

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

##@ End to end

.PHONY: e2e
e2e: $(HELM) plugin $(if $(OTHER_CLUSTER),,e2e-node) ## Install the operator as users do, on the real node; KUBECONFIG=… IMG=… on the command line use your cluster.
	go test -c -o bin/e2e.test ./test/e2e
	$(if $(OTHER_CLUSTER),,$(IN_NODE)) env E2E=1 $(if $(OTHER_CLUSTER),KUBECONFIG='$(KUBECONFIG)' IMG='$(IMG)',E2E_NODE=1 E2E_AUDIT=$(E2E_AUDIT) E2E_PROMETHEUS=$(PROMETHEUS_IMAGE)) bin/e2e.test -test.v -test.timeout=60m $(E2E_FLAGS)

.PHONY: scorecard
scorecard: ## Run the scorecard's standard suites and ours on the real node, with the operator installed by OLM.
	$(MAKE) e2e E2E_FLAGS='-test.run=^TestScorecard$$$$'

.PHONY: e2e-node
e2e-node: $(OPERATOR_SDK) ## Start the real node, with cert-manager and OLM, and the images of the operator and of Prometheus in its registry.
	$(MAKE) docker-build CONTAINER_TOOL='$(E2E_TOOL)' IMG=$(E2E_REGISTRY)/kube-changejob:v$(VERSION)
	$(MAKE) node-up NODE_FLAGS='--audit-log=$(E2E_AUDIT) $(NODE_FLAGS)'
	$(IN_NODE) $(MAKE) docker-push CONTAINER_TOOL='$(E2E_TOOL)' IMG=$(E2E_REGISTRY)/kube-changejob:v$(VERSION)
	$(MAKE) cert-manager-up
	$(MAKE) prometheus-image
	$(MAKE) olm-up
	$(MAKE) olm-images

# What the API server was asked, for the comparison with what the bundle permits.
E2E_AUDIT := $(BIN)/e2e-audit.log
# More flags of the tests, such as -test.run=TestApply.
E2E_FLAGS ?=
# buildah needs no engine that runs; the node's registry answers for ghcr.io, too.
E2E_TOOL := buildah --storage-driver vfs
E2E_REGISTRY := localhost:5000/nusnewob
IN_NODE = $(LOCALCLUSTER) node-exec --data-dir $(NODE) --

##@ Cleaning up

.PHONY: clean
clean: ## Delete what was built, and say what that frees.
	@for path in $(BUILT); do if [ -e $$path ]; then du -sh $$path; fi; done
	@rm -rf $(BUILT)
	@echo "Go's build cache is shared with your other projects and stays; 'go clean -cache' frees it."

BUILT := bin dist cover.out $(DOCS_SITE)/node_modules $(DOCS_SITE)/cache
GOFILES = $$(git ls-files --cached --others --exclude-standard '*.go')
# The image is named in config/manager; here it becomes IMG without a change to the tree.
SET_IMAGE := sed 's|^\( *image: \)ghcr.io/nusnewob/kube-changejob:.*|\1$(IMG)|'
RENDER := $(KUSTOMIZE) build config/default | $(SET_IMAGE)
# A control plane that the user brings is respected.
ASSETS = $(or $(KUBEBUILDER_ASSETS),$(BIN)/k8s)

$(DOCS_MODULES): $(DOCS_SITE)/package.json $(DOCS_SITE)/package-lock.json $(DOCS_SITE)/.npmrc
	@command -v npm > /dev/null || { echo "make docs needs Node.js (20 or later) with npm"; exit 1; }
	npm --prefix $(DOCS_SITE) ci
	@touch $@

# Each tool is a module of its own, hack/tools/NAME, with its version pinned and its sums checked. It is
# built again only when that changed.
TOOLS := controller-gen kustomize golangci-lint govulncheck operator-sdk opm cyclonedx-gomod gotestsum kubebuilder helm
$(TOOLS:%=bin/%): bin/%: hack/tools/%/go.mod hack/tools/%/go.sum
	@echo "building $* $$(go -C hack/tools/$* list -f '{{.Module.Version}}' tool)$(NOTE_$*)"
	@CGO_ENABLED=0 go -C hack/tools/$* build -trimpath $(FLAGS_$*) -o $(BIN)/$* tool
	@touch $@
NOTE_golangci-lint = $(empty) (takes some minutes the first time)
NOTE_operator-sdk = $(NOTE_golangci-lint)
NOTE_opm = $(NOTE_golangci-lint)
# operator-sdk writes its version into what it generates.
FLAGS_operator-sdk = -tags containers_image_openpgp -ldflags "-X github.com/operator-framework/operator-sdk/internal/version.Version=$$(go \
	-C hack/tools/operator-sdk list -f '{{.Module.Version}}' tool)"
FLAGS_opm = -tags json1,containers_image_openpgp

# The local control plane: control-plane, demo clusters and what belongs to them.
-include hack/localcluster/localcluster.mk
