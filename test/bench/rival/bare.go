package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/test/bench/feed"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

// loop does the least that an operator could which remembers what its last Job ran for: one watch, and per change one Job create
// and one status patch, with how often it did so, the Job's name, and a hash of what it ran for. It reads none of that back, and gives
// up at the first error. Its client and its concurrency are the operator's.
type loop struct {
	client    client.Client
	namespace string
	status    bool // whether status is patched, too
	fanOut    int
	queue     workqueue.TypedInterface[string]

	mu     sync.Mutex
	counts map[string]int64  // by ChangeTriggeredJob
	hashes map[string]string // by ConfigMap
}

// bare is the mode of the loop with status patches, or without. The ConfigMap config-I stands for the ChangeTriggeredJob ctj-I, and with
// --fan-out config-0 for that many.
func bare(status bool) mode {
	return func(fs *flag.FlagSet) func(context.Context, *rest.Config) error {
		namespace := fs.String("namespace", "", "namespace of the ConfigMaps and the ChangeTriggeredJobs")
		workers := fs.Int("workers", 16, "how many changes are answered at a time")
		fanOut := fs.Int("fan-out", 0, "how many ChangeTriggeredJobs watch config-0; 0: each ConfigMap has its own")
		return func(ctx context.Context, config *rest.Config) error {
			scheme := runtime.NewScheme()
			if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha.AddToScheme(scheme)); err != nil {
				return err
			}
			c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
			if err != nil {
				return err
			}
			l := &loop{
				client: c, namespace: *namespace, status: status, fanOut: *fanOut,
				queue: workqueue.NewTyped[string](), counts: map[string]int64{}, hashes: map[string]string{},
			}
			return l.run(ctx, c, *workers)
		}
	}
}

func (l *loop) run(ctx context.Context, c client.WithWatch, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, l.queue.ShutDown)
	events, err := feed.Follow(ctx, c, &corev1.ConfigMapList{}, l.namespace)
	if err != nil {
		return err
	}
	for range workers {
		group.Go(func() error { return l.work(ctx) })
	}
	ready()
	group.Go(func() error {
		for event := range events {
			switch config, ok := event.Object.(*corev1.ConfigMap); {
			case event.Type == watch.Error:
				return fmt.Errorf("watch: %v", event.Object)
			case ok && event.Type == watch.Modified:
				l.changed(config)
			}
		}
		return ctx.Err()
	})
	return group.Wait()
}

// changed asks for a Job of each ChangeTriggeredJob that watches config.
func (l *loop) changed(config *corev1.ConfigMap) {
	digest := sha256.Sum256([]byte(config.Data["key"]))
	l.mu.Lock()
	l.hashes[config.Name] = hex.EncodeToString(digest[:16])
	l.mu.Unlock()
	if l.fanOut == 0 {
		l.queue.Add(strings.Replace(config.Name, "config-", "ctj-", 1))
	}
	for i := range l.fanOut {
		l.queue.Add(fmt.Sprintf("ctj-%d", i))
	}
}

func (l *loop) work(ctx context.Context) error {
	for {
		owner, over := l.queue.Get()
		if over {
			return nil
		}
		err := l.trigger(ctx, owner)
		l.queue.Done(owner)
		if err != nil {
			return err
		}
	}
}

func (l *loop) trigger(ctx context.Context, owner string) error {
	config := "config-0"
	if l.fanOut == 0 {
		config = strings.Replace(owner, "ctj-", "config-", 1)
	}
	l.mu.Lock()
	l.counts[owner]++
	count, hash := l.counts[owner], l.hashes[config]
	l.mu.Unlock()
	created := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: l.namespace, Name: fmt.Sprintf("%s-%d", owner, count),
			Labels: map[string]string{job.OwnerLabel: owner},
		},
		Spec: jobs.Spec(),
	}
	if err := l.client.Create(ctx, created); err != nil || !l.status {
		return err
	}
	patch, err := json.Marshal(map[string]any{"status": v1alpha.ChangeTriggeredJobStatus{
		TriggerCount: count, LastJobName: created.Name,
		ResourceHashes: []v1alpha.ResourceHash{{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: l.namespace, Name: config,
			Fields: []v1alpha.FieldHash{{Field: "data", Hash: hash}},
		}},
	}})
	if err != nil {
		return err
	}
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: owner}}
	return l.client.Status().Patch(ctx, ctj, client.RawPatch(types.MergePatchType, patch))
}
