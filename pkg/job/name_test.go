package job

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// The API server knows best: for each template it takes the Job of the longest name, and refuses the next.
func TestTheLongestNameForATemplate(t *testing.T) {
	template := func(mode *batchv1.CompletionMode, completions *int32) batchv1.JobTemplateSpec {
		return batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
			CompletionMode: mode, Completions: completions, Parallelism: ptr.To[int32](1),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "main", Image: "busybox:1.37"}},
			}},
		}}
	}
	indexed := ptr.To(batchv1.IndexedCompletion)
	for name, c := range map[string]struct {
		template batchv1.JobTemplateSpec
		want     int
	}{
		"a plain Job":                                 {template(nil, nil), 52},
		"a Job of many Pods without an index":         {template(ptr.To(batchv1.NonIndexedCompletion), ptr.To[int32](1000)), 52},
		"an Indexed Job without Pods":                 {template(indexed, ptr.To[int32](0)), 52},
		"an Indexed Job of one Pod":                   {template(indexed, ptr.To[int32](1)), 50},
		"an Indexed Job whose last index is 9":        {template(indexed, ptr.To[int32](10)), 50},
		"an Indexed Job whose last index is 10":       {template(indexed, ptr.To[int32](11)), 49},
		"an Indexed Job whose last index is 99":       {template(indexed, ptr.To[int32](100)), 49},
		"an Indexed Job whose last index is 100":      {template(indexed, ptr.To[int32](101)), 48},
		"an Indexed Job of as many Pods as there may": {template(indexed, ptr.To[int32](100000)), 46},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, MaxNameLength(&c.template))
			create := func(length int) error {
				ctj := watcher(c.template)
				ctj.Name = strings.Repeat("n", length)
				creation := creation(ctj)
				creation.Name = trigger.JobName(ctj.Name, ctj.UID, creation.Number)
				return server(t).Client.Create(t.Context(), built(t, ctj, creation), client.DryRunAll)
			}
			require.NoError(t, create(c.want))
			assert.True(t, apierrors.IsInvalid(create(c.want+1)), "one character more is refused")
		})
	}
}

func TestTheLongestNameForATemplateThatTheAPIServerRefuses(t *testing.T) {
	for _, completions := range []*int32{nil, ptr.To[int32](-1)} {
		template := &batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
			CompletionMode: ptr.To(batchv1.IndexedCompletion), Completions: completions,
		}}
		assert.Equal(t, 52, MaxNameLength(template), fmt.Sprint(completions))
	}
}
