package main

import (
	"archive/tar"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// serve serves an empty registry and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(quiet)))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// tree makes a folder that could be an image's file system.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "bin"), 0o755),
		os.WriteFile(filepath.Join(root, "bin", "tool"), []byte("a program"), 0o700),
		os.Chmod(filepath.Join(root, "bin", "tool"), 0o755),
		os.Symlink("tool", filepath.Join(root, "bin", "also")),
		os.Mkdir(filepath.Join(root, "tmp"), 0o755),
		os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func pull(t *testing.T, image string) (v1.Image, v1.Hash) {
	t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := pulled.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return pulled, digest
}

func TestTheRegistryOfANameIsLeftOut(t *testing.T) {
	for image, want := range map[string]string{
		"ghcr.io/nusnewob/kube-changejob:v0.2.0": "127.0.0.1:5000/nusnewob/kube-changejob:v0.2.0",
		"localhost:5000/a/b:c":                   "127.0.0.1:5000/a/b:c",
		"busybox":                                "127.0.0.1:5000/library/busybox:latest",
		"docker.io/library/busybox:1":            "127.0.0.1:5000/library/busybox:1",
		"registry.k8s.io/pause":                  "127.0.0.1:5000/pause:latest",
	} {
		got, err := mirrored(defaultAddress, image)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v", image, got, err)
		}
	}
	for _, image := range []string{"UPPER", "a@sha256:" + strings.Repeat("0", 64), ""} {
		if got, err := mirrored(defaultAddress, image); err == nil {
			t.Errorf("%q: got %v", image, got)
		}
	}
}

func TestAnImageIsMadeFromAFolder(t *testing.T) {
	address, root := serve(t), tree(t)
	build := func(tag string) {
		t.Helper()
		if err := run(t.Context(), []string{"build", "ghcr.io/example/tool:" + tag, "--registry=" + address, "--root=" + root,
			"--platform=linux/arm64", "--user=65532:65532", "--entrypoint=/bin/tool", "--entrypoint=-x", "--env=A=B"}); err != nil {
			t.Fatal(err)
		}
	}
	build("v1")
	image, digest := pull(t, address+"/example/tool:v1")
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || config.OS != "linux" || config.Config.User != "65532:65532" ||
		strings.Join(config.Config.Entrypoint, " ") != "/bin/tool -x" || strings.Join(config.Config.Env, " ") != "A=B" {
		t.Errorf("its configuration is %+v", config)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s has an owner or a time: %+v", header.Name, header)
		}
		got = append(got, header.FileInfo().Mode().String()+" "+header.Name+header.Linkname)
	}
	want := []string{"drwxr-xr-x bin/", "Lrwxrwxrwx bin/alsotool", "-rwxr-xr-x bin/tool", "dtrwxrwxrwx tmp/"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it holds %q", got)
	}

	// Another time, the same.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(root, "bin", "tool"), later, later); err != nil {
		t.Fatal(err)
	}
	build("v2")
	if _, again := pull(t, address+"/example/tool:v2"); again != digest {
		t.Errorf("%s and %s", digest, again)
	}
}

func TestAnArchiveIsPushed(t *testing.T) {
	layer, err := layerOf(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	image, err := imageOf(layer, v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := imageOf(layer, v1.ConfigFile{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}, mutate.IndexAddendum{Add: other})
	dir := func(t *testing.T, fill func(layout.Path) error) string {
		t.Helper()
		dir := t.TempDir()
		path, err := layout.Write(dir, empty.Index)
		if err != nil {
			t.Fatal(err)
		}
		if err := fill(path); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	withImage := func(path layout.Path) error { return path.AppendImage(image) }
	withIndex := func(path layout.Path) error { return path.AppendIndex(index) }
	for kind, test := range map[string]struct {
		archive func(t *testing.T) string
		want    remote.Taggable
	}{
		"a docker-archive": {func(t *testing.T) string {
			file := filepath.Join(t.TempDir(), "image.tar")
			if err := tarball.WriteToFile(file, name.MustParseReference("a:b"), image); err != nil {
				t.Fatal(err)
			}
			return file
		}, nil}, // what it is written as has another digest
		"an OCI layout":              {func(t *testing.T) string { return dir(t, withImage) }, image},
		"an OCI archive":             {func(t *testing.T) string { return pack(t, dir(t, withImage)) }, image},
		"an OCI archive of an index": {func(t *testing.T) string { return pack(t, dir(t, withIndex)) }, index},
		"an OCI layout of several images": {func(t *testing.T) string {
			return dir(t, func(path layout.Path) error {
				if err := path.AppendImage(image); err != nil {
					return err
				}
				return path.AppendImage(other)
			})
		}, nil},
	} {
		t.Run(kind, func(t *testing.T) {
			address := serve(t)
			if err := run(t.Context(), []string{"push", "--registry=" + address, test.archive(t), "quay.io/example/pushed:v1"}); err != nil {
				t.Fatal(err)
			}
			ref, err := name.ParseReference(address+"/example/pushed:v1", name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			got, err := remote.Get(ref)
			if err != nil {
				t.Fatal(err)
			}
			if test.want != nil {
				if want, err := digestOf(test.want); err != nil || got.Digest != want {
					t.Errorf("pushed %s, wanted %s, %v", got.Digest, want, err)
				}
			}
			pulled, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
			if err != nil {
				t.Fatal(err)
			}
			if layers, err := pulled.Layers(); err != nil || len(layers) != 1 {
				t.Errorf("%d layers, %v", len(layers), err)
			}
		})
	}
}

// pack makes an archive of a folder.
func pack(t *testing.T, dir string) string {
	t.Helper()
	layer, err := layerOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	content, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestArgumentsThatMakeNoSense(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown command":         {[]string{"pull"}, `unknown command "pull"`},
		"an image from nowhere":      {[]string{"build", "a:b"}, "build needs --root"},
		"an image without a name":    {[]string{"build", "--root=."}, "needs one argument: NAME"},
		"a push without a name":      {[]string{"push", "image.tar"}, "push needs two arguments: ARCHIVE NAME"},
		"a push of nothing":          {[]string{"push", "/nonexistent", "a:b"}, "no such file"},
		"a registry without a place": {[]string{"serve"}, "serve needs --data"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
