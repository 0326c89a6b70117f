package main

import (
	"archive/tar"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// pushCommand pushes an image from a file or folder.
func pushCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("registry push", flag.ContinueOnError)
	registry := flags.String("registry", defaultAddress, "where to push")
	all, err := arguments(flags, args)
	if err != nil {
		return err
	}
	if len(all) != 2 {
		return errors.New("push needs two arguments: ARCHIVE NAME")
	}
	ref, err := mirrored(*registry, all[1])
	if err != nil {
		return err
	}
	content, remove, err := load(all[0])
	defer remove()
	if err != nil {
		return fmt.Errorf("%s: %w", all[0], err)
	}
	return push(ctx, ref, content)
}

// load reads the image or index from a docker-archive, an OCI archive or a folder with an OCI layout. Call remove, error or
// not, once it is no longer used.
func load(path string) (content remote.Taggable, remove func(), err error) {
	remove = func() {}
	info, err := os.Stat(path)
	if err != nil {
		return nil, remove, err
	}
	if info.IsDir() {
		content, err = fromLayout(path)
		return content, remove, err
	}
	oci, err := contains(path, "oci-layout")
	if err != nil {
		return nil, remove, err
	}
	if !oci {
		content, err = tarball.ImageFromPath(path, nil)
		return content, remove, err
	}
	dir, err := os.MkdirTemp("", "registry-")
	if err != nil {
		return nil, remove, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if err := unpack(path, dir); err != nil {
		return nil, remove, err
	}
	content, err = fromLayout(dir)
	return content, remove, err
}

// fromLayout returns what an OCI layout holds: its one image or index, or all of it as an index where there are several.
func fromLayout(dir string) (remote.Taggable, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return index, nil
	}
	switch one := manifest.Manifests[0]; {
	case one.MediaType.IsIndex():
		return index.ImageIndex(one.Digest)
	case one.MediaType.IsImage():
		return index.Image(one.Digest)
	default:
		return nil, fmt.Errorf("holds a %s", one.MediaType)
	}
}

// contains tells whether a file is in an archive.
func contains(archive, file string) (found bool, err error) {
	err = each(archive, func(header *tar.Header, _ io.Reader) error {
		found = found || filepath.Clean(header.Name) == file
		return nil
	})
	return found, err
}

// unpack unpacks an archive into a folder, its regular files and folders only: an OCI layout has no others.
func unpack(archive, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return each(archive, func(header *tar.Header, content io.Reader) error {
		if header.Typeflag != tar.TypeReg {
			return nil
		}
		if err := root.MkdirAll(filepath.Dir(header.Name), 0o700); err != nil {
			return err
		}
		file, err := root.Create(header.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	})
}

func each(archive string, visit func(*tar.Header, io.Reader) error) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	reader := tar.NewReader(file)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(header, reader); err != nil {
			return err
		}
	}
}
