package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

const (
	// patience is how long something is waited for that the operator does within milliseconds.
	patience = 20 * time.Second
	tick     = 100 * time.Millisecond
	// cleanUpTime is how long removing what was made may take.
	cleanUpTime = 10 * time.Second
)

// trial is a test under way: one ChangeTriggeredJob in the namespace, and the ConfigMaps that it watches.
type trial struct {
	client.Client
	config    *rest.Config
	bundle    string
	namespace string
	// name is that of the ChangeTriggeredJob, and begins the names of all else that is made.
	name string
	// seen is what has been seen, for the result's log.
	seen []string
	made []client.Object
}

func newTrial(config *rest.Config, test, namespace, bundle string) (*trial, error) {
	if namespace == "" {
		return nil, errors.New("SCORECARD_NAMESPACE does not say in which namespace to work")
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &trial{Client: c, config: config, bundle: bundle, namespace: namespace, name: test + "-" + rand.String(5)}, nil
}

// saw keeps what has been seen.
func (t *trial) saw(format string, args ...any) {
	t.seen = append(t.seen, fmt.Sprintf(format, args...))
}

// cleanUp removes what was made; a leftover is only said, since the test is over.
func (t *trial) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, cleanUpTime)
	defer cancel()
	for _, object := range slices.Backward(t.made) {
		err := t.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			t.saw("left behind: %T %s: %v", object, object.GetName(), err)
		}
	}
}

func (t *trial) make(ctx context.Context, object client.Object) error {
	if err := t.Create(ctx, object); err != nil {
		return err
	}
	t.made = append(t.made, object)
	return nil
}

// watched makes ConfigMaps with these suffixes to their names, and the references to what they hold.
func (t *trial) watched(ctx context.Context, suffixes ...string) ([]v1alpha.ResourceReference, error) {
	var references []v1alpha.ResourceReference
	for _, suffix := range suffixes {
		configMap := t.configMap(suffix, "before")
		if err := t.make(ctx, configMap); err != nil {
			return nil, fmt.Errorf("make a ConfigMap to watch: %w", err)
		}
		references = append(references, v1alpha.ResourceReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: t.namespace, Name: configMap.Name, Fields: []string{"data"},
		})
	}
	return references, nil
}

func (t *trial) configMap(suffix, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name + "-" + suffix},
		Data:       map[string]string{"key": value},
	}
}

// change gives a watched ConfigMap another value.
func (t *trial) change(ctx context.Context, suffix, value string) error {
	if err := t.Update(ctx, t.configMap(suffix, value)); err != nil {
		return fmt.Errorf("change ConfigMap %s: %w", t.name+"-"+suffix, err)
	}
	t.saw("changed ConfigMap %s", t.name+"-"+suffix)
	return nil
}

// watch makes ConfigMaps with these suffixes and a ChangeTriggeredJob that watches them, and waits until it has its
// baseline. Where it never has, the test goes on all the same: what it proves fails then, each for its own reason, and
// that there was no baseline stands in the log. Its Jobs want no completion: the Job controller completes them at once,
// without a Pod or an image.
func (t *trial) watch(ctx context.Context, edit func(*v1alpha.ChangeTriggeredJobSpec), suffixes ...string) error {
	references, err := t.watched(ctx, suffixes...)
	if err != nil {
		return err
	}
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name}}
	ctj.Spec = v1alpha.ChangeTriggeredJobSpec{
		JobTemplate: emptyJob(), Resources: references, Cooldown: &metav1.Duration{},
	}
	if edit != nil {
		edit(&ctj.Spec)
	}
	if err := t.make(ctx, ctj); err != nil {
		return fmt.Errorf("make a ChangeTriggeredJob: %w", err)
	}
	if err := t.await(ctx, "the ChangeTriggeredJob to be Available", func(now state) bool {
		return now.condition(trigger.ConditionAvailable).Status == metav1.ConditionTrue && now.ctj.Status.ObservedGeneration == now.ctj.Generation
	}); err != nil {
		t.saw("%v", err)
	}
	return nil
}

// emptyJob is the template of a Job that is complete from the start.
func emptyJob() v1alpha.JobTemplate {
	none := int32(0)
	return v1alpha.NewJobTemplate(batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
		Completions: &none,
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "none", Image: "none"}},
		}},
	}})
}

// state is the ChangeTriggeredJob with its Jobs.
type state struct {
	ctj  v1alpha.ChangeTriggeredJob
	jobs []batchv1.Job
}

func (t *trial) look(ctx context.Context) (now state, err error) {
	if err := t.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: t.name}, &now.ctj); err != nil {
		return now, fmt.Errorf("read the ChangeTriggeredJob: %w", err)
	}
	var list batchv1.JobList
	if err := t.List(ctx, &list, client.InNamespace(t.namespace), client.MatchingLabels{job.OwnerLabel: t.name}); err != nil {
		return now, fmt.Errorf("list its Jobs: %w", err)
	}
	now.jobs = list.Items
	return now, nil
}

// await waits until holds of the state; where it never does, the error says what was there instead.
func (t *trial) await(ctx context.Context, what string, holds func(state) bool) error {
	began := time.Now()
	var last state
	err := wait.PollUntilContextTimeout(ctx, tick, patience, true, func(ctx context.Context) (bool, error) {
		now, err := t.look(ctx)
		if err != nil {
			return false, err
		}
		last = now
		return holds(now), nil
	})
	if err != nil {
		return fmt.Errorf("waited for %s in vain: %s: %w", what, last, err)
	}
	t.saw("%s: after %s", what, time.Since(began).Round(10*time.Millisecond))
	return nil
}

// triggered waits for the trigger of this number, and its Job.
func (t *trial) triggered(ctx context.Context, number int64) error {
	return t.await(ctx, fmt.Sprintf("trigger %d", number), func(now state) bool {
		return now.ctj.Status.TriggerCount == number &&
			slices.ContainsFunc(now.jobs, func(j batchv1.Job) bool { return j.Name == now.ctj.Status.LastJobName })
	})
}

// jobCount checks how many Jobs there are.
func (t *trial) jobCount(ctx context.Context, want int) error {
	now, err := t.look(ctx)
	if err != nil {
		return err
	}
	if len(now.jobs) != want {
		return fmt.Errorf("there are %d Jobs and should be %d: %s", len(now.jobs), want, now)
	}
	t.saw("Jobs: %d", want)
	return nil
}

func (s state) condition(kind string) metav1.Condition {
	for _, condition := range s.ctj.Status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return metav1.Condition{}
}

// String says in short what the state is.
func (s state) String() string {
	available, progressing := s.condition(trigger.ConditionAvailable), s.condition(trigger.ConditionProgressing)
	return fmt.Sprintf("%d Jobs, triggerCount %d, Available %q %s, Progressing %q %s", len(s.jobs), s.ctj.Status.TriggerCount,
		available.Status, available.Reason, progressing.Status, progressing.Reason)
}
