package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// component is a program that `build` compiles, from a Go module beside this one.
type component struct {
	name string
	// module is the folder of that module, "" for one that is called as the component is, and pkg the program's package: ""
	// for the module's own, ./DIR for another of it, and an import path for one that its tool directives name.
	module, pkg string
	tags        []string
	// output is the program's place in the folder of programs, and links are more names for it there, by their targets.
	output string
	links  map[string]string
	// dependency is the module whose version the program is stamped with; flags makes that into linker flags, if it has any.
	dependency string
	flags      func(version string) []string
	// minutes is how long a first build took on two cores, and gigabytes what its modules, compiled packages and program
	// fill. Both are measured, and for telling people only.
	minutes, gigabytes int
	// optional components are built only when they are named.
	optional bool
}

// components are all that can be built, in the order in which they are.
var components = []component{
	{
		name:   "kubernetes",
		output: "k8s/kubernetes",
		links: map[string]string{
			"k8s/etcd": "kubernetes", "k8s/kube-apiserver": "kubernetes", "k8s/kube-controller-manager": "kubernetes",
			"k8s/kube-scheduler": "kubernetes", "k8s/kubectl": "kubernetes",
		},
		dependency: "k8s.io/kubernetes", flags: kubernetesVersion,
		minutes: 11, gigabytes: 6,
	},
	{
		name:       "kwok",
		output:     "k8s/kwok",
		dependency: "sigs.k8s.io/kwok", flags: kwokVersion,
		minutes: 3, gigabytes: 1,
	},
	{
		name:   "kubernetes-1.29",
		output: "k8s-1.29/kube-apiserver",
		// Its etcd, kubectl and controllers are those of the newer one: the Job controller was seen to work with it.
		links: map[string]string{
			"k8s-1.29/etcd": "../k8s/kubernetes", "k8s-1.29/kubectl": "../k8s/kubernetes",
			"k8s-1.29/kube-controller-manager": "../k8s/kubernetes",
		},
		dependency: "k8s.io/kubernetes", flags: kubernetesVersion,
		minutes: 7, gigabytes: 4,
		optional: true,
	},
	// What follows is for the real node. kubelet and kube-proxy are not in the control plane's binary: whoever needs no node
	// need not wait for them.
	{
		name:       "kubernetes-node",
		module:     "kubernetes",
		pkg:        "./node",
		output:     "node/kubernetes-node",
		links:      map[string]string{"node/kubelet": "kubernetes-node", "node/kube-proxy": "kubernetes-node"},
		dependency: "k8s.io/kubernetes", flags: kubernetesVersion,
		minutes: 2, gigabytes: 1,
		optional: true,
	},
	{
		name:       "containerd",
		pkg:        "github.com/containerd/containerd/v2/cmd/containerd",
		tags:       containerdTags,
		output:     "node/containerd",
		dependency: "github.com/containerd/containerd/v2", flags: containerdVersion,
		minutes: 3, gigabytes: 1,
		optional: true,
	},
	{
		name:       "containerd-shim-runc-v2",
		module:     "containerd",
		pkg:        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
		tags:       containerdTags,
		output:     "node/containerd-shim-runc-v2",
		dependency: "github.com/containerd/containerd/v2", flags: containerdVersion,
		optional: true,
	},
	{
		name:       "ctr",
		module:     "containerd",
		pkg:        "github.com/containerd/containerd/v2/cmd/ctr",
		tags:       containerdTags,
		output:     "node/ctr",
		dependency: "github.com/containerd/containerd/v2", flags: containerdVersion,
		optional: true,
	},
	{
		name:       "coredns",
		output:     "node/coredns",
		dependency: "github.com/coredns/coredns",
		minutes:    2, gigabytes: 1,
		optional: true,
	},
	{
		name:       "registry",
		output:     "node/registry",
		links:      map[string]string{"node/crane": "registry"},
		dependency: "github.com/google/go-containerregistry", flags: craneVersion,
		minutes:  1,
		optional: true,
	},
	{
		name:       "pause",
		module:     "registry",
		pkg:        "./pause",
		output:     "node/pause",
		dependency: "github.com/google/go-containerregistry",
		optional:   true,
	},
	// What follows is for OLM on the real node: the programs of its images, and what installs it.
	{
		name:       "olm",
		pkg:        olmModule + "/cmd/olm",
		tags:       olmTags,
		output:     "olm/olm",
		dependency: olmModule, flags: olmVersion,
		minutes: 5, gigabytes: 2,
		optional: true,
	},
	{
		name:       "olm-catalog",
		module:     "olm",
		pkg:        olmModule + "/cmd/catalog",
		tags:       olmTags,
		output:     "olm/catalog",
		dependency: olmModule, flags: olmVersion,
		optional: true,
	},
	{
		name:       "olm-package-server",
		module:     "olm",
		pkg:        olmModule + "/cmd/package-server",
		tags:       olmTags,
		output:     "olm/package-server",
		dependency: olmModule, flags: olmVersion,
		optional: true,
	},
	{
		name:       "olm-copy-content",
		module:     "olm",
		pkg:        olmModule + "/cmd/copy-content",
		tags:       olmTags,
		output:     "olm/copy-content",
		dependency: olmModule, flags: olmVersion,
		optional: true,
	},
	{
		name:       "olm-cpb",
		module:     "olm",
		pkg:        olmModule + "/util/cpb",
		tags:       olmTags,
		output:     "olm/cpb",
		dependency: olmModule, flags: olmVersion,
		optional: true,
	},
	{
		name:       "olm-opm",
		module:     "olm",
		pkg:        "github.com/operator-framework/operator-registry/cmd/opm",
		tags:       olmTags,
		output:     "olm/opm",
		dependency: "github.com/operator-framework/operator-registry",
		optional:   true,
	},
	{
		name:       "grpc-health-probe",
		module:     "olm",
		pkg:        "github.com/grpc-ecosystem/grpc-health-probe",
		output:     "olm/grpc-health-probe",
		dependency: "github.com/grpc-ecosystem/grpc-health-probe",
		optional:   true,
	},
	{
		name:       "olm-install",
		module:     "olm",
		pkg:        "./install",
		output:     "olm/install",
		dependency: olmModule,
		optional:   true,
	},
	{
		name:       "scorecard-test",
		pkg:        "github.com/operator-framework/operator-sdk/images/scorecard-test",
		tags:       olmTags,
		output:     "olm/scorecard-test",
		dependency: "github.com/operator-framework/operator-sdk",
		minutes:    4, gigabytes: 1,
		optional: true,
	},
	// What follows is for cert-manager on the real node.
	{
		name:       "cert-manager",
		module:     "certmanager",
		output:     "certmanager/cert-manager",
		dependency: certManagerModule, flags: certManagerVersion,
		minutes: 3, gigabytes: 1,
		optional: true,
	},
	// What follows is for the end-to-end tests of metrics and alerts.
	{
		name:       "prometheus",
		pkg:        prometheusModule + "/cmd/prometheus",
		tags:       prometheusTags,
		output:     "prometheus/prometheus",
		dependency: prometheusModule, flags: prometheusVersion,
		minutes: 4, gigabytes: 2,
		optional: true,
	},
}

const (
	olmModule         = "github.com/operator-framework/operator-lifecycle-manager"
	certManagerModule = "github.com/cert-manager/cert-manager"
	prometheusModule  = "github.com/prometheus/prometheus"
)

// olmTags are those that OLM and operator-registry are released with: no C library is needed for signatures.
var olmTags = []string{"json1", "containers_image_openpgp"}

// containerdTags leave out the file systems that the node does not use, and every C library.
var containerdTags = []string{"no_btrfs", "no_zfs", "no_devmapper", "no_aufs", "osusergo", "netgo"}

// prometheusTags leave out all ways to find out what is to be scraped but the API server: those are most of the program.
var prometheusTags = []string{"netgo", "remove_all_sd", "enable_kubernetes_sd"}

// kubernetesVersion stamps a version as Kubernetes' own build does; kubectl and clients cannot parse the unstamped one.
func kubernetesVersion(version string) []string {
	const variable = "-X k8s.io/component-base/version."
	numbers := strings.Split(strings.TrimPrefix(version, "v"), ".")
	return []string{
		variable + "gitVersion=" + version,
		variable + "gitMajor=" + numbers[0],
		variable + "gitMinor=" + numbers[1],
		variable + "gitTreeState=clean",
	}
}

func kwokVersion(version string) []string {
	return []string{"-X sigs.k8s.io/kwok/pkg/consts.Version=" + strings.TrimPrefix(version, "v")}
}

func containerdVersion(version string) []string {
	return []string{"-X github.com/containerd/containerd/v2/version.Version=" + version}
}

func olmVersion(version string) []string {
	return []string{"-X " + olmModule + "/pkg/version.OLMVersion=" + strings.TrimPrefix(version, "v")}
}

func certManagerVersion(version string) []string {
	return []string{"-X " + certManagerModule + "/pkg/util.AppVersion=" + version}
}

// prometheusVersion stamps the module's version, v0.316.0, of the release that is called 3.16.0.
func prometheusVersion(version string) []string {
	return []string{"-X github.com/prometheus/common/version.Version=" + version}
}

func craneVersion(version string) []string {
	return []string{"-X github.com/google/go-containerregistry/cmd/crane/cmd.Version=" + version}
}

// folder is the folder of the component's module, beneath that of all modules.
func (c component) folder() string {
	if c.module != "" {
		return c.module
	}
	return c.name
}

// target is the package that `go build` builds in the component's module.
func (c component) target() string {
	if c.pkg != "" {
		return c.pkg
	}
	return "."
}

// selected returns the named components in the order of their building, without names all that are not optional.
func selected(names []string) ([]component, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	var chosen []component
	for _, c := range components {
		if wanted[c.name] || len(names) == 0 && !c.optional {
			chosen = append(chosen, c)
		}
		delete(wanted, c.name)
	}
	for name := range wanted {
		return nil, fmt.Errorf("no component is called %q", name)
	}
	return chosen, nil
}

// buildFlags are the flags of `go build` for the component, whose module is in dir. They do not depend on the machine, the
// folder or the commit, so that the program changes only when its sources do.
func (c component) buildFlags(dir string) ([]string, error) {
	version, err := c.version(dir)
	if err != nil {
		return nil, err
	}
	ldflags := []string{"-s", "-w"}
	if c.flags != nil {
		ldflags = append(ldflags, c.flags(version)...)
	}
	flags := []string{"-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags=" + strings.Join(ldflags, " ")}
	if len(c.tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(c.tags, ","))
	}
	return flags, nil
}

// version reads from the component's go.mod which version of its dependency it requires.
func (c component) version(dir string) (string, error) {
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	match := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(c.dependency) + ` (v\d+\.\d+\.\d+\S*)`).FindSubmatch(content)
	if match == nil {
		return "", fmt.Errorf("%s/go.mod does not require %s", dir, c.dependency)
	}
	return string(match[1]), nil
}

// fingerprint identifies what the component is made from: the sources in dirs (its module and package, and the package lifeline), which
// pin all others by their hashes in go.sum, and the words, which tell compiler and flags.
func fingerprint(dirs []string, words ...string) (string, error) {
	var files []string
	for _, dir := range dirs {
		for _, pattern := range []string{"*.go", "go.mod", "go.sum"} {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return "", err
			}
			for _, file := range found {
				if !strings.HasSuffix(file, "_test.go") {
					files = append(files, file)
				}
			}
		}
	}
	sort.Strings(files)
	sum := sha256.New()
	for _, word := range words {
		_, _ = fmt.Fprintf(sum, "%q\n", word)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%q %d\n", filepath.Base(file), len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
