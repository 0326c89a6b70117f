package command

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
	"github.com/nusnewob/kube-changejob/test/apiserver"
)

var update = flag.Bool("update", false, "write the output of the commands into docs/kubectl-plugin.md")

// shown finds what the page shows of a terminal: a command after a dollar sign, and its output.
var shown = regexp.MustCompile("(?ms)^```console\n\\$ kubectl changejob ([^\n]*)\n(.*?)^```")

// TestThePageShowsWhatTheCommandsWrite runs the page's commands in their order, in the world of its example.
func TestThePageShowsWhatTheCommandsWrite(t *testing.T) {
	root, err := apiserver.Root()
	require.NoError(t, err)
	file := filepath.Join(root, "docs", "kubectl-plugin.md")
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	w := example(t)
	directory := t.TempDir()
	yaml := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindSubmatch(page)
	require.NotNil(t, yaml, "the example")
	require.NoError(t, os.WriteFile(filepath.Join(directory, "changetriggeredjob.yaml"), yaml[1], 0o600))
	t.Chdir(directory)

	ran := map[string]bool{}
	written := shown.ReplaceAllStringFunc(string(page), func(block string) string {
		line := shown.FindStringSubmatch(block)[1]
		args := strings.Fields(line)
		ran[args[0]] = true
		r := w.run(args...)
		require.Equal(t, 0, r.code, "%s: %s", line, r.err)
		return "```console\n$ kubectl changejob " + line + "\n" + w.likeThePage(r.out) + "```"
	})
	for _, command := range newRoot(Environment{}).Commands() {
		if command.Name() != "completion" { // a script of hundreds of lines
			assert.True(t, ran[command.Name()], "the page shows %s", command.Name())
		}
		assert.Contains(t, string(page), "\n## "+command.Name()+"\n")
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(written), 0o600))
		return
	}
	assert.Equal(t, string(page), written, "go test ./cmd/kubectl-changejob/command -run TestThePage -update")
}

// likeThePage puts what differs from run to run as the page has it: the names of Jobs depend on a UID, and the version on the build.
func (w *world) likeThePage(output string) string {
	names := map[string]string{}
	suffixes := []string{"3vd4k1q8no", "8c1f0t2mbu", "h60q7ra2ke", "p4e9n3i5dg"}
	output = regexp.MustCompile(`(config-sync|all-or-none)-[0-9a-v]{10}`).ReplaceAllStringFunc(output, func(name string) string {
		if names[name] == "" {
			names[name] = w.suffix(name, suffixes)
		}
		return names[name]
	})
	return regexp.MustCompile(`go1\.[0-9.]+ \w+/\w+`).ReplaceAllString(output, "go1.26.3 linux/amd64")
}

// suffix names a Job as the page does: by its number.
func (w *world) suffix(name string, suffixes []string) string {
	j := &batchv1.Job{}
	require.NoError(w.t, w.server.Client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, j))
	number := j.Annotations["changejob.dev/trigger"]
	return j.Labels["changejob.dev/owner"] + "-" + suffixes[int(number[len(number)-1])%len(suffixes)]
}

// example is the world of the page.
func example(t *testing.T) *world {
	s := apiserver.Start(t, apiserver.CRDs())
	w := &world{t: t, server: s, namespace: "shop", now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), env: map[string]string{}}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app-config"}, Data: map[string]string{"key": "blue", "important-key": "large"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "autumn", Labels: map[string]string{"part-of": "palette"}}, Data: map[string]string{"colour": "red", "state": "ready"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "winter", Labels: map[string]string{"part-of": "palette"}}, Data: map[string]string{"state": "draft"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}, Data: map[string][]byte{"password": []byte("secret")}})
	w = w.as(s.Config)
	w.wrap = atItsTime

	sync := w.trigger("config-sync", func(c *v1alpha.ChangeTriggeredJob) {
		c.Spec.Resources = []v1alpha.ResourceReference{w.configMap("app-config", "data"), w.secret("db", "data.password")}
		c.Annotations = map[string]string{timeAnnotation: "2026-11-01T08:00:00Z"}
	})
	at := func(clock string) time.Time {
		parsed, err := time.Parse(time.RFC3339, "2026-11-29T"+clock+"Z")
		require.NoError(t, err)
		return parsed
	}
	began := func(clock string) func(*batchv1.Job) {
		return func(j *batchv1.Job) { j.Annotations[timeAnnotation] = "2026-11-29T" + clock + "Z" }
	}
	w.ended(w.fired(sync, 10, began("08:00:00")), batchv1.JobFailed, at("08:00:01"), 62*time.Second)
	w.ended(w.fired(sync, 11, began("10:30:00")), batchv1.JobComplete, at("10:30:01"), 4*time.Second)
	last := w.fired(sync, 12, began("11:59:15"))
	w.ended(last, batchv1.JobComplete, at("11:59:16"), 4*time.Second)
	triggered := metav1.NewTime(at("11:59:15"))
	w.observed(sync, func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.Conditions = conditions(at("11:59:40"), metav1.ConditionTrue, trigger.ReasonCooldown, "Secret shop/db changed; the cooldown ends at 2026-11-29T12:00:15Z")
		since := metav1.NewTime(at("11:59:40"))
		s.ResourceHashes = []v1alpha.ResourceHash{
			hashes(sync.Spec.Resources[0], v1alpha.FieldHash{Field: "data", Hash: "v1-1:1"}),
			hashes(sync.Spec.Resources[1], v1alpha.FieldHash{Field: "data.password", Hash: "v1-1:2", LastTriggeredHash: "v1-1:3"}),
		}
		s.ResourceHashes[1].PendingSince = &since
		s.TriggerCount, s.LastTriggeredTime, s.LastJobName, s.LastJobStatus = 12, &triggered, last.Name, v1alpha.JobSucceeded
	})

	all := w.trigger("all-or-none", func(c *v1alpha.ChangeTriggeredJob) {
		c.Spec.Condition = v1alpha.TriggerAll
		c.Spec.Resources = []v1alpha.ResourceReference{w.configMap("app-config", "data"), w.configMap("feature-flags", "*")}
		c.Annotations = map[string]string{timeAnnotation: "2026-11-28T08:00:00Z"}
	})
	w.observed(all, func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.Conditions = conditions(at("11:00:00"), metav1.ConditionTrue, trigger.ReasonWaitingForAll,
			"ConfigMap shop/feature-flags changed; waiting for a change of ConfigMap shop/app-config")
		s.ResourceHashes = []v1alpha.ResourceHash{
			hashes(all.Spec.Resources[0], v1alpha.FieldHash{Field: "data", Hash: "v1-1:1"}),
			hashes(all.Spec.Resources[1], v1alpha.FieldHash{Field: "*", Hash: "v1-1:2", LastTriggeredHash: trigger.Absent}),
		}
		since := metav1.NewTime(at("11:00:00"))
		s.ResourceHashes[1].PendingSince = &since
	})
	return w
}

// timeAnnotation holds the creation time that the page shows; the API server sets its own.
const timeAnnotation = "example.com/created"

// atItsTime is a client to whom objects were created when their annotation says.
func atItsTime(c client.WithWatch) client.WithWatch {
	set := func(object metav1.Object) {
		if created, err := time.Parse(time.RFC3339, object.GetAnnotations()[timeAnnotation]); err == nil {
			object.SetCreationTimestamp(metav1.NewTime(created))
		}
	}
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, object, opts...)
			set(object)
			return err
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, list, opts...)
			switch l := list.(type) {
			case *v1alpha.ChangeTriggeredJobList:
				for i := range l.Items {
					set(&l.Items[i])
				}
			case *batchv1.JobList:
				for i := range l.Items {
					set(&l.Items[i])
				}
			}
			return err
		},
	})
}
