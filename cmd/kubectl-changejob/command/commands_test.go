package command

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// pending writes the status of a ChangeTriggeredJob that waits in its cooldown.
func (w *world) pending(ctj *v1alpha.ChangeTriggeredJob, last *batchv1.Job) {
	at := metav1.NewTime(w.now.Add(-20 * time.Second).Truncate(time.Second))
	w.observed(ctj, func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.Conditions = conditions(w.now, metav1.ConditionTrue, trigger.ReasonCooldown, "ConfigMap changed; the cooldown ends")
		s.ResourceHashes = []v1alpha.ResourceHash{hashes(w.configMap("app-config"), v1alpha.FieldHash{Field: "data", Hash: "v1-1:2", LastTriggeredHash: "v1-1:1"})}
		s.TriggerCount, s.LastTriggeredTime = 2, &at
		if last != nil {
			s.LastJobName, s.LastJobStatus = last.Name, v1alpha.JobSucceeded
		}
	})
}

func TestReportsAreTheSameInJSONAndYAML(t *testing.T) {
	w := newWorld(t)
	ctj := w.trigger("config-sync")
	w.ended(w.fired(ctj, 1), batchv1.JobFailed, w.now.Add(-time.Hour), 90*time.Second)
	last := w.fired(ctj, 2)
	w.ended(last, batchv1.JobComplete, w.now.Add(-time.Minute), 4*time.Second)
	w.pending(ctj, last)

	for _, test := range []struct {
		args []string
		into any
		see  func(any)
	}{
		{[]string{"list"}, &report.List{}, func(r any) {
			items := r.(*report.List).Items
			require.Len(t, items, 1)
			assert.Equal(t, []any{"config-sync", "Cooldown", 1, 1, int64(2)},
				[]any{items[0].Name, items[0].State, items[0].Pending, items[0].References, items[0].TriggerCount})
			assert.True(t, ctj.Status.LastTriggeredTime.Add(time.Minute).Equal(items[0].Next.Time.Time))
		}},
		{[]string{"describe", "config-sync"}, &report.Descriptions{}, func(r any) {
			d := r.(*report.Descriptions).Items[0]
			require.NotNil(t, d.LastTrigger)
			assert.Equal(t, int64(2), d.LastTrigger.Number)
			assert.Equal(t, []string{"data"}, d.LastTrigger.Changed[0].Fields)
			assert.Len(t, d.Conditions, 3)
		}},
		{[]string{"history", "config-sync"}, &report.History{}, func(r any) {
			h := r.(*report.History)
			require.Len(t, h.Triggers, 2)
			assert.Equal(t, []any{int64(2), "Succeeded", int64(4)}, []any{h.Triggers[0].Number, h.Triggers[0].Outcome, *h.Triggers[0].DurationSeconds})
			assert.Equal(t, []any{int64(1), "Failed", int64(90)}, []any{h.Triggers[1].Number, h.Triggers[1].Outcome, *h.Triggers[1].DurationSeconds})
		}},
		{[]string{"diff"}, &report.Differences{}, func(r any) {
			assert.Equal(t, []report.Field{{Field: "data", State: report.FieldChanged, Exists: true}}, r.(*report.Differences).Items[0].Resources[0].Fields)
		}},
		{[]string{"graph"}, &report.Graph{}, func(r any) {
			assert.Equal(t, "config-sync", r.(*report.Graph).Objects[0].Triggers[0].Name)
		}},
		{[]string{"version"}, &versions{}, func(r any) { assert.Equal(t, "v1.2.3", r.(*versions).Version) }},
	} {
		t.Run(test.args[0], func(t *testing.T) {
			inJSON, inYAML := w.done(append(test.args, "-o", "json")...), w.done(append(test.args, "-o", "yaml")...)
			converted, err := yaml.YAMLToJSON([]byte(inYAML))
			require.NoError(t, err)
			assert.JSONEq(t, inJSON, string(converted))
			assert.NotContains(t, inJSON, "v1-1:", "hashes are of no use to people")
			decoder := json.NewDecoder(strings.NewReader(inJSON))
			decoder.DisallowUnknownFields()
			require.NoError(t, decoder.Decode(test.into))
			test.see(test.into)
			assert.NotEmpty(t, w.done(test.args...))
		})
	}
}

func TestListsAreNeverNull(t *testing.T) {
	w := newWorld(t)
	assert.JSONEq(t, `{"items":[]}`, w.done("list", "-o", "json"))
	assert.JSONEq(t, `{"items":[]}`, w.done("diff", "-o", "json"))
	assert.JSONEq(t, `{"objects":[]}`, w.done("graph", "-o", "json"))
	w.trigger("new")
	for _, args := range [][]string{{"list"}, {"describe", "new"}, {"history", "new"}, {"diff", "new"}, {"graph", "new"}} {
		assert.NotContains(t, w.done(append(args, "-o", "json")...), "null", args[0])
	}
}

func TestNothingToTellIsToldBesideTheOutput(t *testing.T) {
	w := newWorld(t)
	for _, command := range []string{"list", "diff", "graph"} {
		r := w.run(command, "-l", "app=none")
		assert.Equal(t, result{err: "No ChangeTriggeredJobs in namespace " + w.namespace + " with these labels.\n"}, r)
	}
	w.trigger("new")
	assert.Equal(t, result{err: "No Jobs of " + w.namespace + "/new.\n"}, w.run("history", "new"))
}

func TestWhatIsSelected(t *testing.T) {
	w := newWorld(t)
	label := func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Labels = map[string]string{"app": w.namespace} }
	w.trigger("one", label)
	w.trigger("two")
	elsewhere := *w
	elsewhere.namespace = server.Namespace(t)
	elsewhere.trigger("three", label)

	names := func(args ...string) []string {
		var list report.List
		require.NoError(t, json.Unmarshal([]byte(w.done(append([]string{"list", "-o", "json"}, args...)...)), &list))
		var found []string
		for _, item := range list.Items {
			found = append(found, item.Name)
		}
		return found
	}
	for does, test := range map[string]struct{ args, want []string }{
		"the namespace of the kubeconfig": {nil, []string{"one", "two"}},
		"those that are named":            {[]string{"two", "one"}, []string{"two", "one"}},
		"another namespace":               {[]string{"-n", elsewhere.namespace}, []string{"three"}},
		"by label":                        {[]string{"-l", "app"}, []string{"one"}},
		"by label, in all namespaces":     {[]string{"-A", "-l", "app in (" + w.namespace + ")"}, []string{"one", "three"}},
	} {
		t.Run(does, func(t *testing.T) { assert.ElementsMatch(t, test.want, names(test.args...)) })
	}
	assert.Contains(t, w.done("list", "-A"), elsewhere.namespace[:10])
}

func TestMistakesAreTold(t *testing.T) {
	w := newWorld(t)
	w.trigger("config-sync")
	directory := t.TempDir()
	for does, test := range map[string]struct {
		args []string
		want string
	}{
		"one that is not there":            {[]string{"list", "config-sync", "none"}, `"none" not found`},
		"one that is not there, described": {[]string{"describe", "config-sync", "none"}, `"none" not found`},
		"and suspended":                    {[]string{"suspend", "config-sync", "none"}, `"none" not found`},
		"and run":                          {[]string{"run", "none"}, `"none" not found`},
		"an unknown format":                {[]string{"list", "-o", "dot"}, `unknown output format "dot": choose one of json, yaml, wide`},
		"an unknown command":               {[]string{"frobnicate"}, `unknown command "frobnicate"`},
		"an unknown flag":                  {[]string{"list", "--frobnicate"}, "unknown flag: --frobnicate"},
		"no name":                          {[]string{"describe"}, "requires at least 1 arg"},
		"nothing to suspend":               {[]string{"suspend"}, "name ChangeTriggeredJobs, or select them with -l"},
		"names in all namespaces":          {[]string{"list", "-A", "config-sync"}, "names are of one namespace"},
		"names and a selector":             {[]string{"suspend", "-l", "a", "config-sync"}, "leave out either the names or the selector"},
		"a selector that cannot be read":   {[]string{"list", "-l", "a in"}, "the selector cannot be read"},
		"a context that is not there":      {[]string{"list", "--context", "none"}, `context "none" does not exist`},
		"a file that is not there":         {[]string{"check", filepath.Join(directory, "none.yaml")}, "no such file"},
		"an unknown shell":                 {[]string{"completion", "tcsh"}, `invalid argument "tcsh"`},
	} {
		t.Run(does, func(t *testing.T) {
			r := w.run(test.args...)
			assert.Equal(t, 1, r.code)
			assert.Empty(t, r.out, "half told")
			assert.Contains(t, r.err, "error: ")
			assert.Contains(t, r.err, test.want)
			assert.Equal(t, 1, strings.Count(r.err, "\n"), "one line: %s", r.err)
		})
	}
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "config-sync"}, ctj))
	assert.False(t, ctj.Spec.Suspended(), "half done")
}

func TestAClusterWithoutTheOperatorIsToldSo(t *testing.T) {
	w := newWorld(t)
	w.wrap = func(c client.WithWatch) client.WithWatch {
		return interceptor.NewClient(c, interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: v1alpha.GroupVersion.Group, Kind: v1alpha.Kind}}
			},
		})
	}
	r := w.run("list")
	assert.Equal(t, 1, r.code)
	assert.Equal(t, "error: the cluster does not serve ChangeTriggeredJobs (triggers.changejob.dev/v1alpha): is kube-changejob installed there?\n", r.err)

	stranger := rest.AnonymousClientConfig(server.Config)
	stranger.BearerToken = "nobody's"
	r = newWorld(t).as(stranger).run("list")
	assert.Equal(t, 1, r.code)
	assert.Equal(t, "error: the cluster does not know you (Unauthorized): check your kubeconfig\n", r.err)
}

func TestRightsThatAreMissing(t *testing.T) {
	w := newWorld(t)
	ctj := w.trigger("config-sync")
	last := w.fired(ctj, 1)
	w.pending(ctj, last)
	reader := w.user("reader", may(v1alpha.GroupVersion.Group, triggers, "get", "list"))
	nobody := w.user("nobody")

	out := reader.done("describe", "config-sync")
	assert.Contains(t, out, "unknown: you may not list the Jobs of this namespace", "what status says is told all the same")
	assert.Contains(t, out, last.Name)
	reader.done("list")
	reader.done("diff", "config-sync")
	for _, args := range [][]string{{"history", "config-sync"}, {"suspend", "config-sync"}, {"run", "config-sync"}, {"list", "-A"}} {
		r := reader.run(args...)
		assert.Equal(t, 1, r.code, args[0])
		assert.Contains(t, r.err, "forbidden", args[0])
		assert.Empty(t, r.out, args[0])
	}
	for _, command := range []string{"list", "graph"} {
		r := nobody.run(command)
		assert.Equal(t, 1, r.code)
		assert.Contains(t, r.err, "forbidden")
	}
}

func TestSuspendAndResume(t *testing.T) {
	w := newWorld(t)
	suspended := func(name string) bool {
		ctj := &v1alpha.ChangeTriggeredJob{}
		require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, ctj))
		return ctj.Spec.Suspended()
	}
	label := func(ctj *v1alpha.ChangeTriggeredJob) { ctj.Labels = map[string]string{"app": "web"} }
	w.trigger("one", label)
	w.trigger("two", label)
	const prefix = "changetriggeredjob.triggers.changejob.dev/"

	assert.Equal(t, prefix+"one suspended\n", w.done("suspend", "one"))
	assert.True(t, suspended("one"))
	assert.Equal(t, prefix+"one suspended already\n"+prefix+"two suspended\n", w.done("suspend", "-l", "app=web"))
	assert.True(t, suspended("two"))
	assert.Equal(t, prefix+"two resumed\n", w.done("resume", "two"))
	assert.False(t, suspended("two"))
	assert.True(t, suspended("one"))
}

func TestWhatIsRefusedForOneIsDoneForNone(t *testing.T) {
	w := newWorld(t)
	w.trigger("one")
	w.trigger("two")
	rule := may(v1alpha.GroupVersion.Group, triggers, "patch")
	rule.ResourceNames = []string{"one"}
	half := w.user("half", may(v1alpha.GroupVersion.Group, triggers, "get", "list"), rule)
	r := half.run("suspend", "one", "two")
	assert.Equal(t, 1, r.code)
	assert.Empty(t, r.out)
	assert.Contains(t, r.err, `"two" is forbidden`)
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "one"}, ctj))
	assert.False(t, ctj.Spec.Suspended())
}

func TestRunAsksWithANewValueEachTime(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	ctj := w.trigger("config-sync")
	r := w.run("run", "config-sync")
	assert.Equal(t, "error: the operator has not looked at changetriggeredjob.triggers.changejob.dev/config-sync yet: wait until it is Available\n", r.err)
	w.pending(ctj, nil)
	asked := func() (value, forced string) {
		ctj := &v1alpha.ChangeTriggeredJob{}
		require.NoError(t, server.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "config-sync"}, ctj))
		return ctj.Annotations[v1alpha.RunNowAnnotation], ctj.Annotations[v1alpha.RunNowForceAnnotation]
	}
	assert.Equal(t, "changetriggeredjob.triggers.changejob.dev/config-sync asked to run\n", w.done("run", "config-sync"))
	first, forced := asked()
	assert.Regexp(t, `^2026-11-29T12:00:00Z-[a-z0-9]{8}$`, first)
	assert.Empty(t, forced)
	w.done("run", "config-sync")
	second, _ := asked()
	assert.NotEqual(t, first, second)

	w.done("suspend", "config-sync")
	r = w.run("run", "config-sync")
	assert.Equal(t, 1, r.code)
	assert.Equal(t, "error: changetriggeredjob.triggers.changejob.dev/config-sync is suspended: resume it, or run it with --force\n", r.err)
	still, _ := asked()
	assert.Equal(t, second, still)
	w.done("run", "config-sync", "--force")
	third, forced := asked()
	assert.NotEqual(t, second, third)
	assert.Equal(t, third, forced)
}

// faulty is a client whose requests go by these functions; what they leave out, nothing changes.
func faulty(faults interceptor.Funcs) func(client.WithWatch) client.WithWatch {
	return func(c client.WithWatch) client.WithWatch { return interceptor.NewClient(c, faults) }
}

// answering stands in for the operator: when somebody asks, it does what answer says with the value, before they know that they have asked.
func answering(answer func(value string)) interceptor.Funcs {
	return interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := c.Patch(ctx, object, patch, opts...); err != nil {
				return err
			}
			answer(object.GetAnnotations()[v1alpha.RunNowAnnotation])
			return nil
		},
	}
}

// answered writes status as an operator that has answered a value.
func (w *world) answered(ctj *v1alpha.ChangeTriggeredJob, value string, edits ...func(*v1alpha.ChangeTriggeredJobStatus)) {
	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(w.t, server.Client.Get(w.t.Context(), client.ObjectKeyFromObject(ctj), stored))
	w.observed(stored, func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.LastRunNow = value
		for _, edit := range edits {
			edit(s)
		}
	})
}

// lastJob says in status which Job was the last, and what became of it.
func lastJob(number int64, name string, outcome v1alpha.JobStatus) func(*v1alpha.ChangeTriggeredJobStatus) {
	return func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.TriggerCount, s.LastJobName, s.LastJobStatus = number, name, outcome
	}
}

// deleted deletes a Job.
func (w *world) deleted(j *batchv1.Job) {
	w.t.Helper()
	require.NoError(w.t, server.Client.Delete(w.t.Context(), j, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}

// endedAndReplaced has the Job that was asked for end, and be deleted for the next one at once.
func endedAndReplaced(outcome batchv1.JobConditionType) func(*world, *v1alpha.ChangeTriggeredJob, string) {
	return func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
		first := w.fired(ctj, 3, asked(value))
		w.ended(first, outcome, w.now, time.Second)
		w.answered(ctj, value, lastJob(4, w.fired(ctj, 4).Name, v1alpha.JobActive))
		w.deleted(first)
	}
}

// asked is a Job that was asked for by a value.
func asked(value string) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Annotations[v1alpha.RunNowAnnotation] = value }
}

func TestRunWaitsForTheJobItAskedFor(t *testing.T) {
	succeeded, failed := `^job.batch/config-sync-[0-9a-v]{10} succeeded\n$`, `^error: Job config-sync-[0-9a-v]{10} has failed\n$`
	for does, test := range map[string]struct {
		answer func(*world, *v1alpha.ChangeTriggeredJob, string)
		out    string
		err    string
	}{
		"until it has succeeded": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
				w.ended(w.fired(ctj, 3), batchv1.JobFailed, w.now, 0) // another one
				w.ended(w.fired(ctj, 4, asked(value)), batchv1.JobComplete, w.now, time.Second)
			},
			out: succeeded,
		},
		"and fails where it has failed": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
				w.ended(w.fired(ctj, 3, asked(value)), batchv1.JobFailed, w.now, time.Second)
			},
			err: failed,
		},
		"of which the end is seen, though it is deleted for the next one at once": {
			answer: endedAndReplaced(batchv1.JobComplete),
			out:    succeeded,
		},
		"and fails where it has failed, and is gone": {
			answer: endedAndReplaced(batchv1.JobFailed),
			err:    failed,
		},
		"and believes status, where the end of what is gone was not to be seen": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
				gone := w.fired(ctj, 3, asked(value))
				w.deleted(gone)
				w.answered(ctj, value, lastJob(3, gone.Name, v1alpha.JobSucceeded))
			},
			out: succeeded,
		},
		"and tells that somebody else has asked": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, _ string) {
				ctj.Annotations = map[string]string{v1alpha.RunNowAnnotation: "else"}
				ctj.ResourceVersion = ""
				require.NoError(w.t, server.Client.Update(w.t.Context(), fresh(w, ctj)))
			},
			err: `^error: somebody else has asked .* to run before a Job was there\n$`,
		},
		"and tells that the operator refuses": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) { w.answered(ctj, value) },
			err:    `^error: the operator refused to run a Job: see kubectl events --for ctj/config-sync\n$`,
		},
		"and tells that it refuses, though it has run another one": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
				w.answered(ctj, value, lastJob(3, w.fired(ctj, 3).Name, v1alpha.JobActive))
			},
			err: `^error: the operator refused to run a Job: see kubectl events --for ctj/config-sync\n$`,
		},
		"and goes on with the successor of one that was replaced": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
				replaced := w.fired(ctj, 3, asked(value))
				w.deleted(replaced)
				w.ended(w.fired(ctj, 4, asked(value)), batchv1.JobComplete, w.now, time.Second)
			},
			out: succeeded,
		},
		"and tells that the Job is gone": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) {
				gone := w.fired(ctj, 3, asked(value))
				w.deleted(gone)
				w.answered(ctj, value, lastJob(3, gone.Name, ""))
			},
			err: `^error: Job config-sync-[0-9a-v]{10} is gone, and its end was not seen\n$`,
		},
		"no longer than it is told to": {
			answer: func(*world, *v1alpha.ChangeTriggeredJob, string) {},
			err:    `^error: no Job has started in time: see kubectl changejob describe config-sync\n$`,
		},
		"nor for a Job that does not end": {
			answer: func(w *world, ctj *v1alpha.ChangeTriggeredJob, value string) { w.fired(ctj, 3, asked(value)) },
			err:    `^error: Job config-sync-[0-9a-v]{10} has not ended in time\n$`,
		},
	} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t)
			ctj := w.trigger("config-sync")
			w.pending(ctj, nil)
			w.wrap = faulty(answering(func(value string) { test.answer(w, ctj, value) }))
			timeout := "1m"
			if strings.Contains(test.err, "in time") {
				timeout = "2s"
			}
			assertSays(t, w.run("run", "config-sync", "--wait", "--timeout", timeout), test.out, test.err)
		})
	}
}

// assertSays checks what a command has written by two expressions, of which an empty one stands for nothing at all. With an error it ends with
// another exit code.
func assertSays(t *testing.T, r result, out, err string) {
	t.Helper()
	assert.Equal(t, err != "", r.code == 1)
	for _, said := range []struct{ want, got string }{{out, r.out}, {err, r.err}} {
		if said.want == "" {
			assert.Empty(t, said.got)
		} else {
			assert.Regexp(t, said.want, said.got)
		}
	}
}

func TestRunGoesOnWaitingWhenTheAPIServerDoesNotAnswer(t *testing.T) {
	const often = 3
	unavailable := apierrors.NewServiceUnavailable("restarting")
	for does, fault := range map[string]func(funcs *interceptor.Funcs, asked *bool){
		"for the ChangeTriggeredJob": func(funcs *interceptor.Funcs, asked *bool) {
			failures := 0
			funcs.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
				if failures++; *asked && failures < often {
					return unavailable
				}
				return c.Get(ctx, key, object, opts...)
			}
		},
		"for the Jobs, and ends the watch": func(funcs *interceptor.Funcs, _ *bool) {
			failures := 0
			funcs.Watch = func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
				switch failures++; {
				case failures == 1:
					ended := watch.NewFakeWithOptions(watch.FakeOptions{})
					ended.Stop()
					return ended, nil
				case failures < often:
					return nil, unavailable
				default:
					return c.Watch(ctx, list, opts...)
				}
			}
		},
		"with a version that it knows": func(funcs *interceptor.Funcs, _ *bool) {
			failures := 0
			funcs.Watch = func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
				if failures++; failures < often {
					expired := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: 1})
					expired.Error(&metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: http.StatusGone})
					return expired, nil
				}
				return c.Watch(ctx, list, opts...)
			}
		},
	} {
		t.Run(does, func(t *testing.T) {
			w := newWorld(t)
			ctj := w.trigger("config-sync")
			w.pending(ctj, nil)
			wasAsked := false
			funcs := answering(func(value string) {
				wasAsked = true
				w.ended(w.fired(ctj, 3, asked(value)), batchv1.JobComplete, w.now, time.Second)
			})
			fault(&funcs, &wasAsked)
			w.wrap = faulty(funcs)
			assertSays(t, w.run("run", "config-sync", "--wait", "--timeout", "1m"), `^job.batch/config-sync-[0-9a-v]{10} succeeded\n$`, "")
		})
	}
}

func TestRunSaysInTheEndThatTheAPIServerDidNotAnswer(t *testing.T) {
	w := newWorld(t)
	w.pending(w.trigger("config-sync"), nil)
	wasAsked := false
	funcs := answering(func(string) { wasAsked = true })
	funcs.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
		if wasAsked {
			return apierrors.NewServiceUnavailable("restarting")
		}
		return c.Get(ctx, key, object, opts...)
	}
	w.wrap = faulty(funcs)
	assertSays(t, w.run("run", "config-sync", "--wait", "--timeout", "2s"), "", `^error: no Job has started in time: see .* \(the last request failed: restarting\)\n$`)
}

func TestWhoMayNotSeeJobsRunsNoneByWaiting(t *testing.T) {
	group := v1alpha.GroupVersion.Group
	for verb, verbs := range map[string][]string{"list": {"get"}, "watch": {"get", "list"}} {
		t.Run(verb, func(t *testing.T) {
			w := newWorld(t)
			ctj := w.trigger("config-sync")
			w.pending(ctj, nil)
			user := w.user("runner", may(group, triggers, "get", "patch"), may("batch", "jobs", verbs...))
			assertSays(t, user.run("run", "config-sync", "--wait", "--timeout", "1m"), "", `^error: .*cannot `+verb+` resource "jobs".*\n$`)
			assert.Empty(t, stored(w, "config-sync").Annotations, "nothing was asked for")
		})
	}
}

// stored is the ChangeTriggeredJob that the API server has.
func stored(w *world, name string) *v1alpha.ChangeTriggeredJob {
	ctj := &v1alpha.ChangeTriggeredJob{}
	require.NoError(w.t, server.Client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, ctj))
	return ctj
}

// fresh is the stored ChangeTriggeredJob with the annotations of ctj.
func fresh(w *world, ctj *v1alpha.ChangeTriggeredJob) *v1alpha.ChangeTriggeredJob {
	stored := &v1alpha.ChangeTriggeredJob{}
	require.NoError(w.t, server.Client.Get(w.t.Context(), client.ObjectKeyFromObject(ctj), stored))
	stored.Annotations = ctj.Annotations
	return stored
}

func TestColoursOnlyWhereTheyAreWanted(t *testing.T) {
	w := newWorld(t)
	ctj := w.trigger("config-sync")
	w.pending(ctj, nil)
	assert.NotContains(t, w.done("list"), "\x1b", "no terminal")
	w.terminal = 100
	assert.Contains(t, w.done("list"), "\x1b")
	assert.NotContains(t, w.done("list", "-o", "json"), "\x1b", "for programs")
	w.env["NO_COLOR"] = "1"
	assert.NotContains(t, w.done("list"), "\x1b")
	delete(w.env, "NO_COLOR")
	w.env["TERM"] = "dumb"
	assert.NotContains(t, w.done("list"), "\x1b")
}

func TestCompletion(t *testing.T) {
	w := newWorld(t)
	w.trigger("config-sync")
	w.trigger("rollout")
	complete := func(w *world, args ...string) []string {
		// The flag for the kubeconfig stands first: completion reads the words before the last.
		r := w.complete(args...)
		var found []string
		for line := range strings.Lines(r.out) {
			if !strings.HasPrefix(line, ":") {
				name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				found = append(found, name)
			}
		}
		return found
	}
	assert.Equal(t, []string{"config-sync", "rollout"}, complete(w, "describe", ""))
	assert.Equal(t, []string{"rollout"}, complete(w, "describe", "config-sync", ""))
	assert.Empty(t, complete(w, "run", "config-sync", ""), "run takes one")
	assert.Equal(t, []string{"json", "yaml", "wide"}, complete(w, "list", "-o", ""))
	assert.Contains(t, complete(w, "list", "-n", ""), w.namespace)
	assert.Contains(t, complete(w, ""), "describe")
	assert.Empty(t, complete(w.user("nobody"), "describe", ""))

	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		assert.Contains(t, w.done("completion", shell), "__complete", shell)
	}
	assert.Equal(t, kubectlScript, w.done("completion", "kubectl"))
}

// complete asks what the last of the words may be.
func (w *world) complete(words ...string) result {
	name, args := "__complete", append([]string{"--kubeconfig=" + w.kubeconfig}, words...)
	w.t.Helper()
	return w.runBare(append([]string{name}, args...)...)
}

func TestTheHelpFitsAndNamesEveryCommand(t *testing.T) {
	w := newWorld(t)
	help := w.done("--help")
	all := help
	for _, command := range []string{"list", "describe", "history", "diff", "graph", "check", "run", "suspend", "resume", "version", "completion"} {
		assert.Contains(t, help, "\n  "+command+" ")
		own := w.done(command, "--help")
		assert.Contains(t, own, "kubectl changejob "+command)
		all += own
	}
	assert.Equal(t, help, w.done(), "without a command, too")
	for line := range strings.Lines(all) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), text.DefaultWidth, "%s", line)
	}
}

func TestAnErrorIsALineThatCommandsNoTerminal(t *testing.T) {
	w := newWorld(t)
	w.wrap = faulty(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("not\nwith\x1b[31m us"))
		},
	})
	assertSays(t, w.run("list"), "", `^error: [^\n\x1b]*not with\x{fffd}\[31m us\n$`)
	assertSays(t, w.run("lst"), "", `^error: unknown command "lst" [^\n]*\n$`)
}

func TestWideCutsNothing(t *testing.T) {
	w := newWorld(t)
	path := "data['" + strings.Repeat("a.long.key/", 10) + "']"
	ctj := w.trigger("config-sync", func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Resources[0].Fields = []string{path} })
	w.observed(ctj, func(s *v1alpha.ChangeTriggeredJobStatus) {
		s.Conditions = conditions(w.now, metav1.ConditionTrue, trigger.ReasonTriggering, "A Job is about to be created")
		s.ResourceHashes = []v1alpha.ResourceHash{hashes(w.configMap("app-config"), v1alpha.FieldHash{Field: path, Hash: "v1-1:2", LastTriggeredHash: "v1-1:1"})}
	})
	for _, command := range []string{"describe", "diff", "graph"} {
		assert.NotContains(t, w.done(command, "config-sync"), path, command)
		assert.Contains(t, w.done(command, "config-sync", "-o", "wide"), path, command)
	}
}

func TestTheGraphKnowsWhoseJobsAreWatched(t *testing.T) {
	w := newWorld(t)
	w.trigger("build")
	w.trigger("test", func(c *v1alpha.ChangeTriggeredJob) {
		c.Spec.Resources = []v1alpha.ResourceReference{{APIVersion: "batch/v1", Kind: "Job", Namespace: w.namespace, Fields: []string{"status"},
			Selector: &v1alpha.LabelSelector{MatchLabels: map[string]v1alpha.LabelValue{"changejob.dev/owner": "build"}}}}
	})
	of := "(of " + w.namespace + "/build)"
	group := v1alpha.GroupVersion.Group
	assert.Contains(t, w.done("graph", "test", "-o", "wide"), of, "though it is not named")
	assert.Contains(t, w.done("graph", "test", "-o", "dot"), `"trigger `+w.namespace+`/build" [shape=ellipse, label="`+w.namespace+`/build"];`)
	assert.Contains(t, w.user("lister", may(group, triggers, "get", "list")).done("graph", "test", "-o", "wide"), of, "as far as the user may list")
	assert.NotContains(t, w.user("reader", may(group, triggers, "get")).done("graph", "test", "-o", "wide"), of, "and no further")
}

// TestWhatCannotBeDecodedIsResumed: that such a spec is not suspended is not known.
func TestWhatCannotBeDecodedIsResumed(t *testing.T) {
	w := newWorld(t)
	w.trigger("config-sync", func(c *v1alpha.ChangeTriggeredJob) { c.Spec.Suspend = new(true) })
	w.wrap = faulty(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, object, opts...); err != nil {
				return err
			}
			spec := &object.(*v1alpha.ChangeTriggeredJob).Spec
			require.NoError(t, json.Unmarshal([]byte(`{"history":"many","suspend":true}`), spec))
			require.Error(t, spec.Undecoded())
			return nil
		},
	})
	assert.Equal(t, "changetriggeredjob.triggers.changejob.dev/config-sync resumed\n", w.done("resume", "config-sync"))
	assert.False(t, stored(w, "config-sync").Spec.Suspended())
}
