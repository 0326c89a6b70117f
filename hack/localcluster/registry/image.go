package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// mirrored returns the place in the registry at address of the image that is called so: its own registry is left out, and what
// is short is completed as everywhere (busybox is docker.io/library/busybox).
func mirrored(address, image string) (name.Reference, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return nil, err
	}
	if _, byDigest := ref.(name.Digest); byDigest {
		return nil, fmt.Errorf("%s: push by tag, the digest follows from the content", image)
	}
	return name.NewTag(address+"/"+ref.Context().RepositoryStr()+":"+ref.Identifier(), name.Insecure)
}

// buildCommand makes an image of one layer from a folder and pushes it.
func buildCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("registry build", flag.ContinueOnError)
	registry := flags.String("registry", defaultAddress, "where to push")
	root := flags.String("root", "", "folder that becomes the image's file system")
	user := flags.String("user", "", "user of its process, such as 65532:65532 (default: root)")
	platform := flags.String("platform", "linux/"+runtime.GOARCH, "platform that the image is for")
	var entrypoint, command, env, label list
	flags.Var(&entrypoint, "entrypoint", "its program; repeat it for arguments")
	flags.Var(&command, "cmd", "its default arguments; may be repeated")
	flags.Var(&env, "env", "NAME=VALUE in its environment; may be repeated")
	flags.Var(&label, "label", "NAME=VALUE among its labels; may be repeated")
	image, err := oneArgument(flags, args, "NAME")
	if err != nil {
		return err
	}
	if *root == "" {
		return errors.New("build needs --root")
	}
	ref, err := mirrored(*registry, image)
	if err != nil {
		return err
	}
	target, err := v1.ParsePlatform(*platform)
	if err != nil {
		return err
	}
	layer, err := layerOf(*root)
	if err != nil {
		return err
	}
	labels := map[string]string{}
	for _, l := range label {
		key, value, _ := strings.Cut(l, "=")
		labels[key] = value
	}
	built, err := imageOf(layer, v1.ConfigFile{
		OS: target.OS, Architecture: target.Architecture,
		Config: v1.Config{User: *user, Entrypoint: entrypoint, Cmd: command, Env: env, Labels: labels},
	})
	if err != nil {
		return err
	}
	return push(ctx, ref, built)
}

// oneArgument parses flags that may stand before and after the one argument.
func oneArgument(flags *flag.FlagSet, args []string, what string) (string, error) {
	all, err := arguments(flags, args)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("%s needs one argument: %s", flags.Name(), what)
	}
	return all[0], nil
}

func arguments(flags *flag.FlagSet, args []string) (all []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return all, nil
		}
		all = append(all, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// imageOf is the image of one layer. It holds no time, so that the same content has the same digest always.
func imageOf(layer v1.Layer, config v1.ConfigFile) (v1.Image, error) {
	base := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	config.RootFS = v1.RootFS{Type: "layers"}
	configured, err := mutate.ConfigFile(base, &config)
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(configured, layer)
}

// layerOf packs a folder: without times and owners, in the order of the names. It is not compressed: it travels over the
// loopback address only, and that is slower to compress than to copy.
func layerOf(root string) (v1.Layer, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		return add(archive, root, path, entry)
	})
	if err := errors.Join(err, archive.Close()); err != nil {
		return nil, err
	}
	return static.NewLayer(content.Bytes(), types.OCIUncompressedLayer), nil
}

func add(archive *tar.Writer, root, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	clean := tar.Header{
		Typeflag: header.Typeflag, Name: filepath.ToSlash(relative), Linkname: header.Linkname,
		Mode: header.Mode, Size: header.Size, Format: tar.FormatPAX,
	}
	if entry.IsDir() {
		clean.Name += "/"
	}
	if err := archive.WriteHeader(&clean); err != nil || !info.Mode().IsRegular() {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(archive, file)
	return err
}

// push pushes an image or an index and prints the reference that names exactly it.
func push(ctx context.Context, ref name.Reference, content remote.Taggable) error {
	var err error
	switch content := content.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, content, remote.WithContext(ctx))
	case v1.Image:
		err = remote.Write(ref, content, remote.WithContext(ctx))
	default:
		err = fmt.Errorf("%T is neither an image nor an index", content)
	}
	if err != nil {
		return err
	}
	digest, err := digestOf(content)
	if err != nil {
		return err
	}
	fmt.Printf("%s@%s\n", strings.TrimSuffix(ref.String(), ":"+ref.Identifier()), digest)
	return nil
}

func digestOf(content remote.Taggable) (v1.Hash, error) {
	digester, ok := content.(interface{ Digest() (v1.Hash, error) })
	if !ok {
		return v1.Hash{}, fmt.Errorf("%T has no digest", content)
	}
	return digester.Digest()
}
