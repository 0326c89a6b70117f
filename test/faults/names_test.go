package faults

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

func TestAForeignJobThatHasTheNameIsNeverAdopted(t *testing.T) {
	w := inShared(t, "a foreign Job is neither adopted nor touched; NameTaken is shown and told; others go on; once it is gone, the Job runs")
	w.start()
	// What a foreign Job may look like: all but the owner reference can be copied.
	disguises := map[string]func(*batchv1.Job){
		"plain": func(*batchv1.Job) {},
		"labelled": func(j *batchv1.Job) {
			j.Labels = map[string]string{job.OwnerLabel: "labelled"}
			j.Annotations = map[string]string{job.TriggerAnnotation: "1", job.ReasonAnnotation: "Change", job.HashesAnnotation: ""}
		},
		"others": func(j *batchv1.Job) {
			j.Labels = map[string]string{job.OwnerLabel: "others"}
			j.Annotations = map[string]string{job.TriggerAnnotation: "1"}
			owner := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Name: "others", UID: "another-of-that-name"}}
			j.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha.GroupVersion.WithKind(v1alpha.Kind))}
		},
	}
	w.configMap("config")
	foreign := map[string]*batchv1.Job{}
	for name, disguise := range disguises {
		ctj := w.ctj(name, []string{"config"})
		j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: trigger.JobName(name, ctj.UID, 1)}, Spec: jobs.Spec()}
		disguise(j)
		require.NoError(t, w.Client.Create(t.Context(), j))
		foreign[name] = j
		w.excuses[name] = []string{trigger.ReasonNameTaken}
	}
	w.ctj("free", []string{"config"})
	w.watching("plain", "labelled", "others", "free")

	w.change("config")
	w.triggered("free", 1)
	for name := range disguises {
		w.condition(name, trigger.ConditionDegraded, trigger.ReasonNameTaken)
		w.eventually(func() error {
			var events eventsv1.EventList
			if err := w.Client.List(t.Context(), &events, client.InNamespace(w.namespace)); err != nil {
				return err
			}
			if !slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool { return e.Regarding.Name == name && e.Reason == trigger.ReasonNameTaken }) {
				return fmt.Errorf("no event about %s", name)
			}
			return nil
		})
	}
	w.change("config")
	w.triggered("free", 2)
	w.rests()
	for name, before := range foreign {
		ctj, err := w.get(name)
		require.NoError(t, err)
		assert.Zero(t, ctj.Status.TriggerCount, name)
		after := &batchv1.Job{}
		require.NoError(t, w.Client.Get(t.Context(), client.ObjectKeyFromObject(before), after))
		assert.Equal(t, before.ResourceVersion, after.ResourceVersion, name)
		require.NoError(t, w.Client.Delete(t.Context(), after, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	}
	w.report.injected("a foreign Job has the name", len(foreign))
	clear(w.excuses)
	for name := range disguises {
		w.triggered(name, 1)
	}
	w.rests()
}
