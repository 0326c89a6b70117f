package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nusnewob/kube-changejob/pkg/fieldpath"
)

// referenced is what counts among the objects of a kind: those with these names, and in them what the paths select. It keeps
// the digests that it saw last.
type referenced struct {
	// resource is what is watched.
	resource schema.GroupVersionResource
	paths    []*fieldpath.Path
	// changes is the file to which the name of an object goes, as a line, whenever its digests have changed.
	changes *os.File

	mu      sync.Mutex
	digests map[string][]fieldpath.Digest // by name; nil until it is first seen
}

// referencedFlags are the flags that say what is referenced.
type referencedFlags struct{ resource, names, fields, changes *string }

func newReferencedFlags(fs *flag.FlagSet) *referencedFlags {
	return &referencedFlags{
		resource: fs.String("resource", "", "what is watched, as version/resource or group/version/resource"),
		names:    fs.String("names", "", "file with the objects that count, as namespace/name or name, a line each"),
		fields:   fs.String("fields", "*", "the paths that count in them, separated by commas"),
		changes:  fs.String("changes", os.DevNull, "file to which the names of changed objects are appended"),
	}
}

func (f *referencedFlags) open() (*referenced, error) {
	resource, err := parseResource(*f.resource)
	if err != nil {
		return nil, err
	}
	names, err := os.ReadFile(*f.names)
	if err != nil {
		return nil, err
	}
	r := &referenced{resource: resource, digests: map[string][]fieldpath.Digest{}}
	for name := range strings.Lines(string(names)) {
		r.digests[strings.TrimSuffix(name, "\n")] = nil
	}
	for expr := range strings.SplitSeq(*f.fields, ",") {
		path, err := fieldpath.Compile(expr)
		if err != nil {
			return nil, err
		}
		r.paths = append(r.paths, path)
	}
	r.changes, err = os.OpenFile(*f.changes, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return r, err
}

// has says whether the object counts.
func (r *referenced) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.digests[name]
	return ok
}

// see compares an object that counts with what it was; nil is one that does not exist.
func (r *referenced) see(name string, object *unstructured.Unstructured) error {
	content := []byte("null")
	if object != nil {
		var err error
		if content, err = object.MarshalJSON(); err != nil {
			return err
		}
	}
	digests := fieldpath.Digests(content, r.paths)
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.digests[name]
	r.digests[name] = digests
	if before == nil || slices.Equal(before, digests) {
		return nil
	}
	_, err := fmt.Fprintln(r.changes, name)
	return err
}

// parseResource reads version/resource or group/version/resource.
func parseResource(text string) (schema.GroupVersionResource, error) {
	parts := strings.Split(text, "/")
	switch len(parts) {
	case 2:
		return schema.GroupVersionResource{Version: parts[0], Resource: parts[1]}, nil
	case 3:
		return schema.GroupVersionResource{Group: parts[0], Version: parts[1], Resource: parts[2]}, nil
	default:
		return schema.GroupVersionResource{}, fmt.Errorf("%q is neither version/resource nor group/version/resource", text)
	}
}
