package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// story is the user guide's first example, told as it happens.
type story struct {
	*cluster
	ctj    *v1alpha.ChangeTriggeredJob
	config *corev1.ConfigMap
}

func (s *story) tell(ctx context.Context) error {
	say("")
	if err := s.begin(ctx); err != nil {
		return err
	}
	created, err := s.change(ctx)
	if err != nil {
		return err
	}
	if err := s.check(created); err != nil {
		return err
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	return s.show(ctx)
}

// begin applies the example and waits for the baseline.
func (s *story) begin(ctx context.Context) error {
	s.config = &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "my-config"},
		Data:       map[string]string{"key": "value"},
	}
	if err := s.client.Create(ctx, s.config); err != nil {
		return fmt.Errorf("create the ConfigMap: %w", err)
	}
	say("ConfigMap %s has key=value.", s.config.Name)
	page, err := os.ReadFile(filepath.Join(s.root, "docs", "user-guide.md"))
	if err != nil {
		return err
	}
	if s.ctj, err = firstExample(page, s.namespace); err != nil {
		return err
	}
	if err := s.client.Create(ctx, s.ctj); err != nil {
		return fmt.Errorf("create the ChangeTriggeredJob: %w", err)
	}
	say("ChangeTriggeredJob %s watches it.", s.ctj.Name)
	err = s.await(ctx, "the baseline", func() bool {
		return meta.IsStatusConditionTrue(s.ctj.Status.Conditions, trigger.ConditionAvailable)
	})
	if err != nil {
		return err
	}
	say("It is Available: the baseline is taken.")
	return nil
}

var fenced = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// firstExample is the first YAML of a page, in the given namespace.
func firstExample(page []byte, namespace string) (*v1alpha.ChangeTriggeredJob, error) {
	block := fenced.FindSubmatch(page)
	if block == nil {
		return nil, errors.New("the user guide has no YAML")
	}
	ctj := &v1alpha.ChangeTriggeredJob{}
	if err := yaml.UnmarshalStrict(block[1], ctj); err != nil {
		return nil, fmt.Errorf("the user guide's first example: %w", err)
	}
	ctj.Namespace = namespace
	for i := range ctj.Spec.Resources {
		ctj.Spec.Resources[i].Namespace = namespace
	}
	return ctj, nil
}

// change changes the ConfigMap and measures how long it takes until the Job is there.
func (s *story) change(ctx context.Context) (*batchv1.Job, error) {
	jobs, err := s.client.Watch(ctx, &batchv1.JobList{}, client.InNamespace(s.namespace), client.MatchingLabels{job.OwnerLabel: s.ctj.Name})
	if err != nil {
		return nil, fmt.Errorf("watch Jobs: %w", err)
	}
	defer jobs.Stop()
	began := time.Now()
	if err := s.client.Patch(ctx, s.config, client.RawPatch(types.MergePatchType, []byte(`{"data":{"key":"newvalue"}}`))); err != nil {
		return nil, fmt.Errorf("change the ConfigMap: %w", err)
	}
	for event := range jobs.ResultChan() {
		created, ok := event.Object.(*batchv1.Job)
		if !ok || event.Type != watch.Added {
			continue
		}
		say("key=newvalue: %.1f ms after the change was sent, Job %s is there.", time.Since(began).Seconds()*1000, created.Name)
		return created, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("waiting for the Job: %w", context.Cause(ctx))
	}
	return nil, errors.New("the API server ended the watch of Jobs")
}

// check compares the Job with what is promised.
func (s *story) check(created *batchv1.Job) error {
	switch {
	case !metav1.IsControlledBy(created, s.ctj):
		return fmt.Errorf("job %s is not owned by the ChangeTriggeredJob", created.Name)
	case created.Annotations[job.TriggerAnnotation] != "1":
		return fmt.Errorf("job %s has trigger number %q, want 1", created.Name, created.Annotations[job.TriggerAnnotation])
	case created.Annotations[job.ReasonAnnotation] != string(trigger.ReasonChange):
		return fmt.Errorf("job %s has reason %q", created.Name, created.Annotations[job.ReasonAnnotation])
	}
	say("It belongs to %s, is trigger 1, and is told what changed:", s.ctj.Name)
	say("  %s", created.Annotations[job.ChangedAnnotation])
	return nil
}

// end waits for the Job's success.
func (s *story) end(ctx context.Context) error {
	err := s.await(ctx, "the Job's end", func() bool {
		return s.ctj.Status.LastJobStatus == v1alpha.JobSucceeded || s.ctj.Status.LastJobStatus == v1alpha.JobFailed
	})
	if err != nil {
		return err
	}
	if s.ctj.Status.LastJobStatus != v1alpha.JobSucceeded || s.ctj.Status.TriggerCount != 1 {
		return fmt.Errorf("trigger %d ended as %s", s.ctj.Status.TriggerCount, s.ctj.Status.LastJobStatus)
	}
	say("The Job succeeded.")
	return nil
}

// show prints what a user sees.
func (s *story) show(ctx context.Context) error {
	path, err := s.kubectl()
	if err != nil {
		say("\nThere is no kubectl to show it with: %v.", err)
		return nil
	}
	say("\n$ kubectl get ctj")
	kubectl := exec.CommandContext(ctx, path, "--kubeconfig="+s.kubeconfig, "--namespace="+s.namespace, "get", "ctj")
	output, err := kubectl.CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl get ctj: %w: %s", err, output)
	}
	say("%s", strings.TrimSpace(string(output)))
	return nil
}

// kubectl is the path of the control plane's; on another cluster, for which none need be built, it is the user's.
func (s *story) kubectl() (string, error) {
	built := filepath.Join(s.root, "bin", "k8s", "kubectl")
	if s.local {
		return built, nil
	}
	path, err := exec.LookPath("kubectl")
	if err == nil {
		return path, nil
	}
	if _, missing := os.Stat(built); missing == nil {
		return built, nil
	}
	return "", err
}

func (s *story) await(ctx context.Context, what string, holds func() bool) error {
	return s.until(ctx, what, func() bool {
		return s.client.Get(ctx, client.ObjectKeyFromObject(s.ctj), s.ctj) == nil && holds()
	})
}
