# The local control plane: what `make` needs to build, start and stop it. Included by the Makefile.

LOCALCLUSTER := bin/localcluster
LOCALCLUSTER_SOURCES := $(filter-out %_test.go,$(wildcard hack/localcluster/*.go hack/localcluster/lifeline/*.go)) hack/localcluster/go.mod \
	$(wildcard hack/localcluster/nodeconfig/*)
DEV_CLUSTER := .dev-cluster
NODE := .node
# More flags of node-up, such as --audit-log=audit.log.
NODE_FLAGS ?=
# What is built for the real node besides the control plane, and what of it comes from Debian.
NODE_PROGRAMS := kubernetes-node containerd containerd-shim-runc-v2 ctr coredns registry pause
NODE_PACKAGES := runc containernetworking-plugins iptables nftables iproute2 util-linux busybox-static

$(LOCALCLUSTER): $(LOCALCLUSTER_SOURCES)
	cd hack/localcluster && GOOS= GOARCH= CGO_ENABLED=0 go build -trimpath -buildvcs=false -o $(CURDIR)/$@ .

##@ Local control plane

.PHONY: control-plane
control-plane: $(LOCALCLUSTER) ## Build etcd, Kubernetes and kwok into bin/k8s (about 10 minutes the first time, then nothing).
	@$(LOCALCLUSTER) build

.PHONY: control-plane-1.29
control-plane-1.29: $(LOCALCLUSTER) ## Build the API server of Kubernetes 1.29 into bin/k8s-1.29 (about 7 minutes more the first time).
	@$(LOCALCLUSTER) build kubernetes kubernetes-1.29

.PHONY: preflight
preflight: $(LOCALCLUSTER) ## Say what this machine lacks for building the local control plane.
	@$(LOCALCLUSTER) preflight

.PHONY: dev-cluster
dev-cluster: control-plane ## Start a control plane with a simulated node in the background; its kubeconfig is .dev-cluster/kubeconfig.
	@$(LOCALCLUSTER) up --data-dir $(DEV_CLUSTER) --node --crds config/crd/bases

.PHONY: dev-cluster-down
dev-cluster-down: $(LOCALCLUSTER) ## Stop the control plane of dev-cluster and remove .dev-cluster.
	@$(LOCALCLUSTER) down --data-dir $(DEV_CLUSTER)

.PHONY: test-localcluster
test-localcluster: control-plane ## Test the local control plane itself.
	cd hack/localcluster && go vet ./... && go test ./...

##@ Real node (Linux, root)

.PHONY: node
node: $(LOCALCLUSTER) ## Build kubelet, containerd, CoreDNS and a registry into bin/node (about 8 minutes more the first time).
	@$(LOCALCLUSTER) build kubernetes $(NODE_PROGRAMS)

.PHONY: node-tools
node-tools: ## Install with apt-get what the real node takes from Debian: runc, CNI plugins, nftables, busybox and the like.
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $(NODE_PACKAGES)

.PHONY: node-possible
node-possible: $(LOCALCLUSTER)
	@$(LOCALCLUSTER) node-preflight --built=false

.PHONY: node-up
node-up: node-possible node ## Start a control plane with a real node, on which containers run, in a network of its own.
	@$(LOCALCLUSTER) node-up --data-dir $(NODE) $(NODE_FLAGS)

.PHONY: node-down
node-down: $(LOCALCLUSTER) ## End the node, and leave nothing of it.
	@$(LOCALCLUSTER) node-down --data-dir $(NODE)

.PHONY: test-node
test-node: $(LOCALCLUSTER) ## Test the real node; where none can run, that is said and skipped.
	@if $(LOCALCLUSTER) node-preflight --built=false; then $(MAKE) --no-print-directory node; fi
	cd hack/localcluster/registry && go vet ./... && go test ./...
	cd hack/localcluster/olm && go vet ./install && go test ./install
	cd hack/localcluster && LOCALCLUSTER_TEST_NODE=1 go test -count=1 -timeout=20m -run '^TestNode' -v .

##@ OLM on the real node

.PHONY: olm-programs
olm-programs: $(LOCALCLUSTER) ## Build OLM, opm and the standard scorecard tests into bin/olm (about 9 minutes more the first time).
	@$(LOCALCLUSTER) build $(OLM_PROGRAMS)

# It is there for whoever has the node up; again, it changes nothing.
.PHONY: olm-up
olm-up: olm-programs ## Install OLM into the node of node-up.
	@$(IN_NODE) bin/olm/install --programs=bin/olm $(OLM_MODULES)

.PHONY: olm-images
olm-images: catalog ## Build the images of bundles, catalog and scorecard, and of the older operator, and push them to the node.
	$(MAKE) -C $(OLDER) docker-build bundle-build VERSION=$(OLDER_VERSION) $(call node_images,$(OLDER_VERSION))
	$(MAKE) bundle-build scorecard-build $(call node_images,$(VERSION))
	$(IN_NODE) $(MAKE) -C $(OLDER) docker-push bundle-push VERSION=$(OLDER_VERSION) $(call node_images,$(OLDER_VERSION))
	$(IN_NODE) $(MAKE) bundle-push scorecard-push $(call node_images,$(VERSION))
	printf '[[registry]]\nprefix = "quay.io"\nlocation = "localhost:5000"\ninsecure = true\n' > bin/olm/registries.conf
	$(IN_NODE) env CONTAINERS_REGISTRIES_CONF=$(BIN)/olm/registries.conf $(MAKE) catalog-build catalog-push $(call node_images,$(VERSION))

##@ cert-manager on the real node

.PHONY: cert-manager
cert-manager: $(LOCALCLUSTER) ## Build cert-manager into bin/certmanager (about 3 minutes more the first time).
	@$(LOCALCLUSTER) build cert-manager

# It is there for whoever has the node up; again, it changes nothing.
.PHONY: cert-manager-up
cert-manager-up: cert-manager ## Install cert-manager into the node of node-up.
	@rm -rf bin/certmanager/root && mkdir -p bin/certmanager/root && ln bin/certmanager/cert-manager bin/certmanager/root
	@$(IN_NODE) registry build --root=bin/certmanager/root --entrypoint=/cert-manager --user=65532:65532 localhost:5000/cert-manager:$(CERT_MANAGER_VERSION)
	@for manifests in $(CERT_MANAGER_DIR)/deploy/crds hack/localcluster/certmanager/manifests.yaml; do \
		$(IN_NODE) kubectl apply --server-side --filename=$$manifests >/dev/null; \
	done
	@$(IN_NODE) kubectl rollout status --namespace=cert-manager --timeout=3m deployment/cert-manager deployment/cert-manager-cainjector deployment/cert-manager-webhook
	@for hooks in mutating validating; do $(IN_NODE) kubectl wait --timeout=1m $${hooks}webhookconfiguration/cert-manager-webhook \
		--for=jsonpath='{.webhooks[0].clientConfig.caBundle}'; done

CERT_MANAGER_VERSION = $$(go -C hack/localcluster/certmanager list -m -f '{{.Version}}' github.com/cert-manager/cert-manager)
CERT_MANAGER_DIR = $$(go -C hack/localcluster/certmanager list -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)

##@ Prometheus on the real node

.PHONY: prometheus
prometheus: $(LOCALCLUSTER) ## Build Prometheus into bin/prometheus (about 4 minutes more the first time).
	@$(LOCALCLUSTER) build prometheus

# Its user interface is no part of it: nobody looks there.
.PHONY: prometheus-image
prometheus-image: prometheus ## Build the image of Prometheus, and push it to the node of node-up.
	@rm -rf bin/prometheus/root && mkdir -p bin/prometheus/root && ln bin/prometheus/prometheus bin/prometheus/root
	@$(IN_NODE) registry build --root=bin/prometheus/root --entrypoint=/prometheus --user=65532:65532 $(PROMETHEUS_IMAGE)

PROMETHEUS_IMAGE = localhost:5000/prometheus:$$(go -C hack/localcluster/prometheus list -m -f '{{.Version}}' github.com/prometheus/prometheus)

# The images of this version, as they are pushed to the node's registry. It answers for ghcr.io, too.
node_images = CONTAINER_TOOL='$(E2E_TOOL)' IMG=$(E2E_REGISTRY)/kube-changejob:v$(1) BUNDLE_IMG=$(E2E_REGISTRY)/kube-changejob-bundle:v$(1) \
	SCORECARD_IMG=$(E2E_REGISTRY)/kube-changejob-scorecard:v$(1) CATALOG_IMG=$(E2E_REGISTRY)/kube-changejob-catalog:v$(1)
OLM_PROGRAMS := olm olm-catalog olm-package-server olm-copy-content olm-cpb olm-opm grpc-health-probe olm-install scorecard-test
OLM_MODULES = $$(go -C hack/localcluster/olm list -m -f '--chart={{.Dir}}/deploy/chart --version={{.Version}}' \
	github.com/operator-framework/operator-lifecycle-manager) $$(go -C hack/localcluster/olm list -m -f '--opm-version={{.Version}}' \
	github.com/operator-framework/operator-registry) $$(go -C hack/localcluster/scorecard-test list -m -f '--sdk-version={{.Version}}' \
	github.com/operator-framework/operator-sdk)
