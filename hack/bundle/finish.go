package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// webhookService is what the names of the files end with that hold the Service of a webhook.
const webhookService = "webhook-service_v1_service.yaml"

// finish returns the generated files with the icon, the images and the range of versions that this one replaces
// in the ClusterServiceVersion, and without what is not theirs to say: the Service of the webhook, which OLM
// makes itself, and the empty status that the generator writes.
func finish(files tree, icon []byte) (tree, error) {
	finished := tree{}
	for path, content := range files {
		if strings.HasSuffix(path, webhookService) {
			continue
		}
		if strings.HasPrefix(path, manifestsDir) {
			var err error
			if content, err = withoutStatus(content); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		finished[path] = content
	}
	csv, err := parse(finished[csvPath])
	if err != nil {
		return nil, err
	}
	if err := namesNoUser(csv); err != nil {
		return nil, err
	}
	run, err := images(csv)
	if err != nil {
		return nil, err
	}
	version, _, _ := unstructured.NestedString(csv, "spec", "version")
	related := make([]any, len(run))
	for i, image := range run {
		related[i] = map[string]any{"name": image.container, "image": image.name}
	}
	err = errors.Join(
		setAnnotation(csv, "containerImage", run[0].name),
		setAnnotation(csv, "olm.skipRange", "<"+version),
		unstructured.SetNestedSlice(csv, related, "spec", "relatedImages"),
		unstructured.SetNestedSlice(csv, []any{map[string]any{
			"base64data": base64.StdEncoding.EncodeToString(icon), "mediatype": "image/svg+xml",
		}}, "spec", "icon"),
	)
	if err != nil {
		return nil, err
	}
	finished[csvPath], err = yaml.Marshal(csv)
	return finished, err
}

func withoutStatus(content []byte) ([]byte, error) {
	object := map[string]any{}
	if err := yaml.Unmarshal(content, &object); err != nil {
		return nil, err
	}
	delete(object, "status")
	if metadata, ok := object["metadata"].(map[string]any); ok && metadata["creationTimestamp"] == nil {
		delete(metadata, "creationTimestamp")
	}
	return yaml.Marshal(object)
}

// keepCreatedAt returns the files with the createdAt of before, if they differ from before in nothing else.
func keepCreatedAt(before, files tree) (tree, error) {
	if before[csvPath] == nil {
		return files, nil
	}
	old, err := parse(before[csvPath])
	if err != nil {
		return nil, fmt.Errorf("the bundle that is replaced: %w", err)
	}
	createdAt, _, err := unstructured.NestedString(old, "metadata", "annotations", "createdAt")
	if err != nil || createdAt == "" {
		return files, err
	}
	csv, err := parse(files[csvPath])
	if err != nil {
		return nil, err
	}
	if err := setAnnotation(csv, "createdAt", createdAt); err != nil {
		return nil, err
	}
	kept := maps.Clone(files)
	if kept[csvPath], err = yaml.Marshal(csv); err != nil {
		return nil, err
	}
	if maps.EqualFunc(before, kept, bytes.Equal) {
		return kept, nil
	}
	return files, nil
}

// image is what a container of the ClusterServiceVersion's deployments runs.
type image struct{ container, name string }

func images(csv map[string]any) ([]image, error) {
	deployments, _, err := unstructured.NestedSlice(csv, "spec", "install", "spec", "deployments")
	if err != nil {
		return nil, err
	}
	var found []image
	for _, deployment := range deployments {
		deployment, _ := deployment.(map[string]any)
		containers, _, err := unstructured.NestedSlice(deployment, "spec", "template", "spec", "containers")
		if err != nil {
			return nil, err
		}
		for _, container := range containers {
			container, _ := container.(map[string]any)
			name, _ := container["name"].(string)
			runs, _ := container["image"].(string)
			found = append(found, image{container: name, name: runs})
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the ClusterServiceVersion has no container")
	}
	return found, nil
}

// namesNoUser refuses a ClusterServiceVersion whose pods are to run as a certain user or group: OpenShift, whose catalogs have the bundle, gives each
// namespace users of its own, and lets in no pod that names another.
func namesNoUser(csv map[string]any) error {
	deployments, _, err := unstructured.NestedSlice(csv, "spec", "install", "spec", "deployments")
	if err != nil {
		return err
	}
	for _, deployment := range deployments {
		deployment, _ := deployment.(map[string]any)
		pod, _, _ := unstructured.NestedMap(deployment, "spec", "template", "spec")
		containers, _, _ := unstructured.NestedSlice(pod, "containers")
		for _, has := range append([]any{pod}, containers...) {
			has, _ := has.(map[string]any)
			for _, name := range []string{"runAsUser", "runAsGroup", "fsGroup"} {
				if user, found, _ := unstructured.NestedFieldNoCopy(has, "securityContext", name); found {
					return fmt.Errorf("the pods of deployment %v have %s %v, which OpenShift refuses: config/olm is to leave it out", deployment["name"], name, user)
				}
			}
		}
	}
	return nil
}

func parse(content []byte) (map[string]any, error) {
	csv := map[string]any{}
	if err := yaml.Unmarshal(content, &csv); err != nil {
		return nil, fmt.Errorf("%s: %w", csvPath, err)
	}
	return csv, nil
}

func setAnnotation(csv map[string]any, name, value string) error {
	return unstructured.SetNestedField(csv, value, "metadata", "annotations", name)
}
