package main

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// refusals are the mistakes that the user guide lists, and what it says the webhook answers.
var refusals = []struct {
	mistake   string
	reference v1alpha.ResourceReference
	answer    string
}{
	{"a kind in lower case", v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Name: "a", Namespace: "default"},
		"resource kind does not exist"},
	{"a ConfigMap without a namespace", v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "a"},
		"namespace is required for namespaced resources"},
	{"a Node with a namespace", v1alpha.ResourceReference{APIVersion: "v1", Kind: "Node", Name: "a", Namespace: "default"},
		"namespace must not be set for cluster-scoped resources"},
}

// webhookRefuses makes each mistake: it is refused, in the user guide's words.
func webhookRefuses(ctx context.Context, t *trial) error {
	for _, refusal := range refusals {
		ctj := &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name},
			Spec:       v1alpha.ChangeTriggeredJobSpec{JobTemplate: emptyJob(), Resources: []v1alpha.ResourceReference{refusal.reference}},
		}
		switch err := t.make(ctx, ctj); {
		case err == nil:
			return fmt.Errorf("%s is accepted", refusal.mistake)
		case !strings.Contains(err.Error(), refusal.answer):
			return fmt.Errorf("%s is refused, and not with %q: %w", refusal.mistake, refusal.answer, err)
		default:
			t.saw("%s: %s", refusal.mistake, err)
		}
	}
	return nil
}
