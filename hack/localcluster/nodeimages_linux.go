package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// makeImages makes the images that the node itself needs and pushes them into its registry.
func (n *node) makeImages(ctx context.Context) error {
	busybox, err := findProgram("busybox")
	if err != nil {
		return err
	}
	for _, image := range []struct {
		name string
		file string // the program
		path string // its place in the image
		more func(root string) error
		args []string
	}{
		{name: pauseImage, file: n.program("pause"), path: "pause", args: []string{"--entrypoint=/pause", "--user=65535:65535"}},
		{name: busyboxImage, file: busybox, path: "bin/busybox", more: populate, args: []string{"--cmd=sh", "--env=PATH=/bin"}},
		{name: coreDNSImage, file: n.program("coredns"), path: "coredns", args: []string{"--entrypoint=/coredns"}},
	} {
		root, err := os.MkdirTemp(n.settings.Dir, "image-")
		if err != nil {
			return err
		}
		err = copyProgram(image.file, filepath.Join(root, image.path))
		if err == nil && image.more != nil {
			err = image.more(root)
		}
		if err == nil {
			err = runProgram(ctx, n.settings.Dir, "registry-build", n.program("registry"),
				append([]string{"build", "--root=" + root, image.name}, image.args...)...)
		}
		if err := errors.Join(err, os.RemoveAll(root)); err != nil {
			return err
		}
	}
	return nil
}

// populate makes of a folder with busybox in it the file system of an image: its applets, users, and folders that programs expect.
func populate(root string) error {
	applets, err := exec.Command(filepath.Join(root, "bin", "busybox"), "--list").Output()
	if err != nil {
		return err
	}
	for _, applet := range strings.Fields(string(applets)) {
		if applet == "busybox" {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			return err
		}
	}
	for _, dir := range []string{"etc", "root", "home", "tmp", "var/run"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky),
		os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"), 0o644),
		os.WriteFile(filepath.Join(root, "etc/group"), []byte("root:x:0:\nnogroup:x:65534:\n"), 0o644))
}

func copyProgram(from, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
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
