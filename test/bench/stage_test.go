package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
)

const (
	// stagePatience is how long setting the stage may take: a hundred thousand objects are made for some.
	stagePatience = 20 * time.Minute
	// hands is how many requests the benchmarks themselves have under way at a time.
	hands = 32
	// mostReferences is how many references one ChangeTriggeredJob may have.
	mostReferences = 64
	// objectBytes is how large the objects are, where that matters.
	objectBytes = 4 << 10
)

// takes is how often a figure is taken in this run: at least twice, so that sides which take turns have had all of them.
func takes() int {
	if short() {
		return 2
	}
	return rounds
}

// each does something n times, several at a time.
func each(b *testing.B, n int, do func(ctx context.Context, i int) error) {
	b.Helper()
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(hands)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return do(ctx, i) })
	}
	require.NoError(b, group.Wait())
}

// subjectOf is a ChangeTriggeredJob without a cooldown.
func subjectOf(namespace, name string, references ...v1alpha.ResourceReference) *v1alpha.ChangeTriggeredJob {
	return &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha.ChangeTriggeredJobSpec{JobTemplate: jobs.Template(), Cooldown: &metav1.Duration{}, OnLoop: v1alpha.IgnoreLoop, Resources: references},
	}
}

// toConfig refers to the data of a ConfigMap.
func toConfig(namespace, name string) v1alpha.ResourceReference {
	return v1alpha.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name, Fields: []string{"data"}}
}

// makeNamespaces makes namespaces, as they are named.
func makeNamespaces(b *testing.B, server *apiserver.Server, n int, name func(int) string) {
	b.Helper()
	each(b, n, func(ctx context.Context, i int) error {
		return server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name(i)}})
	})
}

// allOf reads the ChangeTriggeredJobs, of a namespace or of all where it is empty.
func allOf(b *testing.B, server *apiserver.Server, namespace string) []v1alpha.ChangeTriggeredJob {
	b.Helper()
	var list v1alpha.ChangeTriggeredJobList
	require.NoError(b, server.Client.List(b.Context(), &list, client.InNamespace(namespace)))
	return list.Items
}

// awaitAll waits until there are n ChangeTriggeredJobs of which each is as it should be.
func awaitAll(b *testing.B, server *apiserver.Server, namespace string, n int, done func(*v1alpha.ChangeTriggeredJob) bool) {
	b.Helper()
	ticker := time.NewTicker(100*time.Millisecond + time.Duration(n)*100*time.Microsecond) // for a thousand: every 0.2 s
	defer ticker.Stop()
	deadline := time.After(stagePatience)
	for {
		count := 0
		list := allOf(b, server, namespace)
		for i := range list {
			if done(&list[i]) {
				count++
			}
		}
		if count == n {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			b.Fatalf("%d of %d ChangeTriggeredJobs are as they should be after %s", count, n, stagePatience)
		}
	}
}

// hasBaselines says whether each reference has been compared once.
func hasBaselines(ctj *v1alpha.ChangeTriggeredJob) bool {
	if len(ctj.Status.ResourceHashes) != len(ctj.Spec.Resources) {
		return false
	}
	for _, of := range ctj.Status.ResourceHashes {
		for _, field := range of.Fields {
			if field.Hash == "" {
				return false
			}
		}
	}
	return true
}

// accountOf is the kubeconfig of a user of this name who may do everything, so that requests can be told apart.
func accountOf(b *testing.B, server *apiserver.Server, name string) []byte {
	b.Helper()
	user, err := server.Env.AddUser(envtest.User{Name: name, Groups: []string{"system:masters"}}, nil)
	require.NoError(b, err)
	kubeConfig, err := user.KubeConfig()
	require.NoError(b, err)
	return kubeConfig
}

// numbered names things: numbered("config")(3) is "config-3".
func numbered(prefix string) func(int) string {
	return func(i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
}

// awaitBaseline makes a ChangeTriggeredJob, waits until the operator has compared it, and removes it again.
func awaitBaseline(b *testing.B, server *apiserver.Server, one *v1alpha.ChangeTriggeredJob) {
	b.Helper()
	require.NoError(b, server.Client.Create(b.Context(), one))
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(stagePatience); !hasBaselines(one); <-ticker.C {
		require.NoError(b, server.Client.Get(b.Context(), client.ObjectKeyFromObject(one), one))
		if time.Now().After(deadline) {
			b.Fatalf("%s has no baseline after %s", one.Name, stagePatience)
		}
	}
	require.NoError(b, server.Client.Delete(b.Context(), one))
}
