package admission

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
)

const (
	runNow   = v1alpha.RunNowAnnotation
	runForce = v1alpha.RunNowForceAnnotation
)

// annotate sets annotations; nil takes one away.
func annotate(t *testing.T, c client.Client, namespace, name string, annotations map[string]any) error {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	require.NoError(t, err)
	ctj := makeCTJ(namespace, name)
	return c.Patch(t.Context(), ctj, client.RawPatch(types.MergePatchType, patch))
}

func TestNewRequests(t *testing.T) {
	type set = map[string]string
	for sentence, c := range map[string]struct {
		old, annotations set
		want             []string
	}{
		"none where there are no annotations":                {nil, nil, nil},
		"none where another one is new":                      {nil, set{"a": "b"}, nil},
		"one that is new":                                    {nil, set{runNow: "1"}, []string{runNow}},
		"one that has another value":                         {set{runNow: "1"}, set{runNow: "2"}, []string{runNow}},
		"none that is as it was":                             {set{runNow: "1"}, set{runNow: "1", "a": "b"}, nil},
		"none that is gone":                                  {set{runNow: "1", runForce: "1"}, nil, nil},
		"none that is empty, which asks for nothing":         {set{runNow: "1"}, set{runNow: ""}, nil},
		"the one that forces, too, since it makes a Job run": {set{runNow: "1"}, set{runNow: "1", runForce: "1"}, []string{runForce}},
		"both": {nil, set{runNow: "1", runForce: "1"}, []string{runNow, runForce}},
	} {
		t.Run(sentence, func(t *testing.T) { assert.Equal(t, c.want, newRequests(c.old, c.annotations)) })
	}
}

func TestWhoAsksForAJobMustBeAllowedToCreateIt(t *testing.T) {
	namespace := server.Namespace(t)
	require.NoError(t, server.Client.Create(t.Context(), makeCTJ(namespace, "watcher")))
	author := clientOf(t, "asks-without", namespace)
	denied := func(name, user string) string {
		return fmt.Sprintf("metadata.annotations[%s]: Forbidden: user %q may not create jobs.batch in the namespace %q", name, user, namespace)
	}
	require.ErrorContains(t, annotate(t, author, namespace, "watcher", map[string]any{runNow: "1"}), denied(runNow, "asks-without"))
	require.ErrorContains(t, annotate(t, author, namespace, "watcher", map[string]any{runForce: "1"}), denied(runForce, "asks-without"))
	require.NoError(t, annotate(t, author, namespace, "watcher", map[string]any{"note": "1"}), "another annotation asks for nothing")

	operator := clientOf(t, "asks-with", namespace, makesJobs)
	require.NoError(t, annotate(t, operator, namespace, "watcher", map[string]any{runNow: "1"}))
	require.NoError(t, annotate(t, author, namespace, "watcher", map[string]any{runNow: "1", "note": "2"}), "it is as it was")
	require.NoError(t, annotate(t, author, namespace, "watcher", map[string]any{runNow: nil}), "it is taken back")
	require.ErrorContains(t, annotate(t, author, namespace, "watcher", map[string]any{runNow: "1"}), denied(runNow, "asks-without"), "and asked for again")

	// With an edit that they may make, too.
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, author.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "watcher"}, ctj))
	ctj.Spec.History = new(int32(7))
	ctj.Annotations = map[string]string{runNow: "2"}
	require.ErrorContains(t, author.Update(t.Context(), ctj), denied(runNow, "asks-without"))
}

func TestAJobIsAskedForInVainWhileItIsSuspendedUnlessItIsForced(t *testing.T) {
	namespace := server.Namespace(t)
	require.NoError(t, server.Client.Create(t.Context(), makeCTJ(namespace, "watcher", func(ctj *v1alpha.ChangeTriggeredJob) {
		ctj.Spec.Suspend = new(true)
	})))
	const refused = "metadata.annotations[changejob.dev/run-now]: Forbidden: the ChangeTriggeredJob is suspended: " +
		"resume it, or set changejob.dev/run-now-force to the same value"
	ask := func(annotations map[string]any) error {
		return annotate(t, server.Client, namespace, "watcher", annotations)
	}
	assert.ErrorContains(t, ask(map[string]any{runNow: "1"}), refused)
	assert.ErrorContains(t, ask(map[string]any{runNow: "1", runForce: "0"}), refused, "another value")
	require.NoError(t, ask(map[string]any{runNow: "1", runForce: "1"}))
	assert.ErrorContains(t, ask(map[string]any{runNow: "2"}), refused, "what is forced is one value")

	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "watcher"}, ctj))
	ctj.Spec.Suspend = new(false)
	ctj.Annotations[runNow] = "2"
	require.NoError(t, server.Client.Update(t.Context(), ctj), "resumed with it")
	ctj.Spec.Suspend = new(true)
	ctj.Annotations[runNow] = "3"
	assert.ErrorContains(t, server.Client.Update(t.Context(), ctj), refused, "suspended with it")
	ctj.Annotations[runNow] = "2"
	require.NoError(t, server.Client.Update(t.Context(), ctj), "what was asked for before is no matter")
}

func TestWhatAsksForAJobHasABound(t *testing.T) {
	namespace := server.Namespace(t)
	require.NoError(t, server.Client.Create(t.Context(), makeCTJ(namespace, "watcher")))
	long := strings.Repeat("é", v1alpha.MaxRunNowLength)
	require.NoError(t, annotate(t, server.Client, namespace, "watcher", map[string]any{runNow: long, runForce: long}))
	for _, name := range []string{runNow, runForce} {
		err := annotate(t, server.Client, namespace, "watcher", map[string]any{name: long + "é"})
		assert.ErrorContains(t, err, "metadata.annotations["+name+"]: Too long: may not be more than 128 characters")
	}
	ctj := makeCTJ(namespace, "new")
	ctj.Annotations = map[string]string{runNow: long + "é"}
	assert.ErrorContains(t, server.Client.Create(t.Context(), ctj), "metadata.annotations["+runNow+"]: Too long")
}

func TestANewObjectIsToldThatNothingRunsForWhatItAsksFor(t *testing.T) {
	ctj := makeCTJ(server.Namespace(t), "copy", func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Spec.Suspend = new(true) })
	ctj.Annotations = map[string]string{runNow: "1"}
	warnings, err := validatorOn(t, server.Config, nil).ValidateCreate(requestBy(t, admin), ctj)
	require.NoError(t, err)
	assert.Contains(t, warnings, "metadata.annotations[changejob.dev/run-now]: a new ChangeTriggeredJob runs no Job for it: "+
		"it may be a copy, or restored; the next value will")
}

// What was stored before is not judged again: that it is invalid holds up no request, which waits until it is mended.
func TestAJobIsAskedForThoughTheSpecWouldBeRefusedToday(t *testing.T) {
	namespace := server.Namespace(t)
	old := makeCTJ(namespace, "from-before", references(
		v1alpha.ResourceReference{APIVersion: "gone.example/v1", Kind: "Thing", Name: "x"},
		v1alpha.ResourceReference{APIVersion: "v1", Kind: "configmap", Name: "x"}))
	withoutWebhook(t, old)
	require.NoError(t, annotate(t, server.Client, namespace, old.Name, map[string]any{runNow: "1"}))
}

func TestARequestThatCannotBeAskedAboutIsRefused(t *testing.T) {
	config := *server.Config
	config.Host = "https://127.0.0.1:1"
	config.Timeout = time.Second
	v := validatorOn(t, server.Config, server.ClientFor(t, &config))
	old := makeCTJ("default", "watcher")
	changed := old.DeepCopy()
	changed.Annotations = map[string]string{runNow: "1"}
	_, err := v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.ErrorContains(t, err, "it could not be verified that you may create jobs.batch")

	v.AuthorizeReferences = false
	_, err = v.ValidateUpdate(requestBy(t, admin), old, changed)
	require.NoError(t, err, "nobody is asked about where that is turned off")
}

func TestTheTrialJobIsOneThatWasAskedFor(t *testing.T) {
	trial, err := trialJob(makeCTJ("default", "watcher"))
	require.NoError(t, err)
	assert.Len(t, []rune(trial.Annotations[runNow]), v1alpha.MaxRunNowLength)
	assert.Equal(t, "RunNow", trial.Annotations[job.ReasonAnnotation])
	room := template(func(t *batchv1.JobTemplateSpec) {
		t.Annotations = map[string]string{"note": strings.Repeat("x", 256<<10-600)}
	})
	_, err = trialJob(makeCTJ("default", "watcher", room))
	assert.ErrorContains(t, err, "Too long", "one that leaves no room for it is refused")
}
