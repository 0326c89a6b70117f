// Package served tells which resource stands for a kind, by what the API server says of itself.
//
// More than one resource may have the same kind. Whoever asks for an author's rights, whoever watches and whoever shows what a
// reference leads to must take the same one: else somebody is asked about other objects than those that are watched.
package served

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is how the API server serves a kind.
type Resource struct {
	// Name is the resource's, as RBAC and URLs have it.
	Name string
	// Namespaced says whether the kind's objects live in namespaces.
	Namespaced bool
	// Listable is false of kinds whose objects are not kept, such as TokenReview.
	Listable, Watchable bool
	// HasStatus says whether there is a status subresource.
	HasStatus bool
}

// Pick returns the resource that stands for a kind among those of one group and version: the one that can be listed, of several
// the one that can be watched, of several the first. Subresources stand for no kind, nor does what has no name that can be a
// part of a URL. ok is false where there is none.
func Pick(resources []metav1.APIResource, kind string) (picked Resource, ok bool) {
	for i := range resources {
		r := &resources[i]
		// A slash is that of a subresource, whose kind is another resource's or none's.
		if r.Kind != kind || r.Name == "" || len(content.IsPathSegmentName(r.Name)) > 0 {
			continue
		}
		found := Resource{
			Name: r.Name, Namespaced: r.Namespaced,
			Listable: slices.Contains(r.Verbs, "list"), Watchable: slices.Contains(r.Verbs, "watch"),
			HasStatus: slices.ContainsFunc(resources, func(sub metav1.APIResource) bool { return sub.Name == r.Name+"/status" }),
		}
		// Such as OpenShift's templates and processedtemplates, which can only be created.
		if !ok || found.betterThan(picked) {
			picked, ok = found, true
		}
	}
	return picked, ok
}

func (r Resource) betterThan(other Resource) bool {
	if r.Listable != other.Listable {
		return r.Listable
	}
	return r.Watchable && !other.Watchable
}

// Path is where the API server serves a group and version.
func Path(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "/api/" + gv.Version
	}
	return "/apis/" + gv.Group + "/" + gv.Version
}
