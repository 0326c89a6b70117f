package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/job"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// tale is a history as the audit log would tell it, of one ChangeTriggeredJob on one object.
type tale struct {
	t       *testing.T
	ctj     *v1alpha.ChangeTriggeredJob
	history *history
	present string
	version int
	seen    []*batchv1.Job
}

var taleStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newTale(t *testing.T) *tale {
	return &tale{t: t, history: newHistory(), ctj: &v1alpha.ChangeTriggeredJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ctj", UID: "uid", Generation: 1},
		Spec:       v1alpha.ChangeTriggeredJobSpec{Resources: []v1alpha.ResourceReference{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "ns", Name: "config"}}},
	}}
}

func (s *tale) happens(verb, resource, subresource, name string, code int32, answer metav1.Object) {
	s.t.Helper()
	s.version++
	at := metav1.NewMicroTime(taleStart.Add(time.Duration(s.version) * time.Second))
	event := &auditv1.Event{
		Verb: verb, ObjectRef: &auditv1.ObjectReference{Resource: resource, Subresource: subresource, Namespace: "ns", Name: name},
		ResponseStatus: &metav1.Status{Code: code}, RequestReceivedTimestamp: at, StageTimestamp: at,
	}
	if answer != nil {
		answer.SetResourceVersion(strconv.Itoa(s.version))
		raw, err := json.Marshal(answer)
		require.NoError(s.t, err)
		event.ResponseObject = &runtime.Unknown{Raw: raw}
		if ctj, ok := answer.(*v1alpha.ChangeTriggeredJob); ok {
			event.RequestObject = event.ResponseObject
			raw, err := json.Marshal(metav1.PartialObjectMetadata{ObjectMeta: ctj.ObjectMeta})
			require.NoError(s.t, err)
			event.ResponseObject = &runtime.Unknown{Raw: raw}
		}
	}
	require.NoError(s.t, s.history.add(event))
}

func (s *tale) object() trigger.ObjectReference {
	return trigger.MergeReferences(s.ctj.Spec.Resources)[0].Reference
}

// runs is that the Job of a trigger is created, for a state.
func (s *tale) runs(number int64, hash string) {
	s.t.Helper()
	built, err := job.Build(s.ctj, &trigger.Creation{
		Name: trigger.JobName(s.ctj.Name, s.ctj.UID, number), Number: number, Reason: trigger.ReasonChange,
		Changed: []trigger.Change{{ObjectReference: s.object(), Fields: []string{"*"}}},
		Hashes:  []trigger.TriggeredHash{{Reference: s.object(), Field: "*", Hash: hash}},
	})
	require.NoError(s.t, err)
	built.UID = types.UID(fmt.Sprintf("%s-%d", built.Name, s.version))
	s.happens("create", "jobs", "", built.Name, http.StatusCreated, built)
}

// says is that a status is written; lastTriggered is empty where nothing is pending.
func (s *tale) says(count int64, hash, lastTriggered string) {
	s.t.Helper()
	o := s.object()
	s.ctj.Status = v1alpha.ChangeTriggeredJobStatus{
		ObservedGeneration: s.ctj.Generation, TriggerCount: count,
		ResourceHashes: []v1alpha.ResourceHash{{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
			Fields: []v1alpha.FieldHash{{Field: "*", Hash: hash, LastTriggeredHash: lastTriggered}}}},
	}
	s.happens("update", "changetriggeredjobs", "status", "ctj", http.StatusOK, s.ctj.DeepCopy())
	s.present = hash
}

func (s *tale) deletes(number int64) {
	s.t.Helper()
	s.happens("delete", "jobs", "", trigger.JobName(s.ctj.Name, s.ctj.UID, number), http.StatusOK, nil)
}

func (s *tale) verdict() verdict {
	return judge(evidence{
		ctjs: []v1alpha.ChangeTriggeredJob{*s.ctj}, history: s.history, seen: s.seen,
		present: map[types.UID]map[place]string{s.ctj.UID: {{s.object(), "*"}: s.present}},
		excuses: map[string][]string{"ctj": {trigger.ReasonNameTaken}},
	})
}

func TestTheOracleFails(t *testing.T) {
	for sentence, c := range map[string]struct {
		tale              func(*tale)
		broken, unsettled string
		excepted          int
	}{
		"not where all is well": {tale: func(*tale) {}},
		"where a number was created twice": {
			tale:   func(s *tale) { s.runs(2, "k:c") },
			broken: "trigger 2 was created twice",
		},
		"where a number was created twice, its Job having been deleted after it was settled": {
			tale:   func(s *tale) { s.deletes(2); s.runs(2, "k:c") },
			broken: "trigger 2 was created twice",
		},
		"not where it was deleted before it was settled, and counts that": {
			tale:     func(s *tale) { s.runs(3, "k:d"); s.deletes(3); s.runs(3, "k:d"); s.says(3, "k:d", "") },
			excepted: 1,
		},
		"where a number was left out": {
			tale:   func(s *tale) { s.runs(4, "k:d"); s.says(4, "k:d", "") },
			broken: "trigger 4 follows trigger 2",
		},
		"where two triggers in a row ran for the same state": {
			tale:   func(s *tale) { s.runs(3, "k:c"); s.says(3, "k:c", "") },
			broken: "trigger 3 ran for the same state as trigger 2",
		},
		"not where the first of them was replaced": {
			tale: func(s *tale) {
				s.says(2, "k:d", "unknown")
				s.deletes(2)
				s.says(2, "k:c", "unknown")
				s.runs(3, "k:c")
				s.says(3, "k:c", "")
			},
		},
		"where a Job has another number than its name": {
			tale: func(s *tale) {
				s.ctj.Name = "other"
				s.runs(3, "k:d")
				s.ctj.Name = "ctj"
				s.history.created["uid"][2].job.Labels[job.OwnerLabel] = "ctj"
			},
			broken: "whose name is another", unsettled: "status counts 2 triggers",
		},
		"where the baseline moved without a Job": {
			tale:   func(s *tale) { s.says(2, "k:d", "") },
			broken: "moved without a Job", unsettled: "is not what the newest Job ran for",
		},
		"where the baseline moved to something else than the Job ran for": {
			tale:   func(s *tale) { s.runs(3, "k:d"); s.says(3, "k:e", "") },
			broken: "is not what trigger 3 ran for", unsettled: "is not what the newest Job ran for",
		},
		"where the count moved without a Job": {
			tale:   func(s *tale) { s.says(3, "k:d", "k:c") },
			broken: "status counts trigger 3, whose Job was not created", unsettled: "newest Job is of trigger 2",
		},
		"where the count went back": {
			tale:   func(s *tale) { s.says(1, "k:c", "k:b") },
			broken: "the count went back from 2 to 1", unsettled: "newest Job is of trigger 2",
		},
		"at rest where something is pending":            {tale: func(s *tale) { s.says(2, "k:d", "k:c") }, unsettled: "is pending"},
		"at rest where the object is not what it was":   {tale: func(s *tale) { s.present = "k:d" }, unsettled: "is not what status says"},
		"at rest where a Job is not counted":            {tale: func(s *tale) { s.runs(3, "k:d") }, unsettled: "newest Job is of trigger 3"},
		"at rest where the spec has not been looked at": {tale: func(s *tale) { s.ctj.Generation++ }, unsettled: "has not been looked at"},
		"at rest where a field has not been looked at": {
			tale: func(s *tale) { s.ctj.Spec.Resources[0].Fields = []string{"*", "data"} }, unsettled: "ConfigMap ns/config data has not been looked at",
		},
		"not where what is pending is suspended": {tale: func(s *tale) { s.ctj.Spec.Suspend = new(true); s.says(2, "k:d", "k:c") }},
		"not where All waits for a change of the other": {tale: func(s *tale) {
			s.ctj.Spec.Condition = v1alpha.TriggerAll
			s.ctj.Spec.Resources = append(s.ctj.Spec.Resources, v1alpha.ResourceReference{APIVersion: "v1", Kind: "Secret", Namespace: "ns", Name: "s"})
			s.says(2, "k:d", "k:c")
			s.ctj.Status.ResourceHashes = append(s.ctj.Status.ResourceHashes, v1alpha.ResourceHash{APIVersion: "v1", Kind: "Secret", Namespace: "ns", Name: "s",
				Fields: []v1alpha.FieldHash{{Field: "*", Hash: "absent"}}})
		}},
		"where All waits for nothing": {
			tale:      func(s *tale) { s.ctj.Spec.Condition = v1alpha.TriggerAll; s.says(2, "k:d", "k:c") },
			unsettled: "is pending",
		},
		"not where a condition has the reason that the test expects": {tale: func(s *tale) {
			s.says(2, "k:d", "k:c")
			s.ctj.Status.Conditions = []metav1.Condition{{Type: trigger.ConditionDegraded, Reason: trigger.ReasonNameTaken}}
		}},
		"not where an API server that was killed has not told of a Job that somebody has seen": {tale: func(s *tale) {
			s.runs(3, "k:d")
			last := len(s.history.created["uid"]) - 1
			s.seen = append(s.seen, s.history.created["uid"][last].job)
			s.history.created["uid"] = s.history.created["uid"][:last]
			s.says(3, "k:d", "")
			s.runs(4, "k:e")
			s.says(4, "k:e", "")
		}},
		"where it was seen twice": {tale: func(s *tale) {
			again := s.history.created["uid"][1].job.DeepCopy()
			again.UID = "another"
			s.seen = append(s.seen, again)
		}, broken: "trigger 2 was created twice"},
		"not where the key was replaced": {tale: func(s *tale) { s.says(2, "k2:c", ""); s.runs(3, "k2:d"); s.says(3, "k2:d", "") }},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newTale(t)
			s.says(0, "k:a", "")
			s.says(0, "k:b", "k:a")
			s.runs(1, "k:b")
			s.says(1, "k:b", "")
			s.runs(2, "k:c")
			s.says(2, "k:c", "")
			c.tale(s)
			v := s.verdict()
			assertFound(t, c.broken, v.broken)
			assertFound(t, c.unsettled, v.unsettled)
			assert.Equal(t, c.excepted, v.excepted)
		})
	}
}

// assertFound checks that there is a finding with these words, or none where there are no words.
func assertFound(t *testing.T, words string, findings []string) {
	t.Helper()
	if words == "" {
		assert.Empty(t, findings)
		return
	}
	assert.Contains(t, strings.Join(findings, "\n"), words)
}

func TestTheOracleTakesNothingForAJobOfOurs(t *testing.T) {
	h := newHistory()
	for _, event := range []auditv1.Event{
		{Verb: "create", ObjectRef: &auditv1.ObjectReference{Resource: "jobs"}, ResponseStatus: &metav1.Status{Code: http.StatusConflict}},
		{Verb: "create"},
		{Verb: "create", RequestURI: "/apis/batch/v1/namespaces/ns/jobs?dryRun=All", ObjectRef: &auditv1.ObjectReference{Resource: "jobs"},
			ResponseStatus: &metav1.Status{Code: http.StatusCreated}},
	} {
		require.NoError(t, h.add(&event))
	}
	foreign, err := json.Marshal(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}})
	require.NoError(t, err)
	require.NoError(t, h.add(&auditv1.Event{
		Verb: "create", ObjectRef: &auditv1.ObjectReference{Resource: "jobs"},
		ResponseStatus: &metav1.Status{Code: http.StatusCreated}, ResponseObject: &runtime.Unknown{Raw: foreign},
	}))
	assert.Empty(t, h.created)
	assert.Error(t, h.add(&auditv1.Event{
		Verb: "create", ObjectRef: &auditv1.ObjectReference{Resource: "jobs"}, ResponseStatus: &metav1.Status{Code: http.StatusCreated},
	}), "a log without bodies proves nothing")
}
