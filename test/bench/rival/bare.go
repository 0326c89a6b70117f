package main

import (
	"context"
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

// loop does the least that any operator could: one watch, and per change one Job create and one status patch. It remembers
// nothing but how often it did so, and gives up at the first error. Its client and its concurrency are the operator's.
type loop struct {
	client    client.Client
	namespace string
	status    bool // whether status is patched, too
	queue     workqueue.TypedInterface[string]

	mu     sync.Mutex
	counts map[string]int64
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
				client: c, namespace: *namespace, status: status,
				queue: workqueue.NewTyped[string](), counts: map[string]int64{},
			}
			return l.run(ctx, c, *workers, *fanOut)
		}
	}
}

func (l *loop) run(ctx context.Context, c client.WithWatch, workers, fanOut int) error {
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
			case !ok || event.Type != watch.Modified:
			case fanOut > 0:
				for i := range fanOut {
					l.queue.Add(fmt.Sprintf("ctj-%d", i))
				}
			default:
				l.queue.Add("ctj-" + strings.TrimPrefix(config.Name, "config-"))
			}
		}
		return ctx.Err()
	})
	return group.Wait()
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
	l.mu.Lock()
	l.counts[owner]++
	count := l.counts[owner]
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
	ctj := &v1alpha.ChangeTriggeredJob{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: owner}}
	patch := fmt.Appendf(nil, `{"status":{"triggerCount":%d,"lastJobName":%q}}`, count, created.Name)
	return l.client.Status().Patch(ctx, ctj, client.RawPatch(types.MergePatchType, patch))
}
