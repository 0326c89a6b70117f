package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The images, by the names that OLM knows them by.
const (
	olmImage = "quay.io/operator-framework/olm"
	opmImage = "quay.io/operator-framework/opm"
	// emptyIndexImage is opm with a catalog of nothing: what `operator-sdk run bundle` adds a bundle to.
	emptyIndexImage = "quay.io/operator-framework/opm-empty"
	// configMapImage serves catalogs that are kept in a ConfigMap. Nobody here has one: the name is pinned, the image not made.
	configMapImage = "quay.io/operator-framework/configmap-operator-registry"
	// scorecardImage has the standard tests of the scorecard, and untarImage unpacks for each test the bundle that it is about.
	scorecardImage = "quay.io/operator-framework/scorecard-test"
	untarImage     = "quay.io/operator-framework/scorecard-untar"
	// decompressionImage is what `operator-sdk run bundle-upgrade` unpacks a catalog with; it takes no other. Here it is a busybox.
	decompressionImage = "registry.access.redhat.com/ubi9/ubi:9.7"
)

// image is one that is made: programs, by their places in it, beside a busybox.
type image struct {
	name     string
	programs map[string]string
	applets  []string
	dirs     []string
	args     []string
}

func (i installation) images() []image {
	opm := map[string]string{"bin/opm": "opm", "bin/grpc_health_probe": "grpc-health-probe"}
	entrypoint := []string{"--entrypoint=/bin/opm", "--user=1001", "--env=PATH=/bin"}
	return []image{
		{
			name: olmImage + ":" + i.version,
			programs: map[string]string{
				"bin/olm": "olm", "bin/catalog": "catalog", "bin/package-server": "package-server",
				"bin/copy-content": "copy-content", "bin/cpb": "cpb",
			},
			// The Jobs that unpack bundles copy cpb by it.
			applets: []string{"cp"},
			args:    []string{"--entrypoint=/bin/olm", "--user=1001", "--env=PATH=/bin"},
		},
		{
			name: opmImage + ":" + i.opmVersion, programs: opm, applets: []string{"sh", "cp"}, dirs: []string{"tmp"},
			args: entrypoint,
		},
		{
			name: emptyIndexImage + ":" + i.opmVersion, programs: opm, applets: []string{"sh", "cp"}, dirs: []string{"tmp", "configs"},
			args: append([]string{"--label=operators.operatorframework.io.index.configs.v1=/configs"}, entrypoint...),
		},
		{
			name:     scorecardImage + ":" + i.sdkVersion,
			programs: map[string]string{"bin/scorecard-test": "scorecard-test"},
			args:     []string{"--user=1001", "--env=PATH=/bin"},
		},
		{
			name: untarImage + ":" + i.sdkVersion, applets: []string{"sh", "tar", "gzip"},
			args: []string{"--user=1001", "--env=PATH=/bin"},
		},
		{name: decompressionImage, applets: []string{"sh", "cat", "gzip"}, args: []string{"--env=PATH=/bin"}},
	}
}

// makeImages makes the images and pushes them into the node's registry.
func (i installation) makeImages(ctx context.Context) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	for _, img := range i.images() {
		if err := i.makeImage(ctx, img, busybox); err != nil {
			return fmt.Errorf("image %s: %w", img.name, err)
		}
	}
	return nil
}

func (i installation) makeImage(ctx context.Context, img image, busybox string) (err error) {
	root, err := os.MkdirTemp("", "olm-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		return err
	}
	for _, dir := range img.dirs {
		path := filepath.Join(root, dir)
		if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, 0o777|os.ModeSticky)); err != nil {
			return err
		}
	}
	if err := copyFile(busybox, filepath.Join(root, "bin/busybox")); err != nil {
		return err
	}
	for _, applet := range img.applets {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			return err
		}
	}
	for place, program := range img.programs {
		if err := copyFile(filepath.Join(i.programs, program), filepath.Join(root, place)); err != nil {
			return err
		}
	}
	return execute(ctx, nil, "registry", append([]string{"build", "--root=" + root, img.name}, img.args...)...)
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
