# The local control plane: what `make` needs to build, start and stop it. Included by the Makefile.

LOCALCLUSTER := bin/localcluster
LOCALCLUSTER_SOURCES := $(filter-out %_test.go,$(wildcard hack/localcluster/*.go hack/localcluster/lifeline/*.go)) hack/localcluster/go.mod
DEV_CLUSTER := .dev-cluster

$(LOCALCLUSTER): $(LOCALCLUSTER_SOURCES)
	cd hack/localcluster && GOOS= GOARCH= CGO_ENABLED=0 go build -trimpath -buildvcs=false -o $(CURDIR)/$@ .

##@ Local control plane

.PHONY: control-plane
control-plane: $(LOCALCLUSTER) ## Build etcd, Kubernetes and kwok into bin/k8s (about 14 minutes the first time, then nothing).
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
