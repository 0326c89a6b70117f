package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// architectures are those of every image, as Go and OCI name them.
var architectures = []string{"amd64", "arm64"}

// tool builds images.
type tool struct {
	name string
	// prefix is the program with the arguments that come before any subcommand.
	prefix []string
}

// command is one run of a tool.
type command struct {
	args []string
	env  []string
	// mayFail marks a command whose failure means that there was nothing to do.
	mayFail bool
}

// toolOf reads a program with its arguments.
func toolOf(words string) (tool, error) {
	prefix := strings.Fields(words)
	if len(prefix) == 0 {
		return tool{}, fmt.Errorf("no tool named; docker, podman and buildah are known")
	}
	name := filepath.Base(prefix[0])
	if !slices.Contains([]string{"docker", "podman", "buildah"}, name) {
		return tool{}, fmt.Errorf("%s: docker, podman and buildah are known", name)
	}
	return tool{name: name, prefix: prefix}, nil
}

func (t tool) command(args ...string) command {
	return command{args: slices.Concat(t.prefix, args)}
}

// recipe says what an image is built of.
type recipe struct {
	file string
	// args are the build arguments, as NAME=VALUE.
	args []string
	// epoch is the time that files and image bear, in seconds since 1970.
	epoch int64
}

// build returns the commands that build an index from the folder they run in.
func (t tool) build(r recipe, image string) []command {
	date := strconv.FormatInt(r.epoch, 10)
	rest := []string{"--file", r.file}
	for _, arg := range r.args {
		rest = append(rest, "--build-arg", arg)
	}
	rest = append(rest, ".")
	if t.name == "docker" {
		// An engine that keeps no indexes says that multi-platform needs the containerd image store.
		c := t.command("buildx", "build", "--platform", platforms(), "--provenance=false", "--sbom=false",
			"--output", "type=image,name="+image+",oci-mediatypes=true,rewrite-timestamp=true")
		c.args = append(c.args, rest...)
		c.env = []string{"SOURCE_DATE_EPOCH=" + date}
		return []command{c}
	}
	// What an earlier build left under this name would stay in the index.
	forget := t.command("manifest", "rm", image)
	forget.mayFail = true
	commands := []command{forget}
	for _, arch := range architectures {
		c := t.command("build", "--os", "linux", "--arch", arch, "--build-arg", "TARGETARCH="+arch,
			"--manifest", image, "--layers=false", "--timestamp", date, "--identity-label=false", "--format", "oci")
		c.args = append(c.args, rest...)
		commands = append(commands, c)
	}
	return commands
}

// push returns the commands that push an index that was built, to the registry that its name begins with.
func (t tool) push(image string) []command {
	if t.name == "docker" {
		return []command{t.command("push", image)}
	}
	c := t.command("manifest", "push", "--all", "--format", "oci")
	if isLoopback(image) {
		// As docker does by itself.
		c.args = append(c.args, "--tls-verify=false")
	}
	c.args = append(c.args, image, "docker://"+image)
	return []command{c}
}

// isLoopback reports whether an image's registry is on this machine.
func isLoopback(image string) bool {
	registry, _, _ := strings.Cut(image, "/")
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func platforms() string {
	list := make([]string, len(architectures))
	for i, arch := range architectures {
		list[i] = "linux/" + arch
	}
	return strings.Join(list, ",")
}
