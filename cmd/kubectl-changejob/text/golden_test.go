package text

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the time in all tests.
var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(-d)} }

func in(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

// golden compares what was written with a file of testdata, and checks that it fits.
func golden(t *testing.T, name string, w *Writer) {
	t.Helper()
	got := w.String()
	if w.Width != Unlimited {
		for line := range strings.Lines(got) {
			assert.LessOrEqual(t, length(strings.TrimSuffix(line, "\n")), w.Width, "%s", line)
		}
	}
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o700))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func writer(width int) *Writer { return &Writer{Width: width, Now: now} }

const (
	longName      = "the-longest-name-that-a-changetriggeredjob-may-have1"
	longNamespace = "a-namespace-whose-name-is-as-long-as-the-api-server-lets-it-be1"
)

func summaries() report.List {
	return report.List{Items: []report.Summary{
		{
			Namespace: "default", Name: "config-sync", State: trigger.ReasonIdle, Condition: v1alpha.TriggerAny, Cooldown: "30s", References: 1,
			TriggerCount: 12, LastTriggeredTime: ago(26 * time.Hour), LastJobName: "config-sync-0123456789", LastJobStatus: v1alpha.JobSucceeded,
			Next: report.Next{Message: "when something changes"}, CreationTimestamp: *ago(40 * 24 * time.Hour), Message: "Nothing is pending",
		},
		{
			Namespace: longNamespace, Name: longName, State: trigger.ReasonWaitingForAll, Condition: v1alpha.TriggerAll, Cooldown: "720h0m0s",
			References: 64, Pending: 63, TriggerCount: 123456, LastTriggeredTime: ago(25 * time.Minute), LastJobName: longName + "-0123456789",
			LastJobStatus: v1alpha.JobFailed, Degraded: true, CreationTimestamp: *ago(400 * 24 * time.Hour),
			Message: "ConfigMap default/app-config changed; waiting for a change of Secret default/db",
		},
		{
			Namespace: "team", Name: "rollout", State: trigger.ReasonCooldown, References: 2, Pending: 1, LastTriggeredTime: ago(25 * time.Second),
			LastJobStatus: v1alpha.JobActive, Next: report.Next{Time: in(4500 * time.Millisecond)}, CreationTimestamp: *ago(time.Hour),
		},
		{Namespace: "team", Name: "new", State: report.StateNotObserved, References: 2, CreationTimestamp: *ago(time.Second)},
		{Namespace: "team", Name: "blind", State: trigger.ReasonForbidden, Degraded: true, References: 1, CreationTimestamp: *ago(time.Second)},
	}}
}

func TestAListFits(t *testing.T) {
	for name, test := range map[string]struct {
		width                    int
		namespaces, wide, colour bool
	}{
		"list":            {width: 80},
		"list-namespaces": {width: 80, namespaces: true},
		"list-wide":       {namespaces: true, wide: true},
		"list-terminal":   {width: 120, namespaces: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := writer(test.width)
			w.List(summaries(), test.namespaces, test.wide)
			golden(t, name+".txt", w)
		})
	}
}

func TestColoursTakeNoRoom(t *testing.T) {
	w, coloured := writer(80), writer(80)
	coloured.Colour = true
	w.List(summaries(), true, false)
	coloured.List(summaries(), true, false)
	assert.NotContains(t, w.String(), "\x1b")
	assert.Contains(t, coloured.String(), "\x1b[32mIdle\x1b[0m")
	assert.Contains(t, coloured.String(), "\x1b[33mCooldown\x1b[0m")
	assert.Contains(t, coloured.String(), "\x1b[31mForbidden\x1b[0m")
	assert.Contains(t, coloured.String(), "\x1b[31mFailed\x1b[0m")
	assert.Equal(t, w.String(), uncoloured(coloured.String()))
}

func uncoloured(text string) string {
	for _, c := range []colour{red, green, yellow, bold} {
		text = strings.ReplaceAll(text, "\x1b["+string(c)+"m", "")
	}
	return strings.ReplaceAll(text, "\x1b[0m", "")
}

func configMap(name string) trigger.ObjectReference {
	return trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name}
}

func node(name string) trigger.ObjectReference {
	return trigger.ObjectReference{APIVersion: "v1", Kind: "Node", Name: name}
}

func references() []report.Reference {
	return []report.Reference{
		{ObjectReference: configMap("app-config"), Pending: true, PendingSince: ago(25 * time.Minute), Fields: []report.Field{
			{Field: "data", State: report.FieldChanged, Exists: true},
			{Field: "metadata.labels['" + strings.Repeat("long/", 40) + "']", State: report.FieldCreated, Exists: true},
			{Field: "immutable", State: report.FieldUnchanged},
			{Field: "metadata.annotations['" + strings.Repeat("long/", 40) + "']", State: report.FieldUnchanged},
		}},
		{ObjectReference: configMap(strings.Repeat("x", 253)), Message: "the object does not exist", Pending: true, Fields: []report.Field{
			{Field: "*", State: report.FieldRemoved},
		}},
		{ObjectReference: node("worker-1"), Pending: true, Fields: []report.Field{
			{Field: "spec.unschedulable", State: report.FieldUnanswered}, {Field: "status.phase", State: report.FieldNotSeen},
		}},
	}
}

func seconds64(n int64) *int64 { return &n }

func TestADescriptionFits(t *testing.T) {
	list := summaries().Items
	for name, d := range map[string]report.Description{
		"describe": {
			Summary: func() report.Summary {
				s := list[2]
				s.Condition, s.Cooldown, s.TriggerCount, s.References = v1alpha.TriggerAny, "30s", 12, 3
				s.Message = "ConfigMap default/app-config changed; the cooldown ends at 2026-11-29T12:00:05Z"
				s.Next = report.Next{Time: in(5 * time.Second), NotBefore: in(5 * time.Second), Message: "when the cooldown ends"}
				s.LastJobName = "rollout-0123456789"
				return s
			}(),
			ConcurrencyPolicy: v1alpha.ForbidConcurrent, History: 5,
			LastTrigger: &report.Trigger{
				Number: 12, Reason: trigger.ReasonChange, Time: *ago(25 * time.Second), Job: "rollout-0123456789", Outcome: "Active", DurationSeconds: seconds64(24),
				Changed:       []job.Change{{Change: trigger.Change{ObjectReference: configMap("app-config"), Fields: []string{"data", "immutable"}}}, {Change: trigger.Change{ObjectReference: node("worker-1"), Fields: []string{"*"}}}},
				OmittedFields: 3,
			},
			Resources: references(), Active: []string{"rollout-0123456789"}, RunNowPending: true,
			Conditions: []metav1.Condition{
				{Type: "Available", Status: "True", Reason: "Watching", Message: "Every referenced object is watched", LastTransitionTime: *ago(time.Hour)},
				{Type: "Progressing", Status: "True", Reason: "Cooldown", Message: "ConfigMap default/app-config changed; the cooldown ends at 2026-11-29T12:00:05Z", LastTransitionTime: *ago(time.Second)},
			},
		},
		"describe-unknown": {
			Summary: func() report.Summary {
				s := list[1]
				s.Outdated, s.Next = true, report.Next{Message: "when the other resources have changed, too", NotBefore: in(90 * time.Minute)}
				return s
			}(),
			ConcurrencyPolicy: v1alpha.ReplaceConcurrent, LastTriggerUnknown: "its Job is gone, and with it what it ran for", Resources: references()[:1],
		},
		"describe-times": {
			Summary:            list[0],
			ConcurrencyPolicy:  v1alpha.AllowConcurrent,
			LastTriggerUnknown: "you may not list the Jobs of this namespace", Settle: "5s", PendingDeadline: "24h0m0s", FirstRunPending: true,
			Windows: []v1alpha.TriggerWindow{
				{Schedule: "0 22 * * 1-5", TimeZone: "Europe/Berlin", Duration: metav1.Duration{Duration: 2 * time.Hour}},
				{Schedule: "0 0 * * 6", Duration: metav1.Duration{Duration: 48 * time.Hour}},
			},
			Retry: &report.Retry{Limit: 3, Count: 1, NextTime: in(20 * time.Second)},
		},
		"describe-suspended": {
			Summary: func() report.Summary {
				s := list[4]
				s.Suspended, s.Cooldown, s.Message = true, "30s", "ConfigMap default/app-config: the operator may not read the object"
				s.Next.Message = "when something changes, after resume"
				return s
			}(),
		},
		"describe-new": {
			Summary: func() report.Summary {
				s := list[3]
				s.References, s.Cooldown, s.Message = 1, "0s", "no operator has looked at it yet"
				s.Next.Message = "after the first look at what is watched"
				return s
			}(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := writer(80)
			w.Descriptions(report.Descriptions{Items: []report.Description{d}})
			golden(t, name+".txt", w)
		})
	}
}

func TestAHistoryFits(t *testing.T) {
	history := report.History{Namespace: "default", Name: "config-sync", TriggerCount: 123456, Triggers: []report.Trigger{
		{Number: 123456, Reason: trigger.ReasonChange, Time: *ago(5 * time.Second), Job: longName + "-0123456789", Outcome: "Active", DurationSeconds: seconds64(4),
			Changed: []job.Change{{Change: trigger.Change{ObjectReference: configMap("app-config"), Fields: []string{"data"}}}, {Change: trigger.Change{ObjectReference: node("worker-1"), Fields: []string{"*"}}}}},
		{Number: 123455, Reason: "RunNow", Time: *ago(time.Hour), Job: longName + "-abcdefghij", Outcome: "Succeeded", DurationSeconds: seconds64(3700)},
		{Number: 123454, Reason: "RunNow", Time: *ago(2 * time.Hour), Job: "config-sync-klmnopqrst", Outcome: "Failed", DurationSeconds: seconds64(0),
			Changed: []job.Change{{Change: trigger.Change{ObjectReference: configMap("app-config"), Fields: []string{"data"}}}}},
		{Time: *ago(90 * 24 * time.Hour), Job: "config-sync-by-hand", Outcome: "Active", ChangedUnknown: true},
	}}
	for name, wide := range map[string]bool{"history": false, "history-wide": true} {
		w := writer(80)
		if wide {
			w.Width = Unlimited
		}
		w.History(history, wide)
		golden(t, name+".txt", w)
	}
}

func TestDifferencesFit(t *testing.T) {
	w := writer(80)
	w.Differences(report.Differences{Items: []report.Difference{
		{Namespace: "default", Name: "config-sync", Resources: report.PendingOf(references())},
		{Namespace: longNamespace, Name: longName, Resources: []report.Reference{}},
	}})
	golden(t, "diff.txt", w)
}

func TestAGraphFits(t *testing.T) {
	graph := report.Graph{Objects: []report.GraphObject{
		{ObjectReference: node("worker-1"), Triggers: []report.GraphTrigger{{Namespace: "default", Name: "node-watcher", Fields: []string{"*"}}}},
		{ObjectReference: configMap("app-config"), Triggers: []report.GraphTrigger{
			{Namespace: "default", Name: "config-sync", Fields: []string{"data", `metadata.annotations['a "quoted\" key']`}},
			{Namespace: longNamespace, Name: longName, Fields: []string{"data.a", "data.b"}, Condition: v1alpha.TriggerAll, Suspended: true},
		}},
		{ObjectReference: trigger.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: "default", Selection: "changejob.dev/owner=config-sync"},
			JobsOf:   []report.GraphSource{{Namespace: "default", Name: "config-sync"}, {Namespace: "team", Name: "untold"}},
			Triggers: []report.GraphTrigger{{Namespace: "default", Name: "notify", Fields: []string{"status"}}}},
	}}
	w := writer(80)
	w.Graph(graph)
	golden(t, "graph.txt", w)
	dot := writer(Unlimited)
	dot.out.WriteString(DOT(graph))
	golden(t, "graph.dot", dot)
}

func TestChecksFit(t *testing.T) {
	size := func(n int) *int { return &n }
	w := writer(80)
	w.Checks(report.Checks{
		Items: []report.Check{
			{Namespace: "default", Name: "config-sync", Valid: true, Action: report.ActionCreate,
				Warnings: []string{"spec.resources[0].fields[0]: the status of a Node changes all the time, and counts with the field *, so that Jobs run all the time"},
				Looks: []report.CheckReference{
					{ObjectReference: configMap("app-config"), Exists: report.ExistsYes, Fields: []report.CheckField{
						{Field: "data", Values: 1, Selected: []report.Selected{{Type: "object", Size: size(2)}}},
						{Field: "data.gone"},
						{Field: "data[*]", Values: 12, Selected: []report.Selected{{Type: "string", Size: size(1)}, {Type: "string", Size: size(30), Value: []byte(`"value"`)}, {Type: "null"}}},
						{Field: "list", Values: 1, Selected: []report.Selected{{Type: "list", Size: size(1)}}},
						{Field: "one", Values: 1, Selected: []report.Selected{{Type: "object", Size: size(1)}}},
					}},
					{ObjectReference: configMap("none"), Exists: report.ExistsNo, Fields: []report.CheckField{{Field: "*"}}},
					{ObjectReference: node("worker-1"), Exists: report.ExistsUnknown, Message: "you may not get nodes", Fields: []report.CheckField{{Field: "*"}}},
					{ObjectReference: trigger.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Selection: "app=web"}, Exists: report.ExistsYes, Matched: size(12),
						Message: "by their labels; those of which its when is not true are left out", Fields: []report.CheckField{}, Objects: []report.CheckReference{
							{ObjectReference: configMap("web-1"), Exists: report.ExistsYes, When: report.WhenTrue, Fields: []report.CheckField{
								{Field: "data", Values: 1, Selected: []report.Selected{{Type: "object", Size: size(2), Value: []byte(`{"key":"` + strings.Repeat("value ", 20) + `"}`)}}},
								{Field: "data.gone"},
							}},
							{ObjectReference: configMap(strings.Repeat("x", 253)), Exists: report.ExistsYes, When: string(v1alpha.WhenFailed), Fields: []report.CheckField{{Field: "data"}}},
						}},
				}},
			{Namespace: longNamespace, Name: longName, Problems: []report.Problem{
				{Field: "spec.resources[0].kind", Message: `Invalid value: "ConfgMap": resource kind does not exist`}, {Message: "no field at all"},
			}},
			{Namespace: "default", Name: "old", Valid: true, Action: report.ActionUpdate},
		},
		Skipped: []string{"ConfigMap app-config", "Deployment web"},
	})
	golden(t, "check.txt", w)
}

func TestNothingThatIsShownCommandsTheTerminal(t *testing.T) {
	const evil = "a\x1b[31mb\r\nc\u009bd\u202ee\xff"
	w := writer(80)
	reference := trigger.ObjectReference{APIVersion: evil, Kind: evil, Namespace: evil, Name: evil}
	field := report.Field{Field: evil, State: report.FieldChanged}
	s := report.Summary{Namespace: evil, Name: evil, State: evil, Message: evil, LastJobName: evil, LastJobStatus: evil, TriggerCount: 1, Cooldown: evil}
	w.List(report.List{Items: []report.Summary{s}}, true, true)
	described := report.Trigger{Job: evil, Outcome: evil, Reason: evil, Changed: []job.Change{{Change: trigger.Change{ObjectReference: reference, Fields: []string{evil}}}}}
	w.Descriptions(report.Descriptions{Items: []report.Description{{Summary: s, LastTrigger: &described, Active: []string{evil},
		Resources:  []report.Reference{{ObjectReference: reference, Message: evil, Fields: []report.Field{field}}},
		Conditions: []metav1.Condition{{Type: evil, Reason: evil, Message: evil, Status: evil}}}}})
	w.History(report.History{Triggers: []report.Trigger{described}}, true)
	w.Differences(report.Differences{Items: []report.Difference{{Namespace: evil, Name: evil, Resources: []report.Reference{{ObjectReference: reference, Fields: []report.Field{field}}}}}})
	graph := report.Graph{Objects: []report.GraphObject{{ObjectReference: reference, Triggers: []report.GraphTrigger{{Namespace: evil, Name: evil, Fields: []string{evil}}}}}}
	w.Graph(graph)
	look := report.CheckReference{ObjectReference: reference, Exists: report.ExistsYes, Message: evil, Fields: []report.CheckField{{Field: evil, Values: 1,
		Selected: []report.Selected{{Type: evil, Value: []byte(evil)}}}}}
	w.Checks(report.Checks{Skipped: []string{evil}, Items: []report.Check{{Namespace: evil, Name: evil, Warnings: []string{evil}, Problems: []report.Problem{{Field: evil, Message: evil}},
		Looks: []report.CheckReference{look, {ObjectReference: reference, Exists: report.ExistsYes, Matched: new(int), Objects: []report.CheckReference{look}}}}}})
	for _, text := range []string{w.String(), DOT(graph)} {
		require.NotEmpty(t, text)
		for _, forbidden := range []string{"\x1b", "\r", "\u009b", "\u202e", "\xff"} {
			assert.NotContains(t, text, forbidden)
		}
	}
}

func TestTimesAreToldAsKubectlTellsThem(t *testing.T) {
	w := writer(80)
	for does, test := range map[string]struct{ got, want string }{
		"what is not known":      {w.age(nil), "-"},
		"seconds":                {w.age(ago(45 * time.Second)), "45s"},
		"minutes":                {w.age(ago(9*time.Minute + 5*time.Second)), "9m5s"},
		"days":                   {w.age(ago(72 * time.Hour)), "3d"},
		"nothing is due":         {w.until(nil), "-"},
		"what is over is due":    {w.until(ago(time.Second)), "now"},
		"and what is due is now": {w.until(in(0)), "now"},
		"a wait is rounded up":   {w.until(in(1500 * time.Millisecond)), "2s"},
	} {
		assert.Equal(t, test.want, test.got, does)
	}
}

func TestCuts(t *testing.T) {
	for does, test := range map[string]struct{ got, want string }{
		"what fits stays":                       {cut("äbc", 3), "äbc"},
		"characters are counted, and not bytes": {cut("äbcd", 3), "äb…"},
		"the end of a Job's name stays":         {cutMiddle("config-sync-0123456789", 18), "config-…0123456789"},
		"unless there is hardly room":           {cutMiddle("config-sync-0123456789", 8), "conf…789"},
		"or none":                               {cutMiddle("config", 0), "…"},
	} {
		assert.Equal(t, test.want, test.got, does)
	}
	assert.Equal(t, []string{"a bc", "defg", "h"}, wrap("a bc defgh", 4))
	assert.Equal(t, []string{""}, wrap("", 4))
	assert.Equal(t, []string{"a  b  ", "c  d"}, wrap("a  b   c  d", 6), "the space at which it breaks is the only one that goes")
	assert.Equal(t, []string{" a"}, wrap(" a", 4))
}
