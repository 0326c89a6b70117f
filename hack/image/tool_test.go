package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheCommandsOfEachTool(t *testing.T) {
	for _, test := range []struct {
		tool        string
		build, push []string
	}{
		{
			tool: "docker",
			build: []string{"docker buildx build --platform linux/amd64,linux/arm64 --provenance=false --sbom=false " +
				"--output type=image,name=example.org/x:v1,oci-mediatypes=true,rewrite-timestamp=true --file Dockerfile --build-arg A=b ."},
			push: []string{"docker push example.org/x:v1"},
		},
		{
			tool: "/usr/bin/podman",
			build: []string{
				"/usr/bin/podman manifest rm example.org/x:v1",
				"/usr/bin/podman build --os linux --arch amd64 --build-arg TARGETARCH=amd64 --manifest example.org/x:v1 --layers=false " +
					"--timestamp 7 --identity-label=false --format oci --file Dockerfile --build-arg A=b .",
				"/usr/bin/podman build --os linux --arch arm64 --build-arg TARGETARCH=arm64 --manifest example.org/x:v1 --layers=false " +
					"--timestamp 7 --identity-label=false --format oci --file Dockerfile --build-arg A=b .",
			},
			push: []string{"/usr/bin/podman manifest push --all --format oci example.org/x:v1 docker://example.org/x:v1"},
		},
		{
			tool: "buildah --storage-driver vfs",
			build: []string{
				"buildah --storage-driver vfs manifest rm example.org/x:v1",
				"buildah --storage-driver vfs build --os linux --arch amd64 --build-arg TARGETARCH=amd64 --manifest example.org/x:v1 --layers=false " +
					"--timestamp 7 --identity-label=false --format oci --file Dockerfile --build-arg A=b .",
				"buildah --storage-driver vfs build --os linux --arch arm64 --build-arg TARGETARCH=arm64 --manifest example.org/x:v1 --layers=false " +
					"--timestamp 7 --identity-label=false --format oci --file Dockerfile --build-arg A=b .",
			},
			push: []string{"buildah --storage-driver vfs manifest push --all --format oci example.org/x:v1 docker://example.org/x:v1"},
		},
	} {
		t.Run(test.tool, func(t *testing.T) {
			with, err := toolOf(test.tool)
			require.NoError(t, err)
			assert.Equal(t, test.build, lines(with.build(recipe{file: "Dockerfile", args: []string{"A=b"}, epoch: 7}, "example.org/x:v1")))
			assert.Equal(t, test.push, lines(with.push("example.org/x:v1")))
		})
	}
}

func TestAnUnknownToolIsRefused(t *testing.T) {
	for _, words := range []string{"", "kaniko", "sh -c docker"} {
		_, err := toolOf(words)
		assert.ErrorContains(t, err, "docker, podman and buildah are known", words)
	}
}

func TestARegistryOnThisMachineNeedsNoCertificate(t *testing.T) {
	for image, want := range map[string]bool{
		"localhost:5000/x:v1": true, "127.0.0.1:5000/x:v1": true, "[::1]:5000/x:v1": true, "localhost/x:v1": true,
		"ghcr.io/x:v1": false, "10.0.0.1:5000/x:v1": false, "x:v1": false,
	} {
		assert.Equal(t, want, isLoopback(image), image)
		push := lines(tool{name: "buildah", prefix: []string{"buildah"}}.push(image))[0]
		assert.Equal(t, want, strings.Contains(push, "--tls-verify=false"), push)
	}
}

func lines(commands []command) []string {
	lines := make([]string, len(commands))
	for i, c := range commands {
		lines[i] = strings.Join(c.args, " ")
	}
	return lines
}
