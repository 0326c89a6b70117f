package check

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// maxFileBytes is how large a file may be: an API server takes no object of more than 3 MiB, and a file may hold several.
const maxFileBytes = 64 << 20

// Manifest is what a file holds.
type Manifest struct {
	// Triggers are the ChangeTriggeredJobs, in their order.
	Triggers []*unstructured.Unstructured
	// Skipped names the objects of other kinds.
	Skipped []string
}

// Read reads YAML or JSON with any number of documents and lists.
func Read(from io.Reader) (*Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d MiB", maxFileBytes>>20)
	}
	documents, err := split(data)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	for i, document := range documents {
		if err := m.add(document); err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
	}
	if len(m.Triggers) == 0 {
		return nil, fmt.Errorf("holds no %s", v1alpha.Kind)
	}
	return m, nil
}

// split returns the documents as JSON; those that are empty are left out.
func split(data []byte) ([][]byte, error) {
	var documents [][]byte
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == '{' {
		decoder := json.NewDecoder(bytes.NewReader(data))
		for {
			var document json.RawMessage
			if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
				return documents, nil
			} else if err != nil {
				// It may be YAML that begins with a brace.
				break
			}
			documents = append(documents, document)
		}
		documents = nil
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		// Strictly: a key that stands twice is a mistake that nobody would notice afterwards.
		decoded, err := sigsyaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(documents)+1, err)
		}
		if decoded = bytes.TrimSpace(decoded); string(decoded) != "null" {
			documents = append(documents, decoded)
		}
	}
}

// add takes in a document: an object, or a list of objects.
func (m *Manifest) add(document []byte) error {
	object := &unstructured.Unstructured{}
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		return errors.New("is no object")
	}
	if fields["apiVersion"] == nil || fields["kind"] == nil {
		return errors.New("has no apiVersion or no kind")
	}
	if items, ok := fields["items"].([]any); ok {
		for i, item := range items {
			inner, err := json.Marshal(item)
			if err == nil {
				err = m.add(inner)
			}
			if err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
		}
		return nil
	}
	if err := object.UnmarshalJSON(document); err != nil {
		return err
	}
	kind := object.GroupVersionKind()
	if kind.Group != v1alpha.GroupVersion.Group || kind.Kind != v1alpha.Kind {
		m.Skipped = append(m.Skipped, kind.Kind+" "+object.GetName())
		return nil
	}
	if kind.Version != v1alpha.GroupVersion.Version {
		return fmt.Errorf("%s %s has version %s; this plugin knows %s", kind.Kind, object.GetName(), kind.Version, v1alpha.GroupVersion.Version)
	}
	if object.GetName() == "" {
		return fmt.Errorf("a %s has no metadata.name", kind.Kind)
	}
	m.Triggers = append(m.Triggers, object)
	return nil
}
