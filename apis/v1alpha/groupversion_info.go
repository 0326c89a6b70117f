// Package v1alpha is the API of kube-changejob: the ChangeTriggeredJob.
//
// +kubebuilder:object:generate=true
// +groupName=triggers.changejob.dev
package v1alpha

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is the kind of ChangeTriggeredJob.
const Kind = "ChangeTriggeredJob"

var (
	// GroupVersion is the group and version of every type in this package.
	GroupVersion = schema.GroupVersion{Group: "triggers.changejob.dev", Version: "v1alpha"}

	// SchemeBuilder collects the functions that register this package's types.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers this package's types with a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &ChangeTriggeredJob{}, &ChangeTriggeredJobList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
