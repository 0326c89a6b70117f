// Package scale runs a thousand ChangeTriggeredJobs at once: exactly one Job for each change, and not one
// request while nothing changes.
package scale

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/test/apiserver"
	"github.com/nusnewob/kube-changejob/test/jobs"
	"github.com/nusnewob/kube-changejob/test/operator"
)

const (
	count    = 1000
	idle     = 2 * time.Minute
	patience = 3 * time.Minute
	tick     = 500 * time.Millisecond
	user     = "operator"
)

func TestAThousandChangeTriggeredJobs(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.log")
	server := apiserver.Start(t, apiserver.CRDs(), apiserver.AuditLog(audit, apiserver.AuditMetadata))
	account, err := server.Env.AddUser(envtest.User{Name: user, Groups: []string{"system:masters"}}, nil)
	require.NoError(t, err)
	kubeconfig, err := account.KubeConfig()
	require.NoError(t, err)
	operator.Start(t, operator.Options{KubeConfig: kubeconfig, Args: []string{"--leader-elect", "--max-concurrent-reconciles=32"}})

	own, shared := &crowd{server: server, namespace: server.Namespace(t)}, &crowd{server: server, namespace: server.Namespace(t)}
	own.populate(t, func(i int) string { return fmt.Sprintf("config-%d", i) })
	shared.populate(t, func(int) string { return "config" })
	own.watching(t)
	shared.watching(t)

	if !testing.Short() {
		before := len(requests(t, audit))
		require.Positive(t, before, "the audit log knows the operator")
		time.Sleep(idle) // the subject of this test is that nothing happens in this time
		assert.Empty(t, requests(t, audit)[before:], "requests while nothing changed")
	}

	own.changeAll(t)
	own.jobs(t, count)
	shared.changeAll(t)
	shared.jobs(t, count)
	t.Logf("%d requests by the operator", len(requests(t, audit)))
}

// requests is what the operator has asked of the API server besides renewing its lease and its watches.
func requests(t *testing.T, audit string) []string {
	events, err := apiserver.ReadAuditLog(audit)
	require.NoError(t, err)
	var lines []string
	for _, event := range events {
		if event.User.Username != user || event.Verb == "watch" || strings.HasPrefix(event.RequestURI, "/apis/coordination.k8s.io/") {
			continue
		}
		lines = append(lines, event.Verb+" "+event.RequestURI)
	}
	return lines
}

// crowd is count ChangeTriggeredJobs in a namespace, and what they watch.
type crowd struct {
	server     *apiserver.Server
	namespace  string
	configMaps []string
}

func (c *crowd) populate(t *testing.T, configMap func(int) string) {
	for i := range count {
		if name := configMap(i); !slices.Contains(c.configMaps, name) {
			c.configMaps = append(c.configMaps, name)
		}
	}
	each(t, len(c.configMaps), func(ctx context.Context, i int) error {
		return c.server.Client.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.configMaps[i]},
			Data:       map[string]string{"key": "before"},
		})
	})
	template := jobs.Template()
	each(t, count, func(ctx context.Context, i int) error {
		return c.server.Client.Create(ctx, &v1alpha.ChangeTriggeredJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: fmt.Sprintf("ctj-%d", i)},
			Spec: v1alpha.ChangeTriggeredJobSpec{
				JobTemplate: template,
				Resources:   []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: c.namespace, Name: configMap(i)}},
			},
		})
	})
}

func (c *crowd) list(ctx context.Context, t require.TestingT) []v1alpha.ChangeTriggeredJob {
	var list v1alpha.ChangeTriggeredJobList
	require.NoError(t, c.server.Client.List(ctx, &list, client.InNamespace(c.namespace)))
	return list.Items
}

// watching waits until each has its baseline.
func (c *crowd) watching(t *testing.T) {
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		ready := 0
		for _, ctj := range c.list(t.Context(), collect) {
			if len(ctj.Status.ResourceHashes) == 1 && len(ctj.Status.ResourceHashes[0].Fields) == 1 && ctj.Status.ResourceHashes[0].Fields[0].Hash != "" {
				ready++
			}
		}
		require.Equal(collect, count, ready)
	}, patience, tick)
}

func (c *crowd) changeAll(t *testing.T) {
	each(t, len(c.configMaps), func(ctx context.Context, i int) error {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.configMaps[i]}}
		return c.server.Client.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"data":{"key":"after"}}`)))
	})
}

// jobs waits until each has triggered once, and checks that there are exactly so many Jobs.
func (c *crowd) jobs(t *testing.T, want int) {
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		triggered := 0
		for _, ctj := range c.list(t.Context(), collect) {
			triggered += int(ctj.Status.TriggerCount)
		}
		require.Equal(collect, want, triggered)
	}, patience, tick)
	var list batchv1.JobList
	require.NoError(t, c.server.Client.List(t.Context(), &list, client.InNamespace(c.namespace), client.HasLabels{job.OwnerLabel}))
	owners := map[string]int{}
	for i := range list.Items {
		owners[list.Items[i].Labels[job.OwnerLabel]]++
	}
	assert.Len(t, list.Items, want)
	assert.Len(t, owners, want, "one each")
}

// each does something n times, eight at a time.
func each(t *testing.T, n int, do func(ctx context.Context, i int) error) {
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	require.NoError(t, group.Wait())
}
