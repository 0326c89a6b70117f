package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// installed returns a tool with a storage of its own, where it is installed.
func installed(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED: images were NOT built with %[1]s: it is not installed (apt-get install %[1]s)", name)
	}
	// podman wants a short path.
	dir, err := os.MkdirTemp("", "image")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	// Needs neither mounts, nor a daemon, nor the machine's own storage.
	t.Setenv("BUILDAH_ISOLATION", "chroot")
	return strings.Join([]string{program, "--storage-driver", "vfs", "--root", dir + "/root", "--runroot", dir + "/run"}, " ")
}

// descriptor, manifest and config are the parts of OCI's that the tests look at.
type descriptor struct {
	Digest   string
	Platform struct{ OS, Architecture string }
}

type manifest struct {
	Config    descriptor
	Layers    []descriptor
	Manifests []descriptor
}

type config struct {
	OS, Architecture string
	Config           struct {
		User       string
		Entrypoint []string
		Labels     map[string]string
	}
}

// built is an index as it is pushed: its digest, and what it holds for each architecture.
type built struct {
	digest string
	images map[string]content
}

type content struct {
	config config
	files  map[string]*tar.Header
}

// build builds an index in dir, and returns it as a registry would get it.
func build(t *testing.T, dir, tool string, args ...string) built {
	t.Helper()
	t.Chdir(dir)
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	const image = "example.org/image:v1"
	require.NoError(t, run(t.Context(), append(append([]string{"build", "-tool", tool}, args...), image)))
	layout := t.TempDir()
	push := exec.Command(strings.Fields(tool)[0], append(strings.Fields(tool)[1:], "manifest", "push", "--all", image, "oci:"+layout)...)
	out, err := push.CombinedOutput()
	require.NoError(t, err, string(out))

	top := decode[manifest](t, filepath.Join(layout, "index.json"))
	require.Len(t, top.Manifests, 1)
	result := built{digest: top.Manifests[0].Digest, images: map[string]content{}}
	for _, entry := range decode[manifest](t, blob(layout, top.Manifests[0])).Manifests {
		image := decode[manifest](t, blob(layout, entry))
		require.Equal(t, "linux", entry.Platform.OS)
		result.images[entry.Platform.Architecture] = content{
			config: decode[config](t, blob(layout, image.Config)),
			files:  filesOf(t, layout, image.Layers),
		}
	}
	return result
}

func blob(layout string, d descriptor) string {
	return filepath.Join(layout, "blobs", strings.ReplaceAll(d.Digest, ":", "/"))
}

func decode[T any](t *testing.T, path string) T {
	t.Helper()
	var into T
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &into), path)
	return into
}

func filesOf(t *testing.T, layout string, layers []descriptor) map[string]*tar.Header {
	t.Helper()
	files := map[string]*tar.Header{}
	for _, layer := range layers {
		data, err := os.ReadFile(blob(layout, layer))
		require.NoError(t, err)
		unzipped, err := gzip.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		for archive := tar.NewReader(unzipped); ; {
			header, err := archive.Next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			if header.Typeflag == tar.TypeReg {
				files[header.Name] = header
			}
		}
	}
	return files
}

// stubs writes static programs that do nothing to bin/NAME-linux-*.
func stubs(t *testing.T, dir, name string) {
	t.Helper()
	source := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(source, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(source, "go.mod"), []byte("module stub\n\ngo 1.26\n"), 0o644))
	for _, arch := range architectures {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "bin", name+"-linux-"+arch), ".")
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// copyInto copies files and folders of the tree.
func copyInto(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		source := filepath.Join(root, name)
		info, err := os.Stat(source)
		require.NoError(t, err)
		if info.IsDir() {
			require.NoError(t, os.CopyFS(filepath.Join(dir, name), os.DirFS(source)))
			continue
		}
		data, err := os.ReadFile(source)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
}

// touch gives every file in dir another time.
func touch(t *testing.T, dir string) {
	t.Helper()
	now := time.Now().Add(time.Hour)
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, now, now)
	}))
}

func TestAnImageIsAnIndexThatCanBeBuiltAgain(t *testing.T) {
	for name, file := range map[string]string{"manager": "Dockerfile", "scorecard": "config/scorecard/scorecard.Dockerfile"} {
		t.Run(name, func(t *testing.T) {
			tool, dir := installed(t, "buildah"), t.TempDir()
			copyInto(t, dir, file, ".dockerignore")
			stubs(t, dir, name)

			first := build(t, dir, tool, "-file", file, "-binary", "bin/"+name+"-linux")
			assert.ElementsMatch(t, architectures, slices.Collect(maps.Keys(first.images)))
			for arch, image := range first.images {
				assert.Equal(t, arch, image.config.Architecture)
				assert.Equal(t, "linux", image.config.OS)
				assert.Equal(t, "65532:65532", image.config.Config.User, "a number, so that runAsNonRoot can be checked")
				assert.Equal(t, []string{"/" + name}, image.config.Config.Entrypoint)
				require.Len(t, image.files, 1, "nothing else is in it")
				program := image.files[name]
				require.NotNil(t, program)
				assert.EqualValues(t, 0o755, program.Mode&0o777)
				stub, err := os.Stat(filepath.Join(dir, "bin", name+"-linux-"+arch))
				require.NoError(t, err)
				assert.Equal(t, stub.Size(), program.Size, "the program of its architecture")
			}

			touch(t, dir)
			again := build(t, dir, tool, "-file", file)
			assert.Equal(t, first.digest, again.digest, "of files with other times, over an earlier build")
			elsewhere := build(t, dir, installed(t, "buildah"), "-file", file)
			assert.Equal(t, first.digest, elsewhere.digest, "in another storage")
		})
	}
}

func TestPodmanBuildsWhatBuildahBuilds(t *testing.T) {
	podman, buildah, dir := installed(t, "podman"), installed(t, "buildah"), t.TempDir()
	copyInto(t, dir, "Dockerfile", ".dockerignore")
	stubs(t, dir, "manager")
	assert.Equal(t, build(t, dir, buildah).digest, build(t, dir, podman).digest)
}

func TestTheBundlesImageHoldsTheBundle(t *testing.T) {
	tool, dir := installed(t, "buildah"), t.TempDir()
	copyInto(t, dir, "bundle.Dockerfile", ".dockerignore", "bundle")

	first := build(t, dir, tool, "-file", "bundle.Dockerfile")
	assert.ElementsMatch(t, architectures, slices.Collect(maps.Keys(first.images)))
	var want []string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "bundle"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			path, err = filepath.Rel(filepath.Join(dir, "bundle"), path)
			want = append(want, path)
		}
		return err
	}))
	for _, image := range first.images {
		assert.ElementsMatch(t, want, slices.Collect(maps.Keys(image.files)))
		assert.Equal(t, "kube-changejob", image.config.Config.Labels["operators.operatorframework.io.bundle.package.v1"])
		for name, file := range image.files {
			assert.EqualValues(t, 0o444, file.Mode&0o444, "%s: OLM reads it as another user", name)
		}
	}

	touch(t, dir)
	assert.Equal(t, first.digest, build(t, dir, installed(t, "buildah"), "-file", "bundle.Dockerfile").digest)
}

func TestTheCatalogsImageHoldsCatalogAndOpmOfItsArchitecture(t *testing.T) {
	tool, dir := installed(t, "buildah"), t.TempDir()
	copyInto(t, dir, "config/catalog/catalog.Dockerfile", ".dockerignore")
	stubs(t, dir, "manager")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin", "catalog", "kube-changejob"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "catalog", "kube-changejob", "catalog.yaml"), []byte("---\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "opm.Dockerfile"),
		[]byte("FROM scratch\nARG TARGETARCH\nCOPY bin/manager-linux-${TARGETARCH} /bin/opm\n"), 0o644))
	t.Chdir(dir)
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	require.NoError(t, run(t.Context(), []string{"build", "-tool", tool, "-file", "opm.Dockerfile", "localhost/opm:v1"}))

	catalog := build(t, dir, tool, "-file", "config/catalog/catalog.Dockerfile", "-arg", "OPM_IMAGE=localhost/opm:v1")
	assert.ElementsMatch(t, architectures, slices.Collect(maps.Keys(catalog.images)))
	for arch, image := range catalog.images {
		assert.ElementsMatch(t, []string{"bin/opm", "configs/kube-changejob/catalog.yaml"}, slices.Collect(maps.Keys(image.files)))
		assert.Equal(t, "/configs", image.config.Config.Labels["operators.operatorframework.io.index.configs.v1"])
		assert.Equal(t, []string{"/bin/opm"}, image.config.Config.Entrypoint)
		stub, err := os.Stat(filepath.Join(dir, "bin", "manager-linux-"+arch))
		require.NoError(t, err)
		assert.Equal(t, stub.Size(), image.files["bin/opm"].Size, arch)
	}
}

func TestAProgramThatWouldNotRunInTheImageIsRefused(t *testing.T) {
	dir := t.TempDir()
	prefix := filepath.Join(dir, "bin", "manager-linux")
	assert.ErrorContains(t, checkBinaries(prefix), "manager-linux-arm64 is missing: `make build-linux` builds it")

	stubs(t, dir, "manager")
	require.NoError(t, checkBinaries(prefix))

	require.NoError(t, os.Rename(prefix+"-amd64", prefix+"-arm64"))
	assert.ErrorContains(t, checkBinaries(prefix), "manager-linux-arm64 is built for EM_X86_64")

	shell, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(prefix+"-amd64", shell, 0o755))
	assert.ErrorContains(t, checkBinaries(prefix), "manager-linux-amd64 is not static")
}

func TestTheBundlePromisesTheArchitecturesThatAreBuilt(t *testing.T) {
	csv, err := os.ReadFile(filepath.Join(root, "bundle", "manifests", "kube-changejob.clusterserviceversion.yaml"))
	require.NoError(t, err)
	var promised []string
	for _, match := range regexp.MustCompile(`operatorframework\.io/arch\.(\w+): supported`).FindAllSubmatch(csv, -1) {
		promised = append(promised, string(match[1]))
	}
	assert.ElementsMatch(t, architectures, promised)
}
